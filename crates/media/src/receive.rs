//! One leg's ears: RTP packets in, media events out.
//!
//! Sans-IO: [`Receiver::push`] takes packets as they arrive, [`Receiver::pull`]
//! is called every few milliseconds (live) or of capture time (recordings).
//! Packet → jitter buffer → decoder → analysis at 16 kHz; telephone events
//! (RFC 4733) go to the analysis at once.

mod conceal;
mod formats;
mod hearing;
mod stalls;
mod timeline;

use std::time::{Duration, Instant};

pub use formats::{Format, FormatError, Formats, TelephoneEventFormat};

use crate::analysis::AnalyzerConfig;
use crate::codec::OpusError;
use crate::event::MediaEvent;
use crate::jitter::{JitterBuffer, Pulled, Pushed};
use crate::resample::ResampleError;
use crate::rtp::RtpHeader;
use crate::said::Said;
use crate::silero::Silero;
use hearing::{Hearing, Sink};
use stalls::Stalls;
use thiserror::Error;

/// Samples (16 kHz) one pull may make at most: 100 ms. A leg that catches up,
/// or is flooded, so takes no more of its worker than twenty others.
const BUDGET: usize = 1600;
/// How much later than the jitter target a packet must be before silence is
/// heard in its stead.
const PATIENCE: Duration = Duration::from_millis(60);

/// What a receiver is to hear.
#[derive(Debug, Clone, Copy)]
pub struct ReceiverConfig {
    /// What the payload types mean.
    pub formats: Formats,
    /// How to analyse the audio.
    pub analyzer: AnalyzerConfig,
}

/// A codec could not be made.
#[derive(Debug, Error)]
pub enum ReceiverError {
    /// libopus refuses.
    #[error("Opus decoder could not be made: {0}")]
    Opus(#[from] OpusError),
    /// The resampler for G.711 could not be made.
    #[error("G.711 cannot be resampled: {0}")]
    Resample(#[from] ResampleError),
}

/// What became of the packets so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceiveStats {
    /// Packets pushed.
    pub received: u64,
    /// Packets that never came, or too late.
    pub lost: u64,
    /// Of the lost, those restored from in-band FEC or deep redundancy.
    pub recovered: u64,
    /// Packets that came after their place was concealed.
    pub late: u64,
    /// Milliseconds that packets came late all at once, though all of them came: the sender
    /// stalled, or the network. Of stalls between 100 and 500 ms; longer ones are pauses.
    pub stalled_ms: u64,
    /// Packets that came twice.
    pub duplicate: u64,
    /// Packets with a payload type that means nothing here.
    pub unknown_payload_type: u64,
    /// Packets whose payload is not what its type says.
    pub malformed: u64,
    /// Packets of a source or sequence that did not prove itself.
    pub foreign: u64,
    /// Packets for which the jitter buffer had no room.
    pub full: u64,
}

/// The application's two closures.
struct Both<'a, E, A> {
    events: &'a mut E,
    audio: &'a mut A,
}

impl<E: FnMut(MediaEvent), A: FnMut(&[f32])> Sink for Both<'_, E, A> {
    fn event(&mut self, event: MediaEvent) {
        (self.events)(event);
    }

    fn audio(&mut self, samples: &[f32]) {
        (self.audio)(samples);
    }
}

/// One leg's receiver. All memory is allocated in [`new`](Self::new) and wiped
/// on drop.
pub struct Receiver {
    formats: Formats,
    jitter: JitterBuffer,
    hearing: Hearing,
    stats: ReceiveStats,
    stalls: Stalls,
    sources: Sources,
}

/// Whether it matters whose audio comes, and whose came last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sources {
    Alike,
    Told(Option<u32>),
}

impl Sources {
    /// Whether `source` is another than was told.
    fn is_other(self, source: u32) -> bool {
        matches!(self, Self::Told(last) if last != Some(source))
    }
}

impl Receiver {
    /// A receiver that has heard nothing.
    ///
    /// # Errors
    /// [`ReceiverError`] when a codec cannot be made.
    pub fn new(config: ReceiverConfig) -> Result<Self, ReceiverError> {
        Ok(Self {
            jitter: JitterBuffer::new(config.formats.clock_rate()),
            hearing: Hearing::new(&config)?,
            formats: config.formats,
            stats: ReceiveStats::default(),
            stalls: Stalls::default(),
            sources: Sources::Alike,
        })
    }

    /// Tells from now on whose audio is heard ([`MediaEvent::Source`]), and hears each
    /// source afresh.
    pub fn tell_sources(&mut self) {
        self.sources = Sources::Told(None);
    }

    /// Takes a packet. Telephone events are answered at once, audio by
    /// [`pull`](Self::pull).
    pub fn push(
        &mut self,
        arrival: Instant,
        header: &RtpHeader,
        payload: &[u8],
        sink: &mut impl FnMut(MediaEvent),
    ) {
        self.stats.received += 1;
        let format = self.formats.get(header.payload_type);
        // A packet that holds no audio still takes its sequence number.
        let ticks = self.audio_ticks(format, payload);
        let pushed = self.jitter.push(arrival, header, ticks, payload);
        self.count(pushed);
        if let (Some(format), Pushed::Taken) = (format.filter(|_| ticks > 0), pushed) {
            self.stats.stalled_ms += self.stalls.packet(arrival, header, format.clock_rate());
        }
        let strange = matches!(pushed, Pushed::Foreign | Pushed::Oversized);
        if let (Some(Format::TelephoneEvent { clock_rate }), false) = (format, strange) {
            let heard = self
                .hearing
                .telephone_event(header, clock_rate, payload, sink);
            self.stats.malformed += u64::from(!heard);
        }
    }

    fn audio_ticks(&mut self, format: Option<Format>, payload: &[u8]) -> u32 {
        let Some(format) = format else {
            self.stats.unknown_payload_type += 1;
            return 0;
        };
        let ticks = format.ticks(payload);
        let audio = !matches!(format, Format::TelephoneEvent { .. });
        self.stats.malformed += u64::from(audio && ticks == 0);
        ticks
    }

    fn count(&mut self, pushed: Pushed) {
        let counter = match pushed {
            Pushed::Taken => return,
            Pushed::Duplicate => &mut self.stats.duplicate,
            Pushed::Late => &mut self.stats.late,
            Pushed::Foreign => &mut self.stats.foreign,
            Pushed::Full => &mut self.stats.full,
            Pushed::Oversized => &mut self.stats.malformed,
        };
        *counter += 1;
    }

    /// Hears what is due at `now`, at most 100 ms of it; gives whether more is
    /// due already.
    pub fn pull(&mut self, now: Instant, sink: &mut impl FnMut(MediaEvent)) -> bool {
        self.pull_audio(now, sink, &mut |_| {})
    }

    /// [`pull`](Self::pull), and hands out the audio (16 kHz, −1…1) that the
    /// analysis hears, in pieces of any length: for feature extractors, mixers
    /// and measurements.
    pub fn pull_audio(
        &mut self,
        now: Instant,
        events: &mut impl FnMut(MediaEvent),
        audio: &mut impl FnMut(&[f32]),
    ) -> bool {
        self.hear(now, &mut Both { events, audio })
    }

    fn hear(&mut self, now: Instant, sink: &mut impl Sink) -> bool {
        let mut budget = BUDGET;
        loop {
            self.hearing.pay_silence(&mut budget, sink);
            if budget == 0 {
                return true;
            }
            let Some(pulled) = self.jitter.pull(now) else {
                break;
            };
            let samples = match pulled {
                Pulled::Silence {
                    ticks,
                    payload_type,
                } => {
                    let format = self.formats.get(payload_type);
                    self.hearing.owe_silence(format, ticks, sink);
                    0
                }
                Pulled::Lost {
                    packets,
                    ticks,
                    next,
                } => {
                    self.stats.lost += u64::from(packets);
                    // What another source sends tells nothing of what this one's lost.
                    let next = next.filter(|next| !self.sources.is_other(next.source));
                    let next = next.and_then(|p| Some((self.formats.get(p.payload_type)?, p)));
                    let heard = self.hearing.lost(ticks, next, sink);
                    self.stats.recovered += u64::from(heard.recovered);
                    heard.samples
                }
                Pulled::Packet { packet, restart } => {
                    let format = self.formats.get(packet.payload_type);
                    let other = self.sources.is_other(packet.source);
                    if other {
                        self.sources = Sources::Told(Some(packet.source));
                        self.hearing.turn_to(packet.source, sink);
                    }
                    let restart = restart || other;
                    let heard = self.hearing.packet(now, format, packet, restart, sink);
                    self.stats.malformed += u64::from(heard.malformed);
                    heard.samples
                }
            };
            budget = budget.saturating_sub(samples);
        }
        let patience = self.jitter.target() + PATIENCE;
        self.hearing.wait_out(now, patience, &mut budget, sink)
    }

    /// As of [`Analyzer`](crate::analysis::Analyzer).
    pub(crate) fn leave_frames(&mut self) {
        self.hearing.leave_frames();
    }

    /// As of [`Vad`](crate::vad::Vad).
    pub(crate) fn guard_echo(&mut self) {
        self.hearing.guard_echo();
    }

    /// 20 ms are said to whoever is heard.
    pub(crate) fn said(&mut self, said: &Said) {
        self.hearing.said(said);
    }

    /// The network of speech, if a frame waits for it.
    pub(crate) fn network(&mut self) -> Option<&mut Silero> {
        self.hearing.network()
    }

    /// Tells of the frame that waited, now that it was heard.
    pub(crate) fn conclude(&mut self, sink: &mut impl FnMut(MediaEvent)) {
        self.hearing.conclude(sink);
    }

    /// Hears what is still held, as if time went on, and ends what is open
    /// (speech, a digit). For recordings; a live leg just stops.
    pub fn finish(&mut self, now: Instant, sink: &mut impl FnMut(MediaEvent)) {
        let later = now + crate::jitter::MAX_TARGET;
        // Bounded by what the jitter buffer can hold.
        while self.jitter.held() > 0 {
            self.pull(later, sink);
        }
        self.hearing.finish(sink);
    }

    /// Whether packets wait behind a gap.
    pub(crate) fn holds(&self) -> bool {
        self.jitter.held() > 0
    }

    /// What became of the packets so far.
    pub fn stats(&self) -> ReceiveStats {
        self.stats
    }

    /// The wait allowed for a missing packet now.
    pub fn jitter_target(&self) -> Duration {
        self.jitter.target()
    }
}

#[cfg(test)]
mod tests;

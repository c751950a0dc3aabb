//! All that is heard in one leg: digits, speech, levels.

mod keys;
mod tones;

use crate::codec::RATE;
use crate::event::{DigitSource, MediaEvent};
use crate::level::Meter;
use crate::rtp::RtpHeader;
use crate::said::Said;
use crate::silero::Silero;
use crate::telephone_event::TelephoneEvents;
use crate::vad::{Mask, SpeechConfig, SpeechEvent, Vad, VadEvent};
use keys::Keys;
use tones::Tones;

/// The detectors take audio in pieces of 5 ms, so that they agree on when what
/// was heard.
const PIECE: usize = RATE as usize / 200;
/// After a key is released its tones are in the speech detector's view for so
/// long.
const AFTERMATH_MS: u64 = 64;

/// What to tell besides digits and speech.
#[derive(Debug, Clone, Copy)]
pub struct AnalyzerConfig {
    /// Each frame's probability of speech.
    pub vad_frames: bool,
    /// The meter.
    pub level: bool,
    /// What pause ends what somebody says.
    pub speech: SpeechConfig,
}

impl Default for AnalyzerConfig {
    /// The meter, no frames, the usual pause.
    fn default() -> Self {
        Self {
            vad_frames: false,
            level: true,
            speech: SpeechConfig::default(),
        }
    }
}

/// What audio is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Audio,
    /// A decoder made it up.
    Concealed,
    /// Silence, because nothing came.
    Guess,
}

/// Hears one leg. All memory is allocated in [`new`](Self::new) and wiped on
/// drop.
pub struct Analyzer {
    config: AnalyzerConfig,
    /// Whether frames are left to be heard for speech together with other calls'.
    together: bool,
    tones: Tones,
    events: TelephoneEvents,
    keys: Keys,
    vad: Vad,
    meter: Meter,
    /// Samples heard.
    count: u64,
    /// Up to when what is heard may be a key's tones.
    tones_until_ms: u64,
}

impl Analyzer {
    /// An analyzer that has heard nothing.
    pub fn new(config: AnalyzerConfig) -> Self {
        Self {
            config,
            together: false,
            tones: Tones::new(),
            events: TelephoneEvents::new(),
            keys: Keys::default(),
            vad: Vad::new(config.speech),
            meter: Meter::new(),
            count: 0,
            tones_until_ms: 0,
        }
    }

    /// Takes audio of any length at 16 kHz (full scale ±1); media time goes on
    /// with it.
    pub fn process(&mut self, samples: &[f32], sink: &mut impl FnMut(MediaEvent)) {
        self.take(samples, Heard::Audio, sink);
    }

    /// As [`process`](Self::process), for audio that a decoder made up for what was lost: no
    /// key begins on it.
    pub fn process_concealed(&mut self, samples: &[f32], sink: &mut impl FnMut(MediaEvent)) {
        self.take(samples, Heard::Concealed, sink);
    }

    /// As [`process`](Self::process), for silence that is heard because nothing came for a
    /// while. A key waits in it until [`guessed_right`](Self::guessed_right) or
    /// [`guessed_wrong`](Self::guessed_wrong) says whether it goes on after it.
    pub(crate) fn process_guess(&mut self, silence: &[f32], sink: &mut impl FnMut(MediaEvent)) {
        self.take(silence, Heard::Guess, sink);
    }

    /// So many samples of what was guessed were silent, or are lost.
    pub(crate) fn guessed_right(&mut self, samples: usize, sink: &mut impl FnMut(MediaEvent)) {
        let Self { keys, tones, .. } = self;
        tones.was_silence(samples, &mut |event| {
            keys.take(DigitSource::Inband, event, sink);
        });
    }

    /// What was guessed besides was only late, and comes now.
    pub(crate) fn guessed_wrong(&mut self) {
        self.tones.was_late();
    }

    fn take(&mut self, mut samples: &[f32], what: Heard, sink: &mut impl FnMut(MediaEvent)) {
        while !samples.is_empty() {
            let room = PIECE - (self.count % PIECE as u64) as usize;
            let (piece, rest) = samples.split_at(room.min(samples.len()));
            self.count += piece.len() as u64;
            samples = rest;
            self.piece(piece, what, sink);
        }
    }

    fn piece(&mut self, piece: &[f32], what: Heard, sink: &mut impl FnMut(MediaEvent)) {
        let now_ms = self.now_ms();
        let Self {
            keys,
            events,
            tones,
            ..
        } = self;
        events.tick(now_ms, &mut |event| {
            keys.take(DigitSource::Rtp, event, sink);
        });
        let mut press = |event| keys.take(DigitSource::Inband, event, sink);
        match what {
            Heard::Guess => tones.guess(piece, &mut press),
            _ => tones.push(piece, what == Heard::Concealed, &mut press),
        }
        let mask = self.mask(now_ms);
        let Self {
            vad,
            meter,
            config,
            together,
            ..
        } = self;
        let mut tell = |event| speech(event, config.vad_frames, sink);
        match *together {
            true => vad.take(piece, mask, &mut tell),
            false => vad.push(piece, mask, &mut tell),
        }
        if config.level {
            meter.push(piece, &mut |dbov| {
                sink(MediaEvent::Level { t_ms: now_ms, dbov });
            });
        }
    }

    /// From now on each frame's hearing for speech is left to [`network`](Self::network)
    /// and [`conclude`](Self::conclude), so that several calls' are heard together.
    pub(crate) fn leave_frames(&mut self) {
        self.together = true;
    }

    /// As of [`Vad`].
    pub(crate) fn guard_echo(&mut self) {
        self.vad.guard_echo();
    }

    /// 20 ms are said to whoever is heard.
    pub(crate) fn said(&mut self, said: &Said) {
        self.vad.said(said);
    }

    /// The network, if a frame waits for it.
    pub(crate) fn network(&mut self) -> Option<&mut Silero> {
        self.vad.network()
    }

    /// Tells of the frame that waited, now that it was heard.
    pub(crate) fn conclude(&mut self, sink: &mut impl FnMut(MediaEvent)) {
        let frames = self.config.vad_frames;
        self.vad.conclude(&mut |event| speech(event, frames, sink));
    }

    /// What the tones heard mean for speech.
    fn mask(&mut self, now_ms: u64) -> Mask {
        if self.tones.is_pressed() {
            self.tones_until_ms = now_ms + AFTERMATH_MS;
        }
        match now_ms < self.tones_until_ms {
            true => Mask::Closed,
            false if self.tones.suspects() => Mask::Doubtful,
            false => Mask::Open,
        }
    }

    fn now_ms(&self) -> u64 {
        self.count * 1000 / u64::from(RATE)
    }

    /// Takes a telephone event (RFC 4733) the moment it arrives; `clock_rate`
    /// is its payload type's in Hz. Gives whether the payload is well-formed.
    pub fn telephone_event(
        &mut self,
        header: &RtpHeader,
        clock_rate: u32,
        payload: &[u8],
        sink: &mut impl FnMut(MediaEvent),
    ) -> bool {
        let now_ms = self.now_ms();
        let Self { keys, events, .. } = self;
        events.packet(now_ms, header, clock_rate, payload, &mut |event| {
            keys.take(DigitSource::Rtp, event, sink);
        })
    }

    /// Ends what is open: what follows is somebody else's audio. Media time goes on.
    pub(crate) fn restart(&mut self, sink: &mut impl FnMut(MediaEvent)) {
        self.finish(sink);
        self.vad.forget();
        self.meter = Meter::new();
    }

    /// Ends what is open: the audio is over.
    pub fn finish(&mut self, sink: &mut impl FnMut(MediaEvent)) {
        let Self {
            keys,
            events,
            tones,
            vad,
            config,
            ..
        } = self;
        events.finish(&mut |event| keys.take(DigitSource::Rtp, event, sink));
        tones.finish(&mut |event| keys.take(DigitSource::Inband, event, sink));
        vad.finish(&mut |event| speech(event, config.vad_frames, sink));
    }
}

fn speech(event: VadEvent, frames: bool, sink: &mut impl FnMut(MediaEvent)) {
    match event {
        VadEvent::Frame { t_ms, p } if frames => sink(MediaEvent::Vad { t_ms, p }),
        VadEvent::Frame { .. } => {}
        VadEvent::Speech(SpeechEvent::Start { start_ms }) => {
            sink(MediaEvent::SpeechStart { start_ms });
        }
        VadEvent::Speech(SpeechEvent::End { start_ms, end_ms }) => {
            sink(MediaEvent::SpeechEnd { start_ms, end_ms });
        }
    }
}

#[cfg(test)]
mod tests;

//! Decoders and analysis of one leg, and what to hear where packets are missing.

use std::time::{Duration, Instant};

use zeroize::Zeroize;

use super::conceal::Concealer;
use super::timeline::{FRAME, Settled, Timeline};
use super::{Format, ReceiverConfig, ReceiverError};
use crate::analysis::Analyzer;
use crate::codec::{
    Decoder, G722_SAMPLES_PER_BYTE, G722Decoder, MAX_FRAME, RATE, alaw, mulaw, opus_has_fec,
};
use crate::event::MediaEvent;
use crate::jitter::Packet;
use crate::resample::Stream;
use crate::rtp::RtpHeader;
use crate::said::Said;
use crate::silero::Silero;

/// Loss concealed by extrapolation: 100 ms. Longer gaps go on as silence, as
/// the decoder's own concealment would by then.
const MAX_CONCEAL: usize = RATE as usize / 10;
/// Loss restored from deep redundancy at once: 400 ms. It costs far more than
/// decoding, and a leg that catches up takes no more of its worker than others.
const MAX_RESTORE: usize = RATE as usize * 2 / 5;
/// Opus durations are multiples of 2.5 ms.
const OPUS_STEP: usize = RATE as usize / 400;

const SILENCE: [f32; FRAME] = [0.0; FRAME];

/// What hearing something came to.
#[derive(Default)]
pub(super) struct Heard {
    /// Samples made.
    pub(super) samples: usize,
    /// Lost packets that were restored.
    pub(super) recovered: u32,
    /// The decoder refused the packet.
    pub(super) malformed: bool,
}

/// Where what was heard goes.
pub(super) trait Sink {
    /// What the analysis says.
    fn event(&mut self, event: MediaEvent);
    /// What the analysis is about to hear.
    fn audio(&mut self, samples: &[f32]);
}

/// Hears a piece of audio.
fn hear(analyzer: &mut Analyzer, samples: &[f32], sink: &mut impl Sink) {
    sink.audio(samples);
    analyzer.process(samples, &mut |event| sink.event(event));
}

/// Hears a piece of audio that goes on from what was heard.
fn hear_concealed(analyzer: &mut Analyzer, samples: &[f32], sink: &mut impl Sink) {
    sink.audio(samples);
    analyzer.process_concealed(samples, &mut |event| sink.event(event));
}

/// G.711: it is concealed at its own rate.
struct Telephone {
    stream: Stream,
    concealer: Concealer,
}

/// G.722: its decoder goes on after a loss where it stood before.
struct Wideband {
    decoder: G722Decoder,
    concealer: Concealer,
}

pub(super) struct Hearing {
    opus: Option<Decoder>,
    g711: Option<Telephone>,
    g722: Option<Wideband>,
    analyzer: Analyzer,
    timeline: Timeline,
    pcm: Box<[f32]>,
}

impl Hearing {
    pub(super) fn new(config: &ReceiverConfig) -> Result<Self, ReceiverError> {
        let formats = &config.formats;
        let opus = formats.has(Format::Opus).then(Decoder::new).transpose()?;
        let telephone = || {
            let rate = Format::Pcmu.clock_rate();
            Ok::<_, ReceiverError>(Telephone {
                stream: Stream::new(rate)?,
                concealer: Concealer::new(rate),
            })
        };
        let wideband = || Wideband {
            decoder: G722Decoder::new(),
            concealer: Concealer::new(RATE),
        };
        let g711 = formats.has(Format::Pcmu) || formats.has(Format::Pcma);
        Ok(Self {
            opus,
            g711: g711.then(telephone).transpose()?,
            g722: formats.has(Format::G722).then(wideband),
            analyzer: Analyzer::new(config.analyzer),
            timeline: Timeline::default(),
            pcm: vec![0.0; MAX_FRAME].into(),
        })
    }

    /// A telephone event; `false` when its payload is malformed.
    pub(super) fn telephone_event(
        &mut self,
        header: &RtpHeader,
        clock_rate: u32,
        payload: &[u8],
        sink: &mut impl FnMut(MediaEvent),
    ) -> bool {
        self.analyzer
            .telephone_event(header, clock_rate, payload, sink)
    }

    /// A packet whose turn it is.
    pub(super) fn packet(
        &mut self,
        now: Instant,
        format: Option<Format>,
        packet: Packet<'_>,
        restart: bool,
        sink: &mut impl Sink,
    ) -> Heard {
        match restart {
            true => self
                .analyzer
                .guessed_right(usize::MAX, &mut |event| sink.event(event)),
            false => self.analyzer.guessed_wrong(),
        }
        self.timeline.packet(now, restart);
        match format {
            Some(Format::Opus) => self.opus_packet(packet, sink),
            Some(Format::Pcmu) => self.g711_packet(packet.payload, mulaw, sink),
            Some(Format::Pcma) => self.g711_packet(packet.payload, alaw, sink),
            Some(Format::G722) => self.g722_packet(packet.payload, sink),
            Some(Format::L16) => self.linear_packet(packet.payload, sink),
            Some(Format::TelephoneEvent { .. }) | None => Heard::default(),
        }
    }

    fn opus_packet(&mut self, packet: Packet<'_>, sink: &mut impl Sink) -> Heard {
        let Some(opus) = &mut self.opus else {
            return Heard::default();
        };
        let (samples, malformed) = match opus.decode(packet.payload, &mut self.pcm) {
            Ok(samples) => (samples, false),
            Err(_) => {
                let samples = samples_of(packet.ticks, Format::Opus).min(MAX_FRAME);
                self.pcm[..samples].fill(0.0);
                (samples, true)
            }
        };
        self.hear(samples, sink);
        Heard {
            samples,
            malformed,
            recovered: 0,
        }
    }

    fn g711_packet(
        &mut self,
        payload: &[u8],
        expand: fn(u8) -> f32,
        sink: &mut impl Sink,
    ) -> Heard {
        let mut samples = 0;
        for bytes in payload.chunks(MAX_FRAME) {
            let Some(telephone) = &mut self.g711 else {
                break;
            };
            let pcm = &mut self.pcm[..bytes.len()];
            for (sample, byte) in pcm.iter_mut().zip(bytes) {
                *sample = expand(*byte);
            }
            telephone.concealer.heard(pcm);
            samples += self.hear_telephone(bytes.len(), false, sink);
        }
        Heard {
            samples,
            ..Heard::default()
        }
    }

    /// Hears the first `length` samples of 8 kHz; gives how many of 16 kHz they made.
    fn hear_telephone(&mut self, length: usize, concealed: bool, sink: &mut impl Sink) -> usize {
        let Self {
            g711: Some(telephone),
            analyzer,
            timeline,
            pcm,
            ..
        } = self
        else {
            return 0;
        };
        let mut samples = 0;
        telephone.stream.push(&pcm[..length], &mut |block| {
            samples += block.len();
            match concealed {
                _ if timeline.skip(block) => {}
                true => hear_concealed(analyzer, block, sink),
                false => hear(analyzer, block, sink),
            }
        });
        samples
    }

    fn g722_packet(&mut self, payload: &[u8], sink: &mut impl Sink) -> Heard {
        let mut samples = 0;
        for bytes in payload.chunks(MAX_FRAME / G722_SAMPLES_PER_BYTE) {
            let Some(wideband) = &mut self.g722 else {
                break;
            };
            for (pair, byte) in self.pcm.chunks_exact_mut(G722_SAMPLES_PER_BYTE).zip(bytes) {
                pair.copy_from_slice(&wideband.decoder.decode(*byte));
            }
            let made = bytes.len() * G722_SAMPLES_PER_BYTE;
            wideband.concealer.heard(&mut self.pcm[..made]);
            self.hear(made, sink);
            samples += made;
        }
        Heard {
            samples,
            ..Heard::default()
        }
    }

    fn linear_packet(&mut self, payload: &[u8], sink: &mut impl Sink) -> Heard {
        let mut samples = 0;
        for bytes in payload.chunks(MAX_FRAME * 2) {
            let pairs = bytes.chunks_exact(2);
            let made = pairs.len();
            for (sample, pair) in self.pcm.iter_mut().zip(pairs) {
                *sample = f32::from(i16::from_be_bytes([pair[0], pair[1]])) / 32_768.0;
            }
            self.hear(made, sink);
            samples += made;
        }
        Heard {
            samples,
            malformed: payload.len() % 2 == 1,
            recovered: 0,
        }
    }

    /// The sender paused for `ticks`.
    pub(super) fn owe_silence(&mut self, format: Option<Format>, ticks: u32, sink: &mut impl Sink) {
        let samples = format.map_or(0, |format| samples_of(ticks, format));
        let rest = self.settle(samples, sink);
        self.timeline.owe(rest);
        self.forget_past();
    }

    /// Samples that were silent or are lost; gives those that were not heard yet.
    fn settle(&mut self, samples: usize, sink: &mut impl Sink) -> usize {
        let Settled { guessed, rest } = self.timeline.settle(samples);
        let mut tell = |event| sink.event(event);
        self.analyzer.guessed_right(guessed, &mut tell);
        rest
    }

    /// Hears silence owed, as far as the budget goes.
    pub(super) fn pay_silence(&mut self, budget: &mut usize, sink: &mut impl Sink) {
        loop {
            let piece = self.timeline.pay(*budget);
            if piece == 0 {
                return;
            }
            *budget -= piece;
            hear(&mut self.analyzer, &SILENCE[..piece], sink);
        }
    }

    /// Packets of `ticks` together are lost before `next`.
    pub(super) fn lost(
        &mut self,
        ticks: u32,
        next: Option<(Format, Packet<'_>)>,
        sink: &mut impl Sink,
    ) -> Heard {
        let Some((format, packet)) = next else {
            return Heard::default();
        };
        let missing = self.settle(samples_of(ticks, format), sink);
        if format != Format::Opus {
            return self.substitute(format, missing, sink);
        }
        // FEC restores one packet of its own duration, directly before it.
        let own = samples_of(packet.ticks, format);
        let enough = own >= missing && opus_has_fec(packet.payload);
        if !enough && let Some(restored) = self.restore(missing, packet.payload, sink) {
            return Heard {
                samples: missing,
                recovered: restored.div_ceil(own.max(1)) as u32,
                malformed: false,
            };
        }
        let by_fec = if own <= missing { own } else { 0 };
        let concealed = (missing - by_fec).min(MAX_CONCEAL) / OPUS_STEP * OPUS_STEP;
        let rest = missing - by_fec - concealed;
        self.conceal(concealed, sink);
        if rest > OPUS_STEP || by_fec == 0 {
            // A long gap: silence, and the packet's FEC would come before it.
            self.timeline.owe(rest + by_fec);
            return Heard {
                samples: concealed,
                ..Heard::default()
            };
        }
        let recovered = self.recover(by_fec, packet.payload, sink);
        Heard {
            samples: concealed + by_fec,
            recovered: u32::from(recovered),
            malformed: false,
        }
    }

    /// Hears what goes on from what a codec without concealment had before a loss, as long as
    /// that lasts; then silence.
    fn substitute(&mut self, format: Format, missing: usize, sink: &mut impl Sink) -> Heard {
        let mut samples = 0;
        let space = &mut self.pcm[..];
        match format {
            Format::Pcmu | Format::Pcma => {
                if let Some(Telephone { concealer, .. }) = &mut self.g711 {
                    let length = (missing / 2).min(concealer.left());
                    concealer.conceal(&mut space[..length]);
                    self.hear_telephone(length, true, sink);
                    samples = 2 * length;
                }
            }
            Format::G722 => {
                if let Some(Wideband { concealer, .. }) = &mut self.g722 {
                    samples = missing.min(concealer.left());
                    concealer.conceal(&mut space[..samples]);
                    hear_concealed(&mut self.analyzer, &self.pcm[..samples], sink);
                }
            }
            Format::Opus | Format::L16 | Format::TelephoneEvent { .. } => {}
        }
        self.timeline.owe(missing - samples);
        Heard {
            samples,
            ..Heard::default()
        }
    }

    /// What was heard before says nothing of what comes.
    fn forget_past(&mut self) {
        if let Some(telephone) = &mut self.g711 {
            telephone.concealer.forget();
        }
        if let Some(wideband) = &mut self.g722 {
            wideband.concealer.forget();
        }
    }

    fn conceal(&mut self, mut samples: usize, sink: &mut impl Sink) {
        while samples > 0 {
            let piece = samples.min(FRAME);
            samples -= piece;
            if let Some(opus) = &mut self.opus
                && opus.conceal(&mut self.pcm[..piece]).is_err()
            {
                self.pcm[..piece].fill(0.0);
            }
            self.hear(piece, sink);
        }
    }

    /// Hears what was lost with the help of `next`'s deep redundancy, and gives
    /// how much of it was restored; what that does not reach is concealed.
    /// `None`, and nothing is heard, when there is none or the loss too long.
    fn restore(&mut self, samples: usize, next: &[u8], sink: &mut impl Sink) -> Option<usize> {
        let mut ahead = samples / OPUS_STEP * OPUS_STEP;
        if ahead == 0 || ahead > MAX_RESTORE {
            return None;
        }
        let reach = self.opus.as_mut()?.read_redundancy(next, ahead);
        if reach == 0 {
            return None;
        }
        while ahead > 0 {
            let piece = ahead.min(FRAME);
            let opus = self.opus.as_mut()?;
            if opus.restore(ahead, &mut self.pcm[..piece]).is_err() {
                self.pcm[..piece].fill(0.0);
            }
            ahead -= piece;
            self.hear(piece, sink);
        }
        Some(reach.min(samples))
    }

    fn recover(&mut self, samples: usize, next: &[u8], sink: &mut impl Sink) -> bool {
        let space = &mut self.pcm[..samples];
        let restored = match &mut self.opus {
            Some(opus) => opus.recover(next, space).is_ok(),
            None => false,
        };
        if !restored {
            space.fill(0.0);
        }
        self.hear(samples, sink);
        restored && opus_has_fec(next)
    }

    fn hear(&mut self, samples: usize, sink: &mut impl Sink) {
        let audio = &self.pcm[..samples];
        #[cfg(feature = "seeded-leak")]
        if audio.first().is_some_and(|sample| sample.abs() > 0.1) {
            std::mem::forget(audio.to_vec());
        }
        if !self.timeline.skip(audio) {
            hear(&mut self.analyzer, audio, sink);
        }
    }

    /// Hears silence in real time while nothing comes; gives whether the
    /// budget ended it.
    pub(super) fn wait_out(
        &mut self,
        now: Instant,
        patience: Duration,
        budget: &mut usize,
        sink: &mut impl Sink,
    ) -> bool {
        while *budget >= FRAME {
            if !self.timeline.guess(now, patience) {
                return false;
            }
            *budget -= FRAME;
            self.forget_past();
            sink.audio(&SILENCE);
            let mut tell = |event| sink.event(event);
            self.analyzer.process_guess(&SILENCE, &mut tell);
        }
        true
    }

    pub(super) fn leave_frames(&mut self) {
        self.analyzer.leave_frames();
    }

    pub(super) fn guard_echo(&mut self) {
        self.analyzer.guard_echo();
    }

    pub(super) fn said(&mut self, said: &Said) {
        self.analyzer.said(said);
    }

    pub(super) fn network(&mut self) -> Option<&mut Silero> {
        self.analyzer.network()
    }

    pub(super) fn conclude(&mut self, sink: &mut impl FnMut(MediaEvent)) {
        self.analyzer.conclude(sink);
    }

    /// Ends what is open and hears another source, of which nothing is known.
    pub(super) fn turn_to(&mut self, source: u32, sink: &mut impl Sink) {
        self.analyzer.restart(&mut |event| sink.event(event));
        if let Some(opus) = &mut self.opus {
            opus.reset();
        }
        if let Some(g711) = &mut self.g711 {
            g711.stream.reset();
        }
        if let Some(g722) = &mut self.g722 {
            g722.decoder.reset();
        }
        self.forget_past();
        sink.event(MediaEvent::Source { source });
    }

    pub(super) fn finish(&mut self, sink: &mut impl FnMut(MediaEvent)) {
        self.analyzer.finish(sink);
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.pcm.zeroize();
    }
}

fn samples_of(ticks: u32, format: Format) -> usize {
    (u64::from(ticks) * u64::from(RATE) / u64::from(format.clock_rate())) as usize
}

//! What a call can't do without, one part after the other beside the same calls, from
//! caches that hold all of it: the limit the whole is held against.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use switchboard_media::codec::{Decoder, MAX_FRAME, RATE};
use switchboard_media::dtmf::{Detector, Rate};
use switchboard_media::engine::LIVE_FRAME;
use switchboard_media::features::{LogMel, PitchTracker, WhisperBins};
use switchboard_media::level::Meter;
use switchboard_media::prompt::Prompt;
use switchboard_media::vad::{Mask, SpeechConfig, Vad};

use crate::Failure;

/// Packets in a second.
const PER_SECOND: u32 = 50;
/// How often each part hears it all.
const ROUNDS: u32 = 30;
/// How the engine hands audio to the detectors: 5 ms.
const PIECE: usize = RATE as usize / 200;

/// CPU time per second of one direction of a call.
pub(super) struct Parts {
    pub(super) decoding: Duration,
    pub(super) speech: Duration,
    pub(super) keys: Duration,
    pub(super) meter: Duration,
    /// Log-mel and pitch; not counted where nobody wants them.
    pub(super) features: Duration,
}

impl Parts {
    /// Measures them on what callers say.
    pub(super) fn measure(prompt: &Prompt, features: bool) -> Result<Self, Failure> {
        let packets: Vec<_> = (0..prompt.packets())
            .filter_map(|n| prompt.packet(n))
            .collect();
        let mut decoder = Decoder::new()?;
        let mut out = vec![0.0; MAX_FRAME];
        let mut audio = Vec::with_capacity(packets.len() * MAX_FRAME);
        for packet in &packets {
            let samples = decoder.decode(packet, &mut out)?;
            audio.extend_from_slice(&out[..samples]);
        }
        let mut heard = 0;
        let decoding = spent(|| {
            for packet in &packets {
                heard += decoder.decode(packet, &mut out).unwrap_or(0);
            }
        });
        let mut vad = Vad::new(SpeechConfig::default());
        let speech = spent(|| {
            for piece in audio.chunks(PIECE) {
                vad.push(piece, Mask::Open, &mut |_| heard += 1);
            }
        });
        let mut detector = Detector::new(Rate::Hz16000);
        let keys = spent(|| {
            for piece in audio.chunks(PIECE) {
                detector.push(piece, &mut |_| heard += 1);
            }
        });
        let mut meter = Meter::new();
        let metering = spent(|| {
            for piece in audio.chunks(PIECE) {
                meter.push(piece, &mut |_| heard += 1);
            }
        });
        let (mut log_mel, mut pitch) = (LogMel::new(WhisperBins::B80), PitchTracker::new());
        let extraction = match features {
            true => spent(|| {
                for piece in audio.chunks(LIVE_FRAME) {
                    log_mel.push(piece, &mut |_| heard += 1);
                    pitch.push(piece, &mut |_| heard += 1);
                }
            }),
            false => Duration::ZERO,
        };
        std::hint::black_box(heard);
        let count = u32::try_from(packets.len().max(1))?;
        let second = |time: Duration| time * PER_SECOND / count / ROUNDS;
        Ok(Self {
            decoding: second(decoding),
            speech: second(speech),
            keys: second(keys),
            meter: second(metering),
            features: second(extraction),
        })
    }

    /// All together.
    pub(super) fn sum(&self) -> Duration {
        self.decoding + self.speech + self.keys + self.meter + self.features
    }
}

/// CPU time of this thread while `run` runs so many times.
fn spent(mut run: impl FnMut()) -> Duration {
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
    };
    let before = now();
    (0..ROUNDS).for_each(|_| run());
    now().saturating_sub(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_costs_something_and_the_sum_is_theirs() -> Result<(), Failure> {
        let parts = Parts::measure(&*super::super::caller::prompt()?, true)?;
        let Parts {
            decoding,
            speech,
            keys,
            meter,
            features,
        } = parts;
        let each = [decoding, speech, keys, meter, features];
        assert!(each.iter().all(|part| *part > Duration::ZERO));
        assert_eq!(parts.sum(), each.iter().sum::<Duration>());
        Ok(())
    }
}

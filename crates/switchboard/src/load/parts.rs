//! What a call can't do without, one part after the other beside the same calls, from
//! caches that hold all of it: the limit the whole is held against.

use std::time::Duration;

use switchboard_media::codec::{Decoder, MAX_FRAME, RATE};
use switchboard_media::dtmf::{Detector, Rate};
use switchboard_media::level::Meter;
use switchboard_media::prompt::Prompt;
use switchboard_media::vad::{Mask, SpeechConfig, Vad};

use crate::Failure;

/// Packets in a second.
const PER_SECOND: u32 = 50;
/// How often each part hears it all: the kernel accounts time by the tick.
const ROUNDS: u32 = 30;
/// How the engine hands audio to the detectors: 5 ms.
const PIECE: usize = RATE as usize / 200;

/// CPU time per second of one direction of a call.
pub(super) struct Parts {
    pub(super) decoding: Duration,
    pub(super) speech: Duration,
    pub(super) keys: Duration,
    pub(super) meter: Duration,
}

impl Parts {
    /// Measures them on what callers say.
    pub(super) fn measure(prompt: &Prompt) -> Result<Self, Failure> {
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
        })?;
        let mut vad = Vad::new(SpeechConfig::default());
        let speech = spent(|| {
            for piece in audio.chunks(PIECE) {
                vad.push(piece, Mask::Open, &mut |_| heard += 1);
            }
        })?;
        let mut detector = Detector::new(Rate::Hz16000);
        let keys = spent(|| {
            for piece in audio.chunks(PIECE) {
                detector.push(piece, &mut |_| heard += 1);
            }
        })?;
        let mut meter = Meter::new();
        let metering = spent(|| {
            for piece in audio.chunks(PIECE) {
                meter.push(piece, &mut |_| heard += 1);
            }
        })?;
        std::hint::black_box(heard);
        let count = u32::try_from(packets.len().max(1))?;
        let second = |time: Duration| time * PER_SECOND / count / ROUNDS;
        Ok(Self {
            decoding: second(decoding),
            speech: second(speech),
            keys: second(keys),
            meter: second(metering),
        })
    }

    /// All together.
    pub(super) fn sum(&self) -> Duration {
        self.decoding + self.speech + self.keys + self.meter
    }
}

/// CPU time of this thread while `run` runs so many times.
fn spent(mut run: impl FnMut()) -> Result<Duration, Failure> {
    let now = || -> Result<u64, Failure> {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
        let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
        Ok(nanos.ok_or("the kernel keeps no schedstat")?)
    };
    let before = now()?;
    (0..ROUNDS).for_each(|_| run());
    Ok(Duration::from_nanos(now()?.saturating_sub(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_costs_something_and_the_sum_is_theirs() -> Result<(), Failure> {
        let parts = Parts::measure(&*super::super::caller::prompt()?)?;
        let each = [parts.decoding, parts.speech, parts.keys, parts.meter];
        assert!(each.iter().all(|part| *part > Duration::ZERO));
        assert_eq!(parts.sum(), each.iter().sum::<Duration>());
        Ok(())
    }
}

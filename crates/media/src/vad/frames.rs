//! Frames of audio, and the probability of speech in each by Silero's network.

use zeroize::Zeroize;

use crate::silero::{FRAME_16K, Rate, Silero};

/// Samples of a frame: 32 ms.
pub(super) const FRAME: usize = FRAME_16K;

/// Below this peak (−80 dBFS) a frame holds nothing anybody could hear: a muted
/// microphone, or a sender that pauses.
const STILL: f32 = 1e-4;
/// After so many still frames (512 ms) the network has forgotten what was before, and
/// is not asked again until there is something: half of a conversation's frames cost
/// nothing then.
const FORGOTTEN: u32 = 16;

pub(super) struct Frames {
    network: Silero,
    frame: Box<[f32; FRAME]>,
    filled: usize,
    peak: f32,
    still: u32,
    last: f32,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            network: Silero::new(Rate::Hz16000),
            frame: Box::new([0.0; FRAME]),
            filled: 0,
            peak: 0.0,
            still: 0,
            last: 0.0,
        }
    }

    /// Takes samples of any number and hands out each frame that fills, with
    /// its probability.
    pub(super) fn push(&mut self, mut samples: &[f32], sink: &mut impl FnMut(&[f32; FRAME], f32)) {
        while !samples.is_empty() {
            let room = FRAME - self.filled;
            let (now, rest) = samples.split_at(room.min(samples.len()));
            let space = &mut self.frame[self.filled..self.filled + now.len()];
            for (place, sample) in space.iter_mut().zip(now) {
                *place = audio(*sample);
                self.peak = self.peak.max(place.abs());
            }
            self.filled += now.len();
            samples = rest;
            if self.filled == FRAME {
                self.filled = 0;
                self.hear();
                sink(&self.frame, self.last);
            }
        }
    }

    fn hear(&mut self) {
        let peak = std::mem::take(&mut self.peak);
        self.still = match peak < STILL {
            true => self.still.saturating_add(1),
            false => 0,
        };
        if self.still <= FORGOTTEN {
            let Self { network, last, .. } = self;
            network.push(&self.frame[..], &mut |p| *last = p);
        }
    }
}

/// Nothing heard is beyond full scale.
fn audio(sample: f32) -> f32 {
    if sample.is_finite() {
        sample.clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.frame.zeroize();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wav;

    const SPEECH: &[u8] = include_bytes!("../../../../fixtures/speech/recorded-en.wav");

    #[test]
    fn stillness_costs_nothing_and_speech_after_it_is_heard_as_ever() {
        let speech = wav::read(SPEECH).unwrap().mono();
        // What a decoder makes of silence.
        let still = |n: usize| (n % 7) as f32 * 1e-6;
        let pause = (0..10 * 16_000).map(still);
        let audio: Vec<f32> = speech
            .iter()
            .copied()
            .chain(pause)
            .chain(speech.iter().copied())
            .collect();
        let (mut ours, mut always) = (Vec::new(), Vec::new());
        let mut frames = Frames::new();
        frames.push(&audio, &mut |_, p| ours.push(p));
        Silero::new(Rate::Hz16000).push(&audio, &mut |p| always.push(p));
        assert_eq!(ours.len(), always.len());
        let after = (speech.len() + 10 * 16_000) / FRAME;
        let agree = |p: &(&f32, &f32)| (*p.0 > 0.5) == (*p.1 > 0.5);
        let pairs: Vec<_> = ours.iter().zip(&always).collect();
        let alike = pairs.iter().filter(|pair| agree(pair)).count();
        assert!(
            alike * 1000 >= pairs.len() * 995,
            "{alike} of {}",
            pairs.len()
        );
        assert!(ours[after..].iter().filter(|p| **p > 0.5).count() > 30);
        // Asked no more: exactly the same as the frame before.
        let quiet = &ours[speech.len() / FRAME + 20..after - 1];
        assert!(quiet.iter().all(|p| *p == quiet[0] && *p < 0.1));
    }
}

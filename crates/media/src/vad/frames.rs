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
    filling: Box<[f32; FRAME]>,
    filled: usize,
    /// The last complete frame.
    full: Box<[f32; FRAME]>,
    peak: f32,
    still: u32,
    last: f32,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            network: Silero::new(Rate::Hz16000),
            filling: Box::new([0.0; FRAME]),
            filled: 0,
            full: Box::new([0.0; FRAME]),
            peak: 0.0,
            still: 0,
            last: 0.0,
        }
    }

    /// Takes samples as far as the frame has room; gives how many.
    pub(super) fn fill(&mut self, samples: &[f32]) -> usize {
        let now = samples.len().min(FRAME - self.filled);
        let space = &mut self.filling[self.filled..self.filled + now];
        for (place, sample) in space.iter_mut().zip(samples) {
            *place = audio(*sample);
            self.peak = self.peak.max(place.abs());
        }
        self.filled += now;
        now
    }

    /// Samples of the frame that is being filled.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == FRAME
    }

    /// Puts the full frame aside, to be heard, and begins another.
    pub(super) fn turn(&mut self) {
        std::mem::swap(&mut self.filling, &mut self.full);
        self.filled = 0;
        self.still = match std::mem::take(&mut self.peak) < STILL {
            true => self.still.saturating_add(1),
            false => 0,
        };
    }

    /// The network with the frame put aside, unless that needs no hearing.
    pub(super) fn network(&mut self) -> Option<&mut Silero> {
        if self.is_forgotten() {
            return None;
        }
        self.network.offer(&self.full[..]);
        Some(&mut self.network)
    }

    /// Lets the network forget what it heard, and the frame that is being filled.
    pub(super) fn forget(&mut self) {
        self.network.reset();
        self.filling[..self.filled].fill(0.0);
        self.peak = 0.0;
    }

    fn is_forgotten(&self) -> bool {
        self.still > FORGOTTEN
    }

    /// The frame put aside, and its probability now that the network has heard it.
    pub(super) fn heard(&mut self) -> (&[f32; FRAME], f32) {
        if !self.is_forgotten() {
            self.last = self.network.probability();
        }
        (&self.full, self.last)
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
        self.filling.zeroize();
        self.full.zeroize();
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
        for samples in audio.chunks_exact(FRAME) {
            assert_eq!(frames.fill(samples), FRAME);
            frames.turn();
            Silero::hear(&mut [frames.network()]);
            ours.push(frames.heard().1);
        }
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

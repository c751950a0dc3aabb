//! Frames of audio, and the probability of speech in each by Silero's network.

use zeroize::Zeroize;

use crate::silero::{FRAME_16K, Rate, Silero};

/// Samples of a frame: 32 ms.
pub(super) const FRAME: usize = FRAME_16K;

pub(super) struct Frames {
    network: Silero,
    frame: Box<[f32; FRAME]>,
    filled: usize,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            network: Silero::new(Rate::Hz16000),
            frame: Box::new([0.0; FRAME]),
            filled: 0,
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
            }
            self.filled += now.len();
            samples = rest;
            if self.filled == FRAME {
                self.filled = 0;
                let Self { network, frame, .. } = self;
                network.push(&frame[..], &mut |p| sink(frame, p));
            }
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

//! Speech probability by [Silero VAD] 6.2: its weights in our own kernels.
//!
//! A frame of 32 ms, with the 4 ms before it, becomes four magnitude spectra;
//! four convolutions over time fold them into one vector, an LSTM remembers,
//! and its state gives one probability. All calls share the weights (0.9 MB for
//! each rate); a call's own memory is 14 kB, allocated once.
//!
//! [Silero VAD]: https://github.com/snakers4/silero-vad

mod convolution;
mod lstm;
mod math;
mod network;
mod spectrum;
#[cfg(test)]
mod tests;

use std::fmt;

use fearless_simd::{Level, dispatch};
use zeroize::Zeroize;

use network::{Activations, Network};
use spectrum::Memory;

/// Samples of a frame at 16 kHz.
pub const FRAME_16K: usize = 512;
/// Samples of a frame at 8 kHz.
pub const FRAME_8K: usize = 256;
/// Duration of a frame in milliseconds.
pub const FRAME_MS: u64 = 32;

/// Louder than eight times full scale is not audio.
const ABSURD: f32 = 8.0;

/// Which of the two networks: each has learnt from audio of one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rate {
    /// 8 kHz, telephone band.
    Hz8000,
    /// 16 kHz.
    Hz16000,
}

impl Rate {
    /// Samples of a frame.
    pub fn frame(self) -> usize {
        match self {
            Self::Hz8000 => FRAME_8K,
            Self::Hz16000 => FRAME_16K,
        }
    }
}

/// One call's detector.
pub struct Silero {
    network: &'static Network,
    transform: Memory,
    level: Level,
    /// Context, frame, and room for the mirrored end.
    input: Box<[f32]>,
    filled: usize,
    frame: usize,
    activations: Box<Activations>,
    probability: f32,
}

/// So many calls' frames are heard at once: each layer's weights, which no cache of a
/// core holds beside the calls' own memory, are then read once for all of them.
pub(crate) const TOGETHER: usize = 8;

impl Silero {
    /// A detector that has heard nothing yet; the first of a rate unpacks its weights.
    pub fn new(rate: Rate) -> Self {
        Self::with_level(rate, Level::new())
    }

    fn with_level(rate: Rate, level: Level) -> Self {
        let (frame, network) = (rate.frame(), Network::shared(rate));
        Self {
            network,
            input: vec![0.0; network.transform.span()].into(),
            transform: network.transform.memory(),
            level,
            filled: frame / 8,
            frame,
            activations: Box::default(),
            probability: 0.0,
        }
    }

    /// Forgets all it has heard.
    pub fn reset(&mut self) {
        self.input.zeroize();
        self.transform.zeroize();
        self.filled = self.frame / 8;
        self.activations.zeroize();
        self.probability.zeroize();
    }

    /// Takes samples (full scale 1.0) of any number and tells the probability of
    /// speech, 0–1, for each frame they complete. What is not finite or absurdly
    /// loud counts as silence.
    pub fn push(&mut self, mut samples: &[f32], sink: &mut impl FnMut(f32)) {
        let end = self.context() + self.frame;
        while !samples.is_empty() {
            let (now, rest) = samples.split_at((end - self.filled).min(samples.len()));
            let space = &mut self.input[self.filled..self.filled + now.len()];
            for (place, sample) in space.iter_mut().zip(now) {
                *place = if sample.abs() <= ABSURD { *sample } else { 0.0 };
            }
            self.filled += now.len();
            samples = rest;
            if self.filled == end {
                Self::hear(&mut [Some(&mut *self)]);
                sink(self.probability);
            }
        }
    }

    /// Takes a whole frame, to be heard by [`hear`](Self::hear).
    pub(crate) fn offer(&mut self, frame: &[f32]) {
        let context = self.context();
        self.input[context..context + self.frame].copy_from_slice(frame);
        self.filled = context + self.frame;
    }

    /// The last frame's probability.
    pub(crate) fn probability(&self) -> f32 {
        self.probability
    }

    /// Samples of the frame before that are heard again.
    fn context(&self) -> usize {
        self.frame / 8
    }

    /// Finds the probability of each detector's complete frame, and makes room for the
    /// next. All are of one rate.
    pub(crate) fn hear(together: &mut [Option<&mut Self>]) {
        let Some(first) = together.iter().flatten().next() else {
            return;
        };
        let (network, level) = (first.network, first.level);
        for one in together.iter_mut().flatten() {
            one.look();
        }
        dispatch!(level, simd => network.run(simd, together));
        for one in together.iter_mut().flatten() {
            one.input
                .copy_within(one.frame..one.frame + one.frame / 8, 0);
            one.filled = one.context();
        }
    }

    fn look(&mut self) {
        let activations = &mut *self.activations;
        self.network.transform.magnitudes(
            &mut self.transform,
            &mut self.input,
            &mut activations.magnitudes,
        );
    }
}

/// Shows nothing of what was heard.
impl fmt::Debug for Silero {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Silero")
            .field("frame", &self.frame)
            .finish_non_exhaustive()
    }
}

impl Drop for Silero {
    fn drop(&mut self) {
        self.reset();
    }
}

//! Features for speech models, streaming: one vector per 10 ms of 16 kHz audio.
//!
//! | Extractor | Equal to | Vector |
//! |---|---|---|
//! | [`LogMel`] | OpenAI Whisper's log-mel spectrogram | 80 or 128 values, log₁₀ |
//! | [`Fbank`] | Kaldi's `compute-fbank-feats` with dither 0 | 80 values, natural log, and log energy |
//! | [`PitchTracker`] | – | F0 in Hz and how periodic the frame is |
//!
//! Each takes samples (−1…1) in pieces of any number and hands out frames as
//! they fill. Memory is allocated by `new` alone and wiped on drop. A sample
//! that is no number, or louder than [`ABSURD`], counts as silence.

mod fbank;
mod framer;
mod log_mel;
mod mel;
mod pitch;
mod spectrum;

pub use fbank::{Fbank, FbankConfig};
pub use log_mel::{LogMel, RunningNorm, WhisperBins, normalize};
pub use pitch::{Pitch, PitchTracker};

/// Samples between two frames: 10 ms at 16 kHz.
pub const HOP: usize = 160;
/// Samples of a spectral frame: 25 ms at 16 kHz.
pub const WINDOW: usize = 400;
/// Louder than eight times full scale is not audio.
pub const ABSURD: f32 = 8.0;
/// The rate of all input, in Hz, as `f64` for the filter designs.
const RATE: f64 = crate::codec::RATE as f64;

#[cfg(test)]
mod tests;

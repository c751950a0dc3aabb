//! WAV files.

use thiserror::Error;

/// Why bytes could not be read as WAV.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WavError {
    /// Not a RIFF/WAVE file.
    #[error("not a WAV file: no RIFF/WAVE header")]
    NotWave,
}

//! What a bot can say: recordings and spoken texts, encoded once and shared by all
//! calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use switchboard_media::codec::OPUS_CLOCK;
use switchboard_media::ogg::{self, OggError};
use switchboard_media::prompt::{MAX_PROMPT, Prompt, PromptError};
use switchboard_media::resample::{self, ResampleError};
use switchboard_media::wav::{self, WavError};
use zeroize::Zeroizing;

/// The rate of files for service-hosted media (`mediaInfo`: WAV, mono, 16 bit, 16 kHz).
const SERVICE_RATE: u32 = 16_000;

/// Audio in the form a call's media takes it.
#[derive(Debug)]
pub(crate) enum Recording {
    /// Opus packets, for media of our own.
    Packets(Arc<Prompt>),
    /// A file that Graph fetches.
    File(ServiceFile),
}

/// A WAV file as Graph plays it.
pub(crate) struct ServiceFile {
    /// Its path below the bot's address.
    pub(crate) path: String,
    /// Its bytes.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// What it says is nobody's business.
impl std::fmt::Debug for ServiceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceFile(_)")
    }
}

/// Samples with their rate.
pub(crate) struct Sound {
    pub(crate) rate: u32,
    pub(crate) samples: Zeroizing<Vec<f32>>,
}

/// Why a recording can't be played.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Not a WAV.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// An Ogg file that holds no Opus, or damaged.
    #[error(transparent)]
    Ogg(#[from] OggError),
    /// Not convertible.
    #[error("the recording can't be converted: {0}")]
    Rate(#[from] ResampleError),
    /// Not encodable.
    #[error(transparent)]
    Prompt(#[from] PromptError),
}

/// Whether a prompt's file can be played: WAV or Ogg Opus, ten minutes at most.
///
/// # Errors
/// Why not.
pub fn check_recording(bytes: &[u8]) -> Result<(), RecordingError> {
    Sound::read(bytes)?.packets().map(drop)
}

impl Sound {
    /// A WAV or Ogg Opus file's.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, RecordingError> {
        if ogg::is_ogg(bytes) {
            let most = OPUS_CLOCK as usize * MAX_PROMPT.as_secs() as usize;
            return Ok(Self {
                rate: OPUS_CLOCK,
                samples: ogg::read(bytes, most)?,
            });
        }
        let wav = wav::read(bytes)?;
        Ok(Self {
            rate: wav.rate,
            samples: wav.mono(),
        })
    }

    /// For media of our own.
    pub(crate) fn packets(&self) -> Result<Recording, RecordingError> {
        let prompt = Prompt::from_samples(self.rate, &self.samples)?;
        Ok(Recording::Packets(prompt))
    }

    /// For Graph, which fetches it at `path`.
    pub(crate) fn file(&self, path: String) -> Result<Recording, RecordingError> {
        let samples = resample::convert(self.rate, SERVICE_RATE, &self.samples)?;
        let bytes = Zeroizing::new(wav::write(SERVICE_RATE, &samples));
        Ok(Recording::File(ServiceFile { path, bytes }))
    }
}

/// The prompts of a flow, by name.
pub(crate) type Prompts = BTreeMap<String, Arc<Recording>>;

/// The demo's recordings, which are built into the program.
pub(crate) fn embedded(path: &str) -> Option<&'static [u8]> {
    let name = path.rsplit('/').next()?;
    Some(match name {
        "greeting.wav" => include_bytes!("../prompts/greeting.wav"),
        "one.wav" => include_bytes!("../prompts/one.wav"),
        "two.wav" => include_bytes!("../prompts/two.wav"),
        "transfer.wav" => include_bytes!("../prompts/transfer.wav"),
        "transfer-failed.wav" => include_bytes!("../prompts/transfer-failed.wav"),
        "goodbye.wav" => include_bytes!("../prompts/goodbye.wav"),
        "sorry.wav" => include_bytes!("../prompts/sorry.wav"),
        "still-there.wav" => include_bytes!("../prompts/still-there.wav"),
        _ => return None,
    })
}

//! What the bot can say: recordings that are encoded once and shared by all calls.

use std::sync::Arc;

use switchboard_media::prompt::{Prompt, PromptError};

/// One of the front desk's prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PromptName {
    /// The welcome and the menu.
    Greeting,
    /// The answer to key 1.
    One,
    /// The answer to key 2.
    Two,
    /// "I'll connect you".
    Transfer,
    /// Nobody picked up.
    TransferFailed,
    /// The last words.
    Goodbye,
    /// A key that means nothing.
    Sorry,
    /// The menu once more.
    StillThere,
}

impl PromptName {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Greeting,
        Self::One,
        Self::Two,
        Self::Transfer,
        Self::TransferFailed,
        Self::Goodbye,
        Self::Sorry,
        Self::StillThere,
    ];

    /// The name used in timelines and for files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::One => "one",
            Self::Two => "two",
            Self::Transfer => "transfer",
            Self::TransferFailed => "transfer-failed",
            Self::Goodbye => "goodbye",
            Self::Sorry => "sorry",
            Self::StillThere => "still-there",
        }
    }

    pub(crate) fn next(self) -> &'static str {
        match self {
            Self::Greeting => "greeting the caller; any key interrupts",
            Self::One => "giving the answer to 1, then listening",
            Self::Two => "giving the answer to 2, then listening",
            Self::TransferFailed => "telling the caller that nobody picked up",
            Self::Sorry => "asking for another key",
            Self::StillThere => "repeating the menu",
            Self::Transfer => "announcing the transfer, then ringing the agent",
            Self::Goodbye => "saying goodbye, then hanging up",
        }
    }

    fn recording(self) -> &'static [u8] {
        match self {
            Self::Greeting => include_bytes!("../prompts/greeting.wav"),
            Self::One => include_bytes!("../prompts/one.wav"),
            Self::Two => include_bytes!("../prompts/two.wav"),
            Self::Transfer => include_bytes!("../prompts/transfer.wav"),
            Self::TransferFailed => include_bytes!("../prompts/transfer-failed.wav"),
            Self::Goodbye => include_bytes!("../prompts/goodbye.wav"),
            Self::Sorry => include_bytes!("../prompts/sorry.wav"),
            Self::StillThere => include_bytes!("../prompts/still-there.wav"),
        }
    }
}

/// The recordings, encoded.
pub struct Prompts {
    encoded: Vec<(PromptName, Arc<Prompt>)>,
}

impl Prompts {
    /// Encodes the recordings that are built into the program.
    ///
    /// # Errors
    /// A recording is not a WAV we can play.
    pub fn embedded() -> Result<Self, PromptError> {
        let mut encoded = Vec::with_capacity(PromptName::ALL.len());
        for name in PromptName::ALL {
            encoded.push((name, Prompt::from_wav(name.recording())?));
        }
        Ok(Self { encoded })
    }

    /// The recording of a name.
    pub fn get(&self, name: PromptName) -> Option<&Arc<Prompt>> {
        let mut encoded = self.encoded.iter();
        encoded
            .find(|(candidate, _)| *candidate == name)
            .map(|(_, prompt)| prompt)
    }
}

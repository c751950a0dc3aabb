//! What people who watch a call get to see.

use std::sync::Arc;
use std::time::Instant;

use switchboard_media::event::{Digit, DigitSource};

/// Something worth showing about a call.
///
/// Digits and speech are the caller's; whoever receives them may show them live
/// and must not keep them.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// A digit was pressed and released.
    Digit {
        /// Which.
        digit: Digit,
        /// How it came.
        source: DigitSource,
        /// For how long.
        duration_ms: u64,
    },
    /// The caller began to speak.
    SpeechStart {
        /// When.
        start: Instant,
    },
    /// The caller stopped speaking.
    SpeechEnd {
        /// When it began.
        start: Instant,
        /// When it ended.
        end: Instant,
    },
    /// How loud the caller is.
    Level {
        /// In dBov, −127…0.
        dbov: f32,
    },
    /// A prompt began, ended or was cut short.
    Prompt {
        /// Its name in the flow; of the engine's own words, the id it gave them.
        name: String,
        /// What happened to it.
        progress: PromptProgress,
    },
    /// What the bot does next.
    Next(String),
}

/// How far a prompt got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptProgress {
    /// Its first packet left.
    Started,
    /// It was played to the end.
    Finished,
    /// Something else took its place.
    Interrupted,
}

/// Watches calls. Called from the call's own task, so it must not block.
pub type Observer = Arc<dyn Fn(&str, Observation) + Send + Sync>;

/// An observer that looks away.
pub fn nobody() -> Observer {
    Arc::new(|_, _| {})
}

//! The hook between transient speech features and intents.
//!
//! A [`Engine`] is told what the media pipeline hears and answers with
//! [`Reply`]s. What it is told is [`Transient`]: it can't be cloned, printed or
//! serialised, and is wiped when dropped.
//!
//! ```
//! use switchboard_nlp::{Engine, Event, Reply, turn::TurnTaking};
//!
//! let mut engine = TurnTaking::default();
//! let mut replies = Vec::new();
//! engine.handle(&Event::SpeechEnd { duration_ms: 900 }, &mut |reply| replies.push(reply));
//! assert_eq!(replies, [Reply::intent("spoke", 1.0)]);
//! ```

#![forbid(unsafe_code)]

mod transient;
pub mod turn;

pub use transient::Transient;

use zeroize::Zeroize;

/// What the pipeline measured over one span of the caller's audio.
#[derive(Zeroize)]
pub struct Features {
    /// RMS level in dBov, −127…0.
    pub level_dbov: f32,
}

/// What an engine is told about a call.
pub enum Event {
    /// The call is up; the language the caller is expected to speak (BCP 47).
    SessionStart {
        /// For example `en-US`.
        language: String,
    },
    /// New features, about ten times a second.
    Features(Transient<Features>),
    /// The caller began to speak.
    SpeechStart,
    /// The caller stopped speaking.
    SpeechEnd {
        /// How long the speech was.
        duration_ms: u64,
    },
    /// A prompt began to play.
    PromptStarted,
    /// A prompt is over.
    PromptFinished {
        /// `true` when it was cut short.
        interrupted: bool,
    },
}

/// What an engine makes of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The caller wants something.
    Intent {
        /// The engine's name for it.
        name: String,
        /// 0–1.
        confidence: f32,
    },
}

impl Reply {
    /// An intent by its name.
    pub fn intent(name: &str, confidence: f32) -> Self {
        Self::Intent {
            name: name.to_owned(),
            confidence,
        }
    }
}

/// Listens to one call.
///
/// Engines run beside the audio, never in its way: they are called from the
/// call's own task, and a slow one delays only its own replies.
pub trait Engine: Send {
    /// Takes one event and hands every reply to `reply`.
    fn handle(&mut self, event: &Event, reply: &mut dyn FnMut(Reply));
}

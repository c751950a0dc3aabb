//! The hook between a call and whatever understands speech.
//!
//! An [`Engine`] is told what happens in a call ([`Event`]) and answers with
//! [`Reply`]s. What was made from the caller's audio, and what engines make of
//! it, travels in [`Transient`]: it can't be cloned, printed or serialised, and is
//! wiped when dropped. A [`Gate`] keeps what the caller enters in secret from
//! engines altogether.
//!
//! ```
//! use switchboard_nlp::{Engine, Event, turn::TurnTaking};
//!
//! let mut engine = TurnTaking::default();
//! let mut replies = Vec::new();
//! let event = Event::SpeechEnd { t_ms: 2_000, duration_ms: 900 };
//! engine.handle(&event, &mut |reply| replies.push(reply));
//! assert!(replies[0].is_intent("spoke"));
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod adapter;
mod event;
mod gate;
mod reply;
mod transient;
pub mod turn;
pub mod wire;

pub use event::{
    CallState, Digits, Direction, Event, FeatureFormat, FeatureKind, Features, Heard, Party,
    SessionStart, Speaker, SpeechFrame,
};
pub use gate::Gate;
pub use reply::{
    Action, Collect, Health, Intent, Reply, Say, Sentiment, Slot, Transcript, Utterance,
};
pub use transient::Transient;

use std::task::{Context, Poll};

/// The analysis an engine has a use for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    /// [`Event::Features`].
    pub features: bool,
    /// [`Event::Speech`].
    pub audio: bool,
    /// [`Event::Speaker`]: the same of each dominant speaker of a conference apart, where
    /// the call has lines for them.
    pub speakers: bool,
}

/// Listens to one call.
///
/// Engines run beside the audio, never in its way: they are called from the
/// call's own task and must not block. One that needs time (a process, a model, a
/// service) takes the event, and hands over its replies when they are there
/// through [`Engine::poll_reply`].
pub trait Engine: Send {
    /// Takes one event and hands every reply that is there at once to `reply`.
    fn handle(&mut self, event: &Event, reply: &mut dyn FnMut(Reply));

    /// What analysis it has a use for, as far as it is known by now. Nothing is made
    /// for engines that want nothing.
    fn wants(&self) -> Wants {
        Wants::default()
    }

    /// How many frames of analysis gave way to newer ones because the engine was slow.
    fn dropped(&self) -> u64 {
        0
    }

    /// The next reply that came later. Engines that answer at once have none.
    fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<Reply> {
        let _ = context;
        Poll::Pending
    }
}

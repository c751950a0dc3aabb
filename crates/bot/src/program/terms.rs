//! What a conversation in Rust says, asks for and hears.

use std::fmt;
use std::time::Duration;

use switchboard_nlp::Collect as Wanted;

use zeroize::Zeroizing;

use crate::flow::{self, Words};

/// A prompt of the bot's script, by name.
#[derive(Debug, Clone, Copy)]
pub struct Prompt<'a>(pub &'a str);

/// Something to say: a [`Prompt`], or text for the synthesiser.
#[derive(PartialEq)]
pub struct Utterance {
    pub(super) what: What,
    /// The engine's own name for it, where it is the engine's.
    pub(super) name: Option<String>,
}

/// Neither the words nor the engine's name for them.
impl fmt::Debug for Utterance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Utterance(_)")
    }
}

impl From<What> for Utterance {
    fn from(what: What) -> Self {
        Self { what, name: None }
    }
}

#[derive(PartialEq)]
pub(super) enum What {
    Prompt(String),
    Text(Words),
}

impl From<Prompt<'_>> for Utterance {
    fn from(Prompt(name): Prompt<'_>) -> Self {
        What::Prompt(name.to_owned()).into()
    }
}

impl From<&str> for Utterance {
    fn from(text: &str) -> Self {
        What::Text(Words::new(text)).into()
    }
}

impl From<String> for Utterance {
    fn from(text: String) -> Self {
        let text = Zeroizing::new(text);
        What::Text(Words::new(&text)).into()
    }
}

/// How far an utterance got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// To its end.
    Whole,
    /// A key cut it short, which waits for [`Call::digits`](super::Call::digits); or the
    /// engine did.
    Interrupted,
}

/// How keys are collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collect {
    /// The fewest that count; fewer are as none.
    pub min: usize,
    /// The most; collecting ends with them.
    pub max: usize,
    /// The key that ends collecting before, and is not part of the result.
    pub terminator: Option<char>,
    /// How long the first key may take.
    pub first: Duration,
    /// How long each further one may take; what is there then is the result.
    pub between: Duration,
    /// Keeps the keys from logs, page and engine.
    pub secret: bool,
}

impl Collect {
    /// One key within 10 s.
    pub fn one() -> Self {
        Self::up_to(1)
    }

    /// Up to `max` keys or `#`; 10 s for the first, 3 s for each further one.
    pub fn up_to(max: usize) -> Self {
        Self {
            min: 1,
            max: max.clamp(1, MOST_KEYS),
            terminator: (max > 1).then_some('#'),
            first: Duration::from_secs(10),
            between: Duration::from_secs(3),
            secret: false,
        }
    }

    /// The same for a PIN, which [`Call::ask`](super::Call::ask) asks for.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The same with another time for the first key.
    #[must_use]
    pub fn within(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }
}

/// Keys that wait, and that are collected at once.
pub(super) const MOST_KEYS: usize = 32;

/// Keys a caller pressed: never printed, wiped when dropped.
#[derive(PartialEq, Eq)]
pub struct Keys(pub(super) Zeroizing<String>);

impl Keys {
    /// The keys.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(_)")
    }
}

/// What the caller said or pressed.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// What the engine made of it.
    Intent(Understood),
    /// The engine's transcript.
    Text(Words),
    /// A key.
    Key(Keys),
    /// The engine asks for something by itself: done by [`Call::grant`](super::Call::grant),
    /// or not at all.
    Wish(Wish),
}

/// What an engine asks for by itself.
#[derive(Debug, PartialEq)]
pub enum Wish {
    /// To say something.
    Say(Utterance),
    /// To collect keys for it.
    Collect(Collect),
    /// To pass the call on to whom it calls so.
    Transfer(String),
    /// To invite whom it calls so.
    Invite(String),
    /// To mute the bot, or to take that back.
    Mute(bool),
    /// To end the call.
    HangUp,
}

/// How an engine wants keys to be collected.
impl From<Wanted> for Collect {
    fn from(wanted: Wanted) -> Self {
        let milliseconds = |ms: u32| Duration::from_millis(ms.into());
        Self {
            min: wanted.min.into(),
            max: usize::from(wanted.max).clamp(1, MOST_KEYS),
            terminator: wanted.terminator,
            first: milliseconds(wanted.first_timeout_ms),
            between: milliseconds(wanted.inter_digit_timeout_ms),
            secret: wanted.secret,
        }
    }
}

impl Wish {
    /// The wish, if it is one that a conversation is asked about; `name` is the engine's for
    /// what it wants to say.
    pub(super) fn of(wish: flow::Wish<'_>, name: Option<String>) -> Option<Self> {
        let say = |what| Self::Say(Utterance { what, name });
        Some(match wish {
            flow::Wish::Text(text) => say(What::Text(Words::new(text))),
            flow::Wish::Prompt(prompt) => say(What::Prompt(prompt.to_owned())),
            flow::Wish::Transfer(to) => Self::Transfer(to.to_owned()),
            flow::Wish::Invite(who) => Self::Invite(who.to_owned()),
            flow::Wish::Collect(wanted) => Self::Collect(wanted.into()),
            flow::Wish::Mute(muted) => Self::Mute(muted),
            flow::Wish::HangUp => Self::HangUp,
            flow::Wish::StopSpeaking => return None,
        })
    }
}

/// An intent.
#[derive(PartialEq)]
pub struct Understood {
    /// The engine's name for it.
    pub name: Words,
    /// How sure the engine is, 0–1.
    pub confidence: f32,
    pub(super) slots: Vec<(String, Words)>,
}

/// How sure the engine is, too, was made of what the caller said.
impl fmt::Debug for Understood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Understood(_)")
    }
}

impl Understood {
    /// A detail that was understood with it.
    pub fn slot(&self, name: &str) -> Option<&str> {
        let mut slots = self.slots.iter();
        slots
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

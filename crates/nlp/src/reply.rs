//! What an engine answers.

use zeroize::Zeroize;

use crate::Transient;

/// One thing an engine has to say about a call.
pub enum Reply {
    /// What the caller is saying, so far or for good.
    Text(Transcript),
    /// What the caller wants.
    Intent(Transient<Intent>),
    /// How the caller feels.
    Sentiment(Transient<Sentiment>),
    /// The caller has finished the turn, by the engine's understanding; pauses
    /// alone can't tell.
    EndOfTurn,
    /// What the bot is to do.
    Action(Action),
    /// The engine is up or down; while it is down the conversation takes its
    /// fall-back branch.
    Health(Health),
}

impl Reply {
    /// An intent without slots.
    pub fn intent(name: &str, confidence: f32) -> Self {
        Self::Intent(Transient::new(Intent {
            name: name.to_owned(),
            confidence,
            slots: Vec::new(),
        }))
    }

    /// `true` when this is the intent `name`.
    pub fn is_intent(&self, name: &str) -> bool {
        matches!(self, Self::Intent(intent) if intent.with(|intent| intent.name == name))
    }
}

/// Words of the caller.
pub struct Transcript {
    /// The words since the turn began.
    pub text: Transient<String>,
    /// `false` while they may still change.
    pub is_final: bool,
    /// 0–1, where the engine knows.
    pub confidence: Option<f32>,
}

/// What the caller wants.
#[derive(Zeroize)]
pub struct Intent {
    /// The engine's name for it.
    pub name: String,
    /// 0–1.
    pub confidence: f32,
    /// The details that were understood.
    pub slots: Vec<Slot>,
}

impl Intent {
    /// The value of a slot.
    pub fn slot(&self, name: &str) -> Option<&str> {
        let mut slots = self.slots.iter();
        slots
            .find(|slot| slot.name == name)
            .map(|slot| slot.value.as_str())
    }
}

/// A detail of an intent.
#[derive(Zeroize)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// What was understood.
    pub value: String,
}

/// How the caller feels.
#[derive(Zeroize)]
pub struct Sentiment {
    /// −1 (very negative) to 1 (very positive).
    pub score: f32,
}

/// What the bot is to do.
pub enum Action {
    /// Nothing: the engine has understood and leaves it at that.
    Nothing,
    /// Speak, in place of what is being spoken.
    Say(Say),
    /// Stop speaking.
    StopSpeaking,
    /// Wait for keys.
    Collect(Collect),
    /// Pass the call on to a person, number or bot.
    Transfer {
        /// An id or number the conversation's configuration allows.
        to: String,
    },
    /// Bring somebody into the call.
    Invite {
        /// As for a transfer.
        who: String,
    },
    /// Mute or unmute the bot.
    Mute {
        /// `false` unmutes.
        muted: bool,
    },
    /// End the call.
    HangUp,
}

/// Something to be spoken.
pub struct Say {
    /// Names the utterance in [`crate::Event::PromptStarted`] and
    /// [`crate::Event::PromptFinished`].
    pub id: String,
    /// What.
    pub what: Utterance,
    /// `false` when neither speech nor keys may interrupt it.
    pub interruptible: bool,
}

/// What is to be spoken.
pub enum Utterance {
    /// A configured prompt.
    Prompt(String),
    /// Text for the synthesiser; it may repeat the caller's words.
    Text(Transient<String>),
}

/// How keys are collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collect {
    /// The fewest that count.
    pub min: u8,
    /// The most; collecting ends with them.
    pub max: u8,
    /// The key that ends collecting before `max`, and is not part of the result.
    pub terminator: Option<char>,
    /// How long to wait for the first key, in milliseconds.
    pub first_timeout_ms: u32,
    /// How long to wait for each further one.
    pub inter_digit_timeout_ms: u32,
    /// `true` keeps the keys from logs, page and the engine itself.
    pub secret: bool,
}

impl Default for Collect {
    /// One key within 5 s; 3 s between keys.
    fn default() -> Self {
        Self {
            min: 1,
            max: 1,
            terminator: None,
            first_timeout_ms: 5_000,
            inter_digit_timeout_ms: 3_000,
            secret: false,
        }
    }
}

/// Whether an engine can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Connected and ready.
    Up,
    /// Not reachable, not ready or not answering.
    Down,
}

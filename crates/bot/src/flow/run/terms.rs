//! What a conversation takes and gives.

use std::fmt;

use switchboard_media::event::Digit;
use switchboard_nlp::{Collect as Wanted, Slot};
use zeroize::Zeroizing;

use crate::flow::model::Refusal;
use crate::flow::plan::{Contact, Entry, Keep, Response, Whom};

/// Something that happened in the call.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// The call came in, and can still be refused. Skipped for calls the bot makes.
    Incoming,
    /// Media flows.
    Connected,
    /// A key was pressed.
    Digit(Digit),
    /// The caller began to speak.
    SpeechStart,
    /// The caller has finished speaking, as far as a pause tells.
    SpeechEnd,
    /// The engine understood what the caller wants.
    Intent {
        /// The engine's name for it.
        name: &'a str,
        /// 0–1.
        confidence: f32,
        /// The details that were understood.
        slots: &'a [Slot],
    },
    /// The engine heard words, for good.
    Text(&'a str),
    /// The engine says that the caller has finished, and has no words to add.
    EndOfTurn,
    /// The engine judged the caller's mood, −1…1.
    Sentiment(f32),
    /// The engine asks for something by itself.
    Wish(Wish<'a>),
    /// The engine is there (`true`) or not.
    Engine(bool),
    /// The prompt that was playing is over; interrupted ones are not reported.
    PromptFinished,
    /// Nobody took the transferred call.
    TransferFailed,
    /// The invited contact is in the call (`true`) or won't come.
    Invited(bool),
    /// Who else is in the call now.
    People(People<'a>),
    /// What was asked for is done (`true`), or can't be: [`Action::Open`],
    /// [`Action::Summon`], [`Action::Join`], [`Action::Mute`], [`Action::Hold`],
    /// [`Action::Resume`].
    Done(bool),
    /// What the caller said is kept (`true`), or nothing was said.
    Kept(bool),
    /// How far Graph is with what the caller says.
    Response(Told),
    /// The voice agent has finished (`true`), or can't be reached.
    Streamed(bool),
    /// A web hook's `result`; `None` when it failed.
    Webhook(Option<&'a str>),
    /// [`Run::poll_timeout`](super::Run::poll_timeout) has passed.
    Timeout,
    /// The bot stops: the caller is to be passed on.
    Leave(&'a Farewell),
    /// The caller is gone.
    CallerLeft,
}

/// Not even the kind of input in detail: keys, words and moods are the caller's.
impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input(_)")
    }
}

/// Who takes callers whose bot stops, by names of the flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    /// A contact or a team.
    pub transfer_to: String,
    /// A prompt that is said before.
    pub say: Option<String>,
}

/// How far Graph is with an [`Action::Record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It records.
    Begun,
    /// It is over, and the engine has heard what was said; or a key ended it.
    Said,
    /// Nobody has spoken.
    Nothing,
    /// It could not be had.
    Lost,
}

/// Who else is in a call.
#[derive(Clone, Copy)]
pub struct People<'a> {
    /// What they are called, as far as that is known; one each.
    pub names: &'a [String],
    /// Somebody has come.
    pub joined: bool,
    /// Somebody has gone.
    pub left: bool,
}

/// What an engine asks for; done where the flow's `engine` table allows it.
#[derive(Clone, Copy)]
pub enum Wish<'a> {
    /// Say a text.
    Text(&'a str),
    /// Play a prompt.
    Prompt(&'a str),
    /// Stop speaking.
    StopSpeaking,
    /// Pass the call on to a contact.
    Transfer(&'a str),
    /// Invite a contact.
    Invite(&'a str),
    /// Collect keys.
    Collect(Wanted),
    /// Mute the bot, or take that back.
    Mute(bool),
    /// End the call.
    HangUp,
}

/// An engine's words: never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Words(pub(super) Zeroizing<String>);

impl Words {
    pub(crate) fn new(words: &str) -> Self {
        Self(Zeroizing::new(words.to_owned()))
    }

    /// The words, for the synthesiser.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(_)")
    }
}

/// What the call's owner is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Take the call.
    Answer,
    /// Refuse it.
    Reject(Refusal),
    /// Pass it on unanswered.
    Redirect(Contact),
    /// Play a prompt, in place of what is playing.
    Play(String),
    /// Say the engine's words, in place of what is playing.
    Say(Words),
    /// Stop playing.
    StopPlaying,
    /// A secret follows (`true`) or is over: close or open the engine's gate, and
    /// show no keys.
    Secret(bool),
    /// Hand the caller's words to the engine: as a recording, where Graph handles the media.
    Record(Response),
    /// No more.
    EndRecording,
    /// Pass the call on.
    Transfer(Contact),
    /// Bring them in.
    Invite(Vec<Contact>),
    /// Go on in a room: the caller is brought there, and this call is over.
    Open(String),
    /// Call those of an on-call list; their calls begin there.
    Summon(String, Entry),
    /// Join the call that summoned this one, which is then over.
    Join,
    /// Silence others on the server.
    Mute(Whom),
    /// Put somebody on hold, with a prompt to hear or Graph's own music.
    Hold(Contact, Option<String>),
    /// Take them back.
    Resume(Contact),
    /// Keep what the caller says, for this call alone.
    Keep(Keep),
    /// That is enough.
    EndKeeping,
    /// Play what was kept, in place of what is playing.
    PlayBack,
    /// Post what was kept to this address, and report the answer.
    Deliver(String),
    /// Post [`Run::values`](super::Run::values) to this address, and report the answer.
    Webhook(String),
    /// Tell the engine the keys it wanted; `None` when they are secret.
    Keys(Option<Words>),
    /// Mute the bot itself, or take that back.
    MuteBot(bool),
    /// Connect the caller with a voice agent.
    Stream(String),
    /// No longer.
    StopStream,
    /// End the call.
    HangUp,
}

//! What goes into the cloud and what comes out of it.

use std::time::Duration;

use switchboard_media::event::MediaEvent;
use switchboard_signaling::types::{
    AnswerRequest, Call, ClientContextRequest, CommsNotifications, CommsOperation, Participant,
    PlayPromptRequest, RedirectRequest, RejectRequest, SendDtmfTonesRequest, TransferRequest,
    UpdateRecordingStatusRequest,
};
use switchboard_transport::whip::MediaBlob;
use url::Url;
use zeroize::Zeroizing;

use crate::phone::PhoneEvent;
use crate::timeline::CallEvent;

/// An operation on one call.
pub(crate) enum Operation {
    Get,
    Delete,
    Answer(Box<AnswerRequest>),
    Reject(RejectRequest),
    Redirect(RedirectRequest),
    Transfer(Box<TransferRequest>),
    KeepAlive,
    Mute(ClientContextRequest),
    Unmute(ClientContextRequest),
    PlayPrompt(PlayPromptRequest),
    SubscribeToTone(ClientContextRequest),
    /// Read one of the call's operations.
    Progress(String),
    ListOperations,
    ListParticipants,
    GetParticipant(String),
    CancelMediaProcessing(ClientContextRequest),
    UpdateRecordingStatus(UpdateRecordingStatusRequest),
    SendDtmfTones(SendDtmfTonesRequest),
}

/// What Graph answers an operation with.
#[derive(Debug)]
pub(crate) enum Reply {
    /// `202`
    Accepted,
    /// `204`
    NoContent,
    /// `200` without a body
    Done,
    /// `200`
    Call(Box<Call>),
    /// `201`
    Created(Box<Call>),
    /// `200`, with the operation's `Location`
    Operation(Box<CommsOperation>),
    /// `200`
    Operations(Vec<CommsOperation>),
    /// `200`
    Participants(Vec<Participant>),
    /// `200`
    Participant(Box<Participant>),
}

/// Something the shell is to do.
pub(crate) enum Effect {
    /// Post a notification.
    Notify(Box<Notice>),
    /// Tell a phone something.
    Tell { phone: String, event: PhoneEvent },
    /// Show something to those who watch.
    Show(CallEvent),
    /// Do something with a call's media.
    Media { call: String, action: MediaAction },
}

/// A notification on its way to an application.
pub(crate) struct Notice {
    pub(crate) call: String,
    /// What it is about: a state such as `established`, `tone` or `operation`.
    pub(crate) kind: String,
    /// The application (client) id, which the token is for.
    pub(crate) app: String,
    pub(crate) tenant: String,
    pub(crate) to: Url,
    pub(crate) body: CommsNotifications,
    pub(crate) correlation: Correlation,
    /// No other follows for this call.
    pub(crate) last: bool,
}

/// The ids in a notification's headers.
#[derive(Debug, Clone)]
pub(crate) struct Correlation {
    /// `X-Microsoft-Skype-Chain-ID`: the conversation.
    pub(crate) chain: String,
    /// `Scenario-Id`: the call.
    pub(crate) scenario: String,
    /// `X-Microsoft-Skype-Message-ID`: the notification.
    pub(crate) message: String,
}

/// Which of the cloud's own media sessions of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Leg {
    Caller,
    Agent,
}

pub(crate) enum MediaAction {
    /// Carry the phone's offer to the bot's media endpoint.
    OfferToBot { blob: MediaBlob, sdp: String },
    /// Answer a phone's offer with a session of the cloud's own.
    Host { leg: Leg, sdp: String },
    /// Let caller and agent hear each other.
    Bridge,
    /// Leave the bot's media endpoint.
    LeaveBot,
    /// Play something to the caller, after what is playing.
    Play { operation: String, what: Playable },
    /// Stop what is played and forget what waits to be.
    StopPlaying,
    /// The call is over.
    End,
}

/// What an operation plays.
pub(crate) enum Playable {
    /// Media files, to be fetched.
    Files(Vec<Url>),
    /// Keys of the dial pad, with this much silence after each.
    Tones {
        keys: Zeroizing<String>,
        pause: Duration,
    },
}

/// What happened to a call's media.
pub(crate) enum MediaReport {
    /// The bot's endpoint answered the phone's offer.
    BotAnswered { sdp: String },
    /// It didn't.
    BotRefused { why: String },
    /// The cloud's own session answered the phone's offer.
    Hosted { leg: Leg, sdp: String },
    /// It couldn't.
    HostFailed { leg: Leg, why: String },
    /// A hosted session heard or did something.
    Heard { leg: Leg, event: MediaEvent },
    /// A prompt began.
    PromptStarted { name: String },
    /// One prompt ended.
    PromptEnded { name: String, interrupted: bool },
    /// All prompts of an operation were played, or why not.
    Played {
        operation: String,
        outcome: Result<(), String>,
    },
    /// A hosted session ended by itself.
    Lost { leg: Leg },
}

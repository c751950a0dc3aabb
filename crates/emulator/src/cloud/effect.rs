//! What goes into the cloud and what comes out of it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use serde_json::Value;
use switchboard_media::event::MediaEvent;
use switchboard_signaling::types::{
    AnswerRequest, AudioRoutingGroup, Call, ChangeScreenSharingRoleRequest, ClientContextRequest,
    CommsNotifications, CommsOperation, InviteRequest, Participant, PlayPromptRequest,
    RecordResponseRequest, RedirectRequest, RejectRequest, SendDtmfTonesRequest,
    StartHoldMusicRequest, TransferRequest, UpdateRecordingStatusRequest,
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
    RecordResponse(RecordResponseRequest),
    /// Read one of the call's operations.
    Progress(String),
    ListOperations,
    ListParticipants,
    GetParticipant(String),
    Invite(InviteRequest),
    MuteParticipant(String, ClientContextRequest),
    DeleteParticipant(String),
    StartHoldMusic(String, Box<StartHoldMusicRequest>),
    StopHoldMusic(String, ClientContextRequest),
    ChangeScreenSharingRole(ChangeScreenSharingRoleRequest),
    AddLargeGalleryView(ClientContextRequest),
    ListSharing,
    GetSharing(String),
    ListRoutes,
    GetRoute(String),
    CreateRoute(AudioRoutingGroup),
    UpdateRoute(String, AudioRoutingGroup),
    DeleteRoute(String),
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
    /// `202`, with the operation's `Location`
    AcceptedOperation(Box<CommsOperation>),
    /// `200`
    Operations(Vec<CommsOperation>),
    /// `200`
    Participants(Vec<Participant>),
    /// `200`
    Participant(Box<Participant>),
    /// `200`
    Object(Value),
    /// `200`, below the call
    List(&'static str, Vec<Value>),
}

impl Reply {
    pub(crate) fn object(object: &impl serde::Serialize) -> Self {
        // Our own types always serialise: string keys and plain numbers.
        Self::Object(serde_json::to_value(object).unwrap_or(Value::Null))
    }

    pub(crate) fn list(what: &'static str, items: &[impl serde::Serialize]) -> Self {
        let item = |item| serde_json::to_value(item).unwrap_or(Value::Null);
        Self::List(what, items.iter().map(item).collect())
    }
}

/// Something the shell is to do.
pub(crate) enum Effect {
    /// Post a notification.
    Notify(Box<Notice>),
    /// Tell a phone something.
    Tell { phone: String, event: PhoneEvent },
    /// Show something to those who watch.
    Show(CallEvent),
    /// A bot's call is part of a room that began at `since`; `bot` is its name there.
    Seated {
        call: String,
        bot: String,
        room: String,
        since: Instant,
    },
    /// Do something with a call's media.
    Media { call: String, action: MediaAction },
    /// Do something with a room's media.
    Room { room: String, action: RoomAction },
}

/// A notification on its way to an application.
#[derive(Clone)]
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

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, kind, .. } = self;
        let mut notice = f.debug_struct("Notice");
        notice.field("call", call).field("kind", kind);
        notice.finish_non_exhaustive()
    }
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
    /// Play this to the caller, then record what the caller says.
    Record {
        operation: String,
        prompts: Vec<Url>,
        beep: bool,
        plan: RecordPlan,
    },
    /// Stop what is played and forget what waits to be.
    StopPlaying,
    /// The call is over.
    End,
}

/// When a recording ends.
#[derive(Debug, Clone)]
pub(crate) struct RecordPlan {
    /// Unless something is said within this.
    pub(crate) initial: Duration,
    /// When nothing is said for so long.
    pub(crate) pause: Duration,
    pub(crate) longest: Duration,
    /// When one of these keys is pressed.
    pub(crate) stop_tones: Zeroizing<String>,
}

/// Why a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordEnd {
    NothingSaid,
    Pause,
    Longest,
    StopTone,
    Cancelled,
}

/// Where a recording is, and the token that opens it.
pub(crate) struct Clip {
    pub(crate) location: String,
    pub(crate) token: Zeroizing<String>,
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
    /// A recording ended; there is a clip if there is something in it.
    Recorded {
        operation: String,
        end: RecordEnd,
        clip: Option<Clip>,
    },
    /// A hosted session ended by itself.
    Lost { leg: Leg },
}

/// What is to be done in a room, by seat.
pub(crate) enum RoomAction {
    /// Answer a phone's offer.
    Host { seat: u32, sdp: String },
    /// Bring an application in at its media endpoint, for its call.
    Call {
        seat: u32,
        app: String,
        call: String,
        blob: MediaBlob,
    },
    /// Let an application in whose media is the cloud's.
    Serve { seat: u32 },
    /// Hear nothing from a seat any more, or hear it again.
    Mute { seat: u32, muted: bool },
    /// Let a seat hear nothing and be heard by nobody, or let it in.
    Lobby { seat: u32, waits: bool },
    /// Leave a seat out of the default mix: it hears what is routed to it alone, and is heard
    /// by those alone to whom it is routed.
    Outside { seat: u32 },
    /// Let a seat hear music alone, and be heard by nobody.
    Hold {
        seat: u32,
        task: RoomTask,
        music: Option<Url>,
    },
    /// Let it hear and be heard again.
    Resume { seat: u32 },
    /// Play something to everybody else, after what the seat is playing.
    Play {
        seat: u32,
        task: RoomTask,
        what: Playable,
    },
    /// Play this to everybody else, then record what the seat hears of them.
    Record {
        seat: u32,
        task: RoomTask,
        prompts: Vec<Url>,
        beep: bool,
        plan: RecordPlan,
    },
    /// Stop what a seat plays or records and forget what waits to be.
    StopPlaying { seat: u32 },
    /// Let these alone hear a seat, or everyone again.
    Route {
        seat: u32,
        receivers: Option<BTreeSet<u32>>,
    },
    /// A seat is empty.
    Leave { seat: u32 },
    /// Nobody is there any more.
    End,
}

/// An operation that media carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoomTask {
    pub(crate) call: String,
    pub(crate) operation: String,
}

/// What happened to a room's media, by seat.
pub(crate) enum RoomReport {
    /// A phone's offer is answered.
    Hosted { seat: u32, sdp: String },
    /// An application's media is set up.
    Connected { seat: u32 },
    /// Media could not be set up.
    Failed { seat: u32, why: String },
    /// Something was in what a seat's session brought.
    Heard { seat: u32, event: MediaEvent },
    /// A prompt began.
    PromptStarted { seat: u32, name: String },
    /// One prompt ended.
    PromptEnded {
        seat: u32,
        name: String,
        interrupted: bool,
    },
    /// All prompts of an operation were played, or why not.
    Played {
        task: RoomTask,
        outcome: Result<(), String>,
    },
    /// A recording ended; there is a clip if there is something in it.
    Recorded {
        task: RoomTask,
        end: RecordEnd,
        clip: Option<Clip>,
    },
    /// Hold music plays, or why not.
    Held {
        seat: u32,
        task: RoomTask,
        outcome: Result<(), String>,
    },
    /// A session ended by itself.
    Lost { seat: u32 },
}

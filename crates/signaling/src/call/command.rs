//! What the application wants of a call.

use crate::request::{GraphRequest, InvalidRequest};
use crate::types::{
    AnswerRequest, CallState, CommsOperation, PlayPromptRequest, RedirectRequest, RejectRequest,
    TransferRequest,
};

/// A command of one machine; the event that settles it names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub(super) u64);

/// What the application wants.
///
/// Commands that act on an established call go to Graph one after the other, in the order given.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// Answer an incoming call.
    Answer(AnswerRequest),
    /// Turn an incoming call down.
    Reject(RejectRequest),
    /// Send an incoming call elsewhere.
    Redirect(RedirectRequest),
    /// Transfer an established call.
    Transfer(Box<TransferRequest>),
    /// End the call, wherever it stands; an incoming call is turned down without a reason.
    HangUp,
    /// Mute the application on the server.
    Mute,
    /// Take the mute back.
    Unmute,
    /// Play prompts (service-hosted media). A `clientContext` is added where there is none.
    PlayPrompt(PlayPromptRequest),
    /// Be told of keys pressed (service-hosted media).
    SubscribeToTone,
    /// Any other operation on this call, made by [`request`](crate::request). A `clientContext`
    /// is added where there is none.
    Operation(GraphRequest<CommsOperation>),
    /// Any other action on this call that is answered with a status alone.
    Action(GraphRequest<()>),
    /// Read the call: something seems wrong, no packet comes for example.
    Check,
}

impl Command {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Reject(_) => "reject",
            Self::Redirect(_) => "redirect",
            Self::Transfer(_) => "transfer",
            Self::HangUp => "hang up",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::PlayPrompt(_) => "playPrompt",
            Self::SubscribeToTone => "subscribeToTone",
            Self::Operation(request) => request.operation,
            Self::Action(request) => request.operation,
            Self::Check => "check",
        }
    }
}

/// A command that was not taken; nothing was sent, no event follows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The call is over, or about to be.
    #[error("{0}: the call has ended")]
    Ended(&'static str),
    /// It makes no sense in this state.
    #[error("{command} is not possible while the call is {state}")]
    State {
        /// The command.
        command: &'static str,
        /// The call's state.
        state: CallState,
    },
    /// The incoming call was answered, rejected or redirected before.
    #[error("{0}: the incoming call was answered, rejected or redirected before")]
    Decided(&'static str),
    /// A transfer is under way.
    #[error("transfer: another transfer is under way")]
    Transferring,
    /// Too many commands wait for their turn.
    #[error("{0}: 64 commands are waiting already")]
    TooMany(&'static str),
    /// The request is for another call, or none.
    #[error("{0}: the request is not for this call")]
    OtherCall(&'static str),
    /// The request breaks a documented rule.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
}

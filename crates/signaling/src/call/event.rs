//! What the application learns of a call.

use super::command::CommandId;
use super::roster::RosterChange;
use crate::error::GraphError;
use crate::types::{CallId, CallState, CommsOperation, ResultInfo, Tone};

/// What happened. `Debug` shows no tone.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CallEvent {
    /// Graph has taken an outgoing call and given it this id.
    Created(CallId),
    /// The call has moved to another state, `Terminated` excepted.
    StateChanged(CallState),
    /// Graph took an answer, rejection, redirection, transfer or action.
    Accepted(CommandId),
    /// An operation has succeeded.
    OperationCompleted {
        /// The command it came from.
        command: CommandId,
        /// The operation with its results.
        operation: Box<CommsOperation>,
    },
    /// A command failed, or it can't be known whether it had its effect.
    CommandFailed {
        /// Which.
        command: CommandId,
        /// Why.
        failure: Failure,
    },
    /// Graph answered an operation with a fault of its own (5xx): it may have been begun. If it
    /// was, its result follows; if none comes, [`CommandFailed`](Self::CommandFailed) does. Who
    /// can't wait may stop what was begun and ask again.
    Doubted(CommandId),
    /// A transfer failed, after or instead of being accepted; the call goes on.
    TransferFailed {
        /// Which command.
        command: CommandId,
        /// Why.
        failure: Failure,
    },
    /// The application was muted on the server (`true`) or unmuted (`false`).
    Muted(bool),
    /// A key was pressed; in the order of pressing, each once.
    Tone(Tone),
    /// Participants joined, changed or left.
    RosterChanged(Box<RosterChange>),
    /// The call is over: the last event.
    Terminated(Box<Termination>),
}

/// Why a command failed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Failure {
    /// The request was refused, or couldn't be sent in time.
    Refused(GraphError),
    /// Graph tried and failed.
    Failed(Option<Box<ResultInfo>>),
    /// No result came in time; it may have had its effect.
    Lost,
    /// The call ended before.
    CallEnded,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub struct Termination {
    /// Who ended it, or how it was noticed.
    pub cause: Cause,
    /// Graph's code, in HTTP's manner.
    pub code: Option<i32>,
    /// Graph's finer code.
    pub subcode: Option<i32>,
    /// Graph's message, at most 512 characters.
    pub message: Option<String>,
}

/// Who ended a call, or how its end was noticed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Cause {
    /// Graph said that it is terminated.
    Graph,
    /// Graph no longer knows it: `404` or `410`.
    Gone,
    /// We hung up.
    HungUp,
    /// It wasn't answered, rejected or redirected in time.
    NotAnswered,
    /// It couldn't be created.
    NotCreated(Box<GraphError>),
    /// We hung up, and Graph never confirmed.
    Unconfirmed,
}

impl Cause {
    /// Its name, without what Graph said.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Gone => "gone",
            Self::HungUp => "hung_up",
            Self::NotAnswered => "not_answered",
            Self::NotCreated(_) => "not_created",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

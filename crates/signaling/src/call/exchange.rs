//! Requests the machine asks for, and what comes back.

use crate::request::GraphRequest;
use crate::types::{Call, CommsOperation};

/// A request of one machine; its response is handed back under this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(super) u64);

/// A request to be sent, by what it is answered with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Request {
    /// Answered with the call.
    Call(GraphRequest<Call>),
    /// Answered with an operation.
    Operation(GraphRequest<CommsOperation>),
    /// Answered with a status alone.
    Plain(GraphRequest<()>),
}

impl Request {
    /// The operation's documented name.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Call(request) => request.operation,
            Self::Operation(request) => request.operation,
            Self::Plain(request) => request.operation,
        }
    }

    /// Whether the client may send it again by itself.
    pub(super) fn is_repeatable(&self) -> bool {
        match self {
            Self::Call(request) => request.repeatable,
            Self::Operation(request) => request.repeatable,
            Self::Plain(request) => request.repeatable,
        }
    }

    /// The path below Graph's base address.
    pub fn path(&self) -> &str {
        match self {
            Self::Call(request) => &request.path,
            Self::Operation(request) => &request.path,
            Self::Plain(request) => &request.path,
        }
    }
}

/// What a [`Request`] of the same name is answered with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Response {
    /// The call.
    Call(Box<Call>),
    /// The operation.
    Operation(Box<CommsOperation>),
    /// It is done, or accepted.
    Plain,
}

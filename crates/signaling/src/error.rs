//! What can go wrong between the application and Graph.
//!
//! No error holds a token, a secret, or the body of a request or response.

use std::time::Duration;

use http::StatusCode;

pub use crate::request::{ForeignLink, InvalidRequest};
pub use crate::token::TokenError;

/// An operation on Graph failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The request breaks a documented rule and was not sent.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// There is no access token; the request was not sent.
    #[error("no access token for Graph: {0}")]
    Token(#[from] TokenError),
    /// Graph answered with an error.
    #[error(transparent)]
    Api(#[from] Box<ApiError>),
    /// The request would pass a documented limit and was not sent.
    #[error("{operation}: not sent, Graph's documented limit is reached; possible in {wait:?}")]
    Limited {
        /// The operation.
        operation: &'static str,
        /// When there will be room.
        wait: Duration,
    },
    /// No connection; the request was not sent.
    #[error("{operation}: no connection to Graph ({cause}); check the base URL and the network")]
    Connect {
        /// The operation.
        operation: &'static str,
        /// The innermost cause.
        cause: String,
    },
    /// Graph took too long; it may have done what was asked.
    #[error("{operation}: no answer from Graph within {limit:?}")]
    TimedOut {
        /// The operation.
        operation: &'static str,
        /// The time limit.
        limit: Duration,
    },
    /// The exchange broke off; Graph may have done what was asked.
    #[error("{operation}: the exchange with Graph broke off ({cause})")]
    Interrupted {
        /// The operation.
        operation: &'static str,
        /// The innermost cause.
        cause: String,
    },
    /// The response is larger than accepted; it was not read to its end.
    #[error("{operation}: Graph's response is larger than {limit} bytes")]
    BodyTooLarge {
        /// The operation.
        operation: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// A list's next page is said to be elsewhere than on Graph; it was not fetched.
    #[error(transparent)]
    ForeignLink(#[from] ForeignLink),
    /// A list has no end in sight; what was read of it is dropped.
    #[error("{operation}: the list has more than 1,000 pages or 100,000 items; ask for less")]
    TooLong {
        /// The operation.
        operation: &'static str,
    },
    /// Graph answered with success, in a shape that isn't the documented one.
    #[error("{operation}: Graph answered {status} with a body that is not a {expected}")]
    UnexpectedBody {
        /// The operation.
        operation: &'static str,
        /// The status.
        status: StatusCode,
        /// The type the body should have.
        expected: &'static str,
    },
}

/// What is known of an operation that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It had no effect; it can be asked for again.
    NotDone,
    /// It may have had its effect: read the call before asking again.
    MayBeDone,
}

impl GraphError {
    /// Whether the operation may have had its effect in spite of the error.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Invalid(_) | Self::Token(_) | Self::Limited { .. } | Self::Connect { .. } => {
                Outcome::NotDone
            }
            Self::Api(error) if error.status.as_u16() < 500 => Outcome::NotDone,
            _ => Outcome::MayBeDone,
        }
    }

    /// Graph's status, if it answered with an error.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Api(error) => Some(error.status),
            _ => None,
        }
    }

    /// How long Graph, or our own limit, asks to wait before anything of the kind is asked again.
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        match self {
            Self::Api(error) => error.retry_after,
            Self::Limited { wait, .. } => Some(*wait),
            _ => None,
        }
    }

    /// Whether Graph knows no such call (any more): 404, or 410.
    pub fn is_gone(&self) -> bool {
        matches!(
            self.status(),
            Some(StatusCode::NOT_FOUND | StatusCode::GONE)
        )
    }
}

/// Graph's error answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "{operation}: Graph answered {status}, code {code}: {message} (request id {})",
    request_id.as_deref().unwrap_or("unknown")
)]
pub struct ApiError {
    /// The operation.
    pub operation: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    /// Graph's code; the status as text if the body had none.
    pub code: String,
    /// Graph's message for developers, at most 512 characters, without control characters.
    pub message: String,
    /// Graph's id of the request, for support.
    pub request_id: Option<String>,
    /// Our id of the request.
    pub client_request_id: Option<String>,
    /// How long Graph asks to wait before the next request.
    pub retry_after: Option<Duration>,
}

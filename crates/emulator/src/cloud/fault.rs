//! Graph's refusals.

use axum::http::StatusCode;

/// Graph advises to wait as long as it says, and documents no length; nobody knows when a call
/// will end.
const RETRY_AFTER_S: u64 = 5;

/// A refusal with Graph's status and code. The text may repeat ids and property
/// names, never tokens or media.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The property at fault.
    pub(crate) target: Option<String>,
    /// Seconds after which it may be tried again.
    pub(crate) retry_after: Option<u64>,
}

impl Fault {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            target: None,
            retry_after: None,
        }
    }

    /// There are as many as there may be.
    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(RETRY_AFTER_S),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message)
        }
    }

    /// No call with this id belongs to the application. 8522 is what the service
    /// answers (microsoft-graph-comms-samples#191).
    pub(crate) fn no_call() -> Self {
        Self::new(StatusCode::NOT_FOUND, "8522", "Call not found.")
    }

    pub(crate) fn no_operation() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "Operation not found.")
    }

    /// Nobody with this id is in the call.
    pub(crate) fn no_participant() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "Participant not found.")
    }

    /// There is no such meeting, or it is not the user's.
    pub(crate) fn no_meeting() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "Meeting not found.")
    }

    /// The operation is documented for group calls alone, or for others alone.
    pub(crate) fn only_for(calls: &str) -> Self {
        let message = format!("This API is only supported for {calls} calls.");
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// The call's state doesn't allow the operation. Graph documents 409 for a state
    /// in conflict with the request, and no finer code.
    pub(crate) fn conflict(operation: &str, state: &str, allowed: &str) -> Self {
        let message =
            format!("{operation} is not possible while the call is {state}; it must be {allowed}.");
        Self::new(StatusCode::CONFLICT, "Conflict", message)
    }

    /// The application waits in a meeting's lobby, where it can't do this.
    pub(crate) fn in_lobby() -> Self {
        let message = "The application waits in the lobby of the meeting until it is admitted.";
        Self::new(StatusCode::CONFLICT, "Conflict", message)
    }

    /// A property is missing or wrong.
    pub(crate) fn property(target: impl Into<String>, rule: &str) -> Self {
        let target = target.into();
        Self {
            message: format!("Invalid value for property '{target}': {rule}."),
            target: Some(target),
            ..Self::new(StatusCode::BAD_REQUEST, "BadRequest", "")
        }
    }

    /// The application has all the calls it may have (Graph: 100 at once).
    pub(crate) fn too_many_calls() -> Self {
        Self::too_many("The application has reached its limit of concurrent calls.")
    }

    /// The operation needs media in the service's hands.
    pub(crate) fn not_service_hosted(operation: &str) -> Self {
        let message = format!(
            "{operation} is supported only for calls that are initiated with serviceHostedMediaConfig."
        );
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }
}

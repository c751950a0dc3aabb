//! Spans of what goes between Graph and us, for whoever traces calls.
//!
//! Spans of [`TARGET`] may leave the machine, unlike all others. So they say what was done and
//! how it ended, and nothing of a person: no name, number or user id, no word and no key, nor
//! that one was pressed. Their texts are of this program or of Graph's schema.

use http::StatusCode;
use tracing::Span;
use tracing::field::Empty;

use crate::error::GraphError;
use crate::notification::Notification;
use crate::types::{CallState, NotifiedResource, OperationStatus};

/// The target of spans that may be exported.
pub const TARGET: &str = "switchboard::trace";

/// One exchange with Graph, repetitions apart; a child of the span it is made in.
pub(crate) fn exchange(operation: &'static str) -> Span {
    tracing::info_span!(
        target: TARGET,
        "Graph",
        otel.name = operation,
        otel.kind = "client",
        otel.status_code = Empty,
        "http.response.status_code" = Empty,
        "error.type" = Empty,
    )
}

/// How an exchange ended.
pub(crate) fn exchanged(span: &Span, answered: Result<StatusCode, &GraphError>) {
    let failed = match answered {
        Ok(status) => {
            span.record("http.response.status_code", status.as_u16());
            status.is_client_error() || status.is_server_error()
        }
        Err(error) => {
            span.record("error.type", kind(error));
            true
        }
    };
    if failed {
        span.record("otel.status_code", "ERROR");
    }
}

fn kind(error: &GraphError) -> &'static str {
    match error {
        GraphError::Connect { .. } => "connect",
        GraphError::TimedOut { .. } => "timeout",
        GraphError::Interrupted { .. } => "interrupted",
        GraphError::BodyTooLarge { .. } => "too_large",
        _ => "_OTHER",
    }
}

/// What a call makes of a notification. None where a key is told: how many and when is the
/// caller's own.
pub(crate) fn notification(notification: &Notification) -> Span {
    let (name, state) = match &notification.resource {
        NotifiedResource::Call(call) if call.tone_info.is_some() => return Span::none(),
        NotifiedResource::Call(call) => ("notification: call", call.state.as_ref().map(state)),
        NotifiedResource::Participants(_) | NotifiedResource::ParticipantChanges(_) => {
            ("notification: participants", None)
        }
        NotifiedResource::Operation(operation) => {
            let status = operation.status.as_ref().map(status);
            ("notification: operation", status)
        }
        NotifiedResource::ContentSharing(_) => ("notification: content sharing", None),
        NotifiedResource::Unknown { .. } => ("notification: other", None),
    };
    tracing::info_span!(
        target: TARGET,
        "notification",
        otel.name = name,
        otel.kind = "consumer",
        notification.state = state,
    )
}

/// A state that Graph's schema has: no other text of Graph's is passed on.
fn state(state: &CallState) -> &str {
    match CallState::KNOWN.contains(state) {
        true => state.as_str(),
        false => CallState::UnknownFutureValue.as_str(),
    }
}

fn status(status: &OperationStatus) -> &str {
    match OperationStatus::KNOWN.contains(status) {
        true => status.as_str(),
        false => CallState::UnknownFutureValue.as_str(),
    }
}

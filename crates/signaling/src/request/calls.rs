//! The operations on calls. Each names its page of the API reference (v1.0) in `operation`.

use http::{Method, StatusCode};

use super::check::{Check, InvalidRequest};
use super::{GraphRequest, Reply};
use crate::types::{
    AnswerRequest, Call, CallId, ClientContextRequest, CommsOperation,
    LogTeleconferenceDeviceQualityRequest, RedirectRequest, RejectRequest,
    TeleconferenceDeviceQuality, TransferRequest,
};

const CALLS: &str = "/communications/calls";

pub(super) fn call_path(id: &CallId) -> String {
    format!("{CALLS}/{id}")
}

/// `POST /communications/calls/{id}/{action}`
pub(super) fn action<T: Reply>(
    operation: &'static str,
    id: &CallId,
    action: &str,
    expected: StatusCode,
) -> GraphRequest<T> {
    let path = format!("{CALLS}/{id}/{action}");
    GraphRequest::new(operation, Method::POST, path, expected)
}

/// Starts a call, or joins a meeting: `201` with the call, whose `id` is new.
///
/// Not repeatable: a second request would be a second call.
pub fn create_call(call: &Call) -> Result<GraphRequest<Call>, InvalidRequest> {
    const OPERATION: &str = "create call";
    Check(OPERATION).create(call)?;
    let request = GraphRequest::new(OPERATION, Method::POST, CALLS, StatusCode::CREATED);
    Ok(request.with_body(call))
}

/// Reads a call: `200`. Repeatable.
pub fn get_call(id: &CallId) -> GraphRequest<Call> {
    GraphRequest::new("get call", Method::GET, call_path(id), StatusCode::OK).repeatable()
}

/// Hangs up: `204`; in a group call only the application leaves. Repeatable: a call that is
/// gone answers `404`.
pub fn delete_call(id: &CallId) -> GraphRequest<()> {
    let path = call_path(id);
    GraphRequest::new("delete call", Method::DELETE, path, StatusCode::NO_CONTENT).repeatable()
}

/// Answers an incoming call, within 15 s (5 s for policy recording): `202`.
///
/// Not repeatable: an answer whose fate is unknown is to be reconciled by reading the call.
pub fn answer(id: &CallId, body: &AnswerRequest) -> Result<GraphRequest<()>, InvalidRequest> {
    const OPERATION: &str = "call: answer";
    Check(OPERATION).answer(body)?;
    Ok(action(OPERATION, id, "answer", StatusCode::ACCEPTED).with_body(body))
}

/// Turns an incoming call down: `202`. Not repeatable.
pub fn reject(id: &CallId, body: &RejectRequest) -> Result<GraphRequest<()>, InvalidRequest> {
    const OPERATION: &str = "call: reject";
    Check(OPERATION).reject(body)?;
    Ok(action(OPERATION, id, "reject", StatusCode::ACCEPTED).with_body(body))
}

/// Sends an incoming call elsewhere before it is answered; several targets ring at once:
/// `202`. Not repeatable.
pub fn redirect(id: &CallId, body: &RedirectRequest) -> Result<GraphRequest<()>, InvalidRequest> {
    const OPERATION: &str = "call: redirect";
    Check(OPERATION).redirect(body)?;
    Ok(action(OPERATION, id, "redirect", StatusCode::ACCEPTED).with_body(body))
}

/// Transfers an established call: `202`; states `transferring`, `transferAccepted` and the
/// outcome follow as notifications. Not repeatable.
pub fn transfer(id: &CallId, body: &TransferRequest) -> Result<GraphRequest<()>, InvalidRequest> {
    const OPERATION: &str = "call: transfer";
    Check(OPERATION).transfer(body)?;
    Ok(action(OPERATION, id, "transfer", StatusCode::ACCEPTED).with_body(body))
}

/// Keeps a call from being ended after 45 minutes: `200`; advised every 15 minutes. Repeatable.
pub fn keep_alive(id: &CallId) -> GraphRequest<()> {
    action("call: keepAlive", id, "keepAlive", StatusCode::OK).repeatable()
}

/// Reports what a video conferencing gateway measured (Cloud Video Interop partners): `200`.
/// Not repeatable.
pub fn log_teleconference_device_quality(
    quality: &TeleconferenceDeviceQuality,
) -> Result<GraphRequest<()>, InvalidRequest> {
    const OPERATION: &str = "call: logTeleconferenceDeviceQuality";
    Check(OPERATION).device_quality(quality)?;
    let path = format!("{CALLS}/logTeleconferenceDeviceQuality");
    let body = LogTeleconferenceDeviceQualityRequest {
        quality: Some(quality.clone()),
        ..LogTeleconferenceDeviceQualityRequest::default()
    };
    let request = GraphRequest::new(OPERATION, Method::POST, path, StatusCode::OK);
    Ok(request.with_body(&body))
}

/// An action whose only parameter is the client's mark.
pub(super) fn marked(
    operation: &'static str,
    id: &CallId,
    name: &str,
    expected: StatusCode,
    client_context: Option<&str>,
) -> Result<GraphRequest<CommsOperation>, InvalidRequest> {
    Check(operation).client_context(client_context)?;
    Ok(action(operation, id, name, expected).with_body(&mark(client_context)))
}

/// The body of an action whose only parameter is the client's mark.
pub(super) fn mark(client_context: Option<&str>) -> ClientContextRequest {
    ClientContextRequest {
        client_context: client_context.map(str::to_owned),
        ..ClientContextRequest::default()
    }
}

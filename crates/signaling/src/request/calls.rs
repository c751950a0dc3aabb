//! The operations on calls. Each names its page of the API reference (v1.0) in `operation`.

use http::{Method, StatusCode};

use super::check::{Check, InvalidRequest};
use super::{GraphRequest, Reply};
use crate::types::{
    AnswerRequest, Call, CallId, ClientContextRequest, CommsOperation, PlayPromptRequest,
    RedirectRequest, RejectRequest, TransferRequest,
};

const CALLS: &str = "/communications/calls";

fn call_path(id: &CallId) -> String {
    format!("{CALLS}/{id}")
}

/// `POST /communications/calls/{id}/{action}`
fn action<T: Reply>(
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
    Check(OPERATION).callback(body.callback_uri.as_ref())?;
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

/// Mutes the application on the server, in group calls: `200`. Repeatable.
pub fn mute(
    id: &CallId,
    client_context: Option<&str>,
) -> Result<GraphRequest<CommsOperation>, InvalidRequest> {
    marked("call: mute", id, "mute", client_context)
}

/// Takes the application's mute back: `200`. Repeatable.
pub fn unmute(
    id: &CallId,
    client_context: Option<&str>,
) -> Result<GraphRequest<CommsOperation>, InvalidRequest> {
    marked("call: unmute", id, "unmute", client_context)
}

/// Asks for a notification per key pressed, in calls with service-hosted media: `200`.
/// Repeatable.
pub fn subscribe_to_tone(
    id: &CallId,
    client_context: Option<&str>,
) -> Result<GraphRequest<CommsOperation>, InvalidRequest> {
    marked(
        "call: subscribeToTone",
        id,
        "subscribeToTone",
        client_context,
    )
}

/// Plays prompts, in calls with service-hosted media: `200`, and a notification when they
/// have ended. Not repeatable: it would be heard twice.
pub fn play_prompt(
    id: &CallId,
    body: &PlayPromptRequest,
) -> Result<GraphRequest<CommsOperation>, InvalidRequest> {
    const OPERATION: &str = "call: playPrompt";
    Check(OPERATION).play_prompt(body)?;
    Ok(action(OPERATION, id, "playPrompt", StatusCode::OK).with_body(body))
}

/// An action whose only parameter is the client's mark, and that leaves the same state if
/// it is asked for twice.
fn marked(
    operation: &'static str,
    id: &CallId,
    name: &str,
    client_context: Option<&str>,
) -> Result<GraphRequest<CommsOperation>, InvalidRequest> {
    Check(operation).client_context(client_context)?;
    let body = ClientContextRequest {
        client_context: client_context.map(str::to_owned),
        ..ClientContextRequest::default()
    };
    Ok(action(operation, id, name, StatusCode::OK)
        .with_body(&body)
        .repeatable())
}

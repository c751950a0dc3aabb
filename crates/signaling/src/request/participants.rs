//! The operations on the participants of a call.

use http::{Method, StatusCode};

use super::calls::{call_path, mark};
use super::check::{Check, InvalidRequest};
use super::{GraphRequest, Reply};
use crate::types::{
    CallId, CommsOperation, InviteRequest, MuteAllRequest, Page, Participant, ParticipantId,
    StartHoldMusicRequest,
};

type Operation = Result<GraphRequest<CommsOperation>, InvalidRequest>;

fn one(call: &CallId, id: &ParticipantId) -> String {
    format!("{}/participants/{id}", call_path(call))
}

fn post<T: Reply>(operation: &'static str, path: String, expected: StatusCode) -> GraphRequest<T> {
    GraphRequest::new(operation, Method::POST, path, expected)
}

/// Lists the participants: `200`, in pages. Repeatable.
pub fn list(call: &CallId) -> GraphRequest<Page<Participant>> {
    let path = format!("{}/participants", call_path(call));
    GraphRequest::new("list participants", Method::GET, path, StatusCode::OK).repeatable()
}

/// Reads one participant: `200`. Repeatable.
pub fn get(call: &CallId, id: &ParticipantId) -> GraphRequest<Participant> {
    let path = one(call, id);
    GraphRequest::new("get participant", Method::GET, path, StatusCode::OK).repeatable()
}

/// Invites one to five into a group call, users or phones; `replaces_call_id` brings the other
/// side of a peer-to-peer call along: `200`. Not repeatable.
pub fn invite(call: &CallId, body: &InviteRequest) -> Operation {
    const OPERATION: &str = "participant: invite";
    Check(OPERATION).invite(body)?;
    let path = format!("{}/participants/invite", call_path(call));
    Ok(post(OPERATION, path, StatusCode::OK).with_body(body))
}

/// Mutes a participant of a group call on the server: `200`. Repeatable.
pub fn mute(call: &CallId, id: &ParticipantId, client_context: Option<&str>) -> Operation {
    const OPERATION: &str = "participant: mute";
    Check(OPERATION).client_context(client_context)?;
    let path = format!("{}/mute", one(call, id));
    let request = post(OPERATION, path, StatusCode::OK);
    Ok(request.with_body(&mark(client_context)).repeatable())
}

/// Mutes participants of a group call: `200`. Documented for the beta version alone. Repeatable.
pub fn mute_all(call: &CallId, body: &MuteAllRequest) -> Operation {
    const OPERATION: &str = "participant: muteAll";
    Check(OPERATION).mute_all(body)?;
    let path = format!("{}/participants/muteAll", call_path(call));
    Ok(post(OPERATION, path, StatusCode::OK)
        .with_body(body)
        .repeatable())
}

/// Removes a participant, or takes an invitation back: `204`. Repeatable.
pub fn delete(call: &CallId, id: &ParticipantId) -> GraphRequest<()> {
    let (operation, path) = ("delete participant", one(call, id));
    GraphRequest::new(operation, Method::DELETE, path, StatusCode::NO_CONTENT).repeatable()
}

/// Puts a participant on hold, one at a time: `202`. Not repeatable.
pub fn start_hold_music(
    call: &CallId,
    id: &ParticipantId,
    body: &StartHoldMusicRequest,
) -> Operation {
    const OPERATION: &str = "participant: startHoldMusic";
    Check(OPERATION).start_hold_music(body)?;
    let path = format!("{}/startHoldMusic", one(call, id));
    Ok(post(OPERATION, path, StatusCode::ACCEPTED).with_body(body))
}

/// Brings a participant back from hold: `202`. Not repeatable.
pub fn stop_hold_music(
    call: &CallId,
    id: &ParticipantId,
    client_context: Option<&str>,
) -> Operation {
    const OPERATION: &str = "participant: stopHoldMusic";
    Check(OPERATION).client_context(client_context)?;
    let path = format!("{}/stopHoldMusic", one(call, id));
    let request = post(OPERATION, path, StatusCode::ACCEPTED);
    Ok(request.with_body(&mark(client_context)))
}

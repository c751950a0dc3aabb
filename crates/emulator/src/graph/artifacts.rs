//! What is left of meetings: recordings, transcripts and their questions and answers. There
//! are none here, so that all lists are empty.

use std::sync::Arc;

use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::admitted::Admitted;
use super::meetings::{bare, decoded, list, query};
use super::refuse::{no_method, no_segment, refuse};
use crate::cloud::Fault;
use crate::shell::Hub;

const RECORDINGS: &str = "getAllRecordings";
const TRANSCRIPTS: &str = "getAllTranscripts";
const MESSAGES: &str = "getAllOnlineMeetingMessages";

pub(super) fn router() -> Router<Arc<Hub>> {
    let mut router = Router::new();
    for name in [MESSAGES, "microsoft.graph.getAllOnlineMeetingMessages"] {
        for parameters in ["", "()"] {
            let path = format!("/v1.0/communications/{name}{parameters}");
            router = router.route(&path, any(messages));
        }
    }
    router
}

/// The operation by its name, for faults, the judge and permissions.
pub(super) fn operation(path: &str) -> Option<&'static str> {
    let below = path.strip_prefix("/v1.0/")?;
    let segments: Vec<&str> = below.split('/').collect();
    match segments.as_slice() {
        ["communications", name] => (bare(name) == MESSAGES).then_some(MESSAGES),
        ["me" | "communications", "onlineMeetings", name, ..]
        | ["users", _, "onlineMeetings", name, ..] => named(&decoded(name)?),
        _ => None,
    }
}

/// The operation that a segment below all meetings names, if it is one of these.
pub(super) fn named(segment: &str) -> Option<&'static str> {
    let known = [RECORDINGS, TRANSCRIPTS];
    known.into_iter().find(|name| *name == bare(segment))
}

async fn messages(admitted: Admitted) -> Response {
    match admitted.method {
        Method::GET => list("communications/getAllOnlineMeetingMessages", &[(); 0]),
        _ => refuse(&no_method(&admitted.method), &admitted.ids),
    }
}

/// All recordings or transcripts of an organizer's meetings; `rest` is what follows the
/// function in the path.
pub(super) fn all(admitted: &Admitted, function: &str, rest: &[&str]) -> Result<Response, Fault> {
    if admitted.method != Method::GET {
        return Err(no_method(&admitted.method));
    }
    let organizer = check(function)?;
    let kind = match named(function) {
        Some(RECORDINGS) => "Collection(callRecording)",
        _ => "Collection(callTranscript)",
    };
    match rest.iter().map(|segment| bare(segment)).collect::<Vec<_>>()[..] {
        [] if organizer || is_filtered(admitted) => Ok(list(kind, &[(); 0])),
        ["delta"] if organizer => Ok(delta(admitted, kind)),
        [] | ["delta"] => Err(Fault::property(ORGANIZER, "it is required")),
        [other, ..] => Err(no_segment(other)),
    }
}

const ORGANIZER: &str = "meetingOrganizerUserId";

/// Reads a function's parameters; whether the organizer is among them.
fn check(function: &str) -> Result<bool, Fault> {
    let parameters = function.split_once('(').map_or("", |(_, rest)| rest);
    let parameters = parameters.strip_suffix(')').unwrap_or(parameters);
    let mut organizer = false;
    for parameter in parameters.split(',').map(str::trim) {
        match parameter.split_once('=') {
            None if parameter.is_empty() => {}
            Some((ORGANIZER, value)) => {
                let id = value
                    .strip_prefix('\'')
                    .and_then(|id| id.strip_suffix('\''));
                if id.is_none_or(str::is_empty) {
                    return Err(Fault::property(ORGANIZER, "an id between ' is needed"));
                }
                organizer = true;
            }
            Some((name @ ("startDateTime" | "endDateTime"), value)) => {
                let rule = "a time such as 2026-06-01T14:30:00Z is needed";
                let time = OffsetDateTime::parse(value, &Rfc3339);
                time.map_err(|_| Fault::property(name, rule))?;
            }
            _ => return Err(no_segment(function)),
        }
    }
    Ok(organizer)
}

/// Whether the organizer is named by a filter.
fn is_filtered(admitted: &Admitted) -> bool {
    let filter = query(&admitted.uri, "$filter").unwrap_or_default();
    let named = filter.trim().to_ascii_lowercase();
    named.starts_with("meetingorganizer/user/id eq '")
}

/// The last page of a round, with where the next one begins.
fn delta(admitted: &Admitted, kind: &str) -> Response {
    let path = admitted.uri.path().trim_start_matches('/');
    let next = admitted.hub.address(&format!("{path}?$deltatoken=none"));
    let context = format!("https://graph.microsoft.com/v1.0/$metadata#{kind}");
    Json(json!({"@odata.context": context, "@odata.deltaLink": next, "value": []})).into_response()
}

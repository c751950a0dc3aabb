//! `…/onlineMeetings…`, of users and below `/communications`.

use std::sync::Arc;

use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;
use url::form_urlencoded;

use super::admitted::Admitted;
use super::refuse::{bad, no_method, refuse};
use super::{appointments, artifacts};
use crate::cloud::{Fault, Filter, Owner};
use crate::shell::Hub;

pub(super) fn router() -> Router<Arc<Hub>> {
    let mut router = Router::new();
    for owner in ["me", "users/{user}", "communications"] {
        for below in ["", "/", "/{*rest}"] {
            let path = format!("/v1.0/{owner}/onlineMeetings{below}");
            router = router.route(&path, any(answer));
        }
    }
    router
}

/// What a request is about.
#[derive(Debug, PartialEq, Eq)]
struct Asked<'a> {
    /// `None` is whoever is signed in.
    owner: Option<Owner>,
    rest: Vec<&'a str>,
}

/// Reads `/v1.0/users/{id}/onlineMeetings/…`; `None` for what is no such path.
fn read(path: &str) -> Option<Asked<'_>> {
    let below = path.strip_prefix("/v1.0/")?;
    let mut segments = below.split('/').filter(|segment| !segment.is_empty());
    let owner = match segments.next()? {
        "me" => None,
        "communications" => Some(Owner::All),
        "users" => Some(Owner::User(decoded(segments.next()?)?)),
        _ => return None,
    };
    (segments.next()? == "onlineMeetings").then(|| Asked {
        owner,
        rest: segments.collect(),
    })
}

/// The operation by its name, for faults, the judge and permissions.
pub(super) fn operation(method: &Method, path: &str) -> Option<&'static str> {
    let asked = read(path)?;
    Some(match (method, asked.rest.as_slice()) {
        (_, ["createOrGet" | "microsoft.graph.createOrGet"]) => "createOrGetMeeting",
        (_, [_, action]) if let Some(name) = appointments::named(action) => name,
        (_, [_, "attendanceReports", ..]) => "attendanceReports",
        (&Method::POST, []) => "createMeeting",
        (&Method::PATCH, _) => "updateMeeting",
        (&Method::DELETE, _) => "deleteMeeting",
        _ => "getMeeting",
    })
}

async fn answer(admitted: Admitted) -> Response {
    act(&admitted).unwrap_or_else(|fault| refuse(&fault, &admitted.ids))
}

fn act(admitted: &Admitted) -> Result<Response, Fault> {
    let (hub, app) = (&admitted.hub, admitted.access.app.as_str());
    let (method, uri) = (&admitted.method, &admitted.uri);
    let body = admitted.body(operation(method, uri.path()).unwrap_or_default());
    let Some(asked) = read(uri.path()) else {
        return Err(bad("Resource not found for the segment 'onlineMeetings'."));
    };
    let owner = match asked.owner {
        Some(owner) => owner,
        None => Owner::User(me(hub, app)?),
    };
    let (owner, segments) = (&owner, &asked.rest);
    let decoded: Option<Vec<String>> = segments.iter().map(|segment| decoded(segment)).collect();
    let decoded = decoded.ok_or_else(|| bad("A segment of the path is not UTF-8."))?;
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    match (method, segments.as_slice()) {
        (_, [function, rest @ ..]) if artifacts::named(function).is_some() => {
            artifacts::all(admitted, function, rest)
        }
        (&Method::POST, []) => {
            let request = body.read()?;
            let made = hub.apply(|cloud, now| cloud.create_meeting(app, owner, request, now))?;
            Ok((StatusCode::CREATED, Json(made)).into_response())
        }
        (&Method::POST, ["createOrGet" | "microsoft.graph.createOrGet"]) => {
            let request = body.read()?;
            let (new, meeting) =
                hub.apply(|cloud, now| cloud.create_or_get(app, owner, request, now))?;
            let status = if new {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            Ok((status, Json(meeting)).into_response())
        }
        (&Method::GET, []) => {
            let filter = filter(uri.query().unwrap_or_default())?;
            let found = hub.apply(|cloud, _| cloud.find_meetings(app, owner, &filter))?;
            Ok(list("onlineMeetings", &found))
        }
        (&Method::GET, [id]) => {
            let found = hub.apply(|cloud, _| cloud.get_meeting(app, owner, id))?;
            Ok(Json(found).into_response())
        }
        (&Method::PATCH, [id]) => {
            let changes = body.read()?;
            let whole = hub.apply(|cloud, _| cloud.update_meeting(app, owner, id, changes))?;
            Ok(Json(whole).into_response())
        }
        (&Method::DELETE, [id]) => {
            hub.apply(|cloud, _| cloud.delete_meeting(app, owner, id))?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        (_, [id, "attendanceReports", rest @ ..]) => reports(admitted, owner, id, rest),
        (_, [id, action]) if let Some(name) = appointments::named(action) => {
            let find = || hub.apply(|cloud, _| cloud.get_meeting(app, owner, id));
            appointments::act(method, name, body, find)
        }
        _ => Err(no_method(method)),
    }
}

/// Attendance reports of a meeting; `rest` is what follows them in the path.
fn reports(admitted: &Admitted, owner: &Owner, id: &str, rest: &[&str]) -> Result<Response, Fault> {
    let (hub, app) = (&admitted.hub, admitted.access.app.as_str());
    match (&admitted.method, rest) {
        (&Method::GET, []) => {
            let reports = hub.apply(|cloud, _| cloud.attendance_reports(app, owner, id))?;
            Ok(list("attendanceReports", &reports))
        }
        (&Method::GET, [report]) => {
            let mut found =
                hub.apply(|cloud, _| cloud.attendance_report(app, owner, id, report))?;
            let expanded = query(&admitted.uri, "$expand");
            let expanded = expanded.is_some_and(|what| what == "attendanceRecords");
            found.attendance_records.take_if(|_| !expanded);
            Ok(Json(found).into_response())
        }
        (&Method::GET, [report, "attendanceRecords"]) => {
            let records = hub.apply(|cloud, _| cloud.attendance_records(app, owner, id, report))?;
            Ok(list("attendanceRecords", &records))
        }
        (method, _) => Err(no_method(method)),
    }
}

/// Who `/me` is. An application's token has no user; leniently, the application is one.
pub(super) fn me(hub: &Hub, app: &str) -> Result<String, Fault> {
    if hub.is_lenient() {
        return Ok(app.to_owned());
    }
    let message = "/me request is only valid with delegated authentication flow.";
    Err(bad(message))
}

pub(super) fn list(what: &str, items: &impl Serialize) -> Response {
    let context = format!("https://graph.microsoft.com/v1.0/$metadata#{what}");
    Json(json!({"@odata.context": context, "value": items})).into_response()
}

pub(super) fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut found = pairs.filter(|(key, _)| key == name);
    found.next().map(|(_, value)| value.into_owned())
}

/// `$filter={property} eq '{text}'`, the one form that is documented for meetings.
fn filter(query: &str) -> Result<Filter, Fault> {
    let rule =
        "JoinWebUrl, joinMeetingIdSettings/joinMeetingId or VideoTeleconferenceId eq '…' is needed";
    let wrong = || Fault::property("$filter", rule);
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, text) = pairs
        .find(|(name, _)| name == "$filter")
        .ok_or_else(wrong)?;
    let (property, value) = text.split_once(" eq ").ok_or_else(wrong)?;
    let value = value.trim().strip_prefix('\'');
    let value = value.and_then(|value| value.strip_suffix('\''));
    let value = value.ok_or_else(wrong)?.replace("''", "'");
    match property.trim().to_ascii_lowercase().as_str() {
        "joinweburl" => Ok(Filter::JoinWebUrl(value)),
        "joinmeetingidsettings/joinmeetingid" => Ok(Filter::JoinMeetingId(value)),
        "videoteleconferenceid" => Ok(Filter::VideoTeleconferenceId(value)),
        _ => Err(wrong()),
    }
}

/// The name of an action or function in a segment, without its namespace and parameters.
pub(super) fn bare(segment: &str) -> &str {
    let name = segment.strip_prefix("microsoft.graph.").unwrap_or(segment);
    name.split_once('(').map_or(name, |(name, _)| name)
}

/// A segment of a path without its escapes; what forms give a meaning has none there.
pub(super) fn decoded(segment: &str) -> Option<String> {
    let escaped = segment.replace('+', "%2B").replace('=', "%3D");
    let escaped = escaped.replace('&', "%26");
    let text = form_urlencoded::parse(escaped.as_bytes()).next()?.0;
    (!text.contains('\u{fffd}')).then(|| text.into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_from_method_and_path() {
        let meetings = "/v1.0/users/u/onlineMeetings";
        for (method, below, operation_named) in [
            (Method::POST, "", "createMeeting"),
            (Method::GET, "/", "getMeeting"),
            (Method::POST, "/createOrGet", "createOrGetMeeting"),
            (Method::PATCH, "/1", "updateMeeting"),
            (Method::DELETE, "/1", "deleteMeeting"),
            (Method::GET, "/1/attendanceReports", "attendanceReports"),
        ] {
            let path = format!("{meetings}{below}");
            assert_eq!(operation(&method, &path), Some(operation_named), "{path}");
        }
        assert_eq!(operation(&Method::GET, "/v1.0/users/u/messages"), None);
        assert_eq!(read("/v1.0/me/onlineMeetings").unwrap().owner, None);
        assert_eq!(decoded("MSpk+a&b==%3D").unwrap(), "MSpk+a&b===");
        assert_eq!(
            read("/v1.0/users/a%40b/onlineMeetings/1").unwrap(),
            Asked {
                owner: Some(Owner::User("a@b".into())),
                rest: vec!["1"]
            }
        );
    }

    #[test]
    fn a_filter_is_one_of_three() {
        let url = "$filter=JoinWebUrl%20eq%20'https%3A%2F%2Fa%2Fit%27%27s'";
        assert_eq!(
            filter(url).unwrap(),
            Filter::JoinWebUrl("https://a/it's".into())
        );
        let id = "$filter=joinMeetingIdSettings/joinMeetingId+eq+'12'";
        assert_eq!(filter(id).unwrap(), Filter::JoinMeetingId("12".into()));
        for bad in [
            "",
            "$filter=subject eq 'x'",
            "$filter=JoinWebUrl eq x",
            "$filter=x",
        ] {
            let fault = filter(bad).unwrap_err();
            assert_eq!(fault.target.as_deref(), Some("$filter"), "{bad}");
        }
    }
}

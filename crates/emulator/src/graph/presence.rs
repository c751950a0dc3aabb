//! Presences: `/users/{id}/presence…`, `/communications/presences/{id}…` and
//! `/communications/getPresencesByUserId`.

use std::sync::Arc;

use axum::http::Method;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use switchboard_signaling::types::GetPresencesByUserIdRequest;

use super::admitted::{Admitted, Payload};
use super::meetings::{decoded, list, me};
use super::refuse::{bad, no_method, no_segment, refuse};
use crate::cloud::{Fault, PresenceAction};
use crate::shell::Hub;

pub(super) fn router() -> Router<Arc<Hub>> {
    let mut router = Router::new();
    for path in [
        "me/presence",
        "me/presence/{action}",
        "users/{user}/presence",
        "users/{user}/presence/{action}",
        "communications/presences/{user}",
        "communications/presences/{user}/{action}",
        "communications/getPresencesByUserId",
        "communications/microsoft.graph.getPresencesByUserId",
    ] {
        router = router.route(&format!("/v1.0/{path}"), any(answer));
    }
    router
}

/// What a path is about.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    /// Those of many.
    Many,
    /// A user's, `None` for whoever is signed in; with an action, if it is one.
    One(Option<&'a str>, Option<&'a str>),
}

fn read(path: &str) -> Option<Asked<'_>> {
    let segments: Vec<&str> = path.strip_prefix("/v1.0/")?.split('/').collect();
    Some(match segments.as_slice() {
        [
            "communications",
            "getPresencesByUserId" | "microsoft.graph.getPresencesByUserId",
        ] => Asked::Many,
        ["me", "presence"] => Asked::One(None, None),
        ["me", "presence", action] => Asked::One(None, Some(action)),
        ["users", user, "presence"] | ["communications", "presences", user] => {
            Asked::One(Some(user), None)
        }
        ["users", user, "presence", action] | ["communications", "presences", user, action] => {
            Asked::One(Some(user), Some(action))
        }
        _ => return None,
    })
}

/// The operation by its name, for faults, the judge and permissions.
pub(super) fn operation(path: &str) -> Option<&str> {
    Some(match read(path)? {
        Asked::Many => "getPresencesByUserId",
        Asked::One(_, None) => "getPresence",
        Asked::One(_, Some(action)) => action.strip_prefix("microsoft.graph.").unwrap_or(action),
    })
}

async fn answer(admitted: Admitted) -> Response {
    act(&admitted).unwrap_or_else(|fault| refuse(&fault, &admitted.ids))
}

fn act(admitted: &Admitted) -> Result<Response, Fault> {
    let (hub, app) = (&admitted.hub, admitted.access.app.as_str());
    let (method, uri) = (&admitted.method, &admitted.uri);
    let body = admitted.body(operation(uri.path()).unwrap_or_default());
    let asked = read(uri.path()).ok_or_else(|| bad("No such presence."))?;
    let user = |user: Option<&str>| match user {
        Some(user) => decoded(user).ok_or_else(|| bad("A segment of the path is not UTF-8.")),
        None => me(hub, app),
    };
    match (method, asked) {
        (&Method::POST, Asked::Many) => {
            let request: GetPresencesByUserIdRequest = body.read()?;
            let ids = request.ids.as_deref();
            let found = hub.apply(|cloud, now| cloud.presences_of(ids, now))?;
            Ok(list("communications/presences", &found))
        }
        (&Method::GET, Asked::One(of, None)) => {
            let user = user(of)?;
            let found = hub.apply(|cloud, now| cloud.presence(&user, now));
            Ok(Json(found).into_response())
        }
        (&Method::POST, Asked::One(of, Some(action))) => {
            let user = user(of)?;
            let action = action.strip_prefix("microsoft.graph.").unwrap_or(action);
            let action = parse(action, body)?;
            hub.apply(|cloud, now| cloud.change_presence(app, &user, action, now))?;
            Ok(StatusCode::OK.into_response())
        }
        _ => Err(no_method(method)),
    }
}

fn parse(action: &str, body: Payload<'_>) -> Result<PresenceAction, Fault> {
    Ok(match action {
        "setPresence" => PresenceAction::Set(body.read()?),
        "clearPresence" => PresenceAction::Clear(body.read()?),
        "setUserPreferredPresence" => PresenceAction::SetPreferred(body.read()?),
        "clearUserPreferredPresence" => PresenceAction::ClearPreferred,
        "setStatusMessage" => PresenceAction::SetStatusMessage(Box::new(body.read()?)),
        "setManualLocation" => PresenceAction::SetManualLocation(body.read()?),
        "setAutomaticLocation" => PresenceAction::SetAutomaticLocation(body.read()?),
        "clearLocation" => PresenceAction::ClearLocation,
        "clearAutomaticLocation" => PresenceAction::ClearAutomaticLocation,
        other => return Err(no_segment(other)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_from_the_path() {
        for (path, expected) in [
            ("/v1.0/users/u/presence", Some("getPresence")),
            ("/v1.0/communications/presences/u", Some("getPresence")),
            ("/v1.0/users/u/presence/setPresence", Some("setPresence")),
            (
                "/v1.0/communications/getPresencesByUserId",
                Some("getPresencesByUserId"),
            ),
            ("/v1.0/users/u/messages", None),
        ] {
            assert_eq!(operation(path), expected, "{path}");
        }
    }
}

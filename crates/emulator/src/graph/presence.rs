//! Presences: `/users/{id}/presence…`, `/communications/presences/{id}…` and
//! `/communications/getPresencesByUserId`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Json, Router};
use switchboard_signaling::types::GetPresencesByUserIdRequest;

use super::meetings::{decoded, list, me};
use super::refuse::{Ids, refuse};
use super::routes::{Payload, bad};
use crate::cloud::{Fault, PresenceAction};
use crate::identity::Access;
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

async fn answer(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let name = operation(uri.path()).unwrap_or_default();
    let payload = Payload::new(&hub, name, &headers, body);
    act(&hub, &access.app, &method, &uri, payload).unwrap_or_else(|fault| refuse(&fault, &ids))
}

fn act(
    hub: &Arc<Hub>,
    app: &str,
    method: &Method,
    uri: &Uri,
    body: Payload<'_>,
) -> Result<Response, Fault> {
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
        _ => {
            let message = format!("The method {method} is not supported on this resource.");
            let status = StatusCode::METHOD_NOT_ALLOWED;
            Err(Fault::new(status, "MethodNotAllowed", message))
        }
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
        other => {
            let other: String = other.chars().take(64).collect();
            return Err(bad(format!(
                "Resource not found for the segment '{other}'."
            )));
        }
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

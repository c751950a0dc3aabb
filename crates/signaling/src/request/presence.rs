//! The operations on presence.

use http::{Method, StatusCode};
use serde::Serialize;

use super::GraphRequest;
use super::check::{Check, InvalidRequest};
use crate::types::{
    ClearPresenceRequest, GetPresencesByUserIdRequest, Page, Presence, SetLocationRequest,
    SetPresenceRequest, SetStatusMessageRequest, SetUserPreferredPresenceRequest, UserId,
};

/// Whose presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The signed-in user's (`/me/presence`).
    Me,
    /// A user's (`/users/{id}/presence`).
    User(UserId),
    /// A user's, by the other path (`/communications/presences/{id}`).
    Communications(UserId),
}

impl Whose {
    fn path(&self) -> String {
        match self {
            Self::Me => "/me/presence".to_owned(),
            Self::User(id) => format!("/users/{id}/presence"),
            Self::Communications(id) => format!("/communications/presences/{id}"),
        }
    }
}

type Done = Result<GraphRequest<()>, InvalidRequest>;

/// Reads a presence: `200`. Repeatable.
pub fn get(of: &Whose) -> GraphRequest<Presence> {
    GraphRequest::new("get presence", Method::GET, of.path(), StatusCode::OK).repeatable()
}

/// Reads the presences of up to 650 users: `200`. Repeatable.
pub fn get_by_user_id(ids: &[UserId]) -> Result<GraphRequest<Page<Presence>>, InvalidRequest> {
    const OPERATION: &str = "cloudCommunications: getPresencesByUserId";
    Check(OPERATION).user_ids(ids.len())?;
    let body = GetPresencesByUserIdRequest {
        ids: Some(ids.iter().map(ToString::to_string).collect()),
        ..GetPresencesByUserIdRequest::default()
    };
    let path = "/communications/getPresencesByUserId";
    let request = GraphRequest::new(OPERATION, Method::POST, path, StatusCode::OK);
    Ok(request.with_body(&body).repeatable())
}

/// `POST /users/{id}/presence/{action}`: all leave the same state if asked for twice.
fn action(
    operation: &'static str,
    of: &Whose,
    name: &str,
    body: Option<&impl Serialize>,
) -> GraphRequest<()> {
    let path = format!("{}/{name}", of.path());
    let request = GraphRequest::new(operation, Method::POST, path, StatusCode::OK).repeatable();
    match body {
        Some(body) => request.with_body(body),
        None => request,
    }
}

/// Sets what the application knows of a user, for five minutes to four hours: `200`.
pub fn set(of: &Whose, body: &SetPresenceRequest) -> Done {
    const OPERATION: &str = "presence: setPresence";
    Check(OPERATION).set_presence(body)?;
    Ok(action(OPERATION, of, "setPresence", Some(body)))
}

/// Takes back what the application has set: `200`; `404` if nothing was set.
pub fn clear(of: &Whose, body: &ClearPresenceRequest) -> Done {
    const OPERATION: &str = "presence: clearPresence";
    Check(OPERATION).session_id(body.session_id.as_deref())?;
    Ok(action(OPERATION, of, "clearPresence", Some(body)))
}

/// Sets what a user shall be shown as: `200`.
pub fn set_user_preferred(of: &Whose, body: &SetUserPreferredPresenceRequest) -> Done {
    const OPERATION: &str = "presence: setUserPreferredPresence";
    Check(OPERATION).set_user_preferred_presence(body)?;
    Ok(action(
        OPERATION,
        of,
        "setUserPreferredPresence",
        Some(body),
    ))
}

/// Shows a user as the sessions say: `200`.
pub fn clear_user_preferred(of: &Whose) -> GraphRequest<()> {
    let operation = "presence: clearUserPreferredPresence";
    action(operation, of, "clearUserPreferredPresence", None::<&()>)
}

/// Sets the text beside a user's presence: `200`.
pub fn set_status_message(of: &Whose, body: &SetStatusMessageRequest) -> Done {
    const OPERATION: &str = "presence: setStatusMessage";
    Check(OPERATION).status_message(body)?;
    Ok(action(OPERATION, of, "setStatusMessage", Some(body)))
}

/// Sets where a user works, above what is detected or planned: `200`.
pub fn set_manual_location(of: &Whose, body: &SetLocationRequest) -> Done {
    const OPERATION: &str = "presence: setManualLocation";
    Check(OPERATION).location(body)?;
    Ok(action(OPERATION, of, "setManualLocation", Some(body)))
}

/// Sets where a user was detected to work: `200`.
pub fn set_automatic_location(of: &Whose, body: &SetLocationRequest) -> Done {
    const OPERATION: &str = "presence: setAutomaticLocation";
    Check(OPERATION).location(body)?;
    Ok(action(OPERATION, of, "setAutomaticLocation", Some(body)))
}

/// Forgets where a user works, set or detected: `200`.
pub fn clear_location(of: &Whose) -> GraphRequest<()> {
    action("presence: clearLocation", of, "clearLocation", None::<&()>)
}

/// Forgets where a user was detected to work: `200`.
pub fn clear_automatic_location(of: &Whose) -> GraphRequest<()> {
    let operation = "presence: clearAutomaticLocation";
    action(operation, of, "clearAutomaticLocation", None::<&()>)
}

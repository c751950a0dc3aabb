//! The calls that go on: looked at, and hung up.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use switchboard_reminders::Target;
use utoipa::ToSchema;

use super::Shared;
use super::keys::Role;
use super::paging::Part;
use super::problem::Problem;
use super::request::{Reader, Writer};
use crate::roll;
use crate::switch::LiveCall;

/// Which way a call goes.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum Direction {
    /// To the bot.
    Incoming,
    /// From it.
    Outgoing,
}

/// A call that goes on. What is said and pressed in it is nowhere.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallView {
    /// Graph's id of it.
    id: String,
    /// The instance that has it.
    instance: String,
    /// The application's id.
    application: String,
    direction: Direction,
    /// Since when the bot knows of it.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// Graph's state of it.
    #[schema(example = "established")]
    state: String,
    /// The flow it goes through.
    #[serde(skip_serializing_if = "String::is_empty")]
    flow: String,
    /// How many are in it, the bot included; 0 while Graph has told no roster.
    participants: u32,
    /// The number on the other side; for writers alone, and told by the call's own instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// The user on the other side; as the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
}

impl CallView {
    fn new((instance, call): (String, LiveCall), role: Role) -> Self {
        let peer = call.peer.filter(|_| role >= Role::Writer);
        let (phone, user) = match peer {
            Some(Target::Phone(phone)) => (Some(phone), None),
            Some(Target::User(user)) => (None, Some(user)),
            None => (None, None),
        };
        Self {
            id: call.id,
            instance,
            application: call.application,
            direction: match call.incoming {
                true => Direction::Incoming,
                false => Direction::Outgoing,
            },
            since: call.since,
            state: call.state,
            flow: call.flow,
            participants: call.participants,
            phone,
            user,
        }
    }
}

/// A page of calls, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CallPage {
    /// They.
    calls: Vec<CallView>,
    /// Give it as `after` for the next page; there is none without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The calls that go on, of all instances, oldest first.
#[utoipa::path(
    get, path = "/api/v1/calls", tag = "calls", security(("key" = []), ("token" = [])),
    params(Part),
    responses(
        (status = 200, description = "A page of them", body = CallPage),
        (status = 400, description = "Such a page there can't be", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database or access tokens can't be asked now", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    Reader(caller): Reader,
    State(api): State<Shared>,
    part: Result<Query<Part>, QueryRejection>,
) -> Result<Json<CallPage>, Problem> {
    let Query(part) = part.map_err(|error| Problem::bad_request(error.body_text()))?;
    let mut calls = roll::others(&api.store, &api.instance).await;
    let own = api.switch.calls().into_iter();
    calls.extend(own.map(|call| (api.instance.clone(), call)));
    let place = |(_, call): &(String, LiveCall)| (call.since.as_microsecond(), call.id.clone());
    let (page, next) = part.of(calls, place)?;
    let view = |call| CallView::new(call, caller.role);
    Ok(Json(CallPage {
        calls: page.into_iter().map(view).collect(),
        next,
    }))
}

/// Hang up a call, whichever instance has it.
#[utoipa::path(
    delete, path = "/api/v1/calls/{id}", tag = "calls", security(("key" = []), ("token" = [])),
    params(("id" = String, Path, description = "its id")),
    responses(
        (status = 202, description = "It is being hung up"),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 403, description = "A reader's key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "There is no such call", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database or access tokens can't be asked now", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn hang_up(
    Writer(caller): Writer,
    State(api): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "there is no such call, or no more");
    let Path(id) = id.map_err(|_| missing())?;
    // PostgreSQL's texts hold no NUL, and no id does.
    let possible = !id.chars().any(char::is_control);
    let found = api.switch.hang_up(&id) || (possible && api.store.want_hung_up(&id).await?);
    if !found {
        return Err(missing());
    }
    tracing::info!(call = id, key = caller.name, "a call is hung up by hand");
    Ok(StatusCode::ACCEPTED)
}

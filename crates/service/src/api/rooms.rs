//! Rooms: opened by whoever notices something, looked at, and led.

mod elsewhere;
mod leading;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use switchboard_store::{Idempotency, Noted};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::again::{Requests, idempotency, replayed};
use super::keys::Role;
use super::paging::Part;
use super::problem::Problem;
use super::request::{Access, Guarded, MAX_JSON, Reader, Writer, read, whole};
use crate::clock::Clock;
use crate::roll::rooms::Wanted;
use crate::rooms::{Member, Room, RoomRefusal, RoomState, Rooms};

/// What the API of rooms needs.
pub struct RoomParts {
    /// Who may ask.
    pub access: Arc<Access>,
    /// Who has the rooms.
    pub rooms: Arc<dyn Rooms>,
    /// Where it is noted what requests opened.
    pub requests: Requests,
    /// This instance's name.
    pub instance: String,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Guarded for RoomParts {
    fn access(&self) -> &Access {
        &self.access
    }
}

type Shared = Arc<RoomParts>;

pub(super) fn described() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(open, get, close))
        .routes(routes!(leading::invite))
        .routes(routes!(leading::mute))
        .routes(routes!(leading::hold))
        .routes(routes!(leading::resume))
        .routes(routes!(leading::announce))
}

/// What a room is opened with.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct NewRoom {
    /// Words for the flow's `variables`: all of them, and no others.
    variables: BTreeMap<String, String>,
}

/// Where a room stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum Phase {
    /// Its meeting begins later: `begins`.
    Waiting,
    /// Its call is being placed.
    Opening,
    /// It goes on.
    Open,
    /// It is over.
    Closed,
    /// It didn't come about: `problem`.
    Failed,
    /// `instance` opened it; since that ended or was restarted nobody knows.
    Unknown,
}

/// A room. Of what is said and pressed in it there is nothing.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RoomView {
    /// Its own id.
    id: Uuid,
    /// What the flow calls it.
    room: String,
    /// The instance that has it.
    instance: String,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    state: Phase,
    /// When its meeting begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    begins: Option<Timestamp>,
    /// Why it didn't come about.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Where people join its meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    join_url: Option<String>,
    /// Graph's id of its call.
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<String>,
    /// What the flow says came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    /// How many others are in it.
    count: usize,
    /// They; for writers alone, and told by the room's own instance.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    people: Vec<MemberView>,
}

/// Somebody in a room.
#[derive(Serialize, ToSchema)]
struct MemberView {
    /// The name Graph tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Graph's id of them, or their number.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    /// Whether they are silenced.
    muted: bool,
}

/// A page of rooms, oldest first.
#[derive(Serialize, ToSchema)]
struct RoomPage {
    /// They.
    rooms: Vec<RoomView>,
    /// Give it as `after` for the next page; there is none without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What is noted of a request that opened a room.
#[derive(Serialize, Deserialize)]
struct Opened {
    id: Uuid,
    instance: String,
}

impl RoomView {
    fn new(room: Room, instance: &str, role: Role) -> Self {
        let (state, begins, problem) = match room.state {
            RoomState::Waiting(at) => (Phase::Waiting, Some(at), None),
            RoomState::Opening => (Phase::Opening, None, None),
            RoomState::Open => (Phase::Open, None, None),
            RoomState::Closed => (Phase::Closed, None, None),
            RoomState::Failed(why) => (Phase::Failed, None, Some(why)),
        };
        let count = room.people.len();
        let people = room.people.into_iter().filter(|_| role >= Role::Writer);
        Self {
            state,
            begins,
            problem,
            join_url: room.join_url,
            call: room.call,
            outcome: room.outcome,
            count,
            people: people.map(MemberView::from).collect(),
            ..Self::unknown(room.id, room.name, room.since, instance.to_owned())
        }
    }

    /// One of an instance that ended, or of an earlier life.
    fn unknown(id: Uuid, room: String, since: Timestamp, instance: String) -> Self {
        Self {
            id,
            room,
            instance,
            since,
            state: Phase::Unknown,
            begins: None,
            problem: None,
            join_url: None,
            call: None,
            outcome: None,
            count: 0,
            people: Vec::new(),
        }
    }
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            name: member.name,
            identity: member.identity,
            muted: member.muted,
        }
    }
}

impl From<RoomRefusal> for Problem {
    fn from(refusal: RoomRefusal) -> Self {
        let status = match refusal {
            RoomRefusal::Unknown(_) => StatusCode::NOT_FOUND,
            RoomRefusal::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
            RoomRefusal::NotOpen(_) => StatusCode::CONFLICT,
            RoomRefusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal.to_string())
    }
}

/// The rooms of all instances, with those that were closed lately, oldest first.
#[utoipa::path(
    get, path = "/api/v1/rooms", tag = "rooms", security(("key" = []), ("token" = [])),
    params(Part),
    responses(
        (status = 200, description = "A page of them", body = RoomPage),
        (status = 400, description = "Such a page there can't be", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database or access tokens can't be asked now", body = Problem,
            content_type = "application/problem+json"),
    )
)]
async fn list(
    Reader(caller): Reader,
    State(api): State<Shared>,
    part: Result<Query<Part>, QueryRejection>,
) -> Result<Json<RoomPage>, Problem> {
    let Query(part) = part.map_err(|error| Problem::bad_request(error.body_text()))?;
    let others = elsewhere::all(&api).await.into_iter();
    let mut all: Vec<RoomView> = others
        .map(|there| elsewhere::view(there, caller.role))
        .collect();
    let own = api.rooms.list().into_iter();
    all.extend(own.map(|room| RoomView::new(room, &api.instance, caller.role)));
    let place = |room: &RoomView| (room.since.as_microsecond(), room.id.to_string());
    let (rooms, next) = part.of(all, place)?;
    Ok(Json(RoomPage { rooms, next }))
}

/// Open a room of the flow. What becomes of it is told at `Location`.
#[utoipa::path(
    post, path = "/api/v1/rooms/{room}", tag = "rooms", security(("key" = []), ("token" = [])),
    params(
        ("room" = String, Path, description = "what the flow calls it"),
        ("Idempotency-Key" = Option<String>, Header,
            description = "sent again with the same key and body, a request opens nothing new"),
    ),
    request_body = Option<NewRoom>,
    responses(
        (status = 202, description = "Being opened, or opened before by the same request",
            body = RoomView),
        (status = 400, description = "The body is no such JSON", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 403, description = "A reader's key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "The flow has no such room", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "More than 64 KiB", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "Other variables than the flow's, or the key was used for \
            another request", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The bot is stopping, or the key can't be noted now",
            body = Problem, content_type = "application/problem+json"),
    )
)]
async fn open(
    Writer(caller): Writer,
    State(api): State<Shared>,
    room: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Path(room) = room.map_err(|_| missing())?;
    let body = whole(body, MAX_JSON)?;
    let new = match body.is_empty() {
        true => NewRoom::default(),
        false => read(&body)?,
    };
    let request = idempotency(&headers, &caller, &format!("open {room}"), &body)?;
    let id = Uuid::new_v4();
    if let Some(before) = note(&api, request.as_ref(), id).await? {
        return opened_before(&api, room, &before, caller.role).await;
    }
    if let Err(refusal) = api.rooms.open(id, &room, new.variables) {
        if let Some(request) = &request {
            api.requests.forget(request).await?;
        }
        return Err(refusal.into());
    }
    tracing::info!(room, %id, key = caller.name, "a room is opened");
    elsewhere::enter(&api, id).await;
    let status = api.rooms.get(id).ok_or_else(missing)?;
    Ok(opened(
        &RoomView::new(status, &api.instance, caller.role),
        false,
    ))
}

/// Notes what a request opens, unless it came before.
async fn note(
    api: &RoomParts,
    request: Option<&Idempotency>,
    id: Uuid,
) -> Result<Option<Noted>, Problem> {
    let Some(request) = request else {
        return Ok(None);
    };
    let made = Opened {
        id,
        instance: api.instance.clone(),
    };
    let made = serde_json::to_string(&made).unwrap_or_default();
    Ok(api.requests.note(request, made, api.clock.now()).await?)
}

async fn opened_before(
    api: &RoomParts,
    room: String,
    before: &Noted,
    role: Role,
) -> Result<Response, Problem> {
    let Opened { id, instance } = read(before.made.as_bytes())?;
    let view = match seen(api, id, role).await {
        Ok(Some(view)) => view,
        _ => RoomView::unknown(id, room, before.at, instance),
    };
    Ok(opened(&view, true))
}

fn opened(view: &RoomView, again: bool) -> Response {
    let location = [(LOCATION, format!("/api/v1/rooms/{}", view.id))];
    let mut response = (StatusCode::ACCEPTED, location, Json(view)).into_response();
    replayed(&mut response, again);
    response
}

/// A room of this instance or another.
async fn seen(api: &RoomParts, id: Uuid, role: Role) -> Result<Option<RoomView>, Problem> {
    if let Some(room) = api.rooms.get(id) {
        return Ok(Some(RoomView::new(room, &api.instance, role)));
    }
    let there = elsewhere::find(api, id).await?;
    Ok(there.map(|there| elsewhere::view(there, role)))
}

/// One room, whichever instance has it.
#[utoipa::path(
    get, path = "/api/v1/rooms/{room}", tag = "rooms", security(("key" = []), ("token" = [])),
    params(("room" = Uuid, Path, description = "its id")),
    responses(
        (status = 200, description = "It", body = RoomView),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "There is no such room", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database or access tokens can't be asked now", body = Problem,
            content_type = "application/problem+json"),
    )
)]
async fn get(
    Reader(caller): Reader,
    State(api): State<Shared>,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<RoomView>, Problem> {
    let view = seen(&api, known(id)?, caller.role).await?;
    Ok(Json(view.ok_or_else(missing)?))
}

/// Close a room, whichever instance has it: its call ends; who is in its meeting may stay there.
#[utoipa::path(
    delete, path = "/api/v1/rooms/{room}", tag = "rooms", security(("key" = []), ("token" = [])),
    params(("room" = Uuid, Path, description = "its id")),
    responses(
        (status = 202, description = "It is being closed"),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 403, description = "A reader's key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "There is no such room", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "It isn't open", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The bot is stopping, or the database or access tokens can't \
            be asked now",
            body = Problem, content_type = "application/problem+json"),
    )
)]
async fn close(
    Writer(caller): Writer,
    State(api): State<Shared>,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let id = known(id)?;
    match api.rooms.get(id) {
        Some(_) => api.rooms.close(id).await?,
        None => elsewhere::ask(&api, id, &Wanted::Close).await.map(drop)?,
    }
    tracing::info!(%id, key = caller.name, "a room is closed by hand");
    Ok(StatusCode::ACCEPTED)
}

fn missing() -> Problem {
    let detail = "there is no such room, or no more";
    Problem::new(StatusCode::NOT_FOUND, detail)
}

fn known(id: Result<Path<Uuid>, PathRejection>) -> Result<Uuid, Problem> {
    id.map(|Path(id)| id).map_err(|_| missing())
}

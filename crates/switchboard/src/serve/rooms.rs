//! Rooms over REST: opened by whoever notices something, looked at, and led.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use switchboard_bot::flow::{Contact, Whom};
use switchboard_bot::{RoomError, RoomState, RoomStatus, RoomWish, Rooms};
use switchboard_service::api::Problem;
use switchboard_service::api::keys::{Caller, KeyConfig, KeyError, Keys, Role};
use uuid::Uuid;

/// Requests that are remembered, so that they can be sent again.
const REMEMBERED: usize = 1_000;
/// The most that is read of a request.
const MAX_BODY: usize = 64 * 1024;

/// The `[rooms]` part of the settings.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomSettings {
    /// Who may open rooms, or look.
    keys: Vec<KeyConfig>,
}

/// What the API needs.
pub(super) struct RoomApi {
    keys: Keys,
    rooms: OnceLock<Rooms>,
    /// What idempotency keys have opened, the oldest first.
    opened: Mutex<Vec<(String, Uuid)>>,
}

type Api = Arc<RoomApi>;

impl RoomApi {
    /// # Errors
    /// A key is configured wrong.
    pub(super) fn new(settings: &RoomSettings) -> Result<Api, KeyError> {
        Ok(Arc::new(Self {
            keys: Keys::new(&settings.keys)?,
            rooms: OnceLock::new(),
            opened: Mutex::default(),
        }))
    }

    /// To be served beside the webhook.
    pub(super) fn routes(self: &Api) -> Router {
        Router::new()
            .route("/api/v1/rooms", get(list))
            .route("/api/v1/rooms/{id}", post(open).get(one).delete(close))
            .route("/api/v1/rooms/{id}/{wish}", post(wish))
            .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
            .with_state(Arc::clone(self))
    }

    /// There is a bot now.
    pub(super) fn serve(&self, rooms: Rooms) {
        // It is empty until now.
        let _ = self.rooms.set(rooms);
    }

    fn rooms(&self) -> Result<&Rooms, Problem> {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let early = || Problem::new(status, "the bot is about to start");
        self.rooms.get().ok_or_else(early)
    }

    fn allowed(&self, headers: &HeaderMap, role: Role) -> Result<Caller, Problem> {
        let header = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let key = header.and_then(|header| {
            let (scheme, key) = header.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
        });
        let Some(caller) = key.and_then(|key| self.keys.caller(key)) else {
            let detail = "an API key is needed: Authorization: Bearer KEY";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
        };
        if caller.role < role {
            let detail = "this key may only look; opening and leading takes a writer's";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        Ok(caller)
    }

    /// Opens a room, once for each idempotency key; whether it was opened before.
    fn open(
        &self,
        again: Option<String>,
        room: &str,
        variables: BTreeMap<String, String>,
    ) -> Result<(Uuid, bool), Problem> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let known = opened.iter().find(|(key, _)| Some(key) == again.as_ref());
        if let Some((_, id)) = known {
            return Ok((*id, true));
        }
        let id = self.rooms()?.open(room, variables).map_err(problem)?;
        if let Some(key) = again {
            if opened.len() == REMEMBERED {
                opened.remove(0);
            }
            opened.push((key, id));
        }
        Ok((id, false))
    }
}

/// What a room's prompts say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Opening {
    variables: BTreeMap<String, String>,
}

/// A room as it is told of.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RoomView {
    id: Uuid,
    room: String,
    state: &'static str,
    /// When its meeting begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    begins: Option<String>,
    /// Why it didn't come about.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    join_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    /// How many others are in it.
    count: usize,
    /// They; for writers alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    people: Vec<MemberView>,
}

#[derive(Serialize)]
struct MemberView {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    muted: bool,
}

impl RoomView {
    fn new(status: RoomStatus, role: Role) -> Self {
        let (state, begins, problem) = match status.state {
            RoomState::Waiting(at) => ("waiting", Some(at.to_string()), None),
            RoomState::Opening => ("opening", None, None),
            RoomState::Open => ("open", None, None),
            RoomState::Closed => ("closed", None, None),
            RoomState::Failed(why) => ("failed", None, Some(why)),
        };
        let count = status.news.people.len();
        let people = status.news.people.into_iter();
        let people = people.filter(|_| role >= Role::Writer);
        Self {
            id: status.id,
            room: status.room,
            state,
            begins,
            problem,
            join_url: status.join_url,
            call: status.news.id.map(|id| id.to_string()),
            outcome: status.news.outcome,
            count,
            people: people
                .map(|member| MemberView {
                    name: member.name,
                    identity: member.identity,
                    muted: member.muted,
                })
                .collect(),
        }
    }
}

/// `POST /api/v1/rooms/{room}`
async fn open(
    State(api): State<Api>,
    Path(room): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response, Problem> {
    let caller = api.allowed(&headers, Role::Writer)?;
    let opening: Opening = match body.is_empty() {
        true => Opening::default(),
        false => read(&body)?,
    };
    let again = headers.get("idempotency-key").map(|key| {
        let key = String::from_utf8_lossy(key.as_bytes());
        format!("{}:{room}:{key}", caller.name)
    });
    let (id, before) = api.open(again, &room, opening.variables)?;
    if !before {
        tracing::info!(room, %id, key = caller.name, "a room is opened");
    }
    let status = api.rooms()?.get(id).ok_or_else(missing)?;
    let view = Json(RoomView::new(status, caller.role));
    let location = [(LOCATION, format!("/api/v1/rooms/{id}"))];
    Ok((StatusCode::ACCEPTED, location, view).into_response())
}

/// `GET /api/v1/rooms`
async fn list(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = api.allowed(&headers, Role::Reader)?;
    let rooms = api.rooms()?.list().into_iter();
    let rooms: Vec<RoomView> = rooms.map(|one| RoomView::new(one, caller.role)).collect();
    Ok(Json(HashMap::from([("rooms", rooms)])).into_response())
}

/// `GET /api/v1/rooms/{id}`
async fn one(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<RoomView>, Problem> {
    let caller = api.allowed(&headers, Role::Reader)?;
    let status = api.rooms()?.get(known(&id)?).ok_or_else(missing)?;
    Ok(Json(RoomView::new(status, caller.role)))
}

/// `DELETE /api/v1/rooms/{id}`
async fn close(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let caller = api.allowed(&headers, Role::Writer)?;
    api.rooms()?.close(known(&id)?).await.map_err(problem)?;
    tracing::info!(id, key = caller.name, "a room is closed by hand");
    Ok(StatusCode::ACCEPTED)
}

/// Who something is done with, or what is said.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Order {
    who: Vec<String>,
    prompt: Option<String>,
}

/// `POST /api/v1/rooms/{id}/{invite,mute,hold,resume,announce}`
async fn wish(
    State(api): State<Api>,
    Path((id, wish)): Path<(String, String)>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<StatusCode, Problem> {
    api.allowed(&headers, Role::Writer)?;
    let (rooms, id) = (api.rooms()?, known(&id)?);
    let wish = wish_of(rooms, &wish, read(&body)?)?;
    rooms.wish(id, wish).await.map_err(problem)?;
    Ok(StatusCode::ACCEPTED)
}

fn wish_of(rooms: &Rooms, wish: &str, order: Order) -> Result<RoomWish, Problem> {
    let contact = |name: &String| {
        let unknown = || wrong(format!("there is no contact \"{name}\" in the flow"));
        rooms.contact(name).ok_or_else(unknown)
    };
    let who = || -> Result<Vec<Contact>, Problem> { order.who.iter().map(contact).collect() };
    let single = || match &order.who[..] {
        [name] => contact(name),
        _ => Err(wrong("who must be a list of one".to_owned())),
    };
    Ok(match wish {
        "invite" if (1..=5).contains(&order.who.len()) => RoomWish::Invite(who()?),
        "invite" => return Err(wrong("who must be one to five contacts".to_owned())),
        "mute" if order.who.is_empty() => RoomWish::Mute(Whom::All),
        "mute" => RoomWish::Mute(Whom::One(single()?)),
        "hold" => RoomWish::Hold(single()?),
        "resume" => RoomWish::Resume(single()?),
        "announce" => {
            let unnamed = || wrong("prompt must name a prompt of the flow".to_owned());
            RoomWish::Announce(order.prompt.ok_or_else(unnamed)?)
        }
        _ => return Err(missing()),
    })
}

fn read<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, Problem> {
    let read = serde_json::from_slice(body);
    read.map_err(|error| {
        let detail = format!("the body can't be read: {error}");
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })
}

fn known(id: &str) -> Result<Uuid, Problem> {
    id.parse().map_err(|_| missing())
}

fn missing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such room, or no more")
}

fn wrong(detail: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn problem(error: RoomError) -> Problem {
    let status = match &error {
        RoomError::Unknown(_) => StatusCode::NOT_FOUND,
        RoomError::Variables(_) => StatusCode::UNPROCESSABLE_ENTITY,
        RoomError::NotOpen => StatusCode::CONFLICT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    Problem::new(status, error.to_string())
}

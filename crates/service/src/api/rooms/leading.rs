//! What can be done in a room that is open.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

use super::{Problem, Shared, elsewhere, known};
use crate::api::request::{MAX_JSON, Writer, read, whole};
use crate::roll::rooms::Wanted;
use crate::rooms::RoomWish;

/// Contacts of the flow, by name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct People {
    /// They.
    who: Vec<String>,
}

/// What is said to all.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Announcement {
    /// A prompt of the flow, by name.
    prompt: String,
}

/// What is answered to all of these.
pub(super) struct Led;

impl IntoResponses for Led {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let problem = |description| {
            let schema = Ref::from_schema_name("Problem");
            let content = ContentBuilder::new().schema(Some(schema)).build();
            ResponseBuilder::new()
                .description(description)
                .content("application/problem+json", content)
                .build()
        };
        let taken = ResponseBuilder::new()
            .description("It is being done")
            .build();
        let problems = [
            ("400", "The body is no such JSON"),
            ("401", "No key or token"),
            ("403", "A reader's key or token"),
            ("404", "There is no such room"),
            ("409", "It isn't open"),
            ("413", "More than 64 KiB"),
            (
                "422",
                "The flow has no such contact or prompt, or there are too many or too few",
            ),
            (
                "503",
                "The bot is stopping, or the database or access tokens can't be asked now",
            ),
        ];
        let problems = problems.map(|(status, what)| (status.to_owned(), problem(what).into()));
        let mut responses = BTreeMap::from(problems);
        responses.insert("202".to_owned(), taken.into());
        responses
    }
}

type RoomId = Result<Path<Uuid>, PathRejection>;
type Body = Result<Bytes, BytesRejection>;

async fn lead<T: DeserializeOwned>(
    api: &Shared,
    room: RoomId,
    body: Body,
    wish: impl FnOnce(T) -> Result<RoomWish, Problem>,
) -> Result<StatusCode, Problem> {
    let id = known(room)?;
    let wish = wish(read(&whole(body, MAX_JSON)?)?)?;
    if api.rooms.get(id).is_none() {
        return elsewhere::ask(api, id, &Wanted::Wish(wish)).await;
    }
    api.rooms.wish(id, wish).await?;
    Ok(StatusCode::ACCEPTED)
}

fn wrong(detail: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
}

/// The one who is named.
fn single(people: People) -> Result<String, Problem> {
    let mut who = people.who.into_iter();
    match (who.next(), who.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(wrong("who must be a list of one")),
    }
}

/// Invite one to five contacts into a room.
#[utoipa::path(
    post, path = "/api/v1/rooms/{room}/invite", tag = "rooms",
    security(("key" = []), ("token" = [])),
    params(("room" = Uuid, Path, description = "its id")),
    request_body = People, responses(Led),
)]
pub(super) async fn invite(
    _: Writer,
    State(api): State<Shared>,
    room: RoomId,
    body: Body,
) -> Result<StatusCode, Problem> {
    let wish = |People { who }| match who.len() {
        1..=5 => Ok(RoomWish::Invite(who)),
        _ => Err(wrong("who must be one to five contacts")),
    };
    lead(&api, room, body, wish).await
}

/// Silence one of a room, or with an empty list everybody.
#[utoipa::path(
    post, path = "/api/v1/rooms/{room}/mute", tag = "rooms",
    security(("key" = []), ("token" = [])),
    params(("room" = Uuid, Path, description = "its id")),
    request_body = People, responses(Led),
)]
pub(super) async fn mute(
    _: Writer,
    State(api): State<Shared>,
    room: RoomId,
    body: Body,
) -> Result<StatusCode, Problem> {
    let wish = |people: People| match people.who.is_empty() {
        true => Ok(RoomWish::Mute(None)),
        false => Ok(RoomWish::Mute(Some(single(people)?))),
    };
    lead(&api, room, body, wish).await
}

/// Put one of a room on hold, with Graph's music.
#[utoipa::path(
    post, path = "/api/v1/rooms/{room}/hold", tag = "rooms",
    security(("key" = []), ("token" = [])),
    params(("room" = Uuid, Path, description = "its id")),
    request_body = People, responses(Led),
)]
pub(super) async fn hold(
    _: Writer,
    State(api): State<Shared>,
    room: RoomId,
    body: Body,
) -> Result<StatusCode, Problem> {
    let wish = |people| Ok(RoomWish::Hold(single(people)?));
    lead(&api, room, body, wish).await
}

/// Take one of a room back from hold.
#[utoipa::path(
    post, path = "/api/v1/rooms/{room}/resume", tag = "rooms",
    security(("key" = []), ("token" = [])),
    params(("room" = Uuid, Path, description = "its id")),
    request_body = People, responses(Led),
)]
pub(super) async fn resume(
    _: Writer,
    State(api): State<Shared>,
    room: RoomId,
    body: Body,
) -> Result<StatusCode, Problem> {
    let wish = |people| Ok(RoomWish::Resume(single(people)?));
    lead(&api, room, body, wish).await
}

/// Say a prompt of the flow to all of a room.
#[utoipa::path(
    post, path = "/api/v1/rooms/{room}/announce", tag = "rooms",
    security(("key" = []), ("token" = [])),
    params(("room" = Uuid, Path, description = "its id")),
    request_body = Announcement, responses(Led),
)]
pub(super) async fn announce(
    _: Writer,
    State(api): State<Shared>,
    room: RoomId,
    body: Body,
) -> Result<StatusCode, Problem> {
    let wish = |Announcement { prompt }| Ok(RoomWish::Announce(prompt));
    lead(&api, room, body, wish).await
}

//! Rooms of other instances, which are asked through the database.

use http::StatusCode;
use uuid::Uuid;

use super::{Problem, RoomParts, RoomView, missing};
use crate::api::keys::Role;
use crate::roll::rooms::{self, Elsewhere, Wanted};
use crate::rooms::{RoomRefusal, RoomState};

/// What is told of one. Who is in it its own instance tells alone.
pub(super) fn view(there: Elsewhere, role: Role) -> RoomView {
    RoomView {
        count: there.count,
        ..RoomView::new(there.room, &there.instance, role)
    }
}

/// One of another instance.
pub(super) async fn find(api: &RoomParts, id: Uuid) -> Result<Option<Elsewhere>, Problem> {
    match api.requests.store() {
        Some(store) => Ok(rooms::find(store, &api.instance, id).await?),
        None => Ok(None),
    }
}

/// Those of all other instances.
pub(super) async fn all(api: &RoomParts) -> Vec<Elsewhere> {
    match api.requests.store() {
        Some(store) => rooms::all(store, &api.instance).await,
        None => Vec::new(),
    }
}

/// Lets the others know of a room that was opened.
pub(super) async fn enter(api: &RoomParts, id: Uuid) {
    if let (Some(store), Some(room)) = (api.requests.store(), api.rooms.get(id)) {
        rooms::enter(store, &api.instance, room).await;
    }
}

/// Has something done in one of another instance. What can be refused is refused here: its own
/// instance answers nobody.
pub(super) async fn ask(api: &RoomParts, id: Uuid, wanted: &Wanted) -> Result<StatusCode, Problem> {
    let there = find(api, id).await?.ok_or_else(missing)?;
    if let Wanted::Wish(wish) = wanted {
        api.rooms.check(wish)?;
    }
    if !matches!(there.room.state, RoomState::Opening | RoomState::Open) {
        return Err(RoomRefusal::NotOpen("the room isn't open".to_owned()).into());
    }
    let store = api.requests.store().ok_or_else(missing)?;
    match rooms::want(store, id, wanted).await? {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(missing()),
    }
}

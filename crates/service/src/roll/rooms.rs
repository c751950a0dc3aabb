//! Rooms that other instances have: looked at, and led, through the database.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use switchboard_store::{KeptRoom, Store, StoreError};
use uuid::Uuid;

use crate::rooms::{Room, RoomRefusal, RoomState, RoomWish, Rooms};

/// How long a room's own task may take to hear what is to be done.
const HEARING: Duration = Duration::from_secs(1);

/// What the others are told of a room: not who is in it.
#[derive(Serialize, Deserialize)]
struct About {
    name: String,
    since: Timestamp,
    state: RoomState,
    join_url: Option<String>,
    call: Option<String>,
    outcome: Option<String>,
    count: usize,
}

/// What is to be done in a room that another instance has.
#[derive(Serialize, Deserialize)]
pub(crate) enum Wanted {
    /// It is to be closed.
    Close,
    /// Something else.
    Wish(RoomWish),
}

/// A room of another instance, as far as that is told.
pub(crate) struct Elsewhere {
    /// Who has it.
    pub(crate) instance: String,
    /// It, without who is in it.
    pub(crate) room: Room,
    /// How many they are.
    pub(crate) count: usize,
}

impl Elsewhere {
    /// Nothing, if another version says it in other words.
    fn read(kept: KeptRoom) -> Option<Self> {
        let about: About = serde_json::from_str(&kept.about).ok()?;
        let room = Room {
            id: kept.id.parse().ok()?,
            name: about.name,
            since: about.since,
            state: about.state,
            join_url: about.join_url,
            call: about.call,
            outcome: about.outcome,
            people: Vec::new(),
        };
        Some(Self {
            instance: kept.instance,
            room,
            count: about.count,
        })
    }
}

fn told(room: Room) -> (String, String) {
    let about = About {
        name: room.name,
        since: room.since,
        state: room.state,
        join_url: room.join_url,
        call: room.call,
        outcome: room.outcome,
        count: room.people.len(),
    };
    let text = serde_json::to_string(&about).unwrap_or_default();
    (room.id.to_string(), text)
}

/// Says at once that this instance has a room; without a database only itself knows.
pub(crate) async fn enter(store: &Store, own: &str, room: Room) {
    let (id, about) = told(room);
    let instance = own.to_owned();
    let room = KeptRoom {
        id,
        instance,
        about,
    };
    if let Err(error) = store.enter_room(&room).await {
        tracing::warn!(%error, "the other instances don't know of a room yet");
    }
}

/// Says which rooms this instance has, and does what is to be done in them.
pub(super) async fn keep(store: &Store, own: &str, rooms: &dyn Rooms) -> Result<(), StoreError> {
    let now = || -> BTreeMap<_, _> { rooms.list().into_iter().map(told).collect() };
    for (id, wish) in store.keep_rooms(own, now).await? {
        let done = tokio::time::timeout(HEARING, carry_out(rooms, &id, &wish)).await;
        let late = || Err(RoomRefusal::Unavailable("the room is busy".to_owned()));
        if let Err(error) = done.unwrap_or_else(|_| late()) {
            tracing::warn!(room.id = id, %error, "what another instance was asked for is not done");
        }
    }
    Ok(())
}

async fn carry_out(rooms: &dyn Rooms, id: &str, wish: &str) -> Result<(), RoomRefusal> {
    let unreadable = || RoomRefusal::Wrong("another version asks for it".to_owned());
    let id: Uuid = id.parse().map_err(|_| unreadable())?;
    match serde_json::from_str(wish).map_err(|_| unreadable())? {
        Wanted::Close => rooms.close(id).await,
        Wanted::Wish(wish) => rooms.wish(id, wish).await,
    }
}

/// The rooms of other instances. There are none while the database is away.
pub(crate) async fn all(store: &Store, own: &str) -> Vec<Elsewhere> {
    let kept = store.kept_rooms().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "rooms of other instances are not known now");
        Vec::new()
    });
    let others = kept.into_iter().filter(|room| room.instance != own);
    others.filter_map(Elsewhere::read).collect()
}

/// One of them.
pub(crate) async fn find(
    store: &Store,
    own: &str,
    id: Uuid,
) -> Result<Option<Elsewhere>, StoreError> {
    let kept = store.kept_room(&id.to_string()).await?;
    let other = kept.filter(|room| room.instance != own);
    Ok(other.and_then(Elsewhere::read))
}

/// Has something done there; `false` if nobody has the room any more.
pub(crate) async fn want(store: &Store, id: Uuid, wanted: &Wanted) -> Result<bool, StoreError> {
    let wish = serde_json::to_string(wanted).unwrap_or_default();
    store.want_in_room(&id.to_string(), &wish).await
}

//! Rooms: calls of the bot's own with several people, as the API sees them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A room that was opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Room {
    /// Its own id.
    pub id: Uuid,
    /// What the flow calls it.
    pub name: String,
    /// When it was opened.
    pub since: Timestamp,
    /// Where it stands.
    pub state: RoomState,
    /// Where people join its meeting.
    pub join_url: Option<String>,
    /// Its call's id.
    pub call: Option<String>,
    /// What the flow says came of it.
    pub outcome: Option<String>,
    /// Who else is in it.
    pub people: Vec<Member>,
}

/// Where a room stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomState {
    /// Its meeting begins then.
    Waiting(Timestamp),
    /// Its call is being placed.
    Opening,
    /// It goes on.
    Open,
    /// It is over.
    Closed,
    /// It didn't come about: why.
    Failed(String),
}

/// Somebody in a room.
#[derive(Clone, PartialEq, Eq)]
pub struct Member {
    /// The name Graph tells.
    pub name: Option<String>,
    /// Graph's id of them, or their number.
    pub identity: Option<String>,
    /// Whether they are silenced.
    pub muted: bool,
}

/// What is to be done in a room. People are contacts of the flow, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomWish {
    /// To bring them in.
    Invite(Vec<String>),
    /// To silence everybody, or one.
    Mute(Option<String>),
    /// To put somebody on hold.
    Hold(String),
    /// To take them back.
    Resume(String),
    /// To say a prompt of the flow.
    Announce(String),
}

/// Why a room isn't opened, or something in it not done. Each says what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomRefusal {
    /// There is no such room.
    #[error("{0}")]
    Unknown(String),
    /// What is asked for is wrong.
    #[error("{0}")]
    Wrong(String),
    /// The room isn't open now.
    #[error("{0}")]
    NotOpen(String),
    /// The bot can't now.
    #[error("{0}")]
    Unavailable(String),
}

/// Whoever has rooms.
#[async_trait]
pub trait Rooms: Send + Sync + 'static {
    /// Opens a room of the flow under an id of its own, and returns at once.
    ///
    /// # Errors
    /// [`RoomRefusal`]; then there is none.
    fn open(
        &self,
        id: Uuid,
        room: &str,
        variables: BTreeMap<String, String>,
    ) -> Result<(), RoomRefusal>;

    /// Those of this instance, with some that are over, in no order.
    fn list(&self) -> Vec<Room>;

    /// One of them.
    fn get(&self, id: Uuid) -> Option<Room>;

    /// Whether a wish makes sense by the flow, whoever has the room.
    ///
    /// # Errors
    /// [`RoomRefusal::Wrong`].
    fn check(&self, wish: &RoomWish) -> Result<(), RoomRefusal>;

    /// Has something done in a room.
    ///
    /// # Errors
    /// [`RoomRefusal`]; then it isn't.
    async fn wish(&self, id: Uuid, wish: RoomWish) -> Result<(), RoomRefusal>;

    /// Ends a room's call.
    ///
    /// # Errors
    /// [`RoomRefusal`]; then it goes on.
    async fn close(&self, id: Uuid) -> Result<(), RoomRefusal>;
}

//! The bot's rooms, as the API sees them, and who may use that.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use switchboard_bot::flow::{Contact, Whom};
use switchboard_bot::{RoomError, RoomState, RoomStatus, RoomWish, Rooms};
use switchboard_service::api::keys::{KeyConfig, KeyError, Keys};
use switchboard_service::api::{Access, Requests, RoomParts, rooms_router};
use switchboard_service::{self as service, RoomRefusal, SystemClock};
use uuid::Uuid;

/// The name of an instance that has no database to share.
const ALONE: &str = "alone";

/// The `[rooms]` part of the settings.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomSettings {
    /// Who may open rooms, or look, besides who may use the service's API.
    pub(super) keys: Vec<KeyConfig>,
}

/// The API of a bot without a database.
///
/// # Errors
/// A key is configured wrong.
pub(super) fn router(
    settings: &RoomSettings,
    rooms: Arc<BotRooms>,
) -> Result<axum::Router, KeyError> {
    Ok(rooms_router(RoomParts {
        access: Arc::new(Access {
            keys: Keys::new(&settings.keys)?,
            tokens: None,
        }),
        rooms,
        requests: Requests::default(),
        instance: ALONE.to_owned(),
        clock: Arc::new(SystemClock),
    }))
}

/// Who has the rooms of this instance: the bot, once there is one.
#[derive(Default)]
pub(super) struct BotRooms(OnceLock<Rooms>);

impl BotRooms {
    /// There is a bot now.
    pub(super) fn serve(&self, rooms: Rooms) {
        // It is empty until now.
        let _ = self.0.set(rooms);
    }

    fn rooms(&self) -> Result<&Rooms, RoomRefusal> {
        let early = || RoomRefusal::Unavailable("the bot is about to start".to_owned());
        self.0.get().ok_or_else(early)
    }
}

#[async_trait]
impl service::Rooms for BotRooms {
    fn open(
        &self,
        id: Uuid,
        room: &str,
        variables: BTreeMap<String, String>,
    ) -> Result<(), RoomRefusal> {
        let opened = self.rooms()?.open(id, room, variables);
        opened.map_err(|error| refusal(&error))
    }

    fn list(&self) -> Vec<service::Room> {
        let rooms = self.0.get().map(Rooms::list).unwrap_or_default();
        rooms.into_iter().map(told).collect()
    }

    fn get(&self, id: Uuid) -> Option<service::Room> {
        self.0.get()?.get(id).map(told)
    }

    fn check(&self, wish: &service::RoomWish) -> Result<(), RoomRefusal> {
        understood(self.rooms()?, wish.clone()).map(drop)
    }

    async fn wish(&self, id: Uuid, wish: service::RoomWish) -> Result<(), RoomRefusal> {
        let rooms = self.rooms()?;
        let wish = understood(rooms, wish)?;
        let done = rooms.wish(id, wish).await;
        done.map_err(|error| refusal(&error))
    }

    async fn close(&self, id: Uuid) -> Result<(), RoomRefusal> {
        let closed = self.rooms()?.close(id).await;
        closed.map_err(|error| refusal(&error))
    }
}

/// Names become contacts of the flow.
fn understood(rooms: &Rooms, wish: service::RoomWish) -> Result<RoomWish, RoomRefusal> {
    let contact = |name: &String| -> Result<Contact, RoomRefusal> {
        let unknown = || RoomRefusal::Wrong(format!("there is no contact \"{name}\" in the flow"));
        rooms.contact(name).ok_or_else(unknown)
    };
    Ok(match wish {
        service::RoomWish::Invite(who) => {
            RoomWish::Invite(who.iter().map(contact).collect::<Result<_, _>>()?)
        }
        service::RoomWish::Mute(None) => RoomWish::Mute(Whom::All),
        service::RoomWish::Mute(Some(who)) => RoomWish::Mute(Whom::One(contact(&who)?)),
        service::RoomWish::Hold(who) => RoomWish::Hold(contact(&who)?),
        service::RoomWish::Resume(who) => RoomWish::Resume(contact(&who)?),
        service::RoomWish::Announce(prompt) => {
            let prompts = rooms.prompts();
            if !prompts.contains(&prompt) {
                let known = prompts.join(", ");
                let why = format!("prompt must name one that can be announced: {known}");
                return Err(RoomRefusal::Wrong(why));
            }
            RoomWish::Announce(prompt)
        }
    })
}

fn told(status: RoomStatus) -> service::Room {
    let people = status.news.people.into_iter();
    service::Room {
        id: status.id,
        name: status.room,
        since: status.since,
        state: match status.state {
            RoomState::Waiting(at) => service::RoomState::Waiting(at),
            RoomState::Opening => service::RoomState::Opening,
            RoomState::Open => service::RoomState::Open,
            RoomState::Closed => service::RoomState::Closed,
            RoomState::Failed(why) => service::RoomState::Failed(why),
        },
        join_url: status.join_url,
        call: status.news.id.map(|id| id.to_string()),
        outcome: status.news.outcome,
        people: people
            .map(|member| service::Member {
                name: member.name,
                identity: member.identity,
                muted: member.muted,
            })
            .collect(),
    }
}

fn refusal(error: &RoomError) -> RoomRefusal {
    let told = error.to_string();
    match error {
        RoomError::Unknown(_) => RoomRefusal::Unknown(told),
        RoomError::Variables(_) => RoomRefusal::Wrong(told),
        RoomError::NotOpen => RoomRefusal::NotOpen(told),
        _ => RoomRefusal::Unavailable(told),
    }
}

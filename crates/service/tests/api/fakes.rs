//! Calls and rooms that nobody has.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;
use switchboard_service::{
    DialError, Figure, LiveCall, Room, RoomRefusal, RoomState, RoomWish, Rooms, Switch,
};
use tokio::sync::watch;
use uuid::Uuid;

/// Calls that nobody has.
#[derive(Default)]
pub(crate) struct FakeSwitch {
    pub(crate) calls: Mutex<Vec<LiveCall>>,
    pub(crate) hung_up: Mutex<Vec<String>>,
}

#[async_trait]
impl Switch for FakeSwitch {
    fn calls(&self) -> Vec<LiveCall> {
        self.calls.lock().unwrap().clone()
    }

    fn changes(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    fn hang_up(&self, call: &str) -> bool {
        let known = self.calls().iter().any(|known| known.id == call);
        if known {
            self.hung_up.lock().unwrap().push(call.to_owned());
        }
        known
    }

    async fn end(&self, _: &str) -> Result<(), DialError> {
        Ok(())
    }

    fn is_open(&self) -> bool {
        true
    }

    fn figures(&self) -> Vec<Figure> {
        let requests = [("accepted", 7)];
        vec![Figure::sums(
            "webhook_requests_total",
            "They.",
            "outcome",
            &requests,
        )]
    }
}

/// Rooms called `bridge`, which want a reason; the only contact is Ada.
#[derive(Default)]
pub(crate) struct FakeRooms {
    pub(crate) rooms: Mutex<Vec<Room>>,
    pub(crate) wishes: Mutex<Vec<RoomWish>>,
    pub(crate) closed: Mutex<Vec<Uuid>>,
}

impl FakeRooms {
    pub(crate) fn list_len(&self) -> usize {
        self.list().len()
    }
}

#[async_trait]
impl Rooms for FakeRooms {
    fn open(
        &self,
        id: Uuid,
        room: &str,
        variables: BTreeMap<String, String>,
    ) -> Result<(), RoomRefusal> {
        if room != "bridge" {
            return Err(RoomRefusal::Unknown(format!("there is no room \"{room}\"")));
        }
        if !variables.contains_key("reason") {
            return Err(RoomRefusal::Wrong("the variables are [reason]".to_owned()));
        }
        let mut rooms = self.rooms.lock().unwrap();
        let since = Timestamp::from_second(1_800_000_000 + rooms.len() as i64 / 2).unwrap();
        rooms.push(Room {
            id,
            name: room.to_owned(),
            since,
            state: RoomState::Opening,
            join_url: None,
            call: None,
            outcome: None,
            people: Vec::new(),
        });
        Ok(())
    }

    fn list(&self) -> Vec<Room> {
        self.rooms.lock().unwrap().clone()
    }

    fn get(&self, id: Uuid) -> Option<Room> {
        self.list().into_iter().find(|room| room.id == id)
    }

    fn check(&self, wish: &RoomWish) -> Result<(), RoomRefusal> {
        match *wish == RoomWish::Hold("ben".to_owned()) {
            true => {
                let unknown = "there is no contact \"ben\" in the flow";
                Err(RoomRefusal::Wrong(unknown.to_owned()))
            }
            false => Ok(()),
        }
    }

    async fn wish(&self, _: Uuid, wish: RoomWish) -> Result<(), RoomRefusal> {
        self.check(&wish)?;
        self.wishes.lock().unwrap().push(wish);
        Ok(())
    }

    async fn close(&self, id: Uuid) -> Result<(), RoomRefusal> {
        let mut closed = self.closed.lock().unwrap();
        if closed.contains(&id) {
            return Err(RoomRefusal::NotOpen("the room isn't open".to_owned()));
        }
        closed.push(id);
        Ok(())
    }
}

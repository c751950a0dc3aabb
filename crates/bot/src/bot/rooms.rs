//! Rooms: calls of the bot's own with several people, opened by whoever asks for it, by
//! a caller's flow, or by the clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use switchboard_signaling::error::GraphError;
use switchboard_signaling::request::InvalidRequest;
use switchboard_signaling::request::meetings::{self, Owner};
use switchboard_signaling::types::{
    CreateOrGetRequest, InvalidId, InvalidJoinAddress, JoinAddress, OnlineMeeting,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::dial::{Destination, Dial, DialError, PlacedCall};
use super::{Bot, Shared, Stop};
use crate::call::{CallNews, Guest, Order, RoomWish};
use crate::flow::{Contact, Flow, Meeting, Room, Which};
use crate::script::Script;

/// Rooms that are over and still told of.
const REMEMBERED: usize = 100;
/// How far ahead of its start a meeting may be waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Opens rooms while the bot runs, and looks after them.
#[derive(Clone)]
pub struct Rooms(Weak<Shared>);

/// What is known of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomStatus {
    /// Its own id.
    pub id: Uuid,
    /// What the flow calls it.
    pub room: String,
    /// When it was opened.
    pub since: Timestamp,
    /// Where it stands.
    pub state: RoomState,
    /// Where people join the meeting.
    pub join_url: Option<String>,
    /// The call: its id, who else is in it, what is reported of it.
    pub news: CallNews,
}

/// Where a room stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomState {
    /// Its meeting begins then.
    Waiting(Timestamp),
    /// The call is being placed.
    Opening,
    /// It goes on.
    Open,
    /// It is over.
    Closed,
    /// It didn't come about: why.
    Failed(String),
}

/// Why a room isn't opened, or an order for it not taken.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// The flow has no such room.
    #[error("there is no room \"{0}\" in the flow")]
    Unknown(String),
    /// Its prompts need words that were not given, or others were.
    #[error("the room's variables are {0}")]
    Variables(String),
    /// The bot takes and places no calls any more.
    #[error("the bot is stopping: no rooms are opened")]
    Stopping,
    /// There is no such room any more, or not yet.
    #[error("the room isn't open")]
    NotOpen,
    /// Its meeting can't be had.
    #[error("the meeting can't be had: {0}")]
    Meeting(#[from] GraphError),
    /// What is configured of its meeting is wrong.
    #[error("the meeting is configured wrong: {0}")]
    Invalid(#[from] InvalidRequest),
    /// The same.
    #[error("the meeting is configured wrong: {0}")]
    Id(#[from] InvalidId),
    /// Graph told of no address to join at.
    #[error("the meeting can't be joined: {0}")]
    Address(#[from] InvalidJoinAddress),
    /// There is no meeting like that.
    #[error("there is no such meeting")]
    NoMeeting,
    /// It begins too late to wait for it.
    #[error("the meeting begins in more than a day")]
    TooEarly,
    /// The call couldn't be placed.
    #[error(transparent)]
    Dial(#[from] DialError),
}

/// All rooms, the latest last.
#[derive(Default)]
pub(super) struct Register(Mutex<Vec<Entry>>);

struct Entry {
    status: RoomStatus,
    orders: Option<mpsc::Sender<Order>>,
}

impl Register {
    fn add(&self, id: Uuid, room: &str) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over =
            |entry: &Entry| matches!(entry.status.state, RoomState::Closed | RoomState::Failed(_));
        if entries.len() >= REMEMBERED
            && let Some(oldest) = entries.iter().position(over)
        {
            entries.remove(oldest);
        }
        entries.push(Entry {
            status: RoomStatus {
                id,
                room: room.to_owned(),
                since: Timestamp::now(),
                state: RoomState::Opening,
                join_url: None,
                news: CallNews::default(),
            },
            orders: None,
        });
    }

    fn with<T>(&self, id: Uuid, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.iter_mut().find(|entry| entry.status.id == id);
        entry.map(change)
    }

    fn set(&self, id: Uuid, state: RoomState) {
        self.with(id, |entry| entry.status.state = state);
    }
}

impl Rooms {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    /// Opens a room of the flow under an id of its own, and returns at once: what becomes of it
    /// is in [`get`](Self::get).
    ///
    /// # Errors
    /// [`RoomError`]: the flow has no such room, or needs other variables.
    pub fn open(
        &self,
        id: Uuid,
        room: &str,
        variables: BTreeMap<String, String>,
    ) -> Result<(), RoomError> {
        let shared = self.0.upgrade().ok_or(RoomError::Stopping)?;
        if shared.is_stopping() {
            return Err(RoomError::Stopping);
        }
        let script = shared.script();
        if script.flow.room(room).is_none() {
            return Err(RoomError::Unknown(room.to_owned()));
        }
        if !script
            .flow
            .variables()
            .eq(variables.keys().map(String::as_str))
        {
            let names: Vec<&str> = script.flow.variables().collect();
            return Err(RoomError::Variables(format!("[{}]", names.join(", "))));
        }
        shared.rooms.add(id, room);
        shared.hold_open(
            script,
            room.to_owned(),
            variables,
            Opening { id, guest: None },
        );
        Ok(())
    }

    /// All rooms, with those that were closed lately; the latest last.
    pub fn list(&self) -> Vec<RoomStatus> {
        let Some(shared) = self.0.upgrade() else {
            return Vec::new();
        };
        let entries = shared
            .rooms
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        entries.iter().map(|entry| entry.status.clone()).collect()
    }

    /// One of them.
    pub fn get(&self, id: Uuid) -> Option<RoomStatus> {
        let shared = self.0.upgrade()?;
        shared.rooms.with(id, |entry| entry.status.clone())
    }

    /// Has something done in a room.
    ///
    /// # Errors
    /// [`RoomError::NotOpen`].
    pub async fn wish(&self, id: Uuid, wish: RoomWish) -> Result<(), RoomError> {
        self.send(id, Order::Wish(wish)).await
    }

    /// Ends a room's call; who is in it may stay in the meeting.
    ///
    /// # Errors
    /// [`RoomError::NotOpen`].
    pub async fn close(&self, id: Uuid) -> Result<(), RoomError> {
        self.send(id, Order::HangUp).await
    }

    async fn send(&self, id: Uuid, order: Order) -> Result<(), RoomError> {
        let shared = self.0.upgrade().ok_or(RoomError::Stopping)?;
        let orders = shared.rooms.with(id, |entry| entry.orders.clone());
        let orders = orders.flatten().ok_or(RoomError::NotOpen)?;
        orders.send(order).await.map_err(|_| RoomError::NotOpen)
    }

    /// The prompts that can be announced, by name.
    pub fn prompts(&self) -> Vec<String> {
        let shared = self.0.upgrade();
        let script = shared.map(|shared| shared.script());
        let names = script.map(|script| script.said().map(str::to_owned).collect());
        names.unwrap_or_default()
    }

    /// A contact of the flow.
    pub fn contact(&self, name: &str) -> Option<Contact> {
        let shared = self.0.upgrade()?;
        shared.script().flow.contact(name).cloned()
    }
}

impl Bot {
    /// Opens rooms while the bot runs.
    pub fn rooms(&self) -> Rooms {
        Rooms::new(&self.shared)
    }
}

impl Shared {
    /// Opens a room; `guest` is brought there, or learns that it can't be.
    pub(crate) fn open_room(
        self: &Arc<Self>,
        script: Arc<Script>,
        room: String,
        variables: BTreeMap<String, String>,
        guest: Option<Guest>,
    ) {
        let id = Uuid::new_v4();
        self.rooms.add(id, &room);
        self.hold_open(script, room, variables, Opening { id, guest });
    }

    fn hold_open(
        self: &Arc<Self>,
        script: Arc<Script>,
        room: String,
        variables: BTreeMap<String, String>,
        opening: Opening,
    ) {
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let mut stopping = shared.stopping.clone();
            let held = shared.hold_room(script, &room, variables, opening);
            tokio::select! {
                () = held => {}
                // A call that was placed is ended by its own task.
                _ = stopping.wait_for(|stop| *stop == Stop::Now) => {}
            }
        });
    }

    async fn hold_room(
        self: &Arc<Self>,
        script: Arc<Script>,
        name: &str,
        variables: BTreeMap<String, String>,
        mut opening: Opening,
    ) {
        let id = opening.id;
        match self.begin_room(script, name, variables, &opening).await {
            Ok(placed) => {
                if let Some(guest) = opening.guest.take() {
                    // A call that is over already leaves the guest's answer to the drop.
                    let _ = placed.orders().send(Order::Bring(guest)).await;
                }
                self.follow_room(placed, id).await;
            }
            Err(error) => {
                tracing::warn!(room = name, %error, "a room is not opened");
                self.rooms.set(id, RoomState::Failed(error.to_string()));
            }
        }
    }

    async fn begin_room(
        self: &Arc<Self>,
        script: Arc<Script>,
        name: &str,
        variables: BTreeMap<String, String>,
        opening: &Opening,
    ) -> Result<PlacedCall, RoomError> {
        let id = opening.id;
        let unknown = || RoomError::Unknown(name.to_owned());
        let flow = Arc::clone(&script.flow);
        let room = flow.room(name).ok_or_else(unknown)?;
        let subject = room.subject.as_ref();
        let subject = subject.map(|subject| Flow::filled(subject, &variables));
        let to = self.destination(room, subject.clone(), id).await?;
        let in_meeting = matches!(to, Destination::Meeting(_));
        let placed = self.dial(Dial {
            entry: Some(flow.entry_of(room)),
            variables,
            subject,
            awaited: opening.guest.is_some(),
            ..Dial::new(to, script)
        })?;
        let orders = placed.orders();
        if in_meeting && !room.with.is_empty() {
            // There is room: it is the first.
            let _ = orders.try_send(Order::Wish(RoomWish::Invite(room.with.clone())));
        }
        self.rooms.with(id, |entry| entry.orders = Some(orders));
        Ok(placed)
    }

    /// Where the call goes: into a meeting, once it begins, or to several people.
    async fn destination(
        &self,
        room: &Room,
        subject: Option<String>,
        id: Uuid,
    ) -> Result<Destination, RoomError> {
        let Some(meeting) = &room.meeting else {
            return Ok(Destination::Group(room.with.clone()));
        };
        let found = self.meeting(meeting, subject).await?;
        let url = found.join_web_url.clone().unwrap_or_default();
        let address: JoinAddress = url.parse()?;
        self.rooms
            .with(id, |entry| entry.status.join_url = Some(url));
        let start = found.start_date_time.as_deref();
        if let Some(start) = start.and_then(|start| start.parse::<Timestamp>().ok()) {
            let ahead = start.duration_since(Timestamp::now());
            if let Ok(ahead) = Duration::try_from(ahead) {
                if ahead > LONGEST_WAIT {
                    return Err(RoomError::TooEarly);
                }
                self.rooms.set(id, RoomState::Waiting(start));
                tokio::time::sleep(ahead).await;
                self.rooms.set(id, RoomState::Opening);
            }
        }
        Ok(Destination::Meeting(Box::new(address)))
    }

    async fn meeting(
        &self,
        meeting: &Meeting,
        subject: Option<String>,
    ) -> Result<OnlineMeeting, RoomError> {
        let owner = Owner::User(meeting.organizer.parse()?);
        match &meeting.which {
            Which::New { minutes, template } => {
                let start = Timestamp::now();
                let end = start + jiff::SignedDuration::from_mins((*minutes).into());
                let wanted = OnlineMeeting {
                    subject,
                    start_date_time: Some(start.to_string()),
                    end_date_time: Some(end.to_string()),
                    meeting_template_id: template.clone(),
                    ..OnlineMeeting::default()
                };
                let request = meetings::create(&owner, &wanted)?;
                Ok(self.graph.send(&request).await?)
            }
            Which::External(external) => {
                let wanted = CreateOrGetRequest {
                    external_id: Some(external.clone()),
                    subject,
                    ..CreateOrGetRequest::default()
                };
                let request = meetings::create_or_get(&owner, &wanted)?;
                Ok(self.graph.send(&request).await?)
            }
            Which::Id(id) => {
                let request = meetings::get(&owner, &id.parse()?);
                Ok(self.graph.send(&request).await?)
            }
            Which::JoinUrl(url) => {
                let request = meetings::find_by_join_web_url(&owner, url);
                let found = self.graph.send(&request).await?.value.into_iter().next();
                found.ok_or(RoomError::NoMeeting)
            }
        }
    }

    /// Keeps what is known of a room up to date until its call is over.
    async fn follow_room(&self, mut placed: PlacedCall, id: Uuid) {
        while let Some(news) = placed.news().await {
            self.rooms.with(id, |entry| {
                if news.established {
                    entry.status.state = RoomState::Open;
                }
                entry.status.news = news;
            });
        }
        let report = placed.ended().await;
        let (answered, outcome) = match report {
            Some(report) => (report.answered, report.outcome),
            None => (false, None),
        };
        self.rooms.with(id, |entry| {
            entry.status.state = match answered {
                true => RoomState::Closed,
                false => RoomState::Failed("the call did not come about".to_owned()),
            };
            entry.status.news.outcome = outcome;
            entry.status.news.people.clear();
            entry.orders = None;
        });
    }
}

/// A room on its way. Dropped before it is open, it turns its guest away.
struct Opening {
    id: Uuid,
    guest: Option<Guest>,
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(guest) = self.guest.take() {
            guest.answer(false);
        }
    }
}

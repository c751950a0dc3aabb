//! The calling cloud without IO: phones, calls and applications as state. Requests,
//! phone messages, media reports and the time go in; [`Effect`]s come out of
//! [`Cloud::poll_effect`], to be carried out in their order.

mod conversation;
mod effect;
mod ending;
mod fault;
mod gathering;
mod graph;
mod group;
mod handover;
mod ids;
mod media;
mod meetings;
mod notice;
mod observed;
mod operations;
mod origins;
mod phones;
mod presence;
mod recording;
mod room;
mod sharing;
#[cfg(test)]
mod tests;
mod transfer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use switchboard_signaling::types::{Call, ChangeType};
use time::OffsetDateTime;
use url::{Origin, Url};

use crate::config::client_id;
use crate::phone::{Named, PhoneCallState, PhoneEvent, PhoneInfo, PhoneRole};
use crate::timeline::{CallEvent, TimelineEvent};

pub(crate) use conversation::{ANSWER_LIMIT, KEEP_ALIVE_LIMIT};
use conversation::{Conversation, Phase};
#[cfg(test)]
pub(crate) use effect::Correlation;
pub(crate) use effect::{
    Clip, Effect, Leg, MediaAction, MediaReport, Notice, Operation, Playable, RecordEnd,
    RecordPlan, Reply, RoomAction, RoomReport, RoomTask,
};
pub(crate) use fault::Fault;
pub(crate) use ids::Ids;
use meetings::Meetings;
pub(crate) use meetings::{Filter, Owner};
pub(crate) use notice::legacy;
pub(crate) use presence::PresenceAction;
use room::Room;

/// What people call the bot.
const BOT_NAME: &str = "Bot";

/// The whole state of the emulated cloud.
pub(crate) struct Cloud {
    ids: Ids,
    apps: BTreeMap<String, Registration>,
    /// Their client ids in the order of registration: the first is what people dial as `bot`.
    app_order: Vec<String>,
    phones: BTreeMap<String, PhoneEntry>,
    calls: BTreeMap<String, Conversation>,
    rooms: BTreeMap<String, Room>,
    meetings: Meetings,
    presences: BTreeMap<String, presence::Kept>,
    /// Invitations that are over: the call, the operation, whether anybody came.
    settled: VecDeque<(String, String, bool)>,
    effects: VecDeque<Effect>,
    phones_changed: bool,
    /// Calls that an application may have at once.
    concurrent: usize,
    /// Where every application may be found.
    allowed_origins: Vec<Origin>,
}

/// What the cloud knows of an application.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub(crate) tenant: String,
    pub(crate) webhook: Option<Url>,
}

/// Something that phones can dial.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Target {
    /// As in [`PhoneCommand::Dial`](crate::PhoneCommand::Dial).
    pub(crate) target: String,
    /// For people.
    pub(crate) name: String,
}

struct PhoneEntry {
    name: String,
    role: PhoneRole,
    /// Of its own; else it is of the first application's.
    tenant: Option<String>,
    /// The call it is in or rings for, as it knows it.
    call: Option<String>,
    /// The room that is, if it is one.
    room: Option<String>,
}

impl Cloud {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            ids: Ids::new(seed),
            apps: BTreeMap::new(),
            app_order: Vec::new(),
            phones: BTreeMap::new(),
            calls: BTreeMap::new(),
            rooms: BTreeMap::new(),
            meetings: Meetings::default(),
            presences: BTreeMap::new(),
            settled: VecDeque::new(),
            effects: VecDeque::new(),
            phones_changed: false,
            concurrent: usize::MAX,
            allowed_origins: Vec::new(),
        }
    }

    /// The same with a limit to each application's calls.
    pub(crate) fn limited_to(mut self, concurrent: usize) -> Self {
        self.concurrent = concurrent;
        self
    }

    /// Whether an application has as many calls as it may have.
    fn is_full(&self, app: &str) -> bool {
        let own = |call: &&Conversation| call.bot.as_ref().is_some_and(|bot| bot.app == app);
        self.calls.values().filter(own).count() >= self.concurrent
    }

    /// Adds an application, or changes its webhook; phones learn that a bot is there.
    pub(crate) fn register_app(&mut self, client_id: &str, registration: Registration) {
        let known = self.apps.insert(client_id.to_owned(), registration);
        if known.is_none() {
            self.app_order.push(client_id.to_owned());
        }
        let phones: Vec<_> = self.phones.keys().cloned().collect();
        for phone in phones {
            self.welcome(&phone);
        }
    }

    /// The client id of the first application.
    pub(crate) fn first_app(&self) -> Option<String> {
        self.app_order.first().cloned()
    }

    /// All applications in the order they were registered.
    fn apps(&self) -> impl Iterator<Item = (&String, &Registration)> {
        let order = self.app_order.iter();
        order.filter_map(|id| self.apps.get_key_value(id))
    }

    /// Registers, or changes, an application's webhook in each of its tenants; whether there is
    /// such an application.
    pub(crate) fn set_webhook(&mut self, app: &str, webhook: &Url) -> bool {
        let own = self.apps().filter(|(key, _)| client_id(key) == app);
        let own: Vec<_> = own.map(|(key, own)| (key.clone(), own.clone())).collect();
        for (key, registration) in &own {
            let webhook = Some(webhook.clone());
            let registration = registration.clone();
            self.register_app(
                key,
                Registration {
                    webhook,
                    ..registration
                },
            );
        }
        !own.is_empty()
    }

    /// Client id, tenant and webhook of all applications.
    pub(crate) fn registered(&self) -> Vec<(String, String, Option<Url>)> {
        let listed = |(key, own): (&String, &Registration)| {
            (
                client_id(key).to_owned(),
                own.tenant.clone(),
                own.webhook.clone(),
            )
        };
        self.apps().map(listed).collect()
    }

    /// Whether what a caller hears is sent by the bot itself.
    pub(crate) fn hears_bot(&self, call: &str) -> bool {
        let bot = self.calls.get(call).and_then(|call| call.bot.as_ref());
        let media = bot.and_then(|bot| bot.media.as_ref());
        matches!(media, Some(conversation::BotMedia::Application(_)))
    }

    /// Whether an application is still notified of a call.
    pub(crate) fn is_told_of(&self, call: &str, app: &str) -> bool {
        let bot = self.calls.get(call).and_then(|call| call.bot.as_ref());
        self.apps.contains_key(app) && bot.is_some_and(|bot| bot.app == app)
    }

    /// The names and ids of those who are in a call, or whom it rings for; in a room, of all
    /// phones that are there.
    pub(crate) fn people_in(&self, call: &str) -> BTreeSet<String> {
        let Some(call) = self.calls.get(call) else {
            return BTreeSet::new();
        };
        let room = call.group.as_ref().map(|group| &group.room);
        let room = room.and_then(|room| self.rooms.get(room));
        let there = room.map(Room::phones_inside).unwrap_or_default();
        let phones = call.people().chain(call.rings_at()).chain(&there);
        phones
            .flat_map(|phone| [phone.clone(), self.named(phone).name])
            .collect()
    }

    /// How many phones and calls there are.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.phones.len(), self.calls.len())
    }

    /// What is to be done next.
    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        if self.effects.is_empty() {
            self.tell_bots();
        }
        if self.effects.is_empty() && self.phones_changed {
            self.phones_changed = false;
            self.announce_phones();
        }
        self.effects.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is next due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.calls.values().filter_map(Conversation::deadline);
        calls
            .chain(self.rooms.values().filter_map(Room::deadline))
            .min()
    }

    /// Adds something the bot, or a media session, knows of a call.
    pub(crate) fn publish(&mut self, call: &str, event: TimelineEvent, now: Instant) {
        self.with_call(call, |cloud, call| {
            call.told_by_bot = true;
            cloud.show(call, event, now);
        });
    }

    /// Milliseconds from a call's creation to `at`; 0 before it, `None` when it is over.
    pub(crate) fn call_time(&self, call: &str, at: Instant) -> Option<u64> {
        let call = self.calls.get(call)?;
        Some(at.saturating_duration_since(call.created).as_millis() as u64)
    }

    /// Ends every call, for the emulator's own reasons.
    pub(crate) fn end_all(&mut self, why: &str, now: Instant) {
        let calls: Vec<_> = self.calls.keys().cloned().collect();
        for id in calls {
            self.with_call(&id, |cloud, call| {
                cloud.end(call, &ending::End::by_emulator(why), now);
            });
        }
        let seats = |room: &Room| {
            let id = room.id.clone();
            let numbers = room.seats.iter().map(|seat| seat.number);
            numbers.map(|seat| (id.clone(), seat)).collect::<Vec<_>>()
        };
        let seats: Vec<_> = self.rooms.values().flat_map(seats).collect();
        for (room, seat) in seats {
            self.vacate(&room, seat, why, "Left", now);
        }
    }

    /// Ids come as after a start.
    pub(crate) fn begin_ids(&mut self, seed: u64) {
        self.ids = Ids::new(seed);
    }

    /// Forgets everything but applications and phones.
    pub(crate) fn begin_anew(&mut self, now: Instant, wall: OffsetDateTime) {
        self.calls.clear();
        self.rooms.clear();
        self.meetings = Meetings::since(now, wall);
        self.presences.clear();
        self.settled.clear();
    }

    /// Runs `act` on a call, which is out of the table meanwhile, and forgets the
    /// call if it is over then.
    fn with_call<R>(
        &mut self,
        id: &str,
        act: impl FnOnce(&mut Self, &mut Conversation) -> R,
    ) -> Option<R> {
        let mut call = self.calls.remove(id)?;
        let result = act(self, &mut call);
        if !call.over {
            self.calls.insert(call.id.clone(), call);
        }
        Some(result)
    }

    fn tell(&mut self, phone: &str, event: PhoneEvent) {
        let phone = phone.to_owned();
        self.effects.push_back(Effect::Tell { phone, event });
    }

    fn media(&mut self, call: &Conversation, action: MediaAction) {
        if let Some(group) = &call.group {
            let (room, seat) = (group.room.clone(), group.seat);
            return self.media_in_room(&room, seat, &call.id, action);
        }
        let call = call.id.clone();
        self.effects.push_back(Effect::Media { call, action });
    }

    /// The same in a room, where a bot has no session with a caller.
    fn media_in_room(&mut self, room: &str, seat: u32, call: &str, action: MediaAction) {
        let call = call.to_owned();
        let action = match action {
            MediaAction::Play { operation, what } => {
                let task = RoomTask { call, operation };
                RoomAction::Play { seat, task, what }
            }
            MediaAction::Record {
                operation,
                prompts,
                beep,
                plan,
            } => RoomAction::Record {
                seat,
                task: RoomTask { call, operation },
                prompts,
                beep,
                plan,
            },
            MediaAction::StopPlaying => RoomAction::StopPlaying { seat },
            // Of a transfer: the one it goes to is not in the room.
            MediaAction::Host { .. } | MediaAction::End => {
                return self.effects.push_back(Effect::Media { call, action });
            }
            // Leaving the seat ends its media.
            MediaAction::OfferToBot { .. } | MediaAction::Bridge | MediaAction::LeaveBot => return,
        };
        self.room_media(room, action);
    }

    /// Shows an event to the call's phones and to those who watch.
    fn show(&mut self, call: &Conversation, event: TimelineEvent, now: Instant) {
        self.show_whose(call, false, event, now);
    }

    /// The same, of the far end or not.
    fn show_whose(&mut self, call: &Conversation, far: bool, event: TimelineEvent, now: Instant) {
        let elapsed = now.saturating_duration_since(call.created);
        let event = CallEvent {
            call: call.id.clone(),
            t_ms: elapsed.as_millis() as u64,
            participant: None,
            far,
            event,
        };
        for phone in call.people() {
            let told = PhoneEvent::Timeline {
                call: call.id.clone(),
                event: event.clone(),
            };
            self.tell(phone, told);
        }
        self.effects.push_back(Effect::Show(event));
    }

    /// Notifies the bot of its call, if it is still in it.
    fn notify(&mut self, call: &Conversation, change: ChangeType, data: &Call) {
        if let Some(bot) = &call.bot {
            let message = self.ids.guid();
            let notice = notice::about_call(call, bot, message, change, data);
            self.effects.push_back(Effect::Notify(Box::new(notice)));
        }
    }

    /// Tells a phone of the call where it stands and who is at the far end.
    fn tell_state(
        &mut self,
        call: &Conversation,
        phone: &str,
        state: PhoneCallState,
        with: Option<Named>,
    ) {
        let call = call.id.clone();
        self.tell(phone, PhoneEvent::State { call, state, with });
    }

    pub(crate) fn named(&self, phone: &str) -> Named {
        let name = self
            .phones
            .get(phone)
            .map_or("Someone", |p| p.name.as_str());
        Named::new(name)
    }

    fn announce_phones(&mut self) {
        let phones: Vec<PhoneInfo> = self
            .phones
            .iter()
            .map(|(id, phone)| phone.info(id))
            .collect();
        let ids: Vec<_> = self.phones.keys().cloned().collect();
        for id in ids {
            let phones = phones.clone();
            self.tell(&id, PhoneEvent::Phones { phones });
        }
    }

    /// What time has brought about: calls nobody answered, kept alive, or took.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let due = |call: &&Conversation| call.deadline().is_some_and(|due| due <= now);
        let calls: Vec<_> = self
            .calls
            .values()
            .filter(due)
            .map(|call| call.id.clone())
            .collect();
        for id in calls {
            self.with_call(&id, |cloud, call| cloud.call_timeout(call, now));
        }
        self.room_timeouts(now);
    }

    fn call_timeout(&mut self, call: &mut Conversation, now: Instant) {
        if call.bot.as_ref().is_some_and(|bot| bot.alive_until <= now) {
            return self.end(call, &ending::End::not_kept_alive(), now);
        }
        match call.phase {
            Phase::Incoming { .. } => self.end(call, &ending::End::unanswered(), now),
            Phase::Establishing { .. } => {
                self.end(call, &ending::End::no_media("it took too long"), now);
            }
            Phase::Joining { .. } => self.handover_failed(call, "media took too long", now),
            Phase::Ringing(_) | Phase::Redirecting(_) | Phase::Transferring(_) => {
                self.ring_failed(call, 408, "nobody answered", now);
            }
            Phase::Established | Phase::Joined => {}
        }
    }
}

impl PhoneEntry {
    fn info(&self, id: &str) -> PhoneInfo {
        PhoneInfo {
            id: id.to_owned(),
            name: self.name.clone(),
            role: self.role,
            busy: self.call.is_some(),
        }
    }
}

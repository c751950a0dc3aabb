//! Calls with several people: rooms that are opened, people who are summoned, calls
//! that are brought from one into another.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use switchboard_signaling::call::{Command, CommandId};
use switchboard_signaling::clock;
use switchboard_signaling::request::participants;
use switchboard_signaling::types::{CallId, InviteRequest};
use tokio::sync::mpsc;

use super::Task;
use super::facts::invitation;
use crate::bot::{Dial, PlacedCall};
use crate::flow::{Action, Contact, Entry, Input, Summoning, Summons, Whom};

/// Orders that may wait for a call's task.
const WAITING_ORDERS: usize = 64;

/// What others ask of a call's task.
pub(crate) enum Order {
    /// To bring another call's person in.
    Bring(Guest),
    /// A summoned person's call is over.
    Gone(Person),
    /// Whether this call's person was brought elsewhere.
    Moved(bool),
    /// What whoever holds the call wants.
    Wish(RoomWish),
    /// To end.
    HangUp,
}

/// What can be done with a call from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomWish {
    /// Bring them in.
    Invite(Vec<Contact>),
    /// Silence others on the server.
    Mute(Whom),
    /// Put somebody on hold with Graph's music.
    Hold(Contact),
    /// Take them back.
    Resume(Contact),
    /// Say a prompt of the script.
    Announce(String),
}

/// Somebody who was summoned: in which round of summoning, and as whom.
pub(crate) type Person = (u32, usize);

/// A person in a call of their own with the bot, who is to be brought elsewhere.
pub(crate) struct Guest {
    pub(crate) who: Contact,
    pub(crate) call: CallId,
    /// Who they were summoned as.
    pub(crate) person: Option<Person>,
    /// Told by [`Order::Moved`] what became of it.
    pub(crate) back: mpsc::Sender<Order>,
}

/// Who has placed a call for whom.
pub(crate) struct Host {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) person: Person,
}

/// What a call's task is asked by others.
pub(super) struct Inbox {
    pub(super) address: mpsc::Sender<Order>,
    pub(super) orders: mpsc::Receiver<Order>,
    /// Who came before the call was established.
    guests: Vec<Guest>,
    /// What was wished for before.
    wishes: Vec<RoomWish>,
    /// Who is being brought in.
    bringing: Vec<(CommandId, Guest)>,
    pub(super) calling: Option<Calling>,
    rounds: u32,
}

/// A list that is being called.
pub(super) struct Calling {
    pub(super) summons: Summons,
    round: u32,
    people: Vec<Contact>,
    entry: Entry,
    ring_seconds: u8,
    calls: HashMap<usize, mpsc::Sender<Order>>,
}

/// Where a call came from, and what is known in it from the beginning.
#[derive(Default)]
pub(crate) struct Links {
    /// Who is at the other end, if it is one.
    pub(crate) peer: Option<Contact>,
    pub(crate) host: Option<Host>,
    pub(crate) variables: BTreeMap<String, String>,
}

impl Default for Inbox {
    fn default() -> Self {
        let (address, orders) = mpsc::channel(WAITING_ORDERS);
        Self {
            address,
            orders,
            guests: Vec::new(),
            wishes: Vec::new(),
            bringing: Vec::new(),
            calling: None,
            rounds: 0,
        }
    }
}

impl Inbox {
    /// When somebody else is to be called.
    pub(super) fn due(&self) -> Option<Instant> {
        self.calling.as_ref()?.summons.poll_timeout()
    }
}

impl Task {
    /// Where the call's task takes orders.
    pub(crate) fn address(&self) -> mpsc::Sender<Order> {
        self.inbox.address.clone()
    }

    pub(super) fn ordered(&mut self, now: Instant, order: Order) -> Vec<Action> {
        match order {
            Order::Bring(guest) => self.bring(now, guest),
            Order::Gone(person) => self.summoned(person, |summons, who| summons.gone(now, who)),
            Order::Moved(moved) => self.talk.input(now, Input::Done(moved)),
            Order::Wish(wish) => {
                self.inbox.wishes.push(wish);
                self.grant_wishes()
            }
            Order::HangUp => self.order(Command::HangUp),
        }
    }

    /// Does what was wished for, now or when the call is established.
    pub(super) fn grant_wishes(&mut self) -> Vec<Action> {
        if !self.control.is_established() {
            return Vec::new();
        }
        let wishes = std::mem::take(&mut self.inbox.wishes).into_iter();
        wishes.flat_map(|wish| self.wished(wish)).collect()
    }

    fn wished(&mut self, wish: RoomWish) -> Vec<Action> {
        match wish {
            RoomWish::Invite(who) => _ = self.invite_all(&who),
            RoomWish::Mute(whom) => _ = self.mute(&whom),
            RoomWish::Hold(who) => _ = self.hold(&who, None),
            RoomWish::Resume(who) => _ = self.resume(&who),
            RoomWish::Announce(prompt) => return self.announce(prompt),
        }
        Vec::new()
    }

    /// Says a prompt that the conversation knows nothing of.
    fn announce(&mut self, prompt: String) -> Vec<Action> {
        match self.script.prompt(&prompt).is_some() {
            true => self.act(Action::Play(prompt)),
            false => Vec::new(),
        }
    }

    /// Goes on in a room: the caller is brought there.
    pub(super) fn open(&mut self, room: String) -> Vec<Action> {
        let guest = self.as_guest();
        if guest.is_none() {
            return self.talk.input(clock::now(), Input::Done(false));
        }
        let script = Arc::clone(&self.script);
        let variables = self.links.variables.clone();
        self.shared.open_room(script, room, variables, guest);
        Vec::new()
    }

    /// Joins the call that summoned this one.
    pub(super) fn join(&mut self) -> Vec<Action> {
        let guest = self.as_guest();
        let taken = match (&self.links.host, guest) {
            (Some(host), Some(guest)) => {
                let person = Some(host.person);
                let order = Order::Bring(Guest { person, ..guest });
                host.orders.try_send(order).is_ok()
            }
            _ => false,
        };
        match taken {
            true => Vec::new(),
            false => self.talk.input(clock::now(), Input::Done(false)),
        }
    }

    fn as_guest(&self) -> Option<Guest> {
        Some(Guest {
            who: self.links.peer.clone()?,
            call: self.control.id()?.clone(),
            person: None,
            back: self.address(),
        })
    }

    /// Brings somebody in, now or when the call is established.
    fn bring(&mut self, now: Instant, guest: Guest) -> Vec<Action> {
        if let Some((round, who)) = guest.person {
            let calling = self.inbox.calling.as_mut();
            let calling = calling.filter(|calling| calling.round == round);
            if !calling.is_some_and(|calling| calling.summons.accepted(who)) {
                guest.answer(false);
                return Vec::new();
            }
        }
        self.inbox.guests.push(guest);
        self.bring_guests(now)
    }

    /// Brings in who waits for it.
    pub(super) fn bring_guests(&mut self, now: Instant) -> Vec<Action> {
        if !self.control.is_established() {
            return Vec::new();
        }
        let mut actions = Vec::new();
        for guest in std::mem::take(&mut self.inbox.guests) {
            let invited = invitation(&guest.who).map(|mut invited| {
                invited.replaces_call_id = Some(guest.call.to_string());
                invited
            });
            match invited.and_then(|invited| self.ask_in(vec![invited])) {
                Some(command) => self.inbox.bringing.push((command, guest)),
                None => actions.extend(self.came(now, guest, false)),
            }
        }
        actions
    }

    /// Whether a command was to bring somebody in; what follows from its outcome.
    pub(super) fn brought(
        &mut self,
        now: Instant,
        command: CommandId,
        came: bool,
    ) -> Option<Vec<Action>> {
        let bringing = &mut self.inbox.bringing;
        let place = bringing.iter().position(|(id, _)| *id == command)?;
        let (_, guest) = bringing.remove(place);
        Some(self.came(now, guest, came))
    }

    /// Tells whom it concerns whether somebody was brought in.
    fn came(&mut self, now: Instant, guest: Guest, came: bool) -> Vec<Action> {
        let person = guest.person;
        guest.answer(came);
        match person {
            Some(person) => self.summoned(person, |summons, who| summons.came(now, who, came)),
            None => Vec::new(),
        }
    }

    pub(super) fn ask_in(
        &mut self,
        people: Vec<switchboard_signaling::types::InvitationParticipantInfo>,
    ) -> Option<CommandId> {
        let body = InviteRequest {
            participants: Some(people),
            ..InviteRequest::default()
        };
        let request = participants::invite(self.control.id()?, &body);
        let request = request
            .inspect_err(|error| tracing::warn!(%error, "nobody is invited"))
            .ok()?;
        self.control.order_awaited(Command::Operation(request)).ok()
    }

    /// Calls those of a list.
    pub(super) fn summon(&mut self, list: &str, entry: Entry) -> Vec<Action> {
        let now = clock::now();
        let flow = Arc::clone(&self.script.flow);
        let Some(on_call) = flow.on_call(list) else {
            return self.talk.input(now, Input::Done(false));
        };
        self.inbox.rounds += 1;
        let tiers = on_call.tiers.iter();
        let mut summons = Summons::new(
            tiers
                .clone()
                .map(|tier| (tier.who.len(), tier.within))
                .collect(),
            on_call.need,
            on_call.rounds,
        );
        let todo = summons.begin(now);
        self.dismiss_all();
        self.inbox.calling = Some(Calling {
            summons,
            round: self.inbox.rounds,
            people: tiers.flat_map(|tier| tier.who.clone()).collect(),
            entry,
            ring_seconds: on_call.ring_seconds,
            calls: HashMap::new(),
        });
        self.go_on_summoning(now, todo)
    }

    /// Tells the list what became of somebody.
    fn summoned(
        &mut self,
        (round, who): Person,
        tell: impl FnOnce(&mut Summons, usize) -> Vec<Summoning>,
    ) -> Vec<Action> {
        let calling = self.inbox.calling.as_mut();
        let Some(calling) = calling.filter(|calling| calling.round == round) else {
            return Vec::new();
        };
        let todo = tell(&mut calling.summons, who);
        self.go_on_summoning(clock::now(), todo)
    }

    pub(super) fn summon_further(&mut self, now: Instant) -> Vec<Action> {
        let calling = self.inbox.calling.as_mut();
        let todo = calling.map(|calling| calling.summons.timeout(now));
        self.go_on_summoning(now, todo.unwrap_or_default())
    }

    fn go_on_summoning(&mut self, now: Instant, mut todo: Vec<Summoning>) -> Vec<Action> {
        while !todo.is_empty() {
            for one in std::mem::take(&mut todo) {
                match one {
                    Summoning::Call(who) => {
                        if !self.call_up(who)
                            && let Some(calling) = &mut self.inbox.calling
                        {
                            todo.extend(calling.summons.gone(now, who));
                        }
                    }
                    Summoning::Dismiss(who) => self.dismiss(who),
                    Summoning::Over(enough) => return self.talk.input(now, Input::Done(enough)),
                }
            }
        }
        Vec::new()
    }

    /// Calls somebody; whether that could be tried.
    fn call_up(&mut self, who: usize) -> bool {
        let Some(calling) = &mut self.inbox.calling else {
            return false;
        };
        let orders = self.inbox.address.clone();
        let person = (calling.round, who);
        let dial = Dial {
            entry: Some(calling.entry),
            host: Some(Host {
                orders: orders.clone(),
                person,
            }),
            variables: self.links.variables.clone(),
            ring_seconds: Some(calling.ring_seconds),
            awaited: true,
            ..Dial::new(calling.people[who].clone(), Arc::clone(&self.script))
        };
        match self.shared.dial(dial) {
            Ok(placed) => {
                calling.calls.insert(who, placed.orders());
                tokio::spawn(watch(placed, orders, person));
                true
            }
            Err(error) => {
                tracing::warn!(%error, "somebody on call is not called");
                false
            }
        }
    }

    fn dismiss(&mut self, who: usize) {
        let calling = self.inbox.calling.as_mut();
        if let Some(call) = calling.and_then(|calling| calling.calls.remove(&who)) {
            // A call that is over needs no end.
            let _ = call.try_send(Order::HangUp);
        }
    }

    /// Ends the calls with those who haven't accepted.
    fn dismiss_all(&mut self) {
        if let Some(calling) = self.inbox.calling.take() {
            for call in calling.calls.into_values() {
                let _ = call.try_send(Order::HangUp);
            }
        }
    }

    /// The call is over: nobody can be brought in any more.
    pub(super) fn close_inbox(&mut self) {
        self.dismiss_all();
        self.inbox.orders.close();
        while let Ok(order) = self.inbox.orders.try_recv() {
            if let Order::Bring(guest) = order {
                guest.answer(false);
            }
        }
        let guests = self.inbox.guests.drain(..);
        let bringing = self.inbox.bringing.drain(..).map(|(_, guest)| guest);
        guests.chain(bringing).for_each(|guest| guest.answer(false));
    }
}

impl Guest {
    pub(crate) fn answer(self, moved: bool) {
        // Who is gone has no use for an answer.
        let _ = self.back.try_send(Order::Moved(moved));
    }
}

/// Tells the summoning call when a summoned person's is over.
async fn watch(mut placed: PlacedCall, host: mpsc::Sender<Order>, person: Person) {
    placed.ended().await;
    // The call that summoned them may be over before.
    let _ = host.send(Order::Gone(person)).await;
}

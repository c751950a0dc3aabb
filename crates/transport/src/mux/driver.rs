//! The thread that owns the sockets and every call's [`Link`].
//!
//! It wakes when a datagram comes, when a media worker has left something, when
//! a timer is due or an order arrives; then it rests for [`REST`], so that under
//! load many datagrams are handled per wake-up and system call.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use tokio::sync::{Notify, watch};

use super::demux::{Demux, Kind, Slot, classify, is_check, transaction};
use super::link::{Link, Refused, State};
use super::outbox::{BATCH, Datagram, Outbox, datagrams};
use super::socket::Batches;
use super::wakeup::{Doorbell, Wakeup};
use super::{Counters, Id, Order};
use crate::session::CloseReason;

/// Least time between two rounds. A packet waits half of it on average.
const REST: Duration = Duration::from_millis(1);
/// Batches taken from one socket in a round, so that a flood on it does not
/// keep the others waiting.
const BATCHES_A_ROUND: usize = 8;
/// The longest the thread sleeps.
const IDLE: Duration = Duration::from_secs(1);
/// Token of the wake-up; sockets' tokens are 1 above their place.
pub(super) const WAKE: Token = Token(0);
/// The socket all answered calls share has the first place.
const SHARED: usize = 0;

/// A call, and what tells without touching its memory whether there is something to do.
struct Place {
    due: Instant,
    bell: Arc<Doorbell>,
    /// Whether what another call heard is to be sent.
    bridged: bool,
    entry: Box<Entry>,
}

/// One call and what the driver knows of it.
struct Entry {
    id: Id,
    link: Link,
    /// Place of its socket.
    socket: usize,
    state: watch::Sender<State>,
    events: Arc<Notify>,
}

/// A call on its way to the driver.
pub(crate) struct Opening {
    pub(crate) id: Id,
    /// Our username fragment, which its checks will name.
    pub(crate) fragment: String,
    pub(crate) link: Link,
    /// What its media worker rings.
    pub(crate) bell: Arc<Doorbell>,
    /// Its own socket; `None` for the shared one.
    pub(crate) socket: Option<std::net::UdpSocket>,
    pub(crate) state: watch::Sender<State>,
    pub(crate) events: Arc<Notify>,
}

/// A socket and, if it serves only one, its call.
struct Port {
    socket: UdpSocket,
    only: Option<Slot>,
    readable: bool,
}

pub(super) struct Driver {
    poll: Poll,
    orders: mpsc::Receiver<Order>,
    wakeup: Arc<Wakeup>,
    counters: Arc<Counters>,
    ports: Vec<Option<Port>>,
    entries: Vec<Option<Place>>,
    ids: HashMap<Id, Slot>,
    demux: Demux,
    batches: Batches,
    inbox: Box<[Datagram]>,
    outbox: Outbox,
    /// The socket the outbox is for.
    outbox_port: usize,
    /// Whether calls are bridged, so that what one heard is to be sent by another.
    bridged: bool,
    orphaned: bool,
}

impl Driver {
    pub(super) fn new(
        poll: Poll,
        shared: std::net::UdpSocket,
        orders: mpsc::Receiver<Order>,
        wakeup: Arc<Wakeup>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let mut driver = Self {
            poll,
            orders,
            wakeup,
            counters,
            ports: Vec::new(),
            entries: Vec::new(),
            ids: HashMap::new(),
            demux: Demux::default(),
            batches: Batches::new(),
            inbox: datagrams(BATCH),
            outbox: Outbox::new(),
            outbox_port: SHARED,
            bridged: false,
            orphaned: false,
        };
        driver.add_port(shared, None)?;
        Ok(driver)
    }

    /// Runs until nobody can give orders any more and the last call has ended.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(256);
        while !self.orphaned {
            let timeout = self.sleep_until(Instant::now());
            if let Err(error) = self.poll.poll(&mut events, Some(timeout)) {
                if error.kind() != io::ErrorKind::Interrupted {
                    tracing::error!(%error, "waiting for packets failed");
                    thread::sleep(REST);
                }
                continue;
            }
            for event in &events {
                let port = event.token().0.checked_sub(1);
                if let Some(Some(port)) = port.and_then(|at| self.ports.get_mut(at)) {
                    port.readable = true;
                }
            }
            let now = Instant::now();
            self.round(now);
            let passed = now.elapsed();
            thread::sleep(REST.saturating_sub(passed));
        }
        self.close_all();
    }

    fn round(&mut self, now: Instant) {
        // Lowered first, so that what comes later in the round wakes again.
        let woken = self.wakeup.lower();
        self.obey(now);
        for port in 0..self.ports.len() {
            self.receive(port);
        }
        if woken || self.bridged {
            self.flush(now);
        }
        self.timers(now);
        self.send();
    }

    fn sleep_until(&self, now: Instant) -> Duration {
        if self.ports.iter().flatten().any(|port| port.readable) {
            return Duration::ZERO;
        }
        let due = self.entries.iter().flatten().map(|place| place.due).min();
        due.map_or(IDLE, |due| due.saturating_duration_since(now).min(IDLE))
    }

    fn obey(&mut self, now: Instant) {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Open(opening)) => self.open(now, *opening),
                Ok(Order::Close(id)) => {
                    if let Some(&slot) = self.ids.get(&id) {
                        self.close(now, slot, CloseReason::Local);
                    }
                }
                Ok(Order::Bridge(id, end)) => {
                    let slot = self.ids.get(&id).copied();
                    if let Some(place) = slot.and_then(|slot| self.entries[slot].as_mut()) {
                        place.entry.link.stream().bridge(*end);
                        place.bridged = true;
                        self.bridged = true;
                    }
                }
                Err(mpsc::TryRecvError::Empty) => return,
                Err(mpsc::TryRecvError::Disconnected) => {
                    self.orphaned = true;
                    return;
                }
            }
        }
    }

    fn add_port(&mut self, socket: std::net::UdpSocket, only: Option<Slot>) -> io::Result<usize> {
        let mut socket = UdpSocket::from_std(socket);
        let at = vacancy(&mut self.ports);
        let token = Token(at + 1);
        let registry = self.poll.registry();
        registry.register(&mut socket, token, Interest::READABLE)?;
        self.ports[at] = Some(Port {
            socket,
            only,
            readable: true,
        });
        Ok(at)
    }

    fn open(&mut self, now: Instant, opening: Opening) {
        let slot = vacancy(&mut self.entries);
        let socket = match opening.socket {
            None => {
                self.demux.open(opening.fragment, slot);
                SHARED
            }
            Some(socket) => match self.add_port(socket, Some(slot)) {
                Ok(port) => port,
                Err(error) => {
                    tracing::error!(%error, "a call's socket can't be waited on");
                    let failed = State::Closed(CloseReason::Failed);
                    opening.state.send_replace(failed);
                    return;
                }
            },
        };
        self.ids.insert(opening.id, slot);
        let entry = Box::new(Entry {
            id: opening.id,
            link: opening.link,
            socket,
            state: opening.state,
            events: opening.events,
        });
        self.entries[slot] = Some(Place {
            due: now,
            bell: opening.bell,
            bridged: false,
            entry,
        });
    }

    /// Reads what waits on a port, up to a limit.
    fn receive(&mut self, at: usize) {
        for _ in 0..BATCHES_A_ROUND {
            let Some(Some(port)) = self.ports.get_mut(at) else {
                return;
            };
            if !port.readable {
                return;
            }
            let count = match self.batches.receive(&port.socket, &mut self.inbox) {
                Ok(count) => count,
                // An ICMP error of something sent; the next read goes on.
                Err(error) => {
                    tracing::debug!(%error, "reading a socket failed");
                    continue;
                }
            };
            // A short batch has emptied the socket; what comes later is announced.
            port.readable = count == BATCH;
            let only = port.only;
            let now = Instant::now();
            Counters::add(&self.counters.received, count as u64);
            let mut inbox = std::mem::take(&mut self.inbox);
            for datagram in &mut inbox[..count] {
                if let Err(refused) = self.deliver(now, only, datagram) {
                    self.counters.refused(refused);
                }
            }
            self.inbox = inbox;
        }
    }

    fn deliver(
        &mut self,
        now: Instant,
        only: Option<Slot>,
        datagram: &mut Datagram,
    ) -> Result<(), Refused> {
        let from = datagram.peer;
        let kind = classify(datagram.payload()).ok_or(Refused::Unknown)?;
        let slot = only.or_else(|| self.demux.route(from, kind));
        let slot = slot.or_else(|| self.demux.source(datagram.payload(), kind));
        let slot = slot.ok_or(Refused::Unknown)?;
        let class = Class::of(kind);
        let bytes = &mut datagram.bytes[..datagram.len];
        let outcome = self.with_link(slot, |link, out| match class {
            Class::Stun => {
                let validated = link.receive_stun(now, from, bytes, out);
                validated.map(|validated| validated.then_some(Learnt::Address))
            }
            Class::Dtls => link.receive_dtls(now, from, bytes, out).map(|()| None),
            Class::Rtp => {
                let source = link.receive_rtp(now, from, bytes, out);
                source.map(|source| source.map(Learnt::Source))
            }
            Class::Rtcp => link.receive_rtcp(now, from, bytes).map(|()| None),
        });
        let learnt = outcome.ok_or(Refused::Unknown)??;
        if matches!(class, Class::Stun | Class::Dtls) {
            self.settle(now, slot);
        }
        match learnt.filter(|_| only.is_none()) {
            Some(Learnt::Address) => self.validated(from, slot),
            Some(Learnt::Source(ssrc)) => self.demux.heard(ssrc, slot),
            None => {}
        }
        Ok(())
    }

    /// Lets `act` work on a call and its socket's outbox.
    fn with_link<R>(
        &mut self,
        slot: Slot,
        act: impl FnOnce(&mut Link, &mut Outbox) -> R,
    ) -> Option<R> {
        let port = self.entries.get(slot)?.as_ref()?.entry.socket;
        self.turn_to(port);
        let before = self.outbox.batch().len();
        let entry = &mut *self.entries[slot].as_mut()?.entry;
        // A fault in one call must not end the others on this thread.
        let result = catch_unwind(AssertUnwindSafe(|| act(&mut entry.link, &mut self.outbox)));
        match result {
            Ok(result) => {
                self.note_checks(before, slot, port);
                Some(result)
            }
            Err(_) => {
                self.remove(slot, CloseReason::Failed);
                None
            }
        }
    }

    /// Gives a validated address to a call, unless another one uses it: whoever
    /// can forge a source address must not take a call's media away with it.
    fn validated(&mut self, address: SocketAddr, slot: Slot) {
        let holder = self.demux.holder(address);
        let held = holder.and_then(|held| self.entries[held].as_ref());
        if held.is_none_or(|held| held.entry.link.is_stale()) {
            self.demux.validated(address, slot);
        }
    }

    /// Makes the outbox one for `port`.
    fn turn_to(&mut self, port: usize) {
        if self.outbox_port != port || self.outbox.is_filling() {
            self.send();
            self.outbox_port = port;
        }
    }

    /// Sends the outbox.
    fn send(&mut self) {
        let batch = self.outbox.batch();
        if !batch.is_empty()
            && let Some(Some(port)) = self.ports.get(self.outbox_port)
        {
            let lost = self.batches.send(&port.socket, batch) as u64;
            Counters::add(&self.counters.sent, batch.len() as u64 - lost);
            Counters::add(&self.counters.not_sent, lost);
        }
        Counters::add(
            &self.counters.not_sent,
            std::mem::take(&mut self.outbox.refused),
        );
        self.outbox.clear();
    }

    /// Carries away what the media workers left.
    fn flush(&mut self, now: Instant) {
        self.bridged = false;
        for slot in 0..self.entries.len() {
            let Some(place) = &mut self.entries[slot] else {
                continue;
            };
            if !place.bell.take() && !place.bridged {
                continue;
            }
            let stream = place.entry.link.stream();
            if stream.take_events_waiting() {
                place.entry.events.notify_one();
            }
            place.bridged = stream.is_bridged();
            self.bridged |= place.bridged;
            if stream.has_outgoing() {
                self.with_link(slot, |link, out| link.flush(now, out));
            }
        }
    }

    fn timers(&mut self, now: Instant) {
        for slot in 0..self.entries.len() {
            let due = self.entries[slot].as_ref().map(|place| place.due);
            if due.is_some_and(|due| due <= now) {
                self.with_link(slot, |link, out| link.timeout(now, out));
                self.settle(now, slot);
            }
        }
    }

    /// Remembers which call's checks are in the outbox since `before`.
    fn note_checks(&mut self, before: usize, slot: Slot, port: usize) {
        if port != SHARED {
            return;
        }
        for datagram in &self.outbox.batch()[before..] {
            if is_check(datagram.payload())
                && let Some(id) = transaction(datagram.payload())
            {
                self.demux.sent(id, slot);
            }
        }
    }

    /// Tells the session what became of its call, and forgets it if it is over.
    fn settle(&mut self, now: Instant, slot: Slot) {
        let Some(Some(Place { due, entry, .. })) = self.entries.get_mut(slot) else {
            return;
        };
        // A timer that is not moved on must not keep the thread awake.
        *due = entry.link.next_timeout().max(now + REST);
        match entry.link.state() {
            State::Closed(reason) => self.remove(slot, reason),
            state if *entry.state.borrow() != state => {
                entry.state.send_replace(state);
            }
            _ => {}
        }
    }

    fn close(&mut self, now: Instant, slot: Slot, reason: CloseReason) {
        self.with_link(slot, |link, out| link.close(now, out));
        self.remove(slot, reason);
    }

    fn remove(&mut self, slot: Slot, reason: CloseReason) {
        // What it said last is still to go through its socket.
        self.send();
        let Some(Place { entry, .. }) = self.entries[slot].take() else {
            return;
        };
        self.ids.remove(&entry.id);
        self.demux.close(slot);
        if entry.socket != SHARED
            && let Some(mut port) = self.ports[entry.socket].take()
        {
            let _ = self.poll.registry().deregister(&mut port.socket);
        }
        let Entry { link, state, .. } = *entry;
        // The leg goes first: who hears of the end may count legs.
        drop(link);
        state.send_replace(State::Closed(reason));
    }

    fn close_all(&mut self) {
        let now = Instant::now();
        for slot in 0..self.entries.len() {
            self.close(now, slot, CloseReason::Local);
        }
    }
}

/// What a datagram proved of its call.
enum Learnt {
    /// The address it came from.
    Address,
    /// A source of media.
    Source(u32),
}

#[derive(Clone, Copy)]
enum Class {
    Stun,
    Dtls,
    Rtp,
    Rtcp,
}

impl Class {
    fn of(kind: Kind<'_>) -> Self {
        match kind {
            Kind::Check(_) | Kind::StunAnswer(_) => Self::Stun,
            Kind::Dtls => Self::Dtls,
            Kind::Rtp => Self::Rtp,
            Kind::Rtcp => Self::Rtcp,
        }
    }
}

/// The first free place, made if need be.
fn vacancy<T>(places: &mut Vec<Option<T>>) -> usize {
    let free = places.iter().position(Option::is_none);
    free.unwrap_or_else(|| {
        places.push(None);
        places.len() - 1
    })
}

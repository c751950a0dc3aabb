//! The cloud's hands: one lock around the state, tasks around the lock.
//!
//! [`Hub::apply`] is the only way to the state. It runs a step of the cloud and hands
//! the effects out in their order before anyone else gets the lock; none of that
//! waits. What takes time (posting, media, fetching) is done by tasks behind bounded
//! queues, which report back through `apply`.

mod conference;
mod ending;
mod fetch;
mod gaps;
mod media;
mod notifier;
mod record;
mod relay;
mod room;
mod simulated;
mod socket;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use switchboard_signaling::carrier::Http;
use switchboard_signaling::clock;
use switchboard_transport::Transport;
use switchboard_transport::whip::WhipClient;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use url::Url;

use crate::cloud::{Cloud, Effect, Ids, MediaAction, Notice, RoomAction};
use crate::config::EmulatorError;
use crate::faults::Faults;
use crate::graph::Limits;
use crate::identity::Identity;
use crate::journal::Journal;
use crate::judge::Judge;
use crate::network::{Network, Party};
use crate::phone::{PhoneCommand, PhoneEvent, PhoneRole, PhoneUser};
use crate::timeline::{CallEvent, TimelineEvent};

pub(crate) use notifier::again;
pub(crate) use record::router as recordings;
use relay::{Relay, Relays};
pub(crate) use socket::router;

/// Events that may wait for a phone, notifications for a bot, actions for media.
const QUEUE: usize = 256;
/// Events that a slow watcher may be behind.
const TIMELINE: usize = 4096;

/// The emulator's shared state and the means to act on it.
pub(crate) struct Hub {
    inner: Mutex<Inner>,
    identity: Identity,
    settings: Settings,
    faults: Mutex<Faults>,
    judge: Mutex<Judge>,
    limits: Mutex<Limits>,
    journal: Mutex<Journal>,
    /// Of requests and notifications. Apart from the cloud's ids, which else would depend on
    /// how often a bot asks.
    ids: Mutex<Ids>,
    network: watch::Sender<Network>,
    /// How far the clock was moved forward, in milliseconds.
    advanced: AtomicU64,
    outside: Outside,
    runtime: Handle,
    wake: Notify,
    stopping: watch::Sender<bool>,
    /// Told to tasks that would outlive a reset.
    given_up: Notify,
}

/// What the emulator reaches others by.
pub(crate) struct Outside {
    pub(crate) http: Http,
    pub(crate) whip: WhipClient,
    /// Media is told of, not made.
    pub(crate) simulated: bool,
}

impl Outside {
    /// The network.
    pub(crate) fn network() -> Result<Self, EmulatorError> {
        let client = |error: &dyn std::fmt::Display| EmulatorError::Client(error.to_string());
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("switchboard-emulator/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| client(&error))?;
        Ok(Self {
            http: Http::network(http),
            whip: WhipClient::new().map_err(|error| client(&error))?,
            simulated: false,
        })
    }
}

/// What does not change while the emulator runs.
pub(crate) struct Settings {
    pub(crate) base: Url,
    /// What the port itself speaks, which a proxy before it may not.
    pub(crate) scheme: &'static str,
    pub(crate) transport: Transport,
    pub(crate) seed: u64,
    pub(crate) lenient: bool,
    /// The rules for the network that hold from the start.
    pub(crate) network: Network,
}

struct Inner {
    cloud: Cloud,
    phones: HashMap<String, mpsc::Sender<PhoneEvent>>,
    /// Of phones whose packets may suffer.
    relays: HashMap<String, Relays>,
    notices: HashMap<String, mpsc::Sender<Notice>>,
    media: HashMap<String, mpsc::Sender<MediaAction>>,
    rooms: HashMap<String, mpsc::Sender<RoomAction>>,
    listening: gaps::Listening,
    clips: record::Clips,
    timeline: Option<broadcast::Sender<CallEvent>>,
    /// Held by every task that should finish before the emulator has stopped.
    at_work: Option<mpsc::Sender<()>>,
    finished: Option<mpsc::Receiver<()>>,
}

/// How much is alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Registered phones.
    pub phones: usize,
    /// Calls that anybody is in.
    pub calls: usize,
    /// Calls and conferences whose media the emulator holds a part of.
    pub media: usize,
    /// Calls whose notifications are not all delivered.
    pub notifying: usize,
}

impl Hub {
    pub(crate) fn new(
        cloud: Cloud,
        identity: Identity,
        settings: Settings,
        outside: Outside,
    ) -> Arc<Self> {
        let (at_work, finished) = mpsc::channel(1);
        Arc::new(Self {
            inner: Mutex::new(Inner {
                cloud,
                phones: HashMap::new(),
                relays: HashMap::new(),
                notices: HashMap::new(),
                media: HashMap::new(),
                rooms: HashMap::new(),
                listening: gaps::Listening::default(),
                clips: record::Clips::default(),
                timeline: Some(broadcast::channel(TIMELINE).0),
                at_work: Some(at_work),
                finished: Some(finished),
            }),
            identity,
            faults: Mutex::new(Faults::new(settings.seed)),
            judge: Mutex::default(),
            limits: Mutex::default(),
            journal: Mutex::default(),
            ids: Mutex::new(Ids::new(!settings.seed)),
            network: watch::Sender::new(settings.network.clone()),
            advanced: AtomicU64::new(0),
            settings,
            outside,
            runtime: Handle::current(),
            wake: Notify::new(),
            stopping: watch::Sender::new(false),
            given_up: Notify::new(),
        })
    }

    /// Runs one step of the cloud and carries its effects out.
    pub(crate) fn apply<R>(self: &Arc<Self>, step: impl FnOnce(&mut Cloud, Instant) -> R) -> R {
        let mut inner = self.lock();
        let result = step(&mut inner.cloud, self.now());
        self.perform_all(&mut inner);
        drop(inner);
        self.wake.notify_one();
        result
    }

    fn perform_all(self: &Arc<Self>, inner: &mut Inner) {
        while let Some(effect) = inner.cloud.poll_effect() {
            if let Err(Stuck(phone)) = self.perform(inner, effect) {
                tracing::warn!("a phone does not read its messages and is dropped");
                inner.phones.remove(&phone);
                inner.cloud.phone_gone(&phone, self.now());
            }
        }
    }

    /// Hands an effect to the task that carries it out. Never waits.
    fn perform(self: &Arc<Self>, inner: &mut Inner, effect: Effect) -> Result<(), Stuck> {
        match effect {
            Effect::Tell { phone, event } => return inner.tell(phone, event),
            Effect::Show(event) => {
                self.journal(|journal| journal.shown(self.now(), &event));
                if let Some(timeline) = &inner.timeline {
                    // An error means that nobody watches.
                    let _ = timeline.send(event);
                }
            }
            Effect::Seated {
                call,
                bot,
                room,
                since,
            } => self.journal(|journal| journal.seated(&call, &bot, (&room, since))),
            Effect::Notify(notice) => self.enqueue(inner, *notice),
            Effect::Media { call, action } => self.act(inner, call, action),
            Effect::Room { room, action } => self.act_in_room(inner, room, action),
        }
        Ok(())
    }

    fn enqueue(self: &Arc<Self>, inner: &mut Inner, notice: Notice) {
        let (call, last) = (notice.call.clone(), notice.last);
        let now = self.now();
        self.judge(|judge| judge.notified(&call, &notice.kind, now));
        self.note(&notice);
        let people = inner.cloud.people_in(&call);
        self.faults(|faults| faults.are_in(&call, people));
        let queue = inner.notices.entry(call.clone()).or_insert_with(|| {
            let (sender, notices) = mpsc::channel(QUEUE);
            let task = notifier::deliver(Arc::clone(self), notices, inner.at_work.clone());
            self.runtime.spawn(task);
            sender
        });
        if let Err(error) = queue.try_send(notice) {
            let message = error.into_inner().correlation.message;
            self.journal(|journal| journal.settled(&message));
            tracing::warn!(%call, "a notification is dropped: the bot does not keep up");
        }
        if last {
            inner.notices.remove(&call);
        }
    }

    /// Adds a notification to the journal.
    fn note(&self, notice: &Notice) {
        let Notice {
            call,
            kind,
            to,
            body,
            correlation,
            ..
        } = notice;
        let message = (correlation.message.as_str(), to.as_str(), body);
        self.journal(|journal| {
            let seq = journal.notified(self.now(), call, kind, message);
            journal.keep(seq, notice);
        });
    }

    fn act(self: &Arc<Self>, inner: &mut Inner, call: String, action: MediaAction) {
        if matches!(action, MediaAction::End) {
            // The task ends when its queue does.
            inner.media.remove(&call);
            return;
        }
        let queue = inner.media.entry(call.clone()).or_insert_with(|| {
            let (sender, actions) = mpsc::channel(QUEUE);
            if self.outside.simulated {
                let task = simulated::run(Arc::clone(self), call, actions);
                self.runtime.spawn(task);
                return sender;
            }
            let task = media::run(Arc::clone(self), call, actions, inner.at_work.clone());
            self.runtime.spawn(task);
            sender
        });
        // More actions than a person can cause in the time are dropped.
        let _ = queue.try_send(action);
    }

    fn act_in_room(self: &Arc<Self>, inner: &mut Inner, room: String, action: RoomAction) {
        let listening = &mut inner.listening;
        match action {
            RoomAction::Leave { seat } => self.judge_gaps(listening, &room, Some(seat)),
            RoomAction::End => {
                self.judge_gaps(listening, &room, None);
                inner.rooms.remove(&room);
                return;
            }
            _ => {}
        }
        let queue = inner.rooms.entry(room.clone()).or_insert_with(|| {
            let (sender, actions) = mpsc::channel(QUEUE);
            let task = room::run(Arc::clone(self), room, actions, inner.at_work.clone());
            self.runtime.spawn(task);
            sender
        });
        let _ = queue.try_send(action);
    }

    /// Adds a phone whose messages go to `outlet`.
    pub(crate) fn attach(
        self: &Arc<Self>,
        user: &PhoneUser,
        name: &str,
        role: PhoneRole,
        outlet: mpsc::Sender<PhoneEvent>,
    ) -> String {
        let mut inner = self.lock();
        let phone = inner.cloud.register_user(user, name, role);
        inner.phones.insert(phone.clone(), outlet);
        inner.cloud.welcome(&phone);
        self.perform_all(&mut inner);
        phone
    }

    /// Carries out a phone's command.
    pub(crate) fn phone_says(self: &Arc<Self>, phone: &str, mut command: PhoneCommand) {
        match &mut command {
            PhoneCommand::Dial { sdp, .. }
            | PhoneCommand::Accept { sdp, .. }
            | PhoneCommand::Offer { sdp, .. } => self.lead_through_relay(phone, sdp),
            _ => {}
        }
        self.apply(|cloud, now| cloud.phone_says(phone, command, now));
    }

    /// If the network is to harm the phone's packets, they go through a relay.
    fn lead_through_relay(self: &Arc<Self>, phone: &str, sdp: &mut String) {
        let mut inner = self.lock();
        let party = Party::Phone {
            id: phone.to_owned(),
            name: inner.cloud.named(phone).name,
        };
        if let Some(relay) = self.relay(party) {
            let relays = inner.relays.entry(phone.to_owned()).or_default();
            *sdp = relays.offer(relay, sdp);
        }
    }

    /// A relay for a leg of somebody whose packets are to suffer.
    fn relay(&self, party: Party) -> Option<Relay> {
        if !self.network.borrow().concerns(&party) {
            return None;
        }
        let rules = self.network.subscribe();
        let own = self.settings.transport.local_address();
        let opened = own
            .map_err(std::io::Error::other)
            .and_then(|own| Relay::open(&self.runtime, own.ip(), party, self.settings.seed, rules));
        if let Err(error) = &opened {
            tracing::warn!(%error, "a leg goes without its network conditions");
        }
        opened.ok()
    }

    /// Acts on the rules for the network.
    pub(crate) fn network<R>(&self, act: impl FnOnce(&mut Network) -> R) -> R {
        // One change at a time: the lock is held for that alone.
        let _one_at_a_time = self.lock();
        let mut network = self.network.borrow().clone();
        let result = act(&mut network);
        self.network.send_replace(network);
        result
    }

    /// The phone is gone.
    pub(crate) fn detach(self: &Arc<Self>, phone: &str) {
        let mut inner = self.lock();
        inner.phones.remove(phone);
        inner.relays.remove(phone);
        drop(inner);
        self.apply(|cloud, now| cloud.phone_gone(phone, now));
    }

    /// A phone's commands until it goes or the emulator stops.
    pub(crate) async fn serve_phone(
        self: Arc<Self>,
        phone: String,
        mut commands: mpsc::Receiver<PhoneCommand>,
    ) {
        loop {
            tokio::select! {
                biased;
                () = self.stopped() => break,
                command = commands.recv() => match command {
                    Some(command) => self.phone_says(&phone, command),
                    None => break,
                },
            }
        }
        self.detach(&phone);
    }

    /// Lets time do its part until the emulator stops.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        loop {
            // Deadlines are on the emulator's clock, sleep is not.
            let due = self.lock().cloud.poll_timeout();
            let wait = due.map(|due| due.saturating_duration_since(self.now()));
            tokio::select! {
                biased;
                () = self.stopped() => return,
                () = self.wake.notified() => {}
                () = sleep(wait) => self.time_passed(),
            }
        }
    }

    fn time_passed(self: &Arc<Self>) {
        self.apply(|cloud, now| cloud.handle_timeout(now));
    }

    /// The emulator's clock.
    pub(crate) fn now(&self) -> Instant {
        clock::now() + self.advanced()
    }

    /// How far it was moved forward.
    pub(crate) fn advanced(&self) -> Duration {
        Duration::from_millis(self.advanced.load(Ordering::Acquire))
    }

    /// Moves it forward; what is due by then happens.
    pub(crate) fn advance(self: &Arc<Self>, by: Duration) {
        self.advanced
            .fetch_add(by.as_millis() as u64, Ordering::AcqRel);
        self.time_passed();
    }

    /// Acts on the rules for faults.
    pub(crate) fn faults<R>(&self, act: impl FnOnce(&mut Faults) -> R) -> R {
        act(&mut self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells the judge, or asks it.
    pub(crate) fn judge<R>(&self, act: impl FnOnce(&mut Judge) -> R) -> R {
        act(&mut self.judge.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds to the journal, or reads it.
    pub(crate) fn journal<R>(&self, act: impl FnOnce(&mut Journal) -> R) -> R {
        act(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts requests.
    pub(crate) fn limits<R>(&self, act: impl FnOnce(&mut Limits) -> R) -> R {
        act(&mut self.limits.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether unknown properties, the rules for telephones and tenants, missing permissions and
    /// too many requests are overlooked.
    pub(crate) fn is_lenient(&self) -> bool {
        self.settings.lenient
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<CallEvent> {
        match &self.lock().timeline {
            Some(timeline) => timeline.subscribe(),
            None => broadcast::channel(1).1,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let inner = self.lock();
        let (phones, calls) = inner.cloud.counts();
        Counts {
            phones,
            calls,
            media: inner.media.len() + inner.rooms.len(),
            notifying: inner.notices.len(),
        }
    }

    /// What ids and chances follow from.
    pub(crate) fn seed(&self) -> u64 {
        self.settings.seed
    }

    /// An id of a request or a notification.
    pub(crate) fn new_id(&self) -> String {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.guid()
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The time that tokens for Graph are made and checked with.
    pub(crate) fn wall_clock(&self) -> SystemTime {
        clock::wall() + self.advanced()
    }

    /// An address of the emulator.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.settings.base)
    }

    /// Steps of the cloud don't panic half-way on purpose; if one did, the others'
    /// calls are worth more than a poisoned lock.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A phone whose queue is full.
struct Stuck(String);

impl Inner {
    fn tell(&mut self, phone: String, mut event: PhoneEvent) -> Result<(), Stuck> {
        if let Some(relays) = self.relays.get_mut(&phone) {
            match &mut event {
                PhoneEvent::Answer { sdp, .. } => *sdp = relays.answer(std::mem::take(sdp)),
                PhoneEvent::Ended { .. } => drop(self.relays.remove(&phone)),
                _ => {}
            }
        }
        let Some(outlet) = self.phones.get(&phone) else {
            return Ok(());
        };
        match outlet.try_send(event) {
            Ok(()) => Ok(()),
            // A meter that misses a reading is no harm.
            Err(TrySendError::Full(event)) if is_level(&event) => Ok(()),
            Err(TrySendError::Full(_)) => Err(Stuck(phone)),
            // Its task is about to report that it is gone.
            Err(TrySendError::Closed(_)) => Ok(()),
        }
    }
}

fn is_level(event: &PhoneEvent) -> bool {
    let PhoneEvent::Timeline { event, .. } = event else {
        return false;
    };
    matches!(event.event, TimelineEvent::Level { .. })
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

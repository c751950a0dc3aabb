//! The cloud's hands: one lock around the state, tasks around the lock.
//!
//! [`Hub::apply`] is the only way to the state. It runs a step of the cloud and hands
//! the effects out in their order before anyone else gets the lock; none of that
//! waits. What takes time (posting, media, fetching) is done by tasks behind bounded
//! queues, which report back through `apply`.

mod fetch;
mod media;
mod notifier;
mod socket;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use switchboard_transport::Transport;
use switchboard_transport::whip::WhipClient;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use url::Url;

use crate::cloud::{Cloud, Effect, MediaAction, Notice};
use crate::config::EmulatorError;
use crate::identity::Identity;
use crate::phone::{PhoneCommand, PhoneEvent, PhoneRole};
use crate::timeline::{CallEvent, TimelineEvent};

pub(crate) use socket::router;

/// Events that may wait for a phone, notifications for a bot, actions for media.
const QUEUE: usize = 256;
/// Events that a slow watcher may be behind.
const TIMELINE: usize = 4096;
/// What is under way at the end gets this long.
const GRACE: Duration = Duration::from_secs(2);

/// The emulator's shared state and the means to act on it.
pub(crate) struct Hub {
    inner: Mutex<Inner>,
    identity: Identity,
    base: Url,
    transport: Transport,
    whip: WhipClient,
    http: reqwest::Client,
    runtime: Handle,
    wake: Notify,
    stopping: watch::Sender<bool>,
}

struct Inner {
    cloud: Cloud,
    phones: HashMap<String, mpsc::Sender<PhoneEvent>>,
    notices: HashMap<String, mpsc::Sender<Notice>>,
    media: HashMap<String, mpsc::Sender<MediaAction>>,
    timeline: Option<broadcast::Sender<CallEvent>>,
    /// Held by every task that should finish before the emulator has stopped.
    at_work: Option<mpsc::Sender<()>>,
    finished: Option<mpsc::Receiver<()>>,
}

/// How much is alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Registered phones.
    pub phones: usize,
    /// Calls that anybody is in.
    pub calls: usize,
    /// Calls whose media the emulator holds a part of.
    pub media: usize,
    /// Calls whose notifications are not all delivered.
    pub notifying: usize,
}

impl Hub {
    pub(crate) fn new(
        cloud: Cloud,
        identity: Identity,
        base: Url,
        transport: Transport,
    ) -> Result<Arc<Self>, EmulatorError> {
        let client = |error: &dyn std::fmt::Display| EmulatorError::Client(error.to_string());
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("switchboard-emulator/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| client(&error))?;
        let (at_work, finished) = mpsc::channel(1);
        Ok(Arc::new(Self {
            inner: Mutex::new(Inner {
                cloud,
                phones: HashMap::new(),
                notices: HashMap::new(),
                media: HashMap::new(),
                timeline: Some(broadcast::channel(TIMELINE).0),
                at_work: Some(at_work),
                finished: Some(finished),
            }),
            identity,
            base,
            transport,
            whip: WhipClient::new().map_err(|error| client(&error))?,
            http,
            runtime: Handle::current(),
            wake: Notify::new(),
            stopping: watch::Sender::new(false),
        }))
    }

    /// Runs one step of the cloud and carries its effects out.
    pub(crate) fn apply<R>(self: &Arc<Self>, step: impl FnOnce(&mut Cloud, Instant) -> R) -> R {
        let mut inner = self.lock();
        let result = step(&mut inner.cloud, Instant::now());
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
                inner.cloud.phone_gone(&phone, Instant::now());
            }
        }
    }

    /// Hands an effect to the task that carries it out. Never waits.
    fn perform(self: &Arc<Self>, inner: &mut Inner, effect: Effect) -> Result<(), Stuck> {
        match effect {
            Effect::Tell { phone, event } => return inner.tell(phone, event),
            Effect::Show(event) => {
                if let Some(timeline) = &inner.timeline {
                    // An error means that nobody watches.
                    let _ = timeline.send(event);
                }
            }
            Effect::Notify(notice) => self.enqueue(inner, notice),
            Effect::Media { call, action } => self.act(inner, call, action),
        }
        Ok(())
    }

    fn enqueue(self: &Arc<Self>, inner: &mut Inner, notice: Notice) {
        let (call, last) = (notice.call.clone(), notice.last);
        let queue = inner.notices.entry(call.clone()).or_insert_with(|| {
            let (sender, notices) = mpsc::channel(QUEUE);
            let task = notifier::deliver(Arc::clone(self), notices, inner.at_work.clone());
            self.runtime.spawn(task);
            sender
        });
        if queue.try_send(notice).is_err() {
            tracing::warn!(%call, "a notification is dropped: the bot does not keep up");
        }
        if last {
            inner.notices.remove(&call);
        }
    }

    fn act(self: &Arc<Self>, inner: &mut Inner, call: String, action: MediaAction) {
        if matches!(action, MediaAction::End) {
            // The task ends when its queue does.
            inner.media.remove(&call);
            return;
        }
        let queue = inner.media.entry(call.clone()).or_insert_with(|| {
            let (sender, actions) = mpsc::channel(QUEUE);
            let task = media::run(Arc::clone(self), call, actions, inner.at_work.clone());
            self.runtime.spawn(task);
            sender
        });
        // More actions than a person can cause in the time are dropped.
        let _ = queue.try_send(action);
    }

    /// Adds a phone whose messages go to `outlet`.
    pub(crate) fn attach(
        self: &Arc<Self>,
        name: &str,
        role: PhoneRole,
        outlet: mpsc::Sender<PhoneEvent>,
    ) -> String {
        let mut inner = self.lock();
        let phone = inner.cloud.register_phone(name, role);
        inner.phones.insert(phone.clone(), outlet);
        inner.cloud.welcome(&phone);
        self.perform_all(&mut inner);
        phone
    }

    /// The phone is gone.
    pub(crate) fn detach(self: &Arc<Self>, phone: &str) {
        self.lock().phones.remove(phone);
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
                command = commands.recv() => match command {
                    Some(command) => self.apply(|cloud, now| cloud.phone_says(&phone, command, now)),
                    None => break,
                },
                () = self.stopped() => break,
            }
        }
        self.detach(&phone);
    }

    /// Lets time do its part until the emulator stops.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        loop {
            let due = self.lock().cloud.poll_timeout();
            tokio::select! {
                () = sleep_until(due) => self.apply(|cloud, now| cloud.handle_timeout(now)),
                () = self.wake.notified() => {}
                () = self.stopped() => return,
            }
        }
    }

    /// Ends all calls, waits a little for what that causes, and lets all tasks go.
    pub(crate) async fn stop(self: &Arc<Self>) {
        self.apply(Cloud::shut_down);
        let finished = {
            let mut inner = self.lock();
            inner.at_work = None;
            inner.finished.take()
        };
        if let Some(mut finished) = finished {
            let _ = tokio::time::timeout(GRACE, finished.recv()).await;
        }
        self.let_go();
    }

    /// Tells every task to end; those who watch learn that nothing follows.
    pub(crate) fn let_go(&self) {
        self.stopping.send_replace(true);
        let mut inner = self.lock();
        inner.timeline = None;
        inner.phones.clear();
        inner.notices.clear();
        inner.media.clear();
    }

    /// Waits until every task is to end.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // An error can't be: the sender is ours.
        let _ = stopping.wait_for(|stopping| *stopping).await;
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
            media: inner.media.len(),
            notifying: inner.notices.len(),
        }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The time that tokens are made and checked with.
    pub(crate) fn wall_clock(&self) -> SystemTime {
        SystemTime::now()
    }

    /// An address of the emulator.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base)
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
    fn tell(&mut self, phone: String, event: PhoneEvent) -> Result<(), Stuck> {
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

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

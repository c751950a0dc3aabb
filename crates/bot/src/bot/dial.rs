//! Calls the bot places.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use switchboard_nlp::{Direction, SessionStart};
use switchboard_signaling::call::{CallConfig, CallDriver, CallMachine};
use switchboard_signaling::clock;
use switchboard_signaling::error::GraphError;
use switchboard_signaling::request::InvalidRequest;
use switchboard_signaling::types::{
    AppHostedMediaConfig, Call, CallDirection, CallId, Identity, IdentitySet, JoinAddress,
    Modality, ParticipantInfo, ServiceHostedMediaConfig,
};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument as _;

use super::{Listed, LiveCall, MAX_CALLS, Origin, Shared, Stop, WAITING_NOTIFICATIONS};
use crate::call::{
    CallNews, CallReport, Control, Host, Links, Order, RoomWish, Task, instance, invitation,
};
use crate::conversation::{Conversation, Guide};
use crate::flow::{Contact, Entry, Facts, Hosting, Run};
use crate::program::{Caller, Handler, Program};
use crate::script::Script;

/// Places calls. Holds no bot alive: once the bot is gone, nothing is placed.
#[derive(Clone)]
pub struct Dialer(Weak<Shared>);

/// A call to be placed.
pub struct OutgoingCall {
    /// Whom to call.
    pub to: Destination,
    /// What to take them through; the bot's own script if not given.
    pub script: Option<Arc<Script>>,
    /// How long it may ring, in seconds, 30–99 (`call.ringingTimeoutInSeconds`); Graph's
    /// own if not given.
    pub ring_seconds: Option<u8>,
    /// Takes them through the call instead of the script's flow.
    pub handler: Option<Handler>,
}

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To one.
    One(Contact),
    /// To two to five at once: a group call.
    Group(Vec<Contact>),
    /// Into a meeting.
    Meeting(Box<JoinAddress>),
}

impl Destination {
    /// Whether a phone number is called, by itself or among others.
    fn has_number(&self) -> bool {
        let number = |contact: &Contact| matches!(contact, Contact::Phone(_));
        match self {
            Self::One(contact) => number(contact),
            Self::Group(people) => people.iter().any(number),
            Self::Meeting(_) => false,
        }
    }
}

impl From<Contact> for Destination {
    fn from(contact: Contact) -> Self {
        Self::One(contact)
    }
}

/// A call to be placed, with all that the bot itself may want of it.
pub(crate) struct Dial {
    pub(crate) to: Destination,
    pub(crate) script: Arc<Script>,
    pub(crate) ring_seconds: Option<u8>,
    pub(crate) handler: Option<Handler>,
    pub(crate) subject: Option<String>,
    /// Where the flow begins, if not at its start.
    pub(crate) entry: Option<Entry>,
    pub(crate) variables: BTreeMap<String, String>,
    /// Who summons them.
    pub(crate) host: Option<Host>,
    /// Somebody in a call that goes on waits for it, so that it is placed while the bot
    /// drains, too.
    pub(crate) awaited: bool,
}

impl Dial {
    pub(crate) fn new(to: impl Into<Destination>, script: Arc<Script>) -> Self {
        Self {
            to: to.into(),
            script,
            ring_seconds: None,
            handler: None,
            subject: None,
            entry: None,
            variables: BTreeMap::new(),
            host: None,
            awaited: false,
        }
    }
}

/// A call that is placed. Dropping it leaves the call as it is.
pub struct PlacedCall {
    orders: mpsc::Sender<Order>,
    news: watch::Receiver<CallNews>,
    ended: oneshot::Receiver<CallReport>,
}

/// Why a call wasn't placed; nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The bot takes and places no calls any more.
    #[error("the bot is stopping: no calls are placed")]
    Stopping,
    /// As many calls as Graph allows an application.
    #[error("there are {MAX_CALLS} calls already: place it later")]
    Full,
    /// Phone numbers are called in the name of an application instance.
    #[error("a phone number is called in the name of an application instance: configure one")]
    NoInstance,
    /// None of that name.
    #[error("there is no application instance \"{0}\", in whose name a number is to be called")]
    UnknownInstance(String),
    /// The request breaks a documented rule.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
}

/// Why a call wasn't ended.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The bot is gone.
    #[error("the bot has stopped: it ends no calls any more")]
    Stopped,
    /// Graph didn't do it.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl PlacedCall {
    /// Waits for its end. Cancel-safe; `None` if its task was lost.
    pub async fn ended(&mut self) -> Option<CallReport> {
        (&mut self.ended).await.ok()
    }

    /// Has something done in the call; `false` once it is over.
    pub async fn wish(&self, wish: RoomWish) -> bool {
        self.orders.send(Order::Wish(wish)).await.is_ok()
    }

    /// Ends the call; `false` once it is over.
    pub async fn hang_up(&self) -> bool {
        self.orders.send(Order::HangUp).await.is_ok()
    }

    /// Where its task takes orders.
    pub(crate) fn orders(&self) -> mpsc::Sender<Order> {
        self.orders.clone()
    }

    /// Waits until more is known of it than when it was asked the last time.
    /// Cancel-safe; `None` once the call is over.
    pub async fn news(&mut self) -> Option<CallNews> {
        self.news.changed().await.ok()?;
        Some(self.news.borrow_and_update().clone())
    }
}

impl Dialer {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    /// Places a call; the flow begins when it is answered.
    ///
    /// # Errors
    /// [`DialError`]; then nothing was sent.
    pub fn place(&self, call: &OutgoingCall) -> Result<PlacedCall, DialError> {
        let shared = self.0.upgrade().ok_or(DialError::Stopping)?;
        let script = call.script.clone().unwrap_or_else(|| shared.script());
        shared.dial(Dial {
            ring_seconds: call.ring_seconds,
            handler: call.handler.clone(),
            ..Dial::new(call.to.clone(), script)
        })
    }
}

impl Dialer {
    /// Ends a call by its id, whoever placed it: one that an instance left behind.
    ///
    /// # Errors
    /// [`EndError`]; a call that Graph doesn't know any more is none.
    pub async fn end(&self, id: &CallId) -> Result<(), EndError> {
        let shared = self.0.upgrade().ok_or(EndError::Stopped)?;
        match shared.graph.delete_call(id).await {
            Err(error) if !error.is_gone() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Looking after calls.
impl Dialer {
    /// The calls that go on and have an id, in no order.
    pub fn live(&self) -> Vec<LiveCall> {
        let shared = self.0.upgrade();
        shared.map(|shared| shared.live.list()).unwrap_or_default()
    }

    /// Changes whenever [`live`](Self::live) does; `None` once the bot is gone.
    pub fn live_changes(&self) -> Option<watch::Receiver<u64>> {
        self.0.upgrade().map(|shared| shared.live.changes())
    }

    /// Has a call of this bot hung up by its own task; `false` if it has no such call.
    pub fn hang_up(&self, id: &CallId) -> bool {
        let shared = self.0.upgrade();
        shared.is_some_and(|shared| shared.live.hang_up(id))
    }

    /// Whether the bot takes and places new calls.
    pub fn is_open(&self) -> bool {
        let shared = self.0.upgrade();
        shared.is_some_and(|shared| !shared.is_stopping())
    }
}

impl Shared {
    /// Places a call.
    pub(crate) fn dial(self: &Arc<Self>, dial: Dial) -> Result<PlacedCall, DialError> {
        let most = match dial.awaited {
            true => Stop::Draining,
            false => Stop::No,
        };
        if *self.stopping.borrow() > most {
            return Err(DialError::Stopping);
        }
        let script = Arc::clone(&dial.script);
        self.files.serve(&script);
        let reservation = self.whip.reserve();
        let media = match script.flow.media() {
            Hosting::Application => AppHostedMediaConfig::new(reservation.blob().to_wire()).into(),
            Hosting::Service => ServiceHostedMediaConfig::default().into(),
        };
        let request = Call {
            media_config: Some(media),
            ..self.request(&dial)?
        };
        let machine = CallMachine::outgoing(clock::now(), &request, CallConfig::default())?;
        let (sender, notifications) = mpsc::channel(WAITING_NOTIFICATIONS);
        let listed = self.list_nameless(sender)?;
        let driver = CallDriver::new(machine, self.graph.clone(), notifications);
        let start = SessionStart {
            direction: Direction::Outgoing,
            language: script.flow.language().to_owned(),
            features: self.format_of(&script),
            ..SessionStart::default()
        };
        let origin = Origin::new(false, &script.name, dial.peer());
        let span = origin.span(None);
        let observer = Arc::clone(&self.observer);
        let talk =
            span.in_scope(|| Conversation::new(start, guide_of(&dial), (self.engines)(), observer));
        let control = Control::Graph(Box::new(driver));
        let mut task = Task::new(self, &script, control, talk, origin, Some(reservation));
        task.nameless = listed.nameless;
        task.links = dial.into_links();
        let orders = task.address();
        let (report, ended) = oneshot::channel();
        let (sender, news) = watch::channel(CallNews::default());
        task.news = Some(sender);
        let placed = async move {
            let ended = task.run().await;
            listed.shared.reported(&ended);
            // Nobody may be waiting for it.
            let _ = report.send(ended);
            drop(listed);
        };
        tokio::spawn(placed.instrument(span));
        Ok(PlacedCall {
            orders,
            news,
            ended,
        })
    }

    /// The id of the application instance of that name; of the first, if none is named.
    fn instance(&self, name: Option<&str>) -> Result<&str, DialError> {
        let mut instances = self.instances.iter();
        let (found, missing) = match name {
            None => (instances.next(), DialError::NoInstance),
            Some(name) => {
                let missing = DialError::UnknownInstance(name.to_owned());
                (instances.find(|one| one.name == name), missing)
            }
        };
        found.map(|found| found.id.as_str()).ok_or(missing)
    }

    fn request(&self, dial: &Dial) -> Result<Call, DialError> {
        let source = match dial.to.has_number() {
            true => instance(self.instance(dial.script.flow.from())?),
            false => ParticipantInfo::new(IdentitySet::application(Identity::new(&self.app))),
        };
        let call = Call {
            direction: Some(CallDirection::Outgoing),
            callback_uri: Some(self.callback.to_string()),
            source: Some(source),
            subject: dial.subject.clone(),
            requested_modalities: Some(vec![Modality::Audio]),
            tenant_id: Some(self.tenant.clone()),
            ringing_timeout_in_seconds: dial.ring_seconds.map(i32::from),
            ..Call::default()
        };
        Ok(match &dial.to {
            Destination::One(one) => Call {
                targets: Some(invitation(one).into_iter().collect()),
                ..call
            },
            Destination::Group(people) => Call {
                targets: Some(people.iter().filter_map(invitation).collect()),
                ..call
            },
            Destination::Meeting(address) => call.joining((**address).clone()),
        })
    }

    pub(super) fn list_nameless(
        self: &Arc<Self>,
        sender: mpsc::Sender<switchboard_signaling::notification::Notification>,
    ) -> Result<Listed, DialError> {
        let mut calls = self.calls();
        if calls.len() >= MAX_CALLS {
            return Err(DialError::Full);
        }
        calls.last += 1;
        let number = calls.last;
        calls.nameless.insert(number, sender);
        self.count.send_replace(calls.len());
        Ok(Listed {
            id: None,
            nameless: Some(number),
            shared: Arc::clone(self),
        })
    }
}

impl Dial {
    /// Who is called, if it is one.
    fn peer(&self) -> Option<Contact> {
        match &self.to {
            Destination::One(contact) => Some(contact.clone()),
            _ => None,
        }
    }

    fn into_links(self) -> Links {
        Links {
            peer: self.peer(),
            host: self.host,
            variables: self.variables,
        }
    }
}

/// Who takes those who are called through the call.
fn guide_of(dial: &Dial) -> Guide {
    if let Some(handler) = &dial.handler {
        let (program, call) = Program::placed(Caller::default());
        tokio::spawn(handler(call).in_current_span());
        return Guide::Program(Box::new(program));
    }
    let facts = Facts {
        time: jiff::Timestamp::now(),
        variables: dial.variables.clone(),
        ..Facts::default()
    };
    let run = Run::new(Arc::clone(&dial.script.flow), facts);
    Guide::Flow(Box::new(match dial.entry {
        Some(entry) => run.beginning_at(entry),
        None => run,
    }))
}

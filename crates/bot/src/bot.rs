//! The bot as a service: one address for notifications and media, a task for
//! each call.

mod azure;
mod calls;
mod config;
mod dial;
mod ended;
mod figures;
mod files;
mod health;
mod left;
mod live;
mod openings;
mod recent;
mod rooms;
mod rota;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use switchboard_nlp::turn::TurnTaking;
use switchboard_nlp::{Engine, FeatureFormat, SessionStart};
use switchboard_signaling::call::{CallConfig, CallDriver, CallMachine};
use switchboard_signaling::client::GraphClient;
use switchboard_signaling::clock;
use switchboard_signaling::notification::Notification;
use switchboard_signaling::types::{Call, CallId};
use switchboard_signaling::webhook::{self, ServerLimits, SinkFull, Webhook};
use switchboard_transport::Transport;
use switchboard_transport::whip::WhipEndpoint;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use url::Url;

use crate::call::{Control, FeatureChoice, Task, facts_of, peer_of};
use crate::conversation::{Conversation, Guide};
use crate::flow::{Facts, Farewell, Hosting, Run};
use crate::hook::Hooks;
use crate::ledger::Ledger;
use crate::observer::{Observer, nobody};
use crate::program::{Caller, Handler, Program};
use crate::script::Script;

pub use azure::{AzureMedia, AzureMediaError};
use calls::{Calls, incoming, is_end};
pub use config::{ApplicationInstance, BotConfig, BotError, Cloud};
pub(crate) use dial::Dial;
pub use dial::{Destination, DialError, Dialer, EndError, OutgoingCall, PlacedCall};
pub use figures::Figures;
use files::Files;
use live::Live;
pub use live::LiveCall;
pub(crate) use live::Origin;
pub use openings::{OpeningError, Openings};
use recent::Recent;
use rooms::Register;
pub use rooms::{RoomError, RoomState, RoomStatus, Rooms};
use rota::Rota;

/// Path of the webhook below the bot's address.
const WEBHOOK_PATH: &str = "/api/calls";
/// Notifications of one call that may wait for its task. A full roster of a
/// large meeting comes in a few; a call that is further behind is lost anyway.
const WAITING_NOTIFICATIONS: usize = 256;
/// Calls at a time: what Graph allows an application.
const MAX_CALLS: usize = 100;
/// How long calls may take to hang up when the bot stops.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long those may take to whom callers are passed on when the bot stops.
const PASSING_ON: Duration = Duration::from_secs(30);

/// Makes the engine of each call, on the call's own task.
pub type Engines = Arc<dyn Fn() -> Box<dyn Engine> + Send + Sync>;

/// What a bot's calls are made of.
#[derive(Clone)]
pub struct Parts {
    /// What callers are taken through.
    pub script: Arc<Script>,
    /// Who understands them.
    pub engines: Engines,
    /// What vectors they get, from calls whose media is our own; the transport must be
    /// [live](switchboard_transport::TransportConfig::live) for it.
    pub features: FeatureChoice,
    /// Takes callers through their calls instead of the script's flow; the script is
    /// then what can be said.
    pub handler: Option<Handler>,
    /// Who watches.
    pub observer: Observer,
    /// Remembers which calls run, beyond a crash; what it says is left is ended at the start.
    pub ledger: Option<Arc<dyn Ledger>>,
    /// Knows who opens rooms by the clock; without it every bot opens all of its flow's, and
    /// makes up for none.
    pub openings: Option<Arc<dyn Openings>>,
    /// Served beside the webhook: an API of the application's own.
    pub routes: axum::Router,
    /// Who may bring media of calls that are controlled elsewhere.
    pub azure: Option<AzureMedia>,
    /// What `/readyz` says besides whether the bot is ready.
    pub standing: String,
}

impl Parts {
    /// Callers are taken through `script` and not understood beyond taking turns.
    pub fn new(script: Script) -> Self {
        Self::shared(Arc::new(script))
    }

    /// The same with a script that others have, too.
    pub fn shared(script: Arc<Script>) -> Self {
        Self {
            script,
            engines: Arc::new(|| Box::new(TurnTaking::default())),
            features: FeatureChoice::None,
            handler: None,
            observer: nobody(),
            ledger: None,
            openings: None,
            routes: axum::Router::new(),
            azure: None,
            standing: String::new(),
        }
    }
}

/// Whether the bot goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// It does.
    No,
    /// It takes no new calls.
    Draining,
    /// Callers are passed on, all other calls are to end.
    PassingOn,
    /// All calls are to end.
    Now,
}

/// A running bot. [`Bot::stop`] and [`Bot::drain`] end it; dropping it ends it without
/// goodbyes.
pub struct Bot {
    shared: Arc<Shared>,
    stopping: Arc<watch::Sender<Stop>>,
    tasks: Vec<JoinHandle<()>>,
    figures: Figures,
}

/// What all calls share.
pub(crate) struct Shared {
    pub(crate) graph: GraphClient,
    pub(crate) whip: WhipEndpoint,
    transport: Transport,
    pub(crate) graph_base: String,
    pub(crate) hooks: Hooks,
    pub(crate) callback: Url,
    pub(crate) stopping: watch::Receiver<Stop>,
    public: Url,
    instances: Vec<ApplicationInstance>,
    pub(crate) farewell: Option<Farewell>,
    tenant: String,
    app: String,
    observer: Observer,
    engines: Engines,
    pub(crate) features: FeatureChoice,
    handler: Option<Handler>,
    ledger: Option<Arc<dyn Ledger>>,
    openings: Option<Arc<dyn Openings>>,
    /// For new calls.
    script: Mutex<Arc<Script>>,
    files: Files,
    recent: Recent,
    pub(crate) live: Live,
    rooms: Register,
    rota: Rota,
    calls: Mutex<Calls>,
    count: watch::Sender<usize>,
}

impl Bot {
    /// Starts to listen; calls are answered as they come.
    ///
    /// # Errors
    /// [`BotError`]: the address is taken, or the configuration isn't usable.
    pub async fn start(
        config: BotConfig,
        transport: Transport,
        parts: Parts,
    ) -> Result<Self, BotError> {
        let address = config.listen;
        let listener = TcpListener::bind(address)
            .await
            .and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) =
            listener.map_err(|source| BotError::Listen { address, source })?;
        let (mut bot, router) = Self::assemble(config, transport, parts, address)?;
        bot.tasks.push(tokio::spawn(serve(listener, router)));
        Ok(bot)
    }

    /// The same without listening: what would be served is handed back, for a simulation to
    /// bring requests to.
    ///
    /// # Errors
    /// [`BotError`]: the configuration isn't usable.
    pub fn without_sockets(
        config: BotConfig,
        transport: Transport,
        parts: Parts,
    ) -> Result<(Self, axum::Router), BotError> {
        let address = config.listen;
        Self::assemble(config, transport, parts, address)
    }

    fn assemble(
        config: BotConfig,
        transport: Transport,
        parts: Parts,
        address: SocketAddr,
    ) -> Result<(Self, axum::Router), BotError> {
        let authenticator = config.authenticator()?;
        let public = config.public_url(address)?;
        let whip = WhipEndpoint::new(transport.clone(), public.clone());
        let (stopping, stop_requests) = watch::channel(Stop::No);
        let shared = Arc::new(Shared {
            graph: config.graph_client()?,
            graph_base: config.cloud.graph.clone(),
            whip: whip.clone(),
            transport,
            hooks: config.hooks()?,
            callback: with_path(&public, WEBHOOK_PATH),
            stopping: stop_requests,
            public,
            instances: config.instances,
            farewell: config.farewell,
            tenant: config.tenant_id,
            app: config.client_id,
            observer: parts.observer,
            engines: parts.engines,
            features: parts.features,
            handler: parts.handler,
            ledger: parts.ledger,
            openings: parts.openings,
            script: Mutex::new(Arc::clone(&parts.script)),
            files: Files::new(&parts.script),
            recent: Recent::default(),
            live: Live::default(),
            rooms: Register::default(),
            rota: Rota::default(),
            calls: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let sink = {
            let shared = Arc::clone(&shared);
            move |notification| shared.deliver(notification)
        };
        let keys = authenticator.clone();
        let webhook = Webhook::new(authenticator, sink);
        let figures = Figures {
            webhook: webhook.counters(),
            transport: shared.transport.clone(),
        };
        let router = webhook
            .router(WEBHOOK_PATH)
            .merge(whip.router())
            .merge(files::router(&shared))
            .merge(health::router(&shared, &parts.standing))
            .merge(azure::router(&shared, parts.azure)?)
            .merge(parts.routes);
        shared.end_left();
        let tasks = vec![
            tokio::spawn(async move { keys.keep_keys_fresh().await }),
            tokio::spawn(openings::open_by_the_clock(Arc::downgrade(&shared))),
        ];
        let bot = Self {
            shared,
            stopping: Arc::new(stopping),
            tasks,
            figures,
        };
        Ok((bot, router))
    }

    /// Where Graph is to send this bot's notifications.
    pub fn webhook_url(&self) -> Url {
        self.shared.callback.clone()
    }

    /// How it does.
    pub fn figures(&self) -> Figures {
        self.figures.clone()
    }

    /// How many calls there are.
    pub fn calls(&self) -> usize {
        self.shared.calls().len()
    }

    /// Takes new calls through `script`; those that run go on with theirs.
    pub fn reload(&self, script: Script) {
        let script = Arc::new(script);
        self.shared.files.serve(&script);
        *self
            .shared
            .script
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = script;
    }

    /// Places calls while the bot runs.
    pub fn dialer(&self) -> Dialer {
        Dialer::new(&self.shared)
    }

    /// Takes no new calls, lets those that run finish, and hangs up what is left after
    /// `within`, or passes callers on, if [`BotConfig::farewell`] says to whom. Then stops
    /// listening.
    pub async fn drain(self, within: Duration) {
        self.stopping.send_replace(Stop::Draining);
        if !self.gone_within(within).await {
            tracing::info!(calls = self.calls(), "calls are ended at the deadline");
            if self.shared.farewell.is_some() {
                self.stopping.send_replace(Stop::PassingOn);
                self.gone_within(PASSING_ON).await;
            }
        }
        self.stop().await;
    }

    /// Hangs up all calls, for at most some seconds, then stops listening.
    pub async fn stop(self) {
        self.stopping.send_replace(Stop::Now);
        if !self.gone_within(FAREWELL).await {
            tracing::warn!(calls = self.calls(), "calls were left without a goodbye");
        }
    }

    /// Whether all calls were over in time.
    async fn gone_within(&self, within: Duration) -> bool {
        let mut count = self.shared.count.subscribe();
        // The sender lives as long as this bot.
        let gone = count.wait_for(|count| *count == 0);
        tokio::time::timeout(within, gone).await.is_ok()
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        self.stopping.send_replace(Stop::Now);
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Shared {
    /// The lock is held for single map operations; a poisoned one is still whole.
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn script(&self) -> Arc<Script> {
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&script)
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow() != Stop::No
    }

    /// Hands notifications to their calls' tasks: all of them, or none.
    fn deliver(self: &Arc<Self>, notifications: Vec<Notification>) -> Result<(), SinkFull> {
        let mut calls = self.calls();
        if !calls.have_room(&notifications) {
            return Err(SinkFull);
        }
        for notification in notifications {
            if let Some(call) = calls.known.get(&notification.call_id) {
                // There was room; a task that has just ended needs no more news.
                let _ = call.try_send(notification);
            } else if calls.ended.has(&notification.call_id) {
                tracing::debug!(call = %notification.call_id, "late news of a call that is over");
            } else if let Some(call) = incoming(&notification) {
                let sender = self.take_call(&notification.call_id, call);
                calls.known.insert(notification.call_id, sender);
                self.count.send_replace(calls.len());
            } else {
                if is_end(&notification) {
                    self.ended_by_itself(&mut calls, &notification.call_id);
                }
                calls.tell_nameless(&notification);
            }
        }
        Ok(())
    }

    /// Starts the task of an incoming call.
    fn take_call(self: &Arc<Self>, id: &CallId, call: &Call) -> mpsc::Sender<Notification> {
        let (sender, notifications) = mpsc::channel(WAITING_NOTIFICATIONS);
        let listed = Listed {
            id: Some(id.clone()),
            nameless: None,
            shared: Arc::clone(self),
        };
        let machine = CallMachine::incoming(clock::now(), id.clone(), CallConfig::default());
        let driver = CallDriver::new(machine, self.graph.clone(), notifications);
        self.has_begun(id);
        if self.is_stopping() {
            let id = id.clone();
            tokio::spawn(async move {
                turn_away(driver).await;
                listed.shared.is_over(&id);
                drop(listed);
            });
            return sender;
        }
        let script = self.script();
        let (mut facts, mut start) = facts_of(call, script.flow.language(), &self.instances);
        if let Some(caller) = facts.caller.as_ref().or(facts.number.as_ref()) {
            facts.earlier = self.recent.call(clock::now(), caller);
        }
        start.call = id.to_string();
        start.features = self.format_of(&script);
        let peer = peer_of(&facts);
        let origin = Origin::new(true, &script.name, peer.clone());
        let span = origin.span(Some(id.as_str()));
        let talk = span.in_scope(|| {
            let guide = self.guide(&script, facts, &start);
            Conversation::new(start, guide, (self.engines)(), Arc::clone(&self.observer))
        });
        let control = Control::Graph(Box::new(driver));
        let mut task = Task::new(self, &script, control, talk, origin, None);
        task.links.peer = peer;
        let taken = async move {
            let report = task.incoming().await;
            listed.shared.reported(&report);
            drop(listed);
        };
        tokio::spawn(taken.instrument(span));
        sender
    }

    /// Who takes a caller through the call.
    fn guide(&self, script: &Script, facts: Facts, start: &SessionStart) -> Guide {
        let Some(handler) = &self.handler else {
            return Guide::Flow(Box::new(Run::new(Arc::clone(&script.flow), facts)));
        };
        let caller = Caller {
            id: start.caller.id.clone(),
            name: start.caller.name.clone(),
            number: start.caller.number.clone(),
        };
        let (program, call) = Program::new(caller);
        tokio::spawn(handler(call).in_current_span());
        Guide::Program(Box::new(program))
    }

    /// What an engine is to expect.
    fn format_of(&self, script: &Script) -> FeatureFormat {
        match script.flow.media() {
            Hosting::Application => self.features.format(),
            Hosting::Service => FeatureFormat::default(),
        }
    }

    /// A placed call has got its id.
    pub(crate) fn name_call(&self, number: u64, id: &CallId) {
        let mut calls = self.calls();
        if let Some(sender) = calls.nameless.remove(&number) {
            calls.known.insert(id.clone(), sender);
            calls.named.insert(number, id.clone());
            drop(calls);
            self.has_begun(id);
        }
    }

    /// The application's id.
    pub(crate) fn app(&self) -> &str {
        &self.app
    }

    /// The address of a path of ours, as Graph sees it.
    pub(crate) fn address(&self, path: &str) -> Url {
        with_path(&self.public, path)
    }
}

/// Tells a caller that the bot takes no calls now.
async fn turn_away(mut driver: CallDriver) {
    use switchboard_signaling::call::Command;
    use switchboard_signaling::types::{RejectReason, RejectRequest};
    let reject = RejectRequest {
        reason: Some(RejectReason::Busy),
        ..RejectRequest::default()
    };
    if driver.command(Command::Reject(reject)).is_ok() {
        while driver.next_event().await.is_some() {}
    }
}

/// Keeps a call in the list until its task has ended, by a panic too.
struct Listed {
    id: Option<CallId>,
    nameless: Option<u64>,
    shared: Arc<Shared>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut calls = self.shared.calls();
        let named = self.nameless.and_then(|number| {
            calls.nameless.remove(&number);
            calls.named.remove(&number)
        });
        if let Some(id) = self.id.take().or(named) {
            calls.known.remove(&id);
            calls.ended.add(&id);
            self.shared.live.remove(&id);
        }
        self.shared.count.send_replace(calls.len());
    }
}

fn with_path(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let prefix = base.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{prefix}{path}"));
    url
}

/// Serves until its task is ended: calls outlast the wish to stop by their farewell.
async fn serve(listener: TcpListener, router: axum::Router) {
    let limits = ServerLimits::default();
    webhook::serve(listener, router, limits, std::future::pending()).await;
}

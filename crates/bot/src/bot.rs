//! The bot as a service: one address for notifications and media, a task for
//! each call.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use switchboard_media::prompt::PromptError;
use switchboard_nlp::Engine;
use switchboard_nlp::turn::TurnTaking;
use switchboard_signaling::auth::{
    Authenticator, DEFAULT_OPENID_CONFIGURATION, KeySource, KeySourceError, PolicyError,
    TokenPolicy, TokenValidator,
};
use switchboard_signaling::client::{ConfigError, GraphClient, GraphConfig};
use switchboard_signaling::notification::Notification;
use switchboard_signaling::token::{TokenConfig, TokenProvider};
use switchboard_signaling::types::{CallId, CallState, NotifiedResource};
use switchboard_signaling::webhook::{self, ServerLimits, SinkFull};
use switchboard_transport::Transport;
use switchboard_transport::whip::WhipEndpoint;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use url::Url;

use crate::call;
use crate::observer::Observer;
use crate::prompts::Prompts;

/// Path of the webhook below the bot's address.
const WEBHOOK_PATH: &str = "/api/calls";
/// Notifications of one call that may wait for its task. A full roster of a
/// large meeting comes in a few; a call that is further behind is lost anyway.
const WAITING_NOTIFICATIONS: usize = 256;
/// Calls at a time: what Graph allows an application.
const MAX_CALLS: usize = 100;
/// How long calls may take to hang up when the bot stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// Where Graph is: Microsoft's cloud, or an emulator in its place.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// Graph's base address with its version.
    pub graph: String,
    /// The identity service's address.
    pub authority: String,
    /// The OpenID configuration of the issuer that signs notifications.
    pub openid_configuration: String,
}

impl Default for Cloud {
    /// Microsoft's global cloud.
    fn default() -> Self {
        Self {
            graph: "https://graph.microsoft.com/v1.0".to_owned(),
            authority: "https://login.microsoftonline.com".to_owned(),
            openid_configuration: DEFAULT_OPENID_CONFIGURATION.to_owned(),
        }
    }
}

/// What a bot needs to know.
#[derive(Debug, Clone)]
pub struct BotConfig {
    /// Where to listen for notifications and media offers.
    pub listen: SocketAddr,
    /// The same address as Graph sees it; `None` is `http://` and the address
    /// listened on.
    pub public_url: Option<Url>,
    /// The tenant.
    pub tenant_id: String,
    /// The application.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// Where Graph is.
    pub cloud: Cloud,
    /// Id of the user to whom callers are transferred.
    pub agent: String,
}

/// Why a bot can't be started.
#[derive(Debug, thiserror::Error)]
pub enum BotError {
    /// The address is taken or not ours.
    #[error("the bot can't listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// An address in the configuration isn't usable.
    #[error(transparent)]
    Address(#[from] ConfigError),
    /// The issuer's configuration isn't usable.
    #[error(transparent)]
    Keys(#[from] KeySourceError),
    /// The token policy isn't usable.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The bot's own address can't be a base of others.
    #[error("public_url {0} can't be used: it must be an http or https address without a query")]
    PublicUrl(Url),
    /// A built-in prompt is damaged.
    #[error(transparent)]
    Prompt(#[from] PromptError),
}

/// Makes the engine of each call, on the call's own task.
pub type Engines = Arc<dyn Fn() -> Box<dyn Engine> + Send + Sync>;

/// A running bot. [`Bot::stop`] ends it; dropping it ends it without goodbyes.
pub struct Bot {
    shared: Arc<Shared>,
    stopping: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// What all calls share.
pub(crate) struct Shared {
    pub(crate) graph: GraphClient,
    pub(crate) whip: WhipEndpoint,
    pub(crate) prompts: Arc<Prompts>,
    pub(crate) observer: Observer,
    pub(crate) callback: Url,
    pub(crate) agent: String,
    pub(crate) engines: Engines,
    pub(crate) stopping: watch::Receiver<bool>,
    calls: Mutex<HashMap<CallId, mpsc::Sender<Notification>>>,
}

impl Bot {
    /// Starts to listen; calls are answered as they come. Callers are not understood
    /// beyond taking turns.
    ///
    /// # Errors
    /// [`BotError`]: the address is taken, or the configuration isn't usable.
    pub async fn start(
        config: BotConfig,
        transport: Transport,
        observer: Observer,
    ) -> Result<Self, BotError> {
        let engines: Engines = Arc::new(|| Box::new(TurnTaking::default()));
        Self::start_with_engines(config, transport, observer, engines).await
    }

    /// The same with engines that understand more:
    /// [`switchboard_nlp::wire::RemoteEngine`] for example.
    ///
    /// # Errors
    /// [`BotError`]: the address is taken, or the configuration isn't usable.
    pub async fn start_with_engines(
        config: BotConfig,
        transport: Transport,
        observer: Observer,
        engines: Engines,
    ) -> Result<Self, BotError> {
        let authenticator = authenticator(&config)?;
        let graph = graph_client(&config)?;
        let prompts = Arc::new(Prompts::embedded()?);
        let address = config.listen;
        let listener = TcpListener::bind(address)
            .await
            .and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) =
            listener.map_err(|source| BotError::Listen { address, source })?;
        let public = public_url(config.public_url, address)?;
        let whip = WhipEndpoint::new(transport, public.clone());
        let (stopping, stop_requests) = watch::channel(false);
        let shared = Arc::new(Shared {
            graph,
            whip: whip.clone(),
            prompts,
            observer,
            callback: with_path(&public, WEBHOOK_PATH),
            agent: config.agent,
            engines,
            stopping: stop_requests,
            calls: Mutex::default(),
        });
        let sink = {
            let shared = Arc::clone(&shared);
            move |notification| shared.deliver(notification)
        };
        let keys = authenticator.clone();
        let router = webhook::router(WEBHOOK_PATH, authenticator, sink).merge(whip.router());
        let tasks = vec![
            tokio::spawn(serve(listener, router)),
            tokio::spawn(async move { keys.keep_keys_fresh().await }),
        ];
        Ok(Self {
            shared,
            stopping,
            tasks,
        })
    }

    /// Where Graph is to send this bot's notifications.
    pub fn webhook_url(&self) -> Url {
        self.shared.callback.clone()
    }

    /// How many calls there are.
    pub fn calls(&self) -> usize {
        self.shared.calls().len()
    }

    /// Hangs up all calls, for at most some seconds, then stops listening.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        let all_gone = async {
            while self.calls() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(FAREWELL, all_gone).await.is_err() {
            tracing::warn!(calls = self.calls(), "calls were left without a goodbye");
        }
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Shared {
    /// The lock is held for single map operations; a poisoned one is still whole.
    fn calls(&self) -> MutexGuard<'_, HashMap<CallId, mpsc::Sender<Notification>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands notifications to their calls' tasks: all of them, or none.
    fn deliver(self: &Arc<Self>, notifications: Vec<Notification>) -> Result<(), SinkFull> {
        let mut calls = self.calls();
        if !has_room(&calls, &notifications) {
            return Err(SinkFull);
        }
        for notification in notifications {
            if let Some(call) = calls.get(&notification.call_id) {
                // There was room; a task that has just ended needs no more news.
                let _ = call.try_send(notification);
            } else if is_incoming(&notification) && !*self.stopping.borrow() {
                let sender = self.take_call(notification.call_id.clone());
                let id = notification.call_id.clone();
                // The first one fits.
                let _ = sender.try_send(notification);
                calls.insert(id, sender);
            } else {
                tracing::debug!(call = %notification.call_id, "a notification of no call of ours");
            }
        }
        Ok(())
    }

    /// Starts the task of an incoming call.
    fn take_call(self: &Arc<Self>, id: CallId) -> mpsc::Sender<Notification> {
        let (sender, notifications) = mpsc::channel(WAITING_NOTIFICATIONS);
        let listed = Listed {
            id,
            shared: Arc::clone(self),
        };
        tokio::spawn(async move {
            call::run(&listed.shared, listed.id.clone(), notifications).await;
        });
        sender
    }
}

/// Whether every call has room for its share of `notifications`, and the bot
/// for the new calls among them.
fn has_room(
    calls: &HashMap<CallId, mpsc::Sender<Notification>>,
    notifications: &[Notification],
) -> bool {
    let mut shares: HashMap<&CallId, usize> = HashMap::new();
    for notification in notifications {
        *shares.entry(&notification.call_id).or_default() += 1;
    }
    let new = shares.keys().filter(|id| !calls.contains_key(**id)).count();
    let fits = |(id, share): (&&CallId, &usize)| {
        calls
            .get(*id)
            .is_none_or(|call| call.is_closed() || call.capacity() >= *share)
    };
    (new == 0 || calls.len() + new <= MAX_CALLS) && shares.iter().all(fits)
}

/// Keeps a call in the list until its task has ended, by a panic too.
struct Listed {
    id: CallId,
    shared: Arc<Shared>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.shared.calls().remove(&self.id);
    }
}

fn is_incoming(notification: &Notification) -> bool {
    match &notification.resource {
        NotifiedResource::Call(call) => call.state == Some(CallState::Incoming),
        _ => false,
    }
}

fn authenticator(config: &BotConfig) -> Result<Authenticator, BotError> {
    let policy = TokenPolicy::new(&config.client_id)?;
    let keys = KeySource::new(&config.cloud.openid_configuration)?;
    Ok(Authenticator::new(TokenValidator::new(policy), keys))
}

fn graph_client(config: &BotConfig) -> Result<GraphClient, BotError> {
    let tokens = TokenProvider::new(TokenConfig {
        authority: config.cloud.authority.clone(),
        ..TokenConfig::new(
            &config.tenant_id,
            &config.client_id,
            config.client_secret.clone(),
        )
    })?;
    let graph = GraphConfig {
        base_url: config.cloud.graph.clone(),
        ..GraphConfig::default()
    };
    Ok(GraphClient::new(graph, tokens)?)
}

fn public_url(configured: Option<Url>, address: SocketAddr) -> Result<Url, BotError> {
    let Some(url) = configured else {
        // An address always makes a URL.
        return Url::parse(&format!("http://{address}/")).map_err(|_| BotError::Listen {
            address,
            source: std::io::ErrorKind::InvalidInput.into(),
        });
    };
    let usable =
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none();
    if usable {
        Ok(url)
    } else {
        Err(BotError::PublicUrl(url))
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

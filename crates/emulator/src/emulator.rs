//! The emulator as a program sees it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use axum::{Router, middleware};
use switchboard_signaling::clock;
use switchboard_transport::TransportError;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use url::{Origin, Url};

use crate::cloud::{Cloud, Registration};
use crate::config::{App, EmulatorConfig, EmulatorError, registrations};
use crate::identity::{Identity, KeyRing};
use crate::network::Network;
use crate::phone::{Phone, PhoneRole, PhoneUser};
use crate::shell::{Counts, Hub, Outside, Settings};
use crate::timeline::Timeline;
use crate::tls::{Tls, TlsListener};
use crate::{admin, graph, identity, page, shell, spoil};

/// Messages that may wait for an in-process phone.
const PHONE_QUEUE: usize = 256;
/// Requests that are being answered at the end get this long.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// Commands that may wait from one.
const COMMAND_QUEUE: usize = 16;

/// A running emulator. Dropping it ends it at once; [`stop`](Self::stop) lets calls
/// end in order.
pub struct Emulator {
    hub: Arc<Hub>,
    base: Url,
    address: SocketAddr,
    tenant: String,
    server: JoinHandle<()>,
}

impl Emulator {
    /// Starts listening; when this returns, requests are answered.
    ///
    /// # Errors
    /// [`EmulatorError`]: a port is taken, an address is not loopback without being
    /// allowed, a webhook is no address.
    pub async fn start(config: EmulatorConfig) -> Result<Self, EmulatorError> {
        let listener = listen(&config).await?;
        bind_media(&config)?;
        let address = listener
            .local_addr()
            .map_err(|source| EmulatorError::Listen {
                address: config.listen,
                source,
            })?;
        let base = match &config.public_url {
            Some(url) => check_public(url.clone())?,
            None => base_url(config.tls.as_ref(), address)?,
        };
        let key = tokio::task::spawn_blocking(KeyRing::generate)
            .await
            .map_err(|_| EmulatorError::Key("key generation was cut short"))??;
        let tenant = config.apps.first().map_or("common", |app| &app.tenant_id);
        let tenant = tenant.to_owned();
        let tls = config.tls.clone();
        let hub = hub(config, base.clone(), key, Outside::network()?)?;
        tokio::spawn(Arc::clone(&hub).keep_time());
        let server = match tls {
            Some(tls) => tokio::spawn(serve(TlsListener::new(listener, tls), Arc::clone(&hub))),
            None => tokio::spawn(serve(listener, Arc::clone(&hub))),
        };
        Ok(Self {
            hub,
            base,
            address,
            tenant,
            server,
        })
    }

    /// Where it listens; others may reach it under another address.
    pub fn listens_at(&self) -> SocketAddr {
        self.address
    }

    /// The softphone page.
    pub fn page_url(&self) -> Url {
        self.base.clone()
    }

    /// Graph's base address, `…/v1.0`.
    pub fn graph_url(&self) -> Url {
        self.below("v1.0")
    }

    /// The identity service's base address, below which tenants are.
    pub fn authority_url(&self) -> Url {
        self.base.clone()
    }

    /// The token endpoint of the first application's tenant.
    pub fn token_url(&self) -> Url {
        self.token_url_of(&self.tenant)
    }

    /// The token endpoint of a tenant.
    pub fn token_url_of(&self, tenant: &str) -> Url {
        self.below(&format!("{tenant}/oauth2/v2.0/token"))
    }

    /// The OpenID configuration that validates notifications.
    pub fn openid_configuration_url(&self) -> Url {
        self.below("v1/.well-known/OpenIdConfiguration")
    }

    /// The emulator's own REST API.
    pub fn admin_url(&self) -> Url {
        self.below("admin")
    }

    /// What ids, and the chances of faults, follow from.
    pub fn seed(&self) -> u64 {
        self.hub.seed()
    }

    /// Ends all calls and forgets everything but applications, phones and keys: what follows is
    /// as after a start with the same seed.
    pub async fn reset(&self) {
        self.hub.reset().await;
    }

    /// The same, but ids go on, so that a bot takes no call for one that it had: for what is to
    /// find everything as it was left by nobody.
    pub async fn forget(&self) {
        self.hub.forget().await;
    }

    /// Registers, or changes, the calling webhook of an application, in all its tenants.
    ///
    /// # Errors
    /// There is no such application, or the webhook is no http or https URL.
    pub fn set_webhook(&self, client_id: &str, webhook: Url) -> Result<(), EmulatorError> {
        set_webhook(&self.hub, client_id, webhook)
    }

    /// The calling webhook of an application, once there is one.
    pub fn webhook_of(&self, client_id: &str) -> Option<Url> {
        let apps = self.hub.apply(|cloud, _| cloud.registered());
        let mut own = apps.into_iter().filter(|(id, _, _)| id == client_id);
        own.find_map(|(_, _, webhook)| webhook)
    }

    /// A phone inside the process, registered like one on the page.
    pub async fn phone(&self, name: &str, role: PhoneRole) -> Phone {
        phone(&self.hub, &PhoneUser::default(), name, role)
    }

    /// The same for a user of whom more is known: with an object id, so that bots can be
    /// configured to call them, or a tenant.
    pub async fn phone_of(&self, user: &PhoneUser, name: &str, role: PhoneRole) -> Phone {
        phone(&self.hub, user, name, role)
    }

    /// What happens in calls.
    pub fn timeline(&self) -> Timeline {
        Timeline::new(Arc::downgrade(&self.hub))
    }

    /// How much is alive.
    pub fn counts(&self) -> Counts {
        self.hub.counts()
    }

    /// Ends all calls, tells everyone concerned, and stops listening.
    pub async fn stop(mut self) {
        self.hub.stop().await;
        let _ = tokio::time::timeout(LAST_ANSWERS, &mut self.server).await;
        self.server.abort();
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    fn below(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.hub.let_go();
        self.server.abort();
    }
}

/// The state of an emulator that is reached at `base`.
pub(crate) fn hub(
    config: EmulatorConfig,
    base: Url,
    key: KeyRing,
    outside: Outside,
) -> Result<Arc<Hub>, EmulatorError> {
    // Short enough for every reader of JSON and TOML.
    let seed = config
        .seed
        .unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 32);
    let mut cloud = Cloud::new(seed)
        .limited_to(config.concurrent_calls)
        .allowing(origins(config.allowed_origins)?)
        .dated(clock::now(), clock::wall().into());
    for (key, app) in registrations(&config.apps) {
        cloud.register_app(&key, registration(app)?);
    }
    let identity = Identity::new(key, &config.apps, &config.roles);
    let settings = Settings {
        base,
        scheme: scheme(config.tls.as_ref()),
        transport: config.transport,
        seed,
        lenient: config.lenient,
        network: Network::of(config.network)?,
    };
    Ok(Hub::new(cloud, identity, settings, outside))
}

/// Registers the webhook of an application in all its tenants.
pub(crate) fn set_webhook(
    hub: &Arc<Hub>,
    client_id: &str,
    webhook: Url,
) -> Result<(), EmulatorError> {
    let webhook = check_webhook(webhook)?;
    match hub.apply(|cloud, _| cloud.set_webhook(client_id, &webhook)) {
        true => Ok(()),
        false => Err(EmulatorError::UnknownApp {
            client_id: client_id.to_owned(),
        }),
    }
}

/// A phone inside the process.
pub(crate) fn phone(hub: &Arc<Hub>, user: &PhoneUser, name: &str, role: PhoneRole) -> Phone {
    let (outlet, events) = mpsc::channel(PHONE_QUEUE);
    let (commands, received) = mpsc::channel(COMMAND_QUEUE);
    let id = hub.attach(user, name, role, outlet);
    tokio::spawn(Arc::clone(hub).serve_phone(id, received));
    Phone { commands, events }
}

async fn listen(config: &EmulatorConfig) -> Result<TcpListener, EmulatorError> {
    let address = config.listen;
    loopback_or_allowed(address, config)?;
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| not_bound(address, source))
}

/// Binds the port of the emulator's own media, which would else be bound, and found to be
/// taken, when the first call is.
fn bind_media(config: &EmulatorConfig) -> Result<(), EmulatorError> {
    match config.transport.local_address() {
        Ok(address) => loopback_or_allowed(address, config),
        Err(TransportError::Socket { bind, source }) => Err(not_bound(bind, source)),
        Err(error) => Err(EmulatorError::Listen {
            address: config.listen,
            source: std::io::Error::other(error),
        }),
    }
}

fn loopback_or_allowed(address: SocketAddr, config: &EmulatorConfig) -> Result<(), EmulatorError> {
    match address.ip().is_loopback() || config.allow_remote {
        true => Ok(()),
        false => Err(EmulatorError::NotLoopback { address }),
    }
}

fn not_bound(address: SocketAddr, source: std::io::Error) -> EmulatorError {
    match source.kind() {
        std::io::ErrorKind::AddrInUse => EmulatorError::PortInUse { address },
        _ => EmulatorError::Listen { address, source },
    }
}

/// Where the emulator can be reached from this machine.
fn base_url(tls: Option<&Tls>, address: SocketAddr) -> Result<Url, EmulatorError> {
    let mut reachable = address;
    if address.ip().is_unspecified() {
        reachable.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let scheme = scheme(tls);
    Url::parse(&format!("{scheme}://{reachable}/")).map_err(|error| EmulatorError::Listen {
        address,
        source: std::io::Error::other(error),
    })
}

/// What its port speaks.
fn scheme(tls: Option<&Tls>) -> &'static str {
    match tls {
        Some(_) => "https",
        None => "http",
    }
}

fn check_public(url: Url) -> Result<Url, EmulatorError> {
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    match bare && is_web(&url) && url.username().is_empty() && url.password().is_none() {
        true => Ok(url),
        false => Err(EmulatorError::PublicUrl { url }),
    }
}

fn registration(app: &App) -> Result<Registration, EmulatorError> {
    Ok(Registration {
        tenant: app.tenant_id.clone(),
        webhook: app.webhook.clone().map(check_webhook).transpose()?,
    })
}

fn origins(urls: Vec<Url>) -> Result<Vec<Origin>, EmulatorError> {
    let origin = |url: Url| match is_web(&url) {
        true => Ok(url.origin()),
        false => Err(EmulatorError::Origin { url }),
    };
    urls.into_iter().map(origin).collect()
}

fn check_webhook(url: Url) -> Result<Url, EmulatorError> {
    match is_web(&url) {
        true => Ok(url),
        false => Err(EmulatorError::Webhook { url }),
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// All that is served.
pub(crate) fn router(hub: &Arc<Hub>) -> Router {
    let faults = middleware::from_fn_with_state(Arc::clone(hub), spoil::beside_graph);
    let beside_graph = shell::recordings().merge(identity::router()).layer(faults);
    let router: Router<Arc<Hub>> = Router::new()
        .merge(page::router())
        .merge(shell::router())
        .merge(beside_graph)
        .merge(admin::router(hub))
        .merge(graph::router(hub));
    router.with_state(Arc::clone(hub))
}

async fn serve<L>(listener: L, hub: Arc<Hub>)
where
    L: Listener<Addr = SocketAddr>,
{
    let until = Arc::clone(&hub);
    let server = axum::serve(listener, router(&hub))
        .with_graceful_shutdown(async move { until.stopped().await });
    if let Err(error) = server.await {
        tracing::error!(%error, "the emulator no longer answers");
    }
}

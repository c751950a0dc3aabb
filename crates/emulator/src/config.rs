//! What the emulator is told at its start, and why it may not start.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use secrecy::SecretString;
use switchboard_transport::Transport;
use url::Url;

use crate::network::{NetworkRule, NetworkRuleError};
use crate::tls::Tls;

/// An application registered with an emulated tenant. One that several tenants have consented to
/// is several of these, each with its tenant and the same client id.
#[derive(Debug, Clone)]
pub struct App {
    /// The tenant that consented to it.
    pub tenant_id: String,
    /// Its application (client) id.
    pub client_id: String,
    /// Its client secret.
    pub client_secret: SecretString,
    /// Its calling webhook; [`Emulator::set_webhook`](crate::Emulator::set_webhook)
    /// can give it later. Everything the emulator fetches or posts for this
    /// application stays on the webhook's origin and on
    /// [`allowed_origins`](EmulatorConfig::allowed_origins).
    pub webhook: Option<Url>,
}

/// How the emulator is started.
#[derive(Clone)]
#[non_exhaustive]
pub struct EmulatorConfig {
    /// The one TCP address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether an address other than loopback is meant. The emulator's phones can
    /// be used by whoever reaches it.
    pub allow_remote: bool,
    /// Where others reach the emulator, if that is not where it listens: in a container, behind
    /// a proxy. Every address it tells is below this one.
    pub public_url: Option<Url>,
    /// Makes the TCP port speak TLS, and nothing else, if there is one: every address that is
    /// told is then `https`.
    pub tls: Option<Tls>,
    /// Makes service-hosted and bridged media.
    pub transport: Transport,
    /// The registered applications.
    pub apps: Vec<App>,
    /// Makes ids, and the chances of faults, reproducible. One is made up if left out, and
    /// told by [`Emulator::seed`](crate::Emulator::seed).
    pub seed: Option<u64>,
    /// Whether unknown properties in requests, the rules for telephones and tenants, missing
    /// permissions and too many requests are overlooked. Graph overlooks none of them.
    pub lenient: bool,
    /// The permissions (app roles) of applications, by client id, or by client id and tenant as
    /// `CLIENT@TENANT`; all permissions on calls for those that aren't named.
    pub roles: BTreeMap<String, Vec<String>>,
    /// Calls an application may have at once; Graph documents 100.
    pub concurrent_calls: usize,
    /// Where applications may be found beside their webhook's origin, for example their
    /// other instances.
    pub allowed_origins: Vec<Url>,
    /// What packets of phones suffer.
    pub network: Vec<NetworkRule>,
}

impl EmulatorConfig {
    /// An emulator at `listen` without applications.
    pub fn new(listen: SocketAddr, transport: Transport) -> Self {
        Self {
            listen,
            allow_remote: false,
            public_url: None,
            tls: None,
            transport,
            apps: Vec::new(),
            seed: None,
            lenient: false,
            roles: BTreeMap::new(),
            concurrent_calls: 100,
            allowed_origins: Vec::new(),
            network: Vec::new(),
        }
    }

    /// The same with another application.
    #[must_use]
    pub fn with_app(mut self, app: App) -> Self {
        self.apps.push(app);
        self
    }

    /// The same with reproducible ids, if there is a seed.
    #[must_use]
    pub fn with_seed(mut self, seed: Option<u64>) -> Self {
        self.seed = seed;
        self
    }

    /// The same with an application that has these permissions only, for example
    /// `Calls.Initiate.All`.
    #[must_use]
    pub fn with_roles<R: Into<String>>(
        mut self,
        client_id: impl Into<String>,
        roles: impl IntoIterator<Item = R>,
    ) -> Self {
        let roles = roles.into_iter().map(Into::into).collect();
        self.roles.insert(client_id.into(), roles);
        self
    }
}

/// What tells an application's registrations apart: its client id in the first tenant that it is
/// registered in, with the tenant after it in others.
pub(crate) fn registrations(apps: &[App]) -> Vec<(String, &App)> {
    let mut homes: BTreeMap<&str, &str> = BTreeMap::new();
    let key = |app| {
        let App {
            client_id,
            tenant_id,
            ..
        }: &App = app;
        let home = *homes.entry(client_id).or_insert(tenant_id);
        let key = match home.eq_ignore_ascii_case(tenant_id) {
            true => client_id.clone(),
            false => in_tenant(client_id, tenant_id),
        };
        (key, app)
    };
    apps.iter().map(key).collect()
}

/// How an application is known in a tenant that is not its first.
pub(crate) fn in_tenant(client_id: &str, tenant: &str) -> String {
    format!("{client_id}@{}", tenant.to_ascii_lowercase())
}

/// The client id of a registration.
pub(crate) fn client_id(registration: &str) -> &str {
    registration.split('@').next().unwrap_or_default()
}

/// Why the emulator can't start or do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The address is taken.
    #[error("{address} is in use: stop the program that has it, or choose another port")]
    PortInUse {
        /// Which.
        address: SocketAddr,
    },
    /// The address can't be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Others could reach it, and nobody said that they may.
    #[error(
        "{address} can be reached from other machines: listen on a loopback address such as 127.0.0.1, or allow it (--allow-remote)"
    )]
    NotLoopback {
        /// Which.
        address: SocketAddr,
    },
    /// An address that nothing can be below.
    #[error(
        "{url} cannot be the public URL: it must be an http or https URL with a host and no path"
    )]
    PublicUrl {
        /// What was given.
        url: Url,
    },
    /// No signing key could be made.
    #[error("no signing key could be made: {0}")]
    Key(&'static str),
    /// An HTTP client couldn't be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
    /// No such application.
    #[error("no application {client_id} is registered with the emulator")]
    UnknownApp {
        /// The client id asked for.
        client_id: String,
    },
    /// A rule for the network that can't be.
    #[error("a rule for the network: {0}")]
    Network(#[from] NetworkRuleError),
    /// An origin that nothing can be fetched from.
    #[error("{url} cannot be an allowed origin: it must be an http or https URL with a host")]
    Origin {
        /// What was given.
        url: Url,
    },
    /// A webhook that can't be called.
    #[error("{url} cannot be a webhook: it must be an http or https URL with a host")]
    Webhook {
        /// Which.
        url: Url,
    },
}

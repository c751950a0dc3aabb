//! What a bot needs to know.

use std::net::SocketAddr;

use secrecy::SecretString;
use switchboard_signaling::auth::{
    Authenticator, DEFAULT_OPENID_CONFIGURATION, KeySource, KeySourceError, PolicyError,
    TokenPolicy, TokenValidator,
};
use switchboard_signaling::carrier::Http;
use switchboard_signaling::client::{ConfigError, GraphClient, GraphConfig};
use switchboard_signaling::token::{TokenConfig, TokenProvider};
use url::Url;

use crate::flow::Farewell;
use crate::hook::Hooks;

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

/// An instance of the application: a resource account that has a phone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationInstance {
    /// What flows call it.
    pub name: String,
    /// Its object id.
    pub id: String,
    /// Its number (E.164).
    pub number: Option<String>,
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
    /// Tenants whose calls are taken; all if empty.
    pub tenants: Vec<String>,
    /// The application's instances, by whose numbers it is called, and in whose name it calls
    /// numbers: in that of the first, unless the flow names another.
    pub instances: Vec<ApplicationInstance>,
    /// Where [`Bot::drain`](super::Bot::drain) passes callers on to at its deadline; it hangs
    /// up if not given.
    pub farewell: Option<Farewell>,
    /// How requests travel, if not over the network.
    pub http: Option<Http>,
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
    /// Who may bring calls' media can't be told.
    #[error(transparent)]
    AzureMedia(#[from] super::AzureMediaError),
    /// No HTTP client for web hooks.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

impl BotError {
    pub(super) fn client(error: reqwest::Error) -> Self {
        Self::Client(error.without_url().to_string())
    }
}

impl BotConfig {
    /// An application of a tenant, in Microsoft's cloud, listening at `listen`.
    pub fn new(
        listen: SocketAddr,
        tenant_id: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: SecretString,
    ) -> Self {
        Self {
            listen,
            public_url: None,
            tenant_id: tenant_id.into(),
            client_id: client_id.into(),
            client_secret,
            cloud: Cloud::default(),
            tenants: Vec::new(),
            instances: Vec::new(),
            farewell: None,
            http: None,
        }
    }

    pub(super) fn authenticator(&self) -> Result<Authenticator, BotError> {
        let mut policy = TokenPolicy::new(&self.client_id)?;
        for tenant in &self.tenants {
            policy = policy.with_tenant(tenant)?;
        }
        let address = &self.cloud.openid_configuration;
        let keys = match &self.http {
            Some(http) => KeySource::with_http(address, http.clone())?,
            None => KeySource::new(address)?,
        };
        Ok(Authenticator::new(TokenValidator::new(policy), keys))
    }

    pub(super) fn graph_client(&self) -> Result<GraphClient, BotError> {
        let tokens = TokenConfig {
            authority: self.cloud.authority.clone(),
            ..TokenConfig::new(&self.tenant_id, &self.client_id, self.client_secret.clone())
        };
        let graph = GraphConfig {
            base_url: self.cloud.graph.clone(),
            ..GraphConfig::default()
        };
        Ok(match &self.http {
            Some(http) => {
                let tokens = TokenProvider::with_http(tokens, http.clone())?;
                GraphClient::with_http(graph, tokens, http.clone())?
            }
            None => GraphClient::new(graph, TokenProvider::new(tokens)?)?,
        })
    }

    pub(super) fn hooks(&self) -> Result<Hooks, BotError> {
        match &self.http {
            Some(http) => Ok(Hooks::with(http.client().clone())),
            None => Hooks::new().map_err(BotError::client),
        }
    }

    pub(super) fn public_url(&self, address: SocketAddr) -> Result<Url, BotError> {
        let Some(url) = self.public_url.clone() else {
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
}

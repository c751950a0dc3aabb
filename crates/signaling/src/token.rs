//! Access tokens for Graph: OAuth 2.0 client credentials against the Microsoft identity
//! platform (v2.0 endpoint), cached and renewed ahead of time.

mod cache;
mod certificate;
mod response;
mod source;
mod tenants;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;
use uuid::Uuid;

use crate::carrier::{Http, SendError};
use crate::clock;
use crate::http_client::{self, ConfigError, ReadError};

pub use cache::{Bearer, Freshness, Grant, TokenCache};
pub use certificate::{Certificate, CertificateError};
pub use response::{TokenError, read_token_response};
pub use source::{SecretError, SecretSource};
pub use tenants::TenantTokens;

/// How the application proves who it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credential {
    /// A client secret.
    Secret(SecretString),
    /// A certificate, which never leaves the application.
    Certificate(Certificate),
    /// An access token obtained elsewhere, a signed-in user's for one. The identity service
    /// isn't asked, and the token can't be renewed.
    Token(SecretString),
}

/// Where tokens come from, and for whom.
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// The identity service: `https://login.microsoftonline.com`, a national cloud's, or the
    /// emulator's address.
    pub authority: String,
    /// The tenant's id or domain name.
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
    /// The application's proof.
    pub credential: Credential,
    /// What the token is for: Graph's address followed by `/.default`.
    pub scope: String,
    /// How long one exchange with the identity service may take.
    pub timeout: Duration,
}

impl TokenConfig {
    /// The global cloud's identity service, Graph's scope, and 5 s for an exchange.
    pub fn new(
        tenant: impl Into<String>,
        client_id: impl Into<String>,
        secret: SecretString,
    ) -> Self {
        Self {
            authority: "https://login.microsoftonline.com".to_owned(),
            tenant: tenant.into(),
            client_id: client_id.into(),
            credential: Credential::Secret(secret),
            scope: "https://graph.microsoft.com/.default".to_owned(),
            timeout: Duration::from_secs(5),
        }
    }
}

/// Hands out access tokens of one tenant. Clones share the cache.
///
/// However many callers ask, one exchange with the identity service is under way at a time,
/// and its outcome is everyone's. A cached token that hasn't expired is handed out while the
/// service is slow or down; renewal then runs beside the calls.
#[derive(Clone)]
pub struct TokenProvider {
    inner: Arc<Inner>,
}

struct Inner {
    config: TokenConfig,
    endpoint: Url,
    http: Http,
    state: Mutex<State>,
    /// Held while an exchange is under way.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    cache: TokenCache,
    renewing: bool,
    /// How many exchanges have ended.
    exchanges: u64,
    last: Option<Result<Bearer, TokenError>>,
}

impl fmt::Debug for TokenProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenProvider")
            .field("endpoint", &self.inner.endpoint.as_str())
            .field("client_id", &self.inner.config.client_id)
            .finish_non_exhaustive()
    }
}

impl TokenProvider {
    /// A provider with an empty cache; nothing is sent yet.
    pub fn new(config: TokenConfig) -> Result<Self, ConfigError> {
        let endpoint = endpoint_of(&config)?;
        let http = http_client::client(&endpoint, config.timeout / 2, config.timeout)?;
        Self::with_http(config, Http::network(http))
    }

    /// A provider whose requests go by `http`.
    pub fn with_http(config: TokenConfig, http: Http) -> Result<Self, ConfigError> {
        let endpoint = endpoint_of(&config)?;
        let http = http.within(config.timeout);
        let inner = Inner {
            config,
            endpoint,
            http,
            state: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// A token that hasn't expired, from the cache if there is one.
    pub async fn bearer(&self) -> Result<Bearer, TokenError> {
        let freshness = self.inner.state().cache.look(clock::now());
        match freshness {
            Freshness::Fresh(bearer) => Ok(bearer),
            Freshness::RefreshSoon(bearer) => {
                self.renew_beside();
                Ok(bearer)
            }
            Freshness::Expired => self.inner.fetch().await,
        }
    }

    /// A token in place of one that Graph refused.
    pub async fn replace(&self, refused: &Bearer) -> Result<Bearer, TokenError> {
        self.inner.state().cache.reject(refused);
        self.bearer().await
    }

    fn renew_beside(&self) {
        let mut state = self.inner.state();
        if std::mem::replace(&mut state.renewing, true) {
            return;
        }
        drop(state);
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            if let Err(error) = inner.fetch().await {
                tracing::warn!(%error, "renewing the access token failed; the cached one is used");
            }
            inner.state().renewing = false;
        });
    }
}

impl Inner {
    /// The state is plain data, consistent between any two statements: a panic elsewhere
    /// doesn't spoil it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One exchange for all who ask while it is under way.
    async fn fetch(&self) -> Result<Bearer, TokenError> {
        let ended = self.state().exchanges;
        let _flight = self.flight.lock().await;
        if let Some(outcome) = self.outcome_after(ended) {
            return outcome;
        }
        let asked_at = clock::now();
        let granted = self.exchange().await;
        self.settle(granted, asked_at)
    }

    /// The outcome of an exchange that ended after `ended` others.
    fn outcome_after(&self, ended: u64) -> Option<Result<Bearer, TokenError>> {
        let state = self.state();
        let newer = state.exchanges != ended;
        newer.then(|| state.last.clone())?
    }

    fn settle(
        &self,
        granted: Result<Grant, TokenError>,
        asked_at: Instant,
    ) -> Result<Bearer, TokenError> {
        let mut state = self.state();
        let outcome = match granted {
            Ok(grant) => Ok(state.cache.store(grant, asked_at)),
            Err(error) => {
                state.cache.renewal_failed(clock::now());
                Err(error)
            }
        };
        state.exchanges += 1;
        state.last = Some(outcome.clone());
        outcome
    }

    async fn exchange(&self) -> Result<Grant, TokenError> {
        let proof = self.proof()?;
        let mut form = vec![
            ("client_id", self.config.client_id.as_str()),
            ("scope", self.config.scope.as_str()),
            ("grant_type", "client_credentials"),
        ];
        match &proof {
            Proof::Secret(secret) => form.push(("client_secret", secret.expose_secret())),
            Proof::Token(token) => return Ok(given(token)),
            Proof::Assertion(assertion) => {
                form.push(("client_assertion_type", certificate::ASSERTION_TYPE));
                form.push(("client_assertion", assertion.expose_secret()));
            }
        }
        let request = self.http.client().post(self.endpoint.clone()).form(&form);
        let response = self.http.send(request).await;
        let response = response.map_err(|error| self.unreached(&error))?;
        let status = response.status();
        let body = http_client::read_limited(response, MAX_BODY)
            .await
            .map_err(|error| match error {
                ReadError::TooLarge => TokenError::Malformed,
                ReadError::Broken(error) => self.unreached(&error.into()),
            })?;
        read_token_response(status, &body)
    }

    fn proof(&self) -> Result<Proof<'_>, TokenError> {
        let certificate = match &self.config.credential {
            Credential::Secret(secret) => return Ok(Proof::Secret(secret)),
            Credential::Token(token) => return Ok(Proof::Token(token)),
            Credential::Certificate(certificate) => certificate,
        };
        let (client_id, endpoint) = (&self.config.client_id, self.endpoint.as_str());
        let id = Uuid::new_v4().to_string();
        let assertion = certificate.assertion(client_id, endpoint, &id, clock::wall())?;
        Ok(Proof::Assertion(assertion))
    }

    fn unreached(&self, error: &SendError) -> TokenError {
        if error.is_timeout() {
            return TokenError::TimedOut {
                limit: self.config.timeout,
            };
        }
        TokenError::Unreachable {
            cause: error.cause(),
        }
    }
}

enum Proof<'c> {
    Secret(&'c SecretString),
    Assertion(SecretString),
    Token(&'c SecretString),
}

/// A token that is used until Graph refuses it.
fn given(token: &SecretString) -> Grant {
    Grant {
        secret: token.clone(),
        lifetime: Duration::from_secs(3600),
        renew_in: None,
    }
}

/// Tokens are a few kilobytes.
const MAX_BODY: usize = 64 * 1024;

fn endpoint_of(config: &TokenConfig) -> Result<Url, ConfigError> {
    let authority = "https://login.microsoftonline.com";
    let base = http_client::base_url("authority", &config.authority, authority)?;
    token_endpoint(base, &config.tenant)
}

/// `{authority}/{tenant}/oauth2/v2.0/token`
fn token_endpoint(mut base: Url, tenant: &str) -> Result<Url, ConfigError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let named = (1..=253).contains(&tenant.len())
        && tenant.bytes().all(allowed)
        && tenant.bytes().any(|byte| byte.is_ascii_alphanumeric());
    match base.path_segments_mut() {
        Ok(mut path) if named => {
            path.pop_if_empty();
            path.extend([tenant, "oauth2", "v2.0", "token"]);
        }
        _ => return Err(ConfigError::Tenant),
    }
    Ok(base)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn endpoint(authority: &str, tenant: &str) -> Result<String, ConfigError> {
        let base = http_client::base_url("authority", authority, "")?;
        token_endpoint(base, tenant).map(String::from)
    }

    #[test]
    fn the_endpoint_is_the_tenants() {
        assert_eq!(
            endpoint("https://login.microsoftonline.com/", "contoso.com").unwrap(),
            "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token"
        );
        assert_eq!(
            endpoint("http://127.0.0.1:9000/idp", "t-1").unwrap(),
            "http://127.0.0.1:9000/idp/t-1/oauth2/v2.0/token"
        );
    }

    #[test]
    fn a_tenant_cannot_lead_elsewhere() {
        for tenant in ["", "..", ".", "a/b", "a?b", "a#b", "a b", "ä", "%2e%2e"] {
            let found = endpoint("https://login.microsoftonline.com", tenant);
            assert_eq!(found, Err(ConfigError::Tenant), "{tenant}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let config = TokenConfig::new("t", "app", SecretString::from("hush-hush".to_owned()));
        assert!(!format!("{config:?}").contains("hush"));
        let provider = TokenProvider::new(config).unwrap();
        assert!(!format!("{provider:?}").contains("hush"));
    }
}

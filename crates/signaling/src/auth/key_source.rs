//! Fetching the issuer's configuration and keys: the IO around [`JwksCache`].

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use reqwest::{Client, redirect};
use serde::Deserialize;
use tracing::{info, warn};
use url::{Host, Url};

use crate::carrier::{Http, SendError};
use crate::clock;

use super::jwks::{FetchCause, FetchDecision, JwksCache, JwksError, KeySet};

/// Where Microsoft publishes the configuration of the issuer of calling notifications.
pub const DEFAULT_OPENID_CONFIGURATION: &str =
    "https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration";

/// Microsoft's own domains; a configuration may point to keys there.
const KEY_DOMAINS: [&str; 2] = ["skype.com", "botframework.com"];
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_CONFIGURATION_BYTES: usize = 64 * 1024;
const MAX_JWKS_BYTES: usize = 512 * 1024;

/// Why the keys couldn't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeySourceError {
    /// The configuration's address isn't usable.
    #[error(
        "the OpenID configuration's address {0} is not https (http is accepted on loopback only)"
    )]
    InsecureAddress(Url),
    /// The text isn't an address at all.
    #[error("the OpenID configuration's address is not a URL: {0}")]
    Address(#[from] url::ParseError),
    /// The configuration points to keys somewhere else.
    #[error(
        "the OpenID configuration points to keys at {0}, which is neither its own origin nor a Microsoft domain that may hold them"
    )]
    ForeignKeys(Url),
    /// The configuration is another issuer's (OpenID Connect Discovery 1.0 §4.3).
    #[error(
        "the OpenID configuration at {0} names another issuer: give the issuer as it names itself"
    )]
    OtherIssuer(Url),
    /// The request failed or timed out.
    #[error("the identity service could not be reached: {0}")]
    Http(#[from] SendError),
    /// The answer isn't 200.
    #[error("the identity service answered {status} for {url}")]
    Status {
        /// The address asked.
        url: Url,
        /// The status.
        status: u16,
    },
    /// The answer is larger than these documents ever are.
    #[error("the answer of {0} is too large")]
    TooLarge(Url),
    /// The configuration isn't JSON with a `jwks_uri`.
    #[error("the OpenID configuration is not understood: {0}")]
    Configuration(#[source] serde_json::Error),
    /// The key set can't be used.
    #[error(transparent)]
    Jwks(#[from] JwksError),
}

#[derive(Deserialize)]
struct OpenIdConfiguration {
    #[serde(default)]
    issuer: String,
    jwks_uri: Url,
}

/// The issuer's keys, fetched when [`JwksCache`] says so and by one task at a time.
#[derive(Debug, Clone)]
pub struct KeySource {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    configuration: Url,
    /// The one that the configuration has to name; any of Microsoft's if there is none.
    issuer: Option<String>,
    http: Http,
    cache: RwLock<JwksCache>,
    turn: tokio::sync::Mutex<()>,
}

impl KeySource {
    /// Keys named by the OpenID configuration at `configuration`
    /// (normally [`DEFAULT_OPENID_CONFIGURATION`]). Nothing is fetched yet.
    ///
    /// # Errors
    /// [`KeySourceError::Address`] and [`KeySourceError::InsecureAddress`]: it must be an
    /// `https` URL; `http` is accepted for a loopback host, where the emulator is.
    pub fn new(configuration: &str) -> Result<Self, KeySourceError> {
        Self::with_http(configuration, network()?)
    }

    /// Keys of an OpenID provider, found by discovery (OpenID Connect Discovery 1.0 §4): at
    /// the issuer's own origin alone, and only if the configuration names `issuer` exactly.
    ///
    /// # Errors
    /// As those of [`new`](Self::new), with the address of the configuration.
    pub fn of_issuer(issuer: &str) -> Result<Self, KeySourceError> {
        let base = issuer.strip_suffix('/').unwrap_or(issuer);
        let configuration = Url::parse(&format!("{base}/.well-known/openid-configuration"))?;
        Self::build(configuration, Some(issuer.to_owned()), network()?)
    }

    /// The same with requests that go by `http`.
    ///
    /// # Errors
    /// As those of [`new`](Self::new).
    pub fn with_http(configuration: &str, http: Http) -> Result<Self, KeySourceError> {
        Self::build(Url::parse(configuration)?, None, http)
    }

    fn build(
        configuration: Url,
        issuer: Option<String>,
        http: Http,
    ) -> Result<Self, KeySourceError> {
        if !is_secure(&configuration) {
            return Err(KeySourceError::InsecureAddress(configuration));
        }
        let http = http.within(FETCH_TIMEOUT);
        Ok(Self {
            shared: Arc::new(Shared {
                configuration,
                issuer,
                http,
                cache: RwLock::default(),
                turn: tokio::sync::Mutex::new(()),
            }),
        })
    }

    /// Runs `read` with the keys known now; it must not wait for anything.
    pub fn with_keys<T>(&self, read: impl FnOnce(&KeySet) -> T) -> T {
        let cache = self.shared.cache.read();
        read(cache.unwrap_or_else(PoisonError::into_inner).keys())
    }

    /// Fetches the keys if `cause` earns it, or waits for the fetch that is under way.
    ///
    /// The fetch runs in a task of its own: a caller who goes away doesn't cut it short, and
    /// so can't use up the budget without an effect.
    pub async fn refresh(&self, cause: FetchCause) {
        let generation = self.shared.with_cache(|cache| cache.generation());
        let shared = self.shared.clone();
        let fetch = tokio::spawn(async move {
            let _turn = shared.turn.lock().await;
            shared.refresh(cause, generation).await;
        });
        // An error means the runtime is shutting down.
        let _ = fetch.await;
    }

    /// When [`refresh`](Self::refresh) with [`FetchCause::Refresh`] is next due.
    pub fn next_refresh(&self) -> Option<Instant> {
        self.shared.with_cache(|cache| cache.poll_timeout())
    }
}

impl Shared {
    fn with_cache<T>(&self, act: impl FnOnce(&mut JwksCache) -> T) -> T {
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        act(&mut cache)
    }

    /// `seen` is the generation of the keys the caller missed something in: if newer ones came
    /// while it waited for its turn, it wants to look again, not to fetch.
    async fn refresh(&self, cause: FetchCause, seen: u64) {
        let decision = self.with_cache(|cache| {
            if cache.generation() == seen {
                cache.want_fetch(clock::now(), cause)
            } else {
                FetchDecision::NotNow
            }
        });
        if decision != FetchDecision::Fetch {
            return;
        }
        match self.fetch().await {
            Ok(keys) => {
                info!(keys = keys.len(), ?cause, "fetched the issuer's keys");
                self.with_cache(|cache| cache.handle_keys(clock::now(), keys));
            }
            Err(error) => {
                warn!(%error, ?cause, "could not fetch the issuer's keys");
                self.with_cache(|cache| cache.handle_failure(clock::now()));
            }
        }
    }

    async fn fetch(&self) -> Result<KeySet, KeySourceError> {
        let configuration = self
            .get(&self.configuration, MAX_CONFIGURATION_BYTES)
            .await?;
        let configuration: OpenIdConfiguration =
            serde_json::from_slice(&configuration).map_err(KeySourceError::Configuration)?;
        let jwks_uri = configuration.jwks_uri;
        let may_hold_keys = match &self.issuer {
            Some(issuer) if *issuer != configuration.issuer => {
                return Err(KeySourceError::OtherIssuer(self.configuration.clone()));
            }
            Some(_) => jwks_uri.origin() == self.configuration.origin(),
            None => may_hold_keys(&self.configuration, &jwks_uri),
        };
        if !may_hold_keys {
            return Err(KeySourceError::ForeignKeys(jwks_uri));
        }
        let jwks = self.get(&jwks_uri, MAX_JWKS_BYTES).await?;
        Ok(KeySet::from_jwks(&jwks)?)
    }

    async fn get(&self, url: &Url, limit: usize) -> Result<Vec<u8>, KeySourceError> {
        let request = self.http.client().get(url.clone());
        let mut response = self.http.send(request).await?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(KeySourceError::Status {
                url: url.clone(),
                status: response.status().as_u16(),
            });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(SendError::Network)? {
            if body.len() + chunk.len() > limit {
                return Err(KeySourceError::TooLarge(url.clone()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn network() -> Result<Http, KeySourceError> {
    let client = Client::builder()
        .timeout(FETCH_TIMEOUT)
        .redirect(redirect::Policy::none())
        .build()
        .map_err(SendError::Network)?;
    Ok(Http::network(client))
}

fn is_secure(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

fn may_hold_keys(configuration: &Url, keys: &Url) -> bool {
    keys.origin() == configuration.origin() || (keys.scheme() == "https" && is_microsoft(keys))
}

fn is_microsoft(url: &Url) -> bool {
    let Some(Host::Domain(host)) = url.host() else {
        return false;
    };
    let within = |domain: &str| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    KEY_DOMAINS.into_iter().any(within) && url.port_or_known_default() == Some(443)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_configuration_must_be_https_or_on_loopback() {
        for good in [
            DEFAULT_OPENID_CONFIGURATION,
            "http://127.0.0.1:9/c",
            "http://[::1]/c",
            "http://localhost/c",
        ] {
            assert!(KeySource::new(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.aps.skype.com/c",
            "file:///etc/passwd",
            "http://localhost.example.com/",
            "keys",
        ] {
            assert!(KeySource::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_come_from_the_same_origin_or_microsoft() {
        let ours = url("http://127.0.0.1:4000/.well-known/openid-configuration");
        for good in [
            "http://127.0.0.1:4000/keys",
            "https://api.aps.skype.com/v1/keys",
            "https://login.botframework.com/v1/.well-known/keys",
        ] {
            assert!(may_hold_keys(&ours, &url(good)), "{good}");
        }
        for bad in [
            "http://127.0.0.1:4001/keys",
            "http://api.aps.skype.com/v1/keys",
            "https://evilskype.com/keys",
            "https://skype.com.evil.example/keys",
            "https://api.aps.skype.com:8443/keys",
            "https://169.254.169.254/keys",
        ] {
            assert!(!may_hold_keys(&ours, &url(bad)), "{bad}");
        }
    }
}

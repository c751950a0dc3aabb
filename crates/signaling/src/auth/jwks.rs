//! The keys tokens are signed with, and when to fetch them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use super::signing_key::{SigningKey, usable};

/// A fetch for an unknown `kid` is followed by at least this long without another.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// Keys this old are fetched again, so that withdrawn keys disappear and new ones are mostly
/// known before the first token signed with them.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// After a failed fetch the wait doubles from here up to [`UNKNOWN_KEY_INTERVAL`].
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// While there are no keys at all no call can be taken, so the wait grows no longer than this:
/// the issuer may have been started after us.
const KEYLESS_RETRY: Duration = Duration::from_secs(10);
/// A fetch that never reported back is forgotten after this long.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);
/// More keys than any issuer publishes.
const MAX_KEYS: usize = 128;

/// The usable keys of a JSON Web Key Set (RFC 7517), by `kid`.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: HashMap<String, SigningKey>,
}

/// A key set that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// Not the JSON of RFC 7517 §5.
    #[error("the key set is not a JSON Web Key Set: {0}")]
    Json(#[from] serde_json::Error),
    /// More keys than we are willing to hold.
    #[error("the key set has {0} keys; at most {MAX_KEYS} are accepted")]
    TooManyKeys(usize),
    /// Nothing to check a token with.
    #[error(
        "the key set has no signing key with a key id that is RSA of 2048 to 8192 bits, or P-256"
    )]
    NoUsableKey,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a key set; keys that sign neither RS256 nor ES256 are left out.
    ///
    /// # Errors
    /// [`JwksError`] if it isn't one or no key is left.
    pub fn from_jwks(json: &[u8]) -> Result<Self, JwksError> {
        let jwks: Jwks = serde_json::from_slice(json)?;
        if jwks.keys.len() > MAX_KEYS {
            return Err(JwksError::TooManyKeys(jwks.keys.len()));
        }
        let keys: HashMap<_, _> = jwks.keys.into_iter().filter_map(usable).collect();
        if keys.is_empty() {
            return Err(JwksError::NoUsableKey);
        }
        Ok(Self { keys })
    }

    /// The key with this `kid`.
    pub fn get(&self, key_id: &str) -> Option<&SigningKey> {
        self.keys.get(key_id)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Why somebody would like the keys fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchCause {
    /// A token names a key that isn't there.
    UnknownKey,
    /// Time has passed: nothing was fetched yet, or what was is getting old.
    Refresh,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchDecision {
    /// Fetch now, then report with [`JwksCache::handle_keys`] or [`JwksCache::handle_failure`].
    Fetch,
    /// Somebody is fetching.
    InFlight,
    /// There is no need, or it is too early.
    NotNow,
}

/// Known keys and the fetch budget, without IO.
///
/// The first fetch and the first one for an unknown `kid` are granted at once, so that a
/// rollover right after start is followed promptly. From then on unknown `kid`s earn one fetch
/// every five minutes, however many tokens name them. Failed fetches are retried after 5 s,
/// 10 s, 20 s and so on up to five minutes, meanwhile the old keys keep working; as long as
/// there never were any, after 10 s at most.
#[derive(Debug, Default)]
pub struct JwksCache {
    keys: KeySet,
    fetched: Option<Instant>,
    last_unknown_fetch: Option<Instant>,
    in_flight: Option<Instant>,
    failures: u32,
    retry_at: Option<Instant>,
    generation: u64,
}

impl JwksCache {
    /// A cache without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys known now.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// Grows with every key set that arrived.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a fetch is due for `cause`; if so, the caller has to do it.
    pub fn want_fetch(&mut self, now: Instant, cause: FetchCause) -> FetchDecision {
        if self.is_in_flight(now) {
            return FetchDecision::InFlight;
        }
        if !self.is_due(now, cause) {
            return FetchDecision::NotNow;
        }
        if cause == FetchCause::UnknownKey && self.fetched.is_some() {
            self.last_unknown_fetch = Some(now);
        }
        self.in_flight = Some(now);
        FetchDecision::Fetch
    }

    fn is_in_flight(&self, now: Instant) -> bool {
        let running = |since: Instant| now.saturating_duration_since(since) < FETCH_TIMEOUT;
        self.in_flight.is_some_and(running)
    }

    fn is_due(&self, now: Instant, cause: FetchCause) -> bool {
        if let Some(retry_at) = self.retry_at {
            return now >= retry_at;
        }
        let passed = |since: Option<Instant>, interval| {
            since.is_none_or(|since| now.saturating_duration_since(since) >= interval)
        };
        match cause {
            FetchCause::Refresh => passed(self.fetched, REFRESH_INTERVAL),
            FetchCause::UnknownKey => passed(self.last_unknown_fetch, UNKNOWN_KEY_INTERVAL),
        }
    }

    /// A fetch brought `keys`; they replace the old ones, so a withdrawn key is gone.
    pub fn handle_keys(&mut self, now: Instant, keys: KeySet) {
        self.keys = keys;
        self.generation += 1;
        self.fetched = Some(now);
        self.in_flight = None;
        self.failures = 0;
        self.retry_at = None;
    }

    /// A fetch failed; the keys stay and the next attempt waits.
    pub fn handle_failure(&mut self, now: Instant) {
        let wait = FIRST_RETRY.saturating_mul(1 << self.failures.min(16));
        self.in_flight = None;
        self.failures = self.failures.saturating_add(1);
        let longest = match self.keys.is_empty() {
            true => KEYLESS_RETRY,
            false => UNKNOWN_KEY_INTERVAL,
        };
        self.retry_at = Some(now + wait.min(longest));
    }

    /// When [`FetchCause::Refresh`] will next be granted, for a timer.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.retry_at
            .or(self.fetched.map(|fetched| fetched + REFRESH_INTERVAL))
    }
}

#[cfg(test)]
#[path = "jwks_tests.rs"]
mod tests;

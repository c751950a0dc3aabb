//! When a cached token is used, renewed and dropped. No IO, no clock.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;

/// An access token; clones share it. `Debug` prints nothing of it.
#[derive(Clone)]
pub struct Bearer {
    secret: Arc<SecretString>,
    serial: u64,
}

impl Bearer {
    /// The token.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(_)")
    }
}

/// What the identity service granted.
#[derive(Debug)]
pub struct Grant {
    /// The access token.
    pub secret: SecretString,
    /// How long it is good for (`expires_in`).
    pub lifetime: Duration,
    /// When the service wants it renewed (`refresh_in`), if it says.
    pub renew_in: Option<Duration>,
}

/// How good the cached token is.
#[derive(Clone, Debug)]
pub enum Freshness {
    /// Use it.
    Fresh(Bearer),
    /// Use it, and get another.
    RefreshSoon(Bearer),
    /// There is none that can be used.
    Expired,
}

/// A token and its times.
#[derive(Debug, Default)]
pub struct TokenCache {
    held: Option<Held>,
    pause_until: Option<Instant>,
    serial: u64,
}

#[derive(Debug)]
struct Held {
    bearer: Bearer,
    renew_at: Instant,
    expires_at: Instant,
}

/// Renewed this long before expiry, or in the last quarter of a short life.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// After a failed renewal the cached token is used this long before the next attempt.
const PAUSE: Duration = Duration::from_secs(30);
/// No token is believed for longer than this, whatever the service says.
const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

impl TokenCache {
    /// How good the token is at `now`. It is `RefreshSoon` only if no renewal failed lately.
    pub fn look(&self, now: Instant) -> Freshness {
        match &self.held {
            Some(held) if now < held.expires_at => {
                let bearer = held.bearer.clone();
                let paused = self.pause_until.is_some_and(|until| now < until);
                if now < held.renew_at || paused {
                    Freshness::Fresh(bearer)
                } else {
                    Freshness::RefreshSoon(bearer)
                }
            }
            _ => Freshness::Expired,
        }
    }

    /// Keeps a token that was asked for at `asked_at`: its life is counted from then, so that
    /// the time the answer took makes it shorter, never longer.
    pub fn store(&mut self, grant: Grant, asked_at: Instant) -> Bearer {
        self.serial += 1;
        let bearer = Bearer {
            secret: Arc::new(grant.secret),
            serial: self.serial,
        };
        let lifetime = grant.lifetime.min(MAX_LIFETIME);
        let own_choice = lifetime - RENEW_BEFORE.min(lifetime / 4);
        let renew_in = grant
            .renew_in
            .map_or(own_choice, |wish| wish.min(own_choice));
        self.pause_until = None;
        self.held = Some(Held {
            bearer: bearer.clone(),
            renew_at: asked_at + renew_in,
            expires_at: asked_at + lifetime,
        });
        bearer
    }

    /// A renewal failed: the cached token, if any, is used for a while before the next.
    pub fn renewal_failed(&mut self, now: Instant) {
        self.pause_until = Some(now + PAUSE);
    }

    /// Drops a token that Graph refused, unless another has taken its place.
    pub fn reject(&mut self, bearer: &Bearer) {
        let same = |held: &Held| held.bearer.serial == bearer.serial;
        if self.held.as_ref().is_some_and(same) {
            self.held = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn grant(secret: &str, lifetime: u64) -> Grant {
        Grant {
            secret: SecretString::from(secret.to_owned()),
            lifetime: Duration::from_secs(lifetime),
            renew_in: None,
        }
    }

    fn name(freshness: &Freshness) -> &'static str {
        match freshness {
            Freshness::Fresh(_) => "fresh",
            Freshness::RefreshSoon(_) => "soon",
            Freshness::Expired => "expired",
        }
    }

    #[test]
    fn a_token_is_fresh_then_renewed_then_expired() {
        let start = Instant::now();
        let mut cache = TokenCache::default();
        assert_eq!(name(&cache.look(start)), "expired");
        cache.store(grant("t", 3600), start);
        for (second, expected) in [
            (0, "fresh"),
            (3299, "fresh"),
            (3300, "soon"),
            (3599, "soon"),
            (3600, "expired"),
        ] {
            let at = start + Duration::from_secs(second);
            assert_eq!(name(&cache.look(at)), expected, "at {second} s");
        }
    }

    #[test]
    fn a_short_life_is_renewed_in_its_last_quarter() {
        let start = Instant::now();
        let mut cache = TokenCache::default();
        cache.store(grant("t", 100), start);
        assert_eq!(name(&cache.look(start + Duration::from_secs(74))), "fresh");
        assert_eq!(name(&cache.look(start + Duration::from_secs(75))), "soon");
    }

    #[test]
    fn the_service_may_ask_for_an_earlier_renewal_but_not_a_later_one() {
        let start = Instant::now();
        let mut cache = TokenCache::default();
        let wish = |seconds| Grant {
            renew_in: Some(Duration::from_secs(seconds)),
            ..grant("t", 1000)
        };
        cache.store(wish(10), start);
        assert_eq!(name(&cache.look(start + Duration::from_secs(10))), "soon");
        cache.store(wish(999_999), start);
        assert_eq!(name(&cache.look(start + Duration::from_secs(750))), "soon");
        assert_eq!(
            name(&cache.look(start + Duration::from_secs(1000))),
            "expired"
        );
    }

    #[test]
    fn while_the_service_is_down_the_cached_token_is_used_to_its_end() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let mut cache = TokenCache::default();
        cache.store(grant("t", 3600), start);
        assert_eq!(name(&cache.look(at(3400))), "soon");
        cache.renewal_failed(at(3400));
        assert_eq!(name(&cache.look(at(3429))), "fresh");
        assert_eq!(name(&cache.look(at(3430))), "soon");
        cache.renewal_failed(at(3590));
        assert_eq!(name(&cache.look(at(3600))), "expired");
    }

    #[test]
    fn a_refused_token_is_dropped_but_not_its_successor() {
        let now = Instant::now();
        let mut cache = TokenCache::default();
        let first = cache.store(grant("one", 3600), now);
        cache.store(grant("two", 3600), now);
        cache.reject(&first);
        let Freshness::Fresh(second) = cache.look(now) else {
            panic!("the second token is still good");
        };
        assert_eq!(second.secret().expose_secret(), "two");
        cache.reject(&second);
        assert_eq!(name(&cache.look(now)), "expired");
    }

    #[test]
    fn absurd_lifetimes_neither_overflow_nor_last() {
        let now = Instant::now();
        let mut cache = TokenCache::default();
        cache.store(grant("t", u64::MAX), now);
        assert_eq!(name(&cache.look(now + MAX_LIFETIME)), "expired");
        cache.store(grant("t", 0), now);
        assert_eq!(name(&cache.look(now)), "expired");
    }

    #[test]
    fn debug_shows_no_token() {
        let mut cache = TokenCache::default();
        cache.store(grant("hush-hush", 3600), Instant::now());
        assert!(!format!("{cache:?}").contains("hush"));
    }
}

//! Documented limits, kept by ourselves rather than by being refused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Requests a period may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many requests.
    pub requests: u32,
    /// In how long.
    pub period: Duration,
}

/// The limits an application keeps towards Graph; the numbers are those of
/// [Microsoft Graph service-specific throttling limits](https://learn.microsoft.com/graph/throttling-limits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Any request, of the application in all tenants.
    pub per_app: Limit,
    /// Presence, of the application in one tenant.
    pub presence_per_tenant: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_app: Limit {
                requests: 130_000,
                period: Duration::from_secs(10),
            },
            presence_per_tenant: Limit {
                requests: 1_500,
                period: Duration::from_secs(30),
            },
        }
    }
}

/// The application's limit, shared by the clients of all its tenants. Clones are the same one.
#[derive(Debug, Clone)]
pub struct AppLimiter {
    limits: Limits,
    any: Arc<Mutex<Bucket>>,
}

impl Default for AppLimiter {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl AppLimiter {
    /// Keeps `limits`.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            any: Arc::new(Mutex::new(Bucket::new(limits.per_app))),
        }
    }

    /// The limits of one tenant, below the application's.
    pub(super) fn tenant(&self) -> TenantLimiter {
        TenantLimiter {
            app: self.clone(),
            presence: Mutex::new(Bucket::new(self.limits.presence_per_tenant)),
        }
    }
}

/// What one tenant's client asks before each request.
#[derive(Debug)]
pub(super) struct TenantLimiter {
    app: AppLimiter,
    presence: Mutex<Bucket>,
}

impl TenantLimiter {
    /// Takes a request's share; how long to wait for it, if no longer than `patience`.
    pub(super) fn take(
        &self,
        now: Instant,
        path: &str,
        patience: Duration,
    ) -> Result<Duration, Duration> {
        let presence = match path.contains("/presence") || path.contains("Presence") {
            true => lock(&self.presence).take(now, patience)?,
            false => Duration::ZERO,
        };
        Ok(presence.max(lock(&self.app.any).take(now, patience)?))
    }
}

fn lock(bucket: &Mutex<Bucket>) -> std::sync::MutexGuard<'_, Bucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The generic cell rate algorithm (ITU-T I.371): one time in place of a history of requests.
///
/// A whole period's requests may come at once; then they come evenly.
#[derive(Debug)]
struct Bucket {
    interval: Duration,
    period: Duration,
    /// When the next request would come if all came evenly.
    next: Option<Instant>,
}

impl Bucket {
    fn new(limit: Limit) -> Self {
        Self {
            interval: limit.period / limit.requests.max(1),
            period: limit.period,
            next: None,
        }
    }

    fn take(&mut self, now: Instant, patience: Duration) -> Result<Duration, Duration> {
        let next = self.next.map_or(now, |next| next.max(now)) + self.interval;
        let wait = (next - now).saturating_sub(self.period);
        if wait > patience {
            return Err(wait);
        }
        self.next = Some(next);
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(requests: u32) -> Limits {
        let limit = Limit {
            requests,
            period: Duration::from_secs(30),
        };
        Limits {
            presence_per_tenant: limit,
            ..Limits::default()
        }
    }

    #[test]
    fn a_period_holds_so_many_requests_then_they_come_evenly() {
        let limiter = AppLimiter::new(limits(3)).tenant();
        let now = Instant::now();
        let patience = Duration::from_secs(15);
        let take = || limiter.take(now, "/users/u/presence", patience);
        assert_eq!([take(), take(), take()], [Ok(Duration::ZERO); 3]);
        assert_eq!(take(), Ok(Duration::from_secs(10)));
        assert_eq!(take(), Err(Duration::from_secs(20)));
        let later = limiter.take(now + Duration::from_secs(60), "/users/u/presence", patience);
        assert_eq!(later, Ok(Duration::ZERO));
    }

    #[test]
    fn calls_do_not_wait_for_presence_nor_one_tenant_for_another() {
        let app = AppLimiter::new(limits(1));
        let (now, none) = (Instant::now(), Duration::ZERO);
        let (one, other) = (app.tenant(), app.tenant());
        assert!(one.take(now, "/users/u/presence", none).is_ok());
        assert!(one.take(now, "/users/u/presence", none).is_err());
        assert!(one.take(now, "/communications/calls/1", none).is_ok());
        assert!(other.take(now, "/users/u/presence", none).is_ok());
    }

    #[test]
    fn the_application_has_one_limit() {
        let per_app = Limit {
            requests: 2,
            period: Duration::from_secs(1),
        };
        let app = AppLimiter::new(Limits {
            per_app,
            ..Limits::default()
        });
        let (now, none) = (Instant::now(), Duration::ZERO);
        assert!(app.tenant().take(now, "/x", none).is_ok());
        assert!(app.tenant().take(now, "/x", none).is_ok());
        assert!(app.tenant().take(now, "/x", none).is_err());
    }
}

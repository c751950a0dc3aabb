//! When a request that Graph refused for now is sent again.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

/// How long Graph asks to wait: seconds or an HTTP date (RFC 9110 §10.2.3). `None` if the
/// header is missing or unreadable; a date that has passed is zero.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// How often and how long a client waits for Graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many times a request is sent again at most.
    pub max_retries: u32,
    /// The longest wait. If Graph asks for more, the error is returned at once with
    /// [`ApiError::retry_after`](crate::error::ApiError::retry_after): waiting less would be
    /// worse than not asking.
    pub max_wait: Duration,
    /// The first wait where Graph names none; it doubles each time.
    pub first_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            max_wait: Duration::from_secs(10),
            first_wait: Duration::from_millis(250),
        }
    }
}

impl RetryPolicy {
    /// No request is sent again.
    pub const NEVER: Self = Self {
        max_retries: 0,
        max_wait: Duration::ZERO,
        first_wait: Duration::ZERO,
    };

    /// How long to wait before sending a repeatable request again; `None` to give up.
    ///
    /// `retries` were already made; `jitter` in 0.0..=1.0 spreads clients that were refused
    /// together over the second half of the wait, where Graph names none. Worth a wait are
    /// 429 and what a service or a gateway before it answers when it fails for a moment:
    /// 500, 502, 503 and 504.
    pub fn wait(
        &self,
        retries: u32,
        status: StatusCode,
        asked: Option<Duration>,
        jitter: f64,
    ) -> Option<Duration> {
        let passes = matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504);
        if !passes || retries >= self.max_retries {
            return None;
        }
        match asked {
            Some(wait) => (wait <= self.max_wait).then_some(wait),
            None => {
                let doubled = self.first_wait.saturating_mul(1 << retries.min(16));
                let share = 0.5 + 0.5 * jitter.clamp(0.0, 1.0);
                Some(doubled.min(self.max_wait).mul_f64(share))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())])
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // Mon, 01 Jun 2026 00:00:00 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_272_000);
        let read = |value| retry_after(&headers(value), now);
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
        assert_eq!(
            read("Mon, 01 Jun 2026 00:01:00 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(read("Sun, 31 May 2026 23:59:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1"), None);
        assert_eq!(read(""), None);
        assert_eq!(read("99999999999999999999999"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn waits_as_long_as_graph_asks_or_gives_up() {
        let policy = RetryPolicy::default();
        let busy = StatusCode::TOO_MANY_REQUESTS;
        let wait = |retries, asked| policy.wait(retries, busy, asked, 0.3);
        let seconds = Duration::from_secs;
        assert_eq!(wait(0, Some(seconds(10))), Some(seconds(10)));
        assert_eq!(wait(0, Some(seconds(11))), None);
        assert_eq!(wait(3, Some(seconds(1))), None);
    }

    #[test]
    fn backs_off_where_graph_names_no_time() {
        let policy = RetryPolicy {
            max_retries: u32::MAX,
            ..RetryPolicy::default()
        };
        let wait =
            |retries, jitter| policy.wait(retries, StatusCode::SERVICE_UNAVAILABLE, None, jitter);
        assert_eq!(wait(0, 1.0), Some(Duration::from_millis(250)));
        assert_eq!(wait(0, 0.0), Some(Duration::from_millis(125)));
        assert_eq!(wait(2, 1.0), Some(Duration::from_secs(1)));
        assert_eq!(wait(60, 1.0), Some(policy.max_wait));
    }

    #[test]
    fn other_errors_are_not_waited_for() {
        for status in [400, 401, 403, 404, 409, 501, 505] {
            let status = StatusCode::from_u16(status).unwrap();
            let asked = Some(Duration::ZERO);
            assert_eq!(RetryPolicy::default().wait(0, status, asked, 0.5), None);
        }
    }
}

//! How many packets of each kind a call may send before the rest are dropped.

use std::time::{Duration, Instant};

/// A token bucket.
pub(crate) struct Bucket {
    per_second: u32,
    burst: u32,
    /// Thousandths of a packet.
    tokens: u64,
    last: Instant,
}

impl Bucket {
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        Self {
            per_second,
            burst,
            tokens: u64::from(burst) * 1000,
            last: now,
        }
    }

    /// Takes one packet if there is room for it.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.last);
        // Shorter waits are left to add up.
        if passed >= Duration::from_millis(1) {
            let gained = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
            let gained = gained.saturating_mul(u64::from(self.per_second));
            let full = u64::from(self.burst) * 1000;
            self.tokens = self.tokens.saturating_add(gained).min(full);
            self.last = now;
        }
        match self.tokens.checked_sub(1000) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}

/// A call's allowances.
pub(crate) struct Police {
    /// Connectivity checks: RFC 8445 §14.2 paces them at 50 ms, one browser pair
    /// needs a handful a second.
    pub(crate) stun: Bucket,
    /// Handshake flights and alerts.
    pub(crate) dtls: Bucket,
    /// Attempts at decryption. High: whoever forges the peer's address must not
    /// starve its real packets, and a refusal costs about a microsecond.
    pub(crate) attempts: Bucket,
    /// Attempts for what comes from an address that ICE has not validated, which is the
    /// call's own for a round trip at most once it has moved.
    pub(crate) strays: Bucket,
    /// Authentic media, of each stream: 50 packets/s at 20 ms, 100 at 10 ms, twice that with
    /// telephone events.
    pub(crate) media: Bucket,
    pub(crate) rtcp: Bucket,
}

impl Police {
    /// Allowances of a call in which that many streams of audio come.
    pub(crate) fn new(now: Instant, streams: u32) -> Self {
        Self {
            stun: Bucket::new(100, 100, now),
            dtls: Bucket::new(50, 100, now),
            attempts: Bucket::new(20_000, 1000, now),
            strays: Bucket::new(200, 100, now),
            media: Bucket::new(200 * streams, 100 * streams, now),
            rtcp: Bucket::new(20, 20, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_the_rate_through_and_no_more() {
        let start = Instant::now();
        let mut bucket = Bucket::new(200, 100, start);
        let taken = (0..100_000u32)
            .filter(|n| bucket.take(start + Duration::from_micros(100) * *n))
            .count();
        // Ten seconds at ten thousand a second.
        assert!((2090..=2100).contains(&taken), "{taken}");
    }

    #[test]
    fn sub_millisecond_waits_add_up() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1000, 1, start);
        assert!(bucket.take(start));
        assert!(!bucket.take(start + Duration::from_micros(900)));
        assert!(bucket.take(start + Duration::from_micros(1800)));
    }
}

//! How many calls there may be.

use jiff::Timestamp;

/// What Graph allows an application, or the part of it that reminders may have: all
/// instances that share a store have it together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once.
    pub at_once: u32,
    /// New calls a second.
    pub per_second: u32,
}

impl Limits {
    /// As many as one likes.
    pub const NONE: Self = Self {
        at_once: u32::MAX,
        per_second: u32::MAX,
    };
}

const CALL: i64 = 1_000_000;
const SECOND: i64 = 1_000_000;
/// Clocks agree better than this; one that is further off was wrong.
const APART: i64 = 10 * SECOND;

/// A bucket of new calls: it holds one second's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Millionths of a call; less than none when more were placed.
    pub filled: i64,
    /// Until when it was filled, in microseconds since 1970.
    pub at: i64,
}

impl Bucket {
    /// So many calls may be placed now.
    pub fn available(&mut self, limits: Limits, now: Timestamp) -> u32 {
        let now = now.as_microsecond();
        if self.at > now + APART {
            self.at = now;
        }
        // A clock behind the others' gives nothing, and costs nothing.
        let passed = now.saturating_sub(self.at).clamp(0, SECOND);
        self.at = self.at.max(now);
        let per_second = i64::from(limits.per_second);
        self.filled = (self.filled + passed * per_second).min(per_second * CALL);
        u32::try_from(self.filled.max(0) / CALL).unwrap_or(u32::MAX)
    }

    /// So many were, which may have been more.
    pub fn take(&mut self, calls: usize) {
        let calls = i64::try_from(calls).unwrap_or(i64::MAX);
        self.filled = self.filled.saturating_sub(calls.saturating_mul(CALL));
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        at_once: 9,
        per_second: 5,
    };

    #[test]
    fn a_second_gives_so_many_and_no_more() {
        let start = Timestamp::UNIX_EPOCH + 24.hours();
        let mut bucket = Bucket::default();
        assert_eq!(bucket.available(LIMITS, start), 5);
        bucket.take(5);
        assert_eq!(bucket.available(LIMITS, start + 100.milliseconds()), 0);
        assert_eq!(bucket.available(LIMITS, start + 400.milliseconds()), 2);
        bucket.take(2);
        assert_eq!(bucket.available(LIMITS, start + 1.hours()), 5);
    }

    #[test]
    fn a_clock_that_was_wrong_stops_nobody_for_long() {
        let start = Timestamp::UNIX_EPOCH + 24.hours();
        let mut bucket = Bucket::default();
        bucket.available(LIMITS, start + 1.hours());
        bucket.take(5);
        assert_eq!(bucket.available(LIMITS, start), 0);
        assert_eq!(bucket.available(LIMITS, start + 1.seconds()), 5);
    }

    proptest! {
        /// Instances whose clocks differ get together what one would get.
        #[test]
        fn clocks_apart_give_no_more(looks in prop::collection::vec((0_i64..300, 0_i64..4), 1..200)) {
            let start = Timestamp::UNIX_EPOCH + 24.hours();
            let mut bucket = Bucket::default();
            let (mut passed, mut placed) = (0, 0);
            for (later, clock) in looks {
                passed += later;
                // Four clocks, up to 0.9 s apart.
                let now = start + (passed + 300 * clock).milliseconds();
                let free = bucket.available(LIMITS, now);
                bucket.take(free as usize);
                placed += i64::from(free);
            }
            prop_assert!(placed * 1000 <= 5 * (passed + 900 + 1000));
        }
    }
}

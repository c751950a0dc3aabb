//! New calls a second.

use jiff::Timestamp;

/// A bucket that holds one second's calls.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: u32,
    /// Millionths of a call.
    filled: u64,
    at: Timestamp,
}

const CALL: u64 = 1_000_000;

impl Rate {
    pub(super) fn new(per_second: u32, now: Timestamp) -> Self {
        Self {
            per_second,
            filled: u64::from(per_second) * CALL,
            at: now,
        }
    }

    /// So many calls may be placed now.
    pub(super) fn available(&mut self, now: Timestamp) -> u32 {
        let passed = now.as_microsecond() - self.at.as_microsecond();
        // A clock that is put back gives nothing, and costs nothing.
        let passed = u64::try_from(passed).unwrap_or(0).min(CALL);
        self.at = now;
        let most = u64::from(self.per_second) * CALL;
        self.filled = (self.filled + passed * u64::from(self.per_second)).min(most);
        u32::try_from(self.filled / CALL).unwrap_or(u32::MAX)
    }

    /// So many were.
    pub(super) fn take(&mut self, calls: u32) {
        self.filled = self.filled.saturating_sub(u64::from(calls) * CALL);
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    #[test]
    fn a_second_gives_so_many_and_no_more() {
        let start = Timestamp::UNIX_EPOCH;
        let mut rate = Rate::new(5, start);
        assert_eq!(rate.available(start), 5);
        rate.take(5);
        assert_eq!(rate.available(start + 100.milliseconds()), 0);
        assert_eq!(rate.available(start + 400.milliseconds()), 2);
        rate.take(2);
        assert_eq!(rate.available(start - 1.hours()), 0);
        assert_eq!(rate.available(start + 1.hours()), 5);
    }
}

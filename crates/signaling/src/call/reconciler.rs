//! When the call is read: something was lost, doubted, or is silent for too long.

use std::time::{Duration, Instant};

/// Two reads are this far apart, however many notifications are doubted.
const SPACING: Duration = Duration::from_secs(1);
/// The longest pause after reads that failed.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Decides when to read the call.
#[derive(Debug, Default)]
pub(super) struct Reconciler {
    wanted_at: Option<Instant>,
    silent_at: Option<Instant>,
    not_before: Option<Instant>,
    in_flight: bool,
    failures: u32,
    generation: u64,
}

/// What a read knew when it was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadMark {
    pub(super) sent: Instant,
    generation: u64,
}

impl Reconciler {
    /// Read as soon as may be.
    pub(super) fn want(&mut self, at: Instant) {
        self.wanted_at = Some(self.wanted_at.map_or(at, |wanted| wanted.min(at)));
    }

    /// A notification told a state: an answer to an earlier read may be older than it.
    pub(super) fn heard(&mut self) {
        self.generation += 1;
    }

    /// Read if nothing is heard until then; `None` if no silence is suspicious.
    pub(super) fn silent_at(&mut self, at: Option<Instant>) {
        self.silent_at = at;
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.in_flight {
            return None;
        }
        let due = self.wanted_at.into_iter().chain(self.silent_at).min()?;
        Some(self.not_before.map_or(due, |earliest| due.max(earliest)))
    }

    /// Starts a read if one is due.
    pub(super) fn start(&mut self, now: Instant) -> Option<ReadMark> {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return None;
        }
        self.wanted_at = None;
        self.silent_at = None;
        self.in_flight = true;
        self.not_before = Some(now + SPACING);
        Some(ReadMark {
            sent: now,
            generation: self.generation,
        })
    }

    /// A read was answered; whether nothing was heard since it was sent.
    pub(super) fn succeeded(&mut self, mark: ReadMark) -> bool {
        self.in_flight = false;
        self.failures = 0;
        mark.generation == self.generation
    }

    /// A read failed; the next is made after a growing pause, or the one Graph asks for.
    pub(super) fn failed(&mut self, now: Instant, asked: Option<Duration>) {
        self.in_flight = false;
        self.failures += 1;
        let pause = doubled(SPACING, self.failures - 1, MAX_PAUSE).max(asked.unwrap_or_default());
        self.not_before = Some(now + pause);
        self.want(now + pause);
    }
}

/// `first` doubled `times`, at most `longest`.
pub(super) fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(longest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_spaced_and_one_at_a_time() {
        let (now, mut reads) = (Instant::now(), Reconciler::default());
        assert!(reads.start(now).is_none());
        reads.want(now);
        let mark = reads.start(now).unwrap();
        reads.want(now);
        assert!(reads.start(now + SPACING).is_none());
        assert!(reads.succeeded(mark));
        assert!(reads.start(now + SPACING / 2).is_none());
        assert!(reads.start(now + SPACING).is_some());
    }

    #[test]
    fn what_is_heard_meanwhile_makes_a_read_uncertain() {
        let (now, mut reads) = (Instant::now(), Reconciler::default());
        reads.want(now);
        let mark = reads.start(now).unwrap();
        reads.heard();
        assert!(!reads.succeeded(mark));
    }

    #[test]
    fn failures_pause_longer_and_as_long_as_asked() {
        let (now, mut reads) = (Instant::now(), Reconciler::default());
        let mut pauses = Vec::new();
        let mut at = now;
        reads.want(at);
        for _ in 0..7 {
            reads.start(at).unwrap();
            reads.failed(at, None);
            let next = reads.poll_timeout().unwrap();
            pauses.push((next - at).as_secs());
            at = next;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        reads.start(at).unwrap();
        reads.failed(at, Some(Duration::from_secs(99)));
        assert_eq!(reads.poll_timeout(), Some(at + Duration::from_secs(99)));
    }
}

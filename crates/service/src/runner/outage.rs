//! The ledger was out of reach for so long that leases ran out in calls that went on: who has
//! them may tell what came of them before anybody takes them over.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// How long nothing is claimed then. Reports are tried again every second.
const GRACE: Duration = Duration::from_secs(5);

/// When the ledger is, or was, out of reach, by all that is asked of it.
#[derive(Debug, Default)]
pub(crate) struct Outage(Mutex<Times>);

#[derive(Debug, Default)]
struct Times {
    since: Option<Timestamp>,
    grace_until: Option<Timestamp>,
}

impl Outage {
    fn times(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It could not be reached.
    pub(super) fn failed(&self, now: Timestamp) {
        self.times().since.get_or_insert(now);
    }

    /// It was reached. A lease is renewed when a third of it is over.
    pub(super) fn passed(&self, now: Timestamp, lease: Duration) {
        let mut times = self.times();
        let Some(since) = times.since.take() else {
            return;
        };
        let away = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        if away >= lease / 3 {
            times.grace_until = now.checked_add(GRACE).ok();
        }
    }

    /// Whether it is out of reach.
    pub(super) fn goes_on(&self) -> bool {
        self.times().since.is_some()
    }

    /// Until when nothing is to be claimed, if not from now on.
    pub(super) fn grace(&self, now: Timestamp) -> Option<Timestamp> {
        self.times().grace_until.filter(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_long_outage_reports_come_first() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let lease = Duration::from_secs(30);
        let outage = Outage::default();
        outage.passed(at(0), lease);
        // A moment's: no lease can have run out.
        outage.failed(at(1));
        assert!(outage.goes_on());
        outage.passed(at(3), lease);
        assert_eq!((outage.goes_on(), outage.grace(at(3))), (false, None));
        // It counts from its first failure.
        outage.failed(at(10));
        outage.failed(at(40));
        outage.passed(at(70), lease);
        assert_eq!(outage.grace(at(70)), Some(at(75)));
        outage.passed(at(71), lease);
        assert_eq!(outage.grace(at(74)), Some(at(75)));
        assert_eq!(outage.grace(at(75)), None);
    }
}

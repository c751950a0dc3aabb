//! Time that passes when nobody has anything to do.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use switchboard_reminders::{Ending, Limits, Reminder, ReminderId, Terms, Verdict};
use switchboard_service::{Clock, Ledger};
use switchboard_store::{Claimed, Report, Store, StoreError};
use tokio::sync::oneshot;

/// Rounds without work after which all tasks are taken to wait for time.
const QUIET_ROUNDS: u32 = 12;

#[derive(Default)]
struct Timers {
    now: Timestamp,
    next: u64,
    /// By time, then by age.
    waiting: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
}

/// The clock of everybody in a test on one thread.
#[derive(Clone)]
pub(crate) struct VirtualClock {
    timers: Arc<Mutex<Timers>>,
    /// Work in other threads: the database's.
    busy: Arc<AtomicUsize>,
}

impl VirtualClock {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            timers: Arc::new(Mutex::new(Timers {
                now,
                ..Timers::default()
            })),
            busy: Arc::default(),
        }
    }

    /// Lets everybody work until they wait, then goes on to the next time that
    /// somebody waits for. `false` if nobody does.
    pub(crate) async fn step(&self) -> bool {
        let mut quiet = 0;
        while quiet < QUIET_ROUNDS {
            tokio::task::yield_now().await;
            if self.busy.load(Ordering::SeqCst) == 0 {
                quiet += 1;
            } else {
                quiet = 0;
                std::thread::yield_now();
            }
        }
        let mut timers = self.timers.lock().unwrap();
        let Some(((at, _), waiter)) = timers.waiting.pop_first() else {
            return false;
        };
        timers.now = timers.now.max(at);
        let _ = waiter.send(());
        true
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.timers.lock().unwrap().now
    }

    async fn sleep_until(&self, at: Timestamp) {
        let waiting = {
            let mut timers = self.timers.lock().unwrap();
            if at <= timers.now {
                return;
            }
            let (sender, waiting) = oneshot::channel();
            timers.next += 1;
            let key = (at, timers.next);
            timers.waiting.insert(key, sender);
            waiting
        };
        let _ = waiting.await;
    }
}

/// What was committed about one reminder, and when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorded {
    pub(crate) confirmed: Vec<Timestamp>,
    /// Ends of calls that went their way.
    pub(crate) finished: Vec<Timestamp>,
}

/// What was committed.
pub(crate) type Records = Arc<Mutex<HashMap<ReminderId, Recorded>>>;

/// A store whose work stops the clock.
pub(crate) struct Timed {
    pub(crate) store: Store,
    pub(crate) clock: VirtualClock,
    pub(crate) records: Records,
    /// Whether it is out of reach.
    pub(crate) away: Arc<AtomicBool>,
}

impl Timed {
    fn reached(&self) -> Result<(), StoreError> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("nobody answers".to_owned())),
            false => Ok(()),
        }
    }
}

struct Working(Arc<AtomicUsize>);

impl Working {
    fn start(clock: &VirtualClock) -> Self {
        clock.busy.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&clock.busy))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Ledger for Timed {
    async fn claim(
        &self,
        owner: &str,
        now: Timestamp,
        terms: Terms,
        limits: Limits,
        most: u32,
    ) -> Result<Vec<Claimed>, StoreError> {
        self.reached()?;
        let _working = Working::start(&self.clock);
        self.store.claim(owner, now, terms, limits, most).await
    }

    async fn report(
        &self,
        id: ReminderId,
        token: i64,
        now: Timestamp,
        terms: Terms,
        report: Report<'_>,
    ) -> Result<Reminder, StoreError> {
        self.reached()?;
        let _working = Working::start(&self.clock);
        let taken = self.store.report(id, token, now, terms, report).await?;
        let mut records = self.records.lock().unwrap();
        let record = records.entry(id).or_default();
        match report {
            Report::Decided(Verdict::Confirmed) => record.confirmed.push(now),
            Report::Finished(Ending::Answered | Ending::NotAnswered) => record.finished.push(now),
            _ => {}
        }
        Ok(taken)
    }

    /// In virtual time they only look.
    fn news(&self) -> Option<tokio::sync::watch::Receiver<u64>> {
        None
    }
}

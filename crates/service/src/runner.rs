//! Claims what is due, has it called, and reports what came of it.
//!
//! It may die at any point: everything it needs to go on is in the ledger, and what is
//! not there has not happened. It keeps no state of its own but which calls it watches.

mod outage;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use switchboard_reminders::{Limits, Terms};
use tokio::sync::watch as signal;
use tokio::task::{JoinHandle, JoinSet};

use crate::clock::Clock;
use crate::dialer::Dialer;
use crate::ledger::Ledger;
use crate::news::heard;
use outage::Outage;

/// How a runner works.
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// This instance's name, among those that share the database.
    pub owner: String,
    /// How long a claim lasts, and how long a call can last by itself.
    pub terms: Terms,
    /// What all instances that share the ledger may do together.
    pub limits: Limits,
    /// Calls at once, of this instance.
    pub at_once: usize,
    /// How often to look for what is due, where no news says that something is.
    pub look_every: Duration,
}

impl RunnerConfig {
    /// 50 calls at once, all of them here, and 5 new ones a second; leases of 30 s; calls that take 5 min
    /// at most.
    pub fn new(owner: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            terms: Terms {
                lease: Duration::from_secs(30),
                call: Duration::from_secs(300),
            },
            limits: Limits {
                at_once: 50,
                per_second: 5,
            },
            at_once: 50,
            look_every: Duration::from_secs(1),
        }
    }
}

/// What the runner and its calls share.
pub(crate) struct Shared {
    pub(crate) config: RunnerConfig,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) dialer: Arc<dyn Dialer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) hang_up: signal::Receiver<bool>,
    pub(crate) outage: Outage,
}

/// A running runner. Dropping it abandons its calls, as a crash would.
pub struct Runner {
    task: JoinHandle<()>,
    stop: signal::Sender<bool>,
    hang_up: signal::Sender<bool>,
}

impl Runner {
    /// Starts one on the current runtime.
    pub fn start(
        config: RunnerConfig,
        ledger: Arc<dyn Ledger>,
        dialer: Arc<dyn Dialer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (stop, stopping) = signal::channel(false);
        let (hang_up, hanging_up) = signal::channel(false);
        let shared = Arc::new(Shared {
            config,
            ledger,
            dialer,
            clock,
            hang_up: hanging_up,
            outage: Outage::default(),
        });
        Self {
            task: tokio::spawn(run(shared, stopping)),
            stop,
            hang_up,
        }
    }

    /// Claims nothing more, and returns when its calls are over. After `patience` they
    /// are ended; those people are called again by whoever claims next.
    pub async fn drain(mut self, patience: Duration) {
        self.stop.send_replace(true);
        if tokio::time::timeout(patience, &mut self.task)
            .await
            .is_err()
        {
            self.hang_up.send_replace(true);
            let ended = tokio::time::timeout(Duration::from_secs(10), &mut self.task).await;
            if ended.is_err() {
                tracing::warn!("reminder calls were left to themselves");
            }
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(shared: Arc<Shared>, mut stopping: signal::Receiver<bool>) {
    let mut calls = JoinSet::new();
    let mut news = shared.ledger.news();
    while !*stopping.borrow() {
        let now = shared.clock.now();
        let room = shared.config.at_once.saturating_sub(calls.len());
        let next = claim(&shared, now, room, &mut calls).await;
        tokio::select! {
            () = shared.clock.sleep_until(next) => {}
            () = heard(&mut news) => {}
            // A place is free.
            Some(_) = calls.join_next(), if room == 0 => {}
            _ = stopping.changed() => {}
        }
        while calls.try_join_next().is_some() {}
    }
    while calls.join_next().await.is_some() {}
}

/// Takes what is due, and says when to look again.
async fn claim(
    shared: &Arc<Shared>,
    now: Timestamp,
    room: usize,
    calls: &mut JoinSet<()>,
) -> Timestamp {
    let later = |wait: Duration| now.checked_add(wait).unwrap_or(Timestamp::MAX);
    let Shared {
        config,
        ledger,
        outage,
        ..
    } = &**shared;
    if let Some(until) = outage.grace(now) {
        return until;
    }
    if room == 0 {
        return later(config.look_every);
    }
    // While it is out of reach it is only asked whether it is there again.
    let most = match outage.goes_on() {
        true => 0,
        false => u32::try_from(room).unwrap_or(u32::MAX),
    };
    let claimed = ledger
        .claim(&config.owner, now, config.terms, config.limits, most)
        .await;
    match claimed {
        Ok(claimed) => {
            outage.passed(now, config.terms.lease);
            for claimed in claimed {
                calls.spawn(watch::carry_out(Arc::clone(shared), claimed));
            }
            later(config.look_every)
        }
        Err(error) => {
            outage.failed(now);
            tracing::warn!(%error, "due reminders can't be read; calls go on");
            later(config.look_every * 2)
        }
    }
}

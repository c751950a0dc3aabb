//! What happened, and what must not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often what happened.
#[derive(Debug, Default, Clone)]
pub struct Tally(pub BTreeMap<String, u64>);

impl Tally {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what.clone()).or_default() += times;
        }
    }

    /// How often `what` happened.
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }
}

/// The log, and what is known of calls as far as rules need it.
#[derive(Debug)]
pub(super) struct Record {
    begun: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    log: String,
    wrongs: Vec<String>,
    tally: Tally,
    /// Calls whose answer took effect.
    answered: BTreeSet<String>,
    /// Calls that a bot, by its life, knows to be over, and since when.
    over: BTreeMap<(u32, String), Instant>,
    /// Operations that were throttled, and until when.
    throttled: BTreeMap<(u32, String), Instant>,
}

/// A request of the bot's.
pub(super) struct Asked<'a> {
    /// Which life of the bot.
    pub(super) life: u32,
    pub(super) operation: &'a str,
    pub(super) call: &'a str,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            inner: Mutex::default(),
        }
    }

    /// Since the simulation's beginning.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn say(&self, line: &str) {
        let ms = self.elapsed().as_millis();
        // Writing to a string can't fail.
        let _ = writeln!(self.lock().log, "{ms:>8} {line}");
    }

    pub(super) fn count(&self, what: &str) {
        *self.lock().tally.0.entry(what.to_owned()).or_default() += 1;
    }

    pub(super) fn count_more(&self, what: &str, times: u64) {
        *self.lock().tally.0.entry(what.to_owned()).or_default() += times;
    }

    pub(super) fn wrong(&self, what: &str) {
        self.say(&format!("WRONG {what}"));
        self.lock().wrongs.push(what.to_owned());
    }

    /// The bot asks Graph for something.
    pub(super) fn asks(&self, asked: &Asked<'_>) {
        let now = Instant::now();
        let inner = self.lock();
        let own = |map: &BTreeMap<(u32, String), Instant>, what: &str| {
            map.get(&(asked.life, what.to_owned())).copied()
        };
        let told = own(&inner.over, asked.call);
        let throttled = own(&inner.throttled, &key(asked));
        let again = asked.operation == "answer" && inner.answered.contains(asked.call);
        drop(inner);
        let (operation, call) = (asked.operation, short(asked.call));
        if told.is_some_and(|told| told < now) {
            self.wrong(&format!("{operation} on {call}, which it knew to be over"));
        }
        if throttled.is_some_and(|until| now < until) {
            self.wrong(&format!("{operation} on {call} before Retry-After"));
        }
        if again {
            self.wrong(&format!("{call} was answered twice"));
        }
    }

    /// Graph's answer, before the network has its say.
    pub(super) fn answered(&self, asked: &Asked<'_>, status: u16, retry_after: Option<u64>) {
        let mut inner = self.lock();
        if asked.operation == "answer" && (200..300).contains(&status) {
            inner.answered.insert(asked.call.to_owned());
        }
        if let Some(seconds) = retry_after {
            let until = Instant::now() + Duration::from_secs(seconds);
            inner.throttled.insert((asked.life, key(asked)), until);
        }
    }

    /// The bot knows that a call is over.
    pub(super) fn told_over(&self, life: u32, call: &str) {
        let told = Instant::now();
        let mut inner = self.lock();
        inner.over.entry((life, call.to_owned())).or_insert(told);
    }

    pub(super) fn finish(&self) -> (String, Vec<String>, Tally) {
        let mut inner = self.lock();
        (
            std::mem::take(&mut inner.log),
            std::mem::take(&mut inner.wrongs),
            std::mem::take(&mut inner.tally),
        )
    }
}

fn key(asked: &Asked<'_>) -> String {
    format!("{} {}", asked.operation, asked.call)
}

/// Enough of an id to tell it from others.
pub(super) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

//! Which notifications were delivered already.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime};

/// Remembers message ids for as long as their token is good.
///
/// A token isn't bound to a body, so that one that was overheard could be used again; after its
/// expiry the token itself is refused. Ids are kept as hashes keyed for this process: 16 bytes
/// each, however long the sender makes them.
#[derive(Debug)]
pub struct ReplayGuard {
    keys: (RandomState, RandomState),
    known: HashSet<u128>,
    /// The same ids, oldest first, with the time until which each matters.
    order: VecDeque<(SystemTime, u128)>,
    capacity: usize,
}

/// The validator forgives this much clock difference at most.
const LEEWAY: Duration = Duration::from_secs(5 * 60);

/// An hour of 18 notifications a second, in about 4 MiB.
const CAPACITY: usize = 65_536;

impl Default for ReplayGuard {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl ReplayGuard {
    /// Remembers at most `capacity` ids; beyond, the oldest are forgotten.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            keys: (RandomState::new(), RandomState::new()),
            known: HashSet::new(),
            order: VecDeque::new(),
            capacity: capacity.max(1),
        }
    }

    /// Whether the id was remembered, and its token would still be accepted.
    pub fn knows(&mut self, now: SystemTime, message_id: &str) -> bool {
        self.forget_expired(now);
        self.known.contains(&self.hash(message_id))
    }

    /// Remembers an id that came with a token good until `expires`.
    pub fn remember(&mut self, message_id: &str, expires: SystemTime) {
        let id = self.hash(message_id);
        if !self.known.insert(id) {
            return;
        }
        self.order.push_back((expires + LEEWAY, id));
        if self.order.len() > self.capacity {
            self.forget_oldest();
        }
    }

    /// How many ids are remembered.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Tokens live equally long, near enough: where a later one expires first, it waits.
    fn forget_expired(&mut self, now: SystemTime) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.known.remove(&id);
        }
    }

    fn hash(&self, message_id: &str) -> u128 {
        let high = u128::from(self.keys.0.hash_one(message_id));
        high << 64 | u128::from(self.keys.1.hash_one(message_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn an_id_is_known_while_its_token_is_accepted() {
        let mut guard = ReplayGuard::default();
        assert!(!guard.knows(at(0), "a"));
        guard.remember("a", at(3600));
        assert!(guard.knows(at(3600 + 299), "a"));
        assert!(!guard.knows(at(3600), "b"));
        assert!(!guard.knows(at(3600 + 300), "a"));
        assert!(guard.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut guard = ReplayGuard::with_capacity(3);
        for id in ["a", "b", "b", "c", "d"] {
            guard.remember(id, at(100));
        }
        assert_eq!(guard.len(), 3);
        assert!(!guard.knows(at(0), "a"));
        assert!(["b", "c", "d"].iter().all(|id| guard.knows(at(0), id)));
    }
}

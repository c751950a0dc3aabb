//! Calls that are known to be over: what comes late of them must not bring them back.

use std::collections::{HashSet, VecDeque};

use switchboard_signaling::types::CallId;

/// Notifications come late by seconds; a hundred calls at once end in far fewer than these.
const MAX: usize = 4096;

/// The ids of calls that have ended, the latest ones.
#[derive(Debug, Default)]
pub(super) struct Ended {
    known: HashSet<CallId>,
    order: VecDeque<CallId>,
}

impl Ended {
    pub(super) fn add(&mut self, call: &CallId) {
        if !self.known.insert(call.clone()) {
            return;
        }
        self.order.push_back(call.clone());
        if self.order.len() > MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(super) fn has(&self, call: &CallId) -> bool {
        self.known.contains(call)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_known() {
        let id = |number: usize| -> CallId { format!("call-{number}").parse().unwrap() };
        let mut ended = Ended::default();
        for number in 0..=MAX {
            ended.add(&id(number));
            ended.add(&id(number));
        }
        assert!(!ended.has(&id(0)));
        assert!(ended.has(&id(1)) && ended.has(&id(MAX)));
        assert_eq!(ended.known.len(), ended.order.len());
    }
}

//! Who called lately: for flows that refuse callers who call too often.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Calls older than this are forgotten: the longest `often.within`.
const MEMORY: Duration = Duration::from_secs(3600);
/// Calls remembered of one caller: the most `often.calls`.
const CALLS: usize = 50;
/// Callers remembered; beyond, those who called longest ago are forgotten.
const CALLERS: usize = 10_000;

/// When each caller called. In memory only.
#[derive(Default)]
pub(super) struct Recent(Mutex<HashMap<String, VecDeque<Instant>>>);

impl Recent {
    /// Notes a call of `caller` at `now`; gives how long ago the earlier ones were.
    pub(super) fn call(&self, now: Instant, caller: &str) -> Vec<Duration> {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS && !callers.contains_key(caller) {
            make_room(&mut callers, now);
        }
        let calls = callers.entry(caller.to_owned()).or_default();
        while calls.len() >= CALLS
            || calls
                .front()
                .is_some_and(|at| now.saturating_duration_since(*at) > MEMORY)
        {
            calls.pop_front();
        }
        let ages = calls
            .iter()
            .map(|at| now.saturating_duration_since(*at))
            .collect();
        calls.push_back(now);
        ages
    }
}

/// Forgets who hasn't called for an hour, or else the half that called longest ago.
fn make_room(callers: &mut HashMap<String, VecDeque<Instant>>, now: Instant) {
    let last = |calls: &VecDeque<Instant>| calls.back().copied();
    callers.retain(|_, calls| {
        last(calls).is_some_and(|at| now.saturating_duration_since(at) <= MEMORY)
    });
    if callers.len() >= CALLERS {
        let mut times: Vec<_> = callers.values().filter_map(last).collect();
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied();
        callers.retain(|_, calls| last(calls) > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_calls_are_told_by_their_age_and_forgotten_in_time() {
        let (recent, start, minute) = (Recent::default(), Instant::now(), Duration::from_secs(60));
        assert!(recent.call(start, "a").is_empty());
        assert_eq!(recent.call(start + minute, "a"), [minute]);
        assert!(
            recent.call(start + minute, "b").is_empty(),
            "another caller"
        );
        assert_eq!(recent.call(start + minute * 61, "a"), [minute * 60]);
        for _ in 0..200 {
            recent.call(start + minute * 61, "c");
        }
        assert_eq!(recent.call(start + minute * 61, "c").len(), CALLS - 1);
    }

    #[test]
    fn many_callers_take_bounded_room() {
        let (recent, start) = (Recent::default(), Instant::now());
        for index in 0..CALLERS as u32 * 2 {
            recent.call(
                start + Duration::from_millis(index.into()),
                &index.to_string(),
            );
        }
        let last = CALLERS as u32 * 2 - 1;
        assert!(recent.0.lock().unwrap().len() <= CALLERS);
        assert_eq!(
            recent
                .call(start + Duration::from_secs(30), &last.to_string())
                .len(),
            1
        );
    }
}

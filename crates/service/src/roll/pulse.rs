//! Who is silent for too long.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use switchboard_store::Instance;

/// As long as a reminder's lease.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// What each instance said last, and since when it has said nothing else, by our clock.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    heard: HashMap<String, (Timestamp, Timestamp)>,
}

impl Pulse {
    /// Those of `instances` but `own` that are gone.
    pub(super) fn gone(
        &mut self,
        own: &str,
        instances: Vec<Instance>,
        now: Timestamp,
    ) -> Vec<Instance> {
        let before = std::mem::take(&mut self.heard);
        let mut gone = Vec::new();
        for instance in instances.into_iter().filter(|other| other.name != own) {
            let same = before
                .get(&instance.name)
                .filter(|(said, _)| *said == instance.seen);
            let since = same.map_or(now, |(_, since)| *since);
            let name = instance.name.clone();
            self.heard.insert(name, (instance.seen, since));
            if now.duration_since(since) >= PATIENCE {
                gone.push(instance);
            }
        }
        gone
    }

    /// The database couldn't be read: others may have been alive without being heard.
    pub(super) fn interrupted(&mut self) {
        self.heard.clear();
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + second.seconds()
    }

    fn instance(name: &str, seen: i64) -> Instance {
        Instance {
            name: name.to_owned(),
            url: String::new(),
            seen: at(seen),
        }
    }

    #[test]
    fn who_says_nothing_new_for_a_lease_is_gone() {
        let mut pulse = Pulse::default();
        let mut gone = |second: i64, seen: i64| {
            // Its clock is an hour behind; ours counts.
            let instances = vec![instance("me", 0), instance("it", seen - 3600)];
            pulse.gone("me", instances, at(second))
        };
        assert!(gone(0, 0).is_empty());
        assert!(gone(29, 0).is_empty());
        assert!(gone(35, 31).is_empty(), "it said something");
        assert!(gone(64, 31).is_empty());
        assert_eq!(gone(65, 31), [instance("it", 31 - 3600)]);
        assert_eq!(gone(70, 31).len(), 1, "until it is forgotten");
    }

    #[test]
    fn silence_counts_only_while_one_could_hear() {
        let mut pulse = Pulse::default();
        let gone = |pulse: &mut Pulse, second| {
            let instances = vec![instance("it", 0)];
            pulse.gone("me", instances, at(second))
        };
        assert!(gone(&mut pulse, 0).is_empty());
        pulse.interrupted();
        assert!(gone(&mut pulse, 100).is_empty());
        assert!(gone(&mut pulse, 129).is_empty());
        assert_eq!(gone(&mut pulse, 130).len(), 1);
    }
}

//! Who of a team takes the next call.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::Shared;
use crate::call::available;
use crate::flow::{Contact, Pick};
use crate::script::Script;

/// Who was given a call, and when. In memory only.
#[derive(Default)]
pub(super) struct Rota(Mutex<Given>);

#[derive(Default)]
struct Given {
    /// By contact.
    at: HashMap<String, Instant>,
    /// By team: the last one.
    last: HashMap<String, String>,
}

impl Rota {
    /// Picks one of `members`, of those who are `present`, and notes it.
    fn pick(
        &self,
        now: Instant,
        team: &str,
        members: &[String],
        how: Pick,
        present: &BTreeSet<String>,
    ) -> Option<String> {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = |one: &&String| present.contains(*one);
        let last = given.last.get(team);
        let after = last.and_then(|last| members.iter().position(|one| one == last));
        let picked = match how {
            Pick::First => members.iter().find(there),
            Pick::LongestIdle => members
                .iter()
                .filter(there)
                .min_by_key(|one| given.at.get(*one)),
            Pick::RoundRobin => {
                let start = after.map_or(0, |place| place + 1);
                let round = members.iter().cycle().skip(start).take(members.len());
                round.into_iter().find(there)
            }
        };
        let picked = picked?.clone();
        given.at.insert(picked.clone(), now);
        given.last.insert(team.to_owned(), picked.clone());
        Some(picked)
    }
}

impl Shared {
    /// Who of a team takes a call now; nobody if none is available, or it can't be
    /// found out.
    pub(crate) fn pick(
        self: &Arc<Self>,
        script: Arc<Script>,
        team: String,
    ) -> impl Future<Output = Option<Contact>> + Send + use<> {
        let shared = Arc::clone(self);
        async move {
            let flow = &script.flow;
            let members = flow.team(&team)?;
            let users = members
                .of
                .iter()
                .filter_map(|name| match flow.contact(name)? {
                    Contact::User(user) => Some((name.as_str(), user.as_str())),
                    _ => None,
                });
            let present = available(&shared.graph, &users.collect::<Vec<_>>()).await;
            let picked = shared.rota.pick(
                switchboard_signaling::clock::now(),
                &team,
                &members.of,
                members.pick,
                &present,
            );
            flow.contact(&picked?).cloned()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TEAM: [&str; 3] = ["ada", "ben", "cleo"];

    struct Bench {
        rota: Rota,
        now: Instant,
    }

    impl Bench {
        fn pick(&mut self, how: Pick, present: &[&str]) -> Option<String> {
            self.now += Duration::from_secs(1);
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let members: Vec<String> = owned(&TEAM);
            let present = present.iter().map(|name| (*name).to_owned()).collect();
            self.rota.pick(self.now, "sales", &members, how, &present)
        }

        fn order(&mut self, how: Pick, present: &[&[&str]]) -> Vec<String> {
            let picked = present.iter().map(|present| self.pick(how, present));
            picked.map(Option::unwrap_or_default).collect()
        }
    }

    fn bench() -> Bench {
        Bench {
            rota: Rota::default(),
            now: Instant::now(),
        }
    }

    #[test]
    fn calls_go_round_and_past_those_who_are_away() {
        let all = &TEAM[..];
        let turns = bench().order(Pick::RoundRobin, &[all, all, all, all, &["ada", "cleo"]]);
        assert_eq!(turns, ["ada", "ben", "cleo", "ada", "cleo"]);
        let alone = bench().order(Pick::RoundRobin, &[&["ben"], &["ben"], &[]]);
        assert_eq!(alone, ["ben", "ben", ""]);
    }

    #[test]
    fn who_was_given_a_call_longest_ago_takes_the_next() {
        let all = &TEAM[..];
        let without = ["ben", "cleo"];
        let present = [all, &without, &without, all, all];
        let turns = bench().order(Pick::LongestIdle, &present);
        assert_eq!(turns, ["ada", "ben", "cleo", "ada", "ben"]);
        // Whoever takes turns goes on behind the last one; here those who waited longest come.
        let present = [all, &["cleo"], all];
        let idle = bench().order(Pick::LongestIdle, &present);
        assert_eq!(idle, ["ada", "cleo", "ben"]);
        let round = bench().order(Pick::RoundRobin, &present);
        assert_eq!(round, ["ada", "cleo", "ada"]);
        let first = bench().order(Pick::First, &[all, all, &without]);
        assert_eq!(first, ["ada", "ada", "ben"]);
    }
}

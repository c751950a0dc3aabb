//! Calling an on-call list until enough have come, without IO: who accepted, came or
//! is gone goes in, whom to call and when to give up comes out.

use std::time::{Duration, Instant};

/// What is to be done. People are numbered through the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Summoning {
    /// Call this person.
    Call(usize),
    /// End the call with this person, who isn't needed.
    Dismiss(usize),
    /// Enough have come (`true`), or the list is through.
    Over(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not called in this round.
    Waiting,
    /// Rings, or is being asked.
    Called,
    /// Has accepted, and is being brought in.
    Coming,
    /// Is in the call.
    In,
    /// Didn't answer, or declined.
    Gone,
}

/// One list being called.
pub(crate) struct Summons {
    /// How many people each tier has, and when the next one is called as well.
    tiers: Vec<(usize, Duration)>,
    people: Vec<Standing>,
    need: usize,
    rounds: usize,
    /// The tier to be called next.
    next: usize,
    deadline: Option<Instant>,
    /// Time is over but for those who are about to come.
    late: bool,
    over: bool,
}

impl Summons {
    /// A list of tiers; `need` people must come, and it is gone through `rounds` times.
    pub(crate) fn new(tiers: Vec<(usize, Duration)>, need: usize, rounds: usize) -> Self {
        let people = tiers.iter().map(|(people, _)| people).sum();
        Self {
            tiers,
            people: vec![Standing::Waiting; people],
            need,
            rounds,
            next: 0,
            deadline: None,
            late: false,
            over: false,
        }
    }

    /// When [`Self::timeout`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Begins with the first tier.
    pub(crate) fn begin(&mut self, now: Instant) -> Vec<Summoning> {
        self.go_on(now)
    }

    /// The tier's time is over: the next one is called as well.
    pub(crate) fn timeout(&mut self, now: Instant) -> Vec<Summoning> {
        if self.over || self.deadline.is_none_or(|due| now < due) {
            return Vec::new();
        }
        let coming = self.people.contains(&Standing::Coming);
        if coming && self.next == self.tiers.len() && self.rounds <= 1 {
            // Nobody is left to be called, but somebody is about to come.
            self.late = true;
            self.deadline = None;
            return Vec::new();
        }
        self.escalate(now)
    }

    /// Somebody has accepted; whether they are wanted.
    pub(crate) fn accepted(&mut self, who: usize) -> bool {
        let Some(standing) = self.people.get_mut(who) else {
            return false;
        };
        let wanted = *standing == Standing::Called && !self.over;
        if wanted {
            *standing = Standing::Coming;
        }
        wanted
    }

    /// Whether somebody who accepted is in the call now.
    pub(crate) fn came(&mut self, now: Instant, who: usize, came: bool) -> Vec<Summoning> {
        match self.people.get_mut(who) {
            Some(standing) if *standing == Standing::Coming => {
                *standing = if came { Standing::In } else { Standing::Gone };
            }
            _ => return Vec::new(),
        }
        self.go_on(now)
    }

    /// A call with somebody is over.
    pub(crate) fn gone(&mut self, now: Instant, who: usize) -> Vec<Summoning> {
        match self.people.get_mut(who) {
            // Who is being brought in leaves their own call for it.
            Some(standing) if *standing == Standing::Called => *standing = Standing::Gone,
            _ => return Vec::new(),
        }
        self.go_on(now)
    }

    fn go_on(&mut self, now: Instant) -> Vec<Summoning> {
        if self.over {
            return Vec::new();
        }
        let count = |wanted| self.people.iter().filter(|one| **one == wanted).count();
        if count(Standing::In) >= self.need {
            return self.end(true);
        }
        match (count(Standing::Called), count(Standing::Coming)) {
            (0, 0) => self.escalate(now),
            (_, 0) if self.late => self.end(false),
            _ => Vec::new(),
        }
    }

    fn escalate(&mut self, now: Instant) -> Vec<Summoning> {
        if self.next == self.tiers.len() {
            if self.rounds <= 1 {
                return self.end(false);
            }
            self.rounds -= 1;
            self.next = 0;
        }
        let (people, within) = self.tiers[self.next];
        let first: usize = self.tiers[..self.next]
            .iter()
            .map(|(people, _)| people)
            .sum();
        self.next += 1;
        self.deadline = Some(now + within);
        let free = |who: &usize| matches!(self.people[*who], Standing::Waiting | Standing::Gone);
        let called: Vec<usize> = (first..first + people).filter(free).collect();
        for who in &called {
            self.people[*who] = Standing::Called;
        }
        called.into_iter().map(Summoning::Call).collect()
    }

    fn end(&mut self, enough: bool) -> Vec<Summoning> {
        self.over = true;
        self.deadline = None;
        let people = self.people.iter().enumerate();
        let called = people.filter(|(_, standing)| **standing == Standing::Called);
        let mut todo: Vec<Summoning> = called.map(|(who, _)| Summoning::Dismiss(who)).collect();
        todo.push(Summoning::Over(enough));
        todo
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Summoning::{Call, Dismiss, Over};
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn list(need: usize, rounds: usize) -> (Summons, Instant) {
        let summons = Summons::new(vec![(2, MINUTE), (1, MINUTE)], need, rounds);
        (summons, Instant::now())
    }

    #[test]
    fn the_first_who_comes_is_enough() {
        let (mut summons, now) = list(1, 1);
        assert_eq!(summons.begin(now), [Call(0), Call(1)]);
        assert!(summons.accepted(1));
        assert_eq!(summons.gone(now, 1), [], "their own call makes room");
        assert_eq!(summons.came(now, 1, true), [Dismiss(0), Over(true)]);
        assert!(!summons.accepted(0), "too late");
        assert_eq!(summons.poll_timeout(), None);
    }

    #[test]
    fn time_and_refusals_lead_to_the_next_tier() {
        let (mut summons, now) = list(1, 1);
        summons.begin(now);
        assert_eq!(summons.gone(now, 0), []);
        assert_eq!(summons.timeout(now + MINUTE), [Call(2)]);
        assert!(summons.accepted(1), "who was called before still counts");
        assert_eq!(summons.came(now, 1, false), [], "but didn't come");
        assert_eq!(summons.gone(now, 2), [Over(false)], "the list is through");

        let (mut summons, now) = list(1, 1);
        summons.begin(now);
        summons.gone(now, 0);
        assert_eq!(summons.gone(now, 1), [Call(2)], "at once, without waiting");
        assert_eq!(summons.timeout(now + MINUTE), [Dismiss(2), Over(false)]);
    }

    #[test]
    fn several_may_be_needed_and_the_list_gone_through_again() {
        let (mut summons, now) = list(2, 2);
        summons.begin(now);
        assert!(summons.accepted(0));
        assert_eq!(summons.came(now, 0, true), []);
        assert_eq!(summons.gone(now, 1), [Call(2)]);
        assert_eq!(
            summons.gone(now, 2),
            [Call(1)],
            "who is in isn't called again"
        );
        assert!(summons.accepted(1));
        assert_eq!(summons.came(now, 1, true), [Over(true)]);
    }

    proptest! {
        #[test]
        fn it_comes_to_one_end_and_calls_nobody_twice_at_once(
            steps in prop::collection::vec((0usize..3, 0u8..5), 0..60),
            need in 1usize..4,
            rounds in 1usize..4,
        ) {
            let (mut summons, mut now) = list(need, rounds);
            let mut done = summons.begin(now);
            let mut called = [0i32; 3];
            for (who, what) in steps {
                done.extend(match what {
                    0 => { summons.accepted(who); Vec::new() }
                    1 => summons.came(now, who, true),
                    2 => summons.came(now, who, false),
                    3 => summons.gone(now, who),
                    _ => { now += MINUTE; summons.timeout(now) }
                });
            }
            for who in (0..3).cycle().take(60) {
                now += MINUTE;
                done.extend(summons.timeout(now));
                done.extend(summons.came(now, who, false));
            }
            prop_assert_eq!(done.iter().filter(|one| matches!(one, Over(_))).count(), 1);
            prop_assert!(matches!(done.last(), Some(Over(_))));
            for one in &done {
                if let Call(who) = one { called[*who] += 1; }
            }
            prop_assert!(called.iter().all(|times| *times <= rounds as i32));
        }
    }
}

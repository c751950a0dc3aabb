use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::schedule::QuietHours;
use crate::spec::{Key, Message, Postponement, Retry, Target};

const TERMS: Terms = Terms {
    lease: Duration::from_secs(30),
    call: Duration::from_secs(120),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

fn reminder() -> Reminder {
    let spec = Spec {
        target: Target::phone("+4915112345678").unwrap(),
        from: None,
        at: at(0),
        zone: "Europe/Berlin".to_owned(),
        quiet: None,
        retry: Retry {
            attempts: 2,
            spacing: minutes(10),
        },
        expires: at(4 * 3600),
        message: Message::Prompt("visit".to_owned()),
        variables: BTreeMap::new(),
        confirm: Key::new('1').unwrap(),
        postpone: Key::new('2').map(|key| Postponement {
            key,
            by: minutes(60),
        }),
        reference: None,
    };
    Reminder::new(ReminderId(uuid::Uuid::nil()), spec, at(-3600))
}

/// Claims at `now`, and has the call placed.
fn call(reminder: &mut Reminder, now: i64) -> i64 {
    assert_eq!(reminder.claim(at(now), TERMS), Ok(Claim::Dial));
    let token = reminder.token;
    reminder.placed(token, "call", at(now + 1), TERMS).unwrap();
    token
}

#[test]
fn a_confirmation_is_final_even_if_the_runner_dies_after_it() {
    let mut reminder = reminder();
    let token = call(&mut reminder, 0);
    reminder.decide(token, Verdict::Confirmed).unwrap();
    reminder.cancel(at(10)).unwrap();
    assert_eq!(reminder.claim(at(30), TERMS), Err(NotNow));
    assert_eq!(
        reminder.claim(at(31), TERMS),
        Ok(Claim::End("call".to_owned()))
    );
    let old = reminder.finish(token, at(32), Ending::Answered);
    assert_eq!(old, Err(Refusal::LeaseLost));
    reminder
        .finish(reminder.token, at(33), Ending::Interrupted)
        .unwrap();
    assert_eq!(reminder.outcome(), Some(Outcome::Confirmed));
    assert_eq!(reminder.cancel(at(34)), Err(Refusal::Over));
}

#[test]
fn attempts_are_spaced_and_end() {
    let mut reminder = reminder();
    let token = call(&mut reminder, 0);
    reminder.finish(token, at(40), Ending::NotAnswered).unwrap();
    assert_eq!(reminder.state, State::Waiting { at: at(640) });
    let token = call(&mut reminder, 640);
    reminder.finish(token, at(700), Ending::Answered).unwrap();
    assert_eq!(reminder.outcome(), Some(Outcome::Unconfirmed));
}

#[test]
fn a_call_that_we_broke_off_is_no_attempt() {
    let mut reminder = reminder();
    let token = call(&mut reminder, 0);
    reminder.finish(token, at(40), Ending::Interrupted).unwrap();
    assert_eq!(reminder.state, State::Waiting { at: at(40) });
    let token = call(&mut reminder, 40);
    reminder.finish(token, at(60), Ending::Interrupted).unwrap();
    assert_eq!(reminder.state, State::Waiting { at: at(75) });
    assert_eq!(reminder.attempts, 0);
}

#[test]
fn an_unknown_call_is_waited_out() {
    let mut reminder = reminder();
    assert_eq!(reminder.claim(at(0), TERMS), Ok(Claim::Dial));
    assert_eq!(reminder.claim(at(149), TERMS), Err(NotNow));
    assert_eq!(reminder.claim(at(150), TERMS), Ok(Claim::Dial));
    assert_eq!((reminder.token, reminder.interruptions), (2, 1));
    let late = reminder.placed(1, "late", at(151), TERMS);
    assert_eq!(late, Err(Refusal::LeaseLost));
}

#[test]
fn later_means_later_with_all_attempts() {
    let mut reminder = reminder();
    let token = call(&mut reminder, 0);
    reminder.finish(token, at(5), Ending::NotAnswered).unwrap();
    let token = call(&mut reminder, 605);
    reminder.decide(token, Verdict::Postponed).unwrap();
    reminder.finish(token, at(700), Ending::Answered).unwrap();
    assert_eq!(reminder.state, State::Waiting { at: at(4300) });
    assert_eq!((reminder.attempts, reminder.postponements), (0, 1));
}

#[test]
fn what_expires_is_not_called() {
    let mut reminder = reminder();
    assert_eq!(reminder.claim(at(5 * 3600), TERMS), Ok(Claim::Nothing));
    assert_eq!(reminder.outcome(), Some(Outcome::Expired));
}

#[test]
fn a_runner_that_was_down_does_not_call_at_night() {
    let mut reminder = reminder();
    // 2027-01-15 09:00 in Berlin.
    let local = |time: &str| time.parse().unwrap();
    reminder.spec.quiet = QuietHours::new(local("10:00"), local("12:00"));
    assert_eq!(reminder.claim(at(3600), TERMS), Ok(Claim::Nothing));
    assert_eq!(reminder.state, State::Waiting { at: at(3 * 3600) });
}

#[test]
fn cancelling_waits_for_the_call_under_way() {
    let mut waiting = reminder();
    waiting.cancel(at(0)).unwrap();
    assert_eq!(waiting.outcome(), Some(Outcome::Cancelled));
    let mut calling = reminder();
    let token = call(&mut calling, 0);
    calling.cancel(at(3)).unwrap();
    assert_eq!(calling.outcome(), None);
    calling.decide(token, Verdict::Postponed).unwrap();
    calling.finish(token, at(5), Ending::Answered).unwrap();
    assert_eq!(calling.outcome(), Some(Outcome::Cancelled));
}

#[test]
fn graph_may_ask_to_wait() {
    let mut reminder = reminder();
    assert_eq!(reminder.claim(at(0), TERMS), Ok(Claim::Dial));
    let ending = Ending::Refused {
        retry_after: Some(Duration::from_secs(7)),
    };
    reminder.finish(1, at(1), ending).unwrap();
    assert_eq!(reminder.state, State::Waiting { at: at(8) });
    assert_eq!((reminder.attempts, reminder.refusals), (0, 1));
}

/// A call somewhere in the world.
struct Live {
    id: String,
    until: Timestamp,
}

/// A runner, as far as it remembers.
#[derive(Default, Clone)]
struct Runner {
    token: i64,
    /// Until when it may dial; `None` when it has, or has nothing to do.
    may_dial: Option<Timestamp>,
    call: Option<String>,
    end: Option<String>,
}

struct World {
    now: Timestamp,
    reminder: Reminder,
    runners: Vec<Runner>,
    live: Vec<Live>,
    rang: u32,
    interrupted: u32,
    last_end: Option<Timestamp>,
    calls: u32,
    confirmed: bool,
}

impl World {
    /// Runner `who` does `what` next, or dies, or sleeps.
    fn step(&mut self, who: usize, what: u8, seconds: i64) {
        self.now += jiff::SignedDuration::from_secs(seconds);
        let now = self.now;
        self.live.retain(|call| call.until > now);
        let mut runner = self.runners[who].clone();
        match what {
            0..=2 => self.claim(&mut runner),
            3..=4 => {
                let id = self.dial(&mut runner);
                self.placed(&mut runner, id);
            }
            // Dies before it has told anybody.
            5 => {
                self.dial(&mut runner);
                runner = Runner::default();
            }
            6 => runner = Runner::default(),
            7 if runner.call.is_some() => {
                let _ = self.reminder.renew(runner.token, now, TERMS);
            }
            8 if runner.call.is_some() => {
                let decided = self.reminder.decide(runner.token, Verdict::Confirmed);
                self.confirmed |= decided.is_ok();
            }
            9 if runner.call.is_some() => {
                let _ = self.reminder.decide(runner.token, Verdict::Postponed);
            }
            10 | 11 => self.hang_up(&mut runner, what == 10),
            12 => self.end_orphan(&mut runner),
            13 if seconds == 7 => {
                let _ = self.reminder.cancel(now);
            }
            _ => {}
        }
        self.runners[who] = runner;
    }

    fn claim(&mut self, runner: &mut Runner) {
        match self.reminder.claim(self.now, TERMS) {
            Ok(Claim::Dial) => {
                *runner = Runner {
                    token: self.reminder.token,
                    may_dial: Some(self.now + TERMS.lease),
                    ..Runner::default()
                };
            }
            Ok(Claim::End(call)) => {
                *runner = Runner {
                    token: self.reminder.token,
                    end: Some(call),
                    ..Runner::default()
                };
            }
            Ok(Claim::Nothing) | Err(NotNow) => {}
        }
    }

    fn dial(&mut self, runner: &mut Runner) -> Option<String> {
        let before = runner.may_dial.take()?;
        if self.now >= before {
            return None;
        }
        assert!(self.live.is_empty(), "two calls at once");
        assert!(!self.confirmed, "called after the confirmation");
        assert!(self.now < self.reminder.spec.expires + TERMS.lease);
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        self.live.push(Live {
            id: id.clone(),
            until: self.now + TERMS.call,
        });
        Some(id)
    }

    fn placed(&mut self, runner: &mut Runner, id: Option<String>) {
        let Some(id) = id else { return };
        match self.reminder.placed(runner.token, &id, self.now, TERMS) {
            Ok(()) => runner.call = Some(id),
            Err(_) => self.live.clear(),
        }
    }

    /// The call is over; the runner says so, if it still may.
    fn hang_up(&mut self, runner: &mut Runner, answered: bool) {
        let Some(call) = runner.call.take() else {
            return;
        };
        self.live.retain(|live| live.id != call);
        let ending = if answered {
            Ending::Answered
        } else {
            Ending::NotAnswered
        };
        let postponed = self.reminder.verdict == Some(Verdict::Postponed);
        if self.reminder.finish(runner.token, self.now, ending).is_ok() {
            self.rang = if postponed { 0 } else { self.rang + 1 };
            self.last_end = Some(self.now);
        }
    }

    fn end_orphan(&mut self, runner: &mut Runner) {
        let Some(call) = runner.end.take() else {
            return;
        };
        self.live.retain(|live| live.id != call);
        let done = self
            .reminder
            .finish(runner.token, self.now, Ending::Interrupted);
        self.interrupted += u32::from(done.is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whoever_dies_when(
        steps in prop::collection::vec((0usize..3, 0u8..14, 0i64..40), 1..150),
    ) {
        let mut world = World {
            now: at(-60),
            reminder: reminder(),
            runners: vec![Runner::default(); 3],
            live: Vec::new(),
            rang: 0,
            interrupted: 0,
            last_end: None,
            calls: 0,
            confirmed: false,
        };
        for (who, what, seconds) in steps {
            let before = world.reminder.clone();
            world.step(who, what, seconds);
            let after = &world.reminder;
            prop_assert!(after.token >= before.token);
            prop_assert!(world.live.len() <= 1);
            prop_assert!(world.rang <= after.spec.retry.attempts);
            // Never lost: it is over, or somebody will look at it.
            prop_assert_eq!(after.wake().is_none(), after.outcome().is_some());
            if before.outcome().is_some() {
                prop_assert_eq!(&before, after);
            }
            if world.confirmed && after.outcome().is_some() {
                prop_assert_eq!(after.outcome(), Some(Outcome::Confirmed));
            }
        }
        // Left alone with one runner that works, it comes to an end.
        for _ in 0..400 {
            if world.reminder.outcome().is_some() {
                break;
            }
            let wake = world.reminder.wake().unwrap_or(world.now);
            world.now = world.now.max(wake);
            for what in [0, 12, 0, 3, 11] {
                world.step(0, what, 0);
            }
        }
        prop_assert!(world.reminder.outcome().is_some(), "lost: {:?}", world.reminder);
    }
}

//! A reminder's life.
//!
//! ```text
//! Waiting ──claim──▶ Dialing ──placed──▶ Calling ──finish──▶ Done
//!    ▲                  │                   │                  ▲
//!    └──── try again ───┴───────────────────┴─── outcome known ┘
//! ```
//!
//! Whoever claims gets a token and a lease. What is reported with an older token is
//! refused, so a runner that slept through its lease changes nothing. While a call may
//! be alive, nobody can dial: a call whose id is known is ended first, and one whose id
//! is not (its runner died while dialling) is waited out.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::spec::{ReminderId, Spec};

/// Calls broken off by ourselves, after which a reminder is given up.
pub const MAX_INTERRUPTIONS: u32 = 20;
/// How often a person may put a reminder off.
const MAX_POSTPONEMENTS: u32 = 10;
/// Waiting after Graph refused to place a call for now: at first, and at most.
const REFUSED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// Waiting after the second call in a row that we broke off; doubles up to 16 minutes.
const INTERRUPTED: Duration = Duration::from_secs(15);

/// One reminder: what it is to do, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reminder {
    /// Its id.
    pub id: ReminderId,
    /// What it is to do.
    pub spec: Spec,
    /// When it was asked for.
    pub created: Timestamp,
    /// Where it stands.
    pub state: State,
    /// What is decided about it while its call goes on.
    pub verdict: Option<Verdict>,
    /// Calls that rang, since the person last put it off.
    pub attempts: u32,
    /// Calls that we broke off, and claims that came to nothing, in a row.
    pub interruptions: u32,
    /// Times that Graph refused to place the call for now, in a row.
    pub refusals: u32,
    /// How often the person put it off.
    pub postponements: u32,
    /// Grows with every claim; the holder of the latest alone may report.
    pub token: i64,
}

/// Where a reminder stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum State {
    /// For its time.
    Waiting {
        /// When to call.
        at: Timestamp,
    },
    /// A runner is placing the call; its id is not known yet.
    Dialing {
        /// Until when the runner may place it.
        lease: Timestamp,
        /// From then on no such call can be alive any more.
        free: Timestamp,
    },
    /// In a call.
    Calling {
        /// The call's id.
        call: String,
        /// Until when its runner is presumed alive.
        lease: Timestamp,
    },
    /// For good.
    Done {
        /// What came of it.
        outcome: Outcome,
        /// Since when.
        at: Timestamp,
    },
}

/// What came of a reminder; it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The person confirmed.
    Confirmed,
    /// The last call was answered, and not confirmed.
    Unconfirmed,
    /// The last call was not answered.
    Unreached,
    /// Its time passed before a call could be tried.
    Expired,
    /// It was taken back.
    Cancelled,
    /// Graph can't call this person or number at all.
    Uncallable,
    /// We broke off too many calls: something is wrong with the bot.
    Failed,
}

/// What is decided while a call goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// The person confirmed.
    Confirmed,
    /// The person wants to be called later.
    Postponed,
    /// It was taken back.
    Cancelled,
}

/// How a call ended, apart from what was decided in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was answered, and went its way.
    Answered,
    /// Nobody took it: no answer, busy, declined, or hung up by hand while it rang.
    NotAnswered,
    /// We broke it off: a fault of ours, of the network or of Graph.
    Interrupted,
    /// It was never placed: Graph is too busy, or there is no way to it.
    Refused {
        /// What Graph asks to wait.
        retry_after: Option<Duration>,
    },
    /// It reaches nobody, now or later: no such user, number or permission.
    Uncallable,
}

/// For how long a runner takes a reminder.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How long a claim or a renewal lasts.
    pub lease: Duration,
    /// How long a call can last after it was placed, by itself, if nobody cares for it.
    pub call: Duration,
}

/// What a claim leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Place the call, before the lease is over.
    Dial,
    /// End this call that its runner left behind, then report [`Ending::Interrupted`].
    End(String),
    /// Nothing is to be done now; its state may have changed all the same.
    Nothing,
}

/// It isn't time yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reminder is not due")]
pub struct NotNow;

/// Why a report or wish was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else has taken the reminder since.
    #[error("the lease on the reminder is lost: hang up, and report nothing")]
    LeaseLost,
    /// It is over.
    #[error("the reminder is over")]
    Over,
    /// It doesn't fit where the reminder stands.
    #[error("that doesn't fit where the reminder stands")]
    State,
}

impl Reminder {
    /// A new reminder.
    pub fn new(id: ReminderId, spec: Spec, now: Timestamp) -> Self {
        let at = spec.allowed(spec.at);
        Self {
            id,
            spec,
            created: now,
            state: State::Waiting { at },
            verdict: None,
            attempts: 0,
            interruptions: 0,
            refusals: 0,
            postponements: 0,
            token: 0,
        }
    }

    /// When somebody has to look at it next; `None` once it is over.
    pub fn wake(&self) -> Option<Timestamp> {
        match self.state {
            State::Waiting { at } => Some(at.min(self.spec.expires)),
            State::Dialing { free, .. } => Some(free),
            State::Calling { lease, .. } => Some(lease),
            State::Done { .. } => None,
        }
    }

    /// What came of it, if it is over.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Done { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    /// Takes it, if it is due.
    ///
    /// # Errors
    /// [`NotNow`]; then nothing has changed.
    pub fn claim(&mut self, now: Timestamp, terms: Terms) -> Result<Claim, NotNow> {
        if self.wake().is_none_or(|wake| now < wake) {
            return Err(NotNow);
        }
        if let State::Calling { call, lease } = &mut self.state {
            self.token += 1;
            *lease = now + terms.lease;
            return Ok(Claim::End(call.clone()));
        }
        if matches!(self.state, State::Dialing { .. }) {
            self.end(now, Ending::Interrupted);
        }
        let State::Waiting { at } = self.state else {
            return Ok(Claim::Nothing);
        };
        if now >= self.spec.expires {
            self.over(now, self.last_words(Outcome::Expired));
            return Ok(Claim::Nothing);
        }
        let allowed = self.spec.allowed(at.max(now));
        if allowed > now {
            self.state = State::Waiting { at: allowed };
            return Ok(Claim::Nothing);
        }
        self.token += 1;
        let lease = now + terms.lease;
        self.state = State::Dialing {
            lease,
            free: lease + terms.call,
        };
        Ok(Claim::Dial)
    }

    /// The call was placed, and has this id.
    ///
    /// # Errors
    /// [`Refusal`]; then the call must be ended.
    pub fn placed(
        &mut self,
        token: i64,
        call: &str,
        now: Timestamp,
        terms: Terms,
    ) -> Result<(), Refusal> {
        self.held(token)?;
        match &self.state {
            State::Dialing { .. } => {}
            // Reported again, because the first answer was lost.
            State::Calling { call: known, .. } if known == call => {}
            _ => return Err(Refusal::State),
        }
        self.state = State::Calling {
            call: call.to_owned(),
            lease: now + terms.lease,
        };
        Ok(())
    }

    /// The runner is alive, and so is the call.
    ///
    /// # Errors
    /// [`Refusal`]; then the call must be ended.
    pub fn renew(&mut self, token: i64, now: Timestamp, terms: Terms) -> Result<(), Refusal> {
        self.held(token)?;
        match &mut self.state {
            State::Calling { lease, .. } => {
                *lease = now + terms.lease;
                Ok(())
            }
            _ => Err(Refusal::State),
        }
    }

    /// Its runner is known to be gone: a call that it left behind is ended at once, and
    /// not when its lease is over. One whose id is not known is waited out all the same.
    pub fn abandon(&mut self, now: Timestamp) {
        if let State::Calling { lease, .. } = &mut self.state {
            *lease = now.min(*lease);
        }
    }

    /// The person pressed a key that means something. A confirmation stands whatever
    /// else is wished.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn decide(&mut self, token: i64, verdict: Verdict) -> Result<(), Refusal> {
        self.held(token)?;
        self.wish(verdict);
        Ok(())
    }

    /// The call is over, or there was none.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn finish(&mut self, token: i64, now: Timestamp, ending: Ending) -> Result<(), Refusal> {
        self.held(token)?;
        self.end(now, ending);
        Ok(())
    }

    /// Takes it back: at once, or when the call under way is over. A confirmation stands.
    ///
    /// # Errors
    /// [`Refusal::Over`].
    pub fn cancel(&mut self, now: Timestamp) -> Result<(), Refusal> {
        match self.state {
            State::Done { .. } => return Err(Refusal::Over),
            State::Waiting { .. } => self.over(now, Outcome::Cancelled),
            State::Dialing { .. } | State::Calling { .. } => self.wish(Verdict::Cancelled),
        }
        Ok(())
    }

    fn held(&self, token: i64) -> Result<(), Refusal> {
        match self.state {
            _ if token != self.token => Err(Refusal::LeaseLost),
            State::Dialing { .. } | State::Calling { .. } => Ok(()),
            State::Done { .. } => Err(Refusal::Over),
            State::Waiting { .. } => Err(Refusal::State),
        }
    }

    fn wish(&mut self, verdict: Verdict) {
        let stands = match self.verdict {
            Some(Verdict::Confirmed) => true,
            Some(Verdict::Cancelled) => verdict == Verdict::Postponed,
            Some(Verdict::Postponed) | None => false,
        };
        if !stands {
            self.verdict = Some(verdict);
        }
    }

    fn end(&mut self, now: Timestamp, ending: Ending) {
        match self.verdict.take() {
            Some(Verdict::Confirmed) => self.over(now, Outcome::Confirmed),
            Some(Verdict::Cancelled) => self.over(now, Outcome::Cancelled),
            Some(Verdict::Postponed) => self.postpone(now),
            None => self.undecided(now, ending),
        }
    }

    fn postpone(&mut self, now: Timestamp) {
        self.postponements += 1;
        let by = self.spec.postpone.map(|postponement| postponement.by);
        match by {
            Some(by) if self.postponements <= MAX_POSTPONEMENTS => {
                (self.attempts, self.interruptions, self.refusals) = (0, 0, 0);
                self.again(now, by, Outcome::Unconfirmed);
            }
            _ => self.over(now, Outcome::Unconfirmed),
        }
    }

    fn undecided(&mut self, now: Timestamp, ending: Ending) {
        match ending {
            Ending::Answered => self.tried(now, Outcome::Unconfirmed),
            Ending::NotAnswered => self.tried(now, Outcome::Unreached),
            Ending::Interrupted => self.interrupted(now),
            Ending::Refused { retry_after } => {
                let (first, most) = REFUSED;
                let wait = doubled(first, self.refusals).min(most);
                self.refusals += 1;
                let wait = wait.max(retry_after.unwrap_or_default());
                self.again(now, wait, self.last_words(Outcome::Expired));
            }
            Ending::Uncallable => self.over(now, Outcome::Uncallable),
        }
    }

    fn tried(&mut self, now: Timestamp, so_far: Outcome) {
        self.attempts += 1;
        (self.interruptions, self.refusals) = (0, 0);
        if self.attempts >= self.spec.retry.attempts {
            self.over(now, so_far);
        } else {
            self.again(now, self.spec.retry.spacing, so_far);
        }
    }

    fn interrupted(&mut self, now: Timestamp) {
        self.interruptions += 1;
        if self.interruptions >= MAX_INTERRUPTIONS {
            return self.over(now, Outcome::Failed);
        }
        // Someone may sit there with a dead telephone: the first time, call back at once.
        let wait = match self.interruptions {
            1 => Duration::ZERO,
            more => doubled(INTERRUPTED, (more - 2).min(6)),
        };
        self.again(now, wait, self.last_words(Outcome::Expired));
    }

    /// Waits for `after`, or is over with `so_far` if that is too late.
    fn again(&mut self, now: Timestamp, after: Duration, so_far: Outcome) {
        // Far enough away for anyone: after the end of time it has expired.
        let at = now.checked_add(after).unwrap_or(Timestamp::MAX);
        let at = self.spec.allowed(at);
        if at >= self.spec.expires {
            self.over(now, so_far);
        } else {
            self.state = State::Waiting { at };
        }
    }

    /// What expiry means after calls that rang.
    fn last_words(&self, otherwise: Outcome) -> Outcome {
        if self.attempts == 0 {
            otherwise
        } else {
            Outcome::Unreached
        }
    }

    fn over(&mut self, now: Timestamp, outcome: Outcome) {
        self.verdict = None;
        self.state = State::Done { outcome, at: now };
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(2u32.saturating_pow(times.min(10)))
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;

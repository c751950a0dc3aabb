//! One claim, from dialling to its report.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use switchboard_reminders::{Claim, Ending, Message, Reminder, Verdict};
use switchboard_store::{Claimed, Report, StoreError};
use tokio::sync::watch as signal;

use super::Shared;
use crate::dialer::{DialError, Order, Placed, Progress};

/// How long to wait before the ledger is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// A call is not placed if the lease has less than this left.
const MARGIN: Duration = Duration::from_secs(5);

/// The lease is lost, or what was reported can't be: nothing more is to be done.
struct Lost;

pub(super) async fn carry_out(shared: Arc<Shared>, claimed: Claimed) {
    let hang_up = shared.hang_up.clone();
    let mut watch = Watch {
        claimed_at: shared.clock.now(),
        shared: &shared,
        reminder: claimed.reminder,
        hang_up,
    };
    // Whoever claims it next does what is left.
    let _ = match claimed.claim {
        Claim::Dial => watch.dial().await,
        Claim::End(call) => watch.end(&call).await,
        Claim::Nothing => Ok(()),
    };
}

struct Watch<'a> {
    shared: &'a Shared,
    reminder: Reminder,
    claimed_at: Timestamp,
    hang_up: signal::Receiver<bool>,
}

enum Woken {
    Progress(Option<Progress>),
    Renew,
    HangUp,
}

impl Watch<'_> {
    async fn dial(&mut self) -> Result<(), Lost> {
        let lease = self.shared.config.terms.lease.saturating_sub(MARGIN);
        let deadline = after(self.claimed_at, lease);
        if self.shared.clock.now() >= deadline {
            return Err(Lost);
        }
        let Some(order) = self.order() else {
            return self.report(Report::Finished(Ending::Uncallable)).await;
        };
        let dialer = &self.shared.dialer;
        let placed = tokio::select! {
            placed = dialer.dial(order) => placed,
            // There may be a call all the same: it is waited out.
            () = self.shared.clock.sleep_until(deadline) => return Err(Lost),
        };
        match placed {
            Ok(placed) => self.follow(placed).await,
            Err(error) => {
                tracing::info!(reminder = %self.reminder.id, %error, "a reminder was not called");
                let ending = match error {
                    DialError::Later { retry_after, .. } => Ending::Refused { retry_after },
                    DialError::Never(_) => Ending::Uncallable,
                    DialError::Unknown(_) => return Err(Lost),
                };
                self.report(Report::Finished(ending)).await
            }
        }
    }

    fn order(&self) -> Option<Order> {
        let spec = &self.reminder.spec;
        let prompt = match &spec.message {
            Message::Prompt(prompt) => Some(prompt.clone()),
            Message::Text(_) => None,
        };
        Some(Order {
            reminder: self.reminder.id,
            token: self.reminder.token,
            target: spec.target.clone(),
            from: spec.from.clone(),
            text: spec.text().ok()?,
            prompt,
            confirm: spec.confirm,
            postpone: spec.postpone.map(|postponement| postponement.key),
        })
    }

    async fn follow(&mut self, placed: Placed) -> Result<(), Lost> {
        let Placed { call, mut progress } = placed;
        let followed = self.follow_call(&call, &mut progress).await;
        if followed.is_err() {
            // Nobody else knows of it, or somebody else has taken over.
            self.hang_up(&call).await;
        }
        followed
    }

    async fn follow_call(
        &mut self,
        call: &str,
        progress: &mut tokio::sync::mpsc::Receiver<Progress>,
    ) -> Result<(), Lost> {
        self.report(Report::Placed(call)).await?;
        let every = self.shared.config.terms.lease / 3;
        let mut renew = after(self.shared.clock.now(), every);
        loop {
            let woken = tokio::select! {
                progress = progress.recv() => Woken::Progress(progress),
                () = self.shared.clock.sleep_until(renew) => Woken::Renew,
                Ok(_) = self.hang_up.wait_for(|hang_up| *hang_up) => Woken::HangUp,
            };
            match woken {
                Woken::Progress(Some(Progress::Decided(verdict))) => {
                    self.report(Report::Decided(verdict)).await?;
                }
                Woken::Progress(Some(Progress::Ended(ending))) => {
                    return self.report(Report::Finished(ending)).await;
                }
                Woken::Progress(None) | Woken::HangUp => {
                    self.hang_up(call).await;
                    return self.report(Report::Finished(Ending::Interrupted)).await;
                }
                Woken::Renew => {
                    let wait = match self.renew(call).await? {
                        true => every,
                        false => AGAIN,
                    };
                    renew = after(self.shared.clock.now(), wait);
                }
            }
        }
    }

    /// Whether the lease was renewed. A ledger that is out of reach is no reason to hang up: who
    /// takes the reminder over ends this call first.
    async fn renew(&mut self, call: &str) -> Result<bool, Lost> {
        match self.try_report(Report::Alive).await {
            Ok(()) => {}
            Err(error) if error.is_temporary() => return Ok(false),
            Err(_) => return Err(Lost),
        }
        if self.reminder.verdict == Some(Verdict::Cancelled) {
            self.hang_up(call).await;
        }
        Ok(true)
    }

    /// Ends a call that another runner left behind.
    async fn end(&mut self, call: &str) -> Result<(), Lost> {
        match self.shared.dialer.end(call).await {
            Ok(()) => self.report(Report::Finished(Ending::Interrupted)).await,
            Err(error) => {
                tracing::warn!(reminder = %self.reminder.id, %error, "a call left behind goes on");
                Err(Lost)
            }
        }
    }

    async fn hang_up(&self, call: &str) {
        if let Err(error) = self.shared.dialer.end(call).await {
            tracing::warn!(reminder = %self.reminder.id, %error, "a call could not be ended");
        }
    }

    /// Reports until it is taken, or refused for good.
    async fn report(&mut self, report: Report<'_>) -> Result<(), Lost> {
        loop {
            match self.try_report(report).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_temporary() => {
                    tracing::warn!(reminder = %self.reminder.id, %error, "a report has to wait");
                    let again = after(self.shared.clock.now(), AGAIN);
                    self.shared.clock.sleep_until(again).await;
                }
                Err(error) => {
                    tracing::warn!(reminder = %self.reminder.id, %error, "a report was refused");
                    return Err(Lost);
                }
            }
        }
    }

    async fn try_report(&mut self, report: Report<'_>) -> Result<(), StoreError> {
        let Shared {
            ledger,
            clock,
            config,
            outage,
            ..
        } = self.shared;
        let (id, token) = (self.reminder.id, self.reminder.token);
        let reported = ledger
            .report(id, token, clock.now(), config.terms, report)
            .await;
        match &reported {
            Err(error) if error.is_temporary() => outage.failed(clock.now()),
            _ => outage.passed(clock.now(), config.terms.lease),
        }
        self.reminder = reported?;
        Ok(())
    }
}

fn after(time: Timestamp, wait: Duration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}

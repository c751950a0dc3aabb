//! Transferring a call, and noticing that it failed.

use std::time::{Duration, Instant};

use super::command::{CommandError, CommandId};
use super::event::{CallEvent, Failure};
use super::exchange::Request;
use super::machine::CallMachine;
use super::state::is_transfer;
use super::working::Job;
use crate::error::{GraphError, Outcome};
use crate::request;
use crate::types::{CallState, ResultInfo, TransferRequest};

/// A transfer that hasn't ended the call or failed.
#[derive(Debug)]
pub(super) struct Transfer {
    command: CommandId,
    /// When the request was answered, or given up.
    answered: Option<Instant>,
    /// The application knows that Graph took it.
    accepted: bool,
    /// Graph spoke of the transfer.
    heard_of: bool,
    result: Option<ResultInfo>,
}

/// Graph may take this long to start a transfer it has accepted.
const SETTLE: Duration = Duration::from_secs(2);

impl CallMachine {
    pub(super) fn begin_transfer(
        &mut self,
        command: CommandId,
        transfer: &TransferRequest,
    ) -> Result<(), CommandError> {
        if self.transfer.is_some() {
            return Err(CommandError::Transferring);
        }
        let id = self.connected_id("transfer")?;
        let request = Request::Plain(request::transfer(id, transfer)?);
        self.queue(Job::new(command, request))?;
        self.transfer = Some(Transfer {
            command,
            answered: None,
            accepted: false,
            heard_of: false,
            result: None,
        });
        Ok(())
    }

    /// Whether `command` is the transfer under way.
    pub(super) fn is_transfer(&self, command: CommandId) -> bool {
        let same = |transfer: &Transfer| transfer.command == command;
        self.transfer.as_ref().is_some_and(same)
    }

    /// The transfer request was answered. What may have been done is watched as if it was.
    pub(super) fn transfer_answered(&mut self, now: Instant, error: Option<GraphError>) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        transfer.answered = Some(now);
        self.heard_at = now;
        match error {
            None => self.confirm_transfer(),
            Some(error) if error.outcome() == Outcome::NotDone => {
                self.fail_transfer(Failure::Refused(error));
            }
            Some(_) => self.reconciler.want(now + SETTLE),
        }
    }

    /// Graph has taken it: it said so, or the call has moved on.
    pub(super) fn confirm_transfer(&mut self) {
        if let Some(transfer) = &mut self.transfer
            && !transfer.accepted
        {
            transfer.accepted = true;
            self.events.push_back(CallEvent::Accepted(transfer.command));
        }
    }

    /// `established`, again: the documented sign of a failed transfer, or old news. Graph is
    /// asked, and the result kept for the event.
    pub(super) fn hint_at_failed_transfer(
        &mut self,
        now: Instant,
        state: &CallState,
        result: Option<&ResultInfo>,
    ) {
        if *state == self.state && *state != CallState::Established {
            return;
        }
        let failed = result.filter(|one| one.code.is_some_and(|code| code >= 300));
        match &mut self.transfer {
            Some(transfer) if *state == CallState::Established => {
                transfer.heard_of |= failed.is_some();
                transfer.result = failed.cloned().or(transfer.result.take());
                self.reconciler.want(now);
            }
            _ if *state != self.state => self.reconciler.want(now),
            _ => {}
        }
    }

    /// A read sent at `sent` said `established`: whether that may be believed. If so, a transfer
    /// that had its time has failed.
    pub(super) fn believes_established(&mut self, now: Instant, sent: Instant) -> bool {
        let known = is_transfer(&self.state);
        let Some(transfer) = &mut self.transfer else {
            return true;
        };
        let Some(answered) = transfer.answered else {
            return false;
        };
        let time = match known || transfer.heard_of {
            true => SETTLE,
            false => self.config.silence,
        };
        if sent < answered + time {
            self.reconciler.want((answered + time).max(now));
            return false;
        }
        let result = transfer.result.take().map(Box::new);
        self.fail_transfer(Failure::Failed(result));
        true
    }

    pub(super) fn fail_transfer(&mut self, failure: Failure) {
        if let Some(Transfer { command, .. }) = self.transfer.take() {
            let failed = CallEvent::TransferFailed { command, failure };
            self.events.push_back(failed);
        }
    }

    /// The call has ended: that is what an accepted transfer was for.
    pub(super) fn settle_transfer(&mut self) {
        if self.transfer.as_ref().is_some_and(|one| one.accepted) {
            self.transfer = None;
        }
        self.fail_transfer(Failure::CallEnded);
    }
}

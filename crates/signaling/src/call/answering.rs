//! An incoming call is answered, rejected or redirected: once, and in time.

use std::time::{Duration, Instant};

use super::command::{Command, CommandError, CommandId};
use super::event::{CallEvent, Cause, Failure};
use super::exchange::{Request, Response};
use super::machine::{CallMachine, Purpose};
use super::reconciler::doubled;
use crate::error::{GraphError, Outcome};
use crate::request::{self, GraphRequest};
use crate::types::{CallId, CallState, RejectReason, RejectRequest};

/// What became of an incoming call's answer, rejection or redirection.
#[derive(Debug)]
pub(super) struct Decision {
    command: CommandId,
    request: GraphRequest<()>,
    answers: bool,
    phase: Phase,
    attempts: u32,
    /// Whether an attempt may have had its effect: then Graph has the last word.
    doubtful: bool,
    /// Graph asked for no further attempt until then.
    not_before: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// To be sent at that time.
    Due(Instant),
    InFlight,
    /// It may be done: the call is being read.
    Unknown,
    Accepted,
}

/// After the deadline Graph is asked for so long what became of a decision.
const GRACE: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(4);

impl CallMachine {
    pub(super) fn decide(
        &mut self,
        now: Instant,
        command: CommandId,
        decision: &Command,
    ) -> Result<(), CommandError> {
        let name = decision.name();
        self.expire_answer(now);
        if self.is_terminated() {
            return Err(CommandError::Ended(name));
        }
        let state = CommandError::State {
            command: name,
            state: self.state.clone(),
        };
        let id = self
            .id
            .as_ref()
            .filter(|_| self.incoming)
            .ok_or(state.clone())?;
        if self.decision.is_some() {
            return Err(CommandError::Decided(name));
        }
        if self.state != CallState::Incoming {
            return Err(state);
        }
        let request = decision_request(id, decision)?;
        let answers = matches!(decision, Command::Answer(_));
        self.decision = Some(Decision::new(now, command, request, answers));
        Ok(())
    }

    /// Turns the call down if it is still ours to decide about; whether it was.
    pub(super) fn turn_down(&mut self, now: Instant, command: CommandId) -> bool {
        let undecided = self.decision.as_ref().is_none_or(Decision::is_unsent);
        let Some(id) = self.id.as_ref().filter(|_| undecided && self.is_ringing()) else {
            return false;
        };
        let reject = RejectRequest {
            reason: Some(RejectReason::None),
            ..RejectRequest::default()
        };
        let Ok(request) = request::reject(id, &reject) else {
            return false;
        };
        self.fail_decision(Failure::CallEnded);
        self.decision = Some(Decision::new(now, command, request, false));
        true
    }

    pub(super) fn send_decision(&mut self, now: Instant) {
        let ringing = self.is_ringing();
        let Some(decision) = &mut self.decision else {
            return;
        };
        if matches!(decision.phase, Phase::Due(at) if at <= now) && ringing {
            decision.phase = Phase::InFlight;
            decision.attempts += 1;
            let request = Request::Plain(decision.request.clone());
            self.send(now, Purpose::Decide, request);
        }
    }

    pub(super) fn decided(&mut self, now: Instant, outcome: Result<Response, GraphError>) {
        let Some(decision) = &mut self.decision else {
            return;
        };
        if decision.phase != Phase::InFlight {
            return;
        }
        let asked = outcome.as_ref().err().and_then(GraphError::retry_after);
        decision.not_before = now + asked.unwrap_or_default();
        match outcome {
            Ok(_) => self.decision_accepted(now),
            Err(error) if error.is_gone() => self.gone(),
            Err(error) if error.outcome() == Outcome::MayBeDone => {
                decision.phase = Phase::Unknown;
                decision.doubtful = true;
                self.reconciler.want(now);
            }
            Err(error) => self.decision_refused(now, error),
        }
    }

    /// It had no effect, or an earlier attempt had one and this came too late for that reason.
    fn decision_refused(&mut self, now: Instant, error: GraphError) {
        let Some(decision) = &mut self.decision else {
            return;
        };
        let pause = doubled(FIRST_PAUSE, decision.attempts, MAX_PAUSE);
        let next = now + error.retry_after().unwrap_or(pause);
        let in_time = self.answer_deadline.is_some_and(|deadline| next < deadline);
        if can_be_sent_again(&error) && in_time {
            decision.phase = Phase::Due(next);
        } else if decision.doubtful {
            decision.phase = Phase::Unknown;
            self.reconciler.want(now);
        } else {
            self.fail_decision(Failure::Refused(error));
            self.reconciler.want(now);
            self.expire_answer(now);
        }
    }

    fn decision_accepted(&mut self, now: Instant) {
        self.confirm_decision();
        self.heard_at = now;
        let answered = self.decision.as_ref().is_some_and(|one| one.answers);
        if answered && self.state == CallState::Incoming {
            self.enter(now, CallState::Establishing);
        }
    }

    /// Graph has taken it: it said so, or the call has moved on.
    pub(super) fn confirm_decision(&mut self) {
        if let Some(decision) = &mut self.decision
            && decision.phase != Phase::Accepted
        {
            decision.phase = Phase::Accepted;
            self.events.push_back(CallEvent::Accepted(decision.command));
        }
    }

    /// The call was read and is still incoming: what may have been done wasn't.
    pub(super) fn still_incoming(&mut self, now: Instant) {
        let in_time = self.answer_deadline.is_some_and(|deadline| now < deadline);
        if let Some(decision) = &mut self.decision
            && decision.phase == Phase::Unknown
            && in_time
        {
            decision.phase = Phase::Due(now.max(decision.not_before));
        }
    }

    /// Whether something is awaited after the decision.
    pub(super) fn decision_is_open(&self) -> bool {
        let open = |one: &Decision| matches!(one.phase, Phase::Unknown | Phase::Accepted);
        self.is_ringing() && self.decision.as_ref().is_some_and(open)
    }

    pub(super) fn answer_timeout(&self) -> Option<Instant> {
        let deadline = self.answer_deadline.filter(|_| self.is_ringing())?;
        match self.decision.as_ref().map(|one| one.phase) {
            None => Some(deadline),
            Some(Phase::Due(at)) => Some(at.min(deadline)),
            Some(_) => Some(deadline + GRACE),
        }
    }

    /// The deadline has passed: what wasn't sent isn't sent any more; of what was sent, Graph is
    /// asked for a while, and then the call is ended rather than left to chance.
    pub(super) fn expire_answer(&mut self, now: Instant) {
        let Some(deadline) = self.answer_deadline.filter(|_| self.is_ringing()) else {
            return;
        };
        let unsent = self.decision.as_ref().is_none_or(Decision::is_unsent);
        let doubtful = self.decision.as_ref().is_some_and(|one| one.doubtful);
        if now >= deadline && unsent && !doubtful {
            self.fail_decision(Failure::Lost);
            self.terminate(Cause::NotAnswered, None);
        } else if now >= deadline && unsent || now >= deadline + GRACE {
            self.fail_decision(Failure::Lost);
            self.answer_deadline = None;
            self.end(now);
        }
    }

    pub(super) fn fail_decision(&mut self, failure: Failure) {
        if let Some(decision) = self.decision.take()
            && decision.phase != Phase::Accepted
        {
            self.events.push_back(CallEvent::CommandFailed {
                command: decision.command,
                failure,
            });
        }
    }

    fn is_ringing(&self) -> bool {
        self.incoming && self.state == CallState::Incoming && self.ending.is_none()
    }
}

impl Decision {
    fn new(now: Instant, command: CommandId, request: GraphRequest<()>, answers: bool) -> Self {
        Self {
            command,
            request,
            answers,
            phase: Phase::Due(now),
            attempts: 0,
            doubtful: false,
            not_before: now,
        }
    }

    fn is_unsent(&self) -> bool {
        matches!(self.phase, Phase::Due(_))
    }
}

fn decision_request(id: &CallId, command: &Command) -> Result<GraphRequest<()>, CommandError> {
    Ok(match command {
        Command::Answer(body) => request::answer(id, body)?,
        Command::Reject(body) => request::reject(id, body)?,
        Command::Redirect(body) => request::redirect(id, body)?,
        other => return Err(CommandError::OtherCall(other.name())),
    })
}

/// It never reached Graph, or Graph was too busy to look at it.
fn can_be_sent_again(error: &GraphError) -> bool {
    match error {
        GraphError::Token(_) | GraphError::Connect { .. } | GraphError::Limited { .. } => true,
        GraphError::Api(error) => error.status == http::StatusCode::TOO_MANY_REQUESTS,
        _ => false,
    }
}

#[cfg(test)]
#[path = "answering_tests.rs"]
mod tests;

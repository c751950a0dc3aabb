//! Hanging up, and the end of a call.

use std::time::{Duration, Instant};

use super::command::CommandId;
use super::event::{CallEvent, Cause, Failure, Termination};
use super::exchange::{Request, Response};
use super::machine::{CallMachine, Purpose};
use super::reconciler::doubled;
use crate::error::GraphError;
use crate::http_client::tidy;
use crate::request;
use crate::types::{CallId, CallState, ResultInfo};

/// A call that is being hung up.
#[derive(Debug)]
pub(super) struct Ending {
    next: Option<Instant>,
    attempts: u32,
}

/// Hanging up is tried so often, over about two minutes.
const MAX_ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Graph ends a call by itself that wasn't kept alive for so long.
const GIVE_UP: Duration = Duration::from_secs(45 * 60);

impl Ending {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }
}

impl CallMachine {
    /// An incoming call is turned down; any other is deleted.
    pub(super) fn hang_up(&mut self, now: Instant, command: CommandId) {
        if self.ending.is_none() && !self.turn_down(now, command) {
            self.end(now);
        }
    }

    /// Deletes the call, now or as soon as it has an id.
    pub(super) fn end(&mut self, now: Instant) {
        self.ending.get_or_insert(Ending {
            next: Some(now),
            attempts: 0,
        });
    }

    pub(super) fn send_delete(&mut self, now: Instant, id: &CallId) {
        if let Some(ending) = &mut self.ending
            && ending.next.is_some_and(|at| at <= now)
        {
            ending.next = None;
            ending.attempts += 1;
            let request = Request::Plain(request::delete_call(id));
            self.send(now, Purpose::Delete, request);
        }
    }

    pub(super) fn deleted(&mut self, now: Instant, outcome: Result<Response, GraphError>) {
        let Some(ending) = &mut self.ending else {
            return;
        };
        match outcome {
            Ok(_) => self.terminate(Cause::HungUp, None),
            Err(error) if error.is_gone() => self.terminate(Cause::HungUp, None),
            Err(error) => {
                let asked = error.retry_after().unwrap_or_default();
                if ending.attempts >= MAX_ATTEMPTS || asked > GIVE_UP {
                    return self.terminate(Cause::Unconfirmed, None);
                }
                let pause = doubled(FIRST_PAUSE, ending.attempts - 1, MAX_PAUSE);
                ending.next = Some(now + pause.max(asked));
            }
        }
    }

    pub(super) fn gone(&mut self) {
        let cause = match self.ending {
            Some(_) => Cause::HungUp,
            None => Cause::Gone,
        };
        self.terminate(cause, None);
    }

    pub(super) fn not_created(&mut self, error: GraphError) {
        self.terminate(Cause::NotCreated(Box::new(error)), None);
    }

    /// The end: what is open is settled, and nothing is asked for or told afterwards.
    pub(super) fn terminate(&mut self, cause: Cause, result: Option<&ResultInfo>) {
        if self.is_terminated() {
            return;
        }
        self.fail_decision(Failure::CallEnded);
        self.fail_all_work();
        self.requests.clear();
        self.flights.clear();
        self.state = CallState::Terminated;
        let message = result.and_then(|result| result.message.as_deref());
        self.events
            .push_back(CallEvent::Terminated(Box::new(Termination {
                cause,
                code: result.and_then(|result| result.code),
                subcode: result.and_then(|result| result.subcode),
                message: message.map(|message| tidy(message, 512)),
            })));
    }
}

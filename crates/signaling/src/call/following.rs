//! Following the call's state, by notifications and by reading it.

use std::time::{Duration, Instant};

use super::event::{CallEvent, Cause};
use super::exchange::Response;
use super::machine::CallMachine;
use super::reconciler::ReadMark;
use super::state::{Verdict, is_passing, is_transfer, judge};
use crate::error::GraphError;
use crate::types::{Call, CallState, ResultInfo};

/// Callers may stay on hold for long.
const HOLD_SILENCE: Duration = Duration::from_secs(60);

impl CallMachine {
    /// A notification, or the creation, told a state.
    pub(super) fn told(&mut self, now: Instant, state: &CallState, result: Option<&ResultInfo>) {
        self.reconciler.heard();
        match judge(&self.state, state) {
            Verdict::Follow if *state == CallState::Terminated => {
                self.terminate(Cause::Graph, result);
            }
            // Without a transfer of ours this is most likely old news of an earlier one.
            Verdict::Follow if is_transfer(state) && self.transfer.is_none() => {
                self.reconciler.want(now);
            }
            Verdict::Follow => {
                self.heard_at = now;
                self.enter(now, state.clone());
            }
            Verdict::Same | Verdict::Doubt => self.hint_at_failed_transfer(now, state, result),
            Verdict::Stale => {}
        }
    }

    /// The call was read.
    pub(super) fn was_read(
        &mut self,
        now: Instant,
        mark: ReadMark,
        outcome: Result<Response, GraphError>,
    ) {
        match outcome {
            Ok(Response::Call(call)) if call.state.is_some() => {
                let current = self.reconciler.succeeded(mark);
                self.heard_at = now;
                self.lane.release();
                self.believe(now, mark, current, &call);
            }
            Err(error) if error.is_gone() => self.gone(),
            Err(error) => self.reconciler.failed(now, error.retry_after()),
            Ok(_) => self.reconciler.failed(now, None),
        }
    }

    /// `current` if nothing was heard since the read was sent: then it has the last word, but
    /// for steps back that calls never take.
    fn believe(&mut self, now: Instant, mark: ReadMark, current: bool, call: &Call) {
        let Some(state) = &call.state else { return };
        if *state == CallState::Terminated {
            return self.terminate(Cause::Graph, call.result_info.as_ref());
        }
        if *state == CallState::Incoming && self.state == CallState::Incoming {
            return self.still_incoming(now);
        }
        match judge(&self.state, state) {
            Verdict::Doubt if !current => self.reconciler.want(now),
            Verdict::Stale => {}
            _ if *state == CallState::Established && !self.believes_established(now, mark.sent) => {
            }
            Verdict::Follow | Verdict::Doubt => self.enter(now, state.clone()),
            Verdict::Same => {}
        }
    }

    pub(super) fn enter(&mut self, now: Instant, state: CallState) {
        if self.state == CallState::Incoming {
            self.answer_deadline = None;
            self.keep_alive_at = Some(now + self.config.keep_alive_every);
        }
        self.confirm_decision();
        if is_transfer(&state) {
            self.confirm_transfer();
        }
        self.state = state.clone();
        self.events.push_back(CallEvent::StateChanged(state));
    }

    /// Reads the call if a change that should come by itself doesn't, and now and then
    /// where none is due: the news of its end may be lost.
    pub(super) fn watch_for_silence(&mut self) {
        let awaited = is_passing(&self.state) || self.decision_is_open() || self.transfer.is_some();
        let silence = match self.state {
            CallState::Hold if self.transfer.is_none() => Some(HOLD_SILENCE),
            _ if awaited => Some(self.config.silence),
            CallState::Established => Some(self.config.check_every),
            _ => None,
        };
        self.reconciler
            .silent_at(silence.map(|silence| self.heard_at + silence));
    }
}

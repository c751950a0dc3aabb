//! Ends that aren't the conversation's: the bot stops, or whoever looks after it hangs up.

use std::time::Instant;

use switchboard_signaling::call::Command;

use super::Task;
use crate::bot::Stop;
use crate::flow::{Action, Input};

impl Task {
    /// Ends the call, or passes its caller on. Once: the wish stands for good.
    pub(super) fn stop(&mut self, now: Instant, stop: Stop) -> Vec<Action> {
        self.stopped = stop;
        let farewell = self.shared.farewell.as_ref();
        match farewell.filter(|_| stop == Stop::PassingOn && self.origin.incoming) {
            Some(farewell) => self.talk.input(now, Input::Leave(farewell)),
            None => self.order(Command::HangUp),
        }
    }

    pub(super) fn end_by_hand(&mut self) -> Vec<Action> {
        self.by_hand = true;
        self.order(Command::HangUp)
    }
}

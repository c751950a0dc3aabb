//! A caller's way on when the bot stops.

use super::{Action, Farewell, Input, Run, Stage};
use crate::flow::model::Refusal;
use crate::flow::plan::Step;

impl Run {
    /// Ends whatever is going on: the caller is told, then passed on.
    pub(super) fn take_leave(&mut self, farewell: &Farewell) {
        if matches!(self.stage, Stage::Offered | Stage::Deciding) {
            return self.finish(Action::Reject(Refusal::Busy));
        }
        let flow = std::sync::Arc::clone(&self.flow);
        let waits = self.stage == Stage::Waiting;
        let is_passed_on = self.stage == Stage::Transferring
            || waits && matches!(flow.node(self.at).step, Step::Transfer { .. });
        self.end_recording();
        if std::mem::take(&mut self.streaming) {
            self.actions.push(Action::StopStream);
        }
        self.wanted = None;
        self.deadline = None;
        let connected = self.stage != Stage::Answered;
        self.stage = Stage::Leaving;
        if is_passed_on {
            return;
        }
        if !flow.has_taker(&farewell.transfer_to) {
            return self.finish(Action::HangUp);
        }
        let successor = self.contact(&farewell.transfer_to);
        let known = |say: &&String| connected && flow.prompts.contains_key(*say);
        match farewell.say.as_ref().filter(known) {
            Some(say) => {
                self.successor = Some(successor);
                self.play(say, Stage::Leaving);
            }
            None => self.actions.push(Action::Transfer(successor)),
        }
    }

    /// Nothing counts any more but this.
    pub(super) fn leaving(&mut self, input: Input<'_>) {
        match input {
            Input::PromptFinished => {
                let successor = self.successor.take();
                self.actions.extend(successor.map(Action::Transfer));
            }
            Input::TransferFailed => self.finish(Action::HangUp),
            _ => {}
        }
    }
}

//! What the caller says, where Graph records it for the engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Action, Run, Stage, Told};
use crate::flow::plan::{Response, Step};
use crate::patience::UNDERSTANDING;

/// How long after its longest duration a recording may take to be told of and fetched.
const FETCHING: Duration = Duration::from_secs(15);

/// What of a node's caller is recorded, and how long nothing need come of it.
fn words_of(step: &Step) -> Option<(Option<&Response>, Duration)> {
    match step {
        Step::Listen(listen) => Some((listen.response.as_ref(), listen.timeout)),
        // Who has nothing to say isn't waited for as long as who speaks.
        Step::Record { response, own, .. } => {
            let nothing = response.initial.min(response.most);
            Some((Some(response), if *own { nothing } else { response.most }))
        }
        _ => None,
    }
}

impl Run {
    /// Waits for a choice, or for words.
    pub(super) fn wait_for_words(&mut self, now: Instant) {
        let flow = Arc::clone(&self.flow);
        if let Some((_, timeout)) = words_of(&flow.node(self.at).step) {
            self.deadline = Some(match self.hears_for_itself() {
                true => self.patience.wait(now, now + timeout),
                false => now + timeout,
            });
            self.begin_recording();
        }
    }

    /// Whether the node waits for words that are heard on media of the bot's own.
    fn hears_for_itself(&self) -> bool {
        match &self.flow.node(self.at).step {
            Step::Listen(listen) => listen.response.is_none() && listen.needs_engine(),
            _ => false,
        }
    }

    /// The caller begins (`true`) or ends to speak: what is waited for waits for them.
    pub(super) fn spoken(&mut self, now: Instant, begins: bool) {
        let waits = self.stage == Stage::Waiting && self.wanted.is_none();
        let due = self.deadline.filter(|_| waits && self.hears_for_itself());
        let deadline = match begins {
            true => self.patience.begins(now, due),
            false => self.patience.ends(now),
        };
        let flow = Arc::clone(&self.flow);
        self.deadline = match (&flow.node(self.at).step, begins) {
            _ if !waits => self.deadline,
            (
                Step::Record {
                    own: true,
                    response,
                    ..
                },
                true,
            ) => Some(now + response.most),
            (Step::Record { own: true, .. }, false) => Some(now + UNDERSTANDING),
            _ => deadline.or(self.deadline),
        };
    }

    pub(super) fn begin_recording(&mut self) {
        let flow = Arc::clone(&self.flow);
        if let Some((Some(response), _)) = words_of(&flow.node(self.at).step)
            && !self.engine_down
            && !std::mem::replace(&mut self.recording, true)
        {
            self.actions.push(Action::Record(response.clone()));
        }
    }

    pub(super) fn end_recording(&mut self) {
        if std::mem::take(&mut self.recording) {
            self.actions.push(Action::EndRecording);
        }
    }

    /// Takes how far Graph is with the recording.
    pub(super) fn response(&mut self, now: Instant, told: Told) {
        let flow = Arc::clone(&self.flow);
        let step = &flow.node(self.at).step;
        let Some((Some(response), timeout)) = words_of(step) else {
            return;
        };
        if !self.recording || self.stage != Stage::Waiting {
            return;
        }
        match told {
            Told::Begun => {
                self.deadline = Some(now + response.initial + response.most + FETCHING);
            }
            Told::Said => {
                self.unheard = 0;
                self.deadline = Some(now + UNDERSTANDING);
            }
            Told::Nothing => self.timeout(now),
            Told::Lost => match step {
                Step::Listen(listen) => match listen.on_engine_down {
                    Some(to) => self.enter(now, to),
                    None => self.deadline = Some(now + timeout),
                },
                _ => self.timeout(now),
            },
        }
    }
}

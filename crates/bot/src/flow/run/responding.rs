//! What the caller says, where Graph records it for the engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Action, Run, Stage, Told};
use crate::flow::plan::{Response, Step};

/// How long after its longest duration a recording may take to be told of and fetched.
const FETCHING: Duration = Duration::from_secs(15);
/// How long an engine may take to understand what it was given at once.
const UNDERSTANDING: Duration = Duration::from_secs(5);

/// What of a node's caller is recorded, and how long nothing need come of it.
fn words_of(step: &Step) -> Option<(Option<&Response>, Duration)> {
    match step {
        Step::Listen(listen) => Some((listen.response.as_ref(), listen.timeout)),
        Step::Record { response, .. } => Some((Some(response), response.most)),
        _ => None,
    }
}

impl Run {
    /// Waits for a choice, or for words.
    pub(super) fn wait_for_words(&mut self, now: Instant) {
        let flow = Arc::clone(&self.flow);
        if let Some((_, timeout)) = words_of(&flow.node(self.at).step) {
            self.deadline = Some(now + timeout);
            self.begin_recording();
        }
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

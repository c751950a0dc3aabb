//! A voice agent in the call's own task: from the flow's node to its end.

use std::time::Instant;

use switchboard_signaling::clock;

use switchboard_media::event::{Digit, MediaEvent};
use switchboard_nlp::adapter::AgentEnd;

use super::speakers::Speakers;
use super::{Media, Ours, Task};
use crate::agent::Streaming;
use crate::flow::{Action, Input};

impl Task {
    /// Connects the caller with a voice agent.
    pub(super) fn stream(&mut self, name: &str) -> Vec<Action> {
        self.stop_saying();
        let target = self.script.agent(name).cloned();
        let begun = match (&mut self.media, target) {
            (Media::Application(ours), Some(target)) => ours.voice.clone().and_then(|voice| {
                let streaming = Streaming::begin(&target, self.talk.facts(), voice).ok()?;
                ours.streaming = Some(streaming);
                Some(())
            }),
            _ => None,
        };
        match begun {
            Some(()) => Vec::new(),
            None => {
                tracing::warn!(call = ?self.control.id(), agent = name, "there is no such voice agent, or no live audio for it");
                self.talk.input(clock::now(), Input::Streamed(false))
            }
        }
    }

    pub(super) fn stop_stream(&mut self) {
        if let Media::Application(ours) = &mut self.media {
            ours.streaming = None;
        }
    }

    pub(super) fn streamed(&mut self, now: Instant, end: AgentEnd) -> Vec<Action> {
        self.stop_stream();
        let finished = end == AgentEnd::Finished;
        self.talk.input(now, Input::Streamed(finished))
    }

    /// The agent learns of keys that don't end its part.
    pub(super) fn pass_key(&mut self, event: &MediaEvent, actions: &[Action]) {
        let MediaEvent::DigitStart { digit, .. } = event else {
            return;
        };
        if let Media::Application(ours) = &self.media
            && let Some(streaming) = &ours.streaming
            && !actions.contains(&Action::StopStream)
        {
            streaming.digit(Digit::as_char(*digit));
        }
    }
}

pub(super) async fn streamed(streaming: Option<&mut Streaming>) -> AgentEnd {
    match streaming {
        Some(streaming) => streaming.end().await,
        None => std::future::pending().await,
    }
}

impl Ours {
    /// Nothing of the session is left.
    pub(super) fn forget_session(&mut self) {
        self.streaming = None;
        self.session = None;
        self.line = None;
        self.voice = None;
        self.listener = None;
        self.speakers = Speakers::default();
    }
}

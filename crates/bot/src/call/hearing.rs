//! What is heard in a call, on its way to the engine, to a voice agent, or to be kept.

use std::time::Instant;

use switchboard_transport::SessionEvent;

use super::{LISTEN_EVERY, Media, Task};
use crate::flow::Action;

impl Task {
    /// Listens for the engine while it wants to and may.
    pub(super) fn attend(&mut self, now: Instant) {
        let Media::Application(ours) = &mut self.media else {
            return self.begin_response(now);
        };
        let Some(listener) = &mut ours.listener else {
            ours.listen_at = None;
            return self.talk.set_analysed(false);
        };
        let wants = self.talk.wants();
        listener.attend(wants, ours.streaming.is_some());
        ours.speakers.attend(wants);
        self.talk.set_analysed(listener.is_analysing());
        match listener.is_listening() || ours.speakers.is_listening() {
            true => _ = ours.listen_at.get_or_insert(now + LISTEN_EVERY),
            false => ours.listen_at = None,
        }
    }

    /// Takes an event, and what it is about: that is there to be listened to as well.
    pub(super) fn heard(&mut self, now: Instant, event: Option<SessionEvent>) -> Vec<Action> {
        let mut actions = self.media_event(now, event);
        if matches!(&self.media, Media::Application(ours) if ours.listen_at.is_some()) {
            actions.extend(self.listen(now));
        }
        actions
    }

    pub(super) fn listen(&mut self, now: Instant) -> Vec<Action> {
        let Media::Application(ours) = &mut self.media else {
            return self.hear_response(now);
        };
        ours.listen_at = Some(now + LISTEN_EVERY);
        let (probability, wants) = (self.talk.speech_probability(), self.talk.wants());
        let streaming = &mut ours.streaming;
        let mut tap = |samples: &_| {
            if let Some(streaming) = streaming {
                streaming.hear(samples);
            }
        };
        let listener = ours.listener.as_mut();
        let heard = listener.map(|listener| listener.hear(probability, wants, &mut tap));
        let mut actions = self.tell(now, heard.unwrap_or_default());
        actions.extend(self.hear_speakers(now));
        actions.extend(self.look_after_keeping(now));
        actions
    }
}

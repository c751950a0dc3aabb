//! What a phone tells of its call's audio: between it and a bot with media of its own nobody
//! else would, because packets go past the emulator.

use std::time::Instant;

use switchboard_media::event::MediaEvent;

use super::Cloud;
use crate::timeline::TimelineEvent;

impl Cloud {
    /// Shows what a phone says, or hears of the far end, in a call of two. What a session of
    /// the emulator's or the bot itself tells is not shown twice.
    pub(crate) fn observed(&mut self, call: &str, far: bool, event: MediaEvent, now: Instant) {
        self.with_call(call, |cloud, call| {
            let told = call.caller_hosted || call.told_by_bot;
            let clock = match far {
                true => &mut call.far_clock,
                false => &mut call.clock,
            };
            // How loud a bot is and which keys it plays is told by no session.
            let missing = match event {
                MediaEvent::SpeechStart { .. } | MediaEvent::SpeechEnd { .. } => !told,
                _ => far || !told,
            };
            if !missing || call.group.is_some() {
                return;
            }
            let shown = match clock.shown(event, call.created, now) {
                Some(TimelineEvent::Dtmf { duration_ms, .. }) => TimelineEvent::Key { duration_ms },
                Some(event) => event,
                None => return,
            };
            cloud.show_whose(call, far, shown, now);
        });
    }
}

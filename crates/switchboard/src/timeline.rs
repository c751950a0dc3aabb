//! From what the bot observes to what the emulator's timeline shows.

use std::sync::Arc;
use std::time::Instant;

use switchboard_bot::{Observation, Observer, PromptProgress};
use switchboard_emulator::{PromptState, Timeline, TimelineEvent};

/// An observer that publishes to the emulator's timeline, from where it reaches
/// the call's softphones and the demo's output.
pub(crate) fn publish_to(timeline: Timeline) -> Observer {
    Arc::new(move |call, observation| {
        let call_time = |at| timeline.call_time(call, at);
        if let Some(event) = event(observation, call_time) {
            timeline.publish(call, event);
        }
    })
}

/// `None` when the call is over meanwhile.
fn event(
    observation: Observation,
    call_time: impl Fn(Instant) -> Option<u64>,
) -> Option<TimelineEvent> {
    Some(match observation {
        Observation::Digit {
            digit,
            source,
            duration_ms,
        } => TimelineEvent::Dtmf {
            digit,
            source,
            duration_ms,
        },
        Observation::SpeechStart { start } => TimelineEvent::Speech {
            start_ms: call_time(start)?,
            end_ms: None,
        },
        Observation::SpeechEnd { start, end } => TimelineEvent::Speech {
            start_ms: call_time(start)?,
            end_ms: Some(call_time(end)?),
        },
        Observation::Level { dbov } => TimelineEvent::Level { dbov },
        Observation::Prompt { name, progress } => TimelineEvent::Prompt {
            name,
            state: match progress {
                PromptProgress::Started => PromptState::Started,
                PromptProgress::Finished => PromptState::Finished,
                PromptProgress::Interrupted => PromptState::Interrupted,
            },
        },
        Observation::Next(next) => TimelineEvent::Bot { next },
    })
}

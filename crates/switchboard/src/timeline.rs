//! From what the bot observes to what the emulator's timeline shows.

use std::sync::Arc;

use switchboard_bot::{Observation, Observer, PromptProgress};
use switchboard_emulator::{PromptState, Timeline, TimelineEvent};

/// An observer that publishes to the emulator's timeline, from where it reaches
/// the call's softphones and the demo's output.
pub(crate) fn publish_to(timeline: Timeline) -> Observer {
    Arc::new(move |call, observation| timeline.publish(call, event(observation)))
}

fn event(observation: Observation) -> TimelineEvent {
    match observation {
        Observation::Digit {
            digit,
            source,
            duration_ms,
        } => TimelineEvent::Dtmf {
            digit,
            source,
            duration_ms,
        },
        Observation::SpeechStart { start_ms } => TimelineEvent::Speech {
            start_ms,
            end_ms: None,
        },
        Observation::SpeechEnd { start_ms, end_ms } => TimelineEvent::Speech {
            start_ms,
            end_ms: Some(end_ms),
        },
        Observation::Level { dbov } => TimelineEvent::Level { dbov },
        Observation::Prompt { name, progress } => TimelineEvent::Prompt {
            name: name.as_str().to_owned(),
            state: match progress {
                PromptProgress::Started => PromptState::Started,
                PromptProgress::Finished => PromptState::Finished,
                PromptProgress::Interrupted => PromptState::Interrupted,
            },
        },
        Observation::Next(next) => TimelineEvent::Bot {
            next: next.to_owned(),
        },
    }
}

//! From what the bot observes to what the emulator's timeline shows.

use switchboard_bot::{Observation, Observer, PromptProgress};
use switchboard_emulator::{PromptState, Timeline, TimelineEvent};

/// An observer that publishes to the emulator's timeline, from where it reaches
/// the call's softphones and the demo's output.
pub(crate) fn publish_to(timeline: Timeline) -> Observer {
    std::sync::Arc::new(move |call, observation| {
        timeline.publish(call, event(observation));
    })
}

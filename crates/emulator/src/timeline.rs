//! What happens in calls, live: for the page, for `demo --caller`, for tests.
//! Nothing of it is kept, and nothing of it may be logged.

use std::fmt;
use std::sync::Weak;
use std::time::Instant;

use serde::{Serialize, Serializer};
use switchboard_media::event::{Digit, DigitSource};
use tokio::sync::broadcast;

use crate::shell::Hub;

/// Something that happened in a call.
#[derive(Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
pub enum TimelineEvent {
    /// The call began, was answered, or ended.
    Call {
        /// Where it stands now.
        state: CallProgress,
        /// When it ended: the result's code.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
        /// When it ended: why.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The caller pressed a digit.
    Dtmf {
        /// Which.
        #[serde(serialize_with = "as_key")]
        digit: Digit,
        /// How it came.
        #[serde(serialize_with = "as_source")]
        source: DigitSource,
        /// For how long.
        duration_ms: u64,
    },
    /// A key was pressed. Told by whoever pressed or heard it where it goes past the emulator:
    /// which one it was is between them and the bot.
    Key {
        /// For how long.
        duration_ms: u64,
    },
    /// The caller speaks, or spoke.
    Speech {
        /// Since when.
        start_ms: u64,
        /// Until when; `None` while it goes on.
        #[serde(skip_serializing_if = "Option::is_none")]
        end_ms: Option<u64>,
    },
    /// A prompt began or ended.
    Prompt {
        /// Which.
        name: String,
        /// What happened to it.
        state: PromptState,
    },
    /// What the bot does next.
    Bot {
        /// In words.
        next: String,
    },
    /// How loud the caller is.
    Level {
        /// In dBov, −127…0.
        dbov: f32,
    },
}

impl TimelineEvent {
    /// A change of the call's state.
    pub(crate) fn call(state: CallProgress) -> Self {
        Self::Call {
            state,
            code: None,
            message: None,
        }
    }
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallProgress {
    /// Begun.
    Establishing,
    /// Answered.
    Established,
    /// Over.
    Terminated,
}

/// What happened to a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptState {
    /// Its first packet left.
    Started,
    /// It was played to its end.
    Finished,
    /// It was cut short.
    Interrupted,
}

/// An event with its call and time; serialises to one JSON object without the
/// call's id, which the reader knows.
#[derive(Clone, PartialEq, Serialize)]
pub struct CallEvent {
    /// The call.
    #[serde(skip)]
    pub call: String,
    /// Milliseconds since the call was created.
    pub t_ms: u64,
    /// In a group call or meeting: of which participant, as in
    /// [`PhoneEvent::Roster`](crate::PhoneEvent::Roster).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
    /// In a call of two: of the far end, as the phone heard it.
    #[serde(skip_serializing_if = "is_false")]
    pub far: bool,
    /// What happened.
    #[serde(flatten)]
    pub event: TimelineEvent,
}

impl fmt::Debug for TimelineEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call { .. } => "Call",
            Self::Dtmf { .. } => "Dtmf(_)",
            Self::Key { .. } => "Key(_)",
            Self::Speech { .. } => "Speech(_)",
            Self::Prompt { .. } => "Prompt",
            Self::Bot { .. } => "Bot(_)",
            Self::Level { .. } => "Level(_)",
        })
    }
}

impl fmt::Debug for CallEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallEvent")
            .field("call", &self.call)
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

// serde gives a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(far: &bool) -> bool {
    !far
}

fn as_key<S: Serializer>(digit: &Digit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_char(digit.as_char())
}

fn as_source<S: Serializer>(source: &DigitSource, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(source.as_str())
}

/// The emulator's bus of call events; cheap to clone.
#[derive(Clone)]
pub struct Timeline {
    hub: Weak<Hub>,
}

impl Timeline {
    pub(crate) fn new(hub: Weak<Hub>) -> Self {
        Self { hub }
    }

    /// Adds what the bot knows of a call; it reaches the call's softphones and all
    /// subscribers. Events of calls that are over are dropped.
    pub fn publish(&self, call: &str, event: TimelineEvent) {
        if let Some(hub) = self.hub.upgrade() {
            hub.apply(|cloud, now| cloud.publish(call, event, now));
        }
    }

    /// Where `at` lies on a call's own clock, in milliseconds since it was created;
    /// `None` when the call is over.
    pub fn call_time(&self, call: &str, at: Instant) -> Option<u64> {
        self.hub
            .upgrade()?
            .apply(|cloud, _| cloud.call_time(call, at))
    }

    /// Every call's events from now on, until the emulator stops.
    pub fn subscribe(&self) -> broadcast::Receiver<CallEvent> {
        match self.hub.upgrade() {
            Some(hub) => hub.subscribe(),
            None => broadcast::channel(1).1,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn line(event: TimelineEvent) -> String {
        let entry = CallEvent {
            call: "c".into(),
            t_ms: 51,
            participant: None,
            far: false,
            event,
        };
        serde_json::to_string(&entry).unwrap()
    }

    #[test]
    fn lines_have_the_documented_shape() {
        assert_eq!(
            line(TimelineEvent::call(CallProgress::Established)),
            r#"{"t_ms":51,"type":"call","state":"established"}"#
        );
        assert_eq!(
            line(TimelineEvent::Dtmf {
                digit: Digit::from_char('#').unwrap(),
                source: DigitSource::Inband,
                duration_ms: 120
            }),
            r##"{"t_ms":51,"type":"dtmf","digit":"#","source":"inband","duration_ms":120}"##
        );
        assert_eq!(
            line(TimelineEvent::Speech {
                start_ms: 10,
                end_ms: Some(40)
            }),
            r#"{"t_ms":51,"type":"speech","start_ms":10,"end_ms":40}"#
        );
    }

    #[test]
    fn debug_tells_nothing_of_what_was_heard() {
        let digit = TimelineEvent::Dtmf {
            digit: Digit::from_char('7').unwrap(),
            source: DigitSource::Rtp,
            duration_ms: 90,
        };
        assert_eq!(format!("{digit:?}"), "Dtmf(_)");
    }
}

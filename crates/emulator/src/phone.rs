//! What a softphone and the emulator say to each other: the messages of the
//! WebSocket at `/softphone/socket`, which phones inside the process use too.

use std::fmt;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::timeline::CallEvent;

/// What a phone is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhoneRole {
    /// Calls the bot.
    Caller,
    /// Is called by the bot: transfers and redirects ring here.
    Agent,
}

/// What a phone asks for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
#[non_exhaustive]
pub enum PhoneCommand {
    /// Starts a call.
    Dial {
        /// `bot`, an application's client id, or a meeting: its `joinWebUrl`, its join id, with
        /// a comma and the passcode if it has one, or its conference id.
        target: String,
        /// The phone's SDP offer.
        sdp: String,
    },
    /// Takes a call that rings here.
    Accept {
        /// Which.
        call: String,
        /// The phone's SDP offer.
        sdp: String,
    },
    /// Turns a call down that rings here.
    Decline {
        /// Which.
        call: String,
    },
    /// Ends a call.
    Hangup {
        /// Which.
        call: String,
    },
    /// This side is muted at the phone, or no longer: its audio is silence anyway, and bots
    /// see it on the roster.
    Mute {
        /// Which call.
        call: String,
        /// Whether it is muted now.
        muted: bool,
    },
    /// Lets somebody in who waits in the lobby of the meeting this phone is in.
    Admit {
        /// The meeting's call.
        call: String,
        /// The participant's id, from [`PhoneEvent::Lobby`].
        participant: String,
    },
    /// A fresh SDP offer, after [`PhoneEvent::Renegotiate`].
    Offer {
        /// For which call.
        call: String,
        /// The phone's SDP offer.
        sdp: String,
    },
}

/// What a phone is told.
#[derive(Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
#[non_exhaustive]
pub enum PhoneEvent {
    /// The phone is known; again whenever a bot appears.
    Registered {
        /// This phone.
        phone: PhoneInfo,
        /// Who can be called; `None` until a bot is registered.
        bot: Option<Named>,
    },
    /// All phones, whenever one comes, goes, or changes.
    Phones {
        /// All of them, this one included.
        phones: Vec<PhoneInfo>,
    },
    /// A dialled call got its id.
    Dialing {
        /// The id.
        call: String,
    },
    /// A call rings here.
    Incoming {
        /// Its id.
        call: String,
        /// Who calls.
        from: Named,
        /// How it came here.
        reason: IncomingReason,
    },
    /// The answer to this phone's latest offer.
    Answer {
        /// Which call.
        call: String,
        /// The SDP answer.
        sdp: String,
    },
    /// The far end changes: a fresh offer is needed.
    Renegotiate {
        /// Which call.
        call: String,
    },
    /// A call's state changed.
    State {
        /// Which call.
        call: String,
        /// Its state now.
        state: PhoneCallState,
        /// Who is, or will be, at the far end.
        #[serde(skip_serializing_if = "Option::is_none")]
        with: Option<Named>,
    },
    /// A call is over.
    Ended {
        /// Which call.
        call: String,
        /// Why.
        reason: EndReason,
    },
    /// The far end was muted or unmuted on the server.
    RemoteMuted {
        /// Which call.
        call: String,
        /// Whether it is muted now.
        muted: bool,
    },
    /// This phone was muted on the server, which hears nothing of it any more, or
    /// unmuted.
    ServerMuted {
        /// Which call.
        call: String,
        /// Whether it is muted now.
        muted: bool,
    },
    /// Who waits in the lobby of the meeting this phone is in, whenever that changes.
    Lobby {
        /// The meeting's call.
        call: String,
        /// All who wait.
        waiting: Vec<Participant>,
    },
    /// Who is in the group call or meeting this phone is in, whenever that changes.
    Roster {
        /// The call.
        call: String,
        /// This phone's own participant.
        own: String,
        /// Everyone, this phone included.
        participants: Vec<Participant>,
    },
    /// Something happened in a call.
    Timeline {
        /// Which call.
        call: String,
        /// What.
        event: CallEvent,
    },
    /// A command can't be carried out.
    Error {
        /// Why, for people.
        message: String,
        /// The call it was about, if it was about one.
        #[serde(skip_serializing_if = "Option::is_none")]
        call: Option<String>,
    },
}

/// One who is in a group call or meeting, or waits in its lobby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Participant {
    /// The participant's id.
    pub participant: String,
    /// The name shown; nobody else in the call has it.
    pub name: String,
}

/// Who is at a phone, as far as that is known beforehand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PhoneUser {
    /// The user's object id, or the telephone's number; made up if not given.
    pub id: Option<String>,
    /// The user's tenant; that of the first application if not given.
    pub tenant: Option<String>,
}

impl PhoneUser {
    /// The user with this object id, or the telephone with this number.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            tenant: None,
        }
    }

    /// The same, of another tenant than the first application.
    #[must_use]
    pub fn of(self, tenant: impl Into<String>) -> Self {
        Self {
            tenant: Some(tenant.into()),
            ..self
        }
    }
}

/// A phone as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneInfo {
    /// Its id, also the object id of its user in Graph.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: PhoneRole,
    /// Whether it is in a call.
    pub busy: bool,
}

/// Someone with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The name.
    pub name: String,
}

impl Named {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// How a call came to ring at a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IncomingReason {
    /// The bot placed it.
    Call,
    /// The bot transfers a caller.
    Transfer,
    /// The bot redirects a caller it did not answer.
    Redirect,
}

/// A call's state as a phone sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PhoneCallState {
    /// The other side rings.
    Ringing,
    /// Taken, media is being set up.
    Establishing,
    /// In the lobby of a meeting: nothing is heard until somebody lets it in.
    Lobby,
    /// Media flows.
    Established,
    /// The bot hands the caller over.
    Transferring,
}

/// Why a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndReason {
    /// A code in HTTP's manner; 0 is a normal end.
    pub code: i32,
    /// Graph's finer code, where one is documented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subcode: Option<i32>,
    /// For people.
    pub message: String,
}

impl EndReason {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            subcode: None,
            message: message.into(),
        }
    }

    /// A normal end.
    pub(crate) fn normal(message: impl Into<String>) -> Self {
        Self::new(0, message)
    }
}

/// A phone inside the process. Dropping it is closing the tab.
#[derive(Debug)]
pub struct Phone {
    /// What it asks for.
    pub commands: mpsc::Sender<PhoneCommand>,
    /// What it is told.
    pub events: mpsc::Receiver<PhoneEvent>,
}

/// Session descriptions hold keys, timelines hold what was heard: only the name
/// of a message is shown.
macro_rules! names_only {
    ($type:ident: $($variant:ident),+) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant { .. } => stringify!($variant),)+
                })
            }
        }
    };
}

names_only!(PhoneCommand: Dial, Accept, Decline, Hangup, Mute, Admit, Offer);
names_only!(PhoneEvent: Registered, Phones, Dialing, Incoming, Answer, Renegotiate, State, Ended,
    RemoteMuted, ServerMuted, Lobby, Roster, Timeline, Error);

/// What a telephone has for an id that hides its number.
const ANONYMOUS: &str = "anonymous";

/// Whether an id is a telephone's, not a user's.
pub(crate) fn is_telephone(id: &str) -> bool {
    id == ANONYMOUS || is_e164(id)
}

/// `+`, then up to 15 digits of which the first isn't 0.
pub(crate) fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (2..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;
    use crate::timeline::{PromptState, TimelineEvent};

    #[test]
    fn commands_are_read_as_the_page_writes_them() {
        let read = |json| serde_json::from_value::<PhoneCommand>(json).unwrap();
        assert_eq!(
            read(json!({"type": "dial", "target": "bot", "sdp": "v=0"})),
            PhoneCommand::Dial {
                target: "bot".into(),
                sdp: "v=0".into()
            }
        );
        assert_eq!(
            read(json!({"type": "hangup", "call": "c"})),
            PhoneCommand::Hangup { call: "c".into() }
        );
        assert!(serde_json::from_value::<PhoneCommand>(json!({"type": "dance"})).is_err());
    }

    #[test]
    fn events_are_written_as_the_page_reads_them() {
        let call = || "c".to_owned();
        assert_eq!(
            to_value(PhoneEvent::RemoteMuted {
                call: call(),
                muted: true
            })
            .unwrap(),
            json!({"type": "remoteMuted", "call": "c", "muted": true})
        );
        assert_eq!(
            to_value(PhoneEvent::State {
                call: call(),
                state: PhoneCallState::Transferring,
                with: Some(Named::new("Agent"))
            })
            .unwrap(),
            json!({"type": "state", "call": "c", "state": "transferring", "with": {"name": "Agent"}})
        );
        let event = CallEvent {
            call: call(),
            t_ms: 7,
            participant: None,
            far: false,
            event: TimelineEvent::Prompt {
                name: "greeting".into(),
                state: PromptState::Started,
            },
        };
        assert_eq!(
            to_value(PhoneEvent::Timeline {
                call: call(),
                event
            })
            .unwrap(),
            json!({"type": "timeline", "call": "c",
                "event": {"t_ms": 7, "type": "prompt", "name": "greeting", "state": "started"}})
        );
    }

    #[test]
    fn debug_shows_no_session_description() {
        let command = PhoneCommand::Offer {
            call: "c".into(),
            sdp: "a=ice-pwd:secret".into(),
        };
        assert_eq!(format!("{command:?}"), "Offer");
    }
}

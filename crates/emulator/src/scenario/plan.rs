//! A scenario that can be run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use switchboard_media::event::Digit;
use switchboard_media::prompt::Prompt;
use switchboard_signaling::types::LobbyBypassScope;

use super::check;
use super::problem::Problems;
use super::report::Report;
use crate::faults::Rule;
use crate::judge::Offence;
use crate::network::NetworkRule;
use crate::phone::{PhoneRole, PhoneUser};

/// Scripted people and what they are to meet with.
#[derive(Debug)]
pub struct Scenario {
    pub(super) name: String,
    pub(super) limit: Duration,
    pub(super) overlook: Vec<Offence>,
    pub(super) faults: Vec<Rule>,
    pub(super) meetings: BTreeMap<String, MeetingPlan>,
    pub(super) people: Vec<Person>,
}

/// Whom a meeting's lobby keeps.
#[derive(Debug)]
pub(super) struct MeetingPlan {
    pub(super) scope: LobbyBypassScope,
    /// The ids of users.
    pub(super) invited: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) role: PhoneRole,
    pub(super) user: PhoneUser,
    pub(super) steps: Vec<Step>,
}

impl Person {
    /// Whether the script changes what the person's packets suffer.
    pub(super) fn has_network(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| matches!(step.act, Act::Network(_)))
    }
}

#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Where it is in the file.
    pub(super) line: usize,
    /// As it was written.
    pub(super) text: String,
    pub(super) act: Act,
}

/// What a step does.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Call {
        target: String,
    },
    Accept {
        within: Duration,
    },
    Decline {
        within: Duration,
    },
    HangUp,
    /// Lets somebody in from the lobby, by name.
    Admit {
        name: String,
        within: Duration,
    },
    Say {
        audio: Audio,
        background: bool,
    },
    Press {
        keys: Keys,
        down: Duration,
    },
    /// Keys in the audio.
    Tones(Audio),
    Pause(Duration),
    HearSpeech {
        within: Duration,
    },
    HearSound {
        within: Duration,
    },
    HearSilence {
        span: Duration,
        within: Duration,
    },
    HearKeys {
        keys: Keys,
        within: Duration,
    },
    Reach {
        state: Stage,
        within: Duration,
    },
    Together(String),
    Network(NetworkRule),
    AdvanceClock(Duration),
    ExpectState(Stage),
    ExpectEnergy {
        above: f32,
        below: f32,
        span: Duration,
    },
    ExpectDuration {
        at_least: Duration,
        at_most: Duration,
    },
    ExpectEnd {
        code: i32,
        within: Duration,
    },
}

/// Keys in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys(pub(super) Vec<Digit>);

/// Encoded audio.
pub(super) type Audio = Arc<Prompt>;

/// Where a person's call stands, in the order in which it comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Idle,
    Ringing,
    Establishing,
    Lobby,
    Established,
    Transferring,
    Ended,
}

impl Stage {
    /// Those that a scenario may name.
    pub(super) const NAMED: [(&'static str, Self); 6] = [
        ("ringing", Self::Ringing),
        ("establishing", Self::Establishing),
        ("lobby", Self::Lobby),
        ("established", Self::Established),
        ("transferring", Self::Transferring),
        ("ended", Self::Ended),
    ];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMED.iter().find(|(_, stage)| stage == self);
        f.write_str(named.map_or("not in a call", |(name, _)| name))
    }
}

impl Scenario {
    /// Reads a scenario file. `audio` gives the encoded audio of a path as it is
    /// written, or says why there is none.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place.
    pub fn parse(
        text: &str,
        audio: &mut dyn FnMut(&str) -> Result<Arc<Prompt>, String>,
    ) -> Result<Self, Problems> {
        check::parse(text, audio)
    }

    /// What is tried, in words.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whom its people call, each with the line in the file.
    pub fn calls(&self) -> impl Iterator<Item = (usize, &str)> {
        let steps = self.people.iter().flat_map(|person| &person.steps);
        steps.filter_map(|step| match &step.act {
            Act::Call { target } => Some((step.line, target.as_str())),
            _ => None,
        })
    }

    /// The report of a scenario whose turn never came.
    pub fn not_run(&self) -> Report {
        Report::not_run(self)
    }

    /// The same under another name, if it has none of its own.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        if self.name.is_empty() {
            name.clone_into(&mut self.name);
        }
        self
    }
}

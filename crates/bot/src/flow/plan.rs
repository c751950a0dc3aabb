//! A flow that has been checked: every name is an index, every way leads somewhere.

mod exits;
mod rooms;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::check;
use super::model::{Hosting, Refusal};
use super::problem::Problems;
use super::run::Facts;

pub use rooms::Whom;
pub(crate) use rooms::{Meeting, OnCall, Room, Team, Tier, Which};

/// A conversation that can be run.
pub struct Flow {
    pub(super) start: NodeId,
    pub(super) otherwise: NodeId,
    pub(super) fallback: NodeId,
    pub(super) language: String,
    pub(super) media: Hosting,
    pub(super) from: Option<String>,
    pub(super) prompts: BTreeMap<String, PromptSource>,
    pub(super) contacts: BTreeMap<String, Contact>,
    pub(super) teams: BTreeMap<String, Team>,
    pub(super) on_call: BTreeMap<String, OnCall>,
    pub(super) rooms: BTreeMap<String, Room>,
    pub(super) variables: BTreeSet<String>,
    pub(super) engine: EngineRights,
    pub(super) nodes: Vec<Node>,
}

/// Where a call begins that doesn't begin at the flow's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry(pub(super) NodeId);

impl Flow {
    /// Reads and checks a flow.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        Self::parse_with_files(text, |_| Ok(()))
    }

    /// Reads and checks a flow and the files of its prompts: `usable` says of a path why it
    /// can't be played.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse_with_files(
        text: &str,
        usable: impl Fn(&str) -> Result<(), String>,
    ) -> Result<Self, Problems> {
        check::parse(text, &usable)
    }

    /// The same for a flow that is the table `flow` of a larger file; places are those
    /// of the file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse_inside(
        text: &str,
        usable: impl Fn(&str) -> Result<(), String>,
    ) -> Result<Self, Problems> {
        check::parse_inside(text, &usable)
    }

    /// The language callers are expected to speak.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// The users whose presence decides something, by the contact's name.
    pub fn watched(&self) -> Vec<(&str, &str)> {
        let mut watched = Vec::new();
        for node in &self.nodes {
            let Step::Branch(cases, _) = &node.step else {
                continue;
            };
            let names = cases.iter().filter_map(|(case, _)| case.present.as_deref());
            for name in names.flat_map(|name| self.members(name)) {
                if let Some(Contact::User(user)) = self.contact(name)
                    && !watched.contains(&(name, user.as_str()))
                {
                    watched.push((name, user.as_str()));
                }
            }
        }
        watched
    }

    /// The application instance in whose name phone numbers are called, by its name in the
    /// settings.
    pub fn from(&self) -> Option<&str> {
        self.from.as_deref()
    }

    /// The voice agents that calls are connected to: the settings must have them.
    pub fn agents(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|node| match &node.step {
            Step::Stream(stream) => Some(stream.to.as_str()),
            _ => None,
        })
    }

    /// Whether a node collects keys by this name.
    pub(super) fn collects(&self, name: &str) -> bool {
        let collects = |node: &Node| matches!(&node.step, Step::Collect(step) if step.into == name);
        self.nodes.iter().any(collects)
    }

    /// The first node that waits for words which only an engine can understand: without one
    /// the bot notices that somebody has spoken (the intent `spoke`), no more.
    pub fn waits_for_words(&self) -> Option<&str> {
        let waits = |node: &&Node| match &node.step {
            Step::Listen(listen) => {
                let understood = listen.intents.keys().any(|intent| intent != "spoke");
                understood || !listen.keywords.is_empty() || listen.sentiment.is_some()
            }
            _ => false,
        };
        self.nodes.iter().find(waits).map(|node| node.name.as_str())
    }

    /// Whether a contact or a team of that name can take a call.
    pub fn has_taker(&self, name: &str) -> bool {
        let takes = |contact: &Contact| !matches!(contact, Contact::Bot(_));
        self.teams.contains_key(name) || self.contacts.get(name).is_some_and(takes)
    }

    /// The contacts of a team; a contact is a team of one.
    fn members<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        match self.teams.get(name) {
            Some(team) => team.of.iter().map(String::as_str).collect(),
            None => vec![name],
        }
    }

    /// The rooms that can be opened, by name.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        self.rooms.keys().map(String::as_str)
    }

    /// Whether calls of the flow's own go to phone numbers: those of group calls and on-call
    /// lists. They are placed in the name of an application instance.
    pub fn calls_numbers(&self) -> bool {
        let groups = self.rooms.values().filter(|room| room.meeting.is_none());
        let tiers = self.on_call.values().flat_map(|list| &list.tiers);
        let called = groups.flat_map(|room| &room.with);
        let mut called = called.chain(tiers.flat_map(|tier| &tier.who));
        called.any(|one| matches!(one, Contact::Phone(_)))
    }

    /// What whoever opens a room gives words for.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// A text with the words of variables.
    pub(crate) fn filled(text: &str, variables: &BTreeMap<String, String>) -> String {
        super::text::filled(text, |name| {
            variables.get(name).cloned().unwrap_or_default()
        })
    }

    /// When a room opens by itself the next time after `now`; `None` if never.
    pub fn opens_after(&self, room: &str, now: Timestamp) -> Option<Timestamp> {
        self.rooms.get(room)?.opens.as_ref()?.begin_after(now)
    }

    pub(crate) fn room(&self, name: &str) -> Option<&Room> {
        self.rooms.get(name)
    }

    pub(crate) fn on_call(&self, name: &str) -> Option<&OnCall> {
        self.on_call.get(name)
    }

    pub(crate) fn team(&self, name: &str) -> Option<&Team> {
        self.teams.get(name)
    }

    /// Where a room's call begins.
    pub(crate) fn entry_of(&self, room: &Room) -> Entry {
        Entry(room.start)
    }

    /// The prompts that are heard by those on hold.
    pub(crate) fn music(&self) -> BTreeSet<&str> {
        let nodes = self.nodes.iter();
        let music = nodes.filter_map(|node| match &node.step {
            Step::Hold { music, .. } => music.as_deref(),
            _ => None,
        });
        music.collect()
    }

    /// Who handles the media of its calls.
    pub fn media(&self) -> Hosting {
        self.media
    }

    /// What can be said, by name: to be loaded before the first call.
    pub fn prompts(&self) -> impl Iterator<Item = (&str, &PromptSource)> {
        self.prompts
            .iter()
            .map(|(name, source)| (name.as_str(), source))
    }

    /// A contact by name.
    pub fn contact(&self, name: &str) -> Option<&Contact> {
        self.contacts.get(name)
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }
}

/// Where a prompt comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptSource {
    /// A recording, and what it says if that is written down.
    File {
        /// Relative to the flow's file.
        path: String,
        /// What it says.
        text: Option<String>,
    },
    /// Text for the synthesiser.
    Text(String),
    /// Text that is whole in the call only: with the words of variables.
    Template(String),
}

impl PromptSource {
    /// The words, for people who read along.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::File { text, .. } => text.as_deref(),
            Self::Text(text) | Self::Template(text) => Some(text),
        }
    }
}

/// Who a call can be passed on to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// A user's id.
    User(String),
    /// A phone number (E.164).
    Phone(String),
    /// A bot's application id: can be invited, and nothing else.
    Bot(String),
    /// A team of the flow, by name: one of them takes the call.
    Team(String),
}

/// What the speech engine may do by itself.
#[derive(Default)]
pub(super) struct EngineRights {
    pub(super) say: bool,
    pub(super) hang_up: bool,
    pub(super) collect: bool,
    pub(super) mute: bool,
    pub(super) transfer: Vec<String>,
    pub(super) invite: Vec<String>,
}

/// A node's place in [`Flow::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(pub(super) usize);

pub(super) struct Node {
    pub(super) name: String,
    pub(super) about: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) say: Option<String>,
    pub(super) interruptible: bool,
    pub(super) step: Step,
}

pub(super) enum Step {
    Next(NodeId),
    Listen(Listen),
    Collect(Collect),
    Branch(Vec<(Condition, NodeId)>, NodeId),
    Transfer {
        to: String,
        failed: NodeId,
    },
    Redirect {
        to: String,
    },
    Reject(Refusal),
    Invite {
        who: Vec<String>,
        next: NodeId,
        failed: NodeId,
    },
    Open {
        room: String,
        failed: NodeId,
    },
    Summon {
        on_call: String,
        ask: NodeId,
        next: NodeId,
        failed: NodeId,
    },
    Join {
        failed: NodeId,
    },
    Attend(Attend),
    Mute {
        /// `None` for everybody.
        who: Option<String>,
        next: NodeId,
        failed: NodeId,
    },
    Hold {
        who: String,
        music: Option<String>,
        next: NodeId,
        failed: NodeId,
    },
    Resume {
        who: String,
        next: NodeId,
        failed: NodeId,
    },
    Record {
        response: Response,
        /// The bot hears it itself; else Graph records it.
        own: bool,
        next: NodeId,
    },
    Stream(Stream),
    Keep {
        keep: Keep,
        next: NodeId,
        empty: NodeId,
    },
    PlayBack {
        next: NodeId,
    },
    Deliver(Webhook),
    Webhook(Webhook),
    HangUp,
}

pub(super) struct Listen {
    pub(super) keys: BTreeMap<char, NodeId>,
    pub(super) intents: BTreeMap<String, NodeId>,
    pub(super) confidence: f32,
    pub(super) keywords: Vec<(String, NodeId)>,
    pub(super) sentiment: Option<(f32, NodeId)>,
    pub(super) timeout: Duration,
    pub(super) retries: u8,
    pub(super) sorry: Option<String>,
    pub(super) remind: Option<String>,
    pub(super) barge_in: bool,
    pub(super) on_timeout: NodeId,
    pub(super) on_invalid: NodeId,
    /// `None` when keys do without the engine.
    pub(super) on_engine_down: Option<NodeId>,
    /// What Graph is to record for the engine, where it handles the media.
    pub(super) response: Option<Response>,
}

impl Listen {
    pub(super) fn needs_engine(&self) -> bool {
        !self.intents.is_empty() || !self.keywords.is_empty()
    }
}

pub(super) struct Collect {
    pub(super) into: String,
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) terminator: Option<char>,
    pub(super) timeout: Duration,
    pub(super) between: Duration,
    pub(super) retries: u8,
    pub(super) secret: bool,
    pub(super) sorry: Option<String>,
    pub(super) next: NodeId,
    pub(super) on_timeout: NodeId,
    pub(super) on_invalid: NodeId,
}

pub(super) struct Stream {
    pub(super) to: String,
    pub(super) keys: BTreeMap<char, NodeId>,
    pub(super) next: NodeId,
    pub(super) failed: NodeId,
}

pub(super) struct Attend {
    pub(super) greet: Option<String>,
    pub(super) farewell: Option<String>,
    /// How many others are waited for, and where it goes on then.
    pub(super) enough: Option<(usize, NodeId)>,
    pub(super) timeout: Duration,
    pub(super) on_alone: NodeId,
    pub(super) on_timeout: NodeId,
}

/// How Graph records what the caller says (call: recordResponse).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// How long the caller may think before the first word.
    pub initial: Duration,
    /// A pause that ends it.
    pub pause: Duration,
    /// How long it may be.
    pub most: Duration,
    /// Whether a beep tells the caller to speak.
    pub beep: bool,
    /// Keys that end it.
    pub keys: String,
    /// Whether such a key is the caller's choice, and what was said before it counts no more.
    pub keys_choose: bool,
}

/// How a caller's words are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// How long they may be.
    pub most: Duration,
    /// A pause that ends them.
    pub pause: Duration,
    /// A key that ends them.
    pub stop: Option<char>,
}

pub(super) struct Webhook {
    pub(super) url: String,
    pub(super) timeout: Duration,
    pub(super) results: BTreeMap<String, NodeId>,
    pub(super) next: NodeId,
    pub(super) failed: NodeId,
}

#[derive(Default)]
pub(super) struct Condition {
    pub(super) caller: Option<Vec<String>>,
    pub(super) number: Option<Vec<String>>,
    pub(super) called: Option<Vec<String>>,
    pub(super) anonymous: Option<bool>,
    pub(super) often: Option<(usize, Duration)>,
    pub(super) language: Option<String>,
    pub(super) hours: Option<Hours>,
    pub(super) present: Option<String>,
    pub(super) people: Option<usize>,
}

impl Condition {
    /// Whether it holds with so many others in the call.
    pub(super) fn holds(&self, flow: &Flow, facts: &Facts, people: usize) -> bool {
        let given = |patterns: &Option<Vec<String>>, value: Option<&str>| match patterns {
            None => true,
            Some(patterns) => {
                let fits = |value: &str| patterns.iter().any(|pattern| matches(pattern, value));
                value.is_some_and(fits)
            }
        };
        let anonymous = facts.caller.is_none() && facts.number.is_none();
        let lately = |within: Duration| facts.earlier.iter().filter(|age| **age <= within).count();
        let language = match &self.language {
            None => true,
            Some(wanted) => is_language(wanted, &facts.language),
        };
        given(&self.caller, facts.caller.as_deref())
            && given(&self.number, facts.number.as_deref())
            && given(&self.called, facts.called.as_deref())
            && self.anonymous.is_none_or(|wanted| wanted == anonymous)
            && self
                .often
                .is_none_or(|(calls, within)| lately(within) + 1 >= calls)
            && language
            && self
                .hours
                .as_ref()
                .is_none_or(|hours| hours.contain(facts.time))
            && self.present.as_ref().is_none_or(|who| {
                flow.members(who)
                    .iter()
                    .any(|who| facts.present.contains(*who))
            })
            && self.people.is_none_or(|least| people >= least)
    }

    pub(super) fn always(&self) -> bool {
        self.caller.is_none()
            && self.number.is_none()
            && self.called.is_none()
            && self.anonymous.is_none()
            && self.often.is_none()
            && self.language.is_none()
            && self.hours.is_none()
            && self.present.is_none()
            && self.people.is_none()
    }
}

fn matches(pattern: &str, value: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => value.starts_with(prefix),
        None => value == pattern,
    }
}

/// Basic filtering of language tags (RFC 4647 §3.3.1): `de` holds for `de-AT`.
fn is_language(range: &str, tag: &str) -> bool {
    match tag.split_at_checked(range.len()) {
        Some((head, rest)) => {
            head.eq_ignore_ascii_case(range) && (rest.is_empty() || rest.starts_with('-'))
        }
        None => false,
    }
}

#[derive(Clone)]
pub(super) struct Hours {
    pub(super) days: Vec<Weekday>,
    pub(super) from: Time,
    /// `None` is the day's end.
    pub(super) to: Option<Time>,
    pub(super) zone: TimeZone,
}

impl Hours {
    fn contain(&self, time: Timestamp) -> bool {
        let local = time.to_zoned(self.zone.clone());
        self.days.contains(&local.weekday())
            && local.time() >= self.from
            && self.to.is_none_or(|to| local.time() < to)
    }

    /// When they begin the next time after `now`.
    fn begin_after(&self, now: Timestamp) -> Option<Timestamp> {
        let today = now.to_zoned(self.zone.clone()).date();
        let days = (0..8).filter_map(|days| today.checked_add(days.days()).ok());
        let days = days.filter(|day| self.days.contains(&day.weekday()));
        let begin = |day: Date| {
            let local = day.to_datetime(self.from);
            Some(local.to_zoned(self.zone.clone()).ok()?.timestamp())
        };
        days.filter_map(begin).find(|begin| *begin > now)
    }
}

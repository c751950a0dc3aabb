//! A flow that has been checked: every name is an index, every way leads somewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use super::check;
use super::model::{Hosting, Refusal};
use super::problem::Problems;
use super::run::Facts;

/// A conversation that can be run.
pub struct Flow {
    pub(super) start: NodeId,
    pub(super) otherwise: NodeId,
    pub(super) fallback: NodeId,
    pub(super) language: String,
    pub(super) media: Hosting,
    pub(super) prompts: BTreeMap<String, PromptSource>,
    pub(super) contacts: BTreeMap<String, Contact>,
    pub(super) engine: EngineRights,
    pub(super) nodes: Vec<Node>,
}

impl Flow {
    /// Reads and checks a flow.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        Self::parse_with_files(text, |_| true)
    }

    /// Reads and checks a flow and whether the files of its prompts are there, by
    /// `exists`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse_with_files(text: &str, exists: impl Fn(&str) -> bool) -> Result<Self, Problems> {
        check::parse(text, &exists)
    }

    /// The same for a flow that is the table `flow` of a larger file; places are those
    /// of the file.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse_inside(text: &str, exists: impl Fn(&str) -> bool) -> Result<Self, Problems> {
        check::parse_inside(text, &exists)
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
            for name in names {
                if let Some(Contact::User(user)) = self.contact(name)
                    && !watched.contains(&(name, user.as_str()))
                {
                    watched.push((name, user.as_str()));
                }
            }
        }
        watched
    }

    /// The voice agents that calls are connected to: the settings must have them.
    pub fn agents(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|node| match &node.step {
            Step::Stream(stream) => Some(stream.to.as_str()),
            _ => None,
        })
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
}

impl PromptSource {
    /// The words, for people who read along.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::File { text, .. } => text.as_deref(),
            Self::Text(text) => Some(text),
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
        who: String,
        next: NodeId,
        failed: NodeId,
    },
    Record {
        most: Duration,
        next: NodeId,
    },
    Stream(Stream),
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
    pub(super) anonymous: Option<bool>,
    pub(super) often: Option<(usize, Duration)>,
    pub(super) language: Option<String>,
    pub(super) hours: Option<Hours>,
    pub(super) present: Option<String>,
}

impl Condition {
    pub(super) fn holds(&self, facts: &Facts) -> bool {
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
            && self.anonymous.is_none_or(|wanted| wanted == anonymous)
            && self
                .often
                .is_none_or(|(calls, within)| lately(within) + 1 >= calls)
            && language
            && self
                .hours
                .as_ref()
                .is_none_or(|hours| hours.contain(facts.time))
            && self
                .present
                .as_ref()
                .is_none_or(|who| facts.present.contains(who))
    }

    pub(super) fn always(&self) -> bool {
        self.caller.is_none()
            && self.number.is_none()
            && self.anonymous.is_none()
            && self.often.is_none()
            && self.language.is_none()
            && self.hours.is_none()
            && self.present.is_none()
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
}

impl Step {
    /// Where a node may lead, and by what.
    pub(super) fn exits(&self) -> Vec<(String, NodeId)> {
        let mut exits = Vec::new();
        let mut add = |label: &str, to: NodeId| exits.push((label.to_owned(), to));
        match self {
            Self::Next(next) => add("", *next),
            Self::Listen(listen) => {
                listen
                    .keys
                    .iter()
                    .for_each(|(key, to)| add(&key.to_string(), *to));
                listen
                    .intents
                    .iter()
                    .for_each(|(intent, to)| add(intent, *to));
                listen
                    .keywords
                    .iter()
                    .for_each(|(word, to)| add(&format!("\"{word}\""), *to));
                if let Some((below, to)) = listen.sentiment {
                    add(&format!("mood below {below}"), to);
                }
                add("time-out", listen.on_timeout);
                add("invalid", listen.on_invalid);
                if let Some(to) = listen.on_engine_down {
                    add("engine down", to);
                }
            }
            Self::Collect(collect) => {
                add(&collect.into, collect.next);
                add("time-out", collect.on_timeout);
                add("invalid", collect.on_invalid);
            }
            Self::Branch(cases, otherwise) => {
                cases
                    .iter()
                    .enumerate()
                    .for_each(|(index, (_, to))| add(&format!("case {}", index + 1), *to));
                add("else", *otherwise);
            }
            Self::Transfer { failed, .. } => add("failed", *failed),
            Self::Invite { next, failed, .. } => {
                add("joined", *next);
                add("failed", *failed);
            }
            Self::Record { next, .. } => add("said", *next),
            Self::Stream(stream) => {
                let keys = stream.keys.iter();
                keys.for_each(|(key, to)| add(&key.to_string(), *to));
                add("finished", stream.next);
                add("failed", stream.failed);
            }
            Self::Webhook(webhook) => {
                webhook
                    .results
                    .iter()
                    .for_each(|(result, to)| add(result, *to));
                add("else", webhook.next);
                add("failed", webhook.failed);
            }
            Self::HangUp | Self::Reject(_) | Self::Redirect { .. } => {}
        }
        exits
    }

    /// Whether a call may end here.
    pub(super) fn is_end(&self) -> bool {
        matches!(
            self,
            Self::HangUp | Self::Reject(_) | Self::Redirect { .. } | Self::Transfer { .. }
        )
    }

    /// Whether it goes on at once, with nothing to wait for.
    pub(super) fn is_instant(&self) -> bool {
        matches!(self, Self::Next(_) | Self::Branch(..))
    }
}

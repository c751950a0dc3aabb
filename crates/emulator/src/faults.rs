//! Faults on demand: rules that say which request or notification goes wrong, how
//! often, and how. Without IO; chance comes from the seed, so that a failure can be
//! had again.

mod operations;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use operations::{BESIDE_GRAPH, NoSuch};

pub(crate) use operations::exists;

/// Most rules at once.
const MAX_RULES: usize = 256;
/// Longest that a response or notification is held back.
const MAX_DELAY_MS: u64 = 120_000;
/// Calls whose people are remembered.
const MAX_CALLS: usize = 2_000;
/// The furthest that clocks are apart.
const MAX_SKEW_MS: i64 = 7 * 24 * 3600 * 1000;
/// Most copies of one notification.
const MAX_COPIES: u32 = 10;

/// When something goes wrong, and what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rule {
    /// An operation such as `answer`, or a notification such as
    /// `notification:established`; `*` ends a prefix.
    pub(crate) operation: String,
    /// Only for this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) call: Option<String>,
    /// Only for calls that this person is in, by name or id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) person: Option<String>,
    /// Only the n-th time that it fits, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nth: Option<u64>,
    /// How likely it is then, 0 to 1; certain if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) probability: Option<f64>,
    /// How many times at most; without end if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<u64>,
    /// What happens.
    #[serde(deserialize_with = "all_of_a_mischief")]
    pub(crate) fault: Mischief,
}

/// Serde looks at no members of a kind that has none: a slip there would go unseen.
fn all_of_a_mischief<'de, D: Deserializer<'de>>(from: D) -> Result<Mischief, D::Error> {
    let written = Map::deserialize(from)?;
    let members: Vec<String> = written.keys().cloned().collect();
    let fault: Mischief = serde_json::from_value(written.into()).map_err(D::Error::custom)?;
    let only_its_kind =
        matches!(&serde_json::to_value(&fault), Ok(Value::Object(own)) if own.len() == 1);
    let other = members.iter().find(|member| *member != "kind");
    match other.filter(|_| only_its_kind) {
        Some(other) => Err(D::Error::unknown_field(other, &["kind"])),
        None => Ok(fault),
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Mischief {
    /// Graph answers with this status, without doing what was asked.
    Status {
        /// 400 to 599.
        status: u16,
        /// Seconds for `Retry-After`.
        #[serde(
            default,
            rename = "retryAfter",
            skip_serializing_if = "Option::is_none"
        )]
        retry_after: Option<u64>,
    },
    /// What was asked is done, and the connection breaks before the answer.
    Reset,
    /// What was asked is done, and the answer comes late; or a notification does.
    Delay {
        /// In milliseconds.
        ms: u64,
    },
    /// What was asked is done; the answer begins at once, and its body takes this long.
    SlowBody {
        /// In milliseconds.
        ms: u64,
    },
    /// What was asked is done, and no answer ever comes.
    TimeOut,
    /// A notification is not sent.
    Lose,
    /// A notification is sent this many times.
    Duplicate {
        /// 2 to 10.
        copies: u32,
    },
    /// A notification is sent after the next one.
    Reorder,
    /// A new call is first told in the format of the former Skype protocol, and then, if the bot
    /// answers that with 204, in Graph's.
    LegacyFirst,
    /// A notification has no body.
    Empty,
    /// A notification is signed with a key nobody knows.
    WrongKey,
    /// A notification's token has expired.
    Expired,
    /// A notification's token is made by a clock that is ahead, or behind.
    Skew {
        /// In milliseconds; below zero for one that is behind.
        ms: i64,
    },
}

/// Why a rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RuleError {
    #[error("fault.status must be 400 to 599")]
    Status,
    #[error("fault.ms must be at most 120000")]
    Delay,
    #[error("fault.ms must be at most a week, 604800000, either way")]
    Skew,
    #[error("fault.copies must be 2 to 10")]
    Copies,
    #[error("probability must be above 0, and 1 at most")]
    Probability,
    #[error("nth counts from 1")]
    Nth,
    #[error("times is 1 at least")]
    Times,
    #[error("the n-th time comes once: give nth or times")]
    NthAndTimes,
    #[error("person is a name or an id")]
    Nobody,
    #[error("nothing comes after a call's end: notification:terminated can't be reordered")]
    NothingLater,
    #[error("operation must name a request or notification; * stands for all of Graph's")]
    NoOperation,
    #[error(transparent)]
    NoSuch(#[from] NoSuch),
    #[error("call and person say whose call it is: {0} is about no call")]
    NoCall(&'static str),
    #[error("{0} concerns notifications: operation must begin with notification:")]
    NotificationOnly(&'static str),
    #[error("{0} concerns requests: operation must not begin with notification:")]
    RequestOnly(&'static str),
    #[error("{0} concerns new calls: operation must be notification:incoming")]
    IncomingOnly(&'static str),
    #[error("there are 256 rules already")]
    TooMany,
}

impl RuleError {
    /// What was probably meant.
    pub(crate) fn suggestion(&self) -> Option<String> {
        match self {
            Self::NoSuch(no_such) => Some(no_such.suggestion()),
            _ => None,
        }
    }
}

impl Rule {
    pub(crate) fn check(&self) -> Result<(), RuleError> {
        if self
            .probability
            .is_some_and(|p| p <= 0.0 || p.is_nan() || p > 1.0)
        {
            return Err(RuleError::Probability);
        }
        if self.nth == Some(0) {
            return Err(RuleError::Nth);
        }
        if self.times == Some(0) {
            return Err(RuleError::Times);
        }
        if self.nth.is_some() && self.times.is_some() {
            return Err(RuleError::NthAndTimes);
        }
        if self.person.as_deref() == Some("") {
            return Err(RuleError::Nobody);
        }
        if self.operation.is_empty() {
            return Err(RuleError::NoOperation);
        }
        operations::check(&self.operation)?;
        let narrowed = self.person.is_some() || self.call.is_some();
        if let Some(name) = operations::without_call(&self.operation).filter(|_| narrowed) {
            return Err(RuleError::NoCall(name));
        }
        match self.fault {
            Mischief::Status { status, .. } if !(400..600).contains(&status) => {
                Err(RuleError::Status)
            }
            Mischief::Delay { ms } | Mischief::SlowBody { ms } if ms > MAX_DELAY_MS => {
                Err(RuleError::Delay)
            }
            Mischief::Skew { ms } if ms.unsigned_abs() > MAX_SKEW_MS.unsigned_abs() => {
                Err(RuleError::Skew)
            }
            Mischief::Duplicate { copies } if !(2..=MAX_COPIES).contains(&copies) => {
                Err(RuleError::Copies)
            }
            _ => self.check_side(),
        }
    }

    fn check_side(&self) -> Result<(), RuleError> {
        let of_notifications = self.operation.starts_with("notification:");
        let (name, for_requests) = match self.fault {
            Mischief::Delay { .. } => return Ok(()),
            Mischief::LegacyFirst if self.operation != "notification:incoming" => {
                return Err(RuleError::IncomingOnly("legacyFirst"));
            }
            Mischief::Reorder if self.operation == "notification:terminated" => {
                return Err(RuleError::NothingLater);
            }
            Mischief::LegacyFirst => ("legacyFirst", false),
            Mischief::Status { .. } => ("status", true),
            Mischief::Reset => ("reset", true),
            Mischief::SlowBody { .. } => ("slowBody", true),
            Mischief::TimeOut => ("timeOut", true),
            Mischief::Lose => ("lose", false),
            Mischief::Duplicate { .. } => ("duplicate", false),
            Mischief::Reorder => ("reorder", false),
            Mischief::Empty => ("empty", false),
            Mischief::WrongKey => ("wrongKey", false),
            Mischief::Expired => ("expired", false),
            Mischief::Skew { .. } => ("skew", false),
        };
        match (for_requests, of_notifications) {
            (true, true) => Err(RuleError::RequestOnly(name)),
            (false, false) => Err(RuleError::NotificationOnly(name)),
            _ => Ok(()),
        }
    }

    fn fits(&self, operation: &str, call: &str, people: Option<&BTreeSet<String>>) -> bool {
        let named = match self.operation.strip_suffix('*') {
            // All of Graph's, as ever.
            Some("") => !BESIDE_GRAPH.contains(&operation),
            Some(prefix) => operation.starts_with(prefix),
            None => self.operation == operation,
        };
        let own = self.call.as_deref().is_none_or(|own| own == call);
        let is_in = |person: &String| people.is_some_and(|people| people.contains(person));
        // Nothing comes after the end that could overtake it.
        let possible = self.fault != Mischief::Reorder || operation != "notification:terminated";
        named && own && possible && self.person.as_ref().is_none_or(is_in)
    }
}

/// A rule with what it has done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    pub(crate) id: u64,
    /// How many times it fitted.
    pub(crate) seen: u64,
    /// How many times it struck.
    pub(crate) struck: u64,
    #[serde(flatten)]
    pub(crate) rule: Rule,
}

/// All rules, in the order they were added; the first that strikes counts.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Vec<Listed>,
    next_id: u64,
    seed: u64,
    chance: u64,
    /// Names and ids of those who are, or were last, in a call.
    people: BTreeMap<String, BTreeSet<String>>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            next_id: 1,
            seed,
            chance: seed,
            people: BTreeMap::new(),
        }
    }

    /// These are in a call, by name and id. That is kept beyond its end: the last
    /// notification comes after it.
    pub(crate) fn are_in(&mut self, call: &str, people: BTreeSet<String>) {
        if people.is_empty() {
            return;
        }
        if self.people.len() >= MAX_CALLS && !self.people.contains_key(call) {
            self.people.clear();
        }
        self.people.insert(call.to_owned(), people);
    }

    /// Adds a rule and returns its id.
    pub(crate) fn add(&mut self, rule: Rule) -> Result<u64, RuleError> {
        rule.check()?;
        if self.rules.len() >= MAX_RULES {
            return Err(RuleError::TooMany);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.rules.push(Listed {
            id,
            seen: 0,
            struck: 0,
            rule,
        });
        Ok(id)
    }

    /// Of these rules those that were sure to strike and never did: what each is for, and how
    /// often it fitted.
    pub(crate) fn unused(&self, ids: &[u64]) -> Vec<String> {
        let own = self.rules.iter().filter(|rule| ids.contains(&rule.id));
        let unused = own.filter(|own| own.struck == 0 && own.rule.probability.is_none());
        let shown = |own: &Listed| {
            let (operation, seen) = (&own.rule.operation, own.seen);
            format!("the fault of {operation} never came about: it fitted {seen} times")
        };
        unused.map(shown).collect()
    }

    pub(crate) fn list(&self) -> &[Listed] {
        &self.rules
    }

    /// Whether there was such a rule.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|listed| listed.id != id);
        self.rules.len() < before
    }

    /// Back to the seed: no rules, and chance begins anew.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            people: std::mem::take(&mut self.people),
            ..Self::new(self.seed)
        };
    }

    /// What goes wrong with this request or notification, if anything does: every rule that
    /// fits counts it, so that `nth` is the n-th time whatever the others did, and the first that
    /// is due strikes.
    pub(crate) fn strike(&mut self, operation: &str, call: &str) -> Option<Mischief> {
        let people = self.people.get(call);
        let mut fitting = Vec::new();
        for (index, listed) in self.rules.iter_mut().enumerate() {
            if listed.rule.fits(operation, call, people) {
                listed.seen += 1;
                fitting.push(index);
            }
        }
        for index in fitting {
            if self.hits(index) {
                self.rules[index].struck += 1;
                return Some(self.rules[index].rule.fault.clone());
            }
        }
        None
    }

    fn hits(&mut self, index: usize) -> bool {
        let Listed {
            seen, struck, rule, ..
        } = &self.rules[index];
        let due = rule.nth.is_none_or(|nth| nth == *seen)
            && rule.times.is_none_or(|times| *struck < times);
        let probability = rule.probability;
        due && probability.is_none_or(|probability| self.chance() < probability)
    }

    /// Uniform in 0..1 (SplitMix64, 53 bits).
    fn chance(&mut self) -> f64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Mischief {
    /// For how long something is held back.
    pub(crate) fn delay(&self) -> Option<Duration> {
        match self {
            Self::Delay { ms } => Some(Duration::from_millis(*ms)),
            _ => None,
        }
    }

    /// Whether a notification does not come, not as it should be, or late.
    pub(crate) fn keeps_back(&self) -> bool {
        matches!(
            self,
            Self::Lose
                | Self::Delay { .. }
                | Self::Reorder
                | Self::Empty
                | Self::WrongKey
                | Self::Expired
                | Self::Skew { .. }
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

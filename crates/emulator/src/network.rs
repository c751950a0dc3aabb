//! What packets of a phone, or of a bot in a room, suffer on their way: loss, bursts, jitter
//! and the like.
//! Without IO; chance comes from the seed, so that a call can be had again.
//!
//! A leg that is to suffer is led through a relay (`shell/relay.rs`), which both sides
//! take for the other: ICE, DTLS and SRTP go through it untouched.

mod impairment;
mod sdp;

use serde::{Deserialize, Serialize};

pub(crate) use impairment::Impairment;
pub(crate) use sdp::{first_candidate, with_candidate};

/// Most rules at once.
const MAX_RULES: usize = 256;
const MAX_DELAY_MS: u64 = 5_000;
const MAX_BURST: f64 = 1_000.0;

/// What packets suffer. Nothing, unless something is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Conditions {
    /// The part of the packets that is lost, 0 to 1.
    pub loss: f64,
    /// How many are lost in a row on average, 1 to 1 000 (Gilbert's model); each for
    /// itself if 0.
    pub burst: f64,
    /// Milliseconds that every packet takes longer, at most 5 000.
    pub delay_ms: u64,
    /// Milliseconds that packets take longer at random, each between 0 and this, in
    /// order; at most 5 000.
    pub jitter_ms: u64,
    /// The part that is overtaken by the packets of the next 50 ms, 0 to 1.
    pub reorder: f64,
    /// The part that arrives twice, 0 to 1.
    pub duplicate: f64,
    /// Whether nothing arrives at all.
    pub stall: bool,
    /// Whether the phone's or bot's packets come from another UDP port from now on, as behind
    /// a network address translator that forgot it; once for every rule that says so.
    pub address_change: bool,
}

/// Which way packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Direction {
    /// From the phone or bot.
    Up,
    /// To the phone or bot.
    Down,
}

/// Conditions and whose they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct NetworkRule {
    /// A phone's name or id; every phone's if left out, unless it is for a bot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// An application's client id: what is between group calls and meetings and its media, if
    /// that is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// One way only; both if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// What packets suffer.
    #[serde(default)]
    pub conditions: Conditions,
    /// With a change of address: which it is of all.
    #[serde(skip)]
    pub(crate) change: u64,
}

/// Why a rule is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkRuleError {
    /// Not a probability.
    #[error("{0} must be 0 to 1")]
    Probability(&'static str),
    /// A burst that can't be.
    #[error("burst must be 0, or 1 to 1000")]
    Burst,
    /// Too long.
    #[error("{0} must be at most 5000")]
    TooLong(&'static str),
    /// For two at once.
    #[error("a rule is for a phone or for a bot: give one of phone and bot")]
    PhoneAndBot,
    /// Too many rules.
    #[error("there are 256 rules already")]
    TooMany,
}

impl Conditions {
    pub(crate) fn check(&self) -> Result<(), NetworkRuleError> {
        for (name, value) in [
            ("loss", self.loss),
            ("reorder", self.reorder),
            ("duplicate", self.duplicate),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(NetworkRuleError::Probability(name));
            }
        }
        if self.burst != 0.0 && !(1.0..=MAX_BURST).contains(&self.burst) {
            return Err(NetworkRuleError::Burst);
        }
        for (name, value) in [("delayMs", self.delay_ms), ("jitterMs", self.jitter_ms)] {
            if value > MAX_DELAY_MS {
                return Err(NetworkRuleError::TooLong(name));
            }
        }
        Ok(())
    }
}

impl NetworkRule {
    /// Conditions for a phone of this name or id, or for all.
    pub fn new(phone: Option<String>, conditions: Conditions) -> Self {
        Self {
            phone,
            bot: None,
            direction: None,
            conditions,
            change: 0,
        }
    }

    fn check(&self) -> Result<(), NetworkRuleError> {
        match (&self.phone, &self.bot) {
            (Some(_), Some(_)) => Err(NetworkRuleError::PhoneAndBot),
            _ => self.conditions.check(),
        }
    }

    fn is_for(&self, party: &Party) -> bool {
        let own = self.phone.as_deref();
        match (party, self.bot.as_deref()) {
            (Party::Phone { id, name }, None) => {
                own.is_none_or(|own| own == name || own.eq_ignore_ascii_case(id))
            }
            (Party::Bot(app), Some(bot)) => bot.eq_ignore_ascii_case(app),
            _ => false,
        }
    }

    fn replaces(&self, other: &Self) -> bool {
        let covers = self.direction.is_none() || self.direction == other.direction;
        self.phone == other.phone && self.bot == other.bot && covers
    }
}

/// Whose packets they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Party {
    Phone {
        id: String,
        name: String,
    },
    /// An application in a room, by its client id.
    Bot(String),
}

impl Party {
    /// What its chances follow from, with the seed.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Phone { name, .. } => name,
            Self::Bot(app) => app,
        }
    }
}

/// All rules; of several that are for a phone or bot the latest counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    rules: Vec<NetworkRule>,
    /// How many changes of address there were.
    changes: u64,
}

impl Network {
    /// With these rules from the start.
    pub(crate) fn of(rules: Vec<NetworkRule>) -> Result<Self, NetworkRuleError> {
        let mut network = Self::default();
        for rule in rules {
            network.set(rule)?;
        }
        Ok(network)
    }

    /// Adds a rule in place of earlier ones for the same phone or bot and direction.
    pub(crate) fn set(&mut self, mut rule: NetworkRule) -> Result<(), NetworkRuleError> {
        rule.check()?;
        self.rules.retain(|other| !rule.replaces(other));
        if self.rules.len() >= MAX_RULES {
            return Err(NetworkRuleError::TooMany);
        }
        self.changes += u64::from(rule.conditions.address_change);
        rule.change = match rule.conditions.address_change {
            true => self.changes,
            false => 0,
        };
        self.rules.push(rule);
        Ok(())
    }

    /// The latest change of somebody's address; grows with each.
    pub(crate) fn address_change(&self, party: &Party) -> u64 {
        let own = self.rules.iter().filter(|rule| rule.is_for(party));
        own.map(|rule| rule.change).max().unwrap_or(0)
    }

    pub(crate) fn rules(&self) -> &[NetworkRule] {
        &self.rules
    }

    /// Removes all rules, or those of one phone.
    pub(crate) fn clear(&mut self, phone: Option<&str>) {
        self.rules
            .retain(|rule| phone.is_some() && rule.phone.as_deref() != phone);
    }

    /// Whether somebody's legs go through a relay.
    pub(crate) fn concerns(&self, party: &Party) -> bool {
        self.rules.iter().any(|rule| rule.is_for(party))
    }

    /// What somebody's packets suffer now.
    pub(crate) fn conditions(&self, party: &Party, direction: Direction) -> Conditions {
        let fits = |rule: &&NetworkRule| {
            rule.is_for(party) && rule.direction.is_none_or(|own| own == direction)
        };
        let latest = self.rules.iter().rev().find(fits);
        latest.map(|rule| rule.conditions).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: serde_json::Value) -> NetworkRule {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_latest_rule_for_a_phone_and_direction_counts() {
        let mut network = Network::default();
        let phone = |name: &str| Party::Phone {
            id: format!("id-{name}"),
            name: name.to_owned(),
        };
        let (ada, ben) = (phone("Ada"), phone("Ben"));
        assert!(!network.concerns(&ada));
        let json = serde_json::json!({"phone": "Ada", "conditions": {"loss": 0.5}});
        network.set(rule(json)).unwrap();
        let json = serde_json::json!({"phone": "ID-ada", "direction": "up", "conditions": {"stall": true}});
        network.set(rule(json)).unwrap();
        assert!(network.concerns(&ada) && !network.concerns(&ben));
        assert!(network.conditions(&ada, Direction::Up).stall);
        assert_eq!(network.conditions(&ada, Direction::Down).loss, 0.5);
        let json = serde_json::json!({"phone": "Ada", "conditions": {}});
        network.set(rule(json)).unwrap();
        assert_eq!(network.rules().len(), 2);
        assert_eq!(
            network.conditions(&ada, Direction::Up),
            Conditions::default()
        );
        network.clear(Some("Ada"));
        assert_eq!(network.rules().len(), 1);
        network.clear(None);
        assert_eq!(network.rules(), []);
    }

    #[test]
    fn each_change_of_address_is_one_of_its_own() {
        let mut network = Network::default();
        let ada = Party::Phone {
            id: "id-a".to_owned(),
            name: "Ada".to_owned(),
        };
        let change = |phone: &str| {
            rule(serde_json::json!({"phone": phone, "conditions": {"addressChange": true}}))
        };
        assert_eq!(network.address_change(&ada), 0);
        network.set(change("Ada")).unwrap();
        let first = network.address_change(&ada);
        assert!(first > 0);
        network.set(change("Ben")).unwrap();
        assert_eq!(network.address_change(&ada), first);
        network.set(change("Ada")).unwrap();
        assert!(network.address_change(&ada) > first);
        assert_eq!(network.rules().len(), 2);
    }

    #[test]
    fn a_rule_for_a_bot_is_for_no_phone_nor_the_other_way_round() {
        let mut network = Network::default();
        let ada = Party::Phone {
            id: "id-a".to_owned(),
            name: "Ada".to_owned(),
        };
        let bot = |app: &str| Party::Bot(app.to_owned());
        let json = serde_json::json!({"bot": "APP-1", "conditions": {"loss": 0.5}});
        network.set(rule(json)).unwrap();
        assert!(network.concerns(&bot("app-1")) && !network.concerns(&bot("app-2")));
        assert!(!network.concerns(&ada));
        let everybody = serde_json::json!({"conditions": {"loss": 0.1}});
        network.set(rule(everybody)).unwrap();
        assert!(network.concerns(&ada));
        let loss = |party: &Party| network.conditions(party, Direction::Up).loss;
        assert_eq!((loss(&ada), loss(&bot("app-1"))), (0.1, 0.5));
        assert_eq!(network.rules().len(), 2);
        let both = serde_json::json!({"phone": "Ada", "bot": "app-1"});
        let error = network.set(rule(both)).unwrap_err().to_string();
        assert!(error.contains("one of phone and bot"), "{error}");
        assert_eq!(network.rules().len(), 2);
    }

    #[test]
    fn impossible_conditions_are_refused() {
        for (json, expected) in [
            (serde_json::json!({"loss": 1.5}), "loss must be 0 to 1"),
            (serde_json::json!({"duplicate": -0.1}), "duplicate must be"),
            (serde_json::json!({"burst": 0.5}), "burst must be"),
            (
                serde_json::json!({"jitterMs": 6000}),
                "jitterMs must be at most",
            ),
        ] {
            let rule = rule(serde_json::json!({"conditions": json}));
            let error = Network::default().set(rule).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

//! What is to happen in a simulation.

use std::time::Duration;

use serde_json::{Value, json};

use super::chance::Chance;

/// A span of virtual time, from the simulation's beginning.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

impl Span {
    /// In seconds.
    pub fn seconds(from: u64, to: u64) -> Self {
        Self {
            from: Duration::from_secs(from),
            to: Duration::from_secs(to),
        }
    }

    fn random(chance: &Chance, latest_ms: u64, longest_ms: u64) -> Self {
        let from = chance.ms(0, latest_ms);
        let to = from + chance.ms(500, longest_ms);
        Self { from, to }
    }

    pub(super) fn holds(&self, at: Duration) -> bool {
        (self.from..self.to).contains(&at)
    }
}

/// What a caller does when the call stands.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// A key.
    Press(char),
    /// The end.
    HangUp,
}

/// A caller's doings.
#[derive(Debug)]
pub struct CallerPlan {
    /// When they dial.
    pub at: Duration,
    /// Each with the pause before it.
    pub acts: Vec<(Duration, Act)>,
    /// When the caller loses patience, from dialling on.
    pub patience: Duration,
}

/// What the agent does when a call rings.
#[derive(Debug, Clone, Copy)]
pub enum Agent {
    /// Takes it after a while.
    Accepts(Duration),
    /// Turns it down after a while.
    Declines(Duration),
    /// Lets it ring.
    Ignores,
}

/// What is to happen in a simulation.
#[derive(Debug)]
pub struct Plan {
    /// Who calls.
    pub callers: Vec<CallerPlan>,
    /// Who is there for transfers.
    pub agent: Agent,
    /// Rules for the emulator's own faults.
    pub faults: Vec<Value>,
    /// How likely a request finds nobody.
    pub(super) refused: f64,
    /// How likely an exchange takes seconds.
    pub(super) slow: f64,
    /// While the identity service, tokens and keys, is down.
    pub identity_down: Option<Span>,
    /// While the bot can't be reached by notifications.
    pub bot_unreachable: Option<Span>,
    /// From the bot's being killed to its return.
    pub dead: Option<Span>,
    /// How far the cloud's clock is ahead of the bot's.
    pub cloud_ahead: Duration,
    /// When the cloud begins to sign with another key.
    pub rolled_over: Option<Duration>,
    /// Notifications with keys that nobody knows, each another one, twenty a second.
    pub strangers: u32,
    /// Whether each notification comes for a call that nobody knows, and of a thing that
    /// nobody knows, as well.
    pub misaddressed: bool,
}

const NOTIFICATIONS: [&str; 6] = [
    "notification:incoming",
    "notification:established",
    "notification:terminated",
    "notification:operation",
    "notification:tone",
    "notification:*",
];
const REQUESTS: [&str; 7] = [
    "answer",
    "delete",
    "get",
    "playPrompt",
    "subscribeToTone",
    "transfer",
    "cancelMediaProcessing",
];

impl Plan {
    /// Nothing goes wrong yet.
    pub fn calm(callers: Vec<CallerPlan>) -> Self {
        Self {
            callers,
            agent: Agent::Accepts(Duration::from_secs(2)),
            faults: Vec::new(),
            refused: 0.0,
            slow: 0.0,
            identity_down: None,
            bot_unreachable: None,
            dead: None,
            cloud_ahead: Duration::ZERO,
            rolled_over: None,
            strangers: 0,
            misaddressed: false,
        }
    }

    /// Every fifth simulation has no faults: nothing at all may be wrong with it.
    pub(super) fn new(seed: u64, chance: &Chance) -> Self {
        let callers = (0..chance.between(1, 4)).map(|_| caller(chance)).collect();
        let agent = match chance.between(0, 3) {
            0 => Agent::Ignores,
            1 => Agent::Declines(chance.ms(100, 8000)),
            _ => Agent::Accepts(chance.ms(100, 8000)),
        };
        let mut plan = Self {
            agent,
            ..Self::calm(callers)
        };
        if !seed.is_multiple_of(5) {
            plan.add_faults(chance);
        }
        plan
    }

    pub(super) fn is_faultless(&self) -> bool {
        let spans = [self.identity_down, self.bot_unreachable, self.dead];
        self.faults.is_empty()
            && self.refused == 0.0
            && self.cloud_ahead.is_zero()
            && spans.iter().all(Option::is_none)
    }

    fn add_faults(&mut self, chance: &Chance) {
        self.faults = (0..chance.between(1, 5)).map(|_| rule(chance)).collect();
        self.refused = *chance.one_of(&[0.001, 0.02, 0.1]);
        self.slow = *chance.one_of(&[0.0, 0.05]);
        let some = |likelihood: f64, latest: u64, longest: u64| {
            let span = Span::random(chance, latest, longest);
            chance.happens(likelihood).then_some(span)
        };
        self.identity_down = some(0.15, 30_000, 600_000);
        self.bot_unreachable = some(0.15, 40_000, 60_000);
        self.dead = some(0.25, 40_000, 8_000);
    }
}

fn caller(chance: &Chance) -> CallerPlan {
    let mut acts = Vec::new();
    for _ in 0..chance.between(0, 5) {
        let key = *chance.one_of(&['1', '1', '2', '3', '4', '#', '7']);
        acts.push((chance.ms(100, 7000), Act::Press(key)));
    }
    acts.push((chance.ms(100, 60_000), Act::HangUp));
    CallerPlan {
        at: chance.ms(0, 30_000),
        acts,
        patience: chance.ms(20_000, 90_000),
    }
}

fn rule(chance: &Chance) -> Value {
    let of_notifications = chance.happens(0.5);
    let (operation, fault) = match of_notifications {
        true => {
            let operation = *chance.one_of(&NOTIFICATIONS);
            (operation, mischief(operation, chance))
        }
        false => (*chance.one_of(&REQUESTS), refusal(chance)),
    };
    let mut rule = json!({
        "operation": operation,
        "probability": *chance.one_of(&[0.2, 0.5, 1.0]),
        "fault": fault,
    });
    if chance.happens(0.7) {
        rule["times"] = chance.between(1, 4).into();
    }
    rule
}

/// What may happen to a notification.
fn mischief(operation: &str, chance: &Chance) -> Value {
    match chance.between(0, 7) {
        0 | 1 => json!({"kind": "duplicate", "copies": chance.between(2, 5)}),
        // Nothing comes after the end that could overtake it.
        2 if operation != "notification:terminated" => json!({"kind": "reorder"}),
        2 | 3 => json!({"kind": "lose"}),
        4 => json!({"kind": "delay", "ms": chance.between(10, 16_000)}),
        5 => json!({"kind": "empty"}),
        6 => json!({"kind": "wrongKey"}),
        _ => json!({"kind": "expired"}),
    }
}

/// What may happen to a request.
fn refusal(chance: &Chance) -> Value {
    match chance.between(0, 7) {
        0 | 1 => json!({"kind": "status", "status": 429, "retryAfter": chance.between(1, 20)}),
        2 => json!({"kind": "status", "status": 429}),
        3 => {
            json!({"kind": "status", "status": *chance.one_of(&[500_u16, 502, 503, 504])})
        }
        4 => json!({"kind": "status", "status": 503, "retryAfter": chance.between(1, 20)}),
        5 => json!({"kind": "reset"}),
        6 => json!({"kind": "status", "status": 401}),
        _ => json!({"kind": "delay", "ms": chance.between(10, 9_000)}),
    }
}

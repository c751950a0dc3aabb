//! Calls with several people, and whom to call: checked.

use std::time::Duration;

use super::{Contact, Hours, NodeId};
use crate::flow::model::Pick;

/// A call of the bot's own with several people.
pub(crate) struct Room {
    pub(in crate::flow) start: NodeId,
    /// Who is called in at once.
    pub(crate) with: Vec<Contact>,
    pub(crate) subject: Option<String>,
    pub(crate) meeting: Option<Meeting>,
    pub(in crate::flow) opens: Option<Hours>,
}

/// An online meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meeting {
    pub(crate) organizer: String,
    pub(crate) which: Which,
}

/// Which meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    New {
        minutes: u16,
        template: Option<String>,
    },
    External(String),
    Id(String),
    JoinUrl(String),
}

/// Who is called, and in what order.
pub(crate) struct OnCall {
    pub(crate) tiers: Vec<Tier>,
    pub(crate) need: usize,
    pub(crate) rounds: usize,
    pub(crate) ring_seconds: u8,
}

/// People who are called together.
pub(crate) struct Tier {
    pub(crate) who: Vec<Contact>,
    pub(crate) within: Duration,
}

/// People of whom one takes a call.
pub(crate) struct Team {
    /// The contacts' names.
    pub(crate) of: Vec<String>,
    pub(crate) pick: Pick,
}

/// Whom an action is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Everybody else in the call.
    All,
    /// One of them.
    One(Contact),
}

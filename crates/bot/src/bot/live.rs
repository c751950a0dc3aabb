//! The calls that go on, for whoever looks after the bot.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use switchboard_signaling::types::{CallId, CallState};
use tokio::sync::{Notify, watch};

use crate::flow::Contact;

/// A call that goes on. Nothing of what is said or pressed in it is here.
#[derive(Clone, PartialEq, Eq)]
pub struct LiveCall {
    /// Its id.
    pub id: CallId,
    /// Whether it came in; else the bot placed it.
    pub incoming: bool,
    /// Since when the bot knows of it.
    pub since: Timestamp,
    /// Graph's state of it.
    pub state: CallState,
    /// The flow it goes through; empty if that has no name.
    pub flow: String,
    /// How many are in it by the last roster, the bot included; 0 while there is none.
    pub participants: usize,
    /// Who is on the other side; nobody if they hide.
    pub peer: Option<Contact>,
}

impl fmt::Debug for LiveCall {
    /// Not with whom.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveCall")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("flow", &self.flow)
            .field("participants", &self.participants)
            .finish_non_exhaustive()
    }
}

/// What is known of a call from its beginning.
pub(crate) struct Origin {
    pub(crate) incoming: bool,
    pub(crate) since: Timestamp,
    pub(crate) flow: String,
    pub(crate) peer: Option<Contact>,
    /// Told when somebody wants the call ended.
    pub(crate) hang_up: Arc<Notify>,
    /// What the list was told last.
    told: Option<(CallState, usize)>,
}

impl Origin {
    pub(crate) fn new(incoming: bool, flow: &str, peer: Option<Contact>) -> Self {
        Self {
            incoming,
            since: Timestamp::now(),
            flow: flow.to_owned(),
            peer,
            hang_up: Arc::default(),
            told: None,
        }
    }

    /// Whether a call in this state, with so many people, is news.
    pub(crate) fn is_news(&mut self, state: &CallState, participants: usize) -> bool {
        let told = self.told.as_ref();
        if told.is_some_and(|(known, people)| known == state && *people == participants) {
            return false;
        }
        self.told = Some((state.clone(), participants));
        true
    }
}

/// The list.
pub(crate) struct Live {
    calls: Mutex<HashMap<CallId, (LiveCall, Arc<Notify>)>>,
    changes: watch::Sender<u64>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            calls: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl Live {
    /// The lock is held for single map operations; a poisoned one is still whole.
    fn calls(&self) -> MutexGuard<'_, HashMap<CallId, (LiveCall, Arc<Notify>)>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, call: LiveCall, hang_up: &Arc<Notify>) {
        let entry = (call.clone(), Arc::clone(hang_up));
        self.calls().insert(call.id, entry);
        self.changes.send_modify(|changes| *changes += 1);
    }

    pub(super) fn remove(&self, id: &CallId) {
        if self.calls().remove(id).is_some() {
            self.changes.send_modify(|changes| *changes += 1);
        }
    }

    pub(super) fn list(&self) -> Vec<LiveCall> {
        self.calls()
            .values()
            .map(|(call, _)| call.clone())
            .collect()
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// `false` if there is no such call.
    pub(super) fn hang_up(&self, id: &CallId) -> bool {
        let calls = self.calls();
        let wanted = calls.get(id);
        // Kept for the task if it isn't waiting just now.
        wanted
            .inspect(|(_, hang_up)| hang_up.notify_one())
            .is_some()
    }
}

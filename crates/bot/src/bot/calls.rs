//! Which calls there are, and whose a notification is.

use std::collections::{BTreeMap, HashMap};

use switchboard_signaling::notification::Notification;
use switchboard_signaling::types::{Call, CallId, CallState, ChangeType, NotifiedResource};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::MAX_CALLS;
use super::ended::Ended;

/// The calls' tasks.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) known: HashMap<CallId, mpsc::Sender<Notification>>,
    /// Calls being placed, whose ids Graph hasn't told yet: each gets what is of no
    /// other call, and its machine keeps what is its own.
    pub(super) nameless: BTreeMap<u64, mpsc::Sender<Notification>>,
    /// Placed calls that have their ids.
    pub(super) named: HashMap<u64, CallId>,
    pub(super) ended: Ended,
    /// Tasks that end calls which were left behind.
    pub(super) leaving: HashMap<CallId, AbortHandle>,
    pub(super) last: u64,
}

impl Calls {
    pub(super) fn len(&self) -> usize {
        self.known.len() + self.nameless.len()
    }

    /// Whether every call has room for its share of `notifications`, and the bot
    /// for the new calls among them.
    pub(super) fn have_room(&self, notifications: &[Notification]) -> bool {
        let mut shares: HashMap<&CallId, usize> = HashMap::new();
        for notification in notifications {
            *shares.entry(&notification.call_id).or_default() += 1;
        }
        let known = &self.known;
        let new = shares.keys().filter(|id| !known.contains_key(**id)).count();
        let fits = |(id, share): (&&CallId, &usize)| {
            known
                .get(*id)
                .is_none_or(|call| call.is_closed() || call.capacity() >= *share)
        };
        (new == 0 || self.len() + new <= MAX_CALLS) && shares.iter().all(fits)
    }

    /// It may be of a call that was placed and has no id yet: news, even of the end, can be here
    /// before Graph's answer.
    pub(super) fn tell_nameless(&self, notification: &Notification) {
        if self.nameless.is_empty() {
            tracing::debug!(call = %notification.call_id, "a notification of no call of ours");
        }
        for call in self.nameless.values() {
            let _ = call.try_send(notification.clone());
        }
    }
}

/// Whether it tells of a call's end.
pub(super) fn is_end(notification: &Notification) -> bool {
    let of_call = matches!(notification.resource, NotifiedResource::Call(_));
    of_call && notification.change_type == ChangeType::Deleted
}

/// A call that comes in, if that is what it tells.
pub(super) fn incoming(notification: &Notification) -> Option<&Call> {
    let NotifiedResource::Call(call) = &notification.resource else {
        return None;
    };
    let comes = call.state == Some(CallState::Incoming) && !is_end(notification);
    comes.then_some(call)
}

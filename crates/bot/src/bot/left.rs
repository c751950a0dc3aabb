//! Calls that an earlier life of the bot left behind are ended: nobody is in them any more.

use std::sync::Arc;
use std::time::Duration;

use switchboard_signaling::types::CallId;

use super::{Calls, Shared};
use crate::call::CallReport;

/// Pauses between attempts to end a call: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Graph ends a call by itself when it wasn't kept alive for so long.
const GIVE_UP: Duration = Duration::from_secs(45 * 60);

impl Shared {
    /// Ends what is left, each call by a task of its own.
    pub(super) fn end_left(self: &Arc<Self>) {
        let left = self.ledger.as_ref().map(|ledger| ledger.left());
        let left = left.unwrap_or_default();
        if !left.is_empty() {
            tracing::warn!(calls = left.len(), "calls were left behind; they are ended");
        }
        for call in left {
            let task = tokio::spawn(Arc::clone(self).end_one(call.clone()));
            self.calls().leaving.insert(call, task.abort_handle());
        }
    }

    async fn end_one(self: Arc<Self>, call: CallId) {
        if tokio::time::timeout(GIVE_UP, self.delete(&call))
            .await
            .is_err()
        {
            tracing::warn!(%call, "a call that was left behind could not be ended");
        }
        self.calls().leaving.remove(&call);
        self.is_over(&call);
    }

    /// A call that is no task's has ended by itself.
    pub(super) fn ended_by_itself(&self, calls: &mut Calls, call: &CallId) {
        calls.ended.add(call);
        if let Some(task) = calls.leaving.remove(call) {
            task.abort();
            self.is_over(call);
        }
    }

    async fn delete(&self, call: &CallId) {
        let (mut pause, longest) = PAUSES;
        loop {
            match self.graph.delete_call(call).await {
                Ok(()) => return,
                Err(error) if error.is_gone() => return,
                Err(error) => {
                    tracing::debug!(%call, %error, "it is tried again");
                    let asked = error.retry_after().unwrap_or_default();
                    tokio::time::sleep(pause.max(asked)).await;
                }
            }
            pause = (pause * 2).min(longest);
        }
    }

    /// A call is this bot's to end.
    pub(super) fn has_begun(&self, call: &CallId) {
        if let Some(ledger) = &self.ledger {
            ledger.begun(call);
        }
    }

    /// It is over, as far as is known.
    pub(super) fn is_over(&self, call: &CallId) {
        if let Some(ledger) = &self.ledger {
            ledger.over(call);
        }
    }

    /// A call's task has come to its end: if that is not the call's, it stays in the ledger.
    pub(super) fn reported(&self, report: &CallReport) {
        if let (Some(call), Some(_)) = (&report.id, &report.end) {
            self.is_over(call);
        }
    }
}

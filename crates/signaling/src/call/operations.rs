//! Operations that were started and haven't ended.

use std::time::{Duration, Instant};

use super::command::CommandId;
use crate::types::{CommsOperation, OperationStatus};

/// What the application's own mute state becomes when an operation succeeds.
pub(super) type Mutes = Option<bool>;

/// One operation that is waited for.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) command: CommandId,
    pub(super) mutes: Mutes,
    context: String,
    id: Option<String>,
    deadline: Instant,
}

/// Operations by Graph's id, and by our mark until the id is known: a result may overtake the
/// response that tells the id.
#[derive(Debug, Default)]
pub(super) struct Operations {
    pending: Vec<Pending>,
}

impl Operations {
    /// An operation whose request goes out now.
    pub(super) fn begin(
        &mut self,
        command: CommandId,
        context: String,
        mutes: Mutes,
        deadline: Instant,
    ) {
        self.pending.push(Pending {
            command,
            mutes,
            context,
            id: None,
            deadline,
        });
    }

    /// The request was answered: the operation has an id, and goes on or has ended.
    pub(super) fn answered(
        &mut self,
        command: CommandId,
        operation: &CommsOperation,
        deadline: Instant,
    ) -> Option<Pending> {
        let at = self.find(|one| one.command == command)?;
        if has_ended(operation) {
            return Some(self.pending.remove(at));
        }
        self.pending[at].id.clone_from(&operation.id);
        self.pending[at].deadline = deadline;
        None
    }

    /// A notification told of an operation; it is returned if it has ended.
    pub(super) fn notified(
        &mut self,
        operation: &CommsOperation,
        deadline: Instant,
    ) -> Option<Pending> {
        let same_id = |one: &Pending| one.id.is_some() && one.id == operation.id;
        let same_mark = |one: &Pending| {
            one.id.is_none() && operation.client_context.as_ref() == Some(&one.context)
        };
        let at = self.find(same_id).or_else(|| self.find(same_mark))?;
        if has_ended(operation) {
            return Some(self.pending.remove(at));
        }
        self.pending[at].id.clone_from(&operation.id);
        self.pending[at].deadline = deadline;
        None
    }

    /// It isn't waited for any longer.
    pub(super) fn drop(&mut self, command: CommandId) -> Option<Pending> {
        let at = self.find(|one| one.command == command)?;
        Some(self.pending.remove(at))
    }

    /// No answer told whether it was begun: a result is awaited until `deadline`.
    pub(super) fn doubt(&mut self, command: CommandId, deadline: Instant) {
        if let Some(at) = self.find(|one| one.command == command) {
            self.pending[at].deadline = deadline;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.pending.iter().map(|one| one.deadline).min()
    }

    /// One whose result didn't come in time.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Pending> {
        let at = self.find(|one| one.deadline <= now)?;
        Some(self.pending.remove(at))
    }

    /// All, since the call has ended.
    pub(super) fn take(&mut self) -> Vec<Pending> {
        std::mem::take(&mut self.pending)
    }

    fn find(&self, wanted: impl Fn(&Pending) -> bool) -> Option<usize> {
        self.pending.iter().position(wanted)
    }
}

fn has_ended(operation: &CommsOperation) -> bool {
    matches!(
        operation.status,
        Some(OperationStatus::Completed | OperationStatus::Failed)
    )
}

/// How long an operation may take before its result counts as lost, from the last sign of it.
pub(super) const RESULT_LIMIT: Duration = Duration::from_secs(600);
/// The same while it isn't known whether it was begun.
pub(super) const DOUBT_LIMIT: Duration = Duration::from_secs(30);

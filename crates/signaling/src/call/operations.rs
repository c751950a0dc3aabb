//! Operations that were started and haven't ended.

use std::time::{Duration, Instant};

use super::command::CommandId;
use crate::types::{CommsOperation, OperationId, OperationStatus};

/// What the application's own mute state becomes when an operation succeeds.
pub(super) type Mutes = Option<bool>;

/// One operation that is waited for.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) command: CommandId,
    pub(super) mutes: Mutes,
    context: String,
    id: Option<String>,
    /// When to ask Graph how far it is; `None` while asking.
    check_at: Option<Instant>,
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
            check_at: None,
            deadline,
        });
    }

    /// A response told of an operation; it is returned if it has ended.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        command: CommandId,
        operation: &CommsOperation,
    ) -> Option<Pending> {
        let at = self.find(|one| one.command == command)?;
        self.heard(now, at, operation)
    }

    /// A notification told of an operation; it is returned if it has ended.
    pub(super) fn notified(&mut self, now: Instant, operation: &CommsOperation) -> Option<Pending> {
        let same_id = |one: &Pending| one.id.is_some() && one.id == operation.id;
        let same_mark = |one: &Pending| {
            one.id.is_none() && operation.client_context.as_ref() == Some(&one.context)
        };
        let at = self.find(same_id).or_else(|| self.find(same_mark))?;
        self.heard(now, at, operation)
    }

    fn heard(&mut self, now: Instant, at: usize, operation: &CommsOperation) -> Option<Pending> {
        if has_ended(operation) {
            return Some(self.pending.remove(at));
        }
        let pending = &mut self.pending[at];
        pending.id = operation.id.clone().or(pending.id.take());
        pending.check_at = Some(now + CHECK_EVERY);
        pending.deadline = now + RESULT_LIMIT;
        None
    }

    /// One that Graph is to be asked about.
    pub(super) fn check(&mut self, now: Instant) -> Option<(CommandId, OperationId)> {
        let at = self.find(|one| one.check_at.is_some_and(|at| at <= now))?;
        let pending = &mut self.pending[at];
        pending.check_at = None;
        let id = pending.id.as_ref()?.parse().ok()?;
        Some((pending.command, id))
    }

    /// Graph couldn't be asked.
    pub(super) fn check_failed(&mut self, now: Instant, command: CommandId) {
        if let Some(at) = self.find(|one| one.command == command) {
            self.pending[at].check_at = Some(now + CHECK_EVERY);
        }
    }

    /// It isn't waited for any longer.
    pub(super) fn drop(&mut self, command: CommandId) -> Option<Pending> {
        let at = self.find(|one| one.command == command)?;
        Some(self.pending.remove(at))
    }

    /// No answer told whether it was begun: a result is awaited until `deadline`, unless it is
    /// here already; then this is false.
    pub(super) fn doubt(&mut self, command: CommandId, deadline: Instant) -> bool {
        let Some(at) = self.find(|one| one.command == command) else {
            return false;
        };
        self.pending[at].deadline = deadline;
        true
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let times = |one: &Pending| [Some(one.deadline), one.check_at];
        self.pending.iter().flat_map(times).flatten().min()
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

/// How often Graph is asked about an operation that goes on without a sign.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// How long an operation may take before its result counts as lost, from the last sign of it.
const RESULT_LIMIT: Duration = Duration::from_secs(600);
/// The same while it isn't known whether it was begun.
pub(super) const DOUBT_LIMIT: Duration = Duration::from_secs(30);

//! Where the webhook puts notifications.

use tokio::sync::mpsc;

use crate::notification::Notification;

/// Takes the notifications of a body. It must not wait: Graph counts a slow answer as none.
///
/// A channel's sender is a sink (its capacity should be at least
/// [`MAX_NOTIFICATIONS`](crate::notification::MAX_NOTIFICATIONS), or a long body never fits),
/// and so is a function.
pub trait Sink: Send + Sync + 'static {
    /// Takes all of `notifications`, in their order, or none. Deliveries don't overlap.
    ///
    /// # Errors
    /// [`SinkFull`] if there is no room; Graph is asked to send them again.
    fn deliver(&self, notifications: Vec<Notification>) -> Result<(), SinkFull>;
}

/// There is no room for further notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no room for further notifications")]
pub struct SinkFull;

impl Sink for mpsc::Sender<Notification> {
    fn deliver(&self, notifications: Vec<Notification>) -> Result<(), SinkFull> {
        let room = self.try_reserve_many(notifications.len());
        for (permit, notification) in room.map_err(|_| SinkFull)?.zip(notifications) {
            permit.send(notification);
        }
        Ok(())
    }
}

impl<F> Sink for F
where
    F: Fn(Vec<Notification>) -> Result<(), SinkFull> + Send + Sync + 'static,
{
    fn deliver(&self, notifications: Vec<Notification>) -> Result<(), SinkFull> {
        self(notifications)
    }
}

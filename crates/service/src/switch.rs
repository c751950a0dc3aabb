//! The calls that go on.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use switchboard_reminders::Target;
use tokio::sync::watch;

use crate::dialer::DialError;
use crate::figures::Figure;

/// A call that goes on. Nothing of what is said or pressed in it is here.
#[derive(Clone, PartialEq, Eq)]
pub struct LiveCall {
    /// Its id.
    pub id: String,
    /// The application's id.
    pub application: String,
    /// Whether it came in; else the bot placed it.
    pub incoming: bool,
    /// Since when the bot knows of it.
    pub since: Timestamp,
    /// Graph's state of it.
    pub state: String,
    /// The flow it goes through; empty if that has no name.
    pub flow: String,
    /// How many are in it by the last roster, the bot included; 0 while there is none.
    pub participants: u32,
    /// Who is on the other side; nobody if they hide.
    pub peer: Option<Target>,
}

impl fmt::Debug for LiveCall {
    /// Not with whom.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveCall")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("participants", &self.participants)
            .finish_non_exhaustive()
    }
}

/// Who has the calls of this instance.
#[async_trait]
pub trait Switch: Send + Sync + 'static {
    /// They, in no order.
    fn calls(&self) -> Vec<LiveCall>;

    /// Changes whenever they do; `None` if that is not known.
    fn changes(&self) -> Option<watch::Receiver<u64>>;

    /// Has a call hung up by who has it; `false` if this instance has no such call.
    fn hang_up(&self, call: &str) -> bool;

    /// Ends a call that nobody has any more. One that is over already is no error.
    async fn end(&self, call: &str) -> Result<(), DialError>;

    /// Whether new calls are taken.
    fn is_open(&self) -> bool;

    /// Further figures of this instance. Nothing of what is said or pressed in calls.
    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}

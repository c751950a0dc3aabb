//! Who places the calls.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use switchboard_reminders::{Ending, Key, ReminderId, Target, Verdict};
use tokio::sync::mpsc;

/// A call to be placed.
#[derive(Clone)]
pub struct Order {
    /// For which reminder.
    pub reminder: ReminderId,
    /// Which claim of it: grows with each. Both together name one call for ever.
    pub token: i64,
    /// Who is called.
    pub target: Target,
    /// From which of the bot's numbers, by its name.
    pub from: Option<String>,
    /// A text to say, its variables filled in.
    pub text: Option<String>,
    /// Or a prompt to play, by name.
    pub prompt: Option<String>,
    /// The key that confirms.
    pub confirm: Key,
    /// The key that puts it off.
    pub postpone: Option<Key>,
}

impl fmt::Debug for Order {
    /// Neither whom nor what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("reminder", &self.reminder)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// A call that was placed.
#[derive(Debug)]
pub struct Placed {
    /// Its id, which ends it wherever it is known.
    pub call: String,
    /// What happens in it. Closed without [`Progress::Ended`], it was broken off.
    pub progress: mpsc::Receiver<Progress>,
}

/// What happens in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A key was pressed that means something; which one is nobody's business.
    Decided(Verdict),
    /// It is over.
    Ended(Ending),
}

/// Why there is no call, or why it couldn't be ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Not now: Graph is busy or out of reach. There is no call.
    #[error("no call can be placed now: {reason}")]
    Later {
        /// Why, without whom.
        reason: String,
        /// What Graph asks to wait.
        retry_after: Option<Duration>,
    },
    /// Never: no such user or number, or no permission. There is no call.
    #[error("this call can't be placed: {0}")]
    Never(String),
    /// The request may have had its effect: there may be a call whose id is not known.
    #[error("it is unknown whether the call was placed: {0}")]
    Unknown(String),
}

/// Places calls, and ends them.
#[async_trait]
pub trait Dialer: Send + Sync + 'static {
    /// Places a call. It must have been placed when this returns, and can't be placed
    /// any more once the future is dropped and [`Terms::call`] has passed.
    ///
    /// [`Terms::call`]: switchboard_reminders::Terms::call
    async fn dial(&self, order: Order) -> Result<Placed, DialError>;

    /// Ends a call, this instance's or another's. One that is over already is no error.
    async fn end(&self, call: &str) -> Result<(), DialError>;
}

//! Who controls a call: Graph, or nobody, where only its media comes to us.

use switchboard_signaling::call::{
    CallDriver, CallEvent, Command, CommandError, CommandId, Roster,
};
use switchboard_signaling::types::{CallId, CallState};

/// A call's control.
pub(crate) enum Control {
    /// Graph's.
    Graph(Box<CallDriver>),
    /// Somebody else's: ending our part is all that can be done.
    Elsewhere {
        /// Whether that was done.
        over: bool,
    },
}

/// An order that wasn't taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("call control is elsewhere: only the call's media comes here")]
    Elsewhere,
}

impl Control {
    /// Graph's id of the call, once it is known.
    pub(super) fn id(&self) -> Option<&CallId> {
        match self {
            Self::Graph(driver) => driver.machine().id(),
            Self::Elsewhere { .. } => None,
        }
    }

    /// Who is in the call, if Graph controls it.
    pub(super) fn roster(&self) -> Option<&Roster> {
        match self {
            Self::Graph(driver) => Some(driver.machine().roster()),
            Self::Elsewhere { .. } => None,
        }
    }

    /// Whether the call is established, as far as Graph has told.
    pub(super) fn is_established(&self) -> bool {
        match self {
            Self::Graph(driver) => *driver.machine().state() == CallState::Established,
            Self::Elsewhere { over } => !over,
        }
    }

    /// Gives an order.
    pub(super) fn order(&mut self, command: Command) -> Result<(), OrderError> {
        match (&mut *self, &command) {
            (Self::Elsewhere { over }, Command::HangUp | Command::Check) => {
                *over = true;
                Ok(())
            }
            _ => self.order_awaited(command).map(|_| ()),
        }
    }

    /// Gives an order whose outcome comes as an event.
    pub(super) fn order_awaited(&mut self, command: Command) -> Result<CommandId, OrderError> {
        match self {
            Self::Graph(driver) => Ok(driver.command(command)?),
            Self::Elsewhere { .. } => Err(OrderError::Elsewhere),
        }
    }

    /// The next event; `None` when the call is over. Cancel-safe.
    pub(super) async fn next_event(&mut self) -> Option<CallEvent> {
        match self {
            Self::Graph(driver) => driver.next_event().await,
            Self::Elsewhere { over: true } => None,
            Self::Elsewhere { over: false } => std::future::pending().await,
        }
    }
}

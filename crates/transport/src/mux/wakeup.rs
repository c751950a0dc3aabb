//! How other threads wake the driver: a flag, and a system call only when the
//! flag was down.

use std::io;
use std::sync::Arc;
use std::task::Wake;

use mio::{Poll, Waker};
use switchboard_media::flag::Flag;

/// Wakes a driver.
pub(crate) struct Wakeup {
    raised: Flag,
    waker: Waker,
}

impl Wakeup {
    pub(super) fn new(poll: &Poll) -> io::Result<Self> {
        Ok(Self {
            raised: Flag::default(),
            waker: Waker::new(poll.registry(), super::driver::WAKE)?,
        })
    }

    /// Wakes the driver, or sees to it that its next round is not its last.
    pub(crate) fn raise(&self) {
        if self.raised.raise()
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "the network thread can't be woken");
        }
    }

    /// Whether it was raised since this was last asked.
    pub(super) fn lower(&self) -> bool {
        self.raised.lower()
    }
}

/// One call's: its media worker rings when it left something, so that the driver does not
/// look into every call for it.
pub(crate) struct Doorbell {
    rung: Flag,
    wakeup: Arc<Wakeup>,
}

impl Doorbell {
    pub(crate) fn new(wakeup: &Arc<Wakeup>) -> Arc<Self> {
        Arc::new(Self {
            rung: Flag::default(),
            wakeup: Arc::clone(wakeup),
        })
    }

    /// Whether it was rung since this was last asked.
    pub(super) fn take(&self) -> bool {
        self.rung.take()
    }
}

impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.raise();
        self.wakeup.raise();
    }
}

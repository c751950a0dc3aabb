//! How other threads wake the driver: a flag, and a system call only when the
//! flag was down.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use mio::{Poll, Waker};

/// Wakes a driver.
pub(crate) struct Wakeup {
    raised: AtomicBool,
    waker: Waker,
}

impl Wakeup {
    pub(super) fn new(poll: &Poll) -> io::Result<Self> {
        Ok(Self {
            raised: AtomicBool::new(false),
            waker: Waker::new(poll.registry(), super::driver::WAKE)?,
        })
    }

    /// Wakes the driver, or sees to it that its next round is not its last.
    pub(crate) fn raise(&self) {
        if !self.raised.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "the network thread can't be woken");
        }
    }

    /// Whether it was raised since this was last asked.
    pub(super) fn lower(&self) -> bool {
        self.raised.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.raise();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.raise();
    }
}

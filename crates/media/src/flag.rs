//! A flag that some threads raise and one takes, so that it need not look into what is
//! empty most of the time.
//!
//! Whoever takes a flag sees all that was written before it was raised, by everybody who
//! raised it since it was last taken; `tests/flag.rs` tries every order of the steps.

use super::sync::{AtomicBool, Ordering};

/// Up or down; down at first.
#[derive(Debug)]
pub struct Flag(AtomicBool);

impl Default for Flag {
    fn default() -> Self {
        Self(AtomicBool::new(false))
    }
}

impl Flag {
    /// Raises the flag, after what it is to announce was written; whether it was down.
    ///
    /// A swap, where a store might seem enough: a second thread's store would hide from
    /// the taker what the first had written.
    pub fn raise(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// Lowers the flag, before what it announces is read; whether it was up. One read of
    /// one cache line while it is down.
    pub fn take(&self) -> bool {
        self.is_up() && self.lower()
    }

    /// As [`take`](Self::take), for whoever was woken because it is up.
    pub fn lower(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }

    /// Whether it is up, for a moment.
    pub fn is_up(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

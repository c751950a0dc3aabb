//! How long words are waited for: nobody is talked over because a time-out came while
//! they spoke.

use std::time::{Duration, Instant};

/// How long the caller may go on speaking into a wait.
const LONGEST_TALK: Duration = Duration::from_secs(60);
/// How long an engine may take to understand what was said.
pub(crate) const UNDERSTANDING: Duration = Duration::from_secs(5);

/// Whether the caller speaks, and when the wait for words would have been over.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    speaking: bool,
    due: Option<Instant>,
}

impl Patience {
    /// Words are waited for until `due`; gives the deadline.
    pub(crate) fn wait(&mut self, now: Instant, due: Instant) -> Instant {
        self.due = self.speaking.then_some(due);
        match self.speaking {
            true => due.max(now + LONGEST_TALK),
            false => due,
        }
    }

    /// No words are waited for any more.
    pub(crate) fn end(&mut self) {
        self.due = None;
    }

    /// The caller begins to speak; gives the deadline instead of `due`, if there was one.
    pub(crate) fn begins(&mut self, now: Instant, due: Option<Instant>) -> Option<Instant> {
        if !std::mem::replace(&mut self.speaking, true) {
            self.due = due;
        }
        due.map(|due| due.max(now + LONGEST_TALK))
    }

    /// The caller has spoken; gives the deadline of the wait that was spoken into.
    pub(crate) fn ends(&mut self, now: Instant) -> Option<Instant> {
        self.speaking = false;
        self.due.take().map(|due| due.max(now + UNDERSTANDING))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_wait_is_not_over_while_somebody_speaks() {
        let now = Instant::now();
        let mut patience = Patience::default();
        let due = patience.wait(now, now + 10 * SECOND);
        assert_eq!(due, now + 10 * SECOND);
        let speaks = patience.begins(now + 9 * SECOND, Some(due));
        assert_eq!(speaks, Some(now + 69 * SECOND));
        assert_eq!(patience.ends(now + 13 * SECOND), Some(now + 18 * SECOND));
        // A cough takes nothing from it.
        patience.begins(now, Some(due));
        assert_eq!(patience.ends(now + SECOND), Some(due));
        // Who speaks already when the wait begins is heard out too.
        patience.begins(now, None);
        assert_eq!(patience.wait(now, due), now + 60 * SECOND);
        assert_eq!(patience.ends(now + 2 * SECOND), Some(due));
        patience.begins(now, None);
        assert_eq!(patience.ends(now), None);
    }
}

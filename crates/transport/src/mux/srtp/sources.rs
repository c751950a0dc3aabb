//! Who sends: a few sources with what was seen of each, and of many more that
//! fell silent only where they stood.
//!
//! RFC 3711 §3.2.3 keeps a context for each SSRC for the life of the keys; in a
//! meeting of hours these would grow without bound. So the source silent for the
//! longest makes room for a new one. Of it remains the highest index, below
//! which nothing is accepted any more, so that it can come back but nothing of
//! it can be replayed (§3.3.2).

use std::collections::VecDeque;

use super::index::ReplayWindow;

/// Sources whose last packets are known one by one; a call has one, or a few
/// after renegotiations.
pub(super) const PRESENT: usize = 16;
/// Sources of which only the highest index is known: one more every seven
/// seconds of an hour. Only whoever holds the keys can push one out; after that
/// its packets would count as a new source's.
pub(super) const FORMER: usize = 512;

struct Source {
    ssrc: u32,
    window: ReplayWindow,
    /// When it was heard last, in packets of all.
    heard: u64,
}

/// The sources of one direction. Allocates only when made.
pub(super) struct Sources {
    present: Vec<Source>,
    /// The longest forgotten first.
    former: VecDeque<(u32, u64)>,
    heard: u64,
}

impl Sources {
    pub(super) fn new() -> Self {
        Self {
            present: Vec::with_capacity(PRESENT),
            former: VecDeque::with_capacity(FORMER),
            heard: 0,
        }
    }

    /// What was seen of a source; `None` for a new one.
    pub(super) fn window(&self, ssrc: u32) -> Option<ReplayWindow> {
        if let Some(source) = self.present.iter().find(|source| source.ssrc == ssrc) {
            return Some(source.window);
        }
        let former = self.former.iter().find(|(known, _)| *known == ssrc);
        former.map(|(_, highest)| ReplayWindow::closed_at(*highest))
    }

    /// A packet of a source proved itself; whether it is the source's first.
    pub(super) fn accept(&mut self, ssrc: u32, index: u64) -> bool {
        self.heard += 1;
        let heard = self.heard;
        let mut present = self.present.iter_mut();
        if let Some(source) = present.find(|source| source.ssrc == ssrc) {
            source.window.accept(index);
            source.heard = heard;
            return false;
        }
        let (window, is_new) = self.begin(ssrc, index);
        self.make_room();
        self.present.push(Source {
            ssrc,
            window,
            heard,
        });
        is_new
    }

    /// The window of a source that is new or comes back, and whether it is new.
    fn begin(&mut self, ssrc: u32, index: u64) -> (ReplayWindow, bool) {
        let at = self.former.iter().position(|(known, _)| *known == ssrc);
        match at.and_then(|at| self.former.remove(at)) {
            Some((_, highest)) => {
                let mut window = ReplayWindow::closed_at(highest);
                window.accept(index);
                (window, false)
            }
            None => (ReplayWindow::starting_at(index), true),
        }
    }

    fn make_room(&mut self) {
        if self.present.len() < PRESENT {
            return;
        }
        let sources = self.present.iter().enumerate();
        let Some((silent, _)) = sources.min_by_key(|(_, source)| source.heard) else {
            return;
        };
        if self.former.len() == FORMER {
            self.former.pop_front();
        }
        let silent = self.present.swap_remove(silent);
        self.former
            .push_back((silent.ssrc, silent.window.highest()));
    }

    /// Sources known one by one, and those of which little is.
    #[cfg(test)]
    pub(super) fn known(&self) -> (usize, usize) {
        (self.present.len(), self.former.len())
    }

    /// Memory taken, in sources.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> (usize, usize) {
        (self.present.capacity(), self.former.capacity())
    }
}

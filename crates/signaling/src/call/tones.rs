//! Tones in the order they were pressed.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::types::Tone;

/// How long a tone waits for one before it.
const GAP: Duration = Duration::from_millis(500);
/// So many tones wait at most.
const MAX_HELD: usize = 32;

/// Puts tones in order by their sequence id and drops repeated ones.
///
/// A tone that comes ahead of an earlier one waits for it, at most 500 ms; what comes later
/// still is dropped, since keys in a wrong order are worse than a missing one. Numbering starts
/// at 1 in the documented example
/// ([call: subscribeToTone](https://learn.microsoft.com/graph/api/call-subscribetotone)).
#[derive(Debug, Default)]
pub struct ToneOrder {
    next: Option<i64>,
    held: BTreeMap<i64, Tone>,
    release_at: Option<Instant>,
    ready: VecDeque<Tone>,
}

impl ToneOrder {
    /// Takes a tone; without a sequence id it is believed to be the latest.
    pub fn handle(&mut self, now: Instant, sequence: Option<i64>, tone: Tone) {
        let Some(sequence) = sequence else {
            self.ready.push_back(tone);
            return;
        };
        let next = self.next.unwrap_or(sequence.min(1));
        if sequence < next {
            return;
        }
        self.held.entry(sequence).or_insert(tone);
        self.next = Some(next);
        self.advance();
        if self.held.len() > MAX_HELD {
            self.release();
        }
        self.release_at = match self.release_at {
            _ if self.held.is_empty() => None,
            None => Some(now + GAP),
            set => set,
        };
    }

    /// The next tone in order.
    pub fn poll(&mut self) -> Option<Tone> {
        self.ready.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.release_at
    }

    /// Gives up on what hasn't come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.release_at.is_some_and(|at| at <= now) {
            self.release();
        }
    }

    fn advance(&mut self) {
        while let Some(tone) = self.next.and_then(|next| self.held.remove(&next)) {
            self.ready.push_back(tone);
            self.next = self.next.and_then(|next| next.checked_add(1));
        }
    }

    fn release(&mut self) {
        for (sequence, tone) in std::mem::take(&mut self.held) {
            self.ready.push_back(tone);
            self.next = sequence.checked_add(1);
        }
        self.release_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(tones: &mut ToneOrder) -> String {
        std::iter::from_fn(|| tones.poll())
            .filter_map(|tone| tone.to_char())
            .collect()
    }

    fn press(tones: &mut ToneOrder, now: Instant, keys: &[(i64, char)]) -> String {
        for (sequence, key) in keys {
            let tone = Tone::from_char(*key).unwrap_or(Tone::Flash);
            tones.handle(now, Some(*sequence), tone);
        }
        ready(tones)
    }

    #[test]
    fn repeated_tones_are_one_tone_and_equal_keys_are_two() {
        let (now, mut tones) = (Instant::now(), ToneOrder::default());
        let keys = [(1, '4'), (1, '4'), (2, '4'), (1, '4'), (2, '4')];
        assert_eq!(press(&mut tones, now, &keys), "44");
        assert_eq!(tones.poll_timeout(), None);
    }

    #[test]
    fn tones_out_of_order_are_put_in_order() {
        let (now, mut tones) = (Instant::now(), ToneOrder::default());
        assert_eq!(press(&mut tones, now, &[(2, '2'), (3, '3')]), "");
        assert_eq!(tones.poll_timeout(), Some(now + GAP));
        assert_eq!(press(&mut tones, now, &[(1, '1'), (4, '4')]), "1234");
        assert_eq!(tones.poll_timeout(), None);
    }

    #[test]
    fn a_lost_tone_holds_the_others_up_for_a_while_only() {
        let (now, mut tones) = (Instant::now(), ToneOrder::default());
        assert_eq!(press(&mut tones, now, &[(1, '1'), (3, '3'), (5, '5')]), "1");
        tones.handle_timeout(now + GAP / 2);
        assert_eq!(ready(&mut tones), "");
        tones.handle_timeout(now + GAP);
        assert_eq!(ready(&mut tones), "35");
        assert_eq!(press(&mut tones, now + GAP, &[(2, '2'), (6, '6')]), "6");
    }

    #[test]
    fn numbering_may_start_anywhere() {
        let (now, mut tones) = (Instant::now(), ToneOrder::default());
        assert_eq!(press(&mut tones, now, &[(0, '0'), (1, '1')]), "01");
        let mut tones = ToneOrder::default();
        assert_eq!(press(&mut tones, now, &[(700, '7')]), "");
        tones.handle_timeout(now + GAP);
        assert_eq!(ready(&mut tones), "7");
        let mut tones = ToneOrder::default();
        assert_eq!(press(&mut tones, now, &[(i64::MAX, '9')]), "");
        tones.handle_timeout(now + GAP);
        assert_eq!(ready(&mut tones), "9");
    }

    #[test]
    fn so_many_wait_at_most() {
        let (now, mut tones) = (Instant::now(), ToneOrder::default());
        let keys: Vec<_> = (2..=34).map(|sequence| (sequence, '5')).collect();
        assert_eq!(press(&mut tones, now, &keys).len(), 33);
        assert_eq!(tones.poll_timeout(), None);
    }

    #[test]
    fn debug_shows_no_key() {
        let (now, mut tones) = (Instant::now(), ToneOrder::default());
        tones.handle(now, Some(3), Tone::Tone7);
        assert!(!format!("{tones:?}").contains("one7"));
    }
}

//! Packet indices: the rollover counter (RFC 3711 §3.3.1) and replay (§3.3.2).

use super::SrtpError;

/// Half of the sequence numbers.
const HALF: u64 = 1 << 15;
const ROLLOVER: u64 = 1 << 16;

/// Remembers which of the last 128 indices were seen.
#[derive(Clone, Copy)]
pub(super) struct ReplayWindow {
    highest: u64,
    /// Bit n: `highest - n` was seen.
    seen: u128,
}

impl ReplayWindow {
    pub(super) fn starting_at(index: u64) -> Self {
        Self {
            highest: index,
            seen: 1,
        }
    }

    /// One of which only the highest index is known: all before count as seen.
    pub(super) fn closed_at(highest: u64) -> Self {
        Self {
            highest,
            seen: u128::MAX,
        }
    }

    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// The 48-bit index a 16-bit sequence number stands for: the nearest to the
    /// highest one seen.
    pub(super) fn estimate(&self, sequence: u16) -> u64 {
        let same = (self.highest & !(ROLLOVER - 1)) | u64::from(sequence);
        if same + HALF < self.highest {
            same + ROLLOVER
        } else if same > self.highest + HALF && same >= ROLLOVER {
            same - ROLLOVER
        } else {
            same
        }
    }

    pub(super) fn check(&self, index: u64) -> Result<(), SrtpError> {
        if index > self.highest {
            return Ok(());
        }
        let age = self.highest - index;
        if age >= u64::from(u128::BITS) || self.seen >> age & 1 == 1 {
            return Err(SrtpError::Replayed);
        }
        Ok(())
    }

    pub(super) fn accept(&mut self, index: u64) {
        if index > self.highest {
            let ahead = index - self.highest;
            let shift = u32::try_from(ahead).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
            self.highest = index;
        } else if self.highest - index < u64::from(u128::BITS) {
            self.seen |= 1 << (self.highest - index);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rolls_over_and_back() {
        let mut index = ReplayWindow::starting_at(65_534);
        assert_eq!(index.estimate(65_535), 65_535);
        assert_eq!(index.estimate(1), 65_537);
        index.accept(65_537);
        assert_eq!(index.estimate(65_535), 65_535);
        assert_eq!(index.estimate(2), 65_538);
        assert_eq!(ReplayWindow::starting_at(3).estimate(65_000), 65_000);
    }

    proptest! {
        /// Against a model that remembers everything.
        #[test]
        fn nothing_is_accepted_twice(
            start in 0u64..200_000,
            steps in proptest::collection::vec(-150i64..200, 1..300),
        ) {
            let mut replay = ReplayWindow::starting_at(start);
            let mut seen = HashSet::from([start]);
            let (mut at, mut highest) = (start as i64, start);
            for step in steps {
                at = (at + step).max(0);
                let truth = at as u64;
                // Farther than half the numbers away nobody can tell.
                prop_assume!(truth.abs_diff(highest) < HALF);
                let guess = replay.estimate(truth as u16);
                prop_assert_eq!(guess, truth);
                let fresh = replay.check(guess).is_ok();
                prop_assert!(!(fresh && seen.contains(&guess)));
                let recent = highest.saturating_sub(guess) < 128;
                prop_assert!(fresh || seen.contains(&guess) || !recent);
                if fresh {
                    replay.accept(guess);
                    seen.insert(guess);
                    highest = highest.max(guess);
                }
            }
        }
    }
}

//! Keeps media time close to real time where packets stay away.
//!
//! Media time is counted in samples heard. When nothing comes, silence is heard
//! in real time as a guess. What then comes tells how much time really passed
//! (its timestamp): a guess that was right is taken off the silence owed, one
//! that was wrong (the packets were only late) is repaid by leaving out quiet
//! audio later, so that 24 hours of jitter do not add up.

use std::time::{Duration, Instant};

use crate::codec::RATE;
use crate::lanes::energy;

/// Silence guessed wrongly that is worth repaying: half a second, the jitter
/// buffer's longest wait. A longer guess was a pause of the sender's clock.
const MAX_AHEAD: usize = RATE as usize / 2;
/// Mean square of a quiet frame: −60 dBov.
const QUIET: f32 = 1e-6;
/// Samples of one frame of silence: 20 ms.
pub(super) const FRAME: usize = RATE as usize / 50;

#[derive(Default)]
pub(super) struct Timeline {
    /// Real time up to which something was heard.
    until: Option<Instant>,
    /// Silence to be heard before the next packet.
    owed: usize,
    /// Silence heard since the last packet because nothing came.
    guessed: usize,
    /// Silence heard that was not there: to be left out again.
    ahead: usize,
}

impl Timeline {
    /// A packet is heard at `now`; after a `restart` older guesses are void.
    pub(super) fn packet(&mut self, now: Instant, restart: bool) {
        self.until = Some(now);
        self.ahead = if restart {
            0
        } else {
            (self.ahead + self.guessed).min(MAX_AHEAD)
        };
        self.guessed = 0;
    }

    /// Takes what was guessed already off `samples` that the packets say were
    /// silent or lost; gives what remains to be heard.
    pub(super) fn settle(&mut self, samples: usize) -> usize {
        let guessed = samples.min(self.guessed);
        self.guessed -= guessed;
        let repaid = (samples - guessed).min(self.ahead);
        self.ahead -= repaid;
        samples - guessed - repaid
    }

    pub(super) fn owe(&mut self, samples: usize) {
        self.owed += samples;
    }

    /// The next piece of the silence owed, at most `limit` samples.
    pub(super) fn pay(&mut self, limit: usize) -> usize {
        let piece = self.owed.min(limit).min(FRAME);
        self.owed -= piece;
        piece
    }

    /// Whether 20 ms of silence are to be heard because nothing came for
    /// longer than `patience`.
    pub(super) fn guess(&mut self, now: Instant, patience: Duration) -> bool {
        let Some(until) = &mut self.until else {
            return false;
        };
        let frame = Duration::from_millis(20);
        if *until + frame + patience > now {
            return false;
        }
        *until += frame;
        self.guessed += FRAME;
        true
    }

    /// Whether to leave out this audio to repay a wrong guess.
    pub(super) fn skip(&mut self, audio: &[f32]) -> bool {
        if self.ahead < audio.len() || audio.is_empty() {
            return false;
        }
        let power = energy(audio) / audio.len() as f32;
        let skip = power < QUIET;
        if skip {
            self.ahead -= audio.len();
        }
        skip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn starve(timeline: &mut Timeline, from: Instant, for_ms: u32) -> usize {
        let mut frames = 0;
        for at in 0..for_ms / 5 {
            while timeline.guess(from + MS * 5 * at, 100 * MS) {
                frames += 1;
            }
        }
        frames
    }

    #[test]
    fn nothing_before_the_first_packet() {
        assert_eq!(starve(&mut Timeline::default(), Instant::now(), 5000), 0);
    }

    #[test]
    fn a_pause_is_heard_in_real_time_and_once() {
        let (mut timeline, start) = (Timeline::default(), Instant::now());
        timeline.packet(start, true);
        let frames = starve(&mut timeline, start, 1005);
        assert_eq!(frames, 45, "900 ms: patience is not heard yet");
        assert_eq!(timeline.settle(16_000), 16_000 - 45 * FRAME);
        timeline.packet(start + 1000 * MS, false);
        assert!(!timeline.skip(&[0.0; FRAME]), "nothing to repay");
    }

    #[test]
    fn a_wrong_guess_is_repaid_where_it_is_quiet() {
        let (mut timeline, start) = (Timeline::default(), Instant::now());
        timeline.packet(start, true);
        assert_eq!(starve(&mut timeline, start, 145), 2);
        timeline.packet(start + 145 * MS, false);
        assert!(!timeline.skip(&[0.1; FRAME]));
        assert!(timeline.skip(&[0.0; FRAME]));
        assert!(timeline.skip(&[0.0; FRAME]));
        assert!(!timeline.skip(&[0.0; FRAME]));
    }

    #[test]
    fn a_restart_voids_guesses_and_debt_is_bounded() {
        let (mut timeline, start) = (Timeline::default(), Instant::now());
        timeline.packet(start, true);
        starve(&mut timeline, start, 60_000);
        timeline.packet(start + 60_000 * MS, true);
        assert!(!timeline.skip(&[0.0; FRAME]));
        starve(&mut timeline, start + 60_000 * MS, 60_000);
        timeline.packet(start + 120_000 * MS, false);
        let skipped = (0..1000).filter(|_| timeline.skip(&[0.0; FRAME])).count();
        assert_eq!(skipped * FRAME, MAX_AHEAD);
    }

    #[test]
    fn debt_is_paid_in_frames() {
        let mut timeline = Timeline::default();
        timeline.owe(700);
        let pieces = [
            timeline.pay(1000),
            timeline.pay(100),
            timeline.pay(1000),
            timeline.pay(9),
        ];
        assert_eq!(pieces, [320, 100, 280, 0]);
    }
}

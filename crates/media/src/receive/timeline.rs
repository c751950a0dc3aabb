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

/// Samples that were silent or are lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settled {
    /// Those guessed since the last packet.
    pub(super) guessed: usize,
    /// Those that remain to be heard.
    pub(super) rest: usize,
}

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
    /// silent or lost.
    pub(super) fn settle(&mut self, samples: usize) -> Settled {
        let guessed = samples.min(self.guessed);
        self.guessed -= guessed;
        let repaid = (samples - guessed).min(self.ahead);
        self.ahead -= repaid;
        let rest = samples - guessed - repaid;
        Settled { guessed, rest }
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
    use crate::jitter::{JitterBuffer, Pulled, Pushed};
    use crate::rtp::RtpHeader;

    const MS: Duration = Duration::from_millis(1);
    /// As a receiver's.
    const PATIENCE: Duration = Duration::from_millis(60);

    /// A call's time without its audio: one packet in a hundred is lost, as many are held up
    /// for up to 250 ms, and every other second or so nobody speaks.
    struct Call {
        jitter: JitterBuffer,
        timeline: Timeline,
        heard: usize,
        random: u32,
    }

    impl Call {
        fn below(&mut self, limit: u32) -> u32 {
            self.random = self
                .random
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            (self.random >> 8) % limit
        }

        fn hear(&mut self, now: Instant) {
            loop {
                while let piece @ 1.. = self.timeline.pay(FRAME) {
                    self.heard += piece;
                }
                match self.jitter.pull(now) {
                    Some(Pulled::Silence { ticks, .. } | Pulled::Lost { ticks, .. }) => {
                        let settled = self.timeline.settle(ticks as usize / 3);
                        self.timeline.owe(settled.rest);
                    }
                    Some(Pulled::Packet { packet, restart }) => {
                        let level = f32::from(packet.payload[0]);
                        self.timeline.packet(now, restart);
                        if !self.timeline.skip(&[level; FRAME]) {
                            self.heard += FRAME;
                        }
                    }
                    None => break,
                }
            }
            let patience = self.jitter.target() + PATIENCE;
            while self.timeline.guess(now, patience) {
                self.heard += FRAME;
            }
        }

        /// How far media time was ever from the sender's, in ms: behind and ahead.
        fn day(&mut self, ppm: i64) -> (i64, i64) {
            let start = Instant::now();
            let (mut sequence, mut before) = (0u16, start);
            let (mut behind, mut ahead) = (0, 0);
            for slot in 0..24 * 3600 * 50u32 {
                if slot % 100 >= 60 {
                    continue;
                }
                sequence = sequence.wrapping_add(1);
                let late = match self.below(100) {
                    0 => continue,
                    1 => self.below(250),
                    _ => self.below(30),
                };
                let sent = u64::from(slot) * (20_000_000 + 20 * ppm) as u64;
                let now = (start + Duration::from_nanos(sent) + MS * late).max(before);
                before = now;
                self.hear(now);
                let header = RtpHeader {
                    sequence,
                    // It wraps on the way.
                    timestamp: (slot * 960).wrapping_add(u32::MAX / 2),
                    ..RtpHeader::default()
                };
                // Every fifth is quiet.
                let pushed = self
                    .jitter
                    .push(now, &header, 960, &[u8::from(slot % 5 > 0)]);
                assert_eq!(pushed, Pushed::Taken);
                self.hear(now);
                if self.jitter.held() == 0 {
                    let apart = self.heard as i64 / 16 - i64::from(slot + 1) * 20;
                    (behind, ahead) = (apart.min(behind), apart.max(ahead));
                }
            }
            (behind, ahead)
        }
    }

    /// Clocks 300 ppm apart are 26 s apart after a day.
    #[test]
    fn a_day_of_drift_does_not_creep() {
        for ppm in [-300, 300] {
            let mut call = Call {
                jitter: JitterBuffer::new(48_000),
                timeline: Timeline::default(),
                heard: 0,
                random: 1,
            };
            let (behind, ahead) = call.day(ppm);
            assert!(
                behind >= -40 && ahead <= 500,
                "{ppm} ppm: {behind}, {ahead}"
            );
        }
    }

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
        let settled = timeline.settle(16_000);
        assert_eq!(settled.guessed, 45 * FRAME);
        assert_eq!(settled.rest, 16_000 - 45 * FRAME);
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

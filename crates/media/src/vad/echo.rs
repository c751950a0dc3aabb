//! Whether what is heard is the echo of what is said.
//!
//! A caller's telephone gives back what it plays: later, quieter, through codecs and rooms.
//! How much quieter says little, and may change at any time; but an echo is like what was
//! said some time before, and nobody else's voice is. Where packets are lost it is like
//! nothing for a moment; so what is no louder than the echo was is let pass for a while.

mod likeness;

use super::{SLICE, SLICE_MS};
use crate::said::{STEP, Said};
use likeness::{Likeness, Match, SLACK};

/// Samples of a slice at 4 kHz.
pub(super) const SLOW: usize = SLICE / STEP;
/// How long after something was said its echo may still ring: 620 ms.
const RINGS: u64 = 620 * SLOW as u64 / SLICE_MS + SLACK;
/// What is said more quietly has no echo (−60 dBov).
const QUIET: f32 = 1e-6;
/// An echo explains so much of what is heard, and another's voice less.
const ALIKE: f32 = 0.25;
/// So much shows which way the echo comes.
const CERTAIN: f32 = 0.4;
/// A slice's part in what is known of the echo's loudness.
const ADAPT: f32 = 0.3;
/// By so much an echo's power may exceed what is expected of it: 5 dB.
const MARGIN: f32 = 3.0;
/// A slice that is certain lets so many pass that are like nothing, and all together no
/// more than so many (380 ms).
const TRUST: u32 = 2;
const MOST_TRUST: u32 = 24;
/// Slices like nothing that make a voice (48 ms); one that is an echo makes up for two.
const VOICE: u32 = 3;
const AMENDS: u32 = 2;
/// What isn't explained is speech for at least so many slices (320 ms).
const OPEN: u32 = 20;

/// What there is in a slice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sound {
    /// Nothing: it is compared with nothing, and costs next to nothing.
    None,
    /// Something that is no speech by itself.
    Faint,
    /// What may be speech.
    Audible,
}

/// The way an echo comes.
#[derive(Clone, Copy, Default)]
struct Path {
    delay: usize,
    /// Its power for each of what was said.
    gain: f32,
    /// Slices that may pass though they are like nothing.
    trust: u32,
}

/// Tells echo from speech. All memory is allocated in [`new`](Self::new) and wiped on drop.
pub(super) struct Guard {
    likeness: Likeness,
    path: Path,
    /// Where the last sound that was said ended.
    loud: Option<u64>,
    /// Slices that were like nothing.
    strange: u32,
    /// Slices for which what isn't explained stays speech.
    open: u32,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            likeness: Likeness::new(),
            path: Path::default(),
            loud: None,
            strange: 0,
            open: 0,
        }
    }

    /// 20 ms are said now that so many samples at 4 kHz have been heard.
    pub(super) fn said(&mut self, said: &Said, heard: u64) {
        if self.likeness.end().abs_diff(heard) > SLACK {
            self.likeness.restart(heard);
            self.path = Path::default();
            self.loud = None;
        }
        if self.likeness.say(said) >= QUIET {
            self.loud = Some(self.likeness.end());
        }
    }

    /// Whether a slice (at 4 kHz) that ends with sample `end` is the echo of what was said,
    /// as far as is known.
    pub(super) fn is_echo(&mut self, slice: &[f32; SLOW], sound: Sound, end: u64) -> bool {
        if self.loud.is_none_or(|loud| end >= loud + RINGS) {
            self.rest();
            return false;
        }
        let found = self.likeness.hear(slice, sound > Sound::None, end);
        let audible = sound == Sound::Audible;
        if audible && found.share >= CERTAIN {
            self.learn(found);
        }
        if self.open > 0 {
            self.open -= 1;
            if audible && found.share < ALIKE {
                self.open = OPEN;
            }
            return false;
        }
        if audible {
            self.weigh(found);
        }
        if self.strange < VOICE {
            return true;
        }
        (self.strange, self.open) = (0, OPEN);
        false
    }

    /// Nothing rings.
    fn rest(&mut self) {
        if self.loud.take().is_some() {
            self.likeness.forget();
            (self.strange, self.open) = (0, 0);
        }
    }

    fn learn(&mut self, found: Match) {
        let gain = self.likeness.gain(found.delay);
        let path = &mut self.path;
        path.delay = found.delay;
        path.gain = match path.trust {
            0 => gain,
            _ => path.gain * (gain / path.gain).powf(ADAPT),
        };
        path.trust = (path.trust + TRUST).min(MOST_TRUST);
    }

    fn weigh(&mut self, found: Match) {
        if found.share >= ALIKE {
            self.strange = self.strange.saturating_sub(AMENDS);
            return;
        }
        let expected = self.likeness.gain(self.path.delay) <= MARGIN * self.path.gain;
        match expected && self.path.trust > 0 {
            true => self.path.trust -= 1,
            false => self.strange += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::said::{SILENT, Slow};

    /// Noise of two sources, −20 dBov, at 4 kHz.
    fn noise(seed: u32, samples: usize) -> Vec<f32> {
        let (mut state, mut slow, mut out) = (seed, Slow::new(), vec![0.0; samples]);
        for out in out.chunks_mut(SLOW) {
            let mut fast = [0.0; SLICE];
            for sample in &mut fast {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample = (state as f32 / u32::MAX as f32 - 0.5) * 0.35;
            }
            slow.push(&fast, out);
        }
        out
    }

    /// What becomes of each slice heard while `said` is said.
    fn guard(said: &[f32], heard: impl Fn(usize) -> f32) -> Vec<bool> {
        let (mut guard, mut end, mut verdicts) = (Guard::new(), 0, Vec::new());
        for (n, frame) in said.chunks_exact(SILENT.len()).enumerate() {
            let mut now = SILENT;
            for (now, sample) in now.iter_mut().zip(frame) {
                *now = ((sample * 32_767.0) as i16).to_le_bytes();
            }
            guard.said(&now, end as u64);
            while end + SLOW <= (n + 1) * SILENT.len() {
                let slice: [f32; SLOW] = std::array::from_fn(|n| heard(end + n));
                let silent = slice.iter().all(|sample| *sample == 0.0);
                let sound = if silent { Sound::None } else { Sound::Audible };
                end += SLOW;
                verdicts.push(guard.is_echo(&slice, sound, end as u64));
            }
        }
        verdicts
    }

    #[test]
    fn without_a_prompt_nothing_is_an_echo() {
        let other = noise(7, 8_000);
        let verdicts = guard(&vec![0.0; 8_000], |at| other[at]);
        assert_eq!(verdicts, vec![false; 125]);
    }

    #[test]
    fn an_echo_is_one_at_any_delay_and_loudness_even_as_that_changes() {
        let said = noise(1, 16_000);
        for delay in [0, 90, 800, 1_900] {
            let echo = |at: usize| {
                let gain = if at > 8_000 { 0.5 } else { 0.02 };
                at.checked_sub(delay).map_or(0.0, |at| gain * said[at])
            };
            let verdicts = guard(&said, echo);
            assert!(
                verdicts[delay.div_ceil(SLOW)..].iter().all(|echo| *echo),
                "{delay}"
            );
        }
    }

    #[test]
    fn a_voice_over_an_echo_is_noticed_within_a_tenth_of_a_second() {
        let (said, voice) = (noise(1, 16_000), noise(2, 16_000));
        let heard = |at: usize| {
            let echo = at.checked_sub(400).map_or(0.0, |at| 0.1 * said[at]);
            echo + if at < 8_000 { 0.0 } else { 0.4 * voice[at] }
        };
        let verdicts = guard(&said, heard);
        let noticed = verdicts.iter().position(|echo| !echo);
        assert!(
            noticed.is_some_and(|slice| (125..131).contains(&slice)),
            "{noticed:?}"
        );
        assert!(verdicts[131..].iter().all(|echo| !echo));
    }

    #[test]
    fn an_echo_that_is_like_nothing_for_a_moment_passes() {
        let (said, other) = (noise(1, 16_000), noise(2, 16_000));
        let heard = |at: usize| {
            let lost = (8_000..8_160).contains(&at);
            let heard = if lost { &other } else { &said };
            at.checked_sub(400).map_or(0.0, |at| 0.1 * heard[at])
        };
        assert!(guard(&said, heard)[8..].iter().all(|echo| *echo));
    }
}

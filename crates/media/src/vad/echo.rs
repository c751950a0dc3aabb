//! Whether what is heard is the echo of what is said.
//!
//! A caller's telephone gives back what it plays: later and quieter. Levels tell enough to
//! know it by. Each delay and loss there may be is a guess at what will be heard; when
//! something is heard that isn't explained, all guesses are held against what comes in the
//! next 160 ms. If one fits, it is the echo, and explains what follows; if none does,
//! somebody speaks, and that is told as soon as it is sure.

use zeroize::Zeroize;

use super::SLICE_MS;
use crate::level::{Levels, power};

/// Milliseconds of a step, in which levels of what is said are known.
const STEP_MS: u64 = 4;
/// Steps of a slice of what is heard.
pub(super) const STEPS: usize = (SLICE_MS / STEP_MS) as usize;
/// Steps remembered of what was said: a second.
const REMEMBERED: usize = 256;
/// What is said and what is heard keep the same time but for so many steps (100 ms), by
/// which packets may be late.
const SLACK: u64 = 25;
/// Delays that are guessed at: up to 480 ms, and the slack.
const DELAYS: usize = 146;
/// Losses that are guessed at: from 8 dB, in steps of 2 dB.
const LOSSES: usize = 20;
const LEAST_LOSS: f32 = 8.0;
const LOSS_STEP: f32 = 2.0;
/// How long after something was said its echo may still ring: 620 ms.
const RINGS: u64 = 155 + SLACK;
/// What is said more quietly has no echo, in dBov.
const QUIET: f32 = -60.0;
const NOTHING: f32 = -127.0;
/// A room lets go of a sound by so much a step, in dB.
const FALL: f32 = 0.5;
/// What is less above the floor is neither echo nor speech, in dB.
const RISE: f32 = 6.0;
/// Nor is what so little exceeds the floor a sign against a guess, in dB.
const UNSURE: f32 = 3.0;
/// By so much an echo may exceed what is expected of it, in dB.
const MARGIN: f32 = 6.0;
/// Slices that prove a guess, and those before that it must explain, too.
const PROOF: u32 = 10;
const BEFORE: usize = 4;
/// The most that a guess may be wrong by in one slice, in dB, and in all, in dB².
const MOST_WRONG: f32 = 12.0;
const PATIENCE: f32 = 100.0;
/// The same, once it is known what comes back, or that nothing does: then somebody who
/// speaks is likelier than another echo.
const LESS_PATIENCE: f32 = 50.0;
/// Slices that suffice to know it: a second.
const KNOWN: u32 = 60;
/// A guess that fails within so many slices (380 ms) was none: somebody speaks.
const FRESH: u32 = 24;
/// What isn't explained is speech for at least so many slices (320 ms).
const OPEN: u32 = 20;

/// Levels of what was said, on the time of what is heard.
struct Said {
    /// Of the slice that ends with each step, in dBov.
    levels: [f32; REMEMBERED],
    /// The same, in a room that rings.
    tails: [f32; REMEMBERED],
    powers: [f32; STEPS],
    tail: f32,
    /// Steps said.
    end: u64,
    /// Where the last sound ended.
    loud: Option<u64>,
}

impl Said {
    fn new() -> Self {
        Self {
            levels: [NOTHING; REMEMBERED],
            tails: [NOTHING; REMEMBERED],
            powers: [0.0; STEPS],
            tail: NOTHING,
            end: 0,
            loud: None,
        }
    }

    fn step(&mut self, power: f32) {
        self.powers.rotate_left(1);
        self.powers[STEPS - 1] = power;
        let mean = self.powers.iter().sum::<f32>() / STEPS as f32;
        let level = 10.0 * (mean + 1e-13).log10();
        let at = self.end as usize % REMEMBERED;
        self.end += 1;
        self.levels[at] = NOTHING;
        self.tail -= FALL;
        if level >= QUIET {
            self.levels[at] = level;
            self.tail = self.tail.max(level);
            self.loud = Some(self.end);
        }
        self.tail = self.tail.max(NOTHING);
        self.tails[at] = self.tail;
    }

    /// Level and ringing level of what was said `delay` before the slice that ends with
    /// step `end`.
    fn before(&self, end: u64, delay: usize) -> (f32, f32) {
        let step = (end + SLACK).checked_sub(1 + delay as u64);
        let known = step.filter(|step| *step < self.end && step + REMEMBERED as u64 >= self.end);
        known.map_or((NOTHING, NOTHING), |step| {
            let at = step as usize % REMEMBERED;
            (self.levels[at], self.tails[at])
        })
    }

    fn rings(&self, end: u64) -> bool {
        self.loud.is_some_and(|loud| end < loud + RINGS)
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        self.levels.zeroize();
        self.tails.zeroize();
        self.powers.zeroize();
    }
}

/// A guess that fits.
#[derive(Clone, Copy)]
struct Path {
    delay: usize,
    loss: f32,
    /// Slices since it was found.
    age: u32,
}

/// Guesses are being held against what is heard.
struct Trial {
    slices: u32,
    /// What is no louder says nothing.
    floor: f32,
}

/// Tells echo from speech. All memory is allocated in [`new`](Self::new) and wiped on drop.
pub(super) struct Guard {
    said: Box<Said>,
    path: Option<Path>,
    trial: Option<Trial>,
    /// How wrong each guess has been in the trial: squares, added up.
    wrong: Box<[[f32; LOSSES]; DELAYS]>,
    /// Level of the last slices, and the step they end with.
    recent: [(f32, u64); BEFORE],
    /// Slices for which what isn't explained stays speech.
    open: u32,
    /// Slices that held nothing but what was expected, while something was said.
    expected: u32,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            said: Box::new(Said::new()),
            path: None,
            trial: None,
            wrong: Box::new([[0.0; LOSSES]; DELAYS]),
            recent: [(NOTHING, 0); BEFORE],
            open: 0,
            expected: 0,
        }
    }

    /// 20 ms are said now that so many steps have been heard.
    pub(super) fn said(&mut self, levels: &Levels, heard: u64) {
        if self.said.end.abs_diff(heard) > SLACK {
            *self.said = Said::new();
            self.said.end = heard;
            (self.path, self.trial, self.expected) = (None, None, 0);
        }
        for level in levels {
            self.said.step(power(*level));
        }
    }

    /// Whether a slice of this level that ends with step `end` is the echo of what was
    /// said, as far as is known; `above` is how much louder than the floor it is, in dB.
    pub(super) fn is_echo(&mut self, level: f32, above: f32, end: u64) -> bool {
        self.recent.rotate_left(1);
        self.recent[BEFORE - 1] = (level, end);
        if let Some(path) = &mut self.path {
            path.age = path.age.saturating_add(1);
        }
        if !self.said.rings(end) {
            (self.trial, self.open) = (None, 0);
            return false;
        }
        if self.trial.is_some() {
            return self.try_on(level, end);
        }
        if self.open > 0 {
            self.open -= 1;
            if above >= RISE && !self.explains(level, end) {
                self.open = OPEN;
            }
            return false;
        }
        if above < RISE {
            self.expected = self.expected.saturating_add(1);
            return self.path.is_some();
        }
        if self.explains(level, end) {
            self.follow(level, end);
            return true;
        }
        match self.path.take_if(|path| path.age < FRESH) {
            Some(_) => self.speaks(),
            None => self.begin(level - above + UNSURE),
        }
    }

    /// Somebody speaks.
    fn speaks(&mut self) -> bool {
        (self.trial, self.open) = (None, OPEN);
        false
    }

    fn explains(&self, level: f32, end: u64) -> bool {
        self.path.is_some_and(|path| {
            let near = path.delay.saturating_sub(STEPS - 1)..path.delay + STEPS;
            let tails = near.map(|delay| self.said.before(end, delay).1);
            level <= tails.fold(NOTHING, f32::max) - path.loss + MARGIN
        })
    }

    /// An echo changes a little.
    fn follow(&mut self, level: f32, end: u64) {
        self.expected = self.expected.saturating_add(1);
        if let Some(path) = &mut self.path {
            let more = level - (self.said.before(end, path.delay).0 - path.loss);
            if more.abs() < MARGIN {
                path.loss -= 0.05 * more;
            }
        }
    }

    fn begin(&mut self, floor: f32) -> bool {
        self.wrong.as_flattened_mut().fill(0.0);
        for (level, end) in self.recent {
            self.judge(level, end, floor);
        }
        self.trial = Some(Trial { slices: 0, floor });
        self.decide()
    }

    fn try_on(&mut self, level: f32, end: u64) -> bool {
        if let Some(trial) = &mut self.trial {
            trial.slices += 1;
            let floor = trial.floor;
            self.judge(level, end, floor);
        }
        self.decide()
    }

    /// How wrong each guess was about a slice.
    fn judge(&mut self, level: f32, end: u64, floor: f32) {
        let level = level.max(floor);
        for (delay, guesses) in self.wrong.iter_mut().enumerate() {
            let (least, most) = self.said.before(end, delay);
            for (n, wrong) in guesses.iter_mut().enumerate() {
                let loss = LEAST_LOSS + LOSS_STEP * n as f32;
                let above = level - (most - loss).max(floor);
                let below = (least - loss).max(floor) - level;
                *wrong += above.max(below).clamp(0.0, MOST_WRONG).powi(2);
            }
        }
    }

    /// Whether it may still be the echo: yes, while a guess is not too wrong.
    fn decide(&mut self) -> bool {
        let (wrong, path) = self.best();
        let patience = match self.expected < KNOWN {
            true => PATIENCE,
            false => LESS_PATIENCE,
        };
        if wrong > patience {
            return self.speaks();
        }
        if self.trial.take_if(|trial| trial.slices >= PROOF).is_some() {
            (self.path, self.expected) = (Some(path), 0);
        }
        true
    }

    fn best(&self) -> (f32, Path) {
        let (mut least, mut place) = (f32::INFINITY, (0, 0));
        for (delay, guesses) in self.wrong.iter().enumerate() {
            for (n, wrong) in guesses.iter().enumerate() {
                if *wrong < least {
                    (least, place) = (*wrong, (delay, n));
                }
            }
        }
        let path = Path {
            delay: place.0,
            loss: LEAST_LOSS + LOSS_STEP * place.1 as f32,
            age: 0,
        };
        (least, path)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.wrong.as_flattened_mut().zeroize();
        self.recent
            .iter_mut()
            .for_each(|(level, _)| level.zeroize());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::SILENT;

    #[test]
    fn without_a_prompt_nothing_is_an_echo() {
        let mut guard = Guard::new();
        for n in 0..200 {
            guard.said(&SILENT, n * 5);
            assert!(!guard.is_echo(-20.0, 40.0, (n + 1) * STEPS as u64));
        }
    }
}

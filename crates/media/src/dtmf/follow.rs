//! Follows a digit's two tones to their end, and back to their beginning.
//!
//! A tone's amplitude over 10 ms is half of its own when an edge is in the
//! middle of them: where it crosses one half is the edge.

use zeroize::Zeroize;

use super::BLOCK;
use super::fit::{Fit, WINDOW, Wave};
use super::history::{Recent, Samples};

/// Slices of one measurement: 10 ms.
const SPAN: usize = 2 * BLOCK;
/// Blocks without the tones until the key counts as released: 30 ms bridge an
/// interruption of 10 ms and a lost packet of 20 ms, and part digits 40 ms
/// apart.
const PATIENCE: u32 = 6;
/// A tone is there when it has this part of its amplitude.
const PRESENT: f32 = 0.5;
/// A tone is not there when it has less than this part of its amplitude.
const NOTHING: f32 = 0.4;
/// A key's tones begin within this many slices of each other: 5 ms.
const MAX_APART: usize = BLOCK;
/// They began no longer than this before the window that fits: 15 ms. A key is
/// heard as soon as it fills the window; what fits later is something else.
const MAX_WAIT: usize = 3 * BLOCK;
/// How fast the reference follows a level that changes.
const ADAPT: f32 = 0.1;

pub(super) enum Step {
    Pressed,
    /// The tones ended; how many slices they lasted.
    Released {
        length: f32,
    },
}

#[derive(Zeroize)]
pub(super) struct Follower {
    waves: [Wave<SPAN>; 2],
    /// Amplitudes of the tones.
    reference: [f32; 2],
    /// Level at the last step.
    level: f32,
    /// Slices from the beginning to the newest one.
    age: f32,
    /// The same to the end seen last, as long as the tones are gone.
    length: f32,
    absent: u32,
}

impl Follower {
    /// Begins at the end of `recent`, whose last part fits.
    #[inline(always)]
    pub(super) fn begin(fit: &Fit, recent: Recent<'_>) -> Self {
        let mut follower = Self {
            waves: fit.tones.map(|tone| Wave::turning(tone.omega, 0.0)),
            reference: fit.tones.map(|tone| tone.power().sqrt()),
            level: 1.0,
            age: 0.0,
            length: 0.0,
            absent: 0,
        };
        follower.age = follower.beginning(recent);
        follower
    }

    /// Slices since the tones began.
    pub(super) fn age(&self) -> f32 {
        self.age
    }

    /// Slices from where the tones began to the end of `recent`.
    #[inline(always)]
    fn beginning(&self, recent: Recent<'_>) -> f32 {
        let mut later = 1.0;
        let mut back = WINDOW - SPAN;
        while let Some(span) = recent.before(recent.len().saturating_sub(back)) {
            let level = self.level(span);
            if level < PRESENT {
                let part = (PRESENT - level) / (later - level).max(0.01);
                return (back + SPAN / 2) as f32 - part.clamp(0.0, 1.0) * BLOCK as f32;
            }
            later = level;
            back += BLOCK;
        }
        recent.len() as f32
    }

    /// Whether both tones came out of nothing, and together, as a key's do;
    /// notes and partials of voices come one by one, out of others.
    pub(super) fn began_at_once(&self, recent: Recent<'_>) -> bool {
        let mut edges = [None, None];
        let from = recent.len() + SPAN / 2 - WINDOW;
        for end in (from - MAX_WAIT..=from).rev().step_by(BLOCK / 2) {
            let Some(span) = recent.before(end) else {
                return false;
            };
            for (edge, level) in edges.iter_mut().zip(self.levels(span)) {
                if level < PRESENT {
                    edge.get_or_insert(end);
                }
            }
            if let [Some(low), Some(high)] = edges {
                let before = low.min(high).saturating_sub(SPAN * 3 / 4);
                let nothing = recent
                    .before(before)
                    .is_some_and(|span| self.levels(span).iter().all(|level| *level < NOTHING));
                return low.abs_diff(high) <= MAX_APART && nothing;
            }
        }
        false
    }

    /// Level of the tone that is less there, relative to its own.
    #[inline(always)]
    fn level(&self, span: Samples<'_, SPAN>) -> f32 {
        let levels = self.levels(span);
        levels[0].min(levels[1])
    }

    /// Levels of the tones, relative to their own.
    #[inline(always)]
    fn levels(&self, span: Samples<'_, SPAN>) -> [f32; 2] {
        [
            self.waves[0].amplitude(span) / self.reference[0],
            self.waves[1].amplitude(span) / self.reference[1],
        ]
    }

    /// Looks at the newest block, the end of `recent`.
    #[inline(always)]
    pub(super) fn step(&mut self, recent: Recent<'_>) -> Step {
        // A closure would be no part of the code for this vector unit.
        let level = match recent.before(recent.len()) {
            Some(span) => self.level(span),
            None => 0.0,
        };
        self.age += BLOCK as f32;
        if level >= PRESENT {
            self.absent = 0;
            let scale = 1.0 + ADAPT * (level - 1.0);
            self.reference = self.reference.map(|reference| reference * scale);
        } else {
            if self.absent == 0 {
                let part = (self.level - PRESENT) / (self.level - level).max(0.01);
                let edge = (1.0 - part.clamp(0.0, 1.0)) * BLOCK as f32;
                self.length = self.age - (SPAN / 2) as f32 - edge;
            }
            self.absent += 1;
        }
        self.level = level;
        if self.absent < PATIENCE {
            Step::Pressed
        } else {
            let length = self.length.max(0.0);
            Step::Released { length }
        }
    }
}

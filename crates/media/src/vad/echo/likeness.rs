//! How like what is heard is to what was said some time before: the normalised correlation
//! of the last 80 ms, for each delay an echo may have.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x16};
use zeroize::Zeroize;

use super::SLOW;
use crate::lanes::{PRODUCTS, energy, products};
use crate::said::Said;

/// What is said and what is heard keep the same time but for so many samples (100 ms), by
/// which packets may be late.
pub(super) const SLACK: u64 = 400;
/// The longest delay: 484 ms.
const LONGEST: usize = 1_936;
/// Delays looked at, from the longest to as much below none as the slack.
const DELAYS: usize = LONGEST + SLACK as usize;
/// Samples kept of what was said, and room after them for what isn't said yet.
const KEPT: usize = 2_816;
const ROOM: usize = 1_024;
/// What is left of a product a slice (16 ms) later.
const FORGET: f32 = 0.8;
/// Voices have most power where they tell least: this evens it out.
const EMPHASIS: f32 = 0.9;
/// What was said more quietly (some −70 dBov) has no echo.
const LEAST: f32 = 3e-5;

/// The delay at which what is heard is likest to what was said.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Match {
    /// Which of the delays.
    pub(super) delay: usize,
    /// The part of what is heard that is explained by it, 0–1.
    pub(super) share: f32,
}

/// Compares what is heard with what was said. Wiped on drop.
pub(super) struct Likeness {
    level: Level,
    said: Box<[f32; KEPT + ROOM]>,
    /// Energy of the slice of `said` that begins at each sample.
    windows: Box<[f32; KEPT + ROOM]>,
    /// Samples said so far, on the time of what is heard.
    end: u64,
    last_said: f32,
    last_heard: f32,
    compared: Compared,
}

/// Sums over the last slices, for each delay from the longest on.
struct Compared {
    products: Box<[f32; DELAYS]>,
    energies: Box<[f32; DELAYS]>,
    shares: Box<[f32; DELAYS]>,
    heard: f32,
}

impl Likeness {
    pub(super) fn new() -> Self {
        Self::with_level(Level::new())
    }

    fn with_level(level: Level) -> Self {
        Self {
            level,
            said: Box::new([0.0; KEPT + ROOM]),
            windows: Box::new([0.0; KEPT + ROOM]),
            end: 0,
            last_said: 0.0,
            last_heard: 0.0,
            compared: Compared {
                products: Box::new([0.0; DELAYS]),
                energies: Box::new([0.0; DELAYS]),
                shares: Box::new([0.0; DELAYS]),
                heard: 0.0,
            },
        }
    }

    /// Samples said so far, on the time of what is heard.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Forgets everything: what is said next follows `end`.
    pub(super) fn restart(&mut self, end: u64) {
        self.said.fill(0.0);
        self.windows.fill(0.0);
        self.end = end;
        self.forget();
    }

    /// Forgets what was heard.
    pub(super) fn forget(&mut self) {
        self.compared.products.fill(0.0);
        self.compared.energies.fill(0.0);
        self.compared.heard = 0.0;
    }

    /// The next 20 ms are said; gives their power.
    pub(super) fn say(&mut self, said: &Said) -> f32 {
        let len = said.len();
        self.said.copy_within(len..KEPT, 0);
        self.windows.copy_within(len..KEPT, 0);
        let mut power = 0.0;
        for (place, sample) in self.said[KEPT - len..KEPT].iter_mut().zip(said) {
            let sample = f32::from(i16::from_le_bytes(*sample)) / 32_767.0;
            power += sample * sample / len as f32;
            *place = sample - EMPHASIS * self.last_said;
            self.last_said = sample;
        }
        for begin in KEPT - len - SLOW..KEPT {
            self.windows[begin] = energy(&self.said[begin..begin + SLOW]);
        }
        self.end += len as u64;
        power
    }

    /// Compares a slice at 4 kHz that ends with sample `end`; one in which nothing is
    /// `heard` is like nothing.
    pub(super) fn hear(&mut self, slice: &[f32; SLOW], heard: bool, end: u64) -> Match {
        let mut even = *slice;
        for sample in &mut even {
            let now = *sample;
            *sample = now - EMPHASIS * std::mem::replace(&mut self.last_heard, now);
        }
        let Some(from) = self.place(end) else {
            return Match::default();
        };
        let Self {
            level,
            said,
            windows,
            compared,
            ..
        } = self;
        let (said, windows) = (&said[from..], &windows[from..]);
        compared.pass(windows);
        let found = heard.then(|| {
            dispatch!(*level, simd => compared.add(simd, &even, said));
            compared.best()
        });
        even.zeroize();
        found.unwrap_or_default()
    }

    /// Where in `said` the slice begins that the longest delay compares with.
    fn place(&self, end: u64) -> Option<usize> {
        let newest = (KEPT as u64 + end).checked_sub(self.end)? as usize;
        let from = newest.checked_sub(LONGEST + SLOW)?;
        (from + DELAYS + SLOW <= KEPT + ROOM).then_some(from)
    }

    /// Power of what is heard for each of what was said so long before.
    pub(super) fn gain(&self, delay: usize) -> f32 {
        self.compared.heard / (self.compared.energies[delay] + LEAST)
    }
}

impl Compared {
    /// What was counts less; what was said is there, be it heard or not.
    fn pass(&mut self, windows: &[f32]) {
        self.heard *= FORGET;
        for product in &mut self.products[..] {
            *product *= FORGET;
        }
        for (energy, window) in self.energies.iter_mut().zip(windows) {
            *energy = FORGET * *energy + window;
        }
    }

    /// Compiled once for each set of vector instructions: what is called must be inlined.
    #[inline(always)]
    fn add<S: Simd>(&mut self, simd: S, slice: &[f32; SLOW], said: &[f32]) {
        self.heard += energy(slice);
        let blocks = self.products.as_chunks_mut::<PRODUCTS>().0;
        for (block, place) in blocks.iter_mut().enumerate() {
            let now = products(simd, slice, &said[block * PRODUCTS..]);
            (f32x16::from_slice(simd, place) + now).store_slice(place);
        }
        let sums = self.products.iter().zip(&self.energies[..]);
        for (share, (product, energy)) in self.shares.iter_mut().zip(sums) {
            *share = product * product / (energy + LEAST);
        }
    }

    fn best(&self) -> Match {
        let mut best = Match::default();
        for (delay, share) in self.shares.iter().enumerate() {
            if *share > best.share {
                best = Match {
                    delay,
                    share: *share,
                };
            }
        }
        best.share /= self.heard.max(1e-9);
        best
    }
}

impl Drop for Likeness {
    fn drop(&mut self) {
        self.said.zeroize();
        self.windows.zeroize();
        self.compared.products.zeroize();
        self.compared.energies.zeroize();
        self.compared.shares.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::levels;

    /// What is said comes back, half as loud and so many samples later.
    fn likest(level: Level, delay: usize) -> Match {
        let mut likeness = Likeness::with_level(level);
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16 / 4
        };
        let said: Vec<i16> = (0..4_000).map(|_| noise()).collect();
        let mut best = Match::default();
        let mut frames = said.chunks_exact(80);
        for at in (SLOW..=said.len()).step_by(SLOW) {
            while likeness.end() < at as u64 + 80
                && let Some(frame) = frames.next()
            {
                likeness.say(&std::array::from_fn(|n| frame[n].to_le_bytes()));
            }
            let heard = |n: usize| {
                let back = (at - SLOW + n).checked_sub(delay);
                back.map_or(0.0, |back| 0.5 * f32::from(said[back]) / 32_767.0)
            };
            best = likeness.hear(&std::array::from_fn(heard), true, at as u64);
        }
        best
    }

    #[test]
    fn an_echo_is_found_at_the_same_delay_whatever_the_cpu() {
        for delay in [40, 777, LONGEST - 1] {
            for level in levels() {
                let found = likest(level, delay);
                assert_eq!(found.delay, LONGEST - delay, "{level:?}");
                assert!((found.share - 1.0).abs() < 0.02, "{}", found.share);
            }
        }
    }
}

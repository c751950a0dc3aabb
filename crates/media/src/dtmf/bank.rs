//! A cheap look every 5 ms: is the DTMF band mainly one tone of the low and one
//! of the high group?
//!
//! Eight correlators at the nominal frequencies, 5 ms at a time; three blocks
//! together are coherent over 15 ms, wide enough for the tolerance and narrow
//! enough to tell the groups apart. The turn from one half of the 30 ms to the
//! other tells how far a tone is off.

use std::f32::consts::{PI, TAU};
use std::ops::Range;

use num_complex::Complex32;
use zeroize::Zeroize;

use super::BLOCK;
use super::fit::WINDOW;
use super::front::BASE_RATE;
use super::history::Samples;
use crate::tone::{HIGH_GROUP, LOW_GROUP};

/// Blocks of the 30 ms, and of a half.
const BLOCKS: usize = WINDOW / BLOCK;
const HALF: usize = BLOCKS / 2;
/// Slices of a half.
const HALF_LENGTH: f32 = (HALF * BLOCK) as f32;
/// Quieter is nothing: the band's power of a digit at −48 dBm0.
const MIN_POWER: f32 = 3.8e-6;
/// Part of the band's power the two tones must have.
const MIN_SHARE: f32 = 0.65;
/// Part of the mean power that the oldest 5 ms must have: tones that began since leave over
/// too much to be a key's yet, and fitting them would be in vain.
const MIN_OLDEST: f32 = 0.25;
/// A tone further off is none of ours.
const MAX_OFFSET: f32 = 0.03;

/// Mean powers over the 30 ms.
#[derive(Clone, Copy)]
pub(super) struct Power {
    /// Of everything.
    pub(super) all: f32,
}

/// Two frequencies in Hz to start the fit from.
#[derive(Clone, Copy)]
pub(super) struct Guess {
    pub(super) low_hz: f32,
    pub(super) high_hz: f32,
}

/// Eight complex numbers, one per frequency, laid out for vector units.
#[derive(Clone, Copy, Default, Zeroize)]
struct Bins {
    re: [f32; 8],
    im: [f32; 8],
}

impl Bins {
    fn from_fn(of: impl Fn(usize) -> Complex32) -> Self {
        let values: [Complex32; 8] = std::array::from_fn(of);
        Self {
            re: values.map(|value| value.re),
            im: values.map(|value| value.im),
        }
    }

    fn at(&self, bin: usize) -> Complex32 {
        Complex32::new(self.re[bin], self.im[bin])
    }

    fn power(&self, bin: usize) -> f32 {
        self.at(bin).norm_sqr()
    }

    /// Adds `value` times each of `factors`.
    #[inline(always)]
    fn add_scaled(&mut self, value: Complex32, factors: &Self) {
        for bin in 0..8 {
            self.re[bin] += value.re * factors.re[bin] - value.im * factors.im[bin];
            self.im[bin] += value.re * factors.im[bin] + value.im * factors.re[bin];
        }
    }

    /// Adds the products with `factors`.
    #[inline(always)]
    fn add_products(&mut self, values: &Self, factors: &Self) {
        for bin in 0..8 {
            let (re, im) = (values.re[bin], values.im[bin]);
            self.re[bin] += re * factors.re[bin] - im * factors.im[bin];
            self.im[bin] += re * factors.im[bin] + im * factors.re[bin];
        }
    }
}

#[derive(Clone, Copy, Default, Zeroize)]
struct Block {
    /// Correlations over this block, and over the half that ends with it.
    bins: Bins,
    half: Bins,
    band: f32,
    all: f32,
}

pub(super) struct Bank {
    /// Conjugate waves at the nominal frequencies, slice by slice.
    waves: [Bins; BLOCK],
    /// Conjugate turn of a wave over so many blocks.
    turns: [Bins; HALF + 1],
    /// A ring.
    blocks: [Block; BLOCKS],
    newest: usize,
}

fn nominal(bin: usize) -> f32 {
    let hz = match bin {
        0..4 => LOW_GROUP[bin],
        _ => HIGH_GROUP[bin - 4],
    };
    hz as f32
}

impl Drop for Bank {
    fn drop(&mut self) {
        self.blocks.zeroize();
    }
}

impl Bank {
    pub(super) fn new() -> Self {
        let turn = |slices: usize| {
            let angle = -TAU * slices as f32 / BASE_RATE as f32;
            Bins::from_fn(|bin| Complex32::from_polar(1.0, angle * nominal(bin)))
        };
        Self {
            waves: std::array::from_fn(turn),
            turns: std::array::from_fn(|blocks| turn(blocks * BLOCK)),
            blocks: [Block::default(); BLOCKS],
            newest: 0,
        }
    }

    /// The block that came so many before the newest.
    #[inline(always)]
    fn ago(&self, blocks: usize) -> &Block {
        &self.blocks[(self.newest + BLOCKS - blocks) % BLOCKS]
    }

    /// Mean power of the band in the newest blocks.
    fn band(&self, blocks: usize) -> f32 {
        (0..blocks).map(|n| self.ago(n).band).sum::<f32>() / blocks as f32
    }

    /// Takes the next 5 ms and the power of all audio in them.
    #[inline(always)]
    pub(super) fn push(&mut self, slices: Samples<'_, BLOCK>, all: f32) {
        let slices = slices.re.iter().zip(slices.im);
        let slices = slices.map(|(re, im)| Complex32::new(*re, *im));
        let power: f32 = slices.clone().map(|slice| slice.norm_sqr()).sum();
        let mut block = Block {
            band: power / BLOCK as f32,
            all,
            ..Block::default()
        };
        if block.band >= MIN_POWER / 4.0 {
            for (slice, wave) in slices.zip(&self.waves) {
                block.bins.add_scaled(slice, wave);
            }
        }
        self.newest = (self.newest + 1) % BLOCKS;
        self.blocks[self.newest] = block;
        let mut half = Bins::default();
        for ago in 0..HALF {
            half.add_products(&self.ago(ago).bins, &self.turns[HALF - 1 - ago]);
        }
        self.blocks[self.newest].half = half;
    }

    /// Power of the DTMF band in the newest block.
    pub(super) fn band_power(&self) -> f32 {
        self.ago(0).band
    }

    pub(super) fn power(&self) -> Power {
        let all = self.blocks.iter().map(|block| block.all).sum::<f32>();
        Power {
            all: all / BLOCKS as f32,
        }
    }

    /// Whether the newest 15 ms are mainly two tones.
    pub(super) fn suspects(&self) -> bool {
        let band = self.band(HALF);
        let half = &self.ago(0).half;
        let strongest = |bins: Range<usize>| bins.map(|bin| half.power(bin)).fold(0.0, f32::max);
        let tones = (strongest(0..4) + strongest(4..8)) / (HALF_LENGTH * HALF_LENGTH);
        band > MIN_POWER && tones > MIN_SHARE * band
    }

    /// Where to start the fit, when the 30 ms are mainly two tones.
    pub(super) fn guess(&self) -> Option<Guess> {
        let band = self.band(BLOCKS);
        if band < MIN_POWER || self.ago(BLOCKS - 1).band < MIN_OLDEST * band {
            return None;
        }
        let (low_hz, low) = self.strongest(0..4)?;
        let (high_hz, high) = self.strongest(4..8)?;
        (low + high > MIN_SHARE * band).then_some(Guess { low_hz, high_hz })
    }

    /// Frequency and power of the strongest tone of a group.
    fn strongest(&self, bins: Range<usize>) -> Option<(f32, f32)> {
        let (first, second) = (&self.ago(HALF).half, &self.ago(0).half);
        let (bin, power) = bins
            .map(|bin| (bin, first.power(bin) + second.power(bin)))
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        // The wave's own turn from half to half is taken off.
        let own = self.turns[HALF].at(bin);
        let turn = (second.at(bin) * own * first.at(bin).conj()).arg();
        let offset_hz = turn * BASE_RATE as f32 / (TAU * HALF_LENGTH);
        let droop = sinc(turn / TAU);
        let power = power / (2.0 * (HALF_LENGTH * droop).powi(2));
        let near = offset_hz.abs() < MAX_OFFSET * nominal(bin);
        near.then_some((nominal(bin) + offset_hz, power))
    }
}

fn sinc(x: f32) -> f32 {
    if x.abs() < 1e-4 {
        1.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

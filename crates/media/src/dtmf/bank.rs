//! A cheap look every 5 ms: is the DTMF band mainly one tone of the low and one
//! of the high group?
//!
//! Eight correlators at the nominal frequencies, 5 ms at a time; three blocks
//! together are coherent over 15 ms, wide enough for the tolerance and narrow
//! enough to tell the groups apart. The turn from one half of the 30 ms to the
//! other tells how far a tone is off.

use std::f32::consts::{PI, TAU};

use num_complex::Complex32;

use super::BLOCK;
use super::fit::WINDOW;
use super::front::BASE_RATE;
use crate::tone::{HIGH_GROUP, LOW_GROUP};

/// Blocks of the 30 ms.
const BLOCKS: usize = WINDOW / BLOCK;
const HALF: usize = BLOCKS / 2;
/// Quieter is nothing: the band's power of a digit at −48 dBm0.
const MIN_POWER: f32 = 3.8e-6;
/// Part of the band's power the two tones must have.
const MIN_SHARE: f32 = 0.6;
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

#[derive(Clone, Copy, Default)]
struct Block {
    bins: [Complex32; 8],
    band: f32,
    all: f32,
}

pub(super) struct Bank {
    /// Conjugate waves at the nominal frequencies.
    waves: [[Complex32; BLOCK]; 8],
    /// Turn of a wave over one and two blocks, conjugate.
    turns: [[Complex32; HALF]; 8],
    /// Oldest first.
    blocks: [Block; BLOCKS],
}

fn nominal(bin: usize) -> f32 {
    LOW_GROUP
        .iter()
        .chain(&HIGH_GROUP)
        .nth(bin)
        .map_or(0.0, |hz| *hz as f32)
}

impl Bank {
    pub(super) fn new() -> Self {
        let turn = |bin: usize, slices: usize| {
            Complex32::from_polar(1.0, -TAU * nominal(bin) * slices as f32 / BASE_RATE as f32)
        };
        Self {
            waves: std::array::from_fn(|bin| std::array::from_fn(|n| turn(bin, n))),
            turns: std::array::from_fn(|bin| std::array::from_fn(|n| turn(bin, n * BLOCK))),
            blocks: [Block::default(); BLOCKS],
        }
    }

    /// Takes the next 5 ms and the power of all audio in them.
    pub(super) fn push(&mut self, slices: &[Complex32; BLOCK], all: f32) {
        self.blocks.rotate_left(1);
        let block = &mut self.blocks[BLOCKS - 1];
        let power: f32 = slices.iter().map(Complex32::norm_sqr).sum();
        *block = Block {
            band: power / BLOCK as f32,
            all,
            ..Block::default()
        };
        if block.band < MIN_POWER / 4.0 {
            return;
        }
        for (bin, wave) in block.bins.iter_mut().zip(&self.waves) {
            *bin = slices.iter().zip(wave).map(|(z, w)| z * w).sum();
        }
    }

    /// Power of the DTMF band in the newest block.
    pub(super) fn band_power(&self) -> f32 {
        self.blocks[BLOCKS - 1].band
    }

    pub(super) fn power(&self) -> Power {
        Power {
            all: self.mean(|block| block.all),
        }
    }

    fn mean(&self, of: impl Fn(&Block) -> f32) -> f32 {
        self.blocks.iter().map(of).sum::<f32>() / BLOCKS as f32
    }

    /// Whether the newest 15 ms are mainly two tones.
    pub(super) fn suspects(&self) -> bool {
        let newest = &self.blocks[HALF..];
        let band = newest.iter().map(|block| block.band).sum::<f32>() / HALF as f32;
        let strongest = |bins: std::ops::Range<usize>| {
            let powers = bins.map(|bin| self.half(bin, HALF).norm_sqr());
            powers.fold(0.0, f32::max) / (HALF * BLOCK).pow(2) as f32
        };
        band > MIN_POWER && strongest(0..4) + strongest(4..8) > MIN_SHARE * band
    }

    /// Where to start the fit, when the 30 ms are mainly two tones.
    pub(super) fn guess(&self) -> Option<Guess> {
        let band = self.mean(|block| block.band);
        if band < MIN_POWER {
            return None;
        }
        let (low_hz, low) = self.strongest(0..4)?;
        let (high_hz, high) = self.strongest(4..8)?;
        (low + high > MIN_SHARE * band).then_some(Guess { low_hz, high_hz })
    }

    /// Frequency and power of the strongest tone of a group.
    fn strongest(&self, bins: std::ops::Range<usize>) -> Option<(f32, f32)> {
        let halves = |bin| [self.half(bin, 0), self.half(bin, HALF)];
        let (bin, [first, second], power) = bins
            .map(|bin| {
                let halves = halves(bin);
                (bin, halves, halves[0].norm_sqr() + halves[1].norm_sqr())
            })
            .max_by(|a, b| a.2.total_cmp(&b.2))?;
        let length = (HALF * BLOCK) as f32;
        // The wave's own turn from half to half is taken off.
        let own = Complex32::from_polar(1.0, -TAU * nominal(bin) * length / BASE_RATE as f32);
        let turn = (second * own * first.conj()).arg();
        let offset_hz = turn * BASE_RATE as f32 / (TAU * length);
        let droop = sinc(turn / TAU);
        let power = power / (2.0 * length * length * droop * droop);
        let near = offset_hz.abs() < MAX_OFFSET * nominal(bin);
        near.then_some((nominal(bin) + offset_hz, power))
    }

    /// Correlation over 15 ms.
    fn half(&self, bin: usize, from: usize) -> Complex32 {
        let blocks = &self.blocks[from..from + HALF];
        let turned = blocks.iter().zip(&self.turns[bin]);
        turned.map(|(block, turn)| block.bins[bin] * turn).sum()
    }
}

fn sinc(x: f32) -> f32 {
    if x.abs() < 1e-4 {
        1.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

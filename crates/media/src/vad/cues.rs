//! What a network of this size does not know: whether a sound stands out of
//! what was there before, and whether it is only one or two steady tones (dial
//! tone, busy tone, a key) which no voice is.

use zeroize::Zeroize;

use super::SLICE;
use super::echo::SLOW;
use crate::lanes::{dot, energy, least};
use crate::said::Slow;

/// Slices over which the quietest is the floor: some 2.5 s.
const REMEMBERED: usize = 40_000 / SLICE;
/// Digital silence is no floor: what is below is not heard anyway.
const MIN_FLOOR: f32 = -65.0;
/// Samples at 4 kHz that must be tones: 12 ms.
const WINDOW: usize = 48;
/// Two tones are predicted from four samples.
const ORDER: usize = 4;
/// Part of the power that such a prediction leaves over of tones.
const MAX_TONAL: f32 = 0.003;

/// What is known of a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cues {
    /// Its level in dBov.
    pub(super) level: f32,
    /// How much that is above the floor, in dB.
    pub(super) above: f32,
    /// One or two steady tones and little else.
    pub(super) tonal: bool,
    /// It is, or may be, the echo of what is said.
    pub(super) echo: bool,
}

pub(super) struct Ear {
    levels: Box<[f32; REMEMBERED]>,
    at: usize,
    slowing: Slow,
    /// The last slice at 4 kHz.
    slow: Box<[f32; SLOW]>,
}

impl Ear {
    pub(super) fn new() -> Self {
        Self {
            levels: Box::new([f32::INFINITY; REMEMBERED]),
            at: 0,
            slowing: Slow::new(),
            slow: Box::new([0.0; SLOW]),
        }
    }

    pub(super) fn slice(&mut self, slice: &[f32; SLICE]) -> Cues {
        let power = energy(slice) / SLICE as f32;
        let level = 10.0 * (power + 1e-13).log10();
        self.levels[self.at] = level.max(MIN_FLOOR);
        self.at = (self.at + 1) % REMEMBERED;
        let floor = least(&self.levels[..]);
        self.slowing.push(slice, &mut self.slow[..]);
        Cues {
            level,
            above: level - floor,
            tonal: self.slow.last_chunk().map_or(1.0, leftover) < MAX_TONAL,
            echo: false,
        }
    }

    /// The last slice at 4 kHz.
    pub(super) fn slow(&self) -> &[f32; SLOW] {
        &self.slow
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.slow.zeroize();
        self.levels.zeroize();
    }
}

/// Part of the power the best linear prediction from four samples leaves over
/// (covariance method).
fn leftover(signal: &[f32; WINDOW + ORDER]) -> f32 {
    // Products of the signal with itself, shifted; symmetric.
    let mut products = [[0.0f64; ORDER + 1]; ORDER + 1];
    for (i, row) in products.iter_mut().enumerate() {
        for (j, product) in row.iter_mut().enumerate().skip(i) {
            let (a, b) = (&signal[ORDER - i..], &signal[ORDER - j..]);
            *product = f64::from(dot(&a[..WINDOW], b));
        }
    }
    let power = products[0][0];
    if power < 1e-9 {
        return 1.0;
    }
    (residual(&products, power) / power) as f32
}

/// Solves for the prediction by elimination and gives what it leaves over.
fn residual(products: &[[f64; ORDER + 1]; ORDER + 1], power: f64) -> f64 {
    let at = |i: usize, j: usize| products[i.min(j)][i.max(j)];
    // Past samples first, the sample to predict last: what is left on its
    // diagonal is the residual.
    let place = |n: usize| (n + 1) % (ORDER + 1);
    let mut matrix: [[f64; ORDER + 1]; ORDER + 1] =
        std::array::from_fn(|i| std::array::from_fn(|j| at(place(i), place(j))));
    for pivot in 0..ORDER {
        let head = matrix[pivot];
        // A single tone leaves nothing for further samples to tell.
        if head[pivot] < 1e-9 * power {
            continue;
        }
        for row in &mut matrix[pivot + 1..] {
            let factor = row[pivot] / head[pivot];
            for (cell, head) in row.iter_mut().zip(head) {
                *cell -= factor * head;
            }
        }
    }
    matrix[ORDER][ORDER].max(0.0)
}

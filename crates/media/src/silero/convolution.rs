//! Convolution over time with three taps, zeros around and a rectifier behind.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x16};

use super::math::{LANES, Lanes};

const TAPS: usize = 3;

/// One layer: `BLOCK` vectors of outputs are summed up together.
pub(super) struct Convolution<const BLOCK: usize> {
    inputs: usize,
    bias: Box<[[Lanes; BLOCK]]>,
    /// For each block of outputs, each input's taps.
    weights: Box<[[[Lanes; BLOCK]; TAPS]]>,
}

impl<const BLOCK: usize> Convolution<BLOCK> {
    /// From weights `[output][input][tap]` and one bias for each output.
    pub(super) fn new(inputs: usize, weights: &[f32], bias: &[f32]) -> Self {
        let blocks = bias.len() / (BLOCK * LANES);
        let output = |block, vector, lane| (block * BLOCK + vector) * LANES + lane;
        let lanes = |value: &dyn Fn(usize) -> f32| Lanes(std::array::from_fn(value));
        let weights = (0..blocks * inputs).map(|n| {
            let (block, input) = (n / inputs, n % inputs);
            std::array::from_fn(|tap| {
                std::array::from_fn(|vector| {
                    lanes(&|lane| {
                        weights[(output(block, vector, lane) * inputs + input) * TAPS + tap]
                    })
                })
            })
        });
        let bias = (0..blocks).map(|block| {
            std::array::from_fn(|vector| lanes(&|lane| bias[output(block, vector, lane)]))
        });
        Self {
            inputs,
            bias: bias.collect(),
            weights: weights.collect(),
        }
    }

    /// How many blocks of outputs there are.
    pub(super) fn blocks(&self) -> usize {
        self.bias.len()
    }

    /// One block of outputs from `FRAMES` vectors of inputs to `OUT` of outputs: as many,
    /// or every other.
    #[inline(always)]
    pub(super) fn run<
        S: Simd,
        const IN: usize,
        const FRAMES: usize,
        const N: usize,
        const OUT: usize,
    >(
        &self,
        simd: S,
        block: usize,
        input: &[[f32; IN]; FRAMES],
        output: &mut [[f32; N]; OUT],
    ) {
        let input = std::array::from_fn(|frame| &input[frame][..self.inputs]);
        let weights = &self.weights[block * self.inputs..][..self.inputs];
        let sums = sums::<S, BLOCK, FRAMES, OUT>(simd, weights, &self.bias[block], &input);
        for (sums, output) in sums.iter().zip(output.iter_mut()) {
            let place = &mut output[block * BLOCK * LANES..][..BLOCK * LANES];
            for (sum, place) in sums.iter().zip(place.chunks_exact_mut(LANES)) {
                sum.max(f32x16::splat(simd, 0.0)).store_slice(place);
            }
        }
    }
}

/// The sums of one block, at all frames of the output.
#[inline(always)]
fn sums<S: Simd, const BLOCK: usize, const FRAMES: usize, const OUT: usize>(
    simd: S,
    weights: &[[[Lanes; BLOCK]; TAPS]],
    bias: &[Lanes; BLOCK],
    input: &[&[f32]; FRAMES],
) -> [[f32x16<S>; BLOCK]; OUT] {
    let stride = FRAMES / OUT;
    let mut sums = [std::array::from_fn(|vector| bias[vector].load(simd)); OUT];
    for (n, taps) in weights.iter().enumerate() {
        for (out, sums) in sums.iter_mut().enumerate() {
            for (tap, weights) in taps.iter().enumerate() {
                // Frame −1 and the one after the last are zeros.
                let frame = (out * stride + tap).wrapping_sub(1);
                if frame < FRAMES {
                    let x = f32x16::splat(simd, input[frame][n]);
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = weight.load(simd).mul_add(x, *sum);
                    }
                }
            }
        }
    }
    sums
}

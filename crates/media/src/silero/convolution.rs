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

/// One call's vectors of inputs, and where those of outputs go.
type Pass<'a, const IN: usize, const FRAMES: usize, const N: usize, const OUT: usize> =
    (&'a [[f32; IN]; FRAMES], &'a mut [[f32; N]; OUT]);

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

    /// One block of outputs for each of `CALLS` calls, from `FRAMES` vectors of inputs to
    /// `OUT` of outputs: as many, or every other.
    #[inline(always)]
    pub(super) fn run<
        S: Simd,
        const CALLS: usize,
        const IN: usize,
        const FRAMES: usize,
        const N: usize,
        const OUT: usize,
    >(
        &self,
        simd: S,
        block: usize,
        calls: [Pass<'_, IN, FRAMES, N, OUT>; CALLS],
    ) {
        let inputs = self.inputs;
        let input: [[&[f32]; FRAMES]; CALLS] =
            std::array::from_fn(|call| calls[call].0.each_ref().map(|frame| &frame[..inputs]));
        let weights = &self.weights[block * inputs..][..inputs];
        let sums: [[_; OUT]; CALLS] = sums(simd, weights, &self.bias[block], &input);
        for (sums, (_, output)) in sums.iter().zip(calls) {
            for (sums, output) in sums.iter().zip(output) {
                let place = &mut output[block * BLOCK * LANES..][..BLOCK * LANES];
                for (sum, place) in sums.iter().zip(place.chunks_exact_mut(LANES)) {
                    sum.max(f32x16::splat(simd, 0.0)).store_slice(place);
                }
            }
        }
    }
}

/// The sums of one block, at all frames of the output.
#[inline(always)]
fn sums<S: Simd, const BLOCK: usize, const CALLS: usize, const FRAMES: usize, const OUT: usize>(
    simd: S,
    weights: &[[[Lanes; BLOCK]; TAPS]],
    bias: &[Lanes; BLOCK],
    input: &[[&[f32]; FRAMES]; CALLS],
) -> [[[f32x16<S>; BLOCK]; OUT]; CALLS] {
    let stride = FRAMES / OUT;
    let bias = std::array::from_fn(|vector| bias[vector].load(simd));
    let mut sums = [[bias; OUT]; CALLS];
    for (n, taps) in weights.iter().enumerate() {
        for (tap, weights) in taps.iter().enumerate() {
            for (sums, input) in sums.iter_mut().zip(input) {
                for (out, sums) in sums.iter_mut().enumerate() {
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
    }
    sums
}

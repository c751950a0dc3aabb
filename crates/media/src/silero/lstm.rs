//! The memory of the network: a long short-term memory cell of 128 units.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x16};

use super::math::{LANES, Lanes, sigmoid, tanh};

/// Units of the cell, and inputs to it.
pub(super) const UNITS: usize = 128;
/// Input gate, forget gate, candidate, output gate.
const GATES: usize = 4;

/// Sixteen units' gates are summed up together, so that their state can be
/// renewed at once.
pub(super) struct Lstm {
    bias: Box<[[Lanes; GATES]]>,
    /// For each sixteen units, what comes from each input and each unit.
    weights: Box<[[Lanes; GATES]]>,
}

/// One call's part in a step.
pub(super) struct Step<'a> {
    /// The inputs, followed by the output of the step before.
    pub(super) input: &'a [f32; 2 * UNITS],
    pub(super) cell: &'a mut [f32; UNITS],
    pub(super) output: &'a mut [f32; UNITS],
}

impl Lstm {
    /// From PyTorch's order: weights `[gate][unit][input]` from inputs and from
    /// units, and the two biases `[gate][unit]`, of which only the sum counts.
    pub(super) fn new(weights: [&[f32]; 2], bias: [&[f32]; 2]) -> Self {
        let row = |group, gate, lane| gate * UNITS + group * LANES + lane;
        let gates = |value: &dyn Fn(usize, usize) -> f32| {
            std::array::from_fn(|gate| Lanes(std::array::from_fn(|lane| value(gate, lane))))
        };
        let bias = (0..UNITS / LANES).map(|group| {
            gates(&|gate, lane| {
                let row = row(group, gate, lane);
                bias[0][row] + bias[1][row]
            })
        });
        let weights = (0..UNITS / LANES * 2 * UNITS).map(|n| {
            let (group, from) = (n / (2 * UNITS), n % (2 * UNITS));
            let (weights, from) = (weights[from / UNITS], from % UNITS);
            gates(&|gate, lane| weights[row(group, gate, lane) * UNITS + from])
        });
        Self {
            bias: bias.collect(),
            weights: weights.collect(),
        }
    }

    /// How many groups of sixteen units there are.
    pub(super) fn groups(&self) -> usize {
        self.bias.len()
    }

    /// One step of one group, for each of `CALLS` calls: renews its part of the cell and
    /// gives the units' output.
    #[inline(always)]
    pub(super) fn step<S: Simd, const CALLS: usize>(
        &self,
        simd: S,
        group: usize,
        calls: [Step<'_>; CALLS],
    ) {
        let weights = &self.weights[group * 2 * UNITS..][..2 * UNITS];
        let bias = &self.bias[group];
        let bias: [f32x16<S>; GATES] = std::array::from_fn(|gate| bias[gate].load(simd));
        let mut sums = [bias; CALLS];
        for (n, weights) in weights.iter().enumerate() {
            for (gates, call) in sums.iter_mut().zip(&calls) {
                let x = f32x16::splat(simd, call.input[n]);
                for (gate, weight) in gates.iter_mut().zip(weights) {
                    *gate = weight.load(simd).mul_add(x, *gate);
                }
            }
        }
        for ([input, forget, candidate, out], call) in sums.into_iter().zip(calls) {
            let cell = &mut call.cell[group * LANES..][..LANES];
            let kept = sigmoid(simd, forget) * f32x16::from_slice(simd, cell);
            let next = sigmoid(simd, input).mul_add(tanh(simd, candidate), kept);
            next.store_slice(cell);
            let output = &mut call.output[group * LANES..][..LANES];
            (sigmoid(simd, out) * tanh(simd, next)).store_slice(output);
        }
    }
}

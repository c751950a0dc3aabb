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

    /// One step of one group: renews its part of `cell` and gives the units' `output` for `input`, which
    /// is the inputs followed by the output of the step before.
    #[inline(always)]
    pub(super) fn run<S: Simd>(
        &self,
        simd: S,
        group: usize,
        input: &[f32; 2 * UNITS],
        cell: &mut [f32; UNITS],
        output: &mut [f32; UNITS],
    ) {
        let weights = &self.weights[group * 2 * UNITS..][..2 * UNITS];
        let cell = &mut cell[group * LANES..][..LANES];
        let bias = &self.bias[group];
        let mut gates: [f32x16<S>; GATES] = std::array::from_fn(|gate| bias[gate].load(simd));
        for (weights, x) in weights.iter().zip(input) {
            let x = f32x16::splat(simd, *x);
            for (gate, weight) in gates.iter_mut().zip(weights) {
                *gate = weight.load(simd).mul_add(x, *gate);
            }
        }
        let [input, forget, candidate, out] = gates;
        let kept = sigmoid(simd, forget) * f32x16::from_slice(simd, cell);
        let next = sigmoid(simd, input).mul_add(tanh(simd, candidate), kept);
        next.store_slice(cell);
        let output = &mut output[group * LANES..][..LANES];
        (sigmoid(simd, out) * tanh(simd, next)).store_slice(output);
    }
}

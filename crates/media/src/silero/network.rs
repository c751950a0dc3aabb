//! The network: its layers, their weights, and what flows between them.

use std::sync::LazyLock;

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x16};
use zeroize::Zeroize;

use super::convolution::Convolution;
use super::lstm::{Lstm, Step, UNITS};
use super::math::{LANES, sigmoid};
use super::spectrum::Transform;
use super::{Rate, Silero};

/// Spectra of a frame.
pub(super) const FRAMES: usize = 4;
/// Bins of a spectrum at 16 kHz; at 8 kHz the upper half stays zero.
pub(super) const BINS: usize = 129;

/// What one call's detector holds between the layers, and the LSTM's state.
#[derive(Zeroize)]
pub(super) struct Activations {
    pub(super) magnitudes: [[f32; BINS]; FRAMES],
    first: [[f32; 128]; 4],
    second: [[f32; 64]; 2],
    third: [[f32; 64]; 1],
    fourth: [[f32; UNITS]; 1],
    /// The LSTM's inputs and, behind them, its last output.
    joined: [f32; 2 * UNITS],
    cell: [f32; UNITS],
    output: [f32; UNITS],
}

impl Default for Activations {
    fn default() -> Self {
        Self {
            magnitudes: [[0.0; BINS]; FRAMES],
            first: [[0.0; 128]; 4],
            second: [[0.0; 64]; 2],
            third: [[0.0; 64]; 1],
            fourth: [[0.0; UNITS]; 1],
            joined: [0.0; 2 * UNITS],
            cell: [0.0; UNITS],
            output: [0.0; UNITS],
        }
    }
}

/// The weights of one rate. Blocks are such that the sums of every layer fill
/// eight vector registers of 256 bits.
pub(super) struct Network {
    pub(super) transform: Transform,
    first: First,
    second: Second,
    third: Third,
    fourth: Fourth,
    lstm: Lstm,
    weights: [f32; UNITS],
    bias: f32,
}

impl Network {
    /// The network of a rate, unpacked when first asked for.
    pub(super) fn shared(rate: Rate) -> &'static Self {
        static NARROW: LazyLock<Network> = LazyLock::new(|| {
            Network::new(
                BINS.div_ceil(2),
                include_bytes!("weights/encoder-8k.f32"),
                include_bytes!("weights/decoder-8k.f32"),
            )
        });
        static WIDE: LazyLock<Network> = LazyLock::new(|| {
            Network::new(
                BINS,
                include_bytes!("weights/encoder-16k.f32"),
                include_bytes!("weights/decoder-16k.f32"),
            )
        });
        match rate {
            Rate::Hz8000 => &NARROW,
            Rate::Hz16000 => &WIDE,
        }
    }

    /// From the files in `weights/`, whose order its README gives.
    fn new(bins: usize, encoder: &[u8], decoder: &[u8]) -> Self {
        let (mut encoder, mut decoder) = (Tensors::new(encoder), Tensors::new(decoder));
        Self {
            transform: Transform::new(2 * (bins - 1)),
            first: First(encoder.convolution(bins, 128)),
            second: Second(encoder.convolution(128, 64)),
            third: Third(encoder.convolution(64, 64)),
            fourth: Fourth(encoder.convolution(64, UNITS)),
            lstm: Lstm::new(
                [
                    decoder.take(4 * UNITS * UNITS),
                    decoder.take(4 * UNITS * UNITS),
                ]
                .each_ref()
                .map(|x| &x[..]),
                [decoder.take(4 * UNITS), decoder.take(4 * UNITS)]
                    .each_ref()
                    .map(|x| &x[..]),
            ),
            weights: decoder.take(UNITS).try_into().expect("as many as taken"),
            bias: decoder.take(1)[0],
        }
    }

    /// The probability of speech for the frames whose magnitudes are in place. The weights
    /// of a few outputs are used for all calls before those of the next are read.
    #[inline(always)]
    pub(super) fn run<S: Simd>(&self, simd: S, calls: &mut [Option<&mut Silero>]) {
        pass(simd, &self.first, calls);
        pass(simd, &self.second, calls);
        pass(simd, &self.third, calls);
        pass(simd, &self.fourth, calls);
        for call in calls.iter_mut().flatten() {
            let flow = &mut *call.activations;
            flow.joined[..UNITS].copy_from_slice(&flow.fourth[0]);
        }
        pass(simd, &self.lstm, calls);
        for call in calls.iter_mut().flatten() {
            let flow = &mut *call.activations;
            flow.joined[UNITS..].copy_from_slice(&flow.output);
            call.probability = self.probability(simd, &flow.output);
        }
    }

    #[inline(always)]
    fn probability<S: Simd>(&self, simd: S, output: &[f32; UNITS]) -> f32 {
        let zero = f32x16::splat(simd, 0.0);
        let mut sum = zero;
        for (x, weights) in output
            .chunks_exact(LANES)
            .zip(self.weights.chunks_exact(LANES))
        {
            let x = f32x16::from_slice(simd, x).max(zero);
            sum = x.mul_add(f32x16::from_slice(simd, weights), sum);
        }
        let total = sum.as_slice().iter().sum::<f32>() + self.bias;
        sigmoid(simd, f32x16::splat(simd, total))[0]
    }
}

/// One layer of the network, a block of outputs at a time.
trait Layer {
    fn blocks(&self) -> usize;

    fn run<S: Simd, const CALLS: usize>(
        &self,
        simd: S,
        block: usize,
        flows: [&mut Activations; CALLS],
    );
}

macro_rules! convolution {
    ($layer:ident, $block:literal, $from:ident, $to:ident) => {
        struct $layer(Convolution<$block>);

        impl Layer for $layer {
            fn blocks(&self) -> usize {
                self.0.blocks()
            }

            #[inline(always)]
            fn run<S: Simd, const CALLS: usize>(
                &self,
                simd: S,
                block: usize,
                flows: [&mut Activations; CALLS],
            ) {
                let flows = flows.map(|flow| (&flow.$from, &mut flow.$to));
                self.0.run(simd, block, flows);
            }
        }
    };
}

convolution!(First, 1, magnitudes, first);
convolution!(Second, 2, first, second);
convolution!(Third, 4, second, third);
convolution!(Fourth, 4, third, fourth);

impl Layer for Lstm {
    fn blocks(&self) -> usize {
        self.groups()
    }

    #[inline(always)]
    fn run<S: Simd, const CALLS: usize>(
        &self,
        simd: S,
        block: usize,
        flows: [&mut Activations; CALLS],
    ) {
        let steps = flows.map(|flow| Step {
            input: &flow.joined,
            cell: &mut flow.cell,
            output: &mut flow.output,
        });
        self.step(simd, block, steps);
    }
}

/// Runs a layer for all calls, four at once where there are registers for their sums: one
/// call's alone are too few to keep the multipliers busy.
#[inline(always)]
fn pass<S: Simd>(simd: S, layer: &impl Layer, calls: &mut [Option<&mut Silero>]) {
    for block in 0..layer.blocks() {
        for calls in calls.chunks_mut(4) {
            if let [Some(a), Some(b), Some(c), Some(d)] = calls
                && <S::f32s as SimdBase<S>>::LEN >= LANES
            {
                let flows = [a, b, c, d].map(|call| &mut *call.activations);
                layer.run(simd, block, flows);
                continue;
            }
            for call in calls.iter_mut().flatten() {
                layer.run(simd, block, [&mut *call.activations]);
            }
        }
    }
}

/// Reads tensors one after another.
struct Tensors(std::vec::IntoIter<f32>);

impl Tensors {
    fn new(bytes: &[u8]) -> Self {
        let (values, _) = bytes.as_chunks();
        let values: Vec<f32> = values
            .iter()
            .map(|value| f32::from_le_bytes(*value))
            .collect();
        Self(values.into_iter())
    }

    fn take(&mut self, count: usize) -> Vec<f32> {
        self.0.by_ref().take(count).collect()
    }

    fn convolution<const BLOCK: usize>(
        &mut self,
        inputs: usize,
        outputs: usize,
    ) -> Convolution<BLOCK> {
        let weights = self.take(outputs * inputs * 3);
        Convolution::new(inputs, &weights, &self.take(outputs))
    }
}

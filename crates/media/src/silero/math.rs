//! Sixteen lanes at a time: vectors in memory and the LSTM's two curves.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x16};

/// Width of the kernels' vectors; a CPU's own are a half, a quarter or the same.
pub(super) const LANES: usize = 16;

/// A vector in memory, on a cache line of its own.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
pub(super) struct Lanes(pub(super) [f32; LANES]);

impl Lanes {
    #[inline(always)]
    pub(super) fn load<S: Simd>(&self, simd: S) -> f32x16<S> {
        f32x16::load_array_ref(simd, &self.0)
    }
}

/// 1 / (1 + e⁻ˣ), to within 1e-6.
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(simd: S, x: f32x16<S>) -> f32x16<S> {
    // Beyond 40 it is 0 or 1 in single precision, and the power would overflow.
    let x = x
        .max(f32x16::splat(simd, -40.0))
        .min(f32x16::splat(simd, 40.0));
    let one = f32x16::splat(simd, 1.0);
    one / (one + exp(simd, -x))
}

/// Hyperbolic tangent, to within 1e-6.
#[inline(always)]
pub(super) fn tanh<S: Simd>(simd: S, x: f32x16<S>) -> f32x16<S> {
    sigmoid(simd, x + x) * 2.0 - 1.0
}

/// e to the power of x for |x| ≤ 80: 2ⁿ times the series of what is left.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: f32x16<S>) -> f32x16<S> {
    const SERIES: [f32; 7] = [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ];
    let splat = |value| f32x16::splat(simd, value);
    // Adding 1.5·2²³ leaves the rounded sum in the lowest bits of the mantissa.
    let shift = splat(12_582_912.0);
    let shifted = x.mul_add(splat(std::f32::consts::LOG2_E), shift);
    let rest = (shifted - shift).mul_add(splat(-std::f32::consts::LN_2), x);
    let [first, others @ ..] = SERIES;
    let sum = others
        .into_iter()
        .fold(splat(first), |sum, term| sum.mul_add(rest, splat(term)));
    let power = f32x16::from_bits((shifted.to_bits() << 23) + 0x3f80_0000);
    sum * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use fearless_simd::dispatch;

    #[test]
    fn curves_are_right_to_the_sixth_digit() {
        for level in crate::lanes::levels() {
            for step in -4800i16..=4800 {
                let x = f32::from(step) / 40.0;
                let (s, t) = dispatch!(level, simd => {
                    let x = f32x16::splat(simd, x);
                    (sigmoid(simd, x)[0], tanh(simd, x)[7])
                });
                let x = f64::from(x);
                let right = (1.0 / (1.0 + (-x).exp()), x.tanh());
                assert!((f64::from(s) - right.0).abs() < 1e-6, "σ({x}) = {s}");
                assert!((f64::from(t) - right.1).abs() < 1e-6, "tanh({x}) = {t}");
            }
        }
    }
}

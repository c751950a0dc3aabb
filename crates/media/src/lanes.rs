//! Sums in eight lanes: in one, each addition would wait for the one before, and no
//! vector unit could be used. Inlined, so that they are made of the vector instructions
//! that whoever calls them was compiled for.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f32x16};

const LANES: usize = 8;
/// Sums that [`products`] makes at once.
pub(crate) const PRODUCTS: usize = 16;
/// Chains of additions that don't wait for each other.
const CHAINS: usize = 4;

/// Sum of products; what one is longer than the other is left out.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let len = a.len().min(b.len());
    let (a, a_rest) = a[..len].as_chunks::<LANES>();
    let (b, b_rest) = b[..len].as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>();
    sums.iter().sum::<f32>() + rest
}

/// Sum.
#[inline(always)]
pub(crate) fn sum(samples: &[f32]) -> f32 {
    let (chunks, rest) = samples.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += chunk[lane];
        }
    }
    sums.iter().chain(rest).sum()
}

/// Sum of squares.
#[inline(always)]
pub(crate) fn energy(samples: &[f32]) -> f32 {
    dot(samples, samples)
}

/// The least value, infinity if there is none.
pub(crate) fn least(values: &[f32]) -> f32 {
    let less = |a: f32, b: f32| if b < a { b } else { a };
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut least = [f32::INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            least[lane] = less(least[lane], chunk[lane]);
        }
    }
    let all = least.iter().chain(rest).copied();
    all.fold(f32::INFINITY, less)
}

/// Sums of products of `signal` (of a multiple of four samples) with `other`, shifted by
/// each lane's number.
#[inline(always)]
pub(crate) fn products<S: Simd>(simd: S, signal: &[f32], other: &[f32]) -> f32x16<S> {
    let mut sums = [f32x16::splat(simd, 0.0); CHAINS];
    let (chunks, _) = signal.as_chunks::<CHAINS>();
    for (n, chunk) in chunks.iter().enumerate() {
        for (chain, (sum, x)) in sums.iter_mut().zip(chunk).enumerate() {
            let shifted = &other[n * CHAINS + chain..][..PRODUCTS];
            *sum = f32x16::from_slice(simd, shifted).mul_add(*x, *sum);
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// The kernels' form without vectors, that of the least vector unit of this architecture
/// (SSE2, NEON), and those of the wider ones this CPU has.
#[cfg(test)]
pub(crate) fn levels() -> Vec<fearless_simd::Level> {
    use fearless_simd::Level;

    let mut levels = vec![Level::fallback(), Level::baseline(), Level::new()];
    #[cfg(target_arch = "x86_64")]
    levels.extend(Level::new().as_avx2().map(Level::Avx2));
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_and_rest_are_counted_once() {
        for len in 0..40 {
            let values: Vec<f32> = (1..=len).map(|n| n as f32).collect();
            let squares = (1..=len).map(|n| n * n).sum::<i32>() as f32;
            assert_eq!(energy(&values), squares);
            assert_eq!(sum(&values), values.iter().sum::<f32>());
            assert_eq!(dot(&values, &[2.0; 64]), values.iter().sum::<f32>() * 2.0);
        }
    }

    #[test]
    fn the_least_is_found_anywhere() {
        assert_eq!(least(&[]), f32::INFINITY);
        for len in 1..20 {
            for at in 0..len {
                let mut values = vec![3.0; len];
                values[at] = -1.0;
                assert_eq!(least(&values), -1.0);
            }
        }
    }
}

//! From audio at 8, 16 or 48 kHz to the DTMF band as a slow complex signal.
//!
//! One linear-phase band-pass (600–1 750 Hz) does everything at once: it takes
//! hum and dial tone away, makes the signal analytic and lowers its rate to
//! 1 600 Hz. The band is narrower than that rate, so that its frequencies stay
//! apart: a tone of f Hz turns by 2π·f/1600 per sample.

use std::f64::consts::{PI, SQRT_2, TAU};

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x8};
use zeroize::Zeroize;

/// Rate of the complex signal in Hz.
pub(super) const BASE_RATE: u32 = 1_600;
/// Length of the filters: a compromise between the 229 Hz from dial tone to the
/// lowest DTMF tone (longer) and the sharpness of a tone's edges (shorter).
const FILTER_MS: u32 = 9;
/// Middle of the DTMF band with its tolerance, 684–1 663 Hz.
const CENTRE_HZ: f64 = 1_173.0;
/// Half of the band-pass' width, to the −6 dB points.
const HALF_BAND_HZ: f64 = 600.0;
/// Kaiser window's shape: 37 dB of stop-band attenuation.
const BETA: f64 = 2.9;
/// Louder than eight times full scale is not audio.
const ABSURD: f32 = 8.0;
/// Baseband samples made before the buffer is shifted.
const BATCH: usize = 64;
/// Audio kept behind a slice's middle: the stretch a fit looks at.
pub(super) const PAST_MS: u32 = 30;

/// What there was around one baseband sample.
#[derive(Clone, Copy, Default)]
pub(super) struct Slice {
    /// The DTMF band, real part; a sine's power A²/2 is its |z|².
    pub(super) re: f32,
    /// Its imaginary part.
    pub(super) im: f32,
    /// Power of everything.
    pub(super) all: f32,
}

pub(super) struct FrontEnd {
    band_re: Box<[f32]>,
    band_im: Box<[f32]>,
    buffer: Box<[f32]>,
    filled: usize,
    /// Where the next slice's audio begins: behind the past.
    at: usize,
    /// Samples of [`PAST_MS`].
    past: usize,
    /// Input samples per baseband sample.
    step: usize,
    level: Level,
}

impl FrontEnd {
    /// For a rate that is a multiple of [`BASE_RATE`].
    pub(super) fn new(rate: u32, level: Level) -> Self {
        let length = (rate * FILTER_MS / 1000) as usize;
        let step = (rate / BASE_RATE) as usize;
        let band = lowpass(length, HALF_BAND_HZ / f64::from(rate));
        let turn = |n: usize| TAU * CENTRE_HZ / f64::from(rate) * (length - 1 - n) as f64;
        let band_tap = |part: fn(f64) -> f64| -> Box<[f32]> {
            (0..length)
                .map(|n| (SQRT_2 * band[n] * part(turn(n))) as f32)
                .collect()
        };
        let past = (rate * PAST_MS / 1000) as usize;
        Self {
            band_re: band_tap(f64::cos),
            band_im: band_tap(f64::sin),
            buffer: vec![0.0; past + length + BATCH * step].into(),
            // So that the first sample's middle is the first input sample.
            filled: past + length / 2,
            at: past,
            past,
            step,
            level,
        }
    }

    /// Rate of the audio in Hz.
    pub(super) fn rate(&self) -> u32 {
        self.step as u32 * BASE_RATE
    }

    /// Takes samples of any number; what is not finite or absurdly loud counts
    /// as silence. Gives each slice, and the audio of [`PAST_MS`] before its middle.
    pub(super) fn push(&mut self, mut samples: &[f32], sink: &mut impl FnMut(Slice, &[f32])) {
        while !samples.is_empty() {
            let room = self.buffer.len() - self.filled;
            let (now, rest) = samples.split_at(room.min(samples.len()));
            let space = &mut self.buffer[self.filled..self.filled + now.len()];
            for (place, sample) in space.iter_mut().zip(now) {
                *place = if sample.abs() <= ABSURD { *sample } else { 0.0 };
            }
            self.filled += now.len();
            samples = rest;
            self.drain(sink);
        }
    }

    fn drain(&mut self, sink: &mut impl FnMut(Slice, &[f32])) {
        let level = self.level;
        self.at = dispatch!(level, simd => self.slices(simd, sink));
        // Seldom: only when another slice's audio would not fit.
        if self.at + self.band_re.len() + self.step > self.buffer.len() {
            let begin = self.at - self.past;
            self.buffer.copy_within(begin..self.filled, 0);
            self.filled -= begin;
            self.at = self.past;
        }
    }

    /// Makes all slices the buffer holds; gives where the next one begins.
    #[inline(always)]
    fn slices<S: Simd>(&self, simd: S, sink: &mut impl FnMut(Slice, &[f32])) -> usize {
        let length = self.band_re.len();
        let mut at = self.at;
        while at + length <= self.filled {
            let input = &self.buffer[at..at + length];
            let [re, im] = dots(simd, input, [&self.band_re, &self.band_im]);
            let middle = &input[(length - self.step) / 2..][..self.step];
            let all = middle.iter().map(|x| x * x).sum::<f32>() / self.step as f32;
            let past = &self.buffer[at + length / 2 - self.past..][..self.past];
            sink(Slice { re, im, all }, past);
            at += self.step;
        }
        at
    }
}

impl Drop for FrontEnd {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

/// Sums of products with two filters; all lengths are the same multiple of 8.
#[inline(always)]
fn dots<S: Simd>(simd: S, input: &[f32], filters: [&[f32]; 2]) -> [f32; 2] {
    let mut sums = [f32x8::splat(simd, 0.0); 2];
    let taps = filters.map(|filter| filter.chunks_exact(8));
    let [re, im] = taps;
    for ((x, re), im) in input.chunks_exact(8).zip(re).zip(im) {
        let x = f32x8::from_slice(simd, x);
        sums[0] = x.mul_add(f32x8::from_slice(simd, re), sums[0]);
        sums[1] = x.mul_add(f32x8::from_slice(simd, im), sums[1]);
    }
    sums.map(|sums| sums.as_slice().iter().sum())
}

/// Kaiser-windowed low-pass with unit gain; `cutoff` in cycles per sample.
fn lowpass(length: usize, cutoff: f64) -> Vec<f64> {
    let middle = (length - 1) as f64 / 2.0;
    let mut taps: Vec<f64> = (0..length)
        .map(|n| {
            let x = n as f64 - middle;
            let sinc = if x == 0.0 {
                2.0 * cutoff
            } else {
                (TAU * cutoff * x).sin() / (PI * x)
            };
            sinc * bessel_i0(BETA * (1.0 - (x / middle).powi(2)).max(0.0).sqrt())
        })
        .collect();
    let gain: f64 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap /= gain);
    taps
}

/// Modified Bessel function of the first kind, order zero, by its series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..25 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean powers of a unit-power sine: band, all.
    fn powers(rate: u32, hz: f64) -> (f32, f32) {
        let sine: Vec<f32> = (0..rate)
            .map(|n| (SQRT_2 * (TAU * hz * f64::from(n) / f64::from(rate)).sin()) as f32)
            .collect();
        let (mut sums, mut count, mut seen) = ((0.0, 0.0), 0.0, 0);
        FrontEnd::new(rate, Level::new()).push(&sine, &mut |slice, _| {
            seen += 1;
            if seen > 32 {
                sums.0 += slice.re * slice.re + slice.im * slice.im;
                sums.1 += slice.all;
                count += 1.0;
            }
        });
        (sums.0 / count, sums.1 / count)
    }

    #[test]
    fn passes_the_band_and_takes_the_rest() {
        for rate in [8_000, 16_000, 48_000] {
            for hz in [684.0, 697.0, 941.0, 1209.0, 1633.0, 1663.0] {
                let (band, all) = powers(rate, hz);
                assert!((band - 1.0).abs() < 0.06, "{rate} {hz}: {band}");
                assert!((all - 1.0).abs() < 0.02, "{rate} {hz}: {all}");
            }
            for hz in [50.0, 100.0, 350.0, 440.0, 2_000.0, 3_000.0] {
                let (band, _) = powers(rate, hz);
                assert!(band < 1e-3, "{rate} {hz}: {band}");
            }
        }
    }

    #[test]
    fn pieces_of_any_size_make_the_same_signal() {
        let audio: Vec<f32> = (0..8000).map(|n| ((n * n) as f32 * 1e-3).sin()).collect();
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        FrontEnd::new(8000, Level::new()).push(&audio, &mut |slice, _| whole.push(slice.re));
        let mut front = FrontEnd::new(8000, Level::new());
        for piece in audio.chunks(7) {
            front.push(piece, &mut |slice, _| pieces.push(slice.re));
        }
        assert_eq!(whole, pieces);
        assert!(whole.len().abs_diff(1600) < 10);
    }
}

//! How well two steady tones explain a stretch of the DTMF band.
//!
//! Least squares over amplitude, phase and frequency of both tones
//! (Gauss–Newton from the filter bank's guess). What the tones leave over is
//! the best talk-off protection there is: speech and music have more partials,
//! and partials that move.

use std::f32::consts::TAU;
use std::ops::Range;

use fearless_simd::Simd;
use num_complex::Complex32;
use zeroize::Zeroize;

use super::front::BASE_RATE;
use super::history::Samples;

/// Samples of the stretch: 30 ms.
pub(super) const WINDOW: usize = 48;
/// Steps of refinement; the guess is some Hz off, each step squares the error.
const STEPS: usize = 3;
/// Part of the power that may be left over after one step.
const HOPELESS: f32 = 0.4;
/// A step moves a frequency by at most so much, in radians per sample (20 Hz).
const MAX_STEP: f32 = TAU * 20.0 / BASE_RATE as f32;
/// Steps smaller than this (0.2 Hz) are not worth another.
const SETTLED: f32 = TAU * 0.2 / BASE_RATE as f32;
/// Parts of the stretch whose agreement is looked at: 10 ms each.
const PARTS: usize = 3;

/// Two tones that explain a stretch best.
#[derive(Clone, Copy)]
pub(super) struct Fit {
    /// The tones, low first.
    pub(super) tones: [Tone; 2],
    /// Power of the stretch that the tones do not explain.
    pub(super) rest: f32,
    /// Of that, the power an octave above the low tone.
    pub(super) octave: f32,
}

/// One steady tone.
#[derive(Clone, Copy, Default)]
pub(super) struct Tone {
    /// Turn per sample in radians.
    pub(super) omega: f32,
    /// Amplitude and phase in the middle of the stretch; |a|² is its power.
    pub(super) amplitude: Complex32,
    /// Largest difference between a part's amplitude and the whole's, relative.
    pub(super) wobble: f32,
}

impl Tone {
    pub(super) fn hz(&self) -> f32 {
        self.omega * BASE_RATE as f32 / TAU
    }

    pub(super) fn power(&self) -> f32 {
        self.amplitude.norm_sqr()
    }
}

/// Place of sample `n` relative to the middle.
fn place(n: usize) -> f32 {
    n as f32 - (WINDOW - 1) as f32 / 2.0
}

/// Partial sums that are carried side by side, so that vector units can.
const LANES: usize = 8;

/// Complex samples in two rows.
#[derive(Clone, Copy, Zeroize)]
pub(super) struct Wave<const N: usize> {
    re: [f32; N],
    im: [f32; N],
}

impl<const N: usize> Wave<N> {
    /// A wave of unit amplitude that begins `from` samples after its phase is 0. Its first
    /// samples are made one after the other, the rest from them side by side.
    #[inline(always)]
    pub(super) fn turning(omega: f32, from: f32) -> Self {
        let (mut re, mut im) = ([0.0; N], [0.0; N]);
        let turn = Complex32::from_polar(1.0, omega);
        let mut value = Complex32::from_polar(1.0, omega * from);
        let mut leap = Complex32::ONE;
        for n in 0..LANES {
            (re[n], im[n]) = (value.re, value.im);
            value *= turn;
            leap *= turn;
        }
        for n in LANES..N {
            let (x, y) = (re[n - LANES], im[n - LANES]);
            re[n] = x * leap.re - y * leap.im;
            im[n] = x * leap.im + y * leap.re;
        }
        Self { re, im }
    }

    #[inline(always)]
    fn samples(&self) -> Samples<'_, N> {
        Samples {
            re: &self.re,
            im: &self.im,
        }
    }

    /// Sum over `range` of `samples` times the conjugate of this, each by its weight.
    #[inline(always)]
    fn correlation(
        &self,
        samples: Samples<'_, N>,
        range: Range<usize>,
        weight: impl Fn(usize) -> f32,
    ) -> Complex32 {
        let (mut re, mut im) = ([0.0f32; LANES], [0.0f32; LANES]);
        for at in range.step_by(LANES) {
            for lane in 0..LANES {
                let n = at + lane;
                let weight = weight(n);
                let (x, y) = (samples.re[n], samples.im[n]);
                re[lane] += weight * (x * self.re[n] + y * self.im[n]);
                im[lane] += weight * (y * self.re[n] - x * self.im[n]);
            }
        }
        Complex32::new(re.iter().sum(), im.iter().sum())
    }

    #[inline(always)]
    fn mean_power(&self) -> f32 {
        self.correlation(self.samples(), 0..N, |_| 1.0).re / N as f32
    }

    /// Takes away what `amplitude` times `wave` is of it.
    #[inline(always)]
    fn subtract(&mut self, amplitude: Complex32, wave: &Self) {
        for n in 0..N {
            self.re[n] -= amplitude.re * wave.re[n] - amplitude.im * wave.im[n];
            self.im[n] -= amplitude.re * wave.im[n] + amplitude.im * wave.re[n];
        }
    }

    /// How loud this wave is in `samples`.
    #[inline(always)]
    pub(super) fn amplitude(&self, samples: Samples<'_, N>) -> f32 {
        let sum = self.correlation(samples, 0..N, |_| 1.0);
        sum.norm_sqr().sqrt() / N as f32
    }
}

type Window = Wave<WINDOW>;

/// Fits two tones to `signal`, starting from two frequencies in Hz.
#[inline(always)]
pub(super) fn fit<S: Simd>(_: S, signal: Samples<'_, WINDOW>, low_hz: f32, high_hz: f32) -> Fit {
    let signal = Window {
        re: *signal.re,
        im: *signal.im,
    };
    let power = signal.mean_power();
    let turn = |hz: f32| TAU * hz / BASE_RATE as f32;
    let mut omegas = [turn(low_hz), turn(high_hz)];
    let mut step = 0;
    loop {
        // Not by `map`, which is no part of the code for this vector unit.
        let [low, high] = omegas;
        let waves = [
            Window::turning(low, place(0)),
            Window::turning(high, place(0)),
        ];
        let amplitudes = amplitudes(&signal, &waves);
        let mut rest = signal;
        rest.subtract(amplitudes[0], &waves[0]);
        rest.subtract(amplitudes[1], &waves[1]);
        // What two tones near the guess explain badly, they do not at all.
        let hopeless = step == 1 && rest.mean_power() > HOPELESS * power;
        let steps = [
            step_of(&rest, &waves[0], amplitudes[0]),
            step_of(&rest, &waves[1], amplitudes[1]),
        ];
        let there = steps[0].abs().max(steps[1].abs()) < SETTLED;
        if step == STEPS || hopeless || there {
            return finish(&rest, omegas, &waves, amplitudes);
        }
        omegas = [low + steps[0], high + steps[1]];
        step += 1;
    }
}

/// Least squares for both at once: they are not orthogonal on a short stretch.
#[inline(always)]
fn amplitudes(signal: &Window, waves: &[Window; 2]) -> [Complex32; 2] {
    let even = |_| 1.0;
    let low = waves[0].correlation(signal.samples(), 0..WINDOW, even);
    let high = waves[1].correlation(signal.samples(), 0..WINDOW, even);
    // Around the middle the imaginary parts cancel.
    let cross = waves[1].correlation(waves[0].samples(), 0..WINDOW, even).re;
    let own = WINDOW as f32;
    let determinant = own * own - cross * cross;
    if determinant < own {
        return [Complex32::ZERO; 2];
    }
    [
        (low * own - high * cross) / determinant,
        (high * own - low * cross) / determinant,
    ]
}

/// What the rest says about a tone's frequency error.
#[inline(always)]
fn step_of(rest: &Window, wave: &Window, amplitude: Complex32) -> f32 {
    const SPREAD: f32 = (WINDOW * (WINDOW * WINDOW - 1)) as f32 / 12.0;
    let lean = wave.correlation(rest.samples(), 0..WINDOW, place);
    let power = amplitude.norm_sqr().max(f32::MIN_POSITIVE);
    let step = (lean * amplitude.conj()).im / power / SPREAD;
    step.clamp(-MAX_STEP, MAX_STEP)
}

#[inline(always)]
fn finish(rest: &Window, omegas: [f32; 2], waves: &[Window; 2], amplitudes: [Complex32; 2]) -> Fit {
    let octave = Window::turning(2.0 * omegas[0], place(0));
    let octave = octave.correlation(rest.samples(), 0..WINDOW, |_| 1.0) / WINDOW as f32;
    Fit {
        tones: [
            tone(rest, omegas[0], &waves[0], amplitudes[0]),
            tone(rest, omegas[1], &waves[1], amplitudes[1]),
        ],
        rest: rest.mean_power(),
        octave: octave.norm_sqr(),
    }
}

#[inline(always)]
fn tone(rest: &Window, omega: f32, wave: &Window, amplitude: Complex32) -> Tone {
    let own = amplitude.norm_sqr().sqrt().max(f32::MIN_POSITIVE);
    Tone {
        omega,
        amplitude,
        wobble: wobble(rest, wave) / own,
    }
}

/// Largest part of the rest that is the tone itself, differently loud or
/// turned.
#[inline(always)]
fn wobble(rest: &Window, wave: &Window) -> f32 {
    let mut largest = 0.0f32;
    for part in 0..PARTS {
        let range = part * WINDOW / PARTS..(part + 1) * WINDOW / PARTS;
        let count = range.len() as f32;
        let sum = wave.correlation(rest.samples(), range, |_| 1.0);
        largest = largest.max(sum.norm_sqr().sqrt() / count);
    }
    largest
}

#[cfg(test)]
mod tests {
    use fearless_simd::{Level, dispatch};

    use super::*;

    fn signal(tones: &[(f32, f32)]) -> [Complex32; WINDOW] {
        std::array::from_fn(|n| {
            let tone = |(hz, amplitude): &(f32, f32)| {
                let turn = TAU * hz / BASE_RATE as f32 * place(n);
                Complex32::from_polar(*amplitude, turn + hz * 0.1)
            };
            tones.iter().map(tone).sum()
        })
    }

    fn fit(signal: &[Complex32; WINDOW], low_hz: f32, high_hz: f32) -> Fit {
        let rows = (signal.map(|x| x.re), signal.map(|x| x.im));
        let rows = Samples {
            re: &rows.0,
            im: &rows.1,
        };
        let of = |level: Level| dispatch!(level, simd => super::fit(simd, rows, low_hz, high_hz));
        let native = of(Level::new());
        for other in crate::lanes::levels().into_iter().map(of) {
            for (a, b) in native.tones.iter().zip(&other.tones) {
                assert!((a.hz() - b.hz()).abs() < 0.1 || !a.hz().is_finite());
            }
        }
        native
    }

    #[test]
    fn finds_frequencies_and_levels() {
        for (low, high, twist) in [
            (697.0, 1209.0, 1.0),
            (958.0, 1187.0, 0.4),
            (684.5, 1662.0, 2.5),
        ] {
            let signal = signal(&[(low, 0.1), (high, 0.1 * twist)]);
            let fit = fit(&signal, low + 12.0, high - 15.0);
            assert!(
                (fit.tones[0].hz() - low).abs() < 0.5,
                "{}",
                fit.tones[0].hz()
            );
            assert!(
                (fit.tones[1].hz() - high).abs() < 0.5,
                "{}",
                fit.tones[1].hz()
            );
            let ratio = (fit.tones[1].power() / fit.tones[0].power()).sqrt();
            assert!((ratio / twist - 1.0).abs() < 0.02);
            assert!(fit.rest < 1e-5);
        }
    }

    #[test]
    fn a_third_tone_is_left_over() {
        let signal = signal(&[(697.0, 0.1), (1209.0, 0.1), (1000.0, 0.05)]);
        let fit = fit(&signal, 697.0, 1209.0);
        assert!((fit.rest / 0.0025 - 1.0).abs() < 0.3, "{}", fit.rest);
    }

    #[test]
    fn silence_and_garbage_give_numbers() {
        for value in [0.0, 1e-30, 1e10] {
            let fit = fit(&[Complex32::new(value, -value); WINDOW], 770.0, 1336.0);
            assert!(fit.rest.is_finite() && fit.tones.iter().all(|t| t.hz().is_finite()));
        }
    }
}

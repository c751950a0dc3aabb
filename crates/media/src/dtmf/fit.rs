//! How well two steady tones explain a stretch of the DTMF band.
//!
//! Least squares over amplitude, phase and frequency of both tones
//! (Gauss–Newton from the filter bank's guess). What the tones leave over is
//! the best talk-off protection there is: speech and music have more partials,
//! and partials that move.

use std::f32::consts::TAU;

use num_complex::Complex32;

use super::front::BASE_RATE;

/// Samples of the stretch: 30 ms.
pub(super) const WINDOW: usize = 48;
/// Steps of refinement; the guess is some Hz off, each step squares the error.
const STEPS: usize = 3;
/// Part of the power that may be left over after one step.
const HOPELESS: f32 = 0.4;
/// A step moves a frequency by at most so much, in radians per sample (20 Hz).
const MAX_STEP: f32 = TAU * 20.0 / BASE_RATE as f32;
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

type Wave = [Complex32; WINDOW];

/// Samples of a wave made one after the other; the rest follow from them side
/// by side, which doesn't wait for each product.
const SEEDS: usize = 8;

/// A wave of unit amplitude that begins `from` samples after its phase is 0.
pub(super) fn wave<const N: usize>(omega: f32, from: f32) -> [Complex32; N] {
    let mut wave = [Complex32::ZERO; N];
    let turn = Complex32::from_polar(1.0, omega);
    let mut value = Complex32::from_polar(1.0, omega * from);
    for sample in wave.iter_mut().take(SEEDS) {
        *sample = value;
        value *= turn;
    }
    let turn = Complex32::from_polar(1.0, omega * SEEDS as f32);
    for n in SEEDS..N {
        wave[n] = wave[n - SEEDS] * turn;
    }
    wave
}

/// Fits two tones to `signal`, starting from two frequencies in Hz.
pub(super) fn fit(signal: &[Complex32; WINDOW], low_hz: f32, high_hz: f32) -> Fit {
    let mut omegas = [low_hz, high_hz].map(|hz| TAU * hz / BASE_RATE as f32);
    let mut rest = *signal;
    for step in 0.. {
        let waves = omegas.map(|omega| wave::<WINDOW>(omega, place(0)));
        let amplitudes = amplitudes(signal, &waves);
        rest = leftover(signal, &waves, amplitudes);
        // What two tones near the guess explain badly, they do not at all.
        let hopeless = step == 1 && mean_power(&rest) > HOPELESS * mean_power(signal);
        if step == STEPS || hopeless {
            return finish(&rest, omegas, &waves, amplitudes);
        }
        for tone in 0..2 {
            omegas[tone] += step_of(&rest, &waves[tone], amplitudes[tone]);
        }
    }
    Fit {
        tones: [Tone::default(); 2],
        rest: mean_power(&rest),
        octave: 0.0,
    }
}

fn mean_power(signal: &Wave) -> f32 {
    signal.iter().map(Complex32::norm_sqr).sum::<f32>() / WINDOW as f32
}

/// Least squares for both at once: they are not orthogonal on a short stretch.
fn amplitudes(signal: &Wave, waves: &[Wave; 2]) -> [Complex32; 2] {
    let mut sums = [Complex32::ZERO; 2];
    let mut cross = 0.0;
    for n in 0..WINDOW {
        sums[0] += signal[n] * waves[0][n].conj();
        sums[1] += signal[n] * waves[1][n].conj();
        // Around the middle the imaginary parts cancel.
        cross += (waves[0][n] * waves[1][n].conj()).re;
    }
    let own = WINDOW as f32;
    let determinant = own * own - cross * cross;
    if determinant < own {
        return [Complex32::ZERO; 2];
    }
    [
        (sums[0] * own - sums[1] * cross) / determinant,
        (sums[1] * own - sums[0] * cross) / determinant,
    ]
}

fn leftover(signal: &Wave, waves: &[Wave; 2], amplitudes: [Complex32; 2]) -> Wave {
    let mut rest = *signal;
    for (n, sample) in rest.iter_mut().enumerate() {
        *sample -= amplitudes[0] * waves[0][n] + amplitudes[1] * waves[1][n];
    }
    rest
}

/// What the rest says about a tone's frequency error.
fn step_of(rest: &Wave, wave: &Wave, amplitude: Complex32) -> f32 {
    const SPREAD: f32 = (WINDOW * (WINDOW * WINDOW - 1)) as f32 / 12.0;
    let mut lean = Complex32::ZERO;
    for n in 0..WINDOW {
        lean += rest[n] * wave[n].conj() * place(n);
    }
    let power = amplitude.norm_sqr().max(f32::MIN_POSITIVE);
    let step = (lean * amplitude.conj()).im / power / SPREAD;
    step.clamp(-MAX_STEP, MAX_STEP)
}

fn finish(rest: &Wave, omegas: [f32; 2], waves: &[Wave; 2], amplitudes: [Complex32; 2]) -> Fit {
    let tone = |which: usize| {
        let amplitude = amplitudes[which];
        Tone {
            omega: omegas[which],
            amplitude,
            wobble: wobble(rest, &waves[which]) / amplitude.norm().max(f32::MIN_POSITIVE),
        }
    };
    Fit {
        tones: [tone(0), tone(1)],
        rest: mean_power(rest),
        octave: power_at(rest, 2.0 * omegas[0]),
    }
}

/// Power of a steady tone in the rest.
fn power_at(rest: &Wave, omega: f32) -> f32 {
    let wave = wave::<WINDOW>(omega, place(0));
    let products = rest.iter().zip(wave).map(|(x, wave)| x * wave.conj());
    (products.sum::<Complex32>() / WINDOW as f32).norm_sqr()
}

/// Largest part of the rest that is the tone itself, differently loud or
/// turned.
fn wobble(rest: &Wave, wave: &Wave) -> f32 {
    let mut largest = 0.0f32;
    for part in 0..PARTS {
        let range = part * WINDOW / PARTS..(part + 1) * WINDOW / PARTS;
        let count = range.len() as f32;
        let sum: Complex32 = range.map(|n| rest[n] * wave[n].conj()).sum();
        largest = largest.max(sum.norm() / count);
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(tones: &[(f32, f32)]) -> Wave {
        let mut signal = [Complex32::ZERO; WINDOW];
        for (hz, amplitude) in tones {
            let wave = wave::<WINDOW>(TAU * hz / BASE_RATE as f32, place(0));
            for (sample, value) in signal.iter_mut().zip(wave) {
                *sample += value * Complex32::from_polar(*amplitude, hz * 0.1);
            }
        }
        signal
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

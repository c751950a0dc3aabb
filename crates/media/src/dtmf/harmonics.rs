//! Whether two tones have overtones, as notes of instruments have and keys have not: what
//! a telephone sends besides the two tones is 20 dB below them (ETSI ES 201 235-2).

use std::f32::consts::TAU;

use num_complex::Complex32;

use super::fit::Fit;

/// Overtones an octave above may have so much of the tones' power: −17 dB. White noise as
/// loud as 4 dB below the tones has −25 dB there.
const MAX_OCTAVE: f32 = 0.02;
/// Up to here an octave above the low tone lies within the DTMF band, where the other
/// tone is near and the fit tells.
const BAND_HZ: f32 = 1_720.0;

/// Whether `fit`'s tones are notes, by the audio it was made from.
#[inline(always)]
pub(super) fn rings(fit: &Fit, audio: &[f32], rate: u32) -> bool {
    let [low, high] = &fit.tones;
    let max = MAX_OCTAVE * (low.power() + high.power());
    let above = |hz: f32| power_at(audio, 2.0 * hz / rate as f32);
    let first = match 2.0 * low.hz() < BAND_HZ {
        true => fit.octave,
        false => above(low.hz()),
    };
    first > max || above(high.hz()) > max
}

/// Samples that are looked at side by side, so that none waits for the one before.
const LANES: usize = 8;

/// Power (A²/2) of a tone of `turns` per sample; a last piece that is no whole one is left out.
#[inline(always)]
fn power_at(audio: &[f32], turns: f32) -> f32 {
    let angle = -TAU * turns;
    let leap = Complex32::from_polar(1.0, angle * LANES as f32);
    let (mut re, mut im) = ([0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        (im[lane], re[lane]) = (angle * lane as f32).sin_cos();
    }
    let (mut sum_re, mut sum_im) = ([0.0f32; LANES], [0.0f32; LANES]);
    let (pieces, _) = audio.as_chunks::<LANES>();
    for piece in pieces {
        for lane in 0..LANES {
            sum_re[lane] += re[lane] * piece[lane];
            sum_im[lane] += im[lane] * piece[lane];
            let (x, y) = (re[lane], im[lane]);
            re[lane] = x * leap.re - y * leap.im;
            im[lane] = x * leap.im + y * leap.re;
        }
    }
    let sum = Complex32::new(sum_re.iter().sum(), sum_im.iter().sum());
    2.0 * (sum / audio.len() as f32).norm_sqr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::{Detector, Rate};

    /// Keys heard in 200 ms of two tones, each with an octave above it.
    fn keys(rate: Rate, tones: [f32; 2], octaves: [f32; 2]) -> usize {
        let hz = rate.hz() as f32;
        let audio: Vec<f32> = (0..rate.hz() / 5)
            .map(|n| {
                let voice = |tone: f32, octave: f32| {
                    let angle = TAU * tone * n as f32 / hz;
                    0.1 * (angle.sin() + octave * (2.0 * angle).cos())
                };
                voice(tones[0], octaves[0]) + voice(tones[1], octaves[1])
            })
            .collect();
        let (mut detector, mut keys) = (Detector::new(rate), 0);
        let silence = vec![0.0; rate.hz() as usize / 10];
        for piece in [&silence, &audio, &silence] {
            detector.push(piece, &mut |_| keys += 1);
        }
        keys / 2
    }

    #[test]
    fn notes_are_no_keys_and_keys_of_cheap_telephones_are() {
        for rate in [Rate::Hz8000, Rate::Hz16000, Rate::Hz48000] {
            for low in [697.0, 770.0, 852.0, 941.0] {
                for high in [1209.0, 1336.0, 1477.0, 1633.0] {
                    let heard = |octaves| keys(rate, [low, high], octaves);
                    let what = format!("{low} + {high} Hz at {rate:?}");
                    assert_eq!(heard([0.0, 0.0]), 1, "{what}");
                    assert_eq!(heard([0.1, 0.1]), 1, "−20 dB of {what}");
                    assert_eq!(heard([0.35, 0.0]), 0, "low overtone of {what}");
                    assert_eq!(heard([0.0, 0.35]), 0, "high overtone of {what}");
                }
            }
        }
    }

    #[test]
    fn power_is_that_of_a_sine() {
        let sine: Vec<f32> = (0..240)
            .map(|n| 0.5 * (TAU * 0.25 * n as f32).sin())
            .collect();
        assert!((power_at(&sine, 0.25) - 0.125).abs() < 1e-3);
        assert!(power_at(&sine, 0.3) < 1e-3);
    }
}

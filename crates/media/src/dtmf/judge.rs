//! Whether two fitted tones are a key.

use super::bank::Power;
use super::fit::{Fit, Tone};
use super::floor::Floor;
use crate::event::Digit;
use crate::tone::{HIGH_GROUP, LOW_GROUP, digit_at};

/// Q.24 asks to accept ±1.8 % and to reject ±3.5 %.
const MAX_OFFSET: f32 = 0.024;
/// Power of the stronger tone at −48 dBm0.
const MIN_POWER: f32 = 3.8e-6;
/// Largest difference of the tones' levels: a power ratio of 9.5 dB.
const MAX_TWIST: f32 = 8.9;
/// How much the tones may leave over of the DTMF band, relative to them, in
/// quiet and in noise.
const MAX_REST: f32 = 0.05;
const MAX_NOISY_REST: f32 = 0.3;
/// The same relative to the weaker tone.
const MAX_REST_OF_WEAKER: f32 = 0.7;
/// How much there may be outside of the band, relative to the tones, in quiet.
const MAX_OTHER: f32 = 0.2;
/// What goes on under a digit is at most so many times the least that was.
const NOISE_SPREAD: f32 = 3.0;
/// The tones are at least so many times what was before.
const MIN_RISE: f32 = 3.0;
/// Largest change of a tone within the 30 ms.
const MAX_WOBBLE: f32 = 0.4;

/// The key of two tones, if they are one.
pub(super) fn digit(fit: &Fit, power: Power, floor: &Floor) -> Option<Digit> {
    let [low, high] = &fit.tones;
    let row = nearest(low, &LOW_GROUP)?;
    let column = nearest(high, &HIGH_GROUP)?;
    let (weaker, stronger) = match low.power() < high.power() {
        true => (low.power(), high.power()),
        false => (high.power(), low.power()),
    };
    if stronger < MIN_POWER || stronger > weaker * MAX_TWIST {
        return None;
    }
    let tones = weaker + stronger;
    let (band, all) = (floor.band(), floor.all());
    let rest = (MAX_REST * tones).max(NOISE_SPREAD * band);
    let rest = rest
        .min(MAX_NOISY_REST * tones)
        .min(MAX_REST_OF_WEAKER * weaker);
    let other = (MAX_OTHER * tones).max(NOISE_SPREAD * all);
    let steady = low.wobble.max(high.wobble) < MAX_WOBBLE;
    let heard = fit.rest < rest && power.all - tones < other && tones > MIN_RISE * band && steady;
    digit_at(row, column).filter(|_| heard)
}

fn nearest(tone: &Tone, group: &[u32; 4]) -> Option<usize> {
    group.iter().position(|hz| {
        let nominal = *hz as f32;
        (tone.hz() - nominal).abs() < MAX_OFFSET * nominal
    })
}

//! Whether two fitted tones are a key.

use super::bank::Power;
use super::fit::{Fit, Tone};
use super::floor::Floor;
use crate::event::Digit;
use crate::tone::{HIGH_GROUP, LOW_GROUP, digit_at};

/// Q.24 asks to accept ±1.8 % and to reject ±3.5 %.
const MAX_OFFSET: f32 = 0.0205;
/// In noise only keys are heard that are well within it: notes are everywhere.
const MAX_NOISY_OFFSET: f32 = 0.015;
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
/// What goes on under a digit is at most so many times the least that was, in
/// the band (few samples: it spreads) and in all.
const BAND_SPREAD: f32 = 2.5;
const SPREAD: f32 = 1.6;
/// The tones are at least so many times what was before.
const MIN_RISE: f32 = 3.0;
/// Tones whose beginning was not heard as a key's begins (a packet was lost
/// there) are one when they are nothing but that, nearly exact, and stand out.
const CERTAIN_OFFSET: f32 = 0.01;
const CERTAIN_REST: f32 = 0.12;
const CERTAIN_RISE: f32 = 10.0;
/// Largest change of a tone within the 30 ms, in quiet and in noise.
const MAX_WOBBLE: f32 = 0.3;
const MAX_NOISY_WOBBLE: f32 = 0.4;

/// What the judge says for a key.
#[derive(Clone, Copy)]
pub(super) struct Verdict {
    pub(super) digit: Digit,
    /// It is one even when its tones did not begin as a key's do.
    pub(super) certain: bool,
}

/// The key of two tones, if they may be one.
pub(super) fn judge(fit: &Fit, power: Power, floor: &Floor) -> Option<Verdict> {
    let [low, high] = &fit.tones;
    let (weaker, stronger) = match low.power() < high.power() {
        true => (low.power(), high.power()),
        false => (high.power(), low.power()),
    };
    let tones = weaker + stronger;
    if stronger < MIN_POWER || stronger > weaker * MAX_TWIST || tones < MIN_RISE * floor.band() {
        return None;
    }
    let (rest, other) = (fit.rest / tones, (power.all - tones) / tones);
    let noise = BAND_SPREAD * floor.band() / tones;
    let exact = |tone, group| nearest(tone, group, CERTAIN_OFFSET).is_some();
    let certain = rest < CERTAIN_REST
        && other < MAX_OTHER
        && tones > CERTAIN_RISE * floor.band()
        && exact(low, &LOW_GROUP)
        && exact(high, &HIGH_GROUP);
    let (max_offset, max_rest, max_wobble) = match (rest < MAX_REST, certain) {
        (true, _) => (MAX_OFFSET, MAX_REST, MAX_WOBBLE),
        (false, true) => (CERTAIN_OFFSET, CERTAIN_REST, MAX_NOISY_WOBBLE),
        (false, false) => (
            MAX_NOISY_OFFSET,
            noise.min(MAX_NOISY_REST),
            MAX_NOISY_WOBBLE,
        ),
    };
    let max_other = (SPREAD * floor.all() / tones).max(MAX_OTHER);
    let alone = rest < max_rest && fit.rest < MAX_REST_OF_WEAKER * weaker && other < max_other;
    if !alone || low.wobble.max(high.wobble) > max_wobble {
        return None;
    }
    let row = nearest(low, &LOW_GROUP, max_offset)?;
    let column = nearest(high, &HIGH_GROUP, max_offset)?;
    let digit = digit_at(row, column)?;
    Some(Verdict { digit, certain })
}

fn nearest(tone: &Tone, group: &[u32; 4], max_offset: f32) -> Option<usize> {
    group.iter().position(|hz| {
        let nominal = *hz as f32;
        (tone.hz() - nominal).abs() < max_offset * nominal
    })
}

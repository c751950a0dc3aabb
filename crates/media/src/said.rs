//! What is said, as little of it as its echo is known by: sound up to 1.8 kHz, at 4 kHz.

use std::f32::consts::PI;

use zeroize::Zeroize;

use crate::lanes::dot;

/// Samples at 16 kHz for each at 4 kHz.
pub(crate) const STEP: usize = 4;
/// Samples at 4 kHz in 20 ms.
const FRAME: usize = 80;
/// Most samples at 16 kHz taken at once: 20 ms.
const MOST: usize = FRAME * STEP;
/// Length of the low-pass.
const TAPS: usize = 32;
/// Its cut-off in cycles per sample: 1 800 Hz.
const CUTOFF: f32 = 1_800.0 / 16_000.0;

/// 20 ms at 4 kHz: 16 bits a sample, the low byte first, as they travel beside a packet.
pub(crate) type Said = [[u8; 2]; FRAME];
/// 20 ms in which nothing is said.
pub(crate) const SILENT: Said = [[0; 2]; FRAME];

/// Brings 16 kHz to 4 kHz. Wiped on drop.
pub(crate) struct Slow {
    taps: [f32; TAPS],
    /// The end of what was taken before, and what is taken.
    audio: Box<[f32; TAPS + MOST]>,
}

impl Slow {
    pub(crate) fn new() -> Self {
        Self {
            taps: lowpass(),
            audio: Box::new([0.0; TAPS + MOST]),
        }
    }

    /// Takes a multiple of four samples, 20 ms at most, and writes a quarter as many.
    pub(crate) fn push(&mut self, samples: &[f32], out: &mut [f32]) {
        let len = samples.len().min(MOST);
        self.audio[TAPS..TAPS + len].copy_from_slice(&samples[..len]);
        let ends = (TAPS + STEP..=TAPS + len).step_by(STEP);
        for (slow, end) in out.iter_mut().zip(ends) {
            *slow = dot(&self.audio[end - TAPS..end], &self.taps);
        }
        self.audio.copy_within(len..len + TAPS, 0);
    }

    /// As [`push`](Self::push) for what is said, 20 ms of it; what is missing is silence.
    /// Written where it stays: no copy is left behind.
    pub(crate) fn say(&mut self, frame: &[f32], said: &mut [[u8; 2]]) {
        let (mut whole, mut slow) = ([0.0; MOST], [0.0; FRAME]);
        let len = frame.len().min(MOST);
        whole[..len].copy_from_slice(&frame[..len]);
        self.push(&whole, &mut slow);
        for (said, sample) in said.iter_mut().zip(&slow) {
            *said = ((sample * 32_767.0) as i16).to_le_bytes();
        }
        whole.zeroize();
        slow.zeroize();
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.audio.zeroize();
    }
}

/// Hann-windowed low-pass with unit gain.
fn lowpass() -> [f32; TAPS] {
    let mut taps: [f32; TAPS] = std::array::from_fn(|n| {
        let x = n as f32 - (TAPS - 1) as f32 / 2.0;
        let hann = 0.5 + 0.5 * (2.0 * PI * x / (TAPS + 1) as f32).cos();
        hann * (2.0 * PI * CUTOFF * x).sin() / (PI * x)
    });
    let gain: f32 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap /= gain);
    taps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::energy;

    fn tone(hz: f32) -> Vec<f32> {
        (0..16_000)
            .map(|n| (2.0 * PI * hz * n as f32 / 16_000.0).sin())
            .collect()
    }

    fn slow(samples: &[f32], piece: usize) -> Vec<f32> {
        let (mut slow, mut out) = (Slow::new(), vec![0.0; samples.len() / STEP]);
        for (piece, out) in samples.chunks(piece).zip(out.chunks_mut(piece / STEP)) {
            slow.push(piece, out);
        }
        out
    }

    #[test]
    fn the_low_band_is_kept_and_no_other_folds_into_it() {
        let power = |hz| energy(&slow(&tone(hz), MOST)[100..]) / 3_900.0;
        assert!((power(500.0) - 0.5).abs() < 0.01);
        assert!(power(3_000.0) < 1e-4 && power(5_000.0) < 1e-4);
    }

    #[test]
    fn pieces_of_any_length_make_the_same() {
        let tone = tone(700.0);
        assert_eq!(slow(&tone, MOST), slow(&tone, 4));
        assert_eq!(slow(&tone, MOST), slow(&tone, 256));
    }

    #[test]
    fn what_is_said_is_the_same_in_sixteen_bits() {
        let tone: Vec<f32> = tone(700.0).iter().map(|sample| 0.5 * sample).collect();
        let (mut voice, slow) = (Slow::new(), slow(&tone, MOST));
        for (frame, slow) in tone.chunks(MOST).zip(slow.chunks(FRAME)) {
            let mut said = SILENT;
            voice.say(frame, &mut said);
            for (said, slow) in said.into_iter().zip(slow) {
                assert!((f32::from(i16::from_le_bytes(said)) / 32_767.0 - slow).abs() < 1e-4);
            }
        }
        let mut nothing = [[1; 2]; FRAME];
        Slow::new().say(&[], &mut nothing);
        assert_eq!(nothing, SILENT);
    }
}

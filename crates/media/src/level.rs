//! The meter: how loud a leg is, ten times a second.

use crate::codec::RATE;

/// Samples measured at once: 100 ms.
const SPAN: u32 = RATE / 10;
/// The scale's ends in dBov (RFC 6464 §3).
const MIN: f32 = -127.0;
const MAX: f32 = 0.0;
/// Louder than eight times full scale is not audio.
const ABSURD: f32 = 8.0;

/// RMS of 16 kHz audio over spans of 100 ms.
#[derive(Default)]
pub struct Meter {
    sum: f64,
    count: u32,
}

impl Meter {
    /// A meter that has heard nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes samples of any number; hands out the level of each span in dBov
    /// (RFC 6464 §3: −127…0). What is no audio (not finite, absurdly loud)
    /// counts as silence.
    pub fn push(&mut self, mut samples: &[f32], sink: &mut impl FnMut(f32)) {
        while !samples.is_empty() {
            let room = (SPAN - self.count) as usize;
            let (now, rest) = samples.split_at(room.min(samples.len()));
            let audio = now.iter().filter(|x| x.abs() <= ABSURD);
            self.sum += audio.map(|x| f64::from(*x).powi(2)).sum::<f64>();
            self.count += now.len() as u32;
            samples = rest;
            if self.count == SPAN {
                sink(dbov(self.sum / f64::from(SPAN)));
                *self = Self::default();
            }
        }
    }
}

fn dbov(power: f64) -> f32 {
    (10.0 * power.max(1e-13).log10()).clamp(MIN.into(), MAX.into()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(samples: &[f32], piece: usize) -> Vec<f32> {
        let (mut meter, mut levels) = (Meter::new(), Vec::new());
        for piece in samples.chunks(piece) {
            meter.push(piece, &mut |level| levels.push(level));
        }
        levels
    }

    #[test]
    fn a_full_scale_sine_has_minus_three_dbov() {
        let sine: Vec<f32> = (0..16_000)
            .map(|n| (n as f32 * 0.05 * std::f32::consts::TAU).sin())
            .collect();
        for piece in [1, 160, 1601, 16_000] {
            let levels = levels(&sine, piece);
            assert_eq!(levels.len(), 10);
            assert!(levels.iter().all(|level| (level + 3.01).abs() < 0.01));
        }
    }

    #[test]
    fn the_scale_has_ends_and_garbage_is_silence() {
        let spans = [0.0, 1.0, 4.0, f32::NAN, f32::INFINITY, 1e30, 1e-3];
        let samples: Vec<f32> = spans.iter().flat_map(|x| [*x; 1600]).collect();
        let expected = [-127.0, 0.0, 0.0, -127.0, -127.0, -127.0, -60.0];
        for (level, expected) in levels(&samples, 1600).iter().zip(expected) {
            assert!((level - expected).abs() < 0.01, "{level} {expected}");
        }
    }
}

//! Makes DTMF signals (ITU-T Q.23): for tests, benchmarks, fixtures and virtual
//! callers.

use std::f64::consts::TAU;

use crate::event::Digit;

/// The low group in Hz, one per row of the keypad (Q.23).
pub const LOW_GROUP: [u32; 4] = [697, 770, 852, 941];
/// The high group in Hz, one per column (Q.23).
pub const HIGH_GROUP: [u32; 4] = [1209, 1336, 1477, 1633];

/// RMS level in dBov of a sine at 0 dBm0: full scale is +3.14 dBm0
/// (ITU-T G.711), and a full-scale sine has −3.01 dBov.
const DBOV_AT_0_DBM0: f32 = -6.15;

/// Keys by row and column.
const KEYPAD: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];

/// Row and column (each 0–3) of a digit's key.
pub fn row_and_column(digit: Digit) -> (usize, usize) {
    let key = digit.as_char();
    let place = |row: usize| KEYPAD[row].iter().position(|face| *face == key);
    (0..4)
        .find_map(|row| Some((row, place(row)?)))
        .unwrap_or((0, 0))
}

/// The digit at a row and a column; `None` when one is above 3.
pub fn digit_at(row: usize, column: usize) -> Option<Digit> {
    Digit::from_char(*KEYPAD.get(row)?.get(column)?)
}

/// Level in dBov of a sine of `dbm0`.
pub fn dbov_from_dbm0(dbm0: f32) -> f32 {
    dbm0 + DBOV_AT_0_DBM0
}

/// Peak amplitude (full scale 1) of a sine with an RMS level of `dbov`.
pub fn amplitude_from_dbov(dbov: f32) -> f32 {
    std::f32::consts::SQRT_2 * 10f32.powf(dbov / 20.0)
}

/// One key press as a signal: the tone pair, then a pause.
#[derive(Debug, Clone, Copy)]
pub struct DtmfTone {
    /// Which key.
    pub digit: Digit,
    /// Level of the stronger tone in dBm0; above about −3 both tones together
    /// exceed full scale.
    pub level_dbm0: f32,
    /// Level of the high tone over the low tone in dB.
    pub twist_db: f32,
    /// Relative error of the low tone's frequency; 0.018 is +1.8 %.
    pub low_offset: f64,
    /// Relative error of the high tone's frequency.
    pub high_offset: f64,
    /// Length of the tone in ms.
    pub duration_ms: f64,
    /// Length of the silence after it in ms.
    pub pause_ms: f64,
}

impl DtmfTone {
    /// 100 ms at −10 dBm0 each, exact frequencies, no twist, 100 ms pause.
    pub fn new(digit: Digit) -> Self {
        Self {
            digit,
            level_dbm0: -10.0,
            twist_db: 0.0,
            low_offset: 0.0,
            high_offset: 0.0,
            duration_ms: 100.0,
            pause_ms: 100.0,
        }
    }

    /// The two frequencies in Hz, low first.
    pub fn frequencies(&self) -> (f64, f64) {
        let (row, column) = row_and_column(self.digit);
        (
            f64::from(LOW_GROUP[row]) * (1.0 + self.low_offset),
            f64::from(HIGH_GROUP[column]) * (1.0 + self.high_offset),
        )
    }

    /// The two peak amplitudes (full scale 1), low first.
    pub fn amplitudes(&self) -> (f32, f32) {
        let low_db = self.level_dbm0 - self.twist_db.max(0.0);
        let high_db = self.level_dbm0 + self.twist_db.min(0.0);
        let amplitude = |dbm0| amplitude_from_dbov(dbov_from_dbm0(dbm0));
        (amplitude(low_db), amplitude(high_db))
    }

    /// Appends the tone and the pause at `rate` Hz; each part's length is
    /// rounded to a sample.
    pub fn write(&self, rate: u32, out: &mut Vec<f32>) {
        let ((low_hz, high_hz), (low, high)) = (self.frequencies(), self.amplitudes());
        let samples = |ms: f64| (ms * f64::from(rate) / 1000.0).round() as usize;
        let wave = |hz: f64, n: usize| (TAU * hz * n as f64 / f64::from(rate)).sin() as f32;
        out.extend(
            (0..samples(self.duration_ms)).map(|n| low * wave(low_hz, n) + high * wave(high_hz, n)),
        );
        out.resize(out.len() + samples(self.pause_ms), 0.0);
    }
}

/// Key presses one after the other, all alike but for the digit; characters
/// that are no key are left out.
pub fn dial(rate: u32, keys: &str, like: &DtmfTone) -> Vec<f32> {
    let mut out = Vec::new();
    for digit in keys.chars().filter_map(Digit::from_char) {
        DtmfTone { digit, ..*like }.write(rate, &mut out);
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rms_dbov(samples: &[f32]) -> f32 {
        let power = samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32;
        10.0 * power.log10()
    }

    #[test]
    fn keypad_and_digits_agree() {
        for digit in Digit::ALL {
            let (row, column) = row_and_column(digit);
            assert_eq!(digit_at(row, column), Some(digit));
        }
        assert_eq!(digit_at(4, 0), None);
        assert_eq!(digit_at(0, 4), None);
        assert_eq!(row_and_column(Digit::from_char('#').unwrap()), (3, 2));
    }

    #[test]
    fn levels_are_those_asked_for() {
        let tone = DtmfTone {
            level_dbm0: -20.0,
            duration_ms: 1000.0,
            pause_ms: 0.0,
            ..DtmfTone::new(Digit::ALL[5])
        };
        let mut out = Vec::new();
        tone.write(8000, &mut out);
        // Two tones of one level: 3 dB more.
        assert!((rms_dbov(&out) - (-20.0 - 6.15 + 3.01)).abs() < 0.05);
        let twisted = DtmfTone {
            twist_db: -8.0,
            ..tone
        };
        let (low, high) = twisted.amplitudes();
        assert!((20.0 * (high / low).log10() + 8.0).abs() < 1e-3);
        assert!((low - tone.amplitudes().0).abs() < 1e-6);
    }

    #[test]
    fn lengths_and_rates() {
        for rate in [8000, 16_000, 44_100, 48_000] {
            let tone = DtmfTone {
                duration_ms: 40.0,
                pause_ms: 60.0,
                ..DtmfTone::new(Digit::ALL[0])
            };
            let out = dial(rate, "1x2", &tone);
            assert_eq!(out.len(), 2 * (rate as usize / 10));
            assert!(
                out[rate as usize * 4 / 100..rate as usize / 10]
                    .iter()
                    .all(|x| *x == 0.0)
            );
        }
    }
}

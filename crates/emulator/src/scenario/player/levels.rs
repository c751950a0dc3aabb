//! How loud the far end was, on average.

use super::Progress;

/// Power of the readings in a step.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Levels {
    power: f64,
    count: u32,
}

impl Levels {
    pub(super) fn add(&mut self, dbov: f32) {
        self.power += 10_f64.powf(f64::from(dbov) / 10.0);
        self.count += 1;
    }

    /// Compares the mean power with the bounds; both are in dBov.
    pub(super) fn judge(&self, above: f32, below: f32) -> Progress {
        if self.count == 0 {
            return Progress::Failed("nothing was received".to_owned());
        }
        let mean = 10.0 * (self.power / f64::from(self.count)).log10();
        if (f64::from(above)..=f64::from(below)).contains(&mean) {
            return Progress::Done;
        }
        let side = if mean < f64::from(above) {
            "quieter"
        } else {
            "louder"
        };
        Progress::Failed(format!("the far end was {side} than that"))
    }
}

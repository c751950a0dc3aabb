//! Keeps a sum of voices under full scale.

/// Peak the gain is lowered for: −2 dBov.
const CEILING: f32 = 0.8;
/// Gain regained per 20 ms frame: 1 dB, so that it does not pump within words.
const RELEASE: f32 = 1.122;

/// A gain per frame, ramped so that it makes no click, and a soft knee for what
/// the ramp is too slow for.
pub(super) struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    pub(super) fn process(&mut self, frame: &mut [f32]) {
        let peak = frame.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
        let allowed = CEILING / peak.max(CEILING);
        let target = allowed.min(self.gain * RELEASE);
        if target == 1.0 && self.gain == 1.0 {
            // Quiet enough to go through untouched.
            return;
        }
        let ramp = (target - self.gain) / frame.len().max(1) as f32;
        for (n, sample) in frame.iter_mut().enumerate() {
            *sample = knee(*sample * (self.gain + ramp * (n + 1) as f32));
        }
        self.gain = target;
    }
}

/// The identity up to the ceiling, then bending towards 1 and never reaching it.
fn knee(sample: f32) -> f32 {
    let over = sample.abs() - CEILING;
    if over <= 0.0 {
        return sample;
    }
    let room = 1.0 - CEILING;
    (CEILING + room * over / (over + room)).copysign(sample)
}

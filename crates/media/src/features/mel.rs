//! Triangular mel filters as sparse rows.

use super::RATE;

/// Weights are stored and summed in groups of this many.
pub(super) const LANES: usize = 8;

/// One filter: the first bin it weighs, and where its weights are.
struct Row {
    first: usize,
    weights: std::ops::Range<usize>,
}

/// A bank of filters over a power spectrum.
pub(super) struct MelBank {
    rows: Box<[Row]>,
    weights: Box<[f32]>,
}

impl MelBank {
    /// Slaney's Auditory Toolbox filters as librosa makes them and Whisper ships
    /// them (`filters.mel`, `htk=False`, `norm="slaney"`): triangles over Hz of
    /// unit area, linear below 1 kHz, 0 Hz to half the rate.
    pub(super) fn slaney(filters: usize, fft: usize) -> Self {
        let top = slaney_mel(RATE / 2.0);
        let edge = |n: usize| slaney_hz(top * n as f64 / (filters + 1) as f64);
        Self::new(filters, fft / 2 + 1, |filter, bin| {
            let [low, middle, high] = [edge(filter), edge(filter + 1), edge(filter + 2)];
            let hz = bin as f64 * RATE / fft as f64;
            let height = ((hz - low) / (middle - low)).min((high - hz) / (high - middle));
            height.max(0.0) * 2.0 / (high - low)
        })
    }

    /// Kaldi's filters: triangles of unit height over HTK's mel scale. The bin
    /// at half the rate is not used.
    pub(super) fn kaldi(filters: usize, fft: usize, low_hz: f64, high_hz: f64) -> Self {
        let (bottom, top) = (htk_mel(low_hz), htk_mel(high_hz));
        let step = (top - bottom) / (filters + 1) as f64;
        Self::new(filters, fft / 2, |filter, bin| {
            let low = bottom + step * filter as f64;
            let mel = htk_mel(bin as f64 * RATE / fft as f64);
            ((mel - low) / step)
                .min((low + 2.0 * step - mel) / step)
                .max(0.0)
        })
    }

    fn new(filters: usize, bins: usize, weight: impl Fn(usize, usize) -> f64) -> Self {
        let mut weights: Vec<f32> = Vec::new();
        let rows = (0..filters)
            .map(|filter| {
                let used = |bin: &usize| weight(filter, *bin) > 0.0;
                let first = (0..bins).find(used).unwrap_or(0);
                let last = (0..bins).rev().find(used).unwrap_or(0);
                let start = weights.len();
                weights.extend((first..=last).map(|bin| weight(filter, bin) as f32));
                weights.resize(weights.len().next_multiple_of(LANES), 0.0);
                Row {
                    first,
                    weights: start..weights.len(),
                }
            })
            .collect();
        Self {
            rows,
            weights: weights.into(),
        }
    }

    /// Writes each filter's energy; `power` is longer than the bins by
    /// [`LANES`] zeros.
    pub(super) fn apply(&self, power: &[f32], out: &mut [f32]) {
        for (row, out) in self.rows.iter().zip(out) {
            let weights = &self.weights[row.weights.clone()];
            let bins = &power[row.first..row.first + weights.len()];
            let mut sums = [0.0f32; LANES];
            for (w, p) in weights.chunks_exact(LANES).zip(bins.chunks_exact(LANES)) {
                for lane in 0..LANES {
                    sums[lane] += w[lane] * p[lane];
                }
            }
            *out = sums.iter().sum();
        }
    }
}

fn htk_mel(hz: f64) -> f64 {
    1127.0 * (hz / 700.0).ln_1p()
}

/// Mels per Hz of the linear part.
const SLANEY_STEP_HZ: f64 = 200.0 / 3.0;
/// Where the logarithmic part begins, in mel (1 kHz).
const SLANEY_KNEE: f64 = 15.0;

/// ln 6.4 over 27 steps.
fn slaney_log_step() -> f64 {
    6.4f64.ln() / 27.0
}

fn slaney_mel(hz: f64) -> f64 {
    if hz < SLANEY_KNEE * SLANEY_STEP_HZ {
        hz / SLANEY_STEP_HZ
    } else {
        SLANEY_KNEE + (hz / (SLANEY_KNEE * SLANEY_STEP_HZ)).ln() / slaney_log_step()
    }
}

fn slaney_hz(mel: f64) -> f64 {
    if mel < SLANEY_KNEE {
        mel * SLANEY_STEP_HZ
    } else {
        SLANEY_KNEE * SLANEY_STEP_HZ * ((mel - SLANEY_KNEE) * slaney_log_step()).exp()
    }
}

//! What is heard where G.711 or G.722 lost packets: the waveform goes on as it was.
//!
//! After ITU-T G.711 Appendix I, which we follow in what it does, not to the sample: the pitch
//! is where the recent past is most like itself, that period is repeated, what comes then is
//! overlapped with it; what is made fades from the 10th millisecond on and is silence at the
//! 60th. Unlike there nothing is delayed: the step from the past to its repetition is bent
//! straight behind it. G.722 (whose Appendix IV goes on within the codec's bands) is treated as
//! any audio of 16 kHz.

use zeroize::Zeroize;

/// What is made at most, in ms: then it is silence.
const LONGEST: usize = 60;
/// Up to here it is as loud as what was heard, in ms.
const LOUD: usize = 10;
/// The shortest and the longest period, in ms: 200 and 66 Hz. Of a higher voice it is several.
const PERIODS: (usize, usize) = (5, 15);
/// What is compared with its past, in ms.
const TEMPLATE: usize = 20;
/// What is kept: the longest period before the template.
const HISTORY: usize = TEMPLATE + PERIODS.1;
/// The longest overlap with what comes after, in ms.
const OVERLAP: usize = 10;

/// The recent past of one decoder, and how it goes on. All memory is allocated in
/// [`new`](Self::new) and wiped on drop; the work for a loss is bounded.
pub(super) struct Concealer {
    /// Samples of 1 ms.
    ms: usize,
    /// The newest last.
    history: Box<[f32]>,
    /// How what was made would go on.
    tail: Box<[f32]>,
    /// How much of it is to be overlapped with what comes.
    overlap: usize,
    /// Samples made since something was heard.
    made: usize,
    /// There is nothing in the history.
    empty: bool,
}

impl Concealer {
    /// For audio of `rate` Hz, a multiple of 1000.
    pub(super) fn new(rate: u32) -> Self {
        let ms = rate as usize / 1000;
        Self {
            ms,
            history: vec![0.0; HISTORY * ms].into(),
            tail: vec![0.0; OVERLAP * ms].into(),
            overlap: 0,
            made: 0,
            empty: true,
        }
    }

    /// Samples that can be made before all is silence.
    pub(super) fn left(&self) -> usize {
        match self.empty {
            true => 0,
            false => (LONGEST * self.ms).saturating_sub(self.made),
        }
    }

    /// Something was heard: its beginning is overlapped with what was made.
    pub(super) fn heard(&mut self, samples: &mut [f32]) {
        let overlap = self.overlap.min(samples.len());
        let step = 1.0 / (overlap + 1) as f32;
        for (n, (sample, made)) in samples.iter_mut().zip(&self.tail[..overlap]).enumerate() {
            *sample += (1.0 - (n + 1) as f32 * step) * (made - *sample);
        }
        (self.overlap, self.made, self.empty) = (0, 0, false);
        self.remember(samples);
    }

    /// Fills `out` with how it went on; at most [`left`](Self::left) samples.
    pub(super) fn conceal(&mut self, out: &mut [f32]) {
        let period = self.period();
        let newest = self.history.len();
        let cycle = &self.history[newest - period..];
        // The step from the newest sample to the one a period ago, bent straight over a
        // quarter of it.
        let quarter = period / 4;
        let step = self.history[newest - 1] - self.history[newest - period - 1];
        let (ms, made) = (self.ms, self.made);
        let going_on = |n: usize| {
            let bend = step * (1.0 - (n + 1) as f32 / quarter as f32).max(0.0);
            gain(made + n, ms) * (cycle[n % period] + bend)
        };
        for (n, sample) in out.iter_mut().enumerate() {
            *sample = going_on(n);
        }
        self.made = made + out.len();
        // A quarter of a period, and 4 ms more for each 10 ms after the first.
        let more = (self.made / (10 * ms)).saturating_sub(1) * 4 * ms;
        self.overlap = (quarter + more).min(self.tail.len());
        for (n, sample) in self.tail[..self.overlap].iter_mut().enumerate() {
            *sample = going_on(out.len() + n);
        }
        if self.made >= LONGEST * ms {
            self.overlap = 0;
        }
        self.remember(out);
    }

    fn remember(&mut self, samples: &[f32]) {
        let kept = self.history.len();
        let newest = &samples[samples.len().saturating_sub(kept)..];
        self.history.copy_within(newest.len().., 0);
        self.history[kept - newest.len()..].copy_from_slice(newest);
    }

    /// The lag at which the template is most like what was before it.
    fn period(&self) -> usize {
        let (ms, coarse) = (self.ms, self.ms / 8);
        let (shortest, longest) = (PERIODS.0 * ms, PERIODS.1 * ms);
        let near = self.best((shortest..=longest).step_by(coarse), coarse);
        match coarse {
            1 => near,
            _ => {
                let around = near.saturating_sub(coarse - 1).max(shortest)
                    ..=(near + coarse - 1).min(longest);
                self.best(around, 1)
            }
        }
    }

    /// The best of some lags, by every `step`th sample.
    fn best(&self, lags: impl Iterator<Item = usize>, step: usize) -> usize {
        let newest = self.history.len();
        let template = TEMPLATE * self.ms;
        let recent = &self.history[newest - template..];
        let likeness = |lag: usize| {
            let past = &self.history[newest - template - lag..newest - lag];
            let (mut product, mut power) = (0.0, 1e-9);
            for (a, b) in recent.iter().zip(past).step_by(step) {
                product += a * b;
                power += b * b;
            }
            product / power.sqrt()
        };
        let mut best = (f32::MIN, PERIODS.0 * self.ms);
        for lag in lags {
            let likeness = likeness(lag);
            if likeness > best.0 {
                best = (likeness, lag);
            }
        }
        best.1
    }

    /// Nothing is known of what was before.
    pub(super) fn forget(&mut self) {
        if !self.empty {
            self.history.fill(0.0);
            self.tail.fill(0.0);
            (self.overlap, self.made, self.empty) = (0, 0, true);
        }
    }
}

/// How loud sample `n` of a loss is.
fn gain(n: usize, ms: usize) -> f32 {
    let faded = n.saturating_sub(LOUD * ms) as f32 / ((LONGEST - LOUD) * ms) as f32;
    (1.0 - faded).max(0.0)
}

impl Drop for Concealer {
    fn drop(&mut self) {
        self.history.zeroize();
        self.tail.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(rate: u32, hz: f32, samples: usize) -> Vec<f32> {
        let turn = hz * std::f32::consts::TAU / rate as f32;
        (0..samples)
            .map(|n| 0.5 * (n as f32 * turn).sin())
            .collect()
    }

    fn rms(signal: &[f32]) -> f32 {
        (signal.iter().map(|x| x * x).sum::<f32>() / signal.len() as f32).sqrt()
    }

    /// What was heard, 60 ms that were lost, and 20 ms that came then.
    fn around_a_loss(rate: u32, hz: f32, lost_ms: usize) -> Vec<f32> {
        let ms = rate as usize / 1000;
        let mut concealer = Concealer::new(rate);
        let mut signal = sine(rate, hz, (100 + lost_ms + 20) * ms);
        concealer.heard(&mut signal[..100 * ms]);
        let (lost, after) = signal[100 * ms..].split_at_mut(lost_ms * ms);
        concealer.conceal(lost);
        concealer.heard(after);
        signal
    }

    #[test]
    fn a_wave_goes_on_and_comes_back_without_a_step() {
        for rate in [8_000, 16_000] {
            for hz in [90.0, 123.4, 210.0, 440.0, 777.0] {
                let ms = rate as usize / 1000;
                let signal = around_a_loss(rate, hz, 20);
                let original = sine(rate, hz, signal.len());
                let apart: Vec<_> = signal.iter().zip(&original).map(|(a, b)| a - b).collect();
                let first = rms(&apart[100 * ms..110 * ms]);
                assert!(first < 0.1, "{rate} {hz}: {first}");
                // A step of the wave's own is at most this.
                let steepest = 0.5 * hz * std::f32::consts::TAU / rate as f32;
                let steps = signal.windows(2).map(|pair| (pair[1] - pair[0]).abs());
                let steepest_heard = steps.fold(0.0, f32::max);
                assert!(
                    steepest_heard < 1.5 * steepest + 0.05,
                    "{rate} {hz}: {steepest_heard}"
                );
            }
        }
    }

    #[test]
    fn what_is_made_fades_to_silence() {
        for rate in [8_000, 16_000] {
            let ms = rate as usize / 1000;
            let signal = around_a_loss(rate, 200.0, 60);
            let loud = rms(&signal[..100 * ms]);
            let of = |from: usize| rms(&signal[from * ms..(from + 10) * ms]) / loud;
            assert!((0.95..1.05).contains(&of(100)), "{}", of(100));
            assert!((0.4..0.6).contains(&of(130)), "{}", of(130));
            assert!(of(150) < 0.15, "{}", of(150));
            assert!(of(160) > 0.95, "what is heard then is as it came");
        }
    }

    #[test]
    fn no_more_is_made_than_sixty_milliseconds_and_none_of_nothing() {
        let mut concealer = Concealer::new(8_000);
        assert_eq!(concealer.left(), 0);
        let mut signal = sine(8_000, 300.0, 800);
        concealer.heard(&mut signal);
        assert_eq!(concealer.left(), 480);
        concealer.conceal(&mut signal[..160]);
        concealer.conceal(&mut signal[160..480]);
        assert_eq!(concealer.left(), 0);
        assert!(rms(&signal[400..480]) < 0.1);
        concealer.forget();
        assert_eq!(concealer.left(), 0);
        assert!(
            concealer
                .history
                .iter()
                .chain(&concealer.tail[..])
                .all(|x| *x == 0.0)
        );
    }

    #[test]
    fn pieces_of_any_length_are_survived() {
        let mut concealer = Concealer::new(16_000);
        for length in [1, 7, 0, 1_920, 3, 500] {
            concealer.heard(&mut vec![0.3; length]);
            let mut made = vec![1.0; length.min(concealer.left())];
            concealer.conceal(&mut made);
            assert!(made.iter().all(|x| x.abs() <= 1.0), "{length}");
        }
    }
}

//! How late the workers are: what tells whether a machine carries its calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Steps an octave of time is divided into.
const STEPS: u32 = 4;
/// The first step ends at 16 µs; the last one holds all from about 12 s on.
const FIRST_US: u64 = 16;
const BUCKETS: usize = 80;

/// How late the workers have been since they were started, all together. Times only:
/// nothing of the media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Punctuality {
    /// From when a tick was due until it began.
    pub ticks: Lateness,
    /// From when a packet came (when its datagram was read from the socket) until the
    /// tick that took it had told what it heard. A packet behind a gap is taken too, but
    /// heard when the jitter buffer lets it.
    pub heard: Lateness,
}

/// A distribution of times, in steps of a quarter octave (19 %).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lateness([u64; BUCKETS]);

impl Lateness {
    /// How many times were noted.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time that `share` (0–1) of all stayed within, rounded up to a step; zero if
    /// nothing was noted.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (self.count() as f64 * share).ceil() as u64;
        let mut below = 0;
        let bucket = self.0.iter().position(|count| {
            below += count;
            below >= rank && below > 0
        });
        bucket.map_or(Duration::ZERO, end)
    }

    /// What was noted after `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self(std::array::from_fn(|n| {
            self.0[n].saturating_sub(earlier.0[n])
        }))
    }
}

impl Punctuality {
    /// What was noted after `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            ticks: self.ticks.since(&earlier.ticks),
            heard: self.heard.since(&earlier.heard),
        }
    }
}

/// [`Punctuality`] as the workers write it.
#[derive(Default)]
pub(super) struct Counters {
    ticks: Histogram,
    heard: Histogram,
}

impl Counters {
    pub(super) fn ticked(&self, late: Duration) {
        self.ticks.note(late);
    }

    pub(super) fn heard(&self, late: Duration) {
        self.heard.note(late);
    }

    pub(super) fn read(&self) -> Punctuality {
        Punctuality {
            ticks: self.ticks.read(),
            heard: self.heard.read(),
        }
    }
}

struct Histogram([AtomicU64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Histogram {
    fn note(&self, time: Duration) {
        self.0[bucket(time)].fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> Lateness {
        Lateness(std::array::from_fn(|n| self.0[n].load(Ordering::Relaxed)))
    }
}

/// The step a time falls into.
fn bucket(time: Duration) -> usize {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let Some(above) = micros.checked_sub(FIRST_US) else {
        return 0;
    };
    let value = above + FIRST_US;
    let octave = value.ilog2() - FIRST_US.ilog2();
    let step = (value >> (octave + FIRST_US.ilog2() - STEPS.ilog2())) as u32 - STEPS;
    ((octave * STEPS + step) as usize + 1).min(BUCKETS - 1)
}

/// Where a step ends.
fn end(bucket: usize) -> Duration {
    let (octave, step) = (bucket as u32 / STEPS, bucket as u32 % STEPS);
    let unit = FIRST_US / u64::from(STEPS);
    Duration::from_micros((unit * u64::from(STEPS + step)) << octave)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_within_its_step() {
        for micros in (0..20_000).chain([1_000_000, 9_999_999]) {
            let time = Duration::from_micros(micros);
            let at = bucket(time);
            assert!(time < end(at), "{micros} µs ends by {:?}", end(at));
            assert!(at == 0 || end(at - 1) <= time, "{micros} µs");
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_within_a_step_of_the_truth() {
        let counters = Counters::default();
        assert_eq!(counters.read().ticks.quantile(0.99), Duration::ZERO);
        (1..=1000).for_each(|n| counters.ticked(Duration::from_micros(n * 10)));
        let ticks = counters.read().ticks;
        assert_eq!(ticks.count(), 1000);
        for (share, micros) in [(0.5, 5000.0), (0.99, 9900.0), (1.0, 10_000.0)] {
            let told = ticks.quantile(share).as_micros() as f64;
            assert!((micros..=micros * 1.26).contains(&told), "{share}: {told}");
        }
    }

    #[test]
    fn what_came_before_is_taken_off() {
        let counters = Counters::default();
        counters.heard(Duration::from_secs(1));
        let before = counters.read();
        counters.heard(Duration::from_micros(100));
        let since = counters.read().since(&before);
        assert_eq!((since.heard.count(), since.ticks.count()), (1, 0));
        assert!(since.heard.quantile(1.0) < Duration::from_micros(120));
    }
}

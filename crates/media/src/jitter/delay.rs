//! How late packets arrive, learned from their arrival.

use std::time::{Duration, Instant};

/// Width of one histogram bucket.
const BUCKET: Duration = Duration::from_millis(5);
/// Buckets: up to [`super::MAX_TARGET`].
const BUCKETS: usize = 100;
/// Packets after which half the past is forgotten, as a growth of the weight
/// per packet: 350 packets, seven seconds of 20 ms packets.
const GROWTH: f32 = 1.002;
/// Share of packets that may come later than the target.
const LATE_SHARE: f32 = 0.01;
/// Room for the packet after the missing one to arrive first.
const MARGIN: Duration = Duration::from_millis(20);
/// Packets per window of the running minimum.
const WINDOW: u32 = 256;
/// A delay or timestamp step beyond this is not jitter but another beginning.
const RESTART: Duration = Duration::from_secs(2);

/// Arrival delays of one source relative to its fastest packets: a histogram
/// that forgets, in the way of WebRTC's NetEq, over a baseline that follows
/// clock drift.
pub(super) struct Delay {
    clock: u32,
    /// When a packet of this timestamp arrives if nothing delays it.
    anchor: Option<(Instant, u32)>,
    /// Smallest delays of the current and the previous window.
    minima: [Duration; 2],
    seen: u32,
    histogram: [f32; BUCKETS],
    weight: f32,
    total: f32,
    target: Duration,
}

impl Delay {
    pub(super) fn new(clock: u32) -> Self {
        Self {
            clock,
            anchor: None,
            minima: [Duration::MAX; 2],
            seen: 0,
            histogram: [0.0; BUCKETS],
            weight: 1.0,
            total: 0.0,
            target: super::MIN_TARGET,
        }
    }

    /// Forgets the baseline, but not how much the network jitters.
    pub(super) fn restart(&mut self) {
        self.anchor = None;
    }

    /// How long to wait for a packet after it could have come.
    pub(super) fn target(&self) -> Duration {
        self.target
    }

    /// When the packet of `timestamp` could have come at the earliest.
    pub(super) fn expected(&self, timestamp: u32) -> Option<Instant> {
        let (arrival, anchor) = self.anchor?;
        let ticks = timestamp.wrapping_sub(anchor) as i32;
        let span = self.span(ticks.unsigned_abs());
        if ticks < 0 {
            arrival.checked_sub(span)
        } else {
            arrival.checked_add(span)
        }
    }

    pub(super) fn observe(&mut self, arrival: Instant, timestamp: u32) {
        match self.delay(arrival, timestamp) {
            Some(delay) => {
                self.follow(delay, timestamp);
                self.record(delay);
            }
            None => self.anchor_at(arrival, timestamp),
        }
    }

    /// The packet's delay; `None` when it says nothing about jitter: the first
    /// one, one faster than all before, one after a restart.
    fn delay(&self, arrival: Instant, timestamp: u32) -> Option<Duration> {
        let (_, anchor) = self.anchor?;
        let step = (timestamp.wrapping_sub(anchor) as i32).unsigned_abs();
        // The anchor moves on every window: further away is a jump.
        if self.span(step) > RESTART * 20 {
            return None;
        }
        let delay = arrival.checked_duration_since(self.expected(timestamp)?)?;
        (delay < RESTART).then_some(delay)
    }

    fn anchor_at(&mut self, arrival: Instant, timestamp: u32) {
        self.anchor = Some((arrival, timestamp));
        self.minima = [Duration::ZERO, Duration::MAX];
        self.seen = 0;
    }

    /// Raises the baseline to the smallest delay of two windows, so that it
    /// follows a slow clock or a longer route.
    fn follow(&mut self, delay: Duration, timestamp: u32) {
        self.minima[0] = self.minima[0].min(delay);
        self.seen += 1;
        if self.seen < WINDOW {
            return;
        }
        self.seen = 0;
        let [current, previous] = self.minima;
        let raise = current.min(previous);
        if let Some(expected) = self.expected(timestamp) {
            self.anchor = Some((expected + raise, timestamp));
        }
        self.minima = [Duration::MAX, current - raise];
    }

    fn record(&mut self, delay: Duration) {
        let bucket = (delay.as_micros() / BUCKET.as_micros()) as usize;
        self.histogram[bucket.min(BUCKETS - 1)] += self.weight;
        self.total += self.weight;
        self.weight *= GROWTH;
        if self.weight > 1e6 {
            let scale = self.weight.recip();
            self.histogram.iter_mut().for_each(|h| *h *= scale);
            self.total *= scale;
            self.weight = 1.0;
        }
        let late = self.total * LATE_SHARE;
        let mut above = 0.0;
        let reach = self.histogram.iter().rposition(|share| {
            above += share;
            above > late
        });
        let reach = BUCKET * (reach.unwrap_or(0) as u32 + 1);
        self.target = (reach + MARGIN).clamp(super::MIN_TARGET, super::MAX_TARGET);
    }

    fn span(&self, ticks: u32) -> Duration {
        Duration::from_nanos(u64::from(ticks) * 1_000_000_000 / u64::from(self.clock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Feeds packets every 20 ms with the delay `jitter` gives for each.
    fn learn(delay: &mut Delay, start: Instant, packets: u32, jitter: impl Fn(u32) -> u32) {
        for n in 0..packets {
            delay.observe(start + MS * (20 * n + jitter(n)), n * 960);
        }
    }

    #[test]
    fn a_steady_stream_asks_for_little() {
        let mut delay = Delay::new(48_000);
        learn(&mut delay, Instant::now(), 1000, |_| 0);
        assert_eq!(delay.target(), super::super::MIN_TARGET);
    }

    #[test]
    fn jitter_raises_the_target_and_calm_lowers_it() {
        let mut delay = Delay::new(48_000);
        let start = Instant::now();
        learn(
            &mut delay,
            start,
            500,
            |n| if n % 10 == 0 { 120 } else { 0 },
        );
        assert_eq!(delay.target(), 145 * MS);
        for n in 500..4000 {
            delay.observe(start + MS * 20 * n, n * 960);
        }
        assert_eq!(delay.target(), super::super::MIN_TARGET);
    }

    #[test]
    fn a_day_of_drift_does_not_creep() {
        // 300 ppm slow: 26 s a day.
        let mut delay = Delay::new(48_000);
        let start = Instant::now();
        for n in 0u64..24 * 3600 * 50 {
            let arrival = Duration::from_micros(n * 20_006);
            delay.observe(start + arrival, (n * 960) as u32);
        }
        assert!(delay.target() < 50 * MS);
    }

    #[test]
    fn a_jump_of_hours_is_a_new_beginning() {
        let mut delay = Delay::new(48_000);
        let start = Instant::now();
        learn(&mut delay, start, 300, |_| 0);
        delay.observe(start + 6000 * MS, 48_000 * 3600 * 5);
        delay.observe(start + 6020 * MS, 48_000 * 3600 * 5 + 960);
        assert_eq!(delay.target(), super::super::MIN_TARGET);
        assert_eq!(
            delay.expected(48_000 * 3600 * 5 + 1920),
            Some(start + 6040 * MS)
        );
    }
}

//! Figures: CPU time by thread, lateness of events, counts.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use switchboard_media::engine::{LegStats, Punctuality};
use switchboard_media::event::MediaEvent;
use switchboard_transport::NetworkStats;

use super::caller::KEYS;
use super::parts::Parts;
use crate::Failure;

/// Packets a call-second has in both directions.
const PACKETS_BOTH_WAYS: f64 = 100.0;
/// Sealing or opening one of 57 bytes, as measured elsewhere (1.3 µs):
/// AES-128-GCM alone takes less, AES-CM with HMAC-SHA1 more.
const SRTP_MS: f64 = 0.001_3;

/// Time this process's threads spent on a CPU.
pub(super) struct Cpu {
    at: Instant,
    /// By thread name, in nanoseconds.
    threads: BTreeMap<String, u64>,
}

impl Cpu {
    /// As the kernel accounts it; Linux only.
    pub(super) fn now() -> Result<Self, Failure> {
        let mut threads = BTreeMap::new();
        for task in std::fs::read_dir("/proc/self/task")?.flatten() {
            let read = |file: &str| std::fs::read_to_string(task.path().join(file));
            // A thread that has just ended is not missed.
            let (Ok(name), Ok(stat)) = (read("comm"), read("schedstat")) else {
                continue;
            };
            let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
            let nanos: u64 = nanos.ok_or("the kernel keeps no schedstat")?;
            *threads.entry(name.trim().to_owned()).or_default() += nanos;
        }
        Ok(Self {
            at: Instant::now(),
            threads,
        })
    }

    /// What was spent since `before`.
    pub(super) fn since(mut self, before: &Self) -> Spent {
        for (name, nanos) in &mut self.threads {
            let earlier = before.threads.get(name).copied().unwrap_or(0);
            *nanos = nanos.saturating_sub(earlier);
        }
        Spent {
            seconds: (self.at - before.at).as_secs_f64(),
            threads: self.threads,
        }
    }
}

/// CPU time over a span.
pub(super) struct Spent {
    seconds: f64,
    threads: BTreeMap<String, u64>,
}

impl Spent {
    fn per_call(&self, nanos: u64, calls: usize) -> f64 {
        nanos as f64 / 1e6 / self.seconds / calls as f64
    }
}

/// What one call's bot heard. Counts and times only: which keys is not kept.
#[derive(Default)]
pub(super) struct Heard {
    digits: u64,
    /// Those that were others than the callers' next.
    wrong: u64,
    speech: u64,
    /// How late meter events came, against the call's earliest, in microseconds.
    meter_late: Vec<u64>,
    /// From a key's onset, so delayed, to its event, in microseconds.
    key_delay: Vec<u64>,
    stats: Vec<LegStats>,
}

impl Heard {
    pub(super) fn add(&mut self, mut other: Self) {
        self.digits += other.digits;
        self.wrong += other.wrong;
        self.speech += other.speech;
        self.meter_late.append(&mut other.meter_late);
        self.key_delay.append(&mut other.key_delay);
        self.stats.append(&mut other.stats);
    }

    /// Keys heard.
    pub(super) fn digits(&self) -> u64 {
        self.digits
    }

    /// Of them, those that the callers did not press in their order.
    pub(super) fn wrong(&self) -> u64 {
        self.wrong
    }

    /// What became of the packets.
    pub(super) fn packets(&self) -> Packets {
        Packets {
            heard: self.sum(|s| s.received),
            lost: self.sum(|s| s.lost),
            late: self.sum(|s| s.late),
            dropped: self.sum(|s| s.dropped_full + s.overflow + s.send_dropped),
            events_dropped: self.sum(|s| s.events_dropped),
        }
    }

    fn sum(&self, field: impl Fn(&LegStats) -> u64) -> u64 {
        self.stats.iter().map(field).sum()
    }
}

/// What became of packets, and of events.
#[derive(Default, Clone, Copy)]
pub(super) struct Packets {
    heard: u64,
    lost: u64,
    late: u64,
    dropped: u64,
    events_dropped: u64,
}

impl Packets {
    pub(super) fn add(&mut self, other: &Self) {
        self.heard += other.heard;
        self.lost += other.lost;
        self.late += other.late;
        self.dropped += other.dropped;
        self.events_dropped += other.events_dropped;
    }
}

impl fmt::Display for Packets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            heard,
            lost,
            late,
            dropped,
            events_dropped,
        } = self;
        write!(
            f,
            "{heard} heard, {lost} lost, {late} late, {dropped} dropped by full rings, {events_dropped} events dropped"
        )
    }
}

/// Follows one call.
#[derive(Default)]
pub(super) struct Listener {
    begun: Option<Instant>,
    heard: Heard,
    /// When events came less what media time they were for, in microseconds.
    meters: Vec<i64>,
    keys: Vec<i64>,
}

impl Listener {
    /// Takes an event; `true` when the bot's prompt is over.
    pub(super) fn hear(&mut self, event: MediaEvent) -> bool {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        let lead = |media_ms: u64| begun.elapsed().as_micros() as i64 - media_ms as i64 * 1000;
        match event {
            MediaEvent::Level { t_ms, .. } => self.meters.push(lead(t_ms)),
            MediaEvent::DigitStart { start_ms, .. } => self.keys.push(lead(start_ms)),
            MediaEvent::DigitEnd { digit, .. } => {
                let next = KEYS.as_bytes()[self.heard.digits as usize % KEYS.len()];
                self.heard.wrong += u64::from(digit.as_char() != char::from(next));
                self.heard.digits += 1;
            }
            MediaEvent::SpeechEnd { .. } => self.heard.speech += 1,
            MediaEvent::PlayFinished { .. } => return true,
            _ => {}
        }
        false
    }

    /// The call is over.
    pub(super) fn end(mut self, stats: LegStats) -> Heard {
        let earliest = self.meters.iter().copied().min().unwrap_or(0);
        let late = |leads: &[i64]| {
            let late = leads.iter().map(|lead| lead - earliest);
            late.map(|late| u64::try_from(late).unwrap_or(0)).collect()
        };
        self.heard.meter_late = late(&self.meters);
        self.heard.key_delay = late(&self.keys);
        self.heard.stats.push(stats);
        self.heard
    }
}

/// The value below which `percent` of the values are.
fn percentile(values: &mut [u64], percent: usize) -> Duration {
    if values.is_empty() {
        return Duration::ZERO;
    }
    let at = (values.len() * percent / 100).min(values.len() - 1);
    Duration::from_micros(*values.select_nth_unstable(at).1)
}

/// Prints all of it.
pub(super) fn print_table(
    calls: usize,
    digits_sent: u64,
    cpu: &Spent,
    heard: &Heard,
    before: &NetworkStats,
    after: &NetworkStats,
) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let total: u64 = cpu.threads.values().sum();
    let per_call = cpu.per_call(total, calls);
    writeln!(out, "{calls} calls, {:.1} s", cpu.seconds)?;
    writeln!(
        out,
        "CPU per call-second   {per_call:.3} ms: {:.0} calls per core",
        1000.0 / per_call
    )?;
    for (name, nanos) in &cpu.threads {
        let each = cpu.per_call(*nanos, calls);
        if each >= 0.001 {
            writeln!(out, "  {name:<19} {each:.3} ms")?;
        }
    }
    for (label, values) in [
        ("meter event late", &heard.meter_late),
        ("key onset to event", &heard.key_delay),
    ] {
        let mut values = values.clone();
        let [p50, p90, p99] = [50, 90, 99].map(|percent| percentile(&mut values, percent));
        writeln!(
            out,
            "{label:<21} p50 {p50:.1?}, p90 {p90:.1?}, p99 {p99:.1?}"
        )?;
    }
    writeln!(
        out,
        "digits                {} of {digits_sent}, stretches of speech {}",
        heard.digits, heard.speech
    )?;
    writeln!(out, "packets               {}", heard.packets())?;
    writeln!(
        out,
        "datagrams             {} in, {} out, {} not sent, {} refused",
        after.received - before.received,
        after.sent - before.sent,
        after.not_sent - before.not_sent,
        refused(after) - refused(before),
    )?;
    Ok(())
}

/// Prints how late the media workers were.
pub(super) fn print_punctuality(punctuality: &Punctuality) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for (label, late) in [
        ("media tick late", &punctuality.ticks),
        ("packet to its events", &punctuality.heard),
    ] {
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| late.quantile(share));
        writeln!(
            out,
            "{label:<21} p50 {p50:.1?}, p90 {p90:.1?}, p99 {p99:.1?}"
        )?;
    }
    Ok(())
}

/// Prints what can't be done without, and how near the whole comes to it.
pub(super) fn print_parts(calls: usize, cpu: &Spent, parts: &Parts) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let whole = cpu.per_call(cpu.threads.values().sum(), calls);
    let limit = ms(parts.sum()) + PACKETS_BOTH_WAYS * SRTP_MS;
    writeln!(
        out,
        "sum of its parts      {limit:.3} ms: decoding {:.3}, speech {:.3}, keys {:.3}, level {:.3}, features {:.3}, SRTP {:.3}",
        ms(parts.decoding),
        ms(parts.speech),
        ms(parts.keys),
        ms(parts.meter),
        ms(parts.features),
        PACKETS_BOTH_WAYS * SRTP_MS,
    )?;
    writeln!(
        out,
        "reached               {:.0} % of that limit",
        100.0 * limit / whole
    )?;
    Ok(())
}

fn refused(stats: &NetworkStats) -> u64 {
    stats.unknown
        + stats.not_validated
        + stats.early
        + stats.malformed
        + stats.forged
        + stats.replayed
        + stats.policed
}

#[cfg(test)]
mod tests {
    use switchboard_media::event::{Digit, DigitSource};

    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_values() {
        let mut values: Vec<u64> = (0..=100).rev().map(|n| n * 1000).collect();
        assert_eq!(percentile(&mut values, 99), Duration::from_millis(99));
        assert_eq!(percentile(&mut values, 50), Duration::from_millis(50));
        assert_eq!(percentile(&mut [], 50), Duration::ZERO);
    }

    #[test]
    fn lateness_is_counted_from_the_earliest_event() {
        let mut listener = Listener {
            meters: vec![5_000, 2_000, 9_000],
            keys: vec![42_000],
            ..Listener::default()
        };
        assert!(listener.hear(MediaEvent::PlayFinished {
            id: switchboard_media::event::PlayId(1),
            interrupted: false
        }));
        let heard = listener.end(LegStats::default());
        assert_eq!(heard.meter_late, [3_000, 0, 7_000]);
        assert_eq!(heard.key_delay, [40_000]);
    }

    /// How many keys are heard, and how many of them are wrong.
    fn heard(keys: &str) -> (u64, u64) {
        let mut listener = Listener::default();
        for key in keys.chars() {
            listener.hear(MediaEvent::DigitEnd {
                digit: Digit::from_char(key).expect("a key"),
                source: DigitSource::Rtp,
                start_ms: 0,
                duration_ms: 100,
            });
        }
        (listener.heard.digits(), listener.heard.wrong())
    }

    #[test]
    fn keys_that_are_misheard_are_told_from_those_that_are_not() {
        let round = KEYS.len() as u64;
        assert_eq!(heard(KEYS), (round, 0));
        assert_eq!(heard(&KEYS.repeat(2)), (2 * round, 0));
        assert_eq!(heard(&KEYS.replace('5', "8")), (round, 1));
        assert!(heard(&KEYS[1..]).1 > 0);
    }
}

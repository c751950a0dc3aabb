//! One direction of one leg: packets in, the packets that arrive out, when they do.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::Conditions;

/// Packets under way at most; a real queue is shorter.
const MAX_QUEUED: usize = 2_000;
/// How much later a packet comes that others overtake.
const OVERTAKEN: Duration = Duration::from_millis(50);

/// The way of packets in one direction.
#[derive(Debug)]
pub(crate) struct Impairment {
    conditions: Conditions,
    /// Media has a chance of its own: the same packets are lost in every run, however
    /// many checks and records go between them.
    media: Fate,
    other: Fate,
    queue: BinaryHeap<Reverse<Travelling>>,
    pushed: u64,
    /// When the latest packet that keeps the order arrives.
    latest: Option<Instant>,
}

/// A packet under way; ordered by when it arrives.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Travelling {
    due: Instant,
    order: u64,
    packet: Vec<u8>,
}

/// Chance and where the model of bursts stands.
#[derive(Debug)]
struct Fate {
    state: u64,
    in_burst: bool,
}

impl Impairment {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            conditions: Conditions::default(),
            media: Fate::new(seed),
            other: Fate::new(!seed),
            queue: BinaryHeap::new(),
            pushed: 0,
            latest: None,
        }
    }

    /// From now on packets suffer this.
    pub(crate) fn set(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// A packet is sent.
    pub(crate) fn push(&mut self, now: Instant, packet: &[u8]) {
        let conditions = self.conditions;
        let fate = if is_rtp(packet) {
            &mut self.media
        } else {
            &mut self.other
        };
        // Every packet has its draws, whatever the conditions, so that a change of one
        // of them leaves the others' chances as they were.
        let lost = fate.loses(&conditions);
        let jitter = fate.chance() * conditions.jitter_ms as f64;
        let overtaken = fate.chance() < conditions.reorder;
        let twice = fate.chance() < conditions.duplicate;
        if lost || conditions.stall {
            return;
        }
        let way = conditions.delay_ms as f64 + jitter;
        let mut due = now + Duration::from_secs_f64(way / 1000.0);
        if overtaken {
            due += OVERTAKEN;
        } else {
            due = self.latest.map_or(due, |latest| due.max(latest));
            self.latest = Some(due);
        }
        for _ in 0..=usize::from(twice) {
            self.enqueue(due, packet);
        }
    }

    fn enqueue(&mut self, due: Instant, packet: &[u8]) {
        if self.queue.len() < MAX_QUEUED {
            let order = self.pushed;
            let packet = packet.to_vec();
            self.queue.push(Reverse(Travelling { due, order, packet }));
            self.pushed += 1;
        }
    }

    /// The next packet that has arrived.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        let Reverse(first) = self.queue.peek()?;
        if first.due > now {
            return None;
        }
        self.queue.pop().map(|Reverse(first)| first.packet)
    }

    /// When the next one arrives.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse(first)| first.due)
    }
}

impl Fate {
    fn new(seed: u64) -> Self {
        Self {
            state: seed,
            in_burst: false,
        }
    }

    /// Gilbert's model: in a burst everything is lost; with independent losses a burst
    /// is one packet's.
    fn loses(&mut self, conditions: &Conditions) -> bool {
        let draw = self.chance();
        let loss = conditions.loss;
        if conditions.burst == 0.0 || loss >= 1.0 {
            return draw < loss;
        }
        let leave = 1.0 / conditions.burst;
        let enter = loss * leave / (1.0 - loss);
        self.in_burst = match self.in_burst {
            true => draw >= leave,
            false => draw < enter,
        };
        self.in_burst
    }

    /// Uniform in 0..1 (SplitMix64, 53 bits).
    fn chance(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Whether it is RTP: not STUN, not DTLS (RFC 7983 §7), not RTCP (RFC 5761 §4).
pub(crate) fn is_rtp(packet: &[u8]) -> bool {
    let version = packet.first().is_some_and(|first| first >> 6 == 2);
    let rtcp = packet
        .get(1)
        .is_some_and(|second| (192..=223).contains(second));
    version && !rtcp
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    fn rtp(n: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 111];
        packet.extend(n.to_be_bytes());
        packet
    }

    fn number(packet: &[u8]) -> u32 {
        u32::from_be_bytes(packet[2..6].try_into().unwrap())
    }

    /// Sends a packet every 20 ms and gives what arrives, with the delay in ms.
    fn travel(conditions: Conditions, seed: u64, count: u32) -> Vec<(u32, u64)> {
        let mut way = Impairment::new(seed);
        way.set(conditions);
        let start = Instant::now();
        let mut arrived = Vec::new();
        let mut sent = 0;
        let mut now = start;
        while sent < count || way.poll_timeout().is_some() {
            let next = start + FRAME * sent;
            now = way
                .poll_timeout()
                .map_or(next, |due| if sent < count { due.min(next) } else { due })
                .max(now);
            while let Some(packet) = way.poll(now) {
                let n = number(&packet);
                let delay = now.duration_since(start + FRAME * n).as_millis();
                arrived.push((n, delay as u64));
            }
            if sent < count && next <= now {
                way.push(now, &rtp(sent));
                sent += 1;
            }
        }
        arrived
    }

    fn numbers(arrived: &[(u32, u64)]) -> Vec<u32> {
        arrived.iter().map(|(n, _)| *n).collect()
    }

    #[test]
    fn nothing_happens_unless_asked_for() {
        let arrived = travel(Conditions::default(), 1, 100);
        assert_eq!(numbers(&arrived), (0..100).collect::<Vec<_>>());
        assert!(arrived.iter().all(|(_, delay)| *delay == 0));
    }

    #[test]
    fn loss_is_as_much_as_asked_for_and_bursts_are_as_long() {
        for (burst, longest) in [(0.0, 1.0 / 0.9), (5.0, 5.0)] {
            let conditions = Conditions {
                loss: 0.1,
                burst,
                ..Conditions::default()
            };
            let arrived = numbers(&travel(conditions, 7, 50_000));
            let lost = 50_000.0 - arrived.len() as f64;
            assert!((lost / 50_000.0 - 0.1).abs() < 0.01, "{lost}");
            let gaps = arrived.windows(2).filter(|pair| pair[1] - pair[0] > 1);
            let mean = lost / gaps.count() as f64;
            assert!((mean / longest - 1.0).abs() < 0.1, "{mean}");
        }
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let jitter = Conditions {
            delay_ms: 30,
            jitter_ms: 60,
            ..Conditions::default()
        };
        let arrived = travel(jitter, 3, 1_000);
        assert!(numbers(&arrived).is_sorted());
        assert!(arrived.iter().all(|(_, delay)| (30..=91).contains(delay)));
        assert!(arrived.iter().any(|(_, delay)| *delay > 80));
        let reorder = Conditions {
            reorder: 0.1,
            ..Conditions::default()
        };
        let arrived = numbers(&travel(reorder, 3, 1_000));
        assert_eq!(arrived.len(), 1_000);
        let late = arrived.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!((50..150).contains(&late), "{late}");
    }

    #[test]
    fn duplicates_follow_and_a_stall_lets_nothing_through() {
        let twice = Conditions {
            duplicate: 1.0,
            ..Conditions::default()
        };
        assert_eq!(numbers(&travel(twice, 3, 3)), [0, 0, 1, 1, 2, 2]);
        let stall = Conditions {
            stall: true,
            ..Conditions::default()
        };
        assert_eq!(travel(stall, 3, 100), []);
    }

    #[test]
    fn kinds_of_packets_are_told_apart() {
        assert!(is_rtp(&[0x80, 111]) && is_rtp(&[0x90, 0x80 | 111]));
        for other in [&[0, 1][..], &[22, 254], &[0x80, 200], &[0x81, 205], &[]] {
            assert!(!is_rtp(other), "{other:?}");
        }
    }

    proptest! {
        /// What goes between does not change which media is lost.
        #[test]
        fn the_same_packets_are_lost_in_every_run(
            seed: u64,
            between in proptest::collection::vec(0_usize..4, 200),
        ) {
            let conditions = Conditions { loss: 0.3, burst: 3.0, ..Conditions::default() };
            let plain = numbers(&travel(conditions, seed, 200));
            let mut way = Impairment::new(seed);
            way.set(conditions);
            let now = Instant::now();
            let mut arrived = Vec::new();
            for (n, checks) in between.into_iter().enumerate() {
                for _ in 0..checks {
                    way.push(now, &[0, 1, 0, 0]);
                }
                way.push(now, &rtp(n as u32));
                while let Some(packet) = way.poll(now) {
                    if is_rtp(&packet) {
                        arrived.push(number(&packet));
                    }
                }
            }
            prop_assert_eq!(arrived, plain);
        }
    }
}

use proptest::prelude::*;

use super::*;

/// Reports come every 20 ms.
const STEP_MS: u64 = 20;

fn header(sequence: u16, timestamp: u32) -> RtpHeader {
    RtpHeader {
        payload_type: 101,
        sequence,
        timestamp,
        ..RtpHeader::default()
    }
}

fn payload(code: u8, end: bool, duration: u32) -> [u8; 4] {
    let [high, low] = (duration as u16).to_be_bytes();
    [code, u8::from(end) << 7 | 10, high, low]
}

/// A packet on its way: when it arrives, its head and payload.
type Sent = (u64, RtpHeader, [u8; 4]);

/// Sends keys as RFC 4733 wants it.
struct Sender {
    now_ms: u64,
    sequence: u16,
    timestamp: u32,
    per_ms: u32,
    sent: Vec<Sent>,
}

impl Sender {
    fn new(sequence: u16, timestamp: u32, clock_rate: u32) -> Self {
        Self {
            now_ms: 0,
            sequence,
            timestamp,
            per_ms: clock_rate / 1000,
            sent: Vec::new(),
        }
    }

    fn send(&mut self, code: u8, timestamp: u32, end: bool, ticks: u32) {
        let header = header(self.sequence, timestamp);
        self.sent
            .push((self.now_ms, header, payload(code, end, ticks)));
        self.sequence = self.sequence.wrapping_add(1);
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        let ticks = ms as u32 * self.per_ms;
        self.timestamp = self.timestamp.wrapping_add(ticks);
    }

    /// Long events go on in segments (§2.5.1.3).
    fn key(&mut self, code: u8, duration_ms: u64) {
        let mut begin = self.timestamp;
        for _ in 0..duration_ms / STEP_MS {
            self.pass(STEP_MS);
            let mut ticks = self.timestamp.wrapping_sub(begin);
            if ticks > SEGMENT {
                self.send(code, begin, false, SEGMENT);
                begin = begin.wrapping_add(SEGMENT);
                ticks -= SEGMENT;
            }
            self.send(code, begin, false, ticks);
        }
        let ticks = self.timestamp.wrapping_sub(begin);
        for _ in 0..3 {
            self.send(code, begin, true, ticks);
        }
    }
}

fn hear(sent: &[Sent], clock_rate: u32) -> Vec<DtmfEvent> {
    let (mut events, mut heard) = (TelephoneEvents::new(), Vec::new());
    for (at, header, payload) in sent {
        events.tick(*at, &mut |event| heard.push(event));
        assert!(events.packet(*at, header, clock_rate, payload, &mut |e| heard.push(e)));
    }
    let last = sent.last().map_or(0, |sent| sent.0);
    events.tick(last + 10_000, &mut |event| heard.push(event));
    heard
}

/// Codes of the keys, and that each is ended before the next.
fn codes(heard: &[DtmfEvent]) -> Vec<u8> {
    heard
        .chunks(2)
        .map(|pair| match pair {
            [
                DtmfEvent::Start { digit, start_ms },
                DtmfEvent::End {
                    digit: ended,
                    start_ms: began_ms,
                    ..
                },
            ] if digit == ended && start_ms == began_ms => digit.event_code(),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn durations(heard: &[DtmfEvent]) -> Vec<u64> {
    heard
        .iter()
        .filter_map(|event| match event {
            DtmfEvent::End { duration_ms, .. } => Some(*duration_ms),
            DtmfEvent::Start { .. } => None,
        })
        .collect()
}

#[test]
fn keys_have_their_times() {
    let mut sender = Sender::new(0, 0, 8_000);
    for (code, duration) in [(5, 100), (5, 40), (11, 260)] {
        sender.pass(200);
        sender.key(code, duration);
    }
    let heard = hear(&sender.sent, 8_000);
    assert_eq!(codes(&heard), [5, 5, 11]);
    assert_eq!(durations(&heard), [100, 40, 260]);
    let digit = Digit::ALL[5];
    let start_ms = 200;
    assert_eq!(heard[0], DtmfEvent::Start { digit, start_ms });
}

#[test]
fn long_keys_are_one_key_at_every_clock() {
    for clock_rate in [8_000, 16_000, 48_000] {
        // Wraps in sequence and timestamp on the way.
        let mut sender = Sender::new(u16::MAX - 20, u32::MAX - 50_000, clock_rate);
        sender.key(7, 30_000);
        sender.pass(100);
        sender.key(7, 100);
        let heard = hear(&sender.sent, clock_rate);
        assert_eq!(codes(&heard), [7, 7]);
        assert_eq!(durations(&heard), [30_000, 100]);
    }
}

#[test]
fn one_report_is_enough() {
    for kept in 0..8 {
        let mut sender = Sender::new(9, 9, 8_000);
        sender.key(3, 100);
        let heard = hear(&sender.sent[kept..=kept], 8_000);
        assert_eq!(codes(&heard), [3]);
        let expected = (kept as u64 + 1).min(5) * STEP_MS;
        assert_eq!(durations(&heard), [expected]);
    }
}

#[test]
fn a_lost_end_ends_with_the_next_key_or_in_time() {
    let mut sender = Sender::new(0, 0, 8_000);
    sender.key(1, 100);
    sender.sent.truncate(5);
    sender.pass(60);
    sender.key(2, 100);
    sender.sent.truncate(10);
    let heard = hear(&sender.sent, 8_000);
    assert_eq!(codes(&heard), [1, 2]);
    assert_eq!(durations(&heard), [100, 100]);
    // In time, and not earlier.
    let (mut events, mut ends) = (TelephoneEvents::new(), 0);
    events.packet(
        50,
        &header(0, 0),
        8_000,
        &payload(1, false, 400),
        &mut |_| {},
    );
    events.tick(50 + TIMEOUT_MS, &mut |_| ends += 1);
    assert_eq!(ends, 0);
    events.tick(51 + TIMEOUT_MS, &mut |_| ends += 1);
    assert_eq!(ends, 1);
}

#[test]
fn ends_that_come_among_the_next_keys_reports_change_nothing() {
    let mut sender = Sender::new(0, 0, 8_000);
    sender.key(1, 60);
    let late = sender.sent.split_off(3);
    sender.pass(40);
    sender.key(2, 60);
    let (reports, ends) = sender.sent.split_at(4);
    let mixed = [reports, &late[..2], ends, &late[2..]].concat();
    assert_eq!(codes(&hear(&mixed, 8_000)), [1, 2]);
}

#[test]
fn several_reports_in_one_packet_follow_each_other() {
    let reports = [
        payload(4, true, 400),
        payload(6, false, 480),
        payload(8, true, 560),
    ]
    .concat();
    let (mut events, mut heard) = (TelephoneEvents::new(), Vec::new());
    for sequence in 0..2 {
        let header = header(sequence, 1000);
        assert!(events.packet(100, &header, 8_000, &reports, &mut |e| heard.push(e)));
    }
    assert_eq!(codes(&heard), [4, 6, 8]);
    assert_eq!(durations(&heard), [50, 60, 70]);
}

#[test]
fn other_events_are_well_formed_and_malformed_ones_are_not() {
    let mut events = TelephoneEvents::new();
    let mut check = |clock_rate: u32, payload: &[u8]| {
        let mut heard = 0;
        let good = events.packet(0, &header(0, 0), clock_rate, payload, &mut |_| heard += 1);
        assert_eq!(heard, 0);
        good
    };
    // Flash hook, and a code nobody assigned.
    assert!(check(8_000, &payload(16, true, 100)));
    assert!(check(8_000, &payload(255, false, 100)));
    for length in [0, 1, 2, 3, 5, 7, 1401] {
        assert!(!check(8_000, &vec![1; length]), "{length}");
    }
    assert!(!check(8_000, &[1; 4 * (MAX_REPORTS + 1)]));
    assert!(!check(0, &[1; 4]));
}

proptest! {
    /// With 30 % of the packets lost, each key whose packets are not all lost
    /// is heard once, and in order.
    #[test]
    fn loss_and_reordering_of_neighbours_lose_no_key(
        keys in proptest::collection::vec((0u8..16, 2u64..10, 2u64..10), 1..30),
        lost in proptest::collection::vec(0u32..100, 500),
        swapped in proptest::collection::vec(0u32..100, 500),
        origin in any::<(u16, u32)>(),
    ) {
        let mut sender = Sender::new(origin.0, origin.1, 8_000);
        let (mut sent, mut expected) = (Vec::new(), Vec::new());
        let mut count = 0;
        for (code, duration, pause) in keys {
            sender.key(code, duration * STEP_MS);
            sender.pass(pause * STEP_MS);
            let before = sent.len();
            for packet in sender.sent.drain(..) {
                count += 1;
                if lost[count % lost.len()] >= 30 {
                    sent.push(packet);
                }
            }
            if sent.len() > before {
                expected.push(code);
            }
            for at in before + 1..sent.len() {
                if swapped[at % swapped.len()] < 10 {
                    let times = (sent[at - 1].0, sent[at].0);
                    sent.swap(at - 1, at);
                    (sent[at - 1].0, sent[at].0) = times;
                }
            }
        }
        prop_assert_eq!(codes(&hear(&sent, 8_000)), expected);
    }

    #[test]
    fn any_packets_are_survived(
        packets in proptest::collection::vec(
            (0u64..500, any::<u32>(), 0u32..3, any::<u32>(), proptest::collection::vec(any::<u8>(), 0..20)),
            0..50),
    ) {
        let (mut events, mut open) = (TelephoneEvents::new(), 0);
        let mut now = 0;
        let mut sink = |event| match event {
            DtmfEvent::Start { .. } => open += 1,
            DtmfEvent::End { .. } => open -= 1,
        };
        for (pause, timestamp, ssrc, clock_rate, payload) in packets {
            now += pause;
            events.tick(now, &mut sink);
            let header = RtpHeader { ssrc, ..header(0, timestamp) };
            events.packet(now, &header, clock_rate, &payload, &mut sink);
        }
        events.finish(&mut sink);
        prop_assert_eq!(open, 0);
    }
}

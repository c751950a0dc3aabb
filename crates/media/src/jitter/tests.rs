#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn header(sequence: u16) -> RtpHeader {
    RtpHeader {
        payload_type: 111,
        marker: false,
        sequence,
        timestamp: u32::from(sequence).wrapping_mul(960),
        ssrc: 1,
        csrc: None,
    }
}

fn push(buffer: &mut JitterBuffer, at: Instant, sequence: u16) -> Pushed {
    buffer.push(at, &header(sequence), 960, &sequence.to_be_bytes())
}

/// What a pull says, in short: a sequence number, or a loss.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Out {
    Packet(u16),
    Silence(u32),
    Lost(u32, u32),
}

fn pull(buffer: &mut JitterBuffer, at: Instant) -> Option<Out> {
    Some(match buffer.pull(at)? {
        Pulled::Packet { packet, .. } => {
            let bytes = [packet.payload[0], packet.payload[1]];
            Out::Packet(u16::from_be_bytes(bytes))
        }
        Pulled::Silence { ticks, .. } => Out::Silence(ticks),
        Pulled::Lost { packets, ticks, .. } => Out::Lost(packets, ticks),
    })
}

fn drain(buffer: &mut JitterBuffer, at: Instant) -> Vec<Out> {
    std::iter::from_fn(|| pull(buffer, at)).collect()
}

#[test]
fn in_order_goes_on_at_once() {
    let (mut buffer, start) = (JitterBuffer::new(48_000), Instant::now());
    assert_eq!(pull(&mut buffer, start), None);
    for n in 0..1000u16 {
        let sequence = n.wrapping_add(65_000);
        let now = start + MS * 20 * u32::from(n);
        assert_eq!(push(&mut buffer, now, sequence), Pushed::Taken);
        // The timestamp jumps back where the sequence number wraps.
        let Some(Pulled::Packet { packet, restart }) = buffer.pull(now) else {
            panic!("the packet goes on");
        };
        assert_eq!(packet.payload, sequence.to_be_bytes());
        assert_eq!(restart, n == 0 || sequence == 0);
    }
    assert_eq!(buffer.target(), MIN_TARGET);
}

#[test]
fn a_swap_is_put_right_and_a_copy_dropped() {
    let (mut buffer, start) = (JitterBuffer::new(48_000), Instant::now());
    push(&mut buffer, start, 1);
    assert_eq!(push(&mut buffer, start, 1), Pushed::Duplicate);
    assert_eq!(drain(&mut buffer, start), [Out::Packet(1)]);
    assert_eq!(push(&mut buffer, start, 1), Pushed::Duplicate);
    push(&mut buffer, start + 40 * MS, 3);
    assert!(drain(&mut buffer, start + 40 * MS).is_empty());
    push(&mut buffer, start + 45 * MS, 2);
    assert_eq!(
        drain(&mut buffer, start + 45 * MS),
        [Out::Packet(2), Out::Packet(3)]
    );
}

#[test]
fn a_gap_is_waited_for_and_then_given_up_with_the_next_packet_at_hand() {
    let (mut buffer, start) = (JitterBuffer::new(48_000), Instant::now());
    push(&mut buffer, start, 1);
    drain(&mut buffer, start);
    push(&mut buffer, start + 60 * MS, 4);
    assert_eq!(buffer.pull(start + 59 * MS), None);
    let late = start + 20 * MS + buffer.target();
    let expected = Packet {
        payload_type: 111,
        ticks: 960,
        source: 1,
        payload: &4u16.to_be_bytes(),
    };
    assert_eq!(
        buffer.pull(late),
        Some(Pulled::Lost {
            packets: 2,
            ticks: 1920,
            next: Some(expected)
        })
    );
    assert_eq!(drain(&mut buffer, late), [Out::Packet(4)]);
    assert_eq!(push(&mut buffer, late, 3), Pushed::Late);
    assert_eq!(push(&mut buffer, late, 3), Pushed::Duplicate);
    assert!(drain(&mut buffer, late).is_empty());
}

#[test]
fn late_packets_lengthen_the_wait() {
    let (mut buffer, start) = (JitterBuffer::new(48_000), Instant::now());
    for n in 0..400u16 {
        // Every tenth packet takes 150 ms longer.
        let now = start + MS * 20 * u32::from(n);
        if n % 10 != 0 {
            push(&mut buffer, now, n);
        }
        if n % 10 == 7 && n > 10 {
            push(&mut buffer, now + 10 * MS, n - 7);
        }
        drain(&mut buffer, now + 10 * MS);
    }
    assert!(buffer.target() >= 150 * MS, "{:?}", buffer.target());
    assert!(buffer.target() <= MAX_TARGET);
}

/// All packets of a key carry the time of its beginning: one that comes behind its turn
/// is not as late as it looks.
#[test]
fn late_telephone_events_tell_nothing_of_the_network() {
    let (mut buffer, start) = (JitterBuffer::new(48_000), Instant::now());
    let mut late = 0;
    for n in 0..400u16 {
        let now = start + MS * 20 * u32::from(n);
        if n % 10 != 0 {
            push(&mut buffer, now, n);
        }
        if n % 10 == 7 && n > 10 {
            // Of a key that was pressed for 400 ms by then.
            let mut event = header(n - 7);
            event.timestamp = event.timestamp.wrapping_sub(20 * 960);
            let pushed = buffer.push(now + 10 * MS, &event, 0, &[1, 0, 0, 0]);
            late += u32::from(pushed == Pushed::Late);
        }
        drain(&mut buffer, now + 10 * MS);
    }
    assert_eq!((late, buffer.target()), (39, MIN_TARGET));
}

#[test]
fn silence_between_talk_spurts_is_told_by_timestamps() {
    let (mut buffer, start) = (JitterBuffer::new(48_000), Instant::now());
    push(&mut buffer, start, 1);
    let mut later = header(2);
    later.marker = true;
    later.timestamp = 960 * 101;
    let now = start + 2000 * MS;
    assert_eq!(buffer.push(now, &later, 960, &[0, 2]), Pushed::Taken);
    assert_eq!(
        drain(&mut buffer, now),
        [Out::Packet(1), Out::Silence(99 * 960), Out::Packet(2)]
    );
}

#[test]
fn places_without_audio_are_no_loss() {
    let (mut buffer, start) = (JitterBuffer::new(48_000), Instant::now());
    push(&mut buffer, start, 1);
    for n in 2..5 {
        let mut event = header(n);
        event.timestamp = 1920;
        buffer.push(start, &event, 0, &[1, 0, 0, 0]);
    }
    let mut after = header(5);
    after.timestamp = 5 * 960;
    buffer.push(start, &after, 960, &[0, 5]);
    assert_eq!(
        drain(&mut buffer, start),
        [Out::Packet(1), Out::Silence(3 * 960), Out::Packet(5)]
    );
}

#[test]
fn jumps_of_hours_are_not_filled() {
    let (mut buffer, start) = (JitterBuffer::new(48_000), Instant::now());
    push(&mut buffer, start, 1);
    for (n, timestamp) in [(2, 48_000 * 3600 * 3), (3, 5), (4, u32::MAX / 2 + 17)] {
        let mut jump = header(n);
        jump.timestamp = timestamp;
        buffer.push(start, &jump, 960, &n.to_be_bytes());
    }
    let packets = [1, 2, 3, 4].map(Out::Packet);
    assert_eq!(drain(&mut buffer, start), packets);
}

#[test]
fn a_new_source_must_prove_itself_and_then_takes_over() {
    let (mut buffer, start) = (JitterBuffer::new(48_000), Instant::now());
    push(&mut buffer, start, 1);
    drain(&mut buffer, start);
    let other = |sequence| RtpHeader {
        ssrc: 2,
        ..header(sequence)
    };
    let at = |n: u32| start + MS * 20 * n;
    let send = |buffer: &mut JitterBuffer, n: u32, sequence: u16| {
        buffer.push(at(n), &other(sequence), 960, &sequence.to_be_bytes())
    };
    assert_eq!(send(&mut buffer, 1, 900), Pushed::Foreign);
    assert_eq!(
        send(&mut buffer, 2, 901),
        Pushed::Foreign,
        "the old one is not quiet yet"
    );
    assert_eq!(send(&mut buffer, 3, 902), Pushed::Taken);
    assert_eq!(drain(&mut buffer, at(3)), [Out::Packet(902)]);
    assert_eq!(push(&mut buffer, at(3), 2), Pushed::Foreign);
}

#[test]
fn a_storm_of_sources_does_not_disturb() {
    let (mut buffer, start) = (JitterBuffer::new(48_000), Instant::now());
    for n in 0..500u16 {
        let now = start + MS * 20 * u32::from(n);
        for ssrc in 0..20 {
            let ssrc = 100 + u32::from(n) * 20 + ssrc;
            let stray = RtpHeader { ssrc, ..header(n) };
            assert_eq!(
                buffer.push(now, &stray, 960, &[0, 0]),
                if n == 0 && ssrc == 100 {
                    Pushed::Taken
                } else {
                    Pushed::Foreign
                }
            );
        }
    }
    assert_eq!(buffer.held(), 1);
}

#[test]
fn a_jump_in_sequence_is_believed_at_its_second_packet() {
    let (mut buffer, start) = (JitterBuffer::new(48_000), Instant::now());
    push(&mut buffer, start, 1);
    drain(&mut buffer, start);
    assert_eq!(push(&mut buffer, start, 30_000), Pushed::Foreign);
    assert_eq!(push(&mut buffer, start, 2), Pushed::Taken);
    assert_eq!(push(&mut buffer, start, 30_000), Pushed::Foreign);
    assert_eq!(push(&mut buffer, start, 30_001), Pushed::Taken);
    assert_eq!(drain(&mut buffer, start), [Out::Packet(30_001)]);
}

#[test]
fn a_puller_that_is_behind_loses_only_what_does_not_fit() {
    let (mut buffer, start) = (JitterBuffer::new(48_000), Instant::now());
    for n in 0..100 {
        let expected = if n < 64 { Pushed::Taken } else { Pushed::Full };
        assert_eq!(push(&mut buffer, start, n), expected);
    }
    let out = drain(&mut buffer, start);
    assert_eq!(out.len(), 64);
    assert_eq!(out[63], Out::Packet(63));
}

#[test]
fn what_is_too_long_is_refused() {
    let mut buffer = JitterBuffer::new(48_000);
    let long = [0; MAX_PAYLOAD + 1];
    let pushed = buffer.push(Instant::now(), &header(1), 960, &long);
    assert_eq!(pushed, Pushed::Oversized);
}

proptest! {
    /// Packets delayed, swapped, copied and lost at will: those taken come out
    /// once and in order, nothing else does, every place is accounted for, and
    /// none waits longer than it may.
    #[test]
    fn against_a_model(
        first: u16,
        fates in proptest::collection::vec((0u32..400, 0u8..10), 1..300),
    ) {
        let start = Instant::now();
        let mut arrivals: Vec<(u32, u16)> = Vec::new();
        for (n, (delay, fate)) in (0u16..).zip(&fates) {
            let at = 20 * u32::from(n) + if *fate < 5 { *delay / 10 } else { *delay };
            let copies = match fate { 8 => 0, 9 => 2, _ => 1 };
            arrivals.extend(std::iter::repeat_n((at, n), copies));
        }
        arrivals.sort();
        let mut buffer = JitterBuffer::new(48_000);
        let mut taken = BTreeSet::new();
        let (mut out, mut pending) = (Vec::new(), arrivals.iter().peekable());
        let end = 20 * fates.len() as u32 + 1500;
        let base = arrivals.first().map_or(0, |first| first.1);
        for at in (0..end).step_by(5) {
            let now = start + MS * at;
            while let Some((_, n)) = pending.next_if(|(when, _)| *when <= at) {
                let mut header = header(*n);
                header.sequence = first.wrapping_add(*n);
                let pushed = buffer.push(now, &header, 960, &n.to_be_bytes());
                match pushed {
                    Pushed::Taken => prop_assert!(taken.insert(*n)),
                    Pushed::Duplicate => prop_assert!(
                        taken.contains(n) || arrivals.iter().filter(|(_, m)| m == n).count() > 1
                    ),
                    Pushed::Late => prop_assert!(!taken.contains(n)),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            out.extend(drain(&mut buffer, now));
        }
        prop_assert_eq!(buffer.held(), 0, "nothing stays behind");
        let mut place = base;
        let mut given = Vec::new();
        for step in out {
            match step {
                Out::Silence(_) => prop_assert!(false, "nobody paused"),
                Out::Packet(n) => {
                    prop_assert_eq!(n, place);
                    given.push(n);
                    place += 1;
                }
                Out::Lost(packets, ticks) => {
                    prop_assert_eq!(ticks, packets * 960);
                    place += packets as u16;
                }
            }
        }
        prop_assert_eq!(given, taken.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn any_operations_are_survived(
        steps in proptest::collection::vec(
            (any::<u16>(), any::<u32>(), 0u32..3, 0u32..6000, 0usize..1600, 0u64..3000), 1..300),
    ) {
        let mut buffer = JitterBuffer::new(48_000);
        let mut now = Instant::now();
        let bytes = [7; 1600];
        for (sequence, timestamp, ssrc, ticks, len, pause) in steps {
            now += MS * pause as u32;
            let header = RtpHeader { sequence, timestamp, ssrc, ..RtpHeader::default() };
            buffer.push(now, &header, ticks, &bytes[..len]);
            prop_assert!(buffer.held() <= SLOTS);
            while buffer.pull(now).is_some() {}
        }
    }
}

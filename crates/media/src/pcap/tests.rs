#![allow(clippy::unwrap_used)]

use std::time::Instant;

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;
use crate::analysis::AnalyzerConfig;
use crate::event::MediaEvent;
use crate::prompt::Prompt;
use crate::receive::Format;
use crate::rtp::RtpHeader;

const FROM: [u8; 4] = [192, 0, 2, 1];
const TO: [u8; 4] = [192, 0, 2, 2];

fn ethernet(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([1; 6], [2; 6])
        .ipv4(FROM, TO, 9)
        .udp(4000, 5000)
        .write(&mut frame, payload)
        .unwrap();
    frame
}

fn ip(payload: &[u8]) -> Vec<u8> {
    ethernet(payload)[14..].to_vec()
}

/// A pcap file of one link type; each frame 20 ms after the one before.
fn file(big_endian: bool, link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let word = |value: u32| match big_endian {
        true => value.to_be_bytes(),
        false => value.to_le_bytes(),
    };
    let version = if big_endian {
        [0, 2, 0, 4]
    } else {
        [2, 0, 4, 0]
    };
    let mut bytes = [
        word(0xa1b2_c3d4),
        version,
        word(0),
        word(0),
        word(65_535),
        word(link),
    ]
    .concat();
    for (n, frame) in (0u32..).zip(frames) {
        let ms = 20 * n;
        let len = word(frame.len() as u32);
        bytes.extend([word(100 + ms / 1000), word(ms % 1000 * 1000), len, len].concat());
        bytes.extend(frame);
    }
    bytes
}

/// A pcapng file: section, interface with nanoseconds, enhanced packets.
fn next_generation_file(link: u16, frames: &[Vec<u8>]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let len = (body.len() as u32 + 12).to_le_bytes();
        [&kind.to_le_bytes()[..], &len, body, &len].concat()
    };
    let section = [&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    let interface = [
        &link.to_le_bytes()[..],
        &[0; 6],
        &[9, 0, 1, 0, 9, 0, 0, 0],
        &[0; 4],
    ]
    .concat();
    let mut bytes = [block(0x0a0d_0d0a, &section), block(1, &interface)].concat();
    for (n, frame) in (0u64..).zip(frames) {
        let at = 100_000_000_000 + n * 20_000_000;
        let len = (frame.len() as u32).to_le_bytes();
        let mut body = [0u32, (at >> 32) as u32, at as u32]
            .map(u32::to_le_bytes)
            .concat();
        body.extend([len, len].concat());
        body.extend(frame);
        body.resize(body.len().next_multiple_of(4), 0);
        bytes.extend(block(6, &body));
    }
    bytes
}

fn payloads(bytes: &[u8]) -> Vec<(u128, Vec<u8>)> {
    let datagrams = datagrams(bytes).unwrap();
    datagrams
        .iter()
        .map(|d| (d.at.as_millis() - 100_000, d.payload.to_vec()))
        .collect()
}

#[test]
fn every_link_type_leads_to_the_datagram() {
    let expected = [(0, b"one".to_vec()), (20, b"three".to_vec())];
    let vlan = |payload: &[u8]| {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([1; 6], [2; 6])
            .single_vlan(7.try_into().unwrap())
            .ipv4(FROM, TO, 9)
            .udp(4000, 5000)
            .write(&mut frame, payload)
            .unwrap();
        frame
    };
    let v6 = |payload: &[u8]| {
        let mut frame = Vec::new();
        PacketBuilder::ipv6([1; 16], [2; 16], 9)
            .udp(4000, 5000)
            .write(&mut frame, payload)
            .unwrap();
        frame
    };
    let cooked = |payload: &[u8]| [&[0; 14][..], &[8, 0], &ip(payload)].concat();
    let cooked_2 = |payload: &[u8]| [&[8, 0][..], &[0; 18], &ip(payload)].concat();
    let loopback = |payload: &[u8]| [&[2, 0, 0, 0][..], &ip(payload)].concat();
    type Frame<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let links: [(u32, Frame<'_>); 8] = [
        (1, &ethernet),
        (1, &vlan),
        (113, &cooked),
        (276, &cooked_2),
        (101, &ip),
        (12, &ip),
        (229, &v6),
        (0, &loopback),
    ];
    for (link, frame) in links {
        let frames = [frame(b"one"), frame(b"three")];
        for big_endian in [false, true] {
            assert_eq!(
                payloads(&file(big_endian, link, &frames)),
                expected,
                "{link}"
            );
        }
        let bytes = next_generation_file(link as u16, &frames);
        assert_eq!(payloads(&bytes), expected, "pcapng {link}");
    }
}

#[test]
fn what_is_no_udp_is_passed_over_and_a_cut_file_ends_there() {
    let mut tcp = Vec::new();
    PacketBuilder::ethernet2([1; 6], [2; 6])
        .ipv4(FROM, TO, 9)
        .tcp(1, 2, 3, 4)
        .write(&mut tcp, b"no")
        .unwrap();
    let mut fragment = ethernet(b"half");
    fragment[14 + 6] = 0x20;
    let frames = [
        tcp,
        vec![],
        vec![1; 10],
        fragment,
        ethernet(b"one"),
        ethernet(b"cut"),
    ];
    let mut bytes = file(false, 1, &frames);
    bytes.truncate(bytes.len() - 2);
    assert_eq!(payloads(&bytes), [(80, b"one".to_vec())]);
    let mut bytes = next_generation_file(1, &frames);
    bytes.truncate(bytes.len() - 2);
    assert_eq!(payloads(&bytes), [(80, b"one".to_vec())]);
}

#[test]
fn what_is_no_capture_is_told() {
    for bytes in [&b""[..], b"R", &[0; 100]] {
        assert_eq!(datagrams(bytes).err(), Some(PcapError::NotCapture));
    }
    let bytes = file(false, 147, &[vec![0; 60]]);
    assert_eq!(datagrams(&bytes).err(), Some(PcapError::LinkType(147)));
    let bytes = next_generation_file(147, &[vec![0; 60]]);
    assert_eq!(datagrams(&bytes).err(), Some(PcapError::LinkType(147)));
}

#[test]
fn time_units_are_powers_of_ten_or_two() {
    assert_eq!(resolution(6), 1_000_000);
    assert_eq!(resolution(0x8a), 1024);
    assert_eq!(
        resolution(0x7f),
        1_000_000,
        "what does not fit is the default"
    );
    assert_eq!(time(1536, 1024), Duration::from_millis(1500));
    assert_eq!(time(u64::MAX, 1), Duration::from_secs(u64::MAX));
}

fn rtp(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let header = RtpHeader {
        payload_type,
        marker: false,
        sequence,
        timestamp,
        ssrc,
        csrc: None,
    };
    ethernet(&[&header.to_bytes()[..], payload].concat())
}

/// Two seconds of Opus with a 48 kHz event, µ-law with an 8 kHz event, and noise.
fn capture() -> Vec<u8> {
    let tone: Vec<f32> = (0..32_000).map(|n| 0.3 * (n as f32 * 0.2).sin()).collect();
    let prompt = Prompt::from_samples(16_000, &tone).unwrap();
    let mut frames = Vec::new();
    for n in 0..100u16 {
        let n32 = u32::from(n);
        let event = |rate: u32| {
            let [high, low] = ((n32 - 50 + 1) * rate / 50).to_be_bytes()[2..] else {
                unreachable!()
            };
            [5, 10, high, low]
        };
        if (50..55).contains(&n) {
            frames.push(rtp(126, n, 50 * 960, 1, &event(48_000)));
            frames.push(rtp(101, n, 50 * 160, 2, &event(8_000)));
        } else {
            let payload = prompt.packet(usize::from(n)).unwrap();
            frames.push(rtp(111, n, n32 * 960, 1, payload));
            frames.push(rtp(0, n, n32 * 160, 2, &[0x42; 160]));
        }
        frames.push(ethernet(&[
            0x80,
            0,
            n as u8 ^ 0x55,
            n as u8,
            1,
            2,
            3,
            4,
            5,
            6,
            n as u8,
            8,
        ]));
    }
    // One frame per 20 ms and stream: time runs a third as fast.
    let mut bytes = file(false, 1, &frames);
    let mut at = 24;
    for (n, frame) in frames.iter().enumerate() {
        let ms = 20 * (n as u32 / 3);
        bytes[at..at + 4].copy_from_slice(&(100 + ms / 1000).to_le_bytes());
        bytes[at + 4..at + 8].copy_from_slice(&(ms % 1000 * 1000).to_le_bytes());
        at += 16 + frame.len();
    }
    bytes
}

#[test]
fn streams_are_found_and_understood() {
    let bytes = capture();
    let datagrams = datagrams(&bytes).unwrap();
    let streams = rtp_streams(&datagrams);
    assert_eq!(streams.len(), 2, "and the noise is none");
    let formats = streams[0].formats();
    assert_eq!(streams[0].packets.len(), 100);
    assert_eq!(formats.get(111), Some(Format::Opus));
    let clock_rate = 48_000;
    assert_eq!(
        formats.get(126),
        Some(Format::TelephoneEvent { clock_rate })
    );
    let formats = streams[1].formats();
    assert_eq!(formats.get(0), Some(Format::Pcmu));
    let clock_rate = 8_000;
    assert_eq!(
        formats.get(101),
        Some(Format::TelephoneEvent { clock_rate })
    );
}

#[test]
fn a_replay_hears_it_all() {
    let bytes = capture();
    let datagrams = datagrams(&bytes).unwrap();
    for stream in rtp_streams(&datagrams) {
        let mut heard = 0;
        let mut sink = |event| {
            if let MediaEvent::Level { t_ms, .. } = event {
                heard = t_ms;
            }
        };
        let stats = stream
            .replay(AnalyzerConfig::default(), Instant::now(), &mut sink)
            .unwrap();
        assert_eq!((stats.received, stats.lost, stats.malformed), (100, 0, 0));
        assert!((1900..=2000).contains(&heard), "{heard}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = datagrams(&bytes);
    }

    #[test]
    fn any_damage_is_answered(
        next_generation: bool,
        damage in proptest::collection::vec((0usize..1000, any::<u8>()), 1..20),
        cut in 0usize..400,
    ) {
        let frames: Vec<_> = (0..6).map(|n| rtp(111, n, u32::from(n) * 960, 1, &[0xf8, 0xff, 0xfe])).collect();
        let mut bytes = match next_generation {
            true => next_generation_file(1, &frames),
            false => file(false, 1, &frames),
        };
        for (at, value) in damage {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        if let Ok(found) = datagrams(&bytes) {
            for stream in rtp_streams(&found) {
                let _ = stream.replay(AnalyzerConfig::default(), Instant::now(), &mut |_| {});
            }
        }
    }
}

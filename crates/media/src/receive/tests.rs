#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::prompt::Prompt;

mod telephone;

const MS: Duration = Duration::from_millis(1);
const OPUS: u8 = 111;
const SPEECH: &[u8] = include_bytes!("../../../../fixtures/speech/recorded-en.wav");

fn receiver() -> Receiver {
    let formats = Formats::new()
        .with(OPUS, Format::Opus)
        .and_then(|f| f.with(0, Format::Pcmu))
        .and_then(|f| f.with(8, Format::Pcma))
        .and_then(|f| f.with(9, Format::G722))
        .and_then(|f| f.with(101, Format::TelephoneEvent { clock_rate: 8_000 }))
        .unwrap();
    Receiver::new(ReceiverConfig {
        formats,
        analyzer: AnalyzerConfig::default(),
    })
    .unwrap()
}

/// Noise in bursts, or quiet from 70 % of each second on.
fn voice() -> Arc<Prompt> {
    let mut state = 1u32;
    let signal: Vec<f32> = (0..48_000 * 4)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = state as f32 / u32::MAX as f32 - 0.5;
            let phase = (n % 48_000) as f32 / 48_000.0;
            if phase < 0.7 { 0.4 * noise } else { 0.0 }
        })
        .collect();
    Prompt::from_samples(48_000, &signal).unwrap()
}

fn header(n: u32) -> RtpHeader {
    RtpHeader {
        payload_type: OPUS,
        marker: false,
        sequence: (n as u16).wrapping_add(65_000),
        timestamp: n.wrapping_mul(960).wrapping_add(u32::MAX - 50_000),
        ssrc: 9,
        csrc: None,
    }
}

/// A call on a clock of its own.
struct Call {
    receiver: Receiver,
    prompt: Arc<Prompt>,
    start: Instant,
    now: u32,
    heard_ms: u64,
    levels: Vec<f32>,
}

impl Call {
    fn new() -> Self {
        Self {
            receiver: receiver(),
            prompt: voice(),
            start: Instant::now(),
            now: 0,
            heard_ms: 0,
            levels: Vec::new(),
        }
    }

    fn note(heard_ms: &mut u64, levels: &mut Vec<f32>, event: MediaEvent) {
        if let MediaEvent::Level { t_ms, dbov } = event {
            *heard_ms = t_ms;
            levels.push(dbov);
        }
    }

    fn send(&mut self, header: &RtpHeader, payload: &[u8]) {
        let at = self.start + MS * self.now;
        let (heard, levels) = (&mut self.heard_ms, &mut self.levels);
        self.receiver.push(at, header, payload, &mut |event| {
            Self::note(heard, levels, event);
        });
    }

    fn send_opus(&mut self, n: u32) {
        let prompt = Arc::clone(&self.prompt);
        let payload = prompt.packet(n as usize % 200).unwrap();
        self.send(&header(n), payload);
    }

    fn wait(&mut self, ms: u32) {
        for _ in 0..ms / 5 {
            self.now += 5;
            let at = self.start + MS * self.now;
            let (heard, levels) = (&mut self.heard_ms, &mut self.levels);
            let mut sink = |event| Self::note(heard, levels, event);
            self.receiver.pull(at, &mut sink);
        }
    }

    /// Media time and real time, in ms, are within the given difference.
    fn assert_in_time(&self, tolerance: u64) {
        let difference = self.heard_ms.abs_diff(u64::from(self.now));
        assert!(
            difference <= tolerance,
            "heard {} of {} ms",
            self.heard_ms,
            self.now
        );
    }
}

#[test]
fn media_time_is_real_time_whatever_is_lost() {
    let mut call = Call::new();
    let mut lost = 0;
    for n in 0..1500 {
        // Every fifth alone, and now and then five in a row.
        if n % 5 == 3 || n % 100 >= 95 {
            lost += 1;
        } else {
            call.send_opus(n);
        }
        call.wait(20);
    }
    call.assert_in_time(250);
    let stats = call.receiver.stats();
    assert_eq!(stats.received, 1500 - lost);
    // The last ones lost are not known to be.
    assert!(stats.lost.abs_diff(lost) <= 5, "{stats:?}");
    assert!(stats.recovered > 100, "FEC was there to use: {stats:?}");
    assert_eq!((stats.late, stats.duplicate, stats.malformed), (0, 0, 0));
}

#[test]
fn pauses_are_heard_as_long_as_they_were() {
    let mut call = Call::new();
    let mut n = 0;
    for pause in [0, 3, 60, 400, 2000] {
        n += pause;
        call.wait(pause * 20);
        for _ in 0..50 {
            call.send_opus(n);
            n += 1;
            call.wait(20);
        }
    }
    // Sequence numbers jump with the pause here, so it is loss to the buffer.
    call.assert_in_time(300);
}

#[test]
fn discontinuous_transmission_is_no_loss() {
    let mut call = Call::new();
    for n in 0..500u32 {
        let talk = n % 100 < 50;
        // One packet in 20 while silent, sequence numbers going on.
        if talk || n % 20 == 0 {
            let sequence = (0..n).filter(|n| n % 100 < 50 || n % 20 == 0).count() as u16;
            let header = RtpHeader {
                sequence,
                ..header(n)
            };
            let prompt = Arc::clone(&call.prompt);
            call.send(&header, prompt.packet(n as usize % 200).unwrap());
        }
        call.wait(20);
    }
    call.assert_in_time(250);
    assert_eq!(call.receiver.stats().lost, 0);
}

/// Five minutes in which nobody speaks, as Opus' DTX sends them (RFC 7587 §3.1.3): a packet
/// of one byte for each frame, or one in 400 ms; sequence numbers go on, timestamps tell.
#[test]
fn five_minutes_of_discontinuous_transmission_are_five_minutes() {
    for every in [1, 20] {
        let mut call = Call::new();
        let mut sequence = 0u16;
        let mut sent = 0;
        for n in 0..100 + 15_000 + 100 {
            let talks = !(100..15_100).contains(&n);
            if talks || n % every == 0 {
                let header = RtpHeader {
                    sequence,
                    ..header(n)
                };
                let prompt = Arc::clone(&call.prompt);
                let spoken = prompt.packet(n as usize % 200).unwrap();
                let toc_alone = &spoken[..1];
                call.send(&header, if talks { spoken } else { toc_alone });
                sequence = sequence.wrapping_add(1);
                sent += 1;
            }
            call.wait(20);
        }
        call.assert_in_time(250);
        let expected = ReceiveStats {
            received: sent,
            ..ReceiveStats::default()
        };
        assert_eq!(call.receiver.stats(), expected, "every {every}");
        let pause = &call.levels[30..3_000];
        let loudest = pause.iter().fold(f32::MIN, |a, b| a.max(*b));
        assert!(loudest < -50.0, "{loudest}");
        let after = &call.levels[call.levels.len() - 20..];
        assert!(after.iter().any(|level| *level > -30.0), "{after:?}");
    }
}

#[test]
fn a_held_up_network_loses_nothing_and_time_recovers() {
    let mut call = Call::new();
    for burst in 0..20 {
        for n in 0..25 {
            call.send_opus(burst * 50 + n);
            call.wait(20);
        }
        call.wait(25 * 20);
        for n in 25..50 {
            call.send_opus(burst * 50 + n);
        }
    }
    call.wait(500);
    let stats = call.receiver.stats();
    assert_eq!((stats.received, stats.lost, stats.full), (1000, 0, 0));
    call.assert_in_time(800);
}

#[test]
fn garbage_is_counted_and_does_not_disturb() {
    let mut call = Call::new();
    for n in 0..400u32 {
        let mut other = header(n);
        // Each kind takes a sequence number of its own.
        other.sequence = (n * 5) as u16;
        let good = call.prompt.packet(n as usize % 200).unwrap().to_vec();
        call.send(&other, &good);
        for (place, (payload_type, payload)) in [
            (55, &[1, 2, 3][..]),
            (OPUS, &[]),
            (OPUS, &[0xfb, 0]),
            (101, &[1, 2]),
        ]
        .into_iter()
        .enumerate()
        {
            other.payload_type = payload_type;
            other.sequence = (n * 5) as u16 + 1 + place as u16;
            call.send(&other, payload);
        }
        call.wait(20);
    }
    let stats = call.receiver.stats();
    assert_eq!(stats.received, 2000);
    assert_eq!(stats.unknown_payload_type, 400);
    assert!(stats.malformed >= 800, "{stats:?}");
    assert_eq!(stats.lost, 0);
    call.assert_in_time(250);
}

#[test]
fn a_flood_is_bounded_and_survived() {
    let mut call = Call::new();
    for n in 0..20_000 {
        call.send_opus(n);
        if n % 50 == 0 {
            call.wait(5);
        }
    }
    // At most 100 ms of audio per pull.
    assert!(call.heard_ms <= u64::from(call.now / 5) * 100 + 200);
    assert!(call.receiver.stats().full > 0);
}

/// A sender with deep redundancy (DRED): a tone that rises within a lost 100 ms.
#[test]
fn deep_redundancy_restores_a_burst() {
    let mut encoder = switchboard_opus::Encoder::new(16_000).unwrap();
    encoder.set_bitrate(32_000).unwrap();
    encoder.set_packet_loss(25).unwrap();
    encoder.set_redundancy(20).unwrap();
    let mut phase = 0.0;
    let mut voice = |n: usize| {
        phase += if n < 47 * 320 { 120.0 } else { 170.0 } / 16_000.0;
        let partial = |k: i32| (phase * k as f32 * std::f32::consts::TAU).sin() / k as f32;
        let level = if n < 46 * 320 { 0.0 } else { 0.2 };
        level * (1..20).map(partial).sum::<f32>()
    };
    let signal: Vec<f32> = (0..60 * 320).map(&mut voice).collect();
    let (mut receiver, mut heard) = (receiver(), Vec::new());
    let start = Instant::now();
    for (n, frame) in signal.chunks_exact(320).enumerate() {
        let mut payload = [0; 1275];
        let length = encoder.encode(frame, &mut payload).unwrap();
        let now = start + MS * 20 * n as u32;
        if !(45..50).contains(&n) {
            receiver.push(now, &header(n as u32), &payload[..length], &mut |_| {});
        }
        for ms in [0, 5, 10, 15] {
            receiver.pull_audio(now + MS * ms, &mut |_| {}, &mut |audio| {
                heard.extend_from_slice(audio);
            });
        }
    }
    let stats = receiver.stats();
    assert_eq!(stats.lost, 5);
    assert!((2..=5).contains(&stats.recovered), "{}", stats.recovered);
    let power = |samples: &[f32]| samples.iter().map(|x| x * x).sum::<f32>();
    let gap = 48 * 320..50 * 320;
    // Concealment goes on with the silence before.
    assert!(power(&heard[gap.clone()]) > 0.1 * power(&signal[gap]));
    assert!(heard.len().abs_diff(signal.len()) <= 3 * 320);
}

#[test]
fn another_source_takes_over() {
    let mut call = Call::new();
    for n in 0..300 {
        let header = RtpHeader {
            ssrc: n / 100,
            ..header(n.wrapping_mul(0x0101_0000 * (n / 100)).wrapping_add(n))
        };
        let prompt = Arc::clone(&call.prompt);
        call.send(&header, prompt.packet(n as usize % 200).unwrap());
        call.wait(20);
    }
    assert!(call.receiver.stats().foreign <= 6);
    call.assert_in_time(400);
}

/// What was said by whom: a mark for each event but the meter's, and the levels.
#[derive(Default)]
struct Told {
    source: u32,
    marks: Vec<(u32, char)>,
    levels: Vec<(u32, f32)>,
}

impl Told {
    fn take(&mut self, event: MediaEvent) {
        let mark = match event {
            MediaEvent::Source { source } => {
                self.source = source;
                'n'
            }
            MediaEvent::SpeechStart { .. } => 's',
            MediaEvent::SpeechEnd { .. } => 'e',
            MediaEvent::Level { dbov, .. } => return self.levels.push((self.source, dbov)),
            _ => return,
        };
        self.marks.push((self.source, mark));
    }

    fn marks_of(&self, source: u32) -> String {
        let marks = self.marks.iter().filter(|(of, _)| *of == source);
        marks.map(|(_, mark)| *mark).collect()
    }
}

fn told_by_source(csrcs: impl Iterator<Item = u32>) -> Told {
    let speech = crate::wav::read(SPEECH).unwrap().mono();
    let prompt = Prompt::from_samples(16_000, &speech).unwrap();
    let (mut receiver, start) = (receiver(), Instant::now());
    receiver.tell_sources();
    let mut told = Told::default();
    for (n, csrc) in (0u32..).zip(csrcs) {
        // The even sources speak, the odd ones are silent.
        let silence = [0xf8, 0xff, 0xfe];
        let spoken = prompt.packet(n as usize % prompt.packets()).unwrap();
        let payload = if csrc % 2 == 0 { spoken } else { &silence };
        let header = RtpHeader {
            csrc: Some(csrc),
            ..header(n)
        };
        let mut sink = |event| told.take(event);
        let now = start + MS * 20 * n;
        receiver.push(now, &header, payload, &mut sink);
        receiver.pull(now, &mut sink);
    }
    told
}

#[test]
fn each_source_of_a_stream_is_heard_afresh() {
    // Two seconds of the fixture hold speech that goes on at their end.
    let turns = [(2, 100), (3, 50), (4, 100)];
    let csrcs = turns.iter().flat_map(|(csrc, n)| vec![*csrc; *n]);
    let told = told_by_source(csrcs);
    let (first, second, third) = (told.marks_of(2), told.marks_of(3), told.marks_of(4));
    assert!(first.starts_with("ns") && first.ends_with('e'), "{first}");
    assert_eq!(second, "n");
    assert!(third.starts_with("ns"), "{third}");
    // Nothing of the speaker before is in the level of the silent one.
    let mut silent = told.levels.iter().filter(|(source, _)| *source == 3);
    assert!(silent.all(|(_, dbov)| *dbov < -90.0), "{:?}", told.levels);
}

#[test]
fn sources_that_change_with_every_packet_are_told_and_survived() {
    let told = told_by_source((0..200).map(|n| n % 2));
    let changes = told.marks.iter().filter(|(_, mark)| *mark == 'n').count();
    assert_eq!(changes, 200);
}

#[test]
fn the_end_of_a_recording_is_heard() {
    let mut receiver = receiver();
    let (prompt, start) = (voice(), Instant::now());
    let mut heard = 0;
    let mut sink = |event| {
        if let MediaEvent::Level { t_ms, .. } = event {
            heard = t_ms;
        }
    };
    // One packet is missing, so the rest waits until the end.
    for n in [0, 2, 3, 4, 5, 6, 7, 8, 9, 10] {
        receiver.push(
            start,
            &header(n),
            prompt.packet(n as usize).unwrap(),
            &mut sink,
        );
    }
    receiver.finish(start, &mut sink);
    assert_eq!(heard, 200);
}

proptest! {
    #[test]
    fn any_packets_are_survived(
        packets in proptest::collection::vec(
            (any::<u16>(), any::<u32>(), 0u32..2, prop_oneof![Just(OPUS), Just(0u8), Just(8), Just(101), 0u8..128],
             proptest::collection::vec(any::<u8>(), 0..60), 0u32..40),
            1..100),
    ) {
        let mut call = Call::new();
        for (sequence, timestamp, ssrc, payload_type, payload, pause) in packets {
            let header = RtpHeader { payload_type, marker: false, sequence, timestamp, ssrc, csrc: None };
            call.send(&header, &payload);
            call.wait(pause);
        }
        call.receiver.finish(call.start + MS * call.now, &mut |_| {});
    }
}

#[test]
fn linear_audio_is_heard_as_it_is() {
    let formats = Formats::new().with(96, Format::L16).unwrap();
    assert_eq!(formats.clock_rate(), 16_000);
    let analyzer = AnalyzerConfig::default();
    let mut receiver = Receiver::new(ReceiverConfig { formats, analyzer }).unwrap();
    let start = Instant::now();
    let mut heard = Vec::new();
    for n in 0..50u32 {
        let samples = (0..320u32).map(|at| ((n * 320 + at) % 20_000) as i16);
        let payload: Vec<u8> = samples.flat_map(i16::to_be_bytes).collect();
        let header = RtpHeader {
            payload_type: 96,
            sequence: n as u16,
            timestamp: n * 320,
            ..RtpHeader::default()
        };
        let now = start + 20 * n * MS;
        receiver.push(now, &header, &payload, &mut |_| {});
        receiver.pull_audio(now, &mut |_| {}, &mut |audio| {
            heard.extend_from_slice(audio);
        });
    }
    assert_eq!(heard.len(), 16_000);
    let is = |(n, sample): (usize, &f32)| *sample == (n % 20_000) as f32 / 32_768.0;
    assert!(heard.iter().enumerate().all(is));
}

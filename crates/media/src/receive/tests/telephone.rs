//! G.711 and G.722.

use super::*;

#[test]
fn g711_is_heard_at_its_level() {
    for (payload_type, code) in [(0u8, 0x0fu8), (8, 0x3a)] {
        let mut call = Call::new();
        for n in 0..100u32 {
            let header = RtpHeader {
                payload_type,
                timestamp: n * 160,
                sequence: n as u16,
                ..header(0)
            };
            // A square wave of 500 Hz, positive and negative.
            let payload: Vec<u8> = (0..160)
                .map(|i| if i % 16 < 8 { code } else { code | 0x80 })
                .collect();
            call.send(&header, &payload);
            call.wait(20);
        }
        call.assert_in_time(150);
        assert_eq!(call.receiver.stats().malformed, 0);
        let level = call.levels[call.levels.len() - 1];
        assert!((-9.0..0.0).contains(&level), "{payload_type}: {level}");
    }
}

#[test]
fn g722_is_heard_whole_at_16_khz() {
    let mut encoder = crate::codec::G722Encoder::new();
    let sine = |n: u32| 0.5 * (n as f32 * 6_000.0 * std::f32::consts::TAU / 16_000.0).sin();
    let (mut receiver, mut heard) = (receiver(), Vec::new());
    let start = Instant::now();
    for n in 0..100u32 {
        let header = RtpHeader {
            payload_type: 9,
            // The clock of 8 kHz counts bytes, not samples (RFC 3551 §4.5.2).
            timestamp: n * 160,
            sequence: n as u16,
            ..header(0)
        };
        let payload: Vec<u8> = (n * 160..(n + 1) * 160)
            .map(|byte| encoder.encode([sine(2 * byte), sine(2 * byte + 1)]))
            .collect();
        let now = start + MS * 20 * n;
        receiver.push(now, &header, &payload, &mut |_| {});
        receiver.pull_audio(now, &mut |_| {}, &mut |audio| {
            heard.extend_from_slice(audio);
        });
    }
    assert_eq!(heard.len(), 100 * 320);
    assert_eq!(receiver.stats().lost + receiver.stats().malformed, 0);
    for (n, sample) in heard.iter().enumerate().skip(4_000) {
        // The quadrature mirror filters delay by 22 samples.
        assert!((sample - sine(n as u32 - 22)).abs() < 0.2, "{n}");
    }
}

/// The resampler holds the end of what the speaker before said.
#[test]
fn the_next_source_of_telephone_audio_begins_with_its_own() {
    let (mut receiver, start) = (receiver(), Instant::now());
    receiver.tell_sources();
    let (source, heard) = (std::cell::Cell::new(0), &mut [vec![], vec![]]);
    for n in 0..100u32 {
        let csrc = n / 50;
        let header = RtpHeader {
            payload_type: 0,
            timestamp: n * 160,
            sequence: n as u16,
            csrc: Some(csrc),
            ..header(0)
        };
        // A loud square wave, then silence.
        let loud = |i: u32| if i % 16 < 8 { 0x0f } else { 0x8f };
        let code = |i| if csrc == 0 { loud(i) } else { 0xff };
        let payload: Vec<u8> = (0..160).map(code).collect();
        let now = start + MS * 20 * n;
        let mut events = |event| {
            if let MediaEvent::Source { source: other } = event {
                source.set(other);
            }
        };
        receiver.push(now, &header, &payload, &mut events);
        receiver.pull_audio(now, &mut events, &mut |audio| {
            heard[source.get() as usize].extend_from_slice(audio);
        });
    }
    let peak = |audio: &[f32]| audio.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
    assert!(peak(&heard[0]) > 0.1);
    assert!(heard[1].len() > 49 * 320);
    assert!(peak(&heard[1]) < 1e-3, "{}", peak(&heard[1]));
}

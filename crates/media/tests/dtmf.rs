//! What ITU-T Q.24 and ETSI ES 201 235-3 ask of a DTMF receiver, and more.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use switchboard_media::analysis::AnalyzerConfig;
use switchboard_media::codec::{ENCODER_FRAME, Encoder, MAX_PACKET};
use switchboard_media::dtmf::{Detector, DtmfEvent, Rate};
use switchboard_media::event::{Digit, MediaEvent};
use switchboard_media::receive::{Format, Formats, Receiver, ReceiverConfig};
use switchboard_media::rtp::RtpHeader;
use switchboard_media::tone::{DtmfTone, dial};

const RATES: [Rate; 3] = [Rate::Hz8000, Rate::Hz16000, Rate::Hz48000];
const ALL: &str = "0123456789*#ABCD";

/// Noise and choices, the same in every run.
struct Random(u64);

impl Random {
    /// Evenly spread over 0–1.
    fn unit(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    fn between(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from) * self.unit()
    }

    /// Nearly Gaussian with a variance of 1.
    fn noise(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }
}

struct Press {
    key: char,
    start_ms: u64,
    duration_ms: u64,
    /// How much audio was heard when it was told.
    told_ms: f64,
}

fn hear(rate: Rate, audio: &[f32]) -> Vec<Press> {
    let mut detector = Detector::new(rate);
    let mut presses: Vec<Press> = Vec::new();
    let mut heard = 0;
    for piece in audio.chunks(rate.hz() as usize / 1000) {
        heard += piece.len();
        let told_ms = heard as f64 * 1000.0 / f64::from(rate.hz());
        detector.push(piece, &mut |event| note(&mut presses, event, told_ms));
    }
    detector.finish(&mut |event| note(&mut presses, event, f64::INFINITY));
    presses
}

fn note(presses: &mut Vec<Press>, event: DtmfEvent, told_ms: f64) {
    match event {
        DtmfEvent::Start { digit, start_ms } => presses.push(Press {
            key: digit.as_char(),
            start_ms,
            duration_ms: 0,
            told_ms,
        }),
        DtmfEvent::End { duration_ms, .. } => {
            presses.last_mut().unwrap().duration_ms = duration_ms;
        }
    }
}

fn keys(rate: Rate, audio: &[f32]) -> String {
    hear(rate, audio).iter().map(|press| press.key).collect()
}

/// 50 ms each, 50 ms apart.
fn like() -> DtmfTone {
    DtmfTone {
        duration_ms: 50.0,
        pause_ms: 50.0,
        ..DtmfTone::new(Digit::ALL[0])
    }
}

/// All sixteen, after a pause of a length that puts them anywhere between two
/// decisions.
fn all(rate: Rate, like: &DtmfTone, pause: usize) -> Vec<f32> {
    let mut audio = vec![0.0; rate.hz() as usize / 10 + pause * rate.hz() as usize / 16_000];
    audio.extend(dial(rate.hz(), ALL, like));
    audio
}

/// What a telephone line or a 16-bit file leaves of the audio.
fn quantized(mut audio: Vec<f32>) -> Vec<f32> {
    for sample in &mut audio {
        *sample = (*sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) / 32_768.0;
    }
    audio
}

fn assert_all(like: &DtmfTone, what: &str) {
    for rate in RATES {
        for pause in [0, 37, 55] {
            let heard = keys(rate, &quantized(all(rate, like, pause)));
            assert_eq!(heard, ALL, "{what} at {rate:?}, pause {pause}");
        }
    }
}

fn assert_none(like: &DtmfTone, what: &str) {
    for rate in RATES {
        for pause in [0, 37, 55] {
            let heard = keys(rate, &quantized(all(rate, like, pause)));
            assert_eq!(heard, "", "{what} at {rate:?}, pause {pause}");
        }
    }
}

#[test]
fn frequencies_within_1_8_percent_are_heard() {
    for low_offset in [-0.018, -0.009, 0.0, 0.018] {
        for high_offset in [-0.018, 0.0, 0.009, 0.018] {
            let like = DtmfTone {
                low_offset,
                high_offset,
                ..like()
            };
            assert_all(&like, &format!("{low_offset} {high_offset}"));
        }
    }
}

#[test]
fn frequencies_3_5_percent_off_are_not() {
    for off in [
        -0.06, -0.05, -0.045, -0.04, -0.035, 0.035, 0.04, 0.045, 0.05, 0.06,
    ] {
        for other in [-0.018, 0.0, 0.018] {
            for (low_offset, high_offset) in [(off, other), (other, off)] {
                // Long, so that every alignment is tried.
                let like = DtmfTone {
                    low_offset,
                    high_offset,
                    duration_ms: 150.0,
                    ..like()
                };
                for rate in RATES {
                    let heard = keys(rate, &all(rate, &like, 0));
                    assert_eq!(heard, "", "{low_offset} {high_offset} at {rate:?}");
                }
            }
        }
    }
}

#[test]
fn twist_of_8_db_is_heard_and_of_14_db_is_not() {
    for twist_db in [-8.0, -6.0, 4.0, 8.0] {
        assert_all(&DtmfTone { twist_db, ..like() }, &format!("{twist_db} dB"));
    }
    for twist_db in [-14.0, 14.0] {
        assert_none(&DtmfTone { twist_db, ..like() }, &format!("{twist_db} dB"));
    }
}

#[test]
fn levels_from_0_to_minus_45_dbm0_are_heard_and_minus_55_is_not() {
    for level_dbm0 in [0.0, -3.0, -20.0, -40.0, -45.0] {
        let like = DtmfTone {
            level_dbm0,
            ..like()
        };
        assert_all(&like, &format!("{level_dbm0} dBm0"));
    }
    let level_dbm0 = -55.0;
    assert_none(
        &DtmfTone {
            level_dbm0,
            ..like()
        },
        "-55 dBm0",
    );
}

/// The corners of all limits at once.
#[test]
fn limits_may_come_together() {
    for level_dbm0 in [-3.0, -45.0] {
        for twist_db in [-8.0, 8.0] {
            for (low_offset, high_offset) in [(0.018, -0.018), (-0.018, 0.018), (0.018, 0.018)] {
                let like = DtmfTone {
                    level_dbm0,
                    twist_db,
                    low_offset,
                    high_offset,
                    duration_ms: 40.0,
                    pause_ms: 40.0,
                    ..like()
                };
                let what = format!("{level_dbm0} {twist_db} {low_offset} {high_offset}");
                assert_all(&like, &what);
            }
        }
    }
}

#[test]
fn tones_of_40_ms_are_heard_and_below_20_ms_are_not() {
    for (duration_ms, pause_ms) in [(40.0, 40.0), (40.0, 100.0), (41.3, 40.1), (45.0, 40.0)] {
        let like = DtmfTone {
            duration_ms,
            pause_ms,
            ..like()
        };
        assert_all(&like, &format!("{duration_ms} ms"));
    }
    for duration_ms in [5.0, 10.0, 15.0, 19.0] {
        let like = DtmfTone {
            duration_ms,
            ..like()
        };
        assert_none(&like, &format!("{duration_ms} ms"));
    }
}

#[test]
fn a_key_pressed_twice_is_two_keys_40_ms_apart() {
    for rate in RATES {
        for pause_ms in [40.0, 45.0, 60.0] {
            let like = DtmfTone {
                duration_ms: 40.0,
                pause_ms,
                ..like()
            };
            for shift in 0..5 {
                let mut audio = vec![0.0; rate.hz() as usize * (1000 + shift) / 10_000];
                audio.extend(dial(rate.hz(), "5555##", &like));
                assert_eq!(keys(rate, &audio), "5555##", "{rate:?} {pause_ms}");
            }
        }
    }
}

#[test]
fn interruptions_up_to_10_ms_are_bridged() {
    for rate in RATES {
        for interruption_ms in [1, 3, 5, 8, 10] {
            let ms = rate.hz() as usize / 1000;
            let like = DtmfTone {
                duration_ms: 120.0,
                ..like()
            };
            let mut audio = all(rate, &like, 0);
            for press in 0..16 {
                let at = ms * (100 + 170 * press + 60);
                audio[at..at + interruption_ms * ms].fill(0.0);
            }
            let heard = hear(rate, &audio);
            let keys: String = heard.iter().map(|press| press.key).collect();
            assert_eq!(keys, ALL, "{rate:?} {interruption_ms} ms");
            assert!(heard.iter().all(|p| p.duration_ms.abs_diff(120) <= 8));
        }
    }
}

#[test]
fn keys_are_told_within_50_ms_and_timed_within_5() {
    for rate in RATES {
        for shift in 0..10 {
            let like = DtmfTone {
                duration_ms: 73.0,
                pause_ms: 77.7,
                ..like()
            };
            let heard = hear(rate, &all(rate, &like, shift * 8));
            assert_eq!(heard.len(), 16);
            for (n, press) in heard.iter().enumerate() {
                let start = 100.0 + shift as f64 * 0.5 + 150.7 * n as f64;
                assert!(press.told_ms - start <= 50.0, "{}", press.told_ms - start);
                assert!((press.start_ms as f64 - start).abs() < 5.0);
                assert!(press.duration_ms.abs_diff(73) <= 5);
            }
        }
    }
}

/// Keys dialled at random into noise of a given density: how many were heard,
/// how many were not dialled.
fn dial_in_noise(rate: Rate, snr_db: f32, count: usize, like: &DtmfTone) -> (usize, usize) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let dialled: Vec<Digit> = (0..count)
        .map(|_| Digit::ALL[(random.unit() * 16.0) as usize % 16])
        .collect();
    let ms = rate.hz() as f64 / 1000.0;
    let mut audio = vec![0.0; 300 * ms as usize];
    let mut begins = Vec::new();
    for digit in &dialled {
        begins.push(audio.len() as f64 / ms);
        let tone = DtmfTone {
            digit: *digit,
            ..*like
        };
        tone.write(rate.hz(), &mut audio);
        let pause = random.between(0.0, 10.0) * ms as f32;
        audio.resize(audio.len() + pause as usize, 0.0);
    }
    // Power of both tones over that of the noise from 0 to 4 kHz.
    let (low, high) = like.amplitudes();
    let power = (low * low + high * high) / 2.0;
    let spread = rate.hz() as f32 / 8000.0;
    let deviation = (power * spread / 10f32.powf(snr_db / 10.0)).sqrt();
    for sample in &mut audio {
        *sample += deviation * random.noise();
    }
    let heard = hear(rate, &audio);
    let right = |press: &&Press| {
        begins.iter().zip(&dialled).any(|(begin, digit)| {
            digit.as_char() == press.key && (press.start_ms as f64 - begin).abs() < 30.0
        })
    };
    let right = heard.iter().filter(right).count();
    (right, heard.len() - right)
}

#[test]
fn at_4_db_snr_99_percent_are_heard_and_none_wrong() {
    for (rate, count) in [
        (Rate::Hz8000, 2000),
        (Rate::Hz16000, 500),
        (Rate::Hz48000, 200),
    ] {
        let like = DtmfTone {
            level_dbm0: -15.0,
            ..like()
        };
        let (right, wrong) = dial_in_noise(rate, 4.0, count, &like);
        assert!(right * 100 >= count * 99, "{right} of {count} at {rate:?}");
        assert_eq!(wrong, 0, "{rate:?}");
    }
}

#[test]
fn noise_alone_is_no_key() {
    let mut random = Random(7);
    let noise: Vec<f32> = (0..8000 * 120).map(|_| 0.1 * random.noise()).collect();
    assert_eq!(keys(Rate::Hz8000, &noise), "");
}

fn add_tone(audio: &mut [f32], rate: Rate, hz: f32, dbm0: f32) {
    let amplitude =
        switchboard_media::tone::amplitude_from_dbov(switchboard_media::tone::dbov_from_dbm0(dbm0));
    let step = f64::from(hz) / f64::from(rate.hz()) * std::f64::consts::TAU;
    for (n, sample) in audio.iter_mut().enumerate() {
        *sample += amplitude * (step * n as f64).sin() as f32;
    }
}

#[test]
fn dial_tone_and_hum_are_tolerated() {
    for rate in RATES {
        for others in [
            &[(350.0, -10.0), (440.0, -10.0)][..],
            &[(425.0, -8.0)],
            &[(50.0, -10.0), (100.0, -20.0), (150.0, -20.0)],
            &[(60.0, -10.0), (120.0, -20.0), (180.0, -20.0)],
        ] {
            let like = DtmfTone {
                level_dbm0: -15.0,
                ..like()
            };
            let mut audio = all(rate, &like, 0);
            for (hz, dbm0) in others {
                add_tone(&mut audio, rate, *hz, *dbm0);
            }
            assert_eq!(keys(rate, &audio), ALL, "{rate:?} {others:?}");
        }
    }
}

#[test]
fn other_tones_of_the_network_are_no_keys() {
    // Dial, busy, ringing, reorder, special information, modem answer, howler.
    let signals: [&[f32]; 9] = [
        &[350.0, 440.0],
        &[480.0, 620.0],
        &[440.0, 480.0],
        &[425.0],
        &[950.0],
        &[1400.0],
        &[1800.0],
        &[2100.0],
        &[1400.0, 2060.0, 2450.0, 2600.0],
    ];
    let mut audio = Vec::new();
    for signal in signals {
        let mut part = vec![0.0; 8000];
        for hz in signal {
            add_tone(&mut part, Rate::Hz8000, *hz, -10.0);
        }
        audio.extend(part);
        audio.resize(audio.len() + 4000, 0.0);
    }
    // A single tone of a key, and a row without a column.
    for hz in [697.0, 941.0, 1209.0, 1633.0] {
        let mut part = vec![0.0; 4000];
        add_tone(&mut part, Rate::Hz8000, hz, -10.0);
        audio.extend(part);
    }
    assert_eq!(keys(Rate::Hz8000, &audio), "");
}

/// Opus packets of 20 ms at 24 kbit/s.
fn opus(audio: &[f32]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new().unwrap();
    encoder.set_bitrate(24_000).unwrap();
    let encode = |frame: &[f32]| {
        let mut packet = vec![0; MAX_PACKET];
        let length = encoder.encode(frame, &mut packet).unwrap();
        packet.truncate(length);
        packet
    };
    audio.chunks_exact(ENCODER_FRAME).map(encode).collect()
}

/// Over Opus with one packet in twenty lost at random.
#[test]
fn after_opus_with_5_percent_loss_99_percent_are_heard() {
    let mut random = Random(11);
    let dialled: String = (0..1000)
        .map(|_| ALL.as_bytes()[(random.unit() * 16.0) as usize % 16] as char)
        .collect();
    let like = DtmfTone::new(Digit::ALL[0]);
    let mut audio = vec![0.0; 24_000];
    audio.extend(dial(48_000, &dialled, &like));
    let packets = opus(&audio);
    let mut heard: Vec<(char, u64)> = Vec::new();
    let mut receiver = Receiver::new(ReceiverConfig {
        formats: Formats::new().with(111, Format::Opus).unwrap(),
        analyzer: AnalyzerConfig::default(),
    })
    .unwrap();
    let start = Instant::now();
    let mut sink = |event| {
        if let MediaEvent::DigitStart {
            digit, start_ms, ..
        } = event
        {
            heard.push((digit.as_char(), start_ms));
        }
    };
    for (n, packet) in packets.iter().enumerate() {
        let now = start + Duration::from_millis(20) * n as u32;
        let header = RtpHeader {
            payload_type: 111,
            sequence: n as u16,
            timestamp: n as u32 * 960,
            ..RtpHeader::default()
        };
        if random.unit() >= 0.05 {
            receiver.push(now, &header, packet, &mut sink);
        }
        while receiver.pull(now, &mut sink) {}
    }
    let lost = receiver.stats().lost;
    receiver.finish(
        start + Duration::from_millis(20) * packets.len() as u32,
        &mut sink,
    );
    let right = dialled.chars().enumerate().filter(|(n, key)| {
        let begin = 500 + 200 * *n as u64;
        heard
            .iter()
            .any(|(heard, at)| heard == key && at.abs_diff(begin) <= 60)
    });
    let right = right.count();
    assert!(lost > 300, "{lost} lost");
    assert!(right >= 990, "{right} of 1000");
    assert!(heard.len() <= 1003, "{} heard", heard.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Anything within the limits is heard.
    #[test]
    fn whatever_is_within_the_limits_is_heard(
        code in 0u8..16,
        level_dbm0 in -45.0f32..-3.0,
        twist_db in -8.0f32..8.0,
        low_offset in -0.018f64..0.018,
        high_offset in -0.018f64..0.018,
        duration_ms in 40.0f64..400.0,
        before in 640usize..1640,
    ) {
        let tone = DtmfTone {
            digit: Digit::from_event_code(code).unwrap(),
            level_dbm0, twist_db, low_offset, high_offset, duration_ms, pause_ms: 40.0,
        };
        let mut audio = vec![0.0; before];
        tone.write(16_000, &mut audio);
        let heard = hear(Rate::Hz16000, &audio);
        prop_assert_eq!(heard.len(), 1);
        prop_assert_eq!(heard[0].key, tone.digit.as_char());
        prop_assert!((heard[0].duration_ms as f64 - duration_ms).abs() < 6.0);
        prop_assert!((heard[0].start_ms as f64 - before as f64 / 16.0).abs() < 6.0);
    }

    /// Whatever is heard, nothing panics, and each key is ended.
    #[test]
    fn any_samples_are_survived(
        samples in proptest::collection::vec(
            prop_oneof![any::<f32>(), -1.0f32..1.0, Just(f32::NAN), Just(f32::INFINITY), Just(1e30)],
            0..8000),
        piece in 1usize..300,
        rate in prop_oneof![Just(Rate::Hz8000), Just(Rate::Hz16000), Just(Rate::Hz48000)],
    ) {
        let mut detector = Detector::new(rate);
        let mut open = 0i32;
        let mut sink = |event| match event {
            DtmfEvent::Start { .. } => open += 1,
            DtmfEvent::End { .. } => open -= 1,
        };
        for piece in samples.chunks(piece) {
            detector.push(piece, &mut sink);
        }
        detector.finish(&mut sink);
        prop_assert_eq!(open, 0);
    }
}

#[test]
fn a_key_is_heard_again_after_garbage() {
    for garbage in [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        1e30,
        f32::MAX,
        7.9,
    ] {
        let mut audio = vec![garbage; 4000];
        audio.extend(all(Rate::Hz8000, &like(), 0));
        assert_eq!(keys(Rate::Hz8000, &audio), ALL, "{garbage}");
    }
}

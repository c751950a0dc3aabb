#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::event::Digit;
use crate::tone::{DtmfTone, dial};

fn hear(audio: &[f32], piece: usize, config: AnalyzerConfig) -> Vec<MediaEvent> {
    let (mut analyzer, mut heard) = (Analyzer::new(config), Vec::new());
    for piece in audio.chunks(piece) {
        analyzer.process(piece, &mut |event| heard.push(event));
    }
    analyzer.finish(&mut |event| heard.push(event));
    heard
}

fn keys(heard: &[MediaEvent]) -> String {
    let key = |event: &MediaEvent| match event {
        MediaEvent::DigitStart { digit, .. } => Some(digit.as_char()),
        _ => None,
    };
    heard.iter().filter_map(key).collect()
}

fn tones() -> Vec<f32> {
    let mut audio = vec![0.0; 3200];
    audio.extend(dial(RATE, "159#*0D", &DtmfTone::new(Digit::ALL[0])));
    audio
}

#[test]
fn what_is_heard_does_not_depend_on_the_pieces() {
    let config = AnalyzerConfig {
        vad_frames: true,
        level: true,
        ..AnalyzerConfig::default()
    };
    // The detectors may tell of the same 5 ms in another order.
    let by_kind = |piece| {
        let mut heard = hear(&tones(), piece, config);
        heard.sort_by_key(|event| match event {
            MediaEvent::Vad { .. } => 0,
            MediaEvent::Level { .. } => 1,
            _ => 2,
        });
        heard
    };
    let whole = by_kind(usize::MAX);
    assert_eq!(keys(&whole), "159#*0D");
    for piece in [1, 7, 80, 160, 333, 960] {
        assert_eq!(by_kind(piece), whole, "{piece}");
    }
}

#[test]
fn only_what_is_asked_for_is_told() {
    let quiet = AnalyzerConfig {
        vad_frames: false,
        level: false,
        ..AnalyzerConfig::default()
    };
    let heard = hear(&tones(), 320, quiet);
    let digits = |event: &&MediaEvent| {
        matches!(
            event,
            MediaEvent::DigitStart { .. } | MediaEvent::DigitEnd { .. }
        )
    };
    assert_eq!(heard.iter().filter(digits).count(), heard.len());
    let heard = hear(&tones(), 320, AnalyzerConfig::default());
    let levels: Vec<u64> = heard
        .iter()
        .filter_map(|event| match event {
            MediaEvent::Level { t_ms, .. } => Some(*t_ms),
            _ => None,
        })
        .collect();
    let expected: Vec<u64> = (1..=16).map(|n| n * 100).collect();
    assert_eq!(levels, expected);
}

#[test]
fn a_key_that_comes_both_ways_counts_once() {
    let (mut analyzer, mut heard) = (Analyzer::new(AnalyzerConfig::default()), Vec::new());
    for (n, piece) in tones().chunks(320).enumerate() {
        // The first key, 1, is pressed from 200 to 300 ms.
        if (11..=15).contains(&n) {
            let duration = ((n - 10) * 160) as u16;
            let [high, low] = duration.to_be_bytes();
            let payload = [1, if n == 15 { 0x8a } else { 0x0a }, high, low];
            let header = RtpHeader::default();
            assert!(analyzer.telephone_event(&header, 8000, &payload, &mut |e| heard.push(e)));
        }
        analyzer.process(piece, &mut |event| heard.push(event));
    }
    assert_eq!(keys(&heard), "159#*0D");
    let first = heard.iter().find_map(|event| match event {
        MediaEvent::DigitStart {
            source, start_ms, ..
        } => Some((*source, *start_ms)),
        _ => None,
    });
    assert_eq!(first, Some((DigitSource::Rtp, 200)));
}

#[test]
fn a_key_that_is_pressed_to_the_end_is_ended() {
    let audio = &tones()[..3200 + 1440];
    let heard = hear(audio, 320, AnalyzerConfig::default());
    let duration = heard.iter().find_map(|event| match event {
        MediaEvent::DigitEnd { duration_ms, .. } => Some(*duration_ms),
        _ => None,
    });
    assert!(duration.unwrap().abs_diff(90) <= 3);
}

proptest! {
    #[test]
    fn any_samples_are_survived(
        samples in proptest::collection::vec(
            prop_oneof![any::<f32>(), -1.0f32..1.0, Just(f32::NAN), Just(f32::INFINITY), Just(f32::MAX)],
            0..4000),
        piece in 1usize..500,
    ) {
        let config = AnalyzerConfig { vad_frames: true, ..AnalyzerConfig::default() };
        for event in hear(&samples, piece, config) {
            match event {
                MediaEvent::Vad { p, .. } => prop_assert!((0.0..=1.0).contains(&p)),
                MediaEvent::Level { dbov, .. } => prop_assert!((-127.0..=0.0).contains(&dbov)),
                _ => {}
            }
        }
    }
}

#![allow(clippy::unwrap_used)]

use std::f32::consts::TAU;

use super::*;

/// The second of speech that `scripts/make-golden` takes.
fn speech() -> Vec<f32> {
    let wav = crate::wav::read(include_bytes!("../../../../fixtures/speech/read-en.wav")).unwrap();
    wav.mono()[9_600..25_600].to_vec()
}

fn golden(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

fn log_mel(samples: &[f32], bins: WhisperBins, piece: usize) -> Vec<f32> {
    let (mut features, mut out) = (LogMel::new(bins), Vec::new());
    for piece in samples.chunks(piece) {
        features.push(piece, &mut |frame| out.extend_from_slice(frame));
    }
    features.finish(&mut |frame| out.extend_from_slice(frame));
    out
}

/// Energy first, like the golden file.
fn fbank(samples: &[f32], config: FbankConfig, piece: usize) -> Vec<f32> {
    let (mut features, mut out) = (Fbank::new(config), Vec::new());
    for piece in samples.chunks(piece) {
        features.push(piece, &mut |frame, energy| {
            out.push(energy);
            out.extend_from_slice(frame);
        });
    }
    out
}

fn assert_close(ours: &[f32], reference: &[f32]) {
    assert_eq!(ours.len(), reference.len());
    let worst = ours.iter().zip(reference).map(|(a, b)| (a - b).abs());
    let worst = worst.fold(0.0, f32::max);
    assert!(worst < 1e-3, "off by {worst}");
}

#[test]
fn whisper_log_mel_equals_the_reference() {
    let golden_80 = golden(include_bytes!(
        "../../../../fixtures/features/whisper-80.f32"
    ));
    let golden_128 = golden(include_bytes!(
        "../../../../fixtures/features/whisper-128.f32"
    ));
    assert_close(&log_mel(&speech(), WhisperBins::B80, 1600), &golden_80);
    assert_close(&log_mel(&speech(), WhisperBins::B128, 1600), &golden_128);
}

#[test]
fn kaldi_fbank_equals_the_reference() {
    let golden = golden(include_bytes!("../../../../fixtures/features/kaldi-80.f32"));
    assert_close(&fbank(&speech(), FbankConfig::default(), 1600), &golden);
}

#[test]
fn pieces_of_any_size_make_the_same_frames() {
    let speech = speech();
    for piece in [1, 7, 160, 333, 16_000] {
        let whole = log_mel(&speech, WhisperBins::B80, 1600);
        assert_eq!(log_mel(&speech, WhisperBins::B80, piece), whole);
        let whole = fbank(&speech, FbankConfig::default(), 1600);
        assert_eq!(fbank(&speech, FbankConfig::default(), piece), whole);
    }
}

#[test]
fn an_utterance_has_a_frame_per_10_ms() {
    for (samples, frames) in [(0, 0), (200, 0), (201, 1), (400, 2), (480, 3), (1_599, 9)] {
        let out = log_mel(&vec![0.1; samples], WhisperBins::B80, 100);
        assert_eq!(out.len(), frames * 80, "{samples}");
    }
    for (samples, frames) in [(399, 0), (400, 1), (559, 1), (560, 2)] {
        let out = fbank(&vec![0.1; samples], FbankConfig::default(), 100);
        assert_eq!(out.len(), frames * 81, "{samples}");
    }
}

#[test]
fn a_second_utterance_is_like_the_first() {
    let (speech, mut features) = (speech(), LogMel::new(WhisperBins::B80));
    let mut utterances = [Vec::new(), Vec::new()];
    for out in &mut utterances {
        features.push(&speech, &mut |frame| out.extend_from_slice(frame));
        features.finish(&mut |frame| out.extend_from_slice(frame));
    }
    assert_eq!(utterances[0], utterances[1]);
}

#[test]
fn running_norm_is_whispers_once_the_loudest_frame_was_seen() {
    let raw = log_mel(&speech(), WhisperBins::B80, 1600);
    let (mut whole, mut running, mut norm) = (raw.clone(), raw.clone(), RunningNorm::default());
    normalize(&mut whole);
    running
        .chunks_exact_mut(80)
        .for_each(|frame| norm.apply(frame));
    let loudest = raw.iter().copied().fold(f32::MIN, f32::max);
    let at = raw.iter().position(|x| *x == loudest).unwrap() / 80 * 80;
    assert_eq!(whole[at..], running[at..]);
    assert_ne!(whole[..at], running[..at]);
    let bottom = whole.iter().copied().fold(f32::MAX, f32::min);
    let top = whole.iter().copied().fold(f32::MIN, f32::max);
    assert!((top - bottom - 2.0).abs() < 1e-5, "80 dB make 2.0");
}

#[test]
fn what_is_no_audio_is_silence() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30].repeat(400);
    let silent = vec![0.0; odd.len()];
    let config = FbankConfig::default();
    assert_eq!(fbank(&odd, config, 77), fbank(&silent, config, 77));
    let bins = WhisperBins::B128;
    assert_eq!(log_mel(&odd, bins, 77), log_mel(&silent, bins, 77));
    let mut tracker = PitchTracker::new();
    tracker.push(&odd, &mut |pitch| assert_eq!(pitch, Pitch::default()));
}

#[test]
fn odd_filter_configurations_are_brought_into_range() {
    for (bins, low_hz, high_hz) in [(0, 0.0, 0.0), (500, -5.0, 1e9), (40, 9e9, -400.0)] {
        let config = FbankConfig {
            bins,
            low_hz,
            high_hz,
            full_scale: 1.0,
        };
        let out = fbank(&speech(), config, 1600);
        assert_eq!(out.len(), 98 * (bins.clamp(1, 128) + 1));
        assert!(out.iter().all(|x| x.is_finite()));
    }
}

/// A second of a harmonic series of `count` partials, each weaker than the last.
fn tone(hz: f32, count: u32) -> Vec<f32> {
    let partial = |n: u32, at: f32| (TAU * hz * n as f32 * at).sin() / n as f32;
    let sample = |at: f32| (1..=count).map(|n| partial(n, at)).sum::<f32>();
    (0..16_000)
        .map(|n| 0.2 * sample(n as f32 / 16_000.0))
        .collect()
}

#[test]
fn pitch_of_tones_is_exact() {
    for count in [1, 3, 8] {
        for hz in [65.0f32, 80.0, 101.3, 150.0, 217.7, 300.0, 440.0, 480.0] {
            let (mut tracker, mut frames) = (PitchTracker::new(), 0);
            tracker.push(&tone(hz, count), &mut |pitch| {
                frames += 1;
                assert!(pitch.is_voiced(), "{hz} Hz, {count}: {pitch:?}");
                let off = (pitch.hz / hz - 1.0).abs();
                assert!(off < 0.002, "{hz} Hz, {count}: {pitch:?}");
            });
            assert_eq!(frames, 95);
        }
    }
}

#[test]
fn a_fundamental_that_is_missing_is_found() {
    let with = tone(120.0, 8);
    let alone = tone(120.0, 1);
    let without: Vec<f32> = with.iter().zip(&alone).map(|(a, b)| a - b).collect();
    PitchTracker::new().push(&without, &mut |pitch| {
        assert!((pitch.hz - 120.0).abs() < 0.5, "{pitch:?}");
    });
}

#[test]
fn noise_is_not_voiced() {
    let (mut state, mut voiced, mut frames) = (1u32, 0, 0);
    let noise: Vec<f32> = (0..160_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            0.2 * (state as f32 / u32::MAX as f32 - 0.5)
        })
        .collect();
    PitchTracker::new().push(&noise, &mut |pitch| {
        frames += 1;
        voiced += u32::from(pitch.is_voiced());
    });
    assert!(frames > 990 && voiced == 0, "{voiced} of {frames}");
}

//! Feature extractors per 10 ms frame, called with 100 ms at a time.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use switchboard_media::features::{
    Fbank, FbankConfig, HOP, LogMel, PitchTracker, RunningNorm, WhisperBins,
};

/// Frames per call: 100 ms.
const FRAMES: usize = 10;

/// Ten seconds of shaped noise over a voice-like series.
fn signal() -> Vec<f32> {
    let mut state = 1u32;
    (0..160_000)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = state as f32 / u32::MAX as f32 - 0.5;
            let at = n as f32 / 16_000.0 * std::f32::consts::TAU;
            let voice: f32 = (1..12)
                .map(|k| (at * 130.0 * k as f32).sin() / k as f32)
                .sum();
            0.1 * voice * (at * 3.0).sin().abs() + 0.01 * noise
        })
        .collect()
}

/// Criterion's time is that of [`FRAMES`] frames: a tenth is a frame's.
fn features(c: &mut Criterion) {
    let samples = signal();
    let mut group = c.benchmark_group("features 100 ms");
    let mut pieces = samples.chunks_exact(FRAMES * HOP).cycle();
    let mut fbank = Fbank::new(FbankConfig::default());
    group.bench_function("fbank 80", |b| {
        b.iter(|| {
            fbank.push(pieces.next().unwrap(), &mut |frame, energy| {
                black_box((frame, energy));
            });
        });
    });
    for (name, bins) in [
        ("log-mel 80", WhisperBins::B80),
        ("log-mel 128", WhisperBins::B128),
    ] {
        let (mut log_mel, mut norm) = (LogMel::new(bins), RunningNorm::default());
        group.bench_function(name, |b| {
            b.iter(|| {
                log_mel.push(pieces.next().unwrap(), &mut |frame| {
                    norm.apply(frame);
                    black_box(frame);
                });
            });
        });
    }
    let mut pitch = PitchTracker::new();
    group.bench_function("pitch", |b| {
        b.iter(|| {
            pitch.push(pieces.next().unwrap(), &mut |pitch| {
                black_box(pitch);
            });
        });
    });
    group.finish();
}

criterion_group!(benches, features);
criterion_main!(benches);

//! Speech probabilities of Silero's network in our kernels, beside earshot, in
//! one run: eight seconds of speech each, so that × real time is 8 s / time.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use switchboard_media::silero::{Rate, Silero};
use switchboard_media::wav;

const SECONDS: usize = 8;

/// A fixture's speech, repeated to eight seconds.
fn speech(bytes: &[u8]) -> Vec<f32> {
    let wav = wav::read(bytes).unwrap();
    let length = wav.rate as usize * SECONDS;
    wav.mono().iter().copied().cycle().take(length).collect()
}

fn silero(c: &mut Criterion) {
    let wide = speech(include_bytes!("../../fixtures/speech/read-en.wav"));
    let narrow = speech(include_bytes!("../../fixtures/speech/recorded-fr.wav"));
    let mut group = c.benchmark_group("speech frames of 8 s");
    for (name, rate, samples) in [
        ("16 kHz", Rate::Hz16000, &wide),
        ("8 kHz", Rate::Hz8000, &narrow),
    ] {
        let mut detector = Silero::new(rate);
        group.bench_function(BenchmarkId::new("silero", name), |b| {
            b.iter(|| {
                for block in samples.chunks(samples.len() / SECONDS / 50) {
                    detector.push(black_box(block), &mut |p| {
                        black_box(p);
                    });
                }
            });
        });
    }
    let mut detector = earshot::Detector::default();
    group.bench_function(BenchmarkId::new("earshot", "16 kHz"), |b| {
        b.iter(|| {
            for frame in wide.chunks_exact(256) {
                black_box(detector.predict_f32(black_box(frame)));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, silero);
criterion_main!(benches);

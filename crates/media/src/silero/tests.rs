//! Our kernels against ONNX Runtime, at every width this CPU has.

use std::path::Path;

use serde::Deserialize;

use super::{FRAME_16K, Rate, Silero, TOGETHER};
use crate::lanes::levels;
use crate::wav;

/// What `scripts/make-silero` heard in a fixture with ONNX Runtime.
#[derive(Deserialize)]
struct Golden {
    file: String,
    rate: u32,
    p: Vec<f32>,
}

fn rate(hz: u32) -> Rate {
    match hz {
        8_000 => Rate::Hz8000,
        16_000 => Rate::Hz16000,
        other => panic!("no network for {other} Hz"),
    }
}

fn fixture(name: &str) -> Vec<f32> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(name);
    let bytes = std::fs::read(path).unwrap();
    wav::read(&bytes).unwrap().samples.to_vec()
}

fn probabilities(detector: &mut Silero, samples: &[f32], piece: usize) -> Vec<f32> {
    let mut heard = Vec::new();
    for samples in samples.chunks(piece) {
        detector.push(samples, &mut |p| heard.push(p));
    }
    heard
}

#[test]
fn hears_what_onnx_runtime_hears() {
    let golden: Vec<Golden> = serde_json::from_str(include_str!("golden.json")).unwrap();
    for golden in golden {
        let samples = fixture(&golden.file);
        for level in levels() {
            let mut detector = Silero::with_level(rate(golden.rate), level);
            let heard = probabilities(&mut detector, &samples, samples.len());
            assert_eq!(heard.len(), golden.p.len());
            let off = heard.iter().zip(&golden.p).map(|(a, b)| (a - b).abs());
            let worst = off.fold(0.0, f32::max);
            println!("{} {level:?}: {worst:e}", golden.file);
            assert!(worst <= 1e-4, "{} {level:?}: {worst}", golden.file);
        }
    }
}

#[test]
fn pieces_of_any_size_are_heard_alike() {
    let samples = fixture("speech/command-en.wav");
    let whole = probabilities(&mut Silero::new(Rate::Hz16000), &samples, samples.len());
    assert_eq!(whole.len(), samples.len() / super::FRAME_16K);
    for piece in [1, 160, 511, 513] {
        let heard = probabilities(&mut Silero::new(Rate::Hz16000), &samples, piece);
        assert_eq!(heard, whole, "in pieces of {piece}");
    }
}

#[test]
fn calls_heard_together_are_heard_as_each_alone() {
    let samples = fixture("speech/command-en.wav");
    for level in levels() {
        let detector = || Silero::with_level(Rate::Hz16000, level);
        // Each begins elsewhere, and some have no frame now and then.
        let mut together: Vec<_> = (0..TOGETHER).map(|_| detector()).collect();
        let mut alone: Vec<_> = (0..TOGETHER).map(|_| detector()).collect();
        for round in 0..40 {
            let frame = |call: usize| &samples[(call * 3 + round) * FRAME_16K..][..FRAME_16K];
            let speaks = |call: usize| !(call + round).is_multiple_of(5);
            let mut offered: Vec<_> = together
                .iter_mut()
                .enumerate()
                .map(|(call, one)| {
                    speaks(call).then(|| {
                        one.offer(frame(call));
                        one
                    })
                })
                .collect();
            Silero::hear(&mut offered);
            for (call, one) in alone
                .iter_mut()
                .enumerate()
                .filter(|(call, _)| speaks(*call))
            {
                one.push(frame(call), &mut |p| {
                    assert_eq!(p, together[call].probability(), "{level:?}");
                });
            }
        }
    }
}

#[test]
fn a_reset_forgets_everything() {
    let samples = fixture("speech/command-en.wav");
    let mut detector = Silero::new(Rate::Hz16000);
    let first = probabilities(&mut detector, &samples[..10_000], 10_000);
    detector.reset();
    let again = probabilities(&mut detector, &samples[..10_000], 10_000);
    assert_eq!(first, again);
}

#[test]
fn what_is_no_audio_is_silence_and_leaves_no_trace() {
    let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -1e9];
    let garbage: Vec<f32> = bad.iter().copied().cycle().take(5120).collect();
    for rate in [Rate::Hz8000, Rate::Hz16000] {
        let (mut detector, mut quiet) = (Silero::new(rate), Silero::new(rate));
        let heard = probabilities(&mut detector, &garbage, 700);
        assert_eq!(heard, probabilities(&mut quiet, &vec![0.0; 5120], 5120));
        assert!(heard.iter().all(|p| (0.0..0.2).contains(p)), "{heard:?}");
    }
}

#[test]
fn a_debug_print_shows_nothing_heard() {
    assert_eq!(
        format!("{:?}", Silero::new(Rate::Hz8000)),
        "Silero { frame: 256, .. }"
    );
}

proptest::proptest! {
    #[test]
    fn any_samples_give_probabilities(samples in proptest::collection::vec(proptest::num::f32::ANY, 0..3000)) {
        let mut detector = Silero::new(Rate::Hz16000);
        let heard = probabilities(&mut detector, &samples, 777);
        proptest::prop_assert_eq!(heard.len(), samples.len() / super::FRAME_16K);
        proptest::prop_assert!(heard.iter().all(|p| (0.0..=1.0).contains(p)));
    }
}

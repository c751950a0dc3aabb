//! What our detector and earshot make of WAV files at 8 or 16 kHz, for
//! `scripts/evaluate-vad`: a JSON line for each, with their frames'
//! probabilities and the spans of speech, [told at, start] and [told at, end]
//! in milliseconds. It hears what a call's path hears: everything at 16 kHz;
//! `narrow` is the 8 kHz network's.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use switchboard_media::analysis::{Analyzer, AnalyzerConfig};
use switchboard_media::event::MediaEvent;
use switchboard_media::resample;
use switchboard_media::silero::{Rate, Silero};
use switchboard_media::wav;

fn silero(rate: Rate, samples: &[f32]) -> Vec<f32> {
    let mut heard = Vec::new();
    Silero::new(rate).push(samples, &mut |p| heard.push(p));
    heard
}

fn earshot(samples: &[f32]) -> Vec<f32> {
    let mut detector = earshot::Detector::default();
    let frames = samples.chunks_exact(256);
    frames.map(|frame| detector.predict_f32(frame)).collect()
}

/// When spans were told of, in pieces of 20 ms, and where they are.
fn spans(samples: &[f32]) -> (Vec<[u64; 2]>, Vec<[u64; 2]>) {
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    let mut analyzer = Analyzer::new(AnalyzerConfig::default());
    for (piece, now_ms) in samples.chunks(320).zip((20..).step_by(20)) {
        analyzer.process(piece, &mut |event| match event {
            MediaEvent::SpeechStart { start_ms } => starts.push([now_ms, start_ms]),
            MediaEvent::SpeechEnd { end_ms, .. } => ends.push([now_ms, end_ms]),
            _ => {}
        });
    }
    (starts, ends)
}

fn main() {
    for path in std::env::args().skip(1) {
        let wav = wav::read(&std::fs::read(&path).unwrap()).unwrap();
        let heard = wav.mono();
        let wide = resample::to_16k(wav.rate, &heard).unwrap();
        let narrow = match wav.rate {
            8_000 => silero(Rate::Hz8000, &heard),
            _ => Vec::new(),
        };
        let (starts, ends) = spans(&wide);
        println!(
            "{{\"file\":{path:?},\"starts\":{starts:?},\"ends\":{ends:?},\"silero\":{:?},\"earshot\":{:?},\"narrow\":{narrow:?}}}",
            silero(Rate::Hz16000, &wide),
            earshot(&wide),
        );
    }
}

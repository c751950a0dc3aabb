//! Counts keys heard where none was pressed: speech and music as WAV files.
//! Each is played as it is, or at the speeds asked for in percent, which moves
//! every voice and every note.
//!
//! ```console
//! $ cargo run --release -p switchboard-media --example talkoff -- [--speed=PERCENT]… FILES…
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use switchboard_media::dtmf::{Detector, DtmfEvent, Rate};
use switchboard_media::resample::convert;
use switchboard_media::wav;

fn main() -> ExitCode {
    let (mut seconds, mut keys, mut files) = (0.0, 0, 0);
    let (options, names): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|argument| argument.starts_with("--speed="));
    let mut speeds: Vec<u32> = options
        .iter()
        .filter_map(|option| option.strip_prefix("--speed=")?.parse().ok())
        .collect();
    if speeds.is_empty() {
        speeds.push(100);
    }
    for name in names {
        let Some((rate, audio)) = read(&name) else {
            eprintln!("{name}: no WAV file that can be read, left out");
            continue;
        };
        files += 1;
        for &percent in &speeds {
            let Ok(audio) = convert(rate * percent / 100, 8_000, &audio) else {
                continue;
            };
            seconds += audio.len() as f64 / 8_000.0;
            for (key, at_ms, duration_ms) in hear(&audio) {
                keys += 1;
                println!("{name} at {percent} %: {key} at {at_ms} ms for {duration_ms} ms");
            }
        }
    }
    println!("{files} files, {:.2} hours, {keys} keys", seconds / 3600.0);
    ExitCode::from(u8::from(keys > 0))
}

fn read(name: &str) -> Option<(u32, Vec<f32>)> {
    let wav = wav::read(&std::fs::read(name).ok()?).ok()?;
    Some((wav.rate, wav.mono().to_vec()))
}

/// Which key, its start and duration. These files hold no caller's keys, so
/// that they may be shown.
fn hear(audio: &[f32]) -> Vec<(char, u64, u64)> {
    let mut heard = Vec::new();
    let mut sink = |event| {
        if let DtmfEvent::End {
            digit,
            start_ms,
            duration_ms,
        } = event
        {
            heard.push((digit.as_char(), start_ms, duration_ms));
        }
    };
    let mut detector = Detector::new(Rate::Hz8000);
    detector.push(audio, &mut sink);
    detector.finish(&mut sink);
    heard
}

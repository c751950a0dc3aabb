//! Counts keys heard where none was pressed: speech and music as WAV files.
//! Each is played as it is, or at the speeds asked for in percent, which moves
//! every voice and every note. Heard at 8 kHz as spandsp hears, or at 16 kHz as calls
//! are heard, or at 48 kHz.
//!
//! ```console
//! $ cargo run --release -p switchboard-media --example talkoff -- \
//!     [--rate=8000|16000|48000] [--speed=PERCENT]… FILES…
//! ```

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use switchboard_media::dtmf::{Detector, DtmfEvent, Rate};
use switchboard_media::resample::convert;
use switchboard_media::wav;

/// What was asked for.
struct Options {
    rate: Rate,
    speeds: Vec<u32>,
    names: Vec<String>,
}

impl Options {
    fn read(arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self {
            rate: Rate::Hz8000,
            speeds: Vec::new(),
            names: Vec::new(),
        };
        for argument in arguments {
            if let Some(speed) = argument.strip_prefix("--speed=") {
                options.speeds.push(speed.parse().ok()?);
            } else if let Some(rate) = argument.strip_prefix("--rate=") {
                options.rate = match rate {
                    "8000" => Rate::Hz8000,
                    "16000" => Rate::Hz16000,
                    "48000" => Rate::Hz48000,
                    _ => return None,
                };
            } else {
                options.names.push(argument);
            }
        }
        if options.speeds.is_empty() {
            options.speeds.push(100);
        }
        Some(options)
    }
}

fn main() -> ExitCode {
    let Some(options) = Options::read(std::env::args().skip(1)) else {
        eprintln!("--rate is 8000, 16000 or 48000, --speed a number of percent");
        return ExitCode::from(2);
    };
    let hz = options.rate.hz();
    let (mut seconds, mut keys, mut files) = (0.0, 0, 0);
    for name in options.names {
        let Some((rate, audio)) = read(&name) else {
            eprintln!("{name}: no WAV file that can be read, left out");
            continue;
        };
        files += 1;
        for &percent in &options.speeds {
            let Ok(audio) = convert(rate * percent / 100, hz, &audio) else {
                continue;
            };
            seconds += audio.len() as f64 / f64::from(hz);
            for (key, at_ms, duration_ms) in hear(options.rate, &audio) {
                keys += 1;
                println!("{name} at {percent} %: {key} at {at_ms} ms for {duration_ms} ms");
            }
        }
    }
    let hours = seconds / 3600.0;
    println!("{files} files at {hz} Hz, {hours:.2} hours, {keys} keys");
    ExitCode::from(u8::from(keys > 0))
}

fn read(name: &str) -> Option<(u32, Vec<f32>)> {
    let wav = wav::read(&std::fs::read(name).ok()?).ok()?;
    Some((wav.rate, wav.mono().to_vec()))
}

/// Which key, its start and duration. These files hold no caller's keys, so
/// that they may be shown.
fn hear(rate: Rate, audio: &[f32]) -> Vec<(char, u64, u64)> {
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
    let mut detector = Detector::new(rate);
    detector.push(audio, &mut sink);
    detector.finish(&mut sink);
    heard
}

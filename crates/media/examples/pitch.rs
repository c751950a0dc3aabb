//! Prints F0 (Hz) and clarity per 10 ms of a WAV file of 16 kHz: for
//! comparisons, see `scripts/compare-features`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::print_stdout)]

use std::error::Error;

use switchboard_media::features::PitchTracker;
use switchboard_media::{codec, wav};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: pitch FILE.wav")?;
    let wav = wav::read(&std::fs::read(path)?)?;
    if wav.rate != codec::RATE {
        return Err("the file must have 16 kHz".into());
    }
    PitchTracker::new().push(&wav.mono(), &mut |pitch| {
        println!("{} {}", pitch.hz, pitch.clarity);
    });
    Ok(())
}

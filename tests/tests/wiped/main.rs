//! What held audio, keys or words is wiped when it is freed.
//!
//! Each owner is used twice in the same way, with two signals of the same length. All that a
//! thread frees meanwhile is kept as it was at that moment (`watch.rs`): where the two runs
//! differ over a stretch, something of the signal was freed unwiped, be it samples, packets or
//! what a filter or decoder made of them.

#![allow(unsafe_code, clippy::unwrap_used)]

mod hook;
mod media;
mod watch;

use watch::{Watching, unwiped};

#[global_allocator]
static WATCHING: Watching = Watching;

/// A second of speech-like sound at 16 kHz: syllables of noise, and keys that are heard.
fn signal(seed: u32) -> Vec<f32> {
    let mut state = seed;
    let (row, column) = match seed % 2 {
        0 => (770.0, 1336.0),
        _ => (852.0, 1477.0),
    };
    let sample = |n: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = state as f32 / u32::MAX as f32 - 0.5;
        let tone = |hz: f32| (n as f32 * hz * std::f32::consts::TAU / 16_000.0).sin();
        match n / 2_000 % 4 {
            0 | 2 => 0.4 * noise * (1.0 + tone(4.0)),
            1 => 0.2 * (tone(row) + tone(column)) + 0.01 * noise,
            _ => 0.3 * (tone(140.0) + tone(700.0)) * noise,
        }
    };
    (0..16_000).map(sample).collect()
}

/// Whatever `owner` frees tells nothing of the signal that it is given.
#[track_caller]
fn is_wiped(owner: impl FnMut(&[f32])) {
    let left = unwiped([&signal(1), &signal(2)], owner);
    assert!(left.is_empty(), "freed unwiped: {left:?}");
}

/// The control: the watch sees what isn't wiped.
#[test]
fn what_is_not_wiped_is_seen() {
    let kept = |signal: &[f32]| drop(signal.to_vec());
    assert!(!unwiped([&signal(1), &signal(2)], kept).is_empty());
    let grown = |signal: &[f32]| {
        let mut copy = zeroize::Zeroizing::new(Vec::with_capacity(16));
        copy.extend_from_slice(&signal[..16]);
        copy.extend_from_slice(&signal[16..]);
    };
    assert!(!unwiped([&signal(1), &signal(2)], grown).is_empty());
    let wiped = |signal: &[f32]| drop(zeroize::Zeroizing::new(signal.to_vec()));
    assert!(unwiped([&signal(1), &signal(2)], wiped).is_empty());
}

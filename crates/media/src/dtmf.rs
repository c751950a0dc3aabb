//! Hears DTMF in audio (ITU-T Q.23/Q.24, ETSI ES 201 235-3).
//!
//! Audio → `front`: the DTMF band as a complex signal of 1 600 Hz →
//! `bank`: every 5 ms, is it mainly one low and one high tone? →
//! `fit`: which two tones exactly, and what they leave over →
//! `judge`: is that a key? → `harmonics`: or a note with overtones? →
//! `follow`: until it is released.

mod bank;
mod fit;
mod floor;
mod follow;
mod front;
mod harmonics;
mod history;
mod judge;

use fearless_simd::{Level, Simd, dispatch};
use zeroize::Zeroize;

use crate::event::Digit;
use bank::Bank;
use floor::Floor;
use follow::{Follower, Step};
use front::{BASE_RATE, FrontEnd, Slice};
use history::History;

/// Slices per decision: 5 ms.
const BLOCK: usize = 8;
/// Blocks after concealed audio until what is newest is heard audio for certain: a resampler
/// and the front end hold some back.
const SETTLING: u32 = 2;
/// Silence that ends a key when the audio ends: long enough for any to be seen released.
pub(crate) const FINISH_MS: u64 = 80;

/// Sample rates the detector hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// 8 kHz, telephony.
    Hz8000,
    /// 16 kHz, wideband; the rate of this crate's pipeline.
    Hz16000,
    /// 48 kHz, Opus' own.
    Hz48000,
}

impl Rate {
    /// The rate in Hz.
    pub fn hz(self) -> u32 {
        match self {
            Self::Hz8000 => 8_000,
            Self::Hz16000 => 16_000,
            Self::Hz48000 => 48_000,
        }
    }
}

/// A key press heard. Times are milliseconds of audio since the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DtmfEvent {
    /// A key is pressed; sent at most 50 ms after its beginning.
    Start {
        /// Which.
        digit: Digit,
        /// Where its tones began.
        start_ms: u64,
    },
    /// The key announced last was released.
    End {
        /// Which.
        digit: Digit,
        /// Where its tones began.
        start_ms: u64,
        /// How long they lasted.
        duration_ms: u64,
    },
}

/// Hears key presses in mono audio of any piece length. All memory is
/// allocated in [`new`](Self::new) and wiped on drop.
pub struct Detector {
    front: FrontEnd,
    band: Band,
}

impl Detector {
    /// A detector that has heard nothing.
    pub fn new(rate: Rate) -> Self {
        Self::with_level(rate, Level::new())
    }

    fn with_level(rate: Rate, level: Level) -> Self {
        Self {
            front: FrontEnd::new(rate.hz(), level),
            band: Band::new(rate.hz(), level),
        }
    }

    /// Takes samples (full scale ±1) of any number; what is not finite counts
    /// as silence.
    pub fn push(&mut self, samples: &[f32], sink: &mut impl FnMut(DtmfEvent)) {
        let band = &mut self.band;
        self.front
            .push(samples, &mut |slice, past| band.push(slice, past, sink));
    }

    /// As [`push`](Self::push), for audio that a decoder made up for what was lost. A key that
    /// is pressed goes on in it, but none begins on it.
    pub fn push_concealed(&mut self, samples: &[f32], sink: &mut impl FnMut(DtmfEvent)) {
        self.band.concealed = true;
        self.push(samples, sink);
        self.band.concealed = false;
    }

    /// Ends the key that is still pressed when the audio ends: hears 80 ms of silence.
    pub fn finish(&mut self, sink: &mut impl FnMut(DtmfEvent)) {
        let silence = [0.0; 64];
        for _ in 0..self.front.rate() as usize * FINISH_MS as usize / 1000 / silence.len() {
            self.push(&silence, sink);
        }
    }

    /// Whether a key is pressed.
    pub fn is_pressed(&self) -> bool {
        self.band.key.is_some()
    }

    /// Whether what is heard may turn out to be a key: mainly two tones, not
    /// yet for long enough.
    pub fn suspects(&self) -> bool {
        self.band.suspect
    }
}

/// A key being pressed.
struct Key {
    digit: Digit,
    start_ms: u64,
    follower: Follower,
}

/// Everything behind the front end.
struct Band {
    history: History,
    /// Slices so far.
    count: u64,
    all: f32,
    bank: Bank,
    floor: Floor,
    key: Option<Key>,
    suspect: bool,
    /// What comes was never heard.
    concealed: bool,
    /// Blocks in which no key begins.
    settling: u32,
    /// Of the audio, in Hz.
    rate: u32,
    level: Level,
}

impl Drop for Band {
    fn drop(&mut self) {
        if let Some(key) = &mut self.key {
            key.follower.zeroize();
        }
    }
}

impl Band {
    fn new(rate: u32, level: Level) -> Self {
        Self {
            rate,
            level,
            history: History::new(),
            count: 0,
            all: 0.0,
            bank: Bank::new(),
            floor: Floor::new(),
            key: None,
            suspect: false,
            concealed: false,
            settling: 0,
        }
    }

    /// Takes a slice, and the audio before its middle.
    fn push(&mut self, slice: Slice, past: &[f32], sink: &mut impl FnMut(DtmfEvent)) {
        self.history.push(slice.re, slice.im);
        self.count += 1;
        self.all += slice.all;
        if self.count.is_multiple_of(BLOCK as u64) {
            let all = std::mem::take(&mut self.all) / BLOCK as f32;
            let level = self.level;
            dispatch!(level, simd => self.block(simd, all, past, sink));
        }
    }

    /// Decides at the end of a block; it and all it calls are made for the vector unit there is.
    #[inline(always)]
    fn block<S: Simd>(
        &mut self,
        simd: S,
        all: f32,
        past: &[f32],
        sink: &mut impl FnMut(DtmfEvent),
    ) {
        self.settling = match self.concealed {
            true => SETTLING,
            false => self.settling.saturating_sub(1),
        };
        let recent = self.history.recent();
        let Some(newest) = recent.before(recent.len()) else {
            return;
        };
        self.bank.push(newest, all);
        self.floor.push(self.bank.band_power(), all);
        self.suspect = self.bank.suspects();
        match &mut self.key {
            Some(key) => match key.follower.step(recent) {
                Step::Pressed => {}
                Step::Released { length } => {
                    sink(DtmfEvent::End {
                        digit: key.digit,
                        start_ms: key.start_ms,
                        duration_ms: millis(length),
                    });
                    // What is in its place stays there.
                    key.follower.zeroize();
                    self.key = None;
                }
            },
            None if self.settling > 0 => {}
            None => self.listen(simd, past, sink),
        }
    }

    #[inline(always)]
    fn listen<S: Simd>(&mut self, simd: S, past: &[f32], sink: &mut impl FnMut(DtmfEvent)) {
        let recent = self.history.recent();
        let Some(guess) = self.bank.guess() else {
            return;
        };
        let Some(window) = recent.before(recent.len()) else {
            return;
        };
        let fit = fit::fit(simd, window, guess.low_hz, guess.high_hz);
        let Some(verdict) = judge::judge(&fit, self.bank.power(), &self.floor) else {
            return;
        };
        if harmonics::rings(&fit, past, self.rate) {
            return;
        }
        let follower = Follower::begin(&fit, recent);
        if !verdict.certain && !follower.began_at_once(recent) {
            return;
        }
        let digit = verdict.digit;
        let start_ms = millis_at(self.count, follower.age());
        sink(DtmfEvent::Start { digit, start_ms });
        self.key = Some(Key {
            digit,
            start_ms,
            follower,
        });
    }
}

/// Time `age` slices before slice `count`; f64, because a call may last days.
fn millis_at(count: u64, age: f32) -> u64 {
    let slices = (count as f64 - f64::from(age)).max(0.0);
    (slices * 1000.0 / f64::from(BASE_RATE)).round() as u64
}

fn millis(slices: f32) -> u64 {
    (slices * 1000.0 / BASE_RATE as f32).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::levels;
    use crate::tone::{self, DtmfTone};

    /// All sixteen keys among noise, at each width of the kernels.
    #[test]
    fn keys_are_the_same_whatever_the_cpu() {
        let mut state = 1u32;
        for rate in [Rate::Hz8000, Rate::Hz16000, Rate::Hz48000] {
            let keys = "0123456789*#ABCD";
            let mut audio = tone::dial(rate.hz(), keys, &DtmfTone::new(Digit::ALL[0]));
            for sample in &mut audio {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample += 0.01 * (state as f32 / u32::MAX as f32 - 0.5);
            }
            let all = levels().into_iter().map(|level| {
                let mut heard = Vec::new();
                let mut detector = Detector::with_level(rate, level);
                detector.push(&audio, &mut |event| heard.push(event));
                heard
            });
            let all: Vec<_> = all.collect();
            assert_eq!(all[0].len(), 32, "{rate:?}");
            assert!(all.iter().all(|heard| *heard == all[0]), "{rate:?}");
        }
    }
}

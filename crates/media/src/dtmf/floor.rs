//! What there was before: the quietest 20 ms of the last 400 ms.
//!
//! Line noise, hum and dial tone go on under a digit, so what the tones do not
//! explain may be as loud as that. A digit stands out of it; a held vowel or
//! chord is its own floor.

use zeroize::Zeroize;

/// Blocks of 5 ms averaged.
const AVERAGED: usize = 4;
/// Averages remembered.
const REMEMBERED: usize = 80;

#[derive(Clone, Copy, Zeroize)]
struct Powers {
    band: f32,
    all: f32,
}

/// Wiped on drop.
pub(super) struct Floor {
    blocks: [Powers; AVERAGED],
    averages: [Powers; REMEMBERED],
    at: usize,
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.blocks.zeroize();
        self.averages.zeroize();
    }
}

impl Floor {
    /// Before the start the band was silent, so that a key may be the first
    /// that is heard; of hum and dial tone nothing is known yet.
    pub(super) fn new() -> Self {
        let all = f32::INFINITY;
        Self {
            blocks: [Powers { band: 0.0, all }; AVERAGED],
            averages: [Powers { band: 0.0, all }; REMEMBERED],
            at: 0,
        }
    }

    pub(super) fn push(&mut self, band: f32, all: f32) {
        self.blocks.rotate_left(1);
        self.blocks[AVERAGED - 1] = Powers { band, all };
        let mean = |of: fn(&Powers) -> f32| self.blocks.iter().map(of).sum::<f32>();
        let average = Powers {
            band: mean(|p| p.band) / AVERAGED as f32,
            all: mean(|p| p.all) / AVERAGED as f32,
        };
        self.averages[self.at] = average;
        self.at = (self.at + 1) % REMEMBERED;
    }

    /// Least power of the DTMF band.
    pub(super) fn band(&self) -> f32 {
        self.least(|powers| powers.band)
    }

    /// Least power of everything.
    pub(super) fn all(&self) -> f32 {
        self.least(|powers| powers.all)
    }

    fn least(&self, of: fn(&Powers) -> f32) -> f32 {
        self.averages.iter().map(of).fold(f32::INFINITY, f32::min)
    }
}

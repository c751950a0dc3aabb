//! Overlapping windows of a stream.

use zeroize::Zeroize;

use super::{ABSURD, HOP};

/// Windows per shift of the buffer.
const BATCH: usize = 16;

/// Hands out windows of fixed length, one every [`HOP`] samples.
pub(super) struct Framer {
    buffer: Box<[f32]>,
    filled: usize,
    window: usize,
}

impl Framer {
    pub(super) fn new(window: usize) -> Self {
        Self {
            buffer: vec![0.0; window + BATCH * HOP].into(),
            filled: 0,
            window,
        }
    }

    /// What no window was made of yet, with what the next one overlaps.
    pub(super) fn pending(&self) -> &[f32] {
        &self.buffer[..self.filled]
    }

    pub(super) fn push(&mut self, mut samples: &[f32], sink: &mut impl FnMut(&[f32])) {
        while !samples.is_empty() {
            let room = self.buffer.len() - self.filled;
            let (now, rest) = samples.split_at(room.min(samples.len()));
            let space = &mut self.buffer[self.filled..self.filled + now.len()];
            for (place, sample) in space.iter_mut().zip(now) {
                *place = if sample.abs() <= ABSURD { *sample } else { 0.0 };
            }
            self.filled += now.len();
            samples = rest;
            self.drain(sink);
        }
    }

    fn drain(&mut self, sink: &mut impl FnMut(&[f32])) {
        let mut at = 0;
        while at + self.window <= self.filled {
            sink(&self.buffer[at..at + self.window]);
            at += HOP;
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
    }

    pub(super) fn reset(&mut self) {
        self.buffer.zeroize();
        self.filled = 0;
    }
}

impl Drop for Framer {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

//! Where there is speech: a probability per frame, and spans of it.

mod cues;
mod frames;
mod segment;

pub use segment::{SpeechConfig, SpeechConfigError, SpeechEvent};

use cues::Ear;
use frames::Frames;
use segment::Segmenter;

/// Duration of a frame of probability in milliseconds.
pub const FRAME_MS: u64 = frames::FRAME as u64 * 1000 / crate::codec::RATE as u64;
/// Samples of a slice, in which levels are taken: half a frame.
const SLICE: usize = frames::FRAME / 2;
/// Duration of a slice in milliseconds.
const SLICE_MS: u64 = FRAME_MS / 2;

/// What a stretch of audio holds besides what may be speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// Nothing known.
    Open,
    /// Perhaps a key being pressed: speech that began earlier goes on, none
    /// begins.
    Doubtful,
    /// A key being pressed: no speech.
    Closed,
}

/// What the detector tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum VadEvent {
    /// Probability of speech in the frame that begins at `t_ms`.
    Frame {
        /// Where the frame begins.
        t_ms: u64,
        /// Probability, 0–1.
        p: f32,
    },
    /// Speech began or ended.
    Speech(SpeechEvent),
}

/// Hears speech in 16 kHz audio. All memory is allocated in
/// [`new`](Self::new) and wiped on drop.
pub struct Vad {
    frames: Frames,
    ear: Ear,
    segmenter: Segmenter,
    count: u64,
}

impl Vad {
    /// A detector that has heard nothing.
    pub fn new(config: SpeechConfig) -> Self {
        Self {
            frames: Frames::new(),
            ear: Ear::new(),
            segmenter: Segmenter::new(config),
            count: 0,
        }
    }

    /// Takes samples (full scale ±1) of any number; what is not finite counts
    /// as silence. The mask holds for the frames that end within them.
    pub fn push(&mut self, samples: &[f32], mask: Mask, sink: &mut impl FnMut(VadEvent)) {
        let Self {
            frames,
            ear,
            segmenter,
            count,
        } = self;
        frames.push(samples, &mut |frame, p| {
            let t_ms = *count * FRAME_MS;
            *count += 1;
            sink(VadEvent::Frame { t_ms, p });
            for slice in frame.as_chunks::<SLICE>().0 {
                if let Some(event) = segmenter.push(p, ear.slice(slice), mask) {
                    sink(VadEvent::Speech(event));
                }
            }
        });
    }

    /// Ends the speech that goes on.
    pub fn finish(&mut self, sink: &mut impl FnMut(VadEvent)) {
        if let Some(event) = self.segmenter.finish() {
            sink(VadEvent::Speech(event));
        }
    }
}

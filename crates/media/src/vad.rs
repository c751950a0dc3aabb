//! Where there is speech: a probability per frame, and spans of it.

mod cues;
mod echo;
mod frames;
mod segment;

pub use segment::{SpeechConfig, SpeechConfigError, SpeechEvent};

use cues::Ear;
use echo::Guard;
use frames::Frames;
use segment::Segmenter;

use crate::said::{STEP, Said};
use crate::silero::Silero;

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
    guard: Option<Guard>,
    count: u64,
    /// What else was in the frame that waits to be heard.
    waiting: Option<Mask>,
}

impl Vad {
    /// A detector that has heard nothing.
    pub fn new(config: SpeechConfig) -> Self {
        Self {
            frames: Frames::new(),
            ear: Ear::new(),
            segmenter: Segmenter::new(config),
            guard: None,
            count: 0,
            waiting: None,
        }
    }

    /// Takes samples (full scale ±1) of any number; what is not finite counts
    /// as silence. The mask holds for the frames that end within them.
    pub fn push(&mut self, samples: &[f32], mask: Mask, sink: &mut impl FnMut(VadEvent)) {
        self.take(samples, mask, sink);
        self.hear(sink);
    }

    /// As [`push`](Self::push), but leaves the last frame to be heard together with other
    /// calls' ([`network`](Self::network), then [`conclude`](Self::conclude)).
    pub(crate) fn take(
        &mut self,
        mut samples: &[f32],
        mask: Mask,
        sink: &mut impl FnMut(VadEvent),
    ) {
        while !samples.is_empty() {
            samples = &samples[self.frames.fill(samples)..];
            if self.frames.is_full() {
                self.hear(sink);
                self.frames.turn();
                self.waiting = Some(mask);
            }
        }
    }

    fn hear(&mut self, sink: &mut impl FnMut(VadEvent)) {
        Silero::hear(&mut [self.network()]);
        self.conclude(sink);
    }

    /// The network, if a frame waits for it.
    pub(crate) fn network(&mut self) -> Option<&mut Silero> {
        self.waiting?;
        self.frames.network()
    }

    /// Tells of the frame that waited, now that it was heard.
    pub(crate) fn conclude(&mut self, sink: &mut impl FnMut(VadEvent)) {
        let Some(mask) = self.waiting.take() else {
            return;
        };
        let (frame, p) = self.frames.heard();
        let t_ms = self.count * FRAME_MS;
        self.count += 1;
        sink(VadEvent::Frame { t_ms, p });
        let mut end = t_ms / SLICE_MS * echo::SLOW as u64;
        for slice in frame.as_chunks::<SLICE>().0 {
            let mut cues = self.ear.slice(slice);
            end += echo::SLOW as u64;
            if let Some(guard) = &mut self.guard {
                let sound = segment::sound(p, cues);
                cues.echo = guard.is_echo(self.ear.slow(), sound, end);
            }
            if let Some(event) = self.segmenter.push(p, cues, mask) {
                sink(VadEvent::Speech(event));
            }
        }
    }

    /// From now on the echo of what is [`said`](Self::said) is no speech. Allocates.
    pub(crate) fn guard_echo(&mut self) {
        self.guard = Some(Guard::new());
    }

    /// 20 ms are said to whoever is heard.
    pub(crate) fn said(&mut self, said: &Said) {
        let frames = self.count + u64::from(self.waiting.is_some());
        let samples = frames as usize * frames::FRAME + self.frames.filled();
        if let Some(guard) = &mut self.guard {
            guard.said(said, (samples / STEP) as u64);
        }
    }

    /// What follows is somebody else's voice.
    pub(crate) fn forget(&mut self) {
        self.frames.forget();
    }

    /// Ends the speech that goes on.
    pub fn finish(&mut self, sink: &mut impl FnMut(VadEvent)) {
        self.hear(sink);
        if let Some(event) = self.segmenter.finish() {
            sink(VadEvent::Speech(event));
        }
    }
}

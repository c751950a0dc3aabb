//! Whisper's log-mel spectrogram, streaming.

use std::f64::consts::TAU;

use zeroize::Zeroize;

use super::framer::Framer;
use super::mel::MelBank;
use super::spectrum::Spectrum;
use super::{HOP, WINDOW};

/// Half a window: what lies before a frame's middle.
const HALF: usize = WINDOW / 2;
/// Whisper's floor of a filter's energy.
const FLOOR: f32 = 1e-10;
/// What lies further below the loudest value is lifted to this distance: 80 dB.
const RANGE: f32 = 8.0;

/// Filters of Whisper's models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhisperBins {
    /// 80: all models up to large-v2.
    B80,
    /// 128: large-v3 and turbo.
    B128,
}

impl WhisperBins {
    /// Values per frame.
    pub fn count(self) -> usize {
        match self {
            Self::B80 => 80,
            Self::B128 => 128,
        }
    }
}

/// Log-mel frames of an utterance: |STFT|² (Hann window of 400 samples, hop 160,
/// frames centred, edges reflected), Slaney's mel filters, log₁₀, floor 10⁻¹⁰.
///
/// Frame *t* is centred on sample 160·*t*, so it comes 12.5 ms later. Frames are
/// **not normalised**: Whisper lifts everything to 8 below the loudest value of
/// its 30 s window and scales by (x + 4)/4, which takes the whole window to know.
/// [`normalize`] does exactly that to a finished utterance (Whisper pads it with
/// zeros: push them too); [`RunningNorm`] does it frame by frame with the loudest
/// value so far.
///
/// ```
/// use switchboard_media::features::{LogMel, RunningNorm, WhisperBins};
///
/// let mut features = LogMel::new(WhisperBins::B80);
/// let mut norm = RunningNorm::default();
/// let mut frames = 0;
/// features.push(&[0.0; 1600], &mut |frame| {
///     norm.apply(frame);
///     assert_eq!(frame.len(), 80);
///     frames += 1;
/// });
/// assert_eq!(frames, 9, "the tenth needs 40 samples more");
/// ```
pub struct LogMel {
    framer: Framer,
    window: Box<[f32]>,
    spectrum: Spectrum,
    bank: MelBank,
    frame: Box<[f32]>,
    /// The first samples, until the edge before them can be reflected.
    head: Box<[f32]>,
    head_filled: usize,
    samples: u64,
    frames: u64,
}

impl LogMel {
    /// An extractor at the start of an utterance.
    pub fn new(bins: WhisperBins) -> Self {
        let hann = |n: usize| 0.5 - 0.5 * (TAU * n as f64 / WINDOW as f64).cos();
        Self {
            framer: Framer::new(WINDOW),
            window: (0..WINDOW).map(|n| hann(n) as f32).collect(),
            spectrum: Spectrum::new(WINDOW),
            bank: MelBank::slaney(bins.count(), WINDOW),
            frame: vec![0.0; bins.count()].into(),
            head: vec![0.0; HALF + 1].into(),
            head_filled: 0,
            samples: 0,
            frames: 0,
        }
    }

    /// Takes samples and hands out frames; the sink may change them.
    pub fn push(&mut self, mut samples: &[f32], sink: &mut impl FnMut(&mut [f32])) {
        self.samples += samples.len() as u64;
        if self.head_filled < self.head.len() {
            let room = self.head.len() - self.head_filled;
            let (now, rest) = samples.split_at(room.min(samples.len()));
            self.head[self.head_filled..self.head_filled + now.len()].copy_from_slice(now);
            self.head_filled += now.len();
            samples = rest;
            if self.head_filled < self.head.len() {
                return;
            }
            self.begin(sink);
        }
        self.feed(samples, sink);
    }

    /// The mirror image of the first samples, then these.
    fn begin(&mut self, sink: &mut impl FnMut(&mut [f32])) {
        for n in (1..=HALF).rev() {
            let sample = self.head[n];
            self.feed(&[sample], sink);
        }
        for n in 0..=HALF {
            let sample = self.head[n];
            self.feed(&[sample], sink);
        }
    }

    fn feed(&mut self, samples: &[f32], sink: &mut impl FnMut(&mut [f32])) {
        let Self {
            framer,
            window,
            spectrum,
            bank,
            frame,
            frames,
            ..
        } = self;
        framer.push(samples, &mut |audio| {
            let power = spectrum.power(|input| {
                for ((input, sample), window) in input.iter_mut().zip(audio).zip(&*window) {
                    *input = sample * window;
                }
            });
            bank.apply(power, frame);
            for value in frame.iter_mut() {
                *value = value.max(FLOOR).log10();
            }
            *frames += 1;
            sink(frame);
        });
    }

    /// Ends the utterance: hands out the frames whose window reaches past the
    /// end, with the edge reflected, and begins anew. Like Whisper it leaves
    /// out a frame centred on the very end: an utterance of *n* samples has
    /// ⌊*n*/160⌋ frames. One of at most 200 samples is too short to be
    /// reflected and has none.
    pub fn finish(&mut self, sink: &mut impl FnMut(&mut [f32])) {
        let total = self.samples / HOP as u64;
        if self.head_filled == self.head.len() {
            let mut tail = [0.0; HALF];
            // The end is within the last window: it overlaps by 240.
            let pending = self.framer.pending();
            for (n, place) in tail.iter_mut().enumerate() {
                *place = pending[pending.len() - 2 - n];
            }
            for sample in &tail {
                if self.frames == total {
                    break;
                }
                self.feed(&[*sample], sink);
            }
            tail.zeroize();
        }
        self.reset();
    }

    /// Forgets the utterance.
    pub fn reset(&mut self) {
        self.framer.reset();
        self.head.zeroize();
        (self.head_filled, self.samples, self.frames) = (0, 0, 0);
    }
}

impl Drop for LogMel {
    fn drop(&mut self) {
        self.frame.zeroize();
        self.head.zeroize();
    }
}

/// Whisper's normalisation of a whole utterance (or its 30 s window), all its
/// frames one after the other: max(x, loudest − 8), then (x + 4)/4.
pub fn normalize(frames: &mut [f32]) {
    let loudest = frames.iter().copied().fold(f32::MIN, f32::max);
    lift(frames, loudest);
}

fn lift(frame: &mut [f32], loudest: f32) {
    for value in frame {
        *value = (value.max(loudest - RANGE) + 4.0) / 4.0;
    }
}

/// [`normalize`] frame by frame, by the loudest value **so far**. From the
/// utterance's loudest frame on it gives what Whisper would; before, the lifted
/// floor lies deeper, by a quarter of how much (in log₁₀) the rest is louder.
/// Values above Whisper's floor are always the same.
#[derive(Default)]
pub struct RunningNorm {
    loudest: Option<f32>,
}

impl RunningNorm {
    /// Normalises the next frame.
    pub fn apply(&mut self, frame: &mut [f32]) {
        let start = self.loudest.unwrap_or(f32::MIN);
        let loudest = frame.iter().copied().fold(start, f32::max);
        self.loudest = Some(loudest);
        lift(frame, loudest);
    }
}

//! Kaldi's log filter-bank energies, streaming.

use std::f64::consts::TAU;

use zeroize::Zeroize;

use super::framer::Framer;
use super::mel::MelBank;
use super::spectrum::Spectrum;
use super::{HOP, RATE, WINDOW};

/// The window padded to a power of two.
const FFT: usize = 512;
const PREEMPHASIS: f32 = 0.97;
/// Logarithms are taken of at least this.
const FLOOR: f32 = f32::EPSILON;

/// What may differ from Kaldi's defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FbankConfig {
    /// Filters, 1–128.
    pub bins: usize,
    /// Lower edge of the first filter in Hz.
    pub low_hz: f32,
    /// Upper edge of the last filter in Hz; 0 or less is counted down from
    /// 8 000, as Kaldi does.
    pub high_hz: f32,
    /// What full scale (1.0) counts as: 32 768 as in Kaldi, whose samples are
    /// 16-bit numbers; 1 for models trained on samples of −1…1.
    pub full_scale: f32,
}

impl Default for FbankConfig {
    fn default() -> Self {
        Self {
            bins: 80,
            low_hz: 20.0,
            high_hz: 0.0,
            full_scale: 32_768.0,
        }
    }
}

/// Kaldi's fbank: 25 ms every 10 ms, edges snipped, mean removed,
/// pre-emphasis 0.97, Povey window, power spectrum, triangular filters over
/// HTK's mel scale, natural logarithm. No dither.
///
/// Frame *t* covers the samples 160·*t* … 160·*t* + 399 and comes with the last
/// of them.
pub struct Fbank {
    framer: Framer,
    window: Box<[f32]>,
    spectrum: Spectrum,
    bank: MelBank,
    frame: Box<[f32]>,
    full_scale: f32,
}

impl Fbank {
    /// An extractor at the start of a stream. Numbers out of their ranges are
    /// brought into them.
    pub fn new(config: FbankConfig) -> Self {
        let bins = config.bins.clamp(1, 128);
        let top = RATE / 2.0;
        let high = f64::from(config.high_hz);
        let high = if high <= 0.0 { top + high } else { high }.clamp(1.0, top);
        let low = f64::from(config.low_hz).clamp(0.0, high - 1.0);
        // Povey: like Hamming, but going to zero at the edges.
        let povey = |n: usize| {
            let hann = 0.5 - 0.5 * (TAU * n as f64 / (WINDOW - 1) as f64).cos();
            hann.powf(0.85)
        };
        Self {
            framer: Framer::new(WINDOW),
            window: (0..WINDOW).map(|n| povey(n) as f32).collect(),
            spectrum: Spectrum::new(FFT),
            bank: MelBank::kaldi(bins, FFT, low, high),
            frame: vec![0.0; bins].into(),
            full_scale: config.full_scale,
        }
    }

    /// Takes samples and hands out frames with their log energy (Kaldi's "raw"
    /// one: of the frame with its mean removed, before anything else).
    pub fn push(&mut self, samples: &[f32], sink: &mut impl FnMut(&mut [f32], f32)) {
        let Self {
            framer,
            window,
            spectrum,
            bank,
            frame,
            full_scale,
        } = self;
        framer.push(samples, &mut |audio| {
            let mut energy = 0.0;
            let power = spectrum.power(|input| energy = prepare(audio, window, *full_scale, input));
            bank.apply(power, frame);
            for value in frame.iter_mut() {
                *value = value.max(FLOOR).ln();
            }
            sink(frame, energy.max(FLOOR).ln());
        });
    }

    /// Forgets the stream.
    pub fn reset(&mut self) {
        self.framer.reset();
    }
}

impl Drop for Fbank {
    fn drop(&mut self) {
        self.frame.zeroize();
    }
}

/// Writes the windowed frame and gives its energy.
fn prepare(audio: &[f32], window: &[f32], scale: f32, input: &mut [f32]) -> f32 {
    let mean = audio.iter().sum::<f32>() / WINDOW as f32;
    let mut energy = 0.0;
    // The sample before the first is taken to be like it.
    let mut before = (audio[0] - mean) * scale;
    for ((place, sample), window) in input.iter_mut().zip(audio).zip(window) {
        let sample = (sample - mean) * scale;
        energy += sample * sample;
        *place = (sample - PREEMPHASIS * before) * window;
        before = sample;
    }
    input[WINDOW..].fill(0.0);
    energy
}

const _: () = assert!(WINDOW < FFT && HOP < WINDOW);

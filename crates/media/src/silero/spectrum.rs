//! Four magnitude spectra of a frame.

use std::f32::consts::TAU;
use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};
use zeroize::Zeroize;

use super::network::{BINS, FRAMES};

/// The short-time Fourier transform under a periodic Hann window that the
/// model was trained with (there as a convolution).
pub(super) struct Transform {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Box<[f32]>,
}

/// What one call's detector holds while it transforms.
pub(super) struct Memory {
    windowed: Box<[f32]>,
    bins: Box<[Complex32]>,
    scratch: Box<[Complex32]>,
}

impl Transform {
    /// For windows of `length` samples, half as far apart.
    pub(super) fn new(length: usize) -> Self {
        let hann = |n| 0.5 - 0.5 * (TAU * n as f32 / length as f32).cos();
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(length),
            window: (0..length).map(hann).collect(),
        }
    }

    pub(super) fn memory(&self) -> Memory {
        Memory {
            windowed: self.fft.make_input_vec().into(),
            bins: self.fft.make_output_vec().into(),
            scratch: self.fft.make_scratch_vec().into(),
        }
    }

    /// Samples that the windows of a frame span, its mirrored end included.
    pub(super) fn span(&self) -> usize {
        (FRAMES + 1) * self.window.len() / 2
    }

    /// The spectra of `input`, [`span`](Self::span) samples, whose last quarter
    /// of a window is overwritten with the mirror image of what is before it.
    pub(super) fn magnitudes(
        &self,
        memory: &mut Memory,
        input: &mut [f32],
        out: &mut [[f32; BINS]; FRAMES],
    ) {
        let heard = input.len() - self.window.len() / 4;
        let (heard, mirrored) = input.split_at_mut(heard);
        for (place, sample) in mirrored.iter_mut().zip(heard.iter().rev().skip(1)) {
            *place = *sample;
        }
        let hop = self.window.len() / 2;
        for (frame, out) in out.iter_mut().enumerate() {
            self.spectrum(memory, &input[frame * hop..]);
            for (magnitude, bin) in out.iter_mut().zip(&memory.bins) {
                *magnitude = (bin.re * bin.re + bin.im * bin.im).sqrt();
            }
        }
    }

    fn spectrum(&self, memory: &mut Memory, input: &[f32]) {
        let Memory {
            windowed,
            bins,
            scratch,
        } = memory;
        for ((place, weight), sample) in windowed.iter_mut().zip(&self.window).zip(input) {
            *place = weight * sample;
        }
        self.fft
            .process_with_scratch(windowed, bins, scratch)
            .expect("the buffers are the plan's own");
    }
}

impl Zeroize for Memory {
    fn zeroize(&mut self) {
        self.windowed.zeroize();
        for bin in self.bins.iter_mut().chain(&mut self.scratch) {
            bin.re.zeroize();
            bin.im.zeroize();
        }
    }
}

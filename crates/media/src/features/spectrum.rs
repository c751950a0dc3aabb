//! Power spectrum of a real frame by realfft, without allocation per frame.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use zeroize::Zeroize;

use super::mel::LANES;

pub(super) struct Spectrum {
    fft: Arc<dyn RealToComplex<f32>>,
    input: Box<[f32]>,
    bins: Box<[Complex<f32>]>,
    scratch: Box<[Complex<f32>]>,
    power: Box<[f32]>,
}

impl Spectrum {
    /// For frames of `length` samples, an even number.
    pub(super) fn new(length: usize) -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(length);
        Self {
            input: fft.make_input_vec().into(),
            bins: fft.make_output_vec().into(),
            scratch: fft.make_scratch_vec().into(),
            // Filters read whole lanes, some of them past the last bin.
            power: vec![0.0; length / 2 + 1 + LANES].into(),
            fft,
        }
    }

    /// |X|² of the bins 0 … length/2 of the frame that `fill` writes, and
    /// zeros after them. `fill` finds what the last transform left behind.
    pub(super) fn power(&mut self, fill: impl FnOnce(&mut [f32])) -> &[f32] {
        fill(&mut self.input);
        let done =
            self.fft
                .process_with_scratch(&mut self.input, &mut self.bins, &mut self.scratch);
        debug_assert!(done.is_ok(), "all buffers were made by the plan");
        for (power, bin) in self.power.iter_mut().zip(&self.bins) {
            *power = bin.re * bin.re + bin.im * bin.im;
        }
        &self.power
    }
}

impl Drop for Spectrum {
    fn drop(&mut self) {
        self.input.zeroize();
        self.power.zeroize();
        for bin in self.bins.iter_mut().chain(&mut self.scratch) {
            bin.re.zeroize();
            bin.im.zeroize();
        }
    }
}

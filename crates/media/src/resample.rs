//! Rate conversion by rubato's FFT resampler: whole recordings at once, and a
//! stream in small blocks without allocation.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::codec::RATE;

/// Lowest rate accepted, in Hz.
pub const MIN_RATE: u32 = 8_000;
/// Highest rate accepted, in Hz.
pub const MAX_RATE: u32 = 192_000;

/// Why audio cannot be resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResampleError {
    /// The rate is outside [`MIN_RATE`]–[`MAX_RATE`].
    #[error("sample rate {0} Hz is outside 8000-192000 Hz")]
    Rate(u32),
    /// rubato refused; it does not for the rates and lengths used here.
    #[error("resampling from {0} Hz failed")]
    Failed(u32),
}

fn check(rate: u32) -> Result<(), ResampleError> {
    if (MIN_RATE..=MAX_RATE).contains(&rate) {
        Ok(())
    } else {
        Err(ResampleError::Rate(rate))
    }
}

/// A whole mono recording at [`RATE`]; aligned with the input (no delay), its
/// length the input's duration rounded up to a sample.
///
/// # Errors
/// [`ResampleError::Rate`] when `rate` is out of range.
pub fn to_16k(rate: u32, samples: &[f32]) -> Result<Zeroizing<Vec<f32>>, ResampleError> {
    convert(rate, RATE, samples)
}

/// A whole mono recording from one rate to another, both in
/// [`MIN_RATE`]–[`MAX_RATE`]; aligned with the input.
///
/// # Errors
/// [`ResampleError::Rate`] when a rate is out of range.
pub fn convert(from: u32, to: u32, samples: &[f32]) -> Result<Zeroizing<Vec<f32>>, ResampleError> {
    check(from)?;
    check(to)?;
    if from == to || samples.is_empty() {
        return Ok(Zeroizing::new(samples.to_vec()));
    }
    let failed = |_| ResampleError::Failed(from);
    // Some 1 000 frames: the cutoff is then close to the band's edge.
    let mut resampler = resampler(from, to, 1024)?;
    let input =
        SequentialSlice::new(samples, 1, samples.len()).map_err(|_| ResampleError::Failed(from))?;
    let output = resampler
        .process_all(&input, samples.len(), None)
        .map_err(failed)?;
    let zeros = vec![0.0; resampler.input_frames_max()];
    let mut space = vec![0.0; resampler.output_frames_max()];
    silence(&mut resampler, &zeros, &mut space);
    Ok(Zeroizing::new(output.take_data()))
}

/// Works in blocks of at least `block` frames on the slower side. The filter's
/// middle is half a block in: blocks of even length on both sides put it on a
/// sample, so that the delay taken off is exact.
fn resampler(from: u32, to: u32, block: u32) -> Result<Fft<f32>, ResampleError> {
    let common = gcd(from, to);
    let (unit_in, unit_out) = (from / common, to / common);
    let even = if unit_in % 2 == 0 && unit_out % 2 == 0 {
        1
    } else {
        2
    };
    let units = block.div_ceil(even * unit_in.min(unit_out)) * even;
    Fft::new_custom(
        from as usize,
        to as usize,
        (units * unit_in) as usize,
        1,
        1,
        // Flat to 7.2 kHz in blocks of 10 ms; its square loses 0.14 dB at 7 kHz.
        WindowFunction::BlackmanHarris,
        FixedSync::Both,
    )
    .map_err(|_| ResampleError::Failed(from))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A mono stream from one rate to another; allocates only when made.
pub struct Stream {
    resampler: Fft<f32>,
    input: Box<[f32]>,
    filled: usize,
    output: Box<[f32]>,
    /// Output still to be thrown away: the filter's delay.
    trim: usize,
}

impl Stream {
    /// A stream from `rate` Hz to [`RATE`]. It works in blocks of 10 ms (20 ms or longer
    /// for rates that share no such block with 16 kHz) and takes the filter's delay off
    /// the start.
    ///
    /// # Errors
    /// [`ResampleError`] when `rate` is out of range.
    pub fn new(rate: u32) -> Result<Self, ResampleError> {
        Self::between(rate, RATE)
    }

    /// As [`new`](Self::new), from one rate to another: what is heard goes out to those
    /// who take 8 or 24 kHz.
    ///
    /// # Errors
    /// [`ResampleError`] when a rate is out of range.
    pub fn between(from: u32, to: u32) -> Result<Self, ResampleError> {
        check(from)?;
        check(to)?;
        let resampler = resampler(from, to, from.min(to) / 100)?;
        Ok(Self {
            input: vec![0.0; resampler.input_frames_max()].into(),
            filled: 0,
            output: vec![0.0; resampler.output_frames_max()].into(),
            trim: resampler.output_delay(),
            resampler,
        })
    }

    /// Takes samples of any number and hands out blocks at the other
    /// rate as they fill.
    pub fn push(&mut self, mut samples: &[f32], sink: &mut impl FnMut(&[f32])) {
        while !samples.is_empty() {
            let room = self.input.len() - self.filled;
            let (now, rest) = samples.split_at(room.min(samples.len()));
            self.input[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            samples = rest;
            if self.filled == self.input.len() {
                self.filled = 0;
                self.block(sink);
            }
        }
    }

    /// Forgets the signal.
    pub fn reset(&mut self) {
        self.resampler.reset();
        self.filled = 0;
        self.trim = self.resampler.output_delay();
    }

    fn block(&mut self, sink: &mut impl FnMut(&[f32])) {
        let (frames_in, frames_out) = (self.input.len(), self.output.len());
        let Ok(input) = SequentialSlice::new(&self.input[..], 1, frames_in) else {
            return;
        };
        let Ok(mut output) = SequentialSlice::new_mut(&mut self.output[..], 1, frames_out) else {
            return;
        };
        let Ok((_, made)) = self
            .resampler
            .process_into_buffer(&input, &mut output, None)
        else {
            return;
        };
        let skip = self.trim.min(made);
        self.trim -= skip;
        if skip < made {
            sink(&self.output[skip..made]);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.input.zeroize();
        silence(&mut self.resampler, &self.input, &mut self.output);
        self.output.zeroize();
    }
}

/// Wipes a resampler: its memory is out of reach, so silence takes the signal's place in it.
fn silence(resampler: &mut Fft<f32>, zeros: &[f32], output: &mut [f32]) {
    resampler.reset();
    let frames_out = output.len();
    let input = SequentialSlice::new(zeros, 1, zeros.len());
    let output = SequentialSlice::new_mut(output, 1, frames_out);
    if let (Ok(input), Ok(mut output)) = (input, output) {
        // It can't fail with blocks as long as it asks for.
        let _ = resampler.process_into_buffer(&input, &mut output, None);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sine(rate: u32, hz: f64, seconds: f64) -> Vec<f32> {
        (0..(f64::from(rate) * seconds) as usize)
            .map(|n| (0.5 * (n as f64 * hz * std::f64::consts::TAU / f64::from(rate)).sin()) as f32)
            .collect()
    }

    /// Largest difference in the middle, away from the edges' ringing.
    fn difference(a: &[f32], b: &[f32]) -> f32 {
        let middle = 2000..a.len().min(b.len()) - 2000;
        middle.map(|n| (a[n] - b[n]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn one_shot_is_aligned_at_every_rate() {
        for rate in [
            8_000, 11_025, 12_000, 22_050, 24_000, 44_100, 48_000, 96_000, 192_000,
        ] {
            let out = to_16k(rate, &sine(rate, 997.0, 1.0)).unwrap();
            assert_eq!(out.len(), 16_000, "{rate}");
            let expected = sine(16_000, 997.0, 1.0);
            assert!(difference(&out, &expected) < 2e-3, "{rate}");
        }
        assert_eq!(
            convert(16_000, 48_000, &sine(16_000, 997.0, 1.0))
                .unwrap()
                .len(),
            48_000
        );
    }

    #[test]
    fn what_does_not_fit_the_band_is_gone() {
        // 90 dB asked; 9 kHz would fold to 7 kHz.
        let out = to_16k(48_000, &sine(48_000, 9_000.0, 1.0)).unwrap();
        let peak = out[2000..14_000].iter().fold(0.0f32, |a, x| a.max(x.abs()));
        assert!(20.0 * (peak / 0.5).log10() < -90.0, "{peak}");
        let out = to_16k(48_000, &sine(48_000, 7_000.0, 1.0)).unwrap();
        assert!(difference(&out, &sine(16_000, 7_000.0, 1.0)) < 0.006);
    }

    #[test]
    fn a_stream_in_odd_pieces_is_the_same_signal() {
        for rate in [8_000, 44_100, 48_000] {
            let mut stream = Stream::new(rate).unwrap();
            let mut out = Vec::new();
            for piece in sine(rate, 997.0, 1.0).chunks(137) {
                stream.push(piece, &mut |block| out.extend_from_slice(block));
            }
            assert!(difference(&out, &sine(16_000, 997.0, 1.0)) < 4e-3, "{rate}");
        }
    }

    /// RMS, in dB against the input's, of a sine that went through a stream.
    fn gain_db(rate: u32, hz: f64) -> f64 {
        let mut out = Vec::new();
        Stream::new(rate)
            .unwrap()
            .push(&sine(rate, hz, 1.0), &mut |block| {
                out.extend_from_slice(block);
            });
        let middle = &out[2_000..14_000];
        let power = middle.iter().map(|x| f64::from(x * x)).sum::<f64>() / middle.len() as f64;
        10.0 * (power / 0.125).log10()
    }

    /// The streams of a call, not only recordings: flat to 7 kHz, nothing folds,
    /// at most 5 ms late at a call's rates.
    #[test]
    fn a_stream_is_flat_and_does_not_alias() {
        for rate in [24_000u32, 44_100, 48_000] {
            let flat: Vec<f64> = (1..=70)
                .map(|n| gain_db(rate, 100.0 * f64::from(n)))
                .collect();
            let ripple = flat.iter().fold(0.0f64, |worst, db| worst.max(db.abs()));
            let top = (rate / 2 - 100).min(23_900);
            let alias = (9_000..top)
                .step_by(370)
                .map(|hz| gain_db(rate, f64::from(hz)));
            let alias = alias.fold(f64::MIN, f64::max);
            assert!(ripple <= 0.1, "{rate}: {ripple} dB");
            assert!(alias <= -90.0, "{rate}: {alias} dB");
        }
        for rate in [8_000, 24_000, 48_000] {
            let delay = Stream::new(rate).unwrap().resampler.output_delay();
            assert!(delay <= RATE as usize / 200, "{rate}: {delay} samples");
        }
    }

    #[test]
    fn odd_input_is_answered() {
        assert_eq!(to_16k(7_999, &[0.0]), Err(ResampleError::Rate(7_999)));
        assert!(to_16k(44_100, &[]).unwrap().is_empty());
        assert_eq!(to_16k(44_100, &[0.1]).unwrap().len(), 1);
        assert_eq!(to_16k(9_973, &[0.1; 100]).unwrap().len(), 161);
        assert!(Stream::new(200_000).is_err());
    }

    #[test]
    fn a_stream_goes_out_as_it_comes_in() {
        for to in [8_000, 24_000] {
            let mut stream = Stream::between(RATE, to).unwrap();
            let mut out = Vec::new();
            for piece in sine(RATE, 997.0, 1.0).chunks(320) {
                stream.push(piece, &mut |block| out.extend_from_slice(block));
            }
            let expected = sine(to, 997.0, 1.0);
            assert!(out.len() + to as usize / 100 >= expected.len(), "{to}");
            assert!(difference(&out, &expected) < 1e-3, "{to}");
        }
    }
}

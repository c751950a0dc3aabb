//! G.722 (ITU-T G.722, 09/2012) at 64 kbit/s: 16 kHz audio in two bands by a
//! quadrature mirror filter, each in adaptive differential PCM, 6 and 2 bits.
//!
//! Integer arithmetic as the Recommendation prescribes, so that both ends adapt
//! in step. Neither direction allocates or fails: every byte is a codeword.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Samples at 16 kHz per byte.
pub const SAMPLES_PER_BYTE: usize = 2;

/// The filter's impulse response, of which the second half mirrors the first
/// (Table 11); unit is 2⁻¹³.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
const QMF_LEN: usize = 2 * QMF.len();

/// Decision levels of the lower band's quantiser (Table 14, LDU).
const LOW_LEVELS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023,
    1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// Output levels of its 4-bit inverse (Table 16), from which both ends adapt.
const LOW_4: [i32; 16] = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584,
    1200, 0,
];
/// Output levels of its 6-bit inverse (Table 15); four codewords are not used.
const LOW_6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232,
    -9360, -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776,
    -2400, -2032, -1688, -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280,
    11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776,
    2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
/// Multipliers of the lower band's scale (Table 17), by its 4-bit codeword.
const LOW_STEP: [i32; 16] = [
    -60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60,
];
/// Output levels of the higher band's quantiser (Table 21).
const HIGH_2: [i32; 4] = [-7408, -1616, 7408, 1616];
/// Multipliers of its scale (Table 22).
const HIGH_STEP: [i32; 4] = [798, -214, 798, -214];
/// Its one decision level.
const HIGH_LEVEL: i32 = 564;
/// 2¹¹·2^(n/32): the scale's logarithm turned linear (Table 19).
const INVERSE_LOG: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

fn saturate(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

/// A product of two 16-bit fractions.
fn times(a: i32, b: i32) -> i32 {
    (a * b) >> 15
}

/// The signal estimate of one band (Figures 9 and 10): two poles, six zeros.
#[derive(Clone, Copy, Default, Zeroize)]
struct Predictor {
    /// Estimate of the next sample, and its zeros' part.
    estimate: i32,
    zeros: i32,
    /// Reconstructed signal, the last two.
    signal: [i32; 2],
    /// Partially reconstructed signal, the last two.
    partial: [i32; 2],
    poles: [i32; 2],
    /// Quantised differences, the last six.
    differences: [i32; 6],
    zero_taps: [i32; 6],
}

impl Predictor {
    /// Takes the quantised difference and estimates the next sample (block 4).
    fn update(&mut self, difference: i32) {
        let signal = saturate(self.estimate + difference);
        let partial = saturate(self.zeros + difference);
        self.adapt_poles(partial);
        self.adapt_zeros(difference);
        self.signal = [signal, self.signal[0]];
        self.partial = [partial, self.partial[0]];
        self.differences.copy_within(0..5, 1);
        self.differences[0] = difference;
        let pole = |n: usize| times(self.poles[n], saturate(2 * self.signal[n]));
        let zero = |n: usize| times(self.zero_taps[n], saturate(2 * self.differences[n]));
        self.zeros = saturate((0..6).rev().map(zero).sum());
        self.estimate = saturate(saturate(pole(0) + pole(1)) + self.zeros);
    }

    /// UPPOL2 and UPPOL1.
    fn adapt_poles(&mut self, partial: i32) {
        let same = |before: i32| (partial < 0) == (before < 0);
        let [first, second] = self.poles;
        let lean = saturate(first << 2);
        let lean = if same(self.partial[0]) { -lean } else { lean }.min(32_767);
        let push = if same(self.partial[1]) { 128 } else { -128 };
        let second = ((lean >> 7) + push + times(second, 32_512)).clamp(-12_288, 12_288);
        let push = if same(self.partial[0]) { 192 } else { -192 };
        let bound = saturate(15_360 - second);
        let first = saturate(push + times(first, 32_640)).clamp(-bound, bound);
        self.poles = [first, second];
    }

    /// UPZERO.
    fn adapt_zeros(&mut self, difference: i32) {
        let push = if difference == 0 { 0 } else { 128 };
        for (tap, before) in self.zero_taps.iter_mut().zip(&self.differences) {
            let push = if (*before < 0) == (difference < 0) {
                push
            } else {
                -push
            };
            *tap = saturate(push + times(*tap, 32_640));
        }
    }
}

/// One band's state: how large its steps are, and what comes next.
#[derive(Clone, Copy, Zeroize)]
struct Band {
    predictor: Predictor,
    /// Logarithm of the step.
    log: i32,
    /// The step.
    step: i32,
}

impl Band {
    fn new(step: i32) -> Self {
        Self {
            predictor: Predictor::default(),
            log: 0,
            step,
        }
    }

    /// Follows the difference and adapts the step (blocks 3 and 4).
    fn update(&mut self, difference: i32, multiplier: i32, limit: i32, shift: i32) {
        self.log = (times(self.log, 32_512) + multiplier).clamp(0, limit);
        let linear = INVERSE_LOG[(self.log >> 6) as usize & 31];
        let shift = shift - (self.log >> 11);
        let linear = if shift < 0 {
            linear << -shift
        } else {
            linear >> shift
        };
        self.step = linear << 2;
        self.predictor.update(difference);
    }

    fn update_low(&mut self, code: usize) {
        let code = code >> 2;
        let difference = times(self.step, LOW_4[code]);
        self.update(difference, LOW_STEP[code], 18_432, 8);
    }

    fn update_high(&mut self, code: usize) {
        let difference = times(self.step, HIGH_2[code]);
        self.update(difference, HIGH_STEP[code], 22_528, 10);
    }
}

/// Both bands and the filter between them and the signal.
#[derive(Zeroize, ZeroizeOnDrop)]
struct State {
    low: Band,
    high: Band,
    history: [i32; QMF_LEN],
}

impl State {
    fn new() -> Self {
        Self {
            low: Band::new(32),
            high: Band::new(8),
            history: [0; QMF_LEN],
        }
    }

    /// Takes the next two samples of the filter and gives its two sums.
    fn filter(&mut self, next: [i32; 2]) -> (i32, i32) {
        self.history.copy_within(2.., 0);
        self.history[QMF_LEN - 2..].copy_from_slice(&next);
        let (mut first, mut second) = (0, 0);
        for (n, pair) in self.history.chunks_exact(2).enumerate() {
            first += pair[0] * QMF[n];
            second += pair[1] * QMF[QMF.len() - 1 - n];
        }
        (first, second)
    }
}

/// Decodes one stream; no allocation.
pub struct G722Decoder {
    state: Box<State>,
}

impl Default for G722Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl G722Decoder {
    /// A decoder in its initial state.
    pub fn new() -> Self {
        let state = Box::new(State::new());
        Self { state }
    }

    /// One byte as two samples of 16 kHz, −1…1.
    pub fn decode(&mut self, byte: u8) -> [f32; 2] {
        self.decode_pcm(byte).map(|pcm| f32::from(pcm) / 32768.0)
    }

    fn decode_pcm(&mut self, byte: u8) -> [i16; 2] {
        let state = &mut *self.state;
        let (low_code, high_code) = (usize::from(byte & 0x3f), usize::from(byte >> 6));
        let band = &mut state.low;
        let low = band.predictor.estimate + times(band.step, LOW_6[low_code]);
        let low = low.clamp(-16_384, 16_383);
        band.update_low(low_code);
        let band = &mut state.high;
        let high = band.predictor.estimate + times(band.step, HIGH_2[high_code]);
        let high = high.clamp(-16_384, 16_383);
        band.update_high(high_code);
        let (first, second) = state.filter([low + high, low - high]);
        [second, first].map(|sum| saturate(sum >> 11) as i16)
    }

    /// Forgets everything heard, as if new.
    pub fn reset(&mut self) {
        *self.state = State::new();
    }
}

/// Encodes one stream; no allocation.
pub struct G722Encoder {
    state: Box<State>,
}

impl Default for G722Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl G722Encoder {
    /// An encoder in its initial state.
    pub fn new() -> Self {
        let state = Box::new(State::new());
        Self { state }
    }

    /// Two samples of 16 kHz (−1…1, clipped beyond, 0 for what is no number) as
    /// one byte.
    pub fn encode(&mut self, samples: [f32; 2]) -> u8 {
        // A cast saturates and takes NaN for 0.
        self.encode_pcm(samples.map(|x| (x * 32768.0).round() as i16))
    }

    fn encode_pcm(&mut self, pcm: [i16; 2]) -> u8 {
        let state = &mut *self.state;
        let (odd, even) = state.filter(pcm.map(i32::from));
        let low_code = low_code(&state.low, (even + odd) >> 14);
        state.low.update_low(low_code);
        let high_code = high_code(&state.high, (even - odd) >> 14);
        state.high.update_high(high_code);
        (high_code << 6 | low_code) as u8
    }

    /// Forgets everything encoded, as if new.
    pub fn reset(&mut self) {
        *self.state = State::new();
    }
}

/// Sign and one's complement magnitude of what the estimate misses.
fn error(band: &Band, sample: i32) -> (bool, i32) {
    let error = saturate(sample - band.predictor.estimate);
    (error < 0, if error < 0 { !error } else { error })
}

/// QUANTL: the codewords count down from the outermost interval, and the two
/// innermost negative ones are where the unused would be.
fn low_code(band: &Band, sample: i32) -> usize {
    let (negative, magnitude) = error(band, sample);
    let inside = |level: &&i32| magnitude >= (*level * band.step) >> 12;
    let interval = LOW_LEVELS.iter().take_while(inside).count();
    match (negative, interval) {
        (false, n) => 61 - n,
        (true, n @ 0..=1) => 63 - n,
        (true, n) => 33 - n,
    }
}

/// QUANTH.
fn high_code(band: &Band, sample: i32) -> usize {
    let (negative, magnitude) = error(band, sample);
    let outer = magnitude >= (HIGH_LEVEL * band.step) >> 12;
    match (negative, outer) {
        (true, true) => 0,
        (true, false) => 1,
        (false, true) => 2,
        (false, false) => 3,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const INPUT: &[u8] = include_bytes!("../../../../fixtures/g722/input.s16");
    const CODE: &[u8] = include_bytes!("../../../../fixtures/g722/code.g722");
    const DECODED: &[u8] = include_bytes!("../../../../fixtures/g722/decoded.s16");
    const RANDOM: &[u8] = include_bytes!("../../../../fixtures/g722/random.g722");
    const RANDOM_DECODED: &[u8] = include_bytes!("../../../../fixtures/g722/random.s16");

    fn pcm(bytes: &[u8]) -> Vec<i16> {
        bytes
            .chunks_exact(2)
            .map(|b| i16::from_le_bytes([b[0], b[1]]))
            .collect()
    }

    fn decode(code: &[u8]) -> Vec<i16> {
        let mut decoder = G722Decoder::new();
        code.iter()
            .flat_map(|byte| decoder.decode_pcm(*byte))
            .collect()
    }

    #[test]
    fn encodes_bit_for_bit_like_spandsp() {
        let mut encoder = G722Encoder::new();
        let code: Vec<u8> = pcm(INPUT)
            .chunks_exact(2)
            .map(|pair| encoder.encode_pcm([pair[0], pair[1]]))
            .collect();
        assert!(code == CODE);
    }

    #[test]
    fn decodes_bit_for_bit_like_spandsp() {
        assert_eq!(first_difference(&decode(CODE), &pcm(DECODED)), None);
        let (ours, theirs) = (decode(RANDOM), pcm(RANDOM_DECODED));
        assert_eq!(first_difference(&ours, &theirs), None);
    }

    /// Whether two samples are the same, but for what overflows: the
    /// Recommendation limits it, spandsp 0.0.6 lets it wrap.
    fn same(ours: i16, theirs: i16) -> bool {
        let wrapped = (ours == i16::MIN && theirs > 0) || (ours == i16::MAX && theirs < 0);
        ours == theirs || wrapped
    }

    /// Index of the first difference, not content: failures are printed.
    fn first_difference(ours: &[i16], theirs: &[i16]) -> Option<usize> {
        assert_eq!(ours.len(), theirs.len());
        ours.iter().zip(theirs).position(|(a, b)| !same(*a, *b))
    }

    #[test]
    fn a_tone_survives_at_its_level_in_both_bands() {
        for hz in [300.0, 1_000.0, 3_500.0, 5_000.0, 6_500.0] {
            let (mut encoder, mut decoder) = (G722Encoder::new(), G722Decoder::new());
            let sine = |n: usize| 0.3 * (n as f32 * hz * std::f32::consts::TAU / 16_000.0).sin();
            let out: Vec<f32> = (0..8_000)
                .flat_map(|n| decoder.decode(encoder.encode([sine(2 * n), sine(2 * n + 1)])))
                .collect();
            // The two filters delay by 22 samples.
            let (mut noise, mut power) = (0.0, 0.0);
            for (n, sample) in out.iter().enumerate().skip(1_000) {
                noise += (sample - sine(n - 22)).powi(2);
                power += sine(n - 22).powi(2);
            }
            let snr = 10.0 * (power / noise).log10();
            let least = if hz < 4_000.0 { 25.0 } else { 10.0 };
            assert!(snr > least, "{hz} Hz: {snr} dB");
        }
    }

    #[test]
    fn a_reset_codec_is_a_new_one() {
        let mut decoder = G722Decoder::new();
        let first: Vec<[f32; 2]> = CODE.iter().map(|byte| decoder.decode(*byte)).collect();
        decoder.reset();
        let second: Vec<[f32; 2]> = CODE.iter().map(|byte| decoder.decode(*byte)).collect();
        assert!(first == second);
        let mut encoder = G722Encoder::new();
        let loud = encoder.encode([f32::INFINITY, f32::NAN]);
        encoder.reset();
        assert_eq!(encoder.encode([1.0, 0.0]), loud);
    }
}

//! What a leg's audio is coded with, and the encoder of what it sends.

use thiserror::Error;
use zeroize::Zeroizing;

use super::{Encoder, G722Encoder, OPUS_CLOCK, OPUS_SILENCE, OpusError, RATE, to_alaw, to_mulaw};
use crate::resample::{self, ResampleError};

/// Samples an encoder takes at a time: 20 ms at [`RATE`].
pub const SPEECH_FRAME: usize = RATE as usize / 50;
/// Bytes of 20 ms of G.711 or G.722: 64 kbit/s.
const FRAME_BYTES: usize = 160;
/// RTP clock of G.711 in Hz (RFC 3551 §4.5.14), and of G.722, although its audio
/// has 16 kHz: an error kept for compatibility (§4.5.2).
const G711_CLOCK: u32 = 8_000;

/// The coding of a leg's audio, the same both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    /// Opus (RFC 7587).
    #[default]
    Opus,
    /// G.722 at 64 kbit/s.
    G722,
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl Codec {
    /// The RTP clock in Hz.
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => OPUS_CLOCK,
            Self::G722 | Self::Pcmu | Self::Pcma => G711_CLOCK,
        }
    }

    /// Ticks of that clock in a packet of 20 ms.
    pub fn frame_ticks(self) -> u32 {
        self.clock_rate() / 50
    }

    /// A packet of 20 ms of silence.
    pub fn silence(self) -> Box<[u8]> {
        match self {
            Self::Opus => OPUS_SILENCE.into(),
            Self::Pcmu => [to_mulaw(0.0); FRAME_BYTES].into(),
            Self::Pcma => [to_alaw(0.0); FRAME_BYTES].into(),
            Self::G722 => {
                let mut encoder = G722Encoder::new();
                let settled = (0..10 * FRAME_BYTES).map(|_| encoder.encode([0.0; 2]));
                settled.skip(9 * FRAME_BYTES).collect()
            }
        }
    }
}

/// Why an encoder could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncoderError {
    /// libopus refused.
    #[error("Opus encoder: {0}")]
    Opus(#[from] OpusError),
    /// The filter before G.711 could not be made.
    #[error("conversion to 8 kHz: {0}")]
    Rate(#[from] ResampleError),
}

/// Encodes speech at [`RATE`], 20 ms at a time, as any [`Codec`]. Allocates only in
/// [`new`](Self::new).
pub struct SpeechEncoder(Inner);

enum Inner {
    Opus(Encoder),
    G722(G722Encoder),
    G711(G711Encoder),
}

impl SpeechEncoder {
    /// An encoder in its initial state.
    ///
    /// # Errors
    /// [`EncoderError`] when libopus or the filter refuses (they do not).
    pub fn new(codec: Codec) -> Result<Self, EncoderError> {
        Ok(Self(match codec {
            Codec::Opus => Inner::Opus(Encoder::wideband()?),
            Codec::G722 => Inner::G722(G722Encoder::new()),
            Codec::Pcmu => Inner::G711(G711Encoder::new(to_mulaw)?),
            Codec::Pcma => Inner::G711(G711Encoder::new(to_alaw)?),
        }))
    }

    /// Encodes [`SPEECH_FRAME`] samples (−1…1) into `out`, of at least
    /// [`MAX_PACKET`](super::MAX_PACKET) bytes, and gives the length.
    ///
    /// # Errors
    /// libopus refuses: `out` is too short.
    pub fn encode(
        &mut self,
        frame: &[f32; SPEECH_FRAME],
        out: &mut [u8],
    ) -> Result<usize, OpusError> {
        match &mut self.0 {
            Inner::Opus(encoder) => encoder.encode(frame, out),
            Inner::G722(encoder) => {
                let (pairs, _) = frame.as_chunks();
                for (byte, pair) in out.iter_mut().zip(pairs) {
                    *byte = encoder.encode(*pair);
                }
                Ok(FRAME_BYTES)
            }
            Inner::G711(encoder) => {
                encoder.encode(frame, &mut out[..FRAME_BYTES]);
                Ok(FRAME_BYTES)
            }
        }
    }

    /// Forgets everything encoded.
    pub fn reset(&mut self) {
        match &mut self.0 {
            Inner::Opus(encoder) => encoder.reset(),
            Inner::G722(encoder) => encoder.reset(),
            Inner::G711(encoder) => encoder.resampler.reset(),
        }
    }
}

/// G.711 behind its filter.
struct G711Encoder {
    resampler: Box<resample::Stream>,
    narrow: Zeroizing<Vec<f32>>,
    quantise: fn(f32) -> u8,
}

impl G711Encoder {
    fn new(quantise: fn(f32) -> u8) -> Result<Self, ResampleError> {
        Ok(Self {
            resampler: Box::new(resample::Stream::between(RATE, G711_CLOCK)?),
            narrow: Zeroizing::new(Vec::with_capacity(FRAME_BYTES)),
            quantise,
        })
    }

    fn encode(&mut self, frame: &[f32], out: &mut [u8]) {
        let Self {
            resampler,
            narrow,
            quantise,
        } = self;
        narrow.clear();
        resampler.push(frame, &mut |samples| narrow.extend_from_slice(samples));
        // What the filter's delay leaves open at the very beginning is silence.
        let (open, rest) = out.split_at_mut(out.len().saturating_sub(narrow.len()));
        open.fill(quantise(0.0));
        for (byte, sample) in rest.iter_mut().zip(narrow.iter()) {
            *byte = quantise(*sample);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{G722Decoder, MAX_PACKET, alaw, mulaw};
    use super::*;

    fn decode(codec: Codec, packet: &[u8], decoder: &mut G722Decoder) -> Vec<f32> {
        match codec {
            Codec::Pcmu => packet.iter().map(|byte| mulaw(*byte)).collect(),
            Codec::Pcma => packet.iter().map(|byte| alaw(*byte)).collect(),
            _ => packet.iter().flat_map(|b| decoder.decode(*b)).collect(),
        }
    }

    fn rms(signal: &[f32]) -> f32 {
        (signal.iter().map(|x| x * x).sum::<f32>() / signal.len() as f32).sqrt()
    }

    #[test]
    fn a_tone_survives_whole_frames_and_what_telephones_lack_does_not() {
        for codec in [Codec::G722, Codec::Pcmu, Codec::Pcma] {
            for (hertz, narrow) in [(1_000.0, 0.35), (6_000.0, 0.0)] {
                let mut encoder = SpeechEncoder::new(codec).unwrap();
                let (mut decoder, mut heard) = (G722Decoder::new(), Vec::new());
                for n in 0..50 {
                    let step = hertz * std::f32::consts::TAU / RATE as f32;
                    let frame: [f32; SPEECH_FRAME] =
                        std::array::from_fn(|i| 0.5 * ((n * SPEECH_FRAME + i) as f32 * step).sin());
                    let mut out = [0; MAX_PACKET];
                    let len = encoder.encode(&frame, &mut out).unwrap();
                    assert_eq!(len, FRAME_BYTES);
                    heard.extend(decode(codec, &out[..len], &mut decoder));
                }
                let rate = if codec == Codec::G722 { 16_000 } else { 8_000 };
                assert_eq!(heard.len(), rate, "a second of it");
                let expected = if codec == Codec::G722 { 0.35 } else { narrow };
                let level = rms(&heard[rate / 2..]);
                assert!(
                    (level - expected).abs() < 0.02,
                    "{codec:?} {hertz}: {level}"
                );
            }
        }
    }

    #[test]
    fn silence_is_silent() {
        for codec in [Codec::G722, Codec::Pcmu, Codec::Pcma] {
            let packet = codec.silence();
            assert_eq!(packet.len(), FRAME_BYTES);
            let mut decoder = G722Decoder::new();
            for _ in 0..5 {
                let heard = decode(codec, &packet, &mut decoder);
                let loudest = heard.iter().fold(0.0f32, |most, x| most.max(x.abs()));
                assert!(loudest < 1e-3, "{codec:?}: {loudest}");
            }
        }
    }
}

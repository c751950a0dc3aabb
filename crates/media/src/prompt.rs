//! Prompts: audio encoded once as Opus packets and shared by every call that plays it;
//! for calls of another codec encoded once more, from those.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::codec::{
    Codec, Decoder, Encoder, EncoderError, MAX_FRAME, MAX_PACKET, OPUS_CLOCK, OpusError, RATE,
    SPEECH_FRAME, SpeechEncoder,
};
use crate::resample::{self, ResampleError};
use crate::said::{SILENT, Said, Slow};
use crate::wav::{self, WavError};

/// Longest prompt accepted.
pub const MAX_PROMPT: Duration = Duration::from_secs(600);

/// Why a prompt could not be made.
#[derive(Debug, Error)]
pub enum PromptError {
    /// The file is not a WAV this crate reads.
    #[error("prompt cannot be read: {0}")]
    Wav(#[from] WavError),
    /// The sample rate is outside 8 000–192 000 Hz.
    #[error("prompt cannot be converted: {0}")]
    Rate(#[from] ResampleError),
    /// There are no samples.
    #[error("prompt holds no audio: give a file with at least one sample")]
    Empty,
    /// Longer than [`MAX_PROMPT`].
    #[error("prompt is longer than ten minutes: split it")]
    TooLong,
    /// libopus refused.
    #[error("prompt could not be encoded: {0}")]
    Encode(#[from] OpusError),
}

/// Audio as 20 ms mono packets, encoded once and shared by all calls.
/// Wiped when the last holder lets go of it.
pub struct Prompt {
    opus: Packets,
    g722: OnceLock<Packets>,
    pcmu: OnceLock<Packets>,
    pcma: OnceLock<Packets>,
    /// What each packet says, for those who guard against its echo: 8 kB/s.
    said: Zeroizing<Vec<Said>>,
}

/// A prompt in one codec.
struct Packets {
    /// All packets, one after the other.
    bytes: Box<[u8]>,
    /// Where each packet ends.
    ends: Box<[u32]>,
}

impl Prompt {
    /// Encodes a WAV file's bytes: every format [`wav::read`] takes, any number
    /// of channels (mixed to one), any rate from 8 to 192 kHz.
    ///
    /// # Errors
    /// [`PromptError`] when the file is no WAV, is empty or too long.
    pub fn from_wav(bytes: &[u8]) -> Result<Arc<Self>, PromptError> {
        let wav = wav::read(bytes)?;
        Self::from_samples(wav.rate, &wav.mono())
    }

    /// Encodes mono samples (−1…1) at `rate` Hz.
    ///
    /// # Errors
    /// [`PromptError`] when the rate is out of range, or there are no or too
    /// many samples.
    pub fn from_samples(rate: u32, mono: &[f32]) -> Result<Arc<Self>, PromptError> {
        if mono.is_empty() {
            return Err(PromptError::Empty);
        }
        if mono.len() as u64 > u64::from(rate) * MAX_PROMPT.as_secs() {
            return Err(PromptError::TooLong);
        }
        // Speech of a telephone's or a recogniser's bandwidth holds nothing above 8 kHz on
        // which to spend bits, and decodes at half the cost.
        let (rate_out, encoder) = match rate <= RATE {
            true => (RATE, Encoder::wideband()?),
            false => (OPUS_CLOCK, Encoder::new()?),
        };
        let signal = resample::convert(rate, rate_out, mono)?;
        Ok(Arc::new(Self {
            opus: encode(encoder, rate_out, &signal)?,
            g722: OnceLock::new(),
            pcmu: OnceLock::new(),
            pcma: OnceLock::new(),
            said: said(&resample::to_16k(rate_out, &signal)?),
        }))
    }

    /// How long it plays, a multiple of 20 ms.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(20 * self.packets() as u64)
    }

    /// Number of 20 ms packets.
    pub fn packets(&self) -> usize {
        self.opus.ends.len()
    }

    /// The Opus packet at `index`, `None` past the end.
    pub fn packet(&self, index: usize) -> Option<&[u8]> {
        self.opus.get(index)
    }

    /// The packet at `index` in `codec`; `None` past the end, or when the prompt was not
    /// [prepared](Self::prepare) for it.
    pub fn packet_as(&self, codec: Codec, index: usize) -> Option<&[u8]> {
        match self.place(codec) {
            None => self.opus.get(index),
            Some(place) => place.get()?.get(index),
        }
    }

    /// What the packet at `index` says; `None` past the last sound.
    pub(crate) fn said(&self, index: usize) -> Option<&Said> {
        self.said.get(index)
    }

    /// Encodes the prompt for `codec` unless that was done before: once for all calls, in
    /// some 10 µs a packet. Opus needs nothing.
    ///
    /// # Errors
    /// [`EncoderError`] when a codec can't be made.
    pub fn prepare(&self, codec: Codec) -> Result<(), EncoderError> {
        if let Some(place) = self.place(codec)
            && place.get().is_none()
        {
            // Who comes second lets go of its own.
            let _ = place.set(self.transcode(codec)?);
        }
        Ok(())
    }

    fn place(&self, codec: Codec) -> Option<&OnceLock<Packets>> {
        match codec {
            Codec::Opus => None,
            Codec::G722 => Some(&self.g722),
            Codec::Pcmu => Some(&self.pcmu),
            Codec::Pcma => Some(&self.pcma),
        }
    }

    fn transcode(&self, codec: Codec) -> Result<Packets, EncoderError> {
        let (mut decoder, mut encoder) = (Decoder::new()?, SpeechEncoder::new(codec)?);
        let mut heard = Zeroizing::new(vec![0.0; MAX_FRAME]);
        let mut made = Recording::of(self.packets());
        for packet in (0..self.packets()).filter_map(|index| self.packet(index)) {
            decoder.decode(packet, &mut heard)?;
            if let Some(frame) = heard.first_chunk::<SPEECH_FRAME>() {
                made.add(|out| encoder.encode(frame, out))?;
            }
        }
        Ok(made.done())
    }
}

impl Packets {
    fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = match index {
            0 => 0,
            _ => self.ends[index - 1] as usize,
        };
        self.bytes.get(start..end)
    }
}

impl Drop for Packets {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Not even the length in bytes: it tells which prompt it is.
impl std::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prompt(_)")
    }
}

fn said(signal: &[f32]) -> Zeroizing<Vec<Said>> {
    let (mut slow, frames) = (Slow::new(), signal.chunks(SPEECH_FRAME));
    let mut all = Zeroizing::new(vec![SILENT; frames.len()]);
    for (frame, said) in frames.zip(all.iter_mut()) {
        slow.say(frame, said);
    }
    all
}

/// Encodes samples of the encoder's rate, with enough silence after them that the
/// codec's delay cuts nothing off.
fn encode(mut encoder: Encoder, rate: u32, signal: &[f32]) -> Result<Packets, OpusError> {
    let frame_len = rate as usize / 50;
    let frames = (signal.len() + encoder.lookahead()?).div_ceil(frame_len);
    let mut made = Recording::of(frames);
    let mut frame = Zeroizing::new(vec![0.0; frame_len]);
    for index in 0..frames {
        let rest = signal.get(index * frame_len..).unwrap_or(&[]);
        let now = &rest[..rest.len().min(frame_len)];
        frame[..now.len()].copy_from_slice(now);
        frame[now.len()..].fill(0.0);
        made.add(|out| encoder.encode(&frame[..], out))?;
    }
    Ok(made.done())
}

/// Packets that are being made.
struct Recording {
    bytes: Zeroizing<Vec<u8>>,
    ends: Vec<u32>,
    packet: Zeroizing<[u8; MAX_PACKET]>,
}

impl Recording {
    fn of(packets: usize) -> Self {
        Self {
            // Reserved for the most it can be, so that no unwiped copy is left behind.
            bytes: Zeroizing::new(Vec::with_capacity(packets * MAX_PACKET.min(256))),
            ends: Vec::with_capacity(packets),
            packet: Zeroizing::new([0; MAX_PACKET]),
        }
    }

    /// Adds what `encode` writes.
    fn add(
        &mut self,
        encode: impl FnOnce(&mut [u8]) -> Result<usize, OpusError>,
    ) -> Result<(), OpusError> {
        let len = encode(&mut self.packet[..])?;
        self.bytes.extend_from_slice(&self.packet[..len]);
        self.ends.push(self.bytes.len() as u32);
        Ok(())
    }

    fn done(self) -> Packets {
        Packets {
            bytes: self.bytes.as_slice().into(),
            ends: self.ends.into(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codec::{alaw, mulaw};

    #[test]
    fn a_prompt_plays_back_as_it_was() {
        for rate in [8_000, 16_000, 44_100, 48_000] {
            let tone: Vec<f32> = (0..rate)
                .map(|n| 0.5 * (n as f32 * 697.0 * std::f32::consts::TAU / rate as f32).sin())
                .collect();
            let prompt = Prompt::from_wav(&wav::write(rate, &tone)).unwrap();
            assert_eq!(prompt.packets(), 51, "a second and the codec's delay");
            assert_eq!(prompt.duration(), Duration::from_millis(1020));
            let mut decoder = Decoder::new().unwrap();
            let mut energy = 0.0;
            for index in 0..prompt.packets() {
                let mut out = [0.0; MAX_FRAME];
                let n = decoder
                    .decode(prompt.packet(index).unwrap(), &mut out)
                    .unwrap();
                assert_eq!(n, 320);
                energy += out[..n].iter().map(|x| x * x).sum::<f32>();
            }
            let rms = (energy / 16_000.0).sqrt();
            assert!((0.32..0.38).contains(&rms), "{rate}: {rms}");
            assert!(prompt.packet(51).is_none());
        }
    }

    #[test]
    fn a_prompt_is_encoded_once_for_each_codec_that_is_asked_for() {
        let tone: Vec<f32> = (0..16_000)
            .map(|n| 0.5 * (n as f32 * 697.0 * std::f32::consts::TAU / 16_000.0).sin())
            .collect();
        let prompt = Prompt::from_samples(16_000, &tone).unwrap();
        assert_eq!(prompt.packet_as(Codec::Opus, 3), prompt.packet(3));
        for (codec, decode) in [(Codec::Pcmu, mulaw as fn(u8) -> f32), (Codec::Pcma, alaw)] {
            assert_eq!(prompt.packet_as(codec, 0), None);
            prompt.prepare(codec).unwrap();
            let first = prompt.packet_as(codec, 0).unwrap().as_ptr();
            prompt.prepare(codec).unwrap();
            assert_eq!(prompt.packet_as(codec, 0).unwrap().as_ptr(), first);
            let packets = (0..prompt.packets()).map(|n| prompt.packet_as(codec, n).unwrap());
            let heard: Vec<f32> = packets.flatten().map(|byte| decode(*byte)).collect();
            assert_eq!(heard.len(), 51 * 160);
            let rms = (heard.iter().map(|x| x * x).sum::<f32>() / 8_000.0).sqrt();
            assert!((0.32..0.38).contains(&rms), "{rms}");
        }
    }

    #[test]
    fn what_cannot_be_a_prompt_is_told() {
        let error = |rate, mono: &[f32]| Prompt::from_samples(rate, mono).unwrap_err();
        assert!(matches!(error(48_000, &[]), PromptError::Empty));
        assert!(matches!(error(4_000, &[0.1]), PromptError::Rate(_)));
        assert!(matches!(
            error(8_000, &vec![0.0; 4_800_001]),
            PromptError::TooLong
        ));
        assert!(matches!(
            Prompt::from_wav(b"R").unwrap_err(),
            PromptError::Wav(_)
        ));
    }

    #[test]
    fn debug_tells_nothing() {
        let prompt = Prompt::from_samples(48_000, &[0.0; 960]).unwrap();
        assert_eq!(format!("{prompt:?}"), "Prompt(_)");
    }
}

//! The caller's audio in an agent's encoding, 20 ms at a time.

use switchboard_media::codec::{RATE, to_mulaw};
use switchboard_media::engine::LIVE_FRAME;
use switchboard_media::resample::{ResampleError, Stream};
use switchboard_nlp::adapter::Protocol;
use zeroize::Zeroizing;

use super::resampler;

/// Encodes what is heard.
pub(super) struct Heard {
    protocol: Protocol,
    resampler: Option<Stream>,
    frame: Zeroizing<Vec<u8>>,
    frames: u64,
}

impl Heard {
    pub(super) fn new(protocol: Protocol) -> Result<Self, ResampleError> {
        let out = resampler(protocol.sample_rate(), |rate| Stream::between(RATE, rate))?;
        Ok(Self {
            protocol,
            resampler: out,
            frame: Zeroizing::new(Vec::with_capacity(protocol.frame_size())),
            frames: 0,
        })
    }

    /// Hands out the frames that end in `samples`, with the time they begin at.
    pub(super) fn push(&mut self, samples: &[f32; LIVE_FRAME], sink: &mut impl FnMut(u64, &[u8])) {
        let Self {
            protocol,
            resampler,
            frame,
            frames,
        } = self;
        let mut encode = |samples: &[f32]| {
            for &sample in samples {
                match protocol {
                    Protocol::Twilio => frame.push(to_mulaw(sample)),
                    Protocol::Acs { .. } => frame.extend_from_slice(&to_pcm(sample)),
                }
                if frame.len() == protocol.frame_size() {
                    sink(*frames * 20, frame);
                    *frames += 1;
                    frame.clear();
                }
            }
        };
        match resampler {
            Some(resampler) => resampler.push(samples, &mut encode),
            None => encode(samples),
        }
    }
}

fn to_pcm(sample: f32) -> [u8; 2] {
    ((sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(protocol: Protocol) -> Vec<(u64, Vec<u8>)> {
        let mut heard = Heard::new(protocol).unwrap();
        let mut frames = Vec::new();
        for piece in 0..10 {
            let samples = std::array::from_fn(|n| {
                let t = (piece * LIVE_FRAME + n) as f32 / 16_000.0;
                0.5 * (std::f32::consts::TAU * 440.0 * t).sin()
            });
            heard.push(&samples, &mut |t_ms, audio| {
                frames.push((t_ms, audio.to_vec()));
            });
        }
        frames
    }

    #[test]
    fn audio_goes_out_in_frames_of_20_ms() {
        let acs = |sample_rate| Protocol::Acs { sample_rate };
        for protocol in [Protocol::Twilio, acs(16_000), acs(24_000)] {
            let frames = frames(protocol);
            // What the filter holds back is less than a frame.
            assert!((9..=10).contains(&frames.len()), "{protocol:?}");
            for (index, (t_ms, audio)) in frames.iter().enumerate() {
                assert_eq!(
                    (*t_ms, audio.len()),
                    (index as u64 * 20, protocol.frame_size())
                );
            }
        }
    }
}

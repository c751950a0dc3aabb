//! Codecs: Opus (RFC 6716, libopus) decoded at 16 kHz and encoded at 48 kHz,
//! G.711 (ITU-T G.711) by its definition, G.722 (ITU-T G.722) at 64 kbit/s.

mod g711;
mod g722;
mod speech;

pub use g711::{alaw, mulaw, to_alaw, to_mulaw};
pub use g722::{G722Decoder, G722Encoder, SAMPLES_PER_BYTE as G722_SAMPLES_PER_BYTE};
pub use speech::{Codec, EncoderError, SPEECH_FRAME, SpeechEncoder};
use switchboard_opus::Redundancy;

/// libopus' verdict on a packet or a call.
pub use switchboard_opus::Error as OpusError;

/// Rate everything is analysed at, in Hz.
pub const RATE: u32 = 16_000;
/// Samples of the longest Opus packet (120 ms, RFC 6716 §3.1) at [`RATE`].
pub const MAX_FRAME: usize = 1920;
/// Longest encoded 20 ms frame, in bytes (RFC 6716 §3.4).
pub const MAX_PACKET: usize = 1275;
/// RTP clock of Opus, in Hz, whatever the audio's rate (RFC 7587 §4.1).
pub const OPUS_CLOCK: u32 = 48_000;
/// An Opus packet of 20 ms of digital silence: CELT, fullband, mono, its silence
/// flag set (RFC 6716 §4.3).
pub const OPUS_SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

/// libopus' complexity from which it conceals losses by its neural network and
/// uses deep redundancy.
const NEURAL: u8 = 5;

/// libopus decoder, mono at [`RATE`]; allocates only in [`new`](Self::new), and
/// its memory is wiped on drop.
pub struct Decoder {
    inner: switchboard_opus::Decoder,
    redundancy: Redundancy,
}

impl Decoder {
    /// A decoder in its initial state.
    ///
    /// # Errors
    /// libopus lacks what it was built with.
    pub fn new() -> Result<Self, OpusError> {
        let mut inner = switchboard_opus::Decoder::new(RATE)?;
        inner.set_complexity(NEURAL)?;
        let redundancy = Redundancy::new()?;
        Ok(Self { inner, redundancy })
    }

    /// Decodes one packet into `out` (at least [`MAX_FRAME`] samples) and gives
    /// the number of samples.
    ///
    /// # Errors
    /// The packet is malformed, or `out` is too short for it.
    pub fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, OpusError> {
        self.inner.decode(packet, out)
    }

    /// Fills `out` with what the lost packet before `next` held, from `next`'s
    /// in-band FEC where it has it, by concealment where not. The length of
    /// `out` is the lost duration, a multiple of 40 samples.
    ///
    /// # Errors
    /// The packet is malformed or the length not a multiple of 2.5 ms.
    pub fn recover(&mut self, next: &[u8], out: &mut [f32]) -> Result<usize, OpusError> {
        self.inner.recover(next, out)
    }

    /// Fills `out` by concealment; a multiple of 40 samples, at most
    /// [`MAX_FRAME`].
    ///
    /// # Errors
    /// The length is not a multiple of 2.5 ms.
    pub fn conceal(&mut self, out: &mut [f32]) -> Result<usize, OpusError> {
        self.inner.conceal(out)
    }

    /// Reads `next`'s deep redundancy (DRED) of up to `most` samples before it;
    /// gives how far it reaches, 0 where there is none.
    pub fn read_redundancy(&mut self, next: &[u8], most: usize) -> usize {
        self.redundancy.read(next, most, RATE).unwrap_or(0)
    }

    /// Fills `out` (a multiple of 40 samples) from the redundancy last read,
    /// beginning `ahead` samples before the packet it was read from.
    ///
    /// # Errors
    /// The length is not a multiple of 2.5 ms.
    pub fn restore(&mut self, ahead: usize, out: &mut [f32]) -> Result<usize, OpusError> {
        self.inner.restore(&self.redundancy, ahead, out)
    }

    /// Forgets everything heard, as if new.
    pub fn reset(&mut self) {
        self.inner.reset();
    }
}

/// libopus encoder for speech: mono, 48 kHz, 32 kbit/s with in-band FEC.
pub struct Encoder {
    inner: switchboard_opus::Encoder,
}

/// Samples the encoder takes at a time: 20 ms at 48 kHz.
pub const ENCODER_FRAME: usize = 960;

impl Encoder {
    /// An encoder in its initial state.
    ///
    /// # Errors
    /// libopus refuses its settings (it does not).
    pub fn new() -> Result<Self, OpusError> {
        let mut inner = switchboard_opus::Encoder::new(OPUS_CLOCK)?;
        inner.set_bitrate(32_000)?;
        inner.set_inband_fec(true)?;
        inner.set_packet_loss(10)?;
        Ok(Self { inner })
    }

    /// As [`new`](Self::new), for 16 kHz audio at 24 kbit/s: live speech, made and
    /// heard at [`RATE`]. [`encode`](Self::encode) then takes 320 samples.
    ///
    /// # Errors
    /// libopus refuses its settings (it does not).
    pub fn wideband() -> Result<Self, OpusError> {
        let mut inner = switchboard_opus::Encoder::new(RATE)?;
        inner.set_bitrate(24_000)?;
        inner.set_inband_fec(true)?;
        inner.set_packet_loss(10)?;
        Ok(Self { inner })
    }

    /// Forgets everything encoded.
    pub fn reset(&mut self) {
        self.inner.reset();
    }

    /// Samples, at the rate it takes, by which the decoded audio lags.
    ///
    /// # Errors
    /// libopus refuses (it does not on a valid encoder).
    pub fn lookahead(&mut self) -> Result<usize, OpusError> {
        self.inner.lookahead()
    }

    /// Sets the rate, 6 000–510 000 bit/s.
    ///
    /// # Errors
    /// The rate is out of range.
    pub fn set_bitrate(&mut self, bits_per_second: i32) -> Result<(), OpusError> {
        self.inner.set_bitrate(bits_per_second)
    }

    /// Encodes [`ENCODER_FRAME`] samples (20 ms, −1…1) into `out` and gives the length.
    ///
    /// # Errors
    /// `frame` has another length, or `out` is too short.
    pub fn encode(&mut self, frame: &[f32], out: &mut [u8]) -> Result<usize, OpusError> {
        self.inner.encode(frame, out)
    }
}

/// Duration of an Opus packet in samples of `rate` (8, 12, 16, 24 or 48 kHz);
/// `None` when the packet is malformed (empty, or longer than 120 ms).
pub fn opus_duration(packet: &[u8], rate: u32) -> Option<u32> {
    let samples = switchboard_opus::duration(packet, rate).ok()?;
    u32::try_from(samples).ok()
}

/// Whether a packet of one frame carries in-band FEC for its predecessor: the
/// LBRR flag after the VAD flags (RFC 6716 §4.2.3–4.2.4). Packets of several
/// frames are answered `false`.
pub fn opus_has_fec(packet: &[u8]) -> bool {
    let [toc, first, ..] = *packet else {
        return false;
    };
    let config = toc >> 3;
    if config >= 16 || toc & 0x03 != 0 {
        return false;
    }
    // SILK-only: 10, 20, 40, 60 ms by the two low bits; hybrid: always one SILK frame.
    let silk_frames = match (config, config & 3) {
        (0..12, 2) => 2,
        (0..12, 3) => 3,
        _ => 1,
    };
    let mid = first >> (7 - silk_frames) & 1 == 1;
    let stereo = toc & 0x04 != 0;
    let side = stereo && 6 >= 2 * silk_frames && first >> (6 - 2 * silk_frames) & 1 == 1;
    mid || side
}

/// Whether an error is libopus' verdict on the packet, not on our call.
pub fn is_malformed(error: &OpusError) -> bool {
    error.is_malformed()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sine(frames: usize) -> Vec<f32> {
        (0..frames * ENCODER_FRAME)
            .map(|n| 0.5 * (n as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin())
            .collect()
    }

    fn encode(signal: &[f32]) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new().unwrap();
        signal
            .chunks(ENCODER_FRAME)
            .map(|frame| {
                let mut out = [0; MAX_PACKET];
                let len = encoder.encode(frame, &mut out).unwrap();
                out[..len].to_vec()
            })
            .collect()
    }

    fn rms(signal: &[f32]) -> f32 {
        (signal.iter().map(|x| x * x).sum::<f32>() / signal.len() as f32).sqrt()
    }

    #[test]
    fn a_tone_survives() {
        let mut decoder = Decoder::new().unwrap();
        let mut out = [0.0; MAX_FRAME];
        let mut last = 0.0;
        for packet in encode(&sine(20)) {
            assert_eq!(opus_duration(&packet, RATE), Some(320));
            assert_eq!(decoder.decode(&packet, &mut out).unwrap(), 320);
            last = rms(&out[..320]);
        }
        assert!((0.3..0.4).contains(&last), "{last}");
    }

    #[test]
    fn fec_flag_tells_when_a_loss_is_recoverable() {
        // Speech-like: noise bursts, or the encoder takes CELT and has no FEC.
        let mut state = 1u32;
        let signal: Vec<f32> = (0..60 * ENCODER_FRAME)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = state as f32 / u32::MAX as f32 - 0.5;
                noise * 0.3 * (n as f32 / 4000.0).sin().abs()
            })
            .collect();
        let mut encoder = Encoder::new().unwrap();
        encoder.set_bitrate(24_000).unwrap();
        encoder.inner.set_packet_loss(20).unwrap();
        let mut with_fec = 0;
        for frame in signal.chunks(ENCODER_FRAME) {
            let mut out = [0; MAX_PACKET];
            let len = encoder.encode(frame, &mut out).unwrap();
            with_fec += usize::from(opus_has_fec(&out[..len]));
        }
        assert!(with_fec > 10, "{with_fec}");
        assert!(!opus_has_fec(&OPUS_SILENCE));
        assert!(!opus_has_fec(&[]));
    }

    #[test]
    fn the_silence_packet_is_silent() {
        let mut decoder = Decoder::new().unwrap();
        let mut out = [1.0; MAX_FRAME];
        for _ in 0..5 {
            assert_eq!(decoder.decode(&OPUS_SILENCE, &mut out).unwrap(), 320);
            assert!(out[..320].iter().all(|x| x.abs() < 1e-4));
        }
    }

    #[test]
    fn malformed_packets_are_errors() {
        let mut decoder = Decoder::new().unwrap();
        let mut out = [0.0; MAX_FRAME];
        // Code 3 with zero frames.
        assert!(decoder.decode(&[0xfb, 0x00], &mut out).is_err());
        assert_eq!(opus_duration(&[], RATE), None);
        assert_eq!(opus_duration(&[0xfb], RATE), None);
    }
}

//! Ogg Opus files as bytes (RFC 7845), by the `ogg` crate and libopus.

use std::io::Cursor;

use ogg::{OggReadError, PacketReader};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::codec::{OPUS_CLOCK, OpusError};

/// 120 ms, the longest packet there is (RFC 6716 §3.2.5).
const LONGEST_PACKET: usize = 5760;

/// Why bytes could not be read as Ogg Opus.
#[derive(Debug, Error)]
pub enum OggError {
    /// No pages, a wrong checksum, or a page that is cut short.
    #[error("Ogg file is damaged: {0}")]
    Page(#[from] OggReadError),
    /// The first packet is no Opus header of version 1.
    #[error("Ogg file holds no Opus: give Opus or WAV")]
    NotOpus,
    /// More channels than stereo, or channels without a meaning.
    #[error("Opus file with mapping family {0} is not supported: make it mono or stereo")]
    Mapping(u8),
    /// A packet that libopus can't decode.
    #[error("Opus file is damaged: {0}")]
    Packet(#[from] OpusError),
    /// It plays longer than was asked for.
    #[error("Opus file is too long: split it")]
    TooLong,
}

/// The header's facts (RFC 7845 §5.1).
struct Head {
    /// Samples at 48 kHz before the sound begins.
    pre_skip: usize,
    gain: f32,
}

impl Head {
    fn read(packet: &[u8]) -> Result<Self, OggError> {
        let head = packet.first_chunk::<19>().ok_or(OggError::NotOpus)?;
        // Versions below 16 add nothing that matters.
        if !head.starts_with(b"OpusHead") || head[8] >= 16 {
            return Err(OggError::NotOpus);
        }
        if head[18] != 0 {
            return Err(OggError::Mapping(head[18]));
        }
        let decibels = f32::from(i16::from_le_bytes([head[16], head[17]])) / 256.0;
        Ok(Self {
            pre_skip: usize::from(u16::from_le_bytes([head[10], head[11]])),
            gain: 10.0_f32.powf(decibels / 20.0),
        })
    }
}

/// Whether bytes begin as an Ogg file does.
pub fn is_ogg(bytes: &[u8]) -> bool {
    bytes.starts_with(b"OggS")
}

/// Decodes an Ogg Opus file: mono samples (−1…1, more if the file's gain is) at 48 kHz,
/// at most `most` of them. Stereo is mixed to one; of chained streams the first is read.
///
/// # Errors
/// [`OggError`].
pub fn read(bytes: &[u8], most: usize) -> Result<Zeroizing<Vec<f32>>, OggError> {
    let mut packets = PacketReader::new(Cursor::new(bytes));
    let first = packets.read_packet()?.ok_or(OggError::NotOpus)?;
    let head = Head::read(&first.data)?;
    let serial = first.stream_serial();
    let mut decoder = switchboard_opus::Decoder::new(OPUS_CLOCK)?;
    let longest = head.pre_skip + most;
    let mut sound = Zeroizing::new(Vec::new());
    let mut frame = Zeroizing::new(vec![0.0; LONGEST_PACKET]);
    let (mut tags, mut end) = (true, None);
    while let Some(packet) = packets.read_packet()? {
        if packet.stream_serial() != serial {
            continue;
        }
        if std::mem::take(&mut tags) {
            continue;
        }
        let length = decoder.decode(&packet.data, &mut frame)?;
        sound.extend_from_slice(&frame[..length]);
        if packet.last_in_stream() {
            // What the last packet holds beyond it is padding (RFC 7845 §4.4).
            end = usize::try_from(packet.absgp_page()).ok();
            break;
        }
        if sound.len() > longest + LONGEST_PACKET {
            return Err(OggError::TooLong);
        }
    }
    let end = end.unwrap_or(usize::MAX).min(sound.len());
    sound.truncate(end);
    sound.drain(..head.pre_skip.min(end));
    sound.iter_mut().for_each(|sample| *sample *= head.gain);
    match sound.len() > most {
        true => Err(OggError::TooLong),
        false => Ok(sound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{resample, wav};

    const SPEECH: &[u8] = include_bytes!("../../../fixtures/speech/command-en.opus");
    const MINUTE: usize = 60 * OPUS_CLOCK as usize;

    fn power(samples: &[f32]) -> f32 {
        samples.iter().map(|sample| sample * sample).sum()
    }

    /// Opus keeps the waveform's shape at this rate, and what is cut off at both ends
    /// keeps its place.
    #[test]
    fn a_file_of_another_encoder_sounds_like_its_source() {
        let sound = read(SPEECH, MINUTE).unwrap();
        let source = include_bytes!("../../../fixtures/speech/command-en.wav");
        let source = wav::read(source).unwrap();
        let heard = resample::to_16k(OPUS_CLOCK, &sound).unwrap();
        let source = &source.samples[..];
        assert_eq!(sound.len(), 3 * source.len());
        let best = (0..80).map(|late| {
            let pairs = source.iter().zip(&heard[late..]);
            let both: f32 = pairs.map(|(a, b)| a * b).sum();
            both / (power(source) * power(&heard[late..])).sqrt()
        });
        let best = best.fold(0.0, f32::max);
        assert!(best > 0.9, "{best}");
    }

    #[test]
    fn bad_files_are_told_apart() {
        for no_ogg in [&b""[..], b"RIFF", &[b'O'; 500]] {
            let error = read(no_ogg, MINUTE).unwrap_err();
            assert!(matches!(error, OggError::Page(_)), "{error}");
        }
        let mut broken = SPEECH.to_vec();
        broken[2000] ^= 1;
        assert!(matches!(read(&broken, MINUTE), Err(OggError::Page(_))));
        assert!(matches!(read(SPEECH, 48_000), Err(OggError::TooLong)));
        let head = |family: u8| {
            let mut head = *b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00";
            head[18] = family;
            head
        };
        assert!(matches!(
            Head::read(&head(255)),
            Err(OggError::Mapping(255))
        ));
        assert_eq!(Head::read(&head(0)).unwrap().pre_skip, 312);
        assert!(matches!(Head::read(&head(0)[..18]), Err(OggError::NotOpus)));
    }

    #[test]
    fn a_file_that_is_cut_short_is_refused() {
        let half = read(&SPEECH[..SPEECH.len() / 2], MINUTE);
        assert!(matches!(half, Err(OggError::Page(_))));
    }
}

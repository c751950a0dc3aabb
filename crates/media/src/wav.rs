//! WAV files as bytes, read leniently where the intent is clear.
//!
//! Own code rather than `hound`, because telephony recordings are often
//! streamed: their sizes are 0, 0xFFFFFFFF or those of the unfinished file,
//! which a strict reader refuses, as it does RF64 (EBU Tech 3306).

use thiserror::Error;
use zeroize::Zeroizing;

/// Audio of a WAV file, mono or as many channels as it has.
pub struct Wav {
    /// Sample rate in Hz, as the file says; not checked against any range but
    /// that it is not 0.
    pub rate: u32,
    /// Number of channels, at least 1.
    pub channels: u16,
    /// Samples −1…1, channels interleaved; a whole number of frames. Float
    /// files may exceed the range; what is not a number is 0.
    pub samples: Zeroizing<Vec<f32>>,
}

/// Why bytes could not be read as WAV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WavError {
    /// The first 12 bytes are not `RIFF`/`RF64`, a size, and `WAVE`.
    #[error("not a WAV file: it does not begin with a RIFF/WAVE header")]
    NotWave,
    /// A chunk's head or the format chunk is cut off.
    #[error("WAV file is cut short in its header, after {0} bytes")]
    Truncated(usize),
    /// There is no `fmt ` chunk before the data.
    #[error("WAV file has no format chunk before its data")]
    NoFormat,
    /// There is no `data` chunk.
    #[error("WAV file has no data chunk")]
    NoData,
    /// The format is not linear PCM of 8, 16, 24 or 32 bits, or 32-bit float.
    #[error(
        "WAV format {tag:#06x} with {bits} bits is not supported: convert to 16-bit PCM or 32-bit float"
    )]
    Format {
        /// Format tag, of the sub-format for extensible files.
        tag: u16,
        /// Bits per sample.
        bits: u16,
    },
    /// No channels, a rate of 0, or a frame size that contradicts them.
    #[error(
        "WAV header contradicts itself: {channels} channels at {rate} Hz in {frame}-byte frames"
    )]
    Inconsistent {
        /// Channels announced.
        channels: u16,
        /// Rate announced.
        rate: u32,
        /// Bytes per frame announced.
        frame: u16,
    },
}

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;

#[derive(Clone, Copy)]
struct Format {
    tag: u16,
    channels: u16,
    rate: u32,
    bits: u16,
}

/// Reads a WAV file.
///
/// Chunks other than `fmt ` and `data` are skipped. A `data` size that is
/// larger than what is there (0xFFFFFFFF, RF64's placeholder, or a file cut
/// short) is taken to mean *all that is there*, as is 0 when bytes follow that
/// are no further chunk; an incomplete frame at the end is left out.
///
/// # Errors
/// [`WavError`] when there is no header, no data, or a format this crate does
/// not read.
pub fn read(bytes: &[u8]) -> Result<Wav, WavError> {
    let (form, kind) = match bytes.get(..12) {
        Some(head) => (&head[..4], &head[8..12]),
        None => return Err(WavError::NotWave),
    };
    if !matches!(form, b"RIFF" | b"RF64") || kind != b"WAVE" {
        return Err(WavError::NotWave);
    }
    let mut format = None;
    let mut at = 12;
    while at < bytes.len() {
        let (id, size) = chunk_head(bytes, at)?;
        let body = &bytes[at + 8..];
        match &id {
            b"fmt " => format = Some(read_format(body, size, at)?),
            b"data" => {
                let format = format.ok_or(WavError::NoFormat)?;
                return Ok(decode(format, data_body(body, size)));
            }
            _ => {}
        }
        // Chunks are padded to even lengths (RIFF).
        at = at
            .saturating_add(8)
            .saturating_add(size)
            .saturating_add(size & 1);
    }
    Err(WavError::NoData)
}

fn chunk_head(bytes: &[u8], at: usize) -> Result<([u8; 4], usize), WavError> {
    let head = bytes
        .get(at..at + 8)
        .ok_or(WavError::Truncated(bytes.len()))?;
    let id = [head[0], head[1], head[2], head[3]];
    Ok((id, u32_at(head, 4) as usize))
}

/// The data's bytes: as announced, or all there are where that is what an
/// unfinished header means.
fn data_body(body: &[u8], size: usize) -> &[u8] {
    if size > 0 {
        return &body[..size.min(body.len())];
    }
    let next_is_chunk = matches!(chunk_head(body, 0), Ok((id, size))
        if id.iter().all(|c| c.is_ascii_graphic() || *c == b' ') && size <= body.len() - 8);
    if next_is_chunk { &[] } else { body }
}

fn read_format(body: &[u8], size: usize, at: usize) -> Result<Format, WavError> {
    let head = body
        .get(..16)
        .filter(|_| size >= 16)
        .ok_or(WavError::Truncated(at + 8 + body.len().min(size)))?;
    let bits = u16_at(head, 14);
    let tag = match u16_at(head, 0) {
        // The sub-format's GUID begins with the tag.
        EXTENSIBLE => body
            .get(24..26)
            .filter(|_| size >= 26)
            .map(|tag| u16_at(tag, 0))
            .ok_or(WavError::Truncated(at + 8 + body.len().min(size)))?,
        tag => tag,
    };
    let format = Format {
        tag,
        channels: u16_at(head, 2),
        rate: u32_at(head, 4),
        bits,
    };
    if !matches!((tag, bits), (PCM, 8 | 16 | 24 | 32) | (FLOAT, 32)) {
        return Err(WavError::Format { tag, bits });
    }
    let frame = u16_at(head, 12);
    if format.rate == 0 || format.channels == 0 || frame != format.channels.saturating_mul(bits / 8)
    {
        return Err(WavError::Inconsistent {
            channels: format.channels,
            rate: format.rate,
            frame,
        });
    }
    Ok(format)
}

fn decode(format: Format, data: &[u8]) -> Wav {
    let width = usize::from(format.bits / 8);
    let frame = width * usize::from(format.channels);
    let data = &data[..data.len() / frame * frame];
    let sample: fn(&[u8]) -> f32 = match (format.tag, format.bits) {
        (FLOAT, _) => float32,
        (_, 8) => |b| (f32::from(b[0]) - 128.0) / 128.0,
        (_, 16) => |b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0,
        (_, 24) => |b| (i32::from_le_bytes([0, b[0], b[1], b[2]]) >> 8) as f32 / 8_388_608.0,
        _ => |b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32 / 2_147_483_648.0,
    };
    Wav {
        rate: format.rate,
        channels: format.channels,
        samples: Zeroizing::new(data.chunks_exact(width).map(sample).collect()),
    }
}

fn float32(bytes: &[u8]) -> f32 {
    let value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    if value.is_finite() { value } else { 0.0 }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl Wav {
    /// Number of frames (samples per channel).
    pub fn frames(&self) -> usize {
        self.samples.len() / usize::from(self.channels)
    }

    /// All channels mixed into one.
    pub fn mono(&self) -> Zeroizing<Vec<f32>> {
        let channels = usize::from(self.channels);
        let mixed = self.samples.chunks_exact(channels);
        Zeroizing::new(
            mixed
                .map(|f| f.iter().sum::<f32>() / channels as f32)
                .collect(),
        )
    }

    /// One channel, from 0; empty when there is no such channel.
    pub fn channel(&self, index: u16) -> Zeroizing<Vec<f32>> {
        if index >= self.channels {
            return Zeroizing::default();
        }
        let frames = self.samples.chunks_exact(usize::from(self.channels));
        Zeroizing::new(frames.map(|frame| frame[usize::from(index)]).collect())
    }
}

/// A mono 16-bit WAV file of samples −1…1 (clipped beyond).
pub fn write(rate: u32, samples: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(44 + samples.len() * 2);
    bytes.extend_from_slice(&header(rate, samples.len()));
    for sample in samples {
        let value = (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes
}

/// What such a file of so many samples begins with; they follow, little-endian.
pub fn header(rate: u32, samples: usize) -> Vec<u8> {
    let data = u32::try_from(samples.saturating_mul(2)).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(44);
    bytes.extend_from_slice(b"RIFF");
    bytes.extend_from_slice(&data.saturating_add(36).to_le_bytes());
    bytes.extend_from_slice(b"WAVEfmt ");
    bytes.extend_from_slice(&16u32.to_le_bytes());
    bytes.extend_from_slice(&PCM.to_le_bytes());
    bytes.extend_from_slice(&1u16.to_le_bytes());
    bytes.extend_from_slice(&rate.to_le_bytes());
    bytes.extend_from_slice(&rate.saturating_mul(2).to_le_bytes());
    bytes.extend_from_slice(&2u16.to_le_bytes());
    bytes.extend_from_slice(&16u16.to_le_bytes());
    bytes.extend_from_slice(b"data");
    bytes.extend_from_slice(&data.to_le_bytes());
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunk(id: &[u8; 4], size: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = id.to_vec();
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    fn format(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&tag.to_le_bytes());
        body.extend_from_slice(&channels.to_le_bytes());
        body.extend_from_slice(&rate.to_le_bytes());
        body.extend_from_slice(&0u32.to_le_bytes());
        body.extend_from_slice(&(channels.wrapping_mul(bits / 8)).to_le_bytes());
        body.extend_from_slice(&bits.to_le_bytes());
        chunk(b"fmt ", 16, &body)
    }

    fn file(form: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = form.to_vec();
        bytes.extend_from_slice(&[0xff; 4]);
        bytes.extend_from_slice(b"WAVE");
        bytes.extend(chunks.concat());
        bytes
    }

    fn samples(bytes: &[u8]) -> Vec<f32> {
        read(bytes).unwrap().samples.to_vec()
    }

    #[test]
    fn every_width_is_read() {
        let cases: [(u16, u16, &[u8], &[f32]); 5] = [
            (PCM, 8, &[0, 128, 192], &[-1.0, 0.0, 0.5]),
            (PCM, 16, &[0, 0x80, 0, 0x40], &[-1.0, 0.5]),
            (PCM, 24, &[0, 0, 0x80, 0, 0, 0x40], &[-1.0, 0.5]),
            (PCM, 32, &[0, 0, 0, 0x80, 0, 0, 0, 0x40], &[-1.0, 0.5]),
            (FLOAT, 32, &[0, 0, 0, 0x3f, 0, 0, 0xc0, 0x7f], &[0.5, 0.0]),
        ];
        for (tag, bits, data, expected) in cases {
            let data = chunk(b"data", data.len() as u32, data);
            let bytes = file(b"RIFF", &[format(tag, 1, 8000, bits), data]);
            assert_eq!(samples(&bytes), expected, "{tag} {bits}");
        }
    }

    #[test]
    fn extensible_odd_chunks_and_stereo() {
        let mut fmt = format(EXTENSIBLE, 2, 44_100, 16);
        fmt[4] = 40;
        fmt.extend_from_slice(&[22, 0, 16, 0, 3, 0, 0, 0, 1, 0]);
        fmt.extend_from_slice(&[0; 14]);
        let odd = chunk(b"LIST", 3, &[1, 2, 3, 0]);
        let data = chunk(b"data", 8, &[0, 0x40, 0, 0xc0, 0, 0x40, 0, 0x40]);
        let wav = read(&file(b"RIFF", &[odd, fmt, data])).unwrap();
        assert_eq!((wav.rate, wav.channels, wav.frames()), (44_100, 2, 2));
        assert_eq!(*wav.mono(), [0.0, 0.5]);
        assert_eq!(*wav.channel(1), [-0.5, 0.5]);
        assert!(wav.channel(2).is_empty());
    }

    #[test]
    fn unfinished_sizes_mean_all_there_is() {
        for (form, size) in [
            (b"RIFF", 0),
            (b"RIFF", u32::MAX),
            (b"RIFF", 5000),
            (b"RF64", u32::MAX),
        ] {
            let ds64 = chunk(b"ds64", 28, &[0; 28]);
            let data = chunk(b"data", size, &[0, 0x40, 0, 0x40, 7]);
            let bytes = file(form, &[ds64, format(PCM, 1, 8000, 16), data]);
            assert_eq!(samples(&bytes), [0.5, 0.5], "{size}");
        }
        let empty = chunk(b"data", 0, &[]);
        let list = chunk(b"LIST", 4, b"INFO");
        let bytes = file(b"RIFF", &[format(PCM, 1, 8000, 16), empty, list]);
        assert!(samples(&bytes).is_empty());
    }

    #[test]
    fn lies_are_told_apart() {
        let error = |bytes: &[u8]| read(bytes).err().unwrap();
        assert_eq!(error(&[]), WavError::NotWave);
        assert_eq!(error(b"R"), WavError::NotWave);
        assert_eq!(error(&[0; 100]), WavError::NotWave);
        let pcm = || format(PCM, 1, 8000, 16);
        let data = || chunk(b"data", 2, &[0, 0]);
        assert_eq!(error(&file(b"RIFF", &[])), WavError::NoData);
        assert_eq!(error(&file(b"RIFF", &[pcm()])), WavError::NoData);
        assert_eq!(error(&file(b"RIFF", &[data()])), WavError::NoFormat);
        assert_eq!(
            error(&file(b"RIFF", &[pcm()])[..20]),
            WavError::Truncated(20)
        );
        assert_eq!(
            error(&file(b"RIFF", &[pcm()])[..15]),
            WavError::Truncated(15)
        );
        let odd = file(b"RIFF", &[format(PCM, 1, 8000, 12), data()]);
        assert_eq!(error(&odd), WavError::Format { tag: 1, bits: 12 });
        let none = file(b"RIFF", &[format(PCM, 0, 8000, 16), data()]);
        assert!(matches!(error(&none), WavError::Inconsistent { .. }));
        let still = file(b"RIFF", &[format(PCM, 1, 0, 16), data()]);
        assert!(matches!(error(&still), WavError::Inconsistent { .. }));
        let huge = chunk(b"junk", u32::MAX, &[]);
        assert_eq!(
            error(&file(b"RIFF", &[huge, pcm(), data()])),
            WavError::NoData
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let wav = read(&write(16_000, &[0.0, 0.5, -1.0, 2.0])).unwrap();
        assert_eq!(wav.rate, 16_000);
        assert_eq!(*wav.samples, [0.0, 0.5, -1.0, 32_767.0 / 32_768.0]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }

        #[test]
        fn any_damage_is_answered(at in 0usize..60, value: u8, cut in 0usize..60) {
            let mut bytes = write(8000, &[0.1; 8]);
            bytes[at] = value;
            bytes.truncate(60 - cut);
            if let Ok(wav) = read(&bytes) {
                prop_assert!(wav.samples.iter().all(|x| x.is_finite()));
                prop_assert_eq!(wav.samples.len() % usize::from(wav.channels), 0);
            }
        }
    }
}

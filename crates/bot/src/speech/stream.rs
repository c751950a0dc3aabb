//! A WAV that is still being written: its header's sizes mean nothing yet.

use zeroize::{Zeroize, Zeroizing};

use super::{Sink, SpeechError};

/// A header that is longer is none.
const LONGEST_HEAD: usize = 4096;

/// How the samples come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// A RIFF header, then 16-bit PCM.
    Wav,
}

/// Reads a WAV as it comes: PCM, 16 bits, any number of channels, mixed to one.
pub(crate) struct WavStream {
    head: Zeroizing<Vec<u8>>,
    format: Option<Format>,
    /// Bytes of a frame that isn't whole yet.
    rest: Zeroizing<Vec<u8>>,
    samples: Zeroizing<Vec<f32>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Format {
    rate: u32,
    channels: usize,
}

impl WavStream {
    pub(crate) fn new(encoding: Encoding) -> Self {
        let Encoding::Wav = encoding;
        Self {
            head: Zeroizing::new(Vec::with_capacity(LONGEST_HEAD)),
            format: None,
            rest: Zeroizing::new(Vec::with_capacity(64)),
            samples: Zeroizing::new(Vec::with_capacity(super::CHUNK)),
        }
    }

    /// The next bytes.
    pub(crate) async fn push(
        &mut self,
        bytes: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), SpeechError> {
        let Some(format) = self.format else {
            self.head.extend_from_slice(bytes);
            let Some((format, begin)) = read_head(&self.head)? else {
                return match self.head.len() > LONGEST_HEAD {
                    true => Err(SpeechError::Audio("its header doesn't end")),
                    false => Ok(()),
                };
            };
            self.format = Some(format);
            let head = std::mem::take(&mut self.head);
            return self.data(format, &head[begin..], sink).await;
        };
        self.data(format, bytes, sink).await
    }

    async fn data(
        &mut self,
        format: Format,
        bytes: &[u8],
        sink: &mut impl Sink,
    ) -> Result<(), SpeechError> {
        let frame = format.channels * 2;
        self.rest.extend_from_slice(bytes);
        self.samples.clear();
        let frames = self.rest.chunks_exact(frame);
        let whole = frames.len() * frame;
        self.samples.extend(frames.map(|frame| {
            let values = frame.chunks_exact(2);
            let sum: i32 = values
                .map(|two| i32::from(i16::from_le_bytes([two[0], two[1]])))
                .sum();
            sum as f32 / (format.channels as f32 * 32_768.0)
        }));
        self.rest.drain(..whole);
        match self.samples.is_empty() {
            true => Ok(()),
            false => sink.take(format.rate, &self.samples).await,
        }
    }
}

impl Drop for WavStream {
    fn drop(&mut self) {
        self.samples.zeroize();
    }
}

/// The format and where the samples begin; `None` while the header isn't whole.
fn read_head(head: &[u8]) -> Result<Option<(Format, usize)>, SpeechError> {
    let Some(form) = head.get(..12) else {
        return Ok(None);
    };
    if !form.starts_with(b"RIFF") || !form.ends_with(b"WAVE") {
        return Err(SpeechError::Audio("it is not WAV"));
    }
    let (mut at, mut format) = (12, None);
    while let Some(chunk) = head.get(at..at + 8) {
        let size = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]) as usize;
        at += 8;
        match &chunk[..4] {
            b"data" => {
                let format = format.ok_or(SpeechError::Audio("it has no format"))?;
                return Ok(Some((format, at)));
            }
            b"fmt " => {
                let Some(body) = head.get(at..at + 16) else {
                    return Ok(None);
                };
                format = Some(read_format(body)?);
            }
            _ => {}
        }
        at = at.saturating_add(size).saturating_add(size & 1);
    }
    Ok(None)
}

fn read_format(body: &[u8]) -> Result<Format, SpeechError> {
    let u16_at = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
    let (tag, channels, bits) = (u16_at(0), u16_at(2), u16_at(14));
    let rate = u32::from_le_bytes([body[4], body[5], body[6], body[7]]);
    // 0xfffe is the extensible form, whose samples are PCM in practice.
    if !matches!(tag, 1 | 0xfffe) || bits != 16 || !(1..=8).contains(&channels) {
        return Err(SpeechError::Audio("it is not PCM with 16 bits"));
    }
    if !(8_000..=192_000).contains(&rate) {
        return Err(SpeechError::Audio("its sample rate is out of range"));
    }
    Ok(Format {
        rate,
        channels: channels.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use switchboard_media::wav;

    #[derive(Default)]
    struct Kept(u32, Vec<f32>);

    impl Sink for Kept {
        async fn take(&mut self, rate: u32, samples: &[f32]) -> Result<(), SpeechError> {
            self.0 = rate;
            self.1.extend_from_slice(samples);
            Ok(())
        }
    }

    /// Bytes in pieces of `size`; the futures never wait.
    fn read(bytes: &[u8], size: usize) -> Result<Kept, SpeechError> {
        let mut stream = WavStream::new(Encoding::Wav);
        let mut kept = Kept::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            for piece in bytes.chunks(size.max(1)) {
                stream.push(piece, &mut kept).await?;
            }
            Ok(kept)
        })
    }

    #[test]
    fn a_wav_is_the_same_in_any_pieces() {
        let samples: Vec<f32> = (0..400).map(|n| (n as f32 / 50.0).sin() / 2.0).collect();
        let mut file = wav::write(22_050, &samples);
        // As programs write it that don't know the length yet.
        file[40..44].copy_from_slice(&0x7fff_f000u32.to_le_bytes());
        let whole = read(&file, file.len()).unwrap();
        assert_eq!((whole.0, whole.1.len()), (22_050, 400));
        for size in [1, 3, 44, 45, 127] {
            assert_eq!(read(&file, size).unwrap().1, whole.1, "{size}");
        }
    }

    #[test]
    fn what_is_no_wav_is_told_early() {
        assert!(matches!(
            read(b"<html>not here</html>", 7),
            Err(SpeechError::Audio("it is not WAV"))
        ));
        let mut eight_bits = wav::write(16_000, &[0.0; 4]);
        eight_bits[34] = 8;
        assert!(read(&eight_bits, 50).is_err());
        let endless = [b"RIFF\0\0\0\0WAVEjunk\x10\0\0\0".to_vec(), vec![0; 5000]].concat();
        assert!(read(&endless, 512).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..300), size in 1usize..64) {
            let _ = read(&bytes, size);
            let _ = read(&[b"RIFF\0\0\0\0WAVE", bytes.as_slice()].concat(), size);
        }
    }
}

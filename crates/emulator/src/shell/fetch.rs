//! Fetching prompts, as the service does: WAV, 16 kHz, 16 bit, mono (mediaInfo).

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use switchboard_media::event::Digit;
use switchboard_media::prompt::Prompt;
use switchboard_media::tone::{self, DtmfTone};
use switchboard_media::wav;
use switchboard_signaling::carrier::Http;
use url::Url;
use zeroize::Zeroizing;

use super::Hub;
use super::conference::Samples;
use crate::cloud::Playable;

/// Of all that is played, in Hz (mediaInfo).
const RATE: u32 = 16_000;

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 10 * 1024 * 1024;

/// Why a prompt can't be played. The texts go into the operation's result.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the media file could not be fetched within 5 seconds")]
    Unreachable,
    #[error("the media file's server answered {0}; redirects are not followed")]
    Status(StatusCode),
    #[error("the media file is larger than 10 MB")]
    TooLarge,
    #[error("the media file is not WAV with PCM of 16 bits, one channel and 16 kHz")]
    Format,
    #[error("the media file could not be prepared")]
    Encoding,
}

/// A prompt ready to play, with the name of its file.
pub(super) struct Fetched {
    pub(super) name: String,
    pub(super) prompt: Arc<Prompt>,
}

/// The same as samples at 16 kHz, for a conference.
pub(super) struct Sound {
    pub(super) name: String,
    pub(super) samples: Samples,
}

/// Fetches what an operation plays, all or none, and prepares it for a call.
pub(super) async fn prompts(
    hub: &Hub,
    what: Playable,
    then: Option<Sound>,
) -> Result<Vec<Fetched>, FetchError> {
    let mut sounds = sounds(hub, what).await?;
    sounds.extend(then);
    let encode = move || {
        let encoded = sounds.into_iter().map(|sound| {
            let prompt = Prompt::from_samples(RATE, &sound.samples);
            Ok(Fetched {
                name: sound.name,
                prompt: prompt.map_err(|_| FetchError::Encoding)?,
            })
        });
        encoded.collect()
    };
    let encoded = tokio::task::spawn_blocking(encode).await;
    encoded.map_err(|_| FetchError::Encoding)?
}

/// Fetches what an operation plays, all or none.
pub(super) async fn sounds(hub: &Hub, what: Playable) -> Result<Vec<Sound>, FetchError> {
    match what {
        Playable::Files(urls) => {
            let mut sounds = Vec::with_capacity(urls.len());
            for url in &urls {
                sounds.push(sound(hub, url).await?);
            }
            Ok(sounds)
        }
        Playable::Tones { keys, pause } => Ok(vec![tones(keys, pause).await?]),
    }
}

/// Makes the sound of keys being pressed.
async fn tones(keys: Zeroizing<String>, pause: Duration) -> Result<Sound, FetchError> {
    let make = move || {
        let first = keys.chars().find_map(Digit::from_char)?;
        let like = DtmfTone {
            pause_ms: pause.as_secs_f64() * 1000.0,
            ..DtmfTone::new(first)
        };
        Some(Zeroizing::new(tone::dial(RATE, &keys, &like)))
    };
    let made = tokio::task::spawn_blocking(make).await;
    let samples = made.ok().flatten().ok_or(FetchError::Encoding)?;
    Ok(Sound {
        name: "tones".to_owned(),
        samples: Arc::new(samples),
    })
}

/// Fetches one file.
pub(super) async fn sound(hub: &Hub, url: &Url) -> Result<Sound, FetchError> {
    let bytes = download(&hub.outside.http, url, TIMEOUT).await?;
    if !is_documented_format(&bytes) {
        return Err(FetchError::Format);
    }
    let decode = move || wav::read(&bytes).map(|wav| wav.mono());
    let samples = tokio::task::spawn_blocking(decode)
        .await
        .map_err(|_| FetchError::Encoding)?
        .map_err(|_| FetchError::Format)?;
    if samples.is_empty() {
        return Err(FetchError::Format);
    }
    let file = url.path_segments().and_then(|mut path| path.next_back());
    let name = file.unwrap_or_default().chars().take(64).collect();
    Ok(Sound {
        name,
        samples: Arc::new(samples),
    })
}

async fn download(
    http: &Http,
    url: &Url,
    limit: Duration,
) -> Result<Zeroizing<Vec<u8>>, FetchError> {
    let whole = tokio::time::timeout(limit, read(http, url)).await;
    whole.map_err(|_| FetchError::Unreachable)?
}

async fn read(http: &Http, url: &Url) -> Result<Zeroizing<Vec<u8>>, FetchError> {
    let response = http.send(http.client().get(url.clone())).await;
    let mut response = response.map_err(|_| FetchError::Unreachable)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let announced = response.content_length().unwrap_or_default();
    if announced > MAX_BYTES as u64 {
        return Err(FetchError::TooLarge);
    }
    // Reserved at once where the size is known, so that no unwiped copy is left.
    let mut body = Zeroizing::new(Vec::with_capacity(announced as usize));
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|_| FetchError::Unreachable)?
    {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// PCM, mono, 16 kHz, 16 bits: the head of the format chunk says so.
fn is_documented_format(wav: &[u8]) -> bool {
    const FORMAT: [u8; 8] = [1, 0, 1, 0, 0x80, 0x3e, 0, 0];
    let riff =
        wav.get(..4) == Some(b"RIFF".as_slice()) && wav.get(8..12) == Some(b"WAVE".as_slice());
    let mut at = 12;
    while riff && let Some(head) = wav.get(at..at + 8) {
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        if head.starts_with(b"fmt ") {
            let body = wav.get(at + 8..at + 24).unwrap_or_default();
            return body.starts_with(&FORMAT) && body.ends_with(&[16, 0]);
        }
        at = at
            .saturating_add(8)
            .saturating_add(size)
            .saturating_add(size & 1);
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::super::Outside;
    use super::*;

    /// A server that answers with this first, and then nothing but zeros, without end, or
    /// one every few milliseconds.
    async fn endless(head: &'static str, slow: bool) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // What is asked for does not matter.
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(head.as_bytes()).await;
            let piece = if slow { &[0; 1][..] } else { &[0; 8_192] };
            while stream.write_all(piece).await.is_ok() {
                if slow {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        });
        format!("http://{address}/x.wav").parse().unwrap()
    }

    #[tokio::test]
    async fn endless_long_and_moved_files_are_not_taken() {
        let outside = Outside::network().unwrap();
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", "larger than 10 MB"),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 10485761\r\n\r\n",
                "larger than 10 MB",
            ),
            (
                "HTTP/1.1 302 Found\r\nlocation: /y.wav\r\n\r\n",
                "redirects are not followed",
            ),
        ] {
            let url = endless(head, false).await;
            let error = download(&outside.http, &url, TIMEOUT).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{head}: {error}");
        }
    }

    #[tokio::test]
    async fn a_file_that_comes_too_slowly_is_not_waited_for() {
        let outside = Outside::network().unwrap();
        // It begins at once and never stops coming: only the whole has a limit.
        let url = endless("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n", true).await;
        let limit = Duration::from_millis(500);
        let error = download(&outside.http, &url, limit).await.unwrap_err();
        assert!(matches!(error, FetchError::Unreachable), "{error}");
    }

    fn wav(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
        let mut wav = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
        wav.extend(tag.to_le_bytes());
        wav.extend(channels.to_le_bytes());
        wav.extend(rate.to_le_bytes());
        wav.extend((rate * u32::from(channels * bits / 8)).to_le_bytes());
        wav.extend((channels * bits / 8).to_le_bytes());
        wav.extend(bits.to_le_bytes());
        wav
    }

    #[test]
    fn only_the_documented_format_is_played() {
        assert!(is_documented_format(&wav(1, 1, 16_000, 16)));
        for (tag, channels, rate, bits) in [
            (3, 1, 16_000, 32),
            (1, 2, 16_000, 16),
            (1, 1, 8_000, 16),
            (1, 1, 16_000, 8),
        ] {
            assert!(!is_documented_format(&wav(tag, channels, rate, bits)));
        }
        for garbage in [
            &b""[..],
            b"RIFF",
            b"ID3\x04 is no WAV file at all",
            b"RIFF\0\0\0\0WAVE",
        ] {
            assert!(!is_documented_format(garbage));
        }
    }
}

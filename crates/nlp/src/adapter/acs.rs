//! Azure Communication Services' audio streaming, from either end.
//!
//! A *service* has the call: it sends [`FromService`] and plays what it gets. An
//! *application* listens and answers with [`FromApplication`]. We are the service
//! to an engine that speaks this protocol, and the application to Call Automation,
//! whose calls' media arrives this way.
//!
//! Shapes by Microsoft's "Audio streaming quickstart" and its SDK: audio is 16-bit
//! PCM, mono, 16 or 24 kHz, 20 ms at a time.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::{Encoded, StreamError, decode_base64, read, write};
use crate::Transient;

/// What the service sends.
pub enum FromService {
    /// What the audio will be; the first message.
    Metadata(Metadata),
    /// A participant's audio.
    Audio(Audio),
    /// A key, where the subscription asks for them.
    Dtmf(Transient<String>),
    /// Something else, to be ignored: transcriptions for example.
    Unknown,
}

/// What the audio will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Names the subscription.
    pub subscription_id: String,
    /// 16 000 or 24 000.
    pub sample_rate: u32,
    /// Bytes in each message's audio; not always said.
    pub length: Option<u32>,
}

/// Some audio.
pub struct Audio {
    /// 16-bit little-endian samples.
    pub data: Transient<Vec<u8>>,
    /// When it was heard, as the service wrote it (RFC 3339).
    pub timestamp: Option<String>,
    /// Who speaks, by raw id; absent in mixed audio.
    pub participant: Option<String>,
    /// Whether it is nothing but silence.
    pub silent: bool,
}

/// What the application sends.
pub enum FromApplication {
    /// Audio to be played, in the format of the metadata.
    Audio(Transient<Vec<u8>>),
    /// Stop playing and forget what waits.
    StopAudio,
    /// Something else, to be ignored.
    Unknown,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetadataMessage<'a> {
    kind: &'static str,
    audio_metadata: MetadataJson<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetadataJson<'a> {
    #[serde(borrow)]
    subscription_id: Cow<'a, str>,
    #[serde(borrow)]
    encoding: Cow<'a, str>,
    sample_rate: u32,
    channels: Channels,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u32>,
}

/// `1` in the service's messages, `"mono"` in parts of its documentation.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Channels {
    Count(u32),
    Name(String),
}

impl Channels {
    fn is_mono(&self) -> bool {
        match self {
            Self::Count(count) => *count == 1,
            Self::Name(name) => name.eq_ignore_ascii_case("mono"),
        }
    }
}

/// The service's metadata message.
pub fn metadata(metadata: &Metadata) -> Zeroizing<String> {
    let message = MetadataMessage {
        kind: "AudioMetadata",
        audio_metadata: MetadataJson {
            subscription_id: metadata.subscription_id.as_str().into(),
            encoding: "PCM".into(),
            sample_rate: metadata.sample_rate,
            channels: Channels::Count(1),
            length: metadata.length,
        },
    };
    write(&message, ROOM)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AudioMessage<'a> {
    kind: &'static str,
    audio_data: AudioJson<'a>,
}

#[derive(Serialize)]
struct AudioJson<'a> {
    timestamp: String,
    #[serde(rename = "participantRawID", skip_serializing_if = "Option::is_none")]
    participant: Option<&'a str>,
    data: Encoded,
    silent: bool,
}

/// More than a message needs beside its audio.
const ROOM: usize = 512;

/// The service's audio message.
pub fn audio(
    pcm: &[u8],
    heard: OffsetDateTime,
    participant: Option<&str>,
    silent: bool,
) -> Zeroizing<String> {
    let data = Encoded::new(pcm);
    let room = ROOM + data.len();
    let message = AudioMessage {
        kind: "AudioData",
        audio_data: AudioJson {
            // A year beyond 9999 has no RFC 3339 form.
            timestamp: heard.format(&Rfc3339).unwrap_or_default(),
            participant,
            data,
            silent,
        },
    };
    write(&message, room)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DtmfMessage {
    kind: &'static str,
    dtmf_data: DtmfJson<char>,
}

#[derive(Serialize, Deserialize)]
struct DtmfJson<T> {
    data: T,
}

/// The service's message of a key.
pub fn dtmf(digit: char) -> Zeroizing<String> {
    let message = DtmfMessage {
        kind: "DtmfData",
        dtmf_data: DtmfJson { data: digit },
    };
    write(&message, ROOM)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Served<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    audio_metadata: Option<MetadataJson<'a>>,
    #[serde(borrow)]
    audio_data: Option<ServedAudio<'a>>,
    dtmf_data: Option<DtmfJson<String>>,
}

#[derive(Deserialize)]
struct ServedAudio<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
    timestamp: Option<String>,
    #[serde(rename = "participantRawID")]
    participant: Option<String>,
    #[serde(default)]
    silent: bool,
}

/// Reads a message of the service.
///
/// # Errors
/// It isn't as documented; nothing of it is in the error.
pub fn from_service(text: &str) -> Result<FromService, StreamError> {
    let served: Served<'_> = read(text)?;
    match &*served.kind {
        "AudioMetadata" => {
            let metadata = served
                .audio_metadata
                .ok_or(StreamError::Field("audioMetadata"))?;
            Ok(FromService::Metadata(read_metadata(&metadata)?))
        }
        "AudioData" => {
            let audio = served.audio_data.ok_or(StreamError::Field("audioData"))?;
            Ok(FromService::Audio(Audio {
                data: pcm("audioData.data", audio.data)?,
                timestamp: audio.timestamp,
                participant: audio.participant,
                silent: audio.silent,
            }))
        }
        "DtmfData" => {
            let dtmf = served.dtmf_data.ok_or(StreamError::Field("dtmfData"))?;
            Ok(FromService::Dtmf(Transient::new(dtmf.data)))
        }
        _ => Ok(FromService::Unknown),
    }
}

fn read_metadata(metadata: &MetadataJson<'_>) -> Result<Metadata, StreamError> {
    if !metadata.encoding.eq_ignore_ascii_case("pcm") {
        return Err(StreamError::Field("audioMetadata.encoding"));
    }
    if !metadata.channels.is_mono() {
        return Err(StreamError::Field("audioMetadata.channels"));
    }
    if !matches!(metadata.sample_rate, 16_000 | 24_000) {
        return Err(StreamError::Field("audioMetadata.sampleRate"));
    }
    Ok(Metadata {
        subscription_id: metadata.subscription_id.clone().into_owned(),
        sample_rate: metadata.sample_rate,
        length: metadata.length,
    })
}

fn pcm(field: &'static str, text: Cow<'_, str>) -> Result<Transient<Vec<u8>>, StreamError> {
    let audio = decode_base64(field, text)?;
    match audio.with(|audio| audio.len() % 2) {
        0 => Ok(audio),
        _ => Err(StreamError::Field(field)),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outbound {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_data: Option<OutboundAudio>,
    stop_audio: Empty,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutboundAudio {
    data: Encoded,
    is_silent: bool,
}

#[derive(Serialize)]
struct Empty {}

/// The application's audio message.
pub fn play(pcm: &[u8]) -> Zeroizing<String> {
    let data = Encoded::new(pcm);
    let room = ROOM + data.len();
    let message = Outbound {
        kind: "audioData",
        audio_data: Some(OutboundAudio {
            data,
            is_silent: false,
        }),
        stop_audio: Empty {},
    };
    write(&message, room)
}

/// The application's message that stops playing.
pub fn stop_audio() -> Zeroizing<String> {
    let message = Outbound {
        kind: "stopAudio",
        audio_data: None,
        stop_audio: Empty {},
    };
    write(&message, ROOM)
}

/// Microsoft's libraries disagree on the case of names.
#[derive(Deserialize)]
struct Applied<'a> {
    #[serde(borrow, alias = "Kind")]
    kind: Cow<'a, str>,
    #[serde(borrow, rename = "audioData", alias = "AudioData")]
    audio_data: Option<AppliedAudio<'a>>,
}

#[derive(Deserialize)]
struct AppliedAudio<'a> {
    #[serde(borrow, alias = "Data")]
    data: Cow<'a, str>,
}

/// Reads a message of the application.
///
/// # Errors
/// It isn't as documented; nothing of it is in the error.
pub fn from_application(text: &str) -> Result<FromApplication, StreamError> {
    let applied: Applied<'_> = read(text)?;
    if applied.kind.eq_ignore_ascii_case("audioData") {
        let audio = applied.audio_data.ok_or(StreamError::Field("audioData"))?;
        return Ok(FromApplication::Audio(pcm("audioData.data", audio.data)?));
    }
    match applied.kind.eq_ignore_ascii_case("stopAudio") {
        true => Ok(FromApplication::StopAudio),
        false => Ok(FromApplication::Unknown),
    }
}

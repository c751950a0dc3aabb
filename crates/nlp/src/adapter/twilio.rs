//! Twilio Media Streams, bidirectional, from Twilio's side: the agent believes that
//! Twilio has connected to it.
//!
//! Shapes by Twilio's "Media Streams – WebSocket Messages". Audio is µ-law (ITU-T
//! G.711) at 8 kHz in both directions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Encoded, StreamError, decode_base64, read, write};
use crate::Transient;

/// How a stream is called. Twilio's own ids are two letters and 32 hexadecimal
/// digits; agents treat them as opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// `MZ…`
    pub stream_sid: String,
    /// `CA…`
    pub call_sid: String,
    /// `AC…`
    pub account_sid: String,
    /// Passed on to the agent as they are.
    pub custom_parameters: BTreeMap<String, String>,
}

/// The sending half of a stream: counts messages and chunks.
#[derive(Debug)]
pub struct Stream {
    info: StreamInfo,
    sequence: u64,
    chunk: u64,
}

/// What an agent sends.
pub enum FromAgent {
    /// Audio to be played after what waits already.
    Media(Transient<Vec<u8>>),
    /// To be returned when the audio before it was played.
    Mark(String),
    /// Stop playing and forget what waits.
    Clear,
    /// Something else, to be ignored.
    Unknown,
}

#[derive(Serialize)]
struct Envelope<'a, B: Serialize> {
    event: &'static str,
    #[serde(rename = "sequenceNumber")]
    sequence_number: String,
    #[serde(flatten)]
    body: B,
    #[serde(rename = "streamSid")]
    stream_sid: &'a str,
}

#[derive(Serialize)]
struct StartBody<'a> {
    start: Start<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    account_sid: &'a str,
    stream_sid: &'a str,
    call_sid: &'a str,
    tracks: [&'static str; 1],
    media_format: MediaFormat,
    custom_parameters: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MediaFormat {
    encoding: &'static str,
    sample_rate: u32,
    channels: u32,
}

#[derive(Serialize)]
struct MediaBody {
    media: Media,
}

#[derive(Serialize)]
struct Media {
    track: &'static str,
    chunk: String,
    timestamp: String,
    payload: Encoded,
}

#[derive(Serialize)]
struct DtmfBody {
    dtmf: Dtmf,
}

#[derive(Serialize)]
struct Dtmf {
    track: &'static str,
    digit: char,
}

#[derive(Serialize)]
struct MarkBody<'a> {
    mark: Mark<'a>,
}

#[derive(Serialize)]
struct Mark<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct StopBody<'a> {
    stop: Stop<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stop<'a> {
    account_sid: &'a str,
    call_sid: &'a str,
}

/// More than a message needs beside its audio and names.
const ROOM: usize = 512;

impl Stream {
    /// A stream that has yet to begin.
    pub fn new(info: StreamInfo) -> Self {
        Self {
            info,
            sequence: 0,
            chunk: 0,
        }
    }

    /// The first message.
    pub fn connected(&self) -> Zeroizing<String> {
        Zeroizing::new(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#.to_owned())
    }

    /// The second message: what the stream is.
    pub fn start(&mut self) -> Zeroizing<String> {
        let info = self.info.clone();
        let start = Start {
            account_sid: &info.account_sid,
            stream_sid: &info.stream_sid,
            call_sid: &info.call_sid,
            tracks: ["inbound"],
            media_format: MediaFormat {
                encoding: "audio/x-mulaw",
                sample_rate: 8_000,
                channels: 1,
            },
            custom_parameters: &info.custom_parameters,
        };
        self.message("start", StartBody { start }, ROOM)
    }

    /// The caller's audio, µ-law, `t_ms` after the stream's beginning; Twilio sends
    /// 20 ms (160 bytes) at a time.
    pub fn media(&mut self, t_ms: u64, mulaw: &[u8]) -> Zeroizing<String> {
        self.chunk += 1;
        let payload = Encoded::new(mulaw);
        let room = ROOM + payload.len();
        let media = Media {
            track: "inbound",
            chunk: self.chunk.to_string(),
            timestamp: t_ms.to_string(),
            payload,
        };
        self.message("media", MediaBody { media }, room)
    }

    /// A key of the caller.
    pub fn dtmf(&mut self, digit: char) -> Zeroizing<String> {
        let dtmf = Dtmf {
            track: "inbound_track",
            digit,
        };
        self.message("dtmf", DtmfBody { dtmf }, ROOM)
    }

    /// A mark of the agent that playing has reached.
    pub fn mark(&mut self, name: &str) -> Zeroizing<String> {
        self.message(
            "mark",
            MarkBody {
                mark: Mark { name },
            },
            ROOM,
        )
    }

    /// The last message.
    pub fn stop(&mut self) -> Zeroizing<String> {
        let info = self.info.clone();
        let stop = Stop {
            account_sid: &info.account_sid,
            call_sid: &info.call_sid,
        };
        self.message("stop", StopBody { stop }, ROOM)
    }

    fn message(
        &mut self,
        event: &'static str,
        body: impl Serialize,
        room: usize,
    ) -> Zeroizing<String> {
        self.sequence += 1;
        let message = Envelope {
            event,
            sequence_number: self.sequence.to_string(),
            body,
            stream_sid: &self.info.stream_sid,
        };
        write(&message, room)
    }
}

#[derive(Deserialize)]
struct Received<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    media: Option<ReceivedMedia<'a>>,
    mark: Option<ReceivedMark>,
}

#[derive(Deserialize)]
struct ReceivedMedia<'a> {
    #[serde(borrow)]
    payload: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ReceivedMark {
    name: String,
}

/// The longest name of a mark.
const LONGEST_MARK: usize = 256;

/// Reads a message of an agent.
///
/// # Errors
/// It isn't as documented; nothing of it is in the error.
pub fn receive(text: &str) -> Result<FromAgent, StreamError> {
    let Received { event, media, mark } = read(text)?;
    match &*event {
        "media" => {
            let media = media.ok_or(StreamError::Field("media"))?;
            Ok(FromAgent::Media(decode_base64(
                "media.payload",
                media.payload,
            )?))
        }
        "mark" => match mark {
            Some(mark) if mark.name.len() <= LONGEST_MARK => Ok(FromAgent::Mark(mark.name)),
            _ => Err(StreamError::Field("mark.name")),
        },
        "clear" => Ok(FromAgent::Clear),
        _ => Ok(FromAgent::Unknown),
    }
}

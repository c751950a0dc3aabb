//! Other people's audio streaming.
//!
//! [`twilio`] lets a voice agent written for Twilio Media Streams take our calls;
//! [`acs`] speaks Azure Communication Services' audio streaming from either end: both
//! are messages, without IO. What an agent wants to have played waits in a
//! [`Playback`]. A [`Session`] is the logic of one call's connection to an agent,
//! without IO either; an [`Agent`] runs it on a socket.

pub mod acs;
mod agent;
mod playback;
mod protocol;
mod session;
pub mod twilio;

pub use agent::Agent;
pub use playback::Playback;
pub use protocol::{CallInfo, Protocol};
pub use session::{AgentEnd, Outgoing, Session, SessionCommand, SessionConfig, SessionCounters};

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use zeroize::{Zeroize, Zeroizing};

use crate::Transient;

/// A message that isn't one. Says where, never what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// Not JSON, or not the fields its kind has.
    #[error("the message can't be read at line {line}, column {column}")]
    Json {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// A field is missing or wrong.
    #[error("the message's \"{0}\" is missing or not as documented")]
    Field(&'static str),
}

fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, StreamError> {
    serde_json::from_str(text).map_err(|error| StreamError::Json {
        line: error.line(),
        column: error.column(),
    })
}

/// The JSON of a message, in memory that is wiped. `room` is more than it needs, so
/// that growing leaves no copy.
fn write(message: &impl Serialize, room: usize) -> Zeroizing<String> {
    let mut json = Vec::with_capacity(room);
    // Writing plain structs to memory can't fail, and JSON is UTF-8.
    let written = serde_json::to_writer(&mut json, message);
    debug_assert!(written.is_ok());
    Zeroizing::new(String::from_utf8(json).unwrap_or_default())
}

/// Base64 (RFC 4648 §4) of audio.
struct Encoded(Zeroizing<String>);

impl Encoded {
    fn new(audio: &[u8]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(audio.len().div_ceil(3) * 4));
        STANDARD.encode_string(audio, &mut text);
        Self(text)
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl Serialize for Encoded {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

fn decode_base64(
    field: &'static str,
    text: Cow<'_, str>,
) -> Result<Transient<Vec<u8>>, StreamError> {
    let audio = STANDARD
        .decode(text.as_bytes())
        .map_err(|_| StreamError::Field(field));
    if let Cow::Owned(mut text) = text {
        text.zeroize();
    }
    audio.map(Transient::new)
}

#[cfg(test)]
mod tests;

//! The hook over a WebSocket: JSON for control, binary frames for analysis. The
//! protocol is written down for engine authors in `docs/nlp-wire.md`.
//!
//! [`Link`] is the logic of one call's connection, without IO; [`RemoteEngine`]
//! runs it on a socket and is an [`crate::Engine`] to the call.

mod client;
mod decode;
mod encode;
mod endpoint;
mod link;
mod queue;

pub use client::RemoteEngine;
pub(crate) use client::wipe;
pub use decode::{decode, decode_analysis};
pub(crate) use endpoint::WebSocket;
pub use endpoint::{Endpoint, EndpointError, roots_in};
pub use link::{Command, Counters, Link, LinkConfig};

use zeroize::Zeroizing;

use crate::{Event, Reply};

/// The version of the protocol, in `session_start`, `ready` and each binary frame.
pub const VERSION: u8 = 1;

/// The WebSocket subprotocol (RFC 6455 §1.9) that both sides name.
pub const SUBPROTOCOL: &str = "switchboard.nlp.v1";

/// The largest message accepted from an engine, in bytes.
pub const LARGEST_MESSAGE: usize = 64 * 1024;

/// Version, kind, two bytes of zero, 32-bit sequence number, 64-bit time;
/// little-endian.
pub(crate) const HEADER_LEN: usize = 16;

/// Whose frame it is, after the header of a speaker's.
pub(crate) const SOURCE_LEN: usize = 4;

/// What a binary frame carries.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum AnalysisKind {
    Features = 1,
    Speech = 2,
    /// The same with a speaker's source before them.
    SpeakerFeatures = 3,
    SpeakerSpeech = 4,
}

/// A WebSocket message to an engine. Wiped when dropped.
pub enum Frame {
    /// JSON.
    Text(Zeroizing<Vec<u8>>),
    /// A header and its payload.
    Binary(Zeroizing<Vec<u8>>),
    /// Asks whether the other side is alive (RFC 6455 §5.5.2).
    Ping,
}

impl Frame {
    /// What is in it.
    pub fn payload(&self) -> &[u8] {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes,
            Self::Ping => &[],
        }
    }
}

/// The frame of an event, for those who write their own client.
pub fn encode(event: &Event, sequence: u32) -> Frame {
    encode::encode(event, sequence)
}

/// What an engine said.
pub enum FromEngine {
    /// It is ready to serve the call.
    Ready(Ready),
    /// Something about the call.
    Reply(Reply),
    /// A message of a later version, to be ignored.
    Unknown,
}

/// An engine's answer to `session_start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The protocol it speaks.
    pub version: u8,
    /// Whether it wants features.
    pub features: bool,
    /// Whether it wants samples.
    pub audio: bool,
    /// Whether it wants a conference's speakers apart as well.
    pub speakers: bool,
}

/// A message that isn't one. Says where, never what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or not the fields its type has.
    #[error(
        "the engine's message can't be read at line {line}, column {column}; see docs/nlp-wire.md"
    )]
    Json {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// A value that is out of bounds.
    #[error("the engine's message has a wrong \"{0}\"; it must be {1}")]
    Field(&'static str, &'static str),
    /// A binary frame that lacks something.
    #[error("the binary frame can't be read; expected {0}")]
    Binary(&'static str),
}

#[cfg(test)]
mod link_tests;
#[cfg(test)]
mod tests;

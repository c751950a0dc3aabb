//! Where packets come in, and how callers are heard, for media of our own.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use switchboard_media::vad::{SpeechConfig, SpeechConfigError};
use switchboard_transport::TransportConfig;
use switchboard_transport::sdp::MAX_SPEAKERS;

/// `[media]`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Media {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    /// The echo of what is said to callers does not interrupt it.
    guard_echo: bool,
    /// After how many milliseconds of silence a caller has finished, 100–5000.
    pause_ms: u64,
    /// How many speakers of a conference are heard apart.
    speakers: usize,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            address: IpAddr::from(Ipv4Addr::LOCALHOST),
            port: 0,
            guard_echo: true,
            pause_ms: 550,
            speakers: 0,
        }
    }
}

/// Settings of media that can't be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum MediaError {
    #[error("media.speakers is {0}; it must be from 0 to {MAX_SPEAKERS}")]
    Speakers(usize),
    #[error("media.pause_ms: {0}")]
    Pause(#[from] SpeechConfigError),
}

impl Media {
    pub(super) fn check(&self) -> Result<(), MediaError> {
        if self.speakers > MAX_SPEAKERS {
            return Err(MediaError::Speakers(self.speakers));
        }
        self.transport().map(drop)
    }

    /// How sessions reach the network and hear.
    pub(super) fn transport(&self) -> Result<TransportConfig, MediaError> {
        Ok(TransportConfig {
            bind: self.address,
            port: self.port,
            live: true,
            guard_echo: self.guard_echo,
            speech: SpeechConfig::with_pause_ms(self.pause_ms)?,
            speakers: self.speakers,
            ..TransportConfig::default()
        })
    }
}

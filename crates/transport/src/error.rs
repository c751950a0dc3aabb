//! What can go wrong between an SDP and a session.

use std::net::SocketAddr;

use switchboard_media::engine::EngineError;

use crate::sdp::SdpError;

/// Why a session could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The session description is not one we can work with.
    #[error("session description refused: {0}")]
    Sdp(#[from] SdpError),
    /// The WebRTC stack refused or failed; its own words follow.
    #[error("WebRTC set-up failed while {step}: {source}")]
    WebRtc {
        /// What was being done.
        step: &'static str,
        /// The stack's error.
        source: rtc::shared::error::Error,
    },
    /// No socket, or no thread to serve it.
    #[error("no UDP port on {bind} could be had: {source}; is it an address of this host's?")]
    Socket {
        /// The address that was tried.
        bind: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// The media engine has no room or is stopped.
    #[error("media engine: {0}")]
    Engine(EngineError),
}

impl TransportError {
    /// Whether the other side's description is to blame (as against ourselves).
    pub fn is_remote_fault(&self) -> bool {
        match self {
            Self::Sdp(_) => true,
            Self::WebRtc { .. } | Self::Socket { .. } | Self::Engine(_) => false,
        }
    }
}

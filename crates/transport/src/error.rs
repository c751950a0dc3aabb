//! What can go wrong between an SDP and a session.

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
        source: webrtc::error::Error,
    },
    /// ICE gathering did not end.
    #[error("no local candidates were gathered in time; is the bind address one of this host's?")]
    Gathering,
    /// The media engine has no room or is stopped.
    #[error("media engine: {0}")]
    Engine(EngineError),
}

impl TransportError {
    /// Whether the other side's description is to blame (as against ourselves).
    pub fn is_remote_fault(&self) -> bool {
        match self {
            Self::Sdp(_) => true,
            Self::WebRtc { step, .. } => *step == crate::peer::REMOTE_DESCRIPTION,
            Self::Gathering | Self::Engine(_) => false,
        }
    }
}

//! WebRTC transport between the network and the media engine.
//!
//! A [`Transport`] turns SDP offers into [`Session`]s: one peer connection, one
//! leg of the media engine, packets carried between them. [`whip`] wraps that in
//! the HTTP exchange of RFC 9725, so that whoever holds a [`whip::MediaBlob`]
//! can bring a caller's audio to the bot.
//!
//! The signal processing is in `switchboard-media`; nothing here looks into a
//! packet's payload.

#![forbid(unsafe_code)]

mod error;
mod peer;
pub mod sdp;
mod session;
pub mod whip;

use std::net::IpAddr;
use std::net::Ipv4Addr;

use switchboard_media::engine::Engine;

pub use error::TransportError;
pub use session::{CloseReason, Session, SessionCloser, SessionEvent, bridge};

use peer::Peer;

/// Where and how sessions reach the network.
#[derive(Debug, Clone)]
pub struct TransportConfig {
    /// The address whose UDP ports carry media and which is offered as the host
    /// candidate.
    pub bind: IpAddr,
    /// Whether sessions report the speech probability of every analysis frame.
    pub vad_frames: bool,
}

impl Default for TransportConfig {
    /// Loopback, no per-frame events.
    fn default() -> Self {
        Self {
            bind: Ipv4Addr::LOCALHOST.into(),
            vad_frames: false,
        }
    }
}

/// Makes sessions; cheap to clone.
#[derive(Clone)]
pub struct Transport {
    engine: Engine,
    config: TransportConfig,
}

impl Transport {
    /// A transport whose sessions run on `engine`.
    pub fn new(engine: Engine, config: TransportConfig) -> Self {
        Self { engine, config }
    }

    /// The engine that runs this transport's legs.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Answers an SDP offer (sendrecv audio, Opus).
    ///
    /// # Errors
    /// The offer is not acceptable ([`TransportError::Sdp`]), or no socket or leg
    /// could be had.
    pub async fn answer(&self, offer: &str) -> Result<(Session, String), TransportError> {
        sdp::check_description(offer)?;
        let telephone_event = sdp::telephone_event(offer).unwrap_or(peer::TELEPHONE_EVENT);
        let mut peer = Peer::build(self.config.bind, telephone_event).await?;
        let answer = peer.accept_offer(offer).await?;
        let session = self.session(peer, &answer)?;
        Ok((session, answer))
    }

    /// Makes an SDP offer; [`Offer::accept`] takes the other side's answer.
    ///
    /// # Errors
    /// No socket could be had, or the offer could not be made.
    pub async fn offer(&self) -> Result<(Offer, String), TransportError> {
        let mut peer = Peer::build(self.config.bind, peer::TELEPHONE_EVENT).await?;
        let offer = peer.make_offer().await?;
        let pending = Offer {
            transport: self.clone(),
            peer,
        };
        Ok((pending, offer))
    }

    fn session(&self, peer: Peer, answer: &str) -> Result<Session, TransportError> {
        let negotiated = sdp::negotiated(answer)?;
        let leg = self
            .engine
            .open(negotiated.leg_config(peer.ssrc, self.config.vad_frames))
            .map_err(TransportError::Engine)?;
        Ok(Session::start(peer, leg, negotiated))
    }
}

/// An offer that waits for its answer.
pub struct Offer {
    transport: Transport,
    peer: Peer,
}

impl Offer {
    /// Completes the exchange with the other side's answer.
    ///
    /// # Errors
    /// The answer is not acceptable or no leg could be had.
    pub async fn accept(self, answer: &str) -> Result<Session, TransportError> {
        sdp::check_description(answer)?;
        self.peer.accept_answer(answer).await?;
        self.transport.session(self.peer, answer)
    }
}

//! WebRTC transport between the network and the media engine.
//!
//! A [`Transport`] turns SDP offers into [`Session`]s: ICE, DTLS and SRTP on one
//! side, one leg of the media engine on the other, packets carried between them.
//! All sessions share one UDP port and one thread. [`whip`] wraps that in
//! the HTTP exchange of RFC 9725, so that whoever holds a [`whip::MediaBlob`]
//! can bring a caller's audio to the bot.
//!
//! ICE and DTLS are the sans-IO agents of the crate `rtc`; SRTP, the tables that
//! tell calls apart and the thread are our own. The signal processing is in
//! `switchboard-media`; nothing here looks into a packet's payload.

#![cfg_attr(not(test), forbid(unsafe_code))]

mod bridge;
mod carried;
#[cfg(test)]
mod counting;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod mux;
pub mod sdp;
mod session;
mod setup;
pub mod whip;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use switchboard_media::codec::Codec;
use switchboard_media::engine::{Engine, Leg, LegConfig};
use switchboard_media::vad::SpeechConfig;
use tokio::sync::{Notify, watch};

pub use carried::Carrier;
pub use error::TransportError;
pub use mux::NetworkStats;
pub use session::{CloseReason, Session, SessionCloser, SessionEvent, bridge};

use mux::driver::Opening;
use mux::link::State;
use mux::wakeup::Doorbell;
use mux::{Mux, Order};
use sdp::local::speaker_ssrc;
use sdp::remote::Remote;
use session::{End, Speaker};
use setup::{Ours, Role};

/// Where and how sessions reach the network.
#[derive(Debug, Clone)]
pub struct TransportConfig {
    /// The address whose UDP ports carry media and which is offered as the host
    /// candidate.
    pub bind: IpAddr,
    /// The port all answered sessions share; 0 is any free one. Sessions that
    /// this side offers have a port of their own each, as a browser's have.
    pub port: u16,
    /// Whether sessions report the speech probability of every analysis frame.
    pub vad_frames: bool,
    /// Whether sessions give their audio and take live audio
    /// ([`Session::take_live`]): for mixers, recorders and engines.
    pub live: bool,
    /// Whether sessions hear. `false` for callers that only speak.
    pub hear: bool,
    /// Whether the echo of what a session says is no speech of whom it hears
    /// ([`LegConfig::guard_echo`]); not in lines of single speakers.
    pub guard_echo: bool,
    /// What pause ends what somebody says, in every line.
    pub speech: SpeechConfig,
    /// Codecs that are taken, the best first: an answer names the first of them that was
    /// offered, an offer the first of all. None twice.
    pub codecs: &'static [Codec],
    /// How many lines of single speakers a session has beside the mix, 0–4
    /// ([`sdp::MAX_SPEAKERS`]): an answer takes so many of those that are offered, an offer
    /// has so many. Each costs what another call's hearing does while somebody speaks in it.
    pub speakers: usize,
}

impl Default for TransportConfig {
    /// Loopback, any free port, no per-frame events, every codec there is, nothing but
    /// the mix.
    fn default() -> Self {
        Self {
            bind: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            vad_frames: false,
            live: false,
            hear: true,
            guard_echo: false,
            speech: SpeechConfig::default(),
            codecs: &sdp::CODECS,
            speakers: 0,
        }
    }
}

impl TransportConfig {
    fn offered(&self) -> Codec {
        self.codecs.first().copied().unwrap_or_default()
    }

    fn most_speakers(&self) -> usize {
        self.speakers.min(sdp::MAX_SPEAKERS)
    }
}

/// Makes sessions; cheap to clone. Its port is bound and its network thread
/// started when they are first needed.
#[derive(Clone)]
pub struct Transport {
    engine: Engine,
    config: TransportConfig,
    mux: Arc<Mutex<Option<Arc<Mux>>>>,
}

impl Transport {
    /// A transport whose sessions run on `engine`.
    pub fn new(engine: Engine, config: TransportConfig) -> Self {
        Self {
            engine,
            config,
            mux: Arc::default(),
        }
    }

    /// The same transport for sessions whose audio is live
    /// ([`Session::take_live`]): it shares port, thread and engine.
    #[must_use]
    pub fn with_live(&self) -> Self {
        let mut live = self.clone();
        live.config.live = true;
        live
    }

    /// The same transport for sessions with lines of single speakers beside the mix
    /// ([`TransportConfig::speakers`]).
    #[must_use]
    pub fn with_speakers(&self, speakers: usize) -> Self {
        let mut apart = self.clone();
        apart.config.speakers = speakers;
        apart
    }

    /// The engine that runs this transport's legs.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Counters of the network thread, all sessions together; zero before the
    /// first session.
    pub fn network_stats(&self) -> NetworkStats {
        let mux = self.mux.lock().unwrap_or_else(PoisonError::into_inner);
        mux.as_ref().map(|mux| mux.stats()).unwrap_or_default()
    }

    /// Where answered sessions are reached.
    ///
    /// # Errors
    /// The port could not be bound.
    pub fn local_address(&self) -> Result<SocketAddr, TransportError> {
        Ok(self.mux()?.address())
    }

    /// Answers an SDP offer: one section of audio, and more with single speakers
    /// ([`TransportConfig::speakers`]).
    ///
    /// # Errors
    /// The offer is not acceptable ([`TransportError::Sdp`]), or no socket or leg
    /// could be had.
    pub async fn answer(&self, offer: &str) -> Result<(Session, String), TransportError> {
        sdp::check_description(offer)?;
        let mut remote = Remote::parse(offer, self.config.codecs)?;
        remote.take_offered(offer, self.config.most_speakers());
        let ours = Ours::new(self.mux()?.address())?;
        let answer = ours.answer(&remote);
        let negotiated = sdp::negotiated(&answer)?;
        let session = self.session(ours, remote, Role::Answerer, negotiated, None)?;
        Ok((session, answer))
    }

    /// A session whose audio somebody else carries, as linear samples: it came by a socket
    /// of its own.
    ///
    /// # Errors
    /// No leg could be had.
    pub fn carried(&self) -> Result<(Session, Carrier), TransportError> {
        carried::open(&self.engine, &self.config)
    }

    /// Makes an SDP offer; [`Offer::accept`] takes the other side's answer.
    ///
    /// # Errors
    /// No socket could be had, or the offer could not be made.
    pub async fn offer(&self) -> Result<(Offer, String), TransportError> {
        let socket = mux::socket::bind(SocketAddr::new(self.config.bind, 0));
        let bound = socket.and_then(|socket| Ok((socket.local_addr()?, socket)));
        let (address, socket) = bound.map_err(|source| TransportError::Socket {
            bind: SocketAddr::new(self.config.bind, 0),
            source,
        })?;
        let ours = Ours::new(address)?;
        let offer = ours.offer(self.config.offered(), self.config.most_speakers());
        let pending = Offer {
            transport: self.clone(),
            ours,
            socket,
        };
        Ok((pending, offer))
    }

    fn mux(&self) -> Result<Arc<Mux>, TransportError> {
        let mut mux = self.mux.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mux) = &*mux {
            return Ok(Arc::clone(mux));
        }
        let bind = SocketAddr::new(self.config.bind, self.config.port);
        let started = Mux::start(bind);
        let started = started.map_err(|source| TransportError::Socket { bind, source })?;
        Ok(Arc::clone(mux.insert(started)))
    }

    fn session(
        &self,
        ours: Ours,
        remote: Remote,
        role: Role,
        negotiated: sdp::Negotiated,
        socket: Option<UdpSocket>,
    ) -> Result<Session, TransportError> {
        let mux = self.mux()?;
        let TransportConfig {
            vad_frames,
            live,
            hear,
            guard_echo,
            speech,
            ..
        } = self.config;
        let config = LegConfig {
            vad_frames,
            live,
            hear,
            guard_echo,
            speech,
            ..negotiated.leg_config(ours.ssrc)
        };
        let codec = negotiated.codec;
        let bell = mux.doorbell();
        let leg = self.leg(config, &bell)?;
        let lines = self.lines(ours.ssrc, &remote, role, codec, &bell)?;
        let (lines, speakers): (Vec<_>, Vec<_>) = lines
            .into_iter()
            .map(|line| (line.network, Speaker::new(line.app, line.live)))
            .unzip();
        let (state, states) = watch::channel(State::Connecting);
        let (id, events) = (mux.next_id(), Arc::new(Notify::new()));
        let opening = Opening {
            id,
            fragment: ours.fragment().to_owned(),
            link: ours.link(remote, role, leg.network, lines, negotiated)?,
            bell,
            socket,
            state,
            events: Arc::clone(&events),
        };
        mux.order(Order::Open(Box::new(opening)));
        let end = End::Mux(mux, id);
        let session = Session::new(leg.app, leg.live, codec, events, end, states);
        Ok(session.with_speakers(speakers))
    }

    fn leg(&self, config: LegConfig, bell: &Arc<Doorbell>) -> Result<Leg, TransportError> {
        let waker = Waker::from(Arc::clone(bell));
        let leg = self.engine.open_waking(config, waker);
        leg.map_err(TransportError::Engine)
    }

    /// Legs for the speakers' lines that were agreed on: they hear on the side that
    /// answered, and say on the one that offered.
    fn lines(
        &self,
        ssrc: u32,
        remote: &Remote,
        role: Role,
        codec: Codec,
        bell: &Arc<Doorbell>,
    ) -> Result<Vec<Leg>, TransportError> {
        let TransportConfig {
            vad_frames,
            live,
            hear,
            ..
        } = self.config;
        let answers = role == Role::Answerer;
        let mut legs = Vec::new();
        for (n, extra) in (1..).zip(&remote.extras) {
            let Some(payload_type) = extra.payload_type.filter(|_| extra.taken) else {
                continue;
            };
            let config = LegConfig {
                codec,
                comfort_silence: false,
                vad_frames,
                live: live || !answers,
                hear: hear && answers,
                speech: self.config.speech,
                sources: true,
                ..LegConfig::new(payload_type, speaker_ssrc(ssrc, n))
            };
            legs.push(self.leg(config, bell)?);
        }
        Ok(legs)
    }
}

/// An offer that waits for its answer.
pub struct Offer {
    transport: Transport,
    ours: Ours,
    socket: UdpSocket,
}

impl Offer {
    /// Completes the exchange with the other side's answer.
    ///
    /// # Errors
    /// The answer is not acceptable or no leg could be had.
    pub async fn accept(self, answer: &str) -> Result<Session, TransportError> {
        sdp::check_description(answer)?;
        let offered = [self.transport.config.offered()];
        let mut remote = Remote::parse(answer, &offered)?;
        remote.take_accepted(answer, self.transport.config.most_speakers())?;
        let negotiated = sdp::settled(answer, &offered)?;
        let Self {
            transport,
            ours,
            socket,
        } = self;
        transport.session(ours, remote, Role::Offerer, negotiated, Some(socket))
    }
}

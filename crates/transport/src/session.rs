//! A live media session: the task that carries packets between one peer
//! connection and one leg of the media engine.
//!
//! ```text
//! network ─ SRTP ─▶ webrtc ─▶ run() ─ ring ─▶ media worker ─ ring ─▶ Session::event()
//! network ◀─ SRTP ─ webrtc ◀─ run() ◀─ ring ─ media worker ◀─ ring ─ Session::play()
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use switchboard_media::engine::{AppSide, Leg, LegStats, NetworkSide, PlayError};
use switchboard_media::event::{MediaEvent, PlayId};
use switchboard_media::prompt::Prompt;
use switchboard_media::rtp::RtpHeader;
use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::RTCPeerConnectionState;

use crate::peer::{Peer, PeerEvent};
use crate::sdp::Negotiated;

/// How often the rings to and from the media worker are looked at. Half a packet.
const POLL: Duration = Duration::from_millis(10);
/// ICE and DTLS take a few round trips; a peer that needs longer lied in its
/// description or can't reach us.
const SETUP_LIMIT: Duration = Duration::from_secs(15);
/// Packets that may wait between two bridged sessions: 0.64 s.
const BRIDGE_DEPTH: usize = 32;

/// What happens in a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SessionEvent {
    /// ICE and DTLS are through: media can flow.
    Connected,
    /// The pipeline heard or did something.
    Media(MediaEvent),
    /// The session is over; nothing follows.
    Closed(CloseReason),
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// This side closed it.
    Local,
    /// The other side said goodbye (DTLS `close_notify`).
    Remote,
    /// The other side vanished, or ICE or DTLS never succeeded.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Connected,
    Closed(CloseReason),
}

/// One side of a call's media. Dropping it closes the session.
pub struct Session {
    app: AppSide,
    state: watch::Receiver<State>,
    reported: State,
    closer: SessionCloser,
    bridges: mpsc::Sender<BridgeEnd>,
    poll: Interval,
}

/// Closes a session from elsewhere.
#[derive(Clone)]
pub struct SessionCloser {
    close: Arc<watch::Sender<bool>>,
    state: watch::Receiver<State>,
}

impl SessionCloser {
    /// Asks the session to end; harmless when it has ended.
    pub fn close(&self) {
        self.close.send_replace(true);
    }

    /// Waits until the session has ended and its socket is closed.
    pub async fn closed(&self) {
        let mut state = self.state.clone();
        // An error means that the session's task is gone, which is what we wait for.
        let _ = state
            .wait_for(|state| matches!(state, State::Closed(_)))
            .await;
    }
}

impl Session {
    pub(crate) fn start(peer: Peer, leg: Leg, negotiated: Negotiated) -> Self {
        let (close, close_requests) = watch::channel(false);
        let (state_sender, state) = watch::channel(State::Connecting);
        let (bridges, bridge_requests) = mpsc::channel(1);
        let carrier = Carrier {
            peer,
            network: leg.network,
            negotiated,
            incoming: None,
            outgoing: Outgoing::default(),
            bridge: None,
        };
        tokio::spawn(async move {
            let reason = carrier
                .run(&state_sender, close_requests, bridge_requests)
                .await;
            state_sender.send_replace(State::Closed(reason));
        });
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            app: leg.app,
            state: state.clone(),
            reported: State::Connecting,
            closer: SessionCloser {
                close: Arc::new(close),
                state,
            },
            bridges,
            poll,
        }
    }

    /// Plays a prompt to the other side, in place of what is playing.
    ///
    /// # Errors
    /// The leg is closed or too many requests are pending.
    pub fn play(&mut self, prompt: Arc<Prompt>) -> Result<PlayId, PlayError> {
        self.app.play(prompt)
    }

    /// Stops what is playing, within one frame.
    pub fn stop(&mut self) {
        self.app.stop();
    }

    /// The leg's counters.
    pub fn stats(&self) -> LegStats {
        self.app.stats()
    }

    /// A handle that closes this session.
    pub fn closer(&self) -> SessionCloser {
        self.closer.clone()
    }

    /// Asks the session to end.
    pub fn close(&self) {
        self.closer.close();
    }

    /// The next event; `None` after `Closed`. Cancel-safe.
    pub async fn event(&mut self) -> Option<SessionEvent> {
        loop {
            if let State::Closed(_) = self.reported {
                return None;
            }
            if let Some(event) = self.app.event() {
                return Some(SessionEvent::Media(event));
            }
            if let Some(event) = self.state_change() {
                return Some(event);
            }
            tokio::select! {
                _ = self.poll.tick() => {}
                changed = self.state.changed() => {
                    if changed.is_err() && !matches!(*self.state.borrow(), State::Closed(_)) {
                        self.reported = State::Closed(CloseReason::Local);
                        return Some(SessionEvent::Closed(CloseReason::Local));
                    }
                }
            }
        }
    }

    fn state_change(&mut self) -> Option<SessionEvent> {
        let now = *self.state.borrow_and_update();
        if now == self.reported {
            return None;
        }
        self.reported = now;
        match now {
            State::Connecting => None,
            State::Connected => Some(SessionEvent::Connected),
            State::Closed(reason) => Some(SessionEvent::Closed(reason)),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.closer.close();
    }
}

/// Lets two sessions hear each other: each one's audio becomes what the other
/// sends, and their prompts fall silent. The bridge ends with either session.
pub fn bridge(a: &Session, b: &Session) {
    let (to_b, from_a) = mpsc::channel(BRIDGE_DEPTH);
    let (to_a, from_b) = mpsc::channel(BRIDGE_DEPTH);
    // A full or closed request channel belongs to a session that is ending or
    // being bridged anew.
    let _ = a.bridges.try_send(BridgeEnd {
        to: to_b,
        from: from_b,
    });
    let _ = b.bridges.try_send(BridgeEnd {
        to: to_a,
        from: from_a,
    });
}

struct BridgeEnd {
    to: mpsc::Sender<Bridged>,
    from: mpsc::Receiver<Bridged>,
}

/// A packet on its way between sessions, whose payload types may differ.
struct Bridged {
    kind: Kind,
    marker: bool,
    timestamp: u32,
    payload: Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Opus,
    TelephoneEvent(u32),
}

impl Negotiated {
    fn kind(&self, payload_type: u8) -> Option<Kind> {
        if payload_type == self.opus {
            return Some(Kind::Opus);
        }
        let mut events = self.telephone_events.iter();
        let (_, rate) = events.find(|(candidate, _)| *candidate == payload_type)?;
        Some(Kind::TelephoneEvent(*rate))
    }

    fn payload_type(&self, kind: Kind) -> Option<u8> {
        match kind {
            Kind::Opus => Some(self.opus),
            Kind::TelephoneEvent(rate) => {
                let mut events = self.telephone_events.iter();
                events
                    .find(|(_, r)| *r == rate)
                    .map(|(payload_type, _)| *payload_type)
            }
        }
    }
}

/// Keeps one outgoing stream's sequence and time continuous when its source
/// changes from our own playout to a bridged session.
#[derive(Default)]
struct Outgoing {
    sequence: u16,
    timestamp: u32,
    /// Source time to stream time, once bridged packets flow.
    offset: Option<u32>,
}

impl Outgoing {
    /// One 20 ms Opus frame at 48 kHz (RFC 7587 §4.2).
    const FRAME: u32 = 960;

    fn own(&mut self, header: &RtpHeader) {
        self.sequence = header.sequence;
        self.timestamp = header.timestamp;
        self.offset = None;
    }

    fn bridged(&mut self, source_timestamp: u32) -> (u16, u32) {
        let (next, previous) = (self.timestamp.wrapping_add(Self::FRAME), self.timestamp);
        let offset = *self
            .offset
            .get_or_insert(next.wrapping_sub(source_timestamp));
        let timestamp = source_timestamp.wrapping_add(offset);
        // Telephone events repeat their start time (RFC 4733 §2.3.1), so time may
        // stand still but the stream's own clock only moves forward.
        if (timestamp.wrapping_sub(previous) as i32) > 0 {
            self.timestamp = timestamp;
        }
        self.sequence = self.sequence.wrapping_add(1);
        (self.sequence, timestamp)
    }
}

/// Owns the network half of a session.
struct Carrier {
    peer: Peer,
    network: NetworkSide,
    negotiated: Negotiated,
    incoming: Option<Arc<dyn TrackRemote>>,
    outgoing: Outgoing,
    bridge: Option<BridgeEnd>,
}

impl Carrier {
    async fn run(
        mut self,
        state: &watch::Sender<State>,
        mut close: watch::Receiver<bool>,
        mut bridges: mpsc::Receiver<BridgeEnd>,
    ) -> CloseReason {
        let mut tick = interval(POLL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let setup_limit = tokio::time::sleep(SETUP_LIMIT);
        tokio::pin!(setup_limit);
        let reason = loop {
            tokio::select! {
                biased;
                _ = close.changed() => break CloseReason::Local,
                event = next_peer_event(&mut self.peer) => match event {
                    Some(event) => if let Some(reason) = self.peer_event(event, state) {
                        break reason;
                    },
                    None => break CloseReason::Failed,
                },
                () = &mut setup_limit, if *state.borrow() == State::Connecting => {
                    break CloseReason::Failed;
                }
                end = bridges.recv() => self.bridge = end.or(self.bridge.take()),
                packet = next_packet(self.incoming.as_ref()) => match packet {
                    Some(packet) => self.inbound(packet),
                    None => self.incoming = None,
                },
                packet = next_bridged(self.bridge.as_mut()) => self.forward(packet).await,
                _ = tick.tick() => {
                    let connected = *state.borrow() == State::Connected;
                    self.flush(connected).await;
                }
            }
        };
        // The leg goes first, so that its worker stops before the socket closes.
        drop(self.network);
        if let Err(error) = self.peer.connection.close().await {
            tracing::debug!(%error, "closing a peer connection failed");
        }
        reason
    }

    fn peer_event(
        &mut self,
        event: PeerEvent,
        state: &watch::Sender<State>,
    ) -> Option<CloseReason> {
        match event {
            PeerEvent::Gathered => {}
            PeerEvent::Track(track) => self.incoming = Some(track),
            PeerEvent::State(RTCPeerConnectionState::Connected) => {
                state.send_replace(State::Connected);
            }
            PeerEvent::State(RTCPeerConnectionState::Closed) => return Some(CloseReason::Remote),
            PeerEvent::State(RTCPeerConnectionState::Failed) => return Some(CloseReason::Failed),
            PeerEvent::State(_) => {}
        }
        None
    }

    fn inbound(&mut self, packet: rtc::rtp::Packet) {
        let header = RtpHeader {
            payload_type: packet.header.payload_type,
            marker: packet.header.marker,
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            ssrc: packet.header.ssrc,
        };
        // A full ring drops the packet; the leg counts it.
        let _ = self
            .network
            .receive(Instant::now(), &header, &packet.payload);
        let (Some(bridge), Some(kind)) = (&self.bridge, self.negotiated.kind(header.payload_type))
        else {
            return;
        };
        // A slow other side loses audio rather than holding up this one.
        let _ = bridge.to.try_send(Bridged {
            kind,
            marker: header.marker,
            timestamp: header.timestamp,
            payload: packet.payload,
        });
    }

    /// Sends what the playout has ready; while bridged it is discarded.
    async fn flush(&mut self, connected: bool) {
        let bridged = self.bridge.is_some();
        while let Some(packet) = self.network.transmit(|header, payload| {
            (connected && !bridged).then(|| (*header, Bytes::copy_from_slice(payload)))
        }) {
            if let Some((header, payload)) = packet {
                self.outgoing.own(&header);
                send(&self.peer.outgoing, header, payload).await;
            }
        }
    }

    async fn forward(&mut self, packet: Option<Bridged>) {
        let Some(packet) = packet else {
            self.bridge = None;
            return;
        };
        let Some(payload_type) = self.negotiated.payload_type(packet.kind) else {
            return;
        };
        let (sequence, timestamp) = self.outgoing.bridged(packet.timestamp);
        let header = RtpHeader {
            payload_type,
            marker: packet.marker,
            sequence,
            timestamp,
            ssrc: self.peer.ssrc,
        };
        send(&self.peer.outgoing, header, packet.payload).await;
    }
}

async fn send(track: &TrackLocalStaticRTP, header: RtpHeader, payload: Bytes) {
    let packet = rtc::rtp::Packet {
        header: rtc::rtp::Header {
            version: 2,
            marker: header.marker,
            payload_type: header.payload_type,
            sequence_number: header.sequence,
            timestamp: header.timestamp,
            ssrc: header.ssrc,
            ..Default::default()
        },
        payload,
    };
    if let Err(error) = track.write_rtp(packet).await {
        tracing::debug!(%error, "an outgoing packet was not taken");
    }
}

async fn next_peer_event(peer: &mut Peer) -> Option<PeerEvent> {
    peer.events.recv().await
}

/// The next RTP packet; waits for ever while there is no track.
async fn next_packet(track: Option<&Arc<dyn TrackRemote>>) -> Option<rtc::rtp::Packet> {
    let Some(track) = track else {
        return std::future::pending().await;
    };
    loop {
        match track.poll().await? {
            TrackRemoteEvent::OnRtpPacket(packet) => return Some(packet),
            _ => continue,
        }
    }
}

async fn next_bridged(bridge: Option<&mut BridgeEnd>) -> Option<Bridged> {
    match bridge {
        Some(bridge) => bridge.from.recv().await,
        None => std::future::pending().await,
    }
}

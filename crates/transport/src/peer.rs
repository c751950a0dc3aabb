//! One WebRTC peer connection, set up for a single sendrecv Opus stream.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::interceptor_registry::configure_rtcp_reports;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_OPUS, MIME_TYPE_TELEPHONE_EVENT, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use tokio::sync::mpsc;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, Registry,
};

use crate::TransportError;

/// Names the step whose failure is the other side's fault.
pub(crate) const REMOTE_DESCRIPTION: &str = "reading the remote description";

/// What Chromium uses too, so that dumps look familiar.
const OPUS_PAYLOAD_TYPE: u8 = 111;
/// The telephone events of our own offers: on Opus's clock (RFC 4733 §7.1.1).
pub(crate) const TELEPHONE_EVENT: (u8, u32) = (110, 48_000);

/// A caller who vanished without a word is given up after these two.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(5);
const FAILED_AFTER: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(2);
const GATHERING_LIMIT: Duration = Duration::from_secs(5);

/// What the stack reports while a session lives.
pub(crate) enum PeerEvent {
    State(RTCPeerConnectionState),
    Track(Arc<dyn TrackRemote>),
    Gathered,
}

/// A peer connection before media flows.
pub(crate) struct Peer {
    pub(crate) connection: Arc<dyn PeerConnection>,
    pub(crate) outgoing: Arc<TrackLocalStaticRTP>,
    pub(crate) events: mpsc::Receiver<PeerEvent>,
    pub(crate) ssrc: u32,
}

struct Handler {
    events: mpsc::Sender<PeerEvent>,
}

impl Handler {
    /// The stack awaits its handler on its own driver task, so this never waits.
    fn report(&self, event: PeerEvent) {
        if self.events.try_send(event).is_err() {
            tracing::warn!("peer event dropped: the session does not keep up or is gone");
        }
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.report(PeerEvent::Gathered);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.report(PeerEvent::State(state));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        self.report(PeerEvent::Track(track));
    }
}

impl Peer {
    pub(crate) async fn build(
        bind: IpAddr,
        telephone_event: (u8, u32),
    ) -> Result<Self, TransportError> {
        let (sender, events) = mpsc::channel(64);
        let (media_engine, opus) = media_engine(telephone_event)?;
        let settings = SettingEngineBuilder::new()
            .with_include_loopback_candidate(bind.is_loopback())
            // Nobody resolves mDNS names here: the other side's checks reach us
            // first, and a multicast socket can't be had without a network.
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_ice_timeouts(
                Some(DISCONNECTED_AFTER),
                Some(FAILED_AFTER),
                Some(KEEP_ALIVE),
            )
            .build();
        let connection = PeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(media_engine)
            .with_setting_engine(settings)
            .with_interceptor_registry(configure_rtcp_reports(Registry::new()))
            .with_handler(Arc::new(Handler { events: sender }))
            .with_udp_addrs(vec![SocketAddr::new(bind, 0)])
            .build()
            .await
            .map_err(step("opening the peer connection"))?;
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        let (outgoing, ssrc) = outgoing_track(opus);
        connection
            .add_track(Arc::clone(&outgoing) as Arc<dyn TrackLocal>)
            .await
            .map_err(step("adding the outgoing track"))?;
        Ok(Self {
            connection,
            outgoing,
            events,
            ssrc,
        })
    }

    pub(crate) async fn accept_offer(&mut self, offer: &str) -> Result<String, TransportError> {
        let offer =
            RTCSessionDescription::offer(offer.to_owned()).map_err(step(REMOTE_DESCRIPTION))?;
        self.connection
            .set_remote_description(offer)
            .await
            .map_err(step(REMOTE_DESCRIPTION))?;
        let answer = self
            .connection
            .create_answer(None)
            .await
            .map_err(step("making the answer"))?;
        self.set_local(answer).await
    }

    pub(crate) async fn make_offer(&mut self) -> Result<String, TransportError> {
        let offer = self
            .connection
            .create_offer(None)
            .await
            .map_err(step("making the offer"))?;
        self.set_local(offer).await
    }

    pub(crate) async fn accept_answer(&self, answer: &str) -> Result<(), TransportError> {
        let answer =
            RTCSessionDescription::answer(answer.to_owned()).map_err(step(REMOTE_DESCRIPTION))?;
        self.connection
            .set_remote_description(answer)
            .await
            .map_err(step(REMOTE_DESCRIPTION))
    }

    /// Sets the local description and waits for its candidates: the exchange is
    /// a single request and answer, so nothing can be trickled later.
    async fn set_local(
        &mut self,
        description: RTCSessionDescription,
    ) -> Result<String, TransportError> {
        self.connection
            .set_local_description(description)
            .await
            .map_err(step("setting the local description"))?;
        tokio::time::timeout(GATHERING_LIMIT, self.gathered())
            .await
            .map_err(|_| TransportError::Gathering)??;
        let description = self.connection.local_description().await;
        description.map(|d| d.sdp).ok_or(TransportError::Gathering)
    }

    async fn gathered(&mut self) -> Result<(), TransportError> {
        loop {
            match self.events.recv().await {
                Some(PeerEvent::Gathered) => return Ok(()),
                Some(_) => {}
                None => return Err(TransportError::Gathering),
            }
        }
    }
}

fn step(step: &'static str) -> impl Fn(webrtc::error::Error) -> TransportError {
    move |source| TransportError::WebRtc { step, source }
}

/// Opus and one format of telephone events, nothing else: what is not registered
/// can't be negotiated.
///
/// The stack matches codecs without regard to their clock rate and would answer
/// two telephone-event formats with the same one twice, so only one is
/// registered: the one the offer is best served with.
fn media_engine(telephone_event: (u8, u32)) -> Result<(MediaEngine, RTCRtpCodec), TransportError> {
    let opus = codec(MIME_TYPE_OPUS, 48_000, 2, "minptime=10;useinbandfec=1");
    let (payload_type, clock_rate) = telephone_event;
    let codecs = [
        (OPUS_PAYLOAD_TYPE, opus.clone()),
        (
            payload_type,
            codec(MIME_TYPE_TELEPHONE_EVENT, clock_rate, 1, "0-15"),
        ),
    ];
    let mut engine = MediaEngine::default();
    for (payload_type, rtp_codec) in codecs {
        let parameters = RTCRtpCodecParameters {
            rtp_codec,
            payload_type,
        };
        engine
            .register_codec(parameters, RtpCodecKind::Audio)
            .map_err(step("registering codecs"))?;
    }
    Ok((engine, opus))
}

fn codec(mime_type: &str, clock_rate: u32, channels: u16, fmtp: &str) -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate,
        channels,
        sdp_fmtp_line: fmtp.to_owned(),
        rtcp_feedback: vec![],
    }
}

fn outgoing_track(codec: RTCRtpCodec) -> (Arc<TrackLocalStaticRTP>, u32) {
    // A random SSRC (RFC 3550 §8.1); a version 4 UUID is a ready source.
    let ssrc = uuid::Uuid::new_v4().as_u64_pair().0 as u32;
    let track = MediaStreamTrack::new(
        "switchboard".to_owned(),
        "audio".to_owned(),
        "audio".to_owned(),
        RtpCodecKind::Audio,
        vec![RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                ssrc: Some(ssrc),
                ..Default::default()
            },
            codec,
            ..Default::default()
        }],
    );
    (Arc::new(TrackLocalStaticRTP::new(track)), ssrc)
}

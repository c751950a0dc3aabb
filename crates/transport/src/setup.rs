//! From descriptions to a call's [`Link`]: everything of the set-up that needs
//! no network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use rtc::crypto::{RTCCryptoProvider, default_provider};
use rtc::dtls::crypto::Certificate;
use rtc::shared::error::Error;
use switchboard_media::codec::Codec;
use switchboard_media::engine::NetworkSide;
use uuid::Uuid;

use crate::TransportError;
use crate::mux::dtls::{Dtls, DtlsConfig, Fingerprint, fingerprint};
use crate::mux::ice::{Credentials, Ice, IceConfig};
use crate::mux::lines::{Lines, Section, Sorter};
use crate::mux::link::Link;
use crate::mux::stream::Stream;
use crate::sdp::Negotiated;
use crate::sdp::local::Local;
use crate::sdp::remote::{Remote, Setup};

/// Our side of one call, made afresh for each so that calls can't be linked by
/// their certificates.
pub(crate) struct Ours {
    crypto: Arc<dyn RTCCryptoProvider>,
    certificate: Certificate,
    fingerprint: Fingerprint,
    credentials: Credentials,
    session: u64,
    pub(crate) ssrc: u32,
    pub(crate) address: SocketAddr,
}

fn step(step: &'static str) -> impl Fn(Error) -> TransportError {
    move |source| TransportError::WebRtc { step, source }
}

impl Ours {
    /// Keys, passwords and numbers for a call at `address`.
    pub(crate) fn new(address: SocketAddr) -> Result<Self, TransportError> {
        let crypto = default_provider()
            .map_err(|error| Error::Crypto(error.to_string()))
            .map_err(step("choosing cryptography"))?;
        let (certificate, fingerprint) =
            certificate(crypto.as_ref()).map_err(step("making a certificate"))?;
        // Version 4 UUIDs are a ready source of randomness: 122 bits each.
        let (random, secret) = (Uuid::new_v4().as_u64_pair(), Uuid::new_v4());
        Ok(Self {
            crypto,
            certificate,
            fingerprint,
            credentials: Credentials {
                fragment: format!("{:016x}", random.1),
                password: secret.simple().to_string(),
            },
            // RFC 9429 §5.2.1: 63 bits. RFC 3550 §8.1: a random SSRC.
            session: random.0 >> 1,
            ssrc: Uuid::new_v4().as_u64_pair().0 as u32,
            address,
        })
    }

    /// The fragment the other side's checks will name.
    pub(crate) fn fragment(&self) -> &str {
        &self.credentials.fragment
    }

    fn local(&self) -> Local<'_> {
        Local {
            address: self.address,
            credentials: &self.credentials,
            fingerprint: &self.fingerprint,
            ssrc: self.ssrc,
            session: self.session,
        }
    }

    pub(crate) fn offer(&self, codec: Codec, speakers: usize) -> String {
        self.local().offer(codec, speakers)
    }

    pub(crate) fn answer(&self, offer: &Remote) -> String {
        self.local().answer(offer)
    }

    /// The call's transport, ready for its first datagram.
    pub(crate) fn link(
        self,
        remote: Remote,
        role: Role,
        network: NetworkSide,
        speakers: Vec<NetworkSide>,
        negotiated: Negotiated,
    ) -> Result<Link, TransportError> {
        let now = Instant::now();
        let lines = lines(&remote, role, speakers, &negotiated);
        let ice = IceConfig {
            local: self.address,
            ours: self.credentials,
            theirs: remote.credentials,
            candidates: remote.candidates,
            // RFC 8445 §6.1.1: the offerer, unless only one side is full.
            controlling: role == Role::Offerer || remote.is_lite,
        };
        let dtls = DtlsConfig {
            certificate: self.certificate,
            fingerprints: remote.fingerprints,
            is_client: match (role, remote.setup) {
                (_, Setup::Active) => false,
                (_, Setup::Passive) => true,
                (role, Setup::ActPass) => role == Role::Answerer,
            },
        };
        let crypto = self.crypto;
        let ice = Ice::new(now, ice, Arc::clone(&crypto)).map_err(step("starting ICE"))?;
        let dtls = Dtls::new(dtls, crypto).map_err(step("preparing DTLS"))?;
        let stream = Stream::new(network, negotiated, self.ssrc, now, SystemTime::now());
        let stream = stream.with_lines(lines);
        Ok(Link::new(now, ice, dtls, stream))
    }
}

/// The lines of the speakers that were agreed on, whose legs these are.
fn lines(
    remote: &Remote,
    role: Role,
    speakers: Vec<NetworkSide>,
    negotiated: &Negotiated,
) -> Option<Box<Lines>> {
    if speakers.is_empty() {
        return None;
    }
    if role == Role::Offerer {
        return Some(Box::new(Lines::Said(speakers.into())));
    }
    let events = negotiated.telephone_events.iter().map(|(event, _)| *event);
    let mix = Section {
        mid: remote.mid.clone(),
        ssrcs: remote.ssrcs.clone(),
        payload_types: events.chain([negotiated.payload_type]).collect(),
    };
    let taken = remote.extras.iter().filter(|extra| extra.taken);
    let further = taken.map(|extra| Section {
        mid: extra.mid.clone(),
        ssrcs: extra.ssrcs.clone(),
        payload_types: extra.payload_type.into_iter().collect(),
    });
    let sections = std::iter::once(mix).chain(further).collect();
    let sorter = Sorter::new(remote.mid_extension, sections);
    Some(Box::new(Lines::Heard(sorter, speakers.into())))
}

/// Which of the two made the offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Offerer,
    Answerer,
}

/// A self-signed P-256 certificate that names nobody.
fn certificate(crypto: &dyn RTCCryptoProvider) -> Result<(Certificate, Fingerprint), Error> {
    let name = "switchboard".to_owned();
    let certificate = Certificate::generate_self_signed(vec![name], crypto.crypto())?;
    let der = certificate.certificate.first();
    let found = fingerprint(der.ok_or(Error::ErrNonCertificate)?.as_ref(), crypto)?;
    Ok((certificate, found))
}

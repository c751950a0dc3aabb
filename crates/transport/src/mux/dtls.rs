//! The stack's DTLS endpoint for one call: handshake, the peer's certificate
//! against the signalled fingerprint, SRTP keys, goodbye.
//!
//! It knows no addresses: records reach it only from addresses that ICE has
//! validated, so that a stranger's early ClientHello is never looked at (RFC
//! 8827 §6.5, OWASP ASVS 17.2.6), and what it sends goes along the nominated
//! pair, whichever that is by then.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc::crypto::{HashAlgorithm, RTCCryptoProvider};
use rtc::dtls::cipher_suite::CipherSuiteId;
use rtc::dtls::config::{
    ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig,
    VerifyPeerCertificateFn,
};
use rtc::dtls::crypto::Certificate;
use rtc::dtls::endpoint::{Endpoint, EndpointEvent};
use rtc::shared::TransportProtocol;
use rtc::shared::error::Error;
use rtc::srtp::config::LABEL_EXTRACTOR_DTLS_SRTP;

use super::flights::{Flights, Plain};
use super::link::Refused;
use super::outbox::Outbox;
use super::srtp;

/// The endpoint tells peers apart by address; there is one.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// The stack repeats nothing of its own accord: [`Flights`] says when.
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// So many times the stack repeats a flight before it gives the handshake up.
const STACKS_TRIES: u32 = 7;

/// What we negotiate: with forward secrecy and authenticated encryption (RFC 9325 §4.2). RFC
/// 8827 §6.5 demands the first. The stack's own choice has CBC, too.
const SUITES: [CipherSuiteId; 3] = [
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
    CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_128_Gcm_Sha256,
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
];

/// SHA-256 of a certificate (RFC 8122 §5).
pub(crate) type Fingerprint = [u8; 32];

/// What a record brought about.
pub(crate) enum DtlsEvent {
    Nothing,
    /// The handshake is through and the certificate is the signalled one.
    Keys(Box<(srtp::Sender, srtp::Receiver)>),
    /// The peer said goodbye.
    Closed,
    /// The handshake can't succeed any more.
    Failed,
}

/// What a [`Dtls`] is made of.
pub(crate) struct DtlsConfig {
    pub(crate) certificate: Certificate,
    /// Any of these is the peer's.
    pub(crate) fingerprints: Vec<Fingerprint>,
    /// Whether we send the ClientHello.
    pub(crate) is_client: bool,
}

pub(crate) struct Dtls {
    endpoint: Endpoint,
    config: Arc<HandshakeConfig>,
    crypto: Arc<dyn RTCCryptoProvider>,
    is_client: bool,
    started: bool,
    done: bool,
    flights: Flights,
    /// How often the stack has repeated the latest flight.
    tries: u32,
    outgoing: VecDeque<BytesMut>,
}

impl Dtls {
    pub(crate) fn new(
        config: DtlsConfig,
        crypto: Arc<dyn RTCCryptoProvider>,
    ) -> Result<Self, Error> {
        let is_client = config.is_client;
        let handshake = ConfigBuilder::default()
            .with_crypto_provider(Arc::clone(&crypto))
            .with_certificates(vec![config.certificate])
            .with_cipher_suites(SUITES.to_vec())
            .with_srtp_protection_profiles(srtp::PROFILES.to_vec())
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            // No certificate authority: the fingerprint is checked instead.
            .with_insecure_skip_verify(true)
            .with_verify_peer_certificate(Some(verifier(config.fingerprints, Arc::clone(&crypto))))
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_flight_interval(NEVER)
            .build(is_client, None)?;
        let handshake = Arc::new(handshake);
        let server = (!is_client).then(|| Arc::clone(&handshake));
        Ok(Self {
            endpoint: Endpoint::new(PEER, TransportProtocol::UDP, server),
            config: handshake,
            crypto,
            is_client,
            started: false,
            done: false,
            flights: Flights::new(),
            tries: 0,
            outgoing: VecDeque::new(),
        })
    }

    /// ICE has a path: the client says hello.
    pub(crate) fn start(&mut self, now: Instant) -> Result<(), Error> {
        if self.started || !self.is_client {
            return Ok(());
        }
        self.started = true;
        self.endpoint
            .connect(now, PEER, Arc::clone(&self.config), None)?;
        self.next_flight(now);
        Ok(())
    }

    /// Takes a datagram of records.
    pub(crate) fn receive(&mut self, now: Instant, bytes: &[u8]) -> Result<DtlsEvent, Refused> {
        if self.is_client && !self.started {
            return Err(Refused::Early);
        }
        if self.is_repeated(now, bytes) {
            return Ok(DtlsEvent::Nothing);
        }
        let read = self.endpoint.read(now, PEER, None, BytesMut::from(bytes));
        let outcome = self.outcome(read);
        self.next_flight(now);
        outcome
    }

    /// Whether these records only show that our latest flight was lost; if that was the last
    /// one, it is sent again.
    fn is_repeated(&mut self, now: Instant, bytes: &[u8]) -> bool {
        let plain = Plain::of(bytes);
        if self.done && plain != Plain::None {
            let answer = self.flights.answer(now);
            self.outgoing.extend(answer);
            return true;
        }
        // A server's flight, while our last one is under way: the stack would stop to wait for
        // its answer, and could not seal it anew.
        self.is_client && plain == Plain::All && self.flights.is_sealed()
    }

    fn outcome(&mut self, read: Result<Vec<EndpointEvent>, Error>) -> Result<DtlsEvent, Refused> {
        let events = match read {
            Ok(events) => events,
            // After the handshake a record that does not fit is just dropped.
            Err(_) if self.done => return Err(Refused::Forged),
            Err(error) => return Ok(fatal(&error)),
        };
        let mut outcome = DtlsEvent::Nothing;
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    self.done = true;
                    outcome = match self.keys() {
                        Some(keys) => DtlsEvent::Keys(Box::new(keys)),
                        None => DtlsEvent::Failed,
                    };
                }
                EndpointEvent::PeerClosed => outcome = DtlsEvent::Closed,
                _ => {}
            }
        }
        Ok(outcome)
    }

    fn keys(&self) -> Option<(srtp::Sender, srtp::Receiver)> {
        let state = self.endpoint.get_connection_state(PEER)?;
        let profile = state.srtp_protection_profile();
        let len = srtp::keying_material_len(profile)?;
        let material = state
            .export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], len)
            .ok()?;
        let crypto = self.crypto.crypto();
        srtp::contexts(profile, material.as_ref(), state.is_client(), crypto).ok()
    }

    /// What the endpoint has to say is the next flight, if it says anything.
    fn next_flight(&mut self, now: Instant) {
        let flight = self.take();
        if self.done && self.flights.due().is_some() {
            // A client's last flight was the one before; it hears of no other.
            self.flights.last(now, flight.clone());
        } else if !self.done && !flight.is_empty() {
            self.tries = 0;
            self.flights.begin(now, flight.clone());
        }
        self.outgoing.extend(flight);
    }

    /// What the endpoint has to say.
    fn take(&mut self) -> Vec<BytesMut> {
        let mut taken = Vec::new();
        while let Some(mut message) = self.endpoint.poll_transmit() {
            self.flights.number(&mut message.message);
            taken.push(message.message);
        }
        taken
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.flights.due()
    }

    /// Repeats a flight that was lost.
    pub(crate) fn timeout(&mut self, now: Instant) -> Result<(), Error> {
        if !self.flights.is_due(now) {
            return Ok(());
        }
        let again = match self.endpoint.poll_timeout(&PEER) {
            // An encrypted record is sealed anew as long as the stack does that: a server that
            // has it already answers a second one alone.
            Some(due) if self.flights.is_sealed() && self.tries < STACKS_TRIES => {
                self.tries += 1;
                self.endpoint.handle_timeout(PEER, due)?;
                self.take()
            }
            _ => self.flights.again(),
        };
        self.outgoing.extend(again);
        Ok(())
    }

    /// Says goodbye (`close_notify`).
    pub(crate) fn close(&mut self, now: Instant) {
        let _ = self.endpoint.close(now);
        let goodbye = self.take();
        self.outgoing.extend(goodbye);
    }

    /// Moves what is to be sent to `out`. Without a path it is lost, and repeated in time.
    pub(crate) fn transmit(&mut self, path: Option<SocketAddr>, out: &mut Outbox) {
        for datagram in self.outgoing.drain(..) {
            if let Some(path) = path {
                out.push_bytes(path, &datagram);
            }
        }
    }
}

/// A record that could not be read ends the handshake only if the peer's
/// certificate is the reason: all else may be noise that precedes the real one.
fn fatal(error: &Error) -> DtlsEvent {
    match error {
        Error::ErrNoMatchingCertificateFingerprint | Error::ErrAlertFatalOrClose => {
            DtlsEvent::Failed
        }
        _ => DtlsEvent::Nothing,
    }
}

fn verifier(
    fingerprints: Vec<Fingerprint>,
    crypto: Arc<dyn RTCCryptoProvider>,
) -> VerifyPeerCertificateFn {
    Arc::new(move |certificates, _| {
        let certificate = certificates.first().ok_or(Error::ErrNonCertificate)?;
        let found = fingerprint(certificate, crypto.as_ref())?;
        if fingerprints.contains(&found) {
            Ok(())
        } else {
            Err(Error::ErrNoMatchingCertificateFingerprint)
        }
    })
}

/// The fingerprint of a DER certificate.
pub(crate) fn fingerprint(
    der: &[u8],
    crypto: &dyn RTCCryptoProvider,
) -> Result<Fingerprint, Error> {
    let hash = crypto
        .crypto()
        .hash(HashAlgorithm::Sha256, der)
        .map_err(|error| Error::Crypto(error.to_string()))?;
    Fingerprint::try_from(hash.as_slice()).map_err(|_| Error::ErrNonCertificate)
}

#[cfg(test)]
mod tests;

//! What is negotiated with a peer that offers this or that.

#![allow(clippy::unwrap_used)]

use rtc::crypto::default_provider;
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;

use super::*;

/// A peer with ways of its own.
struct Peer {
    endpoint: Endpoint,
    config: Arc<HandshakeConfig>,
    is_client: bool,
}

impl Peer {
    fn new(certificate: Certificate, is_client: bool, offers: Offers) -> Self {
        let config = ConfigBuilder::default()
            .with_crypto_provider(default_provider().unwrap())
            .with_certificates(vec![certificate])
            .with_cipher_suites(vec![offers.suite])
            .with_srtp_protection_profiles(vec![offers.profile])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_insecure_skip_verify(true)
            .with_extended_master_secret(offers.secret)
            .build(is_client, None)
            .unwrap();
        let config = Arc::new(config);
        let server = (!is_client).then(|| Arc::clone(&config));
        Self {
            endpoint: Endpoint::new(PEER, TransportProtocol::UDP, server),
            config,
            is_client,
        }
    }

    fn start(&mut self, now: Instant) {
        if self.is_client {
            let config = Arc::clone(&self.config);
            self.endpoint.connect(now, PEER, config, None).unwrap();
        }
    }
}

#[derive(Clone, Copy)]
struct Offers {
    suite: CipherSuiteId,
    profile: SrtpProtectionProfile,
    secret: ExtendedMasterSecretType,
}

const GOOD: Offers = Offers {
    suite: SUITES[0],
    profile: srtp::PROFILES[1],
    secret: ExtendedMasterSecretType::Require,
};

/// Whether we would send media to such a peer.
fn has_keys(is_client: bool, offers: Offers) -> bool {
    let crypto = default_provider().unwrap();
    let certificate =
        || Certificate::generate_self_signed(vec!["x".to_owned()], crypto.crypto()).unwrap();
    let (ours, theirs) = (certificate(), certificate());
    let config = DtlsConfig {
        certificate: ours,
        fingerprints: vec![fingerprint(&theirs.certificate[0], crypto.as_ref()).unwrap()],
        is_client,
    };
    let mut ours = Dtls::new(config, Arc::clone(&crypto)).unwrap();
    let mut peer = Peer::new(theirs, !is_client, offers);
    let now = Instant::now();
    ours.start(now).unwrap();
    peer.start(now);
    // A handshake has six flights.
    for _ in 0..10 {
        for record in std::mem::take(&mut ours.outgoing) {
            // What it makes of it shows in what it answers.
            let _ = peer.endpoint.read(now, PEER, None, record);
        }
        while let Some(record) = peer.endpoint.poll_transmit() {
            if let Ok(DtlsEvent::Keys(_)) = ours.receive(now, &record.message) {
                return true;
            }
        }
    }
    false
}

#[test]
fn strong_suites_and_profiles_are_negotiated_and_no_others() {
    for is_client in [true, false] {
        assert!(has_keys(is_client, GOOD), "{is_client}");
        for suite in SUITES.into_iter().filter(|suite| *suite != SUITES[1]) {
            assert!(has_keys(is_client, Offers { suite, ..GOOD }), "{suite:?}");
        }
        for suite in [
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_256_Cbc_Sha,
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Ccm_8,
        ] {
            assert!(!has_keys(is_client, Offers { suite, ..GOOD }), "{suite:?}");
        }
        let profile = SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32;
        assert!(!has_keys(is_client, Offers { profile, ..GOOD }));
        let secret = ExtendedMasterSecretType::Disable;
        assert!(!has_keys(is_client, Offers { secret, ..GOOD }));
    }
}

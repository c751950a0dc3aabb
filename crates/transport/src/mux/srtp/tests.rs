#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use proptest::prelude::*;
use rtc::crypto::{RTCCryptoProvider, default_provider};
use rtc::srtp::config::Config;
use rtc::srtp::context::Context;
use rtc::srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc::srtp::protection_profile::ProtectionProfile;

use super::*;

fn crypto() -> Arc<dyn RTCCryptoProvider> {
    default_provider().unwrap()
}

fn material(profile: SrtpProtectionProfile) -> Vec<u8> {
    (0..keying_material_len(profile).unwrap())
        .map(|n| (n * 7 + 3) as u8)
        .collect()
}

/// Our two ends of a call.
fn pair(profile: SrtpProtectionProfile) -> (Sender, Receiver) {
    let (crypto, material) = (crypto(), material(profile));
    let client = contexts(profile, &material, true, crypto.crypto()).unwrap();
    let server = contexts(profile, &material, false, crypto.crypto()).unwrap();
    (client.0, server.1)
}

/// The other implementation's ends: what the client sends, what the client receives.
fn peers(profile: SrtpProtectionProfile) -> (Context, Context) {
    let mut config = Config {
        profile: match profile {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => ProtectionProfile::AeadAes128Gcm,
            _ => ProtectionProfile::Aes128CmHmacSha1_80,
        },
        ..Config::default()
    };
    config
        .set_session_keys_from_keying_material(&material(profile), true)
        .unwrap();
    let crypto = crypto();
    let context = |key: &[u8], salt: &[u8]| {
        Context::new(
            key,
            salt,
            config.profile,
            Some(srtp_replay_protection(64)),
            Some(srtcp_replay_protection(64)),
            crypto.crypto(),
        )
        .unwrap()
    };
    let keys = &config.keys;
    (
        context(&keys.local_master_key, &keys.local_master_salt),
        context(&keys.remote_master_key, &keys.remote_master_salt),
    )
}

fn packet(sequence: u16, ssrc: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, 111];
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 3, 192]);
    bytes.extend_from_slice(&ssrc.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn sealed(sender: &mut Sender, body: &[u8]) -> Vec<u8> {
    let plain = packet(sender.sequence(7), 7, body);
    let mut buffer = plain.clone();
    buffer.resize(plain.len() + MAX_RTP_OVERHEAD, 0);
    let len = sender.protect(&mut buffer, plain.len()).unwrap();
    buffer.truncate(len);
    buffer
}

#[test]
fn agrees_with_the_stacks_own_contexts_over_a_rollover() {
    for profile in PROFILES {
        let (mut theirs, mut their_inbound) = peers(profile);
        let server = contexts(profile, &material(profile), false, crypto().crypto()).unwrap();
        let (mut to_client, mut from_client) = server;
        // Opening is slow in tests: some all along, all around the rollover.
        for round in 0..66_000u32 {
            let looked_at = round % 1000 == 0 || (65_400..65_700).contains(&round);
            let body = round.to_be_bytes();
            let sent = sealed(&mut to_client, &body);
            let plain = packet(round as u16, 9, &body);
            let mut came = theirs.encrypt_rtp(&plain).unwrap().to_vec();
            if looked_at {
                assert_eq!(&their_inbound.decrypt_rtp(&sent).unwrap()[12..], body);
                let len = from_client.open(&mut came).unwrap();
                assert_eq!(&came[..len], plain);
            }
        }
    }
}

#[test]
fn rtcp_agrees_with_the_stacks_own() {
    let report = [
        0x80, 200, 0, 6, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
        19, 20,
    ];
    for profile in PROFILES {
        let (mut theirs, mut their_inbound) = peers(profile);
        let server = contexts(profile, &material(profile), false, crypto().crypto()).unwrap();
        let (mut to_client, mut from_client) = server;
        let mut buffer = [0; 100];
        buffer[..report.len()].copy_from_slice(&report);
        let len = to_client.protect_rtcp(&mut buffer, report.len()).unwrap();
        let plain = their_inbound.decrypt_rtcp(&buffer[..len]).unwrap();
        assert_eq!(&plain[..report.len()], report);

        let mut sent = theirs.encrypt_rtcp(&report).unwrap().to_vec();
        let mut again = sent.clone();
        let len = from_client.open_rtcp(&mut sent).unwrap();
        assert_eq!(&sent[..len], report);
        assert_eq!(from_client.open_rtcp(&mut again), Err(SrtpError::Replayed));
    }
}

#[test]
fn forged_sources_leave_no_trace() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let honest = sealed(&mut sender, b"honest");
        for ssrc in 0..10_000u32 {
            let mut forged = packet(1, ssrc, &[9; 40]);
            assert_eq!(receiver.open(&mut forged), Err(SrtpError::Forged));
        }
        assert_eq!(receiver.sources.known(), (0, 0));
        assert!(receiver.open(&mut honest.clone()).is_ok());
        assert_eq!(receiver.open(&mut honest.clone()), Err(SrtpError::Replayed));
        assert_eq!(receiver.sources.known(), (1, 0));
    }
}

/// A packet of the other side's, which counts its sources' rollovers itself.
fn from_peer(theirs: &mut Context, sequence: u16, ssrc: u32) -> Vec<u8> {
    let plain = packet(sequence, ssrc, b"x");
    theirs.encrypt_rtp(&plain).unwrap().to_vec()
}

#[test]
fn a_hundred_sources_one_after_another_are_all_heard_and_none_is_replayed() {
    for profile in PROFILES {
        let (mut theirs, _) = peers(profile);
        let (_, mut receiver) = pair(profile);
        let mut sent = Vec::new();
        for ssrc in 0..100 {
            for sequence in [7, 5, 9] {
                let bytes = from_peer(&mut theirs, sequence, ssrc);
                assert!(receiver.open(&mut bytes.clone()).is_ok(), "{ssrc}");
                sent.push(bytes);
            }
        }
        assert_eq!(receiver.sources.known(), (sources::PRESENT, 84));
        for (n, mut bytes) in sent.into_iter().enumerate() {
            assert_eq!(receiver.open(&mut bytes), Err(SrtpError::Replayed), "{n}");
        }
    }
}

/// It goes on where it stood, rollovers counted; what was on its way then is lost.
#[test]
fn a_source_comes_back() {
    let (mut theirs, _) = peers(PROFILES[0]);
    let (_, mut receiver) = pair(PROFILES[0]);
    for sequence in [65_000, 65_500, 3, 5] {
        let mut bytes = from_peer(&mut theirs, sequence, 1_000);
        assert!(receiver.open(&mut bytes).is_ok());
    }
    let [mut late, mut again, mut next] = [4, 6, 7].map(|n| from_peer(&mut theirs, n, 1_000));
    for ssrc in 0..20 {
        let mut bytes = from_peer(&mut theirs, 1, ssrc);
        assert!(receiver.open(&mut bytes).is_ok());
    }
    assert_eq!(receiver.open(&mut late), Err(SrtpError::Replayed));
    assert!(receiver.open(&mut again.clone()).is_ok());
    assert_eq!(receiver.open(&mut again), Err(SrtpError::Replayed));
    assert!(receiver.open(&mut next).is_ok());
    assert_eq!(receiver.sources.known(), (sources::PRESENT, 5));
}

/// Whoever speaks is not forgotten for those who only pass by.
#[test]
fn the_longest_silent_makes_room_and_memory_is_bounded() {
    let (mut theirs, _) = peers(PROFILES[0]);
    let (_, mut receiver) = pair(PROFILES[0]);
    let before = receiver.sources.capacity();
    for ssrc in 0..1_000 {
        let mut bytes = from_peer(&mut theirs, 1, ssrc);
        assert!(receiver.open(&mut bytes).is_ok());
        // Its packets come in the wrong order: only one whose window is known may do so.
        for sequence in [2 * ssrc as u16 + 1, 2 * ssrc as u16] {
            let mut bytes = from_peer(&mut theirs, sequence, 5_000);
            assert!(receiver.open(&mut bytes).is_ok());
        }
    }
    let bounds = (sources::PRESENT, sources::FORMER);
    assert_eq!(receiver.sources.known(), bounds);
    assert_eq!(receiver.sources.capacity(), before);
}

#[test]
fn a_hundred_sources_of_reports_are_heard_and_none_is_replayed() {
    let (mut sender, mut receiver) = pair(PROFILES[0]);
    let mut sent = Vec::new();
    for ssrc in 0..100u32 {
        let mut report = vec![0x80, 201, 0, 1];
        report.extend_from_slice(&ssrc.to_be_bytes());
        report.resize(RTCP_HEADER + MAX_RTCP_OVERHEAD, 0);
        let len = sender.protect_rtcp(&mut report, RTCP_HEADER).unwrap();
        report.truncate(len);
        assert!(receiver.open_rtcp(&mut report.clone()).is_ok(), "{ssrc}");
        sent.push(report);
    }
    for mut report in sent {
        let answer = receiver.open_rtcp(&mut report);
        assert_eq!(answer, Err(SrtpError::Replayed));
    }
}

#[test]
fn a_sequence_number_is_never_used_twice() {
    let (mut sender, _) = pair(PROFILES[0]);
    let mut stale = packet(sender.sequence(7), 7, b"one");
    let len = stale.len();
    stale.resize(len + MAX_RTP_OVERHEAD, 0);
    let mut again = stale.clone();
    assert!(sender.protect(&mut stale, len).is_ok());
    assert_eq!(sender.protect(&mut again, len), Err(SrtpError::Replayed));
}

proptest! {
    #[test]
    fn what_is_sealed_opens_and_a_flipped_bit_does_not(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        flip in any::<prop::sample::Index>(),
        bit in 0u8..8,
        gcm: bool,
    ) {
        let (mut sender, mut receiver) = pair(PROFILES[usize::from(gcm)]);
        let sent = sealed(&mut sender, &body);
        let mut flipped = sent.clone();
        let at = flip.index(flipped.len());
        flipped[at] ^= 1 << bit;
        prop_assert!(receiver.open(&mut flipped).is_err());
        let mut whole = sent;
        let len = receiver.open(&mut whole).unwrap();
        prop_assert_eq!(&whole[12..len], &body[..]);
    }

    #[test]
    fn any_bytes_are_answered(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), gcm: bool) {
        let (_, mut receiver) = pair(PROFILES[usize::from(gcm)]);
        prop_assert!(receiver.open(&mut bytes.clone()).is_err());
        prop_assert!(receiver.open_rtcp(&mut bytes).is_err());
    }
}

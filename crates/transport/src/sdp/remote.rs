//! What the other side's description says that we act on.

use rtc::ice::candidate::{Candidate, unmarshal_candidate};
use rtc::shared::TransportProtocol;
use switchboard_media::codec::Codec;

use super::speakers::{self, Extra};
use super::{SdpError, codec, sections, telephone_event};
use crate::mux::dtls::Fingerprint;
use crate::mux::ice::Credentials;

/// RFC 8839 §5.4: 4 to 256 characters, and 22 to 256.
const FRAGMENT: std::ops::RangeInclusive<usize> = 4..=256;
const PASSWORD: std::ops::RangeInclusive<usize> = 22..=256;

/// Which way media is to flow (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The same, seen from the other side.
    pub(crate) fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            other => other,
        }
    }
}

/// Who says hello in DTLS (RFC 8842 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    ActPass,
    Active,
    Passive,
}

/// The other side, as it describes itself.
pub(crate) struct Remote {
    pub(crate) credentials: Credentials,
    pub(crate) fingerprints: Vec<Fingerprint>,
    pub(crate) setup: Setup,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) is_lite: bool,
    pub(crate) mid: Option<String>,
    pub(crate) bundled: bool,
    pub(crate) profile: String,
    pub(crate) direction: Direction,
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    pub(crate) telephone_event: Option<(u8, u32)>,
    /// The mix's streams, as far as they are announced.
    pub(crate) ssrcs: Vec<u32>,
    /// Number of the header extension that names a packet's section.
    pub(crate) mid_extension: Option<u8>,
    /// The sections beside the mix's.
    pub(crate) extras: Vec<Extra>,
}

impl Remote {
    /// Reads a description that passed [`check_description`](super::check_description).
    /// The codec is the first of `codecs` that it has.
    pub(crate) fn parse(sdp: &str, codecs: &[Codec]) -> Result<Self, SdpError> {
        let (sdp, further) = sections(sdp);
        let (codec, payload_type) = codec(sdp, codecs).ok_or(SdpError::NoCodec)?;
        // Later is nearer: the media section's value wins over the session's.
        let last = |prefix: &str| sdp.lines().rev().find_map(|line| line.strip_prefix(prefix));
        let has = |line: &str| sdp.lines().any(|candidate| candidate == line);
        let bounded = |name: &'static str, range: std::ops::RangeInclusive<usize>| {
            let value = last(name).filter(|value| range.contains(&value.len()));
            value.map(str::to_owned).ok_or(SdpError::Missing(name))
        };
        Ok(Self {
            credentials: Credentials {
                fragment: bounded("a=ice-ufrag:", FRAGMENT)?,
                password: bounded("a=ice-pwd:", PASSWORD)?,
            },
            fingerprints: fingerprints(sdp)?,
            setup: match last("a=setup:") {
                Some("actpass") | None => Setup::ActPass,
                Some("active") => Setup::Active,
                Some("passive") => Setup::Passive,
                Some(_) => return Err(SdpError::Missing("a=setup:")),
            },
            candidates: sdp.lines().filter_map(candidate).collect(),
            is_lite: has("a=ice-lite"),
            mid: speakers::mid(sdp),
            bundled: last("a=group:BUNDLE").is_some(),
            profile: profile(sdp)?,
            direction: direction(sdp),
            codec,
            payload_type,
            telephone_event: telephone_event(sdp, codec),
            ssrcs: speakers::ssrcs(sdp),
            mid_extension: speakers::mid_extension(sdp),
            extras: further
                .into_iter()
                .map(|section| Extra::parse(section, codec))
                .collect(),
        })
    }

    /// Takes as many of the speakers an offer (`sdp`) has as are wanted: those that come
    /// by the mix's transport and whose packets can be told from the mix's.
    pub(crate) fn take_offered(&mut self, sdp: &str, wanted: usize) {
        let bundle = self.bundle(sdp);
        let named = self.mid_extension.is_some();
        let mut taken = self.ssrcs.clone();
        let announced = !taken.is_empty();
        let mut left = wanted;
        for extra in &mut self.extras {
            let own = !extra.ssrcs.is_empty() && !extra.ssrcs.iter().any(|s| taken.contains(s));
            let apart = named || announced && own;
            extra.taken = left > 0 && apart && extra.is_offered(&bundle);
            if extra.taken {
                left -= 1;
                taken.extend(&extra.ssrcs);
            }
        }
    }

    /// Takes the speakers that an answer (`sdp`) accepts, of as many as were offered.
    pub(crate) fn take_accepted(&mut self, sdp: &str, offered: usize) -> Result<(), SdpError> {
        if self.extras.len() > offered {
            let (audio, other) = (1 + self.extras.len(), 0);
            return Err(SdpError::Sections { audio, other });
        }
        let bundle = self.bundle(sdp);
        for extra in &mut self.extras {
            extra.taken = extra.is_accepted(&bundle);
        }
        Ok(())
    }

    /// The sections that share the mix's transport; none if the mix itself does not.
    fn bundle<'a>(&self, sdp: &'a str) -> Vec<&'a str> {
        let bundle = speakers::bundle(sdp);
        let mid = self.mid.as_deref();
        if mid.is_some_and(|mid| bundle.contains(&mid)) {
            bundle
        } else {
            Vec::new()
        }
    }
}

/// All SHA-256 fingerprints (RFC 8122 §5); other hashes can't be checked.
fn fingerprints(sdp: &str) -> Result<Vec<Fingerprint>, SdpError> {
    let found: Vec<_> = sdp
        .lines()
        .filter_map(|line| {
            let (hash, value) = line.strip_prefix("a=fingerprint:")?.split_once(' ')?;
            hash.eq_ignore_ascii_case("sha-256").then_some(value.trim())
        })
        .filter_map(hex)
        .collect();
    if found.is_empty() {
        return Err(SdpError::Missing("a=fingerprint:sha-256"));
    }
    Ok(found)
}

fn hex(value: &str) -> Option<Fingerprint> {
    let mut bytes = [0; 32];
    let mut parts = value.split(':');
    for byte in &mut bytes {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(bytes)
}

/// A candidate we could send to: UDP, a plain address. mDNS names can't be
/// resolved here, and need not be: the other side's checks reach us.
fn candidate(line: &str) -> Option<Candidate> {
    let value = line.strip_prefix("a=candidate:")?;
    if value.split(' ').nth(4)?.ends_with(".local") {
        return None;
    }
    let candidate = unmarshal_candidate(value).ok()?;
    let is_udp = candidate.network_type().to_protocol() == TransportProtocol::UDP;
    (is_udp && candidate.component() == 1 && candidate.port() != 0).then_some(candidate)
}

/// The transport of the media line: something over DTLS-SRTP (RFC 5764 §8).
pub(super) fn profile(sdp: &str) -> Result<String, SdpError> {
    let media = sdp.lines().find_map(|line| line.strip_prefix("m=audio "));
    let profile = media.and_then(|media| media.split(' ').nth(1));
    match profile {
        Some(profile @ ("UDP/TLS/RTP/SAVPF" | "UDP/TLS/RTP/SAVP")) => Ok(profile.to_owned()),
        _ => Err(SdpError::Missing("UDP/TLS/RTP/SAVPF")),
    }
}

pub(super) fn direction(sdp: &str) -> Direction {
    let directions = sdp.lines().rev().find_map(|line| match line {
        "a=sendrecv" => Some(Direction::SendRecv),
        "a=sendonly" => Some(Direction::SendOnly),
        "a=recvonly" => Some(Direction::RecvOnly),
        "a=inactive" => Some(Direction::Inactive),
        _ => None,
    });
    directions.unwrap_or(Direction::SendRecv)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::sdp::CODECS;

    /// What Chromium offers for a microphone, shortened.
    const CHROMIUM: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\n\
        a=rtcp:9 IN IP4 0.0.0.0\r\n\
        a=candidate:1 1 udp 2113937151 8f1d2a4e-0000-4000-8000-000000000000.local 50000 typ host generation 0\r\n\
        a=candidate:2 1 udp 1677729535 192.0.2.7 50000 typ srflx raddr 0.0.0.0 rport 0 generation 0\r\n\
        a=candidate:3 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef01234567\r\na=ice-options:trickle\r\n\
        a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\r\n\
        a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n\
        a=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\n\
        a=rtpmap:126 telephone-event/8000\r\n";

    #[test]
    fn reads_a_browsers_offer() {
        let remote = Remote::parse(CHROMIUM, &CODECS).unwrap();
        assert_eq!(remote.credentials.fragment, "abcd");
        assert_eq!(remote.fingerprints, [std::array::from_fn(|n| n as u8)]);
        assert_eq!(remote.setup, Setup::ActPass);
        let addresses: Vec<_> = remote.candidates.iter().map(Candidate::addr).collect();
        assert_eq!(addresses, [SocketAddr::from(([192, 0, 2, 7], 50_000))]);
        assert_eq!((remote.mid.as_deref(), remote.bundled), (Some("0"), true));
        assert_eq!(
            (remote.payload_type, remote.telephone_event),
            (111, Some((110, 48_000)))
        );
        assert_eq!(remote.direction.reversed(), Direction::SendRecv);
    }

    #[test]
    fn refuses_what_could_not_be_secured() {
        let refused =
            |from: &str, to: &str| Remote::parse(&CHROMIUM.replace(from, to), &[Codec::Opus]).err();
        assert_eq!(
            refused("sha-256", "sha-1"),
            Some(SdpError::Missing("a=fingerprint:sha-256"))
        );
        assert_eq!(
            refused(":1F\r\n", "\r\n"),
            Some(SdpError::Missing("a=fingerprint:sha-256"))
        );
        assert_eq!(
            refused("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
            Some(SdpError::Missing("UDP/TLS/RTP/SAVPF"))
        );
        assert_eq!(
            refused("0123456789abcdef01234567", "short"),
            Some(SdpError::Missing("a=ice-pwd:"))
        );
        assert_eq!(refused("opus", "speex"), Some(SdpError::NoCodec));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(cut in any::<prop::sample::Index>(), junk in "\\PC{0,40}") {
            let at = cut.index(CHROMIUM.len());
            let _ = Remote::parse(&format!("{}{junk}{}", &CHROMIUM[..at], &CHROMIUM[at..]), &CODECS);
        }
    }
}

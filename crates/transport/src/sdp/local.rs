//! Our own descriptions (RFC 8866, RFC 9429): one audio section, one address.

use std::fmt::Write;
use std::net::SocketAddr;

use switchboard_media::codec::Codec;

use super::remote::{Direction, Remote, Setup};
use super::{encoding, static_type};
use crate::mux::dtls::Fingerprint;
use crate::mux::ice::Credentials;

/// What Chromium uses too, so that dumps look familiar.
const OPUS: u8 = 111;
/// The telephone events of our own offers, on the audio's clock (RFC 4733 §7.1.1).
const TELEPHONE_EVENT: u8 = 110;

/// What one of our descriptions says.
pub(crate) struct Local<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) credentials: &'a Credentials,
    pub(crate) fingerprint: &'a Fingerprint,
    pub(crate) ssrc: u32,
    /// For the origin line; tells sessions apart.
    pub(crate) session: u64,
}

/// Where an answer must follow the offer.
struct Section<'a> {
    mid: Option<&'a str>,
    bundled: bool,
    profile: &'a str,
    direction: Direction,
    setup: &'a str,
    codec: Codec,
    payload_type: u8,
    telephone_event: Option<(u8, u32)>,
}

impl Local<'_> {
    /// An offer of one codec.
    pub(crate) fn offer(&self, codec: Codec) -> String {
        self.write(&Section {
            mid: Some("0"),
            bundled: true,
            profile: "UDP/TLS/RTP/SAVPF",
            direction: Direction::SendRecv,
            setup: "actpass",
            codec,
            payload_type: static_type(codec).unwrap_or(OPUS),
            telephone_event: Some((TELEPHONE_EVENT, codec.clock_rate())),
        })
    }

    /// The answer to an offer, which leaves us the client of DTLS if it may.
    pub(crate) fn answer(&self, offer: &Remote) -> String {
        self.write(&Section {
            mid: offer.mid.as_deref(),
            bundled: offer.bundled,
            profile: &offer.profile,
            direction: offer.direction.reversed(),
            setup: match offer.setup {
                Setup::Active => "passive",
                Setup::ActPass | Setup::Passive => "active",
            },
            codec: offer.codec,
            payload_type: offer.payload_type,
            telephone_event: offer.telephone_event,
        })
    }

    fn write(&self, section: &Section<'_>) -> String {
        let mut lines = Lines::default();
        let (ip, port) = (self.address.ip(), self.address.port());
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        lines.add("v=0");
        lines.add(format_args!("o=- {} 1 IN {family} {ip}", self.session));
        lines.add("s=-");
        lines.add("t=0 0");
        if let (true, Some(mid)) = (section.bundled, section.mid) {
            lines.add(format_args!("a=group:BUNDLE {mid}"));
        }
        let (profile, audio) = (section.profile, section.payload_type);
        match section.telephone_event {
            Some((event, _)) => lines.add(format_args!("m=audio {port} {profile} {audio} {event}")),
            None => lines.add(format_args!("m=audio {port} {profile} {audio}")),
        }
        lines.add(format_args!("c=IN {family} {ip}"));
        if let Some(mid) = section.mid {
            lines.add(format_args!("a=mid:{mid}"));
        }
        lines.add(format_args!("a={}", section.direction.attribute()));
        lines.add("a=rtcp-mux");
        self.write_transport(&mut lines, section.setup);
        self.write_formats(&mut lines, section);
        lines.0
    }

    fn write_transport(&self, lines: &mut Lines, setup: &str) {
        lines.add(format_args!("a=ice-ufrag:{}", self.credentials.fragment));
        lines.add(format_args!("a=ice-pwd:{}", self.credentials.password));
        let hex: Vec<_> = self
            .fingerprint
            .iter()
            .map(|b| format!("{b:02X}"))
            .collect();
        lines.add(format_args!("a=fingerprint:sha-256 {}", hex.join(":")));
        lines.add(format_args!("a=setup:{setup}"));
        // A host candidate of the highest local preference (RFC 8445 §5.1.2.1).
        lines.add(format_args!(
            "a=candidate:1 1 udp 2130706431 {} {} typ host",
            self.address.ip(),
            self.address.port()
        ));
        lines.add("a=end-of-candidates");
    }

    fn write_formats(&self, lines: &mut Lines, section: &Section<'_>) {
        let audio = section.payload_type;
        lines.add(format_args!("a=rtpmap:{audio} {}", encoding(section.codec)));
        if section.codec == Codec::Opus {
            lines.add(format_args!("a=fmtp:{audio} minptime=10;useinbandfec=1"));
        }
        if let Some((event, rate)) = section.telephone_event {
            lines.add(format_args!("a=rtpmap:{event} telephone-event/{rate}"));
            lines.add(format_args!("a=fmtp:{event} 0-15"));
        }
        lines.add("a=msid:switchboard audio");
        lines.add(format_args!("a=ssrc:{} cname:switchboard", self.ssrc));
    }
}

/// Lines with the line ends SDP wants.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, line: impl std::fmt::Display) {
        // Writing to a string can't fail.
        let _ = write!(self.0, "{line}\r\n");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sdp::{CODECS, check_description, negotiated};

    fn local(write: impl FnOnce(&Local<'_>) -> String) -> String {
        write(&Local {
            address: "192.0.2.1:5000".parse().unwrap(),
            credentials: &Credentials {
                fragment: "frag".into(),
                password: "0123456789abcdef01234567".into(),
            },
            fingerprint: &std::array::from_fn(|n| n as u8),
            ssrc: 7,
            session: 42,
        })
    }

    #[test]
    fn our_offer_is_one_we_would_take() {
        let offer = local(|local| local.offer(Codec::Opus));
        assert_eq!(check_description(&offer), Ok(()));
        let remote = Remote::parse(&offer, &CODECS).unwrap();
        assert_eq!(remote.setup, Setup::ActPass);
        assert_eq!(remote.candidates.len(), 1);
        insta::assert_snapshot!(offer.replace("\r\n", "\n"));
    }

    #[test]
    fn a_gateway_without_opus_is_answered_in_its_own_codec() {
        for codec in CODECS {
            let offer = local(|local| local.offer(codec));
            assert_eq!(check_description(&offer), Ok(()));
            let answer = local(|local| local.answer(&Remote::parse(&offer, &CODECS).unwrap()));
            let negotiated = negotiated(&answer).unwrap();
            assert_eq!(negotiated.codec, codec);
            assert_eq!(negotiated.telephone_events, [(110, codec.clock_rate())]);
        }
        let offer = local(|local| local.offer(Codec::Pcma));
        insta::assert_snapshot!(offer.replace("\r\n", "\n"));
    }

    #[test]
    fn the_answer_follows_the_offer() {
        let offer = local(|local| local.offer(Codec::Opus))
            .replace("a=mid:0", "a=mid:audio")
            .replace("111", "96")
            .replace("110", "97")
            .replace("sendrecv", "recvonly")
            .replace("actpass", "active");
        let answer = local(|local| local.answer(&Remote::parse(&offer, &CODECS).unwrap()));
        let negotiated = negotiated(&answer).unwrap();
        assert_eq!(
            (negotiated.codec, negotiated.payload_type),
            (Codec::Opus, 96)
        );
        assert_eq!(negotiated.telephone_events, vec![(97, 48_000)]);
        insta::assert_snapshot!(answer.replace("\r\n", "\n"));
    }
}

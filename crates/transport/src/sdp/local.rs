//! Our own descriptions (RFC 8866, RFC 9429): one audio section, one address.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use switchboard_media::codec::Codec;

use super::remote::{Direction, Remote, Setup};
use super::speakers::{Extra, extmap};
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

/// The stream of the `n`th speaker (from 1) beside the mix's: another one for each, since
/// all are encrypted with one key.
pub(crate) fn speaker_ssrc(mix: u32, n: usize) -> u32 {
    mix.wrapping_add(n as u32)
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
    /// The header extension that names sections, if it is used.
    mid_extension: Option<u8>,
    /// The sections that share the transport, but for this.
    bundle: Vec<String>,
}

impl Local<'_> {
    /// An offer of one codec, with as many sections of single speakers.
    pub(crate) fn offer(&self, codec: Codec, speakers: usize) -> String {
        let payload_type = static_type(codec).unwrap_or(OPUS);
        let mut lines = self.write(&Section {
            mid: Some("0"),
            bundled: true,
            profile: "UDP/TLS/RTP/SAVPF",
            direction: Direction::SendRecv,
            setup: "actpass",
            codec,
            payload_type,
            telephone_event: Some((TELEPHONE_EVENT, codec.clock_rate())),
            mid_extension: None,
            bundle: (1..=speakers).map(|n| n.to_string()).collect(),
        });
        for n in 1..=speakers {
            // To whoever does not bundle, the port refuses the section (RFC 8843 §6).
            lines.add(format_args!("m=audio 0 UDP/TLS/RTP/SAVPF {payload_type}"));
            lines.add("c=IN IP4 0.0.0.0");
            lines.add("a=bundle-only");
            lines.add(format_args!("a=mid:{n}"));
            lines.add("a=sendonly");
            lines.add("a=rtcp-mux");
            lines.format(codec, payload_type);
            lines.add(format_args!("a=msid:switchboard speaker{n}"));
            let ssrc = speaker_ssrc(self.ssrc, n);
            lines.add(format_args!("a=ssrc:{ssrc} cname:switchboard"));
        }
        lines.0
    }

    /// The answer to an offer, which leaves us the client of DTLS if it may.
    pub(crate) fn answer(&self, offer: &Remote) -> String {
        let taken = || offer.extras.iter().filter(|extra| extra.taken);
        let mid_extension = offer.mid_extension.filter(|_| taken().count() > 0);
        let mut lines = self.write(&Section {
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
            mid_extension,
            bundle: taken().filter_map(|extra| extra.mid.clone()).collect(),
        });
        for extra in &offer.extras {
            self.answer_extra(&mut lines, extra, offer.codec, mid_extension);
        }
        lines.0
    }

    /// One speaker's section: received, or refused by its port (RFC 3264 §6).
    fn answer_extra(&self, lines: &mut Lines, extra: &Extra, codec: Codec, named: Option<u8>) {
        let (family, ip, port) = self.place();
        let profile = &extra.profile;
        let payload_type = extra.payload_type.filter(|_| extra.taken);
        match payload_type {
            Some(number) => lines.add(format_args!("m=audio {port} {profile} {number}")),
            None => lines.add(format_args!("m=audio 0 {profile} 0")),
        }
        lines.add(format_args!("c=IN {family} {ip}"));
        if let Some(mid) = &extra.mid {
            lines.add(format_args!("a=mid:{mid}"));
        }
        let Some(payload_type) = payload_type else {
            return lines.add("a=inactive");
        };
        lines.add("a=recvonly");
        lines.add("a=rtcp-mux");
        if let Some(number) = named {
            lines.add(extmap(number));
        }
        lines.format(codec, payload_type);
    }

    fn place(&self) -> (&'static str, IpAddr, u16) {
        let (ip, port) = (self.address.ip(), self.address.port());
        (if ip.is_ipv4() { "IP4" } else { "IP6" }, ip, port)
    }

    fn write(&self, section: &Section<'_>) -> Lines {
        let mut lines = Lines::default();
        let (family, ip, port) = self.place();
        lines.add("v=0");
        lines.add(format_args!("o=- {} 1 IN {family} {ip}", self.session));
        lines.add("s=-");
        lines.add("t=0 0");
        if let (true, Some(mid)) = (section.bundled, section.mid) {
            let all: Vec<_> = std::iter::once(mid)
                .chain(section.bundle.iter().map(String::as_str))
                .collect();
            lines.add(format_args!("a=group:BUNDLE {}", all.join(" ")));
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
        if let Some(number) = section.mid_extension {
            lines.add(extmap(number));
        }
        self.write_transport(&mut lines, section.setup);
        self.write_formats(&mut lines, section);
        lines
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
        lines.format(section.codec, section.payload_type);
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

    fn format(&mut self, codec: Codec, payload_type: u8) {
        self.add(format_args!("a=rtpmap:{payload_type} {}", encoding(codec)));
        if codec == Codec::Opus {
            self.add(format_args!(
                "a=fmtp:{payload_type} minptime=10;useinbandfec=1"
            ));
        }
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
        let offer = local(|local| local.offer(Codec::Opus, 0));
        assert_eq!(check_description(&offer), Ok(()));
        let remote = Remote::parse(&offer, &CODECS).unwrap();
        assert_eq!(remote.setup, Setup::ActPass);
        assert_eq!(remote.candidates.len(), 1);
        insta::assert_snapshot!(offer.replace("\r\n", "\n"));
    }

    #[test]
    fn a_gateway_without_opus_is_answered_in_its_own_codec() {
        for codec in CODECS {
            let offer = local(|local| local.offer(codec, 0));
            assert_eq!(check_description(&offer), Ok(()));
            let answer = local(|local| local.answer(&Remote::parse(&offer, &CODECS).unwrap()));
            let negotiated = negotiated(&answer).unwrap();
            assert_eq!(negotiated.codec, codec);
            assert_eq!(negotiated.telephone_events, [(110, codec.clock_rate())]);
        }
        let offer = local(|local| local.offer(Codec::Pcma, 0));
        insta::assert_snapshot!(offer.replace("\r\n", "\n"));
    }

    #[test]
    fn the_answer_follows_the_offer() {
        let offer = local(|local| local.offer(Codec::Opus, 0))
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

    /// An offer with two speakers, and what is answered to whoever wants `wanted`.
    fn answered(tamper: impl Fn(&str) -> String, wanted: usize) -> (Remote, String) {
        let offer = tamper(&local(|local| local.offer(Codec::Opus, 2)));
        assert_eq!(check_description(&offer), Ok(()));
        let mut remote = Remote::parse(&offer, &CODECS).unwrap();
        remote.take_offered(&offer, wanted);
        let answer = local(|local| local.answer(&remote));
        assert_eq!(check_description(&answer), Ok(()));
        let mut accepted = Remote::parse(&answer, &CODECS).unwrap();
        accepted.take_accepted(&answer, 2).unwrap();
        assert!(accepted.take_accepted(&answer, 1).is_err());
        let taken = |remote: &Remote| remote.extras.iter().map(|e| e.taken).collect::<Vec<_>>();
        assert_eq!(taken(&remote), taken(&accepted), "{offer}{answer}");
        (remote, answer)
    }

    #[test]
    fn speakers_are_offered_beside_the_mix_and_taken_as_wanted() {
        insta::assert_snapshot!(local(|l| l.offer(Codec::Opus, 2)).replace("\r\n", "\n"));
        let (remote, answer) = answered(str::to_owned, 1);
        let taken: Vec<_> = remote.extras.iter().map(|extra| extra.taken).collect();
        assert_eq!(taken, [true, false]);
        assert_eq!(remote.extras[0].ssrcs, [8]);
        insta::assert_snapshot!(answer.replace("\r\n", "\n"));
        let (remote, answer) = answered(str::to_owned, 0);
        assert!(remote.extras.iter().all(|extra| !extra.taken));
        assert!(answer.contains("a=group:BUNDLE 0\r\n"), "{answer}");
    }

    #[test]
    fn speakers_that_cannot_be_told_apart_or_come_otherwise_are_refused() {
        let taken = |from: &str, to: &str| {
            let (remote, answer) = answered(|offer| offer.replace(from, to), 4);
            assert_eq!(answer.matches("m=audio").count(), 3);
            remote.extras.iter().filter(|extra| extra.taken).count()
        };
        assert_eq!(taken("", ""), 2);
        assert_eq!(taken("a=ssrc:7", "a=x:7"), 0, "any stream may be the mix's");
        assert_eq!(taken("a=ssrc:8", "a=ssrc:7"), 1, "the mix's own stream");
        assert_eq!(taken("a=ssrc:9", "a=x:9"), 1);
        assert_eq!(taken("BUNDLE 0 1 2", "BUNDLE 0 2"), 1);
        assert_eq!(taken("BUNDLE 0 1 2", "BUNDLE 1 2"), 0);
        assert_eq!(taken("a=sendonly", "a=recvonly"), 0);
        assert_eq!(taken("a=bundle-only", "a=x"), 0, "refused by its port");
    }

    #[test]
    fn packets_that_name_their_section_need_no_announced_stream() {
        let mid = extmap(4);
        let tamper = |offer: &str| {
            let offer = offer.replace("a=ssrc:", "a=x:");
            offer.replace("a=mid:", &format!("{mid}\r\na=mid:"))
        };
        let (remote, answer) = answered(tamper, 4);
        assert!(remote.extras.iter().all(|extra| extra.taken));
        assert_eq!(answer.matches(&mid).count(), 3);
    }
}

//! Session descriptions (RFC 8866): limits on an untrusted text, what it says
//! that matters to us, and our own. Pure functions.

pub(crate) mod local;
pub(crate) mod remote;
pub(crate) mod speakers;

use switchboard_media::codec::Codec;
use switchboard_media::engine::LegConfig;
use switchboard_media::receive::TelephoneEventFormat;

/// The largest description accepted, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most ICE candidates accepted in one description.
pub const MAX_CANDIDATES: usize = 64;

/// The most sections beside the mix's: a conference's dominant speakers, as many as
/// Teams gives a bot.
pub const MAX_SPEAKERS: usize = 4;

/// All that can be agreed on, the best first.
pub const CODECS: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

/// Why a description is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// More than [`MAX_BYTES`].
    #[error("larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// Does not begin with `v=0`.
    #[error("not an SDP: it must begin with the line v=0")]
    NotSdp,
    /// No section of audio, more than [`MAX_SPEAKERS`] besides or more than were offered,
    /// or one of something else.
    #[error(
        "must hold one audio section, and besides only those of single speakers, {MAX_SPEAKERS} at most and no more than were offered; found {audio} audio and {other} other"
    )]
    Sections {
        /// Sections of audio.
        audio: usize,
        /// Sections of anything else.
        other: usize,
    },
    /// More than [`MAX_CANDIDATES`].
    #[error("more than {MAX_CANDIDATES} ICE candidates")]
    TooManyCandidates,
    /// Something WebRTC needs is missing, or not as it has to be.
    #[error("{0} is missing or unusable")]
    Missing(&'static str),
    /// The audio section was rejected or has no codec that is taken.
    #[error("no audio codec was agreed on: Opus, G722, PCMU and PCMA are those there are")]
    NoCodec,
}

/// Checks an untrusted offer or answer before it is read any further.
///
/// # Errors
/// The first limit that is broken.
pub fn check_description(sdp: &str) -> Result<(), SdpError> {
    if sdp.len() > MAX_BYTES {
        return Err(SdpError::TooLarge);
    }
    if !sdp.starts_with("v=0") {
        return Err(SdpError::NotSdp);
    }
    let count = |prefix: &str| sdp.lines().filter(|line| line.starts_with(prefix)).count();
    let audio = count("m=audio ");
    let other = count("m=") - audio;
    if !(1..=1 + MAX_SPEAKERS).contains(&audio) || other > 0 {
        return Err(SdpError::Sections { audio, other });
    }
    if count("a=candidate:") > MAX_CANDIDATES {
        return Err(SdpError::TooManyCandidates);
    }
    for attribute in ["a=fingerprint:", "a=ice-ufrag:", "a=ice-pwd:"] {
        if count(attribute) == 0 {
            return Err(SdpError::Missing(attribute));
        }
    }
    Ok(())
}

/// The first section with what goes before it, which is the mix's, and each further
/// section.
pub(crate) fn sections(sdp: &str) -> (&str, Vec<&str>) {
    let mut starts: Vec<_> = sdp.match_indices("\nm=").map(|(at, _)| at + 1).collect();
    starts.push(sdp.len());
    let mix = starts.get(1).map_or(sdp, |end| &sdp[..*end]);
    let further = starts.windows(2).skip(1);
    (mix, further.map(|span| &sdp[span[0]..span[1]]).collect())
}

/// What an answer settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// What the audio is coded with, both ways.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// Payload types of telephone events with their clock rates (RFC 4733 §7.1.1).
    pub telephone_events: Vec<(u8, u32)>,
}

impl Negotiated {
    pub(crate) fn leg_config(&self, ssrc: u32) -> LegConfig {
        let mut formats = self.telephone_events.iter();
        let mut format = || {
            formats
                .next()
                .map(|&(payload_type, clock_rate)| TelephoneEventFormat {
                    payload_type,
                    clock_rate,
                })
        };
        LegConfig {
            telephone_events: [format(), format()],
            codec: self.codec,
            ..LegConfig::new(self.payload_type, ssrc)
        }
    }
}

/// Reads the payload types from an answer.
///
/// # Errors
/// [`SdpError::NoCodec`] when the audio section was rejected or has no codec we know.
pub fn negotiated(answer: &str) -> Result<Negotiated, SdpError> {
    settled(answer, &CODECS)
}

/// As [`negotiated`], where only `codecs` were offered.
pub(crate) fn settled(answer: &str, codecs: &[Codec]) -> Result<Negotiated, SdpError> {
    let (answer, _) = sections(answer);
    let rejected = answer.lines().any(|line| line.starts_with("m=audio 0 "));
    let mut telephone_events: Vec<_> = telephone_events(answer).collect();
    telephone_events.dedup();
    telephone_events.truncate(2);
    match codec(answer, codecs) {
        Some((codec, payload_type)) if !rejected => Ok(Negotiated {
            codec,
            payload_type,
            telephone_events,
        }),
        _ => Err(SdpError::NoCodec),
    }
}

/// The first of `wanted` that a description has, and its payload type.
pub(crate) fn codec(sdp: &str, wanted: &[Codec]) -> Option<(Codec, u8)> {
    let mapped: Vec<_> = sdp.lines().filter_map(rtpmap).collect();
    let payload_type = |wanted: Codec| {
        let name = encoding(wanted).to_ascii_lowercase();
        // Name and clock; the number of channels may be left out.
        let named =
            |(_, encoding): &&(u8, String)| encoding.split('/').take(2).eq(name.split('/').take(2));
        let mapped_to = mapped.iter().find(named).map(|(number, _)| *number);
        mapped_to.or_else(|| unmapped(sdp, &mapped, wanted))
    };
    wanted
        .iter()
        .find_map(|codec| Some((*codec, payload_type(*codec)?)))
}

/// A static payload type (RFC 3551 §6), which needs no `rtpmap`.
fn unmapped(sdp: &str, mapped: &[(u8, String)], wanted: Codec) -> Option<u8> {
    let number = static_type(wanted)?;
    let media = sdp.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    let mut listed = media.split(' ').skip(2);
    let is_listed = listed.any(|format| format.parse() == Ok(number));
    (is_listed && mapped.iter().all(|(other, _)| *other != number)).then_some(number)
}

fn static_type(codec: Codec) -> Option<u8> {
    match codec {
        Codec::Opus => None,
        Codec::Pcmu => Some(0),
        Codec::Pcma => Some(8),
        Codec::G722 => Some(9),
    }
}

/// A codec as `rtpmap` names it.
fn encoding(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "opus/48000/2",
        Codec::G722 => "G722/8000",
        Codec::Pcmu => "PCMU/8000",
        Codec::Pcma => "PCMA/8000",
    }
}

/// The telephone events an offer is best answered with: on the audio's clock if there
/// are such (RFC 4733 §7.1.1), else on another.
pub(crate) fn telephone_event(offer: &str, codec: Codec) -> Option<(u8, u32)> {
    telephone_events(offer).min_by_key(|(_, clock_rate)| *clock_rate != codec.clock_rate())
}

fn telephone_events(sdp: &str) -> impl Iterator<Item = (u8, u32)> {
    sdp.lines()
        .filter_map(rtpmap)
        .filter_map(|(payload_type, encoding)| {
            let clock_rate = encoding.strip_prefix("telephone-event/")?.parse().ok()?;
            matches!(clock_rate, 8_000 | 48_000).then_some((payload_type, clock_rate))
        })
}

/// `a=rtpmap:<payload type> <encoding name>/<clock rate>[/<parameters>]`
/// (RFC 8866 §6.6); encoding names are compared without case.
fn rtpmap(line: &str) -> Option<(u8, String)> {
    let (payload_type, encoding) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
    let payload_type: u8 = payload_type.parse().ok()?;
    (payload_type < 128).then(|| (payload_type, encoding.trim().to_ascii_lowercase()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111 110 126\r\na=fingerprint:sha-256 00\r\n\
        a=ice-ufrag:u\r\na=ice-pwd:p\r\na=rtpmap:111 opus/48000/2\r\n\
        a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n";

    #[test]
    fn reads_the_payload_types() {
        let negotiated = negotiated(ANSWER).unwrap();
        assert_eq!(
            (negotiated.codec, negotiated.payload_type),
            (Codec::Opus, 111)
        );
        assert_eq!(
            negotiated.telephone_events,
            vec![(110, 48_000), (126, 8_000)]
        );
        assert_eq!(check_description(ANSWER), Ok(()));
    }

    #[test]
    fn telephone_events_prefer_the_audios_clock() {
        assert_eq!(telephone_event(ANSWER, Codec::Pcmu), Some((126, 8_000)));
        assert_eq!(telephone_event(ANSWER, Codec::Opus), Some((110, 48_000)));
        let firefox = ANSWER.replace("a=rtpmap:110 telephone-event/48000\r\n", "");
        assert_eq!(telephone_event(&firefox, Codec::Opus), Some((126, 8_000)));
        assert_eq!(
            telephone_event("v=0\r\na=rtpmap:9 telephone-event/x\r\n", Codec::Opus),
            None
        );
    }

    #[test]
    fn a_rejected_section_has_no_codec() {
        let rejected = ANSWER.replace("m=audio 9 ", "m=audio 0 ");
        assert_eq!(negotiated(&rejected), Err(SdpError::NoCodec));
        assert_eq!(negotiated("v=0\r\n"), Err(SdpError::NoCodec));
    }

    #[test]
    fn the_best_codec_there_is_is_taken_named_or_by_its_static_number() {
        let offer = |formats: &str, maps: &str| format!("m=audio 9 P {formats}\r\n{maps}");
        let table = [
            (offer("0 8", ""), Some((Codec::Pcmu, 0))),
            (offer("8 13", ""), Some((Codec::Pcma, 8))),
            (offer("0 9", ""), Some((Codec::G722, 9))),
            (
                offer("96", "a=rtpmap:96 pcma/8000/1\r\n"),
                Some((Codec::Pcma, 96)),
            ),
            (offer("0", "a=rtpmap:0 speex/8000\r\n"), None),
            (
                offer("0 96", "a=rtpmap:96 OPUS/48000/2\r\n"),
                Some((Codec::Opus, 96)),
            ),
            (offer("18", ""), None),
            ("a=rtpmap:x opus/48000/2\r\n".to_owned(), None),
        ];
        for (sdp, expected) in table {
            assert_eq!(codec(&sdp, &CODECS), expected, "{sdp}");
        }
        assert_eq!(codec(&offer("0 8", ""), &[Codec::Opus]), None);
    }

    #[test]
    fn sections_are_cut_where_they_begin() {
        let further = ["m=audio 0 X 1\r\na=mid:m=1\r\n", "m=audio 9 Y 2\n"];
        let sdp = format!("{ANSWER}{}", further.concat());
        assert_eq!(sections(&sdp), (ANSWER, further.to_vec()));
        assert_eq!(sections(ANSWER), (ANSWER, vec![]));
        assert_eq!(sections("v=0\r\n"), ("v=0\r\n", vec![]));
    }

    #[test]
    fn limits_are_checked_in_order() {
        let table: [(String, SdpError); 7] = [
            ("a".repeat(MAX_BYTES + 1), SdpError::TooLarge),
            ("hello".into(), SdpError::NotSdp),
            (
                ANSWER.replace("m=audio", "m=video"),
                SdpError::Sections { audio: 0, other: 1 },
            ),
            (
                format!("{ANSWER}m=application 9 DTLS/SCTP 5000\r\n"),
                SdpError::Sections { audio: 1, other: 1 },
            ),
            (
                ANSWER.to_owned() + &"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n".repeat(5),
                SdpError::Sections { audio: 6, other: 0 },
            ),
            (
                ANSWER.to_owned() + &"a=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\n".repeat(65),
                SdpError::TooManyCandidates,
            ),
            (
                ANSWER.replace("a=ice-pwd", "a=x"),
                SdpError::Missing("a=ice-pwd:"),
            ),
        ];
        for (sdp, error) in table {
            assert_eq!(check_description(&sdp), Err(error));
        }
    }
}

//! Session descriptions (RFC 8866): limits on an untrusted text, what it says
//! that matters to us, and our own. Pure functions.

pub(crate) mod local;
pub(crate) mod remote;

use switchboard_media::engine::LegConfig;
use switchboard_media::receive::TelephoneEventFormat;

/// The largest description accepted, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most ICE candidates accepted in one description.
pub const MAX_CANDIDATES: usize = 64;

/// Why a description is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// More than [`MAX_BYTES`].
    #[error("larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// Does not begin with `v=0`.
    #[error("not an SDP: it must begin with the line v=0")]
    NotSdp,
    /// Anything but one media section.
    #[error(
        "must hold exactly one media section, an audio one; found {audio} audio and {other} other"
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
    /// The audio section was rejected or has no Opus.
    #[error("no Opus (rtpmap opus/48000) was agreed on")]
    NoOpus,
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
    if (audio, other) != (1, 0) {
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

/// What an answer settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Payload type of Opus.
    pub opus: u8,
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
            ..LegConfig::new(self.opus, ssrc)
        }
    }
}

/// Reads the payload types from an answer.
///
/// # Errors
/// [`SdpError::NoOpus`] when the audio section was rejected or has no Opus.
pub fn negotiated(answer: &str) -> Result<Negotiated, SdpError> {
    let rejected = answer.lines().any(|line| line.starts_with("m=audio 0 "));
    let mut encodings = answer.lines().filter_map(rtpmap);
    let opus = encodings.find_map(|(payload_type, encoding)| {
        encoding.starts_with("opus/48000").then_some(payload_type)
    });
    let mut telephone_events: Vec<_> = telephone_events(answer).collect();
    telephone_events.dedup();
    telephone_events.truncate(2);
    match opus {
        Some(opus) if !rejected => Ok(Negotiated {
            opus,
            telephone_events,
        }),
        _ => Err(SdpError::NoOpus),
    }
}

/// The telephone events an offer is best answered with: on Opus's clock if
/// there are such, else at 8 kHz.
pub(crate) fn telephone_event(offer: &str) -> Option<(u8, u32)> {
    telephone_events(offer).max_by_key(|(_, clock_rate)| *clock_rate)
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
        assert_eq!(negotiated.opus, 111);
        assert_eq!(
            negotiated.telephone_events,
            vec![(110, 48_000), (126, 8_000)]
        );
        assert_eq!(check_description(ANSWER), Ok(()));
    }

    #[test]
    fn telephone_events_prefer_opus_clock() {
        assert_eq!(telephone_event(ANSWER), Some((110, 48_000)));
        let firefox = ANSWER.replace("a=rtpmap:110 telephone-event/48000\r\n", "");
        assert_eq!(telephone_event(&firefox), Some((126, 8_000)));
        assert_eq!(
            telephone_event("v=0\r\na=rtpmap:9 telephone-event/x\r\n"),
            None
        );
    }

    #[test]
    fn a_rejected_section_has_no_opus() {
        let rejected = ANSWER.replace("m=audio 9 ", "m=audio 0 ");
        assert_eq!(negotiated(&rejected), Err(SdpError::NoOpus));
        assert_eq!(negotiated("v=0\r\n"), Err(SdpError::NoOpus));
    }

    #[test]
    fn limits_are_checked_in_order() {
        let table: [(String, SdpError); 6] = [
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

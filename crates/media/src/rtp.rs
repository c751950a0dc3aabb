//! RTP packets, read and written (RFC 3550 §5.1, header extension §5.3.1).

use thiserror::Error;

/// Length of the fixed header in bytes, before any CSRC or extension.
pub const HEADER_LEN: usize = 12;

/// The fields of an RTP header this pipeline uses (RFC 3550 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtpHeader {
    /// What the payload is, 0–127.
    pub payload_type: u8,
    /// Start of a talk-spurt for audio (RFC 3551 §4.1).
    pub marker: bool,
    /// Counts packets, wraps.
    pub sequence: u16,
    /// Counts clock ticks of the payload's rate, wraps.
    pub timestamp: u32,
    /// The stream's source.
    pub ssrc: u32,
    /// The first contributing source, if there is one: whose audio a mixer passed on.
    pub csrc: Option<u32>,
}

/// Why bytes are not an RTP packet. Nothing of the bytes is repeated in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RtpError {
    /// Fewer bytes than the header, its CSRC list or its extension need.
    #[error("RTP packet is cut short: {needed} bytes needed, {got} there")]
    Truncated {
        /// Bytes the fields announce.
        needed: usize,
        /// Bytes there are.
        got: usize,
    },
    /// The two version bits are not 2: not RTP (or SRTP read as RTP).
    #[error("not RTP: version {0} instead of 2")]
    Version(u8),
    /// The padding length is 0 or larger than what is left after the header.
    #[error("RTP padding of {padding} bytes does not fit a body of {body} bytes")]
    Padding {
        /// Bytes of padding the last byte announces.
        padding: usize,
        /// Bytes after the header.
        body: usize,
    },
    /// The payload type is one of 64–95, which RTCP packets take when both
    /// share a port (RFC 5761 §4).
    #[error("an RTCP packet, not RTP: hand it to the RTCP side")]
    Rtcp,
}

/// Splits a packet into its header and payload: CSRCs, extension and padding
/// are checked against the length and left out of the payload.
///
/// # Errors
/// [`RtpError`] when the bytes are not a well-formed RTP packet.
pub fn parse(bytes: &[u8]) -> Result<(RtpHeader, &[u8]), RtpError> {
    let fixed = take(bytes, HEADER_LEN)?;
    let version = fixed[0] >> 6;
    if version != 2 {
        return Err(RtpError::Version(version));
    }
    let payload_type = fixed[1] & 0x7f;
    if (64..96).contains(&payload_type) {
        return Err(RtpError::Rtcp);
    }
    let header = RtpHeader {
        payload_type,
        marker: fixed[1] & 0x80 != 0,
        sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
        timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        csrc: None,
    };
    let body = &bytes[body_offset(bytes, fixed[0])?..];
    let csrc = bytes[HEADER_LEN..].first_chunk().copied();
    let header = RtpHeader {
        csrc: csrc
            .filter(|_| fixed[0] & 0x0f != 0)
            .map(u32::from_be_bytes),
        ..header
    };
    let padded = fixed[0] & 0x20 != 0;
    Ok((header, if padded { unpad(body)? } else { body }))
}

/// The header extension's element of this identifier, in one-byte or two-byte form
/// (RFC 8285 §4.2, §4.3); `None` in a packet that has none or lies about lengths.
pub fn extension(bytes: &[u8], id: u8) -> Option<&[u8]> {
    let first = *bytes.first()?;
    let csrcs = HEADER_LEN + 4 * usize::from(first & 0x0f);
    let end = body_offset(bytes, first).ok()?;
    let mut elements = bytes.get(csrcs + 4..end)?;
    let wide = match [bytes[csrcs], bytes[csrcs + 1]] {
        [0xbe, 0xde] => false,
        [0x10, low] if low >> 4 == 0 => true,
        _ => return None,
    };
    while let Some((&head, rest)) = elements.split_first() {
        let (found, len, rest) = match (head, wide) {
            (0, _) => {
                elements = rest;
                continue;
            }
            (_, true) => (head, usize::from(*rest.first()?), &rest[1..]),
            // Identifier 15 ends the list (§4.2).
            (0xf0..=0xff, false) => return None,
            (_, false) => (head >> 4, usize::from(head & 0x0f) + 1, rest),
        };
        if found == id {
            return rest.get(..len);
        }
        elements = rest.get(len..)?;
    }
    None
}

/// Where the payload begins: after the CSRC list and the extension.
fn body_offset(bytes: &[u8], first: u8) -> Result<usize, RtpError> {
    let csrcs = HEADER_LEN + 4 * usize::from(first & 0x0f);
    take(bytes, csrcs)?;
    if first & 0x10 == 0 {
        return Ok(csrcs);
    }
    let head = &take(bytes, csrcs + 4)?[csrcs..];
    let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let end = csrcs + 4 + 4 * words;
    take(bytes, end)?;
    Ok(end)
}

fn unpad(body: &[u8]) -> Result<&[u8], RtpError> {
    let padding = body.last().map_or(0, |&count| usize::from(count));
    if padding == 0 || padding > body.len() {
        let body = body.len();
        return Err(RtpError::Padding { padding, body });
    }
    Ok(&body[..body.len() - padding])
}

fn take(bytes: &[u8], needed: usize) -> Result<&[u8], RtpError> {
    bytes.get(..needed).ok_or(RtpError::Truncated {
        needed,
        got: bytes.len(),
    })
}

impl RtpHeader {
    /// Whose audio it is: the contributing source, else the stream's own (RFC 3550 §7).
    pub fn source(&self) -> u32 {
        self.csrc.unwrap_or(self.ssrc)
    }

    /// Writes the header with its contributing source; gives its length, 12 or 16, and
    /// `None` when there is no room.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let (fixed, rest) = out.split_first_chunk_mut()?;
        *fixed = self.to_bytes();
        let Some(csrc) = self.csrc else {
            return Some(HEADER_LEN);
        };
        *rest.first_chunk_mut()? = csrc.to_be_bytes();
        fixed[0] |= 1;
        Some(HEADER_LEN + 4)
    }

    /// The header as the twelve bytes that go before the payload: no CSRC, no
    /// extension, no padding. A `payload_type` above 127 loses its top bit.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = 2 << 6;
        bytes[1] = (self.payload_type & 0x7f) | (u8::from(self.marker) << 7);
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, 111, 0, 7, 0, 0, 3, 192, 1, 2, 3, 4];
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn plain_packet() {
        let bytes = packet(0x80, b"opus");
        let (header, payload) = parse(&bytes).unwrap();
        assert_eq!(header.payload_type, 111);
        assert_eq!(header.sequence, 7);
        assert_eq!(header.timestamp, 960);
        assert_eq!(header.ssrc, 0x0102_0304);
        assert!(!header.marker);
        assert_eq!(payload, b"opus");
    }

    #[test]
    fn csrc_extension_and_padding_are_left_out() {
        let mut rest = vec![9; 8];
        rest.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0]);
        rest.extend_from_slice(b"opus");
        rest.extend_from_slice(&[0, 0, 3]);
        let bytes = packet(0x80 | 0x20 | 0x10 | 2, &rest);
        let (header, payload) = parse(&bytes).unwrap();
        assert_eq!(payload, b"opus");
        assert_eq!(header.csrc, Some(0x0909_0909));
        assert_eq!(header.source(), 0x0909_0909);
        assert_eq!(extension(&bytes, 1), Some(&[0xff][..]));
    }

    #[test]
    fn extension_elements_are_found_in_both_forms() {
        let with = |profile: [u8; 2], elements: &[u8]| {
            let mut rest = profile.to_vec();
            let words = elements.len().div_ceil(4);
            rest.extend_from_slice(&(words as u16).to_be_bytes());
            rest.extend_from_slice(elements);
            rest.resize(4 + 4 * words, 0);
            packet(0x90, &rest)
        };
        let short = with([0xbe, 0xde], &[0x10, 7, 0, 0x41, b'm', b'1']);
        assert_eq!(extension(&short, 4), Some(&b"m1"[..]));
        assert_eq!(extension(&short, 3), None);
        let long = with([0x10, 0], &[1, 1, 7, 0, 4, 2, b'm', b'1']);
        assert_eq!(extension(&long, 4), Some(&b"m1"[..]));
        let lies = [
            with([0xbe, 0xde], &[0x4f, 1, 2, 3]),
            with([0xbe, 0xde], &[0xf0, 0x40, 1, 0]),
            with([0x10, 0], &[4, 200, 1, 2]),
            with([0x10, 0], &[9, 9, 9, 4]),
            with([0xca, 0xfe], &[0x40, 1, 0, 0]),
            packet(0x80, b"opus"),
            packet(0x9f, &[0; 8]),
        ];
        for bytes in lies {
            assert_eq!(extension(&bytes, 4), None, "{bytes:?}");
        }
    }

    #[test]
    fn lies_about_lengths_are_errors() {
        assert_eq!(
            parse(&packet(0x8f, &[0; 8])),
            Err(RtpError::Truncated {
                needed: 72,
                got: 20
            })
        );
        let extension = packet(0x90, &[0xbe, 0xde, 0xff, 0xff, 0, 0]);
        assert!(matches!(parse(&extension), Err(RtpError::Truncated { .. })));
        for padding in [0, 5] {
            let bytes = packet(0xa0, &[1, 2, padding]);
            assert_eq!(
                parse(&bytes),
                Err(RtpError::Padding {
                    padding: usize::from(padding),
                    body: 3
                })
            );
        }
        assert!(matches!(
            parse(&packet(0xa0, &[])),
            Err(RtpError::Padding { .. })
        ));
        assert!(matches!(parse(&[0x80]), Err(RtpError::Truncated { .. })));
        assert_eq!(parse(&packet(0x40, b"")), Err(RtpError::Version(1)));
    }

    #[test]
    fn rtcp_is_told_apart() {
        let mut bytes = packet(0x80, &[]);
        bytes[1] = 200;
        assert_eq!(parse(&bytes), Err(RtpError::Rtcp));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok((_, payload)) = parse(&bytes) {
                prop_assert!(payload.len() <= bytes.len() - HEADER_LEN);
            }
            let _ = extension(&bytes, 4);
        }

        #[test]
        fn header_survives_the_wire(
            payload_type in (0u8..64).prop_union(96..128), marker: bool, sequence: u16, timestamp: u32, ssrc: u32,
            csrc: Option<u32>, payload in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let header = RtpHeader { payload_type, marker, sequence, timestamp, ssrc, csrc };
            let mut bytes = vec![0; HEADER_LEN + 4];
            let len = header.write(&mut bytes).unwrap();
            bytes.truncate(len);
            bytes.extend_from_slice(&payload);
            prop_assert_eq!(parse(&bytes), Ok((header, &payload[..])));
        }
    }
}

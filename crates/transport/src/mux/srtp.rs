//! SRTP and SRTCP in place, without allocation after set-up (RFC 3711,
//! RFC 7714): one direction each for what comes and what goes.
//!
//! Nothing a sender says is believed before its tag is: sources, rollover
//! counters and replay windows change only for packets that proved themselves.

mod cipher;
mod index;
mod sources;

use rtc::crypto::RTCCrypto;
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;

use cipher::Cipher;
use sources::Sources;

pub(crate) use cipher::{MAX_RTCP_OVERHEAD, MAX_RTP_OVERHEAD};

/// Fixed part of an RTP header (RFC 3550 §5.1).
const RTP_HEADER: usize = 12;
/// What of an RTCP packet stays in the clear (RFC 3711 §3.4).
const RTCP_HEADER: usize = 8;
/// Sources of our own: a nonce must not be used twice, so none is forgotten.
const MAX_SOURCES: usize = 16;

/// Why a packet was not taken. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SrtpError {
    /// Lengths that do not fit the packet.
    #[error("malformed")]
    Malformed,
    /// The tag is wrong.
    #[error("not authentic")]
    Forged,
    /// Seen before, or too old to tell.
    #[error("replayed")]
    Replayed,
    /// More sources of our own than are remembered.
    #[error("too many sources")]
    TooManySources,
    /// The cipher refused; only for keys or profiles that can't be used.
    #[error("cipher failure")]
    Cipher,
}

/// The profiles we negotiate, the better first. RFC 8827 §6.5 demands the second.
pub(crate) const PROFILES: [SrtpProtectionProfile; 2] = [
    SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
    SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
];

/// Bytes the DTLS exporter must give for a profile (RFC 5764 §4.2).
pub(crate) fn keying_material_len(profile: SrtpProtectionProfile) -> Option<usize> {
    Some(2 * (cipher::KEY_LEN + cipher::salt_len(profile)?))
}

/// Both directions, from the exporter's bytes: client key, server key, client
/// salt, server salt.
pub(crate) fn contexts(
    profile: SrtpProtectionProfile,
    material: &[u8],
    is_client: bool,
    crypto: &dyn RTCCrypto,
) -> Result<(Sender, Receiver), SrtpError> {
    let salt_len = cipher::salt_len(profile).ok_or(SrtpError::Cipher)?;
    if Some(material.len()) != keying_material_len(profile) {
        return Err(SrtpError::Cipher);
    }
    let (keys, salts) = material.split_at(2 * cipher::KEY_LEN);
    let (client_key, server_key) = keys.split_at(cipher::KEY_LEN);
    let (client_salt, server_salt) = salts.split_at(salt_len);
    let client = Cipher::new(profile, client_key, client_salt, crypto)?;
    let server = Cipher::new(profile, server_key, server_salt, crypto)?;
    let (local, remote) = if is_client {
        (client, server)
    } else {
        (server, client)
    };
    Ok((Sender::new(local), Receiver::new(remote)))
}

/// Protects what is sent.
pub(crate) struct Sender {
    cipher: Cipher,
    /// Sources and the index of each one's next packet: rollover counter and sequence
    /// number in one.
    next: Vec<(u32, u64)>,
    next_rtcp: u32,
}

impl Sender {
    fn new(cipher: Cipher) -> Self {
        Self {
            cipher,
            next: Vec::with_capacity(MAX_SOURCES),
            next_rtcp: 1,
        }
    }

    /// The sequence number a source's next packet must carry. Numbers are given out
    /// here and nowhere else: using one twice would use a nonce twice.
    pub(crate) fn sequence(&self, ssrc: u32) -> u16 {
        let mut sources = self.next.iter();
        let source = sources.find(|(known, _)| *known == ssrc);
        source.map_or(0, |(_, next)| *next as u16)
    }

    /// Protects the packet in `buffer[..len]`, whose header carries its source's
    /// [`sequence`](Self::sequence); returns its new length.
    pub(crate) fn protect(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        if len < RTP_HEADER || buffer.len() < len + MAX_RTP_OVERHEAD {
            return Err(SrtpError::Malformed);
        }
        let header = header_len(&buffer[..len])?;
        let sequence = u16::from_be_bytes([buffer[2], buffer[3]]);
        let index = self.next_index(ssrc_at(buffer, 8), sequence)?;
        self.cipher.seal_rtp(buffer, header, len, index)
    }

    /// The index of a source's next packet, which is spent by that.
    fn next_index(&mut self, ssrc: u32, sequence: u16) -> Result<u64, SrtpError> {
        let known = self.next.iter().position(|(known, _)| *known == ssrc);
        let at = match known {
            Some(at) => at,
            None if self.next.len() == MAX_SOURCES => return Err(SrtpError::TooManySources),
            None => {
                self.next.push((ssrc, 0));
                self.next.len() - 1
            }
        };
        let index = self.next[at].1;
        if sequence != index as u16 {
            return Err(SrtpError::Replayed);
        }
        self.next[at].1 += 1;
        Ok(index)
    }

    /// Protects the compound RTCP packet in `buffer[..len]`; returns its new length.
    pub(crate) fn protect_rtcp(
        &mut self,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<usize, SrtpError> {
        if len < RTCP_HEADER || buffer.len() < len + MAX_RTCP_OVERHEAD {
            return Err(SrtpError::Malformed);
        }
        let index = self.next_rtcp;
        self.next_rtcp = (index + 1) & cipher::RTCP_INDEX_MASK;
        self.cipher.seal_rtcp(buffer, RTCP_HEADER, len, index)
    }
}

/// Checks and opens what comes.
pub(crate) struct Receiver {
    cipher: Cipher,
    sources: Sources,
    rtcp_sources: Sources,
    /// A source of which the first packet came.
    new: Option<u32>,
}

impl Receiver {
    fn new(cipher: Cipher) -> Self {
        Self {
            cipher,
            sources: Sources::new(),
            rtcp_sources: Sources::new(),
            new: None,
        }
    }

    /// The source that the latest packet was the first of.
    pub(crate) fn take_new(&mut self) -> Option<u32> {
        self.new.take()
    }

    /// Checks and decrypts an RTP packet in place; the plain packet is the
    /// first bytes of `packet`, as many as are returned.
    pub(crate) fn open(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let header_len = header_len(packet)?;
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let ssrc = ssrc_at(packet, 8);
        let index = match self.sources.window(ssrc) {
            Some(window) => {
                let index = window.estimate(sequence);
                window.check(index)?;
                index
            }
            None => u64::from(sequence),
        };
        let len = self.cipher.open_rtp(packet, header_len, index)?;
        self.new = self.sources.accept(ssrc, index).then_some(ssrc);
        Ok(len)
    }

    /// Checks and decrypts a compound RTCP packet in place, as [`open`](Self::open).
    pub(crate) fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        if packet.len() < RTCP_HEADER {
            return Err(SrtpError::Malformed);
        }
        let ssrc = ssrc_at(packet, 4);
        let index = self.cipher.rtcp_index(packet)?;
        if let Some(window) = self.rtcp_sources.window(ssrc) {
            window.check(u64::from(index))?;
        }
        let len = self.cipher.open_rtcp(packet, RTCP_HEADER, index)?;
        self.rtcp_sources.accept(ssrc, u64::from(index));
        Ok(len)
    }
}

/// Length of an RTP header with its CSRC list and extension, which stay in the
/// clear (RFC 3711 §3.1).
fn header_len(packet: &[u8]) -> Result<usize, SrtpError> {
    let first = *packet.first().ok_or(SrtpError::Malformed)?;
    let mut len = RTP_HEADER + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = packet.get(len + 2..len + 4).ok_or(SrtpError::Malformed)?;
        len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    if first >> 6 != 2 || packet.len() < len {
        return Err(SrtpError::Malformed);
    }
    Ok(len)
}

fn ssrc_at(packet: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
}

#[cfg(test)]
mod tests;

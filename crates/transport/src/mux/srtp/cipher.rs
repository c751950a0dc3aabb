//! The two protection profiles as one direction's keyed cipher.

use rtc::crypto::{
    AeadAlgorithm, AeadCipher, HmacAlgorithm, Mac, RTCCrypto, StreamCipher, StreamCipherAlgorithm,
    constant_time_eq,
};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use zeroize::Zeroizing;

use super::{SrtpError, ssrc_at};

/// Both profiles use AES-128.
pub(super) const KEY_LEN: usize = 16;
const CM_SALT: usize = 14;
const GCM_SALT: usize = 12;
/// AEAD_AES_128_GCM's tag (RFC 7714 §14.2).
const GCM_TAG: usize = 16;
/// HMAC-SHA1's, cut to 80 bits (RFC 3711 §4.2.1).
const CM_TAG: usize = 10;
const SHA1_LEN: usize = 20;
const SHA1_KEY: usize = 20;
/// The E flag and index at the end of SRTCP (RFC 3711 §3.4).
const RTCP_TRAILER: usize = 4;
pub(super) const RTCP_INDEX_MASK: u32 = 0x7fff_ffff;
const ENCRYPTED: u32 = 0x8000_0000;

/// The most a packet grows.
pub(crate) const MAX_RTP_OVERHEAD: usize = GCM_TAG;
/// The most an RTCP packet grows.
pub(crate) const MAX_RTCP_OVERHEAD: usize = GCM_TAG + RTCP_TRAILER;

/// Labels of the key derivation (RFC 3711 §4.3.2); SRTCP's are 3 above.
const LABEL_KEY: u8 = 0;
const LABEL_AUTH: u8 = 1;
const LABEL_SALT: u8 = 2;
const RTCP_LABELS: u8 = 3;

pub(super) fn salt_len(profile: SrtpProtectionProfile) -> Option<usize> {
    match profile {
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Some(GCM_SALT),
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Some(CM_SALT),
        _ => None,
    }
}

pub(super) enum Cipher {
    Gcm { rtp: Gcm, rtcp: Gcm },
    Cm { rtp: Cm, rtcp: Cm },
}

/// A key of AEAD_AES_128_GCM (RFC 7714).
pub(super) struct Gcm {
    aead: Box<dyn AeadCipher>,
    salt: [u8; GCM_SALT],
}

/// Keys of AES_CM_128_HMAC_SHA1_80 (RFC 3711).
pub(super) struct Cm {
    stream: Box<dyn StreamCipher>,
    mac: Box<dyn Mac>,
    salt: [u8; CM_SALT],
}

impl Cipher {
    pub(super) fn new(
        profile: SrtpProtectionProfile,
        key: &[u8],
        salt: &[u8],
        crypto: &dyn RTCCrypto,
    ) -> Result<Self, SrtpError> {
        let derive = Derivation { key, salt, crypto };
        match profile {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Ok(Self::Gcm {
                rtp: derive.gcm(0)?,
                rtcp: derive.gcm(RTCP_LABELS)?,
            }),
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Ok(Self::Cm {
                rtp: derive.cm(0)?,
                rtcp: derive.cm(RTCP_LABELS)?,
            }),
            _ => Err(SrtpError::Cipher),
        }
    }

    /// Encrypts `buffer[header..len]` and appends the tag.
    pub(super) fn seal_rtp(
        &mut self,
        buffer: &mut [u8],
        header: usize,
        len: usize,
        index: u64,
    ) -> Result<usize, SrtpError> {
        let ssrc = ssrc_at(buffer, 8);
        match self {
            Self::Gcm { rtp, .. } => {
                let nonce = rtp.nonce(ssrc, index);
                let (packet, tag) = buffer[..len + GCM_TAG].split_at_mut(len);
                let (header, body) = packet.split_at_mut(header);
                rtp.seal(&nonce, header, body, tag)?;
                Ok(len + GCM_TAG)
            }
            Self::Cm { rtp, .. } => {
                rtp.apply(ssrc, index, &mut buffer[header..len])?;
                let rollover = ((index >> 16) as u32).to_be_bytes();
                let tag = rtp.tag(&[&buffer[..len], &rollover])?;
                buffer[len..len + CM_TAG].copy_from_slice(&tag[..CM_TAG]);
                Ok(len + CM_TAG)
            }
        }
    }

    /// Checks the tag, then decrypts in place; returns the plain length.
    pub(super) fn open_rtp(
        &mut self,
        packet: &mut [u8],
        header: usize,
        index: u64,
    ) -> Result<usize, SrtpError> {
        let ssrc = ssrc_at(packet, 8);
        match self {
            Self::Gcm { rtp, .. } => {
                let nonce = rtp.nonce(ssrc, index);
                let len = body_end(packet, header, GCM_TAG)?;
                let (sealed, tag) = packet.split_at_mut(len);
                let (header, body) = sealed.split_at_mut(header);
                rtp.open(&nonce, header, body, tag)?;
                Ok(len)
            }
            Self::Cm { rtp, .. } => {
                let len = body_end(packet, header, CM_TAG)?;
                let rollover = ((index >> 16) as u32).to_be_bytes();
                rtp.check(&[&packet[..len], &rollover], &packet[len..])?;
                rtp.apply(ssrc, index, &mut packet[header..len])?;
                Ok(len)
            }
        }
    }

    /// Encrypts RTCP after its header and appends tag, E flag and index.
    pub(super) fn seal_rtcp(
        &mut self,
        buffer: &mut [u8],
        header: usize,
        len: usize,
        index: u32,
    ) -> Result<usize, SrtpError> {
        let ssrc = ssrc_at(buffer, 4);
        let trailer = (index | ENCRYPTED).to_be_bytes();
        match self {
            Self::Gcm { rtcp, .. } => {
                let nonce = rtcp.nonce(ssrc, u64::from(index));
                let aad = rtcp_aad(buffer, header, trailer);
                let (packet, rest) = buffer.split_at_mut(len);
                rtcp.seal(&nonce, &aad, &mut packet[header..], &mut rest[..GCM_TAG])?;
                rest[GCM_TAG..GCM_TAG + RTCP_TRAILER].copy_from_slice(&trailer);
                Ok(len + GCM_TAG + RTCP_TRAILER)
            }
            Self::Cm { rtcp, .. } => {
                rtcp.apply(ssrc, u64::from(index), &mut buffer[header..len])?;
                let end = len + RTCP_TRAILER;
                buffer[len..end].copy_from_slice(&trailer);
                let tag = rtcp.tag(&[&buffer[..end]])?;
                buffer[end..end + CM_TAG].copy_from_slice(&tag[..CM_TAG]);
                Ok(end + CM_TAG)
            }
        }
    }

    /// The index an SRTCP packet claims; unencrypted ones are refused.
    pub(super) fn rtcp_index(&self, packet: &[u8]) -> Result<u32, SrtpError> {
        let after = match self {
            Self::Gcm { .. } => 0,
            Self::Cm { .. } => CM_TAG,
        };
        let at = packet.len().checked_sub(after + RTCP_TRAILER);
        let word = at.and_then(|at| packet.get(at..at + RTCP_TRAILER));
        let word = word.ok_or(SrtpError::Malformed)?;
        let word = u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
        if word & ENCRYPTED == 0 {
            return Err(SrtpError::Malformed);
        }
        Ok(word & RTCP_INDEX_MASK)
    }

    /// As [`open_rtp`](Self::open_rtp), for RTCP.
    pub(super) fn open_rtcp(
        &mut self,
        packet: &mut [u8],
        header: usize,
        index: u32,
    ) -> Result<usize, SrtpError> {
        let ssrc = ssrc_at(packet, 4);
        match self {
            Self::Gcm { rtcp, .. } => {
                let nonce = rtcp.nonce(ssrc, u64::from(index));
                let len = body_end(packet, header, GCM_TAG + RTCP_TRAILER)?;
                let aad = rtcp_aad(packet, header, (index | ENCRYPTED).to_be_bytes());
                let (sealed, rest) = packet.split_at_mut(len);
                rtcp.open(&nonce, &aad, &mut sealed[header..], &rest[..GCM_TAG])?;
                Ok(len)
            }
            Self::Cm { rtcp, .. } => {
                let len = body_end(packet, header, RTCP_TRAILER + CM_TAG)?;
                let (signed, tag) = packet.split_at(len + RTCP_TRAILER);
                rtcp.check(&[signed], tag)?;
                rtcp.apply(ssrc, u64::from(index), &mut packet[header..len])?;
                Ok(len)
            }
        }
    }
}

/// Where the body ends when `overhead` bytes follow it.
fn body_end(packet: &[u8], header: usize, overhead: usize) -> Result<usize, SrtpError> {
    let end = packet.len().checked_sub(overhead);
    end.filter(|end| *end >= header).ok_or(SrtpError::Malformed)
}

/// Header, E flag and index (RFC 7714 §9.2).
fn rtcp_aad(packet: &[u8], header: usize, trailer: [u8; RTCP_TRAILER]) -> [u8; 12] {
    let mut aad = [0; 12];
    aad[..8].copy_from_slice(&packet[..header]);
    aad[8..].copy_from_slice(&trailer);
    aad
}

impl Gcm {
    /// Two zero bytes, SSRC, 48-bit index; exclusive-or the salt (RFC 7714 §8.1,
    /// and §9.1 where the index is SRTCP's).
    fn nonce(&self, ssrc: u32, index: u64) -> [u8; GCM_SALT] {
        let mut nonce = [0; GCM_SALT];
        nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
        nonce[6..].copy_from_slice(&index.to_be_bytes()[2..]);
        for (byte, salt) in nonce.iter_mut().zip(&self.salt) {
            *byte ^= salt;
        }
        nonce
    }

    fn seal(
        &mut self,
        nonce: &[u8],
        aad: &[u8],
        body: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), SrtpError> {
        self.aead
            .seal_in_place(nonce, aad, body, tag)
            .map_err(|_| SrtpError::Cipher)
    }

    fn open(
        &mut self,
        nonce: &[u8],
        aad: &[u8],
        body: &mut [u8],
        tag: &[u8],
    ) -> Result<(), SrtpError> {
        self.aead
            .open_in_place(nonce, aad, body, tag)
            .map_err(|_| SrtpError::Forged)
    }
}

impl Cm {
    /// The keystream of one packet (RFC 3711 §4.1.1).
    fn apply(&mut self, ssrc: u32, index: u64, body: &mut [u8]) -> Result<(), SrtpError> {
        let mut iv = [0; 16];
        iv[..CM_SALT].copy_from_slice(&self.salt);
        for (byte, part) in iv[4..8].iter_mut().zip(ssrc.to_be_bytes()) {
            *byte ^= part;
        }
        for (byte, part) in iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
            *byte ^= part;
        }
        self.stream
            .apply_keystream(&iv, body)
            .map_err(|_| SrtpError::Cipher)
    }

    fn tag(&mut self, signed: &[&[u8]]) -> Result<[u8; SHA1_LEN], SrtpError> {
        let mut tag = [0; SHA1_LEN];
        self.mac
            .sign(signed, &mut tag)
            .map_err(|_| SrtpError::Cipher)?;
        Ok(tag)
    }

    fn check(&mut self, signed: &[&[u8]], tag: &[u8]) -> Result<(), SrtpError> {
        if constant_time_eq(&self.tag(signed)?[..CM_TAG], tag) {
            Ok(())
        } else {
            Err(SrtpError::Forged)
        }
    }
}

/// Session keys from a master key and salt (RFC 3711 §4.3).
struct Derivation<'a> {
    key: &'a [u8],
    salt: &'a [u8],
    crypto: &'a dyn RTCCrypto,
}

impl Derivation<'_> {
    fn bytes<const N: usize>(&self, label: u8) -> Result<Zeroizing<[u8; N]>, SrtpError> {
        let mut input = [0; 16];
        input[..self.salt.len()].copy_from_slice(self.salt);
        input[7] ^= label;
        let mut bytes = Zeroizing::new([0; N]);
        self.crypto
            .new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, self.key)
            .and_then(|mut stream| stream.apply_keystream(&input, &mut bytes[..]))
            .map_err(|_| SrtpError::Cipher)?;
        Ok(bytes)
    }

    fn gcm(&self, labels: u8) -> Result<Gcm, SrtpError> {
        let key = self.bytes::<KEY_LEN>(labels + LABEL_KEY)?;
        let aead = self.crypto.new_aead(AeadAlgorithm::Aes128Gcm, &key[..]);
        Ok(Gcm {
            aead: aead.map_err(|_| SrtpError::Cipher)?,
            salt: *self.bytes(labels + LABEL_SALT)?,
        })
    }

    fn cm(&self, labels: u8) -> Result<Cm, SrtpError> {
        let key = self.bytes::<KEY_LEN>(labels + LABEL_KEY)?;
        let auth = self.bytes::<SHA1_KEY>(labels + LABEL_AUTH)?;
        let stream = self
            .crypto
            .new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, &key[..]);
        let mac = self.crypto.new_hmac(HmacAlgorithm::Sha1, &auth[..]);
        Ok(Cm {
            stream: stream.map_err(|_| SrtpError::Cipher)?,
            mac: mac.map_err(|_| SrtpError::Cipher)?,
            salt: *self.bytes(labels + LABEL_SALT)?,
        })
    }
}

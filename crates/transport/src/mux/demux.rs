//! Which call a datagram belongs to. Pure: bytes and addresses in, a call out.
//!
//! A connectivity check names its call (the first half of its USERNAME is the
//! fragment we gave out), an answer to our own check is known by its
//! transaction, everything else by the address it comes from – once ICE has
//! validated that address for a call, and never before. Media from an address of no call
//! goes to the one that its source was heard in, where it has to prove itself.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

/// Place of a call in the driver's table.
pub(crate) type Slot = usize;
/// STUN's transaction id (RFC 8489 §5).
pub(crate) type Transaction = [u8; 12];

const MAGIC_COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
const STUN_HEADER: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const USERNAME: u16 = 0x0006;
/// Own checks whose answer may still come.
const PENDING: usize = 4096;

/// What a datagram is, by its first byte (RFC 7983 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// A connectivity check, and the fragment of ours it names.
    Check(&'a str),
    /// Another STUN message: the answer to a check of ours, if to anything.
    StunAnswer(Transaction),
    Dtls,
    Rtp,
    Rtcp,
}

/// Tells what a datagram is; `None` when it is nothing we speak.
pub(crate) fn classify(bytes: &[u8]) -> Option<Kind<'_>> {
    match *bytes.first()? {
        0..=3 => stun(bytes),
        20..=63 => Some(Kind::Dtls),
        // RFC 5761 §4: payload types 64–95 with the marker bit are RTCP's.
        128..=191 => match bytes.get(1)? {
            192..=223 => Some(Kind::Rtcp),
            _ => Some(Kind::Rtp),
        },
        _ => None,
    }
}

fn stun(bytes: &[u8]) -> Option<Kind<'_>> {
    let header = bytes.get(..STUN_HEADER)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[4..8] != MAGIC_COOKIE || bytes.len() != STUN_HEADER + length {
        return None;
    }
    if u16::from_be_bytes([header[0], header[1]]) == BINDING_REQUEST {
        return fragment(&bytes[STUN_HEADER..]).map(Kind::Check);
    }
    transaction(bytes).map(Kind::StunAnswer)
}

/// The transaction id of a STUN message.
pub(crate) fn transaction(bytes: &[u8]) -> Option<Transaction> {
    bytes.get(8..STUN_HEADER)?.try_into().ok()
}

/// Whether these bytes are a check of ours, for which an answer may come.
pub(crate) fn is_check(bytes: &[u8]) -> bool {
    bytes.starts_with(&BINDING_REQUEST.to_be_bytes()) && bytes.len() >= STUN_HEADER
}

/// What is before the colon in USERNAME: the receiver's fragment (RFC 8445 §7.2.2).
fn fragment(mut attributes: &[u8]) -> Option<&str> {
    while let [t0, t1, l0, l1, rest @ ..] = attributes {
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let value = rest.get(..length)?;
        if u16::from_be_bytes([*t0, *t1]) == USERNAME {
            return std::str::from_utf8(value).ok()?.split(':').next();
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// The tables behind the shared port.
#[derive(Default)]
pub(crate) struct Demux {
    fragments: HashMap<String, Slot>,
    addresses: HashMap<SocketAddr, Slot>,
    transactions: HashMap<Transaction, Slot>,
    /// Sources of media (SSRC) that proved themselves.
    sources: HashMap<u32, Slot>,
    /// In the order they were sent, to forget the oldest.
    sent: VecDeque<Transaction>,
}

impl Demux {
    /// A call whose checks will name `fragment`.
    pub(crate) fn open(&mut self, fragment: String, slot: Slot) {
        self.fragments.insert(fragment, slot);
    }

    /// The call a datagram from `from` goes to.
    pub(crate) fn route(&self, from: SocketAddr, kind: Kind<'_>) -> Option<Slot> {
        match kind {
            Kind::Check(fragment) => self.fragments.get(fragment).copied(),
            Kind::StunAnswer(transaction) => self.transactions.get(&transaction).copied(),
            Kind::Dtls | Kind::Rtp | Kind::Rtcp => self.addresses.get(&from).copied(),
        }
    }

    /// Remembers a check that `slot` sent.
    pub(crate) fn sent(&mut self, transaction: Transaction, slot: Slot) {
        if self.sent.len() == PENDING
            && let Some(oldest) = self.sent.pop_front()
        {
            self.transactions.remove(&oldest);
        }
        self.sent.push_back(transaction);
        self.transactions.insert(transaction, slot);
    }

    /// The call that holds an address.
    pub(crate) fn holder(&self, address: SocketAddr) -> Option<Slot> {
        self.addresses.get(&address).copied()
    }

    /// Gives an address to the call that validated it.
    pub(crate) fn validated(&mut self, address: SocketAddr, slot: Slot) {
        self.addresses.insert(address, slot);
    }

    /// A source of media proved itself in a call. One that two calls have is the first one's.
    pub(crate) fn heard(&mut self, ssrc: u32, slot: Slot) {
        self.sources.entry(ssrc).or_insert(slot);
    }

    /// The call in which the source of a media packet was heard.
    pub(crate) fn source(&self, packet: &[u8], kind: Kind<'_>) -> Option<Slot> {
        let ssrc = packet.get(8..12).filter(|_| kind == Kind::Rtp)?;
        self.sources
            .get(&u32::from_be_bytes(ssrc.try_into().ok()?))
            .copied()
    }

    /// Forgets a call.
    pub(crate) fn close(&mut self, slot: Slot) {
        self.fragments.retain(|_, held| *held != slot);
        self.addresses.retain(|_, held| *held != slot);
        self.transactions.retain(|_, held| *held != slot);
        self.sources.retain(|_, held| *held != slot);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(username: &str) -> Vec<u8> {
        let mut attributes = vec![0x80, 0x22, 0, 3, b'a', b'b', b'c', 0];
        attributes.extend_from_slice(&USERNAME.to_be_bytes());
        attributes.extend_from_slice(&(username.len() as u16).to_be_bytes());
        attributes.extend_from_slice(username.as_bytes());
        attributes.resize(attributes.len().next_multiple_of(4), 0);
        let mut bytes = BINDING_REQUEST.to_be_bytes().to_vec();
        bytes.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
        bytes.extend_from_slice(&MAGIC_COOKIE);
        bytes.extend_from_slice(&[7; 12]);
        bytes.extend_from_slice(&attributes);
        bytes
    }

    #[test]
    fn a_check_goes_to_the_call_it_names_wherever_it_comes_from() {
        let mut demux = Demux::default();
        demux.open("mine".into(), 3);
        let bytes = check("mine:theirs");
        let kind = classify(&bytes).unwrap();
        assert_eq!(kind, Kind::Check("mine"));
        let from = "192.0.2.1:9".parse().unwrap();
        assert_eq!(demux.route(from, kind), Some(3));
        let other = check("other:theirs");
        assert_eq!(demux.route(from, classify(&other).unwrap()), None);
    }

    #[test]
    fn media_and_handshakes_need_a_validated_address() {
        let mut demux = Demux::default();
        let from: SocketAddr = "192.0.2.1:9".parse().unwrap();
        for bytes in [[22, 0], [0x80, 111], [0x80, 200]] {
            let kind = classify(&bytes).unwrap();
            assert_eq!(demux.route(from, kind), None);
        }
        demux.validated(from, 5);
        assert_eq!(demux.route(from, Kind::Rtp), Some(5));
        assert_eq!(
            demux.route("192.0.2.1:10".parse().unwrap(), Kind::Rtp),
            None
        );
        demux.close(5);
        assert_eq!(demux.route(from, Kind::Rtp), None);
    }

    #[test]
    fn media_from_elsewhere_goes_where_its_source_was_heard() {
        let mut demux = Demux::default();
        let mut packet = [0; 12];
        (packet[0], packet[1]) = (0x80, 111);
        packet[8..].copy_from_slice(&77_u32.to_be_bytes());
        let call = |demux: &Demux, bytes: &[u8]| demux.source(bytes, classify(bytes).unwrap());
        assert_eq!(call(&demux, &packet), None);
        demux.heard(77, 3);
        demux.heard(77, 4);
        assert_eq!(call(&demux, &packet), Some(3));
        assert_eq!(call(&demux, &packet[..11]), None);
        // Neither reports nor handshakes.
        packet[1] = 200;
        assert_eq!(call(&demux, &packet), None);
        packet[1] = 111;
        demux.close(3);
        assert_eq!(call(&demux, &packet), None);
    }

    #[test]
    fn answers_go_to_the_call_that_asked_and_old_questions_are_forgotten() {
        let mut demux = Demux::default();
        let from = "192.0.2.1:9".parse().unwrap();
        let id = |n: u32| {
            let mut id = [0; 12];
            id[..4].copy_from_slice(&n.to_be_bytes());
            id
        };
        for n in 0..=PENDING as u32 {
            demux.sent(id(n), 1);
        }
        assert_eq!(demux.route(from, Kind::StunAnswer(id(0))), None);
        assert_eq!(demux.route(from, Kind::StunAnswer(id(1))), Some(1));
        assert_eq!(demux.transactions.len(), PENDING);
    }

    #[test]
    fn rtcp_is_told_from_rtp() {
        assert_eq!(classify(&[0x80, 200]), Some(Kind::Rtcp));
        assert_eq!(classify(&[0x80, 0x80 | 111]), Some(Kind::Rtp));
        assert_eq!(classify(&[0x80]), None);
        assert_eq!(classify(&[4, 0]), None);
        assert_eq!(classify(&[]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(mut bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = classify(&bytes);
            if bytes.len() >= STUN_HEADER {
                let length = (bytes.len() - STUN_HEADER) as u16;
                bytes[..2].copy_from_slice(&BINDING_REQUEST.to_be_bytes());
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                bytes[4..8].copy_from_slice(&MAGIC_COOKIE);
                let _ = classify(&bytes);
            }
        }
    }
}

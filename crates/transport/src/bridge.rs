//! Packets from one session straight to another: two rings of boxed packets
//! each way, allocated when the bridge is made.

use rtrb::{Consumer, Producer, RingBuffer};
use switchboard_media::codec::Codec;
use switchboard_media::engine::MAX_PAYLOAD;
use zeroize::Zeroize;

use crate::sdp::Negotiated;

/// Packets that may wait between two bridged sessions: 0.64 s.
const DEPTH: usize = 32;

/// A packet's meaning, where payload types may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Audio(Codec),
    TelephoneEvent(u32),
}

/// A packet on its way. Wiped when it has been sent on.
pub(crate) struct Bridged {
    pub(crate) kind: Kind,
    pub(crate) marker: bool,
    pub(crate) timestamp: u32,
    len: usize,
    bytes: [u8; MAX_PAYLOAD],
}

impl Bridged {
    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn wipe(&mut self) {
        self.bytes[..self.len].zeroize();
        self.len = 0;
    }
}

impl Drop for Bridged {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// One session's side of a bridge.
pub(crate) struct BridgeEnd {
    to: Producer<Box<Bridged>>,
    empty: Consumer<Box<Bridged>>,
    from: Consumer<Box<Bridged>>,
    done: Producer<Box<Bridged>>,
}

/// Both ends.
pub(crate) fn bridge_ends() -> (BridgeEnd, BridgeEnd) {
    let (to_b, empty_a, from_a, done_b) = lane();
    let (to_a, empty_b, from_b, done_a) = lane();
    (
        BridgeEnd {
            to: to_b,
            empty: empty_a,
            from: from_b,
            done: done_a,
        },
        BridgeEnd {
            to: to_a,
            empty: empty_b,
            from: from_a,
            done: done_b,
        },
    )
}

type Lane = (
    Producer<Box<Bridged>>,
    Consumer<Box<Bridged>>,
    Consumer<Box<Bridged>>,
    Producer<Box<Bridged>>,
);

fn lane() -> Lane {
    let (to, from) = RingBuffer::new(DEPTH);
    let (mut done, empty) = RingBuffer::new(DEPTH);
    for _ in 0..DEPTH {
        // The ring has exactly this much room.
        let _ = done.push(Box::new(Bridged {
            kind: Kind::Audio(Codec::Opus),
            marker: false,
            timestamp: 0,
            len: 0,
            bytes: [0; MAX_PAYLOAD],
        }));
    }
    (to, empty, from, done)
}

impl BridgeEnd {
    /// Sends a packet across; a slow other side loses audio rather than
    /// holding up this one.
    pub(crate) fn send(&mut self, kind: Kind, marker: bool, timestamp: u32, payload: &[u8]) {
        if payload.len() > MAX_PAYLOAD {
            return;
        }
        let Ok(mut packet) = self.empty.pop() else {
            return;
        };
        packet.bytes[..payload.len()].copy_from_slice(payload);
        (packet.kind, packet.marker, packet.timestamp) = (kind, marker, timestamp);
        packet.len = payload.len();
        // As many packets exist as the ring has room for: this cannot fail.
        let _ = self.to.push(packet);
    }

    /// Lets `send` have the next packet from the other side.
    pub(crate) fn receive<R>(&mut self, send: impl FnOnce(&Bridged) -> R) -> Option<R> {
        let mut packet = self.from.pop().ok()?;
        let result = send(&packet);
        packet.wipe();
        let _ = self.done.push(packet);
        Some(result)
    }

    /// Whether the other session is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.to.is_abandoned()
    }
}

impl Negotiated {
    pub(crate) fn kind(&self, payload_type: u8) -> Option<Kind> {
        if payload_type == self.payload_type {
            return Some(Kind::Audio(self.codec));
        }
        let mut events = self.telephone_events.iter();
        let (_, rate) = events.find(|(candidate, _)| *candidate == payload_type)?;
        Some(Kind::TelephoneEvent(*rate))
    }

    pub(crate) fn payload_type(&self, kind: Kind) -> Option<u8> {
        match kind {
            Kind::Audio(codec) => (codec == self.codec).then_some(self.payload_type),
            Kind::TelephoneEvent(rate) => {
                let mut events = self.telephone_events.iter();
                events
                    .find(|(_, r)| *r == rate)
                    .map(|(payload_type, _)| *payload_type)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn packets_cross_in_order_and_a_slow_side_loses_the_newest() {
        let (mut a, mut b) = bridge_ends();
        for n in 0..40 {
            a.send(Kind::Audio(Codec::Opus), n == 0, n, &n.to_be_bytes());
        }
        let heard: Vec<_> = std::iter::from_fn(|| {
            b.receive(|packet| (packet.timestamp, packet.payload().to_vec()))
        })
        .collect();
        assert_eq!(heard.len(), DEPTH);
        for (n, (timestamp, payload)) in heard.iter().enumerate() {
            assert_eq!(*timestamp as usize, n);
            assert_eq!(payload, &timestamp.to_be_bytes());
        }
        a.send(Kind::TelephoneEvent(8000), false, 99, b"later");
        let kind = b.receive(|packet| packet.kind).unwrap();
        assert_eq!(kind, Kind::TelephoneEvent(8000));
        drop(a);
        assert!(b.is_over());
    }
}

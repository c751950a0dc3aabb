//! Packet slots and the pair of rings they go round in.

use std::time::Instant;

use rtrb::{Consumer, Producer, RingBuffer};
use zeroize::Zeroize;

use crate::rtp::RtpHeader;

/// Longest RTP payload a leg takes or sends, in bytes: more than the longest
/// Opus packet (1 275, RFC 6716 §3.4) and all an Ethernet frame carries.
pub const MAX_PAYLOAD: usize = 1500;

/// One packet at rest. Wiped on release and on drop.
pub(super) struct Slot {
    pub(super) arrival: Instant,
    pub(super) header: RtpHeader,
    len: usize,
    bytes: [u8; MAX_PAYLOAD],
}

impl Slot {
    fn boxed(now: Instant) -> Box<Self> {
        Box::new(Self {
            arrival: now,
            header: RtpHeader::default(),
            len: 0,
            bytes: [0; MAX_PAYLOAD],
        })
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Copies `payload` in; `false` when it is too long.
    pub(super) fn fill(&mut self, header: RtpHeader, payload: &[u8]) -> bool {
        let Some(space) = self.bytes.get_mut(..payload.len()) else {
            return false;
        };
        space.copy_from_slice(payload);
        self.header = header;
        self.len = payload.len();
        true
    }

    fn wipe(&mut self) {
        self.bytes[..self.len].zeroize();
        self.len = 0;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// Why a packet did not get into the ring.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Oversized,
}

/// Writing end: takes empty slots, sends full ones.
pub(super) struct SlotSender {
    full: Producer<Box<Slot>>,
    empty: Consumer<Box<Slot>>,
    /// Empty slots at hand. The one that came back last is used first: its memory is
    /// still in a cache, while a ring's next would have been out of it for a second.
    #[allow(
        clippy::vec_box,
        reason = "slots move between threads by pointer, as in the rings"
    )]
    at_hand: Vec<Box<Slot>>,
}

/// Reading end: takes full slots, gives them back wiped.
pub(super) struct SlotReceiver {
    full: Consumer<Box<Slot>>,
    empty: Producer<Box<Slot>>,
}

/// A ring of `capacity` slots, all allocated now.
pub(super) fn slots(capacity: usize, now: Instant) -> (SlotSender, SlotReceiver) {
    let (full_in, full_out) = RingBuffer::new(capacity);
    let (mut empty_in, empty_out) = RingBuffer::new(capacity);
    for _ in 0..capacity {
        // The ring has exactly this much room.
        let _ = empty_in.push(Slot::boxed(now));
    }
    (
        SlotSender {
            full: full_in,
            empty: empty_out,
            at_hand: Vec::with_capacity(capacity),
        },
        SlotReceiver {
            full: full_out,
            empty: empty_in,
        },
    )
}

impl SlotSender {
    pub(super) fn send(
        &mut self,
        arrival: Instant,
        header: RtpHeader,
        payload: &[u8],
    ) -> Result<(), Refused> {
        if payload.len() > MAX_PAYLOAD {
            return Err(Refused::Oversized);
        }
        while let Ok(slot) = self.empty.pop() {
            self.at_hand.push(slot);
        }
        let mut slot = self.at_hand.pop().ok_or(Refused::Full)?;
        slot.arrival = arrival;
        slot.fill(header, payload);
        // As many slots exist as the ring has room for: this cannot fail.
        self.full.push(slot).map_err(|_| Refused::Full)
    }

    /// Whether [`send`](Self::send) would find a slot.
    pub(super) fn has_room(&self) -> bool {
        !self.at_hand.is_empty() || !self.empty.is_empty()
    }

    /// Whether something sent has not been taken yet.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting() > 0
    }

    /// How much of what was sent has not been taken yet.
    pub(super) fn waiting(&self) -> usize {
        self.full.buffer().capacity() - self.full.slots()
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.full.is_abandoned()
    }
}

impl SlotReceiver {
    pub(super) fn has_next(&self) -> bool {
        !self.full.is_empty()
    }

    /// Packets that wait.
    pub(super) fn waiting(&self) -> usize {
        self.full.slots()
    }

    pub(super) fn receive<R>(&mut self, read: impl FnOnce(&Slot) -> R) -> Option<R> {
        let mut slot = self.full.pop().ok()?;
        let result = read(&slot);
        slot.wipe();
        let _ = self.empty.push(slot);
        Some(result)
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.full.is_abandoned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::disallowed_methods)]
mod tests {
    use super::*;

    /// A packet whose bytes all tell its number.
    fn packet(n: u16) -> (RtpHeader, [u8; 3]) {
        let header = RtpHeader {
            sequence: n,
            ..RtpHeader::default()
        };
        (header, [n as u8; 3])
    }

    /// Under Miri this also looks for data races (`scripts/miri`).
    #[test]
    fn packets_go_from_thread_to_thread_in_their_order() {
        const PACKETS: u16 = 300;
        let now = Instant::now();
        let (mut sender, mut receiver) = slots(4, now);
        let writer = std::thread::spawn(move || {
            for n in 0..PACKETS {
                let (header, payload) = packet(n);
                while sender.send(now, header, &payload) == Err(Refused::Full) {
                    std::thread::yield_now();
                }
            }
        });
        let mut next = 0;
        while next < PACKETS {
            let taken = receiver.receive(|slot| (slot.header, slot.payload().to_vec()));
            let Some(taken) = taken else {
                std::thread::yield_now();
                continue;
            };
            let (header, payload) = packet(next);
            assert_eq!(taken, (header, payload.to_vec()));
            next += 1;
        }
        writer.join().unwrap();
        assert!(receiver.is_abandoned());
    }

    #[test]
    fn what_is_too_long_or_too_much_is_refused() {
        let now = Instant::now();
        let (mut sender, mut receiver) = slots(2, now);
        let send = |sender: &mut SlotSender, length| {
            sender.send(now, RtpHeader::default(), &vec![7; length])
        };
        assert_eq!(send(&mut sender, MAX_PAYLOAD + 1), Err(Refused::Oversized));
        assert_eq!(send(&mut sender, MAX_PAYLOAD), Ok(()));
        assert_eq!(send(&mut sender, 0), Ok(()));
        assert!(!sender.has_room());
        assert_eq!(send(&mut sender, 1), Err(Refused::Full));
        assert_eq!(
            receiver.receive(|slot| slot.payload().len()),
            Some(MAX_PAYLOAD)
        );
        // The slot that comes back holds nothing of the packet.
        assert_eq!(send(&mut sender, 1), Ok(()));
        assert_eq!(receiver.receive(|slot| slot.payload().len()), Some(0));
        let is_wiped = receiver.receive(|slot| slot.bytes[1..].iter().all(|byte| *byte == 0));
        assert_eq!(is_wiped, Some(true));
    }
}

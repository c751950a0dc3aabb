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

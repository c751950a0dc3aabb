//! Datagrams on their way out: filled by calls, emptied by the driver.

use std::net::SocketAddr;

/// Largest datagram read or written: an Ethernet frame's.
pub(crate) const DATAGRAM: usize = 1500;
/// Datagrams sent with one system call.
pub(crate) const BATCH: usize = 64;

/// One datagram.
pub(crate) struct Datagram {
    pub(crate) peer: SocketAddr,
    pub(crate) len: usize,
    pub(crate) bytes: [u8; DATAGRAM],
}

impl Datagram {
    /// What it carries.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// `count` empty datagrams, allocated now.
pub(crate) fn datagrams(count: usize) -> Box<[Datagram]> {
    let peer = SocketAddr::from(([0, 0, 0, 0], 0));
    (0..count)
        .map(|_| Datagram {
            peer,
            len: 0,
            bytes: [0; DATAGRAM],
        })
        .collect()
}

/// A batch in the making.
pub(crate) struct Outbox {
    slots: Box<[Datagram]>,
    used: usize,
    /// Datagrams for which there was no room.
    pub(crate) refused: u64,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self {
            slots: datagrams(BATCH),
            used: 0,
            refused: 0,
        }
    }

    /// Lets `fill` write a datagram for `peer`; it returns how long it became,
    /// or `None` if there is nothing to send after all.
    pub(crate) fn push(
        &mut self,
        peer: SocketAddr,
        fill: impl FnOnce(&mut [u8; DATAGRAM]) -> Option<usize>,
    ) {
        let Some(slot) = self.slots.get_mut(self.used) else {
            self.refused += 1;
            return;
        };
        if let Some(len) = fill(&mut slot.bytes) {
            (slot.peer, slot.len) = (peer, len);
            self.used += 1;
        }
    }

    /// Adds a datagram that exists already.
    pub(crate) fn push_bytes(&mut self, peer: SocketAddr, bytes: &[u8]) {
        self.push(peer, |space| {
            space.get_mut(..bytes.len())?.copy_from_slice(bytes);
            Some(bytes.len())
        });
    }

    /// Whether it is worth sending before another call adds to it.
    pub(crate) fn is_filling(&self) -> bool {
        self.used * 2 >= self.slots.len()
    }

    /// What is to be sent.
    pub(crate) fn batch(&self) -> &[Datagram] {
        &self.slots[..self.used]
    }

    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }
}

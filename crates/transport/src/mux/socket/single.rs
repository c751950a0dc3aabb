//! One system call a datagram.

use std::io;

use mio::net::UdpSocket;

use crate::mux::outbox::Datagram;

/// What a system call each needs: nothing.
pub(crate) struct Batches;

impl Batches {
    pub(crate) fn new() -> Self {
        Self
    }

    /// Fills `space` with datagrams that wait; returns how many, 0 when none do.
    pub(crate) fn receive(
        &mut self,
        socket: &UdpSocket,
        space: &mut [Datagram],
    ) -> io::Result<usize> {
        for (count, datagram) in space.iter_mut().enumerate() {
            match socket.recv_from(&mut datagram.bytes) {
                Ok((len, peer)) => (datagram.len, datagram.peer) = (len, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(count),
                Err(error) if count == 0 => return Err(error),
                Err(_) => return Ok(count),
            }
        }
        Ok(space.len())
    }

    /// Sends what the system takes without waiting; returns how many it did not.
    pub(crate) fn send(&mut self, socket: &UdpSocket, batch: &[Datagram]) -> usize {
        batch
            .iter()
            .filter(|datagram| socket.send_to(datagram.payload(), datagram.peer).is_err())
            .count()
    }
}

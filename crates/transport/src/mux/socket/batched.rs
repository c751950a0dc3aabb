//! `recvmmsg` and `sendmmsg`.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use mio::net::UdpSocket;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

use crate::mux::outbox::{BATCH, Datagram};

/// The headers both calls need, allocated once.
pub(crate) struct Batches {
    received: MultiHeaders<SockaddrStorage>,
    sent: MultiHeaders<SockaddrStorage>,
}

impl Batches {
    pub(crate) fn new() -> Self {
        Self {
            received: MultiHeaders::preallocate(BATCH, None),
            sent: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// Fills `space` with datagrams that wait; returns how many, 0 when none do.
    pub(crate) fn receive(
        &mut self,
        socket: &UdpSocket,
        space: &mut [Datagram],
    ) -> io::Result<usize> {
        let mut came = [(0, None::<SockaddrStorage>); BATCH];
        let mut count = 0;
        {
            let mut slices: [_; BATCH] = std::array::from_fn(|_| [IoSliceMut::new(&mut [])]);
            let room = space.len().min(BATCH);
            for (slice, datagram) in slices.iter_mut().zip(space.iter_mut()) {
                *slice = [IoSliceMut::new(&mut datagram.bytes)];
            }
            let messages = recvmmsg(
                socket.as_raw_fd(),
                &mut self.received,
                slices[..room].iter_mut(),
                MsgFlags::MSG_DONTWAIT,
                None,
            );
            match messages {
                Ok(messages) => {
                    for (message, came) in messages.zip(&mut came) {
                        *came = (message.bytes, message.address);
                        count += 1;
                    }
                }
                Err(Errno::EAGAIN) => return Ok(0),
                Err(error) => return Err(error.into()),
            }
        }
        for (datagram, (len, peer)) in space.iter_mut().zip(&came[..count]) {
            // Without an address it is dropped as something from nobody.
            let peer = peer.as_ref().and_then(to_std);
            datagram.len = peer.map_or(0, |_| *len);
            datagram.peer = peer.unwrap_or(datagram.peer);
        }
        Ok(count)
    }

    /// Sends what the system takes without waiting; returns how many it did not.
    pub(crate) fn send(&mut self, socket: &UdpSocket, batch: &[Datagram]) -> usize {
        let (mut next, mut failed) = (0, 0);
        while next < batch.len() {
            match self.send_some(socket, &batch[next..]) {
                Ok(sent) => next += sent,
                Err(Errno::EAGAIN) => return failed + batch.len() - next,
                // The first one's own trouble; the others may go.
                Err(_) => {
                    failed += 1;
                    next += 1;
                }
            }
        }
        failed
    }

    fn send_some(&mut self, socket: &UdpSocket, batch: &[Datagram]) -> Result<usize, Errno> {
        let batch = &batch[..batch.len().min(BATCH)];
        let mut slices: [_; BATCH] = [[IoSlice::new(&[])]; BATCH];
        let mut peers: [Option<SockaddrStorage>; BATCH] = [None; BATCH];
        for ((slice, peer), datagram) in slices.iter_mut().zip(&mut peers).zip(batch) {
            *slice = [IoSlice::new(datagram.payload())];
            *peer = Some(SockaddrStorage::from(datagram.peer));
        }
        let sent = sendmmsg(
            socket.as_raw_fd(),
            &mut self.sent,
            &slices[..batch.len()],
            &peers[..batch.len()],
            [],
            MsgFlags::MSG_DONTWAIT,
        )?;
        Ok(sent.count())
    }
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address
        .as_sockaddr_in()
        .map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| {
        address
            .as_sockaddr_in6()
            .map(|v6| SocketAddr::V6((*v6).into()))
    })
}

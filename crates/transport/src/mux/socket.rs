//! UDP in batches: one system call for many datagrams where the system has
//! such, one each elsewhere.

#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
mod single;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod batched;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use batched::Batches;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use single::Batches;

use std::io;
use std::net::SocketAddr;

/// Room for the packets of 400 calls while the thread is held up for 100 ms.
const BUFFER: usize = 8 << 20;

/// A non-blocking socket bound to `address`.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    enlarge(&socket);
    Ok(socket)
}

/// Asks for large buffers; the system gives as much as it allows.
fn enlarge(socket: &std::net::UdpSocket) {
    let socket = socket2::SockRef::from(socket);
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
}

#[cfg(test)]
mod tests;

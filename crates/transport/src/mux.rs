//! All calls of a [`Transport`](crate::Transport) on one UDP port and one thread.
//!
//! ```text
//!  socket ──▶ demux ──▶ link ──▶ ice        STUN, after its integrity check
//!  (batched)  whose      │  ├──▶ dtls       records, from validated addresses
//!             is it?     │  └──▶ stream ──▶ SRTP ──▶ the leg's ring ──▶ media worker
//!  socket ◀── outbox ◀───┴───────────────── SRTP ◀── the leg's ring ◀── media worker
//! ```
//!
//! [`link`] and all below it are sans-IO; [`driver`] owns sockets, clock and
//! thread. Per packet nothing is allocated and no lock is taken; SRTP works in
//! place.

pub(crate) mod demux;
pub(crate) mod driver;
pub(crate) mod dtls;
mod flights;
pub(crate) mod ice;
pub(crate) mod lines;
pub(crate) mod link;
pub(crate) mod outbox;
mod path;
mod police;
pub(crate) mod report;
pub(crate) mod socket;
pub(crate) mod srtp;
pub(crate) mod stream;
pub(crate) mod wakeup;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use mio::Poll;

use crate::bridge::BridgeEnd;
use driver::{Driver, Opening};
use link::Refused;
use wakeup::{Doorbell, Wakeup};

/// Names a call for as long as its mux lives.
pub(crate) type Id = u64;

/// What the driver is told.
pub(crate) enum Order {
    Open(Box<Opening>),
    Close(Id),
    Bridge(Id, Box<BridgeEnd>),
}

/// The driver as others see it. When the last one is dropped, the calls that
/// are left end and the thread with them.
pub(crate) struct Mux {
    orders: mpsc::Sender<Order>,
    wakeup: Arc<Wakeup>,
    next_id: AtomicU64,
    address: SocketAddr,
    counters: Arc<Counters>,
}

impl Mux {
    /// Binds the shared port and starts the thread.
    pub(crate) fn start(bind: SocketAddr) -> io::Result<Arc<Self>> {
        let socket = socket::bind(bind)?;
        let address = socket.local_addr()?;
        let poll = Poll::new()?;
        let wakeup = Arc::new(Wakeup::new(&poll)?);
        let (orders, inbox) = mpsc::channel();
        let counters = Arc::new(Counters::default());
        let parts = (Arc::clone(&wakeup), Arc::clone(&counters));
        // Made on its own thread: the system calls' headers may not move.
        let run = move || match Driver::new(poll, socket, inbox, parts.0, parts.1) {
            Ok(driver) => driver.run(),
            Err(error) => tracing::error!(%error, "the shared port can't be waited on"),
        };
        thread::Builder::new()
            .name("media-net".to_owned())
            .spawn(run)?;
        Ok(Arc::new(Self {
            orders,
            wakeup,
            next_id: AtomicU64::new(1),
            address,
            counters,
        }))
    }

    /// The shared port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn next_id(&self) -> Id {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Gives an order. A driver that is gone has nothing left to do.
    pub(crate) fn order(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            self.wakeup.raise();
        }
    }

    /// For a call's media worker: it left something for the network or the session.
    pub(crate) fn doorbell(&self) -> Arc<Doorbell> {
        Doorbell::new(&self.wakeup)
    }

    pub(crate) fn stats(&self) -> NetworkStats {
        self.counters.read()
    }
}

impl Drop for Mux {
    fn drop(&mut self) {
        // The real sender goes with this one, which must be before the wake-up
        // that makes the driver look.
        self.orders = mpsc::channel().0;
        self.wakeup.raise();
    }
}

/// What passed the network thread since it was started, and why datagrams were
/// dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkStats {
    /// Datagrams read.
    pub received: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams the system or the outbox had no room for.
    pub not_sent: u64,
    /// Nothing we speak, or for no call of ours.
    pub unknown: u64,
    /// From addresses that ICE has not validated for the call.
    pub not_validated: u64,
    /// Media before the handshake, records before ICE.
    pub early: u64,
    /// Not what their first bytes say.
    pub malformed: u64,
    /// Integrity check failed.
    pub forged: u64,
    /// Seen before.
    pub replayed: u64,
    /// More than a call may send, or from more sources.
    pub policed: u64,
}

macro_rules! counters {
    ($($name:ident),+ $(,)?) => {
        /// [`NetworkStats`] as the threads share it.
        #[derive(Default)]
        pub(crate) struct Counters {
            $($name: AtomicU64,)+
        }

        impl Counters {
            fn read(&self) -> NetworkStats {
                NetworkStats { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

counters!(
    received,
    sent,
    not_sent,
    unknown,
    not_validated,
    early,
    malformed,
    forged,
    replayed,
    policed,
);

impl Counters {
    fn add(counter: &AtomicU64, count: u64) {
        if count > 0 {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    fn refused(&self, why: Refused) {
        let counter = match why {
            Refused::Unknown => &self.unknown,
            Refused::NotValidated => &self.not_validated,
            Refused::Early => &self.early,
            Refused::Malformed => &self.malformed,
            Refused::Forged => &self.forged,
            Refused::Replayed => &self.replayed,
            Refused::Policed => &self.policed,
        };
        Self::add(counter, 1);
    }
}

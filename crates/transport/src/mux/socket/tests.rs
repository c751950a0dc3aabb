#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use super::*;
use crate::mux::outbox::{BATCH, Outbox, datagrams};

fn socket() -> mio::net::UdpSocket {
    mio::net::UdpSocket::from_std(bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap())
}

/// What both ways of reading and writing must do.
macro_rules! carries {
    ($name:ident, $batches:ty) => {
        #[test]
        fn $name() {
            let (a, mut b) = (socket(), socket());
            let mut poll = Poll::new().unwrap();
            let interest = Interest::READABLE;
            poll.registry()
                .register(&mut b, Token(0), interest)
                .unwrap();
            let (to, from) = (b.local_addr().unwrap(), a.local_addr().unwrap());
            let mut outbox = Outbox::new();
            for n in 0..BATCH + 3 {
                outbox.push_bytes(to, &vec![n as u8; n]);
            }
            assert_eq!(outbox.refused, 3);
            let mut batches = <$batches>::new();
            assert_eq!(batches.send(&a, outbox.batch()), 0);
            let mut space = datagrams(BATCH);
            let mut came = 0;
            let mut events = Events::with_capacity(4);
            while came < BATCH {
                poll.poll(&mut events, Some(Duration::from_secs(5)))
                    .unwrap();
                assert!(!events.is_empty(), "{came} came");
                loop {
                    let count = batches.receive(&b, &mut space).unwrap();
                    if count == 0 {
                        break;
                    }
                    for datagram in &space[..count] {
                        assert_eq!(datagram.peer, from);
                        assert_eq!(datagram.payload(), vec![came as u8; came]);
                        came += 1;
                    }
                }
            }
            assert_eq!(batches.receive(&b, &mut space).unwrap(), 0);
        }
    };
}

carries!(one_by_one, single::Batches);
#[cfg(target_os = "linux")]
carries!(in_batches, batched::Batches);

//! A leg's way through the emulator: two sockets between which packets suffer what the
//! rules say. To either side it is where the other one is. At its near side is whom the
//! rules are about, a phone or a bot, at its far side the other end of the leg.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::network::{Direction, Impairment, Network, Party, first_candidate, with_candidate};

/// Datagrams are no longer than this on any ordinary network.
const DATAGRAM: usize = 2048;
/// Checks whose answers may be awaited.
const CHECKS: usize = 64;

/// A phone's relays: the one in use, and that of an offer not answered yet.
#[derive(Default)]
pub(super) struct Relays {
    current: Option<Relay>,
    offered: Option<Relay>,
}

impl Relays {
    /// The phone has made an offer, which is to be seen like this.
    pub(super) fn offer(&mut self, relay: Relay, sdp: &str) -> String {
        let offer = relay.offer(sdp);
        self.offered = Some(relay);
        offer
    }

    /// Its latest offer was answered; the answer is to be seen like this.
    pub(super) fn answer(&mut self, sdp: String) -> String {
        let Some(relay) = self.offered.take() else {
            return sdp;
        };
        let answer = relay.of_far_end(&sdp);
        self.current = Some(relay);
        answer
    }
}

/// A relay of one leg. Dropping it ends it.
pub(super) struct Relay {
    /// Where the phone or bot finds the far end.
    near: SocketAddr,
    /// Where the far end finds the phone or bot.
    far: SocketAddr,
    /// The far end, once it is known.
    end: Arc<OnceLock<SocketAddr>>,
    /// Where a bot says that it is, which need not speak first.
    bot: Arc<OnceLock<SocketAddr>>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Opens a relay for a leg of `party`, whose task `runtime` runs.
    pub(super) fn open(
        runtime: &Handle,
        ip: IpAddr,
        party: Party,
        seed: u64,
        rules: watch::Receiver<Network>,
    ) -> std::io::Result<Self> {
        let _context = runtime.enter();
        let (near, far) = (bind(ip)?, bind(ip)?);
        let (near_address, far_address) = (near.local_addr()?, far.local_addr()?);
        let (end, bot) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
        let seed = seed ^ fnv(party.name().as_bytes());
        let way = Way {
            near,
            far,
            moved: None,
            end: Arc::clone(&end),
            bot: Arc::clone(&bot),
            party_at: None,
            checks: VecDeque::new(),
            up: Impairment::new(seed),
            down: Impairment::new(seed.rotate_left(1)),
            // Changes of before the leg are none of its own.
            changed: rules.borrow().address_change(&party),
        };
        Ok(Self {
            near: near_address,
            far: far_address,
            end,
            bot,
            task: runtime.spawn(way.run(party, rules)),
        })
    }

    /// The phone's offer as the far end is to see it.
    pub(super) fn offer(&self, sdp: &str) -> String {
        with_candidate(sdp, self.far)
    }

    /// What the far end says, an answer to a phone or an offer to a bot, as they are to see it.
    pub(super) fn of_far_end(&self, sdp: &str) -> String {
        match first_candidate(sdp) {
            Some(end) => {
                // Set once: a leg has one of them.
                let _ = self.end.set(end);
                with_candidate(sdp, self.near)
            }
            // Nothing that could be relayed: let them try without.
            None => sdp.to_owned(),
        }
    }

    /// The bot's answer as the far end is to see it.
    pub(super) fn answer_of_bot(&self, sdp: &str) -> String {
        match first_candidate(sdp) {
            Some(bot) => {
                let _ = self.bot.set(bot);
                with_candidate(sdp, self.far)
            }
            // It is known by its checks alone.
            None => sdp.to_owned(),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn bind(ip: IpAddr) -> std::io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind((ip, 0))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// The next packet at a socket; waits for ever while there is none.
async fn received_by(
    socket: Option<&UdpSocket>,
    packet: &mut [u8],
) -> std::io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(packet).await,
        None => std::future::pending().await,
    }
}

struct Way {
    near: UdpSocket,
    far: UdpSocket,
    /// Where packets of the phone or bot come from instead, once its address has changed.
    moved: Option<UdpSocket>,
    end: Arc<OnceLock<SocketAddr>>,
    bot: Arc<OnceLock<SocketAddr>>,
    /// Where the latest packet of the phone or bot came from.
    party_at: Option<SocketAddr>,
    /// Its checks, by transaction, and which of its addresses sent them.
    checks: VecDeque<([u8; 12], SocketAddr)>,
    up: Impairment,
    down: Impairment,
    /// The latest change of address that was made.
    changed: u64,
}

impl Way {
    async fn run(mut self, party: Party, mut rules: watch::Receiver<Network>) {
        let (mut up, mut down, mut moved) = ([0; DATAGRAM], [0; DATAGRAM], [0; DATAGRAM]);
        self.suffer(&party, &rules.borrow_and_update());
        loop {
            let due = [self.up.poll_timeout(), self.down.poll_timeout()];
            let due = due.into_iter().flatten().min();
            tokio::select! {
                received = self.near.recv_from(&mut up) => if let Ok((len, from)) = received {
                    self.sent_by_party(&up[..len], from);
                },
                received = self.far.recv_from(&mut down) => if let Ok((len, from)) = received
                    && self.moved.is_none()
                {
                    self.sent_by_end(&down[..len], from);
                },
                received = received_by(self.moved.as_ref(), &mut moved) => {
                    if let Ok((len, from)) = received {
                        self.sent_by_end(&moved[..len], from);
                    }
                }
                () = until(due) => {}
                changed = rules.changed() => match changed {
                    Ok(()) => self.suffer(&party, &rules.borrow_and_update()),
                    Err(_) => return,
                },
            }
            self.deliver().await;
        }
    }

    fn suffer(&mut self, party: &Party, rules: &Network) {
        self.up.set(rules.conditions(party, Direction::Up));
        self.down.set(rules.conditions(party, Direction::Down));
        let change = rules.address_change(party);
        if change > self.changed {
            self.changed = change;
            self.change_address();
        }
    }

    /// The far end sees the phone or bot at another port. What it sends to the first one is lost.
    fn change_address(&mut self) {
        let ip = self.far.local_addr().map(|address| address.ip());
        match ip.and_then(bind) {
            Ok(moved) => self.moved = Some(moved),
            Err(error) => tracing::warn!(%error, "a relay keeps its port: there is no other"),
        }
    }

    fn sent_by_party(&mut self, packet: &[u8], from: SocketAddr) {
        self.party_at = Some(from);
        if let Some(transaction) = check(packet) {
            if self.checks.len() == CHECKS {
                self.checks.pop_front();
            }
            self.checks.push_back((transaction, from));
        }
        self.up.push(Instant::now(), packet);
    }

    fn sent_by_end(&mut self, packet: &[u8], from: SocketAddr) {
        if self.end.get().is_some_and(|end| end.ip() == from.ip()) {
            self.down.push(Instant::now(), packet);
        }
    }

    async fn deliver(&mut self) {
        let now = Instant::now();
        // What the system does not take is lost, as on any network.
        while let Some(packet) = self.up.poll(now) {
            if let Some(end) = self.end.get() {
                let from = self.moved.as_ref().unwrap_or(&self.far);
                let _ = from.send_to(&packet, end).await;
            }
        }
        while let Some(packet) = self.down.poll(now) {
            let asked = transaction(&packet).and_then(|id| {
                let mut checks = self.checks.iter();
                checks.find(|(own, _)| *own == id).map(|(_, from)| *from)
            });
            let latest = self.party_at.or_else(|| self.bot.get().copied());
            if let Some(to) = asked.or(latest) {
                let _ = self.near.send_to(&packet, to).await;
            }
        }
    }
}

/// The transaction of a STUN message (RFC 8489 §5).
fn transaction(packet: &[u8]) -> Option<[u8; 12]> {
    let stun = packet.first()? >> 6 == 0 && packet.get(4..8)? == [0x21, 0x12, 0xa4, 0x42];
    packet.get(8..20).filter(|_| stun)?.try_into().ok()
}

/// The transaction of a binding request.
fn check(packet: &[u8]) -> Option<[u8; 12]> {
    packet.starts_with(&[0, 1]).then(|| transaction(packet))?
}

/// FNV-1a.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Conditions, NetworkRule};

    async fn socket() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").await.unwrap()
    }

    fn described(at: &UdpSocket) -> String {
        with_candidate("v=0\r\n", at.local_addr().unwrap())
    }

    /// What comes next, and from where.
    async fn next(at: &UdpSocket) -> (Vec<u8>, SocketAddr) {
        let mut packet = [0; DATAGRAM];
        let (len, from) = at.recv_from(&mut packet).await.unwrap();
        (packet[..len].to_vec(), from)
    }

    fn rule(conditions: Conditions) -> NetworkRule {
        NetworkRule {
            bot: Some("app-1".to_owned()),
            ..NetworkRule::new(None, conditions)
        }
    }

    #[tokio::test]
    async fn a_bot_is_found_before_it_speaks_and_its_address_changes() {
        let (end, bot) = (socket().await, socket().await);
        let mut network = Network::default();
        network.set(rule(Conditions::default())).unwrap();
        let (rules, watched) = watch::channel(network.clone());
        let (ip, party) = ([127, 0, 0, 1].into(), Party::Bot("app-1".to_owned()));
        let relay = Relay::open(&Handle::current(), ip, party, 1, watched).unwrap();
        let near = first_candidate(&relay.of_far_end(&described(&end))).unwrap();
        let far = first_candidate(&relay.answer_of_bot(&described(&bot))).unwrap();
        end.send_to(b"offered", far).await.unwrap();
        assert_eq!(next(&bot).await, (b"offered".to_vec(), near));
        bot.send_to(b"answered", near).await.unwrap();
        assert_eq!(next(&end).await, (b"answered".to_vec(), far));

        let change = Conditions {
            address_change: true,
            ..Conditions::default()
        };
        network.set(rule(change)).unwrap();
        rules.send_replace(network);
        let moved = loop {
            bot.send_to(b"moved", near).await.unwrap();
            let (_, from) = next(&end).await;
            if from != far {
                break from;
            }
        };
        end.send_to(b"lost", far).await.unwrap();
        end.send_to(b"found", moved).await.unwrap();
        assert_eq!(next(&bot).await, (b"found".to_vec(), near));
    }
}

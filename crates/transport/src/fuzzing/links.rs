//! The two ends of a call, talking in memory while somebody tampers with what they send.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use switchboard_media::codec::Codec;
use switchboard_media::engine::{AppSide, Engine, EngineConfig, LegConfig};

use crate::mux::demux::{Kind, classify};
use crate::mux::link::{Link, State};
use crate::mux::outbox::Outbox;
use crate::sdp::remote::Remote;
use crate::sdp::{CODECS, negotiated};
use crate::setup::{Ours, Role};

/// Datagrams that answer each other at one moment, at most.
const ROUNDS: usize = 64;

/// One end of the call.
struct End {
    link: Link,
    _app: AppSide,
    address: SocketAddr,
}

/// A caller, who offered, and a bot, which answered.
pub struct Links {
    ends: [End; 2],
    now: Instant,
}

/// Whoever runs the legs of all calls here.
fn engine() -> Option<&'static Engine> {
    static ENGINE: OnceLock<Option<Engine>> = OnceLock::new();
    let start = || {
        Engine::start(EngineConfig {
            workers: 1,
            ..EngineConfig::default()
        })
    };
    ENGINE.get_or_init(|| start().ok()).as_ref()
}

impl End {
    fn new(ours: Ours, role: Role, theirs: &str, answer: &str) -> Option<Self> {
        let of_leg = negotiated(answer).ok()?;
        let leg = engine()?.open(LegConfig::new(of_leg.payload_type, ours.ssrc));
        let leg = leg.ok()?;
        let remote = Remote::parse(theirs, &CODECS).ok()?;
        let (address, settled) = (ours.address, negotiated(answer).ok()?);
        let link = ours.link(remote, role, leg.network, Vec::new(), settled);
        Some(Self {
            link: link.ok()?,
            _app: leg.app,
            address,
        })
    }

    /// Takes a datagram; whatever is wrong with it is dropped.
    fn take(&mut self, now: Instant, from: SocketAddr, mut bytes: Vec<u8>, out: &mut Outbox) {
        let link = &mut self.link;
        // What is refused is counted elsewhere.
        let _ = match classify(&bytes) {
            None => Ok(()),
            Some(Kind::Check(_) | Kind::StunAnswer(_)) => {
                link.receive_stun(now, from, &bytes, out).map(drop)
            }
            Some(Kind::Dtls) => link.receive_dtls(now, from, &bytes, out),
            Some(Kind::Rtp) => link.receive_rtp(now, from, &mut bytes, out).map(drop),
            Some(Kind::Rtcp) => link.receive_rtcp(now, from, &mut bytes),
        };
    }
}

impl Links {
    /// A call that begins `now`; `None` while there are too many.
    pub fn new(now: Instant) -> Option<Self> {
        let address = |last: u8| SocketAddr::from(([192, 0, 2, last], 5_000));
        let (caller, bot) = (Ours::new(address(1)).ok()?, Ours::new(address(2)).ok()?);
        let offer = caller.offer(Codec::Opus, 0);
        let answer = bot.answer(&Remote::parse(&offer, &CODECS).ok()?);
        Some(Self {
            ends: [
                End::new(caller, Role::Offerer, &answer, &answer)?,
                End::new(bot, Role::Answerer, &offer, &answer)?,
            ],
            now,
        })
    }

    /// Lets time pass. What the ends send is changed by `tamper`, or lost if that is `false`.
    pub fn pass(&mut self, time: Duration, tamper: &mut impl FnMut(&mut Vec<u8>) -> bool) {
        let until = self.now + time;
        while self.now < until {
            self.step(tamper);
            let [caller, bot] = &mut self.ends;
            let next = caller.link.next_timeout().min(bot.link.next_timeout());
            self.now = next.max(self.now + Duration::from_millis(1)).min(until);
        }
    }

    fn step(&mut self, tamper: &mut impl FnMut(&mut Vec<u8>) -> bool) {
        let now = self.now;
        let mut sent = [Outbox::new(), Outbox::new()];
        for (end, out) in self.ends.iter_mut().zip(&mut sent) {
            end.link.timeout(now, out);
        }
        for _ in 0..ROUNDS {
            if sent.iter().all(|out| out.batch().is_empty()) {
                return;
            }
            let mut next = [Outbox::new(), Outbox::new()];
            for (from, out) in sent.iter().enumerate() {
                let (source, to) = (self.ends[from].address, 1 - from);
                for datagram in out.batch() {
                    let mut bytes = datagram.payload().to_vec();
                    if tamper(&mut bytes) {
                        self.ends[to].take(now, source, bytes, &mut next[to]);
                    }
                }
            }
            sent = next;
        }
    }

    /// Somebody sends `bytes` to an end, from its peer's address or from a stranger's.
    pub fn give(&mut self, to: usize, stranger: bool, bytes: &[u8]) {
        let from = match stranger {
            true => SocketAddr::from(([203, 0, 113, 9], 666)),
            false => self.ends[1 - to % 2].address,
        };
        let mut out = Outbox::new();
        self.ends[to % 2].take(self.now, from, bytes.to_vec(), &mut out);
    }

    /// Whether both ends hear each other.
    pub fn are_connected(&self) -> bool {
        let connected = |end: &End| end.link.state() == State::Connected;
        self.ends.iter().all(connected)
    }
}

//! Two calls' ends talking in memory, with a clock of their own.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;
use switchboard_media::codec::Codec;
use switchboard_media::engine::{AppSide, Engine, EngineConfig, LegConfig};

use super::*;
use crate::mux::demux::{Kind, classify};
use crate::sdp::remote::Remote;
use crate::sdp::{CODECS, MAX_SPEAKERS, Negotiated, negotiated};
use crate::setup::{Ours, Role};

mod loss;
mod moves;
mod speakers;

use loss::Network;

const BOT: &str = "192.0.2.1:5000";
const CALLER: &str = "198.51.100.7:40000";

/// One end and the address it is seen at.
struct End {
    link: Link,
    _app: AppSide,
    speakers: Vec<AppSide>,
    address: SocketAddr,
}

/// A caller who offered and a bot that answered.
struct Call {
    _engine: Engine,
    caller: End,
    bot: End,
    now: Instant,
    network: Network,
}

fn engine() -> Engine {
    Engine::start(EngineConfig {
        workers: 1,
        ..EngineConfig::default()
    })
    .unwrap()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn end(engine: &Engine, ours: Ours, role: Role, theirs: &str, answer: &str) -> End {
    let Negotiated { payload_type, .. } = negotiated(answer).unwrap();
    let leg = engine
        .open(LegConfig::new(payload_type, ours.ssrc))
        .unwrap();
    let address = ours.address;
    let mut remote = Remote::parse(theirs, &CODECS).unwrap();
    match role {
        Role::Answerer => remote.take_offered(theirs, MAX_SPEAKERS),
        Role::Offerer => remote.take_accepted(theirs, MAX_SPEAKERS).unwrap(),
    }
    let taken = remote.extras.iter().filter(|extra| extra.taken);
    let lines = taken.map(|_| {
        let config = LegConfig {
            sources: true,
            ..LegConfig::new(payload_type, 0)
        };
        let leg = engine.open(config).unwrap();
        (leg.network, leg.app)
    });
    let (lines, speakers) = lines.unzip();
    let negotiated = negotiated(answer).unwrap();
    let link = ours
        .link(remote, role, leg.network, lines, negotiated)
        .unwrap();
    End {
        link,
        _app: leg.app,
        speakers,
        address,
    }
}

impl Call {
    /// A call whose descriptions pass through `tamper` (offer, answer).
    fn tampered(tamper: impl Fn(String, String) -> (String, String)) -> Self {
        Self::with_speakers(0, tamper)
    }

    fn with_speakers(speakers: usize, tamper: impl Fn(String, String) -> (String, String)) -> Self {
        let engine = engine();
        let caller = Ours::new(address(CALLER)).unwrap();
        let bot = Ours::new(address(BOT)).unwrap();
        let offer = caller.offer(Codec::Opus, speakers);
        let mut remote = Remote::parse(&offer, &CODECS).unwrap();
        remote.take_offered(&offer, MAX_SPEAKERS);
        let answer = bot.answer(&remote);
        let (offer, answer) = tamper(offer, answer);
        Self {
            caller: end(&engine, caller, Role::Offerer, &answer, &answer),
            bot: end(&engine, bot, Role::Answerer, &offer, &answer),
            now: Instant::now(),
            network: Network::default(),
            _engine: engine,
        }
    }

    fn new() -> Self {
        Self::tampered(|offer, answer| (offer, answer))
    }

    fn connected() -> Self {
        Self::new().connect()
    }

    fn connect(mut self) -> Self {
        let call = &mut self;
        call.run(Duration::from_secs(3));
        assert_eq!(call.states(), (State::Connected, State::Connected));
        self
    }

    fn states(&self) -> (State, State) {
        (self.caller.link.state(), self.bot.link.state())
    }

    /// Lets both ends do what is due for `time`, delivering at once.
    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.step();
            let next = self.caller.link.next_timeout();
            let next = next.min(self.bot.link.next_timeout());
            let next = next.max(self.now + Duration::from_millis(1));
            if next >= until {
                self.now = until;
                return;
            }
            self.now = next;
        }
    }

    /// What is due now, and all that follows from it.
    fn step(&mut self) {
        let now = self.now;
        let (mut to_bot, mut to_caller) = (Outbox::new(), Outbox::new());
        self.caller.link.timeout(now, &mut to_bot);
        self.bot.link.timeout(now, &mut to_caller);
        while !(to_bot.batch().is_empty() && to_caller.batch().is_empty()) {
            let (mut next_to_bot, mut next_to_caller) = (Outbox::new(), Outbox::new());
            let (from, network) = (self.caller.address, &mut self.network);
            carry(
                now,
                network,
                &to_bot,
                from,
                &mut self.bot,
                &mut next_to_caller,
            );
            let from = self.bot.address;
            carry(
                now,
                network,
                &to_caller,
                from,
                &mut self.caller,
                &mut next_to_bot,
            );
            (to_bot, to_caller) = (next_to_bot, next_to_caller);
        }
    }

    /// A packet of the caller's.
    fn packet(&mut self) -> Vec<u8> {
        self.caller.link.stream.seal(0, &[0x78; 60])
    }

    /// The caller's next check, which the bot does not get.
    fn next_check(&mut self) -> Vec<u8> {
        let mut out = Outbox::new();
        while out.batch().is_empty() {
            self.now += Duration::from_millis(100);
            self.caller.link.timeout(self.now, &mut out);
        }
        out.batch()[0].payload().to_vec()
    }

    fn bot_takes(&mut self, from: SocketAddr, bytes: &[u8]) -> Result<(), Refused> {
        deliver(self.now, from, bytes, &mut self.bot, &mut Outbox::new())
    }
}

fn carry(
    now: Instant,
    network: &mut Network,
    from: &Outbox,
    source: SocketAddr,
    to: &mut End,
    out: &mut Outbox,
) {
    for datagram in from.batch() {
        if datagram.peer == to.address && !network.loses() {
            let _ = deliver(now, source, datagram.payload(), to, out);
        }
    }
}

fn deliver(
    now: Instant,
    from: SocketAddr,
    bytes: &[u8],
    to: &mut End,
    out: &mut Outbox,
) -> Result<(), Refused> {
    let link = &mut to.link;
    let mut bytes = bytes.to_vec();
    match classify(&bytes).ok_or(Refused::Unknown)? {
        Kind::Check(_) | Kind::StunAnswer(_) => {
            link.receive_stun(now, from, &bytes, out).map(|_| ())
        }
        Kind::Dtls => link.receive_dtls(now, from, &bytes, out),
        Kind::Rtp => link.receive_rtp(now, from, &mut bytes, out).map(drop),
        Kind::Rtcp => link.receive_rtcp(now, from, &mut bytes),
    }
}

/// Another first byte of the fingerprint.
fn forge_fingerprint(sdp: &str) -> String {
    let key = "a=fingerprint:sha-256 ";
    let at = sdp.find(key).unwrap() + key.len();
    let byte = u8::from_str_radix(&sdp[at..at + 2], 16).unwrap() ^ 1;
    format!("{}{byte:02X}{}", &sdp[..at], &sdp[at + 2..])
}

#[test]
fn connects_and_says_goodbye() {
    let mut call = Call::connected();
    let mut out = Outbox::new();
    call.caller.link.close(call.now, &mut out);
    let mut answer = Outbox::new();
    carry(
        call.now,
        &mut call.network,
        &out,
        call.caller.address,
        &mut call.bot,
        &mut answer,
    );
    assert_eq!(call.bot.link.state(), State::Closed(CloseReason::Remote));
}

#[test]
fn connects_whichever_side_is_active_and_through_mdns_names() {
    for (theirs, ours) in [("active", "passive"), ("passive", "active")] {
        let mut call = Call::tampered(|offer, answer| {
            let offer = offer.replace("setup:actpass", &format!("setup:{theirs}"));
            // As a browser hides it, so that only its checks can find us.
            let offer = offer.replace("198.51.100.7 40000", "0a-1b.local 40000");
            (
                offer,
                answer.replace("setup:active", &format!("setup:{ours}")),
            )
        });
        call.run(Duration::from_secs(5));
        assert_eq!(
            call.states(),
            (State::Connected, State::Connected),
            "{theirs}"
        );
    }
}

#[test]
fn a_wrong_certificate_is_refused_in_both_roles() {
    // The bot is DTLS's client, the caller its server.
    let mut call = Call::tampered(|offer, answer| (forge_fingerprint(&offer), answer));
    call.run(Duration::from_secs(20));
    assert_eq!(call.bot.link.state(), State::Closed(CloseReason::Failed));
    assert_ne!(call.caller.link.state(), State::Connected);
    let mut call = Call::tampered(|offer, answer| (offer, forge_fingerprint(&answer)));
    call.run(Duration::from_secs(20));
    assert_eq!(call.caller.link.state(), State::Closed(CloseReason::Failed));
    assert_ne!(call.bot.link.state(), State::Connected);
}

/// Made for the call, in memory, and gone with it.
#[test]
fn no_two_calls_have_the_same_certificate() {
    let fingerprint = || {
        let offer = Ours::new(address(CALLER)).unwrap().offer(Codec::Opus, 0);
        let line = offer
            .lines()
            .find(|line| line.starts_with("a=fingerprint:"));
        line.unwrap().to_owned()
    };
    assert_ne!(fingerprint(), fingerprint());
}

#[test]
fn wrong_passwords_never_validate_an_address() {
    let mut call = Call::tampered(|offer, answer| {
        let at = answer.find("a=ice-pwd:").unwrap() + "a=ice-pwd:".len();
        let mut forged = answer.clone();
        forged.replace_range(at..at + 4, "zzzz");
        (offer, forged)
    });
    call.run(Duration::from_secs(20));
    let failed = State::Closed(CloseReason::Failed);
    assert_eq!(call.states(), (failed, failed));
    assert!(!call.bot.link.ice.is_validated(address(CALLER)));
}

/// A stranger's ClientHello is never looked at, however early it comes, nor are reports. Media
/// proves by its tag whose it is.
#[test]
fn handshakes_and_reports_from_elsewhere_are_not_looked_at() {
    let mut call = Call::new();
    let stranger = address("203.0.113.5:6666");
    let hello = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0];
    assert_eq!(call.bot_takes(stranger, &hello), Err(Refused::NotValidated));
    assert_eq!(
        call.bot_takes(address(CALLER), &hello),
        Err(Refused::NotValidated)
    );
    let early = [0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    assert_eq!(call.bot_takes(stranger, &early), Err(Refused::Early));
    call.run(Duration::from_secs(3));
    assert_eq!(call.states(), (State::Connected, State::Connected));
    let report = [0x80, 200, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0];
    for bytes in [&hello[..], &report] {
        assert_eq!(call.bot_takes(stranger, bytes), Err(Refused::NotValidated));
    }
    let packet = call.packet();
    let mut forged = packet.clone();
    forged[20] ^= 1;
    assert_eq!(call.bot_takes(stranger, &forged), Err(Refused::Forged));
    assert_eq!(call.bot_takes(address(CALLER), &packet), Ok(()));
    for from in [address(CALLER), stranger] {
        assert_eq!(call.bot_takes(from, &packet), Err(Refused::Replayed));
    }
}

#[test]
fn consent_ends_with_the_callers_silence() {
    let mut call = Call::connected();
    call.caller.address = address("203.0.113.9:1");
    let gone = call.now;
    while call.bot.link.state() == State::Connected {
        let next = call.bot.link.next_timeout();
        call.now = next.max(call.now + Duration::from_millis(1));
        call.bot.link.timeout(call.now, &mut Outbox::new());
    }
    assert_eq!(call.bot.link.state(), State::Closed(CloseReason::Failed));
    let silent = call.now - gone;
    assert!(
        silent < Duration::from_secs(30),
        "RFC 7675 §5.1: {silent:?}"
    );
}

/// Ten thousand a second from the caller's own address, all forged: counted,
/// and the honest ones among them still arrive.
#[test]
fn a_forged_flood_starves_nobody() {
    let mut call = Call::connected();
    let from = address(CALLER);
    let mut honest = call.packet();
    let mut refused = 0;
    for n in 0..10_000u32 {
        call.now += Duration::from_micros(100);
        let mut forged = honest.clone();
        forged[8..12].copy_from_slice(&n.to_be_bytes());
        refused += u32::from(call.bot_takes(from, &forged).is_err());
        if n % 200 == 0 {
            assert_eq!(call.bot_takes(from, &honest), Ok(()));
            honest = call.packet();
        }
    }
    assert_eq!(refused, 10_000);
}

/// An authentic flood is cut to what a call may send.
#[test]
fn an_authentic_flood_is_policed() {
    let mut call = Call::connected();
    let (mut taken, mut policed) = (0, 0);
    let from = address(CALLER);
    while taken + policed < 150 {
        let packet = call.packet();
        match call.bot_takes(from, &packet) {
            Ok(()) => taken += 1,
            Err(refused) => {
                assert_eq!(refused, Refused::Policed);
                policed += 1;
            }
        }
    }
    // The clock stood still: the burst and no more.
    assert_eq!((taken, policed), (100, 50));
}

/// Lost packets, forged ones, too many: after set-up nothing is allocated for them.
#[test]
fn media_allocates_nothing() {
    let mut call = Call::connected();
    let from = address(CALLER);
    let packets: Vec<_> = (0..10_000).map(|_| call.packet()).collect();
    let mut out = Outbox::new();
    let mut taken = 0;
    // The first packet of a source makes its place.
    assert_eq!(call.bot_takes(from, &packets[0]), Ok(()));
    let mut scratch = packets[0].clone();
    let allocations = crate::counting::allocations(|| {
        for (n, packet) in packets
            .iter()
            .enumerate()
            .skip(1)
            .filter(|(n, _)| n % 10 > 0)
        {
            let now = call.now + Duration::from_millis(20) * n as u32;
            let link = &mut call.bot.link;
            scratch.copy_from_slice(packet);
            scratch[20] ^= u8::from(n % 10 == 1);
            taken += u32::from(link.receive_rtp(now, from, &mut scratch, &mut out).is_ok());
            link.flush(now, &mut out);
            out.clear();
        }
    });
    assert_eq!((taken, allocations), (8_000, 0));
}

/// A check with the right name and a wrong password changes nothing, in any number.
#[test]
fn a_flood_of_checks_is_policed() {
    let mut call = Call::connected();
    let mut check = call.next_check();
    let last = check.len() - 12;
    check[last] ^= 1;
    let stranger = address("203.0.113.5:6666");
    let mut forged = 0;
    for _ in 0..10_000 {
        call.now += Duration::from_micros(100);
        forged += u32::from(call.bot_takes(stranger, &check) == Err(Refused::Forged));
    }
    assert!(forged <= 201, "{forged}");
    assert!(!call.bot.link.ice.is_validated(stranger));
    // The pool refills, and the honest caller is heard again.
    call.run(Duration::from_secs(3));
    assert_eq!(call.states(), (State::Connected, State::Connected));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// Whatever comes from a validated address, nothing breaks.
    #[test]
    fn any_datagrams_are_answered(
        junk in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..200), 1..200),
    ) {
        let mut call = Call::connected();
        let from = address(CALLER);
        for bytes in junk {
            call.now += Duration::from_millis(10);
            for first in [0u8, 22, 0x80, bytes[0]] {
                let mut bytes = bytes.clone();
                bytes[0] = first;
                prop_assert!(call.bot_takes(from, &bytes).is_err() || first == 22);
            }
        }
        let packet = call.packet();
        prop_assert_eq!(call.bot_takes(from, &packet), Ok(()));
    }
}

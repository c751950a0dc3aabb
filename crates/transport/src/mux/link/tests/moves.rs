//! Callers who turn up at another address, and who is not the caller.

use super::*;
use crate::mux::demux::is_check;

const MOVED: &str = "203.0.113.9:50000";
const FRAME: Duration = Duration::from_millis(20);

impl Call {
    /// A packet that the caller sends from another address; what the bot sends there of it.
    fn bot_hears_from(&mut self, from: SocketAddr) -> Vec<Vec<u8>> {
        let mut out = Outbox::new();
        let packet = self.packet();
        deliver(self.now, from, &packet, &mut self.bot, &mut out).unwrap();
        let sent = out.batch().iter();
        assert!(sent.clone().all(|datagram| datagram.peer == from));
        sent.map(|datagram| datagram.payload().to_vec()).collect()
    }

    /// What the caller answers a check of the bot's.
    fn caller_answers(&mut self, check: &[u8]) -> Vec<u8> {
        let mut out = Outbox::new();
        deliver(self.now, address(BOT), check, &mut self.caller, &mut out).unwrap();
        let mut sent = out.batch().iter().map(|datagram| datagram.payload());
        sent.find(|bytes| !is_check(bytes)).unwrap().to_vec()
    }

    fn path(&self) -> Option<SocketAddr> {
        self.bot.link.ice.selected()
    }
}

/// A phone that changes networks: all goes there, for as long as the call lasts.
#[test]
fn follows_the_caller_to_another_address() {
    let mut call = Call::connected();
    for moved in [MOVED, "203.0.113.10:50001", CALLER] {
        let moved = address(moved);
        call.caller.address = moved;
        call.run(Duration::from_secs(5));
        assert_eq!(call.path(), Some(moved));
        let packet = call.packet();
        assert_eq!(call.bot_takes(moved, &packet), Ok(()));
        // Consent is renewed there: it would have expired otherwise.
        call.run(Duration::from_secs(60));
        assert_eq!(call.states(), (State::Connected, State::Connected));
    }
}

/// A router gives a call another port, of which neither side's checks know yet: what is said
/// and pressed is heard all the same, and a quarter of a second later the bot is heard there.
#[test]
fn media_shows_where_the_caller_is_before_its_next_check() {
    let mut call = Call::connected();
    let moved = address(MOVED);
    let checks = call.bot_hears_from(moved);
    assert_eq!(checks.len(), 1);
    assert!(is_check(&checks[0]));
    assert_eq!(call.path(), Some(address(CALLER)), "it might be anybody's");
    let answer = call.caller_answers(&checks[0]);
    call.now += FRAME;
    assert_eq!(call.bot_takes(moved, &answer), Ok(()));
    let mut frames = 1;
    while call.path() != Some(moved) {
        call.now += FRAME;
        frames += 1;
        assert!(call.bot_hears_from(moved).is_empty(), "it is known");
        assert!(frames <= 12, "{frames}");
    }
    assert!(call.bot.link.ice.is_validated(moved));
    call.caller.address = moved;
    call.run(Duration::from_secs(60));
    assert_eq!(call.states(), (State::Connected, State::Connected));
}

/// A check that is lost is sent again, five times a second.
#[test]
fn an_address_is_checked_until_it_answers() {
    let mut call = Call::connected();
    let moved = address(MOVED);
    let mut last = Vec::new();
    let mut checks = 0;
    for _ in 0..50 {
        let sent = call.bot_hears_from(moved);
        checks += sent.len();
        last = sent.into_iter().next().unwrap_or(last);
        call.now += FRAME;
    }
    assert_eq!(checks, 5);
    let answer = call.caller_answers(&last);
    assert_eq!(call.bot_takes(moved, &answer), Ok(()));
    assert_eq!(call.path(), Some(moved));
}

/// Packets that overtook their copies on the way through somebody else: they are heard once,
/// and nothing goes there.
#[test]
fn packets_repeated_from_elsewhere_take_no_call_away() {
    let mut call = Call::connected();
    let stranger = address("203.0.113.5:6666");
    for _ in 0..500 {
        let packet = call.packet();
        assert_eq!(call.bot_takes(stranger, &packet), Ok(()));
        let again = call.bot_takes(address(CALLER), &packet);
        assert_eq!(again, Err(Refused::Replayed));
        call.now += FRAME;
        assert_eq!(call.path(), Some(address(CALLER)));
    }
    assert!(!call.bot.link.ice.is_validated(stranger));
}

/// Whoever knows a call's source and nothing else costs a few attempts, and no key.
#[test]
fn a_forged_flood_from_elsewhere_is_policed() {
    let mut call = Call::connected();
    let mut honest = call.packet();
    let (mut forged, mut out) = (0, Outbox::new());
    for n in 0..10_000_u32 {
        call.now += Duration::from_micros(100);
        let mut packet = honest.clone();
        packet[20] ^= 1;
        let stranger = SocketAddr::from(([203, 0, 113, 5], n as u16));
        let outcome = deliver(call.now, stranger, &packet, &mut call.bot, &mut out);
        forged += u32::from(outcome == Err(Refused::Forged));
        if n % 200 == 0 {
            assert_eq!(call.bot_takes(address(CALLER), &honest), Ok(()));
            honest = call.packet();
        }
    }
    assert!((100..=301).contains(&forged), "{forged}");
    assert!(out.batch().is_empty(), "nobody is asked");
}

/// However many sources a caller has, few are remembered beyond the call's own memory.
#[test]
fn few_sources_of_a_call_are_told_of() {
    let mut call = Call::connected();
    let mut told = Vec::new();
    for ssrc in 0..16 {
        let header = switchboard_media::rtp::RtpHeader {
            payload_type: 111,
            ssrc: 7_000 + ssrc,
            ..Default::default()
        };
        let mut packet = call.caller.link.stream.seal_as(&header, &[0x78; 60]);
        let (link, from) = (&mut call.bot.link, address(CALLER));
        let source = link.receive_rtp(call.now, from, &mut packet, &mut Outbox::new());
        told.extend(source.unwrap());
    }
    assert_eq!(told, (7_000..7_008).collect::<Vec<_>>());
}

/// A check that somebody has heard and repeats from elsewhere takes no call away.
#[test]
fn a_check_repeated_from_elsewhere_is_not_followed() {
    let mut call = Call::connected();
    let check = call.next_check();
    let stranger = address("203.0.113.5:6666");
    for _ in 0..30 {
        call.run(Duration::from_secs(1));
        assert!(call.bot_takes(stranger, &check).is_ok());
        assert_eq!(call.path(), Some(address(CALLER)));
    }
    // Not even once the caller has gone silent.
    while call.bot.link.state() == State::Connected {
        call.now += Duration::from_secs(1);
        call.bot.link.timeout(call.now, &mut Outbox::new());
        let _ = call.bot_takes(stranger, &check);
        assert_ne!(call.path(), Some(stranger));
    }
}

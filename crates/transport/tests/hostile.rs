//! What strangers can send to the shared port while calls are on it, over real
//! sockets.

#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_media::event::{Digit, MediaEvent};
use switchboard_media::prompt::Prompt;
use switchboard_transport::{Session, SessionEvent, Transport, TransportConfig};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(30);
const COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();

fn transport() -> Transport {
    let engine = Engine::start(EngineConfig {
        workers: 1,
        ..EngineConfig::default()
    })
    .unwrap();
    Transport::new(engine, TransportConfig::default())
}

/// A caller, the bot's side, and the bot's description.
async fn call(callers: &Transport, bot: &Transport) -> (Session, Session, String) {
    let (offer, sdp) = callers.offer().await.unwrap();
    let (bot, answer) = bot.answer(&sdp).await.unwrap();
    let caller = offer.accept(&answer).await.unwrap();
    (caller, bot, answer)
}

async fn wait_for(session: &mut Session, wanted: impl Fn(&SessionEvent) -> bool) {
    timeout(LIMIT, async {
        loop {
            let event = session.event().await.expect("the session ended early");
            if wanted(&event) {
                return;
            }
        }
    })
    .await
    .expect("the event never came");
}

fn is_loud(event: &SessionEvent) -> bool {
    matches!(event, SessionEvent::Media(MediaEvent::Level { dbov, .. }) if *dbov > -30.0)
}

fn hum() -> std::sync::Arc<Prompt> {
    let step = 2.0 * std::f32::consts::PI * 440.0 / 16_000.0;
    let samples: Vec<f32> = (0..16_000 * 5)
        .map(|n| 0.3 * (n as f32 * step).sin())
        .collect();
    Prompt::from_samples(16_000, &samples).unwrap()
}

/// A connectivity check for `fragment`, signed by nobody who knows the password.
fn check(fragment: &str, transaction: u32) -> Vec<u8> {
    let username = format!("{fragment}:x");
    let mut attributes = vec![0, 6];
    attributes.extend_from_slice(&(username.len() as u16).to_be_bytes());
    attributes.extend_from_slice(username.as_bytes());
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    attributes.extend_from_slice(&[0, 8, 0, 20]);
    attributes.extend_from_slice(&[7; 20]);
    let mut bytes = vec![0, 1];
    bytes.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
    bytes.extend_from_slice(&COOKIE);
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&transaction.to_be_bytes());
    bytes.extend_from_slice(&attributes);
    bytes
}

fn attribute<'a>(sdp: &'a str, name: &str) -> &'a str {
    let line = sdp.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap()
}

#[tokio::test]
async fn strangers_floods_are_counted_and_the_calls_go_on() {
    let (callers, bots) = (transport(), transport());
    let (mut caller, mut bot, answer) = call(&callers, &bots).await;
    wait_for(&mut bot, |event| *event == SessionEvent::Connected).await;
    wait_for(&mut caller, |event| *event == SessionEvent::Connected).await;
    let fragment = attribute(&answer, "a=ice-ufrag:").to_owned();
    let target = bots.local_address().unwrap();

    let flood = std::thread::spawn(move || {
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        for n in 0..20_000u32 {
            let bytes = match n % 5 {
                0 => check(&fragment, n),
                1 => check("nobody", n),
                2 => vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
                3 => [&[0x9f, 111][..], &n.to_be_bytes(), &[0xff; 1000]].concat(),
                _ => vec![255; 1 + n as usize % 1400],
            };
            let _ = stranger.send_to(&bytes, target);
        }
    });
    caller.play(hum()).unwrap();
    wait_for(&mut bot, is_loud).await;
    flood.join().unwrap();
    bot.play(hum()).unwrap();
    wait_for(&mut caller, is_loud).await;

    let stats = bots.network_stats();
    assert!(stats.unknown > 100, "{stats:?}");
    assert!(stats.forged > 0 && stats.policed > 0, "{stats:?}");
    assert_eq!(stats.not_validated, 0, "{stats:?}");
}

#[tokio::test]
async fn many_calls_share_a_port_and_are_told_apart() {
    let (callers, bots) = (transport(), transport());
    let mut calls = Vec::new();
    for _ in 0..12 {
        let (caller, bot, answer) = call(&callers, &bots).await;
        let port = attribute(&answer, "m=audio ").split(' ').next().unwrap();
        let shared = bots.local_address().unwrap().port();
        assert_eq!(port, shared.to_string());
        calls.push((caller, bot));
    }
    for (caller, bot) in &mut calls {
        wait_for(caller, |event| *event == SessionEvent::Connected).await;
        wait_for(bot, |event| *event == SessionEvent::Connected).await;
    }
    // One after the other speaks; only its own bot hears it.
    for speaking in 0..calls.len() {
        calls[speaking].0.play(hum()).unwrap();
        wait_for(&mut calls[speaking].1, is_loud).await;
        calls[speaking].0.stop();
        for (other, (_, bot)) in calls.iter_mut().enumerate() {
            while let Ok(Some(event)) = timeout(Duration::ZERO, bot.event()).await {
                assert!(
                    other <= speaking || !is_loud(&event),
                    "{other} heard {speaking}"
                );
            }
        }
    }
    drop(calls);
    timeout(LIMIT, async {
        while callers.engine().legs() + bots.engine().legs() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("legs were left behind");
}

/// What comes of every kind in a flood: for whom it is, is for the sender to say.
fn hostile(fragment: &str, heard: &[Vec<u8>], n: u32) -> Vec<u8> {
    let mut seen = match heard.is_empty() {
        true => vec![0x80; 40],
        false => heard[n as usize % heard.len()].clone(),
    };
    match n % 12 {
        // STUN: signed by nobody, longer or shorter than it says, of no known kind.
        0 => check(fragment, n),
        1 => check(fragment, n)[..24].to_vec(),
        2 => [&[0, 1, 0xff, 0xfc], &COOKIE[..], &n.to_be_bytes().repeat(4)].concat(),
        3 => [&[0x3f, 0xff, 0, 0], &COOKIE[..], &n.to_be_bytes().repeat(3)].concat(),
        // DTLS: an alert that ends a connection, a handshake that is none, half a record.
        4 => vec![21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, n as u8, 0, 2, 2, 0],
        5 => [
            &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 40],
            &[1; 40][..],
        ]
        .concat(),
        6 => vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
        // SRTP: seen before, seen before but for a bit, of contributing sources and
        // extensions that aren't there, cut short.
        7 => seen,
        8 => {
            let last = seen.len() - 1;
            seen[last] ^= 1;
            seen
        }
        9 => {
            seen[0] = 0x9f;
            seen
        }
        10 => seen[..13.min(seen.len())].to_vec(),
        // SRTCP: a goodbye of anybody's.
        _ => [&[0x81, 203, 0, 1], &n.to_be_bytes()[..], &[n as u8; 18]].concat(),
    }
}

/// Whoever is on a call's way to the bot: forwards what comes, keeps copies, and sends floods
/// from the address that the bot has validated.
struct OnTheWay {
    stop: Arc<AtomicBool>,
    floods: Arc<AtomicBool>,
    thread: Option<JoinHandle<u32>>,
    /// Where the caller sends to, and the bot.
    ports: [u16; 2],
}

impl OnTheWay {
    /// Between the caller at this address and the bot, whose offers and answers are yet to come.
    fn start(
        caller: SocketAddr,
        bot: SocketAddr,
        fragment: impl Fn() -> String + Send + 'static,
    ) -> Self {
        let [to_caller, to_bot] = [(); 2].map(|()| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket
                .set_read_timeout(Some(Duration::from_millis(1)))
                .unwrap();
            socket
        });
        let ports = [&to_caller, &to_bot].map(|socket| socket.local_addr().unwrap().port());
        let (stop, floods) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (stops, starts) = (Arc::clone(&stop), Arc::clone(&floods));
        let thread = std::thread::spawn(move || {
            let (mut space, mut heard, mut sent) = ([0; 2048], Vec::new(), 0);
            while !stops.load(Ordering::Relaxed) {
                if let Ok((length, _)) = to_caller.recv_from(&mut space) {
                    let datagram = &space[..length];
                    if datagram[0] >> 6 == 2 && heard.len() < 100 {
                        heard.push(datagram.to_vec());
                    }
                    let _ = to_bot.send_to(datagram, bot);
                }
                if let Ok((length, _)) = to_bot.recv_from(&mut space) {
                    let _ = to_caller.send_to(&space[..length], caller);
                }
                if starts.load(Ordering::Relaxed) {
                    let fragment = fragment();
                    for _ in 0..12 {
                        let _ = to_bot.send_to(&hostile(&fragment, &heard, sent), bot);
                        sent += 1;
                    }
                }
            }
            sent
        });
        Self {
            stop,
            floods,
            thread: Some(thread),
            ports,
        }
    }

    /// How many datagrams were sent.
    fn end(&mut self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

/// A description with another port in its candidates.
fn by_way_of(sdp: &str, port: u16) -> String {
    let own = sdp
        .lines()
        .find(|line| line.starts_with("a=candidate:"))
        .unwrap();
    let own = own.split(' ').nth(5).unwrap();
    sdp.replace(&format!(" {own} typ"), &format!(" {port} typ"))
}

/// A call with somebody on its way.
async fn intercepted(callers: &Transport, bots: &Transport) -> (Session, Session, OnTheWay) {
    let (offer, sdp) = callers.offer().await.unwrap();
    let own = sdp
        .lines()
        .find(|line| line.starts_with("a=candidate:"))
        .unwrap();
    let port: u16 = own.split(' ').nth(5).unwrap().parse().unwrap();
    let fragment = Arc::new(std::sync::OnceLock::<String>::new());
    let known = Arc::clone(&fragment);
    let way = OnTheWay::start(
        (std::net::Ipv4Addr::LOCALHOST, port).into(),
        bots.local_address().unwrap(),
        move || known.get().cloned().unwrap_or_default(),
    );
    let (bot, answer) = bots.answer(&by_way_of(&sdp, way.ports[1])).await.unwrap();
    fragment
        .set(attribute(&answer, "a=ice-ufrag:").to_owned())
        .unwrap();
    let caller = offer
        .accept(&by_way_of(&answer, way.ports[0]))
        .await
        .unwrap();
    (caller, bot, way)
}

const KEYS: &str = "4711908256#*";

/// The caller presses all keys, one after the other.
async fn presses(caller: &mut Session) {
    for key in KEYS.chars() {
        caller.press(Digit::from_char(key).unwrap(), 100).unwrap();
        tokio::time::sleep(Duration::from_millis(260)).await;
    }
}

/// The keys a bot has heard by the time the last one is there.
async fn hears(bot: &mut Session) -> String {
    let mut keys = String::new();
    while !keys.ends_with('*') {
        let event = timeout(LIMIT, bot.event()).await.expect("a key never came");
        let event = event.expect("the session ended early");
        if let SessionEvent::Media(MediaEvent::DigitStart { digit, .. }) = event {
            keys.push(digit.as_char());
        }
    }
    keys
}

/// Three calls over one port: one is attacked from its own validated address by somebody on its
/// way who knows its fragment, and strangers send to nobody. Every key of every call is heard,
/// once, and all bots are heard.
#[tokio::test(flavor = "multi_thread")]
async fn an_attack_on_one_call_costs_no_call_a_key() {
    let (callers, bots) = (transport(), transport());
    let (attacked, bot, mut way) = intercepted(&callers, &bots).await;
    let mut calls = vec![(attacked, bot)];
    for _ in 0..2 {
        let (caller, bot, _) = call(&callers, &bots).await;
        calls.push((caller, bot));
    }
    for (caller, bot) in &mut calls {
        wait_for(caller, |event| *event == SessionEvent::Connected).await;
        wait_for(bot, |event| *event == SessionEvent::Connected).await;
    }
    let before = bots.network_stats();
    assert_eq!(before.replayed + before.policed, 0, "{before:?}");
    way.floods.store(true, Ordering::Relaxed);
    let target = bots.local_address().unwrap();
    let done = Arc::<AtomicBool>::default();
    let over = Arc::clone(&done);
    let strangers = std::thread::spawn(move || {
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut n = 0;
        while !over.load(Ordering::Relaxed) {
            let _ = stranger.send_to(&hostile("nobody", &[], n), target);
            n += 1;
            if n % 16 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    });
    for (caller, bot) in &mut calls {
        let (_, keys) = tokio::join!(presses(caller), hears(bot));
        assert_eq!(keys, KEYS);
    }
    for (caller, bot) in &mut calls {
        bot.play(hum()).unwrap();
        wait_for(caller, is_loud).await;
    }
    done.store(true, Ordering::Relaxed);
    strangers.join().unwrap();
    let sent = way.end();
    let stats = bots.network_stats();
    // The control: the attack reached what it was to reach.
    assert!(sent > 1_000, "{sent}");
    assert!(stats.replayed > 100 && stats.forged > 100, "{stats:?}");
    assert!(stats.malformed > 100 && stats.unknown > 100, "{stats:?}");
}

/// The port is an ordinary setting: a firewall rule needs to know it.
#[tokio::test]
async fn the_shared_port_can_be_chosen_and_is_refused_when_taken() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let engine = Engine::start(EngineConfig {
        workers: 1,
        ..EngineConfig::default()
    })
    .unwrap();
    let config = TransportConfig {
        port: taken.local_addr().unwrap().port(),
        ..TransportConfig::default()
    };
    let transport = Transport::new(engine, config.clone());
    let error = transport.local_address().unwrap_err().to_string();
    assert!(error.contains(&config.port.to_string()), "{error}");
    drop(taken);
    assert_eq!(transport.local_address().unwrap().port(), config.port);
}

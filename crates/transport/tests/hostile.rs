//! What strangers can send to the shared port while calls are on it, over real
//! sockets.

#![allow(clippy::unwrap_used)]

use std::net::UdpSocket;
use std::time::Duration;

use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_media::event::MediaEvent;
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

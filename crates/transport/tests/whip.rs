//! Offers brought to a WHIP endpoint over real HTTP, real ICE, DTLS and SRTP on
//! loopback.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use secrecy::SecretString;
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_media::event::MediaEvent;
use switchboard_media::prompt::Prompt;
use switchboard_transport::whip::{MediaBlob, WhipClient, WhipEndpoint, WhipError};
use switchboard_transport::{
    CloseReason, Session, SessionEvent, Transport, TransportConfig, bridge,
};
use tokio::net::TcpListener;
use tokio::time::timeout;
use url::Url;

const LIMIT: Duration = Duration::from_secs(20);

struct Site {
    engine: Engine,
    transport: Transport,
    endpoint: WhipEndpoint,
    client: WhipClient,
}

async fn site() -> Site {
    let engine = Engine::start(EngineConfig {
        workers: 1,
        ..EngineConfig::default()
    })
    .unwrap();
    let transport = Transport::new(engine.clone(), TransportConfig::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let endpoint = WhipEndpoint::new(transport.clone(), base);
    let router = endpoint.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Site {
        engine,
        transport,
        endpoint,
        client: WhipClient::new().unwrap(),
    }
}

/// A caller and the bot's side of one session.
async fn call(site: &Site) -> (Session, Session, MediaBlob, Url) {
    let mut reservation = site.endpoint.reserve();
    let blob = reservation.blob().clone();
    let (offer, sdp) = site.transport.offer().await.unwrap();
    let answer = site.client.offer(&blob, &sdp).await.unwrap();
    let caller = offer.accept(&answer.sdp).await.unwrap();
    let bot = timeout(LIMIT, reservation.session())
        .await
        .unwrap()
        .unwrap();
    (caller, bot, blob, answer.location)
}

async fn wait_for(session: &mut Session, wanted: impl Fn(&SessionEvent) -> bool) -> SessionEvent {
    timeout(LIMIT, async {
        loop {
            let event = session.event().await.expect("the session ended early");
            if wanted(&event) {
                return event;
            }
        }
    })
    .await
    .expect("the event never came")
}

fn hum(seconds: usize) -> Vec<f32> {
    let step = 2.0 * std::f32::consts::PI * 440.0 / 16_000.0;
    (0..16_000 * seconds)
        .map(|n| 0.3 * (n as f32 * step).sin())
        .collect()
}

fn is_loud(event: &SessionEvent) -> bool {
    matches!(event, SessionEvent::Media(MediaEvent::Level { dbov, .. }) if *dbov > -30.0)
}

async fn no_legs(site: &Site) {
    timeout(LIMIT, async {
        while site.engine.legs() > 0 || site.endpoint.live_sessions() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("legs or sessions were left behind");
}

#[tokio::test]
async fn both_sides_hear_each_other_and_nothing_is_left() {
    let site = site().await;
    let (mut caller, mut bot, blob, location) = call(&site).await;
    wait_for(&mut bot, |event| *event == SessionEvent::Connected).await;
    wait_for(&mut caller, |event| *event == SessionEvent::Connected).await;
    let prompt = Prompt::from_samples(16_000, &hum(3)).unwrap();
    bot.play(prompt.clone()).unwrap();
    wait_for(&mut caller, is_loud).await;
    caller.play(prompt).unwrap();
    wait_for(&mut bot, is_loud).await;

    site.client.delete(&location, &blob.token).await.unwrap();
    let closed = wait_for(&mut bot, |event| matches!(event, SessionEvent::Closed(_))).await;
    assert_eq!(closed, SessionEvent::Closed(CloseReason::Local));
    assert_eq!(bot.event().await, None);
    let heard = wait_for(&mut caller, |event| {
        matches!(event, SessionEvent::Closed(_))
    })
    .await;
    assert_ne!(heard, SessionEvent::Closed(CloseReason::Local));
    drop((caller, bot));
    no_legs(&site).await;
}

#[tokio::test]
async fn bridged_sessions_hear_each_other() {
    let site = site().await;
    let (mut ada, ada_far, ..) = call(&site).await;
    let (mut bob, bob_far, ..) = call(&site).await;
    for session in [&mut ada, &mut bob] {
        wait_for(session, |event| *event == SessionEvent::Connected).await;
    }
    bridge(&ada_far, &bob_far);
    let prompt = Prompt::from_samples(16_000, &hum(5)).unwrap();
    ada.play(prompt).unwrap();
    wait_for(&mut bob, is_loud).await;
    drop((ada, bob, ada_far, bob_far));
    no_legs(&site).await;
}

fn status(error: WhipError) -> u16 {
    match error {
        WhipError::Refused { status, .. } => status,
        other => panic!("expected a refusal, got {other}"),
    }
}

#[tokio::test]
async fn refuses_strangers_garbage_and_second_offers() {
    let site = site().await;
    let mut reservation = site.endpoint.reserve();
    let blob = reservation.blob().clone();
    let (offer, sdp) = site.transport.offer().await.unwrap();

    let stranger = MediaBlob {
        token: SecretString::from("wrong"),
        ..blob.clone()
    };
    assert_eq!(
        status(site.client.offer(&stranger, &sdp).await.unwrap_err()),
        404
    );
    assert_eq!(
        status(site.client.offer(&blob, "garbage").await.unwrap_err()),
        400
    );
    let half = sdp.replace("a=ice-pwd", "a=x-pwd");
    assert_eq!(
        status(site.client.offer(&blob, &half).await.unwrap_err()),
        400
    );
    let large = sdp.clone() + &"a=x\r\n".repeat(20_000);
    assert_eq!(
        status(site.client.offer(&blob, &large).await.unwrap_err()),
        413
    );

    // None of that spent the token; the first good offer does.
    let answer = site.client.offer(&blob, &sdp).await.unwrap();
    let session = reservation.session().await.unwrap();
    assert_eq!(
        status(site.client.offer(&blob, &sdp).await.unwrap_err()),
        404
    );
    let caller = offer.accept(&answer.sdp).await.unwrap();
    drop((caller, session));
    no_legs(&site).await;
}

/// Someone else's certificate: ICE succeeds, DTLS must not (RFC 8827 §6.5).
#[tokio::test]
async fn a_wrong_fingerprint_never_connects() {
    let site = site().await;
    let mut reservation = site.endpoint.reserve();
    let blob = reservation.blob().clone();
    let (offer, sdp) = site.transport.offer().await.unwrap();
    let start = sdp.find("a=fingerprint:sha-256 ").unwrap() + "a=fingerprint:sha-256 ".len();
    let mut forged = sdp.clone();
    forged.replace_range(
        start..start + 2,
        if sdp[start..].starts_with("00") {
            "01"
        } else {
            "00"
        },
    );
    let answer = site.client.offer(&blob, &forged).await.unwrap();
    let _caller = offer.accept(&answer.sdp).await.unwrap();
    let mut bot = reservation.session().await.unwrap();
    let outcome = wait_for(&mut bot, |event| !matches!(event, SessionEvent::Media(_))).await;
    assert!(matches!(outcome, SessionEvent::Closed(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_withdrawn_reservation_is_unknown() {
    let site = site().await;
    let reservation = site.endpoint.reserve();
    let blob = reservation.blob().clone();
    drop(reservation);
    let (_offer, sdp) = site.transport.offer().await.unwrap();
    assert_eq!(
        status(site.client.offer(&blob, &sdp).await.unwrap_err()),
        404
    );
}

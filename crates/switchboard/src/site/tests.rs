//! Whole calls in one process: what strangers and broken phones do to them, and
//! what is left when they are over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use switchboard_emulator::{PhoneCommand, PhoneEvent, PhoneRole};
use switchboard_media::event::Digit;
use switchboard_media::prompt::Prompt;
use switchboard_media::tone::{DtmfTone, dial};

use super::*;
use crate::caller::{Caller, Outcome};

/// How long anything may take: patience, not a promise.
const PATIENCE: Duration = Duration::from_secs(40);

async fn site() -> Site {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Site::start(any).await.expect("the site starts")
}

/// Someone who presses keys and waits to be hung up on.
async fn caller(site: &Site, keys: &str) -> Caller {
    let like = DtmfTone::new(Digit::ALL[0]);
    let mut signal = vec![0.0; 16_000];
    signal.extend(dial(16_000, keys, &like));
    let recording = Prompt::from_samples(16_000, &signal).expect("tones are a prompt");
    let phone = site.emulator.phone("Caller", PhoneRole::Caller).await;
    Caller::new(phone, site.transport.clone(), recording)
}

fn completed(outcome: &Outcome) -> bool {
    outcome.answered && outcome.heard_the_bot && matches!(outcome.code, 0 | 200)
}

/// Waits until nothing of any call is alive.
async fn nothing_is_left(site: &Site) {
    let begin = Instant::now();
    loop {
        let counts = site.emulator.counts();
        let legs = site.transport.engine().legs();
        if (counts.calls, site.bot.calls(), legs) == (0, 0, 0) {
            return;
        }
        let left = format!(
            "{counts:?}, {} calls of the bot, {legs} legs",
            site.bot.calls()
        );
        assert!(begin.elapsed() < PATIENCE, "still alive: {left}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_leave_nothing_behind() {
    let site = site().await;
    let (first, second) = (caller(&site, "#").await, caller(&site, "1#").await);
    let (first, second) = tokio::join!(first.call(), second.call());
    assert!(completed(&first.expect("a call")) && completed(&second.expect("a call")));
    nothing_is_left(&site).await;
    site.stop().await;
}

/// Posts to `url` and gives the status.
async fn post(url: Url, content_type: &str, body: Vec<u8>) -> StatusCode {
    let request = reqwest::Client::new().post(url).bearer_auth("e30.e30.e30");
    let request = request.header("content-type", content_type).body(body);
    request.send().await.expect("an answer").status()
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_and_the_call_goes_on() {
    let site = site().await;
    let call = tokio::spawn(caller(&site, "1#").await.call());
    let webhook = site.bot.webhook_url();
    for _ in 0..20 {
        let refused = post(
            webhook.clone(),
            "application/json",
            b"{\"value\":[{}]}".to_vec(),
        )
        .await;
        assert_eq!(refused, StatusCode::UNAUTHORIZED);
        let large = post(webhook.clone(), "application/json", vec![b' '; 300 * 1024]).await;
        assert!(
            matches!(
                large,
                StatusCode::UNAUTHORIZED | StatusCode::PAYLOAD_TOO_LARGE
            ),
            "{large}"
        );
        let media = webhook
            .join("/media/00000000000040008000000000000000")
            .expect("a URL");
        let offer = post(media, "application/sdp", b"v=0\r\n".to_vec()).await;
        assert_eq!(offer, StatusCode::NOT_FOUND);
    }
    let outcome = call.await.expect("no panic").expect("a call");
    assert!(completed(&outcome), "{outcome:?}");
    nothing_is_left(&site).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_lies_in_its_offer_is_told_and_the_other_call_goes_on() {
    let site = site().await;
    let good = tokio::spawn(caller(&site, "#").await.call());
    for sdp in ["", "garbage", "v=0\r\nm=audio 9 RTP/AVP 0\r\n"] {
        let mut phone = site.emulator.phone("Liar", PhoneRole::Caller).await;
        let dial = PhoneCommand::Dial {
            target: "bot".to_owned(),
            sdp: sdp.to_owned(),
        };
        phone
            .commands
            .send(dial)
            .await
            .expect("the emulator listens");
        let told = async {
            while let Some(event) = phone.events.recv().await {
                match event {
                    PhoneEvent::Ended { reason, .. } => return Some(reason.message),
                    PhoneEvent::Error { message, .. } => return Some(message),
                    _ => {}
                }
            }
            None
        };
        let told = tokio::time::timeout(PATIENCE, told).await;
        assert!(
            matches!(told, Ok(Some(ref why)) if !why.is_empty()),
            "{sdp:?}: {told:?}"
        );
    }
    let outcome = good.await.expect("no panic").expect("a call");
    assert!(completed(&outcome), "{outcome:?}");
    nothing_is_left(&site).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_vanishes_mid_call_takes_its_call_along() {
    let site = site().await;
    let call = tokio::spawn(caller(&site, "1").await.call());
    let begin = Instant::now();
    while site.transport.engine().legs() < 2 {
        assert!(begin.elapsed() < PATIENCE, "the call is never up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    call.abort();
    nothing_is_left(&site).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_hangs_up_and_tells_the_caller() {
    let site = site().await;
    let call = tokio::spawn(caller(&site, "1").await.call());
    let begin = Instant::now();
    while site.transport.engine().legs() < 2 {
        assert!(begin.elapsed() < PATIENCE, "the call is never up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let engine = Arc::new(site.transport.engine().clone());
    site.stop().await;
    let ended = tokio::time::timeout(PATIENCE, call)
        .await
        .expect("the caller is told");
    assert!(ended.expect("no panic").is_ok());
    while engine.legs() > 0 {
        assert!(
            begin.elapsed() < PATIENCE * 2,
            "{} legs are left",
            engine.legs()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

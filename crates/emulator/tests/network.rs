//! What packets suffer, set over REST while a call goes on.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use support::{LIMIT, Site, service_hosted, told};
use switchboard_emulator::{Phone, PhoneEvent};
use switchboard_media::event::{Digit, MediaEvent};
use switchboard_media::prompt::Prompt;
use switchboard_transport::{Session, SessionEvent};
use tokio::time::timeout;

/// Waits until the far end's sound is on this side of −30 dBov for a second.
async fn heard(session: &mut Session, loud: bool) {
    let fits = async {
        let mut in_a_row = 0;
        while in_a_row < 10 {
            if let Some(SessionEvent::Media(MediaEvent::Level { dbov, .. })) = session.event().await
            {
                in_a_row = if (dbov > -30.0) == loud {
                    in_a_row + 1
                } else {
                    0
                };
            }
        }
    };
    timeout(LIMIT, fits).await.expect("it is heard in time");
}

/// A call of a phone behind a relay, which hears a minute's tone; its id.
async fn answered(site: &Site) -> (Phone, Session, String) {
    let empty = json!({"phone": "Caller"});
    let (status, _) = site.admin("POST", "/network", Some(empty)).await;
    assert_eq!(status, StatusCode::OK);
    let (mut phone, offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    let tone: Vec<f32> = (0..16_000 * 60)
        .map(|n| 0.3 * (n as f32 * 0.2).sin())
        .collect();
    let prompt = switchboard_media::wav::write(16_000, &tone);
    assert!(Prompt::from_wav(&prompt).is_ok());
    site.bot.prompt.send_replace(prompt);
    site.post(&format!("/{call}/answer"), service_hosted())
        .await;
    let answer = |event: &PhoneEvent| matches!(event, PhoneEvent::Answer { .. });
    let PhoneEvent::Answer { sdp, .. } = told(&mut phone, answer).await else {
        unreachable!()
    };
    let mut caller = offer.accept(&sdp).await.unwrap();
    site.bot.hears("establishing").await;
    site.bot.hears("established").await;
    let play = support::play(&site.bot.url("prompt.wav"));
    site.post(&format!("/{call}/playPrompt"), play).await;
    heard(&mut caller, true).await;
    (phone, caller, call)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_is_silence_until_it_ends() {
    let site = Site::start().await;
    let network = |rule| site.admin("POST", "/network", Some(rule));
    let (_phone, mut caller, _) = answered(&site).await;
    let stall = json!({"phone": "Caller", "direction": "down", "conditions": {"stall": true}});
    let (_, rules) = network(stall).await;
    assert_eq!(rules.as_array().unwrap().len(), 2);
    heard(&mut caller, false).await;
    site.admin("DELETE", "/network", None).await;
    heard(&mut caller, true).await;
}

/// Presses a key, again and again, until the bot is told of it.
async fn is_told(site: &Site, caller: &mut Session, key: char, tone: &str) {
    let digit = Digit::from_char(key).unwrap();
    let told = async {
        loop {
            let _ = caller.press(digit, 100);
            let notified = timeout(Duration::from_secs(1), site.bot.heard()).await;
            let Ok(heard) = notified else { continue };
            let told = &heard.first()["resourceData"]["toneInfo"]["tone"];
            if told == tone {
                return;
            }
        }
    };
    timeout(LIMIT, told)
        .await
        .expect("the key is heard in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_comes_from_another_port_is_heard_and_hears() {
    let site = Site::start().await;
    let (_phone, mut caller, call) = answered(&site).await;
    site.post(&format!("/{call}/subscribeToTone"), json!({}))
        .await;
    is_told(&site, &mut caller, '1', "tone1").await;
    let rule = json!({"phone": "Caller", "conditions": {"addressChange": true}});
    let (status, _) = site.admin("POST", "/network", Some(rule)).await;
    assert_eq!(status, StatusCode::OK);
    is_told(&site, &mut caller, '2', "tone2").await;
    let before = caller.stats().received;
    let more = async {
        while caller.stats().received < before + 50 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, more).await.expect("audio still arrives");
}

#[tokio::test(flavor = "multi_thread")]
async fn impossible_rules_are_refused() {
    let site = Site::start().await;
    for rule in [
        json!({"conditions": {"loss": 2}}),
        json!({"conditions": {"los": 0.1}}),
        json!({"direction": "sideways"}),
        json!({"phone": "Caller", "bot": "b"}),
    ] {
        let (status, body) = site.admin("POST", "/network", Some(rule)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    }
    let (_, rules) = site.admin("GET", "/network", None).await;
    assert_eq!(rules, json!([]));
}

//! What the judge holds against a bot, and what it does not, over real HTTP.
#![allow(clippy::unwrap_used)]

mod support;

use axum::http::StatusCode;
use serde_json::json;
use support::{LIMIT, Site, service_hosted, told};
use switchboard_emulator::PhoneEvent;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_misbehaves_is_found_out() {
    let site = Site::start().await;
    let (mut phone, _offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    site.bot
        .status
        .send_replace(StatusCode::INTERNAL_SERVER_ERROR);
    site.admin("POST", "/clock", Some(json!({"advanceMs": 15_000})))
        .await;
    told(&mut phone, |event| {
        matches!(event, PhoneEvent::Ended { .. })
    })
    .await;
    finds(&site, "webhookRefused").await;
    // The end is told again, and taken.
    site.bot.status.send_replace(StatusCode::ACCEPTED);
    site.bot.hears("terminated").await;
    let late = async {
        while !site.verdicts().await.contains(&"afterTheEnd".to_owned()) {
            let later = json!({"advanceMs": 1_001});
            site.admin("POST", "/clock", Some(later)).await;
            site.post(&format!("/{call}/answer"), service_hosted())
                .await;
        }
    };
    timeout(LIMIT, late).await.unwrap();
    finds(&site, "lateAnswer").await;
}

/// Waits until the judge has found that.
async fn finds(site: &Site, rule: &str) {
    let found = async { while !site.verdicts().await.iter().any(|found| found == rule) {} };
    let found = timeout(LIMIT, found).await;
    found.unwrap_or_else(|_| panic!("{rule} is not found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bot_was_not_told_is_held_against_nobody() {
    let site = Site::start().await;
    for lost in ["incoming", "terminated"] {
        let operation = format!("notification:{lost}");
        site.fault(json!({"operation": operation, "nth": 1, "fault": {"kind": "lose"}}))
            .await;
    }
    let later = async |ms: u64| {
        site.admin("POST", "/clock", Some(json!({"advanceMs": ms})))
            .await;
    };
    let (mut phone, _offer, call) = site.dial().await;
    struck(&site, 1).await;
    later(15_000).await;
    let ended = |event: &PhoneEvent| matches!(event, PhoneEvent::Ended { .. });
    told(&mut phone, ended).await;
    struck(&site, 2).await;
    later(10_000).await;
    site.post(&format!("/{call}/answer"), service_hosted())
        .await;
    assert_eq!(site.verdicts().await, [""; 0]);
}

/// Waits until that many faults have struck.
async fn struck(site: &Site, times: u64) {
    let struck = async {
        loop {
            let (_, rules) = site.admin("GET", "/faults", None).await;
            let rules = rules.as_array().unwrap().iter();
            let sum: u64 = rules.map(|rule| rule["struck"].as_u64().unwrap()).sum();
            if sum == times {
                return;
            }
        }
    };
    timeout(LIMIT, struck).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_whose_keep_alives_are_refused_is_found_out() {
    let site = Site::start().await;
    let (mut phone, offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    site.post(&format!("/{call}/answer"), service_hosted())
        .await;
    let answer = |event: &PhoneEvent| matches!(event, PhoneEvent::Answer { .. });
    let PhoneEvent::Answer { sdp, .. } = told(&mut phone, answer).await else {
        unreachable!()
    };
    let _session = offer.accept(&sdp).await.unwrap();
    site.bot.hears("establishing").await;
    site.bot.hears("established").await;
    let path = format!("/{call}/keepAlive");
    let later = async |minutes: u64| {
        let later = json!({"advanceMs": minutes * 60_000});
        site.admin("POST", "/clock", Some(later)).await;
    };
    later(20).await;
    let fault = json!({"kind": "status", "status": 503});
    site.fault(json!({"operation": "keepAlive", "nth": 1, "fault": fault}))
        .await;
    let (status, _) = site.graph("POST", &path, None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    // This one is granted, and the next is due in another 45 minutes.
    later(24).await;
    let (status, _) = site.graph("POST", &path, None).await;
    assert_eq!(status, StatusCode::OK);
    later(44).await;
    let none: [&str; 0] = [];
    assert_eq!(neglected(&site).await, none);
    later(1).await;
    let expected = ["missingKeepAlive", "neverDeleted"];
    assert_eq!(neglected(&site).await, expected);
}

/// The findings but those of the webhook, which may be told meanwhile.
async fn neglected(site: &Site) -> Vec<String> {
    let mut verdicts = site.verdicts().await;
    verdicts.retain(|rule| !rule.contains("ebhook"));
    verdicts
}

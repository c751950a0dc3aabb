//! A bot whose way to a meeting is bad.

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::singer::{Singer, connected, dial_in, sing, until};
use crate::support::{CLIENT, LIMIT, Site, app_hosted};
use crate::{join, meeting};

/// A bot and a phone in a meeting, the bot behind a relay; its call.
async fn behind_a_relay(site: &Site) -> ([Singer; 2], String) {
    suffers(site, json!({"bot": CLIENT})).await;
    let (_, join_id) = meeting(site).await;
    let mut reservation = site.bot.whip.reserve();
    let media = app_hosted(&reservation.blob().to_wire());
    let body = join(&join_id, &media, &site.bot.url("/api/calls"));
    let (status, call) = site.post("", body).await;
    assert_eq!(status, StatusCode::CREATED, "{call}");
    let session = timeout(LIMIT, reservation.session()).await.unwrap();
    let mut session = session.unwrap();
    connected(&mut session).await;
    let bot = Singer::new(session, None, 500.0);
    let mut singers = [bot, dial_in(site, &join_id, 900.0).await];
    until(&mut singers, "they hear each other", hear_each_other).await;
    (singers, call["id"].as_str().unwrap().to_owned())
}

async fn suffers(site: &Site, rule: Value) {
    let (status, body) = site.admin("POST", "/network", Some(rule)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

fn hear_each_other(singers: &[Singer]) -> bool {
    singers[0].hears_well(singers[1].hz) && singers[1].hears_well(singers[0].hz)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bots_packets_are_held_up_and_lost_and_the_bot_is_not_blamed() {
    let site = Site::start().await;
    let (mut singers, call) = behind_a_relay(&site).await;
    let stall = json!({"bot": CLIENT, "direction": "up", "conditions": {"stall": true}});
    suffers(&site, stall).await;
    until(&mut singers, "the bot is not heard", |singers| {
        singers[1].hears_nothing_of(singers[0].hz) && singers[0].hears_well(singers[1].hz)
    })
    .await;
    suffers(&site, json!({"bot": CLIENT, "conditions": {"loss": 0.2}})).await;
    until(&mut singers, "they hear each other again", hear_each_other).await;
    let before = singers[0].session.stats();
    sing(&mut singers, 3.0).await;
    let after = singers[0].session.stats();
    let lost = after.lost - before.lost;
    let whole = lost + after.received - before.received;
    assert!(lost * 10 > whole, "{lost} of {whole}");

    let left = site.graph("DELETE", &format!("/{call}"), None).await.0;
    assert_eq!(left, StatusCode::NO_CONTENT);
    assert_eq!(site.verdicts().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_comes_from_another_port_is_heard_and_hears() {
    let site = Site::start().await;
    let (mut singers, _) = behind_a_relay(&site).await;
    let change = json!({"bot": CLIENT, "conditions": {"addressChange": true}});
    suffers(&site, change).await;
    until(&mut singers, "they hear each other again", hear_each_other).await;
}

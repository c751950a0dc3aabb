//! Transfers out of a conference.

use axum::http::StatusCode;
use serde_json::json;
use switchboard_emulator::{Counts, Phone, PhoneCommand, PhoneEvent, PhoneRole};

use crate::singer::{Singer, answered, dial_in, until};
use crate::support::{Site, told};
use crate::{about, led};

/// Takes the call that rings; the singer whose tone is heard in it.
async fn takes(site: &Site, mut phone: Phone, hz: f32) -> Singer {
    let rings = told(&mut phone, |event| {
        matches!(event, PhoneEvent::Incoming { .. })
    })
    .await;
    let PhoneEvent::Incoming { call, .. } = rings else {
        unreachable!()
    };
    let (offer, sdp) = site.transport.with_live().offer().await.unwrap();
    let accept = PhoneCommand::Accept { call, sdp };
    phone.commands.send(accept).await.unwrap();
    answered(phone, offer, hz).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_transferred_out_of_a_meeting_talks_to_the_target_alone() {
    let site = Site::start().await;
    let (call, join_id) = led(&site).await;
    let mut singers = Vec::new();
    for hz in [400.0, 700.0, 1100.0] {
        singers.push(dial_in(&site, &join_id, hz).await);
    }
    let target = site.emulator.phone("Target", PhoneRole::Agent).await;
    until(&mut singers, "all hear each other", |singers| {
        singers[0].hears_well(700.0) && singers[1].hears_well(400.0)
    })
    .await;
    let (_, roster) = site
        .graph("GET", &format!("/{call}/participants"), None)
        .await;
    let first = roster["value"][1]["id"].as_str().unwrap();
    let body = json!({"transferTarget": {"identity": {"user": {"displayName": "Target"}}},
        "transferee": {"participantId": first}});
    let (status, answer) = site.post(&format!("/{call}/transfer"), body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");

    let target = takes(&site, target, 1500.0).await;
    let mut transferred = singers.remove(0);
    let mut phone = transferred.phone.take().unwrap();
    told(&mut phone, |event| {
        matches!(event, PhoneEvent::Ended { .. })
    })
    .await;
    let transferred = takes(&site, phone, 400.0).await;
    singers.extend([transferred, target]);
    until(&mut singers, "the two talk, and the others", |singers| {
        let [one, other, transferred, target] = singers else {
            unreachable!()
        };
        transferred.hears_well(target.hz)
            && target.hears_well(transferred.hz)
            && transferred.hears_nothing_of(one.hz)
            && target.hears_nothing_of(other.hz)
            && one.hears_well(other.hz)
            && other.hears_nothing_of(transferred.hz)
    })
    .await;
    let states = ["transferring", "transferAccepted", "terminated"];
    for state in states {
        let told = loop {
            let data = about(&site, &call).await;
            if data["state"] != "established" && data["state"] != "establishing" {
                break data;
            }
        };
        assert_eq!(told["state"], state, "{told}");
        if state == "terminated" {
            assert_eq!(told["resultInfo"]["subcode"], 7015, "{told}");
        }
    }
    drop(singers);
    site.settles_at(Counts::default()).await;
}

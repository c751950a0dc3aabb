//! Who is outside the default mix: heard, and hears, by audio routing groups alone.

use axum::http::StatusCode;
use serde_json::{Value, json};
use switchboard_emulator::{PhoneCommand, PhoneEvent, PhoneRole, PhoneUser};

use crate::singer::{Singer, answered, dial_in, until};
use crate::support::{Site, told};
use crate::{LEVEL, led};

/// The user who is outside.
const ASIDE: &str = "9d6a1f0c-2b53-4e0a-8f3e-7b7f0f8f6a11";

/// Invites a phone that accepts and sings at `hz`: it, and its participant's id.
async fn asked_in(site: &Site, call: &str, more: &Value, hz: f32) -> (Singer, String) {
    let role = PhoneRole::Caller;
    let mut phone = site
        .emulator
        .phone_of(&PhoneUser::new(ASIDE), "Aside", role)
        .await;
    let mut person = json!({"identity": {"user": {"id": ASIDE}}});
    for (name, value) in more.as_object().unwrap() {
        person[name] = value.clone();
    }
    let body = json!({"participants": [person], "clientContext": "c"});
    let (status, operation) = site
        .post(&format!("/{call}/participants/invite"), body)
        .await;
    assert_eq!(status, StatusCode::OK, "{operation}");
    let id = &operation["participants"][0]["participantId"];
    let incoming = |event: &PhoneEvent| matches!(event, PhoneEvent::Incoming { .. });
    let PhoneEvent::Incoming { call, .. } = told(&mut phone, incoming).await else {
        unreachable!()
    };
    let (offer, sdp) = site.transport.with_live().offer().await.unwrap();
    let accept = PhoneCommand::Accept { call, sdp };
    phone.commands.send(accept).await.unwrap();
    let id = id.as_str().unwrap().to_owned();
    (answered(phone, offer, hz).await, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_outside_the_mix_hears_what_is_routed_there_alone() {
    let site = Site::start().await;
    let (call, join_id) = led(&site).await;
    let first = dial_in(&site, &join_id, 400.0).await;
    let second = dial_in(&site, &join_id, 700.0).await;
    let more = json!({"removeFromDefaultAudioRoutingGroup": true, "hidden": true});
    let (aside, id) = asked_in(&site, &call, &more, 1100.0).await;
    let mut singers = [first, second, aside];
    until(&mut singers, "the third is outside", |singers| {
        let [first, second, aside] = singers else {
            unreachable!()
        };
        first.hears_well(second.hz)
            && second.hears_well(first.hz)
            && first.hears_nothing_of(aside.hz)
            && second.hears_nothing_of(aside.hz)
            && aside.hears(first.hz).max(aside.hears(second.hz)) < LEVEL / 8.0
    })
    .await;
    let people = format!("/{call}/participants");
    let (_, roster) = site.graph("GET", &people, None).await;
    let people = roster["value"].as_array().unwrap();
    let ids: Vec<_> = people
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 3, "{roster}");
    assert!(!ids.contains(&id.as_str()));

    let groups = format!("/{call}/audioRoutingGroups");
    let to_first = json!({"id": "in", "routingMode": "oneToOne", "sources": [id],
        "receivers": [ids[1]]});
    assert_eq!(site.post(&groups, to_first).await.0, StatusCode::OK);
    until(
        &mut singers,
        "the third speaks to the first alone",
        |singers| {
            let [first, second, aside] = singers else {
                unreachable!()
            };
            first.hears_well(aside.hz)
                && first.hears_well(second.hz)
                && second.hears_nothing_of(aside.hz)
                && aside.hears_nothing_of(first.hz)
        },
    )
    .await;
    let to_third = json!({"id": "out", "routingMode": "multicast", "sources": [ids[2]],
        "receivers": [ids[1], id]});
    assert_eq!(site.post(&groups, to_third).await.0, StatusCode::OK);
    let deleted = site.graph("DELETE", &format!("{groups}/in"), None).await.0;
    assert_eq!(deleted, StatusCode::NO_CONTENT);
    until(
        &mut singers,
        "the third hears the second alone",
        |singers| {
            let [first, second, aside] = singers else {
                unreachable!()
            };
            aside.hears_well(second.hz)
                && first.hears_well(second.hz)
                && aside.hears_nothing_of(first.hz)
                && first.hears_nothing_of(aside.hz)
                && second.hears_nothing_of(aside.hz)
        },
    )
    .await;
}

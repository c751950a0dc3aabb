//! A reminder from the request to the confirmation, with real calls.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard_reminders::{Key, ReminderId, Target};
use switchboard_service::Order;
use uuid::Uuid;

use super::calls;
use crate::serve::office::{self, Office, answers, patient, rings};

async fn a_call_is_confirmed(media: &str) {
    let office = Office::open(media).await;
    let mut patient = patient(&office).await;
    let id = office.remind(&json!({})).await;
    answers(&mut patient).await;
    assert_eq!(office.get(&id).await["state"], "calling");
    patient.press("1");
    patient.hears("thanks").await;
    let confirmed = office.until(&id, |now| now["outcome"] == "confirmed").await;
    assert!(!confirmed.to_string().contains("digit"));
    patient.is_hung_up_on().await;
    office.until(&id, |now| now["state"] == "done").await;
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_rings_a_telephone_and_a_key_confirms() {
    a_call_is_confirmed("application").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_with_media_in_graphs_hands() {
    a_call_is_confirmed("service").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_puts_it_off_and_another_call_takes_it_back() {
    let office = Office::open("application").await;
    let later = json!({"postponeKey": "2", "postponeMinutes": 60});
    let mut patient = patient(&office).await;
    let id = office.remind(&later).await;
    answers(&mut patient).await;
    patient.press("2");
    patient.hears("later").await;
    patient.is_hung_up_on().await;
    let waiting = office.until(&id, |now| now["state"] == "waiting").await;
    assert_eq!(waiting["postponements"], 1);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_declined_is_tried_again_later() {
    let office = Office::open("application").await;
    let mut patient = patient(&office).await;
    let id = office.remind(&json!({"spacingMinutes": 5})).await;
    rings(&mut patient).await;
    patient.decline().await;
    let waiting = office.until(&id, |now| now["attempts"] == 1).await;
    assert_eq!(waiting["state"], "waiting");
    office.close().await;
}

/// The next call is created with this fault.
async fn creation_suffers(office: &Office, fault: Value) {
    let faults = format!("{}/faults", office.site.emulator.admin_url());
    let rule = json!({"operation": "create", "times": 1, "fault": fault});
    let request = reqwest::Client::new().post(faults).json(&rule);
    assert_eq!(request.send().await.expect("an answer").status(), 201);
}

/// Graph tells of the end by a connection of its own, which may be faster than its answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_call_may_be_told_before_its_id() {
    let office = Office::open("application").await;
    creation_suffers(&office, json!({"kind": "slowBody", "ms": 1_500})).await;
    let id = office.remind(&json!({})).await;
    let over = office.until(&id, |now| now["state"] == "done").await;
    assert_eq!(over["outcome"], "uncallable");
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_there_or_may_not_be_called_is_called_once() {
    let office = Office::open("application").await;
    let over = async |id: &str| office.until(id, |now| now["state"] == "done").await;
    // The patient has no telephone yet: Graph takes the call, and ends it at once.
    let id = office.remind(&json!({})).await;
    assert_eq!(over(&id).await["outcome"], "uncallable");
    creation_suffers(&office, json!({"kind": "status", "status": 403})).await;
    let _patient = patient(&office).await;
    let id = office.remind(&json!({})).await;
    assert_eq!(over(&id).await["outcome"], "uncallable");
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_hung_up_by_hand_while_it_rings_is_an_attempt() {
    let office = Office::open("application").await;
    let mut patient = patient(&office).await;
    let id = office.remind(&json!({"spacingMinutes": 5})).await;
    rings(&mut patient).await;
    let dialer = office.site.bot.dialer();
    // It rings before its id is known here.
    while !dialer.live().iter().any(|call| dialer.hang_up(&call.id)) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let waiting = office.until(&id, |now| now["state"] == "waiting").await;
    assert_eq!(waiting["attempts"], 1);
    office.close().await;
}

#[test]
fn a_text_stays_a_text_whatever_is_in_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = office::reminders(directory.path(), "service");
    let making = calls::Making::new(&settings, directory.path(), None, vec!["clinic".to_owned()]);
    let order = Order {
        reminder: ReminderId(Uuid::nil()),
        token: 1,
        target: Target::phone("+4915112345678").expect("a number"),
        from: None,
        text: Some("\"]\n[nodes.x]\nhang_up = true\n'''\\".to_owned()),
        prompt: None,
        confirm: Key::new('#').expect("a key"),
        postpone: Key::new('*'),
    };
    let flow = making.flow(&order);
    let read = switchboard_bot::flow::Flow::parse(&flow);
    assert!(read.is_ok(), "{flow}");
    let table: toml::Table = flow.parse().expect("TOML");
    let text = table["prompts"]["message"]["text"].as_str();
    assert_eq!(text, order.text.as_deref());
    assert!(table["nodes"].get("x").is_none());

    // Of the bot's numbers the reminder's own calls, as long as there is one.
    let from = |name: Option<&str>| {
        let own = Order {
            from: name.map(str::to_owned),
            ..order.clone()
        };
        let table: toml::Table = making.flow(&own).parse().expect("TOML");
        let from = table.get("from").and_then(toml::Value::as_str);
        from.map(str::to_owned)
    };
    assert_eq!(from(Some("clinic")).as_deref(), Some("clinic"));
    assert_eq!((from(Some("gone")), from(None)), (None, None));
}

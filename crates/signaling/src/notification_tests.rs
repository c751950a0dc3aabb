#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::types::CallState;

const CALL: &str = "57DAB8B1894C409AB240BD8BEAE78896";

fn batch(body: &Value) -> Batch {
    match parse(body.to_string().as_bytes()).unwrap() {
        Payload::Notifications(batch) => batch,
        other => panic!("{other:?}"),
    }
}

fn one(path: &str, data: Value) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.commsNotifications",
        "value": [{
            "@odata.type": "#microsoft.graph.commsNotification",
            "changeType": "updated",
            "resourceUrl": path,
            "resourceData": data,
        }]
    })
}

fn state(state: &str) -> Value {
    json!({"@odata.type": "#microsoft.graph.call", "state": state})
}

fn call_path() -> String {
    format!("/communications/calls/{CALL}")
}

#[test]
fn a_call_notification_is_read() {
    let batch = batch(&one(&call_path(), state("established")));
    let [notification] = batch.notifications.as_slice() else {
        panic!()
    };
    assert_eq!(notification.call_id.as_str(), CALL);
    assert_eq!(notification.change_type, ChangeType::Updated);
    let NotifiedResource::Call(call) = &notification.resource else {
        panic!()
    };
    assert_eq!(call.state, Some(CallState::Established));
}

#[test]
fn rosters_and_operations_are_read() {
    let roster = json!([
        {"@odata.type": "#microsoft.graph.participant", "id": "p1"},
        {"@odata.type": "#microsoft.graph.participant", "id": "p2"},
    ]);
    let roster = batch(&one(&format!("{}/participants", call_path()), roster));
    let NotifiedResource::Participants(people) = &roster.notifications[0].resource else {
        panic!()
    };
    assert_eq!(people.len(), 2);

    let changes = json!({
        "@odata.type": "#microsoft.graph.deltaParticipants", "sequenceNumber": 7,
        "participants": [{"@odata.type": "#microsoft.graph.participant", "id": "p3"}],
    });
    let changes = batch(&one(&format!("{}/participants", call_path()), changes));
    let NotifiedResource::ParticipantChanges(changes) = &changes.notifications[0].resource else {
        panic!()
    };
    assert_eq!(changes.sequence_number, Some(7));
    assert_eq!(changes.participants.as_ref().unwrap().len(), 1);

    let operation = json!({
        "@odata.type": "#microsoft.graph.playPromptOperation", "status": "completed",
        "clientContext": "c1",
    });
    let operation = batch(&one(&format!("{}/operations/op-1", call_path()), operation));
    let NotifiedResource::Operation(operation) = &operation.notifications[0].resource else {
        panic!()
    };
    assert_eq!(operation.client_context.as_deref(), Some("c1"));
}

#[test]
fn the_older_property_and_path_are_read() {
    let body = json!({"value": [{
        "resource": format!("/app/calls/{CALL}"), "resourceData": state("Established"),
    }]});
    assert_eq!(batch(&body).notifications[0].call_id.as_str(), CALL);
}

#[test]
fn unknown_types_are_kept_as_such_and_counted() {
    let odd = json!({"@odata.type": "#microsoft.graph.callHologram", "x": 1});
    let batch = batch(&one(&call_path(), odd));
    assert_eq!(batch.unknown_types(), 1);
}

#[test]
fn only_paths_of_calls_name_a_call() {
    for good in [
        "",
        "/",
        "/participants",
        "/participants/p-1",
        "/operations/op_1",
        "/contentSharingSessions/1",
    ] {
        for first in ["/", ""] {
            let path = format!("{first}communications/calls/{CALL}{good}");
            assert!(call_id(&path).is_some(), "{path}");
        }
    }
    for bad in [
        "",
        "/",
        "/communications/calls",
        "/communications/calls/",
        "//communications/calls/1",
        "x/communications/calls/1",
        "/communications/onlineMeetings/1",
        "https://graph.microsoft.com/v1.0/communications/calls/1",
        "//evil.example/communications/calls/1",
        "/communications/calls/1?x=1",
        "/communications/calls/1#x",
        "/communications/calls/%2e%2e",
        "/communications/calls/../users",
        "/communications/calls/1/../../users",
        "/communications/calls/1/operations/..",
        "/communications/calls/1/a/b/c",
        "/communications/calls/1//x",
        "/communications/calls/a b",
        "/communications/calls/ä",
        "/communications/calls/1@evil.example",
        "/v1.0/communications/calls/1",
        &format!("/communications/calls/{}", "a".repeat(129)),
    ] {
        assert_eq!(call_id(bad), None, "{bad}");
    }
}

#[test]
fn notifications_about_no_call_are_counted() {
    let body = json!({"value": [
        {"resourceUrl": "/communications/onlineMeetings/1", "resourceData": {}},
        {"resourceUrl": "https://evil.example/communications/calls/1", "resourceData": state("incoming")},
        {"changeType": "updated"},
        {"resourceUrl": call_path(), "resourceData": state("established")},
    ]});
    let batch = batch(&body);
    assert_eq!((batch.notifications.len(), batch.unaddressed), (1, 3));
}

#[test]
fn empty_bodies_mean_nothing() {
    for body in [
        "",
        " \r\n",
        "{}",
        r#"{"value":[]}"#,
        r##"{"@odata.type":"#microsoft.graph.commsNotifications"}"##,
    ] {
        assert_eq!(parse(body.as_bytes()), Ok(Payload::Empty), "{body}");
    }
}

#[test]
fn the_former_skype_format_is_told_apart() {
    let incoming = json!({
        "id": "0b022b87-f255-4667-9335-2335f30ee8de",
        "participants": [{"identity": "8:someone", "originator": true}],
        "isMultiparty": false, "presentedModalityTypes": ["audio"], "callState": "incoming",
    });
    assert_eq!(parse(incoming.to_string().as_bytes()), Ok(Payload::Legacy));
}

#[test]
fn malformed_bodies_are_named_without_being_quoted() {
    for (body, problem) in [
        (r#"{"value":[{"#, "ends too early"),
        ("hunter2", "not JSON"),
        ("\u{1}\u{2}", "not JSON"),
        ("[]", "wrong type"),
        ("null", "wrong type"),
        (r#""hunter2""#, "wrong type"),
        (r#"{"value":"hunter2"}"#, "wrong type"),
        (r#"{"value":["hunter2"]}"#, "wrong type"),
        (r#"{"value":[{"changeType":{"hunter2":1}}]}"#, "wrong type"),
        (r#"{"hunter2":1}"#, "without the commsNotifications list"),
    ] {
        let text = parse(body.as_bytes()).unwrap_err().to_string();
        assert!(
            text.contains(problem) && !text.contains("hunter2"),
            "{body}: {text}"
        );
    }
    let latin1 = parse(b"{\"value\":[{\"resourceUrl\":\"\xff\"}]}");
    assert!(matches!(latin1, Err(ParseError::Json { .. })));
}

#[test]
fn a_resource_of_the_wrong_shape_is_an_error_that_says_where() {
    let tone = json!({"@odata.type": "#microsoft.graph.call", "toneInfo": "tone7"});
    let error = parse(one(&call_path(), tone).to_string().as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "value[0].resourceData is not a microsoft.graph.call"
    );
}

#[test]
fn size_depth_and_number_are_limited() {
    let long = vec![b' '; MAX_BODY_BYTES + 1];
    assert_eq!(parse(&long), Err(ParseError::TooLarge));

    let nested =
        |levels: usize| format!(r#"{{"x":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert_eq!(
        parse(nested(MAX_DEPTH).as_bytes()),
        Err(ParseError::TooDeep)
    );
    assert_eq!(
        parse(nested(MAX_DEPTH - 1).as_bytes()),
        Err(ParseError::NotNotifications)
    );
    assert_eq!(
        parse("[".repeat(200_000).as_bytes()),
        Err(ParseError::TooDeep)
    );
    let brackets_in_a_string = json!({"callState": "[{\\\"[".repeat(100)});
    assert_eq!(
        parse(brackets_in_a_string.to_string().as_bytes()),
        Ok(Payload::Legacy)
    );

    let item = json!({"resourceUrl": "/app/calls/1"});
    let many = json!({"value": vec![item.clone(); MAX_NOTIFICATIONS + 1]});
    assert_eq!(
        parse(many.to_string().as_bytes()),
        Err(ParseError::TooMany(1001))
    );
    let full = json!({"value": vec![item; MAX_NOTIFICATIONS]});
    assert_eq!(batch(&full).notifications.len(), MAX_NOTIFICATIONS);
}

#[test]
fn debug_output_holds_no_tone() {
    let tone = json!({
        "@odata.type": "#microsoft.graph.call", "state": "established",
        "toneInfo": {"sequenceId": 1, "tone": "tone7"},
    });
    let shown = format!("{:?}", batch(&one(&call_path(), tone)));
    assert!(!shown.to_lowercase().contains("tone7"), "{shown}");
}

/// Bodies near enough to real ones to get past the first check.
fn near_bodies() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("#microsoft.graph.call")),
        Just(json!("#microsoft.graph.participant")),
        Just(json!("#microsoft.graph.playPromptOperation")),
        Just(json!(format!("/app/calls/{CALL}"))),
    ];
    let name = prop_oneof![
        Just("value"),
        Just("@odata.type"),
        Just("resourceUrl"),
        Just("resourceData"),
        Just("state"),
        Just("changeType"),
        Just("toneInfo"),
        Just("participants"),
        Just("id"),
        Just("resultInfo"),
    ];
    let value = leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6).prop_map(|members| members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect()),
        ]
    });
    value.prop_map(|value| format!(r#"{{"value":[{value}]}}"#))
}

proptest! {
    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = parse(&body);
    }

    #[test]
    fn no_json_panics(body in near_bodies()) {
        let _ = parse(body.as_bytes());
    }

    #[test]
    fn every_id_that_comes_out_is_plain(path in "[/a-z0-9._%?#:@-]{0,60}") {
        if let Some(id) = call_id(&path) {
            prop_assert!(id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        }
    }
}

use serde_json::{Value, json};

use super::{body, broken, call, phone, prompt, table, user, with};
use crate::request::meetings::{self, Between, Owner};
use crate::request::presence::{self, Whose};
use crate::request::{self, participants};
use crate::types::UserId;

#[test]
fn rules_of_participants_and_groups() {
    table(
        |json| broken(participants::invite(&call(), &body(json))),
        &json!({"participants": [user("u"), phone("+12345678901")]}),
        vec![
            ("participants", json!([]), "participants is a list of 0"),
            (
                "participants",
                json!(vec![user("u"); 6]),
                "participants is a list of 6",
            ),
            (
                "participants",
                json!([{}]),
                "participants[0].identity is empty",
            ),
        ],
    );
    table(
        |json| broken(participants::mute_all(&call(), &body(json))),
        &json!({"participants": ["p"]}),
        vec![(
            "participants",
            json!(["p", "p/q"]),
            r#"participants[1] is "p/q""#,
        )],
    );
    table(
        |json| {
            let id = "p".parse().unwrap();
            broken(participants::start_hold_music(&call(), &id, &body(json)))
        },
        &json!({}),
        vec![(
            "customPrompt",
            prompt("http://x/a.wav"),
            r#"customPrompt.mediaInfo.uri is "http://x/a.wav""#,
        )],
    );
    table(
        |json| broken(request::create_audio_routing_group(&call(), &body(json))),
        &json!({"routingMode": "oneToOne", "sources": ["s"], "receivers": ["r"]}),
        vec![
            ("routingMode", json!(null), "routingMode is missing"),
            (
                "routingMode",
                json!("unknownFutureValue"),
                r#"routingMode is "unknownFutureValue""#,
            ),
            ("sources", json!(["s", "t"]), "sources is a list of 2"),
            ("receivers", json!(["r", "q"]), "receivers is a list of 2"),
            ("receivers", json!([]), "receivers is a list of 0"),
        ],
    );
    let id = "g".parse().unwrap();
    let changes = body(json!({"sources": ["s", "t"]}));
    let shown = broken(request::update_audio_routing_group(&call(), &id, &changes));
    assert_eq!(shown, "sources is a list of 2");
}

#[test]
fn rules_of_meetings() {
    let times = json!({"startDateTime": "2026-06-01T10:00:00Z", "endDateTime": "2026-06-01T13:00:00+02:00"});
    let common = || {
        vec![
            (
                "endDateTime",
                json!("2026-06-01T09:59:59Z"),
                r#"endDateTime is "2026-06-01T09:59:59Z""#,
            ),
            (
                "startDateTime",
                json!("tomorrow"),
                r#"startDateTime is "tomorrow""#,
            ),
            (
                "startDateTime",
                json!("2026-06-01T10:00:00"),
                r#"startDateTime is "2026-06-01T10:00:00""#,
            ),
            ("startDateTime", json!(null), "startDateTime is missing"),
        ]
    };
    let passcode = (
        "joinMeetingIdSettings",
        json!({"passcode": "x"}),
        "joinMeetingIdSettings.passcode is present",
    );
    let mut changes = common();
    changes.extend([passcode.clone(), ("endDateTime", json!(null), "nothing")]);
    table(
        |json| broken(meetings::create(&Owner::Me, &body(json))),
        &times,
        changes,
    );

    let own = with(&times, "externalId", json!("e"));
    let mut changes = common();
    changes.extend([
        ("externalId", json!(null), "externalId is missing"),
        ("externalId", json!(""), "externalId is empty"),
        ("endDateTime", json!(null), "nothing"),
    ]);
    table(
        |json| broken(meetings::create_or_get(&Owner::Me, &body(json))),
        &own,
        changes,
    );

    let id = "m".parse().unwrap();
    let mut changes = common();
    changes.extend([
        passcode,
        ("endDateTime", json!(null), "endDateTime is missing"),
        ("participants", json!({"attendees": []}), "nothing"),
        (
            "participants",
            json!({"organizer": {}}),
            "participants.organizer is present",
        ),
    ]);
    table(
        |json| broken(meetings::update(&Owner::Me, &id, &body(json))),
        &times,
        changes,
    );

    let user: UserId = "u".parse().unwrap();
    let backwards = Between {
        start_date_time: Some("2026-06-02T00:00:00Z".to_owned()),
        end_date_time: Some("2026-06-01T00:00:00Z".to_owned()),
    };
    let shown = broken(meetings::get_all_recordings(&user, &backwards));
    assert_eq!(shown, r#"endDateTime is "2026-06-01T00:00:00Z""#);
    let injected = Between {
        start_date_time: Some("2026-06-02T00:00:00Z)/x?".to_owned()),
        end_date_time: None,
    };
    assert!(meetings::get_all_transcripts(&user, &injected).is_err());
}

#[test]
fn rules_of_appointments() {
    let id = "m".parse().unwrap();
    let attendee = json!([{"phoneNumber": "+13129224122", "timeZone": "UTC"}]);
    table(
        |json| {
            broken(meetings::send_virtual_appointment_sms(
                &Owner::Me,
                &id,
                &body(json),
            ))
        },
        &json!({"attendees": attendee, "messageType": "confirmation"}),
        vec![
            ("attendees", json!([]), "attendees is a list of 0"),
            (
                "attendees",
                json!([{"phoneNumber": "911"}]),
                "attendees[0].phoneNumber is a text of 3 characters",
            ),
            ("messageType", json!(null), "messageType is missing"),
            ("messageType", json!("joke"), r#"messageType is "joke""#),
        ],
    );
    let field = "remindBeforeTimeInMinutesType";
    table(
        |json| {
            broken(meetings::send_virtual_appointment_reminder_sms(
                &Owner::Me,
                &id,
                &body(json),
            ))
        },
        &json!({"attendees": attendee, "remindBeforeTimeInMinutesType": "mins15"}),
        vec![
            (
                field,
                json!(null),
                "remindBeforeTimeInMinutesType is missing",
            ),
            (
                field,
                json!("mins16"),
                r#"remindBeforeTimeInMinutesType is "mins16""#,
            ),
        ],
    );
}

#[test]
fn rules_of_presence() {
    let busy = json!({"sessionId": "s", "availability": "Busy", "activity": "InACall", "expirationDuration": "PT5M"});
    let duration =
        |text: &str, expected: &'static str| ("expirationDuration", json!(text), expected);
    table(
        |json| broken(presence::set(&Whose::Me, &body(json))),
        &busy,
        vec![
            ("sessionId", json!(null), "sessionId is missing"),
            (
                "activity",
                json!("Presenting"),
                r#"availability/activity is "Busy/Presenting""#,
            ),
            ("activity", json!(null), "activity is missing"),
            duration("PT4H", "nothing"),
            duration("PT4M59S", r#"expirationDuration is "PT4M59S""#),
            duration("PT4H1S", r#"expirationDuration is "PT4H1S""#),
            duration("1 hour", r#"expirationDuration is "1 hour""#),
        ],
    );
    table(
        |json| broken(presence::set_user_preferred(&Whose::Me, &body(json))),
        &json!({"availability": "Offline", "activity": "OffWork", "expirationDuration": "P7D"}),
        vec![
            (
                "availability",
                json!("Away"),
                r#"availability/activity is "Away/OffWork""#,
            ),
            duration("PT0S", r#"expirationDuration is "PT0S""#),
        ],
    );
    let shown = broken(presence::clear(&Whose::Me, &body(json!({}))));
    assert_eq!(shown, "sessionId is missing");
    assert_eq!(broken(presence::get_by_user_id(&[])), "ids is a list of 0");
    let ids: Vec<UserId> = vec!["u".parse().unwrap(); 651];
    assert_eq!(
        broken(presence::get_by_user_id(&ids)),
        "ids is a list of 651"
    );
    assert_eq!(broken(presence::get_by_user_id(&ids[1..])), "nothing");
}

#[test]
fn rules_of_status_and_location() {
    let status = |message: Value| json!({"statusMessage": message});
    let send = |json| broken(presence::set_status_message(&Whose::Me, &body(json)));
    assert_eq!(send(json!({})), "statusMessage is missing");
    assert_eq!(
        send(status(json!({"message": {"content": "x"}}))),
        "nothing"
    );
    let html = status(json!({"message": {"content": "x", "contentType": "html"}}));
    assert_eq!(send(html), r#"statusMessage.message.contentType is "html""#);
    for (time, allowed) in [
        ("2026-06-01T10:00:00", true),
        ("2026-06-01T10:00:00Z", false),
        ("2026-06-01T10:00:00-07:00", false),
    ] {
        let json = status(json!({"expiryDateTime": {"dateTime": time}}));
        assert_eq!(send(json) == "nothing", allowed, "{time}");
    }
    let location = |json| broken(presence::set_manual_location(&Whose::Me, &body(json)));
    assert_eq!(location(json!({"workLocationType": "office"})), "nothing");
    assert_eq!(location(json!({})), "workLocationType is missing");
    let moon = location(json!({"workLocationType": "moon"}));
    assert_eq!(moon, r#"workLocationType is "moon""#);
}

#[test]
fn rules_of_quality_reports() {
    let guid = "0622673d-9f69-49b3-9d4f-5ec64f42ecce";
    let good = json!({
        "callChainId": guid, "participantId": guid, "mediaLegId": guid, "deviceName": "n",
        "deviceDescription": "d",
        "mediaQualityList": [{"@odata.type": "#microsoft.graph.teleconferenceDeviceAudioQuality"}],
    });
    table(
        |json| broken(request::log_teleconference_device_quality(&body(json))),
        &good,
        vec![
            ("callChainId", json!(null), "quality.callChainId is missing"),
            ("mediaLegId", json!("7"), r#"quality.mediaLegId is "7""#),
            ("deviceName", json!(""), "quality.deviceName is empty"),
            (
                "deviceDescription",
                json!(null),
                "quality.deviceDescription is missing",
            ),
            (
                "mediaQualityList",
                json!([]),
                "quality.mediaQualityList is a list of 0",
            ),
        ],
    );
}

#[test]
fn the_error_names_operation_field_value_and_rule() {
    let request = body(json!({"targets": [user("u")], "timeout": 7}));
    let error = request::redirect(&call(), &request).unwrap_err();
    assert_eq!(
        error.to_string(),
        "call: redirect: timeout is 7, but 15 to 90 seconds are allowed"
    );
}

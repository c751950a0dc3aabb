use serde_json::{Value, json};

use super::{body, broken, call, phone, prompt, table, user, with};
use crate::request::{self, participants};
use crate::types::ScreenSharingRole;

#[test]
fn rules_of_new_calls() {
    let good = json!({
        "callbackUri": "https://bot.example/c", "targets": [user("u")],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
    });
    let hosted = |uri| json!({"@odata.type": "#microsoft.graph.serviceHostedMediaConfig", "preFetchMedia": [{"uri": uri}]});
    let send = |json| broken(request::create_call(&body(json)));
    table(
        send,
        &good,
        vec![
            ("callbackUri", json!(null), "callbackUri is missing"),
            (
                "callbackUri",
                json!("http://bot.example/c"),
                r#"callbackUri is "http://bot.example/c""#,
            ),
            ("callbackUri", json!("http://127.0.0.1:1/c"), "nothing"),
            ("mediaConfig", json!(null), "mediaConfig is missing"),
            ("mediaConfig", hosted("https://x/a.wav"), "nothing"),
            (
                "mediaConfig",
                hosted("ftp://x/a"),
                r#"mediaConfig.preFetchMedia[0].uri is "ftp://x/a""#,
            ),
            (
                "requestedModalities",
                json!(["audio", "smell"]),
                r#"requestedModalities is "smell""#,
            ),
            ("targets", json!([]), "targets is empty"),
            (
                "targets",
                json!(vec![user("u"); 6]),
                "targets is a list of 6",
            ),
            (
                "targets",
                json!([{"identity": {}}]),
                "targets[0].identity is empty",
            ),
            (
                "targets",
                json!([phone("12")]),
                "targets[0].identity.phone.id is a text of 2 characters",
            ),
            (
                "targets",
                json!([phone("+12345678901")]),
                "source.identity.applicationInstance.id is missing",
            ),
        ],
    );
}

#[test]
fn rules_of_joining() {
    let good = json!({
        "callbackUri": "https://bot.example/c", "tenantId": "t", "chatInfo": {"threadId": "19:x"},
        "mediaConfig": {"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "b"},
        "meetingInfo": {
            "@odata.type": "#microsoft.graph.organizerMeetingInfo",
            "organizer": {"user": {"id": "o"}},
        },
    });
    let info = |kind: &str, rest: Value| {
        with(
            &rest,
            "@odata.type",
            json!(format!("#microsoft.graph.{kind}")),
        )
    };
    let send = |json| broken(request::create_call(&body(json)));
    table(
        send,
        &good,
        vec![
            ("tenantId", json!(null), "tenantId is missing"),
            (
                "chatInfo",
                json!({"threadId": ""}),
                "chatInfo.threadId is empty",
            ),
            (
                "meetingInfo",
                info("organizerMeetingInfo", json!({})),
                "meetingInfo.organizer is missing",
            ),
            (
                "meetingInfo",
                info("tokenMeetingInfo", json!({"token": ""})),
                "meetingInfo.token is empty",
            ),
            (
                "meetingInfo",
                info("joinMeetingIdMeetingInfo", json!({})),
                "meetingInfo.joinMeetingId is missing",
            ),
            (
                "meetingInfo",
                info("telepathyMeetingInfo", json!({})),
                "nothing",
            ),
        ],
    );
}

#[test]
fn rules_of_incoming_calls() {
    let answer = json!({
        "callbackUri": "https://bot.example/c", "acceptedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "b"},
    });
    table(
        |json| broken(request::answer(&call(), &body(json))),
        &answer,
        vec![
            (
                "acceptedModalities",
                json!([]),
                "acceptedModalities is empty",
            ),
            (
                "acceptedModalities",
                json!(["data"]),
                r#"acceptedModalities is "data""#,
            ),
            ("mediaConfig", json!(null), "mediaConfig is missing"),
            ("callbackUri", json!("bot"), r#"callbackUri is "bot""#),
        ],
    );
    table(
        |json| broken(request::reject(&call(), &body(json))),
        &json!({"reason": "busy"}),
        vec![
            ("reason", json!("bored"), r#"reason is "bored""#),
            ("callbackUri", json!(""), "callbackUri is empty"),
        ],
    );
    table(
        |json| broken(request::redirect(&call(), &body(json))),
        &json!({"targets": [user("u")], "timeout": 15}),
        vec![
            ("timeout", json!(90), "nothing"),
            ("timeout", json!(14), "timeout is 14"),
            ("timeout", json!(91), "timeout is 91"),
            ("targets", json!([]), "targets is a list of 0"),
            (
                "targets",
                json!(vec![user("u"); 26]),
                "targets is a list of 26",
            ),
            (
                "targets",
                json!([phone("+0123")]),
                "targets[0].identity.phone.id is a text of 5 characters",
            ),
        ],
    );
    table(
        |json| broken(request::transfer(&call(), &body(json))),
        &json!({"transferTarget": user("u")}),
        vec![
            ("transferTarget", json!(null), "transferTarget is missing"),
            (
                "clientContext",
                json!("c".repeat(257)),
                "clientContext is a text of 257 characters",
            ),
            (
                "transferTarget",
                with(&user("u"), "replacesCallId", json!("../1")),
                r#"transferTarget.replacesCallId is "../1""#,
            ),
        ],
    );
}

#[test]
fn rules_of_prompts_and_recordings() {
    let wav = prompt("https://x/a.wav");
    table(
        |json| broken(request::play_prompt(&call(), &body(json))),
        &json!({"prompts": [wav]}),
        vec![
            ("prompts", json!([]), "prompts is a list of 0"),
            (
                "prompts",
                json!(vec![wav.clone(); 21]),
                "prompts is a list of 21",
            ),
            (
                "prompts",
                json!([wav, prompt("https://x/a.mp3")]),
                r#"prompts[1].mediaInfo.uri is "https://x/a.mp3""#,
            ),
            (
                "prompts",
                json!([prompt("https://x/prompts/7?name=a.mp3")]),
                "nothing",
            ),
            (
                "prompts",
                json!([{"@odata.type": "#microsoft.graph.mediaPrompt"}]),
                "prompts[0].mediaInfo.uri is missing",
            ),
            ("clientContext", json!("ä".repeat(256)), "nothing"),
            (
                "clientContext",
                json!("ä".repeat(257)),
                "clientContext is a text of 257 characters",
            ),
        ],
    );
    let mut changes = vec![
        ("prompts", json!([wav, wav]), "prompts is a list of 2"),
        ("prompts", json!([]), "nothing"),
        ("stopTones", json!(["1", "12"]), r#"stopTones[1] is "12""#),
        ("stopTones", json!(["E"]), r#"stopTones[0] is "E""#),
        ("stopTones", json!([""]), "stopTones[0] is empty"),
    ];
    for (field, low, high) in [
        (
            "initialSilenceTimeoutInSeconds",
            "initialSilenceTimeoutInSeconds is 0",
            "initialSilenceTimeoutInSeconds is 121",
        ),
        (
            "maxSilenceTimeoutInSeconds",
            "maxSilenceTimeoutInSeconds is 0",
            "maxSilenceTimeoutInSeconds is 121",
        ),
        (
            "maxRecordDurationInSeconds",
            "maxRecordDurationInSeconds is 0",
            "maxRecordDurationInSeconds is 121",
        ),
    ] {
        changes.push((field, json!(0), low));
        changes.push((field, json!(121), high));
        changes.push((field, json!(120), "nothing"));
    }
    table(
        |json| broken(request::record_response(&call(), &body(json))),
        &json!({"prompts": [wav], "stopTones": ["#", "1", "*", "d"]}),
        changes,
    );
}

#[test]
fn rules_of_tones_and_marks() {
    table(
        |json| broken(request::send_dtmf_tones(&call(), &body(json))),
        &json!({"tones": ["tone1", "flash"], "delayBetweenTonesMs": 0}),
        vec![
            ("tones", json!([]), "tones is a list of 0"),
            (
                "tones",
                json!(["tone1", "tone11"]),
                "tones[1] is another name",
            ),
            (
                "delayBetweenTonesMs",
                json!(-1),
                "delayBetweenTonesMs is -1",
            ),
        ],
    );
    table(
        |json| broken(request::update_recording_status(&call(), &body(json))),
        &json!({"status": "recording"}),
        vec![
            ("status", json!(null), "status is missing"),
            ("status", json!("unknown"), r#"status is "unknown""#),
        ],
    );
    let role = ScreenSharingRole::from("owner");
    let shown = broken(request::change_screen_sharing_role(&call(), role));
    assert_eq!(shown, r#"role is "owner""#);
    let long = "c".repeat(257);
    for request in [
        request::mute(&call(), Some(&long)),
        request::unmute(&call(), Some(&long)),
        request::subscribe_to_tone(&call(), Some(&long)),
        request::cancel_media_processing(&call(), Some(&long)),
        request::add_large_gallery_view(&call(), Some(&long)),
        participants::mute(&call(), &"p".parse().unwrap(), Some(&long)),
        participants::stop_hold_music(&call(), &"p".parse().unwrap(), Some(&long)),
    ] {
        assert_eq!(broken(request), "clientContext is a text of 257 characters");
    }
}

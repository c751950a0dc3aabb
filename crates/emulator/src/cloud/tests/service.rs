//! Service-hosted media, and what phones may do.
#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn tones_are_reported_once_subscribed_and_in_order() {
    let (mut scene, call) = Scene::established(&service_media());
    let press = |key| MediaReport::Heard {
        leg: Leg::Caller,
        event: MediaEvent::DigitStart {
            digit: Digit::from_char(key).unwrap(),
            source: DigitSource::Rtp,
            start_ms: 0,
        },
    };
    let before = scene.notified.len();
    scene.report(&call, press('1'));
    assert_eq!(scene.notified.len(), before);
    scene
        .operate(&call, "subscribeToTone", json!({"clientContext": "c"}))
        .unwrap();
    scene.report(&call, press('5'));
    scene.report(&call, press('#'));
    let tones: Vec<_> = scene.notified[before..]
        .iter()
        .map(|n| &n["resourceData"]["toneInfo"])
        .collect();
    assert_eq!(
        (&tones[0]["tone"], &tones[0]["sequenceId"]),
        (&json!("tone5"), &json!(1))
    );
    assert_eq!(
        (&tones[1]["tone"], &tones[1]["sequenceId"]),
        (&json!("pound"), &json!(2))
    );
}

#[test]
fn a_played_prompt_completes_its_operation() {
    let (mut scene, call) = Scene::established(&service_media());
    let Reply::Operation(operation) = scene
        .operate(&call, "playPrompt", good("playPrompt"))
        .unwrap()
    else {
        panic!()
    };
    let id = operation.id.unwrap();
    let outcome = Ok(());
    scene.report(
        &call,
        MediaReport::Played {
            operation: id.clone(),
            outcome,
        },
    );
    let last = scene.notified.last().unwrap();
    assert_eq!(last["changeType"], "deleted");
    assert_eq!(
        last["resourceUrl"],
        format!("/communications/calls/{call}/operations/{id}")
    );
    assert_eq!(last["resourceData"]["status"], "completed");
    let foreign = scene.operate(
        &call,
        "playPrompt",
        prompts("http://169.254.169.254/latest"),
    );
    assert_eq!(
        foreign.unwrap_err().target.as_deref(),
        Some("prompts/0/mediaInfo/uri")
    );
}

#[test]
fn phones_cannot_touch_what_is_not_theirs() {
    let (mut scene, call) = Scene::established(&own_media());
    let agent = scene.agent.clone();
    for command in [
        PhoneCommand::Hangup { call: call.clone() },
        PhoneCommand::Accept {
            call: call.clone(),
            sdp: SDP.into(),
        },
        PhoneCommand::Dial {
            target: "nobody".into(),
            sdp: SDP.into(),
        },
        PhoneCommand::Dial {
            target: "bot".into(),
            sdp: "garbage".into(),
        },
    ] {
        scene.say(&agent, command);
        assert_eq!(scene.last_told(&agent)["type"], "error");
    }
    let caller = scene.caller.clone();
    scene.say(
        &caller,
        PhoneCommand::Offer {
            call,
            sdp: SDP.into(),
        },
    );
    assert_eq!(scene.last_told(&caller)["type"], "error");
    scene.dial();
    assert_eq!(scene.last_told(&caller)["type"], "error");
    assert_eq!(scene.cloud.counts().1, 1);
}

#[test]
fn the_roster_shows_both_and_operations_are_listed() {
    let (mut scene, call) = Scene::established(&service_media());
    let Reply::Participants(roster) = scene
        .cloud
        .operate(APP, &call, Operation::ListParticipants, scene.now)
        .unwrap()
    else {
        panic!()
    };
    assert_eq!(roster.len(), 2);
    assert_eq!(roster[1].id.as_deref(), Some(scene.caller.as_str()));
    scene
        .operate(&call, "playPrompt", good("playPrompt"))
        .unwrap();
    scene
        .operate(&call, "cancelMediaProcessing", json!({}))
        .unwrap();
    assert_eq!(scene.media[1..], ["Play", "StopPlaying"]);
    let Reply::Operations(operations) = scene
        .cloud
        .operate(APP, &call, Operation::ListOperations, scene.now)
        .unwrap()
    else {
        panic!()
    };
    assert_eq!(operations.len(), 2);
}

#[test]
fn an_application_has_only_as_many_calls_as_it_may() {
    let mut scene = Scene::new();
    scene.cloud.concurrent = 1;
    scene.dial();
    let agent = scene.agent.clone();
    let dial = PhoneCommand::Dial {
        target: "bot".into(),
        sdp: SDP.into(),
    };
    scene.say(&agent, dial);
    assert_eq!(scene.last_told(&agent)["type"], "error");
    let fault = scene
        .cloud
        .create(APP, Call::default(), scene.now)
        .unwrap_err();
    assert_eq!(fault.status.as_u16(), 429);
}

/// The bodies as they go over the wire; ids follow from the seed.
#[test]
fn notifications_have_the_documented_form() {
    let (mut scene, call) = Scene::established(&service_media());
    scene
        .operate(&call, "playPrompt", good("playPrompt"))
        .unwrap();
    let operation = scene.cloud.calls[&call].bot.as_ref().unwrap();
    let operation = operation.operations.keys().next().cloned().unwrap();
    let outcome = Err("the media file is larger than 10 MB".to_owned());
    scene.report(&call, MediaReport::Played { operation, outcome });
    scene.operate(&call, "delete", json!({})).unwrap();
    insta::assert_json_snapshot!(scene.notified);
}

#[test]
fn tones_are_checked_and_their_operation_tells_how_it_ended() {
    let (mut scene, call) = Scene::established(&service_media());
    for (body, target) in [
        (json!({}), "tones"),
        (json!({"tones": ["flash"]}), "tones"),
        (
            json!({"tones": ["tone1"], "delayBetweenTonesMs": -1}),
            "delayBetweenTonesMs",
        ),
    ] {
        let fault = scene.operate(&call, "sendDtmfTones", body).unwrap_err();
        assert_eq!(fault.target.as_deref(), Some(target));
    }
    let reply = scene.operate(&call, "sendDtmfTones", good("sendDtmfTones"));
    let Reply::Operation(operation) = reply.unwrap() else {
        panic!()
    };
    let (operation, outcome) = (operation.id.unwrap(), Ok(()));
    scene.report(&call, MediaReport::Played { operation, outcome });
    let last = &scene.notified.last().unwrap()["resourceData"];
    assert_eq!(last["completionReason"], "completedSuccessfully");
}

#[test]
fn recordings_are_checked() {
    let (mut scene, call) = Scene::established(&service_media());
    for (body, target) in [
        (
            json!({"maxRecordDurationInSeconds": 121}),
            "maxRecordDurationInSeconds",
        ),
        (
            json!({"maxSilenceTimeoutInSeconds": 0}),
            "maxSilenceTimeoutInSeconds",
        ),
        (
            json!({"initialSilenceTimeoutInSeconds": -1}),
            "initialSilenceTimeoutInSeconds",
        ),
        (json!({"stopTones": ["#", "12"]}), "stopTones/1"),
        (
            prompts("http://127.0.0.1:1/a.wav"),
            "prompts/0/mediaInfo/uri",
        ),
    ] {
        let fault = scene.operate(&call, "recordResponse", body).unwrap_err();
        assert_eq!(fault.target.as_deref(), Some(target));
    }
    let body = json!({"bargeInAllowed": true});
    scene.operate(&call, "recordResponse", body).unwrap();
    assert_eq!(scene.media[1..], ["StopPlaying", "Record"]);
    let (mut scene, call) = Scene::established(&own_media());
    let fault = scene
        .operate(&call, "recordResponse", json!({}))
        .unwrap_err();
    assert!(fault.message.contains("serviceHostedMediaConfig"));
}

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

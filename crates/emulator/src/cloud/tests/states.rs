//! States, ends and refusals.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::phone::PhoneUser;

#[test]
fn an_answered_call_goes_through_the_documented_states() {
    let (scene, call) = Scene::established(&own_media());
    assert_eq!(scene.states(), ["incoming", "establishing", "established"]);
    let first = &scene.notified[0];
    assert_eq!(first["changeType"], "created");
    assert_eq!(
        first["resourceUrl"],
        format!("/communications/calls/{call}")
    );
    let data = &first["resourceData"];
    assert_eq!(
        data["source"]["identity"]["user"]["id"],
        scene.caller.as_str()
    );
    assert_eq!(data["targets"][0]["identity"]["application"]["id"], APP);
    assert_eq!(scene.media, ["OfferToBot"]);
    let told = scene.types_told(&scene.caller);
    assert_eq!(told, ["dialing", "state", "state", "answer", "state"]);
    let shown: Vec<_> = scene
        .shown
        .iter()
        .map(|event| event["state"].as_str())
        .collect();
    assert_eq!(shown, [Some("establishing"), Some("established")]);
}

#[test]
fn bot_is_the_first_application_that_was_registered() {
    let mut cloud = Cloud::new(1);
    let mut register = |id: &str| {
        let webhook = Some(Url::parse("http://127.0.0.1:3978/api/calls").unwrap());
        let tenant = format!("tenant of {id}");
        cloud.register_app(id, Registration { tenant, webhook });
    };
    register("zeta");
    register("alpha");
    // A new webhook makes no new application.
    register("zeta");
    let now = Instant::now();
    assert_eq!(cloud.bot_leg("bot", None, now).unwrap().app, "zeta");
    assert_eq!(cloud.bot_leg("alpha", None, now).unwrap().app, "alpha");
    assert_eq!(cloud.first_app().as_deref(), Some("zeta"));
    assert_eq!(cloud.home_tenant(), "tenant of zeta");
    let targets = cloud.targets().into_iter().map(|one| one.target);
    assert_eq!(targets.collect::<Vec<_>>(), ["zeta", "alpha"]);

    // Who is asked by somebody of a tenant is the application there, if it is there.
    let webhook = Some(Url::parse("http://127.0.0.1:3978/api/calls").unwrap());
    let tenant = "other".to_owned();
    cloud.register_app("alpha@other", Registration { tenant, webhook });
    let mut asked = |tenant: &str| cloud.bot_leg("alpha", Some(tenant), now).unwrap().app;
    assert_eq!(asked("other"), "alpha@other");
    assert_eq!(asked("tenant of alpha"), "alpha");
    assert_eq!(asked("tenant of zeta"), "alpha");
}

#[test]
fn a_caller_is_of_one_tenant_and_means_the_application_there() {
    let mut scene = Scene::new();
    let webhook = Some(Url::parse("http://127.0.0.1:3978/api/calls").unwrap());
    let tenant = "tenant-2".to_owned();
    let other = format!("{APP}@tenant-2");
    scene
        .cloud
        .register_app(&other, Registration { tenant, webhook });
    for (own, app, seen) in [
        (None, APP, "tenant-1"),
        (Some("tenant-2"), other.as_str(), "tenant-2"),
    ] {
        let user = PhoneUser {
            tenant: own.map(str::to_owned),
            ..PhoneUser::default()
        };
        let role = PhoneRole::Caller;
        let phone = scene.cloud.register_user(&user, "Vera", role);
        let (target, sdp) = (APP.to_owned(), SDP.to_owned());
        scene.say(&phone, PhoneCommand::Dial { target, sdp });
        let mut calls = scene.cloud.calls.values();
        let call = calls.find(|call| call.caller.as_ref() == Some(&phone));
        assert_eq!(call.unwrap().bot.as_ref().unwrap().app, app);
        let call = &scene.notified.last().unwrap()["resourceData"];
        assert_eq!(call["source"]["identity"]["user"]["tenantId"], seen);
    }
    // Each can be dialled from everywhere, and is told so.
    let whole = [format!("{APP}@tenant-1"), other.clone()];
    let targets = scene.cloud.targets().into_iter().map(|one| one.target);
    assert_eq!(targets.collect::<Vec<_>>(), whole);
    let first = scene.cloud.bot_leg(&whole[0], Some("tenant-2"), scene.now);
    assert_eq!(first.unwrap().app, APP);
    // Whoever calls from elsewhere stays of their tenant.
    let phone = scene.caller.clone();
    let (target, sdp) = (other, SDP.to_owned());
    scene.say(&phone, PhoneCommand::Dial { target, sdp });
    let call = &scene.notified.last().unwrap()["resourceData"];
    assert_eq!(call["source"]["identity"]["user"]["tenantId"], "tenant-1");
    assert_eq!(call["tenantId"], "tenant-2");
}

#[test]
fn who_mutes_at_the_phone_is_muted_on_the_roster_of_two() {
    let (mut scene, call) = Scene::established(&service_media());
    let caller = scene.caller.clone();
    let mute = PhoneCommand::Mute {
        call: call.clone(),
        muted: true,
    };
    // Of a call that is not its own a phone says nothing.
    scene.say(&scene.agent.clone(), mute.clone());
    for muted in [false, true] {
        let operation = Operation::GetParticipant(caller.clone());
        let found = scene.cloud.operate(APP, &call, operation, scene.now);
        let Ok(Reply::Participant(found)) = found else {
            panic!()
        };
        assert_eq!(found.is_muted, Some(muted));
        let streams = found.media_streams.unwrap();
        assert_eq!(streams[0].server_muted, Some(false));
        scene.say(&caller, mute.clone());
    }
}

#[test]
fn each_operation_is_refused_in_the_states_that_do_not_allow_it() {
    let actions = [
        ("answer", CallState::Incoming),
        ("reject", CallState::Incoming),
        ("redirect", CallState::Incoming),
        ("transfer", CallState::Established),
        ("keepAlive", CallState::Established),
        ("mute", CallState::Established),
        ("unmute", CallState::Established),
        ("playPrompt", CallState::Established),
        ("subscribeToTone", CallState::Established),
        ("recordResponse", CallState::Established),
        ("cancelMediaProcessing", CallState::Established),
        ("sendDtmfTones", CallState::Established),
        ("updateRecordingStatus", CallState::Established),
    ];
    for (action, allowed) in actions {
        for state in [
            CallState::Incoming,
            CallState::Establishing,
            CallState::Established,
            CallState::Transferring,
        ] {
            let (mut scene, call) = in_state(&state);
            let before = scene.notified.len();
            let result = scene.operate(&call, action, good(action));
            assert_eq!(result.is_ok(), state == allowed, "{action} while {state}");
            if let Err(fault) = result {
                assert_eq!(fault.status.as_u16(), 409, "{action} while {state}");
                assert!(fault.message.contains(state.as_str()), "{}", fault.message);
                assert_eq!(
                    scene.notified.len(),
                    before,
                    "a refused {action} has no effect"
                );
            }
        }
    }
}

/// A scene whose call is in a state.
fn in_state(state: &CallState) -> (Scene, String) {
    if matches!(state, CallState::Established | CallState::Transferring) {
        let (mut scene, call) = Scene::established(&service_media());
        if *state == CallState::Transferring {
            scene.operate(&call, "transfer", to_agent()).unwrap();
        }
        return (scene, call);
    }
    let mut scene = Scene::new();
    let call = scene.dial();
    if *state == CallState::Establishing {
        scene
            .operate(&call, "answer", answer(&service_media()))
            .unwrap();
    }
    (scene, call)
}

#[test]
fn unknown_calls_and_other_applications_calls_are_not_found() {
    let (mut scene, call) = Scene::established(&own_media());
    for action in ["get", "delete", "answer", "keepAlive"] {
        let fault = scene
            .operate("no-such-call", action, good(action))
            .unwrap_err();
        assert_eq!(
            (fault.status.as_u16(), fault.code),
            (404, "8522"),
            "{action}"
        );
    }
    let other = scene
        .cloud
        .operate("app-2", &call, Operation::Get, scene.now);
    assert_eq!(other.unwrap_err().code, "8522");
    scene.operate(&call, "delete", json!({})).unwrap();
    assert_eq!(
        scene.operate(&call, "get", json!({})).unwrap_err().code,
        "8522"
    );
}

#[test]
fn what_is_elsewhere_is_taken_where_its_origin_is_allowed() {
    let elsewhere = "http://127.0.0.1:9999/api/calls";
    let body = json!({
        "acceptedModalities": ["audio"],
        "mediaConfig": own_media(),
        "callbackUri": elsewhere,
    });
    let mut scene = Scene::new();
    let call = scene.dial();
    let fault = scene.operate(&call, "answer", body.clone()).unwrap_err();
    assert_eq!(fault.target.as_deref(), Some("callbackUri"));
    let origin = Url::parse("http://127.0.0.1:9999").unwrap().origin();
    scene.cloud.allowed_origins.push(origin);
    let other_port = body.to_string().replace("9999", "9998");
    let other_port = serde_json::from_str(&other_port).unwrap();
    scene.operate(&call, "answer", other_port).unwrap_err();
    scene.operate(&call, "answer", body).unwrap();
    let callback = scene.cloud.calls[&call]
        .bot
        .as_ref()
        .map(|bot| &bot.callback);
    assert_eq!(callback.map(Url::as_str), Some(elsewhere));
}

#[test]
fn requests_are_checked_before_anything_happens() {
    let elsewhere = "http://127.0.0.1:9999/api/calls";
    let foreign_blob = own_media().to_string().replace("3978", "22");
    let foreign_blob: Value = serde_json::from_str(&foreign_blob).unwrap();
    for (body, target) in [
        (json!({}), "acceptedModalities"),
        (json!({"acceptedModalities": ["audio"]}), "mediaConfig"),
        (
            json!({"acceptedModalities": ["video"], "mediaConfig": own_media()}),
            "acceptedModalities",
        ),
        (
            answer(&json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "x"})),
            "mediaConfig/blob",
        ),
        (answer(&foreign_blob), "mediaConfig/blob"),
        (
            json!({"acceptedModalities": ["audio"], "mediaConfig": own_media(), "callbackUri": elsewhere}),
            "callbackUri",
        ),
        (
            json!({"acceptedModalities": ["audio"], "mediaConfig": own_media(), "callbackUri": "file:///etc/passwd"}),
            "callbackUri",
        ),
    ] {
        let mut scene = Scene::new();
        let call = scene.dial();
        let fault = scene.operate(&call, "answer", body.clone()).unwrap_err();
        assert_eq!(fault.status.as_u16(), 400, "{body}");
        assert_eq!(fault.target.as_deref(), Some(target), "{body}");
        assert!(scene.media.is_empty());
        scene
            .operate(&call, "answer", answer(&own_media()))
            .unwrap();
    }
}

#[test]
fn service_operations_need_service_hosted_media() {
    let (mut scene, call) = Scene::established(&own_media());
    for action in ["playPrompt", "subscribeToTone"] {
        let fault = scene.operate(&call, action, good(action)).unwrap_err();
        assert_eq!(fault.status.as_u16(), 400);
        assert!(fault.message.contains("serviceHostedMediaConfig"));
    }
}

#[test]
fn nobody_answers_within_fifteen_seconds() {
    let mut scene = Scene::new();
    let call = scene.dial();
    scene.wait(14);
    assert_eq!(scene.cloud.counts(), (2, 1));
    scene.wait(1);
    assert_eq!(scene.cloud.counts(), (2, 0));
    assert_eq!(scene.last_told(&scene.caller)["reason"]["code"], 408);
    assert_eq!(scene.states(), ["incoming", "terminated"]);
    assert_eq!(
        scene
            .operate(&call, "answer", answer(&own_media()))
            .unwrap_err()
            .code,
        "8522"
    );
}

#[test]
fn a_call_lives_while_it_is_kept_alive() {
    let (mut scene, call) = Scene::established(&own_media());
    scene.wait(44 * 60);
    scene.operate(&call, "keepAlive", json!({})).unwrap();
    scene.wait(44 * 60);
    assert_eq!(scene.cloud.counts().1, 1);
    scene.wait(60);
    assert_eq!(scene.cloud.counts().1, 0);
    assert_eq!(scene.states().last(), Some(&"terminated"));
    assert_eq!(
        scene
            .operate(&call, "keepAlive", json!({}))
            .unwrap_err()
            .code,
        "8522"
    );
}

#[test]
fn each_reason_to_reject_reaches_the_caller() {
    for (reason, code) in [("none", 603), ("busy", 486), ("forbidden", 403)] {
        let mut scene = Scene::new();
        let call = scene.dial();
        scene
            .operate(&call, "reject", json!({"reason": reason}))
            .unwrap();
        assert_eq!(scene.last_told(&scene.caller)["reason"]["code"], code);
        let last = scene.notified.last().unwrap();
        assert_eq!(last["changeType"], "deleted");
        assert_eq!(scene.cloud.counts().1, 0);
    }
}

#[test]
fn a_new_call_asks_for_audio() {
    let mut scene = Scene::new();
    let body = json!({"callbackUri": "http://127.0.0.1:3978/api/calls",
        "mediaConfig": service_media(), "requestedModalities": ["video"],
        "targets": [{"identity": {"user": {"id": "someone"}}}]});
    let fault = scene.create(body).unwrap_err();
    assert_eq!(fault.target.as_deref(), Some("requestedModalities"));
}

#[test]
fn whoever_hangs_up_the_others_learn_it() {
    for who in ["caller", "tab", "bot"] {
        let (mut scene, call) = Scene::established(&own_media());
        let caller = scene.caller.clone();
        match who {
            "caller" => scene.say(&caller, PhoneCommand::Hangup { call: call.clone() }),
            "tab" => {
                scene.cloud.phone_gone(&caller, scene.now);
                scene.settle();
            }
            _ => {
                scene.operate(&call, "delete", json!({})).unwrap();
            }
        }
        assert_eq!(scene.states().last(), Some(&"terminated"), "{who}");
        assert_eq!(scene.media.last(), Some(&"End"), "{who}");
        assert_eq!(scene.cloud.counts().1, 0, "{who}");
        assert_eq!(scene.shown.last().unwrap()["state"], "terminated");
        assert!(
            scene
                .cloud
                .phones
                .values()
                .all(|phone| phone.call.is_none())
        );
    }
}

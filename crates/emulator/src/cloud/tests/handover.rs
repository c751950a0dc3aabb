//! Transfers, redirects and calls that the bot places.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::phone::PhoneUser;

#[test]
fn a_transferred_caller_and_the_agent_talk_without_the_bot() {
    let (mut scene, call) = Scene::established(&own_media());
    let (caller, agent) = (scene.caller.clone(), scene.agent.clone());
    scene.operate(&call, "transfer", to_agent()).unwrap();
    assert_eq!(scene.last_told(&agent)["reason"], "transfer");
    assert_eq!(scene.last_told(&caller)["state"], "transferring");
    let sdp = || SDP.to_owned();
    scene.say(
        &agent,
        PhoneCommand::Accept {
            call: call.clone(),
            sdp: sdp(),
        },
    );
    scene.report(
        &call,
        MediaReport::Hosted {
            leg: Leg::Agent,
            sdp: "a".into(),
        },
    );
    assert_eq!(scene.last_told(&caller)["type"], "renegotiate");
    scene.say(
        &caller,
        PhoneCommand::Offer {
            call: call.clone(),
            sdp: sdp(),
        },
    );
    scene.report(
        &call,
        MediaReport::Hosted {
            leg: Leg::Caller,
            sdp: "b".into(),
        },
    );
    assert_eq!(
        scene.media,
        [
            "OfferToBot",
            "Host(Agent)",
            "Host(Caller)",
            "Bridge",
            "LeaveBot"
        ]
    );
    assert_eq!(
        scene.states()[3..],
        ["transferring", "transferAccepted", "terminated"]
    );
    let result = &scene.notified.last().unwrap()["resourceData"]["resultInfo"];
    assert_eq!(
        (&result["code"], &result["subcode"]),
        (&json!(0), &json!(7015))
    );
    assert_eq!(scene.last_told(&caller)["with"]["name"], "Agent");
    assert_eq!(scene.last_told(&agent)["with"]["name"], "Caller");
    assert_eq!(
        scene.operate(&call, "get", json!({})).unwrap_err().code,
        "8522"
    );
    let notified = scene.notified.len();
    scene.say(&agent, PhoneCommand::Hangup { call });
    assert_eq!(
        scene.last_told(&caller)["reason"]["message"],
        "Agent hung up"
    );
    assert_eq!(scene.notified.len(), notified, "the bot has left");
    assert_eq!(scene.cloud.counts().1, 0);
}

#[test]
fn a_service_hosted_caller_is_transferred_without_a_new_offer() {
    let (mut scene, call) = Scene::established(&service_media());
    let agent = scene.agent.clone();
    scene.operate(&call, "transfer", to_agent()).unwrap();
    scene.say(
        &agent,
        PhoneCommand::Accept {
            call: call.clone(),
            sdp: SDP.into(),
        },
    );
    scene.report(
        &call,
        MediaReport::Hosted {
            leg: Leg::Agent,
            sdp: "a".into(),
        },
    );
    assert_eq!(
        scene.media,
        ["Host(Caller)", "Host(Agent)", "Bridge", "LeaveBot"]
    );
    assert!(!scene.types_told(&scene.caller).contains(&"renegotiate"));
}

#[test]
fn a_failed_transfer_leaves_the_caller_with_the_bot() {
    for how in [
        "declined",
        "unanswered",
        "nobody",
        "agent's audio",
        "no new offer",
    ] {
        let (mut scene, call) = Scene::established(&own_media());
        let (caller, agent) = (scene.caller.clone(), scene.agent.clone());
        if how == "nobody" {
            scene.cloud.phone_gone(&agent, scene.now);
        }
        scene.operate(&call, "transfer", to_agent()).unwrap();
        let accept = PhoneCommand::Accept {
            call: call.clone(),
            sdp: SDP.into(),
        };
        match how {
            "declined" => scene.say(&agent, PhoneCommand::Decline { call: call.clone() }),
            "unanswered" => scene.wait(56),
            "nobody" => {}
            "agent's audio" => {
                scene.say(&agent, accept);
                let why = "no Opus".to_owned();
                scene.report(
                    &call,
                    MediaReport::HostFailed {
                        leg: Leg::Agent,
                        why,
                    },
                );
            }
            _ => {
                scene.say(&agent, accept);
                scene.report(
                    &call,
                    MediaReport::Hosted {
                        leg: Leg::Agent,
                        sdp: "a".into(),
                    },
                );
                scene.wait(21);
            }
        }
        let last = &scene.notified.last().unwrap()["resourceData"];
        assert_eq!(last["state"], "established", "{how}");
        assert_eq!(last["resultInfo"]["code"], 500, "{how}");
        assert_eq!(last["resultInfo"]["subcode"], 7000, "{how}");
        assert_eq!(scene.last_told(&caller)["with"]["name"], BOT_NAME, "{how}");
        assert!(
            scene
                .cloud
                .phones
                .get(&agent)
                .is_none_or(|agent| agent.call.is_none()),
            "{how}"
        );
        scene.operate(&call, "keepAlive", json!({})).unwrap();
    }
}

#[test]
fn a_redirected_caller_reaches_the_agent() {
    let mut scene = Scene::new();
    let call = scene.dial();
    let agent = scene.agent.clone();
    scene.operate(&call, "redirect", good("redirect")).unwrap();
    assert_eq!(
        scene.last_told(&agent)["reason"],
        json!(IncomingReason::Redirect)
    );
    scene.say(
        &agent,
        PhoneCommand::Accept {
            call: call.clone(),
            sdp: SDP.into(),
        },
    );
    scene.report(
        &call,
        MediaReport::Hosted {
            leg: Leg::Agent,
            sdp: "a".into(),
        },
    );
    scene.report(
        &call,
        MediaReport::Hosted {
            leg: Leg::Caller,
            sdp: "b".into(),
        },
    );
    assert_eq!(
        scene.media,
        ["Host(Agent)", "Host(Caller)", "Bridge", "LeaveBot"]
    );
    assert_eq!(scene.states(), ["incoming", "terminated"]);
    assert_eq!(scene.cloud.counts().1, 1);
}

#[test]
fn an_outgoing_call_rings_at_the_named_phone() {
    let mut scene = Scene::new();
    let caller = scene.caller.clone();
    let request = json!({"callbackUri": "http://127.0.0.1:3978/api/calls", "mediaConfig": own_media(),
        "requestedModalities": ["audio"], "targets": [{"identity": {"user": {"id": caller}}}]});
    let request = serde_json::from_value(request).unwrap();
    let Reply::Created(created) = scene.cloud.create(APP, request, scene.now).unwrap() else {
        panic!()
    };
    scene.settle();
    let call = created.id.unwrap();
    assert_eq!(scene.last_told(&caller)["reason"], "call");
    scene.say(
        &caller,
        PhoneCommand::Accept {
            call: call.clone(),
            sdp: SDP.into(),
        },
    );
    scene.report(&call, MediaReport::BotAnswered { sdp: "a".into() });
    assert_eq!(scene.states(), ["establishing", "established"]);
    scene.say(&caller, PhoneCommand::Hangup { call });
    assert_eq!(scene.states().last(), Some(&"terminated"));
}

#[test]
fn an_outgoing_call_rings_as_long_as_was_asked() {
    let new_call = |scene: &mut Scene, seconds: Option<i32>| {
        let caller = scene.caller.clone();
        scene.create(json!({"callbackUri": "http://127.0.0.1:3978/api/calls",
            "mediaConfig": own_media(), "requestedModalities": ["audio"],
            "targets": [{"identity": {"user": {"id": caller}}}],
            "ringingTimeoutInSeconds": seconds}))
    };
    for (seconds, rings) in [(None, 55), (Some(1), 1), (Some(115), 115)] {
        let mut scene = Scene::new();
        new_call(&mut scene, seconds).unwrap();
        scene.wait(rings - 1);
        assert_eq!(scene.states().last(), Some(&"establishing"), "{seconds:?}");
        scene.wait(1);
        assert_eq!(scene.states().last(), Some(&"terminated"), "{seconds:?}");
    }
    for seconds in [-1, 0, 116] {
        let mut scene = Scene::new();
        let fault = new_call(&mut scene, Some(seconds)).unwrap_err();
        assert_eq!(fault.target.as_deref(), Some("ringingTimeoutInSeconds"));
        assert_eq!(scene.cloud.counts().1, 0);
    }
}

#[test]
fn an_outgoing_call_to_nobody_is_not_found_and_to_somebody_in_a_call_busy() {
    let mut scene = Scene::new();
    let (caller, agent) = (scene.caller.clone(), scene.agent.clone());
    let mut call = |id: &str| {
        scene
            .create(json!({"callbackUri": "http://127.0.0.1:3978/api/calls",
                "mediaConfig": own_media(), "requestedModalities": ["audio"],
                "targets": [{"identity": {"user": {"id": id}}}]}))
            .unwrap();
        let last = &scene.notified.last().unwrap()["resourceData"];
        last["resultInfo"]["code"].clone()
    };
    assert_eq!(call(&caller), json!(null), "it rings");
    // There is a free agent, who is not meant.
    assert_eq!(call(&caller), 486);
    assert_eq!(call("nobody"), json!(null), "it rings at the agent");
    assert_eq!(call("nobody"), 404);
    assert_eq!(call(&agent), 486);
}

#[test]
fn a_transfer_to_somebody_busy_rings_at_nobody_else() {
    let (mut scene, call) = Scene::established(&service_media());
    let other = scene.cloud.register_phone("Other", PhoneRole::Agent);
    let busy = scene.agent.clone();
    let body = json!({"callbackUri": "http://127.0.0.1:3978/api/calls", "mediaConfig": own_media(),
        "requestedModalities": ["audio"], "targets": [{"identity": {"user": {"id": busy}}}]});
    scene.create(body).unwrap();
    let rings = |scene: &Scene| {
        let rang = |(to, event): &&(String, Value)| *to == other && event["type"] == "incoming";
        scene.told.iter().filter(rang).count()
    };
    let to = |id: &str| json!({"transferTarget": {"identity": {"user": {"id": id}}}});
    scene.operate(&call, "transfer", to(&busy)).unwrap();
    assert_eq!(rings(&scene), 0);
    scene.operate(&call, "transfer", to_agent()).unwrap();
    assert_eq!(rings(&scene), 1, "nobody has that id: agents take it");
}

#[test]
fn a_call_to_a_telephone_comes_from_the_application_instance() {
    let mut scene = Scene::new();
    let number = "+31201234567";
    let role = PhoneRole::Caller;
    scene
        .cloud
        .register_user(&PhoneUser::new(number), "Telephone", role);
    let from = json!({"applicationInstance": {"id": "desk", "displayName": "Desk"}});
    let target = json!({"identity": {"phone": {"id": number}}});
    let Ok(Reply::Created(created)) = scene.create(json!({
        "callbackUri": "http://127.0.0.1:3978/api/calls", "mediaConfig": own_media(),
        "requestedModalities": ["audio"], "targets": [target], "source": {"identity": from}}))
    else {
        panic!()
    };
    assert_eq!(scene.last_told(number)["reason"], "call");
    let source = |call: &_| {
        let source = &serde_json::to_value(call).unwrap()["source"]["identity"];
        assert_eq!(source["application"], Value::Null);
        source["applicationInstance"]["id"].clone()
    };
    assert_eq!(source(&created), "desk");
    let call = created.id.unwrap();
    let sdp = SDP.into();
    let accept = PhoneCommand::Accept {
        call: call.clone(),
        sdp,
    };
    scene.say(number, accept);
    scene.report(&call, MediaReport::BotAnswered { sdp: "a".into() });
    let Ok(Reply::Call(read)) = scene.operate(&call, "get", json!({})) else {
        panic!()
    };
    assert_eq!(source(&read), "desk");
    let list = Operation::ListParticipants;
    let Ok(Reply::Participants(roster)) = scene.cloud.operate(APP, &call, list, scene.now) else {
        panic!()
    };
    let roster = serde_json::to_value(roster).unwrap();
    let own = &roster[0]["info"]["identity"];
    assert_eq!(own["applicationInstance"]["displayName"], "Desk");
}

#[test]
fn a_redirect_hides_who_is_to_be_hidden() {
    let mut scene = Scene::new();
    let call = scene.dial();
    let body = json!({"targets": [{"identity": {"user": {"id": "someone"}}}],
        "maskCaller": true, "maskCallee": true});
    scene.operate(&call, "redirect", body).unwrap();
    let (caller, agent) = (scene.caller.clone(), scene.agent.clone());
    assert_eq!(scene.last_told(&agent)["from"]["name"], "Anonymous");
    let accept = PhoneCommand::Accept {
        call: call.clone(),
        sdp: SDP.into(),
    };
    scene.say(&agent, accept);
    for leg in [Leg::Agent, Leg::Caller] {
        let sdp = "answer".to_owned();
        scene.report(&call, MediaReport::Hosted { leg, sdp });
    }
    for phone in [caller, agent] {
        let own = |(to, event): &&(String, Value)| *to == phone && event["type"] == "state";
        let (_, state) = scene.told.iter().rfind(own).unwrap();
        assert_eq!(state["with"]["name"], "Anonymous");
    }
}

//! The state machine, step by step and at random, without a clock or a socket.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use switchboard_media::event::{Digit, DigitSource, MediaEvent};
use switchboard_signaling::types::CallState;

use super::*;
use crate::phone::{IncomingReason, PhoneCommand};

const APP: &str = "app-1";
/// What the description check asks for, and nothing else.
pub(super) const SDP: &str =
    "v=0\r\nm=audio 9 RTP/SAVPF 111\r\na=fingerprint:x\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n";

/// A cloud with a bot, a caller and an agent, and all effects so far.
struct Scene {
    cloud: Cloud,
    now: Instant,
    caller: String,
    agent: String,
    told: Vec<(String, Value)>,
    notified: Vec<Value>,
    media: Vec<&'static str>,
    shown: Vec<Value>,
}

impl Scene {
    fn new() -> Self {
        let mut cloud = Cloud::new(1);
        let webhook = Some(Url::parse("http://127.0.0.1:3978/api/calls").unwrap());
        let tenant = "tenant-1".to_owned();
        cloud.register_app(APP, Registration { tenant, webhook });
        let caller = cloud.register_phone("Caller", PhoneRole::Caller);
        let agent = cloud.register_phone("Agent", PhoneRole::Agent);
        Self {
            cloud,
            now: Instant::now(),
            caller,
            agent,
            told: Vec::new(),
            notified: Vec::new(),
            media: Vec::new(),
            shown: Vec::new(),
        }
    }

    /// Sorts out what the last step has caused.
    fn settle(&mut self) {
        while let Some(effect) = self.cloud.poll_effect() {
            match effect {
                Effect::Tell { phone, event } => {
                    self.told
                        .push((phone, serde_json::to_value(event).unwrap()));
                }
                Effect::Notify(notice) => {
                    let value = notice.body.value.unwrap().remove(0);
                    self.notified.push(serde_json::to_value(value).unwrap());
                }
                Effect::Media { action, .. } => self.media.push(name(&action)),
                Effect::Show(event) => self.shown.push(serde_json::to_value(event).unwrap()),
            }
        }
    }

    fn say(&mut self, phone: &str, command: PhoneCommand) {
        self.cloud.phone_says(phone, command, self.now);
        self.settle();
    }

    fn dial(&mut self) -> String {
        let command = PhoneCommand::Dial {
            target: "bot".into(),
            sdp: SDP.into(),
        };
        self.say(&self.caller.clone(), command);
        self.cloud.calls.keys().next().cloned().unwrap_or_default()
    }

    fn operate(&mut self, call: &str, action: &str, body: Value) -> Result<Reply, Fault> {
        let operation = operation(action, body);
        let result = self.cloud.operate(APP, call, operation, self.now);
        self.settle();
        result
    }

    fn report(&mut self, call: &str, report: MediaReport) {
        self.cloud.media_report(call, report, self.now);
        self.settle();
    }

    fn established(media: &Value) -> (Self, String) {
        let mut scene = Self::new();
        let call = scene.dial();
        scene.operate(&call, "answer", answer(media)).unwrap();
        let sdp = "answer".to_owned();
        let report = match scene.media.last() {
            Some(&"OfferToBot") => MediaReport::BotAnswered { sdp },
            _ => MediaReport::Hosted {
                leg: Leg::Caller,
                sdp,
            },
        };
        scene.report(&call, report);
        (scene, call)
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.cloud.handle_timeout(self.now);
        self.settle();
    }

    fn states(&self) -> Vec<&str> {
        self.notified
            .iter()
            .filter_map(|n| n["resourceData"]["state"].as_str())
            .collect()
    }

    fn last_told(&self, phone: &str) -> &Value {
        let own = |(to, event): &&(String, Value)| to == phone && event["type"] != "phones";
        &self.told.iter().rfind(own).unwrap().1
    }

    fn types_told(&self, phone: &str) -> Vec<&str> {
        let own = self.told.iter().filter(|(to, _)| to == phone);
        own.filter_map(|(_, event)| event["type"].as_str())
            .filter(|kind| !matches!(*kind, "phones" | "timeline"))
            .collect()
    }
}

fn name(action: &MediaAction) -> &'static str {
    match action {
        MediaAction::OfferToBot { .. } => "OfferToBot",
        MediaAction::Host {
            leg: Leg::Caller, ..
        } => "Host(Caller)",
        MediaAction::Host {
            leg: Leg::Agent, ..
        } => "Host(Agent)",
        MediaAction::Bridge => "Bridge",
        MediaAction::LeaveBot => "LeaveBot",
        MediaAction::Play { .. } => "Play",
        MediaAction::End => "End",
    }
}

fn operation(action: &str, body: Value) -> Operation {
    match action {
        "get" => Operation::Get,
        "delete" => Operation::Delete,
        "answer" => Operation::Answer(serde_json::from_value(body).unwrap()),
        "reject" => Operation::Reject(serde_json::from_value(body).unwrap()),
        "redirect" => Operation::Redirect(serde_json::from_value(body).unwrap()),
        "transfer" => Operation::Transfer(serde_json::from_value(body).unwrap()),
        "keepAlive" => Operation::KeepAlive,
        "mute" => Operation::Mute(serde_json::from_value(body).unwrap()),
        "unmute" => Operation::Unmute(serde_json::from_value(body).unwrap()),
        "playPrompt" => Operation::PlayPrompt(serde_json::from_value(body).unwrap()),
        "subscribeToTone" => Operation::SubscribeToTone(serde_json::from_value(body).unwrap()),
        other => panic!("{other}"),
    }
}

fn own_media() -> Value {
    let blob = json!({"protocol": "whip", "version": 1, "token": "t",
        "endpoint": "http://127.0.0.1:3978/media/1"});
    json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": blob.to_string()})
}

fn service_media() -> Value {
    json!({"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"})
}

fn answer(media: &Value) -> Value {
    json!({"mediaConfig": media, "acceptedModalities": ["audio"]})
}

fn to_agent() -> Value {
    json!({"transferTarget": {"identity": {"user": {"id": "someone"}}}})
}

fn prompts(uri: &str) -> Value {
    json!({"prompts": [{"@odata.type": "#microsoft.graph.mediaPrompt",
        "mediaInfo": {"@odata.type": "#microsoft.graph.mediaInfo", "uri": uri}}]})
}

/// A good body for each action.
fn good(action: &str) -> Value {
    match action {
        "answer" => answer(&service_media()),
        "redirect" => json!({"targets": [{"identity": {"user": {"id": "someone"}}}]}),
        "transfer" => to_agent(),
        "playPrompt" => prompts("http://127.0.0.1:3978/a.wav"),
        _ => json!({}),
    }
}

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

mod at_random {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Dial,
        Operate(&'static str),
        Say(bool, u8),
        Report(u8),
        Wait(u64),
        Gone(bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        let actions = prop::sample::select(vec![
            "answer",
            "reject",
            "redirect",
            "transfer",
            "keepAlive",
            "mute",
            "playPrompt",
            "subscribeToTone",
            "delete",
            "get",
        ]);
        prop_oneof![
            2 => Just(Step::Dial),
            4 => actions.prop_map(Step::Operate),
            3 => (any::<bool>(), 0..4_u8).prop_map(|(agent, what)| Step::Say(agent, what)),
            4 => (0..7_u8).prop_map(Step::Report),
            1 => (0..60_u64).prop_map(Step::Wait),
            1 => any::<bool>().prop_map(Step::Gone),
        ]
    }

    fn report(which: u8) -> MediaReport {
        let (sdp, why) = ("answer".to_owned(), "why".to_owned());
        match which {
            0 => MediaReport::BotAnswered { sdp },
            1 => MediaReport::BotRefused { why },
            2 => MediaReport::Hosted {
                leg: Leg::Caller,
                sdp,
            },
            3 => MediaReport::Hosted {
                leg: Leg::Agent,
                sdp,
            },
            4 => MediaReport::HostFailed {
                leg: Leg::Caller,
                why,
            },
            5 => MediaReport::HostFailed {
                leg: Leg::Agent,
                why,
            },
            _ => MediaReport::Lost { leg: Leg::Caller },
        }
    }

    fn run(scene: &mut Scene, step: &Step) {
        let call = scene.cloud.calls.keys().next().cloned().unwrap_or_default();
        let (caller, agent) = (scene.caller.clone(), scene.agent.clone());
        let sdp = SDP.to_owned();
        match step {
            Step::Dial => drop(scene.dial()),
            Step::Operate(action) => drop(scene.operate(&call, action, good(action))),
            Step::Say(by_agent, what) => {
                let phone = if *by_agent { agent } else { caller };
                scene.say(
                    &phone,
                    match what {
                        0 => PhoneCommand::Accept { call, sdp },
                        1 => PhoneCommand::Decline { call },
                        2 => PhoneCommand::Hangup { call },
                        _ => PhoneCommand::Offer { call, sdp },
                    },
                );
            }
            Step::Report(which) => scene.report(&call, report(*which)),
            Step::Wait(seconds) => scene.wait(*seconds),
            Step::Gone(by_agent) => {
                let phone = if *by_agent { agent } else { caller };
                scene.cloud.phone_gone(&phone, scene.now);
                scene.settle();
            }
        }
    }

    /// What holds whatever happens.
    fn check(scene: &Scene) {
        let cloud = &scene.cloud;
        for (id, phone) in &cloud.phones {
            if let Some(call) = &phone.call {
                let call = cloud
                    .calls
                    .get(call)
                    .expect("phones are only in calls that exist");
                let rings = match &call.phase {
                    Phase::Ringing(ring) | Phase::Redirecting(ring) | Phase::Transferring(ring) => {
                        ring.phones.contains(id)
                    }
                    _ => false,
                };
                assert!(rings || call.people().any(|someone| someone == id));
            }
        }
        for call in cloud.calls.values() {
            assert!(!call.over);
            let known = |phone: &String| {
                cloud.phones.get(phone).and_then(|p| p.call.as_ref()) == Some(&call.id)
            };
            assert!(
                call.people().all(known),
                "everyone in a call is a phone in it"
            );
            assert!(call.bot.is_some() || matches!(call.phase, Phase::Joined));
        }
        // Terminated is said once, and last.
        let mut ended = std::collections::BTreeSet::new();
        for notice in &scene.notified {
            let url = notice["resourceUrl"].as_str().unwrap();
            let call = url.split('/').nth(3).unwrap();
            assert!(
                !ended.contains(call),
                "nothing follows the last notification"
            );
            if notice["changeType"] == "deleted" && !url.contains("/operations/") {
                ended.insert(call.to_owned());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn no_sequence_of_steps_breaks_the_rules(steps in prop::collection::vec(step(), 1..60)) {
            let mut scene = Scene::new();
            for step in &steps {
                run(&mut scene, step);
                check(&scene);
            }
            scene.wait(46 * 60);
            let (caller, agent) = (scene.caller.clone(), scene.agent.clone());
            for phone in [caller, agent] {
                scene.cloud.phone_gone(&phone, scene.now);
            }
            scene.settle();
            check(&scene);
            prop_assert_eq!(scene.cloud.counts(), (0, 0), "nothing is left");
        }
    }
}

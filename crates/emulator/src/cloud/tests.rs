//! The state machine, step by step and at random, without a clock or a socket.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use switchboard_media::event::{Digit, DigitSource, MediaEvent};
use switchboard_signaling::types::CallState;

use super::*;
use crate::phone::{IncomingReason, PhoneCommand};

mod at_random;
mod groups;
mod handover;
mod lobby;
mod meetings;
mod service;
mod states;

const APP: &str = "app-1";
/// What the description check asks for, and nothing else.
const SDP: &str =
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
    seated: Vec<(String, RoomAction)>,
    shown: Vec<Value>,
    /// Bots' calls with their names and rooms.
    parts: Vec<(String, String, String)>,
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
            seated: Vec::new(),
            shown: Vec::new(),
            parts: Vec::new(),
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
                Effect::Seated {
                    call, bot, room, ..
                } => self.parts.push((call, bot, room)),
                Effect::Media { action, .. } => self.media.push(name(&action)),
                Effect::Room { room, action } => self.seated.push((room, action)),
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
        let about_all = |event: &Value| event["type"] == "phones" || event["type"] == "roster";
        let own = |(to, event): &&(String, Value)| to == phone && !about_all(event);
        &self.told.iter().rfind(own).unwrap().1
    }

    fn types_told(&self, phone: &str) -> Vec<&str> {
        let own = self.told.iter().filter(|(to, _)| to == phone);
        own.filter_map(|(_, event)| event["type"].as_str())
            .filter(|kind| !matches!(*kind, "phones" | "roster" | "timeline"))
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
        MediaAction::Record { .. } => "Record",
        MediaAction::StopPlaying => "StopPlaying",
        MediaAction::End => "End",
    }
}

fn operation(action: &str, body: Value) -> Operation {
    match action {
        "get" => Operation::Get,
        "delete" => Operation::Delete,
        "answer" => Operation::Answer(Box::new(serde_json::from_value(body).unwrap())),
        "reject" => Operation::Reject(serde_json::from_value(body).unwrap()),
        "redirect" => Operation::Redirect(serde_json::from_value(body).unwrap()),
        "transfer" => Operation::Transfer(serde_json::from_value(body).unwrap()),
        "keepAlive" => Operation::KeepAlive,
        "mute" => Operation::Mute(serde_json::from_value(body).unwrap()),
        "unmute" => Operation::Unmute(serde_json::from_value(body).unwrap()),
        "playPrompt" => Operation::PlayPrompt(serde_json::from_value(body).unwrap()),
        "sendDtmfTones" => Operation::SendDtmfTones(serde_json::from_value(body).unwrap()),
        "cancelMediaProcessing" => {
            Operation::CancelMediaProcessing(serde_json::from_value(body).unwrap())
        }
        "updateRecordingStatus" => {
            Operation::UpdateRecordingStatus(serde_json::from_value(body).unwrap())
        }
        "subscribeToTone" => Operation::SubscribeToTone(serde_json::from_value(body).unwrap()),
        "recordResponse" => Operation::RecordResponse(serde_json::from_value(body).unwrap()),
        "invite" => Operation::Invite(serde_json::from_value(body).unwrap()),
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
        "sendDtmfTones" => json!({"tones": ["tone1", "pound"], "delayBetweenTonesMs": 50}),
        "updateRecordingStatus" => json!({"status": "recording"}),
        "playPrompt" => prompts("http://127.0.0.1:3978/a.wav"),
        _ => json!({}),
    }
}

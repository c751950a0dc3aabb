//! The guides of `docs/bots`, played: their own flows, `switchboard serve`, real audio.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use switchboard_bot::flow::Flow;
use switchboard_media::wav;
use switchboard_tests::engine;
use switchboard_tests::patience::eventually;
use switchboard_tests::stage::{Stage, block, blocks, doc, guide, serve};
use switchboard_tests::{Failure, fixture};

mod desk;
mod ivr;
mod rooms;

/// A key for the API, and its hash.
const KEY: &str = "swb_for-tests-alone";
const KEYS: &str = r#"
[[rooms.keys]]
name = "alerts"
role = "writer"
hash = "sha256:269830309523325adc8bd7a55d46e4f06769086b574669b263a597a011663cca"
"#;

#[test]
fn every_guide_has_a_flow_that_can_be_used() -> Result<(), Failure> {
    let guides = fixture("../docs/bots");
    let mut found = 0;
    for entry in std::fs::read_dir(guides)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let flow = blocks(&text).next().ok_or("a guide has a flow")?;
        if let Err(problems) = Flow::parse(flow) {
            return Err(format!("{}: {problems}", path.display()).into());
        }
        found += 1;
    }
    assert!(found >= 5, "{found} guides");
    Ok(())
}

/// Rooms, or reminders, by REST.
struct Rest {
    http: reqwest::Client,
    base: String,
}

impl Rest {
    fn rooms(stage: &Stage) -> Result<Self, Failure> {
        Self::of(stage, "/api/v1/rooms")
    }

    fn reminders(stage: &Stage) -> Result<Self, Failure> {
        Self::of(stage, "/api/v1/reminders")
    }

    fn of(stage: &Stage, path: &str) -> Result<Self, Failure> {
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().build()?,
            base: stage.service.webhook.join(path)?.to_string(),
        })
    }

    /// Asks for something; sent again, the same is asked for once only.
    async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value), Failure> {
        let url = format!("{}/{path}", self.base);
        let request = self.http.post(url.trim_end_matches('/'));
        // A key is of one request: the same again has the same.
        let length = body.to_string().len();
        let once = match body["reference"].as_str() {
            Some(reference) => reference.to_owned(),
            None => format!("{path}-{length}"),
        };
        let request = request.bearer_auth(KEY).header("idempotency-key", once);
        let answer = request.json(body).send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or_default()))
    }

    async fn get(&self, id: &str) -> Result<Value, Failure> {
        let request = self.http.get(format!("{}/{id}", self.base));
        let answer = request.bearer_auth(KEY).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Waits until a room, or a reminder, is as wanted.
    async fn until(
        &self,
        id: &str,
        what: &str,
        is: impl Fn(&Value) -> bool,
    ) -> Result<Value, Failure> {
        eventually(what, async || {
            let now = self.get(id).await?;
            Ok(is(&now).then_some(now))
        })
        .await
    }
}

/// Waits until so many phones are there.
async fn phones(stage: &Stage, count: usize) -> Result<(), Failure> {
    let look = async || Ok((stage.cloud.emulator.counts().phones >= count).then_some(()));
    eventually("everybody's phone is there", look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_reported_by_phone() -> Result<(), Failure> {
    let stage = Stage::start(&guide("incident-bridge")?, "").await?;
    stage.passes("incident-bridge").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_call_is_led_by_the_bot() -> Result<(), Failure> {
    let stage = Stage::start(&guide("group-call")?, "").await?;
    stage.passes("group-call").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_call_is_led_by_media_of_graph() -> Result<(), Failure> {
    let flow = format!("media = \"service\"\n{}", guide("group-call")?);
    let stage = Stage::start(&flow, "").await?;
    stage.passes("group-call").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_booked_and_the_guest_called_in() -> Result<(), Failure> {
    let stage = Stage::start(&guide("meeting")?, "").await?;
    stage.passes("meeting-booked").await
}

/// What a service for messages got.
#[derive(Default)]
struct Message {
    headers: HeaderMap,
    body: Bytes,
}

async fn a_message_is_left(media: &str) -> Result<(), Failure> {
    let got: Arc<Mutex<Vec<Message>>> = Arc::default();
    let take = {
        let got = Arc::clone(&got);
        async move |headers: HeaderMap, body: Bytes| {
            let message = Message { headers, body };
            got.lock().expect("no panic").push(message);
            Json(json!({}))
        }
    };
    let take = post(take).layer(axum::extract::DefaultBodyLimit::max(8 << 20));
    let address = serve(Router::new().route("/new", take)).await?;
    let flow = guide("voice-message")?
        .replace("https://messages.example", &format!("http://{address}"))
        .replace("media = \"application\"", media);
    let stage = Stage::start(&flow, "").await?;
    stage.passes("voice-message").await?;
    let got = got.lock().expect("no panic");
    let [message] = &got[..] else {
        return Err(format!("{} messages", got.len()).into());
    };
    assert_eq!(message.headers["content-type"], "audio/wav");
    assert!(message.headers.contains_key("switchboard-caller"));
    assert!(
        !message.headers.contains_key("content-length"),
        "it is a stream"
    );
    let sound = wav::read(&message.body)?;
    let samples = sound.mono();
    let seconds = samples.len() as f32 / sound.rate as f32;
    assert!(
        (8.0..20.0).contains(&seconds),
        "{seconds} s of 9 s of speech"
    );
    let energy = samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32;
    assert!(energy > 1e-5, "somebody speaks: {energy}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_left_with_media_of_our_own() -> Result<(), Failure> {
    a_message_is_left("media = \"application\"").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_left_with_media_of_graph() -> Result<(), Failure> {
    a_message_is_left("media = \"service\"").await
}

async fn callers_say_what_they_want(media: &str) -> Result<(), Failure> {
    let wants = |name: &str, confidence: f32| json!({"type": "intent", "name": name, "confidence": confidence});
    let no = json!({"type": "final", "text": "No, thank you."});
    let angry = json!({"type": "sentiment", "score": -0.8});
    let hours = || wants("hours", 0.9);
    let script = engine::Script {
        utterances: vec![
            ("Wanda", "welcome", vec![hours()]),
            ("Wanda", "more", vec![no]),
            // Whatever was understood.
            ("Olga", "welcome", vec![angry, hours()]),
            ("Cora", "welcome", vec![wants("person", 0.2)]),
            ("Cora", "welcome", vec![wants("hours", 0.6)]),
        ],
        refused: vec!["Kim"],
    };
    let address = engine::start(script).await?;
    let settings = format!("[engine]\nurl = \"ws://{address}/\"");
    let flow = format!("{media}{}", guide("speech-ivr")?);
    let stage = Stage::start(&flow, &settings).await?;
    stage.passes("speech-ivr").await
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_say_what_they_want_to_media_of_our_own() -> Result<(), Failure> {
    callers_say_what_they_want("").await
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_say_what_they_want_to_media_of_graph() -> Result<(), Failure> {
    callers_say_what_they_want("media = \"service\"\n").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recogniser_tells_angry_callers_from_happy_ones() -> Result<(), Failure> {
    let intents = ["hours=hours", "person=person,agent,somebody"];
    let Some(recogniser) = engine::Recogniser::start(&intents)? else {
        return Ok(());
    };
    let settings = format!("[engine]\nurl = \"ws://127.0.0.1:{}/\"", recogniser.port);
    let stage = Stage::start(&guide("speech-ivr")?, &settings).await?;
    stage.passes("speech-ivr-heard").await
}

/// Whom the scenario has reminded, and what comes of it.
const REMINDED: [(&str, &str); 4] = [
    ("6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8a11", "confirmed"),
    ("6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8a12", "unconfirmed"),
    ("6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8a13", "unreached"),
    ("+4915112345678", "confirmed"),
];

/// The account whose number calls.
const INSTANCE: &str = "\n[[graph.instances]]\nname = \"office\"\n\
    id = \"7629bdce-046c-4903-86b4-a8f718277e1a\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn people_are_reminded() -> Result<(), Failure> {
    let hash = KEYS.split('"').find(|text| text.starts_with("sha256:"));
    let settings = block("reminders.md")?.replace("sha256:…", hash.ok_or("a hash")?);
    let mut stage = Stage::start("", &format!("{settings}{INSTANCE}")).await?;
    let reminders = Rest::reminders(&stage)?;
    // Whatever time it is: quiet hours that begin in half a day.
    let hour = |ahead: i64| {
        let then = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(ahead);
        then.strftime("%H:%M").to_string()
    };
    let remind = async {
        phones(&stage, REMINDED.len()).await?;
        let mut made = Vec::new();
        for (user, _) in REMINDED {
            let at = jiff::Timestamp::now();
            let text = "Your visit is today. Please press 1.";
            let whom = if user.starts_with('+') {
                "phone"
            } else {
                "user"
            };
            let body = json!({whom: user, "at": at.to_string(), "text": text, "reference": user,
                "attempts": 1, "zone": "UTC", "quietFrom": hour(12), "quietTo": hour(13)});
            let (status, reminder) = reminders.post("", &body).await?;
            assert_eq!(status, 201, "{reminder}");
            made.push(reminder["id"].as_str().unwrap_or_default().to_owned());
        }
        for (id, (_, outcome)) in made.iter().zip(REMINDED) {
            let over = |reminder: &Value| reminder["state"] == "done";
            let done = reminders.until(id, "the reminder is over", over).await?;
            assert_eq!(done["outcome"], outcome, "{done}");
        }
        Ok::<_, Failure>(())
    };
    let (report, reminded) = tokio::join!(stage.play("reminder"), remind);
    stage.expect(&report?)?;
    reminded?;
    let said = stage.service.said()?;
    assert!(!said.contains("visit is today"), "texts are in no log");
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_that_was_called_decides_and_each_flow_calls_from_its_own() -> Result<(), Failure>
{
    let text = doc("bots/phone-numbers.md")?;
    let mut shown = blocks(&text);
    let (flow, settings) = (shown.next(), shown.next());
    let (Some(flow), Some(settings)) = (flow, settings) else {
        return Err("the guide has a flow and its settings".into());
    };
    let mut stage = Stage::start(flow, settings).await?;
    let report = stage.play("phone-numbers").await?;
    stage.expect(&report)?;
    let journal = format!("{}/journal", stage.cloud.emulator.admin_url());
    let journal: Value = reqwest::get(journal).await?.json().await?;
    let mut calls = journal["entries"].as_array().into_iter().flatten();
    let support = "9b2f0c4d-3a61-4e0e-8f57-1c2d3e4f5a6b";
    let from_support = calls.any(|entry| {
        let source = "/request/source/identity/applicationInstance/id";
        entry.pointer(source).is_some_and(|id| id == support)
    });
    assert!(from_support, "it calls from support's number");
    stage.end().await
}

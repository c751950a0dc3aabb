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
use switchboard_tests::stage::{Stage, blocks, guide, serve};
use switchboard_tests::{Failure, fixture};

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
        let once = body["reference"].as_str().unwrap_or("once");
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
async fn an_alert_opens_the_incident_bridge() -> Result<(), Failure> {
    let mut stage = Stage::start(&guide("incident-bridge")?, KEYS).await?;
    let rooms = Rest::rooms(&stage)?;
    let reason = json!({"variables": {"reason": "The disk is full."}});
    let alert = async {
        phones(&stage, 3).await?;
        let (status, room) = rooms.post("incident", &reason).await?;
        assert_eq!(status, 202, "{room}");
        let (_, again) = rooms.post("incident", &reason).await?;
        assert_eq!(again["id"], room["id"], "the same alert opens nothing new");
        let id = room["id"].as_str().unwrap_or_default();
        let there = |room: &Value| room["people"][0]["name"] == "Cleo";
        let open = rooms.until(id, "Cleo is on the bridge", there).await?;
        assert_eq!(
            (&open["state"], &open["count"]),
            (&json!("open"), &json!(1))
        );
        assert!(
            open["joinUrl"]
                .as_str()
                .is_some_and(|url| url.starts_with("https://"))
        );
        let over = |room: &Value| room["state"] == "closed";
        let closed = rooms.until(id, "the bridge is closed", over).await?;
        assert_eq!(closed["outcome"], "taken");
        Ok::<_, Failure>(())
    };
    let (report, alerted) = tokio::join!(stage.play("incident-alert"), alert);
    stage.expect(&report?)?;
    alerted?;
    let said = stage.service.said()?;
    assert!(!said.contains("disk is full"), "reasons are in no log");
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_of_rooms_refuses_what_is_wrong() -> Result<(), Failure> {
    let mut stage = Stage::start(&guide("incident-bridge")?, KEYS).await?;
    let rooms = Rest::rooms(&stage)?;
    let post = async |path: &str, body: Value| -> Result<u16, Failure> {
        Ok(rooms.post(path, &body).await?.0)
    };
    assert_eq!(post("nowhere", json!({})).await?, 404);
    assert_eq!(
        post("incident", json!({})).await?,
        422,
        "a reason is missing"
    );
    let more = json!({"variables": {"reason": "x", "more": "y"}});
    assert_eq!(post("incident", more).await?, 422);
    assert_eq!(post("incident", json!({"variable": {}})).await?, 400);
    let id = "00000000-0000-4000-8000-000000000000";
    assert_eq!(post(&format!("{id}/mute"), json!({"who": []})).await?, 409);
    assert_eq!(
        post(&format!("{id}/mute"), json!({"who": ["eve"]})).await?,
        422
    );
    assert_eq!(post(&format!("{id}/applaud"), json!({})).await?, 404);
    let nobody = rooms.http.get(&rooms.base).send().await?;
    assert_eq!(nobody.status().as_u16(), 401);
    stage.end().await
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

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_greeted() -> Result<(), Failure> {
    let mut stage = Stage::start(&guide("meeting")?, KEYS).await?;
    let rooms = Rest::rooms(&stage)?;
    let open = async {
        phones(&stage, 2).await?;
        let (status, room) = rooms.post("standup", &json!({})).await?;
        assert_eq!(status, 202, "{room}");
        let id = room["id"].as_str().unwrap_or_default();
        let over = |room: &Value| room["state"] == "closed";
        let closed = rooms.until(id, "the bot has left", over).await?;
        assert_eq!(closed["outcome"], "greeted");
        Ok::<_, Failure>(())
    };
    let (report, opened) = tokio::join!(stage.play("meeting-greeted"), open);
    stage.expect(&report?)?;
    opened?;
    stage.end().await
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

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_judged_and_passed_to_whoever_is_idle() -> Result<(), Failure> {
    let judge = async |Json(question): Json<Value>| {
        let caller = question["caller"].as_str().unwrap_or_default();
        let result = match caller.get(..3) {
            Some("666") => "spam",
            Some("777") => "known",
            _ => "unknown",
        };
        Json(json!({ "result": result }))
    };
    let address = serve(Router::new().route("/verdict", post(judge))).await?;
    let flow = guide("front-desk")?;
    let flow = flow.replace("https://crm.example", &format!("http://{address}"));
    let stage = Stage::start(&flow, "").await?;
    stage.passes("front-desk-team").await
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_say_what_they_want() -> Result<(), Failure> {
    let wants = |name: &str, confidence: f32| json!({"type": "intent", "name": name, "confidence": confidence});
    let no = json!({"type": "final", "text": "No, thank you."});
    let angry = json!({"type": "sentiment", "score": -0.8});
    let script = engine::Script {
        utterances: vec![
            ("Wanda", "welcome", vec![wants("hours", 0.9)]),
            ("Wanda", "more", vec![no]),
            ("Olga", "welcome", vec![angry]),
            ("Cora", "welcome", vec![wants("person", 0.2)]),
            ("Cora", "welcome", vec![wants("hours", 0.6)]),
        ],
        refused: vec!["Kim"],
    };
    let address = engine::start(script).await?;
    let settings = format!("[engine]\nurl = \"ws://{address}/\"");
    let stage = Stage::start(&guide("speech-ivr")?, &settings).await?;
    stage.passes("speech-ivr").await
}

/// Whom the scenario has reminded, and what comes of it.
const REMINDED: [(&str, &str); 3] = [
    ("6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8a11", "confirmed"),
    ("6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8a12", "unconfirmed"),
    ("6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8a13", "unreached"),
];

#[tokio::test(flavor = "multi_thread")]
async fn people_are_reminded() -> Result<(), Failure> {
    let keys = KEYS.replace("rooms", "service");
    let settings = format!("{keys}[reminders]\nattempts = 1\n");
    let mut stage = Stage::start(&guide("voice-message")?, &settings).await?;
    let reminders = Rest::reminders(&stage)?;
    let remind = async {
        phones(&stage, REMINDED.len()).await?;
        let mut made = Vec::new();
        for (user, _) in REMINDED {
            let at = jiff::Timestamp::now();
            let text = "Your visit is today. Please press 1.";
            let body = json!({"user": user, "at": at.to_string(), "text": text, "reference": user});
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

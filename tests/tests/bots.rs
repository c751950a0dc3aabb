//! The guides of `docs/bots`, played: their own flows, `switchboard serve`, real audio.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use switchboard_bot::flow::Flow;
use switchboard_media::wav;
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

/// Rooms by REST.
struct Rooms {
    http: reqwest::Client,
    base: String,
}

impl Rooms {
    fn of(stage: &Stage) -> Result<Self, Failure> {
        let base = stage.service.webhook.join("/api/v1/rooms")?;
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().build()?,
            base: base.to_string(),
        })
    }

    async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value), Failure> {
        let request = self.http.post(format!("{}/{path}", self.base));
        let request = request.bearer_auth(KEY).header("idempotency-key", "once");
        let answer = request.json(body).send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or_default()))
    }

    async fn room(&self, id: &str) -> Result<Value, Failure> {
        let request = self.http.get(format!("{}/{id}", self.base));
        let answer = request.bearer_auth(KEY).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Waits until a room is as wanted.
    async fn until(
        &self,
        id: &str,
        what: &str,
        is: impl Fn(&Value) -> bool,
    ) -> Result<Value, Failure> {
        eventually(what, async || {
            let room = self.room(id).await?;
            Ok(is(&room).then_some(room))
        })
        .await
    }
}

/// Waits until so many phones are there.
async fn phones(stage: &Stage, count: usize) -> Result<(), Failure> {
    let look = async || Ok((stage.emulator.counts().phones >= count).then_some(()));
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
    let rooms = Rooms::of(&stage)?;
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
    let report = report?;
    assert!(
        report.passed,
        "{}\n{}",
        report.text(),
        stage.service.warnings()?
    );
    alerted?;
    let said = stage.service.said()?;
    assert!(!said.contains("disk is full"), "reasons are in no log");
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_of_rooms_refuses_what_is_wrong() -> Result<(), Failure> {
    let mut stage = Stage::start(&guide("incident-bridge")?, KEYS).await?;
    let rooms = Rooms::of(&stage)?;
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
    let rooms = Rooms::of(&stage)?;
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
    let report = report?;
    assert!(
        report.passed,
        "{}\n{}",
        report.text(),
        stage.service.warnings()?
    );
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

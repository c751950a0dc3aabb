//! recordResponse with real audio through a phone.
#![allow(clippy::unwrap_used)]

mod support;

use axum::http::StatusCode;
use serde_json::{Value, json};
use support::{LIMIT, Site, service_hosted, told};
use switchboard_emulator::{Phone, PhoneEvent};
use switchboard_media::event::{Digit, MediaEvent};
use switchboard_media::prompt::Prompt;
use switchboard_media::wav;
use switchboard_transport::{Session, SessionEvent};
use tokio::time::timeout;

/// A caller that talks to a bot whose media is the cloud's.
struct Caller {
    phone: Phone,
    session: Session,
    call: String,
}

async fn established(site: &Site) -> Caller {
    let (mut phone, offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    site.post(&format!("/{call}/answer"), service_hosted())
        .await;
    site.bot.hears("establishing").await;
    let event = told(&mut phone, |event| {
        matches!(event, PhoneEvent::Answer { .. })
    })
    .await;
    let PhoneEvent::Answer { sdp, .. } = event else {
        unreachable!()
    };
    let mut session = offer.accept(&sdp).await.unwrap();
    site.bot.hears("established").await;
    until(&mut session, |event| *event == SessionEvent::Connected).await;
    Caller {
        phone,
        session,
        call,
    }
}

async fn until(session: &mut Session, fits: impl Fn(&SessionEvent) -> bool) {
    let found = async { while !fits(&session.event().await.expect("the session goes on")) {} };
    timeout(LIMIT, found).await.expect("in time");
}

fn loud(event: &SessionEvent) -> bool {
    matches!(event, SessionEvent::Media(MediaEvent::Level { dbov, .. }) if *dbov > -40.0)
}

fn quiet(event: &SessionEvent) -> bool {
    matches!(event, SessionEvent::Media(MediaEvent::Level { dbov, .. }) if *dbov < -60.0)
}

impl Caller {
    async fn record(&self, site: &Site, body: Value) -> Value {
        let path = format!("/{}/recordResponse", self.call);
        let (status, operation) = site.post(&path, body).await;
        assert_eq!(status, StatusCode::OK, "{operation}");
        assert_eq!(operation["@odata.type"], "#microsoft.graph.recordOperation");
        assert_eq!(operation["status"], "running");
        operation
    }

    /// Waits for the beep and its end.
    async fn hears_the_beep(&mut self) {
        until(&mut self.session, loud).await;
        until(&mut self.session, quiet).await;
    }
}

/// How an operation ended.
async fn outcome(site: &Site, operation: &Value) -> Value {
    let heard = site.bot.heard().await;
    let data = heard.first()["resourceData"].clone();
    assert_eq!(data["id"], operation["id"], "{data}");
    data
}

async fn fetch(site: &Site, outcome: &Value, token: Option<&str>) -> (StatusCode, Vec<u8>) {
    let location = outcome["recordingLocation"].as_str().unwrap();
    let mut request = site.http.get(location);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, response.bytes().await.unwrap().to_vec())
}

fn speech() -> std::sync::Arc<Prompt> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/speech/command-en.wav"
    );
    Prompt::from_wav(&std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_says_after_the_beep_is_fetched_once() {
    let site = Site::start().await;
    let mut caller = established(&site).await;
    let body = json!({"maxSilenceTimeoutInSeconds": 1, "initialSilenceTimeoutInSeconds": 20,
        "maxRecordDurationInSeconds": 60, "clientContext": "c"});
    let operation = caller.record(&site, body).await;
    caller.hears_the_beep().await;
    caller.session.play(speech()).unwrap();
    let outcome = outcome(&site, &operation).await;
    assert_eq!(outcome["status"], "completed", "{outcome}");
    assert_eq!(outcome["resultInfo"]["subcode"], 8509);
    assert_eq!(outcome["clientContext"], "c");

    assert_eq!(
        fetch(&site, &outcome, None).await.0,
        StatusCode::UNAUTHORIZED
    );
    let graph = site.token().await;
    assert_eq!(
        fetch(&site, &outcome, Some(&graph)).await.0,
        StatusCode::UNAUTHORIZED
    );
    let token = outcome["recordingAccessToken"].as_str().unwrap();
    let (status, clip) = fetch(&site, &outcome, Some(token)).await;
    assert_eq!(status, StatusCode::OK);
    let clip = wav::read(&clip).unwrap();
    assert_eq!(clip.rate, 16_000);
    let samples = clip.mono();
    let seconds = samples.len() as f32 / 16_000.0;
    // The fixture's three seconds of speech and the pause that ended it.
    assert!(seconds > 3.5, "{seconds} s");
    let power = |part: &[f32]| part.iter().map(|x| x * x).sum::<f32>() / part.len() as f32;
    let last = &samples[samples.len() - 8_000..];
    assert!(
        power(&samples) > 100.0 * power(last),
        "speech, then silence"
    );
    assert_eq!(
        fetch(&site, &outcome, Some(token)).await.0,
        StatusCode::NOT_FOUND
    );
    drop(caller.phone);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_silence_length_and_cancelling_end_recordings() {
    let site = Site::start().await;
    let mut caller = established(&site).await;
    let nothing = json!({"initialSilenceTimeoutInSeconds": 1, "playBeep": false});
    let operation = caller.record(&site, nothing).await;
    let ended = outcome(&site, &operation).await;
    assert_eq!(
        (&ended["status"], &ended["resultInfo"]["subcode"]),
        (&json!("failed"), &json!(8510))
    );
    assert_eq!(ended["recordingLocation"], Value::Null);

    let body = json!({"stopTones": ["#"], "initialSilenceTimeoutInSeconds": 60,
        "maxRecordDurationInSeconds": 60});
    let operation = caller.record(&site, body).await;
    caller.hears_the_beep().await;
    for key in ['1', '#'] {
        caller
            .session
            .press(Digit::from_char(key).unwrap(), 160)
            .unwrap();
    }
    let ended = outcome(&site, &operation).await;
    assert_eq!(
        (&ended["status"], &ended["resultInfo"]["subcode"]),
        (&json!("completed"), &json!(8514))
    );

    let body = json!({"maxRecordDurationInSeconds": 1, "initialSilenceTimeoutInSeconds": 60});
    let operation = caller.record(&site, body).await;
    let ended = outcome(&site, &operation).await;
    assert_eq!(ended["resultInfo"]["subcode"], 8515);
    let token = ended["recordingAccessToken"].as_str().unwrap();
    let clip = wav::read(&fetch(&site, &ended, Some(token)).await.1).unwrap();
    assert_eq!(clip.frames(), 16_000);

    // One that waits and one that records are broken off by a third.
    let long = json!({"maxRecordDurationInSeconds": 60, "initialSilenceTimeoutInSeconds": 60});
    let recording = caller.record(&site, long.clone()).await;
    let waiting = caller.record(&site, long).await;
    caller.hears_the_beep().await;
    let barging = json!({"bargeInAllowed": true, "maxRecordDurationInSeconds": 1,
        "playBeep": false, "initialSilenceTimeoutInSeconds": 60});
    let third = caller.record(&site, barging).await;
    let first = outcome(&site, &waiting).await;
    assert_eq!(first["resultInfo"]["subcode"], 8508);
    let second = outcome(&site, &recording).await;
    assert_eq!(second["resultInfo"]["subcode"], 8508);
    assert_eq!(outcome(&site, &third).await["resultInfo"]["subcode"], 8515);
    drop(caller.phone);
}

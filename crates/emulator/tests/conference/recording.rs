//! recordResponse of a bot in a conference.

use axum::http::StatusCode;
use serde_json::{Value, json};
use switchboard_media::event::Digit;
use switchboard_media::wav;

use crate::singer::{LEVEL, Singer, dial_in, loudness, sing, until};
use crate::support::Site;
use crate::{about, led};

/// Asks for a recording, and waits for its end while everybody sings.
async fn recorded(
    site: &Site,
    call: &str,
    singers: &mut [Singer],
    stop: Option<char>,
    body: Value,
) -> Value {
    let (status, operation) = site.post(&format!("/{call}/recordResponse"), body).await;
    assert_eq!(status, StatusCode::OK, "{operation}");
    assert_eq!(operation["@odata.type"], "#microsoft.graph.recordOperation");
    let path = format!("operations/{}", operation["id"].as_str().unwrap());
    let singing = async {
        loop {
            sing(singers, 1.0).await;
            if let Some(key) = stop.and_then(Digit::from_char) {
                singers[1].session.press(key, 160).unwrap();
            }
        }
    };
    tokio::select! {
        over = about(site, &path) => over,
        () = singing => unreachable!(),
    }
}

async fn clip(site: &Site, over: &Value) -> Vec<f32> {
    let token = over["recordingAccessToken"].as_str().unwrap();
    let request = site.http.get(over["recordingLocation"].as_str().unwrap());
    let response = request.bearer_auth(token).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let clip = wav::read(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(clip.rate, 16_000);
    clip.mono().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_records_everybody_who_is_heard() {
    let site = Site::start().await;
    let (call, join_id) = led(&site).await;
    let mut singers = Vec::new();
    for hz in [400.0, 700.0] {
        singers.push(dial_in(&site, &join_id, hz).await);
    }
    until(&mut singers, "both hear each other", |singers| {
        singers[0].hears_well(singers[1].hz) && singers[1].hears_well(singers[0].hz)
    })
    .await;

    let body = json!({"initialSilenceTimeoutInSeconds": 60, "maxRecordDurationInSeconds": 2,
        "maxSilenceTimeoutInSeconds": 60});
    let over = recorded(&site, &call, &mut singers, None, body.clone()).await;
    assert_eq!(over["status"], "completed", "{over}");
    assert_eq!(over["resultInfo"]["subcode"], 8515);
    let both = clip(&site, &over).await;
    assert_eq!(both.len(), 32_000);
    for singer in &singers {
        assert!(loudness(&both, singer.hz) > LEVEL / 5.0, "{} Hz", singer.hz);
    }
    assert!(loudness(&both, 1000.0) < LEVEL / 8.0, "the bot's own beep");

    // Who is on hold is not heard.
    let (_, roster) = site
        .graph("GET", &format!("/{call}/participants"), None)
        .await;
    let second = roster["value"][2]["id"].as_str().unwrap();
    let path = format!("/{call}/participants/{second}/startHoldMusic");
    assert_eq!(site.post(&path, json!({})).await.0, StatusCode::ACCEPTED);
    until(&mut singers, "the second is on hold", |singers| {
        singers[0].hears_nothing_of(700.0)
    })
    .await;
    let over = recorded(&site, &call, &mut singers, None, body).await;
    let first = clip(&site, &over).await;
    assert!(loudness(&first, 400.0) > LEVEL / 5.0);
    assert!(loudness(&first, 700.0) < LEVEL / 8.0);
    let path = format!("/{call}/participants/{second}/stopHoldMusic");
    assert_eq!(site.post(&path, json!({})).await.0, StatusCode::ACCEPTED);
    until(&mut singers, "the second is back", |singers| {
        singers[0].hears_well(700.0)
    })
    .await;

    let body = json!({"initialSilenceTimeoutInSeconds": 60, "maxRecordDurationInSeconds": 60,
        "stopTones": ["#"], "playBeep": false});
    let over = recorded(&site, &call, &mut singers, Some('#'), body).await;
    assert_eq!(over["resultInfo"]["subcode"], 8514, "{over}");
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_in_a_room_end_by_silence_and_by_the_bot() {
    let site = Site::start().await;
    let (call, join_id) = led(&site).await;
    let mut singers = vec![dial_in(&site, &join_id, 400.0).await];
    let path = format!("/{call}/recordResponse");
    let body = json!({"initialSilenceTimeoutInSeconds": 1});
    // Nobody sings: what is awaited is not speech, whatever the room sounds like.
    let (_, operation) = site.post(&path, body).await;
    let over = about(&site, operation["id"].as_str().unwrap()).await;
    assert_eq!(
        (&over["status"], &over["resultInfo"]["subcode"]),
        (&json!("failed"), &json!(8510))
    );
    assert_eq!(over["recordingLocation"], Value::Null);

    let long = json!({"initialSilenceTimeoutInSeconds": 60, "maxRecordDurationInSeconds": 60});
    let mut operations = Vec::new();
    for _ in 0..2 {
        let (_, operation) = site.post(&path, long.clone()).await;
        operations.push(operation["id"].as_str().unwrap().to_owned());
    }
    sing(&mut singers, 1.0).await;
    let cancel = format!("/{call}/cancelMediaProcessing");
    assert_eq!(site.post(&cancel, json!({})).await.0, StatusCode::OK);
    let mut ended = Vec::new();
    for _ in 0..2 {
        let over = about_any(&site, &operations).await;
        assert_eq!(over["resultInfo"]["subcode"], 8508, "{over}");
        ended.push(over["id"].as_str().unwrap().to_owned());
    }
    ended.sort();
    operations.sort();
    assert_eq!(ended, operations);
}

/// The next notification of one of these operations.
async fn about_any(site: &Site, operations: &[String]) -> Value {
    loop {
        let heard = site.bot.heard().await;
        let data = &heard.first()["resourceData"];
        if operations.iter().any(|id| data["id"] == **id) {
            return data.clone();
        }
    }
}

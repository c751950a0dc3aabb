//! Conferences over real HTTP, ICE, DTLS and SRTP on loopback: who hears whom is
//! measured by everyone's own tone.
#![allow(clippy::unwrap_used)]

mod gaps;
mod leaving;
mod network;
mod outside;
mod recording;
mod singer;
mod speakers;
#[path = "../support/mod.rs"]
mod support;

use axum::http::StatusCode;
use serde_json::{Value, json};
use singer::{LEVEL, RATE, Singer, connected, dial_in, until};
use support::{LIMIT, Site, TENANT, app_hosted, play, service_hosted, told};
use switchboard_emulator::{Counts, PhoneEvent};
use switchboard_media::wav;
use tokio::time::timeout;

/// Phones in the large conference.
const CROWD: usize = 20;

/// A request anywhere in Graph.
async fn request(site: &Site, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
    let url = format!("{}{path}", site.emulator.graph_url());
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = site.http.request(method, url);
    request = request.bearer_auth(site.token().await);
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// A new meeting: its id and join id.
async fn meeting(site: &Site) -> (String, String) {
    let path = "/users/organizer-1/onlineMeetings";
    let (status, meeting) = request(site, "POST", path, json!({"subject": "Choir"})).await;
    assert_eq!(status, StatusCode::CREATED, "{meeting}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let join_id = &meeting["joinMeetingIdSettings"]["joinMeetingId"];
    (text(&meeting["id"]), text(join_id))
}

fn join(join_id: &str, media: &Value, callback: &str) -> Value {
    json!({"callbackUri": callback, "requestedModalities": ["audio"], "tenantId": TENANT,
        "mediaConfig": media["mediaConfig"], "meetingInfo":
            {"@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo", "joinMeetingId": join_id}})
}

/// The next notification whose resource ends so.
async fn about(site: &Site, end: &str) -> Value {
    loop {
        let heard = site.bot.heard().await;
        let url = heard.first()["resourceUrl"].as_str().unwrap();
        if url.ends_with(end) {
            return heard.first()["resourceData"].clone();
        }
    }
}

/// A meeting with a bot whose media is Graph's: the bot's call, and the join id.
async fn led(site: &Site) -> (String, String) {
    let (_, join_id) = meeting(site).await;
    let body = join(&join_id, &service_hosted(), &site.bot.url("/api/calls"));
    let (status, call) = site.post("", body).await;
    assert_eq!(status, StatusCode::CREATED, "{call}");
    let call = call["id"].as_str().unwrap().to_owned();
    about(site, &format!("{call}/participants")).await;
    (call, join_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_crowd_everyone_hears_all_others_and_not_itself() {
    let site = Site::start().await;
    let (_, join_id) = meeting(&site).await;
    let mut singers = Vec::new();
    for n in 0..CROWD {
        singers.push(dial_in(&site, &join_id, 300.0 + 130.0 * n as f32).await);
    }
    // Twenty tones are more than the codec can do without noise at a twenty-first.
    until(&mut singers, "everyone hears all others", |singers| {
        singers.iter().all(|one| {
            let own = one.hears(one.hz);
            let mut others = singers.iter().filter(|other| other.hz != one.hz);
            own < LEVEL / 4.0
                && others.all(|other| one.hears_well(other.hz) && one.hears(other.hz) > own)
        })
    })
    .await;
    drop(singers);
    site.settles_at(Counts::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn muting_holding_and_removing_change_what_people_hear() {
    let site = Site::start().await;
    let (_, join_id) = meeting(&site).await;
    let body = join(&join_id, &service_hosted(), &site.bot.url("/api/calls"));
    let (status, call) = site.post("", body).await;
    assert_eq!(status, StatusCode::CREATED, "{call}");
    let call = call["id"].as_str().unwrap().to_owned();
    let mut singers = Vec::new();
    for hz in [400.0, 700.0, 1100.0] {
        singers.push(dial_in(&site, &join_id, hz).await);
    }
    let everyone = |singers: &[Singer]| {
        let pairs = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
        pairs
            .into_iter()
            .all(|(one, other)| singers[one].hears_well(singers[other].hz))
    };
    until(&mut singers, "all hear each other", everyone).await;
    let (_, roster) = site
        .graph("GET", &format!("/{call}/participants"), None)
        .await;
    let people = roster["value"].as_array().unwrap();
    assert_eq!(people.len(), 4);
    let id = |n: usize| people[n + 1]["id"].as_str().unwrap();

    let path = format!("/{call}/participants/{}/startHoldMusic", id(1));
    assert_eq!(site.post(&path, json!({})).await.0, StatusCode::ACCEPTED);
    until(&mut singers, "the second is on hold", |singers| {
        let [first, second, third] = singers else {
            unreachable!()
        };
        let music = second.hears(262.0) + second.hears(330.0) + second.hears(392.0);
        first.hears_well(third.hz)
            && first.hears_nothing_of(second.hz)
            && third.hears_nothing_of(second.hz)
            && second.hears_nothing_of(first.hz)
            && second.hears_nothing_of(third.hz)
            && music > LEVEL / 8.0
    })
    .await;
    let path = format!("/{call}/participants/{}/stopHoldMusic", id(1));
    assert_eq!(site.post(&path, json!({})).await.0, StatusCode::ACCEPTED);
    until(&mut singers, "all hear each other again", everyone).await;

    let route = json!({"id": "aside", "routingMode": "oneToOne", "sources": [id(0)],
        "receivers": [id(2)]});
    let path = format!("/{call}/audioRoutingGroups");
    assert_eq!(site.post(&path, route).await.0, StatusCode::OK);
    until(
        &mut singers,
        "the first speaks to the third alone",
        |singers| {
            let [first, second, third] = singers else {
                unreachable!()
            };
            third.hears_well(first.hz)
                && second.hears_nothing_of(first.hz)
                && second.hears_well(third.hz)
                && first.hears_well(second.hz)
        },
    )
    .await;
    let path = format!("{path}/aside");
    let deleted = site.graph("DELETE", &path, None).await.0;
    assert_eq!(deleted, StatusCode::NO_CONTENT);
    until(&mut singers, "nobody speaks aside", everyone).await;

    let path = format!("/{call}/participants/{}/mute", id(0));
    assert_eq!(site.post(&path, json!({})).await.0, StatusCode::OK);
    until(&mut singers, "the first is muted", |singers| {
        let [first, second, third] = singers else {
            unreachable!()
        };
        first.hears_well(second.hz)
            && second.hears_nothing_of(first.hz)
            && third.hears_nothing_of(first.hz)
    })
    .await;

    let path = format!("/{call}/participants/{}", id(2));
    assert_eq!(
        site.graph("DELETE", &path, None).await.0,
        StatusCode::NO_CONTENT
    );
    let third = singers[2].phone.as_mut().unwrap();
    told(third, |event| matches!(event, PhoneEvent::Ended { .. })).await;
    until(&mut singers[..2], "the third is out", |singers| {
        singers[0].hears_nothing_of(1100.0) && singers[1].hears_nothing_of(1100.0)
    })
    .await;
    timeout(LIMIT, singers[2].session.closer().closed())
        .await
        .expect("the session is ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn bots_hear_and_are_heard_in_a_conference() {
    let site = Site::start().await;
    let (id, join_id) = meeting(&site).await;
    let callback = site.bot.url("/api/calls");
    // One handles its own media: its session is offered to it, and hears the mix.
    let mut reservation = site.bot.whip.reserve();
    let media = app_hosted(&reservation.blob().to_wire());
    let (status, call) = site.post("", join(&join_id, &media, &callback)).await;
    assert_eq!(status, StatusCode::CREATED, "{call}");
    let session = timeout(LIMIT, reservation.session()).await.unwrap();
    let mut session = session.unwrap();
    connected(&mut session).await;
    let bot = Singer::new(session, None, 500.0);
    let mut singers = vec![bot, dial_in(&site, &join_id, 800.0).await];
    singers.push(dial_in(&site, &join_id, 1300.0).await);
    until(&mut singers, "the bot is one of them", |singers| {
        let [bot, first, second] = singers else {
            unreachable!()
        };
        bot.hears_well(first.hz)
            && bot.hears_well(second.hz)
            && bot.hears_nothing_of(bot.hz)
            && first.hears_well(bot.hz)
            && second.hears_well(bot.hz)
    })
    .await;

    // The other plays a prompt that all hear.
    let tone = |n: usize| LEVEL * (n as f32 * 2000.0 * std::f32::consts::TAU / RATE as f32).sin();
    let prompt: Vec<f32> = (0..30 * RATE).map(tone).collect();
    site.bot
        .prompt
        .send_replace(wav::write(RATE as u32, &prompt));
    let body = join(&join_id, &service_hosted(), &callback);
    let (_, second) = site.post("", body).await;
    let second = second["id"].as_str().unwrap().to_owned();
    about(&site, &format!("{second}/participants")).await;
    let body = play(&site.bot.url("/prompt.wav"));
    let (status, operation) = site.post(&format!("/{second}/playPrompt"), body).await;
    assert_eq!(status, StatusCode::OK, "{operation}");
    until(&mut singers, "all hear the prompt", |singers| {
        singers.iter().all(|one| one.hears_well(2000.0))
    })
    .await;
    let cancel = format!("/{second}/cancelMediaProcessing");
    assert_eq!(site.post(&cancel, json!({})).await.0, StatusCode::OK);
    let operation = operation["id"].as_str().unwrap();
    let over = about(&site, operation).await;
    assert_eq!(over["status"], "failed");
    until(&mut singers, "the prompt is over", |singers| {
        singers.iter().all(|one| one.hears_nothing_of(2000.0))
    })
    .await;

    for path in [
        format!("/{second}"),
        format!("/{}", call["id"].as_str().unwrap()),
    ] {
        assert_eq!(
            site.graph("DELETE", &path, None).await.0,
            StatusCode::NO_CONTENT
        );
    }
    timeout(LIMIT, singers[0].session.closer().closed())
        .await
        .expect("the bot is let go");
    drop(singers);
    site.settles_at(Counts::default()).await;
    let path = format!("/users/organizer-1/onlineMeetings/{id}/attendanceReports");
    let (_, reports) = request(&site, "GET", &path, Value::Null).await;
    // Both bots are the same application.
    assert_eq!(reports["value"][0]["totalParticipantCount"], 3, "{reports}");
}

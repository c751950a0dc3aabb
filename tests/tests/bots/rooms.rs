//! Rooms: opened, looked at and led over REST.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use switchboard_tests::Failure;
use switchboard_tests::cloud::Cloud;
use switchboard_tests::patience::eventually;
use switchboard_tests::service::Around;
use switchboard_tests::stage::{Stage, guide};

use super::{INSTANCE, KEY, KEYS, Rest, phones};

impl Rest {
    /// Opens a room; its id.
    async fn opens(&self, room: &str, body: &Value) -> Result<String, Failure> {
        let (status, opened) = self.post(room, body).await?;
        assert_eq!(status, 202, "{opened}");
        Ok(opened["id"].as_str().unwrap_or_default().to_owned())
    }
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
async fn who_does_not_answer_is_passed_over_even_while_the_bot_drains() -> Result<(), Failure> {
    let guide = guide("incident-bridge")?;
    let flow = guide.replace("[\"ada\"], within = 60", "[\"ada\"], within = 3");
    assert_ne!(flow, guide, "Ada has a minute in the guide");
    let around = Around {
        settings: KEYS.to_owned(),
        drain: Some(60),
        ..Around::default()
    };
    let mut stage = Stage::with(&flow, around).await?;
    let rooms = Rest::rooms(&stage)?;
    let alert = async {
        phones(&stage, 3).await?;
        let reason = json!({"variables": {"reason": "The disk is full."}});
        assert_eq!(rooms.post("incident", &reason).await?.0, 202);
        let ada_rings = async || Ok((stage.cloud.emulator.counts().calls >= 2).then_some(()));
        eventually("Ada's phone rings", ada_rings).await?;
        // From now on the bot takes no new calls; the bridge goes on.
        stage.service.tell_to_end()?;
        let ready = stage.service.webhook.join("/readyz")?;
        let drains = async || {
            let status = rooms.http.get(ready.clone()).send().await?.status();
            Ok((status.as_u16() == 503).then_some(()))
        };
        eventually("the bot drains", drains).await?;
        let another = rooms.http.post(format!("{}/incident", rooms.base));
        let another = another.bearer_auth(KEY).json(&reason).send().await?;
        assert_eq!(another.status().as_u16(), 503);
        Ok::<_, Failure>(())
    };
    let (report, alerted) = tokio::join!(stage.play("incident-unanswered"), alert);
    stage.expect(&report?)?;
    alerted?;
    assert!(stage.service.ends().await?, "{}", stage.service.warnings()?);
    Ok(())
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
    let nowhere = "00000000-0000-4000-8000-000000000000/mute";
    assert_eq!(post(nowhere, json!({"who": []})).await?, 404);
    let reason = json!({"variables": {"reason": "The disk is full."}});
    let id = rooms.opens("incident", &reason).await?;
    assert_eq!(
        post(&format!("{id}/mute"), json!({"who": ["eve"]})).await?,
        422
    );
    assert_eq!(post(&format!("{id}/applaud"), json!({})).await?, 404);
    let announce = format!("{id}/announce");
    let (status, problem) = rooms.post(&announce, &json!({"prompt": "no-such"})).await?;
    let named = problem["detail"].as_str().unwrap_or_default();
    // What has words of the call in it can't be announced.
    assert!(
        status == 422 && named.ends_with("nobody, thanks, wait"),
        "{problem}"
    );
    let nobody = rooms.http.get(&rooms.base).send().await?;
    assert_eq!(nobody.status().as_u16(), 401);
    stage.end().await
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

fn only_ada_is_muted(room: &Value) -> bool {
    let people = room["people"].as_array().into_iter().flatten();
    let muted = people.filter(|one| one["muted"] == true);
    let muted: Vec<&Value> = muted.map(|one| &one["identity"]).collect();
    muted == ["3f0a6c1e-52c8-4d3f-9d5b-0b6f9a2c7a01"]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_call_is_led_over_rest() -> Result<(), Failure> {
    let guide = guide("group-call")?;
    // The flow itself does nothing but stay.
    let flow = guide.replace(
        "people = 3, on_people = \"begin\", timeout = 60",
        "timeout = 600",
    );
    let flow = flow.replace(
        "on_alone = \"end\", on_timeout = \"begin\"",
        "on_alone = \"begin\", on_timeout = \"begin\"",
    );
    assert_ne!(flow, guide);
    let mut stage = Stage::start(&flow, KEYS).await?;
    let rooms = Rest::rooms(&stage)?;
    let lead = async {
        phones(&stage, 4).await?;
        let id = rooms.opens("standup", &json!({})).await?;
        let order = async |what: &str, body: Value| -> Result<(), Failure> {
            let (status, problem) = rooms.post(&format!("{id}/{what}"), &body).await?;
            assert_eq!(status, 202, "{what}: {problem}");
            Ok(())
        };
        let count = |count: u64| move |room: &Value| room["count"] == count;
        rooms.until(&id, "Ada and Ben are there", count(2)).await?;
        order("invite", json!({"who": ["cleo"]})).await?;
        rooms.until(&id, "Cleo is there", count(3)).await?;
        order("mute", json!({"who": ["ada"]})).await?;
        rooms
            .until(&id, "Ada alone is muted", only_ada_is_muted)
            .await?;
        order("invite", json!({"who": ["front"]})).await?;
        rooms.until(&id, "the telephone is there", count(4)).await?;
        order("mute", json!({"who": []})).await?;
        let all_muted = |room: &Value| {
            let mut people = room["people"].as_array().into_iter().flatten();
            people.all(|one| one["muted"] == true)
        };
        rooms.until(&id, "all are muted", all_muted).await?;
        order("hold", json!({"who": ["ben"]})).await?;
        // Ben leaves when he has heard music, then nothing, and then what all hear.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        order("resume", json!({"who": ["ben"]})).await?;
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        order("announce", json!({"prompt": "quiet"})).await?;
        // So do Cleo and the telephone, when they have heard it.
        rooms.until(&id, "Ada alone is there", count(1)).await?;
        let close = rooms.http.delete(format!("{}/{id}", rooms.base));
        let closed = close.bearer_auth(KEY).send().await?;
        assert_eq!(closed.status().as_u16(), 202);
        let over = |room: &Value| room["state"] == "closed";
        rooms.until(&id, "the room is closed", over).await?;
        Ok::<_, Failure>(())
    };
    let (report, led) = tokio::join!(stage.play("group-call-led"), lead);
    led?;
    stage.expect(&report?)?;
    stage.end().await
}

/// Ada and a telephone, at once.
const WITH_A_PHONE: &str = r#"
start = "end"
otherwise = "end"
[contacts]
ada = { user = "3f0a6c1e-52c8-4d3f-9d5b-0b6f9a2c7a01" }
uwe = { phone = "+31612345678" }
[rooms.talk]
start = "gather"
with = ["ada", "uwe"]
[prompts]
hello = { text = "You are both here. Goodbye." }
[nodes.gather]
attend = { people = 2, on_people = "hello", timeout = 60, on_alone = "end", on_timeout = "end" }
[nodes.hello]
say = "hello"
interruptible = false
next = "end"
[nodes.end]
hang_up = true
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_is_called_into_a_group_call() -> Result<(), Failure> {
    let mut stage = Stage::start(WITH_A_PHONE, &format!("{KEYS}{INSTANCE}")).await?;
    let rooms = Rest::rooms(&stage)?;
    let open = async {
        phones(&stage, 2).await?;
        let id = rooms.opens("talk", &json!({})).await?;
        let over = |room: &Value| room["state"] == "closed";
        rooms.until(&id, "both were there", over).await
    };
    let (report, opened) = tokio::join!(stage.play("group-call-phone"), open);
    stage.expect(&report?)?;
    opened?;
    stage.end().await
}

/// Whose meetings they are.
const ORGANIZER: &str = "d0c5b1a4-7e7c-4f0b-9a55-6f3f0a1e5c04";

/// Books a meeting that begins in so many seconds.
async fn booked(cloud: &Cloud, ahead: i64) -> Result<Value, Failure> {
    let begins = Timestamp::now() + SignedDuration::from_secs(ahead);
    let ends = begins + SignedDuration::from_hours(1);
    let meeting = json!({"subject": "Standup", "startDateTime": begins.to_string(),
        "endDateTime": ends.to_string()});
    cloud
        .ask(&format!("users/{ORGANIZER}/onlineMeetings"), &meeting)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_wait_for_meetings_that_are_booked() -> Result<(), Failure> {
    let cloud = Cloud::start().await?;
    let (soon, late) = (booked(&cloud, 15).await?, booked(&cloud, 3 * 86_400).await?);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let url = text(&soon["joinWebUrl"]);
    let flow = format!(
        r#"
        start = "end"
        otherwise = "end"
        [rooms]
        by-id = {{ start = "stay", meeting = {{ organizer = "{ORGANIZER}", meeting_id = "{}" }} }}
        by-url = {{ start = "stay", meeting = {{ organizer = "{ORGANIZER}", join_url = "{url}" }} }}
        late = {{ start = "stay", meeting = {{ organizer = "{ORGANIZER}", meeting_id = "{}" }} }}
        [nodes]
        stay = {{ attend = {{ timeout = 600 }} }}
        end = {{ hang_up = true }}
        "#,
        text(&soon["id"]),
        text(&late["id"]),
    );
    let around = Around {
        settings: KEYS.to_owned(),
        ..Around::default()
    };
    let mut stage = Stage::on(cloud, &flow, around).await?;
    let rooms = Rest::rooms(&stage)?;
    let open = |room: &Value| room["state"] == "open";
    let mut waiting = Vec::new();
    for name in ["by-id", "by-url"] {
        let id = rooms.opens(name, &json!({})).await?;
        let waits = |room: &Value| room["state"] == "waiting" && room["begins"].is_string();
        rooms.until(&id, "it waits for the meeting", waits).await?;
        waiting.push(id);
    }
    for id in waiting {
        let there = rooms.until(&id, "it is in the meeting", open).await?;
        assert_eq!(there["joinUrl"], url.as_str());
    }
    let id = rooms.opens("late", &json!({})).await?;
    let failed = |room: &Value| room["state"] == "failed";
    let failed = rooms.until(&id, "it won't wait for days", failed).await?;
    assert_eq!(failed["problem"], "the meeting begins in more than a day");
    stage.end().await
}

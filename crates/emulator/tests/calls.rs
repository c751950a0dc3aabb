//! Whole calls over real HTTP, ICE, DTLS and SRTP on loopback.
#![allow(clippy::unwrap_used)]

mod support;

use axum::http::StatusCode;
use serde_json::json;
use support::{CLIENT, LIMIT, Site, app_hosted, play, service_hosted, told};
use switchboard_emulator::scenario::{self, Scenario};
use switchboard_emulator::{Counts, Phone, PhoneCommand, PhoneEvent, PhoneRole};
use switchboard_media::event::MediaEvent;
use switchboard_media::prompt::Prompt;
use switchboard_media::wav;
use switchboard_transport::{Offer, Session, SessionEvent};
use tokio::time::timeout;

fn tone(rate: u32, hz: f32) -> Vec<f32> {
    let step = hz * std::f32::consts::TAU / rate as f32;
    (0..rate * 2)
        .map(|n| 0.3 * (n as f32 * step).sin())
        .collect()
}

async fn answered(phone: &mut Phone, offer: Offer) -> Session {
    let event = told(phone, |event| matches!(event, PhoneEvent::Answer { .. })).await;
    let PhoneEvent::Answer { sdp, .. } = event else {
        unreachable!()
    };
    offer.accept(&sdp).await.unwrap()
}

/// Waits until a session's other side is heard.
async fn hears_something(session: &mut Session) {
    let heard = async {
        loop {
            match session.event().await.expect("the session goes on") {
                SessionEvent::Media(MediaEvent::Level { dbov, .. }) if dbov > -30.0 => return,
                _ => {}
            }
        }
    };
    timeout(LIMIT, heard).await.expect("audio in time");
}

/// The next digits that are heard.
async fn digits(session: &mut Session, count: usize) -> String {
    let heard = async {
        let mut keys = String::new();
        while keys.len() < count {
            let event = session.event().await.expect("the session goes on");
            if let SessionEvent::Media(MediaEvent::DigitStart { digit, .. }) = event {
                keys.push(digit.as_char());
            }
        }
        keys
    };
    timeout(LIMIT, heard).await.expect("digits in time")
}

async fn connected(session: &mut Session) {
    let connected = async { while session.event().await.unwrap() != SessionEvent::Connected {} };
    timeout(LIMIT, connected).await.expect("connected in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_and_the_bot_hear_each_other_and_nothing_is_left() {
    let site = Site::start().await;
    let (mut phone, offer, call) = site.dial().await;
    let incoming = site.bot.hears("incoming").await;
    assert_eq!(incoming.call(), call);
    for header in [
        "x-microsoft-skype-chain-id",
        "x-microsoft-skype-message-id",
        "scenario-id",
        "client-request-id",
    ] {
        assert!(incoming.headers.contains_key(header), "{header}");
    }
    let mut reservation = site.bot.whip.reserve();
    let answer = app_hosted(&reservation.blob().to_wire());
    assert_eq!(
        site.post(&format!("/{call}/answer"), answer).await.0,
        StatusCode::ACCEPTED
    );
    site.bot.hears("establishing").await;
    let mut caller = answered(&mut phone, offer).await;
    site.bot.hears("established").await;
    let mut bot = timeout(LIMIT, reservation.session())
        .await
        .unwrap()
        .unwrap();
    connected(&mut caller).await;
    connected(&mut bot).await;
    caller
        .play(Prompt::from_samples(16_000, &tone(16_000, 400.0)).unwrap())
        .unwrap();
    hears_something(&mut bot).await;
    bot.play(Prompt::from_samples(16_000, &tone(16_000, 300.0)).unwrap())
        .unwrap();
    hears_something(&mut caller).await;

    // The tab is closed: the bot is told, its media session ended.
    drop(phone);
    let last = site.bot.hears("terminated").await;
    assert_eq!(last.first()["changeType"], "deleted");
    site.settles_at(Counts::default()).await;
    timeout(LIMIT, bot.closer().closed())
        .await
        .expect("the bot's session is ended");
    assert_eq!(
        site.graph("GET", &format!("/{call}"), None).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_are_heard_with_service_hosted_media() {
    let site = Site::start().await;
    site.bot
        .prompt
        .send_replace(wav::write(16_000, &tone(16_000, 400.0)));
    let (mut phone, offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    site.post(&format!("/{call}/answer"), service_hosted())
        .await;
    site.bot.hears("establishing").await;
    let mut caller = answered(&mut phone, offer).await;
    site.bot.hears("established").await;
    connected(&mut caller).await;

    let (status, operation) = site
        .post(
            &format!("/{call}/playPrompt"),
            play(&site.bot.url("/prompt.wav")),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&operation["status"], &operation["clientContext"]),
        (&json!("running"), &json!("mark"))
    );
    hears_something(&mut caller).await;
    let done = site.bot.heard().await;
    assert_eq!(done.first()["resourceData"]["id"], operation["id"]);
    assert_eq!(done.first()["resourceData"]["status"], "completed");

    // Tones sent by the bot are heard as digits by the caller.
    let body = json!({"tones": ["tone4", "star"]});
    let sent = site.post(&format!("/{call}/sendDtmfTones"), body).await;
    assert_eq!(sent.0, StatusCode::OK);
    assert_eq!(digits(&mut caller, 2).await, "4*");
    let done = site.bot.heard().await;
    assert_eq!(
        done.first()["resourceData"]["completionReason"],
        "completedSuccessfully"
    );

    // What can't be played fails its operation, not the call.
    site.bot.prompt.send_replace(b"no WAV at all".to_vec());
    for path in ["/prompt.wav", "/elsewhere.wav", "/not-there.wav"] {
        site.post(&format!("/{call}/playPrompt"), play(&site.bot.url(path)))
            .await;
        let failed = site.bot.heard().await;
        assert_eq!(failed.first()["resourceData"]["status"], "failed", "{path}");
    }
    site.bot.prompt.send_replace(vec![0; 10 * 1024 * 1024 + 1]);
    site.post(
        &format!("/{call}/playPrompt"),
        play(&site.bot.url("/prompt.wav")),
    )
    .await;
    let failed = site.bot.heard().await;
    let why = failed.first()["resourceData"]["resultInfo"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(why.contains("10 MB"), "{why}");

    assert_eq!(
        site.graph("DELETE", &format!("/{call}"), None).await.0,
        StatusCode::NO_CONTENT
    );
    site.bot.hears("terminated").await;
    told(&mut phone, |event| {
        matches!(event, PhoneEvent::Ended { .. })
    })
    .await;
    site.settles_at(Counts {
        phones: 1,
        ..Counts::default()
    })
    .await;
    drop(caller);
    while site.engine.legs() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transferred_caller_and_the_agent_hear_each_other() {
    let site = Site::start().await;
    let mut agent = site.emulator.phone("Agent", PhoneRole::Agent).await;
    let (mut phone, offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    let mut reservation = site.bot.whip.reserve();
    site.post(
        &format!("/{call}/answer"),
        app_hosted(&reservation.blob().to_wire()),
    )
    .await;
    site.bot.hears("establishing").await;
    let mut caller = answered(&mut phone, offer).await;
    site.bot.hears("established").await;
    let bot = timeout(LIMIT, reservation.session())
        .await
        .unwrap()
        .unwrap();
    connected(&mut caller).await;

    let target = json!({"transferTarget": {"identity": {"user": {"id": "someone"}}}});
    assert_eq!(
        site.post(&format!("/{call}/transfer"), target).await.0,
        StatusCode::ACCEPTED
    );
    site.bot.hears("transferring").await;
    told(&mut agent, |event| {
        matches!(event, PhoneEvent::Incoming { .. })
    })
    .await;
    let (agent_offer, sdp) = site.transport.offer().await.unwrap();
    agent
        .commands
        .send(PhoneCommand::Accept {
            call: call.clone(),
            sdp,
        })
        .await
        .unwrap();
    site.bot.hears("transferAccepted").await;
    let mut at_agent = answered(&mut agent, agent_offer).await;
    told(&mut phone, |event| {
        matches!(event, PhoneEvent::Renegotiate { .. })
    })
    .await;
    let (offer, sdp) = site.transport.offer().await.unwrap();
    phone
        .commands
        .send(PhoneCommand::Offer {
            call: call.clone(),
            sdp,
        })
        .await
        .unwrap();
    let mut caller = answered(&mut phone, offer).await;
    let done = site.bot.hears("terminated").await;
    assert_eq!(done.first()["resourceData"]["resultInfo"]["subcode"], 7015);
    timeout(LIMIT, bot.closer().closed())
        .await
        .expect("the bot's session is ended");

    connected(&mut caller).await;
    connected(&mut at_agent).await;
    at_agent
        .play(Prompt::from_samples(16_000, &tone(16_000, 300.0)).unwrap())
        .unwrap();
    hears_something(&mut caller).await;
    caller
        .play(Prompt::from_samples(16_000, &tone(16_000, 400.0)).unwrap())
        .unwrap();
    hears_something(&mut at_agent).await;

    agent
        .commands
        .send(PhoneCommand::Hangup { call })
        .await
        .unwrap();
    let ended = told(&mut phone, |event| {
        matches!(event, PhoneEvent::Ended { .. })
    })
    .await;
    let PhoneEvent::Ended { reason, .. } = ended else {
        unreachable!()
    };
    assert_eq!((reason.code, reason.message.as_str()), (0, "Agent hung up"));
    drop((phone, agent));
    site.settles_at(Counts::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_refuses_ends_the_call_for_the_caller() {
    let site = Site::start().await;
    site.bot.status.send_replace(StatusCode::FORBIDDEN);
    let (mut phone, _offer, _call) = site.dial().await;
    let ended = told(&mut phone, |event| {
        matches!(event, PhoneEvent::Ended { .. })
    })
    .await;
    let PhoneEvent::Ended { reason, .. } = ended else {
        unreachable!()
    };
    assert_eq!(reason.code, 503);
    drop(phone);
    site.settles_at(Counts::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_media_endpoint_that_refuses_ends_the_call_with_a_reason() {
    let site = Site::start().await;
    let (mut phone, _offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    let blob = json!({"protocol": "whip", "version": 1, "token": "t",
        "endpoint": site.bot.url("/media/00000000000000000000000000000000")});
    site.post(&format!("/{call}/answer"), app_hosted(&blob.to_string()))
        .await;
    let ended = told(&mut phone, |event| {
        matches!(event, PhoneEvent::Ended { .. })
    })
    .await;
    let PhoneEvent::Ended { reason, .. } = ended else {
        unreachable!()
    };
    assert!(reason.message.contains("404"), "{}", reason.message);
    site.bot.hears("establishing").await;
    site.bot.hears("terminated").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_calls_and_tells_everyone() {
    let site = Site::start().await;
    let mut timeline = site.emulator.timeline().subscribe();
    let bus = site.emulator.timeline();
    let (mut phone, _offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    site.emulator.stop().await;
    site.bot.hears("terminated").await;
    told(&mut phone, |event| {
        matches!(event, PhoneEvent::Ended { .. })
    })
    .await;
    let mut states = Vec::new();
    while let Ok(event) = timeline.recv().await {
        assert_eq!(event.call, call);
        states.push(serde_json::to_value(&event).unwrap()["state"].clone());
    }
    assert_eq!(states, ["establishing", "terminated"]);
    assert!(bus.subscribe().recv().await.is_err(), "closed for good");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_may_be_told_in_the_former_format_first() {
    let site = Site::start().await;
    site.fault(json!({"operation": "notification:incoming", "fault": {"kind": "legacyFirst"}}))
        .await;
    site.bot.status.send_replace(StatusCode::NO_CONTENT);
    let (_phone, _offer, call) = site.dial().await;
    let former = site.bot.heard().await.body;
    assert_eq!(former["callState"], "incoming");
    assert_eq!(former.get("value"), None);
    assert_eq!(site.bot.hears("incoming").await.call(), call);
    assert_eq!(site.verdicts().await, [""; 0]);

    // Who takes it gets nothing else, and the call with it.
    site.bot.status.send_replace(StatusCode::ACCEPTED);
    let (mut phone, _offer, _) = site.dial().await;
    assert_eq!(site.bot.heard().await.body["callState"], "incoming");
    let ended = |event: &PhoneEvent| matches!(event, PhoneEvent::Ended { .. });
    told(&mut phone, ended).await;
    assert_eq!(site.verdicts().await, ["legacyTaken"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_call_goes_where_the_bot_sends_it_within_allowed_origins() {
    let site = Site::start().await;
    let webhook = |path: &str| site.bot.base.join(path).unwrap();
    site.emulator
        .set_webhook(CLIENT, webhook("/api/moved"))
        .unwrap();
    let (mut phone, _offer, call) = site.dial().await;
    assert_eq!(site.bot.hears("incoming").await.call(), call);
    // What follows goes there at once: it would not be sent on.
    phone
        .commands
        .send(PhoneCommand::Hangup { call })
        .await
        .unwrap();
    site.bot.hears("terminated").await;
    let ended = |event: &PhoneEvent| matches!(event, PhoneEvent::Ended { .. });
    told(&mut phone, ended).await;
    assert_eq!(site.verdicts().await, [""; 0]);

    for path in ["/api/lost", "/api/round"] {
        site.emulator.set_webhook(CLIENT, webhook(path)).unwrap();
        let (mut phone, _offer, call) = site.dial().await;
        told(&mut phone, ended).await;
        let (_, verdicts) = site.admin("GET", "/judge", None).await;
        let mut verdicts = verdicts.as_array().unwrap().iter();
        let own = verdicts.find(|verdict| verdict["call"] == call.as_str());
        assert_eq!(own.unwrap()["rule"], "webhookRefused", "{path}");
    }
}

/// Takes a call, plays without end, and mutes itself for the first key until the second.
async fn mutes_between_keys(site: &Site) {
    let call = site.bot.hears("incoming").await.call();
    let ask = async |operation: &str, body: serde_json::Value| {
        let (status, answer) = site.post(&format!("/{call}/{operation}"), body).await;
        assert!(status.is_success(), "{operation}: {answer}");
    };
    ask("answer", service_hosted()).await;
    site.bot.hears("establishing").await;
    site.bot.hears("established").await;
    ask("subscribeToTone", json!({})).await;
    let mut music = play(&site.bot.url("/prompt.wav"));
    music["prompts"] = json!(vec![music["prompts"][0].clone(); 20]);
    ask("playPrompt", music).await;
    for (tone, operation) in [("tone1", "mute"), ("tone2", "unmute")] {
        let is_pressed =
            |heard: &support::Heard| heard.first()["resourceData"]["toneInfo"]["tone"] == tone;
        while !is_pressed(&site.bot.heard().await) {}
        ask(operation, json!({})).await;
    }
    while site.bot.heard().await.state() != "terminated" {}
}

#[tokio::test(flavor = "multi_thread")]
async fn scripted_people_hear_nothing_of_a_bot_that_has_muted_itself() {
    let site = Site::start().await;
    let sound = wav::write(16_000, &tone(16_000, 400.0));
    site.bot.prompt.send_replace(sound);
    let script = r#"
        [people.Ada]
        steps = [
            { call = "bot" },
            { hear = "sound", within = "20s" },
            { press = "1" },
            { hear = "silence", for = "2s", within = "20s" },
            { expect_energy = { below = -90.0 }, for = "500ms" },
            { press = "2" },
            { hear = "sound" },
            { hang_up = true },
        ]"#;
    let scenario = Scenario::parse(script, &mut |_| Err("no files".to_owned())).unwrap();
    let played = scenario::run(&site.emulator, &site.transport, &scenario);
    let (report, ()) = timeout(LIMIT * 2, async {
        tokio::join!(played, mutes_between_keys(&site))
    })
    .await
    .unwrap();
    let people = report.people.iter().flat_map(|person| &person.steps);
    let failed = people.filter(|step| step.outcome != scenario::Outcome::Passed);
    assert_eq!(failed.count(), 0, "{}", report.text());
}

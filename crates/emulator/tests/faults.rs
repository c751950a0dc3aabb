//! Faults on demand, strictness, permissions and the clock, over real HTTP.
#![allow(clippy::unwrap_used)]

mod support;

use axum::http::StatusCode;
use serde_json::{Value, json};
use support::{Bot, CLIENT, LIMIT, Site, TENANT, play, service_hosted, told};
use switchboard_emulator::{Emulator, PhoneCommand, PhoneEvent};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn requests_fail_as_the_rules_say() {
    let site = Site::start().await;
    site.fault(json!({"operation": "get", "nth": 1,
        "fault": {"kind": "status", "status": 429, "retryAfter": 60}}))
        .await;
    site.fault(json!({"operation": "get", "nth": 2, "fault": {"kind": "reset"}}))
        .await;
    let url = format!("{}/communications/calls/x", site.emulator.graph_url());
    let token = site.token().await;
    let get = async || site.http.get(&url).bearer_auth(&token).send().await;
    let throttled = get().await.unwrap();
    assert_eq!(throttled.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(throttled.headers()["retry-after"], "60");
    let body: Value = throttled.json().await.unwrap();
    assert_eq!(body["error"]["code"], "TooManyRequests");
    // The second time is the second rule's: no whole answer.
    let reset = match get().await {
        Ok(response) => response.bytes().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(reset.is_err());
    assert_eq!(get().await.unwrap().status(), StatusCode::NOT_FOUND);
    let (_, rules) = site.admin("GET", "/faults", None).await;
    assert_eq!(
        (&rules[0]["seen"], &rules[0]["struck"]),
        (&json!(3), &json!(1))
    );
    assert!(site.verdicts().await.contains(&"earlyRetry".to_owned()));

    assert_eq!(
        site.admin("DELETE", "/faults/1", None).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        site.admin("DELETE", "/faults/1", None).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        site.admin("DELETE", "/faults", None).await.0,
        StatusCode::NO_CONTENT
    );
    for rule in [
        json!({}),
        json!({"operation": "get", "fault": {"kind": "dance"}}),
        json!({"operation": "get", "fault": {"kind": "lose"}}),
    ] {
        let (status, body) = site.admin("POST", "/faults", Some(rule)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(body["error"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_in_pieces_or_never() {
    let site = Site::start().await;
    let (mut phone, _offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    let url = format!("{}/communications/calls/{call}", site.emulator.graph_url());
    let token = site.token().await;
    let slow = json!({"kind": "slowBody", "ms": 200});
    site.fault(json!({"operation": "get", "nth": 1, "fault": slow}))
        .await;
    let mut response = site
        .http
        .get(&url)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let (mut body, mut pieces) = (Vec::new(), 0);
    while let Some(piece) = response.chunk().await.unwrap() {
        body.extend_from_slice(&piece);
        pieces += 1;
    }
    assert!(pieces > 1);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["id"], call.as_str());

    // The answer never comes, but what was asked is done.
    site.fault(json!({"operation": "reject", "fault": {"kind": "timeOut"}}))
        .await;
    let reject = site
        .http
        .post(format!("{url}/reject"))
        .bearer_auth(&token)
        .json(&json!({"reason": "busy"}));
    let answer = tokio::spawn(reject.send());
    let ended = |event: &PhoneEvent| matches!(event, PhoneEvent::Ended { .. });
    told(&mut phone, ended).await;
    let (_, journal) = site.admin("GET", "/journal", None).await;
    let entries = journal["entries"].as_array().unwrap();
    let rejected = entries.iter().find(|entry| entry["operation"] == "reject");
    assert_eq!(rejected.unwrap()["status"], Value::Null);
    assert!(!answer.is_finished());
    // It is not waited for at the end either.
    site.emulator.stop().await;
    let whole = match answer.await.unwrap() {
        Ok(response) => response.bytes().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(whole.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_sent_again_with_a_token_of_its_own() {
    let site = Site::start().await;
    let (_phone, _offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    site.graph("GET", &format!("/{call}"), None).await;
    let body = json!({"acceptedModalities": ["audio"], "mediaConfig": {
        "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "secret"}});
    site.post(&format!("/{call}/answer"), body).await;
    let entries = async || {
        let (_, journal) = site.admin("GET", "/journal", None).await;
        journal["entries"].as_array().unwrap().clone()
    };
    let seq = |entries: &[Value], operation: &str| {
        let found = entries.iter().find(|entry| entry["operation"] == operation);
        found.unwrap()["seq"].as_u64().unwrap()
    };
    let before = entries().await;
    let replay = async |operation: &str| {
        let path = format!("/journal/{}/replay", seq(&before, operation));
        site.admin("POST", &path, None).await
    };
    assert_eq!(
        replay("get").await,
        (StatusCode::OK, json!({"status": 200}))
    );
    // What is not kept is not sent.
    let (_, answered) = replay("answer").await;
    assert_eq!(answered["status"], 400);
    let after = entries().await;
    let answers: Vec<_> = after
        .iter()
        .filter(|entry| entry["operation"] == "answer")
        .collect();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[1]["request"], answers[0]["request"]);
    let (status, _) = site.admin("POST", "/journal/9999/replay", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(site.verdicts().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_is_sent_again_freshly_signed() {
    let site = Site::start().await;
    let (phone, _offer, call) = site.dial().await;
    let first = site.bot.hears("incoming").await;
    let replay = async |kind: &str| {
        let (_, journal) = site.admin("GET", "/journal", None).await;
        let entries = journal["entries"].as_array().unwrap().clone();
        let found = entries.iter().find(|entry| entry["notification"] == kind);
        let path = format!("/journal/{}/replay", found.unwrap()["seq"]);
        site.admin("POST", &path, None).await
    };
    // Until the answer to the first one has come it is on its way.
    let sent = loop {
        let (status, sent) = replay("incoming").await;
        if status != StatusCode::CONFLICT {
            break (status, sent);
        }
    };
    assert_eq!(sent, (StatusCode::OK, json!({"status": 202})));
    // The webhook takes none whose token is not valid.
    let second = site.bot.hears("incoming").await;
    assert_eq!(second.body, first.body);
    let header = |heard: &support::Heard, name| heard.headers[name].to_str().unwrap().to_owned();
    let id = "x-microsoft-skype-message-id";
    assert_eq!(header(&second, id), header(&first, id));
    let request = "client-request-id";
    assert_ne!(header(&second, request), header(&first, request));
    // What it is answered with is told, and held against nobody.
    site.bot.status.send(StatusCode::FORBIDDEN).unwrap();
    assert_eq!(
        replay("incoming").await,
        (StatusCode::OK, json!({"status": 403}))
    );
    site.bot.status.send(StatusCode::ACCEPTED).unwrap();
    assert_eq!(site.verdicts().await, [""; 0]);
    assert_eq!(*site.bot.refused.borrow(), 0);

    let hang_up = PhoneCommand::Hangup { call };
    phone.commands.send(hang_up).await.unwrap();
    site.bot.hears("terminated").await;
    let (status, told) = replay("incoming").await;
    assert_eq!(status, StatusCode::GONE, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_fail_as_the_rules_say() {
    let site = Site::start().await;
    site.fault(
        json!({"operation": "notification:incoming", "fault": {"kind": "duplicate", "copies": 2}}),
    )
    .await;
    site.fault(json!({"operation": "notification:establishing", "fault": {"kind": "reorder"}}))
        .await;
    site.fault(json!({"operation": "notification:operation", "nth": 1, "fault": {"kind": "lose"}}))
        .await;
    site.fault(
        json!({"operation": "notification:operation", "nth": 2, "fault": {"kind": "wrongKey"}}),
    )
    .await;
    site.fault(
        json!({"operation": "notification:operation", "nth": 3, "fault": {"kind": "expired"}}),
    )
    .await;
    site.fault(
        json!({"operation": "notification:operation", "nth": 4, "fault": {"kind": "empty"}}),
    )
    .await;
    let (mut phone, offer, call) = site.dial().await;
    let first = site.bot.hears("incoming").await;
    let again = site.bot.hears("incoming").await;
    let id = "x-microsoft-skype-message-id";
    assert_eq!(first.headers[id], again.headers[id]);
    site.post(&format!("/{call}/answer"), service_hosted())
        .await;
    let event = told(&mut phone, |event| {
        matches!(event, PhoneEvent::Answer { .. })
    })
    .await;
    let PhoneEvent::Answer { sdp, .. } = event else {
        unreachable!()
    };
    let _session = offer.accept(&sdp).await.unwrap();
    site.bot.hears("established").await;
    site.bot.hears("establishing").await;

    // Five prompts that can't be fetched: five notifications, four of them spoilt.
    for _ in 0..5 {
        let body = support::play(&site.bot.url("/not-there.wav"));
        assert_eq!(
            site.post(&format!("/{call}/playPrompt"), body).await.0,
            StatusCode::OK
        );
    }
    let last = site.bot.heard().await;
    assert_eq!(last.first()["resourceData"]["status"], "failed");
    let (mut refused, mut empty) = (site.bot.refused.clone(), site.bot.empty.clone());
    timeout(LIMIT, refused.wait_for(|refused| *refused == 2))
        .await
        .unwrap()
        .unwrap();
    timeout(LIMIT, empty.wait_for(|empty| *empty == 1))
        .await
        .unwrap()
        .unwrap();
    // What the emulator spoilt itself is not the bot's offence.
    assert_eq!(site.verdicts().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_comes_later_is_registered_over_rest() {
    let site = Site::start().await;
    let (status, apps) = site.admin("GET", "/apps", None).await;
    assert_eq!(status, StatusCode::OK);
    let webhook = site.bot.webhook();
    let expected = json!([{"clientId": CLIENT, "tenantId": TENANT, "webhook": webhook}]);
    assert_eq!(apps, expected);
    let other = Bot::start(&site.emulator, site.transport.clone()).await;
    let path = format!("/apps/{CLIENT}/webhook");
    let register = async |path: &str, url: &str| {
        let body = json!({"url": url});
        site.admin("PUT", path, Some(body)).await.0
    };
    for (path, url, expected) in [
        (
            "/apps/nobody/webhook",
            "http://127.0.0.1:1/",
            StatusCode::NOT_FOUND,
        ),
        (path.as_str(), "ftp://127.0.0.1/", StatusCode::BAD_REQUEST),
        (&path, "127.0.0.1", StatusCode::BAD_REQUEST),
        (&path, other.webhook().as_str(), StatusCode::NO_CONTENT),
    ] {
        assert_eq!(register(path, url).await, expected, "{path} {url}");
    }
    let (_phone, _offer, call) = site.dial().await;
    let told = other.hears("incoming").await;
    assert_eq!(told.call(), call);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_can_be_moved_and_keys_replaced() {
    let site = Site::start().await;
    let (mut phone, offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    site.post(&format!("/{call}/answer"), service_hosted())
        .await;
    let event = told(&mut phone, |event| {
        matches!(event, PhoneEvent::Answer { .. })
    })
    .await;
    let PhoneEvent::Answer { sdp, .. } = event else {
        unreachable!()
    };
    let _session = offer.accept(&sdp).await.unwrap();
    site.bot.hears("establishing").await;
    site.bot.hears("established").await;

    let advance = async |minutes: u64| {
        let body = json!({"advanceMs": minutes * 60_000});
        site.admin("POST", "/clock", Some(body)).await
    };
    let (status, clock) = advance(44).await;
    assert_eq!(
        (status, &clock["advancedMs"]),
        (StatusCode::OK, &json!(44 * 60_000))
    );
    assert_eq!(site.verdicts().await, [""; 0]);
    let kept = site
        .graph("POST", &format!("/{call}/keepAlive"), None)
        .await;
    assert_eq!(kept.0, StatusCode::OK);
    advance(44).await;
    assert_eq!(site.emulator.counts().calls, 1);
    // The bot's clock stands where it was, and it believes what it is told.
    let prompt = play(&site.bot.url("/prompt.wav"));
    let path = format!("/{call}/playPrompt");
    assert_eq!(site.post(&path, prompt).await.0, StatusCode::OK);
    let failed = site.bot.heard().await;
    assert_eq!(failed.first()["resourceData"]["status"], "failed");
    assert_eq!(*site.bot.refused.borrow(), 0);
    // A token of the emulator's clock's past has expired by now.
    let old = site.token().await;
    advance(61).await;
    let url = format!("{}/communications/calls/{call}", site.emulator.graph_url());
    let response = site.http.get(&url).bearer_auth(old).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        site.graph("GET", &format!("/{call}"), None).await.0,
        StatusCode::NOT_FOUND
    );
    told(&mut phone, |event| {
        matches!(event, PhoneEvent::Ended { .. })
    })
    .await;
    assert_eq!(advance(60 * 24 * 8).await.0, StatusCode::BAD_REQUEST);

    let before = site.token().await;
    assert_eq!(
        site.admin("POST", "/keys/rotate", None).await.0,
        StatusCode::OK
    );
    let keys: Value = site
        .http
        .get(
            site.emulator
                .page_url()
                .join("/v1/.well-known/keys")
                .unwrap(),
        )
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    let response = site
        .http
        .get(&url)
        .bearer_auth(before)
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.status(),
        StatusCode::NOT_FOUND,
        "the former key's tokens are still good"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn strictness_and_permissions_are_settings() {
    let misspelt = json!({"acceptedModalities": ["audio"], "mediaconfig": {}});
    let strict = Site::start_with(|config| {
        config.with_roles(CLIENT, ["Calls.AccessMedia.All", "Calls.JoinGroupCall.All"])
    })
    .await;
    let (status, body) = strict.post("/x/answer", misspelt.clone()).await;
    assert_eq!(
        (status, &body["error"]["target"]),
        (StatusCode::BAD_REQUEST, &json!("mediaconfig"))
    );
    let (status, body) = strict.post("/x/transfer", json!({})).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::FORBIDDEN, &json!("7504"))
    );
    let lenient = Site::start_with(|mut config| {
        config.lenient = true;
        config.with_roles(CLIENT, ["Presence.Read.All"])
    })
    .await;
    for (operation, body) in [("answer", misspelt), ("transfer", json!({}))] {
        let (status, body) = lenient.post(&format!("/x/{operation}"), body).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (StatusCode::NOT_FOUND, &json!("8522")),
            "{operation}"
        );
    }
    // New calls have permissions of their own, and rules for telephones.
    let call = |site: &Site| {
        json!({"callbackUri": site.bot.url("/api/calls"),
            "mediaConfig": service_hosted()["mediaConfig"], "requestedModalities": ["audio"],
            "targets": [{"identity": {"phone": {"id": "+12345678901"}}}]})
    };
    let (status, body) = strict.post("", call(&strict)).await;
    let target = "source/identity/applicationInstance/id";
    assert_eq!(
        (status, &body["error"]["target"]),
        (StatusCode::BAD_REQUEST, &json!(target))
    );
    let (status, body) = lenient.post("", call(&lenient)).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_others_cannot_reach_the_admin_api() {
    let site = Site::start().await;
    let url = format!("{}/faults", site.emulator.admin_url());
    let port = site.emulator.page_url().port().unwrap();
    let own = format!("http://127.0.0.1:{port}");
    let rebound = format!("http://rebound.example:{port}");
    let rebound_host = format!("rebound.example:{port}");
    let local_host = format!("localhost:{port}");
    for (method, origin, host, status) in [
        ("DELETE", Some(own.as_str()), None, 204),
        ("DELETE", Some("http://evil.example"), None, 403),
        ("DELETE", Some("null"), None, 403),
        ("DELETE", Some(rebound.as_str()), Some(&rebound_host), 403),
        // Browsers name no origin when a page reads from its own.
        ("GET", None, Some(&rebound_host), 403),
        ("GET", None, Some(&local_host), 200),
        ("GET", None, None, 200),
    ] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = site.http.request(method, &url);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let found = request.send().await.unwrap().status().as_u16();
        assert_eq!(found, status, "{origin:?} {host:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_name_reads_the_admin_api() {
    let (_engine, transport) = support::transport();
    let mut config = support::config(transport);
    config.public_url = Some("http://emulator:8480/".parse().unwrap());
    let emulator = Emulator::start(config).await.unwrap();
    let url = format!("http://{}/admin/faults", emulator.listens_at());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (host, status) in [("emulator:8480", 200), ("rebound.example:8480", 403)] {
        let request = http.get(&url).header("host", host);
        let found = request.send().await.unwrap().status().as_u16();
        assert_eq!(found, status, "{host}");
    }
}

/// Asks for something that is refused as one too many; what `Retry-After` says.
async fn throttled(request: reqwest::RequestBuilder) -> u64 {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait = response.headers()["retry-after"].to_str().unwrap().parse();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "TooManyRequests");
    wait.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_too_many_is_to_be_tried_later() {
    let site = Site::start_with(|mut config| {
        config.concurrent_calls = 1;
        config
    })
    .await;
    let (_phone, _offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    let url = format!("{}/communications/calls", site.emulator.graph_url());
    let body = json!({"callbackUri": site.bot.url("/api/calls"),
        "mediaConfig": service_hosted()["mediaConfig"], "requestedModalities": ["audio"],
        "targets": [{"identity": {"user": {"id": "someone"}}}]});
    let token = site.token().await;
    let create = || site.http.post(&url).bearer_auth(&token).json(&body);
    assert_eq!(throttled(create()).await, 5);
    assert_eq!(site.verdicts().await, [""; 0]);
    // Whoever does not wait is counted each time.
    throttled(create()).await;
    throttled(create()).await;
    assert_eq!(site.verdicts().await, ["earlyRetry"; 2]);
    let reject = json!({"reason": "none"});
    let (status, _) = site.post(&format!("/{call}/reject"), reject).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let later = json!({"advanceMs": 5_000});
    site.admin("POST", "/clock", Some(later)).await;
    let created = create().send().await.unwrap();
    assert_eq!(created.status(), StatusCode::CREATED);
    assert_eq!(site.verdicts().await, ["earlyRetry"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_too_many_is_to_be_tried_later() {
    let site = Site::start().await;
    let url = format!("{}/users/someone/presence", site.emulator.graph_url());
    let token = site.token().await;
    let get = || site.http.get(&url).bearer_auth(&token);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let requests: Vec<_> = (0..150).map(|_| get()).collect();
        asking.spawn(async move {
            for request in requests {
                assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
            }
        });
    }
    asking.join_all().await;
    let wait = throttled(get()).await;
    assert!((1..=30).contains(&wait), "{wait}");
    throttled(get()).await;
    assert_eq!(site.verdicts().await, ["earlyRetry"]);
}

//! Identity, Graph's refusals, the socket and the start, over real HTTP.
#![allow(clippy::unwrap_used)]

mod support;

use axum::http::StatusCode;
use serde_json::{Value, json};
use support::{CLIENT, Site, TENANT, config, service_hosted, told, transport};
use switchboard_emulator::{
    App, Counts, Emulator, EmulatorError, Phone, PhoneCommand, PhoneEvent, PhoneRole,
};
use switchboard_transport::{Transport, TransportConfig};
use url::Url;

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_given_and_refused_as_entra_does() {
    let site = Site::start().await;
    let (status, granted) = site.ask_token(&[]).await;
    assert_eq!(
        (status, &granted["token_type"]),
        (StatusCode::OK, &json!("Bearer"))
    );
    assert_eq!(granted["expires_in"], 3599);
    for (field, value, status, error, code) in [
        ("client_secret", "guess", 401, "invalid_client", 7_000_215),
        ("client_secret", "", 401, "invalid_client", 7_000_218),
        ("client_id", "nobody", 400, "unauthorized_client", 700_016),
        ("client_id", "", 400, "invalid_request", 900_144),
        ("scope", "User.Read", 400, "invalid_scope", 1_002_012),
        ("scope", "", 400, "invalid_request", 900_144),
        (
            "grant_type",
            "password",
            400,
            "unsupported_grant_type",
            70_003,
        ),
        ("grant_type", "", 400, "invalid_request", 900_144),
    ] {
        let (found, body) = site.ask_token(&[(field, value)]).await;
        assert_eq!(found.as_u16(), status, "{field}={value}");
        assert_eq!(body["error"], error, "{field}={value}");
        assert_eq!(body["error_codes"], json!([code]), "{field}={value}");
        assert!(!body.to_string().contains("s3cret"));
    }
    let mut other = site.emulator.token_url();
    other.set_path("/no-such-tenant/oauth2/v2.0/token");
    let form = [
        ("client_id", CLIENT),
        ("client_secret", "x"),
        ("grant_type", "client_credentials"),
        ("scope", "a/.default"),
    ];
    let response = site.http.post(other).form(&form).send().await.unwrap();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error_codes"], json!([90_002]));
}

/// Another tenant that has consented to the bot.
const OTHER: &str = "5d0c53cc-5bb7-4d39-8a4b-0c3c11ac7a35";

/// Asks Graph for something with a token of the other tenant.
async fn in_other(site: &Site, method: &str, path: &str, body: Value) -> (u16, Value) {
    let form = [
        ("client_id", CLIENT),
        ("client_secret", "other"),
        ("scope", "https://graph.microsoft.com/.default"),
        ("grant_type", "client_credentials"),
    ];
    let request = site.http.post(site.emulator.token_url_of(OTHER));
    let granted = request.form(&form).send().await.unwrap();
    let granted: Value = granted.json().await.unwrap();
    let token = granted["access_token"].as_str().unwrap();
    let url = format!("{}/communications/calls{path}", site.emulator.graph_url());
    let request = site.http.request(method.parse().unwrap(), url);
    let answer = request.bearer_auth(token).json(&body).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    (
        status.as_u16(),
        serde_json::from_str(&text).unwrap_or_default(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_in_two_tenants_has_calls_in_each() {
    let site = Site::start_with(|config| {
        let app = App {
            tenant_id: OTHER.to_owned(),
            client_id: CLIENT.to_owned(),
            client_secret: "other".to_owned().into(),
            webhook: None,
        };
        let here = format!("{CLIENT}@{OTHER}");
        config
            .with_app(app)
            .with_roles(here, ["Calls.Initiate.All", "Calls.AccessMedia.All"])
    })
    .await;
    // Each tenant has its own secret, and a call is that tenant's alone.
    let (status, _) = site.ask_token(&[("client_secret", "other")]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (_phone, _offer, call) = site.dial().await;
    let incoming = site.bot.hears("incoming").await;
    assert_eq!(incoming.first()["resourceData"]["tenantId"], TENANT);
    let path = format!("/{call}");
    let (status, refusal) = in_other(&site, "GET", &path, Value::Null).await;
    assert_eq!((status, &refusal["error"]["code"]), (404, &json!("8522")));
    assert_eq!(site.graph("GET", &path, None).await.0, StatusCode::OK);

    // What it may do differs as well, and what it asks for is its own tenant's.
    let target = |user: &str| json!({"identity": {"user": {"id": user}}});
    let create = |tenant: &str, targets: Vec<Value>| {
        let mut body = json!({"callbackUri": site.bot.url("/api/calls"), "tenantId": tenant,
            "requestedModalities": ["audio"], "targets": targets});
        body["mediaConfig"] = service_hosted()["mediaConfig"].clone();
        body
    };
    let two = create(OTHER, vec![target("a"), target("b")]);
    assert_eq!(in_other(&site, "POST", "", two).await.0, 403);
    let foreign = create(TENANT, vec![target("a")]);
    let (status, refusal) = in_other(&site, "POST", "", foreign).await;
    assert_eq!((status, &refusal["error"]["code"]), (403, &json!("7505")));
    let own = create(OTHER, vec![target("a")]);
    let (status, created) = in_other(&site, "POST", "", own).await;
    assert_eq!((status, &created["tenantId"]), (201, &json!(OTHER)));
    let source = &created["source"]["identity"]["application"]["id"];
    assert_eq!(source, CLIENT, "{created}");

    // A phone that dials it there: the bot, which is for one tenant, believes no such token.
    let mut refused = site.bot.refused.clone();
    let before = *refused.borrow_and_update();
    let phone = site.emulator.phone("Other", PhoneRole::Caller).await;
    let (_offer, sdp) = site.transport.offer().await.unwrap();
    let target = format!("{CLIENT}@{OTHER}");
    let dial = PhoneCommand::Dial { target, sdp };
    phone.commands.send(dial).await.unwrap();
    let more = tokio::time::timeout(support::LIMIT, refused.wait_for(|count| *count > before));
    assert!(more.await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_opens_to_its_own_tokens_only() {
    let site = Site::start().await;
    let url = format!("{}/communications/calls/x", site.emulator.graph_url());
    for header in [
        "",
        "Bearer",
        "Bearer x.y.z",
        "Basic abc",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
    ] {
        let request = site.http.get(&url).header("authorization", header);
        let response = request
            .header("client-request-id", "mine")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{header}");
        assert!(response.headers().contains_key("www-authenticate"));
        assert_eq!(response.headers()["client-request-id"], "mine");
        let body: Value = response.json().await.unwrap();
        assert_eq!(
            body["error"]["code"], "InvalidAuthenticationToken",
            "{header}"
        );
        assert_eq!(body["error"]["innerError"]["client-request-id"], "mine");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_refuses_in_its_own_words() {
    let site = Site::start().await;
    let (status, body) = site.graph("GET", "/no-such-call", None).await;
    assert_eq!(
        (status.as_u16(), &body["error"]["code"]),
        (404, &json!("8522"))
    );
    let (status, body) = site.graph("PUT", "/no-such-call", None).await;
    assert_eq!(
        (status.as_u16(), &body["error"]["code"]),
        (405, &json!("MethodNotAllowed"))
    );
    let (status, body) = site.post("/no-such-call/dance", json!({})).await;
    assert_eq!(
        (status.as_u16(), &body["error"]["code"]),
        (400, &json!("BadRequest"))
    );
    let (status, _) = site.post("/no-such-call/answer", service_hosted()).await;
    assert_eq!(status.as_u16(), 404);

    let url = format!("{}/communications/calls", site.emulator.graph_url());
    let token = site.token().await;
    let send = async |content_type: &str, body: Vec<u8>| {
        let request = site
            .http
            .post(&url)
            .bearer_auth(&token)
            .header("content-type", content_type);
        let response = request.body(body).send().await.unwrap();
        (
            response.status().as_u16(),
            response.json::<Value>().await.unwrap(),
        )
    };
    for (content_type, body, status) in [
        ("application/json", b"{".to_vec(), 400),
        ("application/json", b"[]".to_vec(), 400),
        ("application/json", b"{\"callbackUri\": 7}".to_vec(), 400),
        ("application/json", b"\xff\xfe".to_vec(), 400),
        ("text/plain", b"{}".to_vec(), 400),
        ("application/json", b"{}".to_vec(), 400),
        ("application/json", vec![b' '; 256 * 1024 + 1], 413),
    ] {
        let (found, refusal) = send(content_type, body).await;
        assert_eq!(found, status, "{refusal}");
        assert!(refusal["error"]["innerError"]["request-id"].is_string());
    }
    // None of it did any harm.
    assert_eq!(
        site.graph("GET", "/no-such-call", None).await.0.as_u16(),
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_states_and_foreign_addresses_are_refused() {
    let site = Site::start().await;
    let (mut phone, _offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    let (status, body) = site.post(&format!("/{call}/transfer"), json!({})).await;
    assert_eq!(status.as_u16(), 409, "{body}");
    let mut answer = service_hosted();
    answer["callbackUri"] = json!("http://127.0.0.1:1/api/calls");
    let (status, body) = site.post(&format!("/{call}/answer"), answer).await;
    assert_eq!(
        (status.as_u16(), &body["error"]["target"]),
        (400, &json!("callbackUri"))
    );
    assert_eq!(
        site.post(&format!("/{call}/answer"), service_hosted())
            .await
            .0
            .as_u16(),
        202
    );
    let (status, _) = site
        .post(&format!("/{call}/answer"), service_hosted())
        .await;
    assert_eq!(status.as_u16(), 409, "a second answer");
    phone
        .commands
        .send(PhoneCommand::Hangup { call })
        .await
        .unwrap();
    told(&mut phone, |event| {
        matches!(event, PhoneEvent::Ended { .. })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_a_phone_is_told_to_the_phone() {
    let site = Site::start().await;
    let mut phone = site.emulator.phone("Caller", PhoneRole::Caller).await;
    let oversized = format!("v=0\r\n{}", "a=x\r\n".repeat(20_000));
    for sdp in ["", "garbage", "v=0\r\nm=video 9 x 0\r\n", &oversized] {
        let dial = PhoneCommand::Dial {
            target: "bot".to_owned(),
            sdp: sdp.to_owned(),
        };
        phone.commands.send(dial).await.unwrap();
        told(&mut phone, |event| {
            matches!(event, PhoneEvent::Error { .. })
        })
        .await;
    }
    assert_eq!(site.emulator.counts().calls, 0);
    // Well-formed enough to be let in, and a lie: the bot answers, media fails.
    let lie = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=fingerprint:x\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n";
    let dial = PhoneCommand::Dial {
        target: "bot".to_owned(),
        sdp: lie.to_owned(),
    };
    phone.commands.send(dial).await.unwrap();
    let call = site.bot.hears("incoming").await.call();
    site.post(&format!("/{call}/answer"), service_hosted())
        .await;
    let ended = told(&mut phone, |event| {
        matches!(event, PhoneEvent::Ended { .. })
    })
    .await;
    let PhoneEvent::Ended { reason, .. } = ended else {
        unreachable!()
    };
    assert!(
        reason.message.contains("Audio could not be set up"),
        "{}",
        reason.message
    );
    assert_eq!(site.emulator.counts().calls, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_refuses_what_would_not_work() {
    let (engine, transport) = transport();
    let running = Emulator::start(config(transport.clone())).await.unwrap();
    let port = running.page_url().port().unwrap();
    let mut taken = config(transport.clone());
    taken.listen.set_port(port);
    let error = Emulator::start(taken).await.err().unwrap();
    assert!(matches!(error, EmulatorError::PortInUse { .. }), "{error}");
    let mut open = config(transport.clone());
    open.listen = "0.0.0.0:0".parse().unwrap();
    let error = Emulator::start(open.clone()).await.err().unwrap();
    assert!(
        matches!(error, EmulatorError::NotLoopback { .. }),
        "{error}"
    );
    open.allow_remote = true;
    Emulator::start(open).await.unwrap().stop().await;
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (bind, port, expected) in [
        ("0.0.0.0", 0, "other machines"),
        ("127.0.0.1", port, "in use"),
    ] {
        let media = TransportConfig {
            bind: bind.parse().unwrap(),
            port,
            ..TransportConfig::default()
        };
        let media = Transport::new(engine.clone(), media);
        let error = Emulator::start(config(media.clone())).await.err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
        let mut allowed = config(media);
        allowed.allow_remote = true;
        let started = Emulator::start(allowed).await;
        assert_eq!(started.is_ok(), port == 0, "{bind}");
    }
    for url in [
        "file:///x",
        "http://user@emulator/",
        "http://emulator/below",
    ] {
        let mut public = config(transport.clone());
        public.public_url = Some(Url::parse(url).unwrap());
        let error = Emulator::start(public).await.err().unwrap();
        assert!(matches!(error, EmulatorError::PublicUrl { .. }), "{error}");
    }
    let file = Url::parse("file:///etc/passwd").unwrap();
    let mut elsewhere = config(transport);
    elsewhere.allowed_origins.push(file.clone());
    let error = Emulator::start(elsewhere).await.err().unwrap();
    assert!(matches!(error, EmulatorError::Origin { .. }), "{error}");
    let error = running.set_webhook(CLIENT, file).unwrap_err();
    assert!(matches!(error, EmulatorError::Webhook { .. }), "{error}");
    let error = running
        .set_webhook("nobody", running.page_url())
        .unwrap_err();
    assert!(matches!(error, EmulatorError::UnknownApp { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_cannot_open_the_softphones_socket() {
    let site = Site::start().await;
    let socket = site.emulator.page_url().join("/softphone/socket").unwrap();
    let own = site.emulator.page_url();
    let own = own.as_str().trim_end_matches('/').to_owned();
    for (origin, status) in [
        ("http://evil.example", 403),
        ("null", 403),
        (own.as_str(), 101),
    ] {
        let response = site
            .http
            .get(socket.clone())
            .header("origin", origin)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status, "{origin}");
    }
}

/// A request below `/v1.0`.
async fn below(site: &Site, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
    let url = format!("{}{path}", site.emulator.graph_url());
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let request = site
        .http
        .request(method, url)
        .bearer_auth(site.token().await);
    let request = match body {
        Value::Null => request,
        body => request.json(&body),
    };
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

#[tokio::test]
async fn presences_are_set_and_read() {
    let site = Site::start().await;
    let busy = json!({"sessionId": support::CLIENT, "availability": "Busy",
        "activity": "InACall", "expirationDuration": "PT1H"});
    let set = "/users/someone/presence/setPresence";
    assert_eq!(
        below(&site, "POST", set, busy.clone()).await.0,
        StatusCode::OK
    );
    for path in [
        "/users/someone/presence",
        "/communications/presences/someone",
    ] {
        let (status, presence) = below(&site, "GET", path, Value::Null).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(presence["availability"], "Busy", "{presence}");
    }
    let ids = json!({"ids": ["someone", "nobody"]});
    let many = "/communications/getPresencesByUserId";
    let (_, many) = below(&site, "POST", many, ids).await;
    assert_eq!(many["value"][1]["availability"], "Offline", "{many}");
    let (status, refused) = below(&site, "GET", "/me/presence", Value::Null).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    let misspelt = json!({"sessionID": "x"});
    let (status, refused) = below(&site, "POST", set, misspelt).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(refused["error"]["target"], "sessionID");
}

#[tokio::test]
async fn device_quality_has_a_name_and_a_permission_of_its_own() {
    let quality = "/communications/calls/logTeleconferenceDeviceQuality";
    let log = async |site: &Site| {
        let body = json!({"quality": {}});
        below(site, "POST", quality, body).await.0.as_u16()
    };
    let site =
        Site::start_with(|config| config.with_roles(CLIENT, ["Calls.AccessMedia.All"])).await;
    let fault = json!({"kind": "status", "status": 503});
    for operation in ["create", "logTeleconferenceDeviceQuality"] {
        let rule = json!({"operation": operation, "nth": 1, "fault": fault});
        site.fault(rule).await;
    }
    assert_eq!(log(&site).await, 503);
    assert_eq!(log(&site).await, 200);
    let (_, rules) = site.admin("GET", "/faults", None).await;
    assert_eq!(
        (&rules[0]["seen"], &rules[1]["seen"]),
        (&json!(0), &json!(2))
    );
    // Sharing takes one of the others.
    let sharing = site.graph("GET", "/x/contentSharingSessions", None).await;
    assert_eq!(sharing.0, StatusCode::FORBIDDEN);

    let site = Site::start_with(|config| config.with_roles(CLIENT, ["Calls.Initiate.All"])).await;
    assert_eq!(log(&site).await, 403);
    let sharing = site.graph("GET", "/x/contentSharingSessions/1", None).await;
    assert_eq!(sharing.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn new_calls_take_the_permission_of_their_kind() {
    let roles = ["Calls.Initiate.All", "OnlineMeetings.Read.All"];
    let site = Site::start_with(|config| config.with_roles(support::CLIENT, roles)).await;
    let media = support::service_hosted()["mediaConfig"].clone();
    let target = json!({"identity": {"user": {"id": "someone"}}});
    let call = |more: Value| {
        let mut call = json!({"callbackUri": site.bot.url("/api/calls"), "mediaConfig": media,
            "requestedModalities": ["audio"]});
        let members = call.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        call
    };
    let meeting = json!({"@odata.type": "#microsoft.graph.tokenMeetingInfo", "token": "t"});
    for (body, expected) in [
        (call(json!({"targets": [target]})), StatusCode::CREATED),
        (
            call(json!({"targets": [target, target]})),
            StatusCode::FORBIDDEN,
        ),
        (call(json!({"meetingInfo": meeting})), StatusCode::FORBIDDEN),
    ] {
        let (status, answer) = site.post("", body).await;
        assert_eq!(status, expected, "{answer}");
    }
    let path = "/users/u/onlineMeetings";
    let (status, _) = below(&site, "POST", path, json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let filter = format!("{path}?$filter=JoinWebUrl%20eq%20'x'");
    let (status, found) = below(&site, "GET", &filter, Value::Null).await;
    assert_eq!((status, &found["value"]), (StatusCode::OK, &json!([])));
}

/// The ids of a first request and a first call, with the phone that called.
async fn first_ids(site: &Site) -> (String, String, Phone) {
    let url = format!("{}/communications/calls/x", site.emulator.graph_url());
    let request = site.http.get(&url).bearer_auth(site.token().await);
    let response = request.send().await.unwrap();
    let id = response.headers()["request-id"].to_str().unwrap();
    // Graph gives back the client's id, or its own.
    assert_eq!(response.headers()["client-request-id"], id);
    let (phone, _offer, call) = site.dial().await;
    site.bot.hears("incoming").await;
    (id.to_owned(), call, phone)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reset_all_is_as_after_a_start() {
    let site = Site::start_with(|config| config.with_seed(Some(7))).await;
    assert_eq!(site.emulator.seed(), 7);
    let (request, call, phone) = first_ids(&site).await;
    // Nobody answers in time, which the judge sees.
    let late = json!({"advanceMs": 15_000});
    site.admin("POST", "/clock", Some(late)).await;
    site.bot.hears("terminated").await;
    site.fault(json!({"operation": "answer", "fault": {"kind": "reset"}}))
        .await;
    let rule = json!({"conditions": {"loss": 1.0}});
    site.admin("POST", "/network", Some(rule)).await;
    let (_, meeting) = below(&site, "POST", "/users/u/onlineMeetings", json!({})).await;
    let meeting = format!(
        "/users/u/onlineMeetings/{}",
        meeting["id"].as_str().unwrap()
    );
    let busy = json!({"sessionId": CLIENT, "availability": "Busy",
        "activity": "InACall", "expirationDuration": "PT1H"});
    let set = "/users/someone/presence/setPresence";
    assert_eq!(below(&site, "POST", set, busy).await.0, StatusCode::OK);
    let (mut other, _offer, _) = site.dial().await;
    site.bot.hears("incoming").await;

    let reset = || site.admin("POST", "/reset", None);
    assert_eq!(reset().await.0, StatusCode::NO_CONTENT);
    let ended = |event: &PhoneEvent| matches!(event, PhoneEvent::Ended { .. });
    told(&mut other, ended).await;
    site.bot.hears("terminated").await;
    for (path, expected) in [
        ("/faults", json!([])),
        ("/network", json!([])),
        ("/judge", json!([])),
        ("/lobby", json!([])),
        ("/clock", json!({"advancedMs": 0})),
    ] {
        assert_eq!(site.admin("GET", path, None).await.1, expected, "{path}");
    }
    let (_, journal) = site.admin("GET", "/journal", None).await;
    assert_eq!(journal["entries"], json!([]));
    let gone = below(&site, "GET", &meeting, Value::Null).await;
    assert_eq!(gone.0, StatusCode::NOT_FOUND);
    let presence = below(&site, "GET", "/users/someone/presence", Value::Null).await;
    assert_eq!(presence.1["availability"], "Offline");

    // Phones stay, and keep their ids.
    drop((phone, other));
    site.settles_at(Counts::default()).await;
    assert_eq!(reset().await.0, StatusCode::NO_CONTENT);
    let again = first_ids(&site).await;
    assert_eq!((again.0, again.1), (request, call));
}

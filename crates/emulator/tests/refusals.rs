//! What is refused, and who learns of it; and what is beside Graph failing on demand.
#![allow(clippy::unwrap_used)]

mod support;

use axum::http::StatusCode;
use serde_json::{Value, json};
use support::{CLIENT, Site};

/// The journal's requests that belong to no call: operation, status, and error.
async fn without_call(site: &Site) -> Vec<(String, u64, Value)> {
    let (_, journal) = site.admin("GET", "/journal?call=", None).await;
    let entries = journal["entries"].as_array().unwrap().iter();
    let requests = entries.filter(|entry| entry["kind"] == "request");
    let shown = |entry: &Value| {
        let operation = entry["operation"].as_str().unwrap().to_owned();
        let error = entry["response"]["error"].clone();
        (operation, entry["status"].as_u64().unwrap(), error)
    };
    requests.map(shown).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_in_the_journal_and_names_its_property() {
    let site = Site::start().await;
    let url = format!("{}/communications/calls", site.emulator.graph_url());
    let strange = site.http.get(format!("{url}/x")).bearer_auth("strange");
    assert_eq!(
        strange.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        site.ask_token(&[("client_secret", "s0me")]).await.0,
        StatusCode::UNAUTHORIZED
    );
    let bodies = [
        (json!({"callbackURI": "http://x/"}), json!("callbackURI")),
        (
            json!({"ringingTimeoutInSeconds": "30"}),
            json!("ringingTimeoutInSeconds"),
        ),
        (
            json!({"targets": [{"identity": {"user": {"id": 7}}}]}),
            json!("targets/0/identity/user/id"),
        ),
    ];
    for (body, target) in bodies {
        let (status, refusal) = site.post("", body).await;
        assert_eq!(
            (status, &refusal["error"]["target"]),
            (StatusCode::BAD_REQUEST, &target)
        );
    }

    let requests = without_call(&site).await;
    let tokens = |status| {
        requests
            .iter()
            .filter(move |own| own.0 == "token" && own.1 == status)
    };
    let refused: Vec<_> = tokens(401).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].2, "invalid_client");
    assert_eq!(tokens(200).count(), 3);
    let created = requests.iter().filter(|own| own.0 == "create");
    let targets: Vec<_> = created
        .map(|own| own.2["target"].as_str().unwrap())
        .collect();
    assert_eq!(
        targets,
        [
            "callbackURI",
            "ringingTimeoutInSeconds",
            "targets/0/identity/user/id"
        ]
    );

    // A request without a good token is seen in the call it was for, and belongs to nobody.
    let (_, journal) = site.admin("GET", "/journal?call=x", None).await;
    let entry = &journal["entries"][0];
    assert_eq!(
        (&entry["operation"], &entry["status"]),
        (&json!("get"), &json!(401))
    );
    let replay = format!("/journal/{}/replay", entry["seq"]);
    assert_eq!(
        site.admin("POST", &replay, None).await.0,
        StatusCode::BAD_REQUEST
    );
    // Neither secrets nor tokens are in it.
    let (_, journal) = site.admin("GET", "/journal", None).await;
    let (text, token) = (journal.to_string(), site.token().await);
    for secret in [support::SECRET, "s0me", "strange", &token[..20]] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_keys_and_recordings_fail_as_the_rules_say() {
    let site = Site::start().await;
    let refused = json!({"kind": "status", "status": 503, "retryAfter": 7});
    // All of Graph's is not what is beside it.
    site.fault(json!({"operation": "*", "fault": refused}))
        .await;
    assert_eq!(site.ask_token(&[]).await.0, StatusCode::OK);
    let base = site.emulator.page_url();
    let configuration = site.emulator.openid_configuration_url();
    for (operation, url) in [
        ("keys", base.join("v1/.well-known/keys").unwrap()),
        ("openidConfiguration", configuration),
        ("recording", base.join("recordings/x").unwrap()),
    ] {
        site.fault(json!({"operation": operation, "nth": 1, "fault": refused}))
            .await;
        let get = async || site.http.get(url.clone()).send().await.unwrap();
        let first = get().await;
        assert_eq!(
            first.status(),
            StatusCode::SERVICE_UNAVAILABLE,
            "{operation}"
        );
        assert_eq!(first.headers()["retry-after"], "7");
        assert_ne!(
            get().await.status(),
            StatusCode::SERVICE_UNAVAILABLE,
            "{operation}"
        );
    }
    site.fault(json!({"operation": "token", "nth": 1, "fault": refused}))
        .await;
    let (status, body) = site.ask_token(&[]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body["error"], "temporarily_unavailable");
    site.fault(json!({"operation": "token", "nth": 1, "fault": {"kind": "reset"}}))
        .await;
    let form = [("grant_type", "client_credentials")];
    let broken = site
        .http
        .post(site.emulator.token_url())
        .form(&form)
        .send()
        .await;
    let broken = match broken {
        Ok(response) => response.bytes().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(broken.is_err());
    assert_eq!(site.ask_token(&[]).await.0, StatusCode::OK);
    let person = json!({"operation": "token", "person": "Ada", "fault": refused});
    assert_eq!(
        site.admin("POST", "/faults", Some(person)).await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_to_admin_is_said() {
    let site = Site::start().await;
    let rule = json!({"operation": "anwser", "fault": {"kind": "reset"}});
    let (status, body) = site.admin("POST", "/faults", Some(rule)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let error = "there is no operation \"anwser\"; did you mean \"answer\"?";
    assert_eq!(body["error"], error);
    let (status, body) = site.admin("GET", "/fault", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body["error"].is_string());
    let path = format!("/apps/{CLIENT}/webhook");
    assert_eq!(
        site.admin("GET", &path, None).await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
    for (method, path, body) in [
        ("GET", "", None),
        ("DELETE", "/faults/999", None),
        ("DELETE", "/faults/x", None),
        ("GET", "/journal?after=x", None),
        ("POST", "/lobby/nobody", None),
        ("PUT", "/faults", None),
        ("POST", "/faults", Some(json!([]))),
        (
            "POST",
            "/network",
            Some(json!({"bot": "nobody", "conditions": {}})),
        ),
    ] {
        let (status, body) = site.admin(method, path, body).await;
        assert!(status.is_client_error() && status != StatusCode::UNAUTHORIZED);
        let error = body["error"].as_str().unwrap();
        assert!(!error.is_empty() && !error.contains("struct"), "{error}");
    }
    let foreign = site
        .http
        .get(format!("{}/judge", site.emulator.admin_url()));
    let foreign = foreign.header("host", "host.docker.internal:8480");
    let foreign = foreign.send().await.unwrap();
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    let body: Value = foreign.json().await.unwrap();
    let cure = "--public-url http://host.docker.internal:8480";
    assert!(body["error"].as_str().unwrap().ends_with(cure), "{body}");
}

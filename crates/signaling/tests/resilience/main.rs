//! Client, token provider and call driver against a server on a real socket that fails as the
//! fault matrix asks.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod server;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use switchboard_signaling::call::{CallConfig, CallDriver, CallEvent, CallMachine, Command};
use switchboard_signaling::client::{AppLimiter, GraphClient, GraphConfig, Limit, Limits};
use switchboard_signaling::error::{GraphError, Outcome, TokenError};
use switchboard_signaling::notification::Notification;
use switchboard_signaling::request::RetryPolicy;
use switchboard_signaling::request::presence::{self, Whose};
use switchboard_signaling::token::{Certificate, Credential, TokenConfig, TokenProvider};
use switchboard_signaling::types::{
    AnswerRequest, AppHostedMediaConfig, Call, CallId, CallState, ChangeType, Modality,
    NotifiedResource,
};
use tokio::sync::mpsc;

use server::{Act, Server};

const CALL: &str = "57dab8b1-894c-409a-b240-bd8beae78896";

fn call_id() -> CallId {
    CALL.parse().unwrap()
}

fn config(server: &Server) -> GraphConfig {
    GraphConfig {
        base_url: format!("{}/v1.0", server.origin),
        timeout: Duration::from_secs(2),
        max_response_bytes: 1_000,
        retry: RetryPolicy {
            first_wait: Duration::from_millis(5),
            ..RetryPolicy::default()
        },
        ..GraphConfig::default()
    }
}

fn client_with(server: &Server, config: GraphConfig) -> GraphClient {
    let tokens = TokenConfig {
        authority: server.origin.clone(),
        ..TokenConfig::new("contoso.com", "app", "hush".to_owned().into())
    };
    GraphClient::new(config, TokenProvider::new(tokens).unwrap()).unwrap()
}

fn client(server: &Server) -> GraphClient {
    client_with(server, config(server))
}

fn answer() -> AnswerRequest {
    AnswerRequest {
        callback_uri: Some("https://bot.example/calls".to_owned()),
        media_config: Some(AppHostedMediaConfig::new("blob").into()),
        accepted_modalities: Some(vec![Modality::Audio]),
        ..AnswerRequest::default()
    }
}

fn call(state: &str) -> Act {
    Act::Answer(200, "", format!(r#"{{"id":"{CALL}","state":"{state}"}}"#))
}

#[tokio::test]
async fn a_throttled_request_waits_as_long_as_graph_asks() {
    let server = Server::start().await;
    let busy = Act::Answer(429, "retry-after: 1\r\n", String::new());
    let past = Act::Answer(
        429,
        "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        String::new(),
    );
    server.graph([busy, past, call("established")]);
    let read = client(&server).get_call(&call_id()).await.unwrap();
    assert_eq!(read.state, Some(CallState::Established));
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen[1].at - seen[0].at >= Duration::from_secs(1));
}

#[tokio::test]
async fn without_a_time_the_client_backs_off_and_gives_up() {
    let server = Server::start().await;
    server.graph(std::iter::repeat_n(Act::status(503), 9));
    let error = client(&server).keep_alive(&call_id()).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn keys_are_subscribed_to_though_the_service_fails_for_a_moment() {
    let server = Server::start().await;
    let done = json!({"id": "1", "status": "completed"}).to_string();
    server.graph([500, 502, 504].map(Act::status));
    server.graph([Act::Answer(200, "", done)]);
    let subscribed = client(&server).subscribe_to_tone(&call_id(), None).await;
    subscribed.unwrap();
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn an_answer_is_sent_once_whatever_comes_back() {
    let acts = [
        (Act::status(503), Outcome::MayBeDone),
        (Act::status(500), Outcome::MayBeDone),
        (Act::Reset, Outcome::MayBeDone),
        (Act::Stall, Outcome::MayBeDone),
        (Act::status(429), Outcome::NotDone),
    ];
    for (act, outcome) in acts {
        let server = Server::start().await;
        server.graph([act.clone()]);
        let error = client(&server).answer(&call_id(), &answer()).await;
        let error = error.unwrap_err();
        assert_eq!(error.outcome(), outcome, "{act:?}: {error}");
        assert_eq!(server.seen().len(), 1, "{act:?}");
    }
}

#[tokio::test]
async fn a_slow_body_is_given_up() {
    let server = Server::start().await;
    server.graph([Act::Stall]);
    let config = GraphConfig {
        timeout: Duration::from_millis(200),
        ..config(&server)
    };
    let error = client_with(&server, config).get_call(&call_id()).await;
    assert!(
        matches!(error, Err(GraphError::TimedOut { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let server = Server::start().await;
    server.graph([
        Act::status(401),
        call("established"),
        Act::status(401),
        Act::status(401),
    ]);
    let client = client(&server);
    client.get_call(&call_id()).await.unwrap();
    let error = client.get_call(&call_id()).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::UNAUTHORIZED));
    let bearers: Vec<_> = server.seen().into_iter().map(|seen| seen.bearer).collect();
    let expected = [1, 2, 2, 3].map(|number| format!("Bearer token-{number}"));
    assert_eq!(bearers, expected);
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let server = Server::start().await;
    let elsewhere = Server::start().await;
    for status in [301, 302, 307, 308] {
        let location = format!("location: {}/v1.0/x\r\n", elsewhere.origin).leak();
        server.graph([Act::Answer(status, location, String::new())]);
        let error = client(&server).get_call(&call_id()).await.unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn an_oversized_body_is_not_read() {
    let server = Server::start().await;
    server.graph([Act::Answer(200, "", "x".repeat(1_001))]);
    let error = client(&server).get_call(&call_id()).await;
    assert!(matches!(
        error,
        Err(GraphError::BodyTooLarge { limit: 1_000, .. })
    ));
}

/// PEM of a new RSA key and of what stands for its certificate, and the public key.
fn certificate() -> (Certificate, Vec<u8>) {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let block = |label: &str, der: &[u8]| {
        let body = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    };
    let pem = block("CERTIFICATE", b"\x30\x03\x02\x01\x07") + &block("PRIVATE KEY", der.as_ref());
    let certificate = Certificate::from_pem(&pem.into()).unwrap();
    (certificate, key.public_key().as_ref().to_vec())
}

#[tokio::test]
async fn a_certificate_stands_for_the_secret_with_a_proof_of_its_own_each_time() {
    let server = Server::start().await;
    let (certificate, public) = certificate();
    let tokens = TokenConfig {
        authority: server.origin.clone(),
        credential: Credential::Certificate(certificate),
        ..TokenConfig::new("contoso.com", "app", String::new().into())
    };
    let client = GraphClient::new(config(&server), TokenProvider::new(tokens).unwrap()).unwrap();
    // The first token is refused by Graph, so that a second exchange follows.
    server.graph([Act::status(401), call("established")]);
    client.get_call(&call_id()).await.unwrap();
    let mut proofs = HashSet::new();
    for exchange in server.tokens() {
        let form: HashMap<_, _> = url::form_urlencoded::parse(exchange.body.as_bytes()).collect();
        assert_eq!(form["grant_type"], "client_credentials");
        assert!(form["client_assertion_type"].ends_with(":jwt-bearer"));
        assert!(!form.contains_key("client_secret"));
        let mut rules = Validation::new(Algorithm::PS256);
        let endpoint = format!("{}/contoso.com/oauth2/v2.0/token", server.origin);
        rules.set_audience(&[endpoint]);
        let key = DecodingKey::from_rsa_der(&public);
        let claims = jsonwebtoken::decode::<Value>(&*form["client_assertion"], &key, &rules);
        let claims = claims.unwrap().claims;
        assert_eq!(
            (&claims["iss"], &claims["sub"]),
            (&json!("app"), &json!("app"))
        );
        proofs.insert(claims["jti"].to_string());
    }
    assert_eq!(proofs.len(), 2);
    assert_eq!(server.seen()[1].bearer, "Bearer token-2");
}

#[tokio::test]
async fn many_requests_share_one_token_exchange() {
    let server = Server::start().await;
    server.graph(std::iter::repeat_n(call("established"), 20));
    let client = client(&server);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        tasks.spawn(async move { client.get_call(&call_id()).await.is_ok() });
    }
    assert!(tasks.join_all().await.into_iter().all(|good| good));
    assert_eq!(server.tokens().len(), 1);
    assert!(server.tokens()[0].body.contains("client_secret=hush"));
}

#[tokio::test]
async fn a_cached_token_is_used_while_the_identity_service_is_down() {
    let server = Server::start().await;
    let soon = r#"{"token_type":"Bearer","expires_in":3599,"refresh_in":0,"access_token":"kept"}"#;
    server.identity([Act::Answer(200, "", soon.to_owned())]);
    server.identity(std::iter::repeat_n(Act::status(503), 20));
    server.graph(std::iter::repeat_n(call("established"), 5));
    let client = client(&server);
    for _ in 0..5 {
        client.get_call(&call_id()).await.unwrap();
    }
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.bearer == "Bearer kept")
    );
    // One failed renewal, then a pause.
    assert!(server.tokens().len() <= 2);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let server = Server::start().await;
    server.identity([Act::status(503)]);
    let error = client(&server)
        .answer(&call_id(), &answer())
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        GraphError::Token(TokenError::Unavailable { .. })
    ));
    assert_eq!(error.outcome(), Outcome::NotDone);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn beyond_a_documented_limit_nothing_is_sent() {
    let server = Server::start().await;
    let presence_per_tenant = Limit {
        requests: 2,
        period: Duration::from_secs(3_600),
    };
    let config = GraphConfig {
        limiter: AppLimiter::new(Limits {
            presence_per_tenant,
            ..Limits::default()
        }),
        ..config(&server)
    };
    let client = client_with(&server, config);
    let available = Act::Answer(200, "", r#"{"availability":"Available"}"#.to_owned());
    server.graph([available.clone(), available, call("established")]);
    let user = Whose::User("fa8bf3dc-eca7-46b7-bad1-db199b62afc3".parse().unwrap());
    let request = presence::get(&user);
    client.send(&request).await.unwrap();
    client.send(&request).await.unwrap();
    let error = client.send(&request).await.unwrap_err();
    assert!(matches!(error, GraphError::Limited { .. }), "{error}");
    client.get_call(&call_id()).await.unwrap();
    assert_eq!(server.seen().len(), 3);
}

fn notify(state: CallState) -> Notification {
    let call = Call {
        state: Some(state),
        ..Call::default()
    };
    let resource = NotifiedResource::Call(Box::new(call));
    Notification::new(call_id(), ChangeType::Updated, resource)
}

async fn state(driver: &mut CallDriver, wanted: &CallState) {
    while let Some(event) = driver.next_event().await {
        if matches!(&event, CallEvent::StateChanged(state) if state == wanted) {
            return;
        }
    }
    panic!("the call ended before it was {wanted}");
}

#[tokio::test]
async fn a_driver_answers_follows_and_hangs_up() {
    let server = Server::start().await;
    let (notifications, received) = mpsc::channel(8);
    let machine = CallMachine::incoming(Instant::now(), call_id(), CallConfig::default());
    let mut driver = CallDriver::new(machine, client(&server), received);
    driver.command(Command::Answer(answer())).unwrap();
    state(&mut driver, &CallState::Establishing).await;
    notifications
        .send(notify(CallState::Established))
        .await
        .unwrap();
    state(&mut driver, &CallState::Established).await;
    driver.command(Command::HangUp).unwrap();
    let last = driver.next_event().await.unwrap();
    assert!(matches!(last, CallEvent::Terminated(_)), "{last:?}");
    assert!(driver.next_event().await.is_none());
    let lines: Vec<_> = server.seen().into_iter().map(|seen| seen.line).collect();
    let expected = [
        format!("POST /v1.0/communications/calls/{CALL}/answer HTTP/1.1"),
        format!("DELETE /v1.0/communications/calls/{CALL} HTTP/1.1"),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_driver_looks_into_an_answer_whose_connection_broke() {
    let server = Server::start().await;
    server.graph([Act::Reset, call("established")]);
    let (_notifications, received) = mpsc::channel(8);
    let machine = CallMachine::incoming(Instant::now(), call_id(), CallConfig::default());
    let mut driver = CallDriver::new(machine, client(&server), received);
    driver.command(Command::Answer(answer())).unwrap();
    state(&mut driver, &CallState::Established).await;
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn waiting_for_an_event_can_be_given_up_without_loss() {
    let server = Server::start().await;
    let (notifications, received) = mpsc::channel(8);
    let machine = CallMachine::incoming(Instant::now(), call_id(), CallConfig::default());
    let mut driver = CallDriver::new(machine, client(&server), received);
    driver.command(Command::Answer(answer())).unwrap();
    notifications
        .send(notify(CallState::Established))
        .await
        .unwrap();
    let mut heard = Vec::new();
    while driver.machine().state() != &CallState::Established {
        tokio::select! {
            biased;
            event = driver.next_event() => heard.extend(event),
            () = tokio::task::yield_now() => {}
        }
    }
    while heard.len() < 2 {
        heard.extend(driver.next_event().await);
    }
    assert!(
        heard
            .iter()
            .any(|event| matches!(event, CallEvent::Accepted(_)))
    );
}

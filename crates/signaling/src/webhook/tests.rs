#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use axum::body::Body;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use super::*;
use crate::auth::test_keys::{APP_ID, ISSUER, NEXT, claims};
use crate::auth::{KeySource, TokenPolicy, TokenValidator};
use crate::notification::Notification;
use crate::types::{CallState, NotifiedResource};

const CALL: &str = "57DAB8B1894C409AB240BD8BEAE78896";

/// The issuer as a server: its configuration and its keys.
async fn issuer() -> KeySource {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let configuration = json!({"jwks_uri": format!("{origin}/keys")}).to_string();
    let app = Router::new()
        .route("/configuration", get(move || async { configuration }))
        .route("/keys", get(|| async { ISSUER.jwks() }));
    tokio::spawn(async { axum::serve(listener, app).await });
    KeySource::new(&format!("{origin}/configuration")).unwrap()
}

struct Bench {
    webhook: Webhook,
    notifications: mpsc::Receiver<Notification>,
}

impl Bench {
    async fn new() -> Self {
        let (sink, notifications) = mpsc::channel(100);
        let webhook = Webhook::new(authenticator().await, sink);
        Self {
            webhook,
            notifications,
        }
    }

    async fn post(&self, request: http::request::Builder, body: impl Into<Body>) -> Response {
        let request = request.body(body.into()).unwrap();
        self.webhook
            .router("/calls")
            .oneshot(request)
            .await
            .unwrap()
    }

    async fn status(&self, request: http::request::Builder, body: impl Into<Body>) -> u16 {
        self.post(request, body).await.status().as_u16()
    }

    fn received(&mut self) -> Vec<CallState> {
        std::iter::from_fn(|| self.notifications.try_recv().ok())
            .map(|notification| {
                let NotifiedResource::Call(call) = notification.resource else {
                    panic!()
                };
                call.state.unwrap()
            })
            .collect()
    }
}

async fn authenticator() -> Authenticator {
    let validator = TokenValidator::new(TokenPolicy::new(APP_ID).unwrap());
    Authenticator::new(validator, issuer().await)
}

fn unsigned() -> http::request::Builder {
    Request::post("/calls").header("content-type", "application/json")
}

fn signed() -> http::request::Builder {
    let token = ISSUER.token(&claims(SystemTime::now()));
    unsigned().header(AUTHORIZATION, format!("Bearer {token}"))
}

fn state(state: &str) -> Value {
    json!({
        "changeType": "updated",
        "resourceUrl": format!("/communications/calls/{CALL}"),
        "resourceData": {"@odata.type": "#microsoft.graph.call", "state": state},
    })
}

fn body(items: &[Value]) -> String {
    json!({ "value": items }).to_string()
}

async fn text(response: Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), 10_000).await;
    String::from_utf8(body.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn notifications_are_accepted_and_delivered_in_order() {
    let mut bench = Bench::new().await;
    let first = body(&[state("incoming"), state("establishing")]);
    assert_eq!(bench.status(signed(), first).await, 202);
    assert_eq!(
        bench.status(signed(), body(&[state("established")])).await,
        202
    );
    let expected = [
        CallState::Incoming,
        CallState::Establishing,
        CallState::Established,
    ];
    assert_eq!(bench.received(), expected);
    let stats = bench.webhook.stats();
    assert_eq!((stats.accepted, stats.notifications), (2, 3));
}

#[tokio::test]
async fn without_a_valid_token_the_answer_is_constant_and_the_body_unread() {
    let mut bench = Bench::new().await;
    let stranger = NEXT.token(&claims(SystemTime::now()));
    let twice = signed().header(AUTHORIZATION, "Bearer x");
    let requests = [
        unsigned(),
        unsigned().header(AUTHORIZATION, "Basic eDp5"),
        unsigned().header(AUTHORIZATION, format!("Bearer {stranger}")),
        twice,
    ];
    let mut answers = Vec::new();
    for request in requests {
        // A body that must not be polled: reading it would panic.
        let body = Body::new(Unread);
        let response = bench.post(request, body).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        answers.push(text(response).await);
    }
    assert!(answers.iter().all(|answer| answer.contains(PUBLIC_REFUSAL)));
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(bench.webhook.stats().unauthorized, 4);
    assert!(bench.received().is_empty());
}

struct Unread;

impl axum::body::HttpBody for Unread {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        panic!("the body was read")
    }
}

#[tokio::test]
async fn a_flood_of_strangers_keeps_nobody_out() {
    let mut bench = Bench::new().await;
    let stranger = NEXT.token(&claims(SystemTime::now()));
    let stranger = format!("Bearer {stranger}");
    for number in 0..500 {
        let request = match number % 2 {
            0 => unsigned(),
            _ => unsigned().header(AUTHORIZATION, &stranger),
        };
        assert_eq!(bench.status(request, body(&[state("incoming")])).await, 401);
        if number % 50 == 0 {
            let told = body(&[state("established")]);
            assert_eq!(bench.status(signed(), told).await, 202);
        }
    }
    assert_eq!(bench.received(), vec![CallState::Established; 10]);
}

#[tokio::test]
async fn the_other_methods_are_refused() {
    let bench = Bench::new().await;
    let request = Request::get("/calls");
    assert_eq!(bench.status(request, Body::empty()).await, 405);
}

#[tokio::test]
async fn empty_and_unknown_bodies_are_accepted_and_counted() {
    let bench = Bench::new().await;
    for empty in ["", " \r\n", "{}", r#"{"value":[]}"#] {
        assert_eq!(bench.status(signed(), empty).await, 202, "{empty}");
    }
    let mut unknown = state("established");
    unknown["resourceData"] = json!({"@odata.type": "#microsoft.graph.new", "x": 1});
    let mut elsewhere = state("established");
    elsewhere["resourceUrl"] = json!("https://evil.example/communications/calls/1");
    assert_eq!(
        bench.status(signed(), body(&[unknown, elsewhere])).await,
        202
    );
    let stats = bench.webhook.stats();
    assert_eq!(
        (stats.empty, stats.unknown_types, stats.unaddressed),
        (4, 1, 1)
    );
}

#[tokio::test]
async fn the_former_format_is_answered_204_and_awaited_again_under_the_same_id() {
    let mut bench = Bench::new().await;
    let named = || signed().header(MESSAGE_ID, "m1");
    let legacy = r#"{"callState": "incoming", "links": {}}"#;
    assert_eq!(bench.status(named(), legacy).await, 204);
    assert_eq!(bench.status(named(), body(&[state("incoming")])).await, 202);
    assert_eq!(bench.received(), [CallState::Incoming]);
    assert_eq!(bench.webhook.stats().legacy, 1);
}

#[tokio::test]
async fn malformed_bodies_are_refused_with_a_reason_that_repeats_nothing() {
    let bench = Bench::new().await;
    for bad in [
        r#"{"value": "4711"}"#,
        "4711",
        r#"{"value":[{"resourceUrl": 4711}]}"#,
    ] {
        let response = bench.post(signed(), bad).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{bad}");
        let answer: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(answer["error"]["code"], "BadRequest");
        assert!(!answer.to_string().contains("4711"), "{answer}");
    }
    assert_eq!(bench.webhook.stats().malformed, 3);
}

#[tokio::test]
async fn a_long_body_is_refused_by_its_length_and_by_its_bytes() {
    let bench = Bench::new().await;
    let declared = signed().header(CONTENT_LENGTH, MAX_BODY_BYTES + 1);
    assert_eq!(bench.status(declared, Body::new(Unread)).await, 413);
    let streamed = Body::from("x".repeat(MAX_BODY_BYTES + 1));
    assert_eq!(bench.status(signed(), streamed).await, 413);
    let longest = Body::from(" ".repeat(MAX_BODY_BYTES));
    assert_eq!(bench.status(signed(), longest).await, 202);
    assert_eq!(bench.webhook.stats().oversized, 2);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let bench = Bench::new().await;
    assert_eq!(bench.status(signed(), Body::new(Never)).await, 408);
}

struct Never;

impl axum::body::HttpBody for Never {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn a_delivery_repeated_five_times_has_one_effect() {
    let mut bench = Bench::new().await;
    let named = |id: &str| signed().header(MESSAGE_ID, id);
    for _ in 0..6 {
        assert_eq!(
            bench.status(named("m1"), body(&[state("incoming")])).await,
            202
        );
    }
    // Without an id there is nothing to tell a repetition by.
    for _ in 0..2 {
        assert_eq!(
            bench.status(signed(), body(&[state("established")])).await,
            202
        );
    }
    let expected = [
        CallState::Incoming,
        CallState::Established,
        CallState::Established,
    ];
    assert_eq!(bench.received(), expected);
    assert_eq!(bench.webhook.stats().duplicates, 5);
}

#[tokio::test]
async fn what_finds_no_room_is_asked_for_again() {
    let full = Arc::new(AtomicBool::new(true));
    let delivered = Arc::new(AtomicBool::new(false));
    let sink = {
        let (full, delivered) = (full.clone(), delivered.clone());
        move |_: Vec<Notification>| {
            if full.load(Ordering::Relaxed) {
                return Err(SinkFull);
            }
            delivered.store(true, Ordering::Relaxed);
            Ok(())
        }
    };
    let app = router("/calls", authenticator().await, sink);
    let post = || {
        let request = signed().header(MESSAGE_ID, "m1");
        let body = Body::from(body(&[state("incoming")]));
        app.clone().oneshot(request.body(body).unwrap())
    };
    let refused = post().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()[RETRY_AFTER], "1");
    full.store(false, Ordering::Relaxed);
    assert_eq!(post().await.unwrap().status(), StatusCode::ACCEPTED);
    assert!(delivered.load(Ordering::Relaxed));
}

#[test]
fn a_channel_takes_all_of_a_body_or_none() {
    let (sink, mut notifications) = mpsc::channel(2);
    let one = |id: &str| {
        let resource = NotifiedResource::ContentSharing(Vec::new());
        let change = crate::types::ChangeType::Updated;
        Notification::new(id.parse().unwrap(), change, resource)
    };
    let three = vec![one("a"), one("b"), one("c")];
    assert_eq!(Sink::deliver(&sink, three), Err(SinkFull));
    assert!(notifications.try_recv().is_err());
    assert_eq!(Sink::deliver(&sink, vec![one("a"), one("b")]), Ok(()));
    assert_eq!(notifications.try_recv().unwrap().call_id.as_str(), "a");
}

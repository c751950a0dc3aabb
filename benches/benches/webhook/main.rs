//! What a notification costs: the raw RSA verification, the token's validation around it, the
//! webhook around that, and the way from POST to our answer leaving over real sockets.

#![allow(clippy::unwrap_used)]

mod issuer;

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use switchboard_signaling::auth::{Authenticator, KeySet, KeySource, TokenPolicy, TokenValidator};
use switchboard_signaling::call::{CallConfig, CallDriver, CallMachine, Command};
use switchboard_signaling::client::{GraphClient, GraphConfig};
use switchboard_signaling::notification::Notification;
use switchboard_signaling::token::{TokenConfig, TokenProvider};
use switchboard_signaling::types::{AnswerRequest, AppHostedMediaConfig, Modality};
use switchboard_signaling::webhook::{MESSAGE_ID, SinkFull, Webhook};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use issuer::{APP_ID, Issuer};

/// So many calls are offered for the percentiles.
const CALLS: usize = 2_000;

fn validation(c: &mut Criterion) {
    let issuer = Issuer::new();
    let token = issuer.token();
    let (signed, signature) = issuer.parts(&token);
    let keys = KeySet::from_jwks(issuer.jwks().as_bytes()).unwrap();
    let validator = TokenValidator::new(TokenPolicy::new(APP_ID).unwrap());
    let now = SystemTime::now();
    let mut group = c.benchmark_group("notification");
    group.throughput(Throughput::Elements(1));
    group.bench_function("raw RSA-2048 verification", |b| {
        b.iter(|| issuer.verify(black_box(&signed), black_box(&signature)));
    });
    group.bench_function("token validation", |b| {
        b.iter(|| validator.validate(black_box(&token), &keys, now).unwrap());
    });
    let runtime = Runtime::new().unwrap();
    let app = runtime.block_on(async {
        let sink = |batch: Vec<Notification>| {
            black_box(batch);
            Ok::<(), SinkFull>(())
        };
        Webhook::new(authenticator(&issuer).await, sink).router("/calls")
    });
    let authorization = format!("Bearer {token}");
    let body = offer("57DAB8B1894C409AB240BD8BEAE78896");
    let mut serial = 0_u64;
    group.bench_function("webhook, validation on", |b| {
        b.iter(|| {
            serial += 1;
            let request = Request::post("/calls")
                .header("authorization", &authorization)
                .header(MESSAGE_ID, serial)
                .body(Body::from(body.clone()))
                .unwrap();
            let answered = runtime.block_on(app.clone().oneshot(request)).unwrap();
            assert_eq!(answered.status(), StatusCode::ACCEPTED);
        });
    });
    group.finish();
}

/// An incoming call is posted; a fake Graph takes the time when our answer arrives.
fn post_to_answer(_: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut times = runtime.block_on(offer_calls());
    times.sort_unstable();
    let share = |of: usize| times[(times.len() * of / 100).min(times.len() - 1)];
    let report = format!(
        "POST to our answer's arrival, {CALLS} calls one after the other: p50 {:?}, p90 {:?}, p99 {:?}, longest {:?}",
        share(50),
        share(90),
        share(99),
        times.last().unwrap(),
    );
    #[allow(clippy::print_stdout)]
    {
        println!("{report}");
    }
}

async fn offer_calls() -> Vec<Duration> {
    let issuer = Issuer::new();
    let (answered, mut answers) = mpsc::unbounded_channel();
    let graph = serve(graph(answered)).await;
    let client = client(&graph);
    let sink = move |batch: Vec<Notification>| {
        batch.into_iter().for_each(|one| answer(&client, one));
        Ok::<(), SinkFull>(())
    };
    let webhook = Webhook::new(authenticator(&issuer).await, sink);
    let address = serve(webhook.router("/calls")).await;
    let poster = reqwest::Client::new();
    let authorization = format!("Bearer {}", issuer.token());
    let mut times = Vec::with_capacity(CALLS);
    for serial in 0..CALLS {
        let request = poster
            .post(format!("{address}/calls"))
            .header("authorization", &authorization)
            .header(MESSAGE_ID, serial)
            .body(offer(&format!("call-{serial}")));
        let posted = Instant::now();
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 202);
        times.push(answers.recv().await.unwrap() - posted);
    }
    times
}

/// What a bot does at least: a driver for the call, told to answer.
fn answer(client: &GraphClient, offer: Notification) {
    let client = client.clone();
    tokio::spawn(async move {
        let (_open, notifications) = mpsc::channel(1);
        let machine = CallMachine::incoming(Instant::now(), offer.call_id, CallConfig::default());
        let mut driver = CallDriver::new(machine, client, notifications);
        let accept = AnswerRequest {
            callback_uri: Some("https://bot.example/calls".to_owned()),
            media_config: Some(AppHostedMediaConfig::new("blob").into()),
            accepted_modalities: Some(vec![Modality::Audio]),
            ..AnswerRequest::default()
        };
        driver.command(Command::Answer(accept)).unwrap();
        driver.next_event().await
    });
}

fn graph(answered: mpsc::UnboundedSender<Instant>) -> Router {
    let take = move || {
        let _ = answered.send(Instant::now());
        async { StatusCode::ACCEPTED }
    };
    let token = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"t"}"#;
    Router::new()
        .route("/v1.0/communications/calls/{id}/answer", post(take))
        .route("/t/oauth2/v2.0/token", post(move || async move { token }))
}

fn client(origin: &str) -> GraphClient {
    let tokens = TokenConfig {
        authority: origin.to_owned(),
        ..TokenConfig::new("t", "app", "secret".to_owned().into())
    };
    let config = GraphConfig {
        base_url: format!("{origin}/v1.0"),
        ..GraphConfig::default()
    };
    GraphClient::new(config, TokenProvider::new(tokens).unwrap()).unwrap()
}

async fn authenticator(issuer: &Issuer) -> Authenticator {
    let jwks = issuer.jwks();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let configuration = json!({"jwks_uri": format!("{origin}/keys")}).to_string();
    let app = Router::new()
        .route("/configuration", get(move || async { configuration }))
        .route("/keys", get(move || async { jwks }));
    tokio::spawn(async { axum::serve(listener, app).await });
    let keys = KeySource::new(&format!("{origin}/configuration")).unwrap();
    let authenticator =
        Authenticator::new(TokenValidator::new(TokenPolicy::new(APP_ID).unwrap()), keys);
    // The first fetch of the keys isn't what is measured.
    let authorization = format!("Bearer {}", issuer.token());
    authenticator
        .authenticate(Some(&authorization))
        .await
        .unwrap();
    authenticator
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    origin
}

fn offer(id: &str) -> String {
    json!({"value": [{
        "@odata.type": "#microsoft.graph.commsNotification",
        "changeType": "created",
        "resourceUrl": format!("/communications/calls/{id}"),
        "resourceData": {
            "@odata.type": "#microsoft.graph.call",
            "state": "incoming",
            "direction": "incoming",
            "source": {"identity": {"user": {"displayName": "A", "id": "8a34a46b-3d17-4adc-8dce-dc4e7d572698"}}},
            "requestedModalities": ["audio"],
        },
    }]})
    .to_string()
}

criterion_group!(benches, validation, post_to_answer);
criterion_main!(benches);

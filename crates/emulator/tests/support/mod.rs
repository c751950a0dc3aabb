//! An emulator on loopback and a small bot beside it, whose webhook believes only
//! tokens that the real validation accepts.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde_json::{Value, json};
use switchboard_emulator::{
    App, Counts, Emulator, EmulatorConfig, Phone, PhoneCommand, PhoneEvent, PhoneRole,
};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_signaling::auth::{Authenticator, KeySource, TokenPolicy, TokenValidator};
use switchboard_transport::whip::WhipEndpoint;
use switchboard_transport::{Transport, TransportConfig};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::timeout;
use url::Url;

pub const LIMIT: Duration = Duration::from_secs(30);
pub const TENANT: &str = "1fdd12d0-4620-44ed-baec-459b611f84b2";
pub const CLIENT: &str = "0efc74f7-41c3-47a4-8775-7259bfef4241";
pub const SECRET: &str = "s3cret";

/// Emulator, bot and everything a test holds in its hands.
pub struct Site {
    pub engine: Engine,
    pub transport: Transport,
    pub emulator: Emulator,
    pub bot: Bot,
    pub http: reqwest::Client,
}

/// A webhook with a media endpoint; what it is told it hands to the test.
pub struct Bot {
    pub base: Url,
    pub whip: WhipEndpoint,
    pub notifications: Mutex<mpsc::Receiver<Heard>>,
    /// The status that the webhook answers with.
    pub status: watch::Sender<StatusCode>,
    /// How many notifications were not believed.
    pub refused: watch::Receiver<usize>,
    /// How many had no body.
    pub empty: watch::Receiver<usize>,
    /// What `/prompt.wav` holds.
    pub prompt: watch::Sender<Vec<u8>>,
}

/// One notification that was believed.
#[derive(Debug)]
pub struct Heard {
    pub headers: HeaderMap,
    pub body: Value,
}

impl Heard {
    pub fn first(&self) -> &Value {
        &self.body["value"][0]
    }

    pub fn state(&self) -> &str {
        self.first()["resourceData"]["state"]
            .as_str()
            .unwrap_or_default()
    }

    pub fn call(&self) -> String {
        let path = self.first()["resourceUrl"].as_str().unwrap();
        path.split('/').nth(3).unwrap().to_owned()
    }
}

#[derive(Clone)]
struct Webhook {
    authenticator: Arc<Authenticator>,
    heard: mpsc::Sender<Heard>,
    refused: watch::Sender<usize>,
    empty: watch::Sender<usize>,
    status: watch::Receiver<StatusCode>,
    prompt: watch::Receiver<Vec<u8>>,
}

pub fn config(transport: Transport) -> EmulatorConfig {
    let app = App {
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: SECRET.to_owned().into(),
        webhook: None,
    };
    EmulatorConfig::new("127.0.0.1:0".parse().unwrap(), transport).with_app(app)
}

pub fn transport() -> (Engine, Transport) {
    let workers = 1;
    let engine = Engine::start(EngineConfig {
        workers,
        ..EngineConfig::default()
    })
    .unwrap();
    (
        engine.clone(),
        Transport::new(engine, TransportConfig::default()),
    )
}

impl Site {
    pub async fn start() -> Self {
        Self::start_with(|config| config).await
    }

    pub async fn start_with(change: impl FnOnce(EmulatorConfig) -> EmulatorConfig) -> Self {
        let (engine, transport) = transport();
        let config = change(config(transport.clone()));
        let emulator = Emulator::start(config).await.unwrap();
        let bot = Bot::start(&emulator, transport.clone()).await;
        emulator.set_webhook(CLIENT, bot.webhook()).unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            engine,
            transport,
            emulator,
            bot,
            http,
        }
    }

    pub async fn token(&self) -> String {
        let body = self.ask_token(&[]).await.1;
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// Asks for a token with some fields of the form replaced (or emptied).
    pub async fn ask_token(&self, changes: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut form = vec![
            ("client_id", CLIENT),
            ("client_secret", SECRET),
            ("scope", "https://graph.microsoft.com/.default"),
            ("grant_type", "client_credentials"),
        ];
        for (name, value) in &mut form {
            if let Some((_, other)) = changes.iter().find(|(changed, _)| changed == name) {
                *value = other;
            }
        }
        let request = self.http.post(self.emulator.token_url()).form(&form);
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// A request to Graph with a good token.
    pub async fn graph(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let url = format!("{}/communications/calls{path}", self.emulator.graph_url());
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self
            .http
            .request(method, url)
            .bearer_auth(self.token().await);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.graph("POST", path, Some(body)).await
    }

    /// A request to the emulator's own API.
    pub async fn admin(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.emulator.admin_url());
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Adds a fault.
    pub async fn fault(&self, rule: Value) {
        let (status, body) = self.admin("POST", "/faults", Some(rule)).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }

    /// The rules that the judge found broken.
    pub async fn verdicts(&self) -> Vec<String> {
        let (_, verdicts) = self.admin("GET", "/judge", None).await;
        let rule = |verdict: &Value| verdict["rule"].as_str().unwrap().to_owned();
        verdicts.as_array().unwrap().iter().map(rule).collect()
    }

    /// A phone that dials the bot with a real offer, and the call's id.
    pub async fn dial(&self) -> (Phone, switchboard_transport::Offer, String) {
        let mut phone = self.emulator.phone("Caller", PhoneRole::Caller).await;
        let (offer, sdp) = self.transport.offer().await.unwrap();
        let target = "bot".to_owned();
        phone
            .commands
            .send(PhoneCommand::Dial { target, sdp })
            .await
            .unwrap();
        let PhoneEvent::Dialing { call } =
            told(&mut phone, |e| matches!(e, PhoneEvent::Dialing { .. })).await
        else {
            unreachable!()
        };
        (phone, offer, call)
    }

    /// Waits until the emulator holds nothing but what is given.
    pub async fn settles_at(&self, expected: Counts) {
        let settled = async {
            while self.emulator.counts() != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = timeout(LIMIT, settled).await;
        assert!(waited.is_ok(), "left over: {:?}", self.emulator.counts());
    }
}

impl Bot {
    pub async fn start(emulator: &Emulator, transport: Transport) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let whip = WhipEndpoint::new(transport.with_live().with_speakers(4), base.clone());
        let policy = TokenPolicy::new(CLIENT)
            .unwrap()
            .with_tenant(TENANT)
            .unwrap();
        let keys = KeySource::new(emulator.openid_configuration_url().as_str()).unwrap();
        let (heard, notifications) = mpsc::channel(64);
        let (status, prompt) = (
            watch::Sender::new(StatusCode::ACCEPTED),
            watch::Sender::default(),
        );
        let webhook = Webhook {
            authenticator: Arc::new(Authenticator::new(TokenValidator::new(policy), keys)),
            heard,
            refused: watch::Sender::new(0),
            empty: watch::Sender::new(0),
            status: status.subscribe(),
            prompt: prompt.subscribe(),
        };
        let (refused, empty) = (webhook.refused.subscribe(), webhook.empty.subscribe());
        let router = Router::new()
            .route("/api/calls", post(notified))
            .route(
                "/prompt.wav",
                get(|State(hook): State<Webhook>| async move { hook.prompt.borrow().clone() }),
            )
            .route(
                "/elsewhere.wav",
                get(|| async { axum::response::Redirect::temporary("/prompt.wav") }),
            )
            .route("/api/moved", post(|| sent_to("/api/calls")))
            .route("/api/round", post(|| sent_to("/api/round")))
            .route(
                "/api/lost",
                post(|| sent_to("http://127.0.0.1:1/api/calls")),
            )
            .with_state(webhook)
            .merge(whip.router());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            base,
            whip,
            notifications: Mutex::new(notifications),
            refused,
            empty,
            status,
            prompt,
        }
    }

    pub fn webhook(&self) -> Url {
        self.base.join("/api/calls").unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        self.base.join(path).unwrap().to_string()
    }

    /// The next notification.
    pub async fn heard(&self) -> Heard {
        let mut notifications = self.notifications.lock().await;
        let heard = timeout(LIMIT, notifications.recv()).await;
        heard.expect("a notification in time").unwrap()
    }

    /// The next notification, which must be of a call in this state.
    pub async fn hears(&self, state: &str) -> Heard {
        let heard = self.heard().await;
        assert_eq!(heard.state(), state, "{}", heard.body);
        heard
    }
}

async fn sent_to(location: &'static str) -> (StatusCode, [(&'static str, &'static str); 1]) {
    (StatusCode::FOUND, [("location", location)])
}

async fn notified(State(hook): State<Webhook>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let authorization = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    if hook
        .authenticator
        .authenticate(authorization)
        .await
        .is_err()
    {
        hook.refused.send_modify(|refused| *refused += 1);
        return StatusCode::UNAUTHORIZED;
    }
    if body.is_empty() {
        hook.empty.send_modify(|empty| *empty += 1);
        return StatusCode::ACCEPTED;
    }
    let status = *hook.status.borrow();
    if status.is_success() {
        let body = serde_json::from_slice(&body).unwrap();
        hook.heard.send(Heard { headers, body }).await.unwrap();
    }
    status
}

/// The next event of a phone that fits.
pub async fn told(phone: &mut Phone, fits: impl Fn(&PhoneEvent) -> bool) -> PhoneEvent {
    let next = async {
        loop {
            let event = phone.events.recv().await.expect("the emulator is there");
            if fits(&event) {
                return event;
            }
        }
    };
    timeout(LIMIT, next)
        .await
        .expect("the phone is told in time")
}

pub fn app_hosted(blob: &str) -> Value {
    json!({"acceptedModalities": ["audio"], "mediaConfig":
        {"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": blob}})
}

pub fn service_hosted() -> Value {
    json!({"acceptedModalities": ["audio"], "mediaConfig":
        {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"}})
}

pub fn play(uri: &str) -> Value {
    json!({"clientContext": "mark", "prompts": [{"@odata.type": "#microsoft.graph.mediaPrompt",
        "mediaInfo": {"@odata.type": "#microsoft.graph.mediaInfo", "uri": uri}}]})
}

//! The service as a client sees it, without a bot.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use switchboard_reminders::draft::Defaults;
use switchboard_reminders::{Key, Retry};
use switchboard_service::Clock;
use switchboard_service::api::keys::{KeyConfig, Keys, Role, new_key};
use switchboard_service::api::tokens::Tokens;
use switchboard_service::api::{self, Access, Parts, Requests, RoomParts};
use switchboard_store::{Store, StoreConfig};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::fakes::{FakeRooms, FakeSwitch};

/// The same moment, until it is set to another.
pub(crate) struct Stopped(Mutex<Timestamp>);

impl Default for Stopped {
    fn default() -> Self {
        Self(Mutex::new("2026-03-01T12:00:00Z".parse().unwrap()))
    }
}

impl Stopped {
    pub(crate) fn set(&self, now: &str) {
        *self.0.lock().unwrap() = now.parse().unwrap();
    }
}

#[async_trait]
impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    async fn sleep_until(&self, _: Timestamp) {
        std::future::pending::<()>().await;
    }
}

pub(crate) struct Site {
    pub(crate) router: Router,
    pub(crate) store: Store,
    pub(crate) writer: String,
    pub(crate) reader: String,
    hashes: [KeyConfig; 2],
    pub(crate) switch: Arc<FakeSwitch>,
    pub(crate) rooms: Arc<FakeRooms>,
    pub(crate) clock: Arc<Stopped>,
    pub(crate) directory: TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn told(&self) -> Vec<String> {
        let errors = self.body["errors"].as_array().unwrap();
        let line = |error: &Value| error["line"].as_u64().map(|line| format!("{line}: "));
        errors
            .iter()
            .map(|error| {
                let (field, problem) = (&error["field"], &error["problem"]);
                let line = line(error).unwrap_or_default();
                format!(
                    "{line}{}: {}",
                    field.as_str().unwrap(),
                    problem.as_str().unwrap()
                )
            })
            .collect()
    }

    pub(crate) fn is_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert!(!self.body["title"].as_str().unwrap().is_empty());
        assert!(!self.body["detail"].as_str().unwrap().is_empty());
    }
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(None).await
    }

    /// One that takes access tokens, too.
    pub(crate) async fn with(tokens: Option<Arc<dyn Tokens>>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("reminders.db");
        let config = StoreConfig {
            patience: Duration::from_secs(1),
            ..StoreConfig::new(format!("sqlite:{}", file.display()))
        };
        let store = Store::open(&config).await.unwrap();
        let (writer, reader) = (new_key().unwrap(), new_key().unwrap());
        let key = |name: &str, role, hash: &str| KeyConfig {
            name: name.to_owned(),
            role,
            hash: hash.to_owned(),
        };
        let keys = [
            key("office", Role::Writer, &writer.hash),
            key("screen", Role::Reader, &reader.hash),
        ];
        let clock = Arc::<Stopped>::default();
        let (switch, rooms) = (Arc::<FakeSwitch>::default(), Arc::<FakeRooms>::default());
        let access = Arc::new(Access {
            keys: Keys::new(&keys).unwrap(),
            tokens,
        });
        let room_parts = RoomParts {
            access: Arc::clone(&access),
            rooms: Arc::clone(&rooms) as Arc<_>,
            requests: Requests::Stored(store.clone()),
            instance: "one".to_owned(),
            clock: Arc::clone(&clock) as Arc<_>,
        };
        let parts = Parts {
            store: store.clone(),
            access,
            defaults: Some(defaults()),
            clock: Arc::clone(&clock) as Arc<_>,
            switch: Arc::clone(&switch) as Arc<_>,
            instance: "one".to_owned(),
            sandbox: "none".to_owned(),
        };
        Self {
            router: api::router(parts, room_parts),
            store,
            hashes: keys,
            switch,
            rooms,
            clock,
            writer: writer.key,
            reader: reader.key,
            directory,
        }
    }

    /// Who may ask.
    pub(crate) fn keys(&self) -> Keys {
        Keys::new(&self.hashes).unwrap()
    }

    pub(crate) async fn send(
        &self,
        request: http::request::Builder,
        body: impl Into<Body>,
    ) -> Answer {
        let request = request.body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    pub(crate) fn ask(&self, method: &str, path: &str, key: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {key}"))
    }

    pub(crate) fn post(&self, path: &str) -> http::request::Builder {
        self.ask("POST", path, &self.writer)
    }

    pub(crate) async fn create(&self, body: &Value) -> Answer {
        self.send(self.post("/reminders"), body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.ask("GET", path, &self.reader), "").await
    }

    pub(crate) async fn import(&self, path: &str, file: &str) -> Answer {
        let request = self
            .post(path)
            .header("content-type", "text/csv; charset=utf-8");
        self.send(request, file.to_owned()).await
    }
}

pub(crate) fn defaults() -> Defaults {
    Defaults {
        zone: Some("Europe/Berlin".to_owned()),
        quiet: None,
        retry: Retry {
            attempts: 3,
            spacing: Duration::from_secs(600),
        },
        expires_after: Duration::from_secs(24 * 3600),
        confirm: Key::new('1').unwrap(),
        prompts: vec!["visit".to_owned()],
        texts: true,
        numbers: vec!["office".to_owned()],
    }
}

pub(crate) fn good() -> Value {
    json!({
        "phone": "+4915112345678", "at": "2026-03-29T02:30", "text": "Hello {name}",
        "variables": {"name": "Zoë"}, "reference": "visit 7",
    })
}

//! A bot with its service, and an emulator around it, for tests.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use switchboard_bot::Script;
use switchboard_emulator::PhoneRole;
use switchboard_media::wav;
use switchboard_service::api::keys::{NewKey, new_key};
use switchboard_transport::TransportConfig;
use tempfile::TempDir;

use super::config::Secret;
use super::reminders::ReminderSettings;
use super::rooms::BotRooms;
use super::service::{Around, Running, Service, ServiceSettings};
use crate::person::{Noticed, Person};
use crate::site::Site;

pub(super) const PATIENT: &str = "6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8ab1";

pub(super) struct Office {
    pub(super) site: Site,
    running: Option<Running>,
    pub(super) api: String,
    pub(super) key: String,
    pub(super) reader: String,
    _directory: TempDir,
}

pub(super) fn reminders(directory: &Path, media: &str) -> ReminderSettings {
    let hum: Vec<f32> = (0..8_000).map(|n| 0.2 * (n as f32 / 12.0).sin()).collect();
    let mut prompts = BTreeMap::new();
    for name in ["visit", "thanks", "later", "goodbye"] {
        let path = directory.join(format!("{name}.wav"));
        std::fs::write(&path, wav::write(16_000, &hum)).expect("a file");
        prompts.insert(name.to_owned(), path);
    }
    let settings = json!({"media": media, "prompts": prompts, "calls_per_second": 20});
    serde_json::from_value(settings).expect("settings")
}

fn service(directory: &Path, writer: &NewKey, reader: &NewKey) -> ServiceSettings {
    let keys = json!([
        {"name": "office", "role": "writer", "hash": writer.hash},
        {"name": "screen", "role": "reader", "hash": reader.hash},
    ]);
    let settings = json!({"keys": keys, "instance": "one"});
    let mut settings: ServiceSettings = serde_json::from_value(settings).expect("settings");
    let database = format!("sqlite:{}", directory.join("switchboard.db").display());
    settings.database = Secret(SecretString::from(database));
    settings
}

impl Office {
    pub(super) async fn open(media: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let new = || new_key().expect("random numbers");
        let (writer, reader) = (new(), new());
        let settings = service(directory.path(), &writer, &reader);
        let around = Around {
            application: "an application".to_owned(),
            hosts: Vec::new(),
            sandbox: String::new(),
            directory: directory.path(),
            voice: None,
            numbers: Vec::new(),
        };
        let reminders = reminders(directory.path(), media);
        let service = Service::open(&settings, Some(&reminders), around).await;
        let service = service.expect("the database opens");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let rooms = Arc::<BotRooms>::default();
        let routes = service.routes(Arc::clone(&rooms), &[]);
        let routes = routes.expect("the settings are good");
        let parts = switchboard_bot::Parts {
            routes,
            ..switchboard_bot::Parts::new(Script::demo().expect("the demo").named("demo"))
        };
        let site = Site::with(any, parts, TransportConfig::default()).await;
        let site = site.expect("the site starts");
        rooms.serve(site.bot.rooms());
        let api = site.bot.webhook_url().join("/api/v1").expect("an address");
        Self {
            running: Some(service.run(&site.bot, rooms)),
            api: api.to_string(),
            key: writer.key,
            reader: reader.key,
            site,
            _directory: directory,
        }
    }

    pub(super) async fn remind(&self, more: &Value) -> String {
        let mut body = json!({
            "user": PATIENT, "prompt": "visit", "zone": "UTC",
            "at": jiff::Timestamp::now().to_string(),
        });
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let request = reqwest::Client::new().post(format!("{}/reminders", self.api));
        let request = request.bearer_auth(&self.key).json(&body);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 201);
        let made: Value = answer.json().await.expect("JSON");
        made["id"].as_str().expect("an id").to_owned()
    }

    pub(super) async fn get(&self, id: &str) -> Value {
        let request = reqwest::Client::new().get(format!("{}/reminders/{id}", self.api));
        let answer = request.bearer_auth(&self.key).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }

    /// Reads the reminder until `wanted` holds.
    pub(super) async fn until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..200 {
            let reminder = self.get(id).await;
            if wanted(&reminder) {
                return reminder;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never so: {}", self.get(id).await);
    }

    pub(super) async fn close(mut self) {
        if let Some(mut running) = self.running.take() {
            running.drain(Duration::from_secs(5)).await;
            running.leave().await;
        }
        self.site.stop().await;
    }
}

/// The patient, at a telephone of theirs.
pub(super) async fn patient(office: &Office) -> Person {
    Person::at(&office.site, PATIENT, PhoneRole::Agent).await
}

pub(super) async fn rings(patient: &mut Person) {
    let rings = |noticed: &Noticed| matches!(noticed, Noticed::Rings(_));
    patient.until(rings).await;
}

pub(super) async fn answers(patient: &mut Person) {
    rings(patient).await;
    patient.accept().await;
    patient.begins_to_hear("message").await;
}

//! A reminder from the request to the confirmation, with real calls.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use secrecy::SecretString;
use serde_json::{Value, json};
use switchboard_bot::Script;
use switchboard_emulator::PhoneRole;
use switchboard_media::wav;
use switchboard_reminders::{Key, ReminderId, Target};
use switchboard_service::Order;
use switchboard_service::api::keys::new_key;
use switchboard_transport::TransportConfig;
use tempfile::TempDir;
use uuid::Uuid;

use super::super::config::Secret;
use super::*;
use crate::person::{Noticed, Person};
use crate::site::Site;

const PATIENT: &str = "6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8ab1";

struct Office {
    site: Site,
    running: Option<Running>,
    api: String,
    key: String,
    _directory: TempDir,
}

fn settings(directory: &Path, hash: &str, media: &str) -> ReminderSettings {
    let hum: Vec<f32> = (0..8_000).map(|n| 0.2 * (n as f32 / 12.0).sin()).collect();
    let mut prompts = BTreeMap::new();
    for name in ["visit", "thanks", "later", "goodbye"] {
        let path = directory.join(format!("{name}.wav"));
        std::fs::write(&path, wav::write(16_000, &hum)).expect("a file");
        prompts.insert(name.to_owned(), path);
    }
    let keys = json!([{"name": "office", "role": "writer", "hash": hash}]);
    let settings = json!({
        "media": media, "keys": keys, "prompts": prompts, "calls_per_second": 20,
    });
    let mut settings: ReminderSettings = serde_json::from_value(settings).expect("settings");
    let database = format!("sqlite:{}", directory.join("reminders.db").display());
    settings.database = Secret(SecretString::from(database));
    settings
}

impl Office {
    async fn open(media: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let key = new_key().expect("random numbers");
        let settings = settings(directory.path(), &key.hash, media);
        let reminders = Reminders::open(&settings, directory.path(), None).await;
        let reminders = reminders.expect("the database opens");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let routes = reminders.routes().expect("the settings are good");
        let parts = switchboard_bot::Parts {
            routes,
            ..switchboard_bot::Parts::new(Script::demo().expect("the demo"))
        };
        let site = Site::with(any, parts, TransportConfig::default()).await;
        let site = site.expect("the site starts");
        let api = site.bot.webhook_url().join("/api/v1").expect("an address");
        Self {
            running: Some(reminders.run(site.bot.dialer())),
            api: api.to_string(),
            key: key.key,
            site,
            _directory: directory,
        }
    }

    async fn remind(&self, more: &Value) -> String {
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

    async fn get(&self, id: &str) -> Value {
        let request = reqwest::Client::new().get(format!("{}/reminders/{id}", self.api));
        let answer = request.bearer_auth(&self.key).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }

    /// Reads the reminder until `wanted` holds.
    async fn until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..200 {
            let reminder = self.get(id).await;
            if wanted(&reminder) {
                return reminder;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never so: {}", self.get(id).await);
    }

    async fn close(mut self) {
        if let Some(running) = self.running.take() {
            running.drain(Duration::from_secs(5)).await;
        }
        self.site.stop().await;
    }
}

/// The patient, at a telephone of theirs.
async fn patient(office: &Office) -> Person {
    Person::at(&office.site, PATIENT, PhoneRole::Agent).await
}

async fn rings(patient: &mut Person) {
    let rings = |noticed: &Noticed| matches!(noticed, Noticed::Rings(_));
    patient.until(rings).await;
}

async fn answers(patient: &mut Person) {
    rings(patient).await;
    patient.accept().await;
    patient.begins_to_hear("message").await;
}

async fn a_call_is_confirmed(media: &str) {
    let office = Office::open(media).await;
    let mut patient = patient(&office).await;
    let id = office.remind(&json!({})).await;
    answers(&mut patient).await;
    assert_eq!(office.get(&id).await["state"], "calling");
    patient.press("1");
    patient.hears("thanks").await;
    let confirmed = office.until(&id, |now| now["outcome"] == "confirmed").await;
    assert!(!confirmed.to_string().contains("digit"));
    patient.is_hung_up_on().await;
    office.until(&id, |now| now["state"] == "done").await;
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_rings_a_telephone_and_a_key_confirms() {
    a_call_is_confirmed("application").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_with_media_in_graphs_hands() {
    a_call_is_confirmed("service").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_puts_it_off_and_another_call_takes_it_back() {
    let office = Office::open("application").await;
    let later = json!({"postponeKey": "2", "postponeMinutes": 60});
    let mut patient = patient(&office).await;
    let id = office.remind(&later).await;
    answers(&mut patient).await;
    patient.press("2");
    patient.hears("later").await;
    patient.is_hung_up_on().await;
    let waiting = office.until(&id, |now| now["state"] == "waiting").await;
    assert_eq!(waiting["postponements"], 1);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_declined_is_tried_again_later() {
    let office = Office::open("application").await;
    let mut patient = patient(&office).await;
    let id = office.remind(&json!({"spacingMinutes": 5})).await;
    rings(&mut patient).await;
    patient.decline().await;
    let waiting = office.until(&id, |now| now["attempts"] == 1).await;
    assert_eq!(waiting["state"], "waiting");
    office.close().await;
}

#[test]
fn a_text_stays_a_text_whatever_is_in_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = settings(directory.path(), "", "service");
    let making = calls::Making::new(&settings, directory.path(), None);
    let order = Order {
        reminder: ReminderId(Uuid::nil()),
        token: 1,
        target: Target::phone("+4915112345678").expect("a number"),
        text: Some("\"]\n[nodes.x]\nhang_up = true\n'''\\".to_owned()),
        prompt: None,
        confirm: Key::new('#').expect("a key"),
        postpone: Key::new('*'),
    };
    let flow = making.flow(&order);
    let read = switchboard_bot::flow::Flow::parse(&flow);
    assert!(read.is_ok(), "{flow}");
    let table: toml::Table = flow.parse().expect("TOML");
    let text = table["prompts"]["message"]["text"].as_str();
    assert_eq!(text, order.text.as_deref());
    assert!(table["nodes"].get("x").is_none());
}

//! `switchboard serve`, killed in the midst of a reminder's call, and started again.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use switchboard_emulator::{
    App, Emulator, EmulatorConfig, Phone, PhoneCommand, PhoneEvent, PhoneRole, PromptState,
    TimelineEvent,
};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_media::event::Digit;
use switchboard_media::prompt::Prompt;
use switchboard_media::tone::{DtmfTone, dial};
use switchboard_media::wav;
use switchboard_transport::{Offer, Session, Transport, TransportConfig};

const TENANT: &str = "7b1e1f0c-6a4d-4c39-9a53-5d0a1b7c2e10";
const CLIENT: &str = "c0ffee00-5b0a-4d7e-8f10-2b3c4d5e6f70";
const PATIENT: &str = "6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8ab1";
/// How long anything may take: patience, not a promise.
const PATIENCE: Duration = Duration::from_secs(60);

fn switchboard() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBOARD_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// A bot that runs; dropped, it is killed as by `kill -9`.
struct Bot(Child);

impl Bot {
    fn start(config: &Path) -> Self {
        let mut command = switchboard();
        command.arg("serve").arg("--config").arg(config);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert!(line.contains("webhook"), "it did not start: {line}");
        Self(child)
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        // SIGKILL on Unix.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody who answers.
struct Patient {
    phone: Phone,
    transport: Transport,
    offer: Option<Offer>,
    session: Option<Session>,
}

impl Patient {
    async fn event(&mut self) -> PhoneEvent {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.phone.events.recv());
            match event.await.unwrap().unwrap() {
                PhoneEvent::Incoming { call, .. } => {
                    let (offer, sdp) = self.transport.offer().await.unwrap();
                    self.offer = Some(offer);
                    let accept = PhoneCommand::Accept { call, sdp };
                    self.phone.commands.send(accept).await.unwrap();
                }
                PhoneEvent::Answer { sdp, .. } => {
                    let offer = self.offer.take().unwrap();
                    self.session = Some(offer.accept(&sdp).await.unwrap());
                }
                event => return event,
            }
        }
    }

    async fn hears(&mut self, prompt: &str) {
        loop {
            match self.event().await {
                PhoneEvent::Timeline { event, .. } => {
                    if let TimelineEvent::Prompt { name, state } = event.event
                        && name.ends_with(prompt)
                        && state == PromptState::Started
                    {
                        return;
                    }
                }
                PhoneEvent::Ended { reason, .. } => panic!("hung up: {reason:?}"),
                _ => {}
            }
        }
    }

    async fn is_hung_up_on(&mut self) {
        while !matches!(self.event().await, PhoneEvent::Ended { .. }) {}
        self.session = None;
    }

    fn press(&mut self, key: &str) {
        let samples = dial(16_000, key, &DtmfTone::new(Digit::ALL[0]));
        let tones = Prompt::from_samples(16_000, &samples).unwrap();
        self.session.as_mut().unwrap().play(tones).unwrap();
    }
}

fn config(directory: &Path, emulator: &Emulator, bot: SocketAddr, hash: &str) -> String {
    let hum: Vec<f32> = (0..48_000).map(|n| 0.2 * (n as f32 / 12.0).sin()).collect();
    std::fs::write(directory.join("hum.wav"), wav::write(16_000, &hum)).unwrap();
    let address = |url: url::Url| url.as_str().trim_end_matches('/').to_owned();
    format!(
        r#"
[graph]
tenant = "{TENANT}"
client_id = "{CLIENT}"
client_secret = "a secret of nobody's"
base = "{}"
authority = "{}"
openid_configuration = "{}"
[webhook]
listen = "{bot}"
[speech]
command = []
[flow]
start = "end"
otherwise = "end"
[flow.nodes.end]
hang_up = true
[service]
instance = "one"
[[service.keys]]
name = "office"
role = "writer"
hash = "{hash}"
[reminders]
# The emulator tells of the prompts it plays itself.
media = "service"
prompts = {{ visit = "hum.wav", thanks = "hum.wav" }}
"#,
        address(emulator.graph_url()),
        address(emulator.authority_url()),
        address(emulator.openid_configuration_url()),
    )
}

async fn until(api: &str, key: &str, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let client = reqwest::Client::new();
    let mut last = Value::Null;
    for _ in 0..300 {
        let request = client.get(format!("{api}/{id}")).bearer_auth(key);
        if let Ok(answer) = request.send().await {
            last = answer.json().await.unwrap();
            if wanted(&last) {
                return last;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("never so: {last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_killed_in_a_call_calls_again_once_and_is_told() {
    let key = switchboard().arg("api-key").output().unwrap();
    let key: Value = serde_json::from_slice(&key.stdout).unwrap();
    let transport = Transport::new(
        Engine::start(EngineConfig::default()).unwrap(),
        TransportConfig::default(),
    );
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let bot = free.local_addr().unwrap();
    drop(free);
    let app = App {
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: SecretString::from("a secret of nobody's"),
        webhook: Some(format!("http://{bot}/api/calls").parse().unwrap()),
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let emulator = EmulatorConfig::new(any, transport.clone()).with_app(app);
    let emulator = Emulator::start(emulator).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bot.toml");
    let hash = key["hash"].as_str().unwrap();
    std::fs::write(&file, config(directory.path(), &emulator, bot, hash)).unwrap();
    let (api, key) = (
        format!("http://{bot}/api/v1/reminders"),
        key["key"].as_str().unwrap(),
    );
    let mut patient = Patient {
        phone: emulator.phone(PATIENT, PhoneRole::Agent).await,
        transport,
        offer: None,
        session: None,
    };

    let first = Bot::start(&file);
    let body =
        json!({"user": PATIENT, "prompt": "visit", "at": jiff::Timestamp::now().to_string()});
    let request = reqwest::Client::new()
        .post(&api)
        .bearer_auth(key)
        .json(&body);
    let made = request.send().await.unwrap();
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    let id = made["id"].as_str().unwrap();
    patient.hears(".wav").await;
    until(&api, key, id, |now| now["state"] == "calling").await;

    drop(first);
    let second = Bot::start(&file);
    // The call that was left behind is ended before there is another.
    patient.is_hung_up_on().await;
    patient.hears(".wav").await;
    patient.press("1");
    let confirmed = until(&api, key, id, |now| now["state"] == "done").await;
    assert_eq!(confirmed["outcome"], "confirmed");
    patient.is_hung_up_on().await;
    drop(second);
    emulator.stop().await;
}

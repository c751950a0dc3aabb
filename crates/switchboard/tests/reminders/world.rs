//! An emulator, somebody who answers, and bots as processes.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use rustix::process::{Pid, Signal, kill_process};
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
use tempfile::TempDir;

const TENANT: &str = "7b1e1f0c-6a4d-4c39-9a53-5d0a1b7c2e10";
const CLIENT: &str = "c0ffee00-5b0a-4d7e-8f10-2b3c4d5e6f70";
pub(crate) const PATIENT: &str = "6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8ab1";
/// How long anything may take: patience, not a promise.
const PATIENCE: Duration = Duration::from_secs(120);

fn switchboard() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    let ours = |name: &str| name.starts_with("SWITCHBOARD_") || name.starts_with("OTEL_");
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// A bot that runs; dropped, it is killed as by `kill -9`.
pub(crate) struct Bot(pub(crate) Child);

impl Bot {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let output = child.stdout.as_mut().unwrap();
        // Byte by byte, so that nothing of what comes later is lost in a buffer.
        BufReader::with_capacity(1, output)
            .read_line(&mut line)
            .unwrap();
        assert!(line.contains("webhook"), "it did not start: {line}");
        Self(child)
    }
}

impl Bot {
    /// Has it end by itself, and waits until it has.
    pub(crate) fn terminate(mut self) {
        let id = Pid::from_raw(self.0.id().try_into().unwrap()).unwrap();
        kill_process(id, Signal::TERM).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        // SIGKILL on Unix.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody at a phone, who takes every call.
pub(crate) struct Person {
    phone: Phone,
    transport: Transport,
    offer: Option<Offer>,
    session: Option<Session>,
}

impl Person {
    async fn at(emulator: &Emulator, name: &str, role: PhoneRole, transport: &Transport) -> Self {
        Self {
            phone: emulator.phone(name, role).await,
            transport: transport.clone(),
            offer: None,
            session: None,
        }
    }

    async fn calls_the_bot(&mut self) {
        let (offer, sdp) = self.transport.offer().await.unwrap();
        self.offer = Some(offer);
        let target = "bot".to_owned();
        let dial = PhoneCommand::Dial { target, sdp };
        self.phone.commands.send(dial).await.unwrap();
    }

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

    pub(crate) async fn hears(&mut self, prompt: &str) {
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

    pub(crate) async fn is_hung_up_on(&mut self) {
        while !matches!(self.event().await, PhoneEvent::Ended { .. }) {}
        self.session = None;
    }

    pub(crate) fn press(&mut self, key: &str) {
        let samples = dial(16_000, key, &DtmfTone::new(Digit::ALL[0]));
        let tones = Prompt::from_samples(16_000, &samples).unwrap();
        self.session.as_mut().unwrap().play(tones).unwrap();
    }
}

/// One of the bots: where it listens, and what its API takes.
pub(crate) struct Instance {
    file: PathBuf,
    pub(crate) api: String,
    key: String,
}

pub(crate) struct World {
    emulator: Emulator,
    pub(crate) patient: Person,
    transport: Transport,
    hash: String,
    pub(crate) key: String,
    pub(crate) directory: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        let key = switchboard().arg("api-key").output().unwrap();
        let key: Value = serde_json::from_slice(&key.stdout).unwrap();
        let transport = Transport::new(
            Engine::start(EngineConfig::default()).unwrap(),
            TransportConfig::default(),
        );
        let app = App {
            tenant_id: TENANT.to_owned(),
            client_id: CLIENT.to_owned(),
            client_secret: SecretString::from("a secret of nobody's"),
            // See `faces`.
            webhook: None,
        };
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let emulator = EmulatorConfig::new(any, transport.clone()).with_app(app);
        let emulator = Emulator::start(emulator).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let hum: Vec<f32> = (0..48_000).map(|n| 0.2 * (n as f32 / 12.0).sin()).collect();
        std::fs::write(directory.path().join("hum.wav"), wav::write(16_000, &hum)).unwrap();
        Self {
            patient: Person::at(&emulator, PATIENT, PhoneRole::Agent, &transport).await,
            transport,
            emulator,
            hash: key["hash"].as_str().unwrap().to_owned(),
            key: key["key"].as_str().unwrap().to_owned(),
            directory,
        }
    }

    /// Somebody who is in a call with the bot, and hears it.
    pub(crate) async fn caller(&self) -> Person {
        let role = PhoneRole::Caller;
        let mut caller = Person::at(&self.emulator, "Caller", role, &self.transport).await;
        caller.calls_the_bot().await;
        caller.hears(".wav").await;
        caller
    }

    /// How many calls Graph has.
    pub(crate) fn calls(&self) -> usize {
        self.emulator.counts().calls
    }

    /// Writes a bot's settings.
    pub(crate) fn instance(&self, name: &str, database: &str) -> Instance {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let bot = free.local_addr().unwrap();
        let file = self.directory.path().join(format!("{name}.toml"));
        let settings = self.settings(name, database, bot);
        std::fs::write(&file, settings).unwrap();
        Instance {
            file,
            api: format!("http://{bot}/api/v1"),
            key: self.key.clone(),
        }
    }

    /// Makes this bot's address the application's: the emulator turns to no other.
    pub(crate) fn faces(&self, instance: &Instance) {
        let webhook = instance.api.replace("/api/v1", "/api/calls");
        let webhook = webhook.parse().unwrap();
        self.emulator.set_webhook(CLIENT, webhook).unwrap();
    }

    fn settings(&self, name: &str, database: &str, bot: SocketAddr) -> String {
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
start = "wait"
otherwise = "end"
media = "service"
[flow.prompts.hum]
file = "hum.wav"
[flow.nodes.wait]
say = "hum"
collect = {{ into = "keys", max = 20, terminator = "*", timeout = 600, next = "end", on_timeout = "end" }}
[flow.nodes.end]
hang_up = true
[service]
instance = "{name}"
database = "{database}"
[[service.keys]]
name = "office"
role = "writer"
hash = "{hash}"
[reminders]
# The emulator tells of the prompts it plays itself.
media = "service"
prompts = {{ visit = "hum.wav", thanks = "hum.wav" }}
"#,
            address(self.emulator.graph_url()),
            address(self.emulator.authority_url()),
            address(self.emulator.openid_configuration_url()),
            hash = self.hash,
        )
    }

    pub(crate) async fn stop(self) {
        self.emulator.stop().await;
    }
}

impl Instance {
    /// Adds to its settings.
    pub(crate) fn also(&self, more: &str) {
        let mut file = OpenOptions::new().append(true).open(&self.file).unwrap();
        file.write_all(more.as_bytes()).unwrap();
    }

    pub(crate) fn serve(&self) -> Bot {
        Bot::start(&mut self.command())
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = switchboard();
        command.arg("serve").arg("--config").arg(&self.file);
        command
    }

    /// The same by `program`, which runs the arguments after its own.
    pub(crate) fn serve_by(&self, program: &str, arguments: &[&str]) -> Bot {
        let own = self.command();
        let mut command = Command::new(program);
        command.args(arguments).arg(own.get_program());
        command.args(own.get_args()).stdin(Stdio::piped());
        for (name, value) in own.get_envs() {
            assert!(value.is_none(), "settings are taken away only");
            command.env_remove(name);
        }
        Bot::start(&mut command)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = Client::new().request(method, format!("{}{path}", self.api));
        request.bearer_auth(&self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.request(Method::GET, path).send().await.ok()?;
        answer.json().await.ok()
    }

    /// What flows and the database call it.
    pub(crate) fn name(&self) -> &str {
        self.file.file_stem().unwrap().to_str().unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.request(Method::POST, path).json(body);
        request.send().await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        self.request(Method::DELETE, path).send().await.unwrap()
    }

    /// Asks for a call to the patient at once.
    pub(crate) async fn remind(&self) -> Response {
        let now = jiff::Timestamp::now().to_string();
        let body = json!({"user": PATIENT, "prompt": "visit", "at": now});
        let request = self.request(Method::POST, "/reminders").json(&body);
        request.send().await.unwrap()
    }

    /// The same, and it is taken; gives its id.
    pub(crate) async fn reminds(&self) -> String {
        let made = self.remind().await;
        assert_eq!(made.status(), 201);
        let made: Value = made.json().await.unwrap();
        made["id"].as_str().unwrap().to_owned()
    }

    /// Asks for so many calls to the patient, tomorrow.
    pub(crate) async fn import(&self, rows: usize) -> Response {
        let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
        let row = format!("{PATIENT},{tomorrow},visit,{}\n", "x".repeat(100));
        let file = format!("user,at,prompt,reference\n{}", row.repeat(rows));
        let request = self.request(Method::POST, "/reminders/import");
        let request = request.header("content-type", "text/csv").body(file);
        request.send().await.unwrap()
    }

    /// Reads until `wanted` holds.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = None;
        for _ in 0..600 {
            last = self.get(path).await;
            if let Some(now) = last.take_if(|now| wanted(now)) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("never so: {last:?}");
    }

    /// The reminder, once it is confirmed.
    pub(crate) async fn confirmed(&self, id: &str) -> Value {
        let path = format!("/reminders/{id}");
        let done = self.until(&path, |now| now["state"] == "done").await;
        assert_eq!(done["outcome"], "confirmed", "{done}");
        done
    }
}

//! What instances add: reminders that are called by one, two and four processes of
//! `switchboard serve` on one PostgreSQL database.
//!
//! `cargo run -p switchboard-benches --example reminders PROGRAM [AT_ONCE] [ROUNDS]`, where
//! PROGRAM is the `switchboard` to try. The emulator in this process is Graph, with its limit
//! of 100 calls lifted, and everybody who is called: each takes the call, listens for three
//! seconds, and confirms by a key. Each process may have AT_ONCE calls. First all reminders
//! are due at once, ROUNDS × AT_ONCE for each process; then as many are due evenly, at 80 % of
//! what was reached. Prints a table.

#![allow(clippy::print_stdout, reason = "it prints a table")]

#[allow(dead_code, clippy::unwrap_used, clippy::print_stderr)]
#[path = "../../crates/store/tests/postgres/mod.rs"]
mod postgres;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use serde_json::Value;
use switchboard_emulator::{
    App, Emulator, EmulatorConfig, Phone, PhoneCommand, PhoneEvent, PhoneRole, PhoneUser,
    PromptState, TimelineEvent,
};
use switchboard_media::engine::{self, EngineConfig};
use switchboard_media::event::Digit;
use switchboard_media::prompt::Prompt;
use switchboard_media::tone::{DtmfTone, dial};
use switchboard_media::wav;
use switchboard_transport::{Session, Transport, TransportConfig};
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const CLIENT: &str = "c0ffee00-5b0a-4d7e-8f10-2b3c4d5e6f70";
/// How long people listen before they press the key.
const LISTENS: Duration = Duration::from_secs(3);
/// So many processes are tried.
const PROCESSES: [usize; 3] = [1, 2, 4];

/// Graph, and what all instances have in common.
struct World {
    emulator: Emulator,
    transport: Transport,
    key: String,
    hash: String,
    program: String,
    at_once: usize,
    /// Where the processes listen.
    addresses: Vec<SocketAddr>,
    folder: tempfile::TempDir,
}

/// A process; dropped, it is killed.
struct Instance {
    child: Child,
    api: String,
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came of some reminders.
struct Outcome {
    /// Calls at once, at most.
    peak: usize,
    a_minute: f64,
    /// From when each was due until it rang.
    late: Vec<Duration>,
    /// CPU time of all instances.
    spent: Duration,
}

impl World {
    async fn start(program: String, at_once: usize) -> Result<Self, Failure> {
        let engine = engine::Engine::start(EngineConfig::default())?;
        let transport = Transport::new(engine, TransportConfig::default());
        let app = App {
            tenant_id: "tenant".to_owned(),
            client_id: CLIENT.to_owned(),
            client_secret: SecretString::from("of this process"),
            webhook: None,
        };
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = EmulatorConfig::new(any, transport.clone()).with_app(app);
        config.concurrent_calls = usize::MAX;
        let addresses = free(PROCESSES[2])?;
        for address in &addresses {
            let origin = format!("http://{address}").parse()?;
            config.allowed_origins.push(origin);
        }
        let folder = tempfile::tempdir()?;
        for (name, seconds) in [("visit.wav", 10), ("thanks.wav", 1)] {
            let hum = (0..16_000 * seconds).map(|n| 0.2 * (n as f32 / 12.0).sin());
            let hum = wav::write(16_000, &hum.collect::<Vec<_>>());
            std::fs::write(folder.path().join(name), hum)?;
        }
        let key = Command::new(&program).arg("api-key").output()?;
        let key: Value = serde_json::from_slice(&key.stdout)?;
        let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            emulator: Emulator::start(config).await?,
            transport,
            key: text("key"),
            hash: text("hash"),
            program,
            at_once,
            addresses,
            folder,
        })
    }

    fn instance(&self, number: usize, database: &str) -> Result<Instance, Failure> {
        let name = format!("i{number}");
        let listen = self.addresses[number];
        let file = self.folder.path().join(format!("{name}.toml"));
        std::fs::write(&file, self.settings(&name, database, listen))?;
        let mut child = Command::new(&self.program)
            .arg("serve")
            .arg("--config")
            .arg(file)
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("its output is piped")?;
        let mut ready = String::new();
        BufReader::new(output).read_line(&mut ready)?;
        let api = format!("http://{listen}/api/v1");
        let instance = Instance { child, api };
        match ready.contains("webhook") {
            true => Ok(instance),
            false => Err(format!("an instance did not start: {ready}").into()),
        }
    }

    fn settings(&self, name: &str, database: &str, listen: SocketAddr) -> String {
        let bare = |url: url::Url| url.as_str().trim_end_matches('/').to_owned();
        format!(
            r#"
[graph]
tenant = "tenant"
client_id = "{CLIENT}"
client_secret = "of this process"
base = "{}"
authority = "{}"
openid_configuration = "{}"
[webhook]
listen = "{listen}"
[speech]
command = []
[flow]
start = "end"
otherwise = "end"
media = "service"
[flow.nodes.end]
hang_up = true
[service]
instance = "{name}"
database = "{database}"
[[service.keys]]
name = "bench"
role = "writer"
hash = "{}"
[reminders]
media = "service"
prompts = {{ visit = "visit.wav", thanks = "thanks.wav", goodbye = "thanks.wav" }}
calls_at_once = 100
calls_per_second = 100
calls_here = {}
"#,
            bare(self.emulator.graph_url()),
            bare(self.emulator.authority_url()),
            bare(self.emulator.openid_configuration_url()),
            self.hash,
            self.at_once,
        )
    }

    /// Has so many people called, due `apart` from each other.
    async fn run(
        &self,
        instances: &[Instance],
        count: usize,
        apart: Duration,
    ) -> Result<Outcome, Failure> {
        let begin = SystemTime::now() + Duration::from_secs(2);
        let (in_calls, peak) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let mut people = JoinSet::new();
        let mut file = "user,at,prompt\n".to_owned();
        for number in 0..count {
            let due = begin + apart * u32::try_from(number)?;
            let user = format!("00000000-0000-4000-8000-{number:012}");
            let at = jiff::Timestamp::try_from(due)?;
            file.push_str(&format!("{user},{at},visit\n"));
            let known = PhoneUser::new(&user);
            let phone = self.emulator.phone_of(&known, &user, PhoneRole::Agent);
            let person = Person {
                phone: phone.await,
                transport: self.transport.clone(),
                in_calls: Arc::clone(&in_calls),
                peak: Arc::clone(&peak),
            };
            people.spawn(person.takes_a_call(due));
        }
        let before = instances.iter().map(spent).sum::<Duration>();
        self.import(&instances[0], file).await?;
        let mut late = Vec::new();
        while let Some(person) = people.join_next().await {
            late.push(person??);
        }
        let took = SystemTime::now().duration_since(begin)?;
        late.sort_unstable();
        Ok(Outcome {
            peak: peak.load(Ordering::Relaxed),
            a_minute: count as f64 * 60.0 / took.as_secs_f64(),
            late,
            spent: instances.iter().map(spent).sum::<Duration>() - before,
        })
    }

    async fn import(&self, instance: &Instance, file: String) -> Result<(), Failure> {
        let url = format!("{}/reminders/import", instance.api);
        let request = reqwest::Client::new().post(url).bearer_auth(&self.key);
        let request = request.header("content-type", "text/csv").body(file);
        let answer = request.send().await?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(answer.text().await?.into()),
        }
    }
}

/// Addresses that nobody listens at.
fn free(count: usize) -> std::io::Result<Vec<SocketAddr>> {
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let taken = (0..count).map(bind).collect::<Result<Vec<_>, _>>()?;
    taken.iter().map(TcpListener::local_addr).collect()
}

/// Somebody who is called, with what all of them count together.
struct Person {
    phone: Phone,
    transport: Transport,
    in_calls: Arc<AtomicUsize>,
    peak: Arc<AtomicUsize>,
}

impl Person {
    /// Takes a call, confirms, and gives how long after `due` it rang.
    async fn takes_a_call(mut self, due: SystemTime) -> Result<Duration, Failure> {
        let (mut offered, mut late, mut pressed) = (None, None, false);
        let mut session: Option<Session> = None;
        while let Some(event) = self.phone.events.recv().await {
            match event {
                PhoneEvent::Incoming { call, .. } => {
                    late = Some(SystemTime::now().duration_since(due)?);
                    let now = self.in_calls.fetch_add(1, Ordering::Relaxed) + 1;
                    self.peak.fetch_max(now, Ordering::Relaxed);
                    let (offer, sdp) = self.transport.offer().await?;
                    offered = Some(offer);
                    let accept = PhoneCommand::Accept { call, sdp };
                    self.phone.commands.send(accept).await?;
                }
                PhoneEvent::Answer { sdp, .. } => {
                    let offer = offered.take().ok_or("nothing was offered")?;
                    session = Some(offer.accept(&sdp).await?);
                }
                PhoneEvent::Timeline { event, .. } => {
                    // The first one says what the call is for.
                    if let TimelineEvent::Prompt { state, .. } = event.event
                        && state == PromptState::Started
                        && !std::mem::replace(&mut pressed, true)
                    {
                        let session = session.as_mut();
                        confirm(session.ok_or("a prompt before the media")?).await?;
                    }
                }
                PhoneEvent::Ended { .. } => {
                    self.in_calls.fetch_sub(1, Ordering::Relaxed);
                    return late.ok_or_else(|| "ended before it rang".into());
                }
                _ => {}
            }
        }
        Err("the phone is gone".into())
    }
}

async fn confirm(session: &mut Session) -> Result<(), Failure> {
    tokio::time::sleep(LISTENS).await;
    let tones = dial(16_000, "1", &DtmfTone::new(Digit::ALL[0]));
    session.play(Prompt::from_samples(16_000, &tones)?)?;
    Ok(())
}

/// CPU time of an instance until now, where `/proc` tells.
fn spent(instance: &Instance) -> Duration {
    let path = format!("/proc/{}/stat", instance.child.id());
    let text = std::fs::read_to_string(Path::new(&path)).unwrap_or_default();
    // Behind the name, which is in brackets, utime and stime are the 12th and 13th field.
    let fields = text.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    // USER_HZ is 100 on every Linux.
    Duration::from_millis(10 * ticks)
}

fn part(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len() - 1);
    sorted[index].as_secs_f64()
}

fn number(place: usize, otherwise: usize) -> usize {
    let argument = std::env::args().nth(place);
    let number = argument.and_then(|text| text.parse().ok());
    number.unwrap_or(otherwise).max(1)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let program = std::env::args().nth(1);
    let program = program.ok_or("which switchboard? cargo build --release -p switchboard")?;
    let (at_once, rounds) = (number(2, 4), number(3, 10));
    let cluster = postgres::Cluster::start().ok_or("no PostgreSQL")?;
    let world = World::start(program, at_once).await?;
    println!(
        "| Processes | Reminders | Calls at once | Finished a minute | CPU a call, ms | Due evenly: a minute | Late by p50, s | p99 | max |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for processes in PROCESSES {
        let database = cluster.database(&format!("with_{processes}"));
        let instances = (0..processes).map(|number| world.instance(number, &database));
        let instances = instances.collect::<Result<Vec<_>, _>>()?;
        let webhook = instances[0].api.replace("/api/v1", "/api/calls");
        world.emulator.set_webhook(CLIENT, webhook.parse()?)?;
        let count = rounds * at_once * processes;
        let full = world.run(&instances, count, Duration::ZERO).await?;
        let apart = Duration::from_secs_f64(60.0 / (0.8 * full.a_minute));
        let even = world.run(&instances, count, apart).await?;
        println!(
            "| {processes} | 2 × {count} | {} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} |",
            full.peak,
            full.a_minute,
            full.spent.as_secs_f64() * 1000.0 / count as f64,
            60.0 / apart.as_secs_f64(),
            part(&even.late, 50),
            part(&even.late, 99),
            part(&even.late, 100),
        );
    }
    world.emulator.stop().await;
    Ok(())
}

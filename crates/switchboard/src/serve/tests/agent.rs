//! Voice agents in live calls: what callers hear of them, and what becomes of callers
//! when they are gone.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use serde_json::{Value, json};
use switchboard_bot::agent::{VoiceAgent, VoiceAgents};
use switchboard_media::codec::to_mulaw;
use switchboard_media::prompt::Prompt;
use switchboard_nlp::adapter::{Protocol, SessionConfig};
use tokio::sync::mpsc;

use super::*;

const FLOW: &str = r##"# prompts: hello done away
start = "agent"
otherwise = "done"
[nodes.agent]
say = "hello"
stream = { to = "desk", keys = { 0 = "done" }, on_failed = "away" }
[nodes.done]
say = "done"
hang_up = true
[nodes.away]
say = "away"
hang_up = true
"##;

const HZ: f32 = 1_000.0;

async fn site_with(agent: VoiceAgent) -> Site {
    let agents = VoiceAgents::from([("desk".to_owned(), Arc::new(agent))]);
    let script = script(FLOW).await.with_agents(agents);
    let parts = Parts::new(script.unwrap_or_else(|error| panic!("{error}")));
    let transport = TransportConfig {
        live: true,
        ..TransportConfig::default()
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let site = Site::with(any, parts, transport).await;
    site.expect("the site starts")
}

fn agent(port: u16, protocol: Protocol) -> VoiceAgent {
    let url = format!("ws://127.0.0.1:{port}/").parse().expect("a URL");
    let token = "opensesame".to_owned().into();
    let parameters = BTreeMap::from([("desk".to_owned(), "front".to_owned())]);
    VoiceAgent::new(&url, Some(&token), protocol, parameters).expect("loopback")
}

fn sine(rate: u32, ms: u32) -> Vec<f32> {
    let step = std::f32::consts::TAU * HZ / rate as f32;
    (0..rate / 1_000 * ms)
        .map(|n| 0.3 * (n as f32 * step).sin())
        .collect()
}

/// Somebody else's program, ended when dropped.
struct Worker(Child, u16);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program of `fixtures/workers` on a free port; `None`, and the reason said, where
/// `probe` fails.
fn worker(program: &str, probe: [&str; 2], script: &str) -> Option<Worker> {
    let there = Command::new(program)
        .args(probe)
        .stderr(Stdio::null())
        .status();
    if !there.is_ok_and(|status| status.success()) {
        super::skip::skipped(format!("{program} lacks what {script} needs"));
        return None;
    }
    let workers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/workers");
    let mut child = Command::new(program)
        .arg(workers.join(script))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it was there a moment ago");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let port = line.trim().rsplit(' ').next();
    let port = port.and_then(|port| port.parse().ok());
    Some(Worker(child, port.expect("the line ends with the port")))
}

/// The caller's tone comes back through the agent, and a key ends its part.
async fn a_tone_comes_back(worker: &Worker, protocol: Protocol) {
    let site = site_with(agent(worker.1, protocol)).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("hello").await;
    let tone = Prompt::from_samples(16_000, &sine(16_000, 2_000)).expect("a prompt");
    caller.speak(tone);
    caller.hears_a_tone(HZ).await;
    caller.until(|noticed| *noticed == Noticed::Spoke).await;
    caller.press("0");
    caller.hears("done").await;
    caller.is_hung_up_on().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_tone_comes_back_through_pipecat() {
    let python = std::env::var("SWITCHBOARD_PIPECAT").unwrap_or_else(|_| "python3".into());
    let probe = ["-c", "import pipecat.serializers.twilio, websockets"];
    if let Some(pipecat) = worker(&python, probe, "pipecat_echo.py") {
        a_tone_comes_back(&pipecat, Protocol::Twilio).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_tone_comes_back_through_microsofts_sdk() {
    let probe = [
        "-e",
        "require('@azure/communication-call-automation'); require('ws')",
    ];
    if let Some(node) = worker("node", probe, "acs_echo.js") {
        for sample_rate in [16_000, 24_000] {
            a_tone_comes_back(&node, Protocol::Acs { sample_rate }).await;
        }
    }
}

/// What a caller of [`talker`]'s did, as the agent sees it, and what it is to do.
struct Talker {
    port: u16,
    seen: mpsc::Receiver<Value>,
    orders: mpsc::Sender<Order>,
}

enum Order {
    /// Send a message.
    Send(Value),
    /// Close in order.
    Close,
    /// Break the connection, and let nobody in any more.
    Die,
}

/// An agent that speaks for as long as it is let, faster than time.
async fn talker() -> Talker {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, seen) = mpsc::channel(10_000);
    let (orders, todo) = mpsc::channel(8);
    let todo = Arc::new(tokio::sync::Mutex::new(todo));
    let dead = Arc::new(tokio::sync::Notify::new());
    let end = Arc::clone(&dead);
    let upgrade = move |headers: axum::http::HeaderMap, upgrade: WebSocketUpgrade| {
        let (tell, todo, dead) = (tell.clone(), Arc::clone(&todo), Arc::clone(&dead));
        async move {
            assert_eq!(headers["authorization"], "Bearer opensesame");
            upgrade.on_upgrade(move |socket| async move {
                if talk(socket, &tell, &mut *todo.lock().await).await {
                    dead.notify_one();
                }
            })
        }
    };
    let router = axum::Router::new().route("/", axum::routing::get(upgrade));
    tokio::spawn(async move {
        tokio::select! {
            _ = axum::serve(listener, router) => {}
            () = end.notified() => {}
        }
    });
    Talker { port, seen, orders }
}

/// Whether it died.
async fn talk(
    mut socket: WebSocket,
    tell: &mpsc::Sender<Value>,
    todo: &mut mpsc::Receiver<Order>,
) -> bool {
    loop {
        tokio::select! {
            order = todo.recv() => match order {
                Some(Order::Send(message)) => {
                    let sent = socket.send(Message::text(message.to_string())).await;
                    sent.expect("the bot is there");
                }
                Some(Order::Close) => {
                    socket.send(Message::Close(None)).await.expect("the bot is there");
                    return false;
                }
                Some(Order::Die) | None => return true,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let message = serde_json::from_str(&text).expect("JSON");
                    // Nobody may care any more.
                    let _ = tell.try_send(message);
                }
                Some(Ok(_)) => {}
                _ => return false,
            },
        }
    }
}

impl Talker {
    async fn order(&self, order: Order) {
        self.orders.send(order).await.expect("the agent runs");
    }

    /// Says a tone, and sets a mark behind it.
    async fn say(&self, ms: u32, mark: &str) {
        let audio: Vec<u8> = sine(8_000, ms).into_iter().map(to_mulaw).collect();
        let payload = base64(&audio);
        self.order(Order::Send(
            json!({"event": "media", "media": {"payload": payload}}),
        ))
        .await;
        self.order(Order::Send(
            json!({"event": "mark", "mark": {"name": mark}}),
        ))
        .await;
    }

    /// Waits for a message of a kind.
    async fn sees(&mut self, event: &str) -> Value {
        let waited = tokio::time::timeout(Duration::from_secs(40), async {
            loop {
                let message = self.seen.recv().await.expect("the agent runs");
                if message["event"] == event {
                    return message;
                }
            }
        });
        waited
            .await
            .unwrap_or_else(|_| panic!("waited for {event}"))
    }
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three
            .iter()
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - three.len()));
        for place in 0..4 {
            let six = (word >> (18 - 6 * place)) as usize & 63;
            let used = place <= three.len();
            text.push(if used { ALPHABET[six].into() } else { '=' });
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_heard_cleared_and_marked_and_its_goodbye_leads_on() {
    let mut talker = talker().await;
    let site = site_with(agent(talker.port, Protocol::Twilio)).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("hello").await;
    let start = talker.sees("start").await;
    assert_eq!(start["start"]["customParameters"]["desk"], "front");
    assert_eq!(start["start"]["mediaFormat"]["sampleRate"], 8_000);
    talker.sees("media").await;

    talker.say(800, "short").await;
    caller.hears_a_tone(HZ).await;
    assert_eq!(talker.sees("mark").await["mark"]["name"], "short");

    talker.say(30_000, "long").await;
    caller.hears_a_tone(HZ).await;
    caller.press("5");
    assert_eq!(talker.sees("dtmf").await["dtmf"]["digit"], "5");
    talker.order(Order::Send(json!({"event": "clear"}))).await;
    assert_eq!(talker.sees("mark").await["mark"]["name"], "long");
    caller.hears_silence().await;

    talker.say(800, "bye").await;
    talker.order(Order::Close).await;
    caller.hears_a_tone(HZ).await;
    caller.hears("done").await;
    caller.is_hung_up_on().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_agent_dies_is_served_by_the_fall_back() {
    let mut talker = talker().await;
    let hasty = SessionConfig {
        give_up_after: Duration::from_millis(300),
        ..SessionConfig::default()
    };
    let site = site_with(agent(talker.port, Protocol::Twilio).with(hasty)).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("hello").await;
    talker.sees("media").await;
    talker.say(30_000, "long").await;
    caller.hears_a_tone(HZ).await;
    talker.order(Order::Die).await;
    caller.hears("away").await;
    caller.is_hung_up_on().await;
    // And so is one whose agent is not there at all.
    let mut other = Person::calling(&site).await;
    other.hears("away").await;
    other.is_hung_up_on().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_streams_to_nobody_is_refused() {
    let refused = script(FLOW).await.with_agents(VoiceAgents::new());
    let told = refused.err().expect("it is refused").to_string();
    assert!(told.contains("[agents.desk]"), "{told}");
}

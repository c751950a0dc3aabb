//! Engines in whole calls: what they hear, what their words lead to, and what becomes
//! of callers when they die.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use secrecy::SecretString;
use serde_json::{Value, json};
use switchboard_bot::FeatureChoice;
use switchboard_media::prompt::Prompt;
use switchboard_nlp::wire::{Endpoint, LinkConfig, RemoteEngine, SUBPROTOCOL};
use tokio::sync::watch;

use super::*;

/// An engine of `docs/nlp-wire.md` that hears a wish in whatever is said.
#[derive(Default)]
struct Heard {
    features: AtomicUsize,
    /// Samples that were sent, and that there were by the last `speech_end`.
    speech: AtomicUsize,
    said: AtomicUsize,
    of_other_size: AtomicBool,
    kill: watch::Sender<bool>,
}

/// Version, kind, zero, sequence number, time; then level, pitch, probability.
const HEADER: usize = 16;

async fn serve_engine(heard: Arc<Heard>) -> SocketAddr {
    serve_sockets(move |socket| {
        let heard = Arc::clone(&heard);
        async move {
            let mut killed = heard.kill.subscribe();
            tokio::select! {
                () = talk(socket, &heard) => {}
                _ = killed.wait_for(|killed| *killed) => {}
            }
        }
    })
    .await
}

/// Has `talk` talk on each connection of the hook's protocol.
pub(super) async fn serve_sockets<F>(
    talk: impl Fn(WebSocket) -> F + Clone + Send + Sync + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let upgrade = move |upgrade: WebSocketUpgrade| {
        let talk = talk.clone();
        async move { upgrade.protocols([SUBPROTOCOL]).on_upgrade(talk) }
    };
    let router = axum::Router::new().route("/", axum::routing::get(upgrade));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await.expect("it runs") });
    address
}

async fn talk(mut socket: WebSocket, heard: &Heard) {
    while let Some(Ok(message)) = socket.recv().await {
        match message {
            Message::Text(text) => {
                let event: Value = serde_json::from_str(&text).expect("JSON");
                let reply = match event["type"].as_str() {
                    Some("session_start") => {
                        let kind = &event["features"]["kind"];
                        assert!(kind == "log_mel" || kind == "none", "{kind}");
                        json!({"type": "ready", "version": 1, "features": true, "audio": true})
                    }
                    Some("speech_end") => {
                        let duration_ms = event["duration_ms"].as_u64().unwrap_or_default();
                        heard
                            .said
                            .store(16 * duration_ms as usize, Ordering::Relaxed);
                        json!({"type": "intent", "name": "wish", "confidence": 0.9})
                    }
                    _ => continue,
                };
                if socket.send(Message::text(reply.to_string())).await.is_err() {
                    return;
                }
            }
            Message::Binary(frame) if frame[1] == 1 => {
                heard.features.fetch_add(1, Ordering::Relaxed);
                let size = frame.len() - HEADER;
                heard
                    .of_other_size
                    .fetch_or(size != (3 + 80) * 4, Ordering::Relaxed);
            }
            Message::Binary(frame) if frame[1] == 2 => {
                heard
                    .speech
                    .fetch_add((frame.len() - HEADER) / 2, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

const SPEECH: &str = r##"# prompts: ask granted keys bye
start = "ask"
otherwise = "bye"
fallback = "keys"
[nodes.ask]
say = "ask"
listen = { intents = { wish = "granted" }, timeout = 30 }
[nodes.granted]
say = "granted"
next = "ask"
[nodes.keys]
say = "keys"
listen = { keys = { 1 = "bye" }, timeout = 30 }
[nodes.bye]
say = "bye"
hang_up = true
"##;

pub(super) fn spoken() -> Arc<Prompt> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/speech/command-en.wav");
    Prompt::from_wav(&std::fs::read(path).expect("the fixture")).expect("a WAV")
}

async fn site_with_engine(heard: &Arc<Heard>, flow: &str) -> Site {
    let address = serve_engine(Arc::clone(heard)).await;
    site_with(address.port(), LinkConfig::default(), flow).await
}

pub(super) async fn site_with(port: u16, link: LinkConfig, flow: &str) -> Site {
    let url = format!("ws://127.0.0.1:{port}/").parse().expect("a URL");
    let token = SecretString::from("opensesame");
    let endpoint = Endpoint::new(&url, Some(&token), Vec::new()).expect("loopback");
    let endpoint = Arc::new(endpoint);
    let parts = Parts {
        engines: Arc::new(move || {
            let endpoint = Arc::clone(&endpoint);
            Box::new(RemoteEngine::connect(endpoint, link.clone()))
        }),
        features: FeatureChoice::LogMel,
        ..Parts::new(script(flow).await)
    };
    let transport = TransportConfig {
        live: true,
        vad_frames: true,
        ..TransportConfig::default()
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let site = Site::with(any, parts, transport).await;
    site.expect("the site starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_hears_the_caller_and_its_death_leads_to_the_keys() {
    let heard = Arc::new(Heard::default());
    let site = site_with_engine(&heard, SPEECH).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("ask").await;
    caller.speak(spoken());
    caller.hears("granted").await;
    caller.hears("ask").await;
    assert!(heard.features.load(Ordering::Relaxed) > 100);
    assert!(!heard.of_other_size.load(Ordering::Relaxed));
    // The sentence is longer than a second.
    assert!(heard.speech.load(Ordering::Relaxed) > 16_000);
    heard.kill.send_replace(true);
    caller.hears("keys").await;
    caller.press("1");
    caller.hears("bye").await;
    caller.is_hung_up_on().await;
    site.stop().await;
}

const RESPONSE: &str = r##"# prompts: ask thanks bye
start = "ask"
otherwise = "bye"
MEDIA
[nodes.ask]
say = "ask"
record = { seconds = 60, next = "thanks" }
[nodes.thanks]
say = "thanks"
hang_up = true
[nodes.bye]
say = "bye"
hang_up = true
"##;

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_graph_recorded_reaches_the_engine() {
    let heard = Arc::new(Heard::default());
    let flow = RESPONSE.replace("MEDIA", "media = \"service\"");
    let site = site_with_engine(&heard, &flow).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("ask").await;
    caller.speak(spoken());
    caller.hears("thanks").await;
    caller.is_hung_up_on().await;
    // All of it, though faster than it was said.
    let (speech, said) = (&heard.speech, &heard.said);
    let (speech, said) = (speech.load(Ordering::Relaxed), said.load(Ordering::Relaxed));
    assert!(said > 16_000, "{said}");
    assert!(speech.abs_diff(said) < 16, "{speech} of {said}");
    site.stop().await;
}

/// An engine that only listens.
async fn attend(mut socket: WebSocket) {
    let ready = json!({"type": "ready", "version": 1, "audio": true}).to_string();
    if socket.send(Message::text(ready)).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_on_media_of_our_own_ends_with_its_key_or_a_pause() {
    let port = serve_sockets(attend).await.port();
    let flow = RESPONSE.replace("MEDIA", "");
    let site = site_with(port, LinkConfig::default(), &flow).await;
    for key in [None, Some("#")] {
        let mut caller = Person::calling(&site).await;
        caller.hears("ask").await;
        match key {
            Some(key) => caller.press(key),
            None => caller.speak(spoken()),
        }
        // Long before the 60 s that it may last.
        caller.hears("thanks").await;
        caller.is_hung_up_on().await;
    }
    site.stop().await;
}

const KEYS_ALONE: &str = r##"# prompts: ask wrong bye
start = "ask"
otherwise = "bye"
[nodes.ask]
say = "ask"
listen = { keys = { 1 = "bye" }, timeout = 30, retries = 0, on_invalid = "wrong" }
[nodes.wrong]
say = "wrong"
hang_up = true
[nodes.bye]
say = "bye"
hang_up = true
"##;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_talks_to_a_menu_of_keys_presses_nothing_wrong() {
    let site = site(KEYS_ALONE).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("ask").await;
    caller.speak(spoken());
    caller.until(|noticed| *noticed == Noticed::Spoke).await;
    // Until it is noticed that this was all.
    let silence = Prompt::from_samples(16_000, &vec![0.0; 24_000]);
    caller.speak(silence.expect("silence is a prompt"));
    caller.until(|noticed| *noticed == Noticed::Spoke).await;
    caller.press("1");
    caller.hears("bye").await;
    caller.is_hung_up_on().await;
    site.stop().await;
}

const LONG: &str = r##"# prompts: long granted
start = "ask"
otherwise = "end"
[nodes.ask]
say = "long"
listen = { intents = { wish = "granted" }, timeout = 30 }
[nodes.granted]
say = "granted"
hang_up = true
[nodes.end]
hang_up = true
"##;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_speaks_into_a_prompt_stops_it() {
    let heard = Arc::new(Heard::default());
    let site = site_with_engine(&heard, LONG).await;
    let mut caller = Person::calling(&site).await;
    caller.begins_to_hear("long").await;
    caller.speak(spoken());
    let cut = Noticed::Cut("long".to_owned());
    caller.until(|noticed| *noticed == cut).await;
    caller.hears("granted").await;
    caller.is_hung_up_on().await;
    site.stop().await;
}

/// The example worker in Python. Dropping it ends it.
struct Worker(Child, u16);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The worker on a free port; `None`, and the reason said, where it can't run.
fn sphinx() -> Option<Worker> {
    let python = std::env::var("SWITCHBOARD_PYTHON").unwrap_or_else(|_| "python3".into());
    let probe = Command::new(&python)
        .args(["-c", "import pocketsphinx, vaderSentiment, websockets"])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        super::skip::skipped(format!("{python} lacks fixtures/workers/requirements.txt"));
        return None;
    }
    let workers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/workers");
    let mut child = Command::new(python)
        .arg(workers.join("sphinx.py"))
        .arg("--grammar")
        .arg(workers.join("menu.gram"))
        .args(["--token", "opensesame", "--intent", "wish=forward,backward"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was there a moment ago");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let port = line
        .trim()
        .rsplit(' ')
        .next()
        .and_then(|port| port.parse().ok());
    Some(Worker(child, port.expect("the line ends with the port")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recogniser_understands_a_caller_in_a_real_call() {
    let Some(worker) = sphinx() else { return };
    // The recogniser's model takes its time to load where the machine is busy.
    let link = LinkConfig {
        ready_within: Duration::from_secs(30),
        analysis_queue: 1_000,
        ..LinkConfig::default()
    };
    let site = site_with(worker.1, link, SPEECH).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("ask").await;
    caller.speak(spoken());
    caller.hears("granted").await;
    caller.hang_up().await;
    caller.is_hung_up_on().await;
    site.stop().await;
}

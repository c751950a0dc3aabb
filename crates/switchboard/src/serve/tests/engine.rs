//! Engines in whole calls: what they hear, what their words lead to, and what becomes
//! of callers when they die.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
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
    speech: AtomicUsize,
    of_other_size: AtomicBool,
    kill: watch::Sender<bool>,
}

/// Version, kind, zero, sequence number, time; then level, pitch, probability.
const HEADER: usize = 16;

async fn serve_engine(heard: Arc<Heard>) -> SocketAddr {
    let upgrade = move |upgrade: WebSocketUpgrade| {
        let heard = Arc::clone(&heard);
        async move {
            let upgrade = upgrade.protocols([SUBPROTOCOL]);
            upgrade.on_upgrade(move |socket| async move {
                let mut killed = heard.kill.subscribe();
                tokio::select! {
                    () = talk(socket, &heard) => {}
                    _ = killed.wait_for(|killed| *killed) => {}
                }
            })
        }
    };
    let router = axum::Router::new().route("/", axum::routing::get(upgrade));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
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

fn spoken() -> Arc<Prompt> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/speech/command-en.wav");
    Prompt::from_wav(&std::fs::read(path).expect("the fixture")).expect("a WAV")
}

async fn site_with_engine(heard: &Arc<Heard>, flow: &str) -> Site {
    let address = serve_engine(Arc::clone(heard)).await;
    let url = format!("ws://{address}/").parse().expect("a URL");
    let endpoint = Arc::new(Endpoint::new(&url, None, Vec::new()).expect("loopback"));
    let parts = Parts {
        engines: Arc::new(move || {
            let endpoint = Arc::clone(&endpoint);
            Box::new(RemoteEngine::connect(endpoint, LinkConfig::default()))
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
media = "service"
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
    let site = site_with_engine(&heard, RESPONSE).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("ask").await;
    caller.speak(spoken());
    caller.hears("thanks").await;
    caller.is_hung_up_on().await;
    // The sentence, whatever Graph left of the silence around it.
    assert!(heard.speech.load(Ordering::Relaxed) > 16_000);
    site.stop().await;
}

//! What a turn of a conversation costs: speech is noticed, the prompt stops; speech
//! ends, the engine is told, its answer becomes audio.
//!
//! `cargo run -p switchboard-benches --example turns [CALLERS] [TURNS] [spoken|http]`: real
//! calls against the emulator in this process, some at a time, with an engine behind its
//! WebSocket that takes 50 ms to understand, which the table keeps apart from what is ours.
//! `spoken` answers are texts that eSpeak NG speaks, `http` ones that a service speaks which
//! has all its audio at once. Prints a table.

#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use secrecy::SecretString;
use serde_json::json;
use switchboard_bot::flow::Flow;
use switchboard_bot::speech::{HttpVoice, Synthesizer};
use switchboard_bot::{Bot, BotConfig, Cloud, Observation, Parts, PromptProgress, Script};
use switchboard_emulator::{
    App, Emulator, EmulatorConfig, PhoneCommand, PhoneEvent, PhoneRole, PromptState, TimelineEvent,
};
use switchboard_media::engine::{self, Ears, EngineConfig};
use switchboard_media::prompt::Prompt;
use switchboard_media::wav;
use switchboard_nlp::wire::{Endpoint, LinkConfig, RemoteEngine, SUBPROTOCOL};
use switchboard_transport::{Session, SessionEvent, Transport, TransportConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const FLOW: &str = r#"
start = "ask"
otherwise = "end"
[prompts]
long = { file = "long.wav" }
answer = { file = "answer.wav" }
[nodes.ask]
say = "long"
listen = { intents = { spoke = "answer" }, timeout = 60, on_engine_down = "end" }
[nodes.answer]
say = "answer"
interruptible = false
next = "ask"
[nodes.end]
hang_up = true
"#;

/// One turn under way.
#[derive(Default, Clone, Copy)]
struct Turn {
    /// The bot noticed speech.
    noticed: Option<Instant>,
    /// The caller last heard the prompt.
    last_voice: Option<Instant>,
    /// The bot noticed that it is over, so long after its end in media time.
    ended: Option<(Instant, Duration)>,
    /// The engine was told.
    told: Option<Instant>,
    /// The engine has answered.
    answered: Option<Instant>,
}

/// What is measured of a turn, in its order.
const PARTS: [&str; 6] = [
    "speech noticed → caller last hears the prompt",
    "end of speech → noticed, in media time",
    "noticed → engine told, by WebSocket",
    "engine told → it answers (the engine's)",
    "engine answers → first packet, by WebSocket",
    "noticed → first packet without the engine's part (ours)",
];

#[derive(Default)]
struct Book {
    turns: HashMap<String, Turn>,
    rows: Vec<[Duration; PARTS.len()]>,
}

type Shared = Arc<Mutex<Book>>;

fn with<R>(book: &Shared, act: impl FnOnce(&mut Book) -> R) -> R {
    act(&mut book.lock().unwrap_or_else(PoisonError::into_inner))
}

/// How long the engine takes to understand.
const UNDERSTANDING: Duration = Duration::from_millis(50);

/// An engine of `docs/nlp-wire.md` for every call.
async fn listen(listener: TcpListener, spoken: bool, book: Shared) -> Result<(), Failure> {
    let mut calls = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await?;
        calls.spawn(engine(tcp, spoken, Arc::clone(&book)));
    }
}

#[allow(clippy::result_large_err, reason = "tungstenite's callback")]
async fn engine(tcp: TcpStream, spoken: bool, book: Shared) -> Result<(), Failure> {
    tcp.set_nodelay(true)?;
    let check = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        if let Ok(protocol) = SUBPROTOCOL.parse() {
            let headers = response.headers_mut();
            headers.insert("sec-websocket-protocol", protocol);
        }
        Ok(response)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(tcp, check).await?;
    let mut call = String::new();
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else {
            continue;
        };
        let event: serde_json::Value = serde_json::from_str(&text)?;
        let intent = || json!({"type": "intent", "name": "spoke"});
        let reply = match event["type"].as_str() {
            Some("session_start") => {
                call = event["call"].as_str().unwrap_or_default().to_owned();
                json!({"type": "ready", "version": 1, "features": true})
            }
            Some("speech_end") => {
                with(&book, |book| {
                    book.turns.entry(call.clone()).or_default().told = Some(Instant::now());
                });
                tokio::time::sleep(UNDERSTANDING).await;
                with(&book, |book| {
                    book.turns.entry(call.clone()).or_default().answered = Some(Instant::now());
                });
                match spoken {
                    true => json!({"type": "say", "id": "answer", "interruptible": false,
                        "text": "That is good to hear."}),
                    false => intent(),
                }
            }
            Some("prompt_finished") if spoken && event["name"] == "answer" => intent(),
            _ => continue,
        };
        socket.send(Message::text(reply.to_string())).await?;
    }
    Ok(())
}

fn observe(book: &Shared, call: &str, observation: &Observation) {
    let now = Instant::now();
    with(book, |book| match observation {
        Observation::SpeechStart { .. } => {
            book.turns.entry(call.to_owned()).or_default().noticed = Some(now);
        }
        Observation::SpeechEnd { end, .. } => {
            let turn = book.turns.entry(call.to_owned()).or_default();
            turn.ended = Some((now, now.saturating_duration_since(*end)));
        }
        Observation::Prompt {
            name,
            progress: PromptProgress::Started,
        } if name == "answer" => {
            let turn = book.turns.insert(call.to_owned(), Turn::default());
            book.rows.extend(turn.and_then(|turn| turn.parts(now)));
        }
        _ => {}
    });
}

impl Turn {
    /// Its parts, the first packet being sent now.
    fn parts(self, now: Instant) -> Option<[Duration; PARTS.len()]> {
        let (ended, after) = self.ended?;
        let (told, answered) = (self.told?, self.answered?);
        let since = |later: Instant, earlier| later.saturating_duration_since(earlier);
        let (telling, theirs) = (since(told, ended), since(answered, told));
        let answering = since(now, answered);
        Some([
            since(self.last_voice?, self.noticed?),
            after,
            telling,
            theirs,
            answering,
            telling + answering,
        ])
    }
}

fn hum(seconds: f32) -> Vec<u8> {
    let count = (seconds * 16_000.0) as usize;
    let samples: Vec<f32> = (0..count).map(|n| 0.2 * (n as f32 / 12.0).sin()).collect();
    wav::write(16_000, &samples)
}

/// A caller who speaks into every long prompt.
async fn caller(
    emulator: Arc<Emulator>,
    transport: Transport,
    speech: Arc<Prompt>,
    book: Shared,
    turns: usize,
) -> Result<(), Failure> {
    let mut phone = emulator.phone("Caller", PhoneRole::Caller).await;
    let (offer, sdp) = transport.offer().await?;
    let target = "bot".to_owned();
    phone
        .commands
        .send(PhoneCommand::Dial { target, sdp })
        .await?;
    let mut offer = Some(offer);
    let (mut session, mut ears): (Option<Session>, Option<Ears>) = (None, None);
    let (mut call, mut speak_at, mut done) = (String::new(), None, 0);
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    loop {
        tokio::select! {
            event = phone.events.recv() => match event {
                Some(PhoneEvent::Dialing { call: id }) => call = id,
                Some(PhoneEvent::Answer { sdp, .. }) => if let Some(offer) = offer.take() {
                    let mut answered = offer.accept(&sdp).await?;
                    ears = answered.take_live().map(|live| live.ears);
                    if let Some(ears) = &mut ears {
                        ears.listen();
                    }
                    session = Some(answered);
                },
                Some(PhoneEvent::Timeline { event, .. }) => {
                    if let TimelineEvent::Prompt { name, state: PromptState::Started } = event.event {
                        match name.as_str() {
                            "long" => speak_at = Some(Instant::now() + Duration::from_millis(900)),
                            _ => done += 1,
                        }
                    }
                }
                Some(PhoneEvent::Ended { .. }) | None => return Ok(()),
                _ => {}
            },
            event = next(session.as_mut()) => if let SessionEvent::Closed(_) = event {
                return Ok(());
            },
            _ = tick.tick() => {
                let heard = ears.as_mut().is_some_and(hears_a_voice);
                if heard {
                    let now = Instant::now();
                    with(&book, |book| if let Some(turn) = book.turns.get_mut(&call)
                        && turn.ended.is_none() { turn.last_voice = Some(now); });
                }
                if speak_at.is_some_and(|at| at <= Instant::now()) {
                    speak_at = None;
                    if let Some(session) = &mut session {
                        session.play(Arc::clone(&speech))?;
                    }
                }
            }
        }
        if done == turns {
            phone
                .commands
                .send(PhoneCommand::Hangup { call: call.clone() })
                .await?;
            done += 1;
        }
    }
}

fn hears_a_voice(ears: &mut Ears) -> bool {
    let mut heard = false;
    while let Some(energy) = ears.receive(|_, samples| samples.iter().map(|x| x * x).sum::<f32>()) {
        heard |= energy > 0.05;
    }
    heard
}

async fn next(session: Option<&mut Session>) -> SessionEvent {
    match session {
        Some(session) => match session.event().await {
            Some(event) => event,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

fn number(place: usize, otherwise: usize) -> usize {
    let argument = std::env::args().nth(place);
    argument
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

/// Who speaks the answers; recordings if nobody does.
async fn voice() -> Result<Option<Synthesizer>, Failure> {
    match std::env::args().nth(3).as_deref() {
        None => Ok(None),
        Some("http") => {
            let hum = || async { wav::write(24_000, &vec![0.1; 24_000]) };
            let router = axum::Router::new().route("/speech", axum::routing::post(hum));
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let url = format!("http://{}/speech", listener.local_addr()?).parse()?;
            tokio::spawn(async move { axum::serve(listener, router).await });
            let (model, voice) = ("any".to_owned(), "any".to_owned());
            let voice = HttpVoice {
                url,
                model,
                voice,
                token: None,
            };
            Ok(Some(Synthesizer::http(voice)?))
        }
        Some(_) => Ok(Some(Synthesizer::espeak())),
    }
}

async fn script(synthesizer: Option<Synthesizer>) -> Result<Script, Failure> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("long.wav"), hum(8.0))?;
    std::fs::write(directory.path().join("answer.wav"), hum(0.4))?;
    let flow = match synthesizer {
        None => FLOW.to_owned(),
        Some(_) => {
            let again = "[nodes.answer]\nnext = \"ask\"\n[nodes.end]";
            let (head, _) = FLOW
                .split_once("[nodes.answer]")
                .ok_or("the flow has changed")?;
            format!("engine = {{ say = true }}{head}{again}\nhang_up = true\n")
        }
    };
    let flow = Flow::parse(&flow)?;
    let synthesizer = synthesizer.map(Arc::new);
    Ok(Script::load(Arc::new(flow), directory.path(), synthesizer).await?)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (callers, turns) = (number(1, 10), number(2, 50));
    let transport = TransportConfig {
        live: true,
        ..TransportConfig::default()
    };
    let transport = Transport::new(engine::Engine::start(EngineConfig::default())?, transport);
    let secret = SecretString::from("of this process");
    let app = App {
        tenant_id: "tenant".to_owned(),
        client_id: "client".to_owned(),
        client_secret: secret.clone(),
        webhook: None,
    };
    let listen = "127.0.0.1:0".parse()?;
    let config = EmulatorConfig::new(listen, transport.clone()).with_app(app);
    let emulator = Arc::new(Emulator::start(config).await?);
    let book = Shared::default();
    let bot = start_bot(&emulator, secret, transport.clone(), &book).await?;
    emulator.set_webhook("client", bot.webhook_url())?;
    // A second of speech with silence after it.
    let spoken = include_bytes!("../../fixtures/speech/command-en.wav");
    let spoken = wav::read(spoken)?;
    let mut samples = spoken.mono().to_vec();
    samples.truncate(spoken.rate as usize * 3 / 2);
    let speech = Prompt::from_samples(spoken.rate, &samples)?;
    let mut calls = JoinSet::new();
    for _ in 0..callers {
        let (emulator, transport) = (Arc::clone(&emulator), transport.clone());
        calls.spawn(caller(
            emulator,
            transport,
            Arc::clone(&speech),
            Arc::clone(&book),
            turns,
        ));
        tokio::time::sleep(Duration::from_millis(230)).await;
    }
    while let Some(ended) = calls.join_next().await {
        ended??;
    }
    bot.stop().await;
    with(&book, |book| print(&book.rows, callers));
    Ok(())
}

async fn start_bot(
    emulator: &Emulator,
    secret: SecretString,
    transport: Transport,
    book: &Shared,
) -> Result<Bot, Failure> {
    let bare = |url: url::Url| url.as_str().trim_end_matches('/').to_owned();
    let config = BotConfig {
        cloud: Cloud {
            graph: bare(emulator.graph_url()),
            authority: bare(emulator.authority_url()),
            openid_configuration: bare(emulator.openid_configuration_url()),
        },
        ..BotConfig::new("127.0.0.1:0".parse()?, "tenant", "client", secret)
    };
    let voice = voice().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/", listener.local_addr()?).parse()?;
    let endpoint = Arc::new(Endpoint::new(&url, None, Vec::new())?);
    tokio::spawn(listen(listener, voice.is_some(), Arc::clone(book)));
    let (watched, timeline) = (Arc::clone(book), emulator.timeline());
    let parts = Parts {
        engines: Arc::new(move || {
            let endpoint = Arc::clone(&endpoint);
            Box::new(RemoteEngine::connect(endpoint, LinkConfig::default()))
        }),
        observer: Arc::new(move |call, observation| {
            observe(&watched, call, &observation);
            if let Observation::Prompt {
                name,
                progress: PromptProgress::Started,
            } = observation
            {
                let state = PromptState::Started;
                timeline.publish(call, TimelineEvent::Prompt { name, state });
            }
        }),
        ..Parts::new(script(voice).await?)
    };
    Ok(Bot::start(config, transport, parts).await?)
}

fn print(rows: &[[Duration; PARTS.len()]], callers: usize) {
    println!("{} turns of {callers} callers at a time, ms", rows.len());
    println!("| | p50 | p99 | max |\n|---|---|---|---|");
    for (index, name) in PARTS.iter().enumerate() {
        let mut column: Vec<f64> = rows
            .iter()
            .map(|row| row[index].as_secs_f64() * 1e3)
            .collect();
        column.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (column.len().saturating_sub(1) as f64 * share).round() as usize;
            column.get(place).copied().unwrap_or(f64::NAN)
        };
        println!(
            "| {name} | {:.1} | {:.1} | {:.1} |",
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}

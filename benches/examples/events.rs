//! How soon an engine is told: a frame of a caller's audio reaches the bot, the event that it
//! causes reaches the engine's WebSocket.
//!
//! `cargo run --release -p switchboard-benches --example events [CALLS] [SECONDS]`: calls whose
//! media comes by a WebSocket, so that it is known to the microsecond when a frame is there;
//! real sockets, everything in this process. Prints a table.

#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use secrecy::SecretString;
use switchboard_bot::flow::Flow;
use switchboard_bot::{AzureMedia, Bot, BotConfig, Cloud, FeatureChoice, Parts, Script};
use switchboard_media::engine::{self, EngineConfig};
use switchboard_media::{resample, wav};
use switchboard_nlp::Event;
use switchboard_nlp::adapter::acs::{self, Metadata};
use switchboard_nlp::wire::{Endpoint, LinkConfig, RemoteEngine, SUBPROTOCOL, decode_analysis};
use switchboard_transport::{Transport, TransportConfig};
use time::OffsetDateTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const FLOW: &str = r#"
start = "ask"
otherwise = "ask"
[prompts]
hum = { file = "hum.wav" }
[nodes.ask]
say = "hum"
listen = { keys = { 1 = "wait" }, timeout = 600, on_timeout = "end", on_engine_down = "end" }
[nodes.wait]
listen = { keys = { 1 = "wait" }, timeout = 600, on_timeout = "end", on_engine_down = "end" }
[nodes.end]
hang_up = true
"#;
const READY: &str = r#"{"type":"ready","version":1,"features":true}"#;
const FRAME_MS: u64 = 20;
/// Bytes of a frame at 16 kHz.
const FRAME: usize = 640;
/// Frames from one word to the next: 2.6 s.
const ROUND: usize = 130;
/// Which of them the key comes after.
const KEY: usize = 120;

/// What was caused.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Features,
    Speech,
    Digit,
}

/// What was sent of one call, and what has come of all.
#[derive(Default)]
struct Book {
    sent: Vec<Vec<Instant>>,
    keys: Vec<Option<Instant>>,
    came: Vec<(Kind, Duration)>,
}

type Shared = Arc<Mutex<Book>>;

fn with<R>(book: &Shared, act: impl FnOnce(&mut Book) -> R) -> R {
    act(&mut book.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Book {
    fn begin(&mut self) -> usize {
        self.sent.push(Vec::new());
        self.keys.push(None);
        self.sent.len() - 1
    }

    /// An event of `call` came now. Speech is caused by the newest frame there is.
    fn took(&mut self, call: usize, event: &Event) {
        let now = Instant::now();
        let sent = &self.sent[call];
        let (kind, cause) = match event {
            Event::Features(one) => {
                let frame = one.with(|one| one.t_ms) / FRAME_MS;
                (Kind::Features, sent.get(frame as usize).copied())
            }
            Event::Digits(_) => (Kind::Digit, self.keys[call].take()),
            _ => (Kind::Speech, sent.last().copied()),
        };
        let after = cause.map(|cause| (kind, now.saturating_duration_since(cause)));
        self.came.extend(after);
    }
}

/// An engine that says nothing.
async fn listen(listener: TcpListener, book: Shared) -> Result<(), Failure> {
    let mut calls = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await?;
        let (book, call) = (Arc::clone(&book), calls.len());
        calls.spawn(async move { engine(tcp, book, call).await });
    }
}

#[allow(clippy::result_large_err, reason = "tungstenite's callback")]
async fn engine(tcp: TcpStream, book: Shared, call: usize) -> Result<(), Failure> {
    tcp.set_nodelay(true)?;
    let check = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        if let Ok(protocol) = SUBPROTOCOL.parse() {
            response
                .headers_mut()
                .insert("sec-websocket-protocol", protocol);
        }
        Ok(response)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(tcp, check).await?;
    socket.send(Message::text(READY)).await?;
    while let Some(message) = socket.next().await {
        let event = match message? {
            Message::Binary(bytes) => decode_analysis(&bytes)?.1,
            Message::Text(text) if text.contains("\"speech_") => Event::SpeechStart { t_ms: 0 },
            Message::Text(text) if text.contains("\"digits\"") => {
                Event::Digits(switchboard_nlp::Digits::secret())
            }
            _ => continue,
        };
        with(&book, |book| book.took(call, &event));
    }
    Ok(())
}

/// A caller who says a word and presses a key every 2.6 s.
async fn caller(bot: url::Url, book: Shared, call: usize, seconds: usize) -> Result<(), Failure> {
    let address = (
        bot.host_str().ok_or("no host")?,
        bot.port().ok_or("no port")?,
    );
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let url = bot.join("/api/media/azure")?;
    let mut request = url
        .as_str()
        .replacen("http", "ws", 1)
        .into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("authorization", "Bearer opensesame".parse()?);
    let (mut socket, _) = tokio_tungstenite::client_async(request, tcp).await?;
    let metadata = acs::metadata(&Metadata {
        subscription_id: "s1".to_owned(),
        sample_rate: 16_000,
        length: Some(FRAME as u32),
    });
    socket.send(Message::text(metadata.as_str())).await?;
    let word = word()?;
    let mut tick = tokio::time::interval(Duration::from_millis(FRAME_MS));
    for frame in 0..seconds * 50 {
        tokio::select! {
            _ = tick.tick() => {}
            // What the bot says is nothing to us, but must be taken.
            () = async { while socket.next().await.is_some() {} } => return Ok(()),
        }
        let pcm = word.get(frame % ROUND * FRAME..).unwrap_or_default();
        let mut heard = [0; FRAME];
        let len = pcm.len().min(FRAME);
        heard[..len].copy_from_slice(&pcm[..len]);
        let message = acs::audio(&heard, OffsetDateTime::now_utc(), None, false);
        with(&book, |book| book.sent[call].push(Instant::now()));
        socket.send(Message::text(message.as_str())).await?;
        if frame % ROUND == KEY {
            with(&book, |book| book.keys[call] = Some(Instant::now()));
            socket.send(Message::text(acs::dtmf('1').as_str())).await?;
        }
    }
    Ok(socket.close(None).await?)
}

/// A second of speech, little-endian.
fn word() -> Result<Vec<u8>, Failure> {
    let spoken = wav::read(include_bytes!("../../fixtures/speech/command-en.wav"))?;
    let mut samples = resample::to_16k(spoken.rate, &spoken.mono())?.to_vec();
    samples.truncate(16_000 * 3 / 2);
    let bytes = samples
        .iter()
        .flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes());
    Ok(bytes.collect())
}

async fn start_bot(engine: std::net::SocketAddr) -> Result<Bot, Failure> {
    let nowhere = || "http://127.0.0.1:9".to_owned();
    let cloud = Cloud {
        graph: nowhere(),
        authority: nowhere(),
        openid_configuration: nowhere(),
    };
    let secret = SecretString::from("of this process");
    let config = BotConfig {
        cloud,
        ..BotConfig::new("127.0.0.1:0".parse()?, "tenant", "client", secret)
    };
    let transport = TransportConfig {
        live: true,
        vad_frames: true,
        guard_echo: true,
        ..TransportConfig::default()
    };
    let media = engine::Engine::start(EngineConfig::default())?;
    let directory = tempfile::tempdir()?;
    let hum: Vec<f32> = (0..4_800).map(|n| 0.1 * (n as f32 / 12.0).sin()).collect();
    std::fs::write(directory.path().join("hum.wav"), wav::write(16_000, &hum))?;
    let script = Script::load(Arc::new(Flow::parse(FLOW)?), directory.path(), None).await?;
    let url = format!("ws://{engine}/").parse()?;
    let endpoint = Arc::new(Endpoint::new(&url, None, Vec::new())?);
    let parts = Parts {
        azure: Some(AzureMedia::Token("opensesame".to_owned().into())),
        engines: Arc::new(move || {
            let endpoint = Arc::clone(&endpoint);
            Box::new(RemoteEngine::connect(endpoint, LinkConfig::default()))
        }),
        features: FeatureChoice::LogMel,
        ..Parts::new(script)
    };
    Ok(Bot::start(config, Transport::new(media, transport), parts).await?)
}

fn number(place: usize, otherwise: usize) -> usize {
    let argument = std::env::args().nth(place);
    argument
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (calls, seconds) = (number(1, 20), number(2, 70));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let book = Shared::default();
    let engine = tokio::spawn(listen(listener, Arc::clone(&book)));
    let bot = start_bot(address).await?;
    let mut callers = JoinSet::new();
    for _ in 0..calls {
        let call = with(&book, Book::begin);
        let (url, book) = (bot.webhook_url().clone(), Arc::clone(&book));
        callers.spawn(caller(url, book, call, seconds));
        // One after another: engines are numbered as they come.
        tokio::time::sleep(Duration::from_millis(230)).await;
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    bot.stop().await;
    engine.abort();
    with(&book, |book| print(&book.came, calls));
    Ok(())
}

fn print(came: &[(Kind, Duration)], calls: usize) {
    println!("{calls} calls at a time, ms");
    println!("| | events | p50 | p99 | max |\n|---|---|---|---|---|");
    for (kind, name) in [
        (Kind::Speech, "speech begins, ends"),
        (Kind::Digit, "digits"),
        (Kind::Features, "features, every 20 ms"),
    ] {
        let mine = came.iter().filter(|(one, _)| *one == kind);
        let mut column: Vec<f64> = mine.map(|(_, after)| after.as_secs_f64() * 1e3).collect();
        column.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (column.len().saturating_sub(1) as f64 * share).round() as usize;
            column.get(place).copied().unwrap_or(f64::NAN)
        };
        println!(
            "| {name} | {} | {:.1} | {:.1} | {:.1} |",
            column.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}

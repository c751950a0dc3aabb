//! The hook against real WebSocket servers on loopback.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test program")]

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use secrecy::SecretString;
use switchboard_nlp::wire::{
    Endpoint, LinkConfig, RemoteEngine, SUBPROTOCOL, decode_analysis, roots_in,
};
use switchboard_nlp::{
    Digits, Engine, Event, Features, Health, Reply, SessionStart, SpeechFrame, Transient,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use url::Url;

const READY: &str = r#"{"type":"ready","version":1,"features":true}"#;

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it happens soon")
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Accepts one connection that names token and protocol.
#[allow(clippy::result_large_err, reason = "tungstenite's callback")]
async fn accept<S: AsyncRead + AsyncWrite + Unpin>(socket: S) -> WebSocketStream<S> {
    let check = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("authorization"), "Bearer opensesame");
        assert_eq!(header("sec-websocket-protocol"), SUBPROTOCOL);
        let protocol = SUBPROTOCOL.parse().unwrap();
        response
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        Ok(response)
    };
    tokio_tungstenite::accept_hdr_async(socket, check)
        .await
        .unwrap()
}

fn endpoint(url: &str, roots: Vec<CertificateDer<'static>>) -> Arc<Endpoint> {
    let token = SecretString::from("opensesame");
    Arc::new(Endpoint::new(&Url::parse(url).unwrap(), Some(&token), roots).unwrap())
}

fn connect(address: SocketAddr) -> RemoteEngine {
    RemoteEngine::connect(
        endpoint(&format!("ws://{address}/"), Vec::new()),
        LinkConfig::default(),
    )
}

fn tell(engine: &mut RemoteEngine, event: &Event) {
    engine.handle(event, &mut |_| {
        panic!("a remote engine never answers at once")
    });
}

fn start(engine: &mut RemoteEngine) {
    let start = SessionStart {
        call: "c1".into(),
        language: "en-US".into(),
        ..SessionStart::default()
    };
    tell(engine, &Event::SessionStart(start));
}

fn frame(t_ms: u64, values: usize) -> Event {
    Event::Features(Transient::new(Features {
        t_ms,
        vector: vec![0.25; values].into(),
        ..Features::default()
    }))
}

async fn reply(engine: &mut RemoteEngine) -> Reply {
    soon(poll_fn(|context| engine.poll_reply(context))).await
}

async fn expect_health(engine: &mut RemoteEngine, expected: Health) {
    assert!(matches!(reply(engine).await, Reply::Health(health) if health == expected));
}

async fn control<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> serde_json::Value {
    match soon(socket.next()).await.unwrap().unwrap() {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("not control: {} bytes", other.len()),
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

#[tokio::test]
async fn a_call_is_told_and_answered_in_order() {
    let (listener, address) = listener().await;
    let mut engine = connect(address);
    start(&mut engine);
    let mut socket = accept(listener.accept().await.unwrap().0).await;
    let first = control(&mut socket).await;
    assert_eq!(
        (&first["type"], &first["call"]),
        (&"session_start".into(), &"c1".into())
    );
    say(&mut socket, READY).await;
    expect_health(&mut engine, Health::Up).await;

    tell(&mut engine, &frame(10, 80));
    let samples = SpeechFrame {
        t_ms: 10,
        samples: Box::new([1; 160]),
    };
    tell(&mut engine, &Event::Speech(Transient::new(samples)));
    tell(&mut engine, &Event::Digits(Digits::open("42".into())));
    let Some(Ok(Message::Binary(bytes))) = soon(socket.next()).await else {
        panic!("no frame")
    };
    assert!(matches!(
        decode_analysis(&bytes),
        Ok((1, Event::Features(features))) if features.with(|features| features.t_ms == 10 && features.vector.len() == 80)
    ));
    // The samples were not asked for.
    assert_eq!(control(&mut socket).await["digits"], "42");

    say(&mut socket, r#"{"type":"final","text":"two beers"}"#).await;
    say(&mut socket, "nonsense").await;
    say(&mut socket, r#"{"type":"intent","name":"order"}"#).await;
    assert!(
        matches!(reply(&mut engine).await, Reply::Text(said) if said.text.with(|text| text == "two beers"))
    );
    assert!(reply(&mut engine).await.is_intent("order"));
    assert_eq!(engine.counters().malformed, 1);

    drop(engine);
    assert_eq!(control(&mut socket).await["type"], "session_end");
    assert!(matches!(
        soon(socket.next()).await,
        Some(Ok(Message::Close(_)))
    ));
}

#[tokio::test]
async fn an_engine_killed_in_mid_call_is_missed_and_welcomed_back() {
    let (listener, address) = listener().await;
    let mut engine = connect(address);
    start(&mut engine);
    let mut socket = accept(listener.accept().await.unwrap().0).await;
    control(&mut socket).await;
    say(&mut socket, READY).await;
    expect_health(&mut engine, Health::Up).await;
    drop(socket);
    expect_health(&mut engine, Health::Down).await;
    let mut socket = accept(soon(listener.accept()).await.unwrap().0).await;
    let again = control(&mut socket).await;
    assert_eq!(
        (&again["resumed"], &again["call"]),
        (&true.into(), &"c1".into())
    );
    say(&mut socket, READY).await;
    expect_health(&mut engine, Health::Up).await;
    assert_eq!(engine.counters().lost, 1);
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let (listener, address) = listener().await;
    drop(listener);
    let mut engine = connect(address);
    start(&mut engine);
    expect_health(&mut engine, Health::Down).await;
}

#[tokio::test]
async fn an_engine_that_reads_nothing_costs_frames_and_no_time() {
    let (listener, address) = listener().await;
    let mut engine = connect(address);
    start(&mut engine);
    let mut socket = accept(listener.accept().await.unwrap().0).await;
    control(&mut socket).await;
    say(&mut socket, READY).await;
    expect_health(&mut engine, Health::Up).await;
    // 64 MB: more than the sockets' buffers hold. The loop never waits.
    for t_ms in 0..4_000 {
        tell(&mut engine, &frame(t_ms, 4_000));
        tokio::task::yield_now().await;
    }
    tell(&mut engine, &Event::SpeechStart { t_ms: 4_000 });
    assert!(engine.counters().dropped > 0);
    // What was kept still arrives in order, the newest frame and all control included.
    let (mut last, mut missing) = (0, 0);
    loop {
        match soon(socket.next()).await.unwrap().unwrap() {
            Message::Binary(bytes) => {
                let (sequence, _) = decode_analysis(&bytes).unwrap();
                assert!(sequence > last);
                missing += u64::from(sequence - last - 1);
                last = sequence;
            }
            Message::Text(text) => break assert!(text.contains("speech_start")),
            _ => {}
        }
    }
    assert_eq!(last, 4_000);
    assert_eq!(missing, engine.counters().dropped);
    assert_eq!(missing, engine.dropped(), "whoever has the engine can tell");
}

fn tls_server() -> (Vec<CertificateDer<'static>>, ServerConfig) {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let secret = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], secret)
        .unwrap();
    // As an operator gives it, among what is no certificate.
    let pem = format!("# ours\n{}", key.cert.pem());
    (roots_in(pem.as_bytes()).unwrap(), config)
}

#[tokio::test]
async fn tls_is_spoken_with_a_trusted_engine_only() {
    let (listener, address) = listener().await;
    let url = format!("wss://localhost:{}/", address.port());
    let (certificates, config) = tls_server();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));

    let mut stranger = RemoteEngine::connect(endpoint(&url, Vec::new()), LinkConfig::default());
    start(&mut stranger);
    let socket = listener.accept().await.unwrap().0;
    assert!(
        acceptor.accept(socket).await.is_err(),
        "an unknown certificate was accepted"
    );
    expect_health(&mut stranger, Health::Down).await;
    drop(stranger);

    let mut engine = RemoteEngine::connect(endpoint(&url, certificates), LinkConfig::default());
    start(&mut engine);
    let socket = loop {
        // A last attempt of the stranger may come in between.
        if let Ok(socket) = acceptor.accept(listener.accept().await.unwrap().0).await {
            break socket;
        }
    };
    let mut socket = accept(socket).await;
    assert_eq!(control(&mut socket).await["type"], "session_start");
    say(&mut socket, READY).await;
    expect_health(&mut engine, Health::Up).await;
}

#[test]
fn what_holds_no_certificate_is_refused() {
    for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n", "no certificate"] {
        assert!(roots_in(pem.as_bytes()).is_err(), "{pem}");
    }
}

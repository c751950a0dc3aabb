//! The example worker: a real recogniser in Python understands recorded speech.
//!
//! Runs where Python has `fixtures/workers/requirements.txt` installed; the
//! variable `SWITCHBOARD_PYTHON` names an interpreter that is not `python3`.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test program")]

#[path = "../../../tests/src/skip.rs"]
#[allow(unreachable_pub)]
mod skip;

use std::future::poll_fn;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use switchboard_nlp::wire::{Endpoint, LinkConfig, RemoteEngine};
use switchboard_nlp::{Engine, Event, Health, Reply, SessionStart, SpeechFrame, Transient};
use url::Url;

use skip::skipped;

struct Worker(Child, u16);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(name)
}

/// Python with some modules; `None`, and the reason said, where it hasn't got them.
fn python(modules: &str) -> Option<Command> {
    let python = std::env::var("SWITCHBOARD_PYTHON").unwrap_or_else(|_| "python3".into());
    let probe = Command::new(&python)
        .args(["-c", &format!("import {modules}")])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        skipped(format!("{python} lacks fixtures/workers/requirements.txt"));
        return None;
    }
    Some(Command::new(python))
}

/// The worker on a free port, where it can run.
fn worker() -> Option<Worker> {
    let mut child = python("pocketsphinx, vaderSentiment, websockets")?
        .arg(fixture("workers/sphinx.py"))
        .arg("--grammar")
        .arg(fixture("workers/menu.gram"))
        .args([
            "--token",
            "opensesame",
            "--intent",
            "move=forward,backward",
            "--intent",
            "stop=halt",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let port = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
    Some(Worker(child, port))
}

/// The samples of a 16 kHz, mono, 16-bit WAV whose header has 44 bytes.
fn samples(name: &str) -> Vec<i16> {
    let wav = std::fs::read(fixture(name)).unwrap();
    assert_eq!(&wav[36..40], b"data");
    assert_eq!(wav[24..28], 16_000u32.to_le_bytes());
    wav[44..]
        .as_chunks()
        .0
        .iter()
        .map(|sample| i16::from_le_bytes(*sample))
        .collect()
}

fn connect(port: u16, token: &str) -> RemoteEngine {
    let url = Url::parse(&format!("ws://127.0.0.1:{port}/")).unwrap();
    let endpoint = Endpoint::new(&url, Some(&SecretString::from(token)), Vec::new()).unwrap();
    // The recogniser's model takes its time to load where the machine is busy.
    let config = LinkConfig {
        ready_within: Duration::from_secs(30),
        analysis_queue: 1_000,
        ..LinkConfig::default()
    };
    let mut engine = RemoteEngine::connect(Arc::new(endpoint), config);
    engine.handle(&Event::SessionStart(SessionStart::default()), &mut |_| {});
    engine
}

async fn reply(engine: &mut RemoteEngine) -> Reply {
    let reply = poll_fn(|context| engine.poll_reply(context));
    tokio::time::timeout(Duration::from_secs(60), reply)
        .await
        .expect("the worker answers")
}

#[tokio::test]
async fn spoken_words_become_text_mood_and_intent() {
    let Some(worker) = worker() else { return };
    let mut stranger = connect(worker.1, "wrong");
    assert!(matches!(
        reply(&mut stranger).await,
        Reply::Health(Health::Down)
    ));
    drop(stranger);

    let mut engine = connect(worker.1, "opensesame");
    assert!(matches!(
        reply(&mut engine).await,
        Reply::Health(Health::Up)
    ));
    let samples = samples("speech/command-en.wav");
    for (index, chunk) in samples.chunks(320).enumerate() {
        let frame = SpeechFrame {
            t_ms: index as u64 * 20,
            samples: chunk.into(),
        };
        engine.handle(&Event::Speech(Transient::new(frame)), &mut |_| {});
    }
    let duration_ms = samples.len() as u64 / 16;
    engine.handle(
        &Event::SpeechEnd {
            t_ms: duration_ms,
            duration_ms,
        },
        &mut |_| {},
    );
    let Reply::Sentiment(mood) = reply(&mut engine).await else {
        panic!("no mood first")
    };
    assert!(mood.with(|mood| mood.score == 0.0), "a plain command");
    let Reply::Text(said) = reply(&mut engine).await else {
        panic!("no text after the mood")
    };
    // One of Sphinx's own test recordings.
    said.text.with(|text| {
        assert!(
            said.is_final && text.contains("go forward ten meters"),
            "{text}"
        );
    });
    assert!(reply(&mut engine).await.is_intent("move"));
    assert_eq!(engine.counters().dropped, 0);
}

#[tokio::test]
async fn the_manuals_engine_notices_that_somebody_spoke() {
    let Some(mut python) = python("websockets") else {
        return;
    };
    let manual = std::fs::read_to_string(fixture("../docs/nlp-wire.md")).unwrap();
    let (_, rest) = manual.split_once("```python\n").unwrap();
    let (program, _) = rest.split_once("```").unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    assert!(program.contains("8500"));
    let program = program.replace("8500", &port.to_string());
    let child = python.args(["-c", &program]).spawn().unwrap();
    let worker = Worker(child, port);

    let mut engine = connect(worker.1, "");
    // It takes Python its time to begin.
    while !matches!(reply(&mut engine).await, Reply::Health(Health::Up)) {}
    let said = |duration_ms| Event::SpeechEnd {
        t_ms: 2_000,
        duration_ms,
    };
    engine.handle(&said(300), &mut |_| {});
    engine.handle(&said(900), &mut |_| {});
    assert!(reply(&mut engine).await.is_intent("spoke"));
    let more = tokio::time::timeout(Duration::from_millis(300), reply(&mut engine));
    assert!(more.await.is_err(), "a cough is nothing said");
}

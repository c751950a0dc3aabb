//! What a call costs the answering side: N two-way calls over loopback between
//! two processes, CPU time by thread.
//!
//! `cargo run --release -p switchboard-transport --example calls -- 100 10`

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_media::prompt::Prompt;
use switchboard_transport::whip::{MediaBlob, WhipClient, WhipEndpoint};
use switchboard_transport::{Session, SessionEvent, Transport, TransportConfig};
use tokio::net::TcpListener;
use url::Url;

/// Before the measurement, so that jitter buffers have found their delay.
const SETTLE: Duration = Duration::from_secs(2);

fn transport() -> Transport {
    let engine = Engine::start(EngineConfig {
        workers: 1,
        ..EngineConfig::default()
    })
    .unwrap();
    Transport::new(engine, TransportConfig::default())
}

fn hum() -> std::sync::Arc<Prompt> {
    let step = 2.0 * std::f32::consts::PI * 440.0 / 16_000.0;
    let samples: Vec<f32> = (0..16_000 * 120)
        .map(|n| 0.3 * (n as f32 * step).sin())
        .collect();
    Prompt::from_samples(16_000, &samples).unwrap()
}

/// Nanoseconds on a CPU so far, by thread name.
fn cpu() -> BTreeMap<String, u64> {
    let mut times = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file));
        let (Ok(name), Ok(stat)) = (read("comm"), read("schedstat")) else {
            continue;
        };
        let nanos: u64 = stat.split(' ').next().unwrap().parse().unwrap();
        *times.entry(name.trim().to_owned()).or_default() += nanos;
    }
    times
}

async fn connected(session: &mut Session) {
    while let Some(event) = session.event().await {
        if event == SessionEvent::Connected {
            return;
        }
    }
}

async fn caller() {
    let transport = transport();
    let client = WhipClient::new().unwrap();
    let prompt = hum();
    let mut calls = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        if line == "go" {
            break;
        }
        let blob = MediaBlob::parse(&line).unwrap();
        let (offer, sdp) = transport.offer().await.unwrap();
        let answer = client.offer(&blob, &sdp).await.unwrap();
        let mut session = offer.accept(&answer.sdp).await.unwrap();
        connected(&mut session).await;
        session.play(prompt.clone()).unwrap();
        calls.push(tokio::spawn(async move {
            while session.event().await.is_some() {}
        }));
    }
    std::future::pending::<()>().await;
}

async fn bot(calls: usize, seconds: u64) {
    let transport = transport();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let endpoint = WhipEndpoint::new(transport.clone(), base);
    let router = endpoint.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("caller")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to_child = child.stdin.take().unwrap();
    let prompt = hum();
    let (report, mut stats) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..calls {
        let mut reservation = endpoint.reserve();
        writeln!(to_child, "{}", reservation.blob().to_wire()).unwrap();
        let mut session = reservation.session().await.unwrap();
        connected(&mut session).await;
        session.play(prompt.clone()).unwrap();
        let report = report.clone();
        tokio::spawn(async move {
            let mut events = 0u64;
            while session.event().await.is_some() {
                events += 1;
                let _ = report.send((session.stats(), events));
            }
        });
    }
    writeln!(to_child, "go").unwrap();
    tokio::time::sleep(SETTLE).await;
    let before = cpu();
    let started = std::time::Instant::now();
    // The span that is measured.
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let elapsed = started.elapsed().as_secs_f64();
    let after = cpu();
    child.kill().unwrap();
    let _ = child.wait();
    let mut total = 0.0;
    for (name, nanos) in &after {
        let used = (nanos - before.get(name).unwrap_or(&0)) as f64 / 1e6;
        total += used;
        println!(
            "{name:>18}: {:7.3} ms per call-second",
            used / elapsed / calls as f64
        );
    }
    println!(
        "{calls} calls, {elapsed:.1} s: {:.3} ms per call-second",
        total / elapsed / calls as f64
    );
    let mut last = None;
    while let Ok(stat) = stats.try_recv() {
        last = Some(stat);
    }
    println!("one call: {last:?}");
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|a| a == "caller") {
        return caller().await;
    }
    let number =
        |index: usize, default: u64| arguments.get(index).map_or(default, |a| a.parse().unwrap());
    bot(number(0, 50) as usize, number(1, 10)).await;
}

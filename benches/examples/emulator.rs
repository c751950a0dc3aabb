//! What the emulator costs a test suite: from start to ready, idle, and for each request.
//!
//! `cargo run --release -p switchboard-benches --example emulator target/release/switchboard
//! [STARTS] [SECONDS]`: starts the program so many times, then leaves one alone for so many
//! seconds, then asks it as fast as it answers, by one connection and by eight, in the clear and
//! over TLS. Prints a table.
//! Linux alone: CPU time is read from `/proc`.

#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::RsaKeyPair;
use reqwest::{Certificate, Client, ClientBuilder, Request};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Each way of asking is measured for so long.
const SPAN: Duration = Duration::from_secs(5);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Clock ticks of `/proc/PID/stat` in a second (Linux, `USER_HZ`).
const TICKS: f64 = 100.0;

/// An emulator that runs; dropping it ends it.
struct Running {
    child: Child,
    ready: Value,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().ok_or("the program's path is missing")?;
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse());
    let (starts, seconds) = (number(10)?, number(30)?);
    let mut ready = Vec::new();
    let mut keys = Vec::new();
    for _ in 0..starts {
        let begun = Instant::now();
        drop(start(&program, &[])?);
        ready.push(begun.elapsed());
        let begun = Instant::now();
        RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| "no key")?;
        keys.push(begun.elapsed());
    }
    println!("start to ready, {starts} starts: {}", spread(&mut ready));
    println!(
        "of that an RSA key of 2048 bits: about {}",
        spread(&mut keys)
    );
    let running = start(&program, &[])?;
    let before = cpu(&running)?;
    // The span that is measured.
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let idle = (cpu(&running)? - before) / seconds as f64 * 100.0;
    println!("idle for {seconds} s: {idle:.2} % of a core");
    let secured = Secured::new()?;
    let over_tls = start(&program, &secured.flags)?;
    let kept = secured.client().build()?;
    let fresh = secured.client().pool_max_idle_per_host(0).build()?;
    for at_a_time in [1, 8] {
        for (how, running, http) in [
            ("HTTP", &running, &kept),
            ("HTTPS", &over_tls, &kept),
            ("HTTPS, a handshake for each", &over_tls, &fresh),
        ] {
            let (rate, p99) = ask(running, http, at_a_time).await?;
            println!("{at_a_time} at a time, {how}: {rate:.0} requests/s, p99 {p99:.1?}");
        }
    }
    Ok(())
}

/// A certificate of its own, and clients that trust it.
struct Secured {
    flags: Vec<String>,
    trusting: Certificate,
    _directory: TempDir,
}

impl Secured {
    fn new() -> Result<Self, Failure> {
        let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
        let directory = tempfile::tempdir()?;
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("own.pem"), own.cert.pem())?;
        std::fs::write(path("key.pem"), own.signing_key.serialize_pem())?;
        let flag = |flag: &str, name| format!("{flag}={}", path(name).display());
        Ok(Self {
            flags: vec![
                flag("--tls-certificate", "own.pem"),
                flag("--tls-key", "key.pem"),
            ],
            trusting: Certificate::from_pem(own.cert.pem().as_bytes())?,
            _directory: directory,
        })
    }

    fn client(&self) -> ClientBuilder {
        let trusted = [self.trusting.clone()];
        Client::builder().no_proxy().tls_certs_only(trusted)
    }
}

fn start(program: &str, flags: &[String]) -> Result<Running, Failure> {
    let mut child = Command::new(program)
        .args(["emulate", "--listen=127.0.0.1:0"])
        .args(flags)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let ready = serde_json::from_str(&line)?;
    Ok(Running { child, ready })
}

fn spread(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |place: usize| times.get(place).copied().unwrap_or_default();
    let (median, longest) = (at(times.len() / 2), at(times.len().saturating_sub(1)));
    format!("median {median:.0?}, longest {longest:.0?}")
}

/// Seconds of CPU time so far.
fn cpu(running: &Running) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", running.child.id()))?;
    // What follows the name, which may hold spaces: utime and stime are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS)
}

/// What asks for a call that is not there, which takes the token, the judge, the faults and the
/// journal.
async fn question(running: &Running, http: &Client) -> Result<Request, Failure> {
    let told = |name: &str| running.ready[name].as_str().unwrap_or_default().to_owned();
    let form = [
        ("client_id", told("client_id")),
        ("client_secret", told("client_secret")),
        ("scope", "https://graph.microsoft.com/.default".to_owned()),
        ("grant_type", "client_credentials".to_owned()),
    ];
    let token = http.post(told("token_url")).form(&form).send().await?;
    let token: Value = token.json().await?;
    let token = token["access_token"].as_str().unwrap_or_default();
    let url = format!("{}/communications/calls/none", told("graph"));
    Ok(http.get(&url).bearer_auth(token).build()?)
}

fn again(request: &Request) -> Result<Request, Failure> {
    request
        .try_clone()
        .ok_or_else(|| "no second request".into())
}

/// The same over and over; requests a second, and what 99 % of them took at most.
async fn ask(
    running: &Running,
    http: &Client,
    at_a_time: usize,
) -> Result<(f64, Duration), Failure> {
    let request = question(running, http).await?;
    let mut asking = JoinSet::new();
    for _ in 0..at_a_time {
        let (http, request) = (http.clone(), again(&request)?);
        asking.spawn(async move {
            let (begun, mut times) = (Instant::now(), Vec::new());
            while begun.elapsed() < SPAN {
                let sent = Instant::now();
                http.execute(again(&request)?).await?.bytes().await?;
                times.push(sent.elapsed());
            }
            Ok::<_, Failure>(times)
        });
    }
    let mut times = Vec::new();
    for own in asking.join_all().await {
        times.extend(own?);
    }
    times.sort_unstable();
    let p99 = times.get(times.len() * 99 / 100).copied();
    let rate = times.len() as f64 / SPAN.as_secs_f64();
    Ok((rate, p99.unwrap_or_default()))
}

//! The bots of `docs/echo-bot` in a call: other people's stacks against the emulator.
//!
//! Each runs where what it needs is there (`scripts/test` sees to Python where it can),
//! and says so where it is not.

use std::env;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use axum::http::StatusCode;
use switchboard_emulator::scenario::{self, Scenario};
use switchboard_emulator::{App, Emulator, EmulatorConfig};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_tests::patience::eventually;
use switchboard_tests::skip::skipped;
use switchboard_tests::{Failure, fixture};
use switchboard_transport::{Transport, TransportConfig};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use url::Url;

const TENANT: &str = "7b1e1f0c-6a4d-4c39-9a53-5d0a1b7c2e10";
const CLIENT: &str = "c0ffee00-5b0a-4d7e-8f10-2b3c4d5e6f70";
const SECRET: &str = "not-a-secret";

/// The interpreter to use: `SWITCHBOARD_PYTHON`, else what is in PATH.
fn python() -> PathBuf {
    env::var_os("SWITCHBOARD_PYTHON").map_or_else(|| "python3".into(), PathBuf::from)
}

/// Whether a command succeeds; says what is missing if not.
async fn is_there(program: &Path, arguments: &[&str], missing: &str) -> bool {
    let output = Command::new(program).args(arguments).output().await;
    let there = output.is_ok_and(|output| output.status.success());
    if !there {
        skipped(missing);
    }
    there
}

/// The line that `switchboard emulate` prints.
fn ready_line(emulator: &Emulator) -> String {
    let graph = emulator.graph_url();
    serde_json::json!({
        "graph": graph.as_str().trim_end_matches('/'),
        "token_url": emulator.token_url(),
        "openid_configuration": emulator.openid_configuration_url(),
        "tenant_id": TENANT,
        "client_id": CLIENT,
        "client_secret": SECRET,
    })
    .to_string()
}

/// A port that is free now.
fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Starts a bot as a person does, with the emulator's line on its standard input.
fn start(program: &Path, script: &str, port: u16, line: &str) -> Result<Child, Failure> {
    let (reader, mut writer) = std::io::pipe()?;
    writeln!(writer, "{line}")?;
    let mut command = Command::new(program);
    command
        .arg(fixture(&format!("../docs/echo-bot/{script}")))
        .env("PORT", port.to_string())
        .stdin(reader)
        .stdout(Stdio::null())
        .kill_on_drop(true);
    Ok(command.spawn()?)
}

/// Runs a bot, which answers a forged notification with `forged`, through a scenario.
async fn echoes(program: &Path, script: &str, forged: StatusCode) -> Result<(), Failure> {
    let engine = Engine::start(EngineConfig::default())?;
    let transport = Transport::new(engine, TransportConfig::default());
    let port = free_port()?;
    let webhook = format!("http://127.0.0.1:{port}/api/calls");
    let app = App {
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: SECRET.into(),
        webhook: Some(Url::parse(&webhook)?),
    };
    let any = (Ipv4Addr::LOCALHOST, 0).into();
    let config = EmulatorConfig::new(any, transport.clone()).with_app(app);
    let emulator = Emulator::start(config).await?;
    let _bot = start(program, script, port, &ready_line(&emulator))?;
    eventually("the bot listens", async || {
        Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok())
    })
    .await?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let request = http.post(&webhook).bearer_auth("e30.e30.e30").body("");
    assert_eq!(request.send().await?.status(), forged);
    let text = std::fs::read_to_string(fixture("scenarios/echo-keys.toml"))?;
    let scenario = Scenario::parse(&text, &mut |_| Err("it names no audio".to_owned()))?;
    let report = scenario::run(&emulator, &transport, &scenario).await;
    assert!(report.passed, "{}", report.text());
    emulator.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_in_python_echoes_keys() -> Result<(), Failure> {
    let missing = "pip install -r tests/python/requirements.txt, and name the interpreter in SWITCHBOARD_PYTHON";
    if !is_there(&python(), &["-c", "import aiohttp"], missing).await {
        return Ok(());
    }
    echoes(&python(), "echo_bot.py", StatusCode::UNAUTHORIZED).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_in_shell_echoes_keys() -> Result<(), Failure> {
    let look = "command -v curl && command -v jq && command -v socat";
    let shell = Path::new("sh");
    if !is_there(shell, &["-c", look], "curl, jq and socat are needed").await {
        return Ok(());
    }
    echoes(shell, "echo_bot.sh", StatusCode::ACCEPTED).await
}

#[test]
fn the_python_bot_is_as_short_as_promised() -> Result<(), Failure> {
    let text = std::fs::read_to_string(fixture("../docs/echo-bot/echo_bot.py"))?;
    assert!(text.lines().count() <= 100);
    Ok(())
}

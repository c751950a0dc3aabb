//! `switchboard serve` and `switchboard emulate` as two processes, as people run them.
#![allow(clippy::unwrap_used)]

mod collector;
mod logs;
mod traces;

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take: patience, not a promise.
const PATIENCE: Duration = Duration::from_secs(40);

/// The application's secret.
const SECRET: &str = "for this machine only\n";

/// The command with no setting of this machine.
fn switchboard(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    let ours = |name: &str| {
        name.starts_with("SWITCHBOARD_")
            || name.starts_with("OTEL_")
            || ["STATE_DIRECTORY", "RUST_LOG"].contains(&name)
    };
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A process that is ended with its test.
struct Running(Child);

impl Running {
    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.0.id().try_into().unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    fn ends_well(&mut self) -> bool {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.success();
            }
            assert!(begin.elapsed() < PATIENCE, "it doesn't end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn written(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A recording of somebody speaking.
fn recording(folder: &TempDir, name: &str) {
    let spoken = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bot/prompts/transfer.wav");
    fs::copy(spoken, folder.path().join(name)).unwrap();
}

/// The recordings of [`FLOW`], one of them in Ogg Opus.
fn recordings(folder: &TempDir) {
    let opus = "../../fixtures/speech/command-en.opus";
    let spoken = Path::new(env!("CARGO_MANIFEST_DIR")).join(opus);
    fs::copy(spoken, folder.path().join("menu.opus")).unwrap();
    recording(folder, "bye.wav");
}

const FLOW: &str = r##"start = "menu"
otherwise = "bye"
[prompts]
menu = { file = "menu.opus" }
bye = { file = "bye.wav" }
[nodes.menu]
say = "menu"
listen = { keys = { "#" = "bye" }, timeout = 20 }
[nodes.bye]
say = "bye"
interruptible = false
hang_up = true
"##;

const SCENARIO: &str = r##"name = "A menu"
overlook = ["slowWebhook"]
[people.Carla]
steps = [
    { call = "bot" },
    { reach = "established" },
    { hear = "speech" },
    { hear = "silence", for = "1s", within = "30s" },
    { press = "#" },
    { expect_end = 0 },
]
"##;

fn settings(emulator: u16, bot: u16) -> String {
    format!(
        r#"flow = "flow.toml"
[graph]
tenant = "7b1e1f0c-6a4d-4c39-9a53-5d0a1b7c2e10"
client_id = "c0ffee00-5b0a-4d7e-8f10-2b3c4d5e6f70"
client_secret_file = "secret"
base = "http://127.0.0.1:{emulator}/v1.0"
authority = "http://127.0.0.1:{emulator}"
openid_configuration = "http://127.0.0.1:{emulator}/v1/.well-known/OpenIdConfiguration"
allowed_tenants = ["7b1e1f0c-6a4d-4c39-9a53-5d0a1b7c2e10"]
[webhook]
listen = "127.0.0.1:{bot}"
[drain]
within = 5
"#
    )
}

fn webhook(bot: u16) -> String {
    format!("http://127.0.0.1:{bot}/api/calls")
}

/// An emulator that plays `scenario`, once it listens.
fn phones(emulator: u16, bot: u16, scenario: &str) -> Running {
    let listen = format!("127.0.0.1:{emulator}");
    let application = [
        "emulate",
        "--listen",
        &listen,
        "--bot",
        &webhook(bot),
        "--tenant-id",
        "7b1e1f0c-6a4d-4c39-9a53-5d0a1b7c2e10",
        "--client-id",
        "c0ffee00-5b0a-4d7e-8f10-2b3c4d5e6f70",
    ];
    let mut command = switchboard(&application);
    command.env("SWITCHBOARD_EMULATOR_CLIENT_SECRET", SECRET.trim_end());
    command.args(["--scenario", scenario, "--ci"]);
    let cloud = Running(command.stdout(Stdio::null()).spawn().unwrap());
    let begin = Instant::now();
    while TcpStream::connect(&listen).is_err() {
        assert!(begin.elapsed() < PATIENCE, "the emulator doesn't listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    cloud
}

/// A bot that is ready, and the line it told.
fn serving(config: &str, more: &[&str]) -> (Running, Value) {
    let mut command = switchboard(&["serve", "--config", config]);
    let command = command.args(more).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn();
    let mut running = Running(child.unwrap());
    let mut line = String::new();
    let output = running.0.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    (running, serde_json::from_str(&line).unwrap())
}

#[test]
fn a_bot_and_an_emulator_that_only_know_each_others_addresses() {
    let folder = TempDir::new().unwrap();
    let (emulator, bot) = (free_port(), free_port());
    written(&folder, "secret", SECRET);
    written(&folder, "flow.toml", FLOW);
    recordings(&folder);
    let config = written(&folder, "bot.toml", &settings(emulator, bot));
    let scenario = written(&folder, "menu.toml", SCENARIO);
    let mut cloud = phones(emulator, bot, &scenario);
    let (mut running, told) = serving(&config, &[]);
    assert_eq!(told["webhook"], webhook(bot));
    assert!(cloud.ends_well(), "the scenario came about");

    // A flow that is read again takes the next call, though of another emulator.
    let changed = FLOW.replace("\"#\" = \"bye\"", "\"5\" = \"bye\"");
    assert_ne!(changed, FLOW);
    written(&folder, "flow.toml", &changed);
    running.signal(Signal::HUP);
    let mut told = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let mut tells = |what: &str| {
        let mut lines = told.by_ref().map_while(Result::ok);
        lines.any(|line| line.contains(what))
    };
    assert!(tells("the flow was read again"));
    let pressed = SCENARIO.replace("press = \"#\"", "press = \"5\"");
    let scenario = written(&folder, "menu.toml", &pressed);
    assert!(phones(emulator, bot, &scenario).ends_well());

    // A flow that is wrong is told and not used.
    written(&folder, "flow.toml", &FLOW.replace("hang_up", "hangup"));
    running.signal(Signal::HUP);
    assert!(tells("flow.toml:12:1: unknown field `hangup`"));
    let mut web = TcpStream::connect(("127.0.0.1", bot)).unwrap();
    write!(
        web,
        "GET /readyz HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    web.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    running.signal(Signal::TERM);
    assert!(running.ends_well());
}

#[test]
fn settings_are_printed_without_secrets() {
    let folder = TempDir::new().unwrap();
    let text = settings(1, 2).replace(
        "client_secret_file = \"secret\"",
        "client_secret = \"hunter2\"",
    );
    let config = written(&folder, "bot.toml", &text);
    let print = |more: &[&str]| {
        let mut command = switchboard(&["config", "print", "--config", &config]);
        command
            .env("SWITCHBOARD_LISTEN", "127.0.0.1:4444")
            .args(more)
            .output()
            .unwrap()
    };
    let printed = print(&["--redacted"]);
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(
        text.contains("127.0.0.1:4444") && !text.contains("hunter2"),
        "{text}"
    );
    let refused = print(&[]);
    assert!(!refused.status.success() && refused.stdout.is_empty());
}

/// The environment, flags, what is printed then and what isn't.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a str, &'a str);

/// The file, under the environment, under flags: for secrets, too.
#[test]
fn a_flag_goes_over_the_environment_and_that_over_the_file() {
    let folder = TempDir::new().unwrap();
    let config = written(&folder, "bot.toml", &settings(1, 2));
    let print = |environment: &[(&str, &str)], flags: &[&str]| {
        let mut command = switchboard(&["config", "print", "--redacted", "--config", &config]);
        command.envs(environment.iter().copied()).args(flags);
        let printed = command.output().unwrap();
        assert!(printed.status.success(), "{printed:?}");
        String::from_utf8(printed.stdout).unwrap()
    };
    let itself = "client_secret = \"(redacted)\"";
    let secret = ("SWITCHBOARD_CLIENT_SECRET", "hunter2");
    let file = ("SWITCHBOARD_CLIENT_SECRET_FILE", "/run/of-the-environment");
    let flag = ["--client-secret-file", "/run/of-the-flag"];
    let cases: [Case<'_>; 6] = [
        (&[], &[], "/secret\"", itself),
        (&[file], &[], "/run/of-the-environment", itself),
        (&[secret], &[], itself, "client_secret_file"),
        (&[secret], &flag, "/run/of-the-flag", itself),
        (&[file], &flag, "/run/of-the-flag", "of-the-environment"),
        (&[secret, file], &flag, "/run/of-the-flag", itself),
    ];
    for (environment, flags, wanted, others) in cases {
        let printed = print(environment, flags);
        assert!(
            printed.contains(wanted),
            "{environment:?} {flags:?}: {printed}"
        );
        assert!(
            !printed.contains(others),
            "{environment:?} {flags:?}: {printed}"
        );
    }
    // One that isn't secret, likewise.
    let tenant = ("SWITCHBOARD_TENANT", "of-the-environment");
    assert!(print(&[tenant], &[]).contains("tenant = \"of-the-environment\""));
    let flagged = print(&[tenant], &["--tenant", "of-the-flag"]);
    assert!(flagged.contains("tenant = \"of-the-flag\""), "{flagged}");
}

/// Whoever signs for an emulator must not be believed where calls are real.
#[test]
fn an_emulators_keys_are_refused_with_a_real_tenant() {
    let folder = TempDir::new().unwrap();
    written(&folder, "flow.toml", FLOW);
    let real = settings(1, 2)
        .replace("base = \"http://127.0.0.1:1/v1.0\"\n", "")
        .replace("authority = \"http://127.0.0.1:1\"\n", "");
    let config = written(&folder, "bot.toml", &real);
    let refused = switchboard(&["serve", "--config", &config])
        .output()
        .unwrap();
    assert!(!refused.status.success());
    let told = String::from_utf8(refused.stderr).unwrap();
    let wanted = "graph.base is Microsoft's and graph.openid_configuration isn't (127.0.0.1)";
    assert!(told.contains(wanted), "{told}");
}

/// What systemd gives a unit is used to end what a crash left behind.
#[test]
fn the_state_directory_of_a_unit_is_the_default() {
    let folder = TempDir::new().unwrap();
    let print = |text: &str| {
        let config = written(&folder, "bot.toml", text);
        let mut command = switchboard(&["config", "print", "--redacted", "--config", &config]);
        command.env("STATE_DIRECTORY", "/var/lib/switchboard:/var/lib/other");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let text = settings(1, 2);
    let given = print(&text);
    assert!(
        given.contains("state = \"/var/lib/switchboard\""),
        "{given}"
    );
    let own = print(&format!("state = \"/own\"\n{text}"));
    assert!(own.contains("state = \"/own\""), "{own}");
}

#[test]
fn settings_with_a_flow_are_checked_like_a_flow() {
    let folder = TempDir::new().unwrap();
    let config = written(&folder, "bot.toml", &settings(1, 2));
    let check = |path: &str| {
        let output = switchboard(&["check", path]).output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    written(&folder, "flow.toml", FLOW);
    let (good, told) = check(&config);
    assert!(
        !good && told.contains("flow.toml:4:8: the file \"menu.opus\" can't be read"),
        "{told}"
    );
    recordings(&folder);
    assert!(check(&config).0);
    assert!(Path::new(&config).is_file());

    // All that a start would refuse.
    let (good, told) = check(&written(
        &folder,
        "bot.toml",
        &format!("{}\n[speling]\n", settings(1, 2)),
    ));
    assert!(!good && told.contains("speling"), "{told}");
    let words = FLOW.replace("keys = { \"#\" = \"bye\" }", "keywords = { bye = \"bye\" }");
    assert_ne!(words, FLOW);
    written(&folder, "flow.toml", &words);
    let (good, told) = check(&written(&folder, "bot.toml", &settings(1, 2)));
    assert!(!good && told.contains("add [engine]"), "{told}");
    let mut elsewhere = switchboard(&["check", &config]);
    elsewhere.env("SWITCHBOARD_ENGINE_URL", "ws://127.0.0.1:9/");
    assert!(elsewhere.output().unwrap().status.success());
    let engine = format!(
        "{}\n[engine]\nurl = \"ws://127.0.0.1:9/\"\n",
        settings(1, 2)
    );
    assert!(check(&written(&folder, "bot.toml", &engine)).0);
}

#[test]
fn flows_are_drawn_and_tried_in_text() {
    let folder = TempDir::new().unwrap();
    let flow = written(&folder, "flow.toml", FLOW);
    recordings(&folder);
    let drawn = switchboard(&["graph-of", &flow]).output().unwrap();
    let drawn = String::from_utf8(drawn.stdout).unwrap();
    assert!(
        drawn.starts_with("flowchart") && drawn.contains("bye"),
        "{drawn}"
    );

    let mut child = switchboard(&["simulate", &flow])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"5\n#\n").unwrap();
    let tried = child.wait_with_output().unwrap();
    let tried = String::from_utf8(tried.stdout).unwrap();
    let at = |what: &str| {
        tried
            .find(what)
            .unwrap_or_else(|| panic!("{what}: {tried}"))
    };
    assert!(at("menu") < at("bye"), "{tried}");

    let schema = switchboard(&["check", "--schema"]).output().unwrap();
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    assert!(schema["properties"]["nodes"].is_object(), "{schema}");
}

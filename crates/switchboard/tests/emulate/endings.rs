//! How runs of scenarios begin and end: what is refused, what is told, with which code.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::{Running, ask, emulate, failures, get, outcome, refusing_webhook, written};

/// An empty glob, or a misspelt variable, would else be a run that passes.
#[test]
fn a_report_without_a_scenario_ends_with_2() {
    let folder = TempDir::new().unwrap();
    let report = folder.path().join("report");
    let report = report.to_str().unwrap();
    let ways = [
        &["--ci"][..],
        &["--junit", report],
        &["--json", report],
        &["--log", report],
    ];
    for way in ways {
        let (code, out, told) = outcome(&[&["--listen=127.0.0.1:0"], way].concat());
        assert_eq!((code, out.as_str()), (Some(2), ""), "{way:?}: {told}");
        let hint = format!("{} needs a scenario", way[0]);
        assert!(told.contains(&hint), "{told}");
        assert!(told.contains("--scenario FILE"), "{told}");
    }
    let path = written(&folder, "emulator.toml", "ci = true\nscenario = []\n");
    let (code, out, told) = outcome(&["--config", &path]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{told}");
}

/// A bot that learns its port when it starts can't be named before: the scenario waits for it.
#[test]
fn a_scenario_waits_for_a_bot_that_is_registered_over_rest() {
    let folder = TempDir::new().unwrap();
    let scenario = "overlook = [\"webhookRefused\"]\n[people.Carla]\n\
        steps = [{ call = \"bot\" }, { expect_end = 503 }]\n";
    let path = written(&folder, "refused.toml", scenario);
    let json = folder.path().join("report.json");
    let mut running = Running::start(emulate(&[
        "--ci",
        "--json",
        json.to_str().unwrap(),
        "--listen=127.0.0.1:0",
        "--wait-for-bot=30",
        "--scenario",
        &path,
    ]));
    let admin = running.says("admin").to_owned();
    let (address, _) = admin.trim_start_matches("http://").split_once('/').unwrap();
    let path = format!("/admin/apps/{}/webhook", running.says("client_id"));
    let body = format!("{{\"url\": \"{}\"}}", refusing_webhook());
    let length = body.len();
    let request = format!(
        "PUT {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let answer = ask(address, &request);
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    // It was called, and refused, which is what the scenario expects.
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

/// A file that can't be had is no failed test; one that fails at the end loses no other.
#[test]
fn reports_that_can_not_be_written_are_told() {
    let folder = TempDir::new().unwrap();
    let path = written(
        &folder,
        "calm.toml",
        "[people.Carla]\nsteps = [{ pause = \"10ms\" }]\n",
    );
    let json = folder.path().join("report.json");
    let arguments = |junit: &'static str| {
        let json = json.to_str().unwrap();
        let common = [
            "--ci",
            "--listen=127.0.0.1:0",
            "--scenario",
            &path,
            "--json",
            json,
        ];
        outcome(&[&common[..], &["--junit", junit]].concat())
    };
    let (code, out, told) = arguments("/nowhere/report.xml");
    assert_eq!((code, out.as_str()), (Some(2), ""), "{told}");
    assert!(
        told.contains("/nowhere/report.xml cannot be written"),
        "{told}"
    );
    let (code, _, told) = arguments("/dev/full");
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("/dev/full cannot be written"), "{told}");
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["passed"], true);
}

#[test]
fn a_call_to_who_has_no_webhook_is_refused_at_the_start() {
    let folder = TempDir::new().unwrap();
    let call = |target: &str| {
        let steps = format!("[people.Carla]\nsteps = [\n{{ call = \"{target}\" }}]\n");
        written(&folder, "call.toml", &steps)
    };
    let local = "--listen=127.0.0.1:0";
    let (code, out, told) = outcome(&[local, "--ci", "--scenario", &call("bot")]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{told}");
    assert!(
        told.contains("call.toml:3: the first application has no webhook"),
        "{told}"
    );
    assert!(told.contains("--bot URL"), "{told}");
    let own = ["--client-id", "own", "--scenario", &call("own")];
    let (code, _, told) = outcome(&[&[local][..], &own].concat());
    assert_eq!(code, Some(2), "{told}");
    assert!(
        told.contains("call.toml:3: the application own has no webhook"),
        "{told}"
    );
}

#[test]
fn a_bot_that_does_not_come_is_told_of() {
    let folder = TempDir::new().unwrap();
    let path = written(
        &folder,
        "calm.toml",
        "[people.Carla]\nsteps = [{ pause = \"10ms\" }]\n",
    );
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let bot = format!("http://{}/api/calls", free.local_addr().unwrap());
    drop(free);
    let arguments = [
        "--ci",
        "--listen=127.0.0.1:0",
        "--wait-for-bot=1",
        "--scenario",
        &path,
    ];
    let (code, _, told) = outcome(&[&arguments[..], &["--bot", &bot]].concat());
    assert_eq!(code, Some(0), "{told}");
    let line = format!("{bot} could not be reached for 1 s (--wait-for-bot): Connection refused");
    assert!(told.contains(&line), "{told}");
}

/// Waits until the first step, which moves the clock, is over.
fn is_advanced(admin: &str) {
    let (address, _) = admin.trim_start_matches("http://").split_once('/').unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while !get(address, "/admin/clock", "").contains("60000") {
        assert!(Instant::now() < until, "the clock stands still");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// As when a CI system's time is up: which step it hangs in is what one wants to know.
#[test]
fn a_signal_ends_the_step_and_all_is_reported() {
    let folder = TempDir::new().unwrap();
    let long = "[people.Carla]\nsteps = [\n\
        { advance_clock = \"1m\" }, { pause = \"1m\" }, { pause = \"1s\" }]\n";
    let (first, second) = (
        written(&folder, "long.toml", long),
        written(&folder, "next.toml", long),
    );
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let junit = folder.path().join("report.xml");
        let mut command = emulate(&["--ci", "--listen=127.0.0.1:0", "--junit"]);
        command
            .arg(&junit)
            .args(["--scenario", &first, "--scenario", &second]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        is_advanced(ready["admin"].as_str().unwrap());
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let report: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let outcomes = |scenario: usize| {
            let steps = &report["scenarios"][scenario]["people"][0]["steps"];
            let steps = steps.as_array().unwrap().iter();
            steps
                .map(|step| step["outcome"].as_str().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(outcomes(0), ["passed", "failed", "notRun"]);
        let why = &report["scenarios"][0]["people"][0]["steps"][1]["why"];
        assert_eq!(why, "interrupted");
        assert_eq!(outcomes(1), ["notRun"; 3]);
        assert_eq!(failures(&junit), 2);
    }
}

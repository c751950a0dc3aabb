//! `switchboard graph` against `switchboard emulate`: two programs, HTTP and tokens between
//! them.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::NamedTempFile;

/// A running emulator, and the line it printed in a file.
struct Emulated {
    child: Child,
    ready: NamedTempFile,
}

impl Drop for Emulated {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn switchboard() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBOARD_")) {
        command.env_remove(name);
    }
    command
}

impl Emulated {
    fn start() -> Self {
        let mut child = switchboard()
            .args([
                "emulate",
                "--listen",
                "127.0.0.1:0",
                "--bot",
                "http://127.0.0.1:9/api/calls",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let mut ready = NamedTempFile::new().unwrap();
        ready.write_all(line.as_bytes()).unwrap();
        Self { child, ready }
    }

    fn graph(&self, line: &str) -> Output {
        let mut command = switchboard();
        command.arg("graph").arg("--ready").arg(self.ready.path());
        command.args(line.split_whitespace()).output().unwrap()
    }
}

fn said(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_emulator_answers_with_calls_and_errors() {
    let emulated = Emulated::start();
    let create = "call create --callback-uri http://127.0.0.1:9/api/calls --to-user 112f7296-5fa4-42ca-bae8-6a692b15d4b8";
    let output = emulated.graph(create);
    assert!(output.status.success(), "{output:?}");
    let call: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(call["@odata.type"], "#microsoft.graph.call");
    let target = &call["targets"][0]["identity"]["user"]["id"];
    assert_eq!(target, "112f7296-5fa4-42ca-bae8-6a692b15d4b8");

    let unknown = said(&emulated.graph("call get 00000000-0000-4000-8000-000000000000"));
    assert!(
        unknown.contains("404") && unknown.contains("request id"),
        "{unknown}"
    );

    let elsewhere = create.replace("127.0.0.1:9", "127.0.0.1:10");
    let refused = said(&emulated.graph(&elsewhere));
    assert!(
        refused.contains("create call: Graph answered 4"),
        "{refused}"
    );
}

#[test]
fn a_wrong_secret_opens_nothing_and_is_not_repeated() {
    let emulated = Emulated::start();
    let line = std::fs::read_to_string(emulated.ready.path()).unwrap();
    let mut ready: Value = serde_json::from_str(&line).unwrap();
    ready["client_secret"] = "hunter2".into();
    let wrong = NamedTempFile::new().unwrap();
    std::fs::write(wrong.path(), ready.to_string()).unwrap();
    let mut command = switchboard();
    command.arg("graph").arg("--ready").arg(wrong.path());
    let said = said(&command.args(["call", "get", "1"]).output().unwrap());
    assert!(
        said.contains("no access token") && !said.contains("hunter2"),
        "{said}"
    );
}

/// What a command prints, as JSON.
fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

#[test]
fn a_meeting_is_planned_joined_and_filled_from_the_command_line() {
    const ORGANIZER: &str = "550fae72-d251-43ec-868c-373732c2704f";
    const GUEST: &str = "112f7296-5fa4-42ca-bae8-6a692b15d4b8";
    let emulated = Emulated::start();
    let graph = |line: &str| answer(&emulated.graph(line));
    let meeting = graph(&format!(
        "meeting create --user {ORGANIZER} --subject Bridge --passcode"
    ));
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let id = text(&meeting, "id");
    let found = graph(&format!("meeting get --user {ORGANIZER} {id}"));
    assert_eq!(found["joinWebUrl"], meeting["joinWebUrl"]);
    let settings = &meeting["joinMeetingIdSettings"];
    let mut passcode = NamedTempFile::new().unwrap();
    let secret = text(settings, "passcode");
    passcode.write_all(secret.as_bytes()).unwrap();
    let call = graph(&format!(
        "call create --callback-uri http://127.0.0.1:9/api/calls --join-meeting-id {} --passcode-file {}",
        text(settings, "joinMeetingId"),
        passcode.path().display(),
    ));
    let call = text(&call, "id");
    let joined = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        graph(&format!("call get {call}"))["state"] == "established"
    });
    assert!(joined);
    let invited = graph(&format!("participant invite {call} --to-user {GUEST}"));
    assert_eq!(
        invited["@odata.type"],
        "#microsoft.graph.inviteParticipantsOperation"
    );
    let roster = graph(&format!("participant list {call}"));
    assert_eq!(
        roster[0]["@odata.type"], "#microsoft.graph.participant",
        "{roster}"
    );
    graph(&format!("call delete {call}"));
    graph(&format!("meeting delete --user {ORGANIZER} {id}"));
    let gone = said(&emulated.graph(&format!("meeting get --user {ORGANIZER} {id}")));
    assert!(gone.contains("404"), "{gone}");
}

/// `switchboard emulate >ready.json &` in a script returns before there is a line, or even a file.
#[test]
fn the_line_of_an_emulator_that_starts_is_waited_for() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("ready.json");
    let written = path.clone();
    let starts = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        let mut file = std::fs::File::create(written).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let line = "{\"graph\":\"http://127.0.0.1:9/v1.0\",\"token_url\":\"\",\"tenant_id\":\"t\",\"client_id\":\"c\",\"client_secret\":\"s\"}\n";
        file.write_all(line.as_bytes()).unwrap();
    });
    let mut command = switchboard();
    command.arg("graph").arg("--ready").arg(&path);
    command.args([
        "--dry-run",
        "call",
        "get",
        "00000000-0000-4000-8000-000000000000",
    ]);
    let shown = command.output().unwrap();
    starts.join().unwrap();
    let told = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(shown.status.success(), "{told}");
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let url = shown["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:9/v1.0/"), "{url}");
}

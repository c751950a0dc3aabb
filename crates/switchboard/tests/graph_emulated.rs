//! `switchboard graph` against `switchboard emulate`: two programs, HTTP and tokens between
//! them.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Output, Stdio};

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

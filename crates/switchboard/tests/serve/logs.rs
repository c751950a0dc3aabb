//! What the log tells of a call.

use std::io::Read as _;

use serde_json::Value;
use tempfile::TempDir;

use super::{Signal, free_port, phones, recording, serving, settings, written};

/// Asks where nobody is, and goes on.
fn flow(nobody: u16) -> String {
    format!(
        r#"start = "ask"
otherwise = "bye"
[prompts]
bye = {{ file = "bye.wav" }}
[nodes.ask]
webhook = {{ url = "http://127.0.0.1:{nobody}/", on_failed = "bye" }}
[nodes.bye]
say = "bye"
interruptible = false
hang_up = true
"#
    )
}

const SCENARIO: &str = r#"name = "A call"
overlook = ["slowWebhook"]
[people.Cassandra]
steps = [{ call = "bot" }, { reach = "established" }, { expect_end = 0 }]
"#;

/// What serving tells of a call with the format of the log as `with` gives it.
fn told_of_a_call(with: &[&str], more: &str) -> String {
    let folder = TempDir::new().unwrap();
    let (emulator, bot, nobody) = (free_port(), free_port(), free_port());
    written(&folder, "secret", super::SECRET);
    written(&folder, "flow.toml", &flow(nobody));
    recording(&folder, "bye.wav");
    let engine = format!("[engine]\nurl = \"ws://127.0.0.1:{nobody}/\"\n");
    let text = settings(emulator, bot) + &engine + more;
    let config = written(&folder, "bot.toml", &text);
    let scenario = written(&folder, "call.toml", SCENARIO);
    let mut cloud = phones(emulator, bot, &scenario);
    let (mut running, _) = serving(&config, with);
    assert!(cloud.ends_well(), "the scenario came about");
    running.signal(Signal::TERM);
    assert!(running.ends_well());
    let mut told = String::new();
    let errors = running.0.stderr.as_mut().unwrap();
    errors.read_to_string(&mut told).unwrap();
    assert!(!told.contains("Cassandra"), "{told}");
    told
}

/// At the level of every day, and in tasks beside the call's own.
#[test]
fn a_warning_in_a_call_says_of_which_call_it_is() {
    let told = told_of_a_call(&["--log-format", "json"], "");
    let lines: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let saying = |message: &str| {
        let mut lines = lines.iter();
        let found = lines.find(|line| line["message"] == message);
        found.unwrap_or_else(|| panic!("nothing says {message}: {told}"))
    };
    let call = |line: &Value| {
        let spans = line["spans"].as_array().unwrap();
        let call = spans.iter().find(|span| span["name"] == "call");
        call.unwrap_or_else(|| panic!("of no call: {line}")).clone()
    };
    let failed = saying("a web hook failed");
    assert_eq!(failed["level"], "WARN");
    assert!(failed["timestamp"].is_string(), "{failed}");
    let span = call(failed);
    // The web hook was told the same.
    assert_eq!(span["call.id"], failed["call"], "{failed}");
    assert_eq!(span["call.direction"], "incoming");
    assert_eq!(span["call.flow"], "flow");
    let away = saying("the engine can't be reached");
    assert_eq!(call(away)["call.id"], failed["call"], "{away}");
}

#[test]
fn a_log_for_people_has_the_calls_id_too() {
    let told = told_of_a_call(&[], "[log]\nformat = \"text\"\n");
    let failed = told.lines().find(|line| line.contains("a web hook failed"));
    let failed = failed.unwrap_or_else(|| panic!("{told}"));
    assert!(failed.contains("call.id="), "{failed}");
    assert!(
        !failed.contains('\u{1b}'),
        "colours are for terminals: {failed}"
    );
}

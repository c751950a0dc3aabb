//! `switchboard demo --caller FILE`: a whole call without a browser.

use std::net::TcpListener;
use std::process::{Command, Output};

use serde_json::Value;
use switchboard_tests::demo::program;
use switchboard_tests::{Failure, fixture};

fn demo(file: &std::path::Path) -> Result<Output, Failure> {
    let mut command = Command::new(program()?);
    Ok(command.args(["demo", "--caller"]).arg(file).output()?)
}

fn timeline(output: &Output) -> Result<Vec<Value>, Failure> {
    let text = std::str::from_utf8(&output.stdout)?;
    let parsed: Result<_, _> = text.lines().map(serde_json::from_str).collect();
    Ok(parsed?)
}

fn texts<'a>(events: &'a [Value], kind: &str, key: &str) -> Vec<&'a str> {
    let own = events.iter().filter(|event| event["type"] == kind);
    own.filter_map(|event| event[key].as_str()).collect()
}

#[test]
fn a_recorded_caller_is_answered_heard_and_bidden_goodbye() -> Result<(), Failure> {
    let output = demo(&fixture("caller.wav"))?;
    assert!(output.status.success(), "{output:?}");
    let events = timeline(&output)?;
    assert_eq!(
        texts(&events, "call", "state"),
        ["establishing", "established", "terminated"]
    );
    assert_eq!(texts(&events, "dtmf", "digit"), ["1", "#"]);
    assert_eq!(texts(&events, "dtmf", "source"), ["inband", "inband"]);
    let spoken = |event: &&Value| event["type"] == "speech" && event["end_ms"].is_u64();
    assert_eq!(events.iter().filter(spoken).count(), 1, "one sentence");
    let prompts: Vec<_> = events
        .iter()
        .filter(|e| e["type"] == "prompt" && e["state"] == "started")
        .collect();
    let names: Vec<_> = prompts
        .iter()
        .filter_map(|event| event["name"].as_str())
        .collect();
    assert_eq!(names.first(), Some(&"greeting"));
    assert!(names.contains(&"one"), "{names:?}");
    assert_eq!(names.last(), Some(&"goodbye"));
    let times: Vec<_> = events
        .iter()
        .filter_map(|event| event["t_ms"].as_u64())
        .collect();
    assert_eq!(times.len(), events.len(), "each event has a time");
    assert!(times.is_sorted(), "{times:?}");
    Ok(())
}

#[test]
fn a_caller_who_says_nothing_to_the_point_still_completes_the_call() -> Result<(), Failure> {
    let output = demo(&fixture("dtmf/silence.wav"))?;
    assert!(output.status.success(), "{output:?}");
    let events = timeline(&output)?;
    assert_eq!(texts(&events, "dtmf", "digit"), [""; 0]);
    assert_eq!(texts(&events, "call", "state").last(), Some(&"terminated"));
    Ok(())
}

#[test]
fn a_file_that_is_no_recording_is_refused_before_any_call() -> Result<(), Failure> {
    for file in [
        "broken/adpcm.wav",
        "broken/one-byte.wav",
        "broken/not-there.wav",
    ] {
        let output = demo(&fixture(file))?;
        assert_eq!(output.status.code(), Some(1), "{file}");
        assert!(output.stdout.is_empty(), "{file}: {output:?}");
        let told = String::from_utf8(output.stderr)?;
        assert!(told.contains(file) && !told.contains("panicked"), "{told}");
    }
    Ok(())
}

#[test]
fn a_busy_port_is_named() -> Result<(), Failure> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    let output = Command::new(program()?)
        .args(["demo", "--port", &port])
        .output()?;
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr)?;
    assert!(told.contains(&port) && told.contains("in use"), "{told}");
    Ok(())
}

//! `switchboard analyze` over every fixture: what it prints is a contract.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use serde::Deserialize;
use serde_json::Value;
use switchboard_tests::{Failure, demo::program, fixture};

#[derive(Deserialize)]
struct Expected {
    tolerance_ms: Tolerance,
    files: BTreeMap<String, File>,
}

#[derive(Deserialize)]
struct Tolerance {
    digit_start: u64,
    digit_duration: u64,
    speech_start: u64,
    speech_end: u64,
}

#[derive(Deserialize)]
struct File {
    outcome: String,
    #[serde(default)]
    digits: Vec<Digit>,
    #[serde(default)]
    speech: Vec<Span>,
}

#[derive(Debug, Deserialize)]
struct Digit {
    digit: String,
    source: String,
    start_ms: u64,
    duration_ms: u64,
}

#[derive(Debug, Deserialize)]
struct Span {
    start_ms: u64,
    end_ms: u64,
}

fn expected() -> Result<Expected, Failure> {
    let text = std::fs::read(fixture("expected.json"))?;
    Ok(serde_json::from_slice(&text)?)
}

fn analyze(arguments: &[&str], files: &[&String]) -> Result<Output, Failure> {
    let paths = files.iter().map(|file| fixture(file));
    let mut command = Command::new(program()?);
    Ok(command
        .arg("analyze")
        .args(arguments)
        .args(paths)
        .output()?)
}

fn lines(output: &Output) -> Result<Vec<Value>, Failure> {
    let text = std::str::from_utf8(&output.stdout)?;
    let parsed: Result<_, _> = text.lines().map(serde_json::from_str).collect();
    Ok(parsed?)
}

/// The lines of one type about one file, as `T`.
fn about<T: for<'de> Deserialize<'de>>(
    lines: &[Value],
    file: &str,
    kind: &str,
) -> Result<Vec<T>, Failure> {
    let path = fixture(file);
    let own = lines
        .iter()
        .filter(|line| line["type"] == kind && line["file"] == *path.to_string_lossy());
    let typed: Result<_, _> = own.map(|line| T::deserialize(line)).collect();
    Ok(typed?)
}

#[test]
fn what_is_to_be_heard_in_each_fixture_is_printed() -> Result<(), Failure> {
    let expected = expected()?;
    let good: Vec<_> = expected
        .files
        .iter()
        .filter(|(_, f)| f.outcome == "ok")
        .collect();
    let names: Vec<&String> = good.iter().map(|(name, _)| *name).collect();
    let output = analyze(&["--json"], &names)?;
    assert!(output.status.success(), "{output:?}");
    let lines = lines(&output)?;
    let tolerance = &expected.tolerance_ms;
    for (name, file) in &good {
        let digits: Vec<Digit> = about(&lines, name, "dtmf")?;
        assert_eq!(digits.len(), file.digits.len(), "{name}: {digits:?}");
        for (heard, due) in digits.iter().zip(&file.digits) {
            assert_eq!(
                (&heard.digit, &heard.source),
                (&due.digit, &due.source),
                "{name}"
            );
            let (start, duration) = (
                heard.start_ms.abs_diff(due.start_ms),
                heard.duration_ms.abs_diff(due.duration_ms),
            );
            assert!(
                start <= tolerance.digit_start,
                "{name}: {heard:?}, not {due:?}"
            );
            assert!(
                duration <= tolerance.digit_duration,
                "{name}: {heard:?}, not {due:?}"
            );
        }
        let speech: Vec<Span> = about(&lines, name, "speech")?;
        assert_eq!(speech.len(), file.speech.len(), "{name}: {speech:?}");
        for (heard, due) in speech.iter().zip(&file.speech) {
            let (start, end) = (
                heard.start_ms.abs_diff(due.start_ms),
                heard.end_ms.abs_diff(due.end_ms),
            );
            assert!(
                start <= tolerance.speech_start,
                "{name}: {heard:?}, not {due:?}"
            );
            assert!(
                end <= tolerance.speech_end,
                "{name}: {heard:?}, not {due:?}"
            );
        }
    }
    let summary = lines.last().ok_or("no summary")?;
    assert_eq!(
        (&summary["type"], &summary["files"]),
        (&"summary".into(), &good.len().into())
    );
    assert!(summary["audio_s"].as_f64() > Some(60.0));
    assert!(summary["cpu_s"].as_f64() > Some(0.0));
    Ok(())
}

#[test]
fn lines_are_ordered_by_file_and_time_with_every_frame() -> Result<(), Failure> {
    let files = [
        "speech/read-en.wav".to_owned(),
        "dtmf/all-8k-s16.wav".to_owned(),
    ];
    let output = analyze(&["--frames"], &files.iter().collect::<Vec<_>>())?;
    let lines = lines(&output)?;
    let order: Vec<_> = files
        .iter()
        .map(|file| fixture(file).to_string_lossy().into_owned())
        .collect();
    let mut last = (0, 0);
    let mut frames = 0;
    for line in &lines[..lines.len() - 1] {
        let file = order
            .iter()
            .position(|path| line["file"] == **path)
            .ok_or("a strange file")?;
        let begins = ["t_ms", "start_ms"]
            .iter()
            .find_map(|key| line[*key].as_u64())
            .ok_or("no time")?;
        assert!((file, begins) >= last, "{line} after {last:?}");
        last = (file, begins);
        if line["type"] == "vad" {
            frames += 1;
            let p = line["p"].as_f64().ok_or("no p")?;
            assert!((0.0..=1.0).contains(&p), "{line}");
        }
    }
    assert!(frames > 300, "{frames} frames");
    Ok(())
}

#[test]
fn what_cannot_be_heard_is_told_and_the_rest_is_heard() -> Result<(), Failure> {
    let expected = expected()?;
    let good = "dtmf/repeated.wav".to_owned();
    for (name, _) in expected.files.iter().filter(|(_, f)| f.outcome == "error") {
        let output = analyze(&[], &[name, &good])?;
        assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        let told = String::from_utf8(output.stderr.clone())?;
        assert!(
            told.contains(name) && !told.contains("panicked"),
            "{name}: {told}"
        );
        assert_eq!(
            about::<Digit>(&lines(&output)?, &good, "dtmf")?.len(),
            6,
            "{name}"
        );
    }
    Ok(())
}

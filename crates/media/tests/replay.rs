//! Everything in `fixtures/` is heard as `fixtures/expected.json` says.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Deserialize;
use switchboard_media::analysis::{Analyzer, AnalyzerConfig};
use switchboard_media::event::MediaEvent;
use switchboard_media::pcap::{datagrams, rtp_streams};
use switchboard_media::receive::Format;
use switchboard_media::resample::to_16k;
use switchboard_media::wav;

#[derive(Deserialize)]
struct Expectations {
    tolerance_ms: Tolerance,
    files: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Tolerance {
    digit_start: u64,
    digit_duration: u64,
    speech_start: u64,
    speech_end: u64,
}

#[derive(Deserialize)]
struct Expected {
    outcome: String,
    #[serde(default)]
    digits: Vec<DigitHeard>,
    #[serde(default)]
    speech: Vec<Span>,
    payload_types: Option<PayloadTypes>,
}

#[derive(Deserialize, Debug)]
struct DigitHeard {
    digit: char,
    source: String,
    start_ms: u64,
    duration_ms: u64,
}

#[derive(Deserialize, Debug)]
struct Span {
    start_ms: u64,
    end_ms: u64,
}

#[derive(Deserialize)]
struct PayloadTypes {
    audio: u8,
    telephone_event: Option<u8>,
    telephone_event_clock_rate: Option<u32>,
}

/// What a file came to.
#[derive(Default)]
struct Heard {
    digits: Vec<DigitHeard>,
    speech: Vec<Span>,
    /// Digits and spans that began.
    begun: (usize, usize),
}

impl Heard {
    fn note(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::DigitStart { .. } => self.begun.0 += 1,
            MediaEvent::SpeechStart { .. } => self.begun.1 += 1,
            MediaEvent::DigitEnd {
                digit,
                source,
                start_ms,
                duration_ms,
            } => self.digits.push(DigitHeard {
                digit: digit.as_char(),
                source: source.as_str().to_owned(),
                start_ms,
                duration_ms,
            }),
            MediaEvent::SpeechEnd { start_ms, end_ms } => {
                self.speech.push(Span { start_ms, end_ms });
            }
            _ => {}
        }
    }
}

fn hear(path: &Path, expected: &Expected) -> Option<Heard> {
    let bytes = fs::read(path).unwrap();
    let mut heard = Heard::default();
    if path.extension().is_some_and(|e| e == "pcap") {
        let datagrams = datagrams(&bytes).ok()?;
        let streams = rtp_streams(&datagrams);
        let stream = streams.first()?;
        if let Some(types) = &expected.payload_types {
            check_types(&stream.formats(), types);
        }
        let config = AnalyzerConfig::default();
        let replayed = stream.replay(config, Instant::now(), &mut |event| heard.note(event));
        replayed.unwrap();
    } else {
        let wav = wav::read(&bytes).ok()?;
        let audio = to_16k(wav.rate, &wav.mono()).unwrap();
        let mut analyzer = Analyzer::new(AnalyzerConfig::default());
        analyzer.process(&audio, &mut |event| heard.note(event));
        analyzer.finish(&mut |event| heard.note(event));
    }
    Some(heard)
}

fn check_types(formats: &switchboard_media::receive::Formats, types: &PayloadTypes) {
    let audio = match types.audio {
        0 => Format::Pcmu,
        8 => Format::Pcma,
        _ => Format::Opus,
    };
    assert_eq!(formats.get(types.audio), Some(audio));
    if let Some(events) = types.telephone_event {
        let clock_rate = types.telephone_event_clock_rate.unwrap();
        let format = Format::TelephoneEvent { clock_rate };
        assert_eq!(formats.get(events), Some(format));
    }
}

/// What is wrong with what was heard, in words.
fn differences(heard: &Heard, expected: &Expected, tolerance: &Tolerance) -> Vec<String> {
    let mut wrong = Vec::new();
    if heard.digits.len() != expected.digits.len() || heard.speech.len() != expected.speech.len() {
        wrong.push(format!("heard {:?} {:?}", heard.digits, heard.speech));
    }
    if heard.begun != (heard.digits.len(), heard.speech.len()) {
        wrong.push(format!("{:?} began", heard.begun));
    }
    for (heard, expected) in heard.digits.iter().zip(&expected.digits) {
        if (heard.digit, &heard.source) != (expected.digit, &expected.source)
            || heard.start_ms.abs_diff(expected.start_ms) > tolerance.digit_start
            || heard.duration_ms.abs_diff(expected.duration_ms) > tolerance.digit_duration
        {
            wrong.push(format!("{heard:?} instead of {expected:?}"));
        }
    }
    for (heard, expected) in heard.speech.iter().zip(&expected.speech) {
        if heard.start_ms.abs_diff(expected.start_ms) > tolerance.speech_start
            || heard.end_ms.abs_diff(expected.end_ms) > tolerance.speech_end
        {
            wrong.push(format!("{heard:?} instead of {expected:?}"));
        }
    }
    wrong
}

#[test]
fn every_fixture_is_heard_as_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let text = fs::read_to_string(root.join("expected.json")).unwrap();
    let all: Expectations = serde_json::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    for (name, expected) in &all.files {
        let heard = hear(&root.join(name), expected);
        match (heard, expected.outcome.as_str()) {
            (None, "error") => {}
            (Some(heard), "ok") => {
                let found = differences(&heard, expected, &all.tolerance_ms);
                wrong.extend(found.into_iter().map(|what| format!("{name}: {what}")));
            }
            (heard, outcome) => {
                let heard = if heard.is_some() { "ok" } else { "error" };
                wrong.push(format!("{name}: {heard} instead of {outcome}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_recording_is_expected_to_be_something() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let text = fs::read_to_string(root.join("expected.json")).unwrap();
    let all: Expectations = serde_json::from_str(&text).unwrap();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let extension = path.extension().and_then(|e| e.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if matches!(extension, Some("wav" | "pcap")) {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                assert!(all.files.contains_key(name), "{name}");
                count += 1;
            }
        }
    }
    assert_eq!(count, all.files.len());
}

//! Scenario files: read, run, reported.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use switchboard_emulator::Emulator;
use switchboard_emulator::scenario::{self, Report, Scenario};
use switchboard_media::prompt::Prompt;
use switchboard_transport::Transport;
use tokio::net::TcpStream;
use url::Url;

use super::settings::{BadFile, Settings};
use crate::Failure;
use crate::output::{hint, say_json};

/// Between two looks whether the bot is there.
const LOOK: Duration = Duration::from_millis(100);

/// A scenario file that was read.
pub(super) struct Script(Scenario);

/// What is written as JSON.
#[derive(Serialize)]
struct Summary<'a> {
    passed: bool,
    seed: u64,
    scenarios: &'a [Report],
}

impl Script {
    /// Reads a file and the audio it names, whose paths are relative to it.
    pub(super) fn read(path: &Path) -> Result<Self, BadFile> {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let mut audio = |name: &str| sound(&folder.join(name), name);
        let text = BadFile::read(path)?;
        let scenario = Scenario::parse(&text, &mut audio).map_err(|problems| BadFile::Wrong {
            path: path.to_owned(),
            problems,
        })?;
        let stem = path.file_stem().unwrap_or_default();
        Ok(Self(scenario.named(&stem.to_string_lossy())))
    }
}

fn sound(path: &Path, name: &str) -> Result<Arc<Prompt>, String> {
    let bytes = fs::read(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
    Prompt::from_wav(&bytes).map_err(|error| format!("{name}: {error}"))
}

/// Runs all scenarios, one after the other, and reports; whether all passed.
pub(super) async fn run(
    emulator: &Emulator,
    transport: &Transport,
    settings: &Settings,
    scripts: &[Script],
) -> Result<bool, Failure> {
    if scripts.is_empty() {
        return Ok(true);
    }
    for app in &settings.apps {
        if let Some(webhook) = &app.webhook {
            wait_for(webhook, settings.wait_for_bot).await;
        }
    }
    let mut reports = Vec::new();
    for (before, Script(script)) in scripts.iter().enumerate() {
        if before > 0 {
            // So that it fails the same way when it is played alone.
            emulator.forget().await;
        }
        let report = scenario::run(emulator, transport, script).await;
        hint(&report.text());
        reports.push(report);
    }
    let passed = reports.iter().all(|report| report.passed);
    let seed = emulator.seed();
    if !passed {
        hint(&format!("the same again: --seed {seed}"));
    }
    write(settings, &reports, passed, seed)?;
    Ok(passed)
}

/// Waits until a webhook's port is open; whoever is not there by then does not answer.
async fn wait_for(webhook: &Url, patience: Duration) {
    let Some((host, port)) = webhook.host_str().zip(webhook.port_or_known_default()) else {
        return;
    };
    let there = async {
        while TcpStream::connect((host.trim_matches(['[', ']']), port))
            .await
            .is_err()
        {
            tokio::time::sleep(LOOK).await;
        }
    };
    let _ = tokio::time::timeout(patience, there).await;
}

fn write(settings: &Settings, reports: &[Report], passed: bool, seed: u64) -> Result<(), Failure> {
    let summary = Summary {
        passed,
        seed,
        scenarios: reports,
    };
    if let Some(path) = &settings.junit {
        save(path, &scenario::junit(reports, seed))?;
    }
    if let Some(path) = &settings.log {
        let lines = reports.iter().flat_map(|report| &report.log);
        save(
            path,
            &lines.map(|line| format!("{line}\n")).collect::<String>(),
        )?;
    }
    match &settings.json {
        Some(path) => save(path, &serde_json::to_string_pretty(&summary)?)?,
        None if settings.ci => say_json(&summary)?,
        None => {}
    }
    Ok(())
}

fn save(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()).into())
}

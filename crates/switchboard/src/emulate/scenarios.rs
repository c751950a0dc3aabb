//! Scenario files: read, run, reported.

use std::collections::BTreeSet;
use std::fs;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use switchboard_emulator::scenario::{self, Scenario};
use switchboard_emulator::{App, Emulator};
use switchboard_media::prompt::Prompt;
use switchboard_transport::Transport;
use tokio::net::TcpStream;
use tokio::sync::watch;
use url::Url;

use super::mistake::Mistake;
use super::reports::Reports;
use super::settings::{BadFile, Settings};
use crate::Failure;
use crate::output::hint;

/// Between two looks whether the bot is there.
const LOOK: Duration = Duration::from_millis(100);

/// A scenario file that was read.
pub(super) struct Script {
    path: PathBuf,
    scenario: Scenario,
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
        Ok(Self {
            path: path.to_owned(),
            scenario: scenario.named(&stem.to_string_lossy()),
        })
    }

    /// Whether the applications that its people call can be told of it. What else they call is
    /// for the emulator to know.
    pub(super) fn check(&self, settings: &Settings) -> Result<(), Mistake> {
        if settings.may_register {
            return Ok(());
        }
        let Some((line, target, _)) = self.deaf(&settings.apps).min_by_key(|deaf| deaf.0) else {
            return Ok(());
        };
        let (app, remedy) = match target {
            "bot" => (
                "the first application".to_owned(),
                "--bot URL, or --wait-for-bot SECONDS if it is registered over REST",
            ),
            id => (
                format!("the application {id}"),
                "it a bot in the file of --config",
            ),
        };
        Err(Mistake::NoWebhook {
            path: self.path.clone(),
            line,
            app,
            remedy,
        })
    }
}

impl Script {
    /// Applications that its people call, by line and name, and that have no webhook.
    fn deaf<'a>(&'a self, apps: &'a [App]) -> impl Iterator<Item = (usize, &'a str, &'a App)> {
        let called = |target: &str| match target {
            "bot" => apps.first(),
            id => apps.iter().find(|app| app.client_id == id),
        };
        let calls = self.scenario.calls();
        let calls = calls.filter_map(move |(line, target)| Some((line, target, called(target)?)));
        calls.filter(|(_, _, app)| app.webhook.is_none())
    }
}

fn sound(path: &Path, name: &str) -> Result<Arc<Prompt>, String> {
    let bytes = fs::read(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
    Prompt::from_wav(&bytes).map_err(|error| format!("{name}: {error}"))
}

/// Runs all scenarios, one after the other, and reports; whether all passed. Those whose turn
/// has not come when it is told to end are not run.
pub(super) async fn run(
    emulator: &Emulator,
    transport: &Transport,
    settings: &Settings,
    scripts: &[Script],
    reports: Reports,
    end: watch::Receiver<bool>,
) -> Result<bool, Failure> {
    if scripts.is_empty() {
        return Ok(true);
    }
    tokio::select! {
        () = all_there(emulator, settings, scripts) => {}
        () = told(end.clone()) => {}
    }
    let mut played = Vec::new();
    for (before, Script { scenario, .. }) in scripts.iter().enumerate() {
        let report = if *end.borrow() {
            scenario.not_run()
        } else {
            if before > 0 {
                // So that it fails the same way when it is played alone.
                emulator.forget().await;
            }
            scenario::run_until(emulator, transport, scenario, told(end.clone())).await
        };
        hint(&report.text());
        played.push(report);
    }
    let passed = played.iter().all(|report| report.passed);
    let seed = emulator.seed();
    if !passed {
        hint(&format!("the same again: --seed {seed}"));
    }
    reports.write(&played, passed, seed)?;
    Ok(passed)
}

/// Waits until it is told to end.
async fn told(mut end: watch::Receiver<bool>) {
    if end.wait_for(|end| *end).await.is_err() {
        pending::<()>().await;
    }
}

/// Waits for the webhooks that are known, and where somebody said how long for those that
/// aren't yet.
async fn all_there(emulator: &Emulator, settings: &Settings, scripts: &[Script]) {
    let patience = settings.wait_for_bot;
    for webhook in settings.apps.iter().filter_map(|app| app.webhook.as_ref()) {
        wait_for(webhook, patience).await;
    }
    let deaf = scripts
        .iter()
        .flat_map(|script| script.deaf(&settings.apps));
    let deaf: BTreeSet<&str> = deaf.map(|(_, _, app)| app.client_id.as_str()).collect();
    for client_id in deaf {
        if let Some(webhook) = registered(emulator, client_id, patience).await {
            wait_for(&webhook, patience).await;
        }
    }
}

/// Waits until a webhook is registered over REST.
async fn registered(emulator: &Emulator, client_id: &str, patience: Duration) -> Option<Url> {
    let registered = async {
        loop {
            if let Some(webhook) = emulator.webhook_of(client_id) {
                return webhook;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let webhook = tokio::time::timeout(patience, registered).await.ok();
    if webhook.is_none() {
        let seconds = patience.as_secs();
        hint(&format!(
            "no webhook of {client_id} was registered for {seconds} s (--wait-for-bot): \
             PUT /admin/apps/{client_id}/webhook"
        ));
    }
    webhook
}

/// Waits until a webhook's port is open; whoever is not there by then does not answer.
async fn wait_for(webhook: &Url, patience: Duration) {
    let Some((host, port)) = webhook.host_str().zip(webhook.port_or_known_default()) else {
        return;
    };
    if patience.is_zero() {
        return;
    }
    let mut why = "no answer".to_owned();
    let there = async {
        while let Err(error) = TcpStream::connect((host.trim_matches(['[', ']']), port)).await {
            why = error.to_string();
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(patience, there).await.is_err() {
        let seconds = patience.as_secs();
        // Without its query, which may be a secret.
        let webhook = format!(
            "{}{}",
            webhook.origin().ascii_serialization(),
            webhook.path()
        );
        hint(&format!(
            "{webhook} could not be reached for {seconds} s (--wait-for-bot): {why}"
        ));
    }
}

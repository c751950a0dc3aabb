//! What has to be changed before anything can start.

use std::path::PathBuf;

use super::settings::{BadFile, Settings};

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub(super) enum Mistake {
    #[error(transparent)]
    File(#[from] BadFile),
    /// A run that tries nothing would pass.
    #[error("{flag} needs a scenario, or nothing is tried: give --scenario FILE")]
    NoScenario { flag: &'static str },
    /// Someone calls an application that could not be told of it.
    #[error("{}:{line}: {app} has no webhook, so that nobody can call it; give {remedy}", path.display())]
    NoWebhook {
        path: PathBuf,
        line: usize,
        app: String,
        remedy: &'static str,
    },
}

/// Whether what is set fits together.
pub(super) fn check(settings: &Settings) -> Result<(), Mistake> {
    let asked = [
        ("--ci", settings.ci),
        ("--junit", settings.junit.is_some()),
        ("--json", settings.json.is_some()),
        ("--log", settings.log.is_some()),
    ];
    let asked = asked.into_iter().find(|(_, asked)| *asked);
    match asked.filter(|_| settings.scenarios.is_empty()) {
        Some((flag, _)) => Err(Mistake::NoScenario { flag }),
        None => Ok(()),
    }
}

//! The speech engine in the settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_bot::flow::Flow;
use switchboard_bot::{Engines, FeatureChoice};
use switchboard_nlp::turn::TurnTaking;
use switchboard_nlp::wire::{Endpoint, EndpointError, LinkConfig, RemoteEngine, roots_in};
use url::Url;

use super::config::{Secret, SettingsError, secret};

/// A speech engine behind a WebSocket.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EngineSetting {
    pub(super) url: Url,
    /// `none`, `log_mel` or `fbank`.
    #[serde(default)]
    pub(super) features: FeatureChoice,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) that are trusted besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_file: Option<PathBuf>,
}

/// Why an engine can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("engine.ca_file, {}, can't be read", .0.display())]
    Authorities(PathBuf, #[source] std::io::Error),
    #[error(
        "the flow waits for words at \"{0}\", and nobody is there to understand them: add [engine]"
    )]
    None(String),
}

impl EngineSetting {
    /// Another address, by the environment or a flag.
    pub(super) fn moved_to(setting: Option<Self>, url: &Url) -> Self {
        let known = setting.unwrap_or(Self {
            url: url.clone(),
            features: FeatureChoice::None,
            token: None,
            token_file: None,
            ca_file: None,
        });
        Self {
            url: url.clone(),
            ..known
        }
    }

    pub(super) fn beside(&mut self, directory: &Path) {
        let files = [&mut self.token_file, &mut self.ca_file];
        for file in files.into_iter().flatten() {
            *file = directory.join(&*file);
        }
    }

    /// Makes a connection for each call.
    pub(super) fn connectable(&self) -> Result<Engines, SettingsError> {
        let token = secret(self.token.as_ref(), self.token_file.as_deref())?;
        let roots = match &self.ca_file {
            Some(file) => {
                let pem = std::fs::read(file);
                let pem = pem.map_err(|error| EngineError::Authorities(file.clone(), error))?;
                roots_in(&pem).map_err(EngineError::from)?
            }
            None => Vec::new(),
        };
        let endpoint = Endpoint::new(&self.url, token.as_ref(), roots);
        let endpoint = Arc::new(endpoint.map_err(EngineError::from)?);
        Ok(Arc::new(move || {
            let endpoint = Arc::clone(&endpoint);
            Box::new(RemoteEngine::connect(endpoint, LinkConfig::default()))
        }))
    }
}

/// The engine of the settings, or one that notices that somebody has spoken.
pub(super) fn engines(setting: Option<&EngineSetting>) -> Result<Engines, SettingsError> {
    match setting {
        Some(engine) => engine.connectable(),
        None => Ok(Arc::new(|| Box::new(TurnTaking::default()))),
    }
}

/// Whether there is an engine for what the flow waits for.
pub(super) fn check_with(setting: Option<&EngineSetting>, flow: &Flow) -> Result<(), EngineError> {
    match flow.waits_for_words().filter(|_| setting.is_none()) {
        Some(node) => Err(EngineError::None(node.to_owned())),
        None => Ok(()),
    }
}

//! The `[speech]` part of the settings.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use switchboard_bot::speech::{HttpVoice, Synthesizer};
use url::Url;

use super::config::{Secret, SettingsError, secret};

/// Who speaks texts: eSpeak NG unless something else is said.
#[derive(Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Speech {
    /// A program and its arguments; nobody if empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    /// A service with OpenAI's `/audio/speech`.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<Url>,
    #[serde(skip_serializing_if = "String::is_empty")]
    model: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    voice: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token_file: Option<PathBuf>,
}

impl Speech {
    /// Whether a program speaks, in place of a service or nobody.
    pub(super) fn runs_a_program(&self) -> bool {
        self.url.is_none() && self.command.as_ref().is_none_or(|words| !words.is_empty())
    }

    pub(super) fn synthesizer(&self) -> Result<Option<Synthesizer>, SettingsError> {
        if let Some(url) = &self.url {
            let voice = HttpVoice {
                url: url.clone(),
                model: self.model.clone(),
                voice: self.voice.clone(),
                token: secret(self.token.as_ref(), self.token_file.as_deref())?,
            };
            return Ok(Some(Synthesizer::http(voice)?));
        }
        match &self.command {
            Some(words) if words.is_empty() => Ok(None),
            Some(words) => Ok(Some(Synthesizer::program(words.clone())?)),
            None => Ok(Some(Synthesizer::espeak())),
        }
    }
}

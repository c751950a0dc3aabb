//! Other people's audio streaming in the settings: voice agents, and calls whose media
//! comes from Azure Communication Services.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_bot::AzureMedia;
use switchboard_bot::agent::{VoiceAgent, VoiceAgentError, VoiceAgents};
use switchboard_nlp::adapter::Protocol;
use url::Url;

use super::config::{Secret, SettingsError, secret};

/// A voice agent that flows may stream calls to.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentSetting {
    url: Url,
    #[serde(default)]
    protocol: ProtocolName,
    /// Of Azure Communication Services' protocol, in Hz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sample_rate: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_file: Option<PathBuf>,
    /// Told to the agent with every call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    parameters: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum ProtocolName {
    #[default]
    Twilio,
    Acs,
}

/// Who may bring calls' media.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AzureSetting {
    /// The immutable id of an Azure Communication Services resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_file: Option<PathBuf>,
}

impl AzureSetting {
    pub(super) fn beside(&mut self, directory: &Path) {
        if let Some(file) = &mut self.token_file {
            *file = directory.join(&*file);
        }
    }

    pub(super) fn who(&self) -> Result<AzureMedia, SettingsError> {
        let token = secret(self.token.as_ref(), self.token_file.as_deref())?;
        match (&self.resource, token) {
            (Some(resource), None) => Ok(AzureMedia::Resource(resource.clone())),
            (None, Some(token)) => Ok(AzureMedia::Token(token)),
            _ => Err(SettingsError::Azure),
        }
    }
}

/// An agent's name, and why it can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    #[error("[agents.{0}]: {1}")]
    Agent(String, #[source] VoiceAgentError),
    #[error("[agents.{0}]: sample_rate is for protocol = \"acs\"; Twilio's audio has 8000 Hz")]
    SampleRate(String),
    #[error(transparent)]
    Secret(#[from] SettingsError),
}

impl AgentSetting {
    /// Its files are relative to the settings' own.
    pub(super) fn beside(&mut self, directory: &Path) {
        if let Some(file) = &mut self.token_file {
            *file = directory.join(&*file);
        }
    }

    fn agent(&self, name: &str) -> Result<VoiceAgent, AgentError> {
        let protocol = match (self.protocol, self.sample_rate) {
            (ProtocolName::Twilio, None) => Protocol::Twilio,
            (ProtocolName::Twilio, Some(_)) => {
                return Err(AgentError::SampleRate(name.to_owned()));
            }
            (ProtocolName::Acs, rate) => Protocol::Acs {
                sample_rate: rate.unwrap_or(16_000),
            },
        };
        let token = secret(self.token.as_ref(), self.token_file.as_deref())?;
        VoiceAgent::new(&self.url, token.as_ref(), protocol, self.parameters.clone())
            .map_err(|error| AgentError::Agent(name.to_owned(), error))
    }
}

/// The agents of the settings.
pub(super) fn connectable(
    settings: &BTreeMap<String, AgentSetting>,
) -> Result<VoiceAgents, AgentError> {
    settings
        .iter()
        .map(|(name, setting)| Ok((name.clone(), Arc::new(setting.agent(name)?))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(text: &str) -> Result<VoiceAgents, AgentError> {
        let setting = toml::from_str(text).unwrap();
        connectable(&BTreeMap::from([("desk".to_owned(), setting)]))
    }

    #[test]
    fn an_agent_is_checked_with_its_name() {
        assert!(agent("url = \"wss://agent.example/\"").is_ok());
        assert!(agent("url = \"ws://[::1]:9/\"\nprotocol = \"acs\"\nsample_rate = 24000").is_ok());
        let told = |text: &str| agent(text).err().unwrap().to_string();
        assert!(told("url = \"ws://agent.example/\"").starts_with("[agents.desk]: ws://"));
        let eight = "url = \"wss://a.example/\"\nsample_rate = 8000";
        assert!(told(eight).contains("Twilio's"));
        let acs = format!("{eight}\nprotocol = \"acs\"");
        assert!(told(&acs).contains("16000 or 24000"));
        let azure = |text: &str| toml::from_str::<AzureSetting>(text).unwrap().who();
        assert!(matches!(
            azure("resource = \"r\""),
            Ok(AzureMedia::Resource(_))
        ));
        assert!(matches!(azure("token = \"t\""), Ok(AzureMedia::Token(_))));
        assert!(azure("").is_err() && azure("resource = \"r\"\ntoken = \"t\"").is_err());
        let lost = "url = \"wss://a.example/\"\ntoken_file = \"/nowhere/token\"";
        assert!(told(lost).contains("/nowhere/token"));
    }
}

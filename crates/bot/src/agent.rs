//! Voice agents that talk with callers: programs that take a call's audio over a
//! WebSocket and are heard in it, in the protocols of [`switchboard_nlp::adapter`].

mod heard;
mod player;

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;
use switchboard_media::engine::{LIVE_FRAME, Voice};
use switchboard_media::resample::{ResampleError, Stream};
use switchboard_nlp::SessionStart;
use switchboard_nlp::adapter::{Agent, AgentEnd, CallInfo, Protocol, SessionConfig};
use switchboard_nlp::wire::{Endpoint, EndpointError};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use url::Url;

use heard::Heard;
use player::Player;

/// A call's voice, for whoever speaks next: the synthesiser's words or an agent's.
pub(crate) type SharedVoice = Arc<Mutex<Voice>>;

/// Voice agents by the names that flows know them by.
pub type VoiceAgents = BTreeMap<String, Arc<VoiceAgent>>;

/// Where a voice agent is, and what it speaks.
pub struct VoiceAgent {
    endpoint: Arc<Endpoint>,
    protocol: Protocol,
    parameters: BTreeMap<String, String>,
    config: SessionConfig,
}

/// A voice agent that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum VoiceAgentError {
    /// Its address.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Its rate.
    #[error("Azure Communication Services streams audio at 16000 or 24000 Hz, not {0}")]
    SampleRate(u32),
}

impl VoiceAgent {
    /// An agent at `url` (`wss://`, or `ws://` on this machine), which gets the bearer
    /// `token` with every connection and `parameters` with every call.
    ///
    /// # Errors
    /// The address or the rate can't be used.
    pub fn new(
        url: &Url,
        token: Option<&SecretString>,
        protocol: Protocol,
        parameters: BTreeMap<String, String>,
    ) -> Result<Self, VoiceAgentError> {
        match protocol {
            Protocol::Acs { sample_rate } if !matches!(sample_rate, 16_000 | 24_000) => {
                Err(VoiceAgentError::SampleRate(sample_rate))
            }
            _ => Ok(Self {
                endpoint: Arc::new(Endpoint::agent(url, token, Vec::new())?),
                protocol,
                parameters,
                config: SessionConfig::default(),
            }),
        }
    }

    /// The same with other patience.
    #[must_use]
    pub fn with(mut self, config: SessionConfig) -> Self {
        self.config = config;
        self
    }

    /// What it is told of a call: what is configured, and who calls.
    fn info(&self, start: &SessionStart) -> CallInfo {
        let caller = &start.caller;
        let mut parameters = self.parameters.clone();
        let known = [
            ("from", caller.number.as_ref().or(caller.id.as_ref())),
            ("language", Some(&start.language)),
        ];
        for (name, value) in known {
            if let Some(value) = value {
                parameters.insert(name.to_owned(), value.clone());
            }
        }
        CallInfo {
            call: start.call.clone(),
            parameters,
        }
    }
}

/// An agent's part in a call; dropping it ends it.
pub(crate) struct Streaming {
    agent: Arc<Agent>,
    heard: Heard,
    speaking: JoinHandle<AgentEnd>,
}

impl Streaming {
    /// Connects an agent to a call.
    pub(crate) fn begin(
        target: &VoiceAgent,
        start: &SessionStart,
        voice: SharedVoice,
    ) -> Result<Self, ResampleError> {
        let protocol = target.protocol;
        let heard = Heard::new(protocol)?;
        let back = resampler(protocol.sample_rate(), Stream::new)?;
        let agent = Arc::new(Agent::connect(
            Arc::clone(&target.endpoint),
            protocol,
            target.info(start),
            target.config.clone(),
        ));
        let speaking = {
            let agent = Arc::clone(&agent);
            async move {
                let voice = voice.lock_owned().await;
                Player::new(agent, voice, back).run().await
            }
        };
        let speaking = tokio::spawn(speaking.in_current_span());
        Ok(Self {
            agent,
            heard,
            speaking,
        })
    }

    /// The agent hears 20 ms of the caller.
    pub(crate) fn hear(&mut self, samples: &[f32; LIVE_FRAME]) {
        let agent = &self.agent;
        self.heard
            .push(samples, &mut |t_ms, audio| agent.heard(t_ms, audio));
    }

    /// The agent learns of a key.
    pub(crate) fn digit(&self, digit: char) {
        self.agent.digit(digit);
    }

    /// Waits until the agent's part is over and said. Cancel-safe.
    pub(crate) async fn end(&mut self) -> AgentEnd {
        (&mut self.speaking).await.unwrap_or(AgentEnd::Lost)
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.speaking.abort();
        self.agent.leave();
    }
}

/// None where both sides have the same rate.
fn resampler(
    rate: u32,
    make: impl FnOnce(u32) -> Result<Stream, ResampleError>,
) -> Result<Option<Stream>, ResampleError> {
    match rate == switchboard_media::codec::RATE {
        true => Ok(None),
        false => make(rate).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_have_safe_addresses_and_known_rates() {
        let agent = |url: &str, sample_rate| {
            let url = Url::parse(url).unwrap();
            let protocol = Protocol::Acs { sample_rate };
            VoiceAgent::new(&url, None, protocol, BTreeMap::new())
        };
        assert!(agent("wss://agent.example/ws", 24_000).is_ok());
        assert!(matches!(
            agent("ws://agent.example/ws", 24_000),
            Err(VoiceAgentError::Endpoint(EndpointError::Plain))
        ));
        assert!(matches!(
            agent("ws://127.0.0.1/ws", 8_000),
            Err(VoiceAgentError::SampleRate(8_000))
        ));
    }
}

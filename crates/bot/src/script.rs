//! A flow with everything it says, ready for calls.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use crate::agent::{VoiceAgent, VoiceAgents};
use crate::flow::{Flow, Hosting, Problems, PromptSource};
use crate::prompts::{self, Prompts, Recording, RecordingError, Sound};
use crate::speech::{SpeechError, Synthesizer};

/// Path of the prompts for service-hosted media below the bot's address.
pub(crate) const PROMPTS_PATH: &str = "/prompts";

/// A conversation ready to be had: the flow, its prompts encoded, the voice for texts
/// that are known only in the call.
pub struct Script {
    /// What the list of live calls calls it.
    pub(crate) name: String,
    pub(crate) flow: Arc<Flow>,
    prompts: Prompts,
    /// What those on hold hear: files, whoever handles media.
    music: Prompts,
    pub(crate) synthesizer: Option<Arc<Synthesizer>>,
    agents: VoiceAgents,
    /// Names this load of the script; part of its prompts' paths, so that Graph never
    /// plays the prompts of another.
    pub(crate) id: Uuid,
}

/// Why a flow can't be made ready.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It is wrong.
    #[error("{0}")]
    Flow(#[from] Problems),
    /// A recording can't be read.
    #[error("the recording {path} of the prompt \"{prompt}\" can't be read: {source}")]
    Read {
        /// The prompt.
        prompt: String,
        /// Its file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A recording can't be played.
    #[error("the prompt \"{prompt}\" can't be played: {source}")]
    Recording {
        /// The prompt.
        prompt: String,
        /// Why.
        source: RecordingError,
    },
    /// A text couldn't be spoken.
    #[error("the prompt \"{prompt}\" can't be spoken: {source}")]
    Speech {
        /// The prompt.
        prompt: String,
        /// Why.
        source: SpeechError,
    },
    /// There is nobody to speak it.
    #[error(
        "the prompt \"{0}\" is a text, and no synthesiser is configured; record it, or add [speech]"
    )]
    NoVoice(String),
    /// A node streams to nobody.
    #[error("the flow streams to \"{0}\", and there is no [agents.{0}] in the settings; add it")]
    NoAgent(String),
}

impl Script {
    /// The demo's front desk, which is built into the program.
    ///
    /// # Errors
    /// It is damaged.
    pub fn demo() -> Result<Self, ScriptError> {
        let flow = Arc::new(Flow::parse(include_str!("../flows/demo.toml"))?);
        let mut script = Self::empty(flow, None);
        for (name, source) in named(&script.flow) {
            let PromptSource::File { path, .. } = &source else {
                return Err(ScriptError::NoVoice(name));
            };
            let sound = Sound::read(prompts::embedded(path).unwrap_or_default());
            let sound = sound.map_err(|source| ScriptError::Recording {
                prompt: name.clone(),
                source,
            })?;
            script.keep(name, &sound)?;
        }
        Ok(script)
    }

    /// Reads a flow's recordings below `directory` and has its texts spoken.
    ///
    /// # Errors
    /// [`ScriptError`]: a recording or the synthesiser isn't usable.
    pub async fn load(
        flow: Arc<Flow>,
        directory: &Path,
        synthesizer: Option<Arc<Synthesizer>>,
    ) -> Result<Self, ScriptError> {
        let mut script = Self::empty(flow, synthesizer);
        for (name, source) in named(&script.flow) {
            if matches!(source, PromptSource::Template(_)) {
                if script.synthesizer.is_none() {
                    return Err(ScriptError::NoVoice(name));
                }
                continue;
            }
            let sound = script.sound(&name, &source, directory).await?;
            script.keep(name, &sound)?;
        }
        Ok(script)
    }

    /// The same with voice agents for the nodes that `stream`.
    ///
    /// # Errors
    /// The flow wants one that isn't among them.
    pub fn with_agents(mut self, agents: VoiceAgents) -> Result<Self, ScriptError> {
        if let Some(missing) = self.flow.agents().find(|name| !agents.contains_key(*name)) {
            return Err(ScriptError::NoAgent(missing.to_owned()));
        }
        self.agents = agents;
        Ok(self)
    }

    /// The voice agent that the flow calls `name`.
    pub(crate) fn agent(&self, name: &str) -> Option<&Arc<VoiceAgent>> {
        self.agents.get(name)
    }

    /// The same with a name for whoever looks after the bot.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { name, ..self }
    }

    fn empty(flow: Arc<Flow>, synthesizer: Option<Arc<Synthesizer>>) -> Self {
        Self {
            name: String::new(),
            flow,
            prompts: Prompts::new(),
            music: Prompts::new(),
            synthesizer,
            agents: VoiceAgents::new(),
            id: Uuid::new_v4(),
        }
    }

    async fn sound(
        &self,
        name: &str,
        source: &PromptSource,
        directory: &Path,
    ) -> Result<Sound, ScriptError> {
        let prompt = name.to_owned();
        match source {
            PromptSource::File { path, .. } => {
                let bytes = std::fs::read(directory.join(path)).map_err(|source| {
                    let path = path.clone();
                    ScriptError::Read {
                        prompt: name.to_owned(),
                        path,
                        source,
                    }
                })?;
                Sound::read(&bytes).map_err(|source| ScriptError::Recording { prompt, source })
            }
            PromptSource::Text(text) | PromptSource::Template(text) => {
                let Some(synthesizer) = &self.synthesizer else {
                    return Err(ScriptError::NoVoice(prompt));
                };
                let sound = synthesizer.whole(text, self.flow.language()).await;
                sound.map_err(|source| ScriptError::Speech { prompt, source })
            }
        }
    }

    fn keep(&mut self, name: String, sound: &Sound) -> Result<(), ScriptError> {
        if self.flow.music().contains(name.as_str()) {
            let file = sound.file(self.path_of(&name));
            let file = file.map_err(|source| ScriptError::Recording {
                prompt: name.clone(),
                source,
            })?;
            self.music.insert(name.clone(), Arc::new(file));
        }
        let recording = match self.flow.media() {
            Hosting::Application => sound.packets(),
            Hosting::Service => sound.file(self.path_of(&name)),
        };
        let recording = recording.map_err(|source| ScriptError::Recording {
            prompt: name.clone(),
            source,
        })?;
        self.prompts.insert(name, Arc::new(recording));
        Ok(())
    }

    fn path_of(&self, name: &str) -> String {
        let file: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let index = self.prompts.len() + self.music.len();
        format!("{PROMPTS_PATH}/{}/{index}/{file}.wav", self.id.simple())
    }

    /// What the flow calls what can be said as it is, without words of the call.
    pub(crate) fn said(&self) -> impl Iterator<Item = &str> {
        self.prompts.keys().map(String::as_str)
    }

    /// What the flow calls `name`.
    pub(crate) fn prompt(&self, name: &str) -> Option<&Arc<Recording>> {
        self.prompts.get(name)
    }

    /// Where Graph finds what those on hold hear.
    pub(crate) fn music_path(&self, name: &str) -> Option<&str> {
        match &**self.music.get(name)? {
            Recording::File(file) => Some(&file.path),
            Recording::Packets(_) => None,
        }
    }

    /// The file at a path below the bot's address.
    pub(crate) fn file_at(&self, path: &str) -> Option<Arc<Recording>> {
        let is = |recording: &&Arc<Recording>| matches!(&***recording, Recording::File(file) if file.path == path);
        let mut files = self.prompts.values().chain(self.music.values());
        files.find(is).cloned()
    }
}

fn named(flow: &Flow) -> Vec<(String, PromptSource)> {
    let prompts = flow.prompts();
    prompts
        .map(|(name, source)| (name.to_owned(), source.clone()))
        .collect()
}

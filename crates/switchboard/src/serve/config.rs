//! Settings: a file, under the environment, under flags.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::{Args, FromArgMatches};
use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};
use switchboard_bot::flow::Flow;
use switchboard_bot::speech::SpeechError;
use switchboard_bot::{ApplicationInstance, BotConfig, Cloud};
use url::Url;

use super::agents::{AgentSetting, AzureSetting};
use super::clouds::{self, MixedClouds};
use super::drain::{Drain, DrainError};
use super::engine::{EngineError, EngineSetting};
use super::media::{Media, MediaError};
use super::reminders::ReminderSettings;
use super::rooms::RoomSettings;
use super::service::ServiceSettings;
use super::speech::Speech;
use super::telemetry::{TelemetryError, TelemetrySettings};
use crate::confine::Needs;
use crate::logs::{LogFormat, LogSettings};

/// What may be given by environment or flags, too. Secrets come by file or
/// environment: arguments can be read by other users of the machine.
#[derive(Args, Default)]
pub(crate) struct Overrides {
    /// Where to listen for notifications and media offers
    #[arg(long, env = "SWITCHBOARD_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The same as Graph sees it
    #[arg(long, env = "SWITCHBOARD_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,
    /// The tenant's id
    #[arg(long, env = "SWITCHBOARD_TENANT", value_name = "ID")]
    tenant: Option<String>,
    /// The application's id
    #[arg(long, env = "SWITCHBOARD_CLIENT_ID", value_name = "ID")]
    client_id: Option<String>,
    /// File with the application's secret; goes over SWITCHBOARD_CLIENT_SECRET, the secret
    /// itself, and that over SWITCHBOARD_CLIENT_SECRET_FILE
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Graph's base address
    #[arg(long, env = "SWITCHBOARD_GRAPH_BASE", value_name = "URL")]
    graph_base: Option<String>,
    /// The identity service's address
    #[arg(long, env = "SWITCHBOARD_AUTHORITY", value_name = "URL")]
    authority: Option<String>,
    /// OpenID configuration of who signs notifications
    #[arg(long, env = "SWITCHBOARD_OPENID_CONFIGURATION", value_name = "URL")]
    openid_configuration: Option<String>,
    /// Address of media (UDP), also told to callers
    #[arg(long, env = "SWITCHBOARD_MEDIA_ADDRESS", value_name = "IP")]
    media_address: Option<IpAddr>,
    /// Port of media
    #[arg(long, env = "SWITCHBOARD_MEDIA_PORT", value_name = "PORT")]
    media_port: Option<u16>,
    /// File of the flow
    #[arg(long, env = "SWITCHBOARD_FLOW", value_name = "FILE")]
    flow: Option<PathBuf>,
    /// The speech engine's WebSocket
    #[arg(long, env = "SWITCHBOARD_ENGINE_URL", value_name = "URL")]
    engine_url: Option<Url>,
    /// What lines of the log look like
    #[arg(long, env = "SWITCHBOARD_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// The collector that traces go to: its base address
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    otlp: Option<String>,
}

/// The environment's variable for the application's secret itself.
const SECRET: &str = "SWITCHBOARD_CLIENT_SECRET";
/// The environment's variable for the file that has it.
const SECRET_FILE: &str = "SWITCHBOARD_CLIENT_SECRET_FILE";
/// The environment's variable for the engine's token itself.
const ENGINE_TOKEN: &str = "SWITCHBOARD_ENGINE_TOKEN";
/// The environment's variable for the synthesiser's token itself.
const SPEECH_TOKEN: &str = "SWITCHBOARD_SPEECH_TOKEN";

/// The environment's variable for the database.
const DATABASE: &str = "SWITCHBOARD_DATABASE";

/// The environment's variable for a folder that outlasts the process, as systemd has it.
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";

/// The environment's variable for this instance's name.
const INSTANCE: &str = "SWITCHBOARD_INSTANCE";

impl Overrides {
    /// What the environment alone says.
    pub(super) fn of_environment() -> Result<Self, clap::Error> {
        let command = Self::augment_args(clap::Command::new("switchboard"));
        Self::from_arg_matches(&command.try_get_matches_from(["switchboard"])?)
    }
}

/// Everything `serve` can be told.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(super) graph: Graph,
    #[serde(default)]
    pub(super) webhook: Webhook,
    #[serde(default)]
    pub(super) media: Media,
    pub(super) flow: FlowSetting,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) engine: Option<EngineSetting>,
    /// Voice agents, by the names that flows know them by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) agents: BTreeMap<String, AgentSetting>,
    /// Calls whose media comes from Azure Communication Services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) azure: Option<AzureSetting>,
    #[serde(default)]
    pub(super) speech: Speech,
    #[serde(default)]
    pub(super) drain: Drain,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<ServiceSettings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reminders: Option<ReminderSettings>,
    /// A folder in which the bot keeps which calls run, to end them after a crash; systemd's
    /// if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rooms: Option<RoomSettings>,
    #[serde(default)]
    pub(super) log: LogSettings,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) telemetry: Option<TelemetrySettings>,
}

/// A secret: read, never printed.
#[derive(Deserialize, Clone)]
#[serde(transparent)]
pub(super) struct Secret(pub(super) SecretString);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(redacted)")
    }
}

/// The application, and where Graph is.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Graph {
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret_file: Option<PathBuf>,
    #[serde(default = "graph_base")]
    base: String,
    #[serde(default = "authority")]
    authority: String,
    #[serde(default = "openid_configuration")]
    openid_configuration: String,
    /// Tenants whose calls are taken; all if empty.
    #[serde(default)]
    allowed_tenants: Vec<String>,
    /// The application's instances; phone numbers are called in the name of the first,
    /// unless a flow names another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    instances: Vec<InstanceSetting>,
}

/// A resource account of the application.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct InstanceSetting {
    /// What flows call it.
    name: String,
    /// Its object id.
    id: String,
    /// Its number (E.164).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<String>,
}

impl InstanceSetting {
    fn for_bot(&self) -> ApplicationInstance {
        ApplicationInstance {
            name: self.name.clone(),
            id: self.id.clone(),
            number: self.number.clone(),
        }
    }
}

impl Graph {
    /// Whether there is an instance of that name.
    pub(super) fn check_instance(&self, name: Option<&str>) -> Result<(), SettingsError> {
        let known = |name: &str| self.instances.iter().any(|one| one.name == name);
        match name.filter(|name| !known(name)) {
            Some(name) => Err(SettingsError::NoInstance(name.to_owned())),
            None => Ok(()),
        }
    }

    /// The instances to call numbers from, by name.
    pub(super) fn numbers(&self) -> Vec<String> {
        self.instances.iter().map(|one| one.name.clone()).collect()
    }

    /// Whether the flow's calls can be placed.
    pub(super) fn check_calls(&self, flow: &Flow) -> Result<(), SettingsError> {
        self.check_instance(flow.from())?;
        match flow.calls_numbers() && self.instances.is_empty() {
            true => Err(SettingsError::NoInstances),
            false => Ok(()),
        }
    }
}

fn graph_base() -> String {
    Cloud::default().graph
}

fn authority() -> String {
    Cloud::default().authority
}

fn openid_configuration() -> String {
    Cloud::default().openid_configuration
}

/// Where notifications and media offers come in.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Webhook {
    listen: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<Url>,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3978)),
            public_url: None,
        }
    }
}

/// A flow's file, or the flow itself.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum FlowSetting {
    File(PathBuf),
    Inline(toml::Table),
}

impl FlowSetting {
    /// What the list of live calls calls it: the file's name without its ending.
    pub(super) fn name(&self) -> String {
        let stem = match self {
            Self::File(file) => file.file_stem(),
            Self::Inline(_) => None,
        };
        stem.map_or_else(
            || "flow".to_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        )
    }
}

/// Why settings can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("{} can't be read", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    #[error("{}:{line}:{column}: {message}", .path.display())]
    Parse {
        path: PathBuf,
        line: usize,
        column: usize,
        message: String,
    },
    #[error("{0} is missing: give it in the file, by {1}, or by {2}")]
    Missing(&'static str, &'static str, &'static str),
    #[error(transparent)]
    Drain(#[from] DrainError),
    #[error(
        "numbers are to be called from \"{0}\", and no [[graph.instances]] has that name; add it"
    )]
    NoInstance(String),
    #[error("the flow calls phone numbers, and there is no [[graph.instances]] to call them from")]
    NoInstances,
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error("[reminders] needs [service]: a database, and keys of the API")]
    NoService,
    #[error("the settings can't be written as TOML: {0}")]
    Write(#[from] toml::ser::Error),
    #[error("[azure] needs either resource or a token, not both")]
    Azure,
    #[error(transparent)]
    Speech(#[from] SpeechError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Clouds(#[from] MixedClouds),
}

impl Settings {
    /// Reads a file and what goes over it.
    pub(super) fn read(path: &Path, overrides: &Overrides) -> Result<Self, SettingsError> {
        let text = read(path)?;
        let parsed: Result<Self, _> = toml::from_str(&text);
        let mut settings = parsed.map_err(|error| parse_error(path, &text, &error))?;
        settings.beside(path.parent().unwrap_or(Path::new("")));
        settings.apply(overrides);
        settings.trace_to(overrides.otlp.as_deref())?;
        let graph = &settings.graph;
        clouds::check([
            ("graph.base", &graph.base),
            ("graph.authority", &graph.authority),
            ("graph.openid_configuration", &graph.openid_configuration),
        ])?;
        if settings.reminders.is_some() && settings.service.is_none() {
            return Err(SettingsError::NoService);
        }
        settings.drain.check()?;
        let reminders = settings.reminders.as_ref();
        let from = reminders.and_then(|reminders| reminders.from.as_deref());
        settings.graph.check_instance(from)?;
        settings.media.check()?;
        Ok(settings)
    }

    /// What the bot does that the kernel would forbid it otherwise.
    pub(super) fn needs(&self) -> Needs {
        Needs {
            writes: self
                .service
                .iter()
                .filter_map(ServiceSettings::writes)
                .chain(self.state.clone())
                .collect(),
            programs: self.speech.runs_a_program(),
        }
    }

    /// Files that the settings name are relative to their own.
    fn beside(&mut self, directory: &Path) {
        let files = [
            Some(&mut self.graph.client_secret_file),
            Some(&mut self.speech.token_file),
        ];
        for file in files.into_iter().flatten().flatten() {
            *file = directory.join(&*file);
        }
        self.state = match &self.state {
            Some(state) => Some(directory.join(state)),
            None => state_directory(),
        };
        if let Some(engine) = &mut self.engine {
            engine.beside(directory);
        }
        if let Some(azure) = &mut self.azure {
            azure.beside(directory);
        }
        self.agents
            .values_mut()
            .for_each(|agent| agent.beside(directory));
        if let Some(service) = &mut self.service {
            service.beside(directory);
        }
    }

    fn apply(&mut self, over: &Overrides) {
        fn set<T: Clone>(place: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                place.clone_from(value);
            }
        }
        let graph = &mut self.graph;
        set(&mut self.webhook.listen, over.listen.as_ref());
        set(&mut graph.tenant, over.tenant.as_ref());
        set(&mut graph.client_id, over.client_id.as_ref());
        set(&mut graph.base, over.graph_base.as_ref());
        set(&mut graph.authority, over.authority.as_ref());
        set(
            &mut graph.openid_configuration,
            over.openid_configuration.as_ref(),
        );
        set(&mut self.media.address, over.media_address.as_ref());
        set(&mut self.media.port, over.media_port.as_ref());
        set(&mut self.log.format, over.log_format.as_ref());
        if let Some(url) = &over.public_url {
            self.webhook.public_url = Some(url.clone());
        }
        if let Some(flow) = &over.flow {
            self.flow =
                FlowSetting::File(std::path::absolute(flow).unwrap_or_else(|_| flow.clone()));
        }
        graph.take_secret(over.client_secret_file.as_deref());
        if let Some(url) = &over.engine_url {
            self.engine = Some(EngineSetting::moved_to(self.engine.take(), url));
        }
        if let (Some(engine), Some(token)) = (&mut self.engine, environment(ENGINE_TOKEN)) {
            engine.token = Some(token);
        }
        if let Some(service) = &mut self.service {
            if let Some(database) = environment(DATABASE) {
                service.database = database;
            }
            if let Ok(name) = std::env::var(INSTANCE) {
                service.instance = Some(name);
            }
            service.name_instance(self.webhook.listen);
        }
        if let Some(token) = environment(SPEECH_TOKEN) {
            self.speech.token = Some(token);
        }
    }

    /// Traces go to `otlp`, unless it is empty, as OpenTelemetry has it of its variables.
    fn trace_to(&mut self, otlp: Option<&str>) -> Result<(), SettingsError> {
        if let Some(otlp) = otlp.filter(|otlp| !otlp.is_empty()) {
            let otlp = otlp.parse().map_err(|_| TelemetryError::Address)?;
            self.telemetry = Some(TelemetrySettings { otlp });
        }
        Ok(self
            .telemetry
            .iter()
            .try_for_each(TelemetrySettings::check)?)
    }

    /// The settings as a file would have them, without secrets.
    pub(super) fn redacted(&self) -> Result<String, SettingsError> {
        Ok(toml::to_string_pretty(self)?)
    }

    /// What the bot needs of them.
    pub(super) fn bot(&self) -> Result<BotConfig, SettingsError> {
        let graph = &self.graph;
        let needed = |value: &String, name, flag, variable| match value.is_empty() {
            true => Err(SettingsError::Missing(name, flag, variable)),
            false => Ok(value.clone()),
        };
        let secret = secret(
            graph.client_secret.as_ref(),
            graph.client_secret_file.as_deref(),
        )?;
        let secret = secret.ok_or(SettingsError::Missing(
            "graph.client_secret",
            "--client-secret-file",
            SECRET,
        ))?;
        Ok(BotConfig {
            public_url: self.webhook.public_url.clone(),
            cloud: Cloud {
                graph: graph.base.clone(),
                authority: graph.authority.clone(),
                openid_configuration: graph.openid_configuration.clone(),
            },
            tenants: graph.allowed_tenants.clone(),
            instances: graph
                .instances
                .iter()
                .map(InstanceSetting::for_bot)
                .collect(),
            farewell: self.drain.farewell(),
            ..BotConfig::new(
                self.webhook.listen,
                needed(
                    &graph.tenant,
                    "graph.tenant",
                    "--tenant",
                    "SWITCHBOARD_TENANT",
                )?,
                needed(
                    &graph.client_id,
                    "graph.client_id",
                    "--client-id",
                    "SWITCHBOARD_CLIENT_ID",
                )?,
                secret,
            )
        })
    }
}

impl Graph {
    /// Takes the secret from the file of the flag, else from the environment, if it is there.
    fn take_secret(&mut self, flag: Option<&Path>) {
        let secret = environment(SECRET).filter(|_| flag.is_none());
        let file = std::env::var_os(SECRET_FILE).filter(|file| !file.is_empty());
        let file = flag.map(Path::to_owned).or(file.map(PathBuf::from));
        if secret.is_some() || file.is_some() {
            // The secret itself goes over its file.
            self.client_secret = secret;
            self.client_secret_file = file;
        }
    }
}

/// A secret itself, or what its file holds.
pub(super) fn secret(
    given: Option<&Secret>,
    file: Option<&Path>,
) -> Result<Option<SecretString>, SettingsError> {
    match (given, file) {
        (Some(Secret(secret)), _) => Ok(Some(secret.clone())),
        (None, Some(file)) => {
            let text = zeroize::Zeroizing::new(read(file)?);
            Ok(Some(SecretString::from(text.trim())))
        }
        (None, None) => Ok(None),
    }
}

/// The folder that systemd gives a unit with `StateDirectory=`; the first, if there are more.
fn state_directory() -> Option<PathBuf> {
    let given = std::env::var(STATE_DIRECTORY).ok()?;
    let first = given.split(':').next().filter(|first| !first.is_empty());
    first.map(PathBuf::from)
}

fn environment(name: &str) -> Option<Secret> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(Secret(SecretString::from(value)))
}

fn read(path: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(path).map_err(|error| SettingsError::Read(path.to_owned(), error))
}

/// Where in the file, but nothing of what stands there: it may be a secret.
fn parse_error(path: &Path, text: &str, error: &toml::de::Error) -> SettingsError {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    SettingsError::Parse {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: error.message().trim().to_owned(),
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;

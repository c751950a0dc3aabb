//! `switchboard serve`: a bot that takes callers through a flow.

mod agents;
mod clouds;
mod config;
mod drain;
mod engine;
mod flow_file;
mod media;
mod reminders;
mod rooms;
mod service;
mod speech;
mod telemetry;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use switchboard_bot::flow::Flow;
use switchboard_bot::speech::Synthesizer;
use switchboard_bot::{Bot, FileLedger, Ledger, Parts, Script, ScriptError};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_transport::{Transport, TransportConfig};
use tokio::signal::unix::{Signal, SignalKind, signal};
use url::Url;

use crate::Failure;
use crate::confine::{self, Layers};
use crate::logs;
use crate::output::{hint, say, say_json};
use config::{Overrides, Settings, SettingsError};
use rooms::BotRooms;
use service::{Around, Running, Service, ServiceSettings};
use telemetry::Traces;

pub(crate) use flow_file::{FlowError, FlowFile};

/// Run a bot that takes callers through a flow.
///
/// When it is ready it prints one JSON line with its webhook's address. SIGHUP reads
/// the flow again, for new calls only; one that is wrong is reported and not used.
/// SIGTERM or Ctrl-C ends the service when the calls that run are over, or at the
/// deadline of `[drain]`; a second one ends it at once. `/livez` and `/readyz` are at
/// the webhook's address.
#[derive(Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    settings: SettingsArgs,

    /// Don't let the kernel forbid the bot anything: for tests that read its memory
    #[arg(long, conflicts_with = "require_sandbox")]
    no_sandbox: bool,

    /// Refuse to run where the kernel can't forbid all it is to forbid
    #[arg(long)]
    require_sandbox: bool,
}

/// Settings, by file, environment and flags.
#[derive(Args)]
pub(crate) struct SettingsArgs {
    /// The settings' file (TOML)
    #[arg(long, env = "SWITCHBOARD_CONFIG", value_name = "FILE")]
    config: PathBuf,

    #[command(flatten)]
    overrides: Overrides,
}

/// Show settings.
#[derive(Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print the settings in effect: file, then environment, then flags
    Print {
        #[command(flatten)]
        settings: SettingsArgs,
        /// Without secrets; there is no way to print them
        #[arg(long)]
        redacted: bool,
    },
}

/// The line printed when ready; a stable contract.
#[derive(Serialize)]
struct Ready<'a> {
    webhook: &'a str,
    sandbox: Layers,
}

impl SettingsArgs {
    fn read(&self) -> Result<Settings, Failure> {
        Ok(Settings::read(&self.config, &self.overrides)?)
    }

    /// Paths in the file are relative to it.
    fn directory(&self) -> &Path {
        self.config.parent().unwrap_or(Path::new(""))
    }
}

pub(crate) fn config(args: &ConfigArgs) -> Result<(), Failure> {
    let ConfigCommand::Print { settings, redacted } = &args.command;
    if !redacted {
        return Err("secrets are never printed: say --redacted to show that you know".into());
    }
    Ok(say(settings.read()?.redacted()?.trim_end())?)
}

/// A new key, and the hash to configure.
#[derive(Serialize)]
struct ApiKey<'a> {
    key: &'a str,
    hash: &'a str,
}

pub(crate) fn api_key() -> Result<(), Failure> {
    let new = switchboard_service::api::keys::new_key()
        .map_err(|_| "the system has no random numbers")?;
    Ok(say_json(&ApiKey {
        key: &new.key,
        hash: &new.hash,
    })?)
}

/// Lets the kernel forbid the bot what it must not do; before there are threads.
pub(crate) fn confine(args: &ServeArgs) -> Result<Layers, Failure> {
    let layers = match args.no_sandbox {
        true => Layers::default(),
        false => confine::confine(&args.settings.read()?.needs()),
    };
    if args.require_sandbox && !layers.all() {
        return Err(format!(
            "the sandbox isn't whole ({layers}): Linux 5.13 with Landlock and seccomp is needed, \
             or run without --require-sandbox"
        )
        .into());
    }
    Ok(layers)
}

pub(crate) async fn run(args: &ServeArgs, layers: Layers) -> Result<(), Failure> {
    // Before anything else, so that no signal is missed.
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let settings = args.settings.read()?;
    let traces = traces(&settings)?;
    logs::init(settings.log.format, traces.as_ref().map(Traces::layer));
    let served = serve(args, &settings, layers, &mut hang_up, &mut terminate).await;
    if let Some(traces) = traces {
        traces.close().await;
    }
    served
}

fn traces(settings: &Settings) -> Result<Option<Traces>, Failure> {
    let Some(telemetry) = &settings.telemetry else {
        return Ok(None);
    };
    let instance = settings.service.as_ref().map(ServiceSettings::instance);
    Ok(Some(Traces::start(telemetry, instance)?))
}

async fn serve(
    args: &ServeArgs,
    settings: &Settings,
    layers: Layers,
    hang_up: &mut Signal,
    terminate: &mut Signal,
) -> Result<(), Failure> {
    let (bot, mut service) = start(&args.settings, settings, layers).await?;
    say_json(&Ready {
        webhook: bot.webhook_url().as_str(),
        sandbox: layers,
    })?;
    while let Some(()) = reload_or_end(hang_up, terminate).await {
        reload(&args.settings, &bot).await;
    }
    let within = Duration::from_secs_f64(settings.drain.within);
    hint(&format!(
        "no new calls; {} to finish within {within:?}",
        bot.calls()
    ));
    let served = async {
        if let Some(service) = &mut service {
            service.drain(within).await;
        }
    };
    let drained = async { tokio::join!(served, bot.drain(within)) };
    tokio::select! {
        _ = drained => {}
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    if let Some(service) = service {
        service.leave().await;
    }
    Ok(())
}

/// `Some` to reload, `None` to end.
async fn reload_or_end(hang_up: &mut Signal, terminate: &mut Signal) -> Option<()> {
    tokio::select! {
        _ = hang_up.recv() => Some(()),
        _ = terminate.recv() => None,
        _ = tokio::signal::ctrl_c() => None,
    }
}

async fn start(
    args: &SettingsArgs,
    settings: &Settings,
    layers: Layers,
) -> Result<(Bot, Option<Running>), Failure> {
    let script = script(args, settings).await?;
    let engine = Engine::start(EngineConfig::default())?;
    let transport = Transport::new(
        engine,
        TransportConfig {
            vad_frames: settings.engine.is_some(),
            ..settings.media.transport()?
        },
    );
    let mut parts = Parts {
        engines: engine::engines(settings.engine.as_ref())?,
        features: settings
            .engine
            .as_ref()
            .map(|engine| engine.features)
            .unwrap_or_default(),
        azure: settings
            .azure
            .as_ref()
            .map(agents::AzureSetting::who)
            .transpose()?,
        standing: layers.to_string(),
        ledger: ledger(settings)?,
        ..Parts::new(script)
    };
    let config = settings.bot()?;
    let service = match &settings.service {
        Some(service) => {
            let around = Around {
                application: config.client_id.clone(),
                hosts: host_of(config.public_url.as_ref()).into_iter().collect(),
                sandbox: layers.to_string(),
                directory: args.directory(),
                voice: synthesizer(settings)?,
                numbers: settings.graph.numbers(),
            };
            Some(Service::open(service, settings.reminders.as_ref(), around).await?)
        }
        None => None,
    };
    let rooms = Arc::<BotRooms>::default();
    parts.routes = routes(settings, service.as_ref(), &rooms)?;
    parts.openings = service.as_ref().map(Service::openings);
    let bot = Bot::start(config, transport, parts).await?;
    rooms.serve(bot.rooms());
    let running = service.map(|service| service.run(&bot, rooms));
    Ok((bot, running))
}

/// The API: all of it with a service, that of rooms where keys for it are configured.
fn routes(
    settings: &Settings,
    service: Option<&Service>,
    rooms: &Arc<BotRooms>,
) -> Result<axum::Router, Failure> {
    let own = settings.rooms.as_ref();
    match (service, own) {
        (Some(service), _) => {
            let keys = own.map_or(&[][..], |own| &own.keys[..]);
            service.routes(Arc::clone(rooms), keys)
        }
        (None, Some(own)) => Ok(rooms::router(own, Arc::clone(rooms))?),
        (None, None) => Ok(axum::Router::new()),
    }
}

/// Which calls run, beyond a crash, if there is a folder to keep it in.
fn ledger(settings: &Settings) -> Result<Option<Arc<dyn Ledger>>, Failure> {
    let Some(state) = &settings.state else {
        return Ok(None);
    };
    Ok(Some(Arc::new(FileLedger::open(&state.join("calls"))?)))
}

fn host_of(url: Option<&Url>) -> Option<String> {
    url?.host_str().map(str::to_owned)
}

/// New calls are taken through the flow as it is now, unless it is wrong.
async fn reload(args: &SettingsArgs, bot: &Bot) {
    let read = async { script(args, &args.read()?).await };
    match read.await {
        Ok(script) => {
            bot.reload(script);
            hint("the flow was read again; new calls use it");
        }
        Err(error) => {
            tracing::error!(%error, "the flow was not reloaded");
            hint(&format!("the flow was not reloaded: {error}"));
        }
    }
}

async fn script(args: &SettingsArgs, settings: &Settings) -> Result<Script, Failure> {
    let file = FlowFile::of_settings(&args.config, args.directory(), &settings.flow)?;
    fit(settings, &file.flow)?;
    let synthesizer = synthesizer(settings)?;
    let script = Script::load(Arc::new(file.flow), &file.directory, synthesizer).await?;
    let script = script.with_agents(agents::connectable(&settings.agents)?)?;
    Ok(script.named(settings.flow.name()))
}

/// Whether the settings have what the flow needs.
fn fit(settings: &Settings, flow: &Flow) -> Result<(), SettingsError> {
    settings.drain.check_with(flow)?;
    settings.graph.check_calls(flow)?;
    engine::check_with(settings.engine.as_ref(), flow)?;
    Ok(())
}

/// Checks settings with their flow, as a start in this environment would find them.
pub(crate) fn check_settings(path: &Path, flow: &Flow) -> Result<(), Failure> {
    let settings = Settings::read(path, &Overrides::of_environment()?)?;
    fit(&settings, flow)?;
    // Secrets are no concern of a check: they may be elsewhere.
    match flow
        .agents()
        .find(|name| !settings.agents.contains_key(*name))
    {
        Some(missing) => Err(ScriptError::NoAgent(missing.to_owned()).into()),
        None => Ok(()),
    }
}

fn synthesizer(settings: &Settings) -> Result<Option<Arc<Synthesizer>>, Failure> {
    Ok(settings.speech.synthesizer()?.map(Arc::new))
}

#[cfg(test)]
mod office;
#[cfg(test)]
mod tests;

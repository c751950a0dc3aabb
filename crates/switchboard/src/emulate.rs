//! `switchboard emulate`.

mod mistake;
mod reports;
mod scenarios;
mod settings;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;

use clap::Args;
use secrecy::ExposeSecret;
use serde::Serialize;
use switchboard_emulator::{App, DirectoryId, Emulator, EmulatorConfig, Role, socket_address};
use switchboard_media::codec::Codec;
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_transport::{Transport, TransportConfig};
use tokio::sync::watch;
use url::Url;

use crate::Failure;
use crate::output::{Shutdown, complaint, hint, say_json, shutdown_signal};
use mistake::Mistake;
use reports::Reports;
use scenarios::Script;
use settings::Settings;

/// Something has to be changed first; nothing was started.
const MISTAKE: u8 = 2;

/// Run the emulator of Graph's calling cloud alone, for a bot of any language.
///
/// When it is ready it prints one JSON line with everything a bot needs (Graph's
/// base URL, token endpoint, OpenID configuration, tenant, client id and secret,
/// page) and runs until Ctrl-C. Register the bot's calling webhook with --bot, then
/// call it from the page.
///
/// With --scenario, scripted people call the bot with real audio; see
/// docs/emulator.md. With --ci it ends after that: exit code 0 if all passed, 1 if
/// not, 2 if something has to be changed first: a setting, a file, a missing scenario.
///
/// Every flag is also an environment variable, and a key of the file --config names:
/// flags count more than variables, variables more than the file.
#[derive(Args)]
pub(crate) struct EmulateArgs {
    /// Settings as TOML: keys are the flags' names with underscores, and `[[apps]]`
    #[arg(long, env = "SWITCHBOARD_EMULATOR_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Address of the emulator's one TCP port, on loopback; port 0 takes a free one
    /// [default: 127.0.0.1:8480]
    #[arg(long, env = "SWITCHBOARD_EMULATOR_LISTEN", value_name = "ADDRESS",
        value_parser = socket_address)]
    listen: Option<SocketAddr>,

    /// UDP address of its media, on loopback: one port for all that phones offer. What the
    /// emulator offers itself has free ports there: one for each bot with media of its own in a
    /// group call or meeting, two for each leg whose packets are to suffer [default: 127.0.0.1:0]
    #[arg(long, env = "SWITCHBOARD_EMULATOR_MEDIA", value_name = "ADDRESS",
        value_parser = socket_address)]
    media: Option<SocketAddr>,

    /// The bot's calling webhook, for example http://127.0.0.1:3978/api/calls
    #[arg(long, env = "SWITCHBOARD_EMULATOR_BOT", value_name = "URL")]
    bot: Option<Url>,

    /// Where others reach the emulator if not where it listens, for example
    /// http://emulator:8480 in a container; every address it tells is below it
    #[arg(long, env = "SWITCHBOARD_EMULATOR_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,

    /// File with a certificate as PEM, and those between it and its root: the TCP port then
    /// speaks TLS, and every address told is https. With --tls-key
    #[arg(
        long,
        env = "SWITCHBOARD_EMULATOR_TLS_CERTIFICATE",
        value_name = "FILE"
    )]
    tls_certificate: Option<PathBuf>,

    /// File with the certificate's private key as PEM, not encrypted
    #[arg(long, env = "SWITCHBOARD_EMULATOR_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,

    /// Makes ids and chances reproducible; one is made up, and printed, if left out
    #[arg(long, env = "SWITCHBOARD_EMULATOR_SEED", value_name = "N")]
    seed: Option<u64>,

    /// Overlook unknown properties, the rules for telephones and tenants, missing permissions
    /// and too many requests
    #[arg(long, env = "SWITCHBOARD_EMULATOR_LENIENT", value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    lenient: Option<bool>,

    /// Allow addresses (--listen, --media) that other machines can reach; whoever does can use
    /// the phones
    #[arg(long, env = "SWITCHBOARD_EMULATOR_ALLOW_REMOTE", value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_remote: Option<bool>,

    /// Where else the bot's callbacks, prompts and media may be, such as other instances of
    /// it; may be given several times
    #[arg(
        long,
        env = "SWITCHBOARD_EMULATOR_ALLOW_ORIGIN",
        value_name = "URL",
        value_delimiter = ','
    )]
    allow_origin: Option<Vec<Url>>,

    /// The bot's tenant
    #[arg(long, env = "SWITCHBOARD_EMULATOR_TENANT_ID", value_name = "ID")]
    tenant_id: Option<DirectoryId>,

    /// The bot's client id
    #[arg(long, env = "SWITCHBOARD_EMULATOR_CLIENT_ID", value_name = "ID")]
    client_id: Option<DirectoryId>,

    /// File with the bot's client secret; goes over SWITCHBOARD_EMULATOR_CLIENT_SECRET, the
    /// secret itself, and that over SWITCHBOARD_EMULATOR_CLIENT_SECRET_FILE; made up if all are
    /// left out
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,

    /// A permission (app role) of the bot; may be given several times. All permissions
    /// on calls if left out
    #[arg(
        long,
        env = "SWITCHBOARD_EMULATOR_ROLE",
        value_name = "ROLE",
        value_delimiter = ','
    )]
    role: Option<Vec<Role>>,

    /// Calls the bot may have at once; Graph documents 100 [default: 100]
    #[arg(long, env = "SWITCHBOARD_EMULATOR_CONCURRENT_CALLS", value_name = "N")]
    concurrent_calls: Option<NonZeroUsize>,

    /// Let the people of a scenario call the bot; may be given several times
    #[arg(
        long,
        env = "SWITCHBOARD_EMULATOR_SCENARIO",
        value_name = "FILE",
        value_delimiter = ','
    )]
    scenario: Option<Vec<PathBuf>>,

    /// End after the scenarios, with an exit code and the report on standard output
    #[arg(long, env = "SWITCHBOARD_EMULATOR_CI", value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ci: Option<bool>,

    /// Write the scenarios' report as JUnit XML
    #[arg(long, env = "SWITCHBOARD_EMULATOR_JUNIT", value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Write the scenarios' report as JSON; with --ci it goes to standard output else
    #[arg(long, env = "SWITCHBOARD_EMULATOR_JSON", value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write what happened in the scenarios' calls, a line each without times: the same
    /// scenario and seed give the same bytes
    #[arg(long, env = "SWITCHBOARD_EMULATOR_LOG", value_name = "FILE")]
    log: Option<PathBuf>,

    /// Seconds that scenarios wait until the bot's webhook can be reached [default: 30]
    #[arg(
        long,
        env = "SWITCHBOARD_EMULATOR_WAIT_FOR_BOT",
        value_name = "SECONDS"
    )]
    wait_for_bot: Option<u64>,
}

/// The line printed when ready; a stable contract.
#[derive(Serialize)]
struct Ready<'a> {
    graph: &'a str,
    token_url: &'a str,
    openid_configuration: &'a str,
    tenant_id: &'a str,
    client_id: &'a str,
    client_secret: &'a str,
    page: &'a str,
    admin: &'a str,
    seed: u64,
    /// When there are several: all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    apps: Vec<ReadyApp<'a>>,
}

#[derive(Serialize)]
struct ReadyApp<'a> {
    token_url: String,
    tenant_id: &'a str,
    client_id: &'a str,
    client_secret: &'a str,
}

/// Runs the emulator until it is told to stop, or its scenarios are over.
pub(crate) async fn run(args: &EmulateArgs) -> Result<ExitCode, Failure> {
    let (settings, scripts, reports) = match prepare(args) {
        Ok(prepared) => prepared,
        Err(mistake) => {
            hint(&mistake.to_string());
            return Ok(ExitCode::from(MISTAKE));
        }
    };
    let transport = media(&settings)?;
    let emulator = match Emulator::start(config(&settings, transport.clone())).await {
        Ok(emulator) => emulator,
        Err(error) => {
            complaint(&format!("switchboard: {error}"));
            return Ok(ExitCode::from(MISTAKE));
        }
    };
    announce(&emulator, &settings.apps)?;
    let (tell, told) = watch::channel(false);
    let played = scenarios::run(&emulator, &transport, &settings, &scripts, reports, told);
    let (passed, shutdown) = to_the_end(played, &tell).await?;
    if !settings.ci && shutdown.is_none() {
        shutdown_signal().await;
    }
    emulator.stop().await;
    Ok(match (settings.ci, shutdown) {
        (true, Some(shutdown)) => shutdown.into(),
        (true, None) if !passed => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

/// Lets scenarios report what there is when a signal ends them.
async fn to_the_end(
    played: impl Future<Output = Result<bool, Failure>>,
    tell: &watch::Sender<bool>,
) -> Result<(bool, Option<Shutdown>), Failure> {
    let mut played = pin!(played);
    tokio::select! {
        passed = &mut played => Ok((passed?, None)),
        shutdown = shutdown_signal() => {
            tell.send_replace(true);
            Ok((played.await?, Some(shutdown)))
        }
    }
}

/// Reads all that is to be read, and looks whether it can be run and reported.
fn prepare(args: &EmulateArgs) -> Result<(Settings, Vec<Script>, Reports), Mistake> {
    let settings = Settings::of(args)?;
    mistake::check(&settings)?;
    let scripts = settings.scenarios.iter().map(|path| Script::read(path));
    let scripts: Vec<_> = scripts.collect::<Result<_, _>>()?;
    for script in &scripts {
        script.check(&settings)?;
    }
    let reports = Reports::open(&settings)?;
    Ok((settings, scripts, reports))
}

fn media(settings: &Settings) -> Result<Transport, Failure> {
    let config = TransportConfig {
        bind: settings.media.ip(),
        port: settings.media.port(),
        // Phones that talk to each other, and their bots, must have one in common.
        codecs: &[Codec::Opus],
        ..TransportConfig::default()
    };
    let engine = Engine::start(EngineConfig::default())?;
    Ok(Transport::new(engine, config))
}

fn config(settings: &Settings, transport: Transport) -> EmulatorConfig {
    let mut config = EmulatorConfig::new(settings.listen, transport).with_seed(settings.seed);
    for (app, roles) in settings.apps.iter().zip(&settings.roles) {
        config = config.with_app(app.clone());
        if let Some(roles) = roles {
            let here = format!("{}@{}", app.client_id, app.tenant_id.to_ascii_lowercase());
            config = config.with_roles(here, roles.clone());
        }
    }
    config.network.clone_from(&settings.network);
    config.lenient = settings.lenient;
    config.allow_remote = settings.allow_remote;
    config.public_url.clone_from(&settings.public_url);
    config.tls.clone_from(&settings.tls);
    config.concurrent_calls = settings.concurrent_calls;
    config.allowed_origins.clone_from(&settings.allowed_origins);
    config
}

fn announce(emulator: &Emulator, apps: &[App]) -> std::io::Result<()> {
    let bare = |url: Url| url.as_str().trim_end_matches('/').to_owned();
    let all: Vec<_> = apps
        .iter()
        .map(|app| ReadyApp {
            token_url: emulator.token_url_of(&app.tenant_id).to_string(),
            tenant_id: &app.tenant_id,
            client_id: &app.client_id,
            client_secret: app.client_secret.expose_secret(),
        })
        .collect();
    let Some(first) = all.first() else {
        return Ok(());
    };
    say_json(&Ready {
        graph: &bare(emulator.graph_url()),
        token_url: &first.token_url,
        openid_configuration: emulator.openid_configuration_url().as_str(),
        tenant_id: first.tenant_id,
        client_id: first.client_id,
        client_secret: first.client_secret,
        page: emulator.page_url().as_str(),
        admin: emulator.admin_url().as_str(),
        seed: emulator.seed(),
        apps: match all.len() {
            1 => Vec::new(),
            _ => all.iter().map(ReadyApp::copy).collect(),
        },
    })
}

impl ReadyApp<'_> {
    fn copy(&self) -> Self {
        Self {
            token_url: self.token_url.clone(),
            ..*self
        }
    }
}

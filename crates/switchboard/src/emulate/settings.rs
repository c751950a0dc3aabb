//! Flags, environment and settings file put together.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use switchboard_emulator::scenario::Problems;
use switchboard_emulator::{App, AppSettings, NetworkRule, Role, SettingsFile, Tls, TlsError};
use url::Url;

use super::EmulateArgs;

const TENANT_ID: &str = "11111111-aaaa-4bbb-8ccc-222222222222";
const CLIENT_ID: &str = "33333333-dddd-4eee-8fff-444444444444";
/// The environment's variable for the client secret itself.
const SECRET: &str = "SWITCHBOARD_EMULATOR_CLIENT_SECRET";
/// The environment's variable for the file that has it.
const SECRET_FILE: &str = "SWITCHBOARD_EMULATOR_CLIENT_SECRET_FILE";
const PORT: u16 = 8480;
const CONCURRENT_CALLS: usize = 100;
const WAIT_FOR_BOT_S: u64 = 30;

/// Everything that is set.
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    pub(super) media: SocketAddr,
    pub(super) allow_remote: bool,
    pub(super) public_url: Option<Url>,
    pub(super) tls: Option<Tls>,
    pub(super) seed: Option<u64>,
    pub(super) lenient: bool,
    pub(super) concurrent_calls: usize,
    pub(super) allowed_origins: Vec<Url>,
    pub(super) apps: Vec<App>,
    /// For each application its permissions, or all.
    pub(super) roles: Vec<Option<Vec<String>>>,
    pub(super) network: Vec<NetworkRule>,
    pub(super) scenarios: Vec<PathBuf>,
    pub(super) ci: bool,
    pub(super) junit: Option<PathBuf>,
    pub(super) json: Option<PathBuf>,
    pub(super) log: Option<PathBuf>,
    pub(super) wait_for_bot: Duration,
    /// Whether a bot may be registered over REST by then: somebody said how long to wait.
    pub(super) may_register: bool,
}

/// A file that can't be used, or is missing.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadFile {
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is empty: it should hold the client secret", path.display())]
    NoSecret { path: PathBuf },
    #[error("{}", placed(path, problems))]
    Wrong { path: PathBuf, problems: Problems },
    #[error("--{given} alone makes no TLS: give --{missing} too, or neither")]
    HalfTls {
        given: &'static str,
        missing: &'static str,
    },
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// `FILE:LINE:COLUMN: what`, a line each.
fn placed(path: &Path, problems: &Problems) -> String {
    let lines = problems.0.iter();
    let lines: Vec<_> = lines
        .map(|problem| format!("{}:{problem}", path.display()))
        .collect();
    lines.join("\n")
}

impl BadFile {
    pub(super) fn read(path: &Path) -> Result<String, Self> {
        fs::read_to_string(path).map_err(|source| Self::Unreadable {
            path: path.to_owned(),
            source,
        })
    }
}

impl Settings {
    /// Flags and environment over the file over the defaults.
    pub(super) fn of(args: &EmulateArgs) -> Result<Self, BadFile> {
        let file = match &args.config {
            Some(path) => read(path)?,
            None => SettingsFile::default(),
        };
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let secret = secret(args)?.or(file.client_secret.clone());
        let (apps, roles) = apps(args, &file, secret).into_iter().unzip();
        let network = file.network();
        let scenarios = args.scenario.clone().or(file.scenario);
        Ok(Self {
            listen: args.listen.or(file.listen).unwrap_or(local(PORT)),
            media: args.media.or(file.media).unwrap_or(local(0)),
            allow_remote: args.allow_remote.or(file.allow_remote).unwrap_or(false),
            public_url: args.public_url.clone().or(file.public_url.clone()),
            tls: tls(
                args.tls_certificate
                    .as_ref()
                    .or(file.tls_certificate.as_ref()),
                args.tls_key.as_ref().or(file.tls_key.as_ref()),
            )?,
            seed: args.seed.or(file.seed),
            lenient: args.lenient.or(file.lenient).unwrap_or(false),
            concurrent_calls: args
                .concurrent_calls
                .or(file.concurrent_calls)
                .map_or(CONCURRENT_CALLS, NonZeroUsize::get),
            allowed_origins: args
                .allow_origin
                .clone()
                .or(file.allow_origin)
                .unwrap_or_default(),
            apps,
            roles,
            network,
            scenarios: scenarios.unwrap_or_default(),
            ci: args.ci.or(file.ci).unwrap_or(false),
            junit: args.junit.clone().or(file.junit),
            json: args.json.clone().or(file.json),
            log: args.log.clone().or(file.log),
            may_register: args
                .wait_for_bot
                .or(file.wait_for_bot)
                .is_some_and(|wait| wait > 0),
            wait_for_bot: Duration::from_secs(
                args.wait_for_bot
                    .or(file.wait_for_bot)
                    .unwrap_or(WAIT_FOR_BOT_S),
            ),
        })
    }
}

/// Reads a settings file; its paths become relative to where the program runs.
fn read(path: &Path) -> Result<SettingsFile, BadFile> {
    let mut file =
        SettingsFile::parse(&BadFile::read(path)?).map_err(|problems| BadFile::Wrong {
            path: path.to_owned(),
            problems,
        })?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let paths = file.scenario.iter_mut().flatten();
    for inner in paths
        .chain(&mut file.junit)
        .chain(&mut file.json)
        .chain(&mut file.log)
        .chain(&mut file.tls_certificate)
        .chain(&mut file.tls_key)
    {
        *inner = folder.join(&inner);
    }
    let filed = file.client_secret_file.as_deref();
    fill(&mut file.client_secret, filed, &folder)?;
    for app in file.apps_mut() {
        let filed = app.client_secret_file.as_deref();
        fill(&mut app.client_secret, filed, &folder)?;
    }
    Ok(file)
}

/// What the port speaks TLS with: a certificate and its key, or nothing.
fn tls(certificate: Option<&PathBuf>, key: Option<&PathBuf>) -> Result<Option<Tls>, BadFile> {
    let half = |given, missing| Err(BadFile::HalfTls { given, missing });
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(Tls::of_files(certificate, key)?)),
        (Some(_), None) => half("tls-certificate", "tls-key"),
        (None, Some(_)) => half("tls-key", "tls-certificate"),
        (None, None) => Ok(None),
    }
}

/// Fetches a secret that is in a file of its own.
fn fill(
    secret: &mut Option<SecretString>,
    file: Option<&Path>,
    folder: &Path,
) -> Result<(), BadFile> {
    if let (None, Some(file)) = (&secret, file) {
        *secret = Some(secret_in(&folder.join(file))?);
    }
    Ok(())
}

fn secret_in(path: &Path) -> Result<SecretString, BadFile> {
    let text = zeroize::Zeroizing::new(BadFile::read(path)?);
    match text.trim() {
        "" => Err(BadFile::NoSecret {
            path: path.to_owned(),
        }),
        secret => Ok(SecretString::from(secret)),
    }
}

/// The first application's secret by flag or environment: never an argument itself, which
/// whoever lists processes can read.
fn secret(args: &EmulateArgs) -> Result<Option<SecretString>, BadFile> {
    let given = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if args.client_secret_file.is_none()
        && let Some(secret) = given(SECRET)
    {
        let secret = secret.to_string_lossy();
        return Ok(Some(SecretString::from(secret.trim())));
    }
    let file = args.client_secret_file.clone();
    let path = file.or(given(SECRET_FILE).map(PathBuf::from));
    path.as_deref().map(secret_in).transpose()
}

/// The applications with their permissions. What flags and the file's own keys say is
/// about the first one.
fn apps(
    args: &EmulateArgs,
    file: &SettingsFile,
    secret: Option<SecretString>,
) -> Vec<(App, Option<Vec<String>>)> {
    let mut apps: Vec<_> = file.apps().map(app).collect();
    if apps.is_empty() {
        let app = App {
            tenant_id: TENANT_ID.to_owned(),
            client_id: CLIENT_ID.to_owned(),
            client_secret: made_up(),
            webhook: None,
        };
        apps.push((app, None));
    }
    if let Some((first, roles)) = apps.first_mut() {
        if let Some(tenant) = args.tenant_id.as_ref().or(file.tenant_id.as_ref()) {
            first.tenant_id = tenant.to_string();
        }
        if let Some(client) = args.client_id.as_ref().or(file.client_id.as_ref()) {
            first.client_id = client.to_string();
        }
        if let Some(secret) = secret {
            first.client_secret = secret;
        }
        let webhook = args.bot.clone().or(file.bot.clone());
        first.webhook = webhook.or(first.webhook.take());
        let own = args.role.as_ref().or(file.role.as_ref());
        *roles = own.map(|roles| names(roles)).or(roles.take());
    }
    apps
}

fn app(settings: &AppSettings) -> (App, Option<Vec<String>>) {
    let app = App {
        tenant_id: settings.tenant_id.to_string(),
        client_id: settings.client_id.to_string(),
        client_secret: settings.client_secret.clone().unwrap_or_else(made_up),
        webhook: settings.bot.clone(),
    };
    (app, settings.role.as_deref().map(names))
}

fn names(roles: &[Role]) -> Vec<String> {
    roles.iter().map(Role::to_string).collect()
}

fn made_up() -> SecretString {
    SecretString::from(uuid::Uuid::new_v4().simple().to_string())
}

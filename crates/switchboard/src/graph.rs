//! `switchboard graph`: Graph's calling operations from the command line.

mod call;
mod input;
mod media;
mod meeting;
mod participant;
mod people;
mod presence;
mod session;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use switchboard_signaling::cloud::Cloud;
use url::Url;

use crate::Failure;
use session::Session;

/// Ask Graph, or the emulator, for any calling operation; the answer is JSON.
///
/// The documented rules are checked before anything is sent. Lists are read to their last
/// page. With --dry-run the request is printed instead of being sent.
///
/// The application's secret comes from SWITCHBOARD_CLIENT_SECRET or --secret-file; a signed-in
/// user's access token, which /me needs, from SWITCHBOARD_GRAPH_TOKEN or --token-file. Against
/// the emulator everything comes from the line that `switchboard emulate` prints: keep it in a
/// file and name that with --ready.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    switchboard emulate >ready.json &\n  \
    switchboard graph --ready ready.json call create --callback-uri https://bot.contoso.com/callback --to-user USER\n  \
    switchboard graph --ready ready.json participant list CALL")]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    target: TargetArgs,

    #[command(subcommand)]
    area: Area,
}

/// Which Graph, and as whom.
#[derive(Args)]
#[command(next_help_heading = "Which Graph, and as whom")]
pub(crate) struct TargetArgs {
    /// Print the request as JSON and send nothing
    #[arg(long, global = true)]
    dry_run: bool,

    /// File with the line `switchboard emulate` prints, which is waited for some seconds;
    /// stands for all settings below
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_GRAPH_READY",
        value_name = "FILE"
    )]
    ready: Option<PathBuf>,

    /// Which cloud: global, us-gov, us-dod or china
    #[arg(long, global = true, env = "SWITCHBOARD_GRAPH_CLOUD", default_value_t = Cloud::Global)]
    cloud: Cloud,

    /// Use Graph's beta version
    #[arg(long, global = true)]
    beta: bool,

    /// Graph's base address with its version, in place of the cloud's
    #[arg(long, global = true, env = "SWITCHBOARD_GRAPH_URL", value_name = "URL")]
    base_url: Option<Url>,

    /// The identity service, in place of the cloud's
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_GRAPH_AUTHORITY",
        value_name = "URL"
    )]
    authority: Option<Url>,

    /// The tenant, by id or domain
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_TENANT_ID",
        value_name = "TENANT"
    )]
    tenant: Option<String>,

    /// The application's id
    #[arg(long, global = true, env = "SWITCHBOARD_CLIENT_ID", value_name = "ID")]
    client_id: Option<String>,

    /// File with the application's secret
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_CLIENT_SECRET_FILE",
        value_name = "FILE"
    )]
    secret_file: Option<PathBuf>,

    /// File with an access token obtained elsewhere, in place of the three before
    #[arg(
        long,
        global = true,
        env = "SWITCHBOARD_GRAPH_TOKEN_FILE",
        value_name = "FILE"
    )]
    token_file: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Area {
    /// Calls: create, answer, transfer, prompts, tones, recordings …
    #[command(subcommand)]
    Call(Box<call::Call>),
    /// Participants of a call
    #[command(subcommand)]
    Participant(participant::Participant),
    /// Online meetings and what is kept of them
    Meeting(meeting::MeetingArgs),
    /// Presence of users
    Presence(presence::PresenceArgs),
}

/// Runs one operation.
pub(crate) async fn run(args: &GraphArgs) -> Result<(), Failure> {
    let session = Session::open(&args.target).await?;
    match &args.area {
        Area::Call(call) => call::run(call, &session).await,
        Area::Participant(participant) => participant::run(participant, &session).await,
        Area::Meeting(args) => meeting::run(args, &session).await,
        Area::Presence(args) => presence::run(args, &session).await,
    }
}

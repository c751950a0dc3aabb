//! `switchboard emulate`.

use std::net::SocketAddr;

use clap::Args;
use secrecy::SecretString;
use serde::Serialize;
use switchboard_emulator::{App, Emulator, EmulatorConfig};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_transport::{Transport, TransportConfig};
use url::Url;

use crate::Failure;
use crate::output::{say_json, shutdown_signal};

/// Run the emulator of Graph's calling cloud alone, for a bot of any language.
///
/// When it is ready it prints one JSON line with everything a bot needs (Graph's
/// base URL, token endpoint, OpenID configuration, tenant, client id and secret,
/// page) and runs until Ctrl-C. Register the bot's calling webhook with --bot, then
/// call it from the page.
#[derive(Args)]
pub(crate) struct EmulateArgs {
    /// Address of the emulator's one TCP port, on loopback; port 0 takes a free one
    #[arg(long, env = "SWITCHBOARD_EMULATE_LISTEN", default_value = "127.0.0.1:8480")]
    listen: SocketAddr,

    /// The bot's calling webhook, for example http://127.0.0.1:3978/api/calls
    #[arg(long, env = "SWITCHBOARD_EMULATE_BOT", value_name = "URL")]
    bot: Option<Url>,

    /// Makes ids reproducible
    #[arg(long, env = "SWITCHBOARD_EMULATE_SEED")]
    seed: Option<u64>,
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
}

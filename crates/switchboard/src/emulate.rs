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
    #[arg(
        long,
        env = "SWITCHBOARD_EMULATE_LISTEN",
        default_value = "127.0.0.1:8480"
    )]
    listen: SocketAddr,

    /// The bot's calling webhook, for example http://127.0.0.1:3978/api/calls
    #[arg(long, env = "SWITCHBOARD_EMULATE_BOT", value_name = "URL")]
    bot: Option<Url>,

    /// Makes ids reproducible
    #[arg(long, env = "SWITCHBOARD_EMULATE_SEED")]
    seed: Option<u64>,

    /// Overlook unknown properties in requests, which Graph refuses
    #[arg(long, env = "SWITCHBOARD_EMULATE_LENIENT")]
    lenient: bool,

    /// Allow an address that other machines can reach; whoever does can use the phones
    #[arg(long, env = "SWITCHBOARD_EMULATE_ALLOW_REMOTE")]
    allow_remote: bool,

    /// A permission (app role) of the bot; may be given several times. All permissions
    /// on calls if left out
    #[arg(
        long,
        env = "SWITCHBOARD_EMULATE_ROLES",
        value_name = "ROLE",
        value_delimiter = ','
    )]
    role: Vec<String>,

    /// Calls the bot may have at once; Graph documents 100
    #[arg(
        long,
        env = "SWITCHBOARD_EMULATE_CONCURRENT_CALLS",
        value_name = "N",
        default_value_t = 100
    )]
    concurrent_calls: usize,
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

const TENANT_ID: &str = "11111111-aaaa-4bbb-8ccc-222222222222";
const CLIENT_ID: &str = "33333333-dddd-4eee-8fff-444444444444";

pub(crate) async fn run(args: &EmulateArgs) -> Result<(), Failure> {
    let transport = Transport::new(
        Engine::start(EngineConfig::default())?,
        TransportConfig::default(),
    );
    let secret = uuid::Uuid::new_v4().simple().to_string();
    let app = App {
        tenant_id: TENANT_ID.to_owned(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: SecretString::from(secret.clone()),
        webhook: args.bot.clone(),
    };
    let mut config = EmulatorConfig::new(args.listen, transport)
        .with_app(app)
        .with_seed(args.seed);
    if !args.role.is_empty() {
        config = config.with_roles(CLIENT_ID, args.role.clone());
    }
    config.lenient = args.lenient;
    config.allow_remote = args.allow_remote;
    config.concurrent_calls = args.concurrent_calls;
    let emulator = Emulator::start(config).await?;
    announce(&emulator, &secret)?;
    shutdown_signal().await;
    emulator.stop().await;
    Ok(())
}

fn announce(emulator: &Emulator, secret: &str) -> std::io::Result<()> {
    let bare = |url: Url| url.as_str().trim_end_matches('/').to_owned();
    say_json(&Ready {
        graph: &bare(emulator.graph_url()),
        token_url: emulator.token_url().as_str(),
        openid_configuration: emulator.openid_configuration_url().as_str(),
        tenant_id: TENANT_ID,
        client_id: CLIENT_ID,
        client_secret: secret,
        page: emulator.page_url().as_str(),
        admin: emulator.admin_url().as_str(),
    })
}

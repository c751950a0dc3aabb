//! The scenarios of `fixtures/scenarios`, run with real audio against the bots they
//! are for.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use switchboard_bot::{Bot, BotConfig, Cloud, nobody};
use switchboard_emulator::scenario::{self, Report, Scenario};
use switchboard_emulator::{App, Emulator, EmulatorConfig};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_media::prompt::Prompt;
use switchboard_tests::desk::{CLIENT, Desk, TENANT};
use switchboard_tests::{Failure, fixture};
use switchboard_transport::{Transport, TransportConfig};
use url::Url;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

struct Site {
    transport: Transport,
    emulator: Emulator,
}

impl Site {
    async fn start(app: App) -> Result<Self, Failure> {
        let engine = Engine::start(EngineConfig::default())?;
        let transport = Transport::new(engine, TransportConfig::default());
        let config = EmulatorConfig::new(ANY, transport.clone()).with_app(app);
        let emulator = Emulator::start(config.with_seed(Some(1))).await?;
        Ok(Self {
            transport,
            emulator,
        })
    }

    async fn run(&self, name: &str) -> Result<Report, Failure> {
        let path = fixture(&format!("scenarios/{name}.toml"));
        let text = std::fs::read_to_string(&path)?;
        self.run_text(&text, &path).await
    }

    async fn run_text(&self, text: &str, path: &Path) -> Result<Report, Failure> {
        let folder = path.parent().ok_or("a file has a folder")?;
        let scenario = Scenario::parse(text, &mut |name| {
            let bytes = std::fs::read(folder.join(name)).map_err(|error| error.to_string())?;
            Prompt::from_wav(&bytes).map_err(|error| error.to_string())
        })?;
        Ok(scenario::run(&self.emulator, &self.transport, &scenario).await)
    }
}

/// The demo's bot beside an emulator.
async fn demo() -> Result<(Site, Bot), Failure> {
    let site = Site::start(Desk::app()).await?;
    let text = |url: Url| url.as_str().trim_end_matches('/').to_owned();
    let config = BotConfig {
        listen: ANY,
        public_url: None,
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: Desk::app().client_secret,
        cloud: Cloud {
            graph: text(site.emulator.graph_url()),
            authority: text(site.emulator.authority_url()),
            openid_configuration: text(site.emulator.openid_configuration_url()),
        },
        agent: "agent".to_owned(),
    };
    let bot = Bot::start(config, site.transport.clone(), nobody()).await?;
    site.emulator.set_webhook(CLIENT, bot.webhook_url())?;
    Ok((site, bot))
}

async fn passes_with_the_demo(name: &str) -> Result<(), Failure> {
    let (site, bot) = demo().await?;
    let report = site.run(name).await?;
    assert!(report.passed, "{}", report.text());
    bot.stop().await;
    site.emulator.stop().await;
    Ok(())
}

async fn passes_at_the_desk(name: &str) -> Result<(), Failure> {
    let site = Site::start(Desk::app()).await?;
    Desk::start(&site.emulator).await?;
    let report = site.run(name).await?;
    assert!(report.passed, "{}", report.text());
    site.emulator.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_takes_keys() -> Result<(), Failure> {
    passes_with_the_demo("demo-keys").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_transfers() -> Result<(), Failure> {
    passes_with_the_demo("demo-transfer").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_serves_several() -> Result<(), Failure> {
    passes_with_the_demo("demo-several").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_stands_a_bad_network() -> Result<(), Failure> {
    passes_with_the_demo("bad-network").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_front_desk_answers_rejects_and_redirects() -> Result<(), Failure> {
    passes_at_the_desk("front-desk").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_menu_stands_a_bad_network() -> Result<(), Failure> {
    passes_at_the_desk("bad-network").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_menu_takes_keys_in_both_ways() -> Result<(), Failure> {
    passes_at_the_desk("ivr-keys").await
}

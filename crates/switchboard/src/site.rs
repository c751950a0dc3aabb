//! Emulator and bot in one process, over loopback.

use std::net::{Ipv4Addr, SocketAddr};

use secrecy::SecretString;
use switchboard_bot::flow::Farewell;
use switchboard_bot::{Bot, BotConfig, Cloud, Parts, Script};
use switchboard_emulator::{App, Emulator, EmulatorConfig};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_transport::{Transport, TransportConfig};
use url::Url;
use uuid::Uuid;

use crate::Failure;
use crate::timeline::publish_to;

/// The demo's tenant and application: fixed, so that dumps look familiar, and
/// worthless outside this process, whose keys are made anew at every start.
const TENANT_ID: &str = "7b1e1f0c-6a4d-4c39-9a53-5d0a1b7c2e10";
const CLIENT_ID: &str = "c0ffee00-5b0a-4d7e-8f10-2b3c4d5e6f70";

/// Everything a call on this machine needs.
pub(crate) struct Site {
    pub(crate) emulator: Emulator,
    pub(crate) transport: Transport,
    pub(crate) bot: Bot,
}

impl Site {
    /// Starts the emulator at `listen` and the demo's bot, registered with it.
    pub(crate) async fn start(listen: SocketAddr) -> Result<Self, Failure> {
        Self::with(
            listen,
            Parts::new(Script::demo()?),
            TransportConfig::default(),
        )
        .await
    }

    /// The same with a bot of other parts.
    pub(crate) async fn with(
        listen: SocketAddr,
        parts: Parts,
        transport: TransportConfig,
    ) -> Result<Self, Failure> {
        Self::leaving(listen, parts, transport, None).await
    }

    /// The same with a bot that passes callers on when it has to end.
    pub(crate) async fn leaving(
        listen: SocketAddr,
        parts: Parts,
        transport: TransportConfig,
        farewell: Option<Farewell>,
    ) -> Result<Self, Failure> {
        let engine = Engine::start(EngineConfig::default())?;
        let transport = Transport::new(engine, transport);
        let secret = SecretString::from(Uuid::new_v4().simple().to_string());
        let app = App {
            tenant_id: TENANT_ID.to_owned(),
            client_id: CLIENT_ID.to_owned(),
            client_secret: secret.clone(),
            webhook: None,
        };
        let config = EmulatorConfig::new(listen, transport.clone()).with_app(app);
        let emulator = Emulator::start(config).await?;
        let bot = start_bot(&emulator, secret, farewell, transport.clone(), parts).await?;
        emulator.set_webhook(CLIENT_ID, bot.webhook_url())?;
        Ok(Self {
            emulator,
            transport,
            bot,
        })
    }

    /// Ends what is running: calls first, then both servers.
    pub(crate) async fn stop(self) {
        self.bot.stop().await;
        self.emulator.stop().await;
    }
}

async fn start_bot(
    emulator: &Emulator,
    secret: SecretString,
    farewell: Option<Farewell>,
    transport: Transport,
    parts: Parts,
) -> Result<Bot, Failure> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = BotConfig {
        cloud: cloud_of(emulator),
        farewell,
        ..BotConfig::new(listen, TENANT_ID, CLIENT_ID, secret)
    };
    let parts = Parts {
        observer: publish_to(emulator.timeline()),
        ..parts
    };
    Ok(Bot::start(config, transport, parts).await?)
}

/// The emulator in the place of Microsoft's cloud.
fn cloud_of(emulator: &Emulator) -> Cloud {
    let text = |url: Url| url.as_str().trim_end_matches('/').to_owned();
    Cloud {
        graph: text(emulator.graph_url()),
        authority: text(emulator.authority_url()),
        openid_configuration: text(emulator.openid_configuration_url()),
    }
}

#[cfg(test)]
mod tests;

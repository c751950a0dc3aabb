//! Emulator and bot in one process, over loopback.

use std::net::{Ipv4Addr, SocketAddr};

use secrecy::SecretString;
use switchboard_bot::{Bot, BotConfig, Observer, Prompts};
use switchboard_emulator::{App, Emulator, EmulatorConfig};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_transport::{Transport, TransportConfig};

use crate::Failure;
use crate::timeline::publish_to;

/// The demo's tenant and application: fixed, so that dumps look familiar, and
/// worthless outside this process, whose keys are made anew at every start.
const TENANT_ID: &str = "7b1e1f0c-6a4d-4c39-9a53-5d0a1b7c2e10";
const CLIENT_ID: &str = "c0ffee00-5b0a-4d7e-8f10-2b3c4d5e6f70";

/// Everything a call on this machine needs.
pub(crate) struct Site {
    pub(crate) emulator: Emulator,
    pub(crate) bot: Bot,
    pub(crate) transport: Transport,
    pub(crate) engine: Engine,
}

impl Site {
    /// Starts the emulator at `listen` and a bot that is registered with it.
    pub(crate) async fn start(listen: SocketAddr) -> Result<Self, Failure> {
        let engine = Engine::start(EngineConfig::default())?;
        let transport = Transport::new(engine.clone(), TransportConfig::default());
        let client_secret = SecretString::from(uuid::Uuid::new_v4().simple().to_string());
        let emulator = start_emulator(listen, client_secret.clone(), transport.clone()).await?;
        let observer = publish_to(emulator.timeline());
        let bot = start_bot(&emulator, client_secret, transport.clone(), observer).await?;
        emulator.set_webhook(CLIENT_ID, bot.webhook_url())?;
        Ok(Self {
            emulator,
            bot,
            transport,
            engine,
        })
    }
}

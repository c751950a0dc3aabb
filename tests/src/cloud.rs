//! An emulator in this process, and scripted people who call its bot.

use std::net::{Ipv4Addr, SocketAddr};

use switchboard_emulator::scenario::{self, Report, Scenario};
use switchboard_emulator::{Emulator, EmulatorConfig};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_media::prompt::Prompt;
use switchboard_transport::{Transport, TransportConfig};

use crate::desk::Desk;
use crate::{Failure, fixture};

/// Graph, which knows the application of [`Desk::app`], and the phones' media.
pub struct Cloud {
    /// The phones' own.
    pub transport: Transport,
    /// Graph.
    pub emulator: Emulator,
}

impl Cloud {
    /// Starts it on any free port.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start() -> Result<Self, Failure> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let engine = Engine::start(EngineConfig::default())?;
        let transport = Transport::new(engine, TransportConfig::default());
        let config = EmulatorConfig::new(any, transport.clone()).with_app(Desk::app());
        let emulator = Emulator::start(config.with_seed(Some(1))).await?;
        Ok(Self {
            transport,
            emulator,
        })
    }

    /// Plays a scenario whose audio is in a folder of the fixtures.
    ///
    /// # Errors
    /// It is wrong.
    pub async fn play(&self, script: &str, folder: &str) -> Result<Report, Failure> {
        let folder = fixture(folder);
        let scenario = Scenario::parse(script, &mut |name| {
            let bytes = std::fs::read(folder.join(name)).map_err(|error| error.to_string())?;
            Prompt::from_wav(&bytes).map_err(|error| error.to_string())
        })?;
        Ok(scenario::run(&self.emulator, &self.transport, &scenario).await)
    }
}

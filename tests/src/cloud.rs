//! An emulator in this process, and scripted people who call its bot.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;
use switchboard_emulator::scenario::{self, Report, Scenario};
use switchboard_emulator::{Emulator, EmulatorConfig};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_media::prompt::Prompt;
use switchboard_transport::{Transport, TransportConfig};

use crate::desk::{CLIENT, Desk};
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

    /// Asks Graph for something, as the application does.
    ///
    /// # Errors
    /// It can't be asked, or refuses.
    pub async fn ask(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let form = [
            ("client_id", CLIENT),
            ("client_secret", Desk::secret()),
            ("scope", "https://graph.microsoft.com/.default"),
            ("grant_type", "client_credentials"),
        ];
        let request = http.post(self.emulator.token_url()).form(&form);
        let token: Value = request.send().await?.json().await?;
        let token = token["access_token"].as_str().ok_or("no token")?;
        let graph = self.emulator.graph_url();
        let url = format!("{}/{path}", graph.as_str().trim_end_matches('/'));
        let answer = http.post(url).bearer_auth(token).json(body).send().await?;
        let text = answer.error_for_status()?.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
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
        let report = scenario::run(&self.emulator, &self.transport, &scenario).await;
        keep_log(&report)?;
        Ok(report)
    }
}

/// Adds a scenario's log to its test's in the folder `SWITCHBOARD_LOGS`, if there is such a
/// variable: `scripts/same-logs` compares them.
///
/// # Errors
/// It can't be written.
pub fn keep_log(report: &Report) -> Result<(), Failure> {
    let (Some(folder), Some(name)) = (
        std::env::var_os("SWITCHBOARD_LOGS"),
        std::thread::current()
            .name()
            .map(|test| test.replace("::", "-")),
    ) else {
        return Ok(());
    };
    let path = std::path::Path::new(&folder).join(name + ".log");
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)?;
    for line in &report.log {
        writeln!(file, "{line}")?;
    }
    Ok(())
}

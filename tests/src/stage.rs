//! An emulator, `switchboard serve` as the bot, and scripted people: the guides in
//! `docs/bots`, played.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use switchboard_emulator::scenario::Report;
use switchboard_media::wav;
use tokio::net::TcpListener;
use url::Url;

use crate::cloud::Cloud;
use crate::service::{Around, Service};
use crate::{Failure, fixture, workspace};

/// What everybody hears of the bot: somebody speaks for so long.
const WORDS: Duration = Duration::from_secs(2);

/// Everything a scenario needs.
pub struct Stage {
    /// Graph and phones.
    pub cloud: Cloud,
    /// The bot.
    pub service: Service,
}

impl Stage {
    /// Starts an emulator, and a bot with a flow and further settings. Its texts are
    /// spoken by somebody who always says the same.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn start(flow: &str, settings: &str) -> Result<Self, Failure> {
        let around = Around {
            settings: settings.to_owned(),
            ..Around::default()
        };
        Self::with(flow, around).await
    }

    /// The same in other surroundings.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn with(flow: &str, around: Around) -> Result<Self, Failure> {
        Self::on(Cloud::start().await?, flow, around).await
    }

    /// The same with an emulator that is there already.
    ///
    /// # Errors
    /// The bot does not start.
    pub async fn on(cloud: Cloud, flow: &str, around: Around) -> Result<Self, Failure> {
        let around = Around {
            voice: Some(voice().await?),
            ..around
        };
        let service = Service::start(&cloud.emulator, flow, &around)?;
        Ok(Self { cloud, service })
    }

    /// Plays a file of `fixtures/scenarios`.
    ///
    /// # Errors
    /// It can't be read or is wrong.
    pub async fn play(&self, name: &str) -> Result<Report, Failure> {
        let path = fixture(&format!("scenarios/{name}.toml"));
        let script = std::fs::read_to_string(path)?;
        self.cloud.play(&script, "scenarios").await
    }

    /// The same; everything must come about, and the bot must end well afterwards.
    ///
    /// # Errors
    /// Something did not.
    pub async fn passes(mut self, name: &str) -> Result<(), Failure> {
        let report = self.play(name).await?;
        self.expect(&report)?;
        self.end().await
    }

    /// Everything in a scenario came about; else what did not, and what the bot says of it.
    ///
    /// # Errors
    /// Something did not.
    pub fn expect(&self, report: &Report) -> Result<(), Failure> {
        match report.passed {
            true => Ok(()),
            false => Err(format!("{}\n{}", report.text(), self.service.warnings()?).into()),
        }
    }

    /// Ends bot and emulator.
    ///
    /// # Errors
    /// The bot did not end well.
    pub async fn end(&mut self) -> Result<(), Failure> {
        match self.service.end()? {
            true => Ok(()),
            false => Err(self.service.warnings()?.into()),
        }
    }
}

/// The flow of a guide in `docs/bots`: its first block of TOML.
///
/// # Errors
/// There is none.
pub fn guide(name: &str) -> Result<String, Failure> {
    block(&format!("bots/{name}.md"))
}

/// The first block of TOML in a file of `docs`.
///
/// # Errors
/// There is none.
pub fn block(name: &str) -> Result<String, Failure> {
    let text = doc(name)?;
    let flow = blocks(&text).next().ok_or("the guide has no flow")?;
    Ok(flow.to_owned())
}

/// A file of `docs`.
///
/// # Errors
/// It can't be read.
pub fn doc(name: &str) -> Result<String, Failure> {
    Ok(std::fs::read_to_string(
        workspace().join("docs").join(name),
    )?)
}

/// The blocks of TOML in a guide.
pub fn blocks(guide: &str) -> impl Iterator<Item = &str> {
    let blocks = guide.split("```toml\n").skip(1);
    blocks.filter_map(|rest| rest.split("```").next())
}

/// A service with OpenAI's `/audio/speech` that says the same whatever the text.
async fn voice() -> Result<Url, Failure> {
    let speech = wav::read(&std::fs::read(fixture("speech/command-en.wav"))?)?;
    let most = (WORDS.as_secs() as usize) * speech.rate as usize;
    let samples = speech.mono();
    let words = wav::write(speech.rate, &samples[..most.min(samples.len())]);
    let say = move || {
        let words = words.clone();
        async move { ([(CONTENT_TYPE, "audio/wav")], words) }
    };
    let address = serve(Router::new().route("/audio/speech", post(say))).await?;
    Ok(Url::parse(&format!("http://{address}/audio/speech"))?)
}

/// Serves something on this machine for as long as the test lasts.
///
/// # Errors
/// No port can be had.
pub async fn serve(router: Router) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

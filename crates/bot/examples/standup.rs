//! A group call led by a function: `cargo run -p switchboard-bot --example standup`.
//!
//! Settings come by the environment: `PEOPLE`, the ids of two to five users, with commas;
//! `LISTEN` (127.0.0.1:3978), `TENANT_ID`, `CLIENT_ID`, `CLIENT_SECRET`, and `GRAPH`,
//! `AUTHORITY` and `OPENID_CONFIGURATION` for an emulator. Words are spoken by eSpeak NG.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use switchboard_bot::flow::{Contact, Flow, Whom};
use switchboard_bot::program::{Call, CallError, handler};
use switchboard_bot::speech::Synthesizer;
use switchboard_bot::{Bot, BotConfig, Cloud, Destination, OutgoingCall, Parts, Script};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_transport::{Transport, TransportConfig};

/// How long people may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The bot's part in the call.
pub(crate) async fn lead(mut call: Call) -> Result<(), CallError> {
    while call.people().len() < 2 {
        call.people_changed(PATIENCE).await?;
    }
    let names = call.people().join(", ");
    call.say(format!("Good morning, {names}. I mute you now."))
        .await?;
    call.mute(Whom::All).await?;
    while !call.people().is_empty() {
        call.people_changed(Duration::from_secs(3600)).await?;
    }
    Ok(())
}

/// There is nothing to say but what `lead` says.
const FLOW: &str = "start = \"end\"\notherwise = \"end\"\n[nodes.end]\nhang_up = true\n";

fn setting(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let speech = Some(Arc::new(Synthesizer::espeak()));
    let script = Script::load(Arc::new(Flow::parse(FLOW)?), ".".as_ref(), speech).await?;
    let secret = SecretString::from(setting("CLIENT_SECRET", ""));
    let cloud = Cloud::default();
    let config = BotConfig {
        cloud: Cloud {
            graph: setting("GRAPH", &cloud.graph),
            authority: setting("AUTHORITY", &cloud.authority),
            openid_configuration: setting("OPENID_CONFIGURATION", &cloud.openid_configuration),
        },
        ..BotConfig::new(
            setting("LISTEN", "127.0.0.1:3978").parse()?,
            setting("TENANT_ID", ""),
            setting("CLIENT_ID", ""),
            secret,
        )
    };
    let engine = Engine::start(EngineConfig::default())?;
    let live = TransportConfig {
        live: true,
        ..TransportConfig::default()
    };
    let bot = Bot::start(config, Transport::new(engine, live), Parts::new(script)).await?;
    let people = setting("PEOPLE", "");
    let people = people.split(',').map(|id| Contact::User(id.to_owned()));
    let mut call = bot.dialer().place(&OutgoingCall {
        to: Destination::Group(people.collect()),
        script: None,
        ring_seconds: None,
        handler: Some(handler(lead)),
    })?;
    call.ended().await;
    bot.stop().await;
    Ok(())
}

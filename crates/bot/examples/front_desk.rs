//! A front desk as a function: `cargo run -p switchboard-bot --example front_desk`.
//!
//! Settings come by the environment: `LISTEN` (127.0.0.1:3978), `TENANT_ID`,
//! `CLIENT_ID`, `CLIENT_SECRET`, and `GRAPH`, `AUTHORITY` and `OPENID_CONFIGURATION` for
//! an emulator. The prompts are spoken by eSpeak NG.

use std::sync::Arc;

use secrecy::SecretString;
use switchboard_bot::flow::{Contact, Flow};
use switchboard_bot::program::{Call, CallError, Collect, Prompt, handler};
use switchboard_bot::speech::Synthesizer;
use switchboard_bot::{Bot, BotConfig, Cloud, Parts, Script};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_transport::{Transport, TransportConfig};

/// One caller's conversation.
pub(crate) async fn talk(mut call: Call) -> Result<(), CallError> {
    for _ in 0..3 {
        call.say(Prompt("menu")).await?;
        let key = match call.digits(Collect::one()).await {
            // Nobody pressed anything: the menu once more.
            Err(CallError::NoInput) => continue,
            key => key?,
        };
        match key.as_str() {
            "1" => _ = call.say(Prompt("hours")).await?,
            "0" => {
                call.say(Prompt("connect")).await?;
                match call.transfer(Contact::User("agent".to_owned())).await {
                    Err(CallError::TransferFailed) => _ = call.say(Prompt("nobody")).await?,
                    passed_on => return passed_on,
                }
            }
            _ => {}
        }
    }
    call.say(Prompt("bye")).await?;
    Ok(())
}

const PROMPTS: &str = r#"
start = "end"
otherwise = "end"
[prompts]
menu = { text = "For our opening hours press 1. For a person press 0." }
hours = { text = "We are open from nine to five." }
connect = { text = "I'll connect you." }
nobody = { text = "Nobody is free right now." }
bye = { text = "Goodbye." }
[nodes.end]
hang_up = true
"#;

fn setting(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let speech = Some(Arc::new(Synthesizer::espeak()));
    let flow = Arc::new(Flow::parse(PROMPTS)?);
    let script = Script::load(flow, ".".as_ref(), speech).await?;
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
    let parts = Parts {
        handler: Some(handler(talk)),
        ..Parts::new(script)
    };
    let engine = Engine::start(EngineConfig::default())?;
    let transport = Transport::new(engine, TransportConfig::default());
    let bot = Bot::start(config, transport, parts).await?;
    tokio::signal::ctrl_c().await?;
    bot.stop().await;
    Ok(())
}

//! Engines that go wrong in the middle of a call: what is played goes on, and the caller is
//! served by keys.

use axum::extract::ws::{Message, WebSocket};
use serde_json::{Value, json};
use switchboard_nlp::wire::LinkConfig;

use super::engine::{serve_sockets, site_with, spoken};
use super::*;

/// What it does from the first prompt of a connection on.
#[derive(Clone, Copy)]
enum Manner {
    /// It says what no protocol knows, without end.
    Garbage,
    /// It reads on, and has nothing to say.
    Mute,
    /// It reads nothing any more, not even pings.
    Deaf,
}

const FLOW: &str = r##"# prompts: long ask keys bye
start = "greet"
otherwise = "bye"
fallback = "keys"
[nodes.greet]
say = "long"
interruptible = false
next = "ask"
[nodes.ask]
say = "ask"
listen = { intents = { wish = "bye" }, timeout = TIMEOUT, retries = 0, on_timeout = "ON_TIMEOUT" }
[nodes.keys]
say = "keys"
listen = { keys = { 1 = "bye" }, timeout = 30 }
[nodes.bye]
say = "bye"
hang_up = true
"##;

async fn talk(mut socket: WebSocket, manner: Manner) {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else {
            continue;
        };
        let event: Value = serde_json::from_str(&text).expect("JSON");
        match (event["type"].as_str(), manner) {
            (Some("session_start"), _) => {
                let ready = json!({"type": "ready", "version": 1, "features": true, "audio": true});
                let ready = Message::text(ready.to_string());
                if socket.send(ready).await.is_err() {
                    return;
                }
            }
            (Some("prompt_started" | "speech_end"), Manner::Garbage) => {
                // Until the bot has had enough of it.
                while socket.send(Message::text("{\"typ\x07e\": [")).await.is_ok() {}
                return;
            }
            (Some("prompt_started" | "speech_end"), Manner::Deaf) => std::future::pending().await,
            _ => {}
        }
    }
}

/// A call with such an engine. Where a time-out leads is not where a lost engine leads, unless
/// it is the time-out that is to be seen.
async fn leads_to_the_keys(manner: Manner, (timeout, on_timeout): (&str, &str)) {
    let address = serve_sockets(move |socket| talk(socket, manner)).await;
    let flow = FLOW.replace("ON_TIMEOUT", on_timeout);
    let flow = flow.replace("TIMEOUT", timeout);
    let site = site_with(address.port(), LinkConfig::default(), &flow).await;
    let mut caller = Person::calling(&site).await;
    caller.begins_to_hear("long").await;
    let silent = caller.hears_of_hum(LONG_FRAMES).await;
    assert!(
        silent <= LONG_FRAMES / 20,
        "{silent} of {LONG_FRAMES} frames were silent"
    );
    caller.hears("long").await;
    caller.begins_to_hear("ask").await;
    caller.speak(spoken());
    caller.hears("keys").await;
    caller.press("1");
    caller.hears("bye").await;
    caller.is_hung_up_on().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_talks_garbage_leads_to_the_keys() {
    leads_to_the_keys(Manner::Garbage, ("60", "bye")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_says_nothing_leads_to_the_keys() {
    leads_to_the_keys(Manner::Mute, ("6", "keys")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_stops_reading_leads_to_the_keys() {
    leads_to_the_keys(Manner::Deaf, ("60", "bye")).await;
}

//! Engines of `docs/nlp-wire.md`: one with a script in place of a recogniser, with which
//! whoever speaks after a prompt is understood as the script has it; and the real one of
//! `fixtures/workers`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::get;
use serde_json::{Value, json};
use switchboard_nlp::wire::SUBPROTOCOL;

use crate::stage::serve;
use crate::{Failure, fixture};

/// One utterance: the caller's name, the prompt it follows, what is understood. A caller's
/// utterances come in their order.
pub type Understood = (&'static str, &'static str, Vec<Value>);

/// What is said by whom, and who is never answered.
#[derive(Debug, Default)]
pub struct Script {
    /// What callers say.
    pub utterances: Vec<Understood>,
    /// Callers whose calls the engine turns away.
    pub refused: Vec<&'static str>,
}

/// Runs the engine for as long as the test lasts; gives where it listens.
///
/// # Errors
/// No port can be had.
pub async fn start(script: Script) -> Result<SocketAddr, Failure> {
    let script = Arc::new(script);
    let upgrade = move |upgrade: WebSocketUpgrade| {
        let script = Arc::clone(&script);
        async move {
            let upgrade = upgrade.protocols([SUBPROTOCOL]);
            upgrade.on_upgrade(|socket| async move { talk(socket, &script).await })
        }
    };
    serve(Router::new().route("/", get(upgrade))).await
}

/// One call. What is no message of the protocol ends it.
async fn talk(mut socket: WebSocket, script: &Script) {
    let mut said = Said::default();
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else {
            continue;
        };
        let Ok(event) = serde_json::from_str(&text) else {
            return;
        };
        let Some(replies) = said.event(script, &event) else {
            return;
        };
        for reply in replies {
            if socket.send(Message::text(reply.to_string())).await.is_err() {
                return;
            }
        }
    }
}

/// How far a call is.
#[derive(Default)]
struct Said {
    caller: String,
    prompt: String,
    /// How many of the caller's utterances were understood.
    understood: usize,
}

impl Said {
    /// What an event is answered with; `None` to end the call.
    fn event(&mut self, script: &Script, event: &Value) -> Option<Vec<Value>> {
        let text = |pointer| event.pointer(pointer).and_then(Value::as_str);
        match text("/type") {
            Some("session_start") => {
                self.caller = text("/caller/name").unwrap_or_default().to_owned();
                let ready = json!({"type": "ready", "version": 1, "audio": true});
                (!script.refused.contains(&&*self.caller)).then(|| vec![ready])
            }
            Some("prompt_started") => {
                self.prompt = text("/name").unwrap_or_default().to_owned();
                Some(Vec::new())
            }
            Some("speech_end") => Some(self.spoken(script)),
            _ => Some(Vec::new()),
        }
    }

    fn spoken(&mut self, script: &Script) -> Vec<Value> {
        let own = script
            .utterances
            .iter()
            .filter(|(who, ..)| *who == self.caller);
        match own.clone().nth(self.understood) {
            Some((_, prompt, replies)) if *prompt == self.prompt => {
                self.understood += 1;
                replies.clone()
            }
            // The rest of a sentence that was understood already.
            _ => Vec::new(),
        }
    }
}

/// The recogniser of `fixtures/workers`, with its grammar of menus. Dropping it ends it.
pub struct Recogniser {
    worker: Child,
    /// Where it listens, on this machine.
    pub port: u16,
}

impl Drop for Recogniser {
    fn drop(&mut self) {
        // It has ended by itself, or does now.
        let _ = self.worker.kill();
        let _ = self.worker.wait();
    }
}

impl Recogniser {
    /// Starts it with intents as in `hours=hours,open`; `None`, and the reason said, where
    /// its libraries are missing.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(intents: &[&str]) -> Result<Option<Self>, Failure> {
        let python = std::env::var("SWITCHBOARD_PYTHON").unwrap_or_else(|_| "python3".into());
        let probe = Command::new(&python)
            .args(["-c", "import pocketsphinx, vaderSentiment, websockets"])
            .stderr(Stdio::null())
            .status();
        if !probe.is_ok_and(|status| status.success()) {
            crate::skip::skipped(format!("{python} lacks fixtures/workers/requirements.txt"));
            return Ok(None);
        }
        let mut worker = Command::new(python)
            .arg(fixture("workers/sphinx.py"))
            .arg("--grammar")
            .arg(fixture("workers/menu.gram"))
            .args(intents.iter().flat_map(|intent| ["--intent", intent]))
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = worker.stdout.take().ok_or("it is piped")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let port = line.trim().rsplit(' ').next().map(str::parse);
        let port = port.ok_or("the line ends with the port")??;
        Ok(Some(Self { worker, port }))
    }
}

//! Texts spoken by synthesisers, in whole calls.

use std::sync::Mutex;

use futures_util::StreamExt;

use switchboard_bot::speech::{HttpVoice, Synthesizer};
use switchboard_nlp::{Action, Engine, Event, Reply, Say, Transient, Utterance};

use super::*;

/// An engine that goes on where a prompt ends.
struct Parrot;

impl Engine for Parrot {
    fn handle(&mut self, event: &Event, reply: &mut dyn FnMut(Reply)) {
        if let Event::PromptFinished { name, .. } = event
            && name == "hello"
        {
            let text = "This is said while it is being made, and nobody has recorded it.";
            reply(Reply::Action(Action::Say(Say {
                id: "echo".to_owned(),
                what: Utterance::Text(Transient::new(text.to_owned())),
                interruptible: true,
            })));
        }
    }
}

const PARROT: &str = r##"# prompts:
start = "ask"
otherwise = "bye"
engine = { say = true }
MEDIA
[prompts]
hello = { text = "Press a key." }
[nodes.ask]
say = "hello"
listen = { keys = { 2 = "bye" }, keywords = { never = "bye" }, timeout = 30, barge_in = false }
[nodes.bye]
hang_up = true
"##;

async fn parrot(media: &str, synthesizer: Synthesizer) -> Site {
    let flow = Flow::parse(&PARROT.replace("MEDIA", media));
    let flow = Arc::new(flow.unwrap_or_else(|problems| panic!("{problems}")));
    let loaded = Script::load(flow, Path::new(""), Some(Arc::new(synthesizer))).await;
    let parts = Parts {
        engines: Arc::new(|| Box::new(Parrot)),
        ..Parts::new(loaded.unwrap_or_else(|error| panic!("{error}")))
    };
    let transport = TransportConfig {
        live: true,
        ..TransportConfig::default()
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Site::with(any, parts, transport)
        .await
        .expect("the site starts")
}

/// Whether eSpeak NG is there; says so if not.
fn has_espeak() -> bool {
    let probe = std::process::Command::new("espeak-ng")
        .arg("--version")
        .output();
    let there = probe.is_ok_and(|output| output.status.success());
    if !there {
        super::skip::skipped("espeak-ng is missing; apt-get install espeak-ng");
    }
    there
}

async fn words_are_said_and_interrupted(media: &str, synthesizer: Synthesizer) {
    let site = parrot(media, synthesizer).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("hello").await;
    caller.hears("echo").await;
    caller.press("2");
    caller.is_hung_up_on().await;
    let mut hasty = Person::calling(&site).await;
    hasty.begins_to_hear("echo").await;
    hasty.press("2");
    let cut = Noticed::Cut("echo".to_owned());
    hasty.until(|noticed| *noticed == cut).await;
    hasty.is_hung_up_on().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_speaks_while_it_synthesises() {
    if has_espeak() {
        words_are_said_and_interrupted("", Synthesizer::espeak()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_reach_callers_whose_media_graph_handles() {
    if has_espeak() {
        words_are_said_and_interrupted("media = \"service\"", Synthesizer::espeak()).await;
    }
}

/// A service with OpenAI's `/audio/speech` that hums.
async fn service(asked: Arc<Mutex<Vec<serde_json::Value>>>) -> SocketAddr {
    let speak = move |headers: axum::http::HeaderMap, body: axum::Json<serde_json::Value>| {
        let asked = Arc::clone(&asked);
        async move {
            let token = headers
                .get("authorization")
                .and_then(|value| value.to_str().ok());
            if token != Some("Bearer opensesame") {
                return Err(axum::http::StatusCode::UNAUTHORIZED);
            }
            asked.lock().expect("nobody panics").push(body.0);
            let hum: Vec<f32> = (0..24_000).map(|n| 0.2 * (n as f32 / 20.0).sin()).collect();
            Ok(wav::write(24_000, &hum))
        }
    };
    let router = axum::Router::new().route("/v1/audio/speech", axum::routing::post(speak));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await.expect("it runs") });
    address
}

fn voice_at(address: SocketAddr, token: &str) -> HttpVoice {
    HttpVoice {
        url: format!("http://{address}/v1/audio/speech")
            .parse()
            .expect("a URL"),
        model: "kokoro".to_owned(),
        voice: "af".to_owned(),
        token: Some(token.to_owned().into()),
    }
}

/// The same that stops after the first half second of what no prompt says, until told.
async fn halting_service(go_on: Arc<tokio::sync::Notify>) -> SocketAddr {
    let speak = move |body: axum::Json<serde_json::Value>| {
        let go_on = Arc::clone(&go_on);
        async move {
            let hum: Vec<f32> = (0..24_000).map(|n| 0.2 * (n as f32 / 20.0).sin()).collect();
            let file = wav::write(24_000, &hum);
            let (first, rest) = match body["input"] == "Press a key." {
                true => (file.clone(), Vec::new()),
                false => (file[..24_000].to_vec(), file[24_000..].to_vec()),
            };
            let whole = rest.is_empty();
            let first = async { Ok::<_, std::io::Error>(first) };
            let rest = async move {
                if !whole {
                    go_on.notified().await;
                }
                Ok(rest)
            };
            let body = futures_util::stream::once(first).chain(futures_util::stream::once(rest));
            axum::body::Body::from_stream(body)
        }
    };
    let router = axum::Router::new().route("/v1/audio/speech", axum::routing::post(speak));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await.expect("it runs") });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_heard_before_it_has_made_all_of_it() {
    let go_on = Arc::new(tokio::sync::Notify::new());
    let address = halting_service(Arc::clone(&go_on)).await;
    let voice = Synthesizer::http(voice_at(address, "opensesame"));
    let site = parrot("", voice.expect("loopback")).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("hello").await;
    // Half of it isn't there yet.
    caller.begins_to_hear("echo").await;
    go_on.notify_one();
    caller.hears("echo").await;
    caller.hang_up().await;
    caller.is_hung_up_on().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_speaks_with_our_token_and_model() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let address = service(Arc::clone(&asked)).await;
    let voice = |token: &str| voice_at(address, token);
    words_are_said_and_interrupted(
        "",
        Synthesizer::http(voice("opensesame")).expect("loopback"),
    )
    .await;
    let asked = std::mem::take(&mut *asked.lock().expect("nobody panics"));
    let texts: Vec<_> = asked.iter().map(|asked| &asked["input"]).collect();
    // What the flow says is made once, what an engine says each time.
    assert_eq!(texts[0], "Press a key.");
    assert!(
        texts.len() == 3 && texts[1] == texts[2] && texts[1] != texts[0],
        "{texts:?}"
    );
    assert_eq!(
        (&asked[0]["model"], &asked[0]["voice"]),
        (&"kokoro".into(), &"af".into())
    );
    assert_eq!(asked[0]["response_format"], "wav");
    let flow = Flow::parse(&PARROT.replace("MEDIA", ""))
        .ok()
        .map(Arc::new)
        .expect("a flow");
    let stranger = Synthesizer::http(voice("wrong")).expect("loopback");
    let refused = Script::load(flow, Path::new(""), Some(Arc::new(stranger))).await;
    let told = refused.err().expect("it is refused").to_string();
    assert!(told.contains("401") && !told.contains("Press"), "{told}");
    let mut elsewhere = voice("opensesame");
    elsewhere.url = "http://speech.example/v1/audio/speech"
        .parse()
        .expect("a URL");
    assert!(Synthesizer::http(elsewhere).is_err());
}

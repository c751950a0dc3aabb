//! The adapters against the libraries people use on the other end.
//!
//! Each test runs where its peer is installed and says so where it isn't: Pipecat
//! (PyPI `pipecat-ai` and `websockets`, in the Python that `SWITCHBOARD_PIPECAT`
//! names) and Microsoft's SDK (npm `@azure/communication-call-automation`, found by
//! node through `NODE_PATH`).

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test program")]

#[path = "../../../tests/src/skip.rs"]
#[allow(unreachable_pub)]
mod skip;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use switchboard_nlp::adapter::twilio::{FromAgent, Stream, StreamInfo};
use switchboard_nlp::adapter::{Playback, acs, twilio};
use time::macros::datetime;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;

use skip::skipped;
use tokio_tungstenite::tungstenite::Message;
use zeroize::Zeroizing;

struct Agent(Child, u16);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pipecat() -> Option<Agent> {
    let python = std::env::var("SWITCHBOARD_PIPECAT").unwrap_or_else(|_| "python3".into());
    let probe = Command::new(&python)
        .args(["-c", "import pipecat.serializers.twilio, websockets"])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        skipped(format!("{python} lacks pipecat-ai and websockets"));
        return None;
    }
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/workers/pipecat_echo.py"
    );
    let mut child = Command::new(python)
        .arg(script)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let port = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
    Some(Agent(child, port))
}

async fn send(socket: &mut WebSocketStream<TcpStream>, message: Zeroizing<String>) {
    socket.send(Message::text(message.as_str())).await.unwrap();
}

async fn receive(socket: &mut WebSocketStream<TcpStream>) -> FromAgent {
    let message = tokio::time::timeout(Duration::from_secs(30), socket.next()).await;
    let message = message.expect("the agent answers").unwrap().unwrap();
    twilio::receive(message.to_text().unwrap()).unwrap()
}

#[tokio::test]
async fn a_pipecat_agent_takes_the_call_for_twilios() {
    let Some(agent) = pipecat() else { return };
    let tcp = TcpStream::connect(("127.0.0.1", agent.1)).await.unwrap();
    let url = format!("ws://127.0.0.1:{}/", agent.1);
    let (mut socket, _) = tokio_tungstenite::client_async(url, tcp).await.unwrap();
    let mut stream = Stream::new(StreamInfo {
        stream_sid: "MZ1".into(),
        call_sid: "CA1".into(),
        account_sid: "AC1".into(),
        custom_parameters: BTreeMap::new(),
    });
    send(&mut socket, stream.connected()).await;
    send(&mut socket, stream.start()).await;

    // Every code word once; G.711's negative zero has no PCM of its own.
    let heard: Vec<u8> = (0..=255).collect();
    let expected: Vec<u8> = heard
        .iter()
        .map(|&code| if code == 0x7F { 0xFF } else { code })
        .collect();
    let mut playback = Playback::new(8_000);
    send(&mut socket, stream.media(0, &heard)).await;
    let FromAgent::Media(audio) = receive(&mut socket).await else {
        panic!("no audio")
    };
    assert!(playback.push(audio).is_ok());
    let FromAgent::Mark(name) = receive(&mut socket).await else {
        panic!("no mark")
    };
    playback.mark(name);
    let mut frame = [0; 160];
    assert_eq!((playback.pull(&mut frame), playback.reached()), (160, None));
    assert_eq!(frame[..], expected[..160]);
    assert_eq!(playback.pull(&mut frame), 96);
    assert_eq!(frame[..96], expected[160..]);
    let reached = playback.reached().expect("the mark");
    assert_eq!(reached, "heard");
    send(&mut socket, stream.mark(&reached)).await;

    send(&mut socket, stream.dtmf('*')).await;
    assert!(matches!(receive(&mut socket).await, FromAgent::Clear));
    send(&mut socket, stream.stop()).await;
}

const PARSE: &str = r#"
const { StreamingData } = require("@azure/communication-call-automation");
const lines = require("fs").readFileSync(0, "utf8").trim().split("\n");
console.log(JSON.stringify(lines.map((line) => [StreamingData.parse(line), StreamingData.getStreamingKind()])));
"#;

const CREATE: &str = r#"
const azure = require("@azure/communication-call-automation");
console.log(azure.createOutboundAudioData("AAECAw=="));
console.log(azure.createOutboundStopAudioData());
"#;

/// What node prints; `None`, and the reason said, where the SDK isn't installed.
fn node(script: &str, input: &str) -> Option<String> {
    let probe = Command::new("node")
        .args(["-e", "require('@azure/communication-call-automation')"])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        skipped("node lacks @azure/communication-call-automation (NODE_PATH)");
        return None;
    }
    let mut child = Command::new("node")
        .args(["-e", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn microsofts_sdk_parses_what_we_send_as_the_service() {
    let metadata = acs::Metadata {
        subscription_id: "s1".into(),
        sample_rate: 16_000,
        length: Some(640),
    };
    let heard = datetime!(2026-11-24 19:16:12.925 UTC);
    let messages = [
        acs::metadata(&metadata),
        acs::audio(&[0, 1, 2, 3], heard, Some("4:+31201234567"), false),
        acs::audio(&[0, 0], heard, None, true),
        acs::dtmf('#'),
    ];
    let input = messages
        .each_ref()
        .map(|message| message.as_str())
        .join("\n");
    let Some(parsed) = node(PARSE, &input) else {
        return;
    };
    let parsed: serde_json::Value = serde_json::from_str(&parsed).unwrap();
    let expected = serde_json::json!([
        [{"subscriptionId": "s1", "encoding": "PCM", "sampleRate": 16_000, "channels": 1}, "AudioMetadata"],
        [{
            "data": "AAECAw==", "timestamp": "2026-11-24T19:16:12.925Z", "isSilent": false,
            "participant": {"kind": "phoneNumber", "phoneNumber": "+31201234567", "isAnonymous": false},
        }, "AudioData"],
        [{"data": "AAA=", "timestamp": "2026-11-24T19:16:12.925Z", "isSilent": true}, "AudioData"],
        [{"data": "#"}, "DtmfData"],
    ]);
    assert_eq!(parsed, expected);
}

#[test]
fn we_read_what_microsofts_sdk_sends_as_the_application() {
    let Some(output) = node(CREATE, "") else {
        return;
    };
    let messages: Vec<&str> = output.lines().collect();
    assert!(matches!(
        acs::from_application(messages[0]),
        Ok(acs::FromApplication::Audio(audio)) if audio.with(|audio| audio[..] == [0, 1, 2, 3])
    ));
    assert!(matches!(
        acs::from_application(messages[1]),
        Ok(acs::FromApplication::StopAudio)
    ));
    assert_eq!(
        messages,
        [
            acs::play(&[0, 1, 2, 3]).as_str(),
            acs::stop_audio().as_str()
        ]
    );
}

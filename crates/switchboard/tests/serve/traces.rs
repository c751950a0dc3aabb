//! What a collector gets to know of a call.

use tempfile::TempDir;

use super::collector::{Collector, attributes};
use super::{SECRET, Signal, free_port, phones, recording, serving, settings, written};

const FLOW: &str = r##"start = "ask"
otherwise = "bye"
media = "service"
[prompts]
ask = { file = "ask.wav" }
bye = { file = "bye.wav" }
[nodes.ask]
say = "ask"
collect = { into = "pin", max = 6, terminator = "#", next = "known" }
[nodes.known]
say = "bye"
outcome = "recognised"
interruptible = false
hang_up = true
[nodes.bye]
say = "bye"
hang_up = true
"##;

/// Who calls, and what they press.
const CALLER: &str = "0b5f2a77-8d1c-4e60-9a3e-6c1d2e3f4a5b";
const PIN: &str = "739158";

fn scenario() -> String {
    format!(
        r##"name = "A number"
overlook = ["slowWebhook"]
[people.Cassandra]
id = "{CALLER}"
steps = [
    {{ call = "bot" }},
    {{ reach = "established" }},
    {{ hear = "speech" }},
    {{ hear = "silence", for = "1s", within = "30s" }},
    {{ press = "{PIN}#" }},
    {{ expect_end = 0 }},
]
"##
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_traced_without_a_word_or_key_of_its_caller() {
    let collector = Collector::start().await;
    let folder = TempDir::new().unwrap();
    let (emulator, bot) = (free_port(), free_port());
    written(&folder, "secret", SECRET);
    written(&folder, "flow.toml", FLOW);
    recording(&folder, "ask.wav");
    recording(&folder, "bye.wav");
    let telemetry = format!("[telemetry]\notlp = \"{}\"\n", collector.address);
    let text = settings(emulator, bot) + &telemetry + "[speech]\ncommand = []\n";
    let config = written(&folder, "bot.toml", &text);
    let scenario = written(&folder, "pin.toml", &scenario());
    let mut cloud = phones(emulator, bot, &scenario);
    let mut running = serving(&config, &["--require-sandbox"]).0;
    assert!(cloud.ends_well(), "the scenario came about");
    running.signal(Signal::TERM);
    assert!(running.ends_well());

    let traces = collector.traces();
    assert_eq!(traces.resource["service.name"], "switchboard");
    let call = traces.only("call");
    let told = attributes(call);
    assert_eq!(told["call.direction"], "incoming");
    assert_eq!(told["call.flow"], "flow");
    assert_eq!(told["call.answered"], "true");
    // The bot hung up, and Graph said so: whichever is noticed first.
    assert!(["hung_up", "graph"].contains(&told["call.cause"].as_str()));
    let within = traces.within(call);
    for done in [
        "call: answer 202",
        "call: subscribeToTone 200",
        "call: playPrompt 200",
        "notification: call established",
        "notification: operation completed",
        "delete call",
    ] {
        assert!(
            within.iter().any(|name| name.starts_with(done)),
            "{done}: {within:?}"
        );
    }
    // Notifications of keys would tell how many there were.
    let states = within
        .iter()
        .filter(|name| name.starts_with("notification: call"));
    assert!(states.count() < PIN.len(), "{within:?}");
    traces.have_nothing_of(&[
        SECRET.trim(),
        PIN,
        CALLER,
        "Cassandra",
        "recognised",
        "tone",
    ]);
}

//! A conference in which all speak at once, and a bot that hears each apart and knows who
//! it is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchboard_bot::flow::{Contact, Flow};
use switchboard_bot::program::{Call, CallError, handler};
use switchboard_bot::{
    Bot, BotConfig, Cloud as Addresses, Destination, OutgoingCall, Parts, Script,
};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_media::wav;
use switchboard_nlp::{Engine as Hears, Event, Heard, Reply, Speaker, Wants};
use switchboard_tests::cloud::Cloud;
use switchboard_tests::desk::{CLIENT, Desk, TENANT};
use switchboard_tests::patience::eventually;
use switchboard_tests::{Failure, fixture};
use switchboard_transport::{Transport, TransportConfig};

/// Everybody's name, id, and what they say.
const PEOPLE: [(&str, &str, &str); 3] = [
    ("Ada", "3f0a6c1e-52c8-4d3f-9d5b-0b6f9a2c7a01", "recorded-es"),
    ("Ben", "8f6c2a52-9e1a-4bf5-8a7e-0f3ec10e8a02", "read-en"),
    (
        "Cleo",
        "b7d41f90-6b1d-4a39-8c52-2f6f0d9b7e03",
        "recorded-it",
    ),
];

fn scenario() -> String {
    let person = |(name, id, words): (&str, &str, &str)| {
        format!(
            r#"
[people.{name}]
id = "{id}"
steps = [
    {{ accept = true, within = "60s" }},
    {{ reach = "established" }},
    {{ together = "all are in" }},
    {{ say = "{words}.wav" }},
    {{ together = "all have spoken" }},
    {{ pause = "1s" }},
    {{ hang_up = true }},
]
"#
        )
    };
    PEOPLE.map(person).concat()
}

/// Samples of speech, by the name of who spoke, with where each frame begins.
#[derive(Default)]
struct Speech {
    heard: BTreeMap<String, Vec<(u64, Vec<i16>)>>,
    /// Who began, and ceased, to speak.
    began: BTreeSet<String>,
    ended: BTreeSet<String>,
}

/// Hears each speaker apart.
struct Listener(Arc<Mutex<Speech>>);

fn name(who: &Speaker) -> String {
    // What the roster says of them belongs together.
    let known = PEOPLE
        .iter()
        .find(|(_, id, _)| who.party.id.as_deref() == Some(id));
    let (name, _, _) = known.expect("somebody of the roster speaks");
    assert_eq!(who.party.name.as_deref(), Some(*name));
    assert!(who.participant.is_some());
    (*name).to_owned()
}

impl Hears for Listener {
    fn handle(&mut self, event: &Event, _: &mut dyn FnMut(Reply)) {
        let Event::Speaker(who, heard) = event else {
            return;
        };
        let mut speech = self.0.lock().expect("no panic");
        match heard {
            Heard::SpeechStart { .. } => _ = speech.began.insert(name(who)),
            Heard::SpeechEnd { .. } => _ = speech.ended.insert(name(who)),
            Heard::Speech(frame) => frame.with(|frame| {
                let theirs = speech.heard.entry(name(who)).or_default();
                theirs.push((frame.t_ms, frame.samples.to_vec()));
            }),
            Heard::Features(_) => panic!("nobody asked for features"),
        }
    }

    fn wants(&self) -> Wants {
        Wants {
            audio: true,
            speakers: true,
            features: false,
        }
    }
}

/// Notes who speaks until everybody has left.
async fn attend(mut call: Call, spoke: Arc<Mutex<BTreeSet<String>>>) -> Result<(), CallError> {
    loop {
        let speaking = call.speaking_changed(Duration::from_secs(60)).await?;
        let names = speaking.iter().map(|who| name(who));
        spoke.lock().expect("no panic").extend(names);
    }
}

const FLOW: &str = "start = \"end\"\notherwise = \"end\"\n[nodes.end]\nhang_up = true\n";

async fn bot(cloud: &Cloud, speech: &Arc<Mutex<Speech>>) -> Result<Bot, Failure> {
    let script = Script::load(Arc::new(Flow::parse(FLOW)?), ".".as_ref(), None).await?;
    let text = |url: url::Url| url.as_str().trim_end_matches('/').to_owned();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = BotConfig {
        cloud: Addresses {
            graph: text(cloud.emulator.graph_url()),
            authority: text(cloud.emulator.authority_url()),
            openid_configuration: text(cloud.emulator.openid_configuration_url()),
        },
        ..BotConfig::new(any, TENANT, CLIENT, Desk::app().client_secret)
    };
    let transport = TransportConfig {
        live: true,
        speakers: 4,
        ..TransportConfig::default()
    };
    let transport = Transport::new(Engine::start(EngineConfig::default())?, transport);
    let speech = Arc::clone(speech);
    let parts = Parts {
        engines: Arc::new(move || Box::new(Listener(Arc::clone(&speech)))),
        ..Parts::new(script)
    };
    let bot = Bot::start(config, transport, parts).await?;
    cloud.emulator.set_webhook(CLIENT, bot.webhook_url())?;
    Ok(bot)
}

/// At 4 kHz: enough to know somebody by.
fn coarse(samples: &[f32]) -> Vec<f32> {
    let (fours, _) = samples.as_chunks::<4>();
    fours.iter().map(|four| four.iter().sum()).collect()
}

/// The loudest three stretches of 0.8 s.
fn loudest(samples: &[f32]) -> Vec<&[f32]> {
    let power = |part: &[f32]| part.iter().map(|x| x * x).sum::<f32>();
    let mut parts: Vec<_> = samples.chunks_exact(3_200).collect();
    parts.sort_by(|one, other| power(other).total_cmp(&power(one)));
    parts.truncate(3);
    parts
}

/// The correlation of two stretches of sound.
fn likeness(one: &[f32], other: &[f32]) -> f32 {
    let (mut both, mut own, mut theirs) = (0.0, 0.0, 0.0);
    for (x, y) in one.iter().zip(other) {
        both += x * y;
        own += x * x;
        theirs += y * y;
    }
    both / f32::sqrt(own * theirs).max(1e-6)
}

/// How like a part of `whole` the `part` is, wherever that is.
fn found_in(part: &[f32], whole: &[f32]) -> f32 {
    let places = whole.windows(part.len());
    places
        .map(|place| likeness(part, place))
        .fold(0.0, f32::max)
}

/// The longest stretch without a gap.
fn longest(frames: &[(u64, Vec<i16>)]) -> Vec<f32> {
    let stretches = frames.chunk_by(|one, next| next.0 == one.0 + 20);
    let longest = stretches
        .max_by_key(|frames| frames.len())
        .unwrap_or_default();
    let samples = longest.iter().flat_map(|(_, samples)| samples);
    samples
        .map(|sample| f32::from(*sample) / 32_768.0)
        .collect()
}

fn words(file: &str) -> Result<Vec<f32>, Failure> {
    let sound = wav::read(&std::fs::read(fixture(&format!("speech/{file}.wav")))?)?;
    assert_eq!(sound.rate, 16_000);
    Ok(coarse(&sound.mono()))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_heard_apart_and_known_by_name() -> Result<(), Failure> {
    let (speech, spoke) = <(Arc<Mutex<Speech>>, Arc<Mutex<BTreeSet<String>>>)>::default();
    let cloud = Cloud::start().await?;
    let bot = bot(&cloud, &speech).await?;
    let call = async {
        let there = async || Ok((cloud.emulator.counts().phones >= PEOPLE.len()).then_some(()));
        eventually("everybody's phone is there", there).await?;
        let people = PEOPLE.map(|(_, id, _)| Contact::User(id.to_owned()));
        let spoke = Arc::clone(&spoke);
        let mut call = bot.dialer().place(&OutgoingCall {
            to: Destination::Group(people.to_vec()),
            script: None,
            ring_seconds: None,
            handler: Some(handler(move |call| attend(call, Arc::clone(&spoke)))),
        })?;
        call.ended().await;
        Ok::<_, Failure>(())
    };
    let script = scenario();
    let (report, called) = tokio::join!(cloud.play(&script, "speech"), call);
    called?;
    let report = report?;
    assert!(report.passed, "{}", report.text());
    // The bot's own call in the group is in the log as well.
    let created = |line: &String| line == "bot 1: request create 201";
    assert!(report.log.iter().any(created), "{}", report.log.join("\n"));
    bot.stop().await;
    cloud.emulator.stop().await;

    let all: BTreeSet<String> = PEOPLE.map(|(name, _, _)| name.to_owned()).into();
    assert_eq!(
        *spoke.lock().expect("no panic"),
        all,
        "a program knows who speaks"
    );
    let speech = speech.lock().expect("no panic");
    assert_eq!((&speech.began, &speech.ended), (&all, &all));
    for (name, _, own) in PEOPLE {
        let heard = coarse(&longest(&speech.heard[name]));
        assert!(heard.len() >= 8_000, "{name}: {} samples", heard.len());
        let like = |file: &str| -> Result<f32, Failure> {
            let whole = words(file)?;
            let likes = loudest(&heard).into_iter();
            Ok(likes.map(|part| found_in(part, &whole)).fold(0.0, f32::max))
        };
        let own = like(own)?;
        for (other, _, file) in PEOPLE.into_iter().filter(|(other, ..)| *other != name) {
            let theirs = like(file)?;
            // Of a mix, each would be as like as the others.
            let apart = theirs < own && theirs < 0.5;
            assert!(apart, "{name} is heard as {other}: {own}, {theirs}");
        }
    }
    Ok(())
}

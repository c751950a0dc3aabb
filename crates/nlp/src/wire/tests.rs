use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    Action, CallState, Collect, Digits, Direction, FeatureFormat, FeatureKind, Features, Heard,
    Party, SessionStart, Speaker, SpeechFrame, Transient, Utterance,
};

fn start() -> SessionStart {
    SessionStart {
        call: "4d5e".into(),
        direction: Direction::Incoming,
        caller: Party {
            name: Some("Zoë \"Z\" 🦊".into()),
            number: Some("+31201234567".into()),
            ..Party::default()
        },
        called: Party {
            id: Some("bot".into()),
            ..Party::default()
        },
        language: "en-US".into(),
        features: FeatureFormat {
            kind: FeatureKind::LogMel,
            size: 80,
            hop_ms: 10,
        },
    }
}

fn features(t_ms: u64, vector: Vec<f32>) -> Heard {
    Heard::Features(Transient::new(Features {
        t_ms,
        level_dbov: -23.5,
        pitch_hz: Some(120.0),
        speech_probability: 0.75,
        vector: vector.into(),
    }))
}

fn speech() -> Heard {
    Heard::Speech(Transient::new(SpeechFrame {
        t_ms: 1_010,
        samples: Box::new([0, 1, -2, i16::MAX]),
    }))
}

fn shown(events: &[Event]) -> String {
    let shown = events.iter().map(|event| match encode(event, 7) {
        Frame::Text(json) => String::from_utf8(json.to_vec()).unwrap(),
        Frame::Binary(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Frame::Ping => unreachable!(),
    });
    shown.collect::<Vec<_>>().join("\n")
}

#[test]
fn speakers_look_like_this_on_the_wire() {
    let somebody = Arc::new(Speaker {
        source: 301,
        participant: Some("p1".into()),
        party: Party {
            id: Some("u1".into()),
            name: Some("Ada".into()),
            number: None,
        },
    });
    let unknown = Arc::new(Speaker {
        source: u32::MAX,
        ..Speaker::default()
    });
    let end = Heard::SpeechEnd {
        t_ms: 2_100,
        duration_ms: 1_200,
    };
    let events = [
        Event::Speaker(Arc::clone(&somebody), Heard::SpeechStart { t_ms: 900 }),
        Event::Speaker(Arc::clone(&somebody), features(1_000, vec![0.5])),
        Event::Speaker(somebody, speech()),
        Event::Speaker(unknown, end),
    ];
    insta::assert_snapshot!(shown(&events), @r#"
    {"type":"speech_start","t_ms":900,"speaker":{"source":301,"participant":"p1","id":"u1","name":"Ada"}}
    0103000007000000e8030000000000002d0100000000bcc10000f0420000403f0000003f
    0104000007000000f2030000000000002d01000000000100feffff7f
    {"type":"speech_end","t_ms":2100,"duration_ms":1200,"speaker":{"source":4294967295}}
    "#);
}

#[test]
fn events_look_like_this_on_the_wire() {
    let events = [
        Event::SessionStart(start()),
        features(1_000, vec![0.5, -1.0]).into(),
        speech().into(),
        Event::SpeechStart { t_ms: 900 },
        Event::SpeechEnd {
            t_ms: 2_100,
            duration_ms: 1_200,
        },
        Event::Digits(Digits::open("12#".into())),
        Event::Digits(Digits::secret()),
        Event::PromptStarted {
            name: "greeting".into(),
        },
        Event::PromptFinished {
            name: "greeting".into(),
            interrupted: true,
        },
        Event::CallState(CallState::TransferFailed),
        Event::SessionEnd,
    ];
    insta::assert_snapshot!(shown(&events));
}

fn reply(text: &str) -> Reply {
    match decode(text) {
        Ok(FromEngine::Reply(reply)) => reply,
        Ok(_) => panic!("no reply: {text}"),
        Err(error) => panic!("{text}: {error}"),
    }
}

fn action(text: &str) -> Action {
    match reply(text) {
        Reply::Action(action) => action,
        _ => panic!("no action: {text}"),
    }
}

#[test]
fn texts_intents_and_feelings_are_understood() {
    let Reply::Text(transcript) = reply(r#"{"type":"partial","text":"go \u00fcber"}"#) else {
        panic!()
    };
    assert!(!transcript.is_final && transcript.text.with(|text| text == "go über"));
    let Reply::Text(transcript) = reply(r#"{"text":"yes","type":"final","confidence":0.5}"#) else {
        panic!()
    };
    assert!(transcript.is_final && transcript.confidence == Some(0.5));
    let Reply::Intent(intent) = reply(
        r#"{"type":"intent","name":"book","confidence":0.9,"slots":[{"name":"day","value":"Monday"}],"later":1}"#,
    ) else {
        panic!()
    };
    intent.with(|intent| {
        assert_eq!(
            (intent.name.as_str(), intent.slot("day")),
            ("book", Some("Monday"))
        );
    });
    let Reply::Sentiment(sentiment) = reply(r#"{"type":"sentiment","score":-0.7}"#) else {
        panic!()
    };
    assert!(sentiment.with(|sentiment| sentiment.score == -0.7));
    assert!(matches!(
        reply(r#"{"type":"end_of_turn"}"#),
        Reply::EndOfTurn
    ));
}

#[test]
fn actions_are_understood() {
    let Action::Say(say) = action(r#"{"type":"say","id":"a","text":"Hello"}"#) else {
        panic!()
    };
    assert!(say.id == "a" && say.interruptible);
    assert!(matches!(say.what, Utterance::Text(text) if text.with(|text| text == "Hello")));
    let Action::Say(say) = action(r#"{"type":"say","prompt":"menu","interruptible":false}"#) else {
        panic!()
    };
    assert!(!say.interruptible && matches!(say.what, Utterance::Prompt(name) if name == "menu"));
    let Action::Collect(collect) =
        action(r##"{"type":"collect","max":4,"terminator":"#","secret":true}"##)
    else {
        panic!()
    };
    let expected = Collect {
        max: 4,
        terminator: Some('#'),
        secret: true,
        ..Collect::default()
    };
    assert_eq!(collect, expected);
    assert!(
        matches!(action(r#"{"type":"transfer","to":"agent"}"#), Action::Transfer { to } if to == "agent")
    );
    assert!(
        matches!(action(r#"{"type":"invite","who":"agent"}"#), Action::Invite { who } if who == "agent")
    );
    assert!(matches!(
        action(r#"{"type":"mute"}"#),
        Action::Mute { muted: true }
    ));
    assert!(matches!(action(r#"{"type":"hang_up"}"#), Action::HangUp));
    assert!(matches!(
        action(r#"{"type":"stop_speaking"}"#),
        Action::StopSpeaking
    ));
    assert!(matches!(action(r#"{"type":"nothing"}"#), Action::Nothing));
}

#[test]
fn wrong_messages_are_refused_without_repeating_them() {
    let wrong = [
        r#"{"type":"final","text":"#,
        r#"{"type":"final","text":7}"#,
        r#"{"type":"intent","name":"secret-word","confidence":1.5}"#,
        r#"{"type":"intent","name":""}"#,
        r#"{"type":"sentiment","score":-1.1}"#,
        r#"{"type":"say","text":"secret-word","prompt":"secret-word"}"#,
        r#"{"type":"say","text":" "}"#,
        r#"{"type":"say"}"#,
        r#"{"type":"collect","min":3,"max":2}"#,
        r#"{"type":"collect","max":0}"#,
        r#"{"type":"collect","terminator":"x"}"#,
        r#"{"type":"collect","first_timeout_ms":0}"#,
        r#"{"type":"transfer"}"#,
        "[]",
        "",
    ];
    for text in wrong {
        let Err(error) = decode(text) else {
            panic!("accepted: {text}")
        };
        assert!(
            !format!("{error} {error:?}").contains("secret-word"),
            "{error}"
        );
    }
    assert!(matches!(
        decode(r#"{"type":"from_the_future","x":{}}"#),
        Ok(FromEngine::Unknown)
    ));
    let long = format!(r#"{{"type":"final","text":"{}"}}"#, "x".repeat(5_000));
    assert!(decode(&long).is_err());
}

#[test]
fn a_control_message_is_never_cut_short_by_its_reserve() {
    let long = Event::PromptStarted {
        name: "n".repeat(5_000),
    };
    let json: serde_json::Value = serde_json::from_slice(encode(&long, 0).payload()).unwrap();
    assert_eq!(json["name"].as_str().unwrap().len(), 5_000);
}

fn json_like() -> impl Strategy<Value = String> {
    let types = [
        "ready",
        "partial",
        "final",
        "intent",
        "sentiment",
        "say",
        "collect",
        "transfer",
        "mute",
        "nope",
    ];
    let keys = [
        "text",
        "name",
        "score",
        "confidence",
        "slots",
        "max",
        "min",
        "version",
        "terminator",
        "prompt",
    ];
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    let field = (prop::sample::select(keys.to_vec()), value)
        .prop_map(|(key, value)| format!("\"{key}\":{value}"));
    (
        prop::sample::select(types.to_vec()),
        prop::collection::vec(field, 0..5),
    )
        .prop_map(|(kind, fields)| {
            let fields = std::iter::once(format!("\"type\":\"{kind}\"")).chain(fields);
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        })
}

proptest! {
    #[test]
    fn any_text_is_decoded_or_refused(text in prop_oneof![any::<String>(), json_like()]) {
        let _ = decode(&text);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..80), versioned: bool) {
        if let (true, [version, kind, ..]) = (versioned, &mut bytes[..]) {
            (*version, *kind) = (1, *kind % 6);
        }
        let _ = decode_analysis(&bytes);
    }

    #[test]
    fn features_arrive_as_they_were_sent(t_ms: u64, sequence: u32, vector in prop::collection::vec(-80f32..80.0, 0..128)) {
        let frame = encode(&features(t_ms, vector.clone()).into(), sequence);
        let Ok((numbered, Event::Features(arrived))) = decode_analysis(frame.payload()) else { panic!() };
        prop_assert_eq!(numbered, sequence);
        arrived.with(|arrived| {
            assert_eq!((arrived.t_ms, arrived.level_dbov, arrived.pitch_hz), (t_ms, -23.5, Some(120.0)));
            assert_eq!(arrived.speech_probability, 0.75);
            assert_eq!(arrived.vector[..], vector[..]);
        });
    }

    #[test]
    fn what_a_speaker_says_arrives_as_theirs(t_ms: u64, source: u32, samples in prop::collection::vec(any::<i16>(), 0..400)) {
        let who = Arc::new(Speaker { source, ..Speaker::default() });
        let frame = SpeechFrame { t_ms, samples: samples.clone().into() };
        let frame = encode(&Event::Speaker(who, Heard::Speech(Transient::new(frame))), 1);
        let Ok((1, Event::Speaker(who, Heard::Speech(arrived)))) = decode_analysis(frame.payload()) else { panic!() };
        prop_assert_eq!(who.source, source);
        arrived.with(|arrived| assert_eq!((arrived.t_ms, &arrived.samples[..]), (t_ms, &samples[..])));
    }

    #[test]
    fn samples_arrive_as_they_were_sent(t_ms: u64, samples in prop::collection::vec(any::<i16>(), 0..400)) {
        let frame = SpeechFrame { t_ms, samples: samples.clone().into() };
        let frame = encode(&Event::Speech(Transient::new(frame)), 1);
        let Ok((1, Event::Speech(arrived))) = decode_analysis(frame.payload()) else { panic!() };
        arrived.with(|arrived| assert_eq!((arrived.t_ms, &arrived.samples[..]), (t_ms, &samples[..])));
    }
}

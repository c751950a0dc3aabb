use std::time::{Duration, Instant};

use proptest::prelude::*;
use time::macros::datetime;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn session(protocol: Protocol) -> (Session, Instant) {
    let now = Instant::now();
    let info = CallInfo {
        call: "c1".into(),
        ..CallInfo::default()
    };
    let began = datetime!(2026-11-24 19:16:12 UTC);
    let config = SessionConfig {
        heard_queue: 3,
        ..SessionConfig::default()
    };
    (Session::new(now, began, protocol, info, config, 7), now)
}

fn open(protocol: Protocol) -> (Session, Instant) {
    let (mut session, now) = session(protocol);
    assert_eq!(session.poll_command(), Some(SessionCommand::Connect));
    session.connected(now);
    (session, now)
}

fn sent(session: &mut Session) -> Vec<String> {
    let messages = std::iter::from_fn(|| session.poll_transmit());
    messages
        .map(|message| match message {
            Outgoing::Text(text) => text.to_string(),
            Outgoing::Ping => "ping".to_owned(),
        })
        .collect()
}

fn events(messages: &[String]) -> Vec<String> {
    let event = |message: &String| {
        let value: serde_json::Value = serde_json::from_str(message).unwrap();
        value["event"].as_str().unwrap().to_owned()
    };
    messages.iter().map(event).collect()
}

#[test]
fn a_twilio_agent_is_greeted_hears_and_is_left() {
    let (mut session, now) = open(Protocol::Twilio);
    session.heard(0, &[0xFF; 160]);
    session.digit(now, '5');
    assert_eq!(
        events(&sent(&mut session)),
        ["connected", "start", "media", "dtmf"]
    );
    session.leave(now);
    assert!(!session.is_drained());
    assert_eq!(events(&sent(&mut session)), ["stop"]);
    assert!(session.is_drained());
    session.disconnected(now);
    assert!(session.is_over());
    assert_eq!(session.end(), None, "it was the call that left");
}

#[test]
fn a_slow_agent_misses_the_oldest_audio_and_no_key() {
    let (mut session, now) = open(Protocol::Twilio);
    sent(&mut session);
    session.digit(now, '1');
    for frame in 0..5 {
        session.heard(frame * 20, &[0; 160]);
    }
    let sent = sent(&mut session);
    assert_eq!(events(&sent), ["dtmf", "media", "media", "media"]);
    assert!(sent[1].contains(r#""timestamp":"40""#), "{}", sent[1]);
    assert_eq!(session.counters().dropped, 2);
}

#[test]
fn a_mark_comes_back_when_playing_has_passed_it_or_was_cleared() {
    let (mut session, now) = open(Protocol::Twilio);
    sent(&mut session);
    session.received(now, r#"{"event":"media","media":{"payload":"AAECAw=="}}"#);
    session.received(now, r#"{"event":"mark","mark":{"name":"a"}}"#);
    let mut frame = [9; 3];
    assert_eq!((session.play(&mut frame), frame), (3, [0, 1, 2]));
    assert_eq!(session.poll_mark(), None);
    assert_eq!(session.play(&mut frame), 1);
    let mark = session.poll_mark().unwrap();
    session.played(now, mark);
    assert!(sent(&mut session)[0].contains(r#""mark":{"name":"a"}"#));

    session.received(now, r#"{"event":"media","media":{"payload":"AAECAw=="}}"#);
    session.received(now, r#"{"event":"mark","mark":{"name":"b"}}"#);
    session.received(now, r#"{"event":"clear"}"#);
    assert!(session.take_cleared() && !session.take_cleared());
    assert_eq!(session.play(&mut frame), 0);
    assert_eq!(session.poll_mark().as_deref(), Some("b"));
}

#[test]
fn an_acs_agent_gets_pcm_and_may_stop_what_it_said() {
    let (mut session, now) = open(Protocol::Acs {
        sample_rate: 16_000,
    });
    session.heard(20, &[1, 0]);
    session.digit(now, '#');
    let sent = sent(&mut session);
    assert!(sent[0].contains(r#""kind":"AudioMetadata""#) && sent[0].contains(r#""length":640"#));
    assert!(sent[1].contains("2026-11-24T19:16:12.02Z"), "{}", sent[1]);
    assert!(sent[2].contains(r##""data":"#""##));
    session.received(
        now,
        r#"{"kind":"audioData","audioData":{"data":"AAECAw=="}}"#,
    );
    assert!(session.has_audio());
    session.received(now, r#"{"kind":"stopAudio","stopAudio":{}}"#);
    assert!(session.take_cleared() && !session.has_audio());
}

#[test]
fn a_lost_agent_is_called_again_and_told_so_until_patience_ends() {
    let (mut session, now) = open(Protocol::Twilio);
    session.heard(0, &[0; 160]);
    session.disconnected(now);
    assert_eq!(session.poll_command(), Some(SessionCommand::Disconnect));
    assert_eq!((session.end(), sent(&mut session).len()), (None, 0));
    let due = session.poll_timeout().unwrap();
    assert!(due <= now + 100 * MS && due >= now + 50 * MS);
    session.timeout(due);
    assert_eq!(session.poll_command(), Some(SessionCommand::Connect));
    session.connected(due);
    assert!(sent(&mut session)[1].contains(r#""resumed":"true""#));

    let lost = due + 1_000 * MS;
    session.disconnected(lost);
    while session.end().is_none() {
        let due = session.poll_timeout().unwrap();
        session.timeout(due);
        session.disconnected(due);
        assert!(due <= lost + 4_000 * MS);
    }
    assert_eq!(session.end(), Some(AgentEnd::Lost));
    assert!(session.is_over());
}

#[test]
fn an_agent_that_closes_in_order_has_finished_and_is_heard_to_its_end() {
    let (mut session, now) = open(Protocol::Twilio);
    session.received(now, r#"{"event":"media","media":{"payload":"AAECAw=="}}"#);
    session.finished();
    assert_eq!(session.end(), Some(AgentEnd::Finished));
    assert_eq!(session.play(&mut [0; 8]), 4);
}

#[test]
fn an_agent_that_answers_no_ping_is_lost() {
    let (mut session, now) = open(Protocol::Twilio);
    sent(&mut session);
    session.timeout(now + 5_000 * MS);
    assert_eq!(sent(&mut session), ["ping"]);
    session.pong();
    session.timeout(now + 10_000 * MS);
    assert_eq!(sent(&mut session), ["ping"]);
    session.timeout(now + 13_000 * MS);
    assert_eq!(session.counters().lost, 1);
}

#[test]
fn audio_without_room_waits_and_nothing_of_it_is_lost() {
    let now = Instant::now();
    let config = SessionConfig {
        playback: Duration::from_millis(1),
        ..SessionConfig::default()
    };
    let began = datetime!(2026-11-24 19:16:12 UTC);
    let info = CallInfo::default();
    let mut session = Session::new(now, began, Protocol::Twilio, info, config, 1);
    session.connected(now);
    let eight = r#"{"event":"media","media":{"payload":"AAECAwQFBgc="}}"#;
    session.received(now, eight);
    assert!(!session.is_full());
    session.received(now, eight);
    assert!(session.is_full());
    let mut frame = [0; 16];
    assert_eq!(session.play(&mut frame), 16);
    assert_eq!(frame[..8], frame[8..]);
    assert!(!session.is_full());
}

#[derive(Debug, Clone)]
enum Op {
    Heard,
    Digit,
    Play,
    Received(String),
    Connected,
    Disconnected,
    Finished,
    Leave,
    Pong,
    Time(u64),
    Transmit,
}

fn op() -> impl Strategy<Value = Op> {
    let message = prop_oneof![
        Just(r#"{"event":"media","media":{"payload":"AAECAw=="}}"#.to_owned()),
        Just(r#"{"event":"mark","mark":{"name":"m"}}"#.to_owned()),
        Just(r#"{"event":"clear"}"#.to_owned()),
        ".{0,20}",
    ];
    prop_oneof![
        4 => Just(Op::Heard),
        1 => Just(Op::Digit),
        3 => Just(Op::Play),
        4 => message.prop_map(Op::Received),
        2 => Just(Op::Connected),
        1 => Just(Op::Disconnected),
        1 => Just(Op::Finished),
        1 => Just(Op::Leave),
        1 => Just(Op::Pong),
        3 => (0u64..4_000).prop_map(Op::Time),
        3 => Just(Op::Transmit),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_it_is_bounded_and_ends_when_left(ops in prop::collection::vec(op(), 0..80)) {
        let (mut session, mut now) = session(Protocol::Twilio);
        for op in ops {
            match op {
                Op::Heard => session.heard(0, &[0; 160]),
                Op::Digit => session.digit(now, '1'),
                Op::Play => _ = session.play(&mut [0; 160]),
                Op::Received(text) => session.received(now, &text),
                Op::Connected => session.connected(now),
                Op::Disconnected => session.disconnected(now),
                Op::Finished => session.finished(),
                Op::Leave => session.leave(now),
                Op::Pong => session.pong(),
                Op::Time(ms) => {
                    now += Duration::from_millis(ms);
                    session.timeout(now);
                }
                Op::Transmit => _ = session.poll_transmit(),
            }
            prop_assert!(session.frames <= 3);
        }
        session.leave(now);
        session.timeout(now + 2_000 * MS);
        prop_assert!(session.is_over());
        prop_assert!(session.poll_timeout().is_none());
    }
}

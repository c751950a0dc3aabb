use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::{Action, Features, Health, Heard, SessionStart, SpeechFrame, Transient};

const READY: &str = r#"{"type":"ready","version":1,"features":true}"#;

fn config() -> LinkConfig {
    LinkConfig {
        analysis_queue: 3,
        control_queue: 4,
        ..LinkConfig::default()
    }
}

fn frame(t_ms: u64) -> Event {
    Event::Features(Transient::new(Features {
        t_ms,
        ..Features::default()
    }))
}

fn samples() -> Event {
    Event::Speech(Transient::new(SpeechFrame {
        t_ms: 0,
        samples: Box::new([0; 160]),
    }))
}

fn start() -> Event {
    Event::SessionStart(SessionStart {
        call: "c".into(),
        ..SessionStart::default()
    })
}

/// What a link wants to send now: the type of control messages, the time of frames.
fn sent(link: &mut Link) -> Vec<String> {
    std::iter::from_fn(|| link.poll_transmit())
        .map(|frame| match &frame {
            Frame::Text(json) => {
                let json: serde_json::Value = serde_json::from_slice(json).unwrap();
                match json["resumed"].as_bool() {
                    Some(true) => "session_start again".to_owned(),
                    _ => json["type"].as_str().unwrap().to_owned(),
                }
            }
            Frame::Binary(bytes) => match decode_analysis(bytes).unwrap().1 {
                Event::Features(features) => features.with(|features| features.t_ms.to_string()),
                Event::Speaker(_, Heard::Features(_)) => "features of a speaker".to_owned(),
                _ => "samples".to_owned(),
            },
            Frame::Ping => "ping".to_owned(),
        })
        .collect()
}

fn commands(link: &mut Link) -> Vec<Command> {
    std::iter::from_fn(|| link.poll_command()).collect()
}

fn open(now: Instant) -> Link {
    let mut link = Link::new(now, config(), 1);
    link.event(now, &start());
    link.connected(now);
    assert_eq!(sent(&mut link), ["session_start"]);
    link.received(now, READY);
    assert_eq!(
        commands(&mut link),
        [Command::Connect, Command::Health(Health::Up)]
    );
    link
}

#[test]
fn nothing_but_the_start_is_said_before_the_engine_is_ready() {
    let now = Instant::now();
    let mut link = Link::new(now, config(), 1);
    link.event(now, &frame(1));
    link.connected(now);
    assert_eq!(sent(&mut link), [""; 0]);
    link.event(now, &start());
    link.event(now, &Event::SpeechStart { t_ms: 0 });
    link.event(now, &samples());
    assert_eq!(sent(&mut link), ["session_start"]);
    assert!(link.received(now, r#"{"type":"hang_up"}"#).is_none());
    link.received(now, READY);
    // Samples were not asked for.
    assert_eq!(sent(&mut link), ["1", "speech_start"]);
    link.event(now, &samples());
    assert_eq!(sent(&mut link), [""; 0]);
    assert!(matches!(
        link.received(now, r#"{"type":"hang_up"}"#),
        Some(Reply::Action(Action::HangUp))
    ));
}

#[test]
fn speakers_are_told_apart_to_engines_that_ask_for_it() {
    let now = Instant::now();
    let speaker = |heard| Event::Speaker(Default::default(), heard);
    let tell = |link: &mut Link| {
        link.event(now, &speaker(Heard::SpeechStart { t_ms: 0 }));
        link.event(
            now,
            &speaker(Heard::Features(Transient::new(Features::default()))),
        );
        let frame = SpeechFrame {
            t_ms: 0,
            samples: Box::default(),
        };
        link.event(now, &speaker(Heard::Speech(Transient::new(frame))));
    };
    let mut link = open(now);
    tell(&mut link);
    assert_eq!(sent(&mut link), [""; 0]);
    let mut link = Link::new(now, config(), 1);
    link.event(now, &start());
    link.connected(now);
    assert!(!link.wants().speakers);
    tell(&mut link);
    link.received(
        now,
        r#"{"type":"ready","version":1,"features":true,"speakers":true}"#,
    );
    tell(&mut link);
    assert!(link.wants().speakers);
    // Samples were not asked for.
    assert_eq!(
        sent(&mut link),
        ["session_start", "speech_start", "features of a speaker"]
    );
}

#[test]
fn a_slow_engine_loses_the_oldest_frames_and_no_control() {
    let now = Instant::now();
    let mut link = open(now);
    link.event(now, &frame(1));
    link.event(now, &Event::SpeechStart { t_ms: 1 });
    for t_ms in 2..=5 {
        link.event(now, &frame(t_ms));
    }
    link.event(
        now,
        &Event::SpeechEnd {
            t_ms: 5,
            duration_ms: 4,
        },
    );
    assert_eq!(link.counters().dropped, 2);
    assert_eq!(
        sent(&mut link),
        ["speech_start", "3", "4", "5", "speech_end"]
    );
}

#[test]
fn an_engine_that_takes_no_control_is_given_up() {
    let now = Instant::now();
    let mut link = open(now);
    for t_ms in 0..5 {
        link.event(now, &Event::SpeechStart { t_ms });
    }
    assert_eq!(
        commands(&mut link),
        [Command::Disconnect, Command::Health(Health::Down)]
    );
    assert_eq!(sent(&mut link), [""; 0]);
}

#[test]
fn a_lost_engine_is_found_again_and_told_that_the_call_goes_on() {
    let now = Instant::now();
    let mut link = open(now);
    link.event(now, &frame(1));
    link.disconnected(now);
    assert_eq!(
        commands(&mut link),
        [Command::Disconnect, Command::Health(Health::Down)]
    );
    assert_eq!(
        link.counters(),
        Counters {
            dropped: 1,
            malformed: 0,
            lost: 1
        }
    );
    link.event(now, &frame(2));
    let due = link.poll_timeout().unwrap();
    assert!(due >= now + Duration::from_millis(50) && due <= now + Duration::from_millis(100));
    link.timeout(due);
    assert_eq!(commands(&mut link), [Command::Connect]);
    link.connected(due);
    assert_eq!(sent(&mut link), ["session_start again"]);
    link.received(due, READY);
    assert_eq!(commands(&mut link), [Command::Health(Health::Up)]);
    assert_eq!(sent(&mut link), ["2"]);
}

#[test]
fn waits_grow_to_their_limit_and_shrink_once_the_engine_stays() {
    let mut now = Instant::now();
    let mut link = Link::new(now, config(), 3);
    let mut waits = Vec::new();
    for _ in 0..10 {
        link.disconnected(now);
        let due = link.poll_timeout().unwrap();
        waits.push(due - now);
        now = due;
        link.timeout(now);
    }
    assert!(waits[0] <= Duration::from_millis(100));
    assert!(waits[9] >= Duration::from_millis(2_500) && waits[9] <= Duration::from_secs(5));
    link.event(now, &start());
    link.connected(now);
    link.received(now, READY);
    now = link.poll_timeout().unwrap();
    link.timeout(now);
    link.pong();
    link.disconnected(now);
    assert!(link.poll_timeout().unwrap() - now <= Duration::from_millis(100));
}

#[test]
fn an_engine_that_answers_no_ping_is_down() {
    let now = Instant::now();
    let mut link = open(now);
    let ping = link.poll_timeout().unwrap();
    link.timeout(ping);
    assert!(matches!(link.poll_transmit(), Some(Frame::Ping)));
    let late = link.poll_timeout().unwrap();
    assert_eq!(late - ping, config().pong_within);
    link.timeout(late);
    assert_eq!(
        commands(&mut link),
        [Command::Disconnect, Command::Health(Health::Down)]
    );
}

#[test]
fn an_engine_that_is_never_ready_is_down() {
    let now = Instant::now();
    let mut link = Link::new(now, config(), 1);
    link.event(now, &start());
    link.connected(now);
    link.received(now, r#"{"type":"ready","version":2}"#);
    assert_eq!(
        commands(&mut link),
        [
            Command::Connect,
            Command::Disconnect,
            Command::Health(Health::Down)
        ]
    );
    let mut link = Link::new(now, config(), 1);
    link.event(now, &start());
    link.connected(now);
    link.timeout(now + config().ready_within);
    assert!(commands(&mut link).contains(&Command::Health(Health::Down)));
}

#[test]
fn nonsense_is_borne_for_a_while() {
    let now = Instant::now();
    let mut link = open(now);
    for _ in 0..16 {
        link.received(now, "nonsense");
    }
    assert_eq!(commands(&mut link), []);
    link.received(now, "nonsense");
    assert_eq!(link.counters().malformed, 17);
    assert!(commands(&mut link).contains(&Command::Disconnect));
}

#[test]
fn the_end_is_said_before_the_connection_is_closed() {
    let now = Instant::now();
    let mut link = open(now);
    link.event(now, &Event::SessionEnd);
    assert!(!link.is_drained());
    assert_eq!(sent(&mut link), ["session_end"]);
    assert!(link.is_drained() && !link.is_closed());
    link.timeout(now + config().linger);
    assert!(link.is_closed());
    link.event(now, &frame(1));
    assert_eq!(sent(&mut link), [""; 0]);
}

#[derive(Debug, Clone)]
enum Step {
    Frame,
    Samples,
    Speech,
    Start,
    End,
    Connected,
    Disconnected,
    Received(&'static str),
    Pong,
    Timeout,
    Transmit,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Frame),
        2 => Just(Step::Samples),
        2 => Just(Step::Speech),
        2 => Just(Step::Start),
        3 => Just(Step::Connected),
        1 => Just(Step::Disconnected),
        4 => prop::sample::select(vec![READY, "x", r#"{"type":"hang_up"}"#, r#"{"type":"ready","version":9}"#])
            .prop_map(Step::Received),
        1 => Just(Step::Pong),
        3 => Just(Step::Timeout),
        3 => Just(Step::Transmit),
    ]
}

proptest! {
    #[test]
    fn queues_stay_bounded_and_every_connection_begins_with_the_start(
        steps in prop::collection::vec(step(), 0..120),
        ends: bool,
    ) {
        let mut now = Instant::now();
        let mut link = Link::new(now, config(), 5);
        assert_eq!(commands(&mut link), [Command::Connect]);
        let (mut connected, mut greeted, mut health) = (false, false, None);
        for step in steps.into_iter().chain(ends.then_some(Step::End)) {
            match step {
                Step::Frame => link.event(now, &frame(0)),
                Step::Samples => link.event(now, &samples()),
                Step::Speech => link.event(now, &Event::SpeechStart { t_ms: 0 }),
                Step::Start => link.event(now, &start()),
                Step::End => link.event(now, &Event::SessionEnd),
                Step::Connected => { link.connected(now); connected = true; }
                Step::Disconnected => link.disconnected(now),
                Step::Received(text) => { link.received(now, text); }
                Step::Pong => link.pong(),
                Step::Timeout => { now = link.poll_timeout().unwrap_or(now); link.timeout(now); }
                Step::Transmit => for said in sent(&mut link) {
                    prop_assert!(connected);
                    prop_assert!(greeted || said.starts_with("session_start"), "{} came first", said);
                    greeted = true;
                },
            }
            for command in commands(&mut link) {
                match command {
                    Command::Connect | Command::Disconnect => (connected, greeted) = (false, false),
                    Command::Health(now) => {
                        prop_assert_ne!(health.replace(now), Some(now));
                    }
                }
            }
            let (control, analysis) = link.waiting();
            prop_assert!(control <= 4 && analysis <= 3);
        }
        // Whatever happened, a link left alone comes to its end.
        if ends {
            link.timeout(now + Duration::from_secs(60));
            prop_assert!(link.is_closed());
        }
    }
}

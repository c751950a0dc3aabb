//! What is told of calls, and files of reminders.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use switchboard_bot::flow::{Action, Facts, Flow, Input, Run};
use switchboard_bot::fuzzing::Talk;
use switchboard_media::event::Digit;
use switchboard_reminders::draft::Defaults;
use switchboard_reminders::{Key, Retry, import};
use switchboard_signaling::call::{CallConfig, CallEvent, CallMachine};
use switchboard_signaling::notification::{self, Payload};

use super::Pieces;

const CALL: &str = "57dab8b1-894c-409a-b240-bd8beae78896";
/// So many inputs make no more of either.
const MOST: usize = 100;

/// A call of which anything is told, in any order, and no answer comes to its requests. It
/// ends at most once, and asks for nothing and waits for nothing after that.
pub(super) fn machine(bytes: &[u8]) {
    let mut now = Instant::now();
    let id = CALL.parse().expect("the id is one");
    let mut call = CallMachine::incoming(now, id, CallConfig::default());
    let mut ends = 0;
    for piece in Pieces(bytes).take(MOST) {
        let (wait, body) = piece.split_first().unwrap_or((&0, &[]));
        now += Duration::from_secs(u64::from(*wait));
        call.handle_timeout(now);
        if let Ok(Payload::Notifications(batch)) = notification::parse(body) {
            for told in &batch.notifications {
                call.handle_notification(now, told);
            }
        }
        ends += drain(&mut call);
        assert!(ends <= 1, "a call ended twice");
        if call.is_terminated() {
            assert!(call.poll_timeout().is_none(), "a dead call waits");
        }
    }
}

/// What happens in a call, by a number.
fn input(number: u8) -> Input<'static> {
    let key = (number >> 4).min(11);
    match number & 15 {
        0 => Input::Incoming,
        1 => Input::Connected,
        2 if number & 16 == 0 => Input::SpeechStart,
        2 => Input::SpeechEnd,
        3 => Input::PromptFinished,
        4 => Input::Text("the opening hours, please"),
        5 => Input::EndOfTurn,
        6 => Input::Intent {
            name: "hours",
            confidence: f32::from(number >> 4) / 15.0,
            slots: &[],
        },
        7 => Input::Sentiment(f32::from(number >> 4) / 8.0 - 1.0),
        8 => Input::Engine(number & 16 == 0),
        9 => Input::TransferFailed,
        10 => Input::Invited(number & 16 == 0),
        11 => Input::Done(number & 16 == 0),
        12 => Input::Webhook((number & 16 == 0).then_some("right")),
        13 if number > 0xf0 => Input::CallerLeft,
        13 => Input::Timeout,
        _ => Input::Digit(
            Digit::from_char(char::from(b"0123456789*#"[usize::from(key)])).expect("a key"),
        ),
    }
}

/// A caller's way through the front desk's flow, in which anything happens at any time. What
/// is over stays so and waits for nothing; secrets begin and end in turn.
pub(super) fn conversation(bytes: &[u8]) {
    static FLOW: LazyLock<Arc<Flow>> = LazyLock::new(|| {
        let text = include_str!("../../../crates/bot/flows/frontdesk.toml");
        Arc::new(Flow::parse(text).expect("our own flow is one"))
    });
    let mut run = Run::new(Arc::clone(&FLOW), Facts::default());
    let (mut now, mut secret) = (Instant::now(), false);
    for number in bytes {
        now += Duration::from_millis(700);
        let was_done = run.is_done();
        let actions = run.handle(now, input(*number));
        assert!(actions.len() <= MOST, "{} actions at once", actions.len());
        assert!(!was_done || actions.is_empty(), "the dead act");
        for action in actions {
            if let Action::Secret(is) = action {
                assert_ne!(std::mem::replace(&mut secret, is), is);
            }
        }
        if run.is_done() {
            assert!(run.poll_timeout().is_none(), "a call that is over waits");
        }
    }
}

/// A conversation in Rust: the first byte says how many of the following are what it asks for,
/// the rest is what happens in the call. Secrets begin and end in turn; nothing is done once
/// the last thing was.
pub(super) fn program(bytes: &[u8]) {
    let Some((asks, happens)) = bytes.split_first() else {
        return;
    };
    let (asks, happens) = happens.split_at(usize::from(*asks).min(happens.len()).min(MOST));
    let mut talk = Talk::new(asks.to_vec());
    let (mut now, mut secret, mut done) = (Instant::now(), false, false);
    for number in happens {
        now += Duration::from_millis(700);
        let actions = talk.step(now, input(*number));
        assert!(!done || actions.is_empty(), "the dead act");
        for action in actions {
            match action {
                Action::Secret(is) => assert_ne!(std::mem::replace(&mut secret, is), is),
                Action::HangUp | Action::Reject(_) | Action::Redirect(_) => done = true,
                _ => {}
            }
        }
        if done {
            assert!(talk.poll_timeout().is_none(), "a call that is over waits");
        }
    }
}

/// Takes what the call wants and tells; how often it told its end.
fn drain(call: &mut CallMachine) -> usize {
    let requests = std::iter::from_fn(|| call.poll_request()).count();
    assert!(requests <= MOST, "{requests} requests at once");
    let events = std::iter::from_fn(|| call.poll_event());
    events
        .filter(|event| matches!(event, CallEvent::Terminated(_)))
        .count()
}

/// A file of reminders: every row is good or has a problem that names its line.
pub(super) fn reminders(bytes: &[u8]) {
    let defaults = Defaults {
        zone: Some("Europe/Berlin".to_owned()),
        quiet: None,
        retry: Retry {
            attempts: 3,
            spacing: Duration::from_secs(600),
        },
        expires_after: Duration::from_secs(24 * 3600),
        confirm: Key::new('1').expect("1 is a key"),
        prompts: vec!["visit".to_owned()],
        texts: true,
        numbers: vec!["office".to_owned()],
    };
    let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
    let import = import::read(bytes, &defaults, now);
    let lines = 1 + bytes.len() as u64;
    assert!(import.good.iter().all(|(line, _)| *line <= lines));
    assert!(import.errors.iter().all(|error| error.line <= lines));
}

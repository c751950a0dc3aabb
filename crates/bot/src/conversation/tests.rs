use std::sync::Mutex;

use super::*;
use crate::flow::{Facts, Flow};

/// What an engine is told of keys, and what it says at the end of speech.
struct Listener {
    told: Arc<Mutex<String>>,
    says: Vec<Reply>,
}

impl Engine for Listener {
    fn handle(&mut self, event: &Event, reply: &mut dyn FnMut(Reply)) {
        match event {
            Event::Digits(digits) => digits.with(|keys| {
                let keys = keys.unwrap_or("?");
                self.told.lock().unwrap().push_str(keys);
            }),
            Event::SpeechEnd { .. } => self.says.drain(..).for_each(reply),
            _ => {}
        }
    }
}

/// A conversation under way, with what its engine and its watchers are told of keys.
fn talk(flow: &str, says: Vec<Reply>) -> (Conversation, Instant, Arc<Mutex<String>>) {
    let told: Arc<Mutex<String>> = Arc::default();
    let flow = Arc::new(Flow::parse(flow).unwrap());
    let guide = Guide::Flow(Box::new(Run::new(flow, Facts::default())));
    let engine = Listener {
        told: Arc::clone(&told),
        says,
    };
    let seen = Arc::clone(&told);
    let observer: Observer = Arc::new(move |_, observation| {
        if let Observation::Digit { digit, .. } = observation {
            seen.lock().unwrap().push(digit.as_char());
        }
    });
    let start = SessionStart::default();
    let mut talk = Conversation::new(start, guide, Box::new(engine), observer);
    let now = Instant::now();
    talk.input(now, Input::Incoming);
    talk.connected(now);
    (talk, now, told)
}

fn press(talk: &mut Conversation, now: Instant, keys: &str) -> Vec<Action> {
    let keys = keys.chars().map(|key| Digit::from_char(key).unwrap());
    keys.flat_map(|key| talk.tone(now, key)).collect()
}

const PIN: &str = r#"
    start = "menu"
    otherwise = "end"
    [prompts]
    hello = { text = "Hello. Your PIN, please." }
    [nodes]
    menu = { listen = { keys = { 1 = "hello" } } }
    hello = { say = "hello", next = "pin" }
    pin = { collect = { into = "pin", max = 4, secret = true, next = "more" } }
    more = { listen = { keys = { 9 = "end" } } }
    end = { hang_up = true }
"#;

#[test]
fn nobody_is_told_of_a_pin_that_is_pressed_ahead() {
    let (mut talk, now, told) = talk(PIN, Vec::new());
    press(&mut talk, now, "1");
    assert!(talk.gate.is_closed(), "its tones go nowhere");
    press(&mut talk, now, "4711");
    assert!(!talk.gate.is_closed());
    press(&mut talk, now, "9");
    assert_eq!(*told.lock().unwrap(), "11????99");
}

const WORDS: &str = r#"
    start = "ask"
    otherwise = "end"
    [nodes]
    ask = { listen = { keywords = { yes = "end" } } }
    end = { hang_up = true }
"#;

/// What comes of a turn in which the engine says so.
fn turn(flow: &str, says: Vec<Reply>) -> Vec<Action> {
    let (mut talk, now, _) = talk(flow, says);
    let end = MediaEvent::SpeechEnd {
        start_ms: 0,
        end_ms: 500,
    };
    talk.media(now, end)
}

fn partial(text: &str) -> Reply {
    Reply::Text(Transcript {
        text: Transient::new(text.to_owned()),
        is_final: false,
        confidence: None,
    })
}

#[test]
fn what_was_heard_so_far_counts_at_the_end_of_a_turn() {
    assert_eq!(turn(WORDS, vec![partial("yes")]), []);
    let ended = turn(WORDS, vec![partial("well yes"), Reply::EndOfTurn]);
    assert_eq!(ended, [Action::HangUp]);
    assert_eq!(turn(WORDS, vec![Reply::EndOfTurn]), []);
}

#[test]
fn what_was_said_to_one_node_is_no_answer_to_the_next() {
    let flow = WORDS.replace(
        "[nodes]",
        "[nodes]\n    menu = { listen = { keys = { 1 = \"ask\" } } }",
    );
    let flow = flow.replace("start = \"ask\"", "start = \"menu\"");
    let (mut talk, now, _) = talk(&flow, Vec::new());
    talk.reply(now, &partial("yes"));
    press(&mut talk, now, "1");
    assert_eq!(talk.reply(now, &Reply::EndOfTurn), []);
    talk.reply(now, &partial("yes"));
    assert_eq!(talk.reply(now, &Reply::EndOfTurn), [Action::HangUp]);
}

#[test]
fn media_time_is_placed_by_the_least_delayed_event() {
    let (start, ms) = (Instant::now(), Duration::from_millis);
    let mut clock = MediaClock::default();
    assert_eq!(clock.at(start, 500), start, "nothing is known yet");
    clock.heard(start + ms(190), 100);
    clock.heard(start + ms(240), 200);
    clock.heard(start + ms(400), 300);
    assert_eq!(clock.at(start + ms(900), 300), start + ms(340));
    assert_eq!(clock.at(start + ms(320), 300), start + ms(320));
}

/// Keeps what it is told of the call's state.
struct Stated(Arc<Mutex<Vec<String>>>);

impl Engine for Stated {
    fn handle(&mut self, event: &Event, _: &mut dyn FnMut(Reply)) {
        let told = match event {
            Event::SessionStart(_) => "start".to_owned(),
            Event::CallState(state) => format!("{state:?}"),
            _ => return,
        };
        self.0.lock().unwrap().push(told);
    }
}

#[test]
fn an_engine_learns_the_state_the_call_had_before_its_media() {
    let told = Arc::default();
    let flow = Arc::new(Flow::parse(PIN).unwrap());
    let guide = Guide::Flow(Box::new(Run::new(flow, Facts::default())));
    let engine = Box::new(Stated(Arc::clone(&told)));
    let observer: Observer = Arc::new(|_, _| {});
    let mut talk = Conversation::new(SessionStart::default(), guide, engine, observer);
    let now = Instant::now();
    talk.moved(now, CallState::Established);
    assert!(told.lock().unwrap().is_empty());
    talk.connected(now);
    talk.moved(now, CallState::TransferFailed);
    let told = told.lock().unwrap();
    assert_eq!(*told, ["start", "Established", "TransferFailed"]);
}

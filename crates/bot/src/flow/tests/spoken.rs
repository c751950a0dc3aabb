//! What a caller says, as media of the bot's own hears it.

use switchboard_nlp::Slot;

use super::*;

const HEARD: &str = r#"
    start = "keys"
    otherwise = "end"
    fallback = "end"
    [prompts]
    sorry = { text = "Sorry." }
    [nodes]
    keys = { listen = { keys = { 1 = "words" }, timeout = 7, sorry = "sorry" } }
    words = { listen = { keywords = { no = "wish" }, timeout = 7, retries = 1, sorry = "sorry" } }
    wish = { listen = { intents = { book = "tell", pin = "pin" }, timeout = 10 } }
    pin = { collect = { into = "pin", max = 1, next = "tell" } }
    tell = { record = { seconds = 30, next = "end" } }
    end = { hang_up = true }
"#;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A call at one of the nodes.
fn at(node: &str) -> (Run, Instant) {
    let now = Instant::now();
    let mut run = Run::new(flow(HEARD), Facts::default());
    run.handle(now, Input::Connected);
    let way = [
        Input::Digit(Digit::from_char('1').unwrap()),
        Input::Text("no, thank you"),
        intent("book", &[]),
    ];
    for input in way {
        if run.node() == node {
            break;
        }
        run.handle(now, input);
    }
    assert_eq!(run.node(), node);
    (run, now)
}

fn intent<'a>(name: &'a str, slots: &'a [Slot]) -> Input<'a> {
    Input::Intent {
        name,
        confidence: 0.9,
        slots,
    }
}

#[test]
fn talking_where_keys_are_waited_for_is_no_wrong_choice() {
    let (mut run, now) = at("keys");
    for input in [Input::SpeechStart, Input::SpeechEnd, intent("spoke", &[])] {
        assert_eq!(run.handle(now, input), []);
    }
    assert_eq!(run.poll_timeout(), Some(now + seconds(7)));
}

#[test]
fn a_misunderstanding_is_told_by_the_words_alone() {
    let (mut run, now) = at("words");
    let sorry = [Action::Play("sorry".to_owned())];
    assert_eq!(run.handle(now, Input::Text("well")), sorry);
    run.handle(now, Input::PromptFinished);
    assert_eq!(run.handle(now, intent("small-talk", &[])), []);
    assert_eq!(run.handle(now, Input::Text("hm")), [Action::HangUp]);
}

#[test]
fn nobody_is_talked_over_because_time_is_up() {
    let (mut run, now) = at("wish");
    let speaks = now + seconds(9);
    run.handle(speaks, Input::SpeechStart);
    assert_eq!(run.handle(now + seconds(10), Input::Timeout), []);
    run.handle(now + seconds(14), Input::SpeechEnd);
    // What was said may yet be understood.
    assert_eq!(run.poll_timeout(), Some(now + seconds(19)));
    run.handle(now + seconds(15), intent("book", &[]));
    assert_eq!(run.node(), "tell");
}

#[test]
fn details_of_an_intent_are_collected_with_it() {
    let slots = [Slot {
        name: "day".to_owned(),
        value: "monday".to_owned(),
    }];
    let (mut run, now) = at("wish");
    run.handle(now, intent("cancel", &slots));
    assert_eq!(run.values().get("day"), None, "it leads nowhere");
    run.handle(now, intent("book", &slots));
    assert_eq!(run.values().get("day"), Some("monday"));
}

#[test]
fn what_is_recorded_for_the_engine_ends_with_a_pause_or_its_key() {
    let (mut run, now) = at("tell");
    assert_eq!(
        run.poll_timeout(),
        Some(now + seconds(10)),
        "nothing is said"
    );
    run.handle(now + seconds(8), Input::SpeechStart);
    assert_eq!(
        run.poll_timeout(),
        Some(now + seconds(38)),
        "as long as it may be"
    );
    run.handle(now + seconds(12), Input::SpeechEnd);
    assert_eq!(run.poll_timeout(), Some(now + seconds(17)));
    run.handle(now + seconds(13), Input::SpeechStart);
    assert_eq!(
        run.poll_timeout(),
        Some(now + seconds(43)),
        "the sentence goes on"
    );
    let hash = Input::Digit(Digit::from_char('#').unwrap());
    assert_eq!(run.handle(now + seconds(14), hash), []);
    assert_eq!(
        run.handle(now + seconds(19), Input::Timeout),
        [Action::EndRecording, Action::HangUp]
    );
    let (mut run, now) = at("tell");
    let over = [Action::EndRecording, Action::HangUp];
    assert_eq!(run.handle(now, Input::Text("on Monday")), over);
}

#[test]
fn no_engine_changes_what_was_entered_and_details_are_bounded() {
    let (mut run, now) = at("wish");
    let slot = |name: String| Slot {
        name,
        value: "x".to_owned(),
    };
    let mut slots = vec![slot("pin".to_owned())];
    slots.extend((0..100).map(|n| slot(format!("detail {n}"))));
    run.handle(now, intent("pin", &slots));
    assert_eq!(run.values().get("pin"), None);
    assert_eq!(run.values().iter().count(), 64);
    run.handle(now, Input::Digit(Digit::from_char('7').unwrap()));
    assert_eq!(run.values().get("pin"), Some("7"), "keys always find room");
}

//! What Graph records of callers for an engine.

use super::*;

const ASKING: &str = r#"
    start = "ask"
    otherwise = "end"
    fallback = "down"
    media = "service"
    [prompts]
    hello = { text = "Hello." }
    sorry = { text = "Sorry." }
    [nodes]
    ask = { say = "hello", listen = { intents = { more = "keyed" }, sentiment = { below = -0.5, goto = "end" }, timeout = 7, pause = 1, retries = 1, sorry = "sorry" } }
    keyed = { listen = { keywords = { no = "end" }, keys = { 1 = "end" }, timeout = 4, beep = true } }
    down = { hang_up = true }
    end = { hang_up = true }
"#;

fn asked() -> (Run, Instant, Vec<Action>) {
    let now = Instant::now();
    let mut run = Run::new(flow(ASKING), Facts::default());
    assert_eq!(run.handle(now, Input::Connected).len(), 1);
    let actions = run.handle(now, Input::PromptFinished);
    (run, now, actions)
}

fn intent(name: &str) -> Input<'_> {
    Input::Intent {
        name,
        confidence: 1.0,
        slots: &[],
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn graph_records_until_a_pause_and_the_engine_decides() {
    let (mut run, now, actions) = asked();
    let [Action::Record(response)] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (response.initial, response.pause, response.beep),
        (seconds(7), seconds(1), false)
    );
    assert_eq!(run.poll_timeout(), Some(now + seconds(7)));
    run.handle(now, Input::Response(Told::Begun));
    assert_eq!(
        run.poll_timeout(),
        Some(now + seconds(7 + 30 + 15)),
        "what is being said is not cut off"
    );
    run.handle(now, Input::Response(Told::Said));
    assert_eq!(run.poll_timeout(), Some(now + seconds(5)));
    let actions = run.handle(now, intent("more"));
    let [Action::EndRecording, Action::Record(response)] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert!(response.beep && response.keys == "1" && response.keys_choose);
    let actions = run.handle(now, Input::Digit(Digit::from_char('1').unwrap()));
    assert_eq!(actions, [Action::EndRecording, Action::HangUp]);
}

#[test]
fn a_mood_a_misunderstanding_and_silence_lead_where_they_do_elsewhere() {
    let (mut run, now, _) = asked();
    assert_eq!(
        run.handle(now, Input::Sentiment(-0.9)),
        [Action::EndRecording, Action::HangUp]
    );
    let (mut run, now, _) = asked();
    let actions = run.handle(now, intent("else"));
    assert_eq!(
        actions,
        [Action::EndRecording, Action::Play("sorry".to_owned())]
    );
    assert_eq!(
        run.handle(now, Input::PromptFinished),
        [Action::Play("hello".to_owned())]
    );
    let recorded_again = run.handle(now, Input::PromptFinished);
    assert!(matches!(recorded_again[..], [Action::Record(_)]));
    assert_eq!(
        run.handle(now, Input::Response(Told::Nothing)),
        [Action::EndRecording, Action::HangUp],
        "that was the last attempt"
    );
}

#[test]
fn an_engine_that_says_nothing_is_waited_for_a_little() {
    let (mut run, now, _) = asked();
    run.handle(now, Input::Response(Told::Begun));
    run.handle(now, Input::Response(Told::Said));
    assert_eq!(run.handle(now + seconds(4), Input::Timeout), []);
    assert_eq!(
        run.handle(now + seconds(5), Input::Timeout),
        [Action::EndRecording, Action::Play("hello".to_owned())]
    );
}

#[test]
fn without_a_recording_or_an_engine_it_falls_back_and_keys_stay() {
    let (mut run, now, _) = asked();
    run.handle(now, Input::Response(Told::Lost));
    assert_eq!(run.node(), "down");
    let (mut run, now, _) = asked();
    run.handle(now, Input::Engine(false));
    assert_eq!(run.node(), "down");
    let (mut run, now, _) = asked();
    run.handle(now, intent("more"));
    run.handle(now, Input::Response(Told::Begun));
    assert_eq!(run.handle(now, Input::Response(Told::Lost)), []);
    assert_eq!(run.poll_timeout(), Some(now + seconds(4)));
    assert_eq!(run.node(), "keyed");
}

#[test]
fn what_the_engine_does_by_itself_ends_the_recording() {
    let text = ASKING.replace(
        "media =",
        "engine = { say = true, collect = true }\n    media =",
    );
    let now = Instant::now();
    let mut run = Run::new(flow(&text), Facts::default());
    run.handle(now, Input::Connected);
    run.handle(now, Input::PromptFinished);
    let actions = run.handle(now, Input::Wish(Wish::Text("Well.")));
    assert!(matches!(
        actions[..],
        [Action::EndRecording, Action::Say(_)]
    ));
    let actions = run.handle(now, Input::PromptFinished);
    assert!(matches!(actions[..], [Action::Record(_)]), "{actions:?}");
    let wanted = switchboard_nlp::Collect {
        max: 1,
        ..switchboard_nlp::Collect::default()
    };
    let actions = run.handle(now, Input::Wish(Wish::Collect(wanted)));
    assert_eq!(actions, [Action::EndRecording]);
    let actions = run.handle(now, Input::Digit(Digit::from_char('1').unwrap()));
    assert!(
        matches!(actions[..], [Action::Keys(_), Action::Record(_)]),
        "{actions:?}"
    );
}

//! What engines and voice agents bring about.

use switchboard_nlp::Collect;

use super::*;

const ASKING: &str = r#"
    start = "talk"
    otherwise = "end"
    engine = { collect = true, mute = true }
    [prompts]
    hello = { text = "Hello." }
    [nodes]
    talk = { say = "hello", listen = { keywords = { bye = "end" }, keys = { 1 = "end" }, timeout = 7 } }
    end = { hang_up = true }
"#;

fn key(run: &mut Run, now: Instant, key: char) -> Vec<Action> {
    run.handle(now, Input::Digit(Digit::from_char(key).unwrap()))
}

fn four() -> Collect {
    Collect {
        min: 2,
        max: 4,
        terminator: Some('#'),
        ..Collect::default()
    }
}

fn asked(collect: Collect) -> (Run, Instant) {
    let now = Instant::now();
    let mut run = Run::new(flow(ASKING), Facts::default());
    run.handle(now, Input::Connected);
    run.handle(now, Input::PromptFinished);
    run.handle(now, Input::Wish(Wish::Collect(collect)));
    (run, now)
}

fn keys(actions: &[Action]) -> Option<&str> {
    actions.iter().find_map(|action| match action {
        Action::Keys(Some(keys)) => Some(keys.as_str()),
        _ => None,
    })
}

#[test]
fn an_engine_gets_the_keys_it_asked_for_together_and_the_node_goes_on() {
    let (mut run, now) = asked(four());
    assert!(run.is_collecting());
    assert_eq!(run.poll_timeout(), Some(now + Duration::from_secs(5)));
    assert_eq!(key(&mut run, now, '1'), [], "not the node's key now");
    assert_eq!(run.poll_timeout(), Some(now + Duration::from_secs(3)));
    for face in ['2', '3'] {
        assert_eq!(key(&mut run, now, face), []);
    }
    assert_eq!(keys(&key(&mut run, now, '4')), Some("1234"));
    assert!(!run.is_collecting());
    assert_eq!(run.poll_timeout(), Some(now + Duration::from_secs(7)));
    assert_eq!(key(&mut run, now, '1'), [Action::HangUp]);
}

#[test]
fn a_terminator_or_a_pause_ends_collecting_and_too_few_keys_are_none() {
    let (mut run, now) = asked(four());
    key(&mut run, now, '7');
    key(&mut run, now, '8');
    assert_eq!(keys(&key(&mut run, now, '#')), Some("78"));
    run.handle(now, Input::Wish(Wish::Collect(four())));
    key(&mut run, now, '9');
    let late = now + Duration::from_secs(3);
    assert_eq!(keys(&run.handle(late, Input::Timeout)), Some(""));
    assert_eq!(run.poll_timeout(), Some(late + Duration::from_secs(7)));
}

#[test]
fn keys_for_an_engine_interrupt_what_is_said_and_wait_for_its_end() {
    let now = Instant::now();
    let mut run = Run::new(flow(ASKING), Facts::default());
    run.handle(now, Input::Connected);
    assert_eq!(run.handle(now, Input::Wish(Wish::Collect(four()))), []);
    assert_eq!(run.poll_timeout(), None, "the prompt is still playing");
    run.handle(now, Input::PromptFinished);
    assert_eq!(run.poll_timeout(), Some(now + Duration::from_secs(5)));
    let mut run = Run::new(flow(ASKING), Facts::default());
    run.handle(now, Input::Connected);
    run.handle(now, Input::Wish(Wish::Collect(four())));
    assert_eq!(key(&mut run, now, '5'), [Action::StopPlaying]);
}

#[test]
fn secret_keys_reach_web_hooks_and_nobody_else() {
    let (mut run, now) = asked(Collect {
        secret: true,
        ..four()
    });
    assert!(run.is_secret());
    for face in ['4', '7', '1'] {
        key(&mut run, now, face);
    }
    let told = key(&mut run, now, '1');
    assert_eq!(told, [Action::Keys(None), Action::Secret(false)]);
    assert_eq!(run.values().get("keys"), Some("4711"));
    assert!(!run.is_secret());
}

#[test]
fn leaving_a_node_ends_collecting_and_its_secrecy() {
    let (mut run, now) = asked(Collect {
        secret: true,
        ..four()
    });
    key(&mut run, now, '4');
    let left = run.handle(now, Input::Text("bye"));
    assert_eq!(left, [Action::Secret(false), Action::HangUp]);
}

#[test]
fn an_engine_mutes_the_bot_where_the_flow_allows_it() {
    let (mut run, now) = asked(four());
    let mute = |muted| Input::Wish(Wish::Mute(muted));
    assert_eq!(run.handle(now, mute(true)), [Action::MuteBot(true)]);
    assert_eq!(run.handle(now, mute(false)), [Action::MuteBot(false)]);
    let silent = ASKING.replace("engine =", "# engine =");
    let mut other = Run::new(flow(&silent), Facts::default());
    other.handle(now, Input::Connected);
    assert_eq!(other.handle(now, mute(true)), []);
    assert_eq!(other.handle(now, Input::Wish(Wish::Collect(four()))), []);
    assert!(!other.is_collecting());
}

const STREAMING: &str = r#"
    start = "agent"
    otherwise = "end"
    [prompts]
    hello = { text = "One moment." }
    sorry = { text = "The agent is away." }
    [nodes]
    agent = { say = "hello", stream = { to = "pipecat", keys = { 0 = "end" }, next = "end", on_failed = "sorry" } }
    sorry = { say = "sorry", hang_up = true }
    end = { hang_up = true }
"#;

fn streaming() -> (Run, Instant) {
    let now = Instant::now();
    let mut run = Run::new(flow(STREAMING), Facts::default());
    run.handle(now, Input::Connected);
    let begun = run.handle(now, Input::PromptFinished);
    assert_eq!(begun, [Action::Stream("pipecat".into())]);
    (run, now)
}

#[test]
fn a_voice_agent_has_the_call_until_it_is_done_lost_or_a_key_is_pressed() {
    assert_eq!(flow(STREAMING).agents().collect::<Vec<_>>(), ["pipecat"]);
    let (mut run, now) = streaming();
    assert_eq!(run.poll_timeout(), None);
    assert_eq!(run.handle(now, Input::SpeechStart), []);
    assert_eq!(key(&mut run, now, '5'), []);
    let over = [Action::StopStream, Action::HangUp];
    assert_eq!(run.handle(now, Input::Streamed(true)), over);

    let (mut run, now) = streaming();
    assert_eq!(key(&mut run, now, '0'), over);

    let (mut run, now) = streaming();
    let lost = run.handle(now, Input::Streamed(false));
    assert_eq!(lost, [Action::StopStream, Action::Play("sorry".into())]);
    assert_eq!(run.handle(now, Input::Streamed(true)), []);
}

#[test]
fn a_voice_agent_needs_audio() {
    let service = STREAMING.replace("start =", "media = \"service\"\nstart =");
    let told = problems(&service);
    assert!(told.contains("needs the call's audio"), "{told}");
}

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use proptest::prelude::*;
use switchboard_media::event::Digit;

use super::*;

mod engine;
mod leaving;
mod responding;
mod rooms;
mod screening;
mod spoken;

const FRONT_DESK: &str = include_str!("../../flows/frontdesk.toml");

fn flow(text: &str) -> Arc<Flow> {
    Arc::new(Flow::parse(text).unwrap_or_else(|problems| panic!("{problems}")))
}

fn front_desk() -> Arc<Flow> {
    static FLOW: LazyLock<Arc<Flow>> = LazyLock::new(|| flow(FRONT_DESK));
    Arc::clone(&FLOW)
}

fn guided() -> Arc<Flow> {
    static FLOW: LazyLock<Arc<Flow>> = LazyLock::new(|| flow(GUIDED));
    Arc::clone(&FLOW)
}

/// Tuesday, 24 November 2026, in Amsterdam.
fn at(clock: &str) -> Facts {
    let time = format!("2026-11-24T{clock}:00+01:00")
        .parse::<Timestamp>()
        .unwrap();
    Facts {
        time,
        ..Facts::default()
    }
}

/// A call by its lines; `>` marks the caller's.
fn call(facts: Facts, lines: &[&str]) -> String {
    let (mut simulator, mut said) = Simulator::new(front_desk(), facts, Instant::now());
    for line in lines {
        said.push(format!("> {line}"));
        said.extend(simulator.line(line));
    }
    said.join("\n")
}

fn said(transcript: &str, words: &str) -> usize {
    transcript.matches(words).count()
}

#[test]
fn the_manual_shows_a_flow_that_works() {
    let manual = include_str!("../../../../docs/flows.md");
    let example = manual
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    flow(example.unwrap());
}

#[test]
fn keys_with_time_outs_and_wrong_ones() {
    insta::assert_snapshot!(call(
        at("10:00"),
        &["1", "7", ":wait", "0", ":fail", ":wait", ":wait", ":wait"]
    ));
}

#[test]
fn the_angry_get_an_agent_and_the_happy_an_answer() {
    let angry = call(
        at("10:00"),
        &[
            "this is the worst service ever",
            ":mood -0.8",
            ":intent opening_hours",
        ],
    );
    assert!(
        angry.ends_with(
            "(transfers to 8f6c2a52-0000-4000-8000-000000000001)\n> :intent opening_hours"
        )
    );
    let happy = call(
        at("10:00"),
        &[
            "lovely, when are you open",
            ":mood 0.6",
            ":intent opening_hours",
        ],
    );
    assert_eq!(
        (said(&happy, "nine to five"), said(&happy, "transfers")),
        (1, 0)
    );
    let asked = call(at("10:00"), &["Could I talk to A  PERSON, please?"]);
    assert_eq!(said(&asked, "transfers"), 1);
    assert_eq!(
        said(&call(at("10:00"), &["a personal matter"]), "transfers"),
        0
    );
}

#[test]
fn hours_and_numbers_decide_before_answering() {
    assert_eq!(said(&call(at("08:59"), &[]), "We are closed"), 1);
    assert_eq!(said(&call(at("09:00"), &[]), "Welcome"), 1);
    assert_eq!(said(&call(at("17:00"), &[]), "We are closed"), 1);
    let sunday = "2026-11-22T10:00:00+01:00".parse().unwrap();
    assert_eq!(
        said(
            &call(
                Facts {
                    time: sunday,
                    ..Facts::default()
                },
                &[]
            ),
            "We are closed"
        ),
        1
    );
    // In summer Amsterdam is two hours ahead of UTC.
    let summer = "2026-07-21T07:30:00Z".parse().unwrap();
    assert_eq!(
        said(
            &call(
                Facts {
                    time: summer,
                    ..Facts::default()
                },
                &[]
            ),
            "Welcome"
        ),
        1
    );
    let refused = Facts {
        number: Some("+19005550100".into()),
        ..at("10:00")
    };
    assert_eq!(call(refused, &["1"]), "(rejects)\n> 1");
}

#[test]
fn a_pin_is_secret_and_known_to_the_web_hook_only() {
    let now = Instant::now();
    let mut run = Run::new(front_desk(), at("10:00"));
    let mut printed = String::new();
    let mut actions = Vec::new();
    let inputs = "2"
        .chars()
        .chain("4711#".chars())
        .map(|key| Input::Digit(Digit::from_char(key).unwrap()));
    for input in [Input::Incoming, Input::Connected]
        .into_iter()
        .chain(inputs)
    {
        let new = run.handle(now, input);
        printed += &format!("{new:?} {:?}", run.values());
        actions.extend(new);
    }
    assert!(!printed.contains("4711"));
    let order = |action: &Action| actions.iter().position(|other| other == action).unwrap();
    assert!(order(&Action::Secret(true)) < order(&Action::Play("pin".into())));
    assert!(
        order(&Action::Secret(false))
            < order(&Action::Webhook("https://bank.example/balance".into()))
    );
    assert_eq!(run.values().get("pin"), Some("4711"));
    assert!(
        run.handle(now, Input::Webhook(Some("wrong")))
            .contains(&Action::Play("wrong".into()))
    );
    run.handle(now, Input::CallerLeft);
    assert_eq!(run.values().get("pin"), None);
}

#[test]
fn too_few_keys_are_asked_for_again() {
    let transcript = call(at("10:00"), &["2", "12#", "1234#", ":result right"]);
    assert_eq!(
        (
            said(&transcript, "not right"),
            said(&transcript, "enter your PIN")
        ),
        (1, 2)
    );
    assert!(transcript.ends_with("message.\n(hangs up)"));
}

#[test]
fn speech_stops_the_prompt_and_keys_lead_on_at_once() {
    let now = Instant::now();
    let mut run = Run::new(front_desk(), at("10:00"));
    run.handle(now, Input::Incoming);
    assert_eq!(
        run.handle(now, Input::Connected),
        [Action::Play("welcome".into())]
    );
    assert_eq!(run.handle(now, Input::SpeechStart), [Action::StopPlaying]);
    // Whoever speaks is heard out.
    run.handle(now, Input::SpeechEnd);
    assert_eq!(run.poll_timeout(), Some(now + Duration::from_secs(10)));
    assert_eq!(run.handle(now, Input::SpeechStart), []);
    let digit = |key| Input::Digit(Digit::from_char(key).unwrap());
    assert_eq!(
        run.handle(now, digit('0')),
        [Action::Play("connect".into())]
    );
    // Not interruptible.
    assert_eq!(run.handle(now, digit('1')), []);
    let [Action::Transfer(Contact::User(_))] = &run.handle(now, Input::PromptFinished)[..] else {
        panic!()
    };
}

#[test]
fn a_flow_that_needs_the_engine_falls_back_while_it_is_down() {
    let speech = r#"
        start = "ask"
        otherwise = "end"
        fallback = "keys"
        [prompts]
        ask = { text = "What is it?" }
        keys = { text = "Press 1." }
        [nodes]
        ask = { say = "ask", listen = { intents = { it = "end" } } }
        keys = { say = "keys", listen = { keys = { 1 = "end" } } }
        end = { hang_up = true }
    "#;
    let flow = flow(speech);
    let (mut simulator, _) = Simulator::new(Arc::clone(&flow), Facts::default(), Instant::now());
    assert_eq!(simulator.line(":down"), ["bot: Press 1."]);
    assert_eq!(simulator.line("1"), ["(hangs up)"]);
    // Down before the node is reached.
    let mut run = Run::new(flow, Facts::default());
    run.handle(Instant::now(), Input::Engine(false));
    assert_eq!(
        run.handle(Instant::now(), Input::Connected),
        [Action::Play("ask".into())]
    );
    assert_eq!(
        run.handle(Instant::now(), Input::PromptFinished),
        [Action::Play("keys".into())]
    );
}

const GUIDED: &str = r#"
    start = "talk"
    otherwise = "end"
    engine = { say = true, collect = true, transfer = ["agent"] }
    [prompts]
    hello = { text = "Hello." }
    [contacts]
    agent = { phone = "+31201234567" }
    boss = { user = "boss" }
    [nodes]
    talk = { say = "hello", listen = { keywords = { bye = "end" }, timeout = 5 } }
    end = { hang_up = true }
"#;

#[test]
fn an_engine_does_by_itself_what_the_flow_allows() {
    let now = Instant::now();
    let mut run = Run::new(guided(), Facts::default());
    run.handle(now, Input::Connected);
    let said = run.handle(now, Input::Wish(Wish::Text("You said hello")));
    assert_eq!(format!("{said:?}"), "[Say(Words(_))]");
    assert_eq!(
        (run.handle(now, Input::PromptFinished), run.poll_timeout()),
        (vec![], Some(now + Duration::from_secs(5)))
    );
    assert_eq!(
        run.handle(now, Input::Wish(Wish::Prompt("hello"))),
        [Action::Play("hello".into())]
    );
    assert_eq!(
        run.handle(now, Input::Wish(Wish::StopSpeaking)),
        [Action::StopPlaying]
    );
    for refused in [
        Wish::HangUp,
        Wish::Transfer("boss"),
        Wish::Transfer("+1900"),
        Wish::Invite("agent"),
        Wish::Prompt("no"),
    ] {
        assert_eq!(run.handle(now, Input::Wish(refused)), []);
    }
    assert_eq!(
        run.handle(now, Input::Wish(Wish::Transfer("agent"))),
        [Action::Transfer(Contact::Phone("+31201234567".into()))]
    );
    assert_eq!(run.handle(now, Input::Text("bye")), []);
    assert_eq!(run.handle(now, Input::TransferFailed), [Action::HangUp]);
}

#[test]
fn an_engine_that_talks_to_nobody_is_stopped() {
    let now = Instant::now();
    let mut run = Run::new(guided(), Facts::default());
    run.handle(now, Input::Connected);
    let talk = (0..200).flat_map(|_| run.handle(now, Input::Wish(Wish::Text("hello?"))));
    assert_eq!(talk.last(), Some(Action::HangUp));
}

fn problems(text: &str) -> String {
    match Flow::parse(text) {
        Ok(_) => "no problem".to_owned(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn every_problem_has_its_place_and_a_way_out() {
    let text = r#"
start = "welcom"
otherwise = "end"
[prompts.hello]
text = "Hello"
[prompts.empty]
[contacts.agent]
phone = "0201234567"
[hours.office]
days = ["monday"]
from = "9:00"
to = "17:00"
zone = "Europe/Amsterdm"
[nodes.welcome]
say = "helo"
listen = { keys = { X = "end", 1 = "agnet" }, timeout = 0 }
[nodes.agent]
transfer = { to = "agents" }
[nodes.empty]
say = "hello"
[nodes.both]
next = "end"
hang_up = true
[nodes.hook]
webhook = { url = "http://bank.example/" }
[nodes.pin]
collect = { into = "pin", max = 40, next = "end" }
[nodes.no]
say = "hello"
reject = true
[nodes.end]
hang_up = true
"#;
    insta::assert_snapshot!(problems(text));
}

#[test]
fn a_missing_recording_is_a_problem() {
    let text = "start = \"a\"\notherwise = \"a\"\n[prompts.p]\nfile = \"p.wav\"\n[nodes.a]\nsay = \"p\"\nhang_up = true\n";
    let usable = |path: &str| match path {
        "p.wav" => Ok(()),
        _ => Err(String::new()),
    };
    assert!(Flow::parse_with_files(text, usable).is_ok());
    let gone = |path: &str| Err(format!("{path} is gone"));
    let problems = Flow::parse_with_files(text, gone).err().unwrap();
    assert_eq!(
        problems.to_string(),
        "3:1: p.wav is gone; record it, or give a text"
    );
}

#[test]
fn what_leads_nowhere_or_is_never_reached_is_said() {
    let text = r#"
start = "a"
otherwise = "end"
[prompts.p]
text = "p"
[nodes.a]
say = "p"
branch = [{ number = "+31*", goto = "loop" }, { number = "+32*", goto = "round" }, { goto = "refuse" }]
[nodes.loop]
branch = [{ goto = "back" }]
[nodes.back]
next = "loop"
[nodes.refuse]
reject = true
[nodes.lonely]
say = "p"
next = "end"
[nodes.round]
say = "p"
next = "round"
[nodes.end]
hang_up = true
"#;
    insta::assert_snapshot!(problems(text));
}

#[test]
fn a_file_that_is_no_flow_is_told_where() {
    let slip = "start = \"a\"\notherwise = \"a\"\n[nodes.a]\nhangup = true\n";
    assert_eq!(
        problems(slip)
            .lines()
            .next()
            .unwrap_or_default()
            .split(',')
            .next(),
        Some("4:1: unknown field `hangup`")
    );
    assert!(problems(slip).ends_with("did you mean \"hang_up\"?"));
    assert!(problems("start = ").starts_with("1:"));
    assert!(problems("start = \"a\"").contains("missing field"));
}

#[test]
fn a_flow_can_be_drawn() {
    let small = "start = \"a\"\notherwise = \"b\"\n[prompts.p]\ntext = \"p\"\n\
                 [nodes]\na = { say = \"p\", listen = { keys = { 1 = \"b\", 2 = \"b\", 3 = \"a\" } } }\nb = { hang_up = true }\n";
    let flow = Flow::parse(small).unwrap();
    insta::assert_snapshot!(format!("{}\n{}", mermaid(&flow), dot(&flow)));
}

#[test]
fn the_schema_knows_what_the_parser_knows() {
    let schema = schema();
    let node = &schema["$defs"]["NodeModel"];
    assert_eq!(node["additionalProperties"], false);
    for field in [
        "say", "listen", "collect", "branch", "transfer", "redirect", "reject", "invite", "record",
        "webhook", "hang_up",
    ] {
        assert!(node["properties"][field].is_object(), "{field}");
    }
    assert_eq!(
        schema["required"],
        serde_json::json!(["start", "otherwise", "nodes"])
    );
}

#[derive(Debug, Clone)]
enum Step {
    Connected,
    Key(u8),
    Speech,
    Intent(&'static str),
    Text(String),
    Mood(f32),
    Engine(bool),
    Said(&'static str),
    Sent,
    Wanted(bool),
    Finished,
    Failed,
    Invited(bool),
    Webhook(Option<&'static str>),
    Wait,
    Early,
    Left,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Connected),
        8 => (0u8..16).prop_map(Step::Key),
        2 => Just(Step::Speech),
        2 => prop::sample::select(vec!["opening_hours", "balance", "else"]).prop_map(Step::Intent),
        2 => "[a-z ]{0,12}|an agent".prop_map(Step::Text),
        1 => (-1f32..1.0).prop_map(Step::Mood),
        1 => any::<bool>().prop_map(Step::Engine),
        1 => Just(Step::Said("words")),
        1 => Just(Step::Sent),
        1 => any::<bool>().prop_map(Step::Wanted),
        8 => Just(Step::Finished),
        2 => Just(Step::Failed),
        1 => any::<bool>().prop_map(Step::Invited),
        2 => prop::sample::select(vec![None, Some("right"), Some("wrong"), Some("?")]).prop_map(Step::Webhook),
        4 => Just(Step::Wait),
        1 => Just(Step::Early),
        1 => Just(Step::Left),
    ]
}

fn take(run: &mut Run, now: &mut Instant, step: &Step) -> Vec<Action> {
    let input = match step {
        Step::Connected => Input::Connected,
        Step::Key(code) => Input::Digit(Digit::from_event_code(*code).unwrap()),
        Step::Speech => Input::SpeechStart,
        Step::Intent(name) => Input::Intent {
            name,
            confidence: 0.9,
            slots: &[],
        },
        Step::Text(text) => Input::Text(text),
        Step::Mood(score) => Input::Sentiment(*score),
        Step::Engine(up) => Input::Engine(*up),
        Step::Said(words) => Input::Wish(Wish::Text(words)),
        Step::Wanted(secret) => Input::Wish(Wish::Collect(switchboard_nlp::Collect {
            secret: *secret,
            ..switchboard_nlp::Collect::default()
        })),
        Step::Sent => Input::Wish(Wish::Transfer("agent")),
        Step::Finished => Input::PromptFinished,
        Step::Failed => Input::TransferFailed,
        Step::Invited(joined) => Input::Invited(*joined),
        Step::Webhook(result) => Input::Webhook(*result),
        Step::Wait => {
            *now = run.poll_timeout().unwrap_or(*now).max(*now);
            Input::Timeout
        }
        Step::Early => Input::Timeout,
        Step::Left => Input::CallerLeft,
    };
    run.handle(*now, input)
}

fn is_last(action: &Action) -> bool {
    matches!(
        action,
        Action::HangUp | Action::Reject(_) | Action::Redirect(_)
    )
}

proptest! {
    #[test]
    fn whatever_happens_a_call_ends_once_and_never_hangs(
        steps in prop::collection::vec(step(), 0..150),
        hour in 0u8..24,
        engine: bool,
    ) {
        let mut now = Instant::now();
        let flow = if engine { guided() } else { front_desk() };
        let mut run = Run::new(flow, at(&format!("{hour:02}:30")));
        let mut actions = run.handle(now, Input::Incoming);
        let mut gates = Vec::new();
        for step in std::iter::once(&Step::Connected).chain(&steps) {
            actions.extend(take(&mut run, &mut now, step));
        }
        // Left alone, a call comes to its end: prompts finish, waits run out, what is
        // asked for fails.
        for _ in 0..500 {
            if run.is_done() {
                break;
            }
            let before = run.poll_timeout();
            for step in [Step::Finished, Step::Wait, Step::Failed, Step::Invited(false)] {
                actions.extend(take(&mut run, &mut now, &step));
            }
            prop_assert!(run.is_done() || before.is_none() || run.poll_timeout() != before);
        }
        prop_assert!(run.is_done(), "stuck at {}", run.node());
        prop_assert!(actions.iter().filter(|action| is_last(action)).count() <= 1);
        if let Some(last) = actions.iter().position(is_last) {
            prop_assert_eq!(last + 1, actions.len(), "nothing comes after the end");
        }
        for action in &actions {
            if let Action::Secret(secret) = action {
                prop_assert_ne!(gates.last(), Some(secret));
                gates.push(*secret);
            }
        }
        prop_assert_ne!(gates.first(), Some(&false));
    }

    #[test]
    fn any_text_is_a_flow_or_has_problems(text: String, at in 0usize..3_000, cut in 0usize..40) {
        let _ = Flow::parse(&text);
        // A flow with a hole.
        let (start, end) = (at.min(FRONT_DESK.len()), (at + cut).min(FRONT_DESK.len()));
        if let (Some(head), Some(tail)) = (FRONT_DESK.get(..start), FRONT_DESK.get(end..)) {
            let _ = Flow::parse(&format!("{head}{tail}"));
        }
    }
}

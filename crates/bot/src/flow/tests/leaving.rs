//! Callers whose bot stops.

use super::*;

const DESK: &str = r#"
    start = "ask"
    otherwise = "end"
    [contacts]
    agent = { user = "a" }
    [prompts]
    hello = { text = "Hello." }
    moving = { text = "I pass you on." }
    [nodes]
    ask = { say = "hello", listen = { keys = { 1 = "through", 2 = "ask" } } }
    through = { transfer = { to = "agent", on_failed = "ask" } }
    end = { hang_up = true }
"#;

fn call(inputs: &[Input<'_>]) -> (Run, Instant, Vec<Action>) {
    let now = Instant::now();
    let mut run = Run::new(flow(DESK), Facts::default());
    let mut last = Vec::new();
    for input in inputs {
        last = run.handle(now, *input);
    }
    (run, now, last)
}

fn farewell(to: &str) -> Farewell {
    Farewell {
        transfer_to: to.to_owned(),
        say: Some("moving".to_owned()),
    }
}

fn to_agent() -> Action {
    Action::Transfer(Contact::User("a".to_owned()))
}

#[test]
fn they_are_told_passed_on_and_hung_up_on_if_nobody_takes_them() {
    let leave = farewell("agent");
    let (mut run, now, told) = call(&[Input::Incoming, Input::Connected, Input::Leave(&leave)]);
    assert_eq!(told, [Action::Play("moving".to_owned())]);
    let key = Input::Digit(Digit::from_char('2').unwrap());
    assert_eq!(run.handle(now, key), [], "the flow is over");
    assert_eq!(run.poll_timeout(), None);
    assert_eq!(run.handle(now, Input::PromptFinished), [to_agent()]);
    assert_eq!(run.handle(now, Input::TransferFailed), [Action::HangUp]);
    assert!(run.is_done());
}

#[test]
fn who_is_passed_on_already_or_not_answered_yet_is_not_told() {
    let leave = farewell("agent");
    let key = Input::Digit(Digit::from_char('1').unwrap());
    let (mut run, now, told) =
        call(&[Input::Incoming, Input::Connected, key, Input::Leave(&leave)]);
    assert_eq!(told, []);
    assert_eq!(run.handle(now, Input::TransferFailed), [Action::HangUp]);
    let (_, _, told) = call(&[Input::Leave(&leave)]);
    assert_eq!(told, [Action::Reject(Refusal::Busy)]);
    let (_, _, told) = call(&[Input::Incoming, Input::Leave(&leave)]);
    assert_eq!(told, [to_agent()], "nobody would hear it");
    let (_, _, told) = call(&[
        Input::Incoming,
        Input::Connected,
        Input::Leave(&farewell("nobody")),
    ]);
    assert_eq!(told, [Action::HangUp]);
}

//! Callers who are decided about before anybody answers.

use super::*;

const SCREEN: &str = r#"
    start = "screen"
    otherwise = "end"
    [contacts]
    ada = { user = "ada-id" }
    [nodes.screen]
    branch = [
        { number = ["+1900*", "+31201234567"], goto = "blocked" },
        { anonymous = true, goto = "blocked" },
        { often = { calls = 3, within = 60 }, goto = "busy" },
        { present = "ada", goto = "pass" },
    ]
    [nodes.blocked]
    reject = "forbidden"
    [nodes.busy]
    reject = "busy"
    [nodes.pass]
    redirect = "ada"
    [nodes.end]
    hang_up = true
"#;

#[test]
fn the_number_that_was_called_decides() {
    let lines = flow(
        r#"
        start = "line"
        otherwise = "end"
        [nodes]
        line = { branch = [{ called = ["+3120*", "+49301"], goto = "taken" }] }
        taken = { reject = "busy" }
        end = { reject = "forbidden" }
        "#,
    );
    let refused = |called: Option<&str>| {
        let facts = Facts {
            called: called.map(str::to_owned),
            ..Facts::default()
        };
        let mut run = Run::new(Arc::clone(&lines), facts);
        run.handle(Instant::now(), Input::Incoming)
    };
    for called in ["+31201234567", "+49301"] {
        assert_eq!(refused(Some(called)), [Action::Reject(Refusal::Busy)]);
    }
    for other in [Some("+493012"), None] {
        assert_eq!(refused(other), [Action::Reject(Refusal::Forbidden)]);
    }
}

#[test]
fn callers_are_screened_by_lists_and_how_often_they_call() {
    let flow = flow(SCREEN);
    assert_eq!(flow.watched(), [("ada", "ada-id")]);
    let decide = |number: Option<&str>, earlier: &[u64], present: &[&str]| {
        let facts = Facts {
            number: number.map(str::to_owned),
            earlier: earlier
                .iter()
                .map(|age| Duration::from_secs(*age))
                .collect(),
            present: present.iter().map(|name| (*name).to_owned()).collect(),
            ..Facts::default()
        };
        let mut run = Run::new(Arc::clone(&flow), facts);
        run.handle(Instant::now(), Input::Incoming)
    };
    let good = Some("+31209999999");
    for blocked in [Some("+19005550100"), Some("+31201234567"), None] {
        let refused = [Action::Reject(Refusal::Forbidden)];
        assert_eq!(decide(blocked, &[], &["ada"]), refused, "{blocked:?}");
    }
    assert_eq!(
        decide(good, &[10, 50], &["ada"]),
        [Action::Reject(Refusal::Busy)]
    );
    let ada = Contact::User("ada-id".to_owned());
    assert_eq!(decide(good, &[10, 70], &["ada"]), [Action::Redirect(ada)]);
    assert_eq!(decide(good, &[10], &[]), [Action::Answer]);
}

const ASKED: &str = r#"
    start = "ask"
    otherwise = "blocked"
    [contacts]
    ada = { user = "ada-id" }
    [nodes.ask]
    webhook = { url = "https://hook.example/", timeout = 20, results = { spam = "blocked", known = "pass" }, next = "welcome", on_failed = "welcome" }
    [nodes.blocked]
    reject = "forbidden"
    [nodes.pass]
    redirect = "ada"
    [nodes.welcome]
    hang_up = true
"#;

#[test]
fn a_web_hook_decides_before_anybody_answers() {
    let flow = flow(ASKED);
    let now = Instant::now();
    let decide = |input: fn(Instant) -> (Instant, Input<'static>)| {
        let mut run = Run::new(Arc::clone(&flow), Facts::default());
        let asked = run.handle(now, Input::Incoming);
        assert_eq!(asked, [Action::Webhook("https://hook.example/".to_owned())]);
        assert_eq!(run.handle(now, Input::Timeout), [], "it isn't late yet");
        let (now, input) = input(run.poll_timeout().unwrap());
        run.handle(now, input)
    };
    assert_eq!(
        decide(|due| (due, Input::Webhook(Some("spam")))),
        [Action::Reject(Refusal::Forbidden)]
    );
    let ada = Contact::User("ada-id".to_owned());
    assert_eq!(
        decide(|due| (due, Input::Webhook(Some("known")))),
        [Action::Redirect(ada)]
    );
    assert_eq!(
        decide(|due| (due, Input::Webhook(Some("else")))),
        [Action::Answer]
    );
    assert_eq!(decide(|due| (due, Input::Webhook(None))), [Action::Answer]);
    let patience = |due: Instant| (due, Input::Timeout);
    assert_eq!(decide(patience), [Action::Answer]);
    let mut run = Run::new(flow, Facts::default());
    run.handle(now, Input::Incoming);
    let due = run.poll_timeout().unwrap();
    assert!(
        due - now < Duration::from_secs(15),
        "a call must be answered within 15 s"
    );
}

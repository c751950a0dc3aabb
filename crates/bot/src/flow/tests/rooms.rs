//! Calls with several people, teams, and words that are kept.

use super::*;

const BRIDGE: &str = r##"
    start = "report"
    otherwise = "end"
    variables = ["reason"]
    [contacts]
    ada = { user = "ada-id" }
    ben = { phone = "+31201234567" }
    helper = { bot = "helper-app" }
    [teams.sales]
    of = ["ada"]
    pick = "longest_idle"
    [on_call.ops]
    tiers = [{ who = ["ada"], within = 40 }, { who = ["ben"] }]
    [hours.standup]
    days = ["mon"]
    from = "09:00"
    to = "09:15"
    zone = "Europe/Amsterdam"
    [rooms.bridge]
    start = "page"
    opens = "standup"
    meeting = { organizer = "boss-id", external_id = "incident" }
    [prompts]
    report = { text = "Please wait." }
    incident = { text = "Incident: {reason}. Press 1 to take it." }
    came = { text = "{people} joined; {count} are here." }
    gone = { text = "Somebody left." }
    [nodes.report]
    say = "report"
    open = { room = "bridge" }
    [nodes.page]
    summon = { on_call = "ops", ask = "ask", next = "invite", on_failed = "end" }
    [nodes.ask]
    say = "incident"
    listen = { keys = { 1 = "take", 2 = "end" } }
    [nodes.take]
    outcome = "taken"
    join = {}
    [nodes.invite]
    invite = { who = ["helper", "ben"], next = "quiet", on_failed = "quiet" }
    [nodes.quiet]
    mute = { who = "all", next = "hold" }
    [nodes.hold]
    hold = { who = "ada", music = "gone", next = "resume" }
    [nodes.resume]
    resume = { who = "ada", next = "stay" }
    [nodes.stay]
    attend = { greet = "came", farewell = "gone", timeout = 60, on_alone = "pass", on_timeout = "end" }
    [nodes.pass]
    branch = [{ people = 1, goto = "end" }, { present = "sales", goto = "sales" }]
    [nodes.sales]
    transfer = { to = "sales" }
    [nodes.end]
    hang_up = true
"##;

fn people<'a>(names: &'a [String], joined: bool, left: bool) -> Input<'a> {
    Input::People(People {
        names,
        joined,
        left,
    })
}

fn facts() -> Facts {
    let reason = ("reason".to_owned(), "the disk is full".to_owned());
    Facts {
        variables: [reason].into(),
        ..Facts::default()
    }
}

fn said(actions: &[Action]) -> &str {
    match actions {
        [Action::Say(words)] => words.as_str(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reporter_goes_on_in_the_room_whose_call_summons_others() {
    let (flow, now) = (flow(BRIDGE), Instant::now());
    let mut reporter = Run::new(Arc::clone(&flow), facts());
    reporter.handle(now, Input::Incoming);
    reporter.handle(now, Input::Connected);
    let opens = reporter.handle(now, Input::PromptFinished);
    assert_eq!(opens, [Action::Open("bridge".to_owned())]);
    assert_eq!(reporter.handle(now, Input::Done(true)), []);
    assert!(!reporter.is_done(), "it ends when the caller is elsewhere");

    let entry = flow.entry_of(flow.room("bridge").unwrap());
    let mut room = Run::new(Arc::clone(&flow), facts()).beginning_at(entry);
    let [Action::Summon(list, ask)] = &room.handle(now, Input::Connected)[..] else {
        panic!("nobody is summoned")
    };
    assert_eq!(list, "ops");

    let mut summoned = Run::new(Arc::clone(&flow), facts()).beginning_at(*ask);
    let asked = summoned.handle(now, Input::Connected);
    assert_eq!(
        said(&asked),
        "Incident: the disk is full. Press 1 to take it."
    );
    let joins = summoned.handle(now, Input::Digit(Digit::from_char('1').unwrap()));
    assert_eq!(joins, [Action::StopPlaying, Action::Join]);
    assert_eq!(summoned.outcome(), Some("taken"));
    let refused = summoned.handle(now, Input::Done(false));
    assert_eq!(refused, [Action::HangUp], "the bridge is gone");

    let both = vec![
        Contact::Bot("helper-app".to_owned()),
        Contact::Phone("+31201234567".to_owned()),
    ];
    let ada = Contact::User("ada-id".to_owned());
    for (input, expected) in [
        (Input::Done(true), Action::Invite(both)),
        (Input::Invited(true), Action::Mute(Whom::All)),
        (
            Input::Done(true),
            Action::Hold(ada.clone(), Some("gone".to_owned())),
        ),
        (Input::Done(true), Action::Resume(ada)),
    ] {
        assert_eq!(room.handle(now, input), [expected]);
    }
    assert_eq!(room.handle(now, Input::Done(true)), []);
    assert_eq!(room.node(), "stay");
}

/// A run that has come to where it stays.
fn staying() -> (Run, Instant) {
    let now = Instant::now();
    let text = BRIDGE.replace("start = \"page\"", "start = \"stay\"");
    // What no way leads to any more is of no interest here.
    let text = text.replace("open = { room = \"bridge\" }", "next = \"page\"");
    let flow = flow(&text);
    let entry = flow.entry_of(flow.room("bridge").unwrap());
    let mut run = Run::new(Arc::clone(&flow), facts()).beginning_at(entry);
    assert_eq!(run.handle(now, Input::Connected), []);
    (run, now)
}

#[test]
fn who_comes_is_greeted_by_name_and_time_goes_on_meanwhile() {
    let (mut run, start) = staying();
    let until = run.poll_timeout().unwrap();
    assert_eq!(until, start + Duration::from_secs(60));
    let now = start + Duration::from_secs(20);
    let names = ["Ada".to_owned(), String::new()];
    let greeted = run.handle(now, people(&names, true, false));
    assert_eq!(said(&greeted), "Ada joined; 2 are here.");
    let names = ["Ada".to_owned(), "Ben".to_owned(), String::new()];
    assert_eq!(
        run.handle(now, people(&names, true, false)),
        [],
        "not at once"
    );
    let again = run.handle(now, Input::PromptFinished);
    assert_eq!(said(&again), "Ada, Ben joined; 3 are here.");
    assert_eq!(run.handle(now, Input::PromptFinished), []);
    assert_eq!(run.poll_timeout(), Some(until));
    let parted = run.handle(now, people(&names[..1], false, true));
    assert_eq!(parted, [Action::Play("gone".to_owned())]);
    run.handle(now, Input::PromptFinished);
    assert_eq!(run.handle(until, Input::Timeout), [Action::HangUp]);
}

#[test]
fn nobody_stays_alone() {
    let (mut run, now) = staying();
    assert_eq!(
        run.handle(now, people(&[], false, false)),
        [],
        "nobody came yet"
    );
    let names = ["Ada".to_owned()];
    run.handle(now, people(&names, true, false));
    assert_eq!(
        run.handle(now, people(&[], false, true)),
        [],
        "while greeting"
    );
    let end = run.handle(now, Input::PromptFinished);
    assert_eq!(
        end,
        [Action::HangUp],
        "nobody is there to pass on to: {end:?}"
    );
}

#[test]
fn a_team_is_there_when_one_of_it_is() {
    let flow = flow(BRIDGE);
    assert_eq!(flow.watched(), [("ada", "ada-id")]);
    let (mut run, now) = staying();
    run.set_present(["ada".to_owned()].into());
    run.handle(now, people(&["Eve".to_owned()], true, false));
    run.handle(now, people(&[], false, true));
    let passed = run.handle(now, Input::PromptFinished);
    assert_eq!(
        passed,
        [Action::Transfer(Contact::Team("sales".to_owned()))]
    );
}

#[test]
fn rooms_open_at_the_beginning_of_their_hours() {
    let flow = flow(BRIDGE);
    let after = |time: &str| {
        let time = flow.opens_after("bridge", time.parse().unwrap()).unwrap();
        time.to_string()
    };
    // Monday, 30 November; clocks change on 28 March.
    assert_eq!(after("2026-11-24T12:00:00Z"), "2026-11-30T08:00:00Z");
    assert_eq!(after("2026-11-30T07:59:59Z"), "2026-11-30T08:00:00Z");
    assert_eq!(after("2026-11-30T08:00:00Z"), "2026-12-07T08:00:00Z");
    assert_eq!(after("2027-03-27T12:00:00Z"), "2027-03-29T07:00:00Z");
    assert!(flow.opens_after("standup", Timestamp::UNIX_EPOCH).is_none());
}

#[test]
fn what_is_wrong_with_rooms_is_said() {
    let wrong = |from: &str, to: &str| {
        let text = BRIDGE.replacen(from, to, 1);
        assert_ne!(text, BRIDGE);
        let problems = Flow::parse(&text)
            .err()
            .map(|problems| problems.to_string());
        problems.unwrap_or_default()
    };
    for (from, to, message) in [
        (
            "{reason}",
            "{raeson}",
            "there is no variable \"raeson\"; did you mean \"reason\"?",
        ),
        (
            "[\"reason\"]",
            "[\"count\"]",
            "\"count\" can't be the name of a variable",
        ),
        (
            "on_call = \"ops\"",
            "on_call = \"opps\"",
            "there is no on-call list \"opps\"; did you mean \"ops\"?",
        ),
        (
            "room = \"bridge\"",
            "room = \"brige\"",
            "there is no room \"brige\"; did you mean \"bridge\"?",
        ),
        (
            "meeting = {",
            "with = [\"ada\"] #",
            "a group call is begun with two to five people",
        ),
        ("of = [\"ada\"]", "of = [\"ben\"]", "\"ben\" is no user"),
        (
            "timeout = 60",
            "timeout = 0",
            "a call is attended for 1 to 86400 seconds",
        ),
        (
            "start = \"page\"",
            "start = \"paje\"",
            "there is no node \"paje\"",
        ),
        ("tiers = [", "tiers = [] #", "nobody is on call"),
        (
            "who = [\"helper\", \"ben\"]",
            "who = []",
            "one to five people are invited at once",
        ),
        (
            "transfer = { to = \"sales\"",
            "transfer = { to = \"helper\"",
            "a bot can be invited, and nothing else",
        ),
        (
            "{ user = \"ada-id\" }",
            "{ user = \"a\", bot = \"b\" }",
            "the contact must have one of user, phone and bot",
        ),
    ] {
        let problems = wrong(from, to);
        assert!(problems.contains(message), "{to}: {problems}");
    }
}

const MESSAGE: &str = r##"
    start = "message"
    otherwise = "end"
    [prompts]
    leave = { text = "Leave a message." }
    review = { text = "1 to hear it, 2 to send it." }
    [nodes.message]
    say = "leave"
    record = { seconds = 120, keep = true, pause = 3, stop = "#", next = "review", on_empty = "end" }
    [nodes.review]
    say = "review"
    listen = { keys = { 1 = "hear", 2 = "send", 3 = "message" } }
    [nodes.hear]
    play_back = { next = "review" }
    [nodes.send]
    deliver = { url = "https://hook.example/", results = { full = "review" }, next = "end" }
    [nodes.end]
    hang_up = true
"##;

#[test]
fn a_message_is_kept_heard_and_delivered() {
    let (mut simulator, _) = Simulator::new(flow(MESSAGE), Facts::default(), Instant::now());
    let mut said = Vec::new();
    for line in ["#", ":kept", "1", "2", ":result full", "2", ":result"] {
        said.extend(simulator.line(line));
    }
    assert_eq!(
        said,
        [
            "(that is enough)",
            "bot: 1 to hear it, 2 to send it.",
            "(plays what was kept)",
            "bot: 1 to hear it, 2 to send it.",
            "(delivers what was kept to https://hook.example/)",
            "bot: 1 to hear it, 2 to send it.",
            "(delivers what was kept to https://hook.example/)",
            "(hangs up)",
        ]
    );
}

#[test]
fn a_key_interrupts_what_is_played_back_and_silence_is_no_message() {
    let (flow, now) = (flow(MESSAGE), Instant::now());
    let kept = |kept| {
        let mut run = Run::new(Arc::clone(&flow), Facts::default());
        run.handle(now, Input::Incoming);
        run.handle(now, Input::Connected);
        let [Action::Keep(keep)] = run.handle(now, Input::PromptFinished)[..] else {
            panic!("nothing is kept")
        };
        assert_eq!((keep.most.as_secs(), keep.stop), (120, Some('#')));
        let actions = run.handle(now, Input::Kept(kept));
        (run, actions)
    };
    assert_eq!(kept(false).1, [Action::HangUp]);
    let (mut run, _) = kept(true);
    let key = |face| Input::Digit(Digit::from_char(face).unwrap());
    run.handle(now, key('1'));
    let interrupted = run.handle(now, key('5'));
    let review = Action::Play("review".to_owned());
    assert_eq!(interrupted, [Action::StopPlaying, review]);
    let long = MESSAGE.replace("120", "121");
    let problems = Flow::parse(&long).err().unwrap().to_string();
    assert!(
        problems.contains("at most 120 seconds are kept"),
        "{problems}"
    );
}

//! Files are read with places, and people do as they are told: on virtual time.

use std::time::{Duration, Instant};

use switchboard_media::event::Digit;
use switchboard_media::prompt::Prompt;

use super::player::{Command, Event};
use super::runner::Runner;
use super::*;
use crate::phone::PhoneCallState;

const SECOND: Duration = Duration::from_secs(1);

fn read(text: &str) -> Result<Scenario, Problems> {
    Scenario::parse(text, &mut |path| match path {
        "hello.wav" => Ok(Prompt::from_samples(16_000, &[0.1; 1600]).unwrap()),
        _ => Err(format!("{path} cannot be read")),
    })
}

fn problems(text: &str) -> Vec<String> {
    let Err(problems) = read(text) else {
        panic!("nothing wrong with {text}")
    };
    problems.0.iter().map(Problem::to_string).collect()
}

#[test]
fn mistakes_have_places_and_suggestions() {
    let step = |step: &str| format!("[people.a]\nsteps = [\n  {step},\n]\n");
    let fault = |rule: &str| {
        let (kind, person) = (
            "fault = { kind = \"status\", status = 503 }",
            "[people.Ada]",
        );
        format!("[[faults]]\n{rule}\n{kind}\n{person}\nsteps = [{{ call = \"bot\" }}]\n")
    };
    for (text, expected) in [
        (step("{ cal = \"bot\" }"), "3:5: unknown field `cal`"),
        (step("{ cal = \"bot\" }"), "did you mean \"call\"?"),
        (step("{ pause = \"5 parsecs\" }"), "3:13: \"5 parsecs\" is no duration"),
        (step("{ hear = \"speach\" }"), "did you mean \"speech\"?"),
        (step("{ reach = \"up\" }"), "use one of ringing, establishing"),
        (step("{ press = \"12x\" }"), "3:13: these are not keys"),
        (step("{ say = \"none.wav\" }"), "3:11: none.wav cannot be read"),
        (step("{ }"), "3:3: the step does nothing"),
        (step("{ call = \"bot\", hang_up = true }"), "more than one thing"),
        (step("{ hang_up = false }"), "3:15: only true is of use here"),
        (step("{ together = \"all\" }"), "3:16: nobody else comes to \"all\""),
        (
            "[people.a]\nsteps = [{ together = \"both in\" }]\n[people.b]\nsteps = [{ together = \"both  in\" }]".into(),
            "did you mean \"both  in\"?",
        ),
        (step("{ pause = \"1s\", within = \"2s\" }"), "within means nothing"),
        (step("{ press = \"1\", for = \"2s\" }"), "no key is held down for so long"),
        (step("{ press = \"1\", as = \"tones\", for = \"1s\" }"), "for means nothing"),
        (step("{ expect_energy = { } }"), "no level fits"),
        (step("{ expect_energy = { above = -20.0, below = -40.0 } }"), "no level fits"),
        (step("{ expect_duration = { at_least = \"3s\", at_most = \"2s\" } }"), "no duration fits"),
        (
            step("{ network = { loss = 1.1 } }"),
            "3:15: loss must be 0 to 1",
        ),
        ("[people]\n".into(), "nobody takes part"),
        ("[people.a]\nsteps = []\n".into(), "1:1: a does nothing"),
        (step("{ call = \"meeting:\" }"), "3:12: this calls nobody"),
        (step("{ expect_end = -1 }"), "3:18: no call ends with this code"),
        ("limit = \"0s\"\n[people.a]\nsteps = [{ accept = true }]".into(), "1:9: nothing can be done in this time"),
        ("[people.a]\nid = \"+0123\"\nsteps = [{ accept = true }]".into(), "2:6: this can't be a user's id or a telephone"),
        (
            "[people.a]\nid = \"+3120\"\nsteps = [{ accept = true }]\n[people.b]\nid = \"+3120\"\nsteps = [{ accept = true }]".into(),
            "5:6: somebody else has this id",
        ),
        ("[people.a]\ntenant = \"contoso\"\nsteps = [{ accept = true }]".into(), "write its GUID"),
        ("[people.a]\nrole = \"agnet\"\nsteps = [{ accept = true }]".into(), "did you mean \"agent\"?"),
        ("overlook = [\"slowWebhok\"]\n[people.a]\nsteps = [{ accept = true }]".into(), "1:13: there is no rule of the judge"),
        ("[meetings.m]\nlobby = \"invitd\"\n[people.a]\nsteps = [{ accept = true }]".into(), "did you mean \"invited\"?"),
        ("[meetings.m]\nlobby = \"invited\"\ninvited = [\"a\"]\n[people.a]\nsteps = [{ admit = \"b\" }]".into(), "3:12: only people with an id can be invited"),
        (fault("operation = \"answer\"\nperson = \"Adda\""), "3:10: nobody is called \"Adda\""),
        (fault("operation = \"answer\"\nperson = \"Adda\""), "did you mean \"Ada\"?"),
        (fault("person = \"Ada\"\noperation = \"anwser\""), "3:13: there is no operation \"anwser\""),
        (fault("operation = \"brew\""), "docs/emulator.md names all"),
        (fault("operation = \"notification:incomming\""), "did you mean \"notification:incoming\"?"),
        (fault("operation = \"create\"\nperson = \"Ada\""), "create is about no call"),
        (fault("operation = \"answer\"\npersn = \"Ada\""), "3:1: unknown field `persn`"),
        (step("{ admit = \"b\", for = \"1s\" }"), "for means nothing"),
        ("x = [".into(), "1:"),
        ("[[faults]]\noperation = \"answer\"\nfault = { kind = \"status\", status = 200 }\n[people.a]\nsteps = [{ accept = true }]".into(), "fault.status must be 400 to 599"),
    ] {
        let found = problems(&text).join("\n");
        assert!(found.contains(expected), "{expected:?} not in {found:?}");
    }
}

#[test]
fn reports_cite_steps_as_they_were_written() {
    for (written, cited) in [
        (
            "{ network = { loss = 0.5, delay_ms = 20 } }",
            "network = { loss = 0.5, delay_ms = 20 }",
        ),
        ("{ network = {} }", "network = {}"),
        ("{call=\"bot\"}", "call=\"bot\""),
        ("{ admit = \"Lee  K\" }", "admit = \"Lee  K\""),
    ] {
        let text = format!("[people.a]\nsteps = [{written}]\n");
        let scenario = Scenario::parse(&text, &mut |_: &str| unreachable!()).unwrap();
        assert_eq!(scenario.people[0].steps[0].text, cited);
    }
}

#[test]
fn what_was_not_played_has_failed_in_every_report() {
    let text = "[people.a]\nsteps = [{ call = \"bot\" }]\n";
    let scenario = Scenario::parse(text, &mut |_: &str| unreachable!()).unwrap();
    let report = Report::not_run(&scenario);
    let xml = junit(std::slice::from_ref(&report), 7);
    assert!(!report.passed && report.text().contains("FAILED"));
    assert!(xml.contains("failures=\"1\" skipped=\"1\""), "{xml}");
    assert!(xml.contains("the scenario was not played"), "{xml}");
}

#[test]
fn a_mistake_is_told_once() {
    for step in [
        "reach = \"ended\", within = \"10\"",
        "press = \"1\", for = \"10\"",
    ] {
        let found = problems(&format!("[people.a]\nsteps = [{{ {step} }}]\n"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("\"10\" is no duration"), "{found:?}");
    }
}

#[test]
fn every_mistake_is_told_at_once_and_in_order() {
    let found = problems(
        "[people.b]\nsteps = [{ press = \"?\" }, { pause = \"x\" }]\n[people.a]\nsteps = [{ hear = \"x\" }]\n",
    );
    let lines: Vec<_> = found.iter().map(|problem| &problem[..2]).collect();
    assert_eq!(lines, ["2:", "2:", "4:"]);
}

/// A scenario on virtual time.
struct Stage {
    runner: Runner,
    now: Instant,
}

impl Stage {
    fn set(text: &str) -> Self {
        let now = Instant::now();
        let runner = Runner::new(&read(text).unwrap(), now);
        Self { runner, now }
    }

    fn happens(&mut self, who: usize, event: Event) {
        self.runner.handle(who, event, self.now);
    }

    /// All that is done now, by name.
    fn done(&mut self) -> Vec<String> {
        let commands = std::iter::from_fn(|| self.runner.poll_command());
        commands
            .map(|(who, command)| {
                let what = match command {
                    Command::Press(digit, _) => format!("press {}", digit.as_char()),
                    Command::Say(_) => "say".to_owned(),
                    other => format!("{other:?}").to_lowercase(),
                };
                format!("{who} {what}")
            })
            .collect()
    }

    /// Lets time pass, with everything that is due on the way.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.runner.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.runner.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn established(&mut self, who: usize) {
        self.happens(who, Event::Dialing);
        self.happens(who, Event::State(PhoneCallState::Established));
        self.happens(who, Event::Connected);
    }

    /// The steps' outcomes: `ok`, `-`, or why not.
    fn outcomes(self) -> Vec<String> {
        let people = self.runner.into_reports();
        let steps = people.into_iter().flat_map(|person| person.steps);
        steps
            .map(|step| match step.outcome {
                Outcome::Passed => "ok".to_owned(),
                Outcome::NotRun => "-".to_owned(),
                Outcome::Failed(why) => why,
            })
            .collect()
    }
}

fn key(key: char) -> Event {
    Event::Key(Digit::from_char(key).unwrap())
}

#[test]
fn a_caller_goes_through_the_script() {
    let mut stage = Stage::set(
        r#"
        [people.caller]
        steps = [
            { call = "bot" }, { reach = "established" }, { hear = "speech" },
            { press = "1#" }, { hear_keys = "42" }, { say = "hello.wav" },
            { hear = "silence", for = "2s" }, { expect_energy = { below = -60.0 } },
            { expect_duration = { at_least = "2s", at_most = "60s" } },
            { hang_up = true }, { expect_end = 0 },
        ]
        "#,
    );
    assert_eq!(stage.done(), ["0 dial(\"bot\")"]);
    stage.established(0);
    stage.happens(0, Event::Speech(true));
    assert_eq!(stage.done(), ["0 press 1"]);
    stage.pass(SECOND);
    assert_eq!(stage.done(), ["0 press #"]);
    stage.happens(0, key('4'));
    stage.happens(0, key('2'));
    assert_eq!(stage.done(), ["0 say"]);
    stage.happens(0, Event::Said);
    stage.pass(SECOND);
    stage.happens(0, Event::Speech(false));
    stage.pass(SECOND * 2);
    stage.happens(0, Event::Level(-80.0));
    stage.pass(SECOND);
    assert_eq!(stage.done(), ["0 hangup"]);
    stage.happens(0, Event::Ended { code: 0 });
    assert!(stage.runner.is_over());
    assert_eq!(stage.outcomes(), ["ok"; 11]);
}

#[test]
fn what_a_transfer_cuts_short_is_said_again() {
    let mut stage = Stage::set(
        r#"
        [people.caller]
        steps = [{ call = "bot" }, { say = "hello.wav" }, { hang_up = true }]
        "#,
    );
    stage.established(0);
    assert_eq!(stage.done(), ["0 dial(\"bot\")", "0 say"]);
    stage.pass(SECOND * 11);
    stage.happens(0, Event::Disconnected);
    stage.pass(SECOND * 9);
    assert!(stage.done().is_empty());
    stage.happens(0, Event::Connected);
    assert_eq!(stage.done(), ["0 say"]);
    stage.happens(0, Event::Said);
    assert_eq!(stage.done(), ["0 hangup"]);
    stage.happens(0, Event::Ended { code: 0 });
    assert_eq!(stage.outcomes(), ["ok"; 3]);
}

#[test]
fn a_failed_step_ends_the_call_and_the_rest_is_not_run() {
    let mut stage = Stage::set(
        r#"
        [people.caller]
        steps = [{ call = "bot" }, { hear = "speech", within = "3s" }, { pause = "1s" }]
        "#,
    );
    stage.established(0);
    stage.done();
    stage.pass(SECOND * 4);
    assert_eq!(stage.done(), ["0 hangup"]);
    assert!(!stage.runner.is_over());
    stage.happens(0, Event::Ended { code: 0 });
    assert!(stage.runner.is_over());
    let outcomes = stage.outcomes();
    assert_eq!(outcomes, ["ok", "it did not come about within 3 s", "-"]);
}

#[test]
fn what_cannot_be_fails_at_once() {
    for (steps, event, why) in [
        ("{ hear_keys = \"12\" }", key('2'), "other keys were heard"),
        (
            "{ hear = \"speech\" }",
            Event::Ended { code: 486 },
            "the call ended first, with code 486",
        ),
        (
            "{ reach = \"transferring\" }",
            Event::Ended { code: 0 },
            "the call ended first, with code 0",
        ),
        ("{ say = \"hello.wav\" }", Event::Refused("no".into()), "no"),
        (
            "{ expect_end = 0 }",
            Event::Ended { code: 408 },
            "the call ended with code 408",
        ),
    ] {
        let text = format!("[people.a]\nsteps = [{{ call = \"bot\" }}, {steps}]");
        let mut stage = Stage::set(&text);
        stage.established(0);
        stage.happens(0, event);
        assert_eq!(stage.outcomes(), ["ok", why], "{steps}");
    }
}

#[test]
fn people_wait_for_each_other() {
    let mut stage = Stage::set(
        r#"
        [people.a]
        steps = [{ together = "x" }, { call = "bot" }]
        [people.b]
        steps = [{ pause = "2s" }, { together = "x" }, { accept = true }, { pause = "1s" }]
        [people.c]
        steps = [{ call = "bot" }]
        "#,
    );
    assert_eq!(stage.done(), ["2 dial(\"bot\")"]);
    stage.pass(SECOND);
    assert_eq!(stage.done(), [""; 0]);
    stage.pass(SECOND);
    assert_eq!(stage.done(), ["0 dial(\"bot\")"]);
    stage.happens(1, Event::Rings);
    assert_eq!(stage.done(), ["1 accept"]);
}

#[test]
fn nobody_waits_for_someone_who_failed() {
    let mut stage = Stage::set(
        r#"
        [people.a]
        steps = [{ together = "x" }]
        [people.b]
        steps = [{ expect_state = "established" }, { together = "x" }]
        "#,
    );
    stage.runner.handle_timeout(stage.now);
    assert!(stage.runner.is_over());
    let outcomes = stage.outcomes();
    let why = "someone to wait for has failed";
    assert_eq!(outcomes, [why, "the call is not in a call", "-"]);
}

#[test]
fn the_limit_ends_what_would_go_on() {
    let mut stage = Stage::set(
        "limit = \"5s\"\n[people.a]\nsteps = [{ call = \"bot\" }, { reach = \"established\", within = \"1h\" }]",
    );
    stage.happens(0, Event::Dialing);
    stage.done();
    stage.pass(SECOND * 6);
    assert_eq!(stage.done(), ["0 hangup"]);
    let outcomes = stage.outcomes();
    assert_eq!(outcomes[1], "the scenario's limit of 5 s has passed");
}

#[test]
fn reports_are_written_for_people_and_for_machines() {
    let person = PersonReport {
        name: "a<b".into(),
        steps: vec![
            StepReport {
                line: 3,
                step: "call = \"bot\"".into(),
                outcome: Outcome::Passed,
                took: SECOND / 2,
            },
            StepReport {
                line: 4,
                step: "hear = \"speech\"".into(),
                outcome: Outcome::Failed("it did not come about within 3 s".into()),
                took: SECOND * 3,
            },
            StepReport {
                line: 5,
                step: "hang_up = true".into(),
                outcome: Outcome::NotRun,
                took: Duration::ZERO,
            },
        ],
    };
    let finding = Finding {
        rule: "slowWebhook".into(),
        detail: "the webhook took 1200 ms".into(),
        overlooked: false,
    };
    let report = Report::new("Try & see".into(), SECOND * 4, vec![person], vec![finding]);
    assert!(!report.passed);
    insta::assert_snapshot!("text", report.text());
    insta::assert_snapshot!("junit", junit(std::slice::from_ref(&report), 7));
    insta::assert_json_snapshot!("json", report);
}

#[test]
fn who_is_interrupted_fails_there_and_leaves() {
    let mut stage = Stage::set(
        "[people.a]\nsteps = [{ call = \"bot\" }, { reach = \"established\" }, { hang_up = true }]\n",
    );
    stage.happens(0, Event::Dialing);
    assert_eq!(stage.done(), ["0 dial(\"bot\")"]);
    stage.runner.interrupt(stage.now);
    assert_eq!(stage.done(), ["0 hangup"]);
    assert!(stage.runner.is_through());
    let people = stage.runner.into_reports();
    let outcomes: Vec<_> = people[0].steps.iter().map(|step| &step.outcome).collect();
    let interrupted = Outcome::Failed("interrupted".to_owned());
    assert_eq!(outcomes, [&Outcome::Passed, &interrupted, &Outcome::NotRun]);
}

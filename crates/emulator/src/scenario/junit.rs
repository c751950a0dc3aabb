//! Reports as JUnit's XML, which CI systems read: a suite per scenario, a case per
//! step, one for the judge.

use std::fmt::Write as _;

use super::report::{Outcome, PersonReport, Report, StepReport};

/// Reports as one JUnit document; each suite says with which seed the emulator ran.
pub fn junit(reports: &[Report], seed: u64) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for report in reports {
        suite(&mut xml, report, seed);
    }
    xml.push_str("</testsuites>\n");
    xml
}

// Writing to a string can't fail: its results are let go.

fn suite(xml: &mut String, report: &Report, seed: u64) {
    let steps = || report.people.iter().flat_map(|person| &person.steps);
    let count = |fits: fn(&Outcome) -> bool| steps().filter(|step| fits(&step.outcome)).count();
    let judged = usize::from(verdict(report).is_some());
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
        escaped(&report.name),
        steps().count() + 1,
        count(|outcome| matches!(outcome, Outcome::Failed(_))) + judged,
        count(|outcome| *outcome == Outcome::NotRun),
        report.took.as_secs_f64(),
    );
    let _ = writeln!(
        xml,
        "    <properties><property name=\"seed\" value=\"{seed}\"/></properties>"
    );
    for person in &report.people {
        for step in &person.steps {
            case(xml, report, person, step);
        }
    }
    judge(xml, report);
    xml.push_str("  </testsuite>\n");
}

fn case(xml: &mut String, report: &Report, person: &PersonReport, step: &StepReport) {
    let _ = write!(
        xml,
        "    <testcase classname=\"{}.{}\" name=\"line {}: {}\" time=\"{:.3}\"",
        escaped(&report.name),
        escaped(&person.name),
        step.line,
        escaped(&step.step),
        step.took.as_secs_f64(),
    );
    let _ = match &step.outcome {
        Outcome::Passed => writeln!(xml, "/>"),
        Outcome::NotRun => writeln!(xml, "><skipped/></testcase>"),
        Outcome::Failed(why) => {
            writeln!(xml, "><failure message=\"{}\"/></testcase>", escaped(why))
        }
    };
}

fn judge(xml: &mut String, report: &Report) {
    let name = escaped(&report.name);
    let _ = write!(
        xml,
        "    <testcase classname=\"{name}.judge\" name=\"judge\""
    );
    let _ = match verdict(report) {
        None => writeln!(xml, "/>"),
        Some(found) => {
            let found = escaped(&found);
            writeln!(xml, "><failure message=\"{found}\"/></testcase>")
        }
    };
}

/// What is held against the bot, or that there was nothing to judge.
fn verdict(report: &Report) -> Option<String> {
    let found = report.judge.iter().filter(|finding| !finding.overlooked);
    let found: Vec<_> = found
        .map(|finding| format!("{}: {}", finding.rule, finding.detail))
        .collect();
    let mut steps = report.people.iter().flat_map(|person| &person.steps);
    let unplayed = !report.passed && steps.all(|step| step.outcome == Outcome::NotRun);
    match found.is_empty() {
        true => unplayed.then(|| "the scenario was not played".to_owned()),
        false => Some(found.join("; ")),
    }
}

/// What XML 1.0 allows in an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

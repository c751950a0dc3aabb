//! How a scenario went.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Serialize, Serializer};

pub use super::junit::junit;
use super::plan::{Person, Scenario, Step};

/// How a scenario went: nothing of what was heard, only what was scripted and whether
/// it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was tried, in words.
    pub name: String,
    /// Whether all came about and nothing was found.
    pub passed: bool,
    /// How long it took, in milliseconds.
    #[serde(rename = "ms", serialize_with = "as_ms")]
    pub took: Duration,
    /// How each person fared.
    pub people: Vec<PersonReport>,
    /// What production would punish.
    pub judge: Vec<Finding>,
    /// What happened in each person's calls, a line each without times or ids: the same
    /// scenario and seed give the same lines.
    #[serde(skip)]
    pub log: Vec<String>,
}

/// How a person fared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonReport {
    /// The name in the file.
    pub name: String,
    /// Step by step.
    pub steps: Vec<StepReport>,
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// Its line in the file, from 1.
    pub line: usize,
    /// The step as it was written.
    pub step: String,
    /// How it went.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took, in milliseconds.
    #[serde(rename = "ms", serialize_with = "as_ms")]
    pub took: Duration,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "why", rename_all = "camelCase")]
pub enum Outcome {
    /// It came about.
    Passed,
    /// It did not, and why.
    Failed(String),
    /// An earlier step failed, or its turn never came.
    NotRun,
}

/// Something the judge found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule that was broken.
    pub rule: String,
    /// How.
    pub detail: String,
    /// Whether the scenario says that it may be.
    pub overlooked: bool,
}

fn as_ms<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(took.as_millis() as u64)
}

impl Step {
    pub(super) fn report(&self, outcome: Outcome, took: Duration) -> StepReport {
        StepReport {
            line: self.line,
            step: self.text.clone(),
            outcome,
            took,
        }
    }
}

impl Report {
    pub(super) fn new(
        name: String,
        took: Duration,
        people: Vec<PersonReport>,
        judge: Vec<Finding>,
    ) -> Self {
        let steps = people.iter().flat_map(|person| &person.steps);
        let all = steps
            .map(|step| &step.outcome)
            .all(|outcome| *outcome == Outcome::Passed);
        Self {
            name,
            passed: all && judge.iter().all(|finding| finding.overlooked),
            took,
            people,
            judge,
            log: Vec::new(),
        }
    }

    pub(super) fn not_run(scenario: &Scenario) -> Self {
        let steps = |person: &Person| {
            let steps = person.steps.iter();
            steps
                .map(|step| step.report(Outcome::NotRun, Duration::ZERO))
                .collect()
        };
        let people = scenario.people.iter().map(|person| PersonReport {
            name: person.name.clone(),
            steps: steps(person),
        });
        let name = scenario.name.clone();
        Self {
            passed: false,
            ..Self::new(name, Duration::ZERO, people.collect(), Vec::new())
        }
    }

    /// The report for people to read.
    pub fn text(&self) -> String {
        let verdict = if self.passed { "passed" } else { "FAILED" };
        let seconds = self.took.as_secs_f64();
        let mut text = format!("{verdict}  {} ({seconds:.1} s)\n", self.name);
        for person in &self.people {
            // Writing to a string can't fail.
            let _ = writeln!(text, "  {}", person.name);
            for step in &person.steps {
                let _ = writeln!(text, "{}", step.text());
            }
        }
        for finding in &self.judge {
            let mark = if finding.overlooked { "-" } else { "✗" };
            let _ = writeln!(text, "  {mark} judge: {}: {}", finding.rule, finding.detail);
        }
        text
    }
}

impl StepReport {
    fn text(&self) -> String {
        let (mark, why) = match &self.outcome {
            Outcome::Passed => ("✓", String::new()),
            Outcome::Failed(why) => ("✗", format!(": {why}")),
            Outcome::NotRun => ("-", String::new()),
        };
        let ms = self.took.as_millis();
        format!(
            "    {mark} line {}: {} ({ms} ms){why}",
            self.line, self.step
        )
    }
}

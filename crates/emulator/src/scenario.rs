//! Scripted people: scenario files are read, run against a bot and reported on.
//!
//! [`Scenario::parse`] reads a TOML file and says what is wrong with it, with places.
//! [`run`](fn@run) lets its people do their steps at an emulator's phones, with real
//! audio. Who does what when is decided by `Runner`, without IO; `shell` gives its
//! people phones and voices.
//!
//! Reports hold what the file scripted and how each step went, never what was heard.

mod causes;
mod check;
mod far;
mod junit;
mod log;
mod model;
mod plan;
mod player;
pub(crate) mod problem;
mod report;
mod runner;
mod shell;
#[cfg(test)]
mod tests;
mod voice;

pub use plan::Scenario;
pub use problem::{Problem, Problems};
pub use report::{Finding, Outcome, PersonReport, Report, StepReport, junit};
pub use shell::{run, run_until};

//! Conversations as configuration.
//!
//! A flow is a TOML file of nodes: what is said, what is expected from the caller,
//! where it leads. [`Flow::parse`] checks it whole, with line, column and a
//! suggestion for each problem; [`Run`] is one call's way through it, without IO;
//! [`Simulator`] is the same in text. `docs/flows.md` is the manual,
//! [`schema`] the JSON Schema for editors.

mod check;
mod draw;
mod model;
mod plan;
mod problem;
mod run;
mod simulate;
mod summons;
mod text;
mod values;

pub use draw::{dot, mermaid};
pub(crate) use model::Pick;
pub use model::{Hosting, Refusal, schema};
pub use plan::{Contact, Entry, Flow, Keep, PromptSource, Response, Whom};
pub(crate) use plan::{Meeting, Room, Which};
pub use problem::{Problem, Problems};
pub use run::{Action, Facts, Farewell, Input, People, Run, Told, Wish, Words};
pub use simulate::Simulator;
pub(crate) use summons::{Summoning, Summons};
pub use text::literal;
pub use values::Values;

#[cfg(test)]
mod tests;

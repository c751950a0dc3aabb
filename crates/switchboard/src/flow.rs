//! `check`, `graph-of` and `simulate`: conversations without a call.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use switchboard_bot::flow::{Facts, Simulator, dot, mermaid, schema};

use crate::output::{hint, say};
use crate::serve::{FlowError, FlowFile, check_settings};

/// Checks conversations: every problem with its place and a suggestion.
///
/// Prompts' files are looked for beside the flow's file. Exits with 1 when
/// something is wrong.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Flow files, or settings with a flow.
    #[arg(required_unless_present = "schema", value_name = "FLOW")]
    flows: Vec<PathBuf>,
    /// Prints the JSON Schema of flow files, for editors.
    #[arg(long)]
    schema: bool,
}

/// Draws a conversation.
#[derive(Args)]
pub(crate) struct GraphOfArgs {
    /// The flow file.
    flow: PathBuf,
    /// For Mermaid (as in Markdown) or Graphviz.
    #[arg(long, value_enum, default_value_t = Format::Mermaid)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Mermaid,
    Dot,
}

/// Has a conversation in text: type keys or words, `:help` lists the rest.
#[derive(Args)]
pub(crate) struct SimulateArgs {
    /// The flow file.
    flow: PathBuf,
    /// The caller's phone number.
    #[arg(long)]
    number: Option<String>,
    /// The number that was called.
    #[arg(long)]
    called: Option<String>,
    /// The caller's user id.
    #[arg(long)]
    caller: Option<String>,
    /// The caller's language (BCP 47).
    #[arg(long, default_value = "")]
    language: String,
    /// Contacts who are available.
    #[arg(long = "present", value_name = "CONTACT")]
    present: Vec<String>,
    /// How many seconds before the same caller called, once for each call.
    #[arg(long = "earlier", value_name = "SECONDS")]
    earlier: Vec<u64>,
    /// The words of a variable
    #[arg(long = "variable", value_name = "NAME=WORDS", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// When the call comes in (RFC 3339); now if not given.
    #[arg(long)]
    time: Option<jiff::Timestamp>,
}

pub(crate) fn check(args: &CheckArgs) -> Result<(), FlowError> {
    if args.schema {
        say(&format!("{:#}", schema()))?;
    }
    let mut wrong = 0;
    for path in &args.flows {
        let told = match check_one(path) {
            Ok(()) => format!("{}: ok", path.display()),
            Err(problems) => {
                wrong += 1;
                problems
            }
        };
        say(&told)?;
    }
    match wrong {
        0 => Ok(()),
        wrong => Err(FlowError::Some(wrong)),
    }
}

/// A flow's file, or settings with all they name; what is wrong in words.
fn check_one(path: &Path) -> Result<(), String> {
    let file = FlowFile::read(path).map_err(|error| error.to_string())?;
    match file.is_of_settings {
        true => {
            check_settings(path, &file.flow).map_err(|error| format!("{}: {error}", path.display()))
        }
        false => Ok(()),
    }
}

pub(crate) fn graph_of(args: &GraphOfArgs) -> Result<(), FlowError> {
    let flow = FlowFile::read(&args.flow)?.flow;
    let drawing = match args.format {
        Format::Mermaid => mermaid(&flow),
        Format::Dot => dot(&flow),
    };
    Ok(say(drawing.trim_end())?)
}

pub(crate) fn simulate(args: &SimulateArgs) -> Result<(), FlowError> {
    let flow = Arc::new(FlowFile::read(&args.flow)?.flow);
    let facts = Facts {
        caller: args.caller.clone(),
        number: args.number.clone(),
        called: args.called.clone(),
        language: args.language.clone(),
        time: args.time.unwrap_or_else(jiff::Timestamp::now),
        earlier: args
            .earlier
            .iter()
            .copied()
            .map(Duration::from_secs)
            .collect(),
        present: args.present.iter().cloned().collect::<BTreeSet<_>>(),
        variables: args.variables.iter().cloned().collect(),
    };
    let (mut simulator, lines) = Simulator::new(flow, facts, Instant::now());
    hint("keys or words, then Enter; :help lists the rest");
    let mut input = std::io::stdin().lock().lines();
    let mut lines = lines;
    loop {
        for line in &lines {
            say(line)?;
        }
        if simulator.is_done() {
            return Ok(());
        }
        match input.next() {
            Some(line) => lines = simulator.line(&line?),
            None => return Ok(()),
        }
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, words) = text.split_once('=').ok_or("write it as NAME=WORDS")?;
    Ok((name.to_owned(), words.to_owned()))
}

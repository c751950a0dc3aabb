//! The `switchboard` command.
//!
//! Only this crate sees both the bot and the emulator: `demo` puts them in one
//! process and lets them talk over loopback HTTP and SRTP as they would over the
//! internet.

#![forbid(unsafe_code)]

mod analyze;
mod caller;
mod confine;
mod demo;
mod emulate;
mod flow;
mod graph;
mod load;
mod logs;
mod output;
#[cfg(test)]
mod person;
mod serve;
mod site;
mod timeline;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
#[cfg(not(feature = "seeded-leak"))]
use zeroizing_alloc::ZeroAlloc;

use logs::LogFormat;

/// What is freed is wiped: keys that Graph tells pass through buffers of libraries, too.
#[cfg(not(feature = "seeded-leak"))]
#[global_allocator]
static WIPING: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

/// Calling bots for Microsoft Graph cloud communications, on Linux.
///
/// `demo` shows a real call on this machine: an emulator of Graph's calling cloud,
/// a bot that answers, and a softphone in the browser. `analyze` runs the bot's
/// ears over recordings. `emulate` runs the emulator alone, for bots in any
/// language. `serve` runs a bot, by settings and a flow. `graph` asks Graph, or the emulator, for any calling operation. `check`,
/// `graph-of` and `simulate` are for conversations as configuration. `load` measures what
/// calls cost.
///
/// Logs go to standard error; RUST_LOG chooses what (for example
/// RUST_LOG=switchboard_bot=debug). They never hold audio, digits or words.
#[derive(Parser)]
#[command(name = "switchboard", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Analyze(analyze::AnalyzeArgs),
    Emulate(Box<emulate::EmulateArgs>),
    Load(load::LoadArgs),
    Serve(Box<serve::ServeArgs>),
    Config(Box<serve::ConfigArgs>),
    /// Make a key for the REST API: prints the key, and the hash to configure
    ApiKey,
    Check(flow::CheckArgs),
    GraphOf(flow::GraphOfArgs),
    Simulate(flow::SimulateArgs),
    Graph(Box<graph::GraphArgs>),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // `serve` begins with them when it has read of what kind they are.
    if !matches!(cli.command, Command::Serve(_)) {
        logs::init(LogFormat::Text, None);
    }
    let outcome = match &cli.command {
        Command::Demo(args) => in_runtime(demo::run(args)),
        Command::Emulate(args) => return exit(in_runtime(emulate::run(args))),
        Command::Graph(args) => in_runtime(graph::run(args)),
        Command::Serve(args) => {
            serve::confine(args).and_then(|layers| in_runtime(serve::run(args, layers)))
        }
        Command::Config(args) => serve::config(args),
        Command::ApiKey => serve::api_key(),
        Command::Load(args) => in_runtime(load::run(args)),
        Command::Analyze(args) => analyze::run(args).map_err(Into::into),
        Command::Check(args) => flow::check(args).map_err(Into::into),
        Command::GraphOf(args) => flow::graph_of(args).map_err(Into::into),
        Command::Simulate(args) => flow::simulate(args).map_err(Into::into),
    };
    exit(outcome.map(|()| ExitCode::SUCCESS))
}

fn exit(outcome: Result<ExitCode, Failure>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        complain(error.as_ref());
        ExitCode::FAILURE
    })
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn in_runtime<T>(task: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(task)
}

/// One line: what failed, and what lies behind it unless it says the same.
fn complain(error: &dyn std::error::Error) {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    output::complaint(&format!("switchboard: {text}"));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// All arguments of a command and of those below it: whose, which, and what it takes.
    fn arguments(command: &clap::Command) -> Vec<(String, String, String)> {
        let own = command.get_arguments().map(|argument| {
            let values = argument.get_value_names().unwrap_or_default();
            let takes = values.iter().map(ToString::to_string).collect();
            let whose = command.get_name().to_owned();
            (whose, argument.get_id().to_string(), takes)
        });
        let below = command.get_subcommands().flat_map(arguments);
        own.chain(below).collect()
    }

    /// Whoever lists processes reads their arguments: secrets come by files or the environment.
    #[test]
    fn no_argument_takes_a_secret() {
        let mut command = Cli::command();
        command.build();
        let words = ["secret", "token", "password", "certificate", "api_key"];
        let about = |name: &str| words.iter().any(|word| name.contains(word));
        let secret: Vec<_> = arguments(&command)
            .into_iter()
            .filter(|(_, name, _)| about(name))
            .collect();
        assert!(secret.len() >= 3, "{secret:?}");
        for (whose, name, takes) in secret {
            assert_eq!(takes, "FILE", "{whose} {name}");
        }
    }
}

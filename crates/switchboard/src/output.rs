//! Standard output is for programs, standard error for people.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::logs::LogFormat;

/// Prints a line on standard output.
pub(crate) fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Prints a JSON object as a line on standard output.
pub(crate) fn say_json(value: &impl Serialize) -> std::io::Result<()> {
    say(&serde_json::to_string(value)?)
}

/// Whether hints are JSON, as the log is.
static JSON: AtomicBool = AtomicBool::new(false);

/// What hints look like from now on.
pub(crate) fn hint_as(format: LogFormat) {
    JSON.store(format == LogFormat::Json, Ordering::Relaxed);
}

/// Tells a person something.
pub(crate) fn hint(line: &str) {
    tell("INFO", line);
}

/// Tells a person what went wrong.
pub(crate) fn complaint(line: &str) {
    tell("ERROR", line);
}

#[allow(clippy::print_stderr)]
fn tell(level: &str, line: &str) {
    match JSON.load(Ordering::Relaxed) {
        true => eprintln!("{}", serde_json::json!({"level": level, "message": line})),
        false => eprintln!("{line}"),
    }
}

/// What told the program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shutdown {
    /// Ctrl-C: SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl From<Shutdown> for ExitCode {
    /// As shells have it: 128 and the signal's number.
    fn from(shutdown: Shutdown) -> Self {
        match shutdown {
            Shutdown::Interrupt => Self::from(130),
            Shutdown::Terminate => Self::from(143),
        }
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn shutdown_signal() -> Shutdown {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return Shutdown::Interrupt;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Shutdown::Interrupt,
        _ = terminate.recv() => Shutdown::Terminate,
    }
}

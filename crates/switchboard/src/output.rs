//! Standard output is for programs, standard error for people.

use std::io::Write;
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

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn shutdown_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

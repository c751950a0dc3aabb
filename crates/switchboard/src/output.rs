//! Standard output is for programs, standard error for people.

use std::io::Write;

use serde::Serialize;

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

/// Tells a person something.
#[allow(clippy::print_stderr)]
pub(crate) fn hint(line: &str) {
    eprintln!("{line}");
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

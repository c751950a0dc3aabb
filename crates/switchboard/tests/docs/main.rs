//! What the manuals show and what is there to deploy, held against the program.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod deploy;
mod manuals;
#[path = "../../../../tests/src/skip.rs"]
#[allow(unreachable_pub)]
mod skip;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The program, with nothing of this environment's settings.
fn switchboard() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SWITCHBOARD_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

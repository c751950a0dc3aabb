//! `switchboard demo`, run as a newcomer runs it: a process that prints a URL.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::{env, thread};

use crate::patience::PATIENCE;
use crate::{Failure, workspace};

/// Names a program to test instead of the one built from this workspace.
pub const PROGRAM: &str = "SWITCHBOARD_BIN";

/// A running demo. Dropping it ends it.
#[derive(Debug)]
pub struct Demo {
    child: Child,
    /// The page.
    pub url: url::Url,
}

impl Demo {
    /// Starts the demo on a free port.
    ///
    /// # Errors
    /// It can't be built, or does not print its URL.
    pub fn start() -> Result<Self, Failure> {
        let mut child = Command::new(program()?)
            .args(["demo", "--port", "0"])
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()?;
        let line = first_line(&mut child);
        // From here on a failure must end the process as well.
        let mut demo = Self {
            child,
            url: url::Url::parse("http://127.0.0.1/")?,
        };
        demo.url = url::Url::parse(line?.trim())?;
        Ok(demo)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, built like these tests are.
///
/// # Errors
/// It does not build.
pub fn program() -> Result<PathBuf, Failure> {
    if let Some(program) = env::var_os(PROGRAM) {
        return Ok(program.into());
    }
    let build = escargot::CargoBuild::new()
        .manifest_path(workspace().join("Cargo.toml"))
        .package("switchboard")
        .bin("switchboard");
    let build = if cfg!(debug_assertions) {
        build
    } else {
        build.release()
    };
    Ok(build.run()?.path().to_owned())
}

/// The first line on its standard output; the rest is read and forgotten.
fn first_line(child: &mut Child) -> Result<String, Failure> {
    let output = child
        .stdout
        .take()
        .ok_or("the demo has no standard output")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Only the first line is waited for.
            let _ = sender.send(line);
        }
    });
    receiver
        .recv_timeout(PATIENCE)
        .map_err(|_| "the demo printed no URL; what it said is on standard error".into())
}

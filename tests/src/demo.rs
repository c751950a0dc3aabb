//! `switchboard demo`, run as a newcomer runs it: a process that prints a URL.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::{env, fs, thread};

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

    /// How many UDP sockets the demo has open: what its calls hold.
    ///
    /// # Errors
    /// The process is gone.
    pub fn udp_sockets(&self) -> Result<usize, Failure> {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let mut udp = HashSet::new();
        for table in ["net/udp", "net/udp6"] {
            let rows = fs::read_to_string(process.join(table)).unwrap_or_default();
            udp.extend(rows.lines().filter_map(inode).map(str::to_owned));
        }
        let open = fs::read_dir(process.join("fd"))?
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .filter_map(|target| socket_inode(&target))
            .filter(|inode| udp.contains(inode))
            .count();
        Ok(open)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The tenth column of a row of /proc/net/udp.
fn inode(row: &str) -> Option<&str> {
    row.split_ascii_whitespace().nth(9)
}

/// `socket:[123]` → `123`.
fn socket_inode(target: &Path) -> Option<String> {
    let text = target.to_str()?;
    let inode = text.strip_prefix("socket:[")?.strip_suffix(']')?;
    Some(inode.to_owned())
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

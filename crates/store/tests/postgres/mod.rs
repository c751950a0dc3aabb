//! A PostgreSQL cluster of our own, on a Unix socket, gone after the test.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use skip::skipped;

#[path = "../../../../tests/src/skip.rs"]
#[allow(unreachable_pub)]
pub(crate) mod skip;

/// A running cluster.
pub(crate) struct Cluster {
    directory: TempDir,
    binaries: PathBuf,
    user: Option<(u32, u32)>,
}

impl Cluster {
    /// Starts one; `None`, with the reason printed, where there are no binaries.
    pub(crate) fn start() -> Option<Self> {
        let Some(binaries) = binaries() else {
            skipped("there is no PostgreSQL (apt-get install postgresql)");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        // PostgreSQL refuses to run as root.
        let root = fs::metadata("/proc/self").is_ok_and(|own| {
            use std::os::unix::fs::MetadataExt;
            own.uid() == 0
        });
        let user = if root {
            let Some(user) = account("postgres") else {
                skipped("root can't run PostgreSQL, and there is no user postgres");
                return None;
            };
            chown(directory.path(), Some(user.0), Some(user.1)).unwrap();
            Some(user)
        } else {
            None
        };
        let cluster = Self {
            directory,
            binaries,
            user,
        };
        cluster.run(
            "initdb",
            &[
                "--auth=trust",
                "--username=switchboard",
                "--no-sync",
                "--encoding=UTF8",
            ],
        );
        cluster.serve();
        Some(cluster)
    }

    /// Starts the server, which takes no connections but those of its socket.
    pub(crate) fn serve(&self) {
        let socket = self.directory.path().display();
        let options =
            format!("-c listen_addresses= -c unix_socket_directories={socket} -c fsync=off");
        self.run(
            "pg_ctl",
            &[
                "start",
                "--wait",
                "--silent",
                "--log",
                "/dev/null",
                "-o",
                &options,
            ],
        );
    }

    /// Makes a database, and gives its address.
    pub(crate) fn database(&self, name: &str) -> String {
        let socket = self.directory.path().display().to_string();
        let made = self
            .command("createdb")
            .args(["--host", &socket, "--username", "switchboard", name])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "createdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        format!("postgres://switchboard@localhost/{name}?host={socket}")
    }

    /// Stops the server, as a crash would.
    pub(crate) fn crash(&self) {
        self.run("pg_ctl", &["stop", "--mode=immediate", "--silent"]);
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let status = self
            .command(program)
            .args(arguments)
            .arg("--pgdata")
            .arg(self.data())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{program} failed");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self
            .command("pg_ctl")
            .args(["stop", "--mode=immediate", "--silent", "--pgdata"])
            .arg(self.data())
            .stderr(Stdio::null())
            .status();
    }
}

/// Where `initdb` is: on the path, or where Debian has it.
fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|place| has_binaries(place));
    on_path.or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let mut places: Vec<PathBuf> = versions
            .filter_map(io::Result::ok)
            .map(|version| version.path().join("bin"))
            .filter(|place| has_binaries(place))
            .collect();
        places.sort();
        places.pop()
    })
}

fn has_binaries(place: &Path) -> bool {
    ["initdb", "pg_ctl", "createdb"]
        .iter()
        .all(|name| place.join(name).is_file())
}

/// User and group id of an account.
fn account(name: &str) -> Option<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

//! Which calls run, known beyond the process's end: what a crash leaves behind is ended when
//! the bot starts again. Holds ids of calls alone.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use switchboard_signaling::types::CallId;

/// Remembers which calls run. Must not wait for anything slow: it is told on the calls' tasks.
pub trait Ledger: Send + Sync {
    /// A call is this bot's to end.
    fn begun(&self, call: &CallId);
    /// It is over.
    fn over(&self, call: &CallId);
    /// Calls that an earlier life of the bot left behind.
    fn left(&self) -> Vec<CallId>;
}

/// Longer files are begun anew when no call runs.
const LONG: u64 = 64 * 1024;
/// Longer files are no ledgers: a hundred calls take 8 KiB.
const MAX: u64 = 16 * 1024 * 1024;

/// A ledger in a file: a line `+id` when a call begins, `-id` when it is over.
///
/// What was written is there after the process was killed; only the machine's own end can lose
/// the last lines, and ends no calls by it that Graph wouldn't after 45 minutes.
#[derive(Debug)]
pub struct FileLedger {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    running: BTreeSet<CallId>,
    left: Vec<CallId>,
    length: u64,
}

/// A ledger can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the ledger of calls {} can't be used: {cause}", .path.display())]
pub struct LedgerError {
    path: PathBuf,
    cause: std::io::Error,
}

impl FileLedger {
    /// Opens the ledger at `path`, and makes it where there is none.
    ///
    /// # Errors
    /// [`LedgerError`]: the file can't be read or written, or isn't a ledger.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        Inner::open(path)
            .map(|inner| Self {
                inner: Mutex::new(inner),
            })
            .map_err(|cause| LedgerError {
                path: path.to_owned(),
                cause,
            })
    }

    /// The lock is held for single steps; a poisoned one is still whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for FileLedger {
    fn begun(&self, call: &CallId) {
        let mut inner = self.lock();
        if inner.running.insert(call.clone()) {
            inner.write('+', call);
        }
    }

    fn over(&self, call: &CallId) {
        let mut inner = self.lock();
        if inner.running.remove(call) {
            inner.write('-', call);
            inner.tidy();
        }
    }

    fn left(&self) -> Vec<CallId> {
        self.lock().left.clone()
    }
}

impl Inner {
    fn open(path: &Path) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(path)?;
        let length = file.metadata()?.len();
        if length > MAX {
            return Err(std::io::Error::other("it is longer than any ledger"));
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let running = read(&text);
        let mut inner = Self {
            left: running.iter().cloned().collect(),
            running,
            file,
            length,
        };
        // The last line may have been cut short: what follows must not be joined to it.
        if !text.is_empty() && !text.ends_with('\n') {
            inner.append("\n")?;
        }
        Ok(inner)
    }

    /// A disk that is full must not end calls: then a crash leaves more behind.
    fn write(&mut self, sign: char, call: &CallId) {
        if let Err(error) = self.append(&format!("{sign}{call}\n")) {
            tracing::warn!(%error, "the ledger of calls can't be written; a crash would leave calls behind");
        }
    }

    fn append(&mut self, text: &str) -> std::io::Result<()> {
        self.length += text.len() as u64;
        self.file.write_all(text.as_bytes())
    }

    fn tidy(&mut self) {
        if self.running.is_empty() && self.length > LONG && self.file.set_len(0).is_ok() {
            self.length = 0;
        }
    }
}

/// The calls that began and weren't over; lines that are none are passed over.
fn read(text: &str) -> BTreeSet<CallId> {
    let mut running = BTreeSet::new();
    for line in text.lines() {
        let Some((sign, id)) = line.split_at_checked(1) else {
            continue;
        };
        match (sign, id.parse()) {
            ("+", Ok(id)) => _ = running.insert(id),
            ("-", Ok(id)) => _ = running.remove(&id),
            _ => {}
        }
    }
    running
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn id(text: &str) -> CallId {
        text.parse().unwrap()
    }

    #[test]
    fn calls_that_were_not_over_are_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("calls");
        let ledger = FileLedger::open(&path).unwrap();
        assert!(ledger.left().is_empty());
        for call in ["a", "b", "c"] {
            ledger.begun(&id(call));
        }
        ledger.over(&id("b"));
        ledger.over(&id("stranger"));
        drop(ledger);
        let ledger = FileLedger::open(&path).unwrap();
        assert_eq!(ledger.left(), [id("a"), id("c")]);
        ledger.over(&id("a"));
        ledger.over(&id("c"));
        assert!(FileLedger::open(&path).unwrap().left().is_empty());
    }

    #[test]
    fn a_line_cut_short_spoils_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("calls");
        std::fs::write(&path, "+a\nrubbish\n\u{e4}\n+").unwrap();
        let ledger = FileLedger::open(&path).unwrap();
        ledger.begun(&id("b"));
        assert_eq!(FileLedger::open(&path).unwrap().left(), [id("a"), id("b")]);
    }

    #[test]
    fn a_long_ledger_begins_anew_when_no_call_runs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("calls");
        let ledger = FileLedger::open(&path).unwrap();
        for number in 0..10_000 {
            let call = id(&format!("call-{number}"));
            ledger.begun(&call);
            ledger.over(&call);
        }
        assert!(std::fs::metadata(&path).unwrap().len() <= LONG + 64);
        assert!(FileLedger::open(&path).unwrap().left().is_empty());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let error = FileLedger::open(Path::new("/nowhere/calls")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/calls"), "{error}");
    }
}

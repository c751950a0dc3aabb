//! Where reports of scenarios go.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use switchboard_emulator::scenario::{self, Report};

use super::settings::{BadFile, Settings};
use crate::Failure;
use crate::output::say_json;

/// Files for reports, open before anything starts: whoever can't have a report is told then.
pub(super) struct Reports {
    junit: Option<Sink>,
    json: Option<Sink>,
    log: Option<Sink>,
    /// Whether JSON without a file goes to standard output.
    ci: bool,
}

struct Sink {
    path: PathBuf,
    file: File,
}

/// What is written as JSON.
#[derive(Serialize)]
struct Summary<'a> {
    passed: bool,
    seed: u64,
    scenarios: &'a [Report],
}

impl Reports {
    pub(super) fn open(settings: &Settings) -> Result<Self, BadFile> {
        let sink = |path: &Option<PathBuf>| path.as_deref().map(Sink::open).transpose();
        Ok(Self {
            junit: sink(&settings.junit)?,
            json: sink(&settings.json)?,
            log: sink(&settings.log)?,
            ci: settings.ci,
        })
    }

    /// Writes all of them, whatever becomes of one.
    pub(super) fn write(self, reports: &[Report], passed: bool, seed: u64) -> Result<(), Failure> {
        let summary = Summary {
            passed,
            seed,
            scenarios: reports,
        };
        let log: String = reports.iter().map(|one| log(one, reports.len())).collect();
        let written = [
            put(self.junit, &scenario::junit(reports, seed)),
            put(self.log, &log),
            match self.json {
                None if self.ci => say_json(&summary).map_err(Into::into),
                sink => put(sink, &serde_json::to_string_pretty(&summary)?),
            },
        ];
        let failed = written.into_iter().filter_map(Result::err);
        let failed: Vec<_> = failed.map(|error| error.to_string()).collect();
        match failed.is_empty() {
            true => Ok(()),
            false => Err(failed.join("; ").into()),
        }
    }
}

impl Sink {
    fn open(path: &Path) -> Result<Self, BadFile> {
        let path = path.to_owned();
        match File::create(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(BadFile::Unwritable { path, source }),
        }
    }
}

/// What happened in a scenario, after its name if there are several.
fn log(report: &Report, of: usize) -> String {
    let head = (of > 1).then(|| format!("# {}\n", report.name));
    let lines = report.log.iter().map(|line| format!("{line}\n"));
    head.into_iter().chain(lines).collect()
}

fn put(sink: Option<Sink>, text: &str) -> Result<(), Failure> {
    let Some(Sink { path, mut file }) = sink else {
        return Ok(());
    };
    let written = file.write_all(text.as_bytes());
    written.map_err(|source| BadFile::Unwritable { path, source }.into())
}

//! Flows where they are written: in a file of their own, or in the settings.

use std::path::{Path, PathBuf};

use switchboard_bot::flow::{Flow, Problems};

use super::config::FlowSetting;

/// A flow with the directory its recordings are relative to.
pub(crate) struct FlowFile {
    pub(crate) flow: Flow,
    pub(crate) directory: PathBuf,
    /// It was found by whole settings, which may have more that is wrong.
    pub(crate) is_of_settings: bool,
}

/// Why a flow can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FlowError {
    #[error("{} can't be read", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    #[error("{}", at(.0, .1))]
    Problems(PathBuf, Problems),
    #[error("{0} of the flows can't be used")]
    Some(usize),
    #[error(transparent)]
    Output(#[from] std::io::Error),
}

/// One problem a line, as compilers write them.
fn at(path: &Path, problems: &Problems) -> String {
    let lines = problems
        .0
        .iter()
        .map(|problem| format!("{}:{problem}", path.display()));
    lines.collect::<Vec<_>>().join("\n")
}

impl FlowFile {
    /// Reads a flow's file, or the flow that settings have in them or name.
    pub(crate) fn read(path: &Path) -> Result<Self, FlowError> {
        let text = read(path)?;
        match flow_of(&text) {
            Some(setting) => Ok(Self {
                is_of_settings: has_table(&text, "graph"),
                ..Self::of_settings(path, directory_of(path), &setting)?
            }),
            None => Self::parse(path, &text, false),
        }
    }

    /// The flow of the settings in the file `path`.
    pub(super) fn of_settings(
        path: &Path,
        directory: &Path,
        setting: &FlowSetting,
    ) -> Result<Self, FlowError> {
        match setting {
            FlowSetting::Inline(_) => Self::parse(path, &read(path)?, true),
            FlowSetting::File(file) => {
                let file = directory.join(file);
                Self::parse(&file, &read(&file)?, false)
            }
        }
    }

    fn parse(path: &Path, text: &str, inline: bool) -> Result<Self, FlowError> {
        let directory = directory_of(path).to_owned();
        let usable = |file: &str| match std::fs::read(directory.join(file)) {
            Ok(bytes) => {
                let checked = switchboard_bot::check_recording(&bytes);
                checked.map_err(|error| format!("\"{file}\" can't be played: {error}"))
            }
            Err(error) => Err(format!("the file \"{file}\" can't be read: {error}")),
        };
        let parsed = match inline {
            true => Flow::parse_inside(text, usable),
            false => Flow::parse_with_files(text, usable),
        };
        let flow = parsed.map_err(|problems| FlowError::Problems(path.to_owned(), problems))?;
        Ok(Self {
            flow,
            directory,
            is_of_settings: false,
        })
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn read(path: &Path) -> Result<String, FlowError> {
    std::fs::read_to_string(path).map_err(|error| FlowError::Read(path.to_owned(), error))
}

fn has_table(text: &str, name: &str) -> bool {
    let table = text.parse::<toml::Table>();
    table.is_ok_and(|table| table.contains_key(name))
}

/// The flow of settings; `None` for a flow's own file.
fn flow_of(text: &str) -> Option<FlowSetting> {
    let table: toml::Table = text.parse().ok()?;
    if table.contains_key("nodes") {
        return None;
    }
    table.get("flow")?.clone().try_into().ok()
}

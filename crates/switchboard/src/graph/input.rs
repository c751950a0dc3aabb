//! What operations read from files, standard input and the environment.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use switchboard_signaling::types::{MediaInfo, MediaPrompt, Prompt, Redacted};

use crate::Failure;

/// Larger files are no request bodies.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The whole body of a request as JSON; options given beside it change single properties.
#[derive(Args)]
pub(super) struct BodyArg {
    /// File with the request's body as JSON ('-': standard input); options add to it
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
}

impl BodyArg {
    /// The body, or the type's default if there is none.
    pub(super) fn read<T: DeserializeOwned + Default>(&self) -> Result<T, Failure> {
        match &self.body {
            None => Ok(T::default()),
            Some(path) => parse(path),
        }
    }
}

/// Reads a file with the JSON of a `T`.
pub(super) fn parse<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = read_file(path)?;
    // The parser's own text may quote what is in the file.
    serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let path = path.display();
        format!("{path} is not the JSON needed here: line {line}, column {column}").into()
    })
}

/// A file's text; `-` is standard input.
pub(super) fn read_file(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(MAX_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
    };
    read.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text)
}

/// A secret from a file or, without one, from the environment.
pub(super) fn secret(file: Option<&Path>, variable: &str) -> Result<Option<SecretString>, Failure> {
    Ok(text(file, variable)?.map(SecretString::from))
}

/// A secret that becomes part of a request's body.
pub(super) fn hidden(file: Option<&Path>, variable: &str) -> Result<Option<Redacted>, Failure> {
    Ok(text(file, variable)?.map(Redacted::from))
}

fn text(file: Option<&Path>, variable: &str) -> Result<Option<String>, Failure> {
    let found = match file {
        Some(path) => Some(read_file(path)?),
        None => std::env::var(variable).ok(),
    };
    let found = found.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
    Ok(found.filter(|text| !text.is_empty()))
}

/// `ID` or `ID=NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: Option<String>,
}

#[derive(Debug)]
pub(super) struct NoId;

impl fmt::Display for NoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is needed, or an id and a name as ID=NAME")
    }
}

impl std::error::Error for NoId {}

impl FromStr for Named {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let (id, name) = match text.split_once('=') {
            Some((id, name)) => (id, Some(name.to_owned())),
            None => (text, None),
        };
        if id.is_empty() {
            return Err(NoId);
        }
        Ok(Self {
            id: id.to_owned(),
            name,
        })
    }
}

/// A prompt for each address.
pub(super) fn prompts(uris: &[String]) -> Vec<Prompt> {
    let prompt = |uri: &String| MediaPrompt::new(uri, None).into();
    uris.iter().map(prompt).collect()
}

/// A media file for each address.
pub(super) fn media(uris: &[String]) -> Vec<MediaInfo> {
    let info = |uri: &String| MediaInfo {
        uri: Some(uri.clone()),
        ..MediaInfo::default()
    };
    uris.iter().map(info).collect()
}

/// Sets a property where an option was given.
pub(super) fn set<T: Clone>(property: &mut Option<T>, option: Option<&T>) {
    if let Some(value) = option {
        *property = Some(value.clone());
    }
}

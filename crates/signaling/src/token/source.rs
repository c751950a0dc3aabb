//! Where a secret is kept: a file or an environment variable, never the command line.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::SecretString;

/// The longest secret; a certificate with its key is a few kilobytes.
const MAX_BYTES: u64 = 64 * 1024;

/// A place to read a secret from, written `file:/run/secrets/graph` or `env:GRAPH_SECRET`.
///
/// A command line is no place: everybody on the machine can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretSource {
    /// A file, such as a mounted secret or a systemd credential.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// A secret that can't be read. Names the place, never the content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Not a place.
    #[error("a secret is given as file:PATH or env:NAME, not by itself")]
    NotAPlace,
    /// The file can't be read.
    #[error("{place} cannot be read: {cause}")]
    Unreadable {
        /// The place.
        place: SecretSource,
        /// Why not.
        cause: std::io::Error,
    },
    /// The variable isn't there, or isn't UTF-8.
    #[error("{0} is not set, or is not UTF-8")]
    NotSet(SecretSource),
    /// Nothing there.
    #[error("{0} is empty")]
    Empty(SecretSource),
    /// Too much there.
    #[error("{0} holds more than 64 KiB")]
    TooLong(SecretSource),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
        }
    }
}

impl FromStr for SecretSource {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            _ => Err(SecretError::NotAPlace),
        }
    }
}

impl SecretSource {
    /// Reads the secret, without white space at its end: editors leave a line break there.
    ///
    /// # Errors
    /// [`SecretError`], which repeats nothing of the secret.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let mut text = match self {
            Self::File(_) => self.read_file()?,
            Self::Env(name) => {
                std::env::var(name).map_err(|_| SecretError::NotSet(self.clone()))?
            }
        };
        if text.len() as u64 > MAX_BYTES {
            return Err(SecretError::TooLong(self.clone()));
        }
        text.truncate(text.trim_end().len());
        if text.is_empty() {
            return Err(SecretError::Empty(self.clone()));
        }
        Ok(SecretString::from(text))
    }

    fn read_file(&self) -> Result<String, SecretError> {
        let Self::File(path) = self else {
            return Err(SecretError::NotAPlace);
        };
        let mut text = String::new();
        let read =
            File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
        read.map_err(|cause| SecretError::Unreadable {
            place: self.clone(),
            cause,
        })?;
        Ok(text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_place_is_read_from_text_and_a_secret_is_not() {
        let place: SecretSource = "file:/run/secrets/a:b".parse().unwrap();
        assert_eq!(place, SecretSource::File("/run/secrets/a:b".into()));
        assert_eq!(place.to_string(), "file:/run/secrets/a:b");
        assert_eq!(
            "env:X".parse::<SecretSource>().unwrap(),
            SecretSource::Env("X".into())
        );
        for bad in ["hush-hush", "file:", "env:", "", "https://x"] {
            let error = bad.parse::<SecretSource>().unwrap_err();
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_file_is_read_without_its_line_break() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let place = SecretSource::File(path.clone());
        assert!(matches!(place.read(), Err(SecretError::Unreadable { .. })));
        std::fs::write(&path, "hush hush\r\n").unwrap();
        assert_eq!(place.read().unwrap().expose_secret(), "hush hush");
        std::fs::write(&path, " \n").unwrap();
        assert!(matches!(place.read(), Err(SecretError::Empty(_))));
        std::fs::write(&path, "x".repeat(64 * 1024 + 1)).unwrap();
        assert!(matches!(place.read(), Err(SecretError::TooLong(_))));
    }

    #[test]
    fn a_variable_is_read() {
        // Cargo sets this one for tests.
        let place = SecretSource::Env("CARGO_PKG_NAME".to_owned());
        assert_eq!(
            place.read().unwrap().expose_secret(),
            "switchboard-signaling"
        );
        let missing = SecretSource::Env("SWITCHBOARD_NO_SUCH_VARIABLE".to_owned());
        assert!(matches!(missing.read(), Err(SecretError::NotSet(_))));
    }
}

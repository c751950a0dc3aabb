//! Ids that become part of a request's path.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a call, safe to be joined to a path.
///
/// One to 128 characters of `A–Z a–z 0–9 - _`, which covers Graph's GUIDs with and without
/// hyphens and leaves no room for `/`, `..`, `?` or an escape.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallId(String);

/// A text that can't be the id of a call.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a call id: 1 to 128 letters, digits, '-' or '_' are allowed")]
pub struct InvalidId;

impl CallId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_valid(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

impl FromStr for CallId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for CallId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        if is_valid(&text) {
            Ok(Self(text))
        } else {
            Err(InvalidId)
        }
    }
}

impl From<CallId> for String {
    fn from(id: CallId) -> Self {
        id.0
    }
}

impl AsRef<str> for CallId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

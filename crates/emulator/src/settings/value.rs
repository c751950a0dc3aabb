//! Single values of settings, checked as they are read: from a file, or by whoever has flags.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use secrecy::SecretString;
use serde::de::{Deserialize, Deserializer, Error as _};

use crate::identity::ROLES;
use crate::scenario::problem::did_you_mean;

/// A permission (app role) that applications can have.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Role(String);

/// The id of a tenant or an application: what can be one segment of a URL's path.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct DirectoryId(String);

/// Why a value can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// No permission has this name.
    #[error("there is no permission \"{written}\"; {suggestion}")]
    Role {
        /// What was written.
        written: String,
        /// What may have been meant, or what there is.
        suggestion: String,
    },
    /// It would not be found in a URL.
    #[error("\"{0}\" is no id: write letters, digits, \"-\", \".\", \"_\" and \"~\", one at least")]
    DirectoryId(String),
    /// It has no address, or no port.
    #[error("\"{0}\" is no address with a port: write for example 127.0.0.1:8480")]
    Address(String),
}

impl FromStr for Role {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if ROLES.contains(&text) {
            return Ok(Self(text.to_owned()));
        }
        let all = || format!("use one of {}", ROLES.join(", "));
        Err(ValueError::Role {
            written: text.to_owned(),
            suggestion: did_you_mean(text, ROLES).unwrap_or_else(all),
        })
    }
}

impl FromStr for DirectoryId {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // RFC 3986's unreserved characters; dots alone mean another segment.
        let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let dots = text.chars().all(|c| c == '.');
        match text.chars().all(unreserved) && !dots {
            true => Ok(Self(text.to_owned())),
            false => Err(ValueError::DirectoryId(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Role {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl TryFrom<String> for DirectoryId {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DirectoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads an address with its port.
///
/// # Errors
/// It is something else, such as a host's name; told with an example.
pub fn socket_address(text: &str) -> Result<SocketAddr, ValueError> {
    let wrong = |_| ValueError::Address(text.to_owned());
    text.parse().map_err(wrong)
}

pub(super) fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    socket_address(&text).map(Some).map_err(D::Error::custom)
}

/// A secret, which nobody has who has an empty one.
pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    let text = String::deserialize(from)?;
    match text.trim().is_empty() {
        true => Err(D::Error::custom("the secret is empty")),
        false => Ok(Some(text.into())),
    }
}

//! The `[service]` part of the settings.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use switchboard_service::api::keys::{KeyConfig, KeyError, Keys};

use super::super::config::Secret;
use super::oidc::{OidcError, OidcSettings, Provider};

/// The name of the one instance that a file has.
const ALONE: &str = "alone";

/// The database, and who may use the API.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServiceSettings {
    /// `sqlite:FILE` or `postgres://…`.
    pub(in crate::serve) database: Secret,
    /// This instance's name, among those that share the database.
    pub(in crate::serve) instance: Option<String>,
    /// How long reminders that are over are kept.
    pub(super) keep_days: u16,
    /// Names under which the page is served, besides that of `webhook.public_url`.
    pub(super) hosts: Vec<String>,
    /// Who may use the API.
    keys: Vec<KeyConfig>,
    /// Whose access tokens open it, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc: Option<OidcSettings>,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            database: Secret(SecretString::from("sqlite:switchboard.db")),
            instance: None,
            keep_days: 90,
            hosts: Vec::new(),
            keys: Vec::new(),
            oidc: None,
        }
    }
}

/// The machine's name and where it listens: the same after a restart, and no two processes of
/// a machine have it. Only where any free port is taken, it is the process's own.
fn host_and_address(listen: SocketAddr) -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    match (listen.port(), listen.ip().is_unspecified()) {
        (0, _) => format!("{name}-{}", std::process::id()),
        (port, true) => format!("{name}:{port}"),
        (_, false) => format!("{name}-{listen}"),
    }
}

impl ServiceSettings {
    /// An SQLite file is relative to the settings'. Every instance has a name from here on.
    pub(in crate::serve) fn beside(&mut self, directory: &Path) {
        if let Some(file) = self.sqlite() {
            let address = format!("sqlite:{}", directory.join(file).display());
            self.database = Secret(SecretString::from(address));
        }
    }

    /// Gives the instance a name if it has none. A file has one instance only, so its
    /// name may stay the same.
    pub(in crate::serve) fn name_instance(&mut self, listen: SocketAddr) {
        if self.instance.is_none() {
            self.instance = Some(match self.sqlite() {
                Some(_) => ALONE.to_owned(),
                None => host_and_address(listen),
            });
        }
    }

    pub(in crate::serve) fn instance(&self) -> &str {
        self.instance.as_deref().unwrap_or(ALONE)
    }

    /// The folder of an SQLite file, which makes files beside it.
    pub(in crate::serve) fn writes(&self) -> Option<PathBuf> {
        let file = std::path::absolute(self.sqlite()?).ok()?;
        file.parent().map(Path::to_owned)
    }

    fn sqlite(&self) -> Option<&Path> {
        let file = self.database.0.expose_secret().strip_prefix("sqlite:")?;
        let file = file.strip_prefix("//").unwrap_or(file);
        (!file.is_empty()).then(|| Path::new(file))
    }

    pub(super) fn provider(&self) -> Result<Option<Provider>, OidcError> {
        self.oidc.as_ref().map(Provider::new).transpose()
    }

    /// The API's keys, and `more`.
    pub(super) fn keys(&self, more: &[KeyConfig]) -> Result<Keys, KeyError> {
        Keys::new(&[&self.keys, more].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(database: &str, listen: &str) -> String {
        let mut settings = ServiceSettings {
            database: Secret(SecretString::from(database)),
            ..ServiceSettings::default()
        };
        settings.name_instance(listen.parse().unwrap());
        settings.instance().to_owned()
    }

    #[test]
    fn an_instance_is_called_the_same_after_a_restart_and_like_no_other_here() {
        let shared = "postgres://switchboard@db/switchboard";
        let pod = named(shared, "0.0.0.0:3978");
        assert!(pod.ends_with(":3978"), "{pod}");
        assert_eq!(pod, named(shared, "[::]:3978"));
        let others = ["0.0.0.0:3979", "127.0.0.1:3978", "127.0.0.2:3978"];
        let mut names: Vec<String> = others.map(|listen| named(shared, listen)).into();
        names.push(pod);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 4, "{names:?}");
        let process = std::process::id().to_string();
        assert!(
            names.iter().all(|name| !name.contains(&process)),
            "{names:?}"
        );
        // Two may take any free port at once.
        assert!(named(shared, "127.0.0.1:0").ends_with(&process));
        assert_eq!(named("sqlite:switchboard.db", "127.0.0.1:3978"), ALONE);
    }
}

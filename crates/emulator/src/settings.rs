//! The emulator's settings as a TOML file: every flag of `switchboard emulate`, and
//! what flags can't say, several applications.

mod value;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use toml::Spanned;
use url::Url;

use crate::network::NetworkRule;
use crate::scenario::Problems;
use crate::scenario::problem::Findings;

pub use value::{DirectoryId, Role, ValueError, socket_address};

/// A settings file. What it leaves out has its default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SettingsFile {
    /// The one TCP address.
    #[serde(default, deserialize_with = "value::address")]
    pub listen: Option<SocketAddr>,
    /// The UDP address of the emulator's own media.
    #[serde(default, deserialize_with = "value::address")]
    pub media: Option<SocketAddr>,
    /// Whether an address other than loopback is meant.
    pub allow_remote: Option<bool>,
    /// Where others reach the emulator.
    pub public_url: Option<Url>,
    /// File with the certificates of TLS, relative to this file.
    pub tls_certificate: Option<PathBuf>,
    /// File with the first one's key, relative to this file.
    pub tls_key: Option<PathBuf>,
    /// Makes ids and chances reproducible.
    pub seed: Option<u64>,
    /// Whether unknown properties, the rules for telephones and tenants, missing permissions and
    /// too many requests are overlooked.
    pub lenient: Option<bool>,
    /// Calls an application may have at once.
    pub concurrent_calls: Option<NonZeroUsize>,
    /// The webhook of the first application.
    pub bot: Option<Url>,
    /// Where applications may be found beside their webhook's origin.
    pub allow_origin: Option<Vec<Url>>,
    /// The tenant of the first application.
    pub tenant_id: Option<DirectoryId>,
    /// The client id of the first application.
    pub client_id: Option<DirectoryId>,
    /// The secret of the first application.
    #[serde(default, deserialize_with = "value::secret")]
    pub client_secret: Option<SecretString>,
    /// Where that is if it is not here, relative to this file.
    pub client_secret_file: Option<PathBuf>,
    /// The permissions of the first application.
    pub role: Option<Vec<Role>>,
    /// Scenario files to run, relative to this file.
    pub scenario: Option<Vec<PathBuf>>,
    /// Whether to end after the scenarios.
    pub ci: Option<bool>,
    /// Where to write the scenarios' report as JUnit XML.
    pub junit: Option<PathBuf>,
    /// Where to write it as JSON.
    pub json: Option<PathBuf>,
    /// Where to write what happened in the scenarios' calls.
    pub log: Option<PathBuf>,
    /// How many seconds scenarios wait for the bots to be there.
    pub wait_for_bot: Option<u64>,
    /// What packets of phones suffer.
    #[serde(default)]
    network: Vec<Spanned<NetworkRule>>,
    /// Applications, in any number of tenants.
    #[serde(default)]
    apps: Vec<Spanned<AppSettings>>,
}

/// An application in a settings file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AppSettings {
    /// Its tenant.
    pub tenant_id: DirectoryId,
    /// Its client id.
    pub client_id: DirectoryId,
    /// Its secret; made up if left out, with the file.
    #[serde(default, deserialize_with = "value::secret")]
    pub client_secret: Option<SecretString>,
    /// Where its secret is if it is not here, relative to the settings file.
    pub client_secret_file: Option<PathBuf>,
    /// Its calling webhook.
    pub bot: Option<Url>,
    /// Its permissions; all of them if left out.
    pub role: Option<Vec<Role>>,
}

impl SettingsFile {
    /// Reads a settings file.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let mut findings = Findings::new(text);
        let file: Self = match toml::from_str(text) {
            Ok(file) => file,
            Err(error) => return Err(findings.unreadable(&error)),
        };
        for (place, app) in file.apps.iter().enumerate() {
            let AppSettings {
                client_id: id,
                tenant_id: tenant,
                ..
            } = app.get_ref();
            let taken = |other: &Spanned<AppSettings>| {
                let other = other.get_ref();
                let (other_id, other_tenant) = (&other.client_id, other.tenant_id.to_string());
                other_id == id && other_tenant.eq_ignore_ascii_case(&tenant.to_string())
            };
            if file.apps[..place].iter().any(taken) {
                let message = format!("two applications have the client id {id} in one tenant");
                let suggestion = Some("give each its own, or another tenant".to_owned());
                findings.add(&app.span(), message, suggestion);
            }
        }
        for rule in &file.network {
            if let Err(error) = rule.get_ref().conditions.check() {
                findings.add(&rule.span(), error.to_string(), None);
            }
        }
        match findings.is_empty() {
            true => Ok(file),
            false => Err(findings.into_problems()),
        }
    }

    /// The rules under `[[network]]`, in their order.
    pub fn network(&self) -> Vec<NetworkRule> {
        let rules = self.network.iter().map(Spanned::get_ref);
        rules.cloned().collect()
    }

    /// The applications under `[[apps]]`, in their order.
    pub fn apps(&self) -> impl Iterator<Item = &AppSettings> {
        self.apps.iter().map(Spanned::get_ref)
    }

    /// The same, to be completed with what other files hold.
    pub fn apps_mut(&mut self) -> impl Iterator<Item = &mut AppSettings> {
        self.apps.iter_mut().map(Spanned::get_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_name_everything() {
        let file = SettingsFile::parse(
            r#"
            listen = "127.0.0.1:9000"
            seed = 7
            lenient = true
            role = ["Calls.Initiate.All"]
            scenario = ["a.toml"]
            [[apps]]
            tenant_id = "t"
            client_id = "one"
            client_secret = "quiet"
            bot = "http://127.0.0.1:3978/api/calls"
            [[apps]]
            tenant_id = "u"
            client_id = "two"
            "#,
        )
        .unwrap();
        assert_eq!(file.listen.unwrap().port(), 9000);
        let ids: Vec<_> = file.apps().map(|app| app.client_id.to_string()).collect();
        assert_eq!(ids, ["one", "two"]);
        assert!(!format!("{file:?}").contains("quiet"));
    }

    #[test]
    fn mistakes_have_places() {
        let app = "[[apps]]\ntenant_id = \"t\"\nclient_id = \"same\"\n";
        for (text, expected) in [
            ("lisen = \"127.0.0.1:1\"\n", "1:1: unknown field `lisen`"),
            ("lisen = \"127.0.0.1:1\"\n", "did you mean \"listen\"?"),
            ("seed = 1\nlisten = 5\n", "2:10: "),
            (&format!("{app}{app}"), "4:1: two applications"),
            (
                "[[network]]\nconditions = { loss = 2.0 }\n",
                "1:1: loss must be",
            ),
            (
                "listen = \"localhost:1\"\n",
                "1:10: \"localhost:1\" is no address with a port",
            ),
            (
                "\nrole = [\"Calls.Initate.All\"]\n",
                "2:8: there is no permission",
            ),
            (
                "role = [\"Calls.Initate.All\"]\n",
                "did you mean \"Calls.Initiate.All\"?",
            ),
            (
                "[[apps]]\ntenant_id = \"t\"\nclient_id = \"c\"\nrole = [\"Bot\"]\n",
                "use one of Calls.AccessMedia.All, ",
            ),
            ("tenant_id = \"\"\n", "1:13: \"\" is no id"),
            ("client_id = \"a/b\"\n", "1:13: \"a/b\" is no id"),
            (
                "[[apps]]\ntenant_id = \"..\"\nclient_id = \"c\"\n",
                "2:13: \"..\" is no id",
            ),
            ("client_secret = \" \"\n", "1:17: the secret is empty"),
            ("concurrent_calls = 0\n", "1:20: "),
        ] {
            let told = SettingsFile::parse(text).unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        }
        let elsewhere = app.replace("\"t\"", "\"u\"");
        assert!(SettingsFile::parse(&format!("{app}{elsewhere}")).is_ok());
    }
}

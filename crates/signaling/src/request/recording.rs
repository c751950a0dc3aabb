//! Where a recorded response may be fetched from.
//!
//! A notification tells where the recording is (`recordingLocation`), which makes it the one
//! address from outside that must be called to get any further. Microsoft documents no list of
//! the hosts it names. Hence the rule: the configured Graph's own origin (the emulator's, for
//! one), or `https` on its ordinary port at a host that is, or lies below, one of
//! [`RecordingHosts`]. By default these are `skype.com` and `teams.microsoft.com`, the domains
//! Microsoft's list of Microsoft 365 endpoints gives for Teams media and files; a deployment
//! can name others. Everything else is refused before a connection is made, and the token that
//! goes along is the recording's own, never Graph's.

use url::{Host, Url};

use crate::types::{CommsOperation, Redacted};

/// Hosts recordings may be fetched from, beside the configured Graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingHosts(Vec<String>);

impl Default for RecordingHosts {
    fn default() -> Self {
        Self::new(["skype.com", "teams.microsoft.com"])
    }
}

impl RecordingHosts {
    /// These domains and what lies below them. An empty list leaves the configured Graph alone.
    pub fn new<T: Into<String>>(domains: impl IntoIterator<Item = T>) -> Self {
        let lower = |domain: T| domain.into().to_ascii_lowercase();
        Self(domains.into_iter().map(lower).collect())
    }

    /// Whether a recording may be fetched from `location` by a client of `base`.
    pub fn allow(&self, base: &Url, location: &Url) -> bool {
        let userinfo = !location.username().is_empty() || location.password().is_some();
        if userinfo {
            return false;
        }
        if location.origin() == base.origin() {
            return true;
        }
        let Some(Host::Domain(host)) = location.host() else {
            return false;
        };
        let listed = self.0.iter().any(|domain| {
            let above = host.strip_suffix(domain.as_str());
            above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
        });
        location.scheme() == "https" && location.port().is_none() && listed
    }
}

/// Why a recording isn't fetched.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordingRefused {
    /// The operation carries no location and token: it isn't completed, or isn't a recording.
    #[error(
        "the operation tells of no recording: recordingLocation and recordingAccessToken are needed, which its completed notification carries"
    )]
    None,
    /// The location isn't an address.
    #[error("recordingLocation is not an address")]
    NotAnAddress,
    /// The location is on a host that isn't listed.
    #[error(
        "recordings are not fetched from {host}: it is neither the configured Graph nor a listed recording host"
    )]
    Host {
        /// The host, without the rest of the address.
        host: String,
    },
}

/// Where the recording of a completed `recordResponse` is, and the token that opens it.
///
/// # Errors
/// [`RecordingRefused`], above all for a host that isn't allowed.
pub fn recording_of<'a>(
    operation: &'a CommsOperation,
    base: &Url,
    hosts: &RecordingHosts,
) -> Result<(Url, &'a Redacted), RecordingRefused> {
    let filled =
        |text: &'a Option<Redacted>| text.as_ref().filter(|text| !text.expose().is_empty());
    let location = filled(&operation.recording_location).ok_or(RecordingRefused::None)?;
    let token = filled(&operation.recording_access_token).ok_or(RecordingRefused::None)?;
    let location = Url::parse(location.expose()).map_err(|_| RecordingRefused::NotAnAddress)?;
    if hosts.allow(base, &location) {
        return Ok((location, token));
    }
    let host = location.host_str().unwrap_or("nowhere").to_owned();
    Err(RecordingRefused::Host { host })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(location: &str, token: &str) -> Option<RecordingRefused> {
        let operation = CommsOperation {
            recording_location: Some(location.into()),
            recording_access_token: Some(token.into()),
            ..CommsOperation::default()
        };
        let base = "https://graph.microsoft.com/v1.0".parse().unwrap();
        recording_of(&operation, &base, &RecordingHosts::default()).err()
    }

    #[test]
    fn graph_and_listed_hosts_are_asked() {
        for good in [
            "https://graph.microsoft.com/v1.0/recordings/1",
            "https://graph.microsoft.com/elsewhere",
            "https://skype.com/1",
            "https://eu-prod.asm.skype.com/v1/objects/1?x=2",
            "https://Api.Teams.Microsoft.com:443/1",
        ] {
            assert_eq!(refused(good, "t"), None, "{good}");
        }
    }

    #[test]
    fn other_hosts_are_not() {
        for bad in [
            "https://evil.example/1",
            "https://evilskype.com/1",
            "https://skype.com.evil.example/1",
            "https://evil.example/skype.com",
            "https://skype.com@evil.example/1",
            "https://user:secret@asm.skype.com/1",
            "http://asm.skype.com/1",
            "https://asm.skype.com:8443/1",
            "https://127.0.0.1/1",
            "https://[::1]/1",
            "https://169.254.169.254/metadata",
            "http://graph.microsoft.com/v1.0/1",
            "file:///etc/passwd",
            "data:text/plain,x",
        ] {
            assert!(
                matches!(refused(bad, "t"), Some(RecordingRefused::Host { .. })),
                "{bad}"
            );
        }
        assert_eq!(
            refused("/recordings/1", "t"),
            Some(RecordingRefused::NotAnAddress)
        );
        assert_eq!(refused("", "t"), Some(RecordingRefused::None));
        assert_eq!(
            refused("https://skype.com/1", ""),
            Some(RecordingRefused::None)
        );
    }

    #[test]
    fn the_refusal_tells_the_host_and_no_more() {
        let error = refused("https://evil.example/secret?token=hunter2", "hunter2").unwrap();
        assert!(error.to_string().contains("evil.example"));
        assert!(!error.to_string().contains("secret") && !error.to_string().contains("hunter2"));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_is_graph_or_below_a_listed_domain(
            text in "https?://[a-z.@:0-9]{0,20}(skype\\.com|graph\\.microsoft\\.com)?[a-z./@:?#0-9]{0,20}",
        ) {
            let base: Url = "https://graph.microsoft.com/v1.0".parse().unwrap();
            let Ok(url) = Url::parse(&text) else { return Ok(()) };
            if RecordingHosts::default().allow(&base, &url) {
                let host = url.host_str().unwrap();
                let below = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
                let listed = below("skype.com") || below("teams.microsoft.com");
                prop_assert!(url.scheme() == "https" && url.port().is_none(), "{}", url);
                prop_assert!(listed || host == "graph.microsoft.com", "{}", url);
            }
        }
    }
}

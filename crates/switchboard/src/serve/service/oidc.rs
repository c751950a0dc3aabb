//! The `[service.oidc]` part of the settings, and access tokens held against it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchboard_service::api::keys::{Caller, Role};
use switchboard_service::api::tokens::{PREFIX, Refused, Tokens};
use switchboard_signaling::auth::{
    Authenticator, KeySource, KeySourceError, PolicyError, TokenError, TokenPolicy, TokenValidator,
    ValidatedToken,
};

/// Bytes of a subject at most (OpenID Connect Core 1.0 §2, `sub`).
const MAX_SUBJECT: usize = 255;

/// An OpenID provider whose access tokens open the API.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OidcSettings {
    /// The provider, exactly as it names itself in `iss` and in its configuration.
    issuer: String,
    /// What `aud` has to be, or to contain.
    audience: String,
    /// The claim with roles: a list, or words. A claim in a claim is named `outer.inner`.
    #[serde(default = "roles")]
    role_claim: String,
    /// The role that may look.
    #[serde(default = "reader")]
    reader: String,
    /// The role that may change things, too.
    #[serde(default = "writer")]
    writer: String,
}

fn roles() -> String {
    "roles".to_owned()
}

fn reader() -> String {
    "Switchboard.Reader".to_owned()
}

fn writer() -> String {
    "Switchboard.Writer".to_owned()
}

/// Why a provider can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OidcError {
    #[error("[service.oidc]: {0}")]
    Policy(#[from] PolicyError),
    #[error("[service.oidc]: {0}")]
    Keys(#[from] KeySourceError),
    #[error("[service.oidc]: role_claim, reader and writer can't be empty")]
    Empty,
    #[error("[service.oidc]: reader and writer must be two roles, not both '{0}'")]
    SameRole(String),
}

/// Access tokens of the provider.
pub(super) struct Provider {
    authenticator: Authenticator,
    settings: OidcSettings,
}

impl Provider {
    /// Nothing is fetched yet.
    pub(super) fn new(settings: &OidcSettings) -> Result<Self, OidcError> {
        let OidcSettings {
            issuer, audience, ..
        } = settings;
        let named = [&settings.role_claim, &settings.reader, &settings.writer];
        if named.iter().any(|name| name.trim().is_empty()) {
            return Err(OidcError::Empty);
        }
        if settings.reader == settings.writer {
            return Err(OidcError::SameRole(settings.reader.clone()));
        }
        let policy = TokenPolicy::of_provider(issuer, audience)?;
        let keys = KeySource::of_issuer(issuer)?;
        Ok(Self {
            authenticator: Authenticator::new(TokenValidator::new(policy), keys),
            settings: settings.clone(),
        })
    }

    /// Knows the provider's keys before the first token; runs until it is dropped.
    pub(super) async fn keep_keys_fresh(&self) {
        self.authenticator.keep_keys_fresh().await;
    }

    fn role(&self, token: &ValidatedToken) -> Option<Role> {
        let claim = claim(token, &self.settings.role_claim)?;
        let has = |role: &str| match claim {
            Value::String(words) => words.split(' ').any(|word| word == role),
            Value::Array(list) => list.iter().any(|one| one.as_str() == Some(role)),
            _ => false,
        };
        if has(&self.settings.writer) {
            return Some(Role::Writer);
        }
        has(&self.settings.reader).then_some(Role::Reader)
    }
}

/// A claim by its name, which may have dots, or by its place in others.
fn claim<'t>(token: &'t ValidatedToken, name: &str) -> Option<&'t Value> {
    token.claim(name).or_else(|| {
        let mut path = name.split('.');
        let first = token.claim(path.next()?)?;
        path.try_fold(first, |claim, name| claim.get(name))
    })
}

/// Who it is, as it may stand in a log.
fn subject(token: &ValidatedToken) -> Option<&str> {
    let subject = token.claim("sub")?.as_str()?;
    let sound = (1..=MAX_SUBJECT).contains(&subject.len());
    (sound && !subject.chars().any(char::is_control)).then_some(subject)
}

#[async_trait]
impl Tokens for Provider {
    async fn caller(&self, token: &str) -> Result<Caller, Refused> {
        let checked = self.authenticator.authenticate_token(token).await;
        let token = checked.map_err(|error| {
            tracing::info!(%error, "an access token was refused");
            match error {
                TokenError::UnknownKey if !self.authenticator.has_keys() => Refused::Unavailable,
                _ => Refused::NotAccepted,
            }
        })?;
        let subject = subject(&token).ok_or(Refused::NotAccepted)?;
        let role = self.role(&token).ok_or(Refused::NoRole)?;
        Ok(Caller {
            name: format!("{PREFIX}{subject}"),
            role,
        })
    }
}

#[cfg(test)]
#[path = "oidc_tests.rs"]
mod tests;

//! What a token has to say to be believed.

use std::time::Duration;

use super::signing_key::Algorithm;

/// The issuers Microsoft signs calling notifications as.
const DEFAULT_ISSUERS: [&str; 2] = [
    "https://api.botframework.com",
    "https://graph.microsoft.com",
];

/// The most clock difference a policy can forgive.
const MAX_LEEWAY: Duration = Duration::from_secs(5 * 60);
/// What is usual between a provider's clock and ours.
const PROVIDER_LEEWAY: Duration = Duration::from_secs(60);

/// Audience, issuers, tenants and clock tolerance a token is held against.
#[derive(Debug, Clone)]
pub struct TokenPolicy {
    app_id: String,
    general: bool,
    issuers: Vec<String>,
    tenants: Vec<String>,
    leeway: Duration,
}

/// A policy that can't be enforced.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PolicyError {
    /// Without an app id every token would be for us.
    #[error("the app id is empty: set the bot's application (client) id")]
    EmptyAppId,
    /// Without an audience every token of the issuer would be for us.
    #[error(
        "the audience is empty: set the name that the provider issues tokens for this API under"
    )]
    EmptyAudience,
    /// An empty issuer or tenant would match nothing, or a token's empty claim.
    #[error("{0} is empty: leave it out or give its value")]
    EmptyEntry(&'static str),
    /// More than five minutes of clock difference.
    #[error("a leeway of {} s is too much: at most 300 s are allowed", .0.as_secs())]
    Leeway(Duration),
}

impl TokenPolicy {
    /// Tokens for `app_id` from Microsoft's two issuers, any tenant, clocks up to 5 min apart.
    ///
    /// # Errors
    /// [`PolicyError::EmptyAppId`] if `app_id` is empty.
    pub fn new(app_id: impl Into<String>) -> Result<Self, PolicyError> {
        let app_id = app_id.into();
        if app_id.is_empty() {
            return Err(PolicyError::EmptyAppId);
        }
        Ok(Self {
            app_id,
            general: false,
            issuers: DEFAULT_ISSUERS.map(str::to_owned).to_vec(),
            tenants: Vec::new(),
            leeway: MAX_LEEWAY,
        })
    }

    /// Access tokens for `audience` from one OpenID provider, clocks up to 1 min apart.
    ///
    /// They are as RFC 7519 and RFC 9068 have them, not only as Microsoft's channel signs
    /// them: RS256 or ES256, `aud` may be a list that contains us, `nbf` may be left out.
    ///
    /// # Errors
    /// [`PolicyError::EmptyAudience`] and [`PolicyError::EmptyEntry`].
    pub fn of_provider(
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Result<Self, PolicyError> {
        let audience = audience.into();
        if audience.is_empty() {
            return Err(PolicyError::EmptyAudience);
        }
        Ok(Self {
            app_id: audience,
            general: true,
            issuers: vec![non_empty(issuer, "the issuer")?],
            tenants: Vec::new(),
            leeway: PROVIDER_LEEWAY,
        })
    }

    /// Accepts `issuer` as well, compared exactly (an emulator, a national cloud).
    ///
    /// # Errors
    /// [`PolicyError::EmptyEntry`] if it is empty.
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Result<Self, PolicyError> {
        self.issuers.push(non_empty(issuer, "an issuer")?);
        Ok(self)
    }

    /// Restricts tokens to the tenants added this way; the first call closes the list.
    ///
    /// # Errors
    /// [`PolicyError::EmptyEntry`] if it is empty.
    pub fn with_tenant(mut self, tenant_id: impl Into<String>) -> Result<Self, PolicyError> {
        self.tenants.push(non_empty(tenant_id, "a tenant id")?);
        Ok(self)
    }

    /// How far apart our clock and the issuer's may be, 0 to 300 s.
    ///
    /// # Errors
    /// [`PolicyError::Leeway`] above 300 s.
    pub fn with_leeway(mut self, leeway: Duration) -> Result<Self, PolicyError> {
        if leeway > MAX_LEEWAY {
            return Err(PolicyError::Leeway(leeway));
        }
        self.leeway = leeway;
        Ok(self)
    }

    pub(super) fn accepts_algorithm(&self, algorithm: Algorithm) -> bool {
        self.general || algorithm == Algorithm::Rs256
    }

    /// Whether an audience among others is enough, and `nbf` optional.
    pub(super) fn is_general(&self) -> bool {
        self.general
    }

    pub(super) fn accepts_issuer(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|known| known == issuer)
    }

    pub(super) fn accepts_audience(&self, audience: &str) -> bool {
        self.app_id == audience
    }

    pub(super) fn restricts_tenants(&self) -> bool {
        !self.tenants.is_empty()
    }

    /// GUIDs are written in either case.
    pub(super) fn accepts_tenant(&self, tenant: &str) -> bool {
        let same = |known: &String| known.eq_ignore_ascii_case(tenant);
        self.tenants.iter().any(same)
    }

    pub(super) fn leeway(&self) -> Duration {
        self.leeway
    }
}

fn non_empty(text: impl Into<String>, what: &'static str) -> Result<String, PolicyError> {
    let text = text.into();
    if text.is_empty() {
        return Err(PolicyError::EmptyEntry(what));
    }
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_would_accept_anything_is_refused() {
        assert_eq!(TokenPolicy::new("").unwrap_err(), PolicyError::EmptyAppId);
        let policy = || TokenPolicy::new("app").unwrap();
        assert!(policy().with_issuer("").is_err());
        assert!(policy().with_tenant("").is_err());
        assert!(TokenPolicy::of_provider("", "api").is_err());
        let nobody = TokenPolicy::of_provider("https://issuer", "");
        assert_eq!(nobody.unwrap_err(), PolicyError::EmptyAudience);
    }

    #[test]
    fn the_leeway_is_bounded() {
        let policy = || TokenPolicy::new("app").unwrap();
        assert!(policy().with_leeway(Duration::from_secs(300)).is_ok());
        assert!(policy().with_leeway(Duration::from_secs(301)).is_err());
    }
}

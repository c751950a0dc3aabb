//! Access tokens of an OpenID provider, beside API keys.

use async_trait::async_trait;

use super::keys::Caller;

/// Names of callers by token begin so; no key may be named like this.
pub const PREFIX: &str = "oidc:";

/// Why a token opens nothing. What exactly is wrong with it is for the log, not for the
/// answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It isn't of the provider, not for this API, over, or something else is wrong.
    #[error("the access token is not accepted")]
    NotAccepted,
    /// It is good, and gives no role here.
    #[error("the access token gives no role of this API: have the provider assign one")]
    NoRole,
    /// Whether it is good can't be told: the provider's keys couldn't be had yet.
    #[error("access tokens can't be checked now: the provider's keys are not known")]
    Unavailable,
}

/// Whoever validates them.
#[async_trait]
pub trait Tokens: Send + Sync + 'static {
    /// Whose token that is. The name begins with [`PREFIX`].
    ///
    /// # Errors
    /// [`Refused`].
    async fn caller(&self, token: &str) -> Result<Caller, Refused>;
}

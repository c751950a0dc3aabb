//! Access tokens of an OpenID provider, beside API keys.

use async_trait::async_trait;

use super::keys::Caller;

/// Names of callers by token begin so; no key is named like this.
pub const PREFIX: &str = "oidc:";

/// Why a token opens nothing. What is wrong with it is told to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It isn't of the provider, not for this API, over, or something else is wrong.
    #[error("the access token is not accepted")]
    NotAccepted,
    /// It is good, and gives no role here.
    #[error("the access token has no role of this API")]
    NoRole,
}

/// Whoever validates them.
#[async_trait]
pub trait Tokens: Send + Sync + 'static {
    /// Whose token that is. The name begins with [`PREFIX`].
    async fn caller(&self, token: &str) -> Result<Caller, Refused>;
}

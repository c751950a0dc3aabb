//! Validator, keys and clock together.

use std::time::Duration;

use crate::clock;

use super::jwks::FetchCause;
use super::key_source::KeySource;
use super::validator::{TokenError, TokenValidator, ValidatedToken};

/// Why a request isn't believed. As [`TokenError`], it is for our own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No `Authorization` header, more than one, or another scheme than `Bearer`.
    #[error("the request has no bearer token")]
    NoBearerToken,
    /// The token was refused.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// Between two attempts of the background refresh, whatever the cache says.
const PAUSE: Duration = Duration::from_secs(1);

/// What the webhook asks: is this `Authorization` header Microsoft's?
#[derive(Debug, Clone)]
pub struct Authenticator {
    validator: TokenValidator,
    keys: KeySource,
}

impl Authenticator {
    /// Tokens are checked by `validator` with the keys of `keys`.
    pub fn new(validator: TokenValidator, keys: KeySource) -> Self {
        Self { validator, keys }
    }

    /// Checks the value of an `Authorization` header (RFC 6750 §2.1).
    ///
    /// If the token's key isn't known this may fetch the keys, within the budget of
    /// [`JwksCache`](super::JwksCache); otherwise it returns at once.
    ///
    /// # Errors
    /// [`AuthError`], to be answered with 401 and [`PUBLIC_REFUSAL`](super::PUBLIC_REFUSAL).
    pub async fn authenticate(
        &self,
        authorization: Option<&str>,
    ) -> Result<ValidatedToken, AuthError> {
        let token = authorization
            .and_then(bearer)
            .ok_or(AuthError::NoBearerToken)?;
        Ok(self.authenticate_token(token).await?)
    }

    /// Checks the token itself.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn authenticate_token(&self, token: &str) -> Result<ValidatedToken, TokenError> {
        match self.validate(token) {
            Err(TokenError::UnknownKey) => {
                self.keys.refresh(FetchCause::UnknownKey).await;
                self.validate(token)
            }
            other => other,
        }
    }

    /// Whether any key is known. While there is none, each token is refused.
    pub fn has_keys(&self) -> bool {
        self.keys.with_keys(|keys| !keys.is_empty())
    }

    fn validate(&self, token: &str) -> Result<ValidatedToken, TokenError> {
        self.keys
            .with_keys(|keys| self.validator.validate(token, keys, clock::wall()))
    }

    /// Fetches the keys ahead of the first notification and whenever they grow old; runs until
    /// it is dropped. Without it keys are fetched when a token needs them.
    pub async fn keep_keys_fresh(&self) {
        loop {
            self.keys.refresh(FetchCause::Refresh).await;
            match self.keys.next_refresh() {
                Some(due) => tokio::time::sleep_until(due.max(clock::now() + PAUSE).into()).await,
                None => return,
            }
        }
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

#[cfg(test)]
#[path = "authenticator_tests.rs"]
mod tests;

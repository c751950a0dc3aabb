//! Who may notify us: validation of the bearer token on calling notifications.
//!
//! The Bot Framework channel signs every notification with an RS256 JSON Web Token whose
//! audience is the bot's app id and whose keys are published by an OpenID configuration
//! ([Incoming call notifications, "Authenticate the callback"]). A request is believed only when
//! [`TokenValidator`] accepts its token; there is no mode without.
//!
//! The parts, from the inside out:
//! - [`TokenValidator`]: token and keys and the time in, claims or a [`TokenError`] out;
//! - [`JwksCache`]: which keys are known, and when it is right to fetch them again;
//! - [`KeySource`]: the only part with IO, fetches configuration and keys;
//! - [`Authenticator`]: the three together, what the webhook calls.
//!
//! The same parts hold access tokens of any OpenID provider against
//! [`TokenPolicy::of_provider`], for whoever uses an API of ours.
//!
//! ```
//! use std::time::SystemTime;
//! use switchboard_signaling::auth::{KeySet, TokenError, TokenPolicy, TokenValidator};
//!
//! let policy = TokenPolicy::new("0efc74f7-41c3-47a4-8775-7259bfef4241")?;
//! let validator = TokenValidator::new(policy);
//! let keys = KeySet::from_jwks(br#"{"keys":[]}"#).unwrap_or_default();
//!
//! let refused = validator.validate("not.a.token", &keys, SystemTime::now());
//! assert_eq!(refused.unwrap_err(), TokenError::Malformed);
//! # Ok::<(), switchboard_signaling::auth::PolicyError>(())
//! ```
//!
//! [Incoming call notifications, "Authenticate the callback"]:
//!     https://learn.microsoft.com/microsoftteams/platform/bots/calls-and-meetings/call-notifications

mod authenticator;
mod jwks;
mod key_source;
mod policy;
mod signing_key;
mod validator;

#[cfg(test)]
pub(crate) mod test_keys;

pub use authenticator::{AuthError, Authenticator};
pub use jwks::{FetchCause, FetchDecision, JwksCache, JwksError, KeySet};
pub use key_source::{DEFAULT_OPENID_CONFIGURATION, KeySource, KeySourceError};
pub use policy::{PolicyError, TokenPolicy};
pub use signing_key::{Algorithm, SigningKey};
pub use validator::{MAX_TOKEN_BYTES, PUBLIC_REFUSAL, TokenError, TokenValidator, ValidatedToken};

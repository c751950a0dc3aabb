//! The token itself: header, claims, signature, in that order.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::jwks::KeySet;
use super::policy::TokenPolicy;
use super::signing_key::Algorithm;

/// Longer tokens are refused unread; Microsoft's are about 1 KiB.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// All that the outside learns when a token is refused.
pub const PUBLIC_REFUSAL: &str = "the request's bearer token was not accepted";

/// Why a token was refused: for counters and our own log, never for the answer
/// (that is [`PUBLIC_REFUSAL`]). No variant repeats the token's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is longer than 8 KiB")]
    TooLong,
    /// Not three base64url parts, or header or payload isn't a JSON object with each claim once.
    #[error("the token is not a well-formed JWT")]
    Malformed,
    /// `alg` is none of the policy's.
    #[error("the token is not signed with an accepted algorithm")]
    Algorithm,
    /// The header demands an extension (`crit`, RFC 7515 §4.1.11); we know none.
    #[error("the token's header demands an extension that is not supported")]
    CriticalExtension,
    /// No `kid`, or an empty one.
    #[error("the token's header names no key")]
    NoKeyId,
    /// A required claim is absent or has the wrong JSON type.
    #[error("the claim {0} is missing or has the wrong type")]
    Claim(&'static str),
    /// `iss` is not on the list.
    #[error("the token is from another issuer")]
    Issuer,
    /// `aud` is not our app id, or doesn't name our audience.
    #[error("the token is for another application")]
    Audience,
    /// `tid` is not on the list.
    #[error("the token is from a tenant that is not allowed")]
    Tenant,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is yet to come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// No key has the header's `kid`; the keys may have been rolled over.
    #[error("the token is signed with a key that is not known")]
    UnknownKey,
    /// The signature doesn't fit the key.
    #[error("the token's signature is wrong")]
    Signature,
}

/// What is worth knowing of an accepted token.
#[derive(Clone, PartialEq, Eq)]
pub struct ValidatedToken {
    /// The issuer, one of the policy's.
    pub issuer: String,
    /// The tenant the notification concerns; always there if the policy restricts tenants.
    pub tenant: Option<String>,
    /// Until when the token is good, without leeway.
    pub expires: SystemTime,
    others: HashMap<String, Value>,
}

impl ValidatedToken {
    /// Another claim by its name.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.others.get(name)
    }
}

impl fmt::Debug for ValidatedToken {
    /// Other claims may name a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidatedToken")
            .field("issuer", &self.issuer)
            .field("tenant", &self.tenant)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Decides whether a token is from a trusted issuer and for us.
///
/// It does no IO and reads no clock: keys and time are arguments.
#[derive(Debug, Clone)]
pub struct TokenValidator {
    policy: TokenPolicy,
}

/// `jku`, `x5u`, `x5c` and `jwk` are deliberately not here: a token can't bring its own key.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
    #[serde(flatten)]
    _others: HashMap<String, IgnoredAny>,
}

/// Claims stay JSON values, so that a wrong type is told from absence of the whole.
/// The flattened rest makes serde insist on an object: a struct would read an array, too.
#[derive(Deserialize)]
struct Claims {
    iss: Option<Value>,
    aud: Option<Value>,
    tid: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

struct Parts<'t> {
    signed: &'t str,
    header: Header,
    claims: Claims,
    signature: Vec<u8>,
}

impl TokenValidator {
    /// A validator that enforces `policy`.
    pub fn new(policy: TokenPolicy) -> Self {
        Self { policy }
    }

    /// Checks `token` (without the word `Bearer`) against the policy, `keys` and the time `now`.
    ///
    /// Claims come before the signature: they are cheap, and a flood of tokens that aren't for
    /// us costs neither RSA nor key fetches. Nothing is returned before all checks passed.
    ///
    /// # Errors
    /// The first check that failed. After [`TokenError::UnknownKey`] it is worth asking a
    /// [`JwksCache`](super::JwksCache) whether the keys may be fetched again.
    pub fn validate(
        &self,
        token: &str,
        keys: &KeySet,
        now: SystemTime,
    ) -> Result<ValidatedToken, TokenError> {
        let parts = split(token)?;
        let (algorithm, key_id) = self.check_header(&parts.header)?;
        let validated = self.check_claims(parts.claims, now)?;
        let key = keys.get(key_id).ok_or(TokenError::UnknownKey)?;
        if key.verifies(algorithm, parts.signed.as_bytes(), &parts.signature) {
            Ok(validated)
        } else {
            Err(TokenError::Signature)
        }
    }

    fn check_header<'t>(&self, header: &'t Header) -> Result<(Algorithm, &'t str), TokenError> {
        let algorithm = Algorithm::named(&header.alg);
        let algorithm = algorithm.filter(|algorithm| self.policy.accepts_algorithm(*algorithm));
        let algorithm = algorithm.ok_or(TokenError::Algorithm)?;
        if header.crit.is_some() {
            return Err(TokenError::CriticalExtension);
        }
        match header.kid.as_deref() {
            Some(key_id) if !key_id.is_empty() => Ok((algorithm, key_id)),
            _ => Err(TokenError::NoKeyId),
        }
    }

    fn check_claims(&self, claims: Claims, now: SystemTime) -> Result<ValidatedToken, TokenError> {
        let issuer = text(&claims.iss).ok_or(TokenError::Claim("iss"))?;
        if !self.policy.accepts_issuer(issuer) {
            return Err(TokenError::Issuer);
        }
        self.check_audience(claims.aud.as_ref())?;
        let expires = self.check_times(&claims, now)?;
        Ok(ValidatedToken {
            issuer: issuer.to_owned(),
            tenant: self.check_tenant(&claims)?,
            expires,
            others: claims.others,
        })
    }

    /// RFC 7519 §4.1.3. Microsoft's channel signs for one audience. A list that contains us is
    /// refused there: such a token is good elsewhere, too.
    fn check_audience(&self, claim: Option<&Value>) -> Result<(), TokenError> {
        let ours = match claim {
            Some(Value::String(audience)) => self.policy.accepts_audience(audience),
            Some(Value::Array(list)) if self.policy.is_general() => list
                .iter()
                .filter_map(Value::as_str)
                .any(|audience| self.policy.accepts_audience(audience)),
            _ => return Err(TokenError::Claim("aud")),
        };
        ours.then_some(()).ok_or(TokenError::Audience)
    }

    fn check_tenant(&self, claims: &Claims) -> Result<Option<String>, TokenError> {
        let tenant = text(&claims.tid);
        if self.policy.restricts_tenants() {
            let tenant = tenant.ok_or(TokenError::Claim("tid"))?;
            if !self.policy.accepts_tenant(tenant) {
                return Err(TokenError::Tenant);
            }
        }
        Ok(tenant.map(str::to_owned))
    }

    /// RFC 7519 §4.1.4 and §4.1.5, both moved by the leeway; `nbf` is required of Microsoft's
    /// channel only.
    fn check_times(&self, claims: &Claims, now: SystemTime) -> Result<SystemTime, TokenError> {
        let expires = numeric_date(&claims.exp).ok_or(TokenError::Claim("exp"))?;
        let not_before = match &claims.nbf {
            None if self.policy.is_general() => UNIX_EPOCH,
            claim => numeric_date(claim).ok_or(TokenError::Claim("nbf"))?,
        };
        let leeway = self.policy.leeway();
        if now >= expires + leeway {
            return Err(TokenError::Expired);
        }
        if now + leeway < not_before {
            return Err(TokenError::NotYetValid);
        }
        Ok(expires)
    }
}

fn split(token: &str) -> Result<Parts<'_>, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLong);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    Ok(Parts {
        signed,
        header: json(header)?,
        claims: json(payload)?,
        signature: bytes(signature)?,
    })
}

fn bytes(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)
}

fn json<T: DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    serde_json::from_slice(&bytes(part)?).map_err(|_| TokenError::Malformed)
}

fn text(claim: &Option<Value>) -> Option<&str> {
    claim.as_ref().and_then(Value::as_str)
}

/// A `NumericDate` (RFC 7519 §2): seconds since 1970, a JSON number, possibly with a fraction.
/// The year 9999 is far enough, and keeps the arithmetic on it from overflowing.
fn numeric_date(claim: &Option<Value>) -> Option<SystemTime> {
    const YEAR_9999: f64 = 253_402_300_799.0;
    let seconds = claim.as_ref()?.as_f64()?;
    let in_range = (0.0..=YEAR_9999).contains(&seconds);
    in_range.then(|| UNIX_EPOCH + Duration::from_secs_f64(seconds))
}

#[cfg(test)]
#[path = "validator_tests.rs"]
mod tests;

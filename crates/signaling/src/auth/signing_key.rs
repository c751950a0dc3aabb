//! One key of an issuer: RSA or P-256, read from a JSON Web Key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc;
use serde::Deserialize;
use serde_json::Value;

const MIN_MODULUS_BYTES: usize = 2048 / 8;
const MAX_MODULUS_BYTES: usize = 8192 / 8;
/// A coordinate of P-256 (RFC 7518 §6.2.1.2).
const COORDINATE_BYTES: usize = 32;

/// How a token is signed (RFC 7518 §3.1). There are others; none of them is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// By the value of `alg`, which is case-sensitive.
    pub(super) fn named(alg: &str) -> Option<Self> {
        match alg {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Rs256 => Self::RS256,
            Algorithm::Es256 => Self::ES256,
        }
    }
}

/// A public key of the issuer. It is good for one algorithm only.
#[derive(Clone)]
pub struct SigningKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl SigningKey {
    /// Whether `signature` is this key's signature of `message` (RFC 7518 §3.3 and §3.4), and
    /// `algorithm` its algorithm.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        // The provider is named because the crate's process-wide default panics when
        // another crate in the build switches a second provider on.
        let factory = aws_lc::DEFAULT_PROVIDER.verifier_factory;
        algorithm == self.algorithm
            && factory(&algorithm.into(), &self.key)
                .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(_)")
    }
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// A key of a kind we don't know must not take the others with it (RFC 7517 §5).
pub(super) fn usable(jwk: Value) -> Option<(String, SigningKey)> {
    let jwk: Jwk = serde_json::from_value(jwk).ok()?;
    if jwk.usage.as_ref().is_some_and(|usage| usage != "sig") {
        return None;
    }
    let (algorithm, key) = match jwk.kty.as_str() {
        "RSA" => (Algorithm::Rs256, rsa(&jwk)?),
        "EC" => (Algorithm::Es256, p256(&jwk)?),
        _ => return None,
    };
    let fits = |alg: &String| Algorithm::named(alg) == Some(algorithm);
    let key_id = jwk.kid.filter(|kid| !kid.is_empty())?;
    jwk.alg
        .as_ref()
        .is_none_or(fits)
        .then_some((key_id, SigningKey { algorithm, key }))
}

fn rsa(jwk: &Jwk) -> Option<DecodingKey> {
    let modulus = URL_SAFE_NO_PAD.decode(jwk.n.as_ref()?).ok()?;
    let exponent = URL_SAFE_NO_PAD.decode(jwk.e.as_ref()?).ok()?;
    (MIN_MODULUS_BYTES..=MAX_MODULUS_BYTES)
        .contains(&modulus.len())
        .then(|| DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

fn p256(jwk: &Jwk) -> Option<DecodingKey> {
    let whole = |coordinate: &&String| {
        let bytes = URL_SAFE_NO_PAD.decode(coordinate);
        bytes.is_ok_and(|bytes| bytes.len() == COORDINATE_BYTES)
    };
    let x = jwk.x.as_ref().filter(whole)?;
    let y = jwk.y.as_ref().filter(whole)?;
    let known = jwk.crv.as_deref() == Some("P-256");
    known
        .then(|| DecodingKey::from_ec_components(x, y).ok())
        .flatten()
}

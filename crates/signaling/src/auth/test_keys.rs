//! An issuer for tests: its own RSA key, and tokens written by hand so that they can be wrong.
#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKey};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::KeySet;

pub(crate) const APP_ID: &str = "0efc74f7-41c3-47a4-8775-7259bfef4241";
pub(crate) const TENANT: &str = "1fdd12d0-4620-44ed-baec-459b611f84b2";

/// The key of most tests; generating one takes a while in debug builds.
pub(crate) static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new("key-1"));
/// Another key under another id.
pub(crate) static NEXT: LazyLock<Issuer> = LazyLock::new(|| Issuer::new("key-2"));

pub(crate) struct Issuer {
    pub(crate) kid: &'static str,
    pub(crate) key: RsaKeyPair,
}

impl Issuer {
    fn new(kid: &'static str) -> Self {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        Self { kid, key }
    }

    pub(crate) fn jwk(&self) -> Value {
        let public = self.key.public_key();
        json!({
            "kty": "RSA", "use": "sig", "kid": self.kid, "x5t": self.kid,
            "n": encode(public.modulus().big_endian_without_leading_zero()),
            "e": encode(public.exponent().big_endian_without_leading_zero()),
            "endorsements": ["msteams"],
        })
    }

    pub(crate) fn jwks(&self) -> Vec<u8> {
        json!({"keys": [self.jwk()]}).to_string().into_bytes()
    }

    pub(crate) fn key_set(&self) -> KeySet {
        KeySet::from_jwks(&self.jwks()).unwrap()
    }

    /// The public key as an attacker has it, for the HS256 confusion.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        let public: &PublicKey = self.key.public_key();
        public.as_der().unwrap().as_ref().to_vec()
    }

    pub(crate) fn header(&self) -> Value {
        json!({"typ": "JWT", "alg": "RS256", "kid": self.kid, "x5t": self.kid})
    }

    pub(crate) fn sign(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(payload));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{message}.{}", encode(signature))
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Claims as Microsoft documents them, good for an hour around `now`.
pub(crate) fn claims(now: SystemTime) -> Value {
    let now = now.duration_since(UNIX_EPOCH).unwrap();
    json!({
        "aud": APP_ID,
        "iss": "https://api.botframework.com",
        "iat": now.as_secs(),
        "nbf": now.as_secs(),
        "exp": (now + Duration::from_secs(3900)).as_secs(),
        "tid": TENANT,
    })
}

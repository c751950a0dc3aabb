//! The RSA key that signs everything in this run.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Serialize;
use serde_json::{Value, json};

use crate::config::EmulatorError;

/// A signing key with its public half.
#[derive(Clone)]
pub(crate) struct KeyRing {
    id: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    modulus: String,
    exponent: String,
}

impl KeyRing {
    /// A fresh key of 2048 bits.
    pub(crate) fn generate() -> Result<Self, EmulatorError> {
        let key = RsaKeyPair::generate(KeySize::Rsa2048)
            .map_err(|_| EmulatorError::Key("RSA key generation failed"))?;
        let unusable = EmulatorError::Key("the new RSA key is not usable");
        let private = AsDer::<Pkcs8V1Der<'static>>::as_der(&key)
            .map_err(|_| EmulatorError::Key("the new RSA key cannot be encoded"))?;
        let Ok(signing) = EncodingKey::from_rsa_pem(pem(private.as_ref()).as_bytes()) else {
            return Err(unusable);
        };
        let public = key.public_key();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let modulus = encode(public.modulus().big_endian_without_leading_zero());
        let exponent = encode(public.exponent().big_endian_without_leading_zero());
        let Ok(verifying) = DecodingKey::from_rsa_components(&modulus, &exponent) else {
            return Err(unusable);
        };
        Ok(Self {
            id: uuid::Uuid::new_v4().simple().to_string(),
            signing,
            verifying,
            modulus,
            exponent,
        })
    }

    /// A signed token with these claims; `None` only if signing itself fails.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Option<String> {
        let header = Header {
            kid: Some(self.id.clone()),
            x5t: Some(self.id.clone()),
            ..Header::new(Algorithm::RS256)
        };
        jsonwebtoken::encode(&header, claims, &self.signing).ok()
    }

    pub(crate) fn verifying(&self) -> &DecodingKey {
        &self.verifying
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The public key (RFC 7517), with the endorsement the Teams channel's key carries.
    pub(crate) fn jwk(&self) -> Value {
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256",
            "kid": self.id, "x5t": self.id,
            "n": self.modulus, "e": self.exponent,
            "endorsements": ["msteams", "skype"],
        })
    }
}

/// PKCS#8 as PEM (RFC 7468), the form the token library reads.
fn pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

//! An issuer of tokens with its own RSA key.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

pub(crate) const APP_ID: &str = "0efc74f7-41c3-47a4-8775-7259bfef4241";

pub(crate) struct Issuer(RsaKeyPair);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(crate) fn jwks(&self) -> String {
        let public = self.0.public_key();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "kid": "bench",
            "n": encode(public.modulus().big_endian_without_leading_zero()),
            "e": encode(public.exponent().big_endian_without_leading_zero()),
        }]})
        .to_string()
    }

    /// As long as Microsoft's, good for an hour.
    pub(crate) fn token(&self) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": "bench", "x5t": "bench"});
        let claims = json!({
            "aud": APP_ID, "iss": "https://api.botframework.com", "iat": now, "nbf": now,
            "exp": now + 3_600, "tid": "1fdd12d0-4620-44ed-baec-459b611f84b2",
        });
        let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
        let signed = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub(crate) fn parts(&self, token: &str) -> (Vec<u8>, Vec<u8>) {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        (signed.as_bytes().to_vec(), signature)
    }

    pub(crate) fn verify(&self, signed: &[u8], signature: &[u8]) {
        let public = self.0.public_key().as_ref();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(signed, signature)
            .unwrap();
    }
}

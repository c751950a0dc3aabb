//! A certificate as proof of who the application is, in place of a secret.
//!
//! The proof is a short-lived JSON Web Token that we sign (RFC 7523 §2.2), in the form the
//! Microsoft identity platform documents: PS256, and `x5t#S256` naming the certificate
//! ([certificate credentials](https://learn.microsoft.com/entra/identity-platform/certificate-credentials)).

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

/// `client_assertion_type` of RFC 7523 §2.2.
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An assertion is used at once; this is for clocks that differ.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
const SKEW: Duration = Duration::from_secs(60);

/// A certificate and its RSA key. Clones share them; `Debug` prints the certificate's
/// thumbprint, which Entra shows too.
#[derive(Clone)]
pub struct Certificate {
    inner: Arc<Inner>,
}

struct Inner {
    thumbprint: String,
    key: EncodingKey,
}

/// A certificate that can't be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// No certificate block.
    #[error("there is no PEM block CERTIFICATE: give the certificate together with its key")]
    NoCertificate,
    /// No usable key.
    #[error("there is no RSA private key in PEM form (PKCS #8 or PKCS #1, not encrypted)")]
    NoKey,
    /// The key can't sign.
    #[error("the private key can't sign: RSA with at least 2048 bits is needed")]
    Signing,
}

#[derive(Serialize)]
struct Claims<'c> {
    aud: &'c str,
    iss: &'c str,
    sub: &'c str,
    jti: &'c str,
    nbf: u64,
    iat: u64,
    exp: u64,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("x5t#S256", &self.inner.thumbprint)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads a certificate and its private key from PEM, in either order.
    ///
    /// # Errors
    /// [`CertificateError`] if one is missing or the key can't sign PS256.
    pub fn from_pem(pem: &SecretString) -> Result<Self, CertificateError> {
        let pem = pem.expose_secret();
        let certificate = block(pem, "CERTIFICATE")
            .and_then(|body| STANDARD.decode(body).ok())
            .filter(|der| der.first() == Some(&0x30))
            .ok_or(CertificateError::NoCertificate)?;
        let key = key_block(pem).ok_or(CertificateError::NoKey)?;
        let key = EncodingKey::from_rsa_pem(key.as_bytes()).map_err(|_| CertificateError::NoKey)?;
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate));
        let certificate = Self {
            inner: Arc::new(Inner { thumbprint, key }),
        };
        // A key that can't sign should be known now, not when the first token is needed.
        certificate.assertion("-", "-", "-", UNIX_EPOCH + SKEW)?;
        Ok(certificate)
    }

    /// The proof for `client_id` towards the token `endpoint`; `id` is to be new each time.
    pub(super) fn assertion(
        &self,
        client_id: &str,
        endpoint: &str,
        id: &str,
        now: SystemTime,
    ) -> Result<SecretString, CertificateError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let header = Header {
            x5t_s256: Some(self.inner.thumbprint.clone()),
            ..Header::new(Algorithm::PS256)
        };
        let claims = Claims {
            aud: endpoint,
            iss: client_id,
            sub: client_id,
            jti: id,
            nbf: now.saturating_sub(SKEW).as_secs(),
            iat: now.as_secs(),
            exp: (now + LIFETIME).as_secs(),
        };
        encode(&header, &claims, &self.inner.key)
            .map(SecretString::from)
            .map_err(|_| CertificateError::Signing)
    }
}

/// The base64 between the lines of a PEM block (RFC 7468 §2), without its white space.
fn block(pem: &str, label: &str) -> Option<String> {
    let (_, after) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = after.split_once(&format!("-----END {label}-----"))?;
    Some(body.split_whitespace().collect())
}

/// The key's block with its lines, since the reader takes one block.
fn key_block(pem: &str) -> Option<&str> {
    ["PRIVATE KEY", "RSA PRIVATE KEY"].iter().find_map(|label| {
        let end = format!("-----END {label}-----");
        let from = pem.find(&format!("-----BEGIN {label}-----"))?;
        let to = from + pem[from..].find(&end)? + end.len();
        Some(&pem[from..to])
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        KeyPair as _, RSA_PSS_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey,
    };
    use serde_json::{Value, json};

    use super::*;

    /// What stands for a certificate: its content is Entra's business, its hash ours.
    const DER: &[u8] = b"\x30\x03\x02\x01\x07";

    fn pem(label: &str, der: &[u8]) -> String {
        let body = STANDARD.encode(der);
        let lines: Vec<_> = body
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        let lines = lines.join("\n");
        format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
    }

    fn key_pem(key: &RsaKeyPair) -> String {
        let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
        pem("PRIVATE KEY", der.as_ref())
    }

    fn part(token: &str, index: usize) -> Vec<u8> {
        URL_SAFE_NO_PAD
            .decode(token.split('.').nth(index).unwrap())
            .unwrap()
    }

    #[test]
    fn the_assertion_is_what_entra_documents() {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let text = format!("{}{}", key_pem(&key), pem("CERTIFICATE", DER));
        let certificate = Certificate::from_pem(&text.into()).unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_780_272_000);
        let endpoint = "https://login.microsoftonline.com/t/oauth2/v2.0/token";
        let token = certificate.assertion("app", endpoint, "id-1", now).unwrap();
        let token = token.expose_secret();

        let header: Value = serde_json::from_slice(&part(token, 0)).unwrap();
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, DER));
        let expected = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint});
        assert_eq!(header, expected);
        let claims: Value = serde_json::from_slice(&part(token, 1)).unwrap();
        let expected = json!({
            "aud": endpoint, "iss": "app", "sub": "app", "jti": "id-1",
            "nbf": 1_780_271_940, "iat": 1_780_272_000, "exp": 1_780_272_300,
        });
        assert_eq!(claims, expected);
        let (signed, _) = token.rsplit_once('.').unwrap();
        let public = key.public_key().as_ref();
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, public)
            .verify(signed.as_bytes(), &part(token, 2))
            .unwrap();
    }

    #[test]
    fn what_is_missing_is_said() {
        let read = |text: String| Certificate::from_pem(&text.into()).map(|_| ());
        let key = key_pem(&RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        let certificate = pem("CERTIFICATE", DER);
        assert_eq!(read(key), Err(CertificateError::NoCertificate));
        assert_eq!(read(certificate.clone()), Err(CertificateError::NoKey));
        let nonsense = format!("{certificate}{}", pem("PRIVATE KEY", b"nonsense"));
        assert!(read(nonsense).is_err());
        let encrypted = format!("{certificate}{}", pem("ENCRYPTED PRIVATE KEY", b"x"));
        assert_eq!(read(encrypted), Err(CertificateError::NoKey));
    }

    #[test]
    fn debug_shows_no_key() {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let text = format!("{}{}", pem("CERTIFICATE", DER), key_pem(&key));
        let certificate = Certificate::from_pem(&text.into()).unwrap();
        let shown = format!("{certificate:?}");
        assert!(shown.starts_with("Certificate { x5t#S256") && shown.len() < 100);
    }
}

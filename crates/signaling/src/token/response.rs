//! What the identity service answers.

use std::time::Duration;

use http::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use super::cache::Grant;

/// No token could be had.
///
/// The service's description of a refusal is left out, as it may repeat what was sent; its
/// `AADSTS` numbers say what is wrong and can be looked up at
/// `https://login.microsoftonline.com/error`.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// The identity service refuses the application.
    #[error(
        "the identity service refused the application: {status}, {code} {}; check tenant, client id and secret or certificate",
        aadsts(codes)
    )]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The OAuth error code (RFC 6749 §5.2), for example `invalid_client`.
        code: String,
        /// The service's own numbers, for example 7000215 (written `AADSTS7000215`).
        codes: Vec<u32>,
    },
    /// The identity service is in trouble.
    #[error("the identity service answered {status}")]
    Unavailable {
        /// The HTTP status.
        status: StatusCode,
    },
    /// The identity service can't be reached.
    #[error(
        "the identity service cannot be reached ({cause}); check the authority and the network"
    )]
    Unreachable {
        /// The innermost cause.
        cause: String,
    },
    /// The identity service takes too long.
    #[error("no answer from the identity service within {limit:?}")]
    TimedOut {
        /// The time limit.
        limit: Duration,
    },
    /// The application's certificate can't prove anything.
    #[error(transparent)]
    Certificate(#[from] super::certificate::CertificateError),
    /// The answer is no token response.
    #[error("the identity service's answer is not a token response")]
    Malformed,
}

fn aadsts(codes: &[u32]) -> String {
    let names: Vec<String> = codes.iter().map(|code| format!("AADSTS{code}")).collect();
    names.join(" ")
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    token_type: String,
    #[serde(deserialize_with = "seconds")]
    expires_in: u64,
    #[serde(default)]
    refresh_in: Option<u64>,
}

#[derive(Default, Deserialize)]
struct Denied {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_codes: Vec<u32>,
}

/// The older endpoint writes the number in quotes.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    use serde::de::Error as _;
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Number(u64),
        Text(String),
    }
    match Seconds::deserialize(deserializer)? {
        Seconds::Number(number) => Ok(number),
        Seconds::Text(text) => text.parse().map_err(|_| D::Error::custom("not a number")),
    }
}

/// Reads a response of the token endpoint (RFC 6749 §5.1 and §5.2).
pub fn read_token_response(status: StatusCode, body: &[u8]) -> Result<Grant, TokenError> {
    if status.is_success() {
        return granted(body).ok_or(TokenError::Malformed);
    }
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(TokenError::Unavailable { status });
    }
    let denied: Denied = serde_json::from_slice(body).unwrap_or_default();
    Err(TokenError::Refused {
        status,
        code: oauth_code(&denied.error),
        codes: denied.error_codes.into_iter().take(8).collect(),
    })
}

fn granted(body: &[u8]) -> Option<Grant> {
    let granted: Granted = serde_json::from_slice(body).ok()?;
    granted
        .token_type
        .eq_ignore_ascii_case("bearer")
        .then(|| Grant {
            secret: granted.access_token,
            lifetime: Duration::from_secs(granted.expires_in),
            renew_in: granted.refresh_in.map(Duration::from_secs),
        })
}

/// The code if it looks like one: other text may be anything.
fn oauth_code(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        text.to_owned()
    } else {
        "no error code".to_owned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn read(status: u16, body: &str) -> Result<Grant, TokenError> {
        read_token_response(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn reads_the_documented_answer() {
        let body = r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"eyJ0"}"#;
        let grant = read(200, body).unwrap();
        assert_eq!(grant.secret.expose_secret(), "eyJ0");
        assert_eq!(grant.lifetime, Duration::from_secs(3599));
        assert_eq!(grant.renew_in, None);
    }

    #[test]
    fn reads_numbers_in_quotes_and_an_early_renewal() {
        let body =
            r#"{"token_type":"bearer","expires_in":"86399","refresh_in":43199,"access_token":"x"}"#;
        let grant = read(200, body).unwrap();
        assert_eq!(grant.lifetime, Duration::from_secs(86_399));
        assert_eq!(grant.renew_in, Some(Duration::from_secs(43_199)));
    }

    #[test]
    fn a_refusal_keeps_its_codes_and_drops_its_text() {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: hush-hush",
            "error_codes":[7000215],"trace_id":"t","correlation_id":"c"}"#;
        let error = read(401, body).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("invalid_client") && text.contains("AADSTS7000215"),
            "{text}"
        );
        assert!(!text.contains("hush") && !format!("{error:?}").contains("hush"));
    }

    #[test]
    fn other_answers_are_no_tokens() {
        let malformed = Err(TokenError::Malformed);
        for body in [
            "",
            "null",
            "[]",
            "<html>",
            r#"{"token_type":"Bearer","expires_in":3599}"#,
            r#"{"token_type":"mac","expires_in":3599,"access_token":"x"}"#,
            r#"{"token_type":"Bearer","expires_in":-1,"access_token":"x"}"#,
            r#"{"token_type":"Bearer","expires_in":"soon","access_token":"x"}"#,
        ] {
            let found = read(200, body).map(|_| ());
            assert_eq!(found, malformed.clone(), "{body}");
        }
        assert!(matches!(read(302, ""), Err(TokenError::Refused { .. })));
        assert!(matches!(
            read(503, "{}"),
            Err(TokenError::Unavailable { .. })
        ));
        let refused = read(400, r#"{"error":"Hush Hush!"}"#).unwrap_err();
        assert!(!refused.to_string().contains("Hush"));
    }
}

//! Who may bring media: tokens of Call Automation, or a secret.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use switchboard_signaling::auth::{
    Authenticator, KeySource, KeySourceError, PolicyError, TokenPolicy, TokenValidator,
};

/// Who signs its tokens, and where the keys are.
const ISSUER: &str = "https://acscallautomation.communication.azure.com";
const OPENID_CONFIGURATION: &str =
    "https://acscallautomation.communication.azure.com/calling/.well-known/acsopenidconfiguration";

/// Who may bring calls' media.
#[derive(Clone)]
pub enum AzureMedia {
    /// An Azure Communication Services resource, by its immutable id: the audience of the
    /// tokens that its connections bring.
    Resource(String),
    /// Whoever has this bearer token: other senders of the same protocol.
    Token(SecretString),
}

/// Why calls' media can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum AzureMediaError {
    /// The resource's id isn't usable.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// No client for the keys.
    #[error(transparent)]
    Keys(#[from] KeySourceError),
}

/// Lets those in who may bring media.
pub(super) enum Guard {
    Tokens(Authenticator),
    Secret(SecretString),
}

impl Guard {
    pub(super) fn new(who: AzureMedia) -> Result<Self, AzureMediaError> {
        match who {
            AzureMedia::Token(secret) => Ok(Self::Secret(secret)),
            AzureMedia::Resource(resource) => Self::of(resource, OPENID_CONFIGURATION),
        }
    }

    /// Tokens for `resource`, signed with keys that `configuration` points to.
    fn of(resource: String, configuration: &str) -> Result<Self, AzureMediaError> {
        let policy = TokenPolicy::new(resource)?.with_issuer(ISSUER)?;
        let keys = KeySource::new(configuration)?;
        Ok(Self::Tokens(Authenticator::new(
            TokenValidator::new(policy),
            keys,
        )))
    }

    pub(super) async fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION);
        let given = given.and_then(|value| value.to_str().ok());
        match self {
            Self::Tokens(authenticator) => {
                let checked = authenticator.authenticate(given).await;
                checked
                    .inspect_err(|error| tracing::warn!(%error, "a media connection was refused"))
                    .is_ok()
            }
            Self::Secret(secret) => {
                let token = given.and_then(|value| value.strip_prefix("Bearer "));
                let (token, secret) = (token.unwrap_or_default(), secret.expose_secret());
                verify_slices_are_equal(token.as_bytes(), secret.as_bytes()).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
    use axum::{Json, Router, routing::get};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;

    const RESOURCE: &str = "92d5a4f4-2b1f-4c1e-8b0f-6f1c9f2b7a11";

    /// Whoever signs for Call Automation, and where its keys are.
    struct Issuer {
        key: RsaKeyPair,
        configuration: String,
    }

    impl Issuer {
        async fn start() -> Self {
            let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}", listener.local_addr().unwrap());
            let public = key.public_key();
            let keys = json!({"keys": [{
                "kty": "RSA", "use": "sig", "kid": "1", "endorsements": ["acs"],
                "n": encode(public.modulus().big_endian_without_leading_zero()),
                "e": encode(public.exponent().big_endian_without_leading_zero()),
            }]});
            let about = json!({"issuer": ISSUER, "jwks_uri": format!("{base}/keys")});
            let told = |what: Value| get(move || async move { Json(what) });
            let router = Router::new()
                .route("/about", told(about))
                .route("/keys", told(keys));
            tokio::spawn(async move { axum::serve(listener, router).await });
            let configuration = format!("{base}/about");
            Self { key, configuration }
        }

        /// A token with these claims for the hour around now, as a connection shows it.
        fn shows(&self, audience: &str, issuer: &str, minutes: i64) -> HeaderMap {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let now = i64::try_from(since.as_secs()).unwrap();
            let claims = json!({
                "iss": issuer, "aud": audience, "nbf": now - 3600, "exp": now + 60 * minutes,
            });
            let header = json!({"typ": "JWT", "alg": "RS256", "kid": "1"});
            let message = format!(
                "{}.{}",
                encode(header.to_string()),
                encode(claims.to_string())
            );
            let mut signature = vec![0; self.key.public_modulus_len()];
            let signed = self.key.sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            );
            signed.unwrap();
            bearer(&format!("{message}.{}", encode(signature)))
        }
    }

    fn encode(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn bearer(token: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = format!("Bearer {token}").parse().unwrap();
        headers.insert(header::AUTHORIZATION, value);
        headers
    }

    #[tokio::test]
    async fn a_resources_tokens_are_held_against_it() {
        let (issuer, other) = (Issuer::start().await, Issuer::start().await);
        let guard = Guard::of(RESOURCE.to_owned(), &issuer.configuration).unwrap();
        let good = issuer.shows(RESOURCE, ISSUER, 30);
        assert!(guard.admits(&good).await);
        let refused = [
            ("another resource's", issuer.shows("another", ISSUER, 30)),
            (
                "another issuer's",
                issuer.shows(RESOURCE, "https://a.example", 30),
            ),
            ("an old one", issuer.shows(RESOURCE, ISSUER, -10)),
            ("signed by somebody else", other.shows(RESOURCE, ISSUER, 30)),
            ("none", HeaderMap::new()),
            ("unreadable", bearer("a.b.c")),
        ];
        for (what, headers) in refused {
            assert!(!guard.admits(&headers).await, "{what}");
        }
        assert!(guard.admits(&good).await);
        // Nobody's resource is everybody's.
        assert!(Guard::of(String::new(), &issuer.configuration).is_err());
    }

    #[tokio::test]
    async fn a_secret_is_taken_whole_or_not_at_all() {
        let guard = Guard::new(AzureMedia::Token("opensesame".to_owned().into())).unwrap();
        assert!(guard.admits(&bearer("opensesame")).await);
        for wrong in ["", "opensesam", "opensesames", "Opensesame"] {
            assert!(!guard.admits(&bearer(wrong)).await, "{wrong}");
        }
        assert!(!guard.admits(&HeaderMap::new()).await);
    }
}

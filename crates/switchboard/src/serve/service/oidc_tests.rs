//! Tokens of an issuer of our own, which signs with ES256 and can be wrong in all ways.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;

const AUDIENCE: &str = "api://switchboard";

struct Issuer {
    address: String,
    kid: &'static str,
    key: EcdsaKeyPair,
    /// The key set that it shows; none: it is out of order.
    shown: Arc<Mutex<Option<String>>>,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn key() -> EcdsaKeyPair {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    EcdsaKeyPair::generate(algorithm).expect("a key")
}

impl Issuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let configuration = json!({"issuer": address, "jwks_uri": format!("{address}/keys")});
        let shown = Arc::new(Mutex::new(None));
        let own = Arc::clone(&shown);
        let routes =
            Router::new()
                .route(
                    "/.well-known/openid-configuration",
                    get(move || async move { configuration.to_string() }),
                )
                .route(
                    "/keys",
                    get(move || async move {
                        own.lock().expect("unpoisoned").clone().unwrap_or_default()
                    }),
                );
        tokio::spawn(async { axum::serve(listener, routes).await });
        let issuer = Self {
            address,
            kid: "first",
            key: key(),
            shown,
        };
        issuer.publish();
        issuer
    }

    /// Shows its key, and no other.
    fn publish(&self) {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let key = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": encode(x), "y": encode(y),
        });
        let keys = json!({"keys": [key]}).to_string();
        *self.shown.lock().expect("unpoisoned") = Some(keys);
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let header = encode(header.to_string());
        let message = format!("{header}.{}", encode(claims.to_string()));
        let random = SystemRandom::new();
        let signature = self.key.sign(&random, message.as_bytes());
        format!("{message}.{}", encode(signature.expect("signed")))
    }

    /// A good writer's token but for what `more` puts over it; `null` takes a claim away.
    fn token(&self, more: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("after 1970").as_secs();
        let mut claims = json!({
            "iss": self.address, "aud": AUDIENCE, "sub": "somebody", "exp": now + 600,
            "iat": now, "roles": ["Switchboard.Writer"],
        });
        let claims = claims.as_object_mut().expect("an object");
        for (name, value) in more.as_object().expect("an object") {
            match value {
                Value::Null => claims.remove(name),
                value => claims.insert(name.clone(), value.clone()),
            };
        }
        let header = json!({"alg": "ES256", "kid": self.kid, "typ": "at+jwt"});
        self.sign(&header, &Value::Object(claims.clone()))
    }

    fn provider(&self, more: &Value) -> Provider {
        let mut settings = json!({"issuer": self.address, "audience": AUDIENCE});
        for (name, value) in more.as_object().expect("an object") {
            settings[name] = value.clone();
        }
        let settings = serde_json::from_value(settings).expect("settings");
        Provider::new(&settings).expect("good settings")
    }
}

fn caller(role: Role) -> Result<Caller, Refused> {
    let name = "oidc:somebody".to_owned();
    Ok(Caller { name, role })
}

#[tokio::test]
async fn roles_come_from_the_claim_that_is_named() {
    let issuer = Issuer::start().await;
    let nested = json!({"role_claim": "realm_access.roles", "reader": "look", "writer": "change"});
    let named = json!({"role_claim": "https://example.com/roles", "writer": "change"});
    let words = json!({"role_claim": "scope", "reader": "calls.read", "writer": "calls.write"});
    for (settings, claims, expected) in [
        (json!({}), json!({}), caller(Role::Writer)),
        (
            json!({}),
            json!({"roles": ["Switchboard.Reader", "x"]}),
            caller(Role::Reader),
        ),
        (json!({}), json!({"roles": []}), Err(Refused::NoRole)),
        (json!({}), json!({"roles": null}), Err(Refused::NoRole)),
        (
            json!({}),
            json!({"roles": "switchboard.writer"}),
            Err(Refused::NoRole),
        ),
        (
            json!({}),
            json!({"roles": [{"Switchboard.Writer": true}]}),
            Err(Refused::NoRole),
        ),
        (
            nested.clone(),
            json!({"realm_access": {"roles": ["look", "change"]}}),
            caller(Role::Writer),
        ),
        (
            nested,
            json!({"realm_access": ["roles", "change"]}),
            Err(Refused::NoRole),
        ),
        (
            named,
            json!({"https://example.com/roles": ["change"]}),
            caller(Role::Writer),
        ),
        (
            words.clone(),
            json!({"scope": "openid calls.read"}),
            caller(Role::Reader),
        ),
        (
            words,
            json!({"scope": "calls.write.not"}),
            Err(Refused::NoRole),
        ),
    ] {
        let provider = issuer.provider(&settings);
        let told = provider.caller(&issuer.token(&claims)).await;
        assert_eq!(told, expected, "{settings} {claims}");
    }
}

#[tokio::test]
async fn what_is_not_of_the_provider_or_not_for_us_is_refused() {
    let issuer = Issuer::start().await;
    let provider = issuer.provider(&json!({}));
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    for wrong in [
        json!({"aud": "api://another"}),
        json!({"aud": ["api://another"]}),
        json!({"aud": null}),
        json!({"iss": "http://127.0.0.1:1"}),
        json!({"iss": format!("{}/", issuer.address)}),
        json!({"exp": now - 61}),
        json!({"exp": null}),
        json!({"nbf": now + 120}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": "a\nb"}),
    ] {
        let told = provider.caller(&issuer.token(&wrong)).await;
        assert_eq!(told, Err(Refused::NotAccepted), "{wrong}");
    }
    let both = json!({"aud": ["account", AUDIENCE]});
    assert!(provider.caller(&issuer.token(&both)).await.is_ok());
}

#[tokio::test]
async fn a_token_that_is_unsigned_or_signed_otherwise_is_refused() {
    let issuer = Issuer::start().await;
    let provider = issuer.provider(&json!({}));
    let good = issuer.token(&json!({}));
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let claims = signed.split_once('.').expect("two parts").1;
    for alg in ["none", "HS256", "RS256", "ES384"] {
        let header = encode(json!({"alg": alg, "kid": "first"}).to_string());
        for signature in ["", signature] {
            let token = format!("{header}.{claims}.{signature}");
            assert_eq!(
                provider.caller(&token).await,
                Err(Refused::NotAccepted),
                "{alg}"
            );
        }
    }
    let stranger = Issuer {
        address: issuer.address.clone(),
        kid: "first",
        key: key(),
        shown: Arc::default(),
    };
    let forged = stranger.token(&json!({}));
    assert_eq!(provider.caller(&forged).await, Err(Refused::NotAccepted));
    assert_eq!(provider.caller(&good).await, caller(Role::Writer));
}

#[tokio::test]
async fn a_rollover_of_the_providers_keys_is_followed() {
    let mut issuer = Issuer::start().await;
    let provider = issuer.provider(&json!({}));
    let old = issuer.token(&json!({}));
    assert_eq!(provider.caller(&old).await, caller(Role::Writer));
    (issuer.kid, issuer.key) = ("second", key());
    issuer.publish();
    let new = issuer.token(&json!({}));
    assert_eq!(provider.caller(&new).await, caller(Role::Writer));
    // What it has withdrawn opens nothing.
    assert_eq!(provider.caller(&old).await, Err(Refused::NotAccepted));
}

#[tokio::test]
async fn while_the_providers_keys_cannot_be_had_it_says_so() {
    let issuer = Issuer::start().await;
    *issuer.shown.lock().expect("unpoisoned") = None;
    let provider = issuer.provider(&json!({}));
    let told = provider.caller(&issuer.token(&json!({}))).await;
    assert_eq!(told, Err(Refused::Unavailable));
    // Whoever isn't meant for us learns nothing of it.
    let told = provider.caller(&issuer.token(&json!({"aud": "x"}))).await;
    assert_eq!(told, Err(Refused::NotAccepted));
}

#[test]
fn settings_that_would_let_anybody_in_are_refused() {
    let new = |more: Value| {
        let mut settings = json!({"issuer": "https://login.example.com", "audience": "api"});
        for (name, value) in more.as_object().expect("an object") {
            settings[name] = value.clone();
        }
        Provider::new(&serde_json::from_value(settings).expect("settings")).err()
    };
    assert!(new(json!({})).is_none());
    for (wrong, told) in [
        (
            json!({"issuer": "http://login.example.com"}),
            "is not https",
        ),
        (json!({"issuer": "login.example.com"}), "is not a URL"),
        (json!({"audience": ""}), "the audience is empty"),
        (json!({"reader": ""}), "can't be empty"),
        (json!({"reader": "Switchboard.Writer"}), "must be two roles"),
    ] {
        let error = new(wrong.clone()).expect("an error").to_string();
        assert!(error.contains(told), "{wrong}: {error}");
    }
}

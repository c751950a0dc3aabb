#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;

use std::time::SystemTime;

use super::*;
use crate::auth::TokenPolicy;
use crate::auth::test_keys::{APP_ID, ISSUER, Issuer, NEXT, claims};

/// The issuer's server: the keys it shows now, and how often they were fetched.
#[derive(Clone, Default)]
struct Keys {
    shown: Arc<Mutex<Vec<u8>>>,
    fetched: Arc<AtomicUsize>,
}

impl Keys {
    fn show(&self, issuer: &Issuer) {
        *self.shown.lock().unwrap() = issuer.jwks();
    }

    fn fetched(&self) -> usize {
        self.fetched.load(Ordering::Relaxed)
    }
}

async fn authenticator() -> (Authenticator, Keys) {
    let keys = Keys::default();
    keys.show(&ISSUER);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let configuration = json!({"jwks_uri": format!("{origin}/keys")}).to_string();
    let own = keys.clone();
    let app = Router::new()
        .route("/configuration", get(move || async { configuration }))
        .route(
            "/keys",
            get(move || async move {
                own.fetched.fetch_add(1, Ordering::Relaxed);
                own.shown.lock().unwrap().clone()
            }),
        );
    tokio::spawn(async { axum::serve(listener, app).await });
    let source = KeySource::new(&format!("{origin}/configuration")).unwrap();
    let validator = TokenValidator::new(TokenPolicy::new(APP_ID).unwrap());
    (Authenticator::new(validator, source), keys)
}

fn signed_by(issuer: &Issuer) -> String {
    format!("Bearer {}", issuer.token(&claims(SystemTime::now())))
}

#[tokio::test]
async fn the_first_token_fetches_the_keys() {
    let (authenticator, keys) = authenticator().await;
    let token = signed_by(&ISSUER);
    for _ in 0..3 {
        authenticator.authenticate(Some(&token)).await.unwrap();
    }
    assert_eq!(keys.fetched(), 1);
}

#[tokio::test]
async fn a_rollover_is_followed_at_once() {
    let (authenticator, keys) = authenticator().await;
    authenticator
        .authenticate(Some(&signed_by(&ISSUER)))
        .await
        .unwrap();
    keys.show(&NEXT);
    authenticator
        .authenticate(Some(&signed_by(&NEXT)))
        .await
        .unwrap();
    assert_eq!(keys.fetched(), 2);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_one_fetch_and_locks_nobody_out() {
    let (authenticator, keys) = authenticator().await;
    authenticator
        .authenticate(Some(&signed_by(&ISSUER)))
        .await
        .unwrap();
    let stranger = signed_by(&NEXT);
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (authenticator, stranger) = (authenticator.clone(), stranger.clone());
        flood.spawn(async move { authenticator.authenticate(Some(&stranger)).await });
    }
    let unknown = Err(AuthError::Token(TokenError::UnknownKey));
    assert!(
        flood
            .join_all()
            .await
            .iter()
            .all(|refused| *refused == unknown)
    );
    assert_eq!(keys.fetched(), 2);
    authenticator
        .authenticate(Some(&signed_by(&ISSUER)))
        .await
        .unwrap();
}

#[tokio::test]
async fn other_schemes_and_no_header_fetch_nothing() {
    let (authenticator, keys) = authenticator().await;
    for header in [
        None,
        Some(""),
        Some("Bearer"),
        Some("Basic eDp5"),
        Some("bearer x.y.z"),
    ] {
        assert!(
            authenticator.authenticate(header).await.is_err(),
            "{header:?}"
        );
    }
    assert_eq!(keys.fetched(), 0);
}

/// An issuer's server that calls itself `issuer` and has its keys at `keys`, and a source of
/// its keys by discovery.
async fn discovered(issuer: impl Fn(&str) -> String, keys: impl Fn(&str) -> String) -> KeySource {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let configuration = json!({"issuer": issuer(&origin), "jwks_uri": keys(&origin)}).to_string();
    let app = Router::new()
        .route(
            "/tenant/.well-known/openid-configuration",
            get(move || async { configuration }),
        )
        .route("/keys", get(|| async { ISSUER.jwks() }));
    tokio::spawn(async { axum::serve(listener, app).await });
    KeySource::of_issuer(&format!("{origin}/tenant")).unwrap()
}

#[tokio::test]
async fn a_providers_keys_are_found_by_discovery_and_only_its_own() {
    let own = |origin: &str| format!("{origin}/tenant");
    let keys = |origin: &str| format!("{origin}/keys");
    let good = discovered(own, keys).await;
    good.refresh(FetchCause::Refresh).await;
    assert_eq!(good.with_keys(|keys| keys.len()), 1);
    let slash = discovered(|origin| format!("{origin}/tenant/"), keys).await;
    let elsewhere = discovered(own, |_| "https://api.aps.skype.com/v1/keys".to_owned()).await;
    for bad in [slash, elsewhere] {
        bad.refresh(FetchCause::Refresh).await;
        assert!(bad.with_keys(|keys| keys.is_empty()));
    }
}

//! Access tokens beside keys, whoever validates them.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use switchboard_service::api::keys::{Caller, Role};
use switchboard_service::api::tokens::{Refused, Tokens};

use super::site::{Site, good};

/// Believes what the second part says.
struct Credulous;

#[async_trait]
impl Tokens for Credulous {
    async fn caller(&self, token: &str) -> Result<Caller, Refused> {
        let caller = |name: &str, role| {
            let name = format!("oidc:{name}");
            Ok(Caller { name, role })
        };
        match token.split('.').nth(1) {
            Some("writer") => caller("w", Role::Writer),
            Some("other") => caller("o", Role::Writer),
            Some("reader") => caller("r", Role::Reader),
            Some("nobody") => Err(Refused::NoRole),
            Some("early") => Err(Refused::Unavailable),
            _ => Err(Refused::NotAccepted),
        }
    }
}

#[tokio::test]
async fn a_token_allows_what_its_role_does() {
    let site = Site::with(Some(Arc::new(Credulous))).await;
    let post = |token: &str| site.ask("POST", "/reminders", token);
    let body = good().to_string();
    let seen = site.send(site.ask("GET", "/reminders", "h.reader.s"), "");
    assert_eq!(seen.await.status, 200);
    let refused = site.send(post("h.reader.s"), body.clone()).await;
    refused.is_problem(403);
    let challenge = &refused.headers["www-authenticate"];
    assert_eq!(challenge, "Bearer error=\"insufficient_scope\"");
    let made = site.send(post("h.writer.s"), body).await;
    assert_eq!(made.status, 201);
}

#[tokio::test]
async fn a_token_that_opens_nothing_is_told_why_in_general() {
    let site = Site::with(Some(Arc::new(Credulous))).await;
    for (token, status, challenge) in [
        ("h.forged.s", 401, Some("Bearer error=\"invalid_token\"")),
        (
            "h.nobody.s",
            403,
            Some("Bearer error=\"insufficient_scope\""),
        ),
        ("h.early.s", 503, None),
        // Not the form of a token: a wrong key.
        ("h.writer", 401, Some("Bearer")),
        ("h.writer.s.more", 401, Some("Bearer")),
    ] {
        let refused = site.send(site.ask("GET", "/health", token), "").await;
        refused.is_problem(status);
        let told = refused.headers.get("www-authenticate");
        assert_eq!(told.map(|told| told.to_str().unwrap()), challenge);
        assert!(!refused.body.to_string().contains(token));
    }
    let waits = site.send(site.ask("GET", "/health", "h.early.s"), "").await;
    assert!(waits.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn without_a_provider_tokens_open_nothing() {
    let site = Site::start().await;
    let refused = site.send(site.ask("GET", "/health", "h.writer.s"), "");
    refused.await.is_problem(401);
    let key = site
        .send(site.ask("GET", "/health", &site.reader), "")
        .await;
    assert_eq!(key.status, 200);
}

#[tokio::test]
async fn idempotency_keys_are_each_callers_own() {
    let site = Site::with(Some(Arc::new(Credulous))).await;
    let make = async |token: &str| {
        let request = site.ask("POST", "/reminders", token);
        let request = request.header("idempotency-key", "visit-7");
        site.send(request, good().to_string()).await.body["id"].clone()
    };
    let first = make("h.writer.s").await;
    assert_eq!(make("h.writer.s").await, first);
    let other = make("h.other.s").await;
    assert!(other != first && other != json!(null));
}

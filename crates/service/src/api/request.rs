//! What every request goes through: who asks, and what for.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::extract::rejection::BytesRejection;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts as Request;
use serde::de::DeserializeOwned;

use super::keys::{Caller, Keys, Role};
use super::problem::Problem;
use super::tokens::Tokens;

/// Bytes of a JSON body at most.
pub(super) const MAX_JSON: usize = 64 * 1024;

/// Who may ask.
#[derive(Default)]
pub struct Access {
    /// Keys of the settings.
    pub keys: Keys,
    /// Who validates access tokens of an OpenID provider, if there is one.
    pub tokens: Option<Arc<dyn Tokens>>,
}

/// A part of the API, which knows who may ask.
pub(super) trait Guarded: Send + Sync {
    fn access(&self) -> &Access;
}

/// Someone who may look.
pub(super) struct Reader(pub(super) Caller);

/// Someone who may change things.
pub(super) struct Writer(pub(super) Caller);

impl<S: Guarded> FromRequestParts<Arc<S>> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(request: &mut Request, api: &Arc<S>) -> Result<Self, Problem> {
        api.access().allowed(request, Role::Reader).await.map(Self)
    }
}

impl<S: Guarded> FromRequestParts<Arc<S>> for Writer {
    type Rejection = Problem;

    async fn from_request_parts(request: &mut Request, api: &Arc<S>) -> Result<Self, Problem> {
        api.access().allowed(request, Role::Writer).await.map(Self)
    }
}

impl Access {
    async fn allowed(&self, request: &Request, role: Role) -> Result<Caller, Problem> {
        let caller = self.caller(request).await?;
        if caller.role < role {
            return Err(Problem::role(
                "you may only look; changing anything takes a writer's key or token",
            ));
        }
        Ok(caller)
    }

    async fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        let mut given = request.headers.get_all(AUTHORIZATION).iter();
        let header = given.next().and_then(|value| value.to_str().ok());
        let alone = given.next().is_none();
        let unknown = || {
            let detail = "an API key or an access token is needed: Authorization: Bearer KEY";
            Problem::new(StatusCode::UNAUTHORIZED, detail)
        };
        let shown = header.filter(|_| alone).and_then(bearer);
        let shown = shown.ok_or_else(unknown)?;
        if let Some(caller) = self.keys.caller(shown) {
            return Ok(caller);
        }
        match &self.tokens {
            Some(tokens) if is_token(shown) => Ok(tokens.caller(shown).await?),
            _ => Err(unknown()),
        }
    }
}

/// A JWT has three parts (RFC 7519 §3); a key has none.
fn is_token(shown: &str) -> bool {
    shown.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// RFC 6750 §2.1; the scheme's case doesn't matter.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, key) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// A body that came whole and isn't too long.
pub(super) fn whole(body: Result<Bytes, BytesRejection>, limit: usize) -> Result<Bytes, Problem> {
    let too_long = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long");
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_long(),
        status => Problem::new(status, "the body didn't come whole"),
    })?;
    if body.len() > limit {
        return Err(too_long());
    }
    Ok(body)
}

/// What a JSON body says.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("the body can't be read: {error}")))
}

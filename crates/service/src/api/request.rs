//! What every request goes through: who asks, what for, and whether again.

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts as Request;
use http::{HeaderMap, StatusCode};
use switchboard_store::Idempotency;

use super::Shared;
use super::keys::{Caller, Role};
use super::problem::Problem;

/// Someone who may look.
pub(super) struct Reader(pub(super) Caller);

/// Someone who may change things.
pub(super) struct Writer(pub(super) Caller);

impl FromRequestParts<Shared> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(request: &mut Request, api: &Shared) -> Result<Self, Problem> {
        allowed(request, api, Role::Reader).await.map(Self)
    }
}

impl FromRequestParts<Shared> for Writer {
    type Rejection = Problem;

    async fn from_request_parts(request: &mut Request, api: &Shared) -> Result<Self, Problem> {
        allowed(request, api, Role::Writer).await.map(Self)
    }
}

async fn allowed(request: &Request, api: &Shared, role: Role) -> Result<Caller, Problem> {
    let caller = caller(request, api).await?;
    if caller.role < role {
        return Err(Problem::role(
            "you may only look; making and cancelling takes a writer's key or token",
        ));
    }
    Ok(caller)
}

async fn caller(request: &Request, api: &Shared) -> Result<Caller, Problem> {
    let mut given = request.headers.get_all(AUTHORIZATION).iter();
    let header = given.next().and_then(|value| value.to_str().ok());
    let alone = given.next().is_none();
    let unknown = || {
        let detail = "an API key or an access token is needed: Authorization: Bearer KEY";
        Problem::new(StatusCode::UNAUTHORIZED, detail)
    };
    let shown = header.filter(|_| alone).and_then(bearer);
    let shown = shown.ok_or_else(unknown)?;
    if let Some(caller) = api.keys.caller(shown) {
        return Ok(caller);
    }
    match &api.tokens {
        Some(tokens) if is_token(shown) => Ok(tokens.caller(shown).await?),
        _ => Err(unknown()),
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

/// The request's idempotency key, if it has one.
///
/// # Errors
/// `400`: it is empty, too long, or there are two.
pub(super) fn idempotency(
    headers: &HeaderMap,
    caller: &Caller,
    what: &str,
    body: &[u8],
) -> Result<Option<Idempotency>, Problem> {
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(key) = given.next() else {
        return Ok(None);
    };
    let key = key.to_str().unwrap_or_default().trim_matches('"');
    if key.is_empty() || key.len() > 200 || given.next().is_some() {
        let detail = "one Idempotency-Key of 1 to 200 ASCII characters is allowed";
        return Err(Problem::bad_request(detail));
    }
    let mut whole = what.as_bytes().to_vec();
    whole.push(0);
    whole.extend_from_slice(body);
    let hash = digest(&SHA256, &whole);
    let fingerprint = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
    Ok(Some(Idempotency {
        key: format!("{}:{key}", caller.name),
        fingerprint: fingerprint.collect(),
    }))
}

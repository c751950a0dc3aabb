//! What faults do to answers, and to the requests that aren't Graph's own: for tokens, for keys
//! and for recordings.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::response::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;

use crate::faults::Mischief;
use crate::shell::Hub;

/// Of a body that comes slowly.
const PIECES: usize = 10;
/// The answers behind [`beside_graph`] are short, but for recordings of two minutes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Lets a request that isn't Graph's own suffer what the rules say.
pub(crate) async fn beside_graph(
    State(hub): State<Arc<Hub>>,
    request: Request,
    next: Next,
) -> Response {
    let operation = operation(request.uri().path());
    let mischief = operation.and_then(|name| hub.faults(|faults| faults.strike(name, "")));
    if let Some(Mischief::Status {
        status,
        retry_after,
    }) = mischief
    {
        return refusal(status, retry_after);
    }
    let response = next.run(request).await;
    if mischief.is_none() {
        return response;
    }
    if let Some(delay) = mischief.as_ref().and_then(Mischief::delay) {
        tokio::time::sleep(delay).await;
    }
    if mischief == Some(Mischief::TimeOut) {
        hub.stopped().await;
    }
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_ANSWER).await;
    on_its_way(parts, body.unwrap_or_default(), mischief.as_ref())
}

/// By what name rules mean a request that isn't Graph's own.
fn operation(path: &str) -> Option<&'static str> {
    let is_configuration = || path.to_ascii_lowercase().ends_with("configuration");
    match path {
        path if path.ends_with("/token") => Some("token"),
        path if path.ends_with("/keys") => Some("keys"),
        path if path.starts_with("/recordings/") => Some("recording"),
        _ => is_configuration().then_some("openidConfiguration"),
    }
}

fn refusal(status: u16, retry_after: Option<u64>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text = "The request is refused on demand.";
    let body = json!({"error": "temporarily_unavailable", "error_description": text});
    let mut response = (status, Json(body)).into_response();
    if let Some(seconds) = retry_after {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// An answer as it arrives.
pub(crate) fn on_its_way(parts: Parts, body: Bytes, mischief: Option<&Mischief>) -> Response {
    match mischief {
        Some(Mischief::Reset | Mischief::TimeOut) => broken(parts),
        Some(Mischief::SlowBody { ms }) => {
            Response::from_parts(parts, trickling(body, Duration::from_millis(*ms)))
        }
        _ => Response::from_parts(parts, Body::from(body)),
    }
}

/// A response whose connection breaks before its body ends.
fn broken(mut parts: Parts) -> Response {
    parts.headers.remove(header::CONTENT_LENGTH);
    if parts.status == StatusCode::NO_CONTENT {
        // A status without a body would be complete before it can break.
        parts.status = StatusCode::OK;
    }
    let lost: Result<Bytes, std::io::Error> = Err(std::io::ErrorKind::ConnectionReset.into());
    let body = Body::from_stream(stream::once(std::future::ready(lost)));
    Response::from_parts(parts, body)
}

/// A body that comes in pieces, the last of them at the end of `over`.
fn trickling(body: Bytes, over: Duration) -> Body {
    let size = body.len().div_ceil(PIECES);
    let pause = over / u32::try_from(PIECES).unwrap_or(1);
    let pieces = stream::unfold(body, move |mut rest| async move {
        let piece = rest.split_to(size.min(rest.len()));
        if piece.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        Some((Ok::<_, Infallible>(piece), rest))
    });
    Body::from_stream(pieces)
}

#[cfg(test)]
mod tests {
    use super::operation;

    #[test]
    fn what_is_beside_graph_has_names() {
        for (path, name) in [
            ("/t/oauth2/v2.0/token", Some("token")),
            ("/v1/.well-known/keys", Some("keys")),
            ("/t/discovery/v2.0/keys", Some("keys")),
            (
                "/v1/.well-known/OpenIdConfiguration",
                Some("openidConfiguration"),
            ),
            (
                "/t/v2.0/.well-known/openid-configuration",
                Some("openidConfiguration"),
            ),
            ("/recordings/7", Some("recording")),
            ("/v1.0/communications/calls", None),
        ] {
            assert_eq!(operation(path), name, "{path}");
        }
    }
}

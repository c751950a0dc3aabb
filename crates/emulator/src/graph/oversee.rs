//! What every request to Graph goes through before its handler: the token, the
//! judge, faults, permissions.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use switchboard_signaling::clock;
use uuid::Uuid;

use super::asked::Asked;
use super::refuse::{CLIENT_REQUEST_ID, Ids, refuse, with_ids};
use crate::cloud::Fault;
use crate::faults::Mischief;
use crate::identity::{Access, AccessError};
use crate::shell::Hub;

/// Larger bodies are refused, as by the routes behind.
const MAX_BODY: usize = 256 * 1024;

/// Nothing is looked at before the token is good.
pub(super) async fn authorize(
    State(hub): State<Arc<Hub>>,
    request: Request,
    next: Next,
) -> Response {
    let (ids, access) = admit(&hub, request.headers());
    let response = match access {
        Ok(access) => note(&hub, access, &ids, request, next).await,
        Err(error) => {
            let mut response = refuse(&error.into(), &ids);
            let challenge = HeaderValue::from_static("Bearer realm=\"\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
            response
        }
    };
    with_ids(response, &ids)
}

fn admit(hub: &Hub, headers: &HeaderMap) -> (Ids, Result<Access, AccessError>) {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let client = header(CLIENT_REQUEST_ID).filter(|id| id.len() <= 64);
    let ids = Ids {
        request: Uuid::new_v4().to_string(),
        client: client.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned),
    };
    let authorization = header(header::AUTHORIZATION);
    (ids, hub.identity().check(authorization, hub.wall_clock()))
}

/// Writes request and response into the journal.
async fn note(hub: &Hub, access: Access, ids: &Ids, request: Request, next: Next) -> Response {
    let asked = Asked::read(request.method(), request.uri().path());
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        let message = "The request is too large.";
        let fault = Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLarge", message);
        return refuse(&fault, ids);
    };
    let begun = clock::now();
    let target = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let seq = hub.journal(|journal| {
        let request = (parts.method.as_str(), target, &body[..]);
        journal.asked(hub.now(), &asked.call, &asked.operation, request)
    });
    let request = Request::from_parts(parts, Body::from(body));
    let response = oversee(hub, access, &asked, ids, request, next).await;
    let (parts, body) = response.into_parts();
    let status = parts.status.as_u16();
    match axum::body::to_bytes(body, MAX_BODY).await {
        Ok(body) => {
            hub.journal(|journal| journal.answered(seq, status, clock::now() - begun, &body));
            Response::from_parts(parts, Body::from(body))
        }
        // A fault on demand: the answer breaks, which it is to do for the bot too.
        Err(_) => {
            hub.journal(|journal| journal.answered(seq, status, clock::now() - begun, b""));
            Response::from_parts(parts, breaking())
        }
    }
}

async fn oversee(
    hub: &Hub,
    access: Access,
    asked: &Asked,
    ids: &Ids,
    mut request: Request,
    next: Next,
) -> Response {
    let (operation, call) = (asked.operation.as_str(), asked.call.as_str());
    hub.judge(|judge| judge.asked(&access.app, operation, call, hub.now()));
    let mischief = hub.faults(|faults| faults.strike(operation, call));
    if let Some(Mischief::Status {
        status,
        retry_after,
    }) = mischief
    {
        return fail(hub, &access, asked, ids, status, retry_after);
    }
    let path = request.uri().path();
    if let Some(wait) = hub.limits(|limits| limits.count(&access.app, path, hub.now())) {
        return fail(hub, &access, asked, ids, 429, Some(wait));
    }
    if let Err(fault) = asked.permitted(&access) {
        return refuse(&fault, ids);
    }
    request.extensions_mut().insert(access);
    request.extensions_mut().insert(ids.clone());
    let response = next.run(request).await;
    match mischief {
        Some(Mischief::Reset) => broken(response),
        Some(mischief) => {
            if let Some(delay) = mischief.delay() {
                tokio::time::sleep(delay).await;
            }
            response
        }
        None => response,
    }
}

/// The answer that a fault, or a limit, asks for.
fn fail(
    hub: &Hub,
    access: &Access,
    asked: &Asked,
    ids: &Ids,
    status: u16,
    retry_after: Option<u64>,
) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let code = match status {
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        StatusCode::GATEWAY_TIMEOUT => "GatewayTimeout",
        _ => "UnknownError",
    };
    let message = "The request is refused on demand, or one of too many.";
    let mut response = refuse(&Fault::new(status, code, message), ids);
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
        let until = hub.now() + std::time::Duration::from_secs(seconds);
        hub.judge(|judge| judge.throttled(&access.app, &asked.operation, &asked.call, until));
    }
    response
}

/// A response whose connection breaks before its body ends.
fn broken(response: Response) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    if parts.status == StatusCode::NO_CONTENT {
        // A status without a body would be complete before it can break.
        parts.status = StatusCode::OK;
    }
    Response::from_parts(parts, breaking())
}

/// A body at which the connection breaks.
fn breaking() -> Body {
    let lost: Result<Bytes, std::io::Error> = Err(std::io::ErrorKind::ConnectionReset.into());
    Body::from_stream(futures_util::stream::once(std::future::ready(lost)))
}

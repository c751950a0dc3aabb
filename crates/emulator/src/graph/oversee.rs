//! What every request to Graph goes through before its handler: the token, the
//! judge, faults, permissions.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use switchboard_signaling::clock;
use switchboard_signaling::types::GraphErrorBody;

use super::asked::Asked;
use super::refuse::{CLIENT_REQUEST_ID, Ids, refuse, with_ids};
use super::replay::Replayed;
use crate::cloud::Fault;
use crate::faults::{self, Mischief};
use crate::identity::{Access, AccessError};
use crate::shell::Hub;
use crate::spoil;

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
        Err(error) => turn_away(&hub, error, &ids, request).await,
    };
    with_ids(response, &ids)
}

fn admit(hub: &Hub, headers: &HeaderMap) -> (Ids, Result<Access, AccessError>) {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let client = header(CLIENT_REQUEST_ID).filter(|id| id.len() <= 64);
    let request = hub.new_id();
    let ids = Ids {
        client: client.unwrap_or(&request).to_owned(),
        request,
    };
    let authorization = header(header::AUTHORIZATION);
    (ids, hub.identity().check(authorization, hub.wall_clock()))
}

/// Refuses who has no good token; what was asked is in the journal, by nobody.
async fn turn_away(hub: &Hub, error: AccessError, ids: &Ids, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let (method, uri) = (&head.method, &head.uri);
    let asked = Asked::read(method, uri.path());
    let target = uri.path_and_query().map_or("/", |path| path.as_str());
    let seq = hub.journal(|journal| {
        let request = (method.as_str(), target, &[][..]);
        journal.asked(hub.now(), "", (&asked.call, &asked.operation), request)
    });
    let (mut parts, body) = refuse(&error.into(), ids).into_parts();
    let challenge = HeaderValue::from_static("Bearer realm=\"\"");
    parts.headers.insert(header::WWW_AUTHENTICATE, challenge);
    let status = parts.status;
    let body = axum::body::to_bytes(body, MAX_BODY)
        .await
        .unwrap_or_default();
    hub.journal(|journal| journal.answered(seq, status.as_u16(), Duration::ZERO, &body));
    tell(method, uri.path(), status, &body);
    Response::from_parts(parts, Body::from(body))
}

/// Says on standard error what is wrong with a request: authors look there first. A call that
/// is gone and a request too many happen in good bots' lives, and failures are the emulator's.
fn tell(method: &Method, path: &str, status: StatusCode, body: &[u8]) {
    if !status.is_client_error()
        || matches!(
            status,
            StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS
        )
    {
        return;
    }
    let error = serde_json::from_slice::<GraphErrorBody>(body).ok();
    let error = error.and_then(|body| body.error).unwrap_or_default();
    let (code, message) = (
        error.code.unwrap_or_default(),
        error.message.unwrap_or_default(),
    );
    let target = error.target.unwrap_or_default();
    let status = status.as_u16();
    tracing::warn!(%method, path, status, code, target, "refused a request: {message}");
}

/// Writes request and response into the journal.
async fn note(hub: &Hub, access: Access, ids: &Ids, request: Request, next: Next) -> Response {
    let asked = Asked::read(request.method(), request.uri().path());
    let app = access.app.clone();
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
        journal.asked(hub.now(), &app, (&asked.call, &asked.operation), request)
    });
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let request = Request::from_parts(parts, Body::from(body));
    let (response, mischief) = oversee(hub, access, &asked, ids, request, next).await;
    if let Some(delay) = mischief.as_ref().and_then(Mischief::delay) {
        tokio::time::sleep(delay).await;
    }
    if mischief == Some(Mischief::TimeOut) {
        // Until the client has enough of it, which ends this, or the emulator stops. In the
        // journal the request stays under way.
        hub.stopped().await;
    }
    let (parts, body) = response.into_parts();
    let status = parts.status.as_u16();
    // Answers are never as large as that.
    let body = axum::body::to_bytes(body, usize::MAX).await;
    let body = body.unwrap_or_default();
    hub.journal(|journal| journal.answered(seq, status, clock::now() - begun, &body));
    tell(&method, &path, parts.status, &body);
    spoil::on_its_way(parts, body, mischief.as_ref())
}

/// Judges a request and has it carried out; what the answer is to suffer on its way comes
/// with it.
async fn oversee(
    hub: &Hub,
    access: Access,
    asked: &Asked,
    ids: &Ids,
    request: Request,
    next: Next,
) -> (Response, Option<Mischief>) {
    if request.extensions().get::<Replayed>().is_some() {
        // Not the bot's own.
        return carry_out(hub, access, asked, ids, request, next).await;
    }
    let (app, begun) = (access.app.clone(), hub.now());
    let (operation, call) = (asked.operation.as_str(), asked.call.as_str());
    hub.judge(|judge| judge.asked(&app, operation, call, begun));
    let (response, mischief) = carry_out(hub, access, asked, ids, request, next).await;
    if response.status().is_success() {
        debug_assert!(faults::exists(operation), "no rule can mean {operation}");
        hub.judge(|judge| judge.succeeded(operation, call, begun));
    }
    if let Some(wait) = retry_after(&response) {
        hub.judge(|judge| judge.throttled(&app, (operation, call), hub.now(), wait));
    }
    (response, mischief)
}

async fn carry_out(
    hub: &Hub,
    access: Access,
    asked: &Asked,
    ids: &Ids,
    mut request: Request,
    next: Next,
) -> (Response, Option<Mischief>) {
    let (operation, call) = (asked.operation.as_str(), asked.call.as_str());
    let mischief = hub.faults(|faults| faults.strike(operation, call));
    if let Some(Mischief::Status {
        status,
        retry_after,
    }) = mischief
    {
        let why = "A rule for faults refuses the request.";
        return (refuse(&failure(status, retry_after, why), ids), None);
    }
    if let Err(fault) = allowed(hub, &access, asked, request.uri().path()) {
        return (refuse(&fault, ids), None);
    }
    request.extensions_mut().insert(access);
    request.extensions_mut().insert(ids.clone());
    (next.run(request).await, mischief)
}

/// Holds a request against limits and permissions, unless the emulator is lenient.
fn allowed(hub: &Hub, access: &Access, asked: &Asked, path: &str) -> Result<(), Fault> {
    if hub.is_lenient() {
        return Ok(());
    }
    if let Some(wait) = hub.limits(|limits| limits.count(&access.app, path, hub.now())) {
        let why = "There are too many requests of this application.";
        return Err(failure(429, Some(wait), why));
    }
    asked.permitted(access)
}

/// The refusal that a fault, or a limit, asks for.
fn failure(status: u16, retry_after: Option<u64>, why: &str) -> Fault {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let code = match status {
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        StatusCode::GATEWAY_TIMEOUT => "GatewayTimeout",
        _ => "UnknownError",
    };
    Fault {
        retry_after,
        ..Fault::new(status, code, why)
    }
}

/// How long a refusal tells the client to wait.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?;
    let seconds = seconds.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::Method;
    use switchboard_media::engine::{Engine, EngineConfig};
    use switchboard_transport::{Transport, TransportConfig};

    use super::*;
    use crate::{Emulator, EmulatorConfig};

    /// The status of a request without permission, and of one too many that has it.
    async fn refusals(lenient: bool) -> [Option<u16>; 2] {
        let engine = Engine::start(EngineConfig::default()).unwrap();
        let transport = Transport::new(engine, TransportConfig::default());
        let mut config = EmulatorConfig::new("127.0.0.1:0".parse().unwrap(), transport);
        config.lenient = lenient;
        let emulator = Emulator::start(config).await.unwrap();
        let hub = emulator.hub();
        let path = "/v1.0/users/u/presence";
        let asked = Asked::read(&Method::GET, path);
        let ask = |role: &str| {
            let access = Access {
                app: "app".to_owned(),
                roles: vec![role.to_owned()],
            };
            let refused = allowed(hub, &access, &asked, path).err();
            refused.map(|fault| fault.status.as_u16())
        };
        let without = ask("Calls.Initiate.All");
        let now = hub.now();
        for _ in 0..1_500 {
            hub.limits(|limits| limits.count("app", path, now));
        }
        [without, ask("Presence.Read.All")]
    }

    #[tokio::test]
    async fn permissions_and_rates_hold_unless_the_emulator_is_lenient() {
        assert_eq!(refusals(false).await, [Some(403), Some(429)]);
        assert_eq!(refusals(true).await, [None, None]);
    }
}

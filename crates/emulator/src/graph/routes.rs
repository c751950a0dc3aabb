//! `/v1.0/communications/calls…`, and `/v1.0/app/calls…`, its former name.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Json, Router};
use serde::de::DeserializeOwned;
use serde_json::Value;
use switchboard_signaling::types::Call;
use uuid::Uuid;

use super::refuse::{CLIENT_REQUEST_ID, Ids, refuse, with_ids};
use crate::cloud::{Fault, Operation, Reply};
use crate::identity::{Access, AccessError};
use crate::shell::Hub;

/// Graph's requests for calls are far smaller.
const MAX_BODY: usize = 256 * 1024;

/// Graph's calling operations; whatever else is asked for below `/v1.0` is unknown
/// in Graph's words.
pub(crate) fn router(hub: &Arc<Hub>) -> Router<Arc<Hub>> {
    let calls = Router::new()
        .route("/", post(create))
        .route("/{call}", get(read).delete(hang_up))
        .route("/{call}/operations/{operation}", get(read_operation))
        .route("/{call}/{action}", post(act))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed);
    Router::new()
        .nest("/v1.0/communications/calls", calls.clone())
        .nest("/v1.0/app/calls", calls)
        .route("/v1.0/{*rest}", any(unknown))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(hub), authorize))
}

/// Nothing is looked at before the token is good.
async fn authorize(State(hub): State<Arc<Hub>>, mut request: Request, next: Next) -> Response {
    let (ids, access) = admit(&hub, request.headers());
    let response = match access {
        Ok(access) => {
            request.extensions_mut().insert(access);
            request.extensions_mut().insert(ids.clone());
            next.run(request).await
        }
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

async fn unknown(Extension(ids): Extension<Ids>, request: Request) -> Response {
    let segment = request.uri().path().rsplit('/').next().unwrap_or_default();
    let segment: String = segment.chars().take(64).collect();
    let message = format!("Resource not found for the segment '{segment}'.");
    refuse(
        &Fault::new(StatusCode::BAD_REQUEST, "BadRequest", message),
        &ids,
    )
}

async fn not_allowed(Extension(ids): Extension<Ids>, method: Method) -> Response {
    let message = format!("The method {method} is not supported on this resource.");
    let fault = Fault::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
    refuse(&fault, &ids)
}

async fn create(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let created = json::<Call>(&headers, body)
        .and_then(|call| hub.apply(|cloud, now| cloud.create(&access.app, call, now)));
    reply(&hub, "", created, &ids)
}

async fn read(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path(call): Path<String>,
) -> Response {
    operate(&hub, &access, &ids, &call, Ok(Operation::Get))
}

async fn hang_up(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path(call): Path<String>,
) -> Response {
    operate(&hub, &access, &ids, &call, Ok(Operation::Delete))
}

async fn read_operation(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path((call, operation)): Path<(String, String)>,
) -> Response {
    operate(
        &hub,
        &access,
        &ids,
        &call,
        Ok(Operation::Progress(operation)),
    )
}

async fn act(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path((call, action)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let operation = parse_action(&action, &headers, body);
    operate(&hub, &access, &ids, &call, operation)
}

fn operate(
    hub: &Arc<Hub>,
    access: &Access,
    ids: &Ids,
    call: &str,
    operation: Result<Operation, Fault>,
) -> Response {
    let done = operation.and_then(|operation| {
        hub.apply(|cloud, now| cloud.operate(&access.app, call, operation, now))
    });
    reply(hub, call, done, ids)
}

/// An action with its body. Names may be qualified, as OData allows.
fn parse_action(
    action: &str,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Operation, Fault> {
    let action = action.strip_prefix("microsoft.graph.").unwrap_or(action);
    Ok(match action {
        "answer" => Operation::Answer(json(headers, body)?),
        "reject" => Operation::Reject(json(headers, body)?),
        "redirect" => Operation::Redirect(json(headers, body)?),
        "transfer" => Operation::Transfer(json(headers, body)?),
        "keepAlive" => Operation::KeepAlive,
        "mute" => Operation::Mute(optional(headers, body)?),
        "unmute" => Operation::Unmute(optional(headers, body)?),
        "playPrompt" => Operation::PlayPrompt(json(headers, body)?),
        "subscribeToTone" => Operation::SubscribeToTone(optional(headers, body)?),
        other => {
            let other: String = other.chars().take(64).collect();
            let message = format!("Resource not found for the segment '{other}'.");
            return Err(Fault::new(StatusCode::BAD_REQUEST, "BadRequest", message));
        }
    })
}

/// A body that may be left out.
fn optional<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Fault> {
    match body {
        Ok(body) if body.is_empty() => Ok(T::default()),
        body => json(headers, body),
    }
}

fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Fault> {
    let body = body.map_err(|rejection| {
        let message = "The request's body is larger than 256 KiB or was cut short.";
        Fault::new(rejection.status(), "RequestEntityTooLarge", message)
    })?;
    let unreadable = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.";
    let bad = |message: String| Fault::new(StatusCode::BAD_REQUEST, "BadRequest", message);
    if !is_json(headers) {
        return Err(bad(unreadable.to_owned()));
    }
    let value: Value = serde_json::from_slice(&body).map_err(|_| bad(unreadable.to_owned()))?;
    if !value.is_object() {
        return Err(bad(unreadable.to_owned()));
    }
    // serde's own text may quote the value, which may hold a media token.
    T::deserialize(value)
        .map_err(|_| bad("A property of the request has the wrong type.".to_owned()))
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = value.and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

fn reply(hub: &Hub, call: &str, reply: Result<Reply, Fault>, ids: &Ids) -> Response {
    let calls = "v1.0/communications/calls";
    match reply {
        Ok(Reply::Accepted) => StatusCode::ACCEPTED.into_response(),
        Ok(Reply::NoContent) => StatusCode::NO_CONTENT.into_response(),
        Ok(Reply::Done) => StatusCode::OK.into_response(),
        Ok(Reply::Call(call)) => Json(call).into_response(),
        Ok(Reply::Created(call)) => {
            let id = call.id.as_deref().unwrap_or_default();
            let location = hub.address(&format!("{calls}/{id}"));
            (
                StatusCode::CREATED,
                [(header::LOCATION, location)],
                Json(call),
            )
                .into_response()
        }
        Ok(Reply::Operation(operation)) => {
            let id = operation.id.as_deref().unwrap_or_default();
            let location = hub.address(&format!("{calls}/{call}/operations/{id}"));
            ([(header::LOCATION, location)], Json(operation)).into_response()
        }
        Err(fault) => refuse(&fault, ids),
    }
}

//! Graph's error body (Microsoft Graph error responses).

use axum::Json;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use switchboard_signaling::types::{GraphErrorBody, InnerError};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::cloud::Fault;
use crate::identity::AccessError;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
pub(super) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// The ids that every response carries.
#[derive(Clone)]
pub(super) struct Ids {
    pub(super) request: String,
    pub(super) client: String,
}

impl From<AccessError> for Fault {
    fn from(error: AccessError) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "InvalidAuthenticationToken",
            error.to_string(),
        )
    }
}

/// A refusal as a response.
pub(super) fn refuse(fault: &Fault, ids: &Ids) -> Response {
    let mut body = GraphErrorBody::new(fault.code, &fault.message);
    if let Some(detail) = &mut body.error {
        detail.target.clone_from(&fault.target);
        detail.inner_error = Some(InnerError {
            date: Some(date()),
            request_id: Some(ids.request.clone()),
            client_request_id: Some(ids.client.clone()),
            ..InnerError::default()
        });
    }
    let mut response = (fault.status, Json(body)).into_response();
    if let Some(seconds) = fault.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

pub(super) fn bad(message: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "BadRequest", message)
}

/// The refusal of a path that leads nowhere.
pub(super) fn no_segment(segment: &str) -> Fault {
    let segment: String = segment.chars().take(64).collect();
    bad(format!("Resource not found for the segment '{segment}'."))
}

pub(super) fn no_method(method: &Method) -> Fault {
    let message = format!("The method {method} is not supported on this resource.");
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
}

/// Puts the ids on any response.
pub(super) fn with_ids(mut response: Response, ids: &Ids) -> Response {
    let headers = response.headers_mut();
    for (name, id) in [(REQUEST_ID, &ids.request), (CLIENT_REQUEST_ID, &ids.client)] {
        if let Ok(value) = HeaderValue::from_str(id) {
            headers.insert(name, value);
        }
    }
    response
}

fn date() -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    OffsetDateTime::now_utc()
        .format(&format)
        .unwrap_or_default()
}

//! Errors as RFC 9457 has them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use switchboard_reminders::draft::FieldError;
use switchboard_reminders::import::CellError;
use switchboard_store::StoreError;
use utoipa::ToSchema;

use super::tokens::Refused;

/// What went wrong (RFC 9457, `application/problem+json`).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// The status's name.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What to do about it.
    detail: String,
    /// All that is wrong with the request, if it is the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Wrong>,
    /// What `WWW-Authenticate` says (RFC 6750 §3).
    #[serde(skip)]
    #[schema(ignore)]
    challenge: Option<&'static str>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Wrong {
    /// The line of the file, from 1; the header's.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// The field, or the file's column; empty if it is the whole.
    field: String,
    /// What is wrong, and what would be right.
    problem: String,
}

impl From<FieldError> for Wrong {
    fn from(error: FieldError) -> Self {
        Self {
            line: None,
            field: error.field,
            problem: error.problem,
        }
    }
}

impl From<CellError> for Wrong {
    fn from(error: CellError) -> Self {
        Self {
            line: Some(error.line),
            field: error.column,
            problem: error.problem,
        }
    }
}

impl Problem {
    /// A problem without a list of errors.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            challenge: (status == StatusCode::UNAUTHORIZED).then_some("Bearer"),
        }
    }

    /// `403`: who asks is known, and may not.
    pub(crate) fn role(detail: impl Into<String>) -> Self {
        Self {
            challenge: Some("Bearer error=\"insufficient_scope\""),
            ..Self::new(StatusCode::FORBIDDEN, detail)
        }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// `422`, with all that is wrong.
    pub(crate) fn wrong(detail: &str, errors: Vec<Wrong>) -> Self {
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::NotFound(_) => StatusCode::NOT_FOUND,
            StoreError::Refused(_) => StatusCode::CONFLICT,
            StoreError::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            _ if error.is_temporary() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            // Where the database is, and what is in it, is not for clients.
            tracing::error!(%error, "the API can't do its work");
            let detail = "the database doesn't take this now; nothing was changed";
            return Self::new(status, detail);
        }
        Self::new(status, error.to_string())
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let detail = refused.to_string();
        match refused {
            Refused::NotAccepted => Self {
                challenge: Some("Bearer error=\"invalid_token\""),
                ..Self::new(StatusCode::UNAUTHORIZED, detail)
            },
            Refused::NoRole => Self::role(detail),
            Refused::Unavailable => Self::new(StatusCode::SERVICE_UNAVAILABLE, detail),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let challenge = self.challenge;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        let problem = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, problem);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

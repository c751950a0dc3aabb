//! The identity services' endpoints.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use switchboard_signaling::clock;
use time::OffsetDateTime;
use time::macros::format_description;

use super::tokens::{ACCESS_LIFETIME, Denial};
use crate::shell::Hub;

/// Token requests are short.
const MAX_FORM: usize = 16 * 1024;

/// `/{tenant}/…` as Entra has it, `/v1/.well-known/OpenIdConfiguration` as the Bot
/// Framework channel's issuer has it.
pub(crate) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            get(tenant_configuration),
        )
        .route("/{tenant}/discovery/v2.0/keys", get(keys))
        .route("/v1/.well-known/OpenIdConfiguration", get(configuration))
        .route("/v1/.well-known/keys", get(keys))
        .layer(DefaultBodyLimit::max(MAX_FORM))
}

async fn configuration(State(hub): State<Arc<Hub>>) -> Json<Value> {
    Json(json!({
        "issuer": "https://api.botframework.com",
        "jwks_uri": hub.address("v1/.well-known/keys"),
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    }))
}

async fn tenant_configuration(
    State(hub): State<Arc<Hub>>,
    Path(tenant): Path<String>,
) -> Json<Value> {
    let address = |path: &str| hub.address(&format!("{tenant}/{path}"));
    Json(json!({
        "issuer": format!("https://login.microsoftonline.com/{tenant}/v2.0"),
        "authorization_endpoint": address("oauth2/v2.0/authorize"),
        "token_endpoint": address("oauth2/v2.0/token"),
        "jwks_uri": address("discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn keys(State(hub): State<Arc<Hub>>) -> Json<Value> {
    Json(hub.identity().jwks())
}

/// RFC 6749 §4.4, with Entra's errors.
async fn token(
    State(hub): State<Arc<Hub>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let begun = clock::now();
    let granted = grant(&hub, &tenant, &headers, &body);
    note(&hub, &tenant, granted.as_ref().err(), begun);
    let mut response = match granted {
        Ok(token) => Json(json!({
            "token_type": "Bearer",
            "expires_in": ACCESS_LIFETIME.as_secs(),
            "ext_expires_in": ACCESS_LIFETIME.as_secs(),
            "access_token": token,
        }))
        .into_response(),
        Err(refusal) => refusal.into_response(),
    };
    let no_store = header::HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}

/// Writes a request for a token into the journal, without its body: that has the secret.
fn note(hub: &Hub, tenant: &str, refusal: Option<&Refusal>, begun: Instant) {
    let path = format!("/{}/oauth2/v2.0/token", shown(tenant));
    let (status, body) = match refusal {
        Some(refusal) => {
            let (status, code) = (refusal.status.as_u16(), refusal.code);
            tracing::warn!(
                path,
                status,
                "refused a token: AADSTS{code}: {}",
                refusal.description
            );
            let body = json!({"error": refusal.error, "error_codes": [code],
                "error_description": refusal.description});
            (status, body.to_string())
        }
        None => (StatusCode::OK.as_u16(), String::new()),
    };
    hub.journal(|journal| {
        let seq = journal.asked(hub.now(), "", ("", "token"), ("POST", &path, &[]));
        journal.answered(seq, status, clock::now() - begun, body.as_bytes());
    });
}

fn grant(hub: &Hub, tenant: &str, headers: &HeaderMap, body: &str) -> Result<String, Refusal> {
    let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    let field = |name: &str| {
        form.get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    };
    let missing = |name: &str| Refusal::missing(name);
    match field("grant_type").ok_or_else(|| missing("grant_type"))? {
        "client_credentials" => {}
        _ => return Err(Refusal::grant_type()),
    }
    let basic = basic(headers);
    let (id, secret) = match &basic {
        Some((id, secret)) => (Some(id.as_str()), Some(secret.as_str())),
        None => (field("client_id"), field("client_secret")),
    };
    let id = id.ok_or_else(|| missing("client_id"))?;
    let secret = secret.ok_or_else(Refusal::no_secret)?;
    let scope = field("scope").ok_or_else(|| missing("scope"))?;
    hub.identity()
        .grant(tenant, id, secret, scope, hub.wall_clock())
        .map_err(|denial| Refusal::denied(denial, tenant, id))
}

/// Credentials in the header (RFC 6749 §2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let encoded = value.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        let pairs = format!("v={text}");
        let mut pairs = url::form_urlencoded::parse(pairs.as_bytes());
        pairs.next().map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}

/// An error as Entra words it.
struct Refusal {
    status: StatusCode,
    error: &'static str,
    code: u32,
    description: String,
}

impl Refusal {
    fn new(status: StatusCode, error: &'static str, code: u32, description: String) -> Self {
        Self {
            status,
            error,
            code,
            description,
        }
    }

    fn bad(error: &'static str, code: u32, description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, code, description.into())
    }

    fn missing(name: &str) -> Self {
        let text = format!("The request body must contain the following parameter: '{name}'.");
        Self::bad("invalid_request", 900_144, text)
    }

    fn grant_type() -> Self {
        let text =
            "The app requested an unsupported grant type; only client_credentials is emulated.";
        Self::bad("unsupported_grant_type", 70_003, text)
    }

    fn no_secret() -> Self {
        let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        let status = StatusCode::UNAUTHORIZED;
        Self::new(status, "invalid_client", 7_000_218, text.to_owned())
    }

    fn denied(denial: Denial, tenant: &str, app: &str) -> Self {
        let (tenant, app) = (shown(tenant), shown(app));
        match denial {
            Denial::UnknownTenant => Self::bad(
                "invalid_request",
                90_002,
                format!(
                    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
                ),
            ),
            Denial::UnknownApp => Self::bad(
                "unauthorized_client",
                700_016,
                format!(
                    "Application with identifier '{app}' was not found in the directory '{tenant}'."
                ),
            ),
            Denial::WrongSecret => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                7_000_215,
                format!("Invalid client secret provided for app '{app}'."),
            ),
            Denial::WrongScope => Self::bad(
                "invalid_scope",
                1_002_012,
                "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier, here https://graph.microsoft.com/.default.",
            ),
            Denial::Signing => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                90_033,
                "A transient error has occurred. Please try again.".to_owned(),
            ),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (trace, correlation) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        let timestamp = timestamp(SystemTime::now());
        let description = format!(
            "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}",
            self.code, self.description
        );
        let body = json!({
            "error": self.error,
            "error_description": description,
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace.to_string(),
            "correlation_id": correlation.to_string(),
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        });
        (self.status, Json(body)).into_response()
    }
}

fn timestamp(now: SystemTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    OffsetDateTime::from(now)
        .format(&format)
        .unwrap_or_default()
}

/// A text from outside, fit for an error.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

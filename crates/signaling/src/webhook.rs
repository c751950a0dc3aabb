//! The webhook: what Graph posts to the callback address, believed only with a valid token.
//!
//! - [`Reception`]: the core without IO: body and token in, answer and notifications out;
//! - [`Sink`]: where notifications go, in the order they came and without waiting;
//! - [`Webhook`]: the axum handler around them;
//! - [`serve`]: a server that slow and greedy senders can't hold up.
//!
//! | Answer | When |
//! |---|---|
//! | 202 | notifications taken; also duplicates, empty bodies and unknown types |
//! | 204 | the former Skype format; Graph sends the notification again in its own |
//! | 400 | the body can't be read; the answer says where |
//! | 401 | the token wasn't accepted; the text is always the same |
//! | 408 | the body didn't come in time |
//! | 413 | the body is longer than 256 KiB |
//! | 503 | the sink is full; nothing of the body was taken |
//!
//! The token is checked before the body is read. The content type doesn't matter. A connection
//! that brought a key ends with the answer, so that no buffer keeps it.
//!
//! ```no_run
//! use switchboard_signaling::auth::{
//!     Authenticator, DEFAULT_OPENID_CONFIGURATION, KeySource, TokenPolicy, TokenValidator,
//! };
//! use switchboard_signaling::notification::Notification;
//! use switchboard_signaling::webhook::Webhook;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = TokenPolicy::new("0efc74f7-41c3-47a4-8775-7259bfef4241")?;
//! let authenticator = Authenticator::new(TokenValidator::new(policy), KeySource::new(DEFAULT_OPENID_CONFIGURATION)?);
//! let (sink, notifications) = tokio::sync::mpsc::channel::<Notification>(4_096);
//! let webhook = Webhook::new(authenticator, sink);
//! let app: axum::Router = webhook.router("/api/calls");
//! # drop((app, notifications));
//! # Ok(())
//! # }
//! ```

mod reception;
mod replay;
mod server;
mod sink;
mod stats;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};

use crate::auth::{AuthError, Authenticator, PUBLIC_REFUSAL};
use crate::clock;
use crate::notification::{MAX_BODY_BYTES, ParseError};
use crate::types::GraphErrorBody;

pub use reception::{Answer, Reception};
pub use replay::ReplayGuard;
pub use server::{ServerLimits, serve};
pub use sink::{Sink, SinkFull};
pub use stats::{WebhookCounters, WebhookStats};

/// The header that names a notification; a repeated delivery has the same.
pub const MESSAGE_ID: &str = "x-microsoft-skype-message-id";

/// How long a body may take, from the end of its headers to its last byte.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// [`Webhook::new`] and [`Webhook::router`] in one, for who doesn't ask for the counters.
pub fn router(path: &str, authenticator: Authenticator, sink: impl Sink) -> Router {
    Webhook::new(authenticator, sink).router(path)
}

/// The webhook. Clones share counters and memory.
#[derive(Clone)]
pub struct Webhook {
    inner: Arc<Inner>,
}

struct Inner {
    authenticator: Authenticator,
    reception: Reception,
}

impl Webhook {
    /// A webhook that believes whom `authenticator` believes and hands notifications to `sink`.
    pub fn new(authenticator: Authenticator, sink: impl Sink) -> Self {
        Self {
            inner: Arc::new(Inner {
                authenticator,
                reception: Reception::new(sink),
            }),
        }
    }

    /// The webhook under `path`, for `POST` only.
    pub fn router(&self, path: &str) -> Router {
        Router::new()
            .route(path, post(receive))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(self.clone())
    }

    /// What came so far.
    pub fn stats(&self) -> WebhookStats {
        self.inner.reception.stats()
    }

    /// The same for whoever outlives the webhook, or must not keep its sink.
    pub fn counters(&self) -> WebhookCounters {
        self.inner.reception.counters()
    }
}

async fn receive(State(webhook): State<Webhook>, request: Request) -> Response {
    let Inner {
        authenticator,
        reception,
    } = &*webhook.inner;
    let authorization = only(request.headers(), AUTHORIZATION.as_str());
    let token = match authenticator.authenticate(authorization).await {
        Ok(token) => token,
        Err(error) => return refuse(reception.count_unauthorized(), error),
    };
    let message_id = only(request.headers(), MESSAGE_ID).map(str::to_owned);
    let body = match read(request).await {
        Ok(body) => body,
        Err(Unread::TooLarge) => return answer(&reception.count_oversized()),
        Err(Unread::TooSlow) => return plain(StatusCode::REQUEST_TIMEOUT),
        Err(Unread::Broken) => return plain(StatusCode::BAD_REQUEST),
    };
    let now = clock::wall();
    let answer = answer(&reception.receive(now, &token, message_id.as_deref(), &body));
    match tells_a_key(&body) {
        true => ([(CONNECTION, "close")], answer).into_response(),
        false => answer,
    }
}

/// Whether a body may hold a key that was pressed. hyper keeps what it has read until the
/// connection ends or something else is read over it; so the connection ends.
fn tells_a_key(body: &[u8]) -> bool {
    const NAME: &[u8] = b"toneInfo";
    body.windows(NAME.len()).any(|part| part == NAME)
}

enum Unread {
    TooLarge,
    TooSlow,
    Broken,
}

async fn read(request: Request) -> Result<Bytes, Unread> {
    let declared = only(request.headers(), CONTENT_LENGTH.as_str());
    let declared = declared.and_then(|length| length.parse::<u64>().ok());
    if declared.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(Unread::TooLarge);
    }
    match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Unread::TooLarge),
        Ok(Err(_)) => Err(Unread::Broken),
        Err(_) => Err(Unread::TooSlow),
    }
}

/// The value of a header that is there once. Of two, an intermediary may have read the other.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Every refusal can be caused from outside, so the log sees the 1st, 2nd, 4th, 8th … of them.
fn refuse(count: u64, error: AuthError) -> Response {
    if count.is_power_of_two() {
        tracing::warn!(%error, count, "refused a notification");
    } else {
        tracing::debug!(%error, count, "refused a notification");
    }
    let body = GraphErrorBody::new("Unauthorized", PUBLIC_REFUSAL);
    let challenge = [(WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge, axum::Json(body)).into_response()
}

fn answer(answer: &Answer) -> Response {
    match answer {
        Answer::Accepted | Answer::Legacy => plain(answer.status()),
        Answer::Malformed(error) => {
            tracing::warn!(%error, "a notification can't be read");
            with_error(answer.status(), code(error), &error.to_string())
        }
        Answer::Busy => {
            tracing::warn!("no room for notifications, Graph is to send them again");
            let busy = with_error(answer.status(), "ServiceUnavailable", "try again shortly");
            ([(RETRY_AFTER, "1")], busy).into_response()
        }
    }
}

fn code(error: &ParseError) -> &'static str {
    match error {
        ParseError::TooLarge => "RequestEntityTooLarge",
        _ => "BadRequest",
    }
}

fn with_error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, axum::Json(GraphErrorBody::new(code, message))).into_response()
}

fn plain(status: StatusCode) -> Response {
    status.into_response()
}

#[cfg(test)]
#[path = "webhook/tests.rs"]
mod tests;

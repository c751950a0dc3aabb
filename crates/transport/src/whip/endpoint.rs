//! The side that answers offers: an axum router and its table of reservations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;
use url::Url;
use uuid::Uuid;

use super::{MediaBlob, SDP_MEDIA_TYPE};
use crate::sdp::MAX_BYTES;
use crate::{Session, SessionCloser, Transport, TransportError};

/// Answers WHIP offers for the calls that were reserved.
#[derive(Clone)]
pub struct WhipEndpoint {
    shared: Arc<Shared>,
}

struct Shared {
    transport: Transport,
    base: Url,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    waiting: HashMap<Uuid, Waiting>,
    live: HashMap<Uuid, Live>,
}

struct Waiting {
    token: SecretString,
    session: oneshot::Sender<Session>,
}

struct Live {
    token: SecretString,
    closer: SessionCloser,
}

/// A place kept for one offer. Dropping it withdraws the place.
pub struct Reservation {
    blob: MediaBlob,
    id: Uuid,
    shared: Arc<Shared>,
    session: oneshot::Receiver<Session>,
}

impl Reservation {
    /// What the other side needs to come in.
    pub fn blob(&self) -> &MediaBlob {
        &self.blob
    }

    /// Waits for the offer and returns its session. Cancel-safe.
    ///
    /// `None` when the endpoint is gone.
    pub async fn session(&mut self) -> Option<Session> {
        (&mut self.session).await.ok()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.table().waiting.remove(&self.id);
    }
}

impl Shared {
    /// The lock is held for single map operations; a poisoned one is still whole.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WhipEndpoint {
    /// An endpoint that is reachable below `base` (scheme, host, port).
    pub fn new(transport: Transport, base: Url) -> Self {
        Self {
            shared: Arc::new(Shared {
                transport,
                base,
                table: Mutex::default(),
            }),
        }
    }

    /// Keeps a place for one offer.
    pub fn reserve(&self) -> Reservation {
        let (sender, session) = oneshot::channel();
        let id = Uuid::new_v4();
        let token = SecretString::from(format!(
            "{}{}",
            Uuid::new_v4().simple(),
            Uuid::new_v4().simple()
        ));
        let mut endpoint = self.shared.base.clone();
        endpoint.set_path(&format!("/media/{}", id.simple()));
        self.shared.table().waiting.insert(
            id,
            Waiting {
                token: token.clone(),
                session: sender,
            },
        );
        Reservation {
            blob: MediaBlob { endpoint, token },
            id,
            shared: Arc::clone(&self.shared),
            session,
        }
    }

    /// How many sessions are live.
    pub fn live_sessions(&self) -> usize {
        self.shared.table().live.len()
    }

    /// `POST /media/{reservation}` and `DELETE /media/session/{session}`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/media/{reservation}", post(offer))
            .route("/media/session/{session}", delete(end))
            .layer(DefaultBodyLimit::max(MAX_BYTES))
            .with_state(Arc::clone(&self.shared))
    }
}

async fn offer(
    State(shared): State<Arc<Shared>>,
    Path(reservation): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match answer_offer(&shared, &reservation, &headers, &body).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer_offer(
    shared: &Arc<Shared>,
    reservation: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Refusal> {
    let id = Uuid::try_parse(reservation).map_err(|_| Refusal::UnknownReservation)?;
    let presented = bearer(headers).ok_or(Refusal::Unauthorized)?;
    check_token(shared.table().waiting.get(&id).map(|w| &w.token), presented)
        .map_err(|()| Refusal::UnknownReservation)?;
    if content_type(headers) != Some(SDP_MEDIA_TYPE) {
        return Err(Refusal::MediaType);
    }
    let offer = std::str::from_utf8(body).map_err(|_| Refusal::NotText)?;
    let (session, answer) = shared
        .transport
        .answer(offer)
        .await
        .map_err(Refusal::Transport)?;
    // Only now is the token spent: a garbled offer may be sent again.
    let waiting = shared
        .table()
        .waiting
        .remove(&id)
        .ok_or(Refusal::UnknownReservation)?;
    let session_id = Uuid::new_v4();
    register(shared, session_id, waiting.token, session.closer());
    if waiting.session.send(session).is_err() {
        // The bot gave up meanwhile; the session it never took is closed by its drop.
        return Err(Refusal::UnknownReservation);
    }
    created(session_id, answer)
}

/// Lists a session until it has ended, however that comes about.
fn register(shared: &Arc<Shared>, id: Uuid, token: SecretString, closer: SessionCloser) {
    let ended = closer.clone();
    shared.table().live.insert(id, Live { token, closer });
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        ended.closed().await;
        shared.table().live.remove(&id);
    });
}

fn created(session: Uuid, answer: String) -> Result<Response, Refusal> {
    let location = format!("/media/session/{}", session.simple());
    let location = HeaderValue::try_from(location).map_err(|_| Refusal::UnknownReservation)?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(SDP_MEDIA_TYPE),
        ),
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::CREATED, headers, answer).into_response())
}

async fn end(
    State(shared): State<Arc<Shared>>,
    Path(session): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(presented) = bearer(&headers) else {
        return Refusal::Unauthorized.into_response();
    };
    let closer = Uuid::try_parse(&session).ok().and_then(|id| {
        let table = shared.table();
        let live = table.live.get(&id)?;
        check_token(Some(&live.token), presented).ok()?;
        Some(live.closer.clone())
    });
    match closer {
        Some(closer) => {
            closer.close();
            StatusCode::OK.into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

fn check_token(expected: Option<&SecretString>, presented: &str) -> Result<(), ()> {
    let expected = expected.ok_or(())?.expose_secret();
    verify_slices_are_equal(expected.as_bytes(), presented.as_bytes()).map_err(|_| ())
}

/// A refusal whose text is safe for the other side.
enum Refusal {
    Unauthorized,
    /// Unknown, spent and wrong-token reservations look the same from outside.
    UnknownReservation,
    MediaType,
    NotText,
    Transport(TransportError),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "a bearer token is needed (RFC 9725 §4.2)".to_owned(),
            ),
            Self::UnknownReservation => (
                StatusCode::NOT_FOUND,
                "no call waits here with this token; tokens are good for one offer".to_owned(),
            ),
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("send the offer as {SDP_MEDIA_TYPE}"),
            ),
            Self::NotText => (StatusCode::BAD_REQUEST, "the offer is not UTF-8".to_owned()),
            Self::Transport(error) if error.is_remote_fault() => {
                (StatusCode::BAD_REQUEST, error.to_string())
            }
            Self::Transport(error) => {
                tracing::error!(%error, "an offer could not be answered");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "media can't be set up right now; try again".to_owned(),
                )
            }
        };
        (status, text).into_response()
    }
}

//! `/livez` and `/readyz`, for whoever starts and stops bots.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use super::Shared;

/// `/livez` answers while the process does; `/readyz` while it takes new calls, `503`
/// otherwise. Behind that it says how the bot stands.
pub(super) fn router(shared: &Arc<Shared>, standing: &str) -> Router {
    let shared = Arc::clone(shared);
    let standing: Arc<str> = standing.into();
    let ready = move || async move {
        match shared.is_stopping() {
            true => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("draining\n{standing}\n"),
            ),
            false => (StatusCode::OK, format!("ready\n{standing}\n")),
        }
    };
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
}

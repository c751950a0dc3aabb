//! The REST API: reminders in, reminders out; the calls that go on; rooms; how the service
//! stands.
//!
//! Every answer but a success is a problem (RFC 9457). Who asks shows a key
//! (`Authorization: Bearer`), of which only a hash is kept ([`keys`]), or an access token
//! of an OpenID provider ([`tokens`]). A request with an `Idempotency-Key` may be sent
//! again as often as needed. When the database is locked, full or gone the answer is
//! `503`, and nothing is half-written.
//!
//! The description, OpenAPI 3.1, is made of the handlers themselves ([`description`]).

mod again;
mod calls;
mod health;
pub mod keys;
mod metrics;
mod model;
mod paging;
mod problem;
mod reminders;
mod request;
mod rooms;
pub mod tokens;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use switchboard_reminders::draft::Defaults;
use switchboard_store::Store;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Info, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::Clock;
use crate::switch::Switch;
pub use again::Requests;
pub use problem::Problem;
pub use request::Access;
use request::Guarded;
pub use rooms::RoomParts;

/// Bytes of a CSV file at most.
const MAX_CSV: usize = 8 * 1024 * 1024;

/// What the API needs.
pub struct Parts {
    /// Where reminders are kept.
    pub store: Store,
    /// Who may ask.
    pub access: Arc<Access>,
    /// What counts where a reminder says nothing; `None` if nobody calls reminders.
    pub defaults: Option<Defaults>,
    /// Who has the calls.
    pub switch: Arc<dyn Switch>,
    /// This instance's name.
    pub instance: String,
    /// What the kernel forbids it, in words.
    pub sandbox: String,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

type Shared = Arc<Parts>;

impl Guarded for Parts {
    fn access(&self) -> &Access {
        &self.access
    }
}

/// The API, below `/api/v1`.
pub fn router(parts: Parts, rooms: RoomParts) -> Router {
    let service = described().with_state(Arc::new(parts));
    served(service.merge(rooms::described().with_state(Arc::new(rooms))))
}

/// The API of a bot that has rooms and no database.
pub fn rooms_router(rooms: RoomParts) -> Router {
    served(rooms::described().with_state(Arc::new(rooms)))
}

fn served(api: OpenApiRouter) -> Router {
    let (router, description) = api.split_for_parts();
    let description = finished(description);
    router
        .route(
            "/api/v1/openapi.json",
            axum::routing::get(move || {
                let description = description.clone();
                async move { Json(description) }
            }),
        )
        .route("/api/v1/{*rest}", axum::routing::any(unknown))
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_CSV))
}

/// The API's description, OpenAPI 3.1.
pub fn description() -> OpenApi {
    let rooms = rooms::described().split_for_parts().1;
    finished(described().split_for_parts().1.merge_from(rooms))
}

fn described() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(reminders::create, reminders::list))
        .routes(routes!(reminders::get, reminders::cancel))
        .routes(routes!(reminders::import))
        .routes(routes!(calls::list))
        .routes(routes!(calls::hang_up))
        .routes(routes!(health::health))
        .routes(routes!(metrics::metrics))
}

fn finished(mut description: OpenApi) -> OpenApi {
    description.info = Info::new("Switchboard", env!("CARGO_PKG_VERSION"));
    description.info.description = Some(
        "Reminder calls, the calls that go on, and rooms. Errors are problems (RFC 9457); requests \
         with an Idempotency-Key may be sent again."
            .to_owned(),
    );
    let bearer = || HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let key = bearer()
        .description(Some("An API key of the settings"))
        .build();
    let token = bearer()
        .bearer_format("JWT")
        .description(Some("An access token of the settings' OpenID provider"))
        .build();
    let components = description.components.get_or_insert_default();
    components.add_security_scheme("key", SecurityScheme::Http(key));
    components.add_security_scheme("token", SecurityScheme::Http(token));
    description
}

async fn unknown() -> Response {
    Problem::new(
        http::StatusCode::NOT_FOUND,
        "there is nothing at this address",
    )
    .into_response()
}

async fn wrong_method() -> Response {
    let status = http::StatusCode::METHOD_NOT_ALLOWED;
    Problem::new(status, "this address doesn't take that method").into_response()
}

//! The emulator's own REST API: faults, the clock, the keys, and what the judge saw.
//!
//! | Request | Meaning |
//! |---|---|
//! | `GET /admin/faults` | the rules, with how often each fitted and struck |
//! | `POST /admin/faults` | adds a rule: `201` with its `id` |
//! | `DELETE /admin/faults`, `/admin/faults/{id}` | removes all rules (and rewinds chance), or one |
//! | `GET /admin/clock`, `POST /admin/clock` | the clock; `{"advanceMs": n}` moves it forward |
//! | `POST /admin/keys/rotate` | signs with a new key; the former stays published |
//! | `GET /admin/network`, `POST /admin/network` | what packets of phones and bots suffer; adds or replaces a rule |
//! | `DELETE /admin/network` | removes all of them |
//! | `GET /admin/journal?call=…&after=…` | requests, notifications, states and prompts of a call, or of a room's bots; those new or changed after a look |
//! | `GET /admin/apps` | applications with their tenants and webhooks |
//! | `PUT /admin/apps/{client_id}/webhook` | registers an application's webhook: `{"url": …}` |
//! | `GET /admin/targets` | what a phone can dial: bots and meetings |
//! | `GET /admin/lobby` | who waits in the lobby of a meeting |
//! | `POST /admin/lobby/{participant}`, `DELETE` | lets one in; sends one away |
//! | `POST /admin/journal/{seq}/replay` | sends a request or a notification of the journal again: the `status` it got |
//! | `GET /admin/judge` | what production would punish |
//! | `POST /admin/reset` | ends all calls and forgets everything but applications, phones and keys |
//! | `GET /admin/counts` | how many phones, calls, media parts and notification queues are alive |

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use crate::config::EmulatorError;
use crate::emulator;
use crate::faults::Rule;
use crate::journal::NoReplay;
use crate::network::NetworkRule;
use crate::scenario::problem::did_you_mean;
use crate::shell::Hub;

const MAX_BODY: usize = 64 * 1024;
/// The clock moves forward by a week at most at a time.
const MAX_ADVANCE_MS: u64 = 7 * 24 * 3600 * 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    call: Option<String>,
    #[serde(default)]
    after: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advance {
    advance_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Webhook {
    url: Url,
}

pub(crate) fn router(hub: &Arc<Hub>) -> Router<Arc<Hub>> {
    Router::new()
        .route(
            "/admin/faults",
            get(list_faults).post(add_fault).delete(clear_faults),
        )
        .route("/admin/faults/{id}", axum::routing::delete(remove_fault))
        .route("/admin/clock", get(read_clock).post(advance_clock))
        .route("/admin/keys/rotate", post(rotate_keys))
        .route(
            "/admin/network",
            get(list_network).post(set_network).delete(clear_network),
        )
        .route("/admin/apps", get(apps))
        .route("/admin/apps/{client_id}/webhook", put(set_webhook))
        .route("/admin/targets", get(targets))
        .route("/admin/lobby", get(list_lobby))
        .route("/admin/lobby/{participant}", post(admit).delete(turn_away))
        .route("/admin/judge", get(verdicts))
        .route("/admin/journal", get(journal))
        .route("/admin/journal/{seq}/replay", post(replay))
        .route("/admin/counts", get(counts))
        .route("/admin/reset", post(reset))
        .route("/admin", any(nothing))
        .route("/admin/", any(nothing))
        .route("/admin/{*rest}", any(nothing))
        .layer(middleware::map_response(in_json))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(
            Arc::clone(hub),
            own_pages_only,
        ))
}

/// Refusals have one form here, those of the framework as well.
async fn in_json(response: Response) -> Response {
    let status = response.status();
    let form = response.headers().get(header::CONTENT_TYPE);
    let is_json = form.is_some_and(|form| form == "application/json");
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let allowed = response.headers().get(header::ALLOW).cloned();
    let body = axum::body::to_bytes(response.into_body(), MAX_BODY).await;
    let said = body
        .ok()
        .and_then(|body| String::from_utf8(body.into()).ok());
    let error = match (said.filter(|said| !said.is_empty()), status) {
        (Some(said), _) => said,
        (None, StatusCode::NOT_FOUND) => "there is none of that name or number".to_owned(),
        (None, StatusCode::METHOD_NOT_ALLOWED) => {
            let methods = allowed.as_ref().and_then(|methods| methods.to_str().ok());
            format!("this is asked by {}", methods.unwrap_or("another method"))
        }
        (None, status) => status.to_string(),
    };
    let mut refusal = (status, Json(json!({"error": error}))).into_response();
    if let Some(methods) = allowed {
        refusal.headers_mut().insert(header::ALLOW, methods);
    }
    refusal
}

/// A page of another site must not reach this API, under whatever name it resolves this
/// machine: other origins show in `Origin`, DNS rebinding in `Host` alone when a page reads
/// from what it takes for its own origin.
async fn own_pages_only(State(hub): State<Arc<Hub>>, request: Request, next: Next) -> Response {
    if hub.is_from_our_page(request.headers()) {
        return next.run(request).await;
    }
    let host = request.headers().get(header::HOST);
    let host: String = host
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default()
        .chars()
        .take(128)
        .collect();
    let own = hub.address("");
    let scheme = own.split(':').next().unwrap_or_default();
    let error = format!(
        "{host} is neither an address, localhost nor the host of --public-url, or the page that asks is another's: \
         for programs elsewhere start the emulator with --public-url {scheme}://{host}"
    );
    (StatusCode::FORBIDDEN, Json(json!({"error": error}))).into_response()
}

async fn list_faults(State(hub): State<Arc<Hub>>) -> Response {
    Json(hub.faults(|faults| faults.list().to_vec())).into_response()
}

async fn add_fault(State(hub): State<Arc<Hub>>, body: Bytes) -> Response {
    let rule: Rule = match read(&body) {
        Ok(rule) => rule,
        Err(error) => return bad(&error),
    };
    match hub.faults(|faults| faults.add(rule)) {
        Ok(id) => (StatusCode::CREATED, Json(json!({"id": id}))).into_response(),
        Err(error) => match error.suggestion() {
            Some(suggestion) => bad(&format!("{error}; {suggestion}")),
            None => bad(&error.to_string()),
        },
    }
}

async fn remove_fault(State(hub): State<Arc<Hub>>, Path(id): Path<u64>) -> StatusCode {
    there_was(hub.faults(|faults| faults.remove(id)))
}

async fn clear_faults(State(hub): State<Arc<Hub>>) -> StatusCode {
    hub.faults(crate::faults::Faults::reset);
    StatusCode::NO_CONTENT
}

async fn list_network(State(hub): State<Arc<Hub>>) -> Response {
    Json(hub.network(|network| network.rules().to_vec())).into_response()
}

async fn set_network(State(hub): State<Arc<Hub>>, body: Bytes) -> Response {
    let rule: NetworkRule = match read(&body) {
        Ok(rule) => rule,
        Err(error) => return bad(&error),
    };
    if let Some(bot) = &rule.bot
        && let Err(unknown) = is_known(&hub, bot)
    {
        return bad(&unknown);
    }
    match hub.network(|network| network.set(rule)) {
        Ok(()) => list_network(State(hub)).await,
        Err(error) => bad(&error.to_string()),
    }
}

/// Applications are there from the start: an id that is none's will never be one's.
fn is_known(hub: &Arc<Hub>, bot: &str) -> Result<(), String> {
    let apps = hub.apply(|cloud, _| cloud.registered());
    let ids: BTreeSet<&str> = apps.iter().map(|(id, _, _)| id.as_str()).collect();
    if ids.iter().any(|id| id.eq_ignore_ascii_case(bot)) {
        return Ok(());
    }
    let all = || ids.iter().copied().collect::<Vec<_>>().join(", ");
    let meant = did_you_mean(bot, ids.iter().copied());
    let meant = meant.unwrap_or_else(|| format!("there is {}", all()));
    Err(format!(
        "no application has the client id \"{bot}\"; {meant}"
    ))
}

async fn clear_network(State(hub): State<Arc<Hub>>) -> StatusCode {
    hub.network(|network| network.clear(None));
    StatusCode::NO_CONTENT
}

async fn apps(State(hub): State<Arc<Hub>>) -> Json<Vec<Value>> {
    let apps = hub.apply(|cloud, _| cloud.registered()).into_iter();
    let shown =
        |(id, tenant, webhook)| json!({"clientId": id, "tenantId": tenant, "webhook": webhook});
    Json(apps.map(shown).collect())
}

async fn set_webhook(
    State(hub): State<Arc<Hub>>,
    Path(client_id): Path<String>,
    body: Bytes,
) -> Response {
    let webhook: Webhook = match read(&body) {
        Ok(webhook) => webhook,
        Err(error) => return bad(&error),
    };
    match emulator::set_webhook(&hub, &client_id, webhook.url) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error @ EmulatorError::UnknownApp { .. }) => {
            let refusal = Json(json!({"error": error.to_string()}));
            (StatusCode::NOT_FOUND, refusal).into_response()
        }
        Err(error) => bad(&error.to_string()),
    }
}

async fn targets(State(hub): State<Arc<Hub>>) -> Response {
    Json(hub.apply(|cloud, _| cloud.targets())).into_response()
}

async fn list_lobby(State(hub): State<Arc<Hub>>) -> Response {
    Json(hub.apply(|cloud, _| cloud.lobby())).into_response()
}

async fn admit(State(hub): State<Arc<Hub>>, Path(participant): Path<String>) -> StatusCode {
    there_was(hub.apply(|cloud, now| cloud.admit(&participant, now)))
}

async fn turn_away(State(hub): State<Arc<Hub>>, Path(participant): Path<String>) -> StatusCode {
    there_was(hub.apply(|cloud, now| cloud.turn_away(&participant, now)))
}

/// Whether what a request named was there.
fn there_was(found: bool) -> StatusCode {
    match found {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::NOT_FOUND,
    }
}

async fn counts(State(hub): State<Arc<Hub>>) -> Response {
    Json(hub.counts()).into_response()
}

/// Graph's own answer, a token that is missing, would be misleading here.
async fn nothing() -> Response {
    let error = "there is nothing here; see docs/emulator.md, Faults, clock, keys and judge";
    (StatusCode::NOT_FOUND, Json(json!({"error": error}))).into_response()
}

async fn reset(State(hub): State<Arc<Hub>>) -> StatusCode {
    hub.reset().await;
    StatusCode::NO_CONTENT
}

async fn read_clock(State(hub): State<Arc<Hub>>) -> Response {
    let advanced = hub.advanced().as_millis() as u64;
    Json(json!({"advancedMs": advanced})).into_response()
}

async fn advance_clock(State(hub): State<Arc<Hub>>, body: Bytes) -> Response {
    let advance: Advance = match read(&body) {
        Ok(advance) => advance,
        Err(error) => return bad(&error),
    };
    if advance.advance_ms > MAX_ADVANCE_MS {
        return bad("advanceMs must be at most a week, 604800000");
    }
    hub.advance(Duration::from_millis(advance.advance_ms));
    read_clock(State(hub)).await
}

async fn rotate_keys(State(hub): State<Arc<Hub>>) -> Response {
    let rotation = Arc::clone(&hub);
    let rotated = tokio::task::spawn_blocking(move || rotation.identity().rotate()).await;
    match rotated {
        Ok(Ok(kid)) => Json(json!({"kid": kid})).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn verdicts(State(hub): State<Arc<Hub>>) -> Response {
    Json(hub.judge(|judge| judge.since(0).cloned().collect::<Vec<_>>())).into_response()
}

async fn journal(State(hub): State<Arc<Hub>>, Query(look): Query<Look>) -> Response {
    let (entries, changed) = hub.journal(|journal| {
        let entries = journal.since(look.after, look.call.as_deref());
        (entries, journal.changes())
    });
    Json(json!({"changed": changed, "entries": entries})).into_response()
}

async fn replay(State(hub): State<Arc<Hub>>, Path(seq): Path<u64>) -> Response {
    match crate::graph::replay(&hub, seq).await {
        Ok(status) => Json(json!({"status": status.as_u16()})).into_response(),
        Err(error) => {
            let status = match error {
                NoReplay::NoRequest => StatusCode::NOT_FOUND,
                NoReplay::NoBody | NoReplay::Secret | NoReplay::Nobodys => StatusCode::BAD_REQUEST,
                NoReplay::UnderWay => StatusCode::CONFLICT,
                NoReplay::Gone => StatusCode::GONE,
                NoReplay::NoAnswer => StatusCode::BAD_GATEWAY,
            };
            let refusal = Json(json!({"error": error.to_string()}));
            (status, refusal).into_response()
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err("the body must be an object of JSON".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn bad(message: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": message}))).into_response()
}

//! How the service stands.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use switchboard_store::{Instance, KeptCall, StoreError};
use utoipa::ToSchema;

use super::Shared;
use super::problem::Problem;
use super::request::Reader;

/// How long the database may take to answer before it counts as out of reach.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How the service stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Health {
    /// The instance that answers.
    instance: String,
    /// Its version.
    version: &'static str,
    /// Whether it takes new calls.
    open: bool,
    /// Calls that it has.
    calls: usize,
    /// What the kernel forbids it.
    sandbox: String,
    /// What it keeps reminders in.
    database: Database,
    /// Reminders, unless the database doesn't tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    reminders: Option<Figures>,
    /// The other instances on this database, unless it doesn't tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    instances: Option<Vec<Other>>,
}

/// Another instance. One that is gone is still told of until its calls are ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Other {
    /// Its name.
    name: String,
    /// Where its API is, by its own settings: who is in its calls is told there.
    #[schema(example = "https://switchboard-1.calls.example.com/api/v1")]
    url: String,
    /// When it said last that it lives, by its own clock.
    #[schema(value_type = String, format = DateTime)]
    seen: Timestamp,
    /// Calls that it has.
    calls: usize,
}

impl Other {
    fn new(instance: Instance, calls: &[KeptCall]) -> Self {
        let own = |call: &&KeptCall| call.instance == instance.name;
        Self {
            calls: calls.iter().filter(own).count(),
            name: instance.name,
            url: instance.url,
            seen: instance.seen,
        }
    }
}

/// How the database stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum Database {
    /// It answers.
    Ok,
    /// It is locked.
    Busy,
    /// It is full.
    Full,
    /// It doesn't answer.
    Unavailable,
    /// It holds what this version can't read.
    Unreadable,
}

/// How many reminders there are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Figures {
    /// Waiting for their time.
    waiting: u64,
    /// Being called.
    calling: u64,
    /// Over.
    done: u64,
    /// How long the first one that is due waits.
    late_seconds: f64,
}

/// How this instance stands. Answers without a database, too.
#[utoipa::path(
    get, path = "/api/v1/health", tag = "operations", security(("key" = []), ("token" = [])),
    responses(
        (status = 200, description = "Like this", body = Health),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "Access tokens can't be checked now", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn health(Reader(_): Reader, State(api): State<Shared>) -> Json<Health> {
    let ask = async { Ok((figures(&api).await?, others(&api).await?)) };
    let (database, told) = match tokio::time::timeout(PATIENCE, ask).await {
        Ok(Ok(told)) => (Database::Ok, Some(told)),
        Ok(Err(error)) => (standing(&error), None),
        Err(_) => (Database::Unavailable, None),
    };
    let (reminders, instances) = told.unzip();
    Json(Health {
        instance: api.instance.clone(),
        version: env!("CARGO_PKG_VERSION"),
        open: api.switch.is_open(),
        calls: api.switch.calls().len(),
        sandbox: api.sandbox.clone(),
        database,
        reminders,
        instances,
    })
}

async fn others(api: &Shared) -> Result<Vec<Other>, StoreError> {
    let mut instances = api.store.instances().await?;
    instances.retain(|instance| instance.name != api.instance);
    instances.sort_by(|one, other| one.name.cmp(&other.name));
    let calls = api.store.kept_calls(None).await?;
    let told = |instance| Other::new(instance, &calls);
    Ok(instances.into_iter().map(told).collect())
}

async fn figures(api: &Shared) -> Result<Figures, StoreError> {
    let counts = api.store.counts().await?;
    let wake = api.store.next_wake().await?;
    Ok(Figures {
        waiting: counts.waiting,
        calling: counts.calling,
        done: counts.done,
        late_seconds: late(wake, api.clock.now()),
    })
}

/// Seconds since the first one was due.
pub(super) fn late(wake: Option<Timestamp>, now: Timestamp) -> f64 {
    wake.map_or(0.0, |wake| now.duration_since(wake).as_secs_f64().max(0.0))
}

fn standing(error: &StoreError) -> Database {
    match error {
        StoreError::Busy => Database::Busy,
        StoreError::Full => Database::Full,
        StoreError::Unreadable(_) => Database::Unreadable,
        _ => Database::Unavailable,
    }
}

//! The handlers.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use switchboard_reminders::draft::{Defaults, Draft};
use switchboard_reminders::schedule::Fit;
use switchboard_reminders::{Reminder, ReminderId, import as csv};
use switchboard_store::{self as store, Cursor, Idempotency, Inserted};
use uuid::Uuid;

use super::Shared;
use super::again::{idempotency, replayed};
use super::model::{
    Filter, ImportOptions, Imported, NewReminder, ReminderPage, ReminderView, new_id,
};
use super::problem::{Problem, Wrong};
use super::request::{MAX_JSON, Reader, Writer, read, whole};

const DEFAULT_LIMIT: u32 = 100;

/// Make a reminder.
#[utoipa::path(
    post, path = "/api/v1/reminders", tag = "reminders", security(("key" = []), ("token" = [])),
    params(("Idempotency-Key" = Option<String>, Header,
        description = "sent again with the same key and body, a request changes nothing")),
    request_body = NewReminder,
    responses(
        (status = 201, description = "Made, or made before by the same request", body = ReminderView),
        (status = 400, description = "The body is no such JSON", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 403, description = "A reader's key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "This bot calls no reminders", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "More than 64 KiB", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "Something is wrong; `errors` names every field", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database takes nothing now", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(
    Writer(caller): Writer,
    State(api): State<Shared>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = whole(body, MAX_JSON)?;
    let new: NewReminder = read(&body)?;
    let request = idempotency(&headers, &caller, "create", &body)?;
    let defaults = defaults(&api)?;
    if let Some(before) = noted(&api, request.as_ref()).await? {
        // As it was then: its time may be over by now.
        let checked = Draft::from(new).check(defaults, before.at);
        let fit = checked.map_or(Fit::Exact, |checked| checked.fit);
        return created_before(&api, &before.reminders()?, fit).await;
    }
    let now = api.clock.now();
    let checked = Draft::from(new).check(defaults, now);
    let checked = checked.map_err(|errors| {
        let errors = errors.into_iter().map(Wrong::from).collect();
        Problem::wrong("this reminder can't be made", errors)
    })?;
    let reminder = Reminder::new(new_id(), checked.spec, now);
    let made = [reminder.clone()];
    match api.store.insert(&made, request.as_ref(), now).await? {
        Inserted::New => {
            tracing::info!(reminder = %reminder.id, key = caller.name, "a reminder was made");
            Ok(created(reminder, checked.fit, false))
        }
        // The same request came at the same time.
        Inserted::Before(ids) => created_before(&api, &ids, checked.fit).await,
    }
}

/// Whether the same request came before.
async fn noted(
    api: &Shared,
    request: Option<&Idempotency>,
) -> Result<Option<store::Noted>, Problem> {
    match request {
        Some(request) => Ok(api.store.noted(request).await?),
        None => Ok(None),
    }
}

async fn created_before(api: &Shared, made: &[ReminderId], fit: Fit) -> Result<Response, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "what this request made is forgotten");
    let id = made.first().ok_or_else(missing)?;
    Ok(created(api.store.get(*id).await?, fit, true))
}

fn created(reminder: Reminder, fit: Fit, again: bool) -> Response {
    let location = format!("/api/v1/reminders/{}", reminder.id);
    let view = ReminderView::new(reminder, fit);
    let mut response = (StatusCode::CREATED, Json(view)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    replayed(&mut response, again);
    response
}

/// One reminder.
#[utoipa::path(
    get, path = "/api/v1/reminders/{id}", tag = "reminders", security(("key" = []), ("token" = [])),
    params(("id" = Uuid, Path, description = "its id")),
    responses(
        (status = 200, description = "It", body = ReminderView),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "There is none", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database can't be read now", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    Reader(_): Reader,
    State(api): State<Shared>,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<ReminderView>, Problem> {
    let reminder = api.store.get(known(id)?).await?;
    Ok(Json(reminder.into()))
}

/// Take a reminder back. While its call is under way, the call is ended first; a
/// confirmation stands.
#[utoipa::path(
    delete, path = "/api/v1/reminders/{id}", tag = "reminders", security(("key" = []), ("token" = [])),
    params(("id" = Uuid, Path, description = "its id")),
    responses(
        (status = 200, description = "Taken back", body = ReminderView),
        (status = 202, description = "It will be, when its call is over", body = ReminderView),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 403, description = "A reader's key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "There is none", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "It is over already", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database takes nothing now", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel(
    Writer(caller): Writer,
    State(api): State<Shared>,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Response, Problem> {
    let id = known(id)?;
    let reminder = api.store.cancel(id, api.clock.now()).await?;
    tracing::info!(reminder = %id, key = caller.name, "a reminder was cancelled");
    let view = ReminderView::from(reminder);
    let status = if view.is_calling() {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(view)).into_response())
}

/// Reminders, oldest first.
#[utoipa::path(
    get, path = "/api/v1/reminders", tag = "reminders", security(("key" = []), ("token" = [])),
    params(Filter),
    responses(
        (status = 200, description = "A page of them", body = ReminderPage),
        (status = 400, description = "Such a page there can't be", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "The database can't be read now", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    Reader(_): Reader,
    State(api): State<Shared>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<ReminderPage>, Problem> {
    let Query(filter) = filter.map_err(|error| Problem::bad_request(error.body_text()))?;
    let limit = filter.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=500).contains(&limit) {
        return Err(Problem::bad_request("limit must be 1 to 500"));
    }
    let after = filter.after.as_deref().map(cursor).transpose()?;
    let query = store::Query {
        phase: filter.state.map(|phase| phase.name().to_owned()),
        outcome: filter.outcome.map(Into::into),
        reference: filter.reference,
        after,
        limit,
    };
    let page = api.store.list(&query).await?;
    let next = page.next.map(|next| {
        let created = next.created.as_microsecond();
        format!("{created}_{}", next.id)
    });
    let reminders = page.reminders.into_iter().map(Into::into).collect();
    Ok(Json(ReminderPage { reminders, next }))
}

/// Make reminders from a CSV file (RFC 4180): a header with the names of a reminder's
/// fields, `var.NAME` for variables. All rows are kept, or none; only with `keepGood`
/// the good ones of a file with broken ones.
#[utoipa::path(
    post, path = "/api/v1/reminders/import", tag = "reminders", security(("key" = []), ("token" = [])),
    params(
        ImportOptions,
        ("Idempotency-Key" = Option<String>, Header,
            description = "sent again with the same key and body, a request changes nothing"),
    ),
    request_body(content = String, content_type = "text/csv"),
    responses(
        (status = 201, description = "Made, but for rows in `errors`", body = Imported),
        (status = 400, description = "The query or a header can't be read", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "No key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 403, description = "A reader's key or token", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "This bot calls no reminders", body = Problem,
            content_type = "application/problem+json"),
        (status = 413, description = "More than 8 MiB", body = Problem,
            content_type = "application/problem+json"),
        (status = 415, description = "Not text/csv", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "Nothing was kept; `errors` has every line and column",
            body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database takes nothing now", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn import(
    Writer(caller): Writer,
    State(api): State<Shared>,
    options: Result<Query<ImportOptions>, QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Query(options) = options.map_err(|error| Problem::bad_request(error.body_text()))?;
    csv_only(&headers)?;
    let body = whole(body, super::MAX_CSV)?;
    let what = if options.keep_good {
        "import good"
    } else {
        "import"
    };
    let request = idempotency(&headers, &caller, what, &body)?;
    let defaults = defaults(&api)?;
    let before = noted(&api, request.as_ref()).await?;
    // Sent again, a file is read as it was then: its times may be over by now.
    let now = before.as_ref().map_or(api.clock.now(), |before| before.at);
    let file = csv::read(&body, defaults, now);
    let errors: Vec<Wrong> = file.errors.into_iter().map(Wrong::from).collect();
    if let Some(before) = before {
        return Ok(imported(before.reminders()?, errors, true));
    }
    if (!errors.is_empty() && !options.keep_good) || file.good.is_empty() {
        let detail = "nothing was kept; mend the rows in 'errors', or ask for keepGood=true";
        return Err(Problem::wrong(detail, errors));
    }
    let reminders: Vec<Reminder> = file
        .good
        .into_iter()
        .map(|(_, checked)| Reminder::new(new_id(), checked.spec, now))
        .collect();
    let inserted = api.store.insert(&reminders, request.as_ref(), now).await?;
    let (ids, again) = match inserted {
        Inserted::New => (reminders.iter().map(|made| made.id).collect(), false),
        Inserted::Before(ids) => (ids, true),
    };
    tracing::info!(
        reminders = ids.len(),
        again,
        key = caller.name,
        "reminders were imported"
    );
    Ok(imported(ids, errors, again))
}

fn imported(made: Vec<ReminderId>, errors: Vec<Wrong>, again: bool) -> Response {
    let created = made.into_iter().map(|ReminderId(id)| id).collect();
    let imported = Imported { created, errors };
    let mut response = (StatusCode::CREATED, Json(imported)).into_response();
    replayed(&mut response, again);
    response
}

/// What counts where a reminder says nothing.
fn defaults(api: &Shared) -> Result<&Defaults, Problem> {
    let missing = || {
        let detail = "this bot calls no reminders: its settings have no [reminders]";
        Problem::new(StatusCode::NOT_FOUND, detail)
    };
    api.defaults.as_ref().ok_or_else(missing)
}

fn csv_only(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    if kind.trim().eq_ignore_ascii_case("text/csv") {
        Ok(())
    } else {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Err(Problem::new(status, "the body must be text/csv, in UTF-8"))
    }
}

fn known(id: Result<Path<Uuid>, PathRejection>) -> Result<ReminderId, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, "a reminder's id is a UUID");
    id.map(|Path(id)| ReminderId(id)).map_err(|_| missing())
}

fn cursor(text: &str) -> Result<Cursor, Problem> {
    let parts = text.split_once('_').and_then(|(created, id)| {
        let created = Timestamp::from_microsecond(created.parse().ok()?).ok()?;
        let id = id.parse().ok()?;
        Some(Cursor { created, id })
    });
    parts.ok_or_else(|| Problem::bad_request("after must be 'next' of the page before"))
}

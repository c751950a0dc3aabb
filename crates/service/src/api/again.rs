//! Requests that may be sent again, and what they made when they came first.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use switchboard_store::{Idempotency, Noted, Store, StoreError};

use super::keys::Caller;
use super::problem::Problem;

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Requests that are remembered without a database.
const REMEMBERED: usize = 1_000;

/// The request's idempotency key, if it has one.
///
/// # Errors
/// `400`: it is empty, too long, or there are two.
pub(super) fn idempotency(
    headers: &HeaderMap,
    caller: &Caller,
    what: &str,
    body: &[u8],
) -> Result<Option<Idempotency>, Problem> {
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(key) = given.next() else {
        return Ok(None);
    };
    let key = key.to_str().unwrap_or_default().trim_matches('"');
    if key.is_empty() || key.len() > 200 || given.next().is_some() {
        let detail = "one Idempotency-Key of 1 to 200 ASCII characters is allowed";
        return Err(Problem::bad_request(detail));
    }
    let mut whole = what.as_bytes().to_vec();
    whole.push(0);
    whole.extend_from_slice(body);
    let hash = digest(&SHA256, &whole);
    let fingerprint = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
    Ok(Some(Idempotency {
        key: format!("{}:{key}", caller.name),
        fingerprint: fingerprint.collect(),
    }))
}

/// Says in a response that its request was answered before.
pub(super) fn replayed(response: &mut Response, again: bool) {
    if again {
        let headers = response.headers_mut();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
}

/// Where it is noted what requests made.
pub enum Requests {
    /// In the database: for all instances, and over restarts.
    Stored(Store),
    /// In memory, the latest last.
    Remembered(Mutex<VecDeque<(Idempotency, Noted)>>),
}

impl Requests {
    /// Notes a request and what it makes, unless it came before: then that is given.
    pub(super) async fn note(
        &self,
        request: &Idempotency,
        made: String,
        now: Timestamp,
    ) -> Result<Option<Noted>, StoreError> {
        let known = match self {
            Self::Stored(store) => return store.note(request, &made, now).await,
            Self::Remembered(known) => known,
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, noted)) = known.iter().find(|(known, _)| known.key == request.key) {
            let same = before.fingerprint == request.fingerprint;
            return same
                .then(|| Some(noted.clone()))
                .ok_or(StoreError::KeyReused);
        }
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        known.push_back((request.clone(), Noted { made, at: now }));
        Ok(None)
    }

    /// The database, if there is one.
    pub(super) fn store(&self) -> Option<&Store> {
        match self {
            Self::Stored(store) => Some(store),
            Self::Remembered(_) => None,
        }
    }

    /// Forgets a request that made nothing after all.
    pub(super) async fn forget(&self, request: &Idempotency) -> Result<(), StoreError> {
        match self {
            Self::Stored(store) => store.forget_request(request).await,
            Self::Remembered(known) => {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                known.retain(|(known, _)| known != request);
                Ok(())
            }
        }
    }
}

impl Default for Requests {
    /// In memory.
    fn default() -> Self {
        Self::Remembered(Mutex::default())
    }
}

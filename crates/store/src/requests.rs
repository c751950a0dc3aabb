//! Requests that their clients may send again, and what each made when it came first.

use jiff::Timestamp;
use sqlx::{Any, Executor, Row, Transaction};
use switchboard_reminders::{Reminder, ReminderId};

use crate::error::StoreError;
use crate::rows;
use crate::store::Store;

/// A client's key for a request that it may send again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The key, with whose it is.
    pub key: String,
    /// A fingerprint of what is asked for.
    pub fingerprint: String,
}

/// A request that came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// What it made, in words of whoever noted it.
    pub made: String,
    /// When it came first.
    pub at: Timestamp,
}

impl Noted {
    /// The reminders that it made.
    ///
    /// # Errors
    /// It made something else.
    pub fn reminders(&self) -> Result<Vec<ReminderId>, StoreError> {
        let unreadable = || rows::unreadable("made");
        let made: Vec<String> = serde_json::from_str(&self.made).map_err(|_| unreadable())?;
        let ids = made.iter().map(|id| id.parse());
        ids.map(|id| id.map_err(|_| unreadable())).collect()
    }
}

impl Store {
    /// Whether the same request came before.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`], or the database's.
    pub async fn noted(&self, request: &Idempotency) -> Result<Option<Noted>, StoreError> {
        find(&self.pool, request).await
    }

    /// Notes a request and what it makes, unless it came before: then that is given.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`], or the database's.
    pub async fn note(
        &self,
        request: &Idempotency,
        made: &str,
        now: Timestamp,
    ) -> Result<Option<Noted>, StoreError> {
        let mut work = self.begin().await?;
        let before = note(&mut work, request, made, now).await?;
        work.commit().await?;
        Ok(before)
    }

    /// Forgets a request that made nothing after all.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget_request(&self, request: &Idempotency) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM requests WHERE key = $1 AND fingerprint = $2")
            .bind(request.key.clone())
            .bind(request.fingerprint.clone())
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// See [`Store::note`].
pub(crate) async fn note(
    work: &mut Transaction<'static, Any>,
    request: &Idempotency,
    made: &str,
    now: Timestamp,
) -> Result<Option<Noted>, StoreError> {
    // Waits for another transaction that uses the same key.
    let sql = "INSERT INTO requests (key, fingerprint, made, at) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (key) DO NOTHING";
    let noted = sqlx::query(sql)
        .bind(request.key.clone())
        .bind(request.fingerprint.clone())
        .bind(made.to_owned())
        .bind(now.as_microsecond())
        .execute(&mut **work)
        .await?;
    match noted.rows_affected() {
        1 => Ok(None),
        _ => find(&mut **work, request).await,
    }
}

async fn find<'e>(
    database: impl Executor<'e, Database = Any>,
    request: &Idempotency,
) -> Result<Option<Noted>, StoreError> {
    let row = sqlx::query("SELECT fingerprint, made, at FROM requests WHERE key = $1")
        .bind(request.key.clone())
        .fetch_optional(database)
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    if row.try_get::<String, _>("fingerprint")? != request.fingerprint {
        return Err(StoreError::KeyReused);
    }
    Ok(Some(Noted {
        made: row.try_get("made")?,
        at: rows::time(row.try_get("at")?)?,
    }))
}

/// What a request notes that makes reminders.
pub(crate) fn ids_of(reminders: &[Reminder]) -> Result<String, StoreError> {
    let made: Vec<String> = reminders.iter().map(|made| made.id.to_string()).collect();
    rows::to_json(&made)
}

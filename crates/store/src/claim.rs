//! Claims: what is due, within what all instances may do together.

use jiff::Timestamp;
use sqlx::{Any, AssertSqlSafe, Row, Transaction};
use switchboard_reminders::{Bucket, Claim, Limits, Terms};

use crate::error::StoreError;
use crate::rows::COLUMNS;
use crate::store::{Claimed, Kind, Store, read_all, update};

impl Store {
    /// Takes what is due for the instance `owner`: at most `most`, and no more than
    /// `limits` leave, which count over all instances.
    ///
    /// # Errors
    /// The database's; then nothing is taken.
    pub async fn claim(
        &self,
        owner: &str,
        now: Timestamp,
        terms: Terms,
        limits: Limits,
        most: u32,
    ) -> Result<Vec<Claimed>, StoreError> {
        // Nothing to do is the usual case, and needs no lock.
        if self.next_wake().await?.is_none_or(|wake| wake > now) {
            return Ok(Vec::new());
        }
        let mut work = self.begin().await?;
        // Whoever claims next waits here, and counts what is claimed now.
        let mut bucket = bucket(&mut work, self.kind).await?;
        let new = bucket.available(limits, now);
        let places = limits.at_once.saturating_sub(calling(&mut work).await?);
        let mut taking = Taking {
            skip: match self.kind {
                Kind::Sqlite => "",
                Kind::Postgres => "FOR UPDATE SKIP LOCKED",
            },
            owner,
            now,
            terms,
            claimed: Vec::new(),
            changed: false,
        };
        // Who lost their runner have their place.
        taking.take(&mut work, "calling", most).await?;
        let left = most.saturating_sub(taking.claimed.len() as u32);
        let left = left.min(new).min(places);
        taking.take(&mut work, "waiting", left).await?;
        let claimed = taking.claimed;
        if claimed.is_empty() && !taking.changed {
            // What fills with time need not be written.
            return Ok(claimed);
        }
        let new = claimed.iter().filter(|taken| taken.claim == Claim::Dial);
        bucket.take(new.count());
        keep(&mut work, bucket).await?;
        work.commit().await?;
        Ok(claimed)
    }
}

/// What somebody takes.
struct Taking<'a> {
    skip: &'static str,
    owner: &'a str,
    now: Timestamp,
    terms: Terms,
    claimed: Vec<Claimed>,
    /// Something was changed, if not claimed.
    changed: bool,
}

impl Taking<'_> {
    /// Takes what is due of one phase.
    async fn take(
        &mut self,
        work: &mut Transaction<'static, Any>,
        phase: &'static str,
        most: u32,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM reminders \
             WHERE wake >= 0 AND wake <= $1 AND phase = '{phase}' ORDER BY wake LIMIT $2 {}",
            self.skip
        );
        let due = sqlx::query(AssertSqlSafe(sql))
            .bind(self.now.as_microsecond())
            .bind(i64::from(most))
            .fetch_all(&mut **work)
            .await?;
        for mut reminder in read_all(&due)? {
            let Ok(claim) = reminder.claim(self.now, self.terms) else {
                continue;
            };
            update(work, &reminder, Some(self.owner), self.now).await?;
            self.changed = true;
            if claim != Claim::Nothing {
                self.claimed.push(Claimed { reminder, claim });
            }
        }
        Ok(())
    }
}

async fn bucket(work: &mut Transaction<'static, Any>, kind: Kind) -> Result<Bucket, StoreError> {
    let lock = kind.lock();
    let sql = format!("SELECT filled, at FROM buckets WHERE name = 'reminders' {lock}");
    let row = sqlx::query(AssertSqlSafe(sql))
        .fetch_one(&mut **work)
        .await?;
    Ok(Bucket {
        filled: row.try_get("filled")?,
        at: row.try_get("at")?,
    })
}

async fn keep(work: &mut Transaction<'static, Any>, bucket: Bucket) -> Result<(), StoreError> {
    sqlx::query("UPDATE buckets SET filled = $1, at = $2 WHERE name = 'reminders'")
        .bind(bucket.filled)
        .bind(bucket.at)
        .execute(&mut **work)
        .await?;
    Ok(())
}

/// How many are in a call, or about to be.
async fn calling(work: &mut Transaction<'static, Any>) -> Result<u32, StoreError> {
    let sql = "SELECT COUNT(*) FROM reminders WHERE phase = 'calling'";
    let row = sqlx::query(sql).fetch_one(&mut **work).await?;
    let calling: i64 = row.try_get(0)?;
    Ok(u32::try_from(calling).unwrap_or(u32::MAX))
}

//! The store.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Any, AnyPool, AssertSqlSafe, Connection as _, Executor, Row, SqlSafeStr, Transaction};
use switchboard_reminders::{
    Claim, Ending, Outcome, Refusal, Reminder, ReminderId, Terms, Verdict,
};

use crate::error::StoreError;
use crate::news::{News, Topic};
use crate::requests::{self, Idempotency};
use crate::rows::{self, COLUMNS, Changing};

/// Connections to the database.
const CONNECTIONS: u32 = 4;
/// How long to wait for one, and for a lock.
const PATIENCE: Duration = Duration::from_secs(5);
/// Rows of a page at most.
const MAX_PAGE: u32 = 500;

/// Where the database is.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `sqlite:FILE` or `postgres://USER:PASSWORD@HOST/NAME`.
    pub database: SecretString,
    /// How long a caller waits for a lock or a connection.
    pub patience: Duration,
}

impl StoreConfig {
    /// With the usual patience: 5 s.
    pub fn new(database: impl Into<String>) -> Self {
        Self {
            database: SecretString::from(database.into()),
            patience: PATIENCE,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// Keeps rows that were read from others until the end of the transaction.
    pub(crate) fn lock(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE",
        }
    }
}

/// A database of reminders; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: AnyPool,
    pub(crate) kind: Kind,
    pub(crate) news: News,
    /// Its address, where other processes may use it.
    pub(crate) shared: Option<SecretString>,
}

/// What came of an insertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// They are stored.
    New,
    /// The same request made these before.
    Before(Vec<ReminderId>),
}

/// A reminder that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The reminder; its `token` is needed for reports.
    pub reminder: Reminder,
    /// What to do.
    pub claim: Claim,
}

/// What a runner reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report<'a> {
    /// The call was placed, and has this id.
    Placed(&'a str),
    /// The call goes on.
    Alive,
    /// A key was pressed that means something.
    Decided(Verdict),
    /// The call is over, or there was none.
    Finished(Ending),
}

/// Which reminders to list.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// `waiting`, `calling` or `done`.
    pub phase: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// With this reference.
    pub reference: Option<String>,
    /// After the last one of the page before.
    pub after: Option<Cursor>,
    /// So many; 500 at most.
    pub limit: u32,
}

/// A place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// When the last one was created.
    pub created: Timestamp,
    /// Its id.
    pub id: ReminderId,
}

/// Reminders in the order of their creation.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// They.
    pub reminders: Vec<Reminder>,
    /// Where the next page begins, if there may be one.
    pub next: Option<Cursor>,
}

/// How many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting for their time.
    pub waiting: u64,
    /// In a call.
    pub calling: u64,
    /// Over.
    pub done: u64,
}

impl Store {
    /// Connects, and brings the tables up to date. An SQLite file is made if it isn't
    /// there, for its owner alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let address = config.database.expose_secret();
        let (kind, url) = match address.strip_prefix("sqlite:") {
            Some(file) => (Kind::Sqlite, sqlite_url(file)?),
            None if address.starts_with("postgres") => (Kind::Postgres, address.to_owned()),
            None => return Err(StoreError::Address),
        };
        let options: AnyConnectOptions = url.parse().map_err(|_| StoreError::Address)?;
        let patience = config.patience;
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(patience)
            // SQLite gives a transaction up by itself when the disk is full, and sqlx then
            // believes for ever that the connection is in one.
            .before_acquire(|connection, _| {
                let free = !connection.is_in_transaction();
                Box::pin(async move { Ok(free) })
            })
            .after_connect(move |connection, _| {
                let settings = AssertSqlSafe(settings(kind, patience));
                Box::pin(async move { connection.execute(settings).await.map(drop) })
            })
            .connect_with(options)
            .await?;
        Migrator::with_migrations(migrations()).run(&pool).await?;
        let shared = (kind == Kind::Postgres).then(|| config.database.clone());
        Ok(Self {
            pool,
            kind,
            news: News::default(),
            shared,
        })
    }

    /// Stores all of `reminders`, or none.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`], or the database's.
    pub async fn insert(
        &self,
        reminders: &[Reminder],
        idempotency: Option<&Idempotency>,
        now: Timestamp,
    ) -> Result<Inserted, StoreError> {
        let mut work = self.begin().await?;
        if let Some(request) = idempotency {
            let made = requests::ids_of(reminders)?;
            if let Some(before) = requests::note(&mut work, request, &made, now).await? {
                return Ok(Inserted::Before(before.reminders()?));
            }
        }
        for reminder in reminders {
            insert(&mut work, reminder).await?;
        }
        self.commit_news(work, Topic::Reminders).await?;
        Ok(Inserted::New)
    }

    /// One reminder.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or the database's.
    pub async fn get(&self, id: ReminderId) -> Result<Reminder, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM reminders WHERE id = $1");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        rows::read(&row.ok_or(StoreError::NotFound(id))?)
    }

    /// A page of reminders.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, query: &Query) -> Result<Page, StoreError> {
        let limit = query.limit.clamp(1, MAX_PAGE);
        let sql = format!(
            "SELECT {COLUMNS} FROM reminders \
             WHERE ($1 = '' OR phase = $1) AND ($2 = '' OR outcome = $2) \
             AND ($3 = '' OR reference = $3) \
             AND (created > $4 OR (created = $4 AND id > $5)) \
             ORDER BY created, id LIMIT $6"
        );
        let after = query
            .after
            .map_or(i64::MIN, |after| after.created.as_microsecond());
        let after_id = query.after.map(|after| after.id.to_string());
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(query.phase.clone().unwrap_or_default())
            .bind(query.outcome.map(rows::outcome_name).unwrap_or_default())
            .bind(query.reference.clone().unwrap_or_default())
            .bind(after)
            .bind(after_id.unwrap_or_default())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        let reminders = read_all(&rows)?;
        let full = reminders.len() == limit as usize;
        let last = reminders.last().filter(|_| full);
        let next = last.map(|last| Cursor {
            created: last.created,
            id: last.id,
        });
        Ok(Page { reminders, next })
    }

    /// Takes a reminder back, see [`Reminder::cancel`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`Refusal::Over`], or the database's.
    pub async fn cancel(&self, id: ReminderId, now: Timestamp) -> Result<Reminder, StoreError> {
        self.change(id, now, |reminder| reminder.cancel(now)).await
    }

    /// Reports what came of a claim, and gives the reminder as it stands then.
    ///
    /// # Errors
    /// [`StoreError::Refused`], [`StoreError::NotFound`], or the database's.
    pub async fn report(
        &self,
        id: ReminderId,
        token: i64,
        now: Timestamp,
        terms: Terms,
        report: Report<'_>,
    ) -> Result<Reminder, StoreError> {
        self.change(id, now, |reminder| match report {
            Report::Placed(call) => reminder.placed(token, call, now, terms),
            Report::Alive => reminder.renew(token, now, terms),
            Report::Decided(verdict) => reminder.decide(token, verdict),
            Report::Finished(ending) => reminder.finish(token, now, ending),
        })
        .await
    }

    /// Gives up what `owner` has: it was restarted under the same name, and knows nothing
    /// of its calls any more. Gives how many there were.
    ///
    /// # Errors
    /// The database's.
    pub async fn abandon(&self, owner: &str, now: Timestamp) -> Result<usize, StoreError> {
        let mut work = self.begin().await?;
        let lock = self.kind.lock();
        let sql = format!(
            "SELECT {COLUMNS} FROM reminders \
             WHERE wake >= 0 AND phase = 'calling' AND owner = $1 {lock}"
        );
        let left = sqlx::query(AssertSqlSafe(sql))
            .bind(owner.to_owned())
            .fetch_all(&mut *work)
            .await?;
        for mut reminder in read_all(&left)? {
            reminder.abandon(now);
            update(&mut work, &reminder, None, now).await?;
        }
        self.commit_news(work, Topic::Reminders).await?;
        Ok(left.len())
    }

    /// When somebody has to look at a reminder next.
    ///
    /// # Errors
    /// The database's.
    pub async fn next_wake(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT wake FROM reminders WHERE wake >= 0 ORDER BY wake LIMIT 1";
        let row = sqlx::query(sql).fetch_optional(&self.pool).await?;
        row.map(|row| rows::time(row.try_get(0)?)).transpose()
    }

    /// How many there are.
    ///
    /// # Errors
    /// The database's.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let sql = "SELECT phase, COUNT(*) AS number FROM reminders GROUP BY phase";
        let mut counts = Counts::default();
        for row in sqlx::query(sql).fetch_all(&self.pool).await? {
            let number: i64 = row.try_get("number")?;
            let number = u64::try_from(number).unwrap_or_default();
            match row.try_get::<String, _>("phase")?.as_str() {
                "waiting" => counts.waiting = number,
                "calling" => counts.calling = number,
                _ => counts.done = number,
            }
        }
        Ok(counts)
    }

    /// Forgets reminders that were over before `done`, and requests and openings of rooms
    /// before `requests`.
    /// Gives how many reminders were forgotten.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget(&self, done: Timestamp, requests: Timestamp) -> Result<u64, StoreError> {
        let mut work = self.begin().await?;
        let forgotten = sqlx::query("DELETE FROM reminders WHERE wake < 0 AND changed < $1")
            .bind(done.as_microsecond())
            .execute(&mut *work)
            .await?;
        sqlx::query("DELETE FROM requests WHERE at < $1")
            .bind(requests.as_microsecond())
            .execute(&mut *work)
            .await?;
        sqlx::query("DELETE FROM openings WHERE at < $1")
            .bind(requests.as_microsecond())
            .execute(&mut *work)
            .await?;
        work.commit().await?;
        Ok(forgotten.rows_affected())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        // A reader that becomes a writer may fail at once: SQLite's writers say so first.
        let begin = match self.kind {
            Kind::Sqlite => "BEGIN IMMEDIATE",
            Kind::Postgres => "BEGIN",
        };
        Ok(self.pool.begin_with(begin).await?)
    }

    async fn change(
        &self,
        id: ReminderId,
        now: Timestamp,
        step: impl FnOnce(&mut Reminder) -> Result<(), Refusal>,
    ) -> Result<Reminder, StoreError> {
        let mut work = self.begin().await?;
        let lock = self.kind.lock();
        let sql = format!("SELECT {COLUMNS} FROM reminders WHERE id = $1 {lock}");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(id.to_string())
            .fetch_optional(&mut *work)
            .await?;
        let mut reminder = rows::read(&row.ok_or(StoreError::NotFound(id))?)?;
        step(&mut reminder)?;
        update(&mut work, &reminder, None, now).await?;
        match reminder.wake().is_some_and(|wake| wake <= now) {
            true => self.commit_news(work, Topic::Reminders).await?,
            false => work.commit().await?,
        }
        Ok(reminder)
    }
}

/// All that made the tables what they are.
fn migrations() -> Vec<Migration> {
    let steps = [
        (
            1,
            "reminders",
            include_str!("../migrations/1_reminders.sql"),
        ),
        (2, "calls", include_str!("../migrations/2_calls.sql")),
        (3, "limits", include_str!("../migrations/3_limits.sql")),
        (4, "openings", include_str!("../migrations/4_openings.sql")),
        (5, "rooms", include_str!("../migrations/5_rooms.sql")),
    ];
    let migration = |(number, name, sql): (i64, &'static str, &'static str)| {
        let kind = MigrationType::Simple;
        Migration::new(number, name.into(), kind, sql.into_sql_str(), false)
    };
    steps.into_iter().map(migration).collect()
}

async fn insert(
    work: &mut Transaction<'static, Any>,
    reminder: &Reminder,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO reminders (id, spec, reference, created, changed, state, phase, \
               outcome, verdict, wake, attempts, interruptions, refusals, postponements, \
               token, owner) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, '')";
    let created = reminder.created.as_microsecond();
    let query = sqlx::query(sql)
        .bind(reminder.id.to_string())
        .bind(rows::to_json(&reminder.spec)?)
        .bind(reminder.spec.reference.clone().unwrap_or_default())
        .bind(created)
        .bind(created);
    let query = Changing::of(reminder)?.bind(query, reminder);
    query.execute(&mut **work).await?;
    Ok(())
}

pub(crate) async fn update(
    work: &mut Transaction<'static, Any>,
    reminder: &Reminder,
    owner: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "UPDATE reminders SET changed = $2, owner = CASE WHEN $3 = '' THEN owner ELSE $3 \
               END, state = $4, phase = $5, outcome = $6, verdict = $7, wake = $8, \
               attempts = $9, interruptions = $10, refusals = $11, postponements = $12, \
               token = $13 WHERE id = $1";
    let query = sqlx::query(sql)
        .bind(reminder.id.to_string())
        .bind(now.as_microsecond())
        .bind(owner.unwrap_or_default().to_owned());
    let query = Changing::of(reminder)?.bind(query, reminder);
    query.execute(&mut **work).await?;
    Ok(())
}

pub(crate) fn read_all(found: &[AnyRow]) -> Result<Vec<Reminder>, StoreError> {
    found.iter().map(rows::read).collect()
}

/// The file is made here, for its owner alone; SQLite's other files take its mode.
fn sqlite_url(file: &str) -> Result<String, StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = file.strip_prefix("//").unwrap_or(file);
    if file.is_empty() || file.contains(":memory:") {
        return Err(StoreError::Address);
    }
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(Path::new(file))
        .map_err(|error| StoreError::Unavailable(format!("{file}: {error}")))?;
    let mut url = String::from("sqlite:");
    for character in file.chars() {
        match character {
            '%' => url.push_str("%25"),
            '?' => url.push_str("%3F"),
            '#' => url.push_str("%23"),
            other => url.push(other),
        }
    }
    Ok(url)
}

/// What every connection is told first.
fn settings(kind: Kind, patience: Duration) -> String {
    let patience = patience.as_millis();
    match kind {
        // What was committed is there after a power cut too.
        Kind::Sqlite => format!(
            "PRAGMA busy_timeout = {patience}; PRAGMA journal_mode = WAL; \
             PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;"
        ),
        Kind::Postgres => format!(
            "SET lock_timeout = {patience}; SET statement_timeout = {}; \
             SET idle_in_transaction_session_timeout = '60s'; \
             SET default_transaction_isolation = 'read committed';",
            patience * 4
        ),
    }
}

#[cfg(test)]
#[path = "trouble_tests.rs"]
mod trouble;

//! What can go wrong with a database.

use switchboard_reminders::{Refusal, ReminderId};

/// Why the store didn't do it. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address isn't one.
    #[error("the database must be sqlite:FILE or postgres://USER@HOST/NAME")]
    Address,
    /// There is no such reminder.
    #[error("there is no reminder {0}")]
    NotFound(ReminderId),
    /// The state machine refused it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The key was used for something else.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// Somebody else holds it for too long.
    #[error("the database is locked; try again")]
    Busy,
    /// There is no room.
    #[error("the database is full: make room on its disk")]
    Full,
    /// It can't be reached, or doesn't work.
    #[error("the database is out of reach: {0}")]
    Unavailable(String),
    /// It holds something this version can't read, or a newer version's tables.
    #[error("the database holds what this version can't read: {0}")]
    Unreadable(String),
}

impl StoreError {
    /// Whether trying again later may help.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::Unavailable(_))
    }
}

/// `SQLITE_BUSY` and `SQLITE_LOCKED`, `SQLITE_FULL`, `SQLITE_READONLY`: the low byte
/// of SQLite's result codes.
const BUSY: [i32; 2] = [5, 6];
const FULL: i32 = 13;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let told = error.to_string();
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                classify(&code, told)
            }
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::TypeNotFound { .. } => Self::Unreadable(told),
            _ => Self::Unavailable(told),
        }
    }
}

/// SQLite's codes are numbers, SQLSTATE has five characters (PostgreSQL, appendix A).
fn classify(code: &str, told: String) -> StoreError {
    if code.len() == 5 {
        return match code {
            "40001" | "40P01" | "55P03" => StoreError::Busy,
            _ if code.starts_with("53") && code != "53300" => StoreError::Full,
            "42P01" | "42703" => StoreError::Unreadable(told),
            _ => StoreError::Unavailable(told),
        };
    }
    match code.parse::<i32>().map(|code| code & 0xff) {
        Ok(code) if BUSY.contains(&code) => StoreError::Busy,
        Ok(FULL) => StoreError::Full,
        _ => StoreError::Unavailable(told),
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => Self::Unreadable(other.to_string()),
        }
    }
}

//! Reminders as rows.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use switchboard_reminders::{Outcome, Reminder, State, Verdict};

use crate::error::StoreError;

/// The columns that [`read`] reads.
pub(crate) const COLUMNS: &str = "id, spec, created, state, verdict, attempts, interruptions, \
     refusals, postponements, token";

/// A row of [`COLUMNS`].
pub(crate) fn read(row: &AnyRow) -> Result<Reminder, StoreError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let number = |column: &str| row.try_get::<i64, _>(column);
    let count = |column: &str| {
        let count = number(column)?;
        u32::try_from(count).map_err(|_| unreadable(column))
    };
    let verdict = match text("verdict")?.as_str() {
        "" => None,
        verdict => Some(json(&format!("\"{verdict}\""), "verdict")?),
    };
    Ok(Reminder {
        id: text("id")?.parse().map_err(|_| unreadable("id"))?,
        spec: json(&text("spec")?, "spec")?,
        created: time(number("created")?)?,
        state: json(&text("state")?, "state")?,
        verdict,
        attempts: count("attempts")?,
        interruptions: count("interruptions")?,
        refusals: count("refusals")?,
        postponements: count("postponements")?,
        token: number("token")?,
    })
}

/// What changes in a reminder's life, as columns.
pub(crate) struct Changing {
    state: String,
    phase: &'static str,
    outcome: String,
    verdict: String,
    wake: i64,
}

impl Changing {
    pub(crate) fn of(reminder: &Reminder) -> Result<Self, StoreError> {
        Ok(Self {
            state: to_json(&reminder.state)?,
            phase: phase(&reminder.state),
            outcome: reminder.outcome().map(outcome_name).unwrap_or_default(),
            verdict: reminder.verdict.map(verdict_name).unwrap_or_default(),
            wake: reminder.wake().map_or(-1, Timestamp::as_microsecond),
        })
    }

    /// Binds `state, phase, outcome, verdict, wake` and the counts, in this order.
    pub(crate) fn bind<'q>(
        self,
        query: Query<'q, sqlx::Any, AnyArguments>,
        reminder: &Reminder,
    ) -> Query<'q, sqlx::Any, AnyArguments> {
        query
            .bind(self.state)
            .bind(self.phase)
            .bind(self.outcome)
            .bind(self.verdict)
            .bind(self.wake)
            .bind(i64::from(reminder.attempts))
            .bind(i64::from(reminder.interruptions))
            .bind(i64::from(reminder.refusals))
            .bind(i64::from(reminder.postponements))
            .bind(reminder.token)
    }
}

/// A state's name, as the column `phase` has it.
pub(crate) fn phase(state: &State) -> &'static str {
    match state {
        State::Waiting { .. } => "waiting",
        State::Dialing { .. } | State::Calling { .. } => "calling",
        State::Done { .. } => "done",
    }
}

/// An outcome's name, as in JSON.
pub(crate) fn outcome_name(outcome: Outcome) -> String {
    name(serde_json::to_value(outcome))
}

fn verdict_name(verdict: Verdict) -> String {
    name(serde_json::to_value(verdict))
}

fn name(value: serde_json::Result<serde_json::Value>) -> String {
    let value = value.unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// A time of a column.
pub(crate) fn time(microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|_| unreadable("time"))
}

pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable(error.to_string()))
}

fn json<T: serde::de::DeserializeOwned>(text: &str, column: &str) -> Result<T, StoreError> {
    // What is in the column stays out of the message: it holds names and numbers.
    serde_json::from_str(text).map_err(|_| unreadable(column))
}

pub(crate) fn unreadable(column: &str) -> StoreError {
    StoreError::Unreadable(format!("column {column}"))
}

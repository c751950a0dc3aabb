//! Where reminders are kept, as the runner sees it.

use async_trait::async_trait;
use jiff::Timestamp;
use switchboard_reminders::{Limits, Reminder, ReminderId, Terms};
use switchboard_store::{Claimed, Report, Store, StoreError, Topic};
use tokio::sync::watch;

/// Claims and reports; [`Store`] keeps them.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// See [`Store::claim`].
    async fn claim(
        &self,
        owner: &str,
        now: Timestamp,
        terms: Terms,
        limits: Limits,
        most: u32,
    ) -> Result<Vec<Claimed>, StoreError>;

    /// See [`Store::report`].
    async fn report(
        &self,
        id: ReminderId,
        token: i64,
        now: Timestamp,
        terms: Terms,
        report: Report<'_>,
    ) -> Result<Reminder, StoreError>;

    /// Changes when something may be due; `None` if that is not known.
    fn news(&self) -> Option<watch::Receiver<u64>>;
}

#[async_trait]
impl Ledger for Store {
    async fn claim(
        &self,
        owner: &str,
        now: Timestamp,
        terms: Terms,
        limits: Limits,
        most: u32,
    ) -> Result<Vec<Claimed>, StoreError> {
        Self::claim(self, owner, now, terms, limits, most).await
    }

    async fn report(
        &self,
        id: ReminderId,
        token: i64,
        now: Timestamp,
        terms: Terms,
        report: Report<'_>,
    ) -> Result<Reminder, StoreError> {
        Self::report(self, id, token, now, terms, report).await
    }

    fn news(&self) -> Option<watch::Receiver<u64>> {
        Some(Self::news(self, Topic::Reminders))
    }
}

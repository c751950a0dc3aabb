//! Who opens rooms by the clock, among the instances that share a database.

use async_trait::async_trait;
use jiff::Timestamp;
use switchboard_bot::{OpeningError, Openings};
use switchboard_store::Store;

/// Openings are in the database: whoever enters one has it.
pub(super) struct Entered {
    pub(super) store: Store,
    /// This instance's name.
    pub(super) instance: String,
}

#[async_trait]
impl Openings for Entered {
    async fn claim(&self, room: &str, at: Timestamp) -> Result<bool, OpeningError> {
        let claimed = self.store.claim_opening(room, at, &self.instance).await;
        claimed.map_err(OpeningError::new)
    }
}

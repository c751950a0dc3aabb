//! Rooms that open by the clock: each time by one instance alone.

use jiff::Timestamp;

use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// Takes a room's opening at `at` for `instance`; `false` if somebody has taken it.
    ///
    /// # Errors
    /// The database's; then it is not taken.
    pub async fn claim_opening(
        &self,
        room: &str,
        at: Timestamp,
        instance: &str,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO openings (room, at, instance) VALUES ($1, $2, $3) \
                   ON CONFLICT (room, at) DO NOTHING";
        let taken = sqlx::query(sql)
            .bind(room.to_owned())
            .bind(at.as_microsecond())
            .bind(instance.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(taken.rows_affected() == 1)
    }
}

//! News of what was changed, here or elsewhere.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use switchboard_store::Store;
use tokio::sync::watch;

use crate::clock::Clock;

/// How long to wait before listening is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Hears what other instances change; runs until it is dropped.
pub async fn listen(store: Store, clock: Arc<dyn Clock>) {
    loop {
        let Err(error) = store.listen().await;
        tracing::warn!(%error, "what other instances change is seen later: they can't be heard");
        let again = clock.now().checked_add(AGAIN);
        clock.sleep_until(again.unwrap_or(Timestamp::MAX)).await;
    }
}

/// Waits for news, for ever where there are none. Cancel-safe.
pub(crate) async fn heard(news: &mut Option<watch::Receiver<u64>>) {
    if let Some(some) = news
        && some.changed().await.is_ok()
    {
        return;
    }
    *news = None;
    std::future::pending::<()>().await;
}

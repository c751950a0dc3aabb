//! Waiting for something to become true.

use std::time::{Duration, Instant};

use crate::Failure;

/// How long anything may take. It is patience, not a promise: on a busy machine
/// a test is slow, not wrong.
pub const PATIENCE: Duration = Duration::from_secs(40);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Looks until `look` finds something.
///
/// # Errors
/// What `look` fails with, or that `what` did not come about within [`PATIENCE`].
pub async fn eventually<T>(
    what: &str,
    look: impl AsyncFnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    within(PATIENCE, what, look).await
}

/// The same with another patience, for what isn't expected to come about.
///
/// # Errors
/// What `look` fails with, or that `what` did not come about.
pub async fn within<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let begin = Instant::now();
    while begin.elapsed() < patience {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Err(format!("not within {} s: {what}", patience.as_secs()).into())
}

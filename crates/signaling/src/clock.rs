//! The time, as tokio has it: where a test or a simulation stops tokio's clock, everything
//! that asks here stands still with it.

use std::time::{Instant, SystemTime};

/// tokio's clock.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The wall clock, as far ahead of the system's as tokio's clock is.
pub fn wall() -> SystemTime {
    let (virtual_now, real_now) = (now(), Instant::now());
    let ahead = virtual_now.saturating_duration_since(real_now);
    let behind = real_now.saturating_duration_since(virtual_now);
    SystemTime::now() + ahead - behind
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn both_clocks_follow_tokios() {
        let (then, wall_then) = (now(), wall());
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(now() - then, Duration::from_secs(3600));
        let passed = wall().duration_since(wall_then).unwrap_or_default();
        assert!(passed.abs_diff(Duration::from_secs(3600)) < Duration::from_secs(60));
    }
}

//! How many requests an application may send (Graph throttling limits, "Cloud
//! communication service limits"). Without IO.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Requests for calls, and the time they are counted in.
const CALLS: (u32, Duration) = (50_000, Duration::from_secs(15));
/// Requests for presences.
const PRESENCES: (u32, Duration) = (1_500, Duration::from_secs(30));

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Calls,
    Presences,
}

/// Requests of the windows under way.
#[derive(Debug, Default)]
pub(crate) struct Limits(HashMap<(String, Kind), Window>);

#[derive(Debug)]
struct Window {
    begun: Instant,
    count: u32,
}

impl Limits {
    /// Counts a request of an application by its path; the seconds to wait if it is
    /// one too many.
    pub(crate) fn count(&mut self, app: &str, path: &str, now: Instant) -> Option<u64> {
        let kind = kind(path)?;
        let (most, length) = match kind {
            Kind::Calls => CALLS,
            Kind::Presences => PRESENCES,
        };
        let begun = now;
        let window = self
            .0
            .entry((app.to_owned(), kind))
            .or_insert(Window { begun, count: 0 });
        if now.saturating_duration_since(window.begun) >= length {
            *window = Window { begun, count: 0 };
        }
        window.count = window.count.saturating_add(1);
        let left = (window.begun + length).saturating_duration_since(now);
        // Whole seconds, never too few.
        (window.count > most).then(|| left.as_millis().div_ceil(1000).max(1) as u64)
    }
}

fn kind(path: &str) -> Option<Kind> {
    let below = path.strip_prefix("/v1.0/")?;
    if below.starts_with("communications/calls") || below.starts_with("app/calls") {
        Some(Kind::Calls)
    } else if below.contains("presence") || below.contains("Presence") {
        Some(Kind::Presences)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_application_has_its_own_windows() {
        let mut limits = Limits::default();
        let start = Instant::now();
        let path = "/v1.0/users/u/presence";
        let late = start + Duration::from_millis(9_500);
        for _ in 0..1_500 {
            assert_eq!(limits.count("a", path, start), None);
        }
        assert_eq!(limits.count("a", path, late), Some(21));
        assert_eq!(limits.count("b", path, late), None);
        let calls = "/v1.0/communications/calls/1";
        assert_eq!(limits.count("a", calls, late), None);
        assert_eq!(
            limits.count("a", "/v1.0/users/u/onlineMeetings", late),
            None
        );
        let over = start + Duration::from_secs(30);
        assert_eq!(limits.count("a", path, over), None);
    }
}

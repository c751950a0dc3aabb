//! What the webhook counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many requests, and notifications in them, were met in which way. Every request adds to
/// exactly one of the first eight but `408` and broken connections, which add to none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookStats {
    /// Requests whose notifications were taken.
    pub accepted: u64,
    /// Requests without a token that is believed.
    pub unauthorized: u64,
    /// Requests with too long a body.
    pub oversized: u64,
    /// Requests that can't be read.
    pub malformed: u64,
    /// Requests in the former Skype format.
    pub legacy: u64,
    /// Requests without a notification.
    pub empty: u64,
    /// Requests that were delivered before.
    pub duplicates: u64,
    /// Requests refused because the sink was full.
    pub busy: u64,
    /// Notifications taken.
    pub notifications: u64,
    /// Those among them whose type isn't known.
    pub unknown_types: u64,
    /// Notifications left out because their path names no call.
    pub unaddressed: u64,
}

/// A counter of [`WebhookStats`] that may be added to from anywhere.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Adds and returns the sum. Counters are read for display: no order between them matters.
    pub(super) fn add(&self, count: usize) -> u64 {
        let count = count as u64;
        self.0.fetch_add(count, Ordering::Relaxed) + count
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What tells [`WebhookStats`] to whoever doesn't have the webhook itself.
#[derive(Debug, Clone)]
pub struct WebhookCounters(pub(super) Arc<Counters>);

impl WebhookCounters {
    /// What came so far.
    pub fn read(&self) -> WebhookStats {
        self.0.read()
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: Counter,
    pub(super) unauthorized: Counter,
    pub(super) oversized: Counter,
    pub(super) malformed: Counter,
    pub(super) legacy: Counter,
    pub(super) empty: Counter,
    pub(super) duplicates: Counter,
    pub(super) busy: Counter,
    pub(super) notifications: Counter,
    pub(super) unknown_types: Counter,
    pub(super) unaddressed: Counter,
}

impl Counters {
    pub(super) fn read(&self) -> WebhookStats {
        WebhookStats {
            accepted: self.accepted.get(),
            unauthorized: self.unauthorized.get(),
            oversized: self.oversized.get(),
            malformed: self.malformed.get(),
            legacy: self.legacy.get(),
            empty: self.empty.get(),
            duplicates: self.duplicates.get(),
            busy: self.busy.get(),
            notifications: self.notifications.get(),
            unknown_types: self.unknown_types.get(),
            unaddressed: self.unaddressed.get(),
        }
    }
}

//! What a request that is believed is answered with. No IO, no clock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use http::StatusCode;

use super::replay::ReplayGuard;
use super::sink::Sink;
use super::stats::{Counters, WebhookCounters, WebhookStats};
use crate::auth::ValidatedToken;
use crate::notification::{Batch, ParseError, Payload, parse};

/// The answer to a request whose token is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Taken, or nothing to be taken.
    Accepted,
    /// Not in this format; Graph sends its own next.
    Legacy,
    /// Not to be read.
    Malformed(ParseError),
    /// No room; to be sent again.
    Busy,
}

impl Answer {
    /// The HTTP status it is given with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Accepted => StatusCode::ACCEPTED,
            Self::Legacy => StatusCode::NO_CONTENT,
            Self::Malformed(ParseError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Reads bodies, drops repeated ones, and hands notifications to a [`Sink`].
pub struct Reception {
    sink: Box<dyn Sink>,
    replay: Mutex<ReplayGuard>,
    counters: Arc<Counters>,
}

impl fmt::Debug for Reception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reception")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Reception {
    /// Hands notifications to `sink`.
    pub fn new(sink: impl Sink) -> Self {
        Self {
            sink: Box::new(sink),
            replay: Mutex::default(),
            counters: Arc::default(),
        }
    }

    /// What came so far.
    pub fn stats(&self) -> WebhookStats {
        self.counters.read()
    }

    pub(super) fn counters(&self) -> WebhookCounters {
        WebhookCounters(Arc::clone(&self.counters))
    }

    /// Takes a body that came with `token`, named `message_id` by its sender.
    ///
    /// Only what was delivered counts as a first delivery: a body that was answered 204 or 503
    /// is awaited again under the same id.
    pub fn receive(
        &self,
        now: SystemTime,
        token: &ValidatedToken,
        message_id: Option<&str>,
        body: &[u8],
    ) -> Answer {
        let counters = &self.counters;
        match parse(body) {
            Ok(Payload::Notifications(batch)) => self.deliver(now, token, message_id, batch),
            Ok(Payload::Empty) => {
                counters.empty.add(1);
                Answer::Accepted
            }
            Ok(Payload::Legacy) => {
                counters.legacy.add(1);
                Answer::Legacy
            }
            Err(ParseError::TooLarge) => self.count_oversized(),
            Err(error) => {
                counters.malformed.add(1);
                Answer::Malformed(error)
            }
        }
    }

    pub(super) fn count_unauthorized(&self) -> u64 {
        self.counters.unauthorized.add(1)
    }

    pub(super) fn count_oversized(&self) -> Answer {
        self.counters.oversized.add(1);
        Answer::Malformed(ParseError::TooLarge)
    }

    /// The lock is held from the question to the delivery, so that of two equal requests at the
    /// same time one is the duplicate, and so that bodies are delivered one after the other.
    fn deliver(
        &self,
        now: SystemTime,
        token: &ValidatedToken,
        message_id: Option<&str>,
        batch: Batch,
    ) -> Answer {
        let counters = &self.counters;
        let (taken, unknown, unaddressed) = (
            batch.notifications.len(),
            batch.unknown_types(),
            batch.unaddressed,
        );
        let mut replay = self.replay.lock().unwrap_or_else(PoisonError::into_inner);
        if message_id.is_some_and(|id| replay.knows(now, id)) {
            counters.duplicates.add(1);
            return Answer::Accepted;
        }
        if taken > 0 && self.sink.deliver(batch.notifications).is_err() {
            counters.busy.add(1);
            return Answer::Busy;
        }
        if let Some(id) = message_id {
            replay.remember(id, token.expires);
        }
        drop(replay);
        counters.accepted.add(1);
        counters.notifications.add(taken);
        counters.unknown_types.add(unknown);
        counters.unaddressed.add(unaddressed);
        Answer::Accepted
    }
}

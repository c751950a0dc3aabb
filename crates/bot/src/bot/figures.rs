//! How a bot does, in figures: none is about anybody's words, keys or audio.

use switchboard_media::engine::Punctuality;
use switchboard_signaling::webhook::{WebhookCounters, WebhookStats};
use switchboard_transport::{NetworkStats, Transport};

/// Where a bot's figures are read; cheap to clone.
#[derive(Clone)]
pub struct Figures {
    pub(super) webhook: WebhookCounters,
    pub(super) transport: Transport,
}

impl Figures {
    /// What Graph has sent.
    pub fn webhook(&self) -> WebhookStats {
        self.webhook.read()
    }

    /// What callers have sent, and were sent, as datagrams.
    pub fn network(&self) -> NetworkStats {
        self.transport.network_stats()
    }

    /// How late the media threads have been.
    pub fn punctuality(&self) -> Punctuality {
        self.transport.engine().punctuality()
    }
}

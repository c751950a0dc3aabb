//! Counters a leg keeps while it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::receive::ReceiveStats;

/// A leg's counters since it was opened. Only counts: nothing of the media.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LegStats {
    /// Packets taken from the network.
    pub received: u64,
    /// Packets that never came (or too late) and were concealed.
    pub lost: u64,
    /// Of the lost ones, those restored from in-band FEC.
    pub recovered: u64,
    /// Packets that came after their place was concealed.
    pub late: u64,
    /// Milliseconds that packets came late all at once, though all of them came.
    pub stalled_ms: u64,
    /// Packets that came twice.
    pub duplicate: u64,
    /// Packets with a payload type nobody negotiated.
    pub unknown_payload_type: u64,
    /// Packets whose payload is not what its type says.
    pub malformed: u64,
    /// Packets dropped because the ring to the worker was full.
    pub dropped_full: u64,
    /// Packets dropped because the jitter buffer was full.
    pub overflow: u64,
    /// Packets dropped because they were too long.
    pub dropped_oversized: u64,
    /// Packets of a source or sequence that did not prove itself (SSRC storms, sequence jumps).
    pub foreign: u64,
    /// Packets handed to the network.
    pub sent: u64,
    /// Outgoing packets dropped because the network did not take them.
    pub send_dropped: u64,
    /// Analysis events dropped because the application did not take them.
    pub events_dropped: u64,
    /// Pieces of 20 ms dropped because whoever listens did not take them.
    pub heard_dropped: u64,
    /// The wait for a missing packet the jitter buffer allows now, in ms.
    pub jitter_target_ms: u64,
}

macro_rules! counters {
    ($($name:ident),+ $(,)?) => {
        /// [`LegStats`] as both threads share it.
        #[derive(Default)]
        pub(super) struct LegCounters {
            $(pub(super) $name: AtomicU64,)+
        }

        impl LegCounters {
            pub(super) fn read(&self) -> LegStats {
                LegStats { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

counters!(
    received,
    lost,
    recovered,
    late,
    stalled_ms,
    duplicate,
    unknown_payload_type,
    malformed,
    dropped_full,
    overflow,
    dropped_oversized,
    foreign,
    sent,
    send_dropped,
    events_dropped,
    heard_dropped,
    jitter_target_ms,
);

impl LegCounters {
    /// Shows the receiver's figures to the other threads.
    pub(super) fn record(&self, stats: &ReceiveStats, jitter_target: Duration) {
        let show = |counter: &AtomicU64, value: u64| counter.store(value, Ordering::Relaxed);
        show(&self.received, stats.received);
        show(&self.lost, stats.lost);
        show(&self.recovered, stats.recovered);
        show(&self.late, stats.late);
        show(&self.stalled_ms, stats.stalled_ms);
        show(&self.duplicate, stats.duplicate);
        show(&self.unknown_payload_type, stats.unknown_payload_type);
        show(&self.malformed, stats.malformed);
        show(&self.foreign, stats.foreign);
        show(&self.overflow, stats.full);
        show(&self.jitter_target_ms, jitter_target.as_millis() as u64);
    }
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

//! What a leg tells the application: a ring that is never waited for.

use rtrb::Producer;

use super::leg::EVENTS;
use super::stats::{LegCounters, count};
use crate::event::MediaEvent;

/// Event slots only playout may fill. The application keeps at most 16 plays
/// open, which make two events each, so playout
/// events always find room.
const PLAYOUT_RESERVE: usize = 64;
/// Event slots levels and VAD frames may not fill, so that digits and speech
/// still find room when nobody reads for a while.
const SIGNAL_RESERVE: usize = 256;

/// The worker's end of the ring.
pub(super) struct Events {
    ring: Producer<MediaEvent>,
    /// A source there was no room for: nothing else is told before it, since it would
    /// be told of the one before.
    unsaid: Option<MediaEvent>,
}

impl Events {
    pub(super) fn new(ring: Producer<MediaEvent>) -> Self {
        Self { ring, unsaid: None }
    }

    /// Sends an event if there is room for its kind.
    pub(super) fn offer(&mut self, counters: &LegCounters, event: MediaEvent) {
        let source = matches!(event, MediaEvent::Source { .. });
        if let Some(unsaid) = self.unsaid.take_if(|_| !source)
            && self.ring.push(unsaid).is_err()
        {
            self.unsaid = Some(unsaid);
            return count(&counters.events_dropped);
        }
        let reserve = match event {
            MediaEvent::PlayStarted { .. } | MediaEvent::PlayFinished { .. } => 0,
            MediaEvent::Level { .. } | MediaEvent::Vad { .. } => SIGNAL_RESERVE,
            _ => PLAYOUT_RESERVE,
        };
        if self.ring.slots() <= reserve || self.ring.push(event).is_err() {
            self.unsaid = if source { Some(event) } else { self.unsaid };
            return count(&counters.events_dropped);
        }
        self.unsaid = None;
    }

    /// Whether the application has some to take.
    pub(super) fn are_waiting(&self) -> bool {
        self.ring.slots() < EVENTS
    }

    /// Whether the application is gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }
}

//! pipeline
use super::leg::{Command, Shared};
use super::slot::{SlotReceiver, SlotSender};
use super::stats::LegCounters;
use super::{EngineError, LegConfig};
use crate::event::MediaEvent;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

pub(super) struct Rings {
    pub(super) incoming: SlotReceiver,
    pub(super) outgoing: SlotSender,
    pub(super) commands: rtrb::Consumer<Command>,
    pub(super) events: rtrb::Producer<MediaEvent>,
}

pub(super) struct Pipeline {
    _rings: Rings,
}

impl Pipeline {
    pub(super) fn new(
        _config: &LegConfig,
        rings: Rings,
        _shared: Arc<Shared>,
        _counters: Arc<LegCounters>,
        _alive: Arc<AtomicUsize>,
    ) -> Result<Box<Self>, EngineError> {
        Ok(Box::new(Self { _rings: rings }))
    }
}

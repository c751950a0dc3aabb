//! A worker without a thread: whoever holds it says what time it is.

use std::time::Instant;

use rtrb::Consumer;

use super::pipeline::Pipeline;
use super::worker::Worker;

/// The only worker of an engine made by [`Engine::stepped`](super::Engine::stepped): legs
/// live in the time it is told, so that a test or a simulation runs on media time alone.
pub struct Stepper {
    worker: Worker,
    trash: Consumer<Box<Pipeline>>,
}

impl Stepper {
    pub(super) fn new(worker: Worker, trash: Consumer<Box<Pipeline>>) -> Self {
        Self { worker, trash }
    }

    /// Does what is due at `now`, as a worker thread does every
    /// [`tick`](super::EngineConfig::tick). Time must not go back.
    pub fn tick(&mut self, now: Instant) {
        self.worker.adopt(now);
        self.worker.serve(now);
        while let Ok(leg) = self.trash.pop() {
            drop(leg);
        }
    }
}

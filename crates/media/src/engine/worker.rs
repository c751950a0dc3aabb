//! worker
use super::pipeline::Pipeline;
use super::{EngineConfig, EngineError};

pub(super) struct Workers;

impl Workers {
    pub(super) fn start(_config: &EngineConfig) -> Result<Self, EngineError> {
        Ok(Self)
    }

    pub(super) fn assign(&self, _pipeline: Box<Pipeline>) -> Result<(), Box<Pipeline>> {
        Ok(())
    }
}

//! What a person has seen of their call.

use std::time::Instant;

use super::super::plan::Stage;
use crate::phone::PhoneCallState;

/// A person's call as it was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallSeen {
    pub(super) stage: Stage,
    pub(super) rings_here: bool,
    pub(super) connected: bool,
    pub(super) established: Option<Instant>,
    pub(super) ended: Option<(Instant, i32)>,
    /// Whether it was in a lobby.
    pub(super) waited: bool,
    pub(super) speaking: bool,
    pub(super) last_sound: Option<Instant>,
}

impl CallSeen {
    pub(super) const NONE: Self = Self {
        stage: Stage::Idle,
        rings_here: false,
        connected: false,
        established: None,
        ended: None,
        waited: false,
        speaking: false,
        last_sound: None,
    };

    pub(super) fn is_on(&self) -> bool {
        !matches!(self.stage, Stage::Idle | Stage::Ended)
    }
}

/// The stage that a state belongs to.
pub(super) fn stage(state: PhoneCallState) -> Stage {
    match state {
        PhoneCallState::Ringing => Stage::Ringing,
        PhoneCallState::Establishing => Stage::Establishing,
        PhoneCallState::Lobby => Stage::Lobby,
        PhoneCallState::Established => Stage::Established,
        PhoneCallState::Transferring => Stage::Transferring,
    }
}

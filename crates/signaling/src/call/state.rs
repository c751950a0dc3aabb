//! What a state that is heard of means, given the one that is known.

use crate::types::CallState;

/// What to make of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing new.
    Same,
    /// The call has moved on.
    Follow,
    /// A step back: either it was really taken, or the news is old.
    Doubt,
    /// Old news, or a state that isn't known.
    Stale,
}

/// Where a state lies on the way from ringing to the end.
///
/// From `established` on, calls go back and forth; before, they only advance.
pub(super) fn rank(state: &CallState) -> Option<u8> {
    Some(match state {
        CallState::Incoming => 0,
        CallState::Establishing => 1,
        CallState::Redirecting => 2,
        CallState::Ringing => 3,
        CallState::Established => 4,
        CallState::Hold => 5,
        CallState::Transferring => 6,
        CallState::TransferAccepted => 7,
        CallState::Terminating => 8,
        CallState::Terminated => 9,
        _ => return None,
    })
}

/// Whether the two sides are, or were just, connected.
pub(super) fn is_connected(state: &CallState) -> bool {
    matches!(rank(state), Some(4..=7))
}

/// Whether a call is to leave this state by itself, so that silence is suspicious.
pub(super) fn is_passing(state: &CallState) -> bool {
    !matches!(state, CallState::Incoming | CallState::Established)
}

pub(super) fn is_transfer(state: &CallState) -> bool {
    matches!(state, CallState::Transferring | CallState::TransferAccepted)
}

pub(super) fn judge(known: &CallState, heard: &CallState) -> Verdict {
    let (Some(from), Some(to)) = (rank(known), rank(heard)) else {
        return Verdict::Stale;
    };
    match (from, to) {
        _ if from == to => Verdict::Same,
        (9, _) => Verdict::Stale,
        _ if to > from => Verdict::Follow,
        (8, _) => Verdict::Stale,
        (4.., ..4) | (_, 0) => Verdict::Stale,
        _ => Verdict::Doubt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CallState::*;

    #[test]
    fn calls_advance() {
        for (known, heard) in [
            (Incoming, Establishing),
            (Incoming, Established),
            (Establishing, Established),
            (Established, Transferring),
            (Transferring, TransferAccepted),
            (Incoming, Terminated),
            (Terminating, Terminated),
        ] {
            assert_eq!(judge(&known, &heard), Verdict::Follow, "{known} {heard}");
        }
    }

    #[test]
    fn a_step_back_is_doubted_or_stale() {
        for (known, heard) in [
            (Transferring, Established),
            (Hold, Established),
            (TransferAccepted, Transferring),
        ] {
            assert_eq!(judge(&known, &heard), Verdict::Doubt, "{known} {heard}");
        }
        for (known, heard) in [
            (Established, Establishing),
            (Established, Incoming),
            (Establishing, Incoming),
            (Terminating, Established),
            (Established, Unknown("parked".to_owned())),
        ] {
            assert_eq!(judge(&known, &heard), Verdict::Stale, "{known} {heard}");
        }
    }

    #[test]
    fn terminated_is_final() {
        for heard in CallState::KNOWN
            .iter()
            .filter(|state| **state != Terminated)
        {
            assert_eq!(judge(&Terminated, heard), Verdict::Stale, "{heard}");
        }
    }
}

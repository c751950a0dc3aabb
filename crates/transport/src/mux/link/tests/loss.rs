//! Calls that come about, or don't, over a network that loses datagrams.

use super::*;

/// What is between two ends; it loses nothing by default.
#[derive(Debug, Default)]
pub(super) struct Network {
    /// The part of datagrams that is lost, of 2³².
    lost: u32,
    chance: u64,
}

impl Network {
    fn new(part: f64, seed: u64) -> Self {
        Self {
            lost: (part * f64::from(u32::MAX)) as u32,
            chance: seed,
        }
    }

    /// Whether the next datagram is lost (SplitMix64).
    pub(super) fn loses(&mut self) -> bool {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) < u64::from(self.lost)
    }
}

const BOTH: (State, State) = (State::Connected, State::Connected);

/// A call from its first datagram on, until it stands or one side has given it up.
fn set_up(part: f64, seed: u64) -> (State, State) {
    let mut call = Call::new();
    call.network = Network::new(part, seed);
    let closed = |state| matches!(state, State::Closed(_));
    while call.states() != BOTH && !closed(call.states().0) && !closed(call.states().1) {
        call.run(Duration::from_millis(50));
    }
    call.states()
}

/// Checks, nomination and handshake: whatever is lost of them is sent again in time.
#[test]
fn calls_come_about_through_thirty_percent_of_loss() {
    for part in [0.05, 0.3] {
        for seed in 0..250 {
            assert_eq!(set_up(part, seed), BOTH, "loss of {part}, seed {seed}");
        }
    }
}

#[test]
fn the_network_loses_what_it_says() {
    let mut network = Network::new(0.3, 1);
    let lost = (0..10_000).filter(|_| network.loses()).count();
    assert!((2_800..3_200).contains(&lost), "{lost}");
    assert_eq!(set_up(1.0, 1).0, State::Closed(CloseReason::Failed));
}

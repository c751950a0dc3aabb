//! Where a call's other side is, once that is not where the ICE agent chose it to be.
//!
//! The stack's agent nominates once and stays there until consent expires. Behind a router
//! that forgot the call, or in another network, a phone goes on from another address; what
//! is sent to the first one is lost, and the call is over half a minute later. So this
//! stands between the agent and the network: it decides which address is *the path*, and
//! exchanges that with the one the agent chose, both ways, in everything the agent hears
//! and says. Keep-alives and consent (RFC 7675) then follow the other side by themselves.
//!
//! An address becomes the path when it has sent a check with the call's passwords, or media
//! with its keys, has answered a check of ours (so that it is no forged source), and either the
//! other side nominates it (RFC 8445 §8.1.1) or the former one has gone silent.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::demux::Transaction;

/// Nothing authentic for so long, and the other side is elsewhere if it shows there. What
/// speaks sends a packet every 20 ms, or every 400 ms while it pauses.
const SILENT: Duration = Duration::from_secs(1);
/// Where media comes from another address, the former one need not be silent for longer than
/// packets overtake each other.
const MOVED: Duration = Duration::from_millis(200);
/// Between two checks of an address that only media came from.
const LOOKS: Duration = Duration::from_millis(200);
/// How long an answer counts (RFC 7675 §5.1).
const CONSENT: Duration = Duration::from_secs(30);
/// Other addresses that are remembered.
const OTHERS: usize = 4;

/// An address that has sent an authentic check or packet and is not the path.
struct Other {
    address: SocketAddr,
    /// The last check that was sent there.
    asked: Option<Transaction>,
    /// When it last answered one.
    answered: Option<Instant>,
    /// Whether the other side has nominated it since it was last the path.
    nominated: bool,
    /// Whether media came from there since.
    speaks: bool,
    /// When it was last checked because of that alone.
    looked: Option<Instant>,
}

/// Which address is the path.
pub(super) struct Path {
    /// In place of the agent's choice.
    moved: Option<SocketAddr>,
    /// When something authentic last came along the path.
    heard: Instant,
    /// The least recent first.
    others: Vec<Other>,
}

impl Path {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            moved: None,
            heard: now,
            others: Vec::with_capacity(OTHERS),
        }
    }

    /// Where to send, given what the agent chose.
    pub(super) fn of(&self, chosen: SocketAddr) -> SocketAddr {
        self.moved.unwrap_or(chosen)
    }

    /// What the agent is to take `address` for, and the network its `address` for.
    pub(super) fn exchange(&self, chosen: Option<SocketAddr>, address: SocketAddr) -> SocketAddr {
        match (self.moved, chosen) {
            (Some(path), Some(chosen)) if address == path => chosen,
            (Some(path), Some(chosen)) if address == chosen => path,
            _ => address,
        }
    }

    /// Something authentic came from an address.
    pub(super) fn heard(&mut self, now: Instant, chosen: SocketAddr, from: SocketAddr) {
        if from == self.of(chosen) {
            self.heard = now;
        }
    }

    /// Media that proved itself came from an address.
    pub(super) fn spoke(&mut self, now: Instant, chosen: SocketAddr, from: SocketAddr) {
        self.heard(now, chosen, from);
        let mut others = self.others.iter_mut();
        if let Some(other) = others.find(|other| other.address == from) {
            other.speaks = true;
            self.follow(now, chosen, from);
        }
    }

    /// Media came from an address of which no check is known; whether it is to be checked now.
    pub(super) fn is_to_be_checked(
        &mut self,
        now: Instant,
        chosen: SocketAddr,
        from: SocketAddr,
    ) -> bool {
        let Some(other) = self.other(chosen, from) else {
            return false;
        };
        other.speaks = true;
        let is_due = |looked| now.saturating_duration_since(looked) >= LOOKS;
        let is_due = other.looked.is_none_or(is_due);
        if is_due {
            other.looked = Some(now);
        }
        is_due
    }

    /// A check is sent.
    pub(super) fn asks(&mut self, to: SocketAddr, transaction: Transaction) {
        if let Some(other) = self.others.iter_mut().find(|other| other.address == to) {
            other.asked = Some(transaction);
        }
    }

    /// An authentic check came.
    pub(super) fn asked(
        &mut self,
        now: Instant,
        chosen: SocketAddr,
        from: SocketAddr,
        nominates: bool,
    ) {
        if let Some(other) = self.other(chosen, from) {
            other.nominated |= nominates;
            self.follow(now, chosen, from);
        }
    }

    /// What is known of an address, unless it is the path.
    fn other(&mut self, chosen: SocketAddr, from: SocketAddr) -> Option<&mut Other> {
        if from == self.of(chosen) {
            return None;
        }
        let known = self.others.iter().position(|other| other.address == from);
        let at = known.unwrap_or_else(|| {
            if self.others.len() == OTHERS {
                self.others.remove(0);
            }
            self.others.push(Other {
                address: from,
                asked: None,
                answered: None,
                nominated: false,
                speaks: false,
                looked: None,
            });
            self.others.len() - 1
        });
        self.others[at..].rotate_left(1);
        self.others.last_mut()
    }

    /// An authentic answer came; whether it is to a check of that address.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        chosen: SocketAddr,
        from: SocketAddr,
        transaction: Transaction,
    ) -> bool {
        let other = self.others.iter_mut().find(|other| other.address == from);
        let Some(other) = other.filter(|other| other.asked == Some(transaction)) else {
            return false;
        };
        other.answered = Some(now);
        self.follow(now, chosen, from);
        true
    }

    /// Makes an address the path if it may and should be.
    fn follow(&mut self, now: Instant, chosen: SocketAddr, address: SocketAddr) {
        let silence = now.saturating_duration_since(self.heard);
        let at = self.others.iter().position(|other| {
            let consents = other
                .answered
                .is_some_and(|answered| now.saturating_duration_since(answered) < CONSENT);
            let enough = if other.speaks { MOVED } else { SILENT };
            other.address == address && consents && (other.nominated || silence > enough)
        });
        let Some(at) = at else { return };
        self.others.remove(at);
        self.moved = (address != chosen).then_some(address);
        self.heard = now;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const CHOSEN: &str = "198.51.100.7:40000";
    const ELSEWHERE: &str = "203.0.113.9:50000";
    const ASKED: Transaction = [7; 12];

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A path on which something came just now, and a check from elsewhere that was
    /// checked in turn.
    fn doubted(nominates: bool) -> (Path, Instant) {
        let now = Instant::now();
        let mut path = Path::new(now);
        path.asked(now, address(CHOSEN), address(ELSEWHERE), nominates);
        path.asks(address(ELSEWHERE), ASKED);
        (path, now)
    }

    fn answers(path: &mut Path, now: Instant, transaction: Transaction) -> SocketAddr {
        path.answered(now, address(CHOSEN), address(ELSEWHERE), transaction);
        path.of(address(CHOSEN))
    }

    #[test]
    fn an_address_that_is_nominated_and_answers_is_the_path_at_once() {
        let (mut path, now) = doubted(true);
        assert_eq!(path.of(address(CHOSEN)), address(CHOSEN));
        assert_eq!(answers(&mut path, now, [8; 12]), address(CHOSEN));
        assert_eq!(answers(&mut path, now, ASKED), address(ELSEWHERE));
        let exchanged = |from| path.exchange(Some(address(CHOSEN)), address(from));
        assert_eq!(exchanged(ELSEWHERE), address(CHOSEN));
        assert_eq!(exchanged(CHOSEN), address(ELSEWHERE));
        assert_eq!(exchanged("192.0.2.9:9"), address("192.0.2.9:9"));
    }

    #[test]
    fn without_nomination_it_is_the_path_once_the_former_one_is_silent() {
        let (mut path, now) = doubted(false);
        assert_eq!(answers(&mut path, now, ASKED), address(CHOSEN));
        let later = now + SILENT + Duration::from_millis(1);
        path.heard(later, address(CHOSEN), address(CHOSEN));
        path.asked(later, address(CHOSEN), address(ELSEWHERE), false);
        assert_eq!(path.of(address(CHOSEN)), address(CHOSEN));
        let later = later + SILENT + Duration::from_millis(1);
        path.asked(later, address(CHOSEN), address(ELSEWHERE), false);
        assert_eq!(path.of(address(CHOSEN)), address(ELSEWHERE));
    }

    #[test]
    fn an_answer_counts_for_thirty_seconds() {
        let (mut path, now) = doubted(false);
        answers(&mut path, now, ASKED);
        let later = now + CONSENT;
        path.asked(later, address(CHOSEN), address(ELSEWHERE), true);
        assert_eq!(path.of(address(CHOSEN)), address(CHOSEN));
    }

    #[test]
    fn it_comes_back_the_same_way() {
        let (mut path, now) = doubted(true);
        answers(&mut path, now, ASKED);
        path.asked(now, address(CHOSEN), address(CHOSEN), true);
        path.asks(address(CHOSEN), ASKED);
        assert_eq!(path.of(address(CHOSEN)), address(ELSEWHERE));
        path.answered(now, address(CHOSEN), address(CHOSEN), ASKED);
        assert_eq!(path.of(address(CHOSEN)), address(CHOSEN));
        assert_eq!(
            path.exchange(Some(address(CHOSEN)), address(ELSEWHERE)),
            address(ELSEWHERE)
        );
    }
}

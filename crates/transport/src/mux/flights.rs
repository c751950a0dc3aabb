//! The flights of a DTLS handshake, repeated until they are answered (RFC 6347 §4.2.4).
//!
//! The stack's own timer is not relied on: it stops for good when part of a flight, or a
//! flight that the other side repeated, comes in, and it gives the handshake up after seven
//! tries, as it does answering with its last flight. Every fifth call through 30 % of loss
//! died of that. So the latest flight is kept here and sent again in time.

use std::time::{Duration, Instant};

use bytes::BytesMut;

/// The first wait. WebRTC's handshakes are a person's waiting for an answer, after ICE has
/// shown that the path is there: shorter than the second that RFC 6347 §4.2.4.1 has for any
/// application.
const FIRST: Duration = Duration::from_millis(200);
/// Waits double up to this.
const LONGEST: Duration = Duration::from_millis(800);
/// Type, version, epoch, sequence number, length (RFC 6347 §4.1).
const HEADER: usize = 13;
const HANDSHAKE: u8 = 22;

/// The latest flight, and when it is sent again.
pub(super) struct Flights {
    latest: Vec<BytesMut>,
    /// Sequence number of the next record that is not encrypted. A repeated record needs a new
    /// one, or it is taken for a replay (RFC 6347 §4.1.2.6).
    next: u64,
    wait: Duration,
    due: Option<Instant>,
    /// When the last flight was last sent.
    answered: Option<Instant>,
}

impl Flights {
    pub(super) fn new() -> Self {
        Self {
            latest: Vec::new(),
            next: 0,
            wait: FIRST,
            due: None,
            answered: None,
        }
    }

    /// Gives the records of a datagram that are not encrypted their sequence numbers.
    pub(super) fn number(&mut self, datagram: &mut [u8]) {
        for_each_record(datagram, |header| {
            if epoch(header) == 0 {
                header[5..11].copy_from_slice(&self.next.to_be_bytes()[2..]);
                self.next += 1;
            }
        });
    }

    /// A new flight, sent now, begins to be waited for.
    pub(super) fn begin(&mut self, now: Instant, flight: Vec<BytesMut>) {
        self.latest = flight;
        self.wait = FIRST;
        self.due = Some(now + FIRST);
    }

    /// The latest flight again.
    pub(super) fn again(&mut self) -> Vec<BytesMut> {
        let mut flight = self.latest.clone();
        for datagram in &mut flight {
            self.number(datagram);
        }
        flight
    }

    /// Whether the latest flight is to be sent again; the next wait is twice as long.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.due.is_some_and(|due| due <= now);
        if is_due {
            self.wait = (self.wait * 2).min(LONGEST);
            self.due = Some(now + self.wait);
        }
        is_due
    }

    /// When [`is_due`](Self::is_due) is to be asked.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The last flight, sent now: nothing is waited for any more.
    pub(super) fn last(&mut self, now: Instant, flight: Vec<BytesMut>) {
        self.latest = flight;
        self.due = None;
        self.answered = Some(now);
    }

    /// The last flight again, for whoever repeats the one before it; nothing if that was
    /// answered a moment ago.
    pub(super) fn answer(&mut self, now: Instant) -> Vec<BytesMut> {
        let answered = self.answered.filter(|answered| now < *answered + FIRST);
        if answered.is_some() {
            return Vec::new();
        }
        self.answered = Some(now);
        self.again()
    }

    /// Whether the latest flight has encrypted records: a client's last one has.
    pub(super) fn is_sealed(&self) -> bool {
        self.latest.iter().any(|datagram| {
            let mut sealed = false;
            for_each_record(&mut datagram.clone(), |header| sealed |= epoch(header) > 0);
            sealed
        })
    }
}

/// Which handshake messages that are not encrypted a datagram has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// None.
    None,
    /// Some, and other records.
    Some,
    /// Nothing but them.
    All,
}

impl Plain {
    pub(super) fn of(datagram: &[u8]) -> Self {
        let (mut any, mut all) = (false, true);
        for_each_record(&mut BytesMut::from(datagram), |header| {
            let is_plain = header[0] == HANDSHAKE && epoch(header) == 0;
            any |= is_plain;
            all &= is_plain;
        });
        match (any, all) {
            (false, _) => Self::None,
            (true, false) => Self::Some,
            (true, true) => Self::All,
        }
    }
}

fn epoch(header: &[u8; HEADER]) -> u16 {
    u16::from_be_bytes([header[3], header[4]])
}

/// Lets `see` look at the header of every whole record.
fn for_each_record(mut rest: &mut [u8], mut see: impl FnMut(&mut [u8; HEADER])) {
    while let Some((header, body)) = rest.split_first_chunk_mut::<HEADER>() {
        let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
        let Some((_, next)) = body.split_at_mut_checked(length) else {
            return;
        };
        see(header);
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records with these types, epochs and lengths in one datagram.
    fn datagram(records: &[(u8, u16, u16)]) -> BytesMut {
        let mut bytes = BytesMut::new();
        for (kind, epoch, length) in records {
            bytes.extend_from_slice(&[*kind, 0xfe, 0xfd]);
            bytes.extend_from_slice(&epoch.to_be_bytes());
            bytes.extend_from_slice(&[0, 0, 0, 0, 0, 77]);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&vec![1; usize::from(*length)]);
        }
        bytes
    }

    fn numbers(mut datagram: BytesMut) -> Vec<u8> {
        let mut numbers = Vec::new();
        for_each_record(&mut datagram, |header| numbers.push(header[10]));
        numbers
    }

    #[test]
    fn what_is_repeated_has_new_numbers_unless_it_is_encrypted() {
        let mut flights = Flights::new();
        let mut first = datagram(&[(22, 0, 30), (20, 0, 1), (22, 1, 40)]);
        flights.number(&mut first);
        assert_eq!(numbers(first.clone()), [0, 1, 77]);
        flights.begin(Instant::now(), vec![first]);
        assert!(flights.is_sealed());
        let again = flights.again();
        assert_eq!(
            again.into_iter().map(numbers).collect::<Vec<_>>(),
            [[2, 3, 77]]
        );
    }

    #[test]
    fn waits_double_up_to_a_limit_and_begin_anew() {
        let mut flights = Flights::new();
        let mut now = Instant::now();
        assert_eq!(flights.due(), None);
        for _ in 0..2 {
            flights.begin(now, vec![datagram(&[(22, 0, 30)])]);
            for wait in [200, 400, 800, 800, 800] {
                let due = now + Duration::from_millis(wait);
                assert_eq!(flights.due(), Some(due));
                assert!(!flights.is_due(due - Duration::from_millis(1)));
                assert!(flights.is_due(due));
                now = due;
            }
        }
        flights.last(now, Vec::new());
        assert!(!flights.is_due(now + LONGEST * 2));
    }

    #[test]
    fn plain_handshakes_are_told_from_the_rest() {
        let plain = |records: &[_]| Plain::of(&datagram(records));
        assert_eq!(plain(&[(22, 0, 30), (22, 0, 9)]), Plain::All);
        assert_eq!(plain(&[(22, 0, 30), (20, 0, 1)]), Plain::Some);
        assert_eq!(plain(&[(22, 1, 30), (20, 0, 1)]), Plain::None);
        assert_eq!(Plain::of(&[22; HEADER]), Plain::None);
    }

    #[test]
    fn the_last_flight_answers_a_repeated_one_and_no_flood() {
        let mut flights = Flights::new();
        let now = Instant::now();
        flights.last(now, vec![datagram(&[(20, 0, 1), (22, 1, 40)])]);
        assert_eq!(flights.due(), None);
        assert_eq!(flights.answer(now), Vec::<BytesMut>::new());
        assert_eq!(flights.answer(now + FIRST).len(), 1);
        assert_eq!(flights.answer(now + FIRST * 3 / 2), Vec::<BytesMut>::new());
        assert_eq!(flights.answer(now + FIRST * 2).len(), 1);
    }
}

//! Stalls of a sender or a network: nothing comes for a while, then all that was missed.
//!
//! However well the jitter buffer stands them, they tell of a sender that paces badly.

use std::time::{Duration, Instant};

use crate::rtp::RtpHeader;

/// Less is jitter, more is a pause of the sender's clock.
const STALL: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_millis(500);

/// The audio packet that came last.
#[derive(Default)]
pub(super) struct Stalls(Option<Last>);

struct Last {
    arrival: Instant,
    header: RtpHeader,
}

impl Stalls {
    /// A packet of audio comes; gives how many milliseconds later it is than its timestamp
    /// says, if it is the next one and that was a stall.
    pub(super) fn packet(&mut self, arrival: Instant, header: &RtpHeader, clock_rate: u32) -> u64 {
        let header = *header;
        let Some(last) = self.0.replace(Last { arrival, header }) else {
            return 0;
        };
        let is_next = header.ssrc == last.header.ssrc
            && header.sequence == last.header.sequence.wrapping_add(1);
        let ticks = header.timestamp.wrapping_sub(last.header.timestamp);
        let sent_after = Duration::from_secs_f64(f64::from(ticks) / f64::from(clock_rate));
        let late = arrival
            .saturating_duration_since(last.arrival)
            .saturating_sub(sent_after);
        match is_next && STALL.contains(&late) {
            true => late.as_millis() as u64,
            false => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds of stalls of packets with these arrivals in ms, sequence numbers and
    /// timestamps in ms.
    fn stalled(packets: &[(u64, u16, u32)]) -> u64 {
        let (mut stalls, start) = (Stalls::default(), Instant::now());
        let packet = |(ms, sequence, sent): &(u64, u16, u32)| {
            let header = RtpHeader {
                sequence: *sequence,
                timestamp: sent.wrapping_mul(48).wrapping_sub(960),
                ..RtpHeader::default()
            };
            stalls.packet(start + Duration::from_millis(*ms), &header, 48_000)
        };
        packets.iter().map(packet).sum()
    }

    #[test]
    fn what_comes_late_and_all_at_once_is_a_stall() {
        let even = [(0, 65_535, 0), (20, 0, 20), (40, 1, 40)];
        assert_eq!(stalled(&even), 0);
        let late = [(0, 65_535, 0), (320, 0, 20), (320, 1, 40), (321, 2, 60)];
        assert_eq!(stalled(&late), 300);
        let jitter = [(0, 1, 0), (110, 2, 20), (110, 3, 40)];
        assert_eq!(stalled(&jitter), 0);
    }

    #[test]
    fn pauses_and_losses_are_none() {
        // Nothing was said, or the clock stood still meanwhile.
        assert_eq!(stalled(&[(0, 1, 0), (300, 2, 300)]), 0);
        assert_eq!(stalled(&[(0, 1, 0), (900, 2, 20)]), 0);
        // What is missing may have come in between; an older one comes later.
        assert_eq!(stalled(&[(0, 1, 0), (300, 3, 40), (301, 2, 20)]), 0);
    }
}

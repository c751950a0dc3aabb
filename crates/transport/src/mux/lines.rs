//! A conference's speakers beside the mix, each on a line of their own: a section of
//! audio (RFC 8843) with a leg of its own.

use std::time::Instant;

use switchboard_media::engine::NetworkSide;
use switchboard_media::rtp::{self, RtpHeader};

use super::link::Refused;

/// Streams whose section is remembered, of the announced and of others each; SRTP
/// knows no more one by one either.
const MAX_STREAMS: usize = 16;
/// The mix's place among the sections.
const MIX: usize = 0;

/// What tells a section's packets from another's.
pub(crate) struct Section {
    pub(crate) mid: Option<String>,
    /// Its streams, as far as they were announced.
    pub(crate) ssrcs: Vec<u32>,
    pub(crate) payload_types: Vec<u8>,
}

/// Tells which section a packet is of (RFC 8843 §9.2).
pub(crate) struct Sorter {
    /// Number of the header extension that names the section, if packets have it.
    mid_extension: Option<u8>,
    /// The mix's, then the speakers'.
    sections: Box<[Section]>,
    /// The announced, which are never forgotten, then those that named themselves.
    streams: Vec<Known>,
    announced: usize,
    /// Packets sorted so far.
    sorted: u64,
}

/// A stream whose section is known.
struct Known {
    ssrc: u32,
    section: usize,
    /// The last packet sorted by it.
    heard: u64,
}

impl Sorter {
    pub(crate) fn new(mid_extension: Option<u8>, sections: Vec<Section>) -> Self {
        let mut sorter = Self {
            mid_extension,
            sections: sections.into(),
            streams: Vec::with_capacity(2 * MAX_STREAMS),
            announced: 0,
            sorted: 0,
        };
        sorter.announce();
        sorter
    }

    /// Learns the streams that were announced, as far as there is room.
    fn announce(&mut self) {
        let announced = self.sections.iter().enumerate().flat_map(|(at, section)| {
            let ssrcs = section.ssrcs.iter();
            ssrcs.map(move |ssrc| (*ssrc, at))
        });
        for (ssrc, section) in announced {
            // Whoever announced a stream first has it.
            let new = self.streams.iter().all(|known| known.ssrc != ssrc);
            if new && self.streams.len() < MAX_STREAMS {
                self.streams.push(Known {
                    ssrc,
                    section,
                    heard: 0,
                });
            }
        }
        self.announced = self.streams.len();
    }

    fn known(&mut self, ssrc: u32) -> Option<&mut Known> {
        self.streams.iter_mut().find(|known| known.ssrc == ssrc)
    }

    /// Remembers a stream's section in place of the longest silent one's.
    fn remember(&mut self, ssrc: u32, section: usize) {
        let heard = self.sorted;
        let new = Known {
            ssrc,
            section,
            heard,
        };
        if let Some(known) = self.known(ssrc) {
            *known = new;
        } else if self.streams.len() < self.announced + MAX_STREAMS {
            self.streams.push(new);
        } else {
            let others = self.streams[self.announced..].iter_mut();
            if let Some(silent) = others.min_by_key(|known| known.heard) {
                *silent = new;
            }
        }
    }

    /// The section of a packet; `None` when nothing tells it.
    fn sort(&mut self, packet: &[u8], header: &RtpHeader) -> Option<usize> {
        let mid = self.mid_extension.and_then(|id| rtp::extension(packet, id));
        let found = match mid {
            Some(mid) => self.named(mid)?,
            None => match self.known(header.ssrc) {
                Some(known) => known.section,
                None => self.only_one_with(header.payload_type)?,
            },
        };
        self.sorted += 1;
        self.remember(header.ssrc, found);
        Some(found)
    }

    fn named(&self, mid: &[u8]) -> Option<usize> {
        let mut sections = self.sections.iter();
        sections.position(|section| {
            let own = section.mid.as_ref();
            own.is_some_and(|own| own.as_bytes() == mid)
        })
    }

    fn only_one_with(&self, payload_type: u8) -> Option<usize> {
        let has = |section: &Section| section.payload_types.contains(&payload_type);
        let at = self.sections.iter().position(has)?;
        (!self.sections[at + 1..].iter().any(has)).then_some(at)
    }
}

/// A call's lines.
pub(crate) enum Lines {
    /// Speakers the other side sends.
    Heard(Sorter, Box<[NetworkSide]>),
    /// Speakers this side sends.
    Said(Box<[NetworkSide]>),
}

impl Lines {
    fn legs(&self) -> &[NetworkSide] {
        match self {
            Self::Heard(_, legs) | Self::Said(legs) => legs,
        }
    }

    /// How many streams come, the mix's included.
    pub(crate) fn heard(&self) -> u32 {
        match self {
            Self::Heard(_, legs) => 1 + legs.len() as u32,
            Self::Said(_) => 1,
        }
    }

    /// Takes a packet that is not of the mix; gives whether it was one.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        packet: &[u8],
        header: &RtpHeader,
        payload: &[u8],
    ) -> Result<bool, Refused> {
        let Self::Heard(sorter, legs) = self else {
            return Ok(false);
        };
        match sorter.sort(packet, header).ok_or(Refused::Unknown)? {
            MIX => Ok(false),
            section => {
                if let Some(leg) = legs.get_mut(section - 1) {
                    // The leg counts what it does not take.
                    let _ = leg.receive(now, header, payload);
                }
                Ok(true)
            }
        }
    }

    /// Lets `send` have what speakers have said, at most `most` packets a line.
    pub(crate) fn transmit(&mut self, most: usize, mut send: impl FnMut(&RtpHeader, &[u8])) {
        let (Self::Heard(_, legs) | Self::Said(legs)) = self;
        for leg in legs {
            for _ in 0..most {
                if leg.transmit(&mut send).is_none() {
                    break;
                }
            }
        }
    }

    pub(crate) fn has_packet(&self) -> bool {
        self.legs().iter().any(NetworkSide::has_packet)
    }

    pub(crate) fn take_events_waiting(&self) -> bool {
        // Each is asked, so that none asks again for what was passed on already.
        let waiting = self.legs().iter().map(NetworkSide::take_events_waiting);
        waiting.fold(false, |any, one| any | one)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use switchboard_media::rtp::HEADER_LEN;

    use super::*;

    fn sorter(mid_extension: Option<u8>) -> Sorter {
        let section = |mid: &str, ssrc, payload_types: &[u8]| Section {
            mid: Some(mid.to_owned()),
            ssrcs: vec![ssrc],
            payload_types: payload_types.to_vec(),
        };
        let sections = vec![
            section("mix", 10, &[111, 110]),
            section("a", 11, &[111]),
            // A stream of another's is not had by naming it, too.
            section("b", 10, &[111]),
        ];
        Sorter::new(mid_extension, sections)
    }

    fn packet(ssrc: u32, payload_type: u8, mid: Option<&str>) -> Vec<u8> {
        let header = RtpHeader {
            payload_type,
            ssrc,
            ..RtpHeader::default()
        };
        let mut bytes = header.to_bytes().to_vec();
        if let Some(mid) = mid {
            bytes[0] |= 0x10;
            let words = (1 + mid.len()).div_ceil(4);
            bytes.extend_from_slice(&[0xbe, 0xde, 0, words as u8]);
            bytes.push(0x40 | (mid.len() as u8 - 1));
            bytes.extend_from_slice(mid.as_bytes());
            bytes.resize(HEADER_LEN + 4 + 4 * words, 0);
        }
        bytes
    }

    fn sort(sorter: &mut Sorter, bytes: &[u8]) -> Option<usize> {
        sorter.sort(bytes, &rtp::parse(bytes).ok()?.0)
    }

    #[test]
    fn streams_are_known_by_their_announced_ssrc() {
        let mut sorter = sorter(None);
        assert_eq!(sort(&mut sorter, &packet(10, 111, None)), Some(0));
        assert_eq!(sort(&mut sorter, &packet(11, 111, None)), Some(1));
        assert_eq!(sort(&mut sorter, &packet(99, 111, None)), None);
        // Nobody else has telephone events.
        assert_eq!(sort(&mut sorter, &packet(98, 110, None)), Some(0));
        assert_eq!(sort(&mut sorter, &packet(98, 111, None)), Some(0));
    }

    #[test]
    fn a_named_section_counts_more_than_the_ssrc_and_is_remembered() {
        let mut sorter = sorter(Some(4));
        assert_eq!(sort(&mut sorter, &packet(77, 111, Some("b"))), Some(2));
        assert_eq!(sort(&mut sorter, &packet(77, 111, None)), Some(2));
        assert_eq!(sort(&mut sorter, &packet(11, 111, Some("mix"))), Some(0));
        assert_eq!(sort(&mut sorter, &packet(11, 111, None)), Some(0));
        assert_eq!(sort(&mut sorter, &packet(10, 111, Some("zz"))), None);
        assert_eq!(sort(&mut sorter, &packet(10, 111, None)), Some(0));
    }

    #[test]
    fn the_longest_silent_stream_makes_room_but_no_announced_one() {
        let mut sorter = sorter(Some(4));
        assert_eq!(sort(&mut sorter, &packet(50, 111, Some("b"))), Some(2));
        for ssrc in 100..200 {
            assert_eq!(sort(&mut sorter, &packet(ssrc, 111, Some("a"))), Some(1));
            // Who goes on speaking is known without a name.
            assert_eq!(sort(&mut sorter, &packet(50, 111, None)), Some(2));
        }
        assert_eq!(sorter.streams.len(), 2 + MAX_STREAMS);
        assert_eq!(sorter.streams.capacity(), 2 * MAX_STREAMS);
        assert_eq!(sort(&mut sorter, &packet(199, 111, None)), Some(1));
        assert_eq!(sort(&mut sorter, &packet(100, 111, None)), None);
        assert_eq!(sort(&mut sorter, &packet(11, 111, None)), Some(1));
    }

    proptest! {
        #[test]
        fn any_packet_is_sorted_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut sorter = sorter(Some(4));
            let section = sort(&mut sorter, &bytes);
            prop_assert!(section.is_none_or(|section| section < 3));
        }
    }
}

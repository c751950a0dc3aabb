//! Jitter buffer: packets of one source back in order, and the verdict on those
//! that do not come.
//!
//! A bot listens; no loudspeaker takes a sample every 62 µs from it. So a packet
//! whose turn it is goes on at once, and waiting happens only where the order
//! is unknown: behind a gap, until the missing packet is later than nearly all
//! were lately (a forgetting histogram of arrival delays, as in WebRTC's NetEq,
//! within 40–500 ms). There is thus no playout clock to drift against and
//! nothing to stretch or squeeze.
//!
//! All memory is allocated at the start; time comes in as arguments.

mod delay;

use std::time::{Duration, Instant};

use zeroize::Zeroize;

use crate::rtp::RtpHeader;
use delay::Delay;

/// Packets held at most, and how far ahead of its turn one may come: 1.28 s of
/// 20 ms packets.
pub const SLOTS: usize = 64;
/// Longest payload held, in bytes.
pub const MAX_PAYLOAD: usize = 1500;
/// Shortest wait for a missing packet.
pub const MIN_TARGET: Duration = Duration::from_millis(40);
/// Longest wait for a missing packet.
pub const MAX_TARGET: Duration = Duration::from_millis(500);
/// A new source takes over once the old one was quiet for this long: two
/// sources at once do not take turns.
const TAKE_OVER: Duration = Duration::from_millis(50);
/// A step of timestamps beyond this is a jump, not silence or loss.
const MAX_STEP_S: u32 = 10;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for its turn.
    Taken,
    /// It came before.
    Duplicate,
    /// Its place was concealed already.
    Late,
    /// Another source or a jump in sequence: it takes a second packet in
    /// sequence to believe it (RFC 3550 §A.1).
    Foreign,
    /// Too many wait.
    Full,
    /// Longer than [`MAX_PAYLOAD`].
    Oversized,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Pulled<'a> {
    /// The sender paused: this much silence lies before the packet pulled next.
    Silence {
        /// Duration in ticks.
        ticks: u32,
        /// Payload type of the packet after it, which tells the ticks' rate.
        payload_type: u8,
    },
    /// The packet whose turn it is.
    Packet {
        /// The packet.
        packet: Packet<'a>,
        /// Whether its timestamp has nothing to do with the audio before: the
        /// first packet, another source, a jump.
        restart: bool,
    },
    /// Packets that will not be waited for any longer.
    Lost {
        /// How many.
        packets: u32,
        /// Ticks of audio missing; 0 when that cannot be told.
        ticks: u32,
        /// The packet after the gap (it is pulled next), whose FEC may hold
        /// the last lost one.
        next: Option<Packet<'a>>,
    },
}

/// A packet in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// RTP payload type.
    pub payload_type: u8,
    /// Duration in ticks.
    pub ticks: u32,
    /// Whose audio it holds; see [`RtpHeader::source`].
    pub source: u32,
    /// The payload.
    pub payload: &'a [u8],
}

struct Slot {
    /// When its packet came; `None` for an empty slot.
    arrival: Option<Instant>,
    payload_type: u8,
    timestamp: u32,
    ticks: u32,
    source: u32,
    len: usize,
    bytes: [u8; MAX_PAYLOAD],
}

impl Slot {
    fn empty() -> Self {
        Self {
            arrival: None,
            payload_type: 0,
            timestamp: 0,
            ticks: 0,
            source: 0,
            len: 0,
            bytes: [0; MAX_PAYLOAD],
        }
    }

    fn is_taken(&self) -> bool {
        self.arrival.is_some()
    }

    fn packet(&self) -> Packet<'_> {
        Packet {
            payload_type: self.payload_type,
            ticks: self.ticks,
            source: self.source,
            payload: &self.bytes[..self.len],
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// The source whose packets are taken.
struct Source {
    ssrc: u32,
    /// Sequence number whose turn it is.
    next: u16,
    last_arrival: Instant,
}

/// The buffer of one leg.
pub struct JitterBuffer {
    clock: u32,
    slots: Box<[Slot]>,
    held: usize,
    source: Option<Source>,
    /// The packet that would confirm a new source or sequence.
    candidate: Option<(u32, u16)>,
    /// Timestamp at which the audio given out so far ends.
    end: Option<u32>,
    /// Bit n: whether the packet n+1 before `next` came.
    came: u64,
    delay: Delay,
}

impl JitterBuffer {
    /// An empty buffer for timestamps of `clock` ticks per second (at least 1).
    pub fn new(clock: u32) -> Self {
        let clock = clock.max(1);
        Self {
            clock,
            slots: (0..SLOTS).map(|_| Slot::empty()).collect(),
            held: 0,
            source: None,
            candidate: None,
            end: None,
            came: 0,
            delay: Delay::new(clock),
        }
    }

    /// The wait allowed for a missing packet now.
    pub fn target(&self) -> Duration {
        self.delay.target()
    }

    /// Packets held.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes a packet of `ticks` duration; 0 for one that takes a sequence
    /// number but holds no audio (a telephone event).
    pub fn push(
        &mut self,
        arrival: Instant,
        header: &RtpHeader,
        ticks: u32,
        payload: &[u8],
    ) -> Pushed {
        if payload.len() > MAX_PAYLOAD {
            return Pushed::Oversized;
        }
        if let Some(refused) = self.admit(arrival, header, ticks) {
            return refused;
        }
        if ticks > 0 {
            self.delay.observe(arrival, header.timestamp);
        }
        let slot = &mut self.slots[usize::from(header.sequence) % SLOTS];
        if slot.is_taken() {
            return Pushed::Duplicate;
        }
        slot.arrival = Some(arrival);
        slot.payload_type = header.payload_type;
        slot.timestamp = header.timestamp;
        slot.ticks = ticks;
        slot.source = header.source();
        slot.len = payload.len();
        slot.bytes[..payload.len()].copy_from_slice(payload);
        self.held += 1;
        Pushed::Taken
    }

    /// Whether the packet belongs into the window; `None` if so.
    fn admit(&mut self, arrival: Instant, header: &RtpHeader, ticks: u32) -> Option<Pushed> {
        let Some(source) = &mut self.source else {
            self.begin(arrival, header);
            return None;
        };
        if header.ssrc != source.ssrc {
            let quiet = arrival.saturating_duration_since(source.last_arrival);
            return self.probe(arrival, header, quiet >= TAKE_OVER);
        }
        let ahead = i32::from(header.sequence.wrapping_sub(source.next) as i16);
        if ahead < -(SLOTS as i32) || ahead >= SLOTS as i32 {
            // Nothing is missing: whoever pulls is behind.
            let next = usize::from(source.next) % SLOTS;
            if (0..2 * SLOTS as i32).contains(&ahead) && self.slots[next].is_taken() {
                return Some(Pushed::Full);
            }
            return self.probe(arrival, header, true);
        }
        source.last_arrival = arrival;
        self.candidate = None;
        (ahead < 0).then(|| self.behind(arrival, header, ticks, -ahead))
    }

    /// A packet `back` places before its turn.
    fn behind(&mut self, arrival: Instant, header: &RtpHeader, ticks: u32, back: i32) -> Pushed {
        let bit = 1 << (back - 1);
        if self.came & bit != 0 {
            return Pushed::Duplicate;
        }
        // How late it is tells how long to wait next time; a telephone event's timestamp
        // is its key's beginning and tells nothing.
        if ticks > 0 {
            self.delay.observe(arrival, header.timestamp);
        }
        self.came |= bit;
        Pushed::Late
    }

    /// A packet out of all sequence: the second one in a row begins anew.
    fn probe(&mut self, arrival: Instant, header: &RtpHeader, may: bool) -> Option<Pushed> {
        let confirmed = self.candidate == Some((header.ssrc, header.sequence));
        if confirmed && may {
            self.begin(arrival, header);
            return None;
        }
        self.candidate = Some((header.ssrc, header.sequence.wrapping_add(1)));
        Some(Pushed::Foreign)
    }

    fn begin(&mut self, arrival: Instant, header: &RtpHeader) {
        self.slots.iter_mut().for_each(|slot| slot.arrival = None);
        self.held = 0;
        self.source = Some(Source {
            ssrc: header.ssrc,
            next: header.sequence,
            last_arrival: arrival,
        });
        self.candidate = None;
        self.end = None;
        self.came = 0;
        self.delay.restart();
    }

    /// What comes next, `None` while nothing does. Call until `None`.
    pub fn pull(&mut self, now: Instant) -> Option<Pulled<'_>> {
        let mut next = self.source.as_ref()?.next;
        while self.held > 0 {
            let index = usize::from(next) % SLOTS;
            let slot = &self.slots[index];
            if !slot.is_taken() {
                return self.give_up(now, next);
            }
            if slot.ticks > 0 {
                return Some(self.give(index));
            }
            self.release(index);
            next = next.wrapping_add(1);
        }
        None
    }

    /// The packet at `index`, or first the silence before it.
    fn give(&mut self, index: usize) -> Pulled<'_> {
        let slot = &self.slots[index];
        let (timestamp, payload_type) = (slot.timestamp, slot.payload_type);
        let step = self.step_to(timestamp);
        if let Some(ticks @ 1..) = step {
            self.end = Some(timestamp);
            return Pulled::Silence {
                ticks,
                payload_type,
            };
        }
        self.end = Some(timestamp.wrapping_add(slot.ticks));
        self.release(index);
        Pulled::Packet {
            packet: self.slots[index].packet(),
            restart: step.is_none(),
        }
    }

    /// Empties the slot of the packet whose turn it is, which moves on.
    fn release(&mut self, index: usize) {
        self.slots[index].arrival = None;
        self.held -= 1;
        self.advance(1, true);
    }

    /// The packet `next` is missing and later ones are there: lost, or wait?
    fn give_up(&mut self, now: Instant, next: u16) -> Option<Pulled<'_>> {
        let index_of = |gap: usize| (usize::from(next) + gap) % SLOTS;
        let gap = (1..SLOTS).find(|&gap| self.slots[index_of(gap)].is_taken())?;
        let found = &self.slots[index_of(gap)];
        let mut deadline = found.arrival? + self.delay.target();
        if let Some(expected) = self.end.and_then(|end| self.delay.expected(end)) {
            deadline = deadline.min(expected + self.delay.target());
        }
        if now < deadline && self.held < SLOTS / 2 {
            return None;
        }
        let audio = found.ticks > 0;
        let (timestamp, index) = (found.timestamp, index_of(gap));
        let step = self.step_to(timestamp).filter(|_| audio);
        if step.is_some() {
            self.end = Some(timestamp);
        }
        self.advance(gap as u32, false);
        Some(Pulled::Lost {
            packets: gap as u32,
            ticks: step.unwrap_or(0),
            next: audio.then(|| self.slots[index].packet()),
        })
    }

    fn advance(&mut self, places: u32, came: bool) {
        if let Some(source) = &mut self.source {
            source.next = source.next.wrapping_add(places as u16);
        }
        self.came = self.came.checked_shl(places).unwrap_or(0) | u64::from(came);
    }

    /// Ticks from the end of the audio given out to `timestamp`; `None` when
    /// that is no step forward of a believable size.
    fn step_to(&self, timestamp: u32) -> Option<u32> {
        let step = timestamp.wrapping_sub(self.end?);
        (step <= self.clock.saturating_mul(MAX_STEP_S)).then_some(step)
    }
}

#[cfg(test)]
mod tests;

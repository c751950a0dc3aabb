//! The jitter buffer beside a model that keeps sets and thinks no further.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use switchboard_media::jitter::{JitterBuffer, Packet, Pulled, Pushed, SLOTS};
use switchboard_media::rtp::RtpHeader;

const TICKS: u32 = 960;

/// Every packet that was taken comes out at most once and unchanged, in the order of its
/// sequence number, and each place is given out or told as lost; a source or sequence that
/// takes over drops what waited. The memory is bounded.
pub(super) fn buffer(bytes: &[u8]) {
    let mut buffer = JitterBuffer::new(48_000);
    let mut model = Model::default();
    let mut now = Instant::now();
    let (mut sequence, mut serial) = (0u16, 0);
    for operation in bytes.chunks_exact(4) {
        let [kind, low, high, time] = [operation[0], operation[1], operation[2], operation[3]];
        now += Duration::from_millis(u64::from(time / 4));
        if kind % 4 != 0 {
            // Mostly the next one or near it: anywhere else few packets are taken.
            sequence = match low {
                0..160 => sequence.wrapping_add(1),
                255 => u16::from_le_bytes([time, high]),
                _ => sequence.wrapping_add_signed(i16::from(high % 64) - 24),
            };
            serial += 1;
            let sent = Sent {
                serial,
                // Seldom another's: only who goes on is believed.
                ssrc: u32::from(kind >> 6 == 3),
                sequence,
                audio: kind & 20 != 20,
            };
            let pushed = sent.push(&mut buffer, now, kind & 8 != 0);
            model.pushed(sent, pushed);
        }
        while let Some(pulled) = buffer.pull(now) {
            model.pulled(&pulled);
        }
        model.pass_silent();
        assert_eq!(buffer.held(), model.waiting.len(), "something is forgotten");
        assert!(buffer.held() <= SLOTS);
    }
}

/// A packet, which says in its payload which one it is.
#[derive(Clone, Copy)]
struct Sent {
    serial: u32,
    ssrc: u32,
    sequence: u16,
    /// Whether it holds any; a telephone event does not.
    audio: bool,
}

impl Sent {
    fn payload(self) -> [u8; 10] {
        let mut payload = [0; 10];
        payload[..4].copy_from_slice(&self.serial.to_be_bytes());
        payload[4..8].copy_from_slice(&self.ssrc.to_be_bytes());
        payload[8..].copy_from_slice(&self.sequence.to_be_bytes());
        payload
    }

    fn push(self, buffer: &mut JitterBuffer, now: Instant, marker: bool) -> Pushed {
        let header = RtpHeader {
            payload_type: 111,
            marker,
            sequence: self.sequence,
            timestamp: u32::from(self.sequence).wrapping_mul(TICKS),
            ssrc: self.ssrc,
            csrc: None,
        };
        let ticks = if self.audio { TICKS } else { 0 };
        buffer.push(now, &header, ticks, &self.payload())
    }
}

/// What the buffer must hold.
#[derive(Default)]
struct Model {
    /// Whose packets are taken, and the place whose turn it is.
    source: Option<(u32, u16)>,
    /// What was taken and not given out, by sequence number.
    waiting: BTreeMap<u16, Sent>,
}

impl Model {
    fn pushed(&mut self, sent: Sent, pushed: Pushed) {
        let place = self.source.filter(|(ssrc, _)| *ssrc == sent.ssrc);
        let ahead = place.map(|(_, next)| i32::from(sent.sequence.wrapping_sub(next) as i16));
        let near = ahead.filter(|ahead| (-(SLOTS as i32)..SLOTS as i32).contains(ahead));
        match (pushed, near) {
            (Pushed::Taken, Some(ahead)) => {
                assert!(ahead >= 0, "taken after its turn");
                let before = self.waiting.insert(sent.sequence, sent);
                assert!(before.is_none(), "taken twice");
            }
            (Pushed::Taken, None) => {
                self.source = Some((sent.ssrc, sent.sequence));
                self.waiting = BTreeMap::from([(sent.sequence, sent)]);
            }
            (Pushed::Duplicate, Some(ahead)) => {
                let waits = self.waiting.contains_key(&sent.sequence);
                assert!(ahead < 0 || waits, "a copy of nothing");
            }
            (Pushed::Late, Some(ahead)) => assert!(ahead < 0, "late before its turn"),
            (Pushed::Foreign | Pushed::Full, None) => {}
            (other, near) => panic!("{other:?} at {near:?}"),
        }
    }

    fn pulled(&mut self, pulled: &Pulled<'_>) {
        match pulled {
            Pulled::Silence { .. } => {}
            Pulled::Packet { packet, .. } => {
                self.pass_silent();
                let next = self.advance(1);
                let sent = self.waiting.remove(&next);
                assert_same(sent.expect("given out, but not taken"), packet);
            }
            Pulled::Lost { packets, next, .. } => {
                self.pass_silent();
                let lost = (0..*packets).map(|_| self.advance(1)).collect::<Vec<_>>();
                let waits = lost.iter().any(|place| self.waiting.contains_key(place));
                assert!(!waits, "told as lost, but there");
                let (_, place) = self.source.expect("a source was lost from");
                let found = self.waiting.get(&place).expect("nothing is behind a loss");
                assert_eq!(next.is_some(), found.audio);
                if let Some(packet) = next {
                    assert_same(*found, packet);
                }
            }
        }
    }

    /// The place whose turn it is, which moves on.
    fn advance(&mut self, places: u16) -> u16 {
        let (_, next) = self.source.as_mut().expect("nothing was taken");
        std::mem::replace(next, next.wrapping_add(places))
    }

    /// Places that hold no audio are not told of.
    fn pass_silent(&mut self) {
        while let Some((_, next)) = &mut self.source
            && self.waiting.get(next).is_some_and(|sent| !sent.audio)
        {
            self.waiting.remove(next);
            *next = next.wrapping_add(1);
        }
    }
}

fn assert_same(sent: Sent, packet: &Packet<'_>) {
    assert!(sent.audio, "no audio was given out as such");
    assert_eq!(packet.payload, sent.payload(), "another packet");
    assert_eq!((packet.source, packet.ticks), (sent.ssrc, TICKS));
}

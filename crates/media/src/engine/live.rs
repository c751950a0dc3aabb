//! Audio of a leg out of and into the engine while the call lasts: for mixers,
//! recorders, recognisers and synthesisers.
//!
//! Both directions are bounded rings of boxed pieces, allocated when the leg is
//! opened and wiped when they are released. Nobody listening costs nothing.

#![allow(
    clippy::disallowed_methods,
    reason = "the engine has threads and their clock"
)]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rtrb::{Consumer, Producer, RingBuffer};
use zeroize::{Zeroize, Zeroizing};

use super::leg::Shared;
use super::slot::{Slot, SlotReceiver, SlotSender, slots};
use super::stats::{LegCounters, count};
use crate::codec::{Codec, EncoderError, MAX_PACKET, OpusError, RATE, SPEECH_FRAME, SpeechEncoder};
use crate::rtp::RtpHeader;
use crate::said::{Said, Slow};

/// Samples of a piece of audio, either way: 20 ms at 16 kHz.
pub const LIVE_FRAME: usize = SPEECH_FRAME;
/// Pieces that wait for a listener: 640 ms, then what comes is dropped.
const HEARD: usize = 32;
/// Packets that wait to be sent: 640 ms, then [`Voice::say`] refuses.
const SPOKEN: usize = 32;
/// Bytes before a packet that tell what it says.
const HEAD: usize = size_of::<Said>();
/// Packets that must wait before live audio begins, so that a speaker who is a
/// little late leaves no hole.
const HEAD_START: usize = 2;

/// A leg's live audio, as the application holds it.
pub struct LiveAudio {
    /// What the other side says.
    pub ears: Ears,
    /// What is said to the other side.
    pub voice: Voice,
}

/// What the leg's analysis hears, decoded. One owner; may move between threads.
pub struct Ears {
    full: Consumer<Box<Piece>>,
    empty: Producer<Box<Piece>>,
    shared: Arc<Shared>,
}

/// Live audio for the other side, in place of silence; a prompt goes before it.
/// Encodes on the thread that calls. One owner; may move between threads.
pub struct Voice {
    packets: SlotSender,
    encoder: SpeechEncoder,
    /// Whose audio it is, if it says so.
    source: Option<u32>,
    slow: Slow,
    /// What a frame says ([`Said`]), then the frame encoded.
    packet: Zeroizing<Vec<u8>>,
    shared: Arc<Shared>,
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VoiceError {
    /// 640 ms wait already.
    #[error("live audio comes faster than it is sent: wait 20 ms")]
    Full,
    /// The leg is closed.
    #[error("the leg is closed")]
    Closed,
    /// libopus refused.
    #[error("live audio could not be encoded: {0}")]
    Encode(#[from] OpusError),
}

struct Piece {
    end_ms: u64,
    source: Option<u32>,
    samples: [f32; LIVE_FRAME],
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.samples.zeroize();
    }
}

/// The worker's ends.
pub(super) struct LiveEnds {
    heard: Heard,
    spoken: SlotReceiver,
    /// Whether live audio is being sent.
    talking: bool,
}

/// A frame of live audio.
pub(super) struct Spoken<'a> {
    pub(super) said: &'a Said,
    pub(super) packet: &'a [u8],
    /// Whose it is, if it says so.
    pub(super) source: Option<u32>,
}

impl<'a> Spoken<'a> {
    fn of(slot: &'a Slot) -> Option<Self> {
        let (head, packet) = slot.payload().split_at_checked(HEAD)?;
        Some(Self {
            said: head.as_chunks().0.first_chunk()?,
            packet,
            source: slot.header.csrc,
        })
    }
}

/// Cuts what is heard into pieces.
struct Heard {
    full: Producer<Box<Piece>>,
    empty: Consumer<Box<Piece>>,
    piece: Option<Box<Piece>>,
    filled: usize,
    count: u64,
    source: Option<u32>,
}

/// Both sides of a leg's live audio.
pub(super) fn live(
    codec: Codec,
    shared: &Arc<Shared>,
) -> Result<(LiveAudio, Box<LiveEnds>), EncoderError> {
    let (full, full_out) = RingBuffer::new(HEARD);
    let (mut empty, empty_out) = RingBuffer::new(HEARD);
    for _ in 0..HEARD {
        // The ring has exactly this much room.
        let _ = empty.push(Box::new(Piece {
            end_ms: 0,
            source: None,
            samples: [0.0; LIVE_FRAME],
        }));
    }
    let (packets, spoken) = slots(SPOKEN, Instant::now());
    let audio = LiveAudio {
        ears: Ears {
            full: full_out,
            empty,
            shared: Arc::clone(shared),
        },
        voice: Voice {
            packets,
            encoder: SpeechEncoder::new(codec)?,
            source: None,
            slow: Slow::new(),
            packet: Zeroizing::new(vec![0; HEAD + MAX_PACKET]),
            shared: Arc::clone(shared),
        },
    };
    let heard = Heard {
        full,
        empty: empty_out,
        piece: None,
        filled: 0,
        count: 0,
        source: None,
    };
    let ends = LiveEnds {
        heard,
        spoken,
        talking: false,
    };
    Ok((audio, Box::new(ends)))
}

impl Ears {
    /// Begins to listen; until then, and after [`rest`](Self::rest), nothing is
    /// kept.
    pub fn listen(&mut self) {
        self.shared.listening.store(true, Ordering::Release);
    }

    /// Stops listening and forgets what waits.
    pub fn rest(&mut self) {
        self.shared.listening.store(false, Ordering::Release);
        while self.receive(|_, _| ()).is_some() {}
    }

    /// Lets `read` have the next 20 ms at 16 kHz (−1…1) and the leg's media time
    /// in ms at their end; wiped afterwards. Poll every 20 ms or so: what 640 ms
    /// don't suffice for is dropped and counted.
    pub fn receive<R>(&mut self, read: impl FnOnce(u64, &[f32; LIVE_FRAME]) -> R) -> Option<R> {
        self.receive_of(|_, end_ms, samples| read(end_ms, samples))
    }

    /// As [`receive`](Self::receive), with whose audio it is: the source of a leg that
    /// tells ([`LegConfig::sources`](super::LegConfig::sources)). No piece has two.
    pub fn receive_of<R>(
        &mut self,
        read: impl FnOnce(Option<u32>, u64, &[f32; LIVE_FRAME]) -> R,
    ) -> Option<R> {
        let mut piece = self.full.pop().ok()?;
        let result = read(piece.source, piece.end_ms, &piece.samples);
        piece.samples.zeroize();
        let _ = self.empty.push(piece);
        Some(result)
    }

    /// Whether the leg is gone.
    pub fn is_closed(&self) -> bool {
        self.full.is_abandoned()
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.shared.listening.store(false, Ordering::Release);
    }
}

impl Voice {
    /// As [`say`](Self::say), in the name of a contributing source (CSRC, RFC 3550 §5.1).
    ///
    /// # Errors
    /// As for [`say`](Self::say).
    pub fn say_for(&mut self, source: u32, frame: &[f32; LIVE_FRAME]) -> Result<(), VoiceError> {
        // Nothing of one speaker may be left in what the next one says.
        if self.source.replace(source) != Some(source) {
            self.encoder.reset();
        }
        self.say(frame)
    }

    /// Says 20 ms (16 kHz, −1…1) after what was said before.
    ///
    /// # Errors
    /// [`VoiceError::Full`] when 640 ms wait, or what was said last is still to be taken
    /// back: try again in 20 ms.
    pub fn say(&mut self, frame: &[f32; LIVE_FRAME]) -> Result<(), VoiceError> {
        if self.packets.is_abandoned() {
            return Err(VoiceError::Closed);
        }
        // What is said before the worker has obeyed would be taken back with the rest.
        if !self.packets.has_room() || self.shared.hush.is_up() {
            return Err(VoiceError::Full);
        }
        let (head, packet) = self.packet.split_at_mut(HEAD);
        self.slow.say(frame, head.as_chunks_mut().0);
        let len = HEAD + self.encoder.encode(frame, packet)?;
        let header = RtpHeader {
            csrc: self.source,
            ..RtpHeader::default()
        };
        let packet = &self.packet[..len];
        let sent = self.packets.send(Instant::now(), header, packet);
        sent.map_err(|_| VoiceError::Full)
    }

    /// Takes back what was said but not sent yet, by the next frame (20 ms).
    pub fn hush(&mut self) {
        self.shared.hush.raise();
        self.encoder.reset();
    }

    /// How many frames of what was said have not been sent yet.
    pub fn waiting(&self) -> usize {
        self.packets.waiting()
    }

    /// Whether all that was said has been sent.
    pub fn is_idle(&self) -> bool {
        !self.packets.has_waiting()
    }

    /// Whether the leg is gone.
    pub fn is_closed(&self) -> bool {
        self.packets.is_abandoned()
    }
}

impl LiveEnds {
    /// Takes what the analysis hears of a source, if that is told.
    pub(super) fn hear(
        &mut self,
        source: Option<u32>,
        samples: &[f32],
        shared: &Shared,
        counters: &LegCounters,
    ) {
        if self.heard.source != source {
            self.heard.begin(source);
        }
        if shared.listening.load(Ordering::Relaxed) {
            self.heard.push(samples, counters);
        } else {
            self.heard.skip(samples.len());
        }
    }

    /// Forgets what waits if it was taken back.
    pub(super) fn obey(&mut self, shared: &Shared) {
        if shared.hush.take() {
            // As many as there were slots, at most.
            for _ in 0..SPOKEN {
                if self.spoken.receive(|_| ()).is_none() {
                    break;
                }
            }
            self.talking = false;
        }
    }

    /// Lets `send` have what is said in this frame, if anything is.
    pub(super) fn speak(&mut self, send: impl FnOnce(Option<Spoken<'_>>)) {
        let waiting = self.spoken.waiting();
        let now = waiting > 0 && (self.talking || waiting >= HEAD_START);
        // A lone packet is sent in the next frame, be there more by then or not.
        self.talking = waiting > 0;
        match now {
            true => {
                let spoken = &mut self.spoken;
                let _ = spoken.receive(|slot| send(Spoken::of(slot)));
            }
            false => send(None),
        }
    }
}

impl Heard {
    fn push(&mut self, mut samples: &[f32], counters: &LegCounters) {
        while !samples.is_empty() {
            let now = samples.len().min(LIVE_FRAME - self.filled);
            if self.filled == 0 && self.piece.is_none() {
                self.piece = self.empty.pop().ok();
            }
            if let Some(piece) = &mut self.piece {
                piece.samples[self.filled..][..now].copy_from_slice(&samples[..now]);
            }
            samples = &samples[now..];
            self.count += now as u64;
            self.filled += now;
            if self.filled == LIVE_FRAME {
                self.filled = 0;
                self.hand_over(counters);
            }
        }
    }

    fn hand_over(&mut self, counters: &LegCounters) {
        let Some(mut piece) = self.piece.take() else {
            count(&counters.heard_dropped);
            return;
        };
        piece.end_ms = self.count * 1000 / u64::from(RATE);
        piece.source = self.source;
        // As many pieces exist as the ring has room for: this cannot fail.
        let _ = self.full.push(piece);
    }

    /// What there is of a piece is another source's.
    fn begin(&mut self, source: Option<u32>) {
        self.source = source;
        self.skip(0);
    }

    /// Time goes on though nobody listens.
    fn skip(&mut self, samples: usize) {
        self.count += samples as u64;
        if self.filled > 0 {
            self.filled = 0;
            if let Some(piece) = &mut self.piece {
                piece.samples.zeroize();
            }
        }
    }
}

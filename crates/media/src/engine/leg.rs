//! The two handles of a leg: the network's and the application's.

#![allow(
    clippy::disallowed_methods,
    reason = "the engine has threads and their clock"
)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Instant;

use rtrb::{Consumer, Producer, RingBuffer};
use thiserror::Error;

use super::events::Events;
use super::live::{LiveAudio, live};
use super::pipeline::{Pipeline, Rings};
use super::slot::{Refused, SlotReceiver, SlotSender, slots};
use super::stats::{LegCounters, count};
use super::{EngineError, LegConfig, LegStats};
use crate::codec::{Codec, EncoderError};
use crate::event::{Digit, MediaEvent, PlayId};
use crate::flag::Flag;
use crate::prompt::Prompt;
use crate::rtp::RtpHeader;

/// Packets on their way to the worker: over a second of audio, so that a worker
/// held up by the system loses nothing.
const RECEIVE_SLOTS: usize = 64;
/// Packets on their way to the network.
const TRANSMIT_SLOTS: usize = 16;
/// Orders on their way to the worker, and plays open at a time.
const COMMANDS: usize = 16;
/// Events on their way to the application: several seconds of all of them.
pub(super) const EVENTS: usize = 1024;

/// An open leg. Dropping either side closes it; the worker lets go of it within
/// 20 ms and its memory is wiped and freed.
pub struct Leg {
    /// For the task that owns the transport.
    pub network: NetworkSide,
    /// For the task that owns the call.
    pub app: AppSide,
    /// For whoever mixes, records, recognises or synthesises; if asked for.
    pub live: Option<LiveAudio>,
}

/// Packets in and out. One owner; may move between threads.
pub struct NetworkSide {
    incoming: SlotSender,
    outgoing: SlotReceiver,
    shared: Arc<Shared>,
    counters: Arc<LegCounters>,
}

/// Prompts in, events out. One owner; may move between threads.
pub struct AppSide {
    commands: Producer<Command>,
    events: Consumer<MediaEvent>,
    shared: Arc<Shared>,
    counters: Arc<LegCounters>,
    codec: Codec,
    /// A reference per prompt the worker may hold, so that the worker's own
    /// is never the last one and it never frees memory.
    held: VecDeque<(PlayId, Arc<Prompt>)>,
    next: u64,
}

/// What the application asks of the worker.
pub(super) enum Command {
    Play(PlayId, Arc<Prompt>),
    /// A key, and for how many milliseconds.
    Press(Digit, u32),
}

/// State both sides touch without a ring.
pub(super) struct Shared {
    /// Plays with a smaller id are to stop: a plain counter, so that a stop is
    /// never refused for lack of room.
    pub(super) stop_before: AtomicU64,
    /// Whether the application has events to take, for whoever wakes it.
    pub(super) events_waiting: Flag,
    /// Whether the application listens to the leg's audio.
    pub(super) listening: AtomicBool,
    /// Whether live audio that waits was taken back.
    pub(super) hush: Flag,
    /// Whether the worker has something to take before the leg's next frame is due.
    called: Flag,
}

impl Shared {
    /// Has the worker look at the leg in its next tick; after what it is to find is in
    /// its ring.
    fn call(&self) {
        self.called.raise();
    }

    /// Whether the worker was called since this was last asked.
    pub(super) fn take_call(&self) -> bool {
        self.called.take()
    }
}

/// A packet that was not taken; counted in [`LegStats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Dropped {
    /// The worker has not taken the earlier packets yet.
    #[error("packet dropped: the media worker is behind")]
    Full,
    /// Longer than [`MAX_PAYLOAD`](super::MAX_PAYLOAD).
    #[error("packet dropped: payload longer than 1500 bytes")]
    Oversized,
    /// The leg is closed.
    #[error("packet dropped: the leg is closed")]
    Closed,
}

/// An order the worker could not be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PlayError {
    /// Too many orders are waiting: take the events first.
    #[error("too many prompts are waiting: take events before asking for more")]
    Busy,
    /// The leg is closed.
    #[error("the leg is closed")]
    Closed,
    /// The prompt could not be encoded for the leg's codec.
    #[error("the prompt cannot be encoded: {0}")]
    Encode(#[from] EncoderError),
}

/// Both handles and the worker's half.
pub(super) fn build(
    config: &LegConfig,
    waker: Waker,
    alive: &Arc<AtomicUsize>,
) -> Result<(Leg, Box<Pipeline>), EngineError> {
    let now = Instant::now();
    let (incoming, worker_in) = slots(RECEIVE_SLOTS, now);
    let (worker_out, outgoing) = slots(TRANSMIT_SLOTS, now);
    let (commands, worker_commands) = RingBuffer::new(COMMANDS);
    let (worker_events, events) = RingBuffer::new(EVENTS);
    let counters = Arc::new(LegCounters::default());
    let shared = Arc::new(Shared {
        stop_before: AtomicU64::new(0),
        events_waiting: Flag::default(),
        listening: AtomicBool::new(false),
        hush: Flag::default(),
        called: Flag::default(),
    });
    let (live, live_ends) = match config.live {
        true => live(config.codec, &shared).map(|(live, ends)| (Some(live), Some(ends)))?,
        false => (None, None),
    };
    let pipeline = Pipeline::new(
        config,
        Rings {
            incoming: worker_in,
            outgoing: worker_out,
            commands: worker_commands,
            events: Events::new(worker_events),
            live: live_ends,
        },
        waker,
        Arc::clone(&shared),
        Arc::clone(&counters),
        alive,
    )?;
    let network = NetworkSide {
        incoming,
        outgoing,
        shared: Arc::clone(&shared),
        counters: Arc::clone(&counters),
    };
    let app = AppSide {
        commands,
        events,
        shared,
        counters,
        codec: config.codec,
        held: VecDeque::with_capacity(COMMANDS + 2),
        next: 1,
    };
    Ok((Leg { network, app, live }, pipeline))
}

impl NetworkSide {
    /// Hands a decrypted RTP packet to the worker: copied into a slot, no
    /// allocation, no lock. `payload` as [`rtp::parse`](crate::rtp::parse)
    /// gives it, `arrival` when the packet left the socket.
    ///
    /// # Errors
    /// [`Dropped`] when there is no room, the payload is too long, or the leg
    /// is closed; the packet is counted and forgotten.
    pub fn receive(
        &mut self,
        arrival: Instant,
        header: &RtpHeader,
        payload: &[u8],
    ) -> Result<(), Dropped> {
        if self.incoming.is_abandoned() {
            return Err(Dropped::Closed);
        }
        match self.incoming.send(arrival, *header, payload) {
            Ok(()) => {
                self.shared.call();
                Ok(())
            }
            Err(Refused::Full) => {
                count(&self.counters.dropped_full);
                Err(Dropped::Full)
            }
            Err(Refused::Oversized) => {
                count(&self.counters.dropped_oversized);
                Err(Dropped::Oversized)
            }
        }
    }

    /// Lets `send` have the next packet for the network, if there is one; its
    /// slot is wiped afterwards. Poll every few milliseconds until `None`.
    pub fn transmit<R>(&mut self, send: impl FnOnce(&RtpHeader, &[u8]) -> R) -> Option<R> {
        self.outgoing
            .receive(|slot| send(&slot.header, slot.payload()))
    }

    /// Whether a packet for the network waits.
    pub fn has_packet(&self) -> bool {
        self.outgoing.has_next()
    }

    /// Whether the application has had events to take since this was last
    /// asked; whoever asks should wake it.
    pub fn take_events_waiting(&self) -> bool {
        self.shared.events_waiting.take()
    }

    /// Whether the other side or the engine is gone.
    pub fn is_closed(&self) -> bool {
        self.incoming.is_abandoned()
    }
}

impl AppSide {
    /// Plays `prompt` from its start at the next frame. A prompt that is still
    /// playing is replaced and finishes as interrupted. The first leg of a codec other
    /// than Opus encodes the prompt here, for all that follow.
    ///
    /// # Errors
    /// [`PlayError`] when too many orders wait, the leg is closed or the prompt can't be
    /// encoded.
    pub fn play(&mut self, prompt: Arc<Prompt>) -> Result<PlayId, PlayError> {
        let id = PlayId(self.next);
        if self.held.len() >= COMMANDS {
            return Err(PlayError::Busy);
        }
        prompt.prepare(self.codec)?;
        self.order(Command::Play(id, Arc::clone(&prompt)))?;
        self.held.push_back((id, prompt));
        self.next += 1;
        Ok(id)
    }

    /// Holds a key down for `ms` milliseconds (20–1 300) as telephone events, in place
    /// of sound; see [`Playout::press`](crate::playout::Playout::press). If the other
    /// side takes none, nothing is sent.
    ///
    /// # Errors
    /// [`PlayError`] when too many orders wait or the leg is closed.
    pub fn press(&mut self, digit: Digit, ms: u32) -> Result<(), PlayError> {
        self.order(Command::Press(digit, ms))
    }

    /// Stops what is playing, and what was asked for but has not started,
    /// within one frame (20 ms). Each finishes as interrupted.
    pub fn stop(&mut self) {
        self.shared.stop_before.store(self.next, Ordering::Release);
        self.shared.call();
    }

    fn order(&mut self, command: Command) -> Result<(), PlayError> {
        if self.commands.is_abandoned() {
            return Err(PlayError::Closed);
        }
        self.commands.push(command).map_err(|_| PlayError::Busy)?;
        self.shared.call();
        Ok(())
    }

    /// The next event, `None` when there is none now.
    pub fn event(&mut self) -> Option<MediaEvent> {
        let event = self.events.pop().ok()?;
        if let MediaEvent::PlayFinished { id, .. } = event {
            self.held.retain(|(held, _)| *held != id);
        }
        Some(event)
    }

    /// The leg's counters.
    pub fn stats(&self) -> LegStats {
        self.counters.read()
    }

    /// Whether the other side or the engine is gone. Events already sent can
    /// still be taken.
    pub fn is_closed(&self) -> bool {
        self.commands.is_abandoned()
    }
}

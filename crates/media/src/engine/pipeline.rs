//! The worker's half of a leg: rings on one side, receiver and playout on the
//! other.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use rtrb::Consumer;

use super::events::Events;
use super::leg::{Command, Shared};
use super::live::{LiveEnds, Spoken};
use super::slot::{SlotReceiver, SlotSender};
use super::stats::{LegCounters, count};
use super::{EngineError, LegConfig};
use crate::analysis::AnalyzerConfig;
use crate::event::{MediaEvent, PlayId};
use crate::playout::{Playout, PlayoutConfig};
use crate::receive::{Format, Formats, Receiver, ReceiverConfig};
use crate::rtp::RtpHeader;
use crate::said::SILENT;
use crate::silero::Silero;

/// Packets taken from the network per tick.
const PACKETS_PER_TICK: usize = 64;
/// Duration of a sent packet.
const FRAME: Duration = Duration::from_millis(20);
/// How often a leg to which nothing comes looks whether silence is to be heard in
/// its stead.
const IDLE: Duration = FRAME;
/// How often a leg that holds packets behind a gap looks whether to give up on it.
const GAP: Duration = Duration::from_millis(5);
/// Late frames sent at once before the rest are given up as not sent.
const CATCH_UP: u32 = 3;

/// The worker's ends of a leg's rings.
pub(super) struct Rings {
    pub(super) incoming: SlotReceiver,
    pub(super) outgoing: SlotSender,
    pub(super) commands: Consumer<Command>,
    pub(super) events: Events,
    pub(super) live: Option<Box<LiveEnds>>,
}

/// What the worker runs for a leg.
pub(super) struct Pipeline {
    rings: Rings,
    receiver: Receiver,
    playout: Playout,
    /// When the next frame is to be sent.
    next_frame: Option<Instant>,
    /// When to listen though nothing came.
    listen_at: Option<Instant>,
    /// When the oldest packet came that was taken in this tick.
    taken: Option<Instant>,
    deaf: bool,
    /// Whose audio was heard last, if that is told.
    source: Option<u32>,
    /// Whether the receiver is told what is said.
    guards: bool,
    /// Wakes whoever carries packets and events away.
    waker: Waker,
    shared: Arc<Shared>,
    counters: Arc<LegCounters>,
    /// Last, so that the leg counts until all else is freed.
    _alive: Alive,
}

/// Counts a leg as long as it exists.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Pipeline {
    pub(super) fn new(
        config: &LegConfig,
        rings: Rings,
        waker: Waker,
        shared: Arc<Shared>,
        counters: Arc<LegCounters>,
        alive: &Arc<AtomicUsize>,
    ) -> Result<Box<Self>, EngineError> {
        let mut receiver = Receiver::new(ReceiverConfig {
            formats: formats(config)?,
            analyzer: AnalyzerConfig {
                vad_frames: config.vad_frames,
                speech: config.speech,
                ..AnalyzerConfig::default()
            },
        })?;
        let events = config.telephone_events.iter().copied().flatten();
        receiver.leave_frames();
        let guards = config.guard_echo && config.hear;
        if guards {
            receiver.guard_echo();
        }
        if config.sources {
            receiver.tell_sources();
        }
        let playout = Playout::new(PlayoutConfig {
            payload_type: config.payload_type,
            codec: config.codec,
            ssrc: config.ssrc,
            comfort_silence: config.comfort_silence,
            // The audio's own clock, where there is such (RFC 4733 §7.1.1).
            telephone_event: events
                .min_by_key(|format| format.clock_rate != config.codec.clock_rate()),
        });
        Ok(Box::new(Self {
            rings,
            receiver,
            playout,
            next_frame: None,
            listen_at: None,
            taken: None,
            deaf: !config.hear,
            source: None,
            guards,
            waker,
            shared,
            counters,
            _alive: Alive::new(alive),
        }))
    }

    /// Whether a side of the leg is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.rings.incoming.is_abandoned()
            || self.rings.outgoing.is_abandoned()
            || self.rings.commands.is_abandoned()
            || self.rings.events.is_abandoned()
    }

    /// Sets when the first frame is sent; legs with different phases do not
    /// all send in the same tick.
    pub(super) fn begin(&mut self, first_frame: Instant) {
        self.next_frame = Some(first_frame);
    }

    /// What the other sides call through.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// When the next tick is due, be the leg called before or not.
    pub(super) fn due(&self, now: Instant) -> Instant {
        let listen = self.listen_at.filter(|_| !self.deaf);
        let due = [self.next_frame, listen].into_iter().flatten().min();
        due.unwrap_or(now)
    }

    /// When the oldest packet came that the last tick took, if it took one.
    pub(super) fn taken(&mut self) -> Option<Instant> {
        self.taken.take()
    }

    /// Does what is due at `now`.
    pub(super) fn tick(&mut self, now: Instant) {
        self.obey();
        match self.deaf {
            true => self.ignore(),
            false => self.hear(now),
        }
        self.speak(now);
    }

    /// The network of speech, if a frame waits for it after the tick.
    pub(super) fn network(&mut self) -> Option<&mut Silero> {
        self.receiver.network()
    }

    /// Ends the tick: tells what was heard since, and wakes who waits for it.
    pub(super) fn conclude(&mut self) {
        let Self {
            rings,
            receiver,
            counters,
            ..
        } = self;
        let events = &mut rings.events;
        receiver.conclude(&mut |event| events.offer(counters, event));
        self.announce();
    }

    /// Wakes the other side if anything waits for it, once a tick at most.
    fn announce(&self) {
        let events = self.rings.events.are_waiting();
        if events {
            self.shared.events_waiting.raise();
        }
        if events || self.rings.outgoing.has_waiting() {
            self.waker.wake_by_ref();
        }
    }

    /// Counts what comes.
    fn ignore(&mut self) {
        for _ in 0..PACKETS_PER_TICK {
            if self.rings.incoming.receive(|_| ()).is_none() {
                return;
            }
            count(&self.counters.received);
        }
    }

    fn hear(&mut self, now: Instant) {
        let overdue = self.listen_at.is_none_or(|at| at <= now);
        if !overdue && !self.rings.incoming.has_next() {
            return;
        }
        let Self {
            rings,
            receiver,
            counters,
            shared,
            source,
            ..
        } = self;
        let (events, counters) = (&mut rings.events, &**counters);
        let live = &mut rings.live;
        let source = Cell::from_mut(source);
        let mut sink = |event| {
            if let MediaEvent::Source { source: now } = event {
                source.set(Some(now));
            }
            events.offer(counters, event);
        };
        let oldest = &mut self.taken;
        for _ in 0..PACKETS_PER_TICK {
            let taken = rings.incoming.receive(|slot| {
                oldest.get_or_insert(slot.arrival);
                receiver.push(slot.arrival, &slot.header, slot.payload(), &mut sink);
            });
            if taken.is_none() {
                break;
            }
        }
        let more = receiver.pull_audio(now, &mut sink, &mut |samples| {
            if let Some(live) = live {
                live.hear(source.get(), samples, shared, counters);
            }
        });
        counters.record(&receiver.stats(), receiver.jitter_target());
        self.listen_at = Some(match (more, receiver.holds()) {
            (true, _) => now,
            (false, true) => now + GAP,
            (false, false) => now + IDLE,
        });
    }

    /// Takes the application's orders.
    fn obey(&mut self) {
        let Self {
            rings,
            playout,
            shared,
            counters,
            ..
        } = self;
        let (events, counters) = (&mut rings.events, &**counters);
        let mut sink = |event| events.offer(counters, event);
        let stop_before = PlayId(shared.stop_before.load(Ordering::Acquire));
        while let Ok(order) = rings.commands.pop() {
            match order {
                // Stopped before it began.
                Command::Play(id, prompt) if id < stop_before => {
                    drop(prompt);
                    let interrupted = true;
                    sink(MediaEvent::PlayFinished { id, interrupted });
                }
                Command::Play(id, prompt) => playout.play(id, prompt, &mut sink),
                Command::Press(digit, ms) => playout.press(digit, ms),
            }
        }
        if playout.playing().is_some_and(|id| id < stop_before) {
            playout.stop(&mut sink);
        }
    }

    fn speak(&mut self, now: Instant) {
        let Self {
            rings,
            playout,
            receiver,
            guards,
            counters,
            shared,
            ..
        } = self;
        let Some(next) = &mut self.next_frame else {
            return;
        };
        let (events, outgoing, counters) = (&mut rings.events, &mut rings.outgoing, &**counters);
        let live = &mut rings.live;
        if let Some(live) = live {
            live.obey(shared);
        }
        if now > *next + FRAME * CATCH_UP {
            *next = now;
        }
        while *next <= now {
            let mut event = |event| events.offer(counters, event);
            let mut frame = |live: Option<Spoken<'_>>| {
                let csrc = live.as_ref().and_then(|live| live.source);
                let csrc = csrc.filter(|_| playout.playing().is_none());
                let mut send = |header: &RtpHeader, payload: &[u8]| {
                    let header = RtpHeader { csrc, ..*header };
                    count(match outgoing.send(now, header, payload) {
                        Ok(()) => &counters.sent,
                        Err(_) => &counters.send_dropped,
                    });
                };
                let packet = live.as_ref().map(|live| live.packet);
                playout.frame(packet, &mut send, &mut event);
                let said = playout.said().or(live.as_ref().map(|live| live.said));
                if *guards {
                    receiver.said(said.unwrap_or(&SILENT));
                }
            };
            match live {
                Some(live) => live.speak(frame),
                None => frame(None),
            }
            *next += FRAME;
        }
    }
}

fn formats(config: &LegConfig) -> Result<Formats, EngineError> {
    let (payload_type, format) = match config.linear_payload_type {
        Some(linear) => (linear, Format::L16),
        None => (config.payload_type, config.codec.into()),
    };
    let mut formats = Formats::new().with(payload_type, format)?;
    for event in config.telephone_events.iter().flatten() {
        let clock_rate = event.clock_rate;
        formats = formats.with(event.payload_type, Format::TelephoneEvent { clock_rate })?;
    }
    Ok(formats)
}

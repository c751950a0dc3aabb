//! One call's connection to its engine, without IO.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::decode::decode;
use super::encode::{encode, session_start};
use super::queue::Queue;
use super::{AnalysisKind, Frame, FromEngine, Ready, VERSION};
use crate::{Event, Health, Heard, Reply, SessionStart, Wants};

/// How patient a [`Link`] is, and how much it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkConfig {
    /// How much analysis waits at most, in frames; then the oldest goes.
    pub analysis_queue: usize,
    /// How many control messages wait at most; an engine that lets more pile up
    /// is given up.
    pub control_queue: usize,
    /// How long connecting may take.
    pub connect_within: Duration,
    /// How long the engine may take from `session_start` to `ready`.
    pub ready_within: Duration,
    /// How often the engine is asked whether it is alive.
    pub ping_every: Duration,
    /// How long it may take to say so.
    pub pong_within: Duration,
    /// The wait before the first reconnection; it doubles with each failure.
    pub backoff_first: Duration,
    /// The longest wait between reconnections.
    pub backoff_max: Duration,
    /// How long the last messages may take to leave when the call is over.
    pub linger: Duration,
}

impl Default for LinkConfig {
    /// Two seconds of analysis at 10 ms a frame; reconnection after 0.1–5 s.
    fn default() -> Self {
        Self {
            analysis_queue: 200,
            control_queue: 256,
            connect_within: Duration::from_secs(2),
            ready_within: Duration::from_secs(2),
            ping_every: Duration::from_secs(5),
            pong_within: Duration::from_secs(3),
            backoff_first: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            linger: Duration::from_secs(1),
        }
    }
}

/// What the owner of a [`Link`] is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Open a connection, then call [`Link::connected`].
    Connect,
    /// Close it.
    Disconnect,
    /// Tell the conversation.
    Health(Health),
}

/// What a [`Link`] went through; numbers only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames of analysis that gave way to newer ones.
    pub dropped: u64,
    /// Messages of the engine that could not be read.
    pub malformed: u64,
    /// Connections that were lost or not made.
    pub lost: u64,
}

enum State {
    Connecting {
        until: Instant,
    },
    Connected {
        until: Option<Instant>,
    },
    Open {
        ping: Instant,
        pong_by: Option<Instant>,
    },
    Waiting {
        until: Instant,
    },
    Ending {
        until: Instant,
    },
    Closed,
}

/// One call's connection to its engine.
///
/// Events and the engine's messages go in; frames, commands and replies come out.
/// When the connection is lost, what waited is forgotten: an engine that returns
/// gets a fresh `session_start` and what happens from then on.
pub struct Link {
    config: LinkConfig,
    state: State,
    start: Option<SessionStart>,
    started_before: bool,
    ready: Option<Ready>,
    greeting: Option<Frame>,
    ping: bool,
    queue: Queue,
    sequence: u32,
    commands: VecDeque<Command>,
    health: Option<Health>,
    attempts: u32,
    malformed: u32,
    random: u64,
    counters: Counters,
}

/// How many unreadable messages a connection survives.
const MALFORMED_TOLERATED: u32 = 16;

impl Link {
    /// A link that is about to connect. `seed` spreads reconnections in time, so it
    /// should differ between calls.
    pub fn new(now: Instant, config: LinkConfig, seed: u64) -> Self {
        Self {
            state: State::Connecting {
                until: now + config.connect_within,
            },
            start: None,
            started_before: false,
            ready: None,
            greeting: None,
            ping: false,
            queue: Queue::new(config.control_queue, config.analysis_queue),
            sequence: 0,
            commands: VecDeque::from([Command::Connect]),
            health: None,
            attempts: 0,
            malformed: 0,
            random: seed,
            counters: Counters::default(),
            config,
        }
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What the engine asked for; features and audio while it hasn't said, so that a
    /// caller's first words are not lost on it.
    pub fn wants(&self) -> Wants {
        match (&self.state, self.ready) {
            (State::Ending { .. } | State::Closed, _) => Wants::default(),
            (_, Some(ready)) => Wants {
                features: ready.features,
                audio: ready.audio,
                speakers: ready.speakers,
            },
            (_, None) => Wants {
                features: true,
                audio: true,
                speakers: false,
            },
        }
    }

    /// Whether the link is over; it does nothing any more.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Takes what happened in the call.
    pub fn event(&mut self, now: Instant, event: &Event) {
        if matches!(self.state, State::Ending { .. } | State::Closed) {
            return;
        }
        match event {
            Event::SessionStart(start) => {
                self.start = Some(start.clone());
                self.greet(now);
            }
            Event::Features(_) => self.analysis(event, AnalysisKind::Features),
            Event::Speech(_) => self.analysis(event, AnalysisKind::Speech),
            // Whoever never asked could take them for the caller.
            Event::Speaker(..) if !self.ready.is_some_and(|ready| ready.speakers) => {}
            Event::Speaker(_, Heard::Features(_)) => {
                self.analysis(event, AnalysisKind::SpeakerFeatures);
            }
            Event::Speaker(_, Heard::Speech(_)) => {
                self.analysis(event, AnalysisKind::SpeakerSpeech);
            }
            Event::SessionEnd => self.end(now, event),
            _ => self.control(now, event),
        }
    }

    fn analysis(&mut self, event: &Event, kind: AnalysisKind) {
        if self.ready.is_some_and(|ready| !ready.wants(kind)) {
            return;
        }
        self.sequence = self.sequence.wrapping_add(1);
        if !self.queue.push_analysis(kind, encode(event, self.sequence)) {
            self.counters.dropped += 1;
        }
    }

    fn control(&mut self, now: Instant, event: &Event) {
        let frame = encode(event, 0);
        if self.queue.push_control(frame) {
            return;
        }
        match self.state {
            State::Open { .. } => self.lose(now),
            _ => {
                self.queue.pop_control();
                self.queue.push_control(encode(event, 0));
            }
        }
    }

    fn end(&mut self, now: Instant, event: &Event) {
        match self.state {
            State::Open { .. } => {
                self.queue.push_control(encode(event, 0));
                self.state = State::Ending {
                    until: now + self.config.linger,
                };
            }
            _ => self.close(),
        }
    }

    fn close(&mut self) {
        self.queue.clear();
        self.greeting = None;
        self.ping = false;
        self.state = State::Closed;
        self.commands.push_back(Command::Disconnect);
    }

    /// The connection that was asked for is there.
    pub fn connected(&mut self, now: Instant) {
        if matches!(self.state, State::Connecting { .. }) {
            self.state = State::Connected { until: None };
            self.malformed = 0;
            self.greet(now);
        }
    }

    fn greet(&mut self, now: Instant) {
        if let (
            State::Connected {
                until: until @ None,
            },
            Some(start),
        ) = (&mut self.state, &self.start)
        {
            self.greeting = Some(session_start(start, self.started_before));
            *until = Some(now + self.config.ready_within);
        }
    }

    /// The connection failed, or is gone.
    pub fn disconnected(&mut self, now: Instant) {
        match self.state {
            State::Connecting { .. } | State::Connected { .. } | State::Open { .. } => {
                self.lose(now);
            }
            State::Ending { .. } => self.close(),
            State::Waiting { .. } | State::Closed => {}
        }
    }

    fn lose(&mut self, now: Instant) {
        self.counters.lost += 1;
        self.counters.dropped += self.queue.clear() as u64;
        self.greeting = None;
        self.ping = false;
        self.ready = None;
        self.state = State::Waiting {
            until: now + self.backoff(),
        };
        self.commands.push_back(Command::Disconnect);
        self.tell(Health::Down);
    }

    /// Between half and all of a wait that doubles with each failure, so that calls
    /// don't return to a restarted engine all at once.
    fn backoff(&mut self) -> Duration {
        let doubled = self
            .config
            .backoff_first
            .saturating_mul(1 << self.attempts.min(16));
        self.attempts = self.attempts.saturating_add(1);
        // A step of SplitMix64.
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let share = f64::from((mixed >> 33) as u32) / f64::from(1u32 << 31);
        doubled
            .min(self.config.backoff_max)
            .mul_f64(0.5 + share / 2.0)
    }

    fn tell(&mut self, health: Health) {
        if self.health.replace(health) != Some(health) {
            self.commands.push_back(Command::Health(health));
        }
    }

    /// Takes a text message of the engine.
    pub fn received(&mut self, now: Instant, text: &str) -> Option<Reply> {
        match decode(text) {
            Ok(FromEngine::Ready(ready)) => {
                self.ready(now, ready);
                None
            }
            Ok(FromEngine::Reply(reply)) => {
                matches!(self.state, State::Open { .. }).then_some(reply)
            }
            Ok(FromEngine::Unknown) => None,
            Err(_) => {
                self.malformed(now);
                None
            }
        }
    }

    /// The engine sent what can't be read.
    pub fn malformed(&mut self, now: Instant) {
        self.counters.malformed += 1;
        self.malformed += 1;
        if self.malformed > MALFORMED_TOLERATED {
            self.disconnected(now);
        }
    }

    fn ready(&mut self, now: Instant, ready: Ready) {
        if !matches!(self.state, State::Connected { until: Some(_) }) {
            return;
        }
        if ready.version != VERSION {
            self.attempts = 16;
            return self.lose(now);
        }
        self.ready = Some(ready);
        self.started_before = true;
        self.queue.retain_analysis(|kind| ready.wants(kind));
        self.state = State::Open {
            ping: now + self.config.ping_every,
            pong_by: None,
        };
        self.tell(Health::Up);
    }

    /// The engine answered a [`Frame::Ping`].
    pub fn pong(&mut self) {
        if let State::Open { pong_by, .. } = &mut self.state {
            *pong_by = None;
            // Only an engine that stays earns a quick reconnection.
            self.attempts = 0;
        }
    }

    /// When [`Link::timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Connecting { until } | State::Waiting { until } | State::Ending { until } => {
                Some(until)
            }
            State::Connected { until } => until,
            State::Open { ping, pong_by } => Some(pong_by.unwrap_or(ping)),
            State::Closed => None,
        }
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        match self.state {
            State::Connecting { .. } | State::Connected { .. } => self.lose(now),
            State::Open {
                pong_by: Some(_), ..
            } => self.lose(now),
            State::Open { pong_by: None, .. } => {
                self.ping = true;
                self.state = State::Open {
                    ping: now + self.config.ping_every,
                    pong_by: Some(now + self.config.pong_within),
                };
            }
            State::Waiting { .. } => {
                self.state = State::Connecting {
                    until: now + self.config.connect_within,
                };
                self.commands.push_back(Command::Connect);
            }
            State::Ending { .. } => self.close(),
            State::Closed => {}
        }
    }

    /// Whether the call is over and everything was sent: time for a closing
    /// handshake.
    pub fn is_drained(&self) -> bool {
        matches!(self.state, State::Ending { .. }) && self.queue.is_empty()
    }

    /// The next frame to send.
    pub fn poll_transmit(&mut self) -> Option<Frame> {
        if let Some(frame) = self.greeting.take() {
            return Some(frame);
        }
        if std::mem::take(&mut self.ping) {
            return Some(Frame::Ping);
        }
        match self.state {
            State::Open { .. } | State::Ending { .. } => self.queue.pop(),
            _ => None,
        }
    }

    /// The next thing to do.
    pub fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> (usize, usize) {
        self.queue.lens()
    }
}

impl Ready {
    fn wants(self, kind: AnalysisKind) -> bool {
        match kind {
            AnalysisKind::Features => self.features,
            AnalysisKind::Speech => self.audio,
            AnalysisKind::SpeakerFeatures => self.features && self.speakers,
            AnalysisKind::SpeakerSpeech => self.audio && self.speakers,
        }
    }
}

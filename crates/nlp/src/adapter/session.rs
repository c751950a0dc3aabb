//! One call's connection to a voice agent, without IO.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::Playback;
use super::protocol::{CallInfo, Protocol, Speaker, Wanted};
use crate::Transient;

/// How patient a [`Session`] is, and how much it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// How many frames of the caller's audio wait at most; then the oldest goes.
    pub heard_queue: usize,
    /// How much of the agent's audio waits at most; then its socket is not read.
    pub playback: Duration,
    /// How long connecting may take.
    pub connect_within: Duration,
    /// How often the agent is asked whether it is alive.
    pub ping_every: Duration,
    /// How long it may take to say so.
    pub pong_within: Duration,
    /// The wait before the first reconnection; it doubles with each failure.
    pub backoff_first: Duration,
    /// How long an agent may be away before it is given up.
    pub give_up_after: Duration,
    /// How long the last messages may take to leave.
    pub linger: Duration,
}

impl Default for SessionConfig {
    /// Two seconds of the caller's audio, a minute of the agent's; an agent that is
    /// away for 3 s is given up.
    fn default() -> Self {
        Self {
            heard_queue: 100,
            playback: Duration::from_secs(60),
            connect_within: Duration::from_secs(2),
            ping_every: Duration::from_secs(5),
            pong_within: Duration::from_secs(3),
            backoff_first: Duration::from_millis(100),
            give_up_after: Duration::from_secs(3),
            linger: Duration::from_secs(1),
        }
    }
}

/// What the owner of a [`Session`] is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionCommand {
    /// Open a connection, then call [`Session::connected`].
    Connect,
    /// Close it.
    Disconnect,
}

/// How an agent's part in a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentEnd {
    /// The agent said goodbye: it closed the connection in order.
    Finished,
    /// It can't be reached, or stays away.
    Lost,
}

/// A message to the agent.
pub enum Outgoing {
    /// JSON.
    Text(Zeroizing<String>),
    /// Asks whether the other side is alive (RFC 6455 §5.5.2).
    Ping,
}

/// What a [`Session`] went through; numbers only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionCounters {
    /// Frames of the caller's audio that the agent didn't get.
    pub dropped: u64,
    /// Messages of the agent that could not be read.
    pub malformed: u64,
    /// Connections that were lost or not made.
    pub lost: u64,
}

#[derive(Clone, Copy)]
enum State {
    Connecting {
        until: Instant,
    },
    Open {
        ping: Instant,
        pong_by: Option<Instant>,
    },
    Waiting {
        until: Instant,
    },
    /// The call has no more to say: the last messages leave.
    Leaving {
        until: Instant,
    },
    Over,
}

enum Item {
    Heard(u64, Transient<Vec<u8>>),
    Digit(Transient<[u8; 1]>),
    Mark(String),
}

/// One call's connection to a voice agent.
///
/// The caller's audio and keys and the agent's messages go in; messages, audio to
/// play and commands come out. When the connection is lost, what waited is forgotten,
/// and an agent that returns gets a fresh beginning with the parameter `resumed`.
pub struct Session {
    config: SessionConfig,
    protocol: Protocol,
    info: CallInfo,
    began: OffsetDateTime,
    state: State,
    speaker: Speaker,
    greeting: VecDeque<Zeroizing<String>>,
    queue: VecDeque<Item>,
    frames: usize,
    playback: Playback,
    /// Audio that found no room.
    held: Option<Transient<Vec<u8>>>,
    cleared: bool,
    ping: bool,
    commands: VecDeque<SessionCommand>,
    end: Option<AgentEnd>,
    /// When to give up.
    patience: Option<Instant>,
    attempts: u32,
    malformed: u32,
    random: u64,
    counters: SessionCounters,
}

/// How many unreadable messages a connection survives.
const MALFORMED_TOLERATED: u32 = 16;
/// Keys and marks that wait; an agent that lets more pile up is given up.
const MOST_CONTROL: usize = 256;

impl Session {
    /// A session that is about to connect. `began` is the time of day its audio begins,
    /// `seed` spreads reconnections in time.
    pub fn new(
        now: Instant,
        began: OffsetDateTime,
        protocol: Protocol,
        info: CallInfo,
        config: SessionConfig,
        seed: u64,
    ) -> Self {
        let a_second = protocol.sample_rate() as usize * protocol.sample_size();
        let most = (a_second as f64 * config.playback.as_secs_f64()) as usize;
        Self {
            state: State::Connecting {
                until: now + config.connect_within,
            },
            patience: Some(now + config.give_up_after),
            speaker: Speaker::new(protocol, &info, began),
            greeting: VecDeque::new(),
            queue: VecDeque::with_capacity(config.heard_queue),
            frames: 0,
            playback: Playback::new(most),
            held: None,
            cleared: false,
            ping: false,
            commands: VecDeque::from([SessionCommand::Connect]),
            end: None,
            attempts: 0,
            malformed: 0,
            random: seed,
            counters: SessionCounters::default(),
            config,
            protocol,
            info,
            began,
        }
    }

    /// What has been counted so far.
    pub fn counters(&self) -> SessionCounters {
        self.counters
    }

    /// How the agent's part ended, once it has. Audio it left is still to be played.
    pub fn end(&self) -> Option<AgentEnd> {
        self.end
    }

    /// Whether there is nothing left to do on the network.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// 20 ms of the caller's audio that begin `t_ms` after the stream did.
    pub fn heard(&mut self, t_ms: u64, audio: &[u8]) {
        if !matches!(self.state, State::Open { .. }) {
            self.counters.dropped += 1;
            return;
        }
        if self.frames >= self.config.heard_queue {
            self.drop_oldest();
        }
        self.frames += 1;
        let audio = Transient::new(audio.to_vec());
        self.queue.push_back(Item::Heard(t_ms, audio));
    }

    fn drop_oldest(&mut self) {
        let is_audio = |item: &Item| matches!(item, Item::Heard(..));
        if let Some(oldest) = self.queue.iter().position(is_audio) {
            self.queue.remove(oldest);
            self.frames -= 1;
            self.counters.dropped += 1;
        }
    }

    /// A key of the caller.
    pub fn digit(&mut self, now: Instant, digit: char) {
        if digit.is_ascii() {
            self.control(now, Item::Digit(Transient::new([digit as u8])));
        }
    }

    /// Playing has reached a mark, or passed it by a clear.
    pub fn played(&mut self, now: Instant, mark: String) {
        self.control(now, Item::Mark(mark));
    }

    fn control(&mut self, now: Instant, item: Item) {
        if !matches!(self.state, State::Open { .. }) {
            return;
        }
        self.queue.push_back(item);
        if self.queue.len() - self.frames > MOST_CONTROL {
            self.lose(now);
        }
    }

    /// Fills the front of `frame` with what the agent wants to have played; says how
    /// much that was.
    pub fn play(&mut self, frame: &mut [u8]) -> usize {
        let mut filled = self.playback.pull(frame);
        if let Some(audio) = self.held.take() {
            self.held = self.playback.push(audio).err();
            filled += self.playback.pull(&mut frame[filled..]);
        }
        filled
    }

    /// The next mark that [`play`](Self::play) has come to.
    pub fn poll_mark(&mut self) -> Option<String> {
        self.playback.reached()
    }

    /// Whether the agent has taken back what it said, since this was last asked.
    pub fn take_cleared(&mut self) -> bool {
        std::mem::take(&mut self.cleared)
    }

    /// Whether audio waits to be played.
    pub fn has_audio(&self) -> bool {
        self.playback.queued() > 0 || self.held.is_some()
    }

    /// Whether the agent's next message would find no room.
    pub fn is_full(&self) -> bool {
        self.held.is_some()
    }

    /// The connection that was asked for is there.
    pub fn connected(&mut self, now: Instant) {
        if !matches!(self.state, State::Connecting { .. }) {
            return;
        }
        self.malformed = 0;
        self.patience = None;
        self.speaker = Speaker::new(self.protocol, &self.info, self.began);
        self.greeting = self.speaker.greeting().into();
        self.state = State::Open {
            ping: now + self.config.ping_every,
            pong_by: None,
        };
    }

    /// The connection failed, or is gone without a goodbye.
    pub fn disconnected(&mut self, now: Instant) {
        match self.state {
            State::Connecting { .. } | State::Open { .. } => self.lose(now),
            State::Leaving { .. } => self.over(),
            State::Waiting { .. } | State::Over => {}
        }
    }

    /// The agent closed the connection in order.
    pub fn finished(&mut self) {
        if matches!(self.state, State::Open { .. }) {
            self.end = Some(AgentEnd::Finished);
        }
        self.over();
    }

    /// The call goes on without the agent.
    pub fn leave(&mut self, now: Instant) {
        match self.state {
            State::Open { .. } => {
                self.forget_audio();
                let last = self.speaker.farewell();
                self.greeting.extend(last);
                let until = now + self.config.linger;
                self.state = State::Leaving { until };
            }
            State::Leaving { .. } | State::Over => {}
            State::Connecting { .. } | State::Waiting { .. } => self.over(),
        }
    }

    fn forget_audio(&mut self) {
        self.queue.clear();
        self.counters.dropped += std::mem::take(&mut self.frames) as u64;
        self.playback.clear();
        while self.playback.reached().is_some() {}
        self.held = None;
        self.cleared = true;
        self.ping = false;
    }

    fn over(&mut self) {
        self.state = State::Over;
        self.commands.push_back(SessionCommand::Disconnect);
    }

    fn lose(&mut self, now: Instant) {
        self.counters.lost += 1;
        self.forget_audio();
        self.greeting.clear();
        let resumed = ("resumed".to_owned(), "true".to_owned());
        if matches!(self.state, State::Open { .. }) {
            self.info.parameters.extend([resumed]);
        }
        let patience = *self.patience.get_or_insert(now + self.config.give_up_after);
        if now >= patience {
            self.end = Some(AgentEnd::Lost);
            return self.over();
        }
        self.commands.push_back(SessionCommand::Disconnect);
        let until = (now + self.backoff()).min(patience);
        self.state = State::Waiting { until };
    }

    /// Between half and all of a wait that doubles with each failure.
    fn backoff(&mut self) -> Duration {
        let doubled = self.config.backoff_first * (1 << self.attempts.min(8));
        self.attempts = self.attempts.saturating_add(1);
        // A step of SplitMix64.
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let share = f64::from((mixed >> 33) as u32) / f64::from(1u32 << 31);
        doubled.mul_f64(0.5 + share / 2.0)
    }

    /// Takes a text message of the agent.
    pub fn received(&mut self, now: Instant, text: &str) {
        if !matches!(self.state, State::Open { .. }) {
            return;
        }
        match self.speaker.receive(text) {
            Ok(Wanted::Audio(audio)) => self.held = self.playback.push(audio).err(),
            Ok(Wanted::Mark(name)) => {
                if !self.playback.mark(name) {
                    self.malformed(now);
                }
            }
            Ok(Wanted::Clear) => {
                self.playback.clear();
                self.held = None;
                self.cleared = true;
            }
            Ok(Wanted::Nothing) => {}
            Err(_) => self.malformed(now),
        }
    }

    /// The agent sent what can't be read.
    pub fn malformed(&mut self, now: Instant) {
        self.counters.malformed += 1;
        self.malformed += 1;
        if self.malformed > MALFORMED_TOLERATED {
            self.disconnected(now);
        }
    }

    /// The agent answered a [`Outgoing::Ping`].
    pub fn pong(&mut self) {
        if let State::Open { pong_by, .. } = &mut self.state {
            *pong_by = None;
            // Only an agent that stays earns a quick reconnection.
            self.attempts = 0;
        }
    }

    /// When [`Session::timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Connecting { until } | State::Waiting { until } | State::Leaving { until } => {
                Some(until)
            }
            State::Open { ping, pong_by } => Some(pong_by.unwrap_or(ping)),
            State::Over => None,
        }
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        match self.state {
            State::Connecting { .. }
            | State::Open {
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
                let until = now + self.config.connect_within;
                let patience = self.patience.unwrap_or(until);
                self.state = State::Connecting {
                    // A last attempt gets the least that makes sense.
                    until: until.min(patience.max(now + self.config.backoff_first)),
                };
                self.commands.push_back(SessionCommand::Connect);
            }
            State::Leaving { .. } => self.over(),
            State::Over => {}
        }
    }

    /// Whether the call has left and everything was sent: time for a closing handshake.
    pub fn is_drained(&self) -> bool {
        matches!(self.state, State::Leaving { .. }) && self.greeting.is_empty()
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Outgoing> {
        if let Some(message) = self.greeting.pop_front() {
            return Some(Outgoing::Text(message));
        }
        if std::mem::take(&mut self.ping) {
            return Some(Outgoing::Ping);
        }
        if !matches!(self.state, State::Open { .. }) {
            return None;
        }
        while let Some(item) = self.queue.pop_front() {
            let speaker = &mut self.speaker;
            let message = match item {
                Item::Heard(t_ms, audio) => {
                    self.frames -= 1;
                    Some(audio.with(|audio| speaker.heard(t_ms, audio)))
                }
                Item::Digit(digit) => Some(digit.with(|[digit]| speaker.digit((*digit).into()))),
                Item::Mark(name) => speaker.mark(&name),
            };
            if let Some(message) = message {
                return Some(Outgoing::Text(message));
            }
        }
        None
    }

    /// The next thing to do.
    pub fn poll_command(&mut self) -> Option<SessionCommand> {
        self.commands.pop_front()
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;

//! A call's media session as the application sees it.

use std::sync::Arc;

use switchboard_media::codec::Codec;
use switchboard_media::engine::{AppSide, LegStats, LiveAudio, PlayError};
use switchboard_media::event::{Digit, MediaEvent, PlayId};
use switchboard_media::prompt::Prompt;
use tokio::sync::{Notify, watch};

use crate::bridge::bridge_ends;
use crate::mux::link::State;
use crate::mux::{Id, Mux, Order};

/// What happens in a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SessionEvent {
    /// ICE and DTLS are through: media can flow.
    Connected,
    /// The pipeline heard or did something.
    Media(MediaEvent),
    /// The pipeline heard this in the line of a single speaker
    /// ([`TransportConfig::speakers`](crate::TransportConfig::speakers)), in the line's own
    /// media time.
    Speaker {
        /// Who speaks: the contributing source (RFC 3550 §7), which is the `sourceId` of one
        /// of a participant's `mediaStreams`. Without one it is the stream's SSRC.
        source: u32,
        /// What was heard.
        event: MediaEvent,
    },
    /// The session is over; nothing follows.
    Closed(CloseReason),
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// This side closed it.
    Local,
    /// The other side said goodbye (DTLS `close_notify`).
    Remote,
    /// The other side vanished, or ICE or DTLS never succeeded.
    Failed,
}

/// One side of a call's media. Dropping it closes the session.
pub struct Session {
    app: AppSide,
    live: Option<LiveAudio>,
    speakers: Vec<Speaker>,
    codec: Codec,
    /// Notified when the leg has events.
    events: Arc<Notify>,
    state: watch::Receiver<State>,
    reported: State,
    closer: SessionCloser,
}

/// The line of one speaker at a time.
pub(crate) struct Speaker {
    app: AppSide,
    live: Option<LiveAudio>,
    /// Who is heard in it.
    source: Option<u32>,
}

impl Speaker {
    pub(crate) fn new(app: AppSide, live: Option<LiveAudio>) -> Self {
        Self {
            app,
            live,
            source: None,
        }
    }

    fn event(&mut self) -> Option<SessionEvent> {
        loop {
            match (self.app.event()?, self.source) {
                (MediaEvent::Source { source }, _) => self.source = Some(source),
                (event, Some(source)) => return Some(SessionEvent::Speaker { source, event }),
                // Nobody was heard yet.
                (_, None) => {}
            }
        }
    }
}

/// Closes a session from elsewhere.
#[derive(Clone)]
pub struct SessionCloser {
    end: End,
    state: watch::Receiver<State>,
}

/// Who carries a session's packets.
#[derive(Clone)]
pub(crate) enum End {
    /// The network thread.
    Mux(Arc<Mux>, Id),
    /// A [`Carrier`](crate::Carrier), told here when it is to stop.
    Carrier(Arc<Notify>),
}

impl SessionCloser {
    /// Asks the session to end; harmless when it has ended.
    pub fn close(&self) {
        match &self.end {
            End::Mux(mux, id) => mux.order(Order::Close(*id)),
            End::Carrier(stop) => stop.notify_one(),
        }
    }

    /// Waits until the session has ended and nothing of it is left on the network.
    pub async fn closed(&self) {
        let mut state = self.state.clone();
        // An error means that the network thread is gone, which is what we wait for.
        let _ = state
            .wait_for(|state| matches!(state, State::Closed(_)))
            .await;
    }
}

impl Session {
    pub(crate) fn new(
        app: AppSide,
        live: Option<LiveAudio>,
        codec: Codec,
        events: Arc<Notify>,
        end: End,
        state: watch::Receiver<State>,
    ) -> Self {
        Self {
            app,
            live,
            speakers: Vec::new(),
            codec,
            events,
            state: state.clone(),
            reported: State::Connecting,
            closer: SessionCloser { end, state },
        }
    }

    pub(crate) fn with_speakers(mut self, speakers: Vec<Speaker>) -> Self {
        self.speakers = speakers;
        self
    }

    /// How many lines of single speakers were agreed on.
    pub fn speakers(&self) -> usize {
        self.speakers.len()
    }

    /// The live audio of the speakers' lines, once: voices on the side that offered them,
    /// ears on the one that took them, if
    /// [`TransportConfig::live`](crate::TransportConfig::live) asked for it.
    pub fn take_speakers(&mut self) -> Vec<LiveAudio> {
        let lines = self.speakers.iter_mut();
        lines.filter_map(|line| line.live.take()).collect()
    }

    /// The session's live audio, once, if
    /// [`TransportConfig::live`](crate::TransportConfig::live) asked for it.
    pub fn take_live(&mut self) -> Option<LiveAudio> {
        self.live.take()
    }

    /// What its audio is coded with.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Plays a prompt to the other side, in place of what is playing.
    ///
    /// # Errors
    /// The leg is closed or too many requests are pending.
    pub fn play(&mut self, prompt: Arc<Prompt>) -> Result<PlayId, PlayError> {
        self.app.play(prompt)
    }

    /// Holds a key down for `ms` milliseconds (20–1 300) as telephone events
    /// (RFC 4733); what plays waits meanwhile.
    ///
    /// # Errors
    /// The leg is closed or too many requests are pending.
    pub fn press(&mut self, digit: Digit, ms: u32) -> Result<(), PlayError> {
        self.app.press(digit, ms)
    }

    /// Stops what is playing, within one frame.
    pub fn stop(&mut self) {
        self.app.stop();
    }

    /// The leg's counters.
    pub fn stats(&self) -> LegStats {
        self.app.stats()
    }

    /// A handle that closes this session.
    pub fn closer(&self) -> SessionCloser {
        self.closer.clone()
    }

    /// Asks the session to end.
    pub fn close(&self) {
        self.closer.close();
    }

    /// The next event; `None` after `Closed`. Cancel-safe.
    pub async fn event(&mut self) -> Option<SessionEvent> {
        loop {
            if let State::Closed(_) = self.reported {
                return None;
            }
            if let Some(event) = self.app.event() {
                return Some(SessionEvent::Media(event));
            }
            if let Some(event) = self.speakers.iter_mut().find_map(Speaker::event) {
                return Some(event);
            }
            if let Some(event) = self.state_change() {
                return Some(event);
            }
            tokio::select! {
                () = self.events.notified() => {}
                changed = self.state.changed() => {
                    if changed.is_err() && !matches!(*self.state.borrow(), State::Closed(_)) {
                        self.reported = State::Closed(CloseReason::Local);
                        return Some(SessionEvent::Closed(CloseReason::Local));
                    }
                }
            }
        }
    }

    fn state_change(&mut self) -> Option<SessionEvent> {
        let now = *self.state.borrow_and_update();
        if now == self.reported {
            return None;
        }
        self.reported = now;
        match now {
            State::Connecting => None,
            State::Connected => Some(SessionEvent::Connected),
            State::Closed(reason) => Some(SessionEvent::Closed(reason)),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.closer.close();
    }
}

/// Lets two sessions hear each other: each one's audio becomes what the other
/// sends, and their prompts fall silent. The bridge ends with either session. Sessions
/// that a [`Carrier`](crate::Carrier) carries, and sessions of different codecs, can't be
/// bridged: nothing happens.
pub fn bridge(a: &Session, b: &Session) {
    if a.codec != b.codec {
        return;
    }
    let (End::Mux(mux_a, a), End::Mux(mux_b, b)) = (&a.closer.end, &b.closer.end) else {
        return;
    };
    let (end_a, end_b) = bridge_ends();
    mux_a.order(Order::Bridge(*a, Box::new(end_a)));
    mux_b.order(Order::Bridge(*b, Box::new(end_b)));
}

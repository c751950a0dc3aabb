//! A [`Session`] on a socket.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell that does IO"
)]

use std::collections::hash_map::RandomState;
use std::future::pending;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Utf8Bytes};
use tracing::Instrument as _;
use zeroize::Zeroizing;

use super::protocol::{CallInfo, Protocol};
use super::session::{AgentEnd, Outgoing, Session, SessionCommand, SessionConfig, SessionCounters};
use crate::wire::{Endpoint, WebSocket, wipe};

/// A voice agent behind a WebSocket, as one call sees it.
///
/// Connects at once, and again when the connection is lost, until it is dropped, the
/// agent says goodbye or stays away for too long. Nothing here waits for the agent but
/// [`changed`](Self::changed).
pub struct Agent {
    shared: Arc<Shared>,
    protocol: Protocol,
}

struct Shared {
    session: Mutex<Session>,
    /// Something may be there to transmit.
    transmit: Notify,
    /// A timeout or command may have changed.
    attend: Notify,
    /// Something may be there to play.
    changed: Notify,
    /// There may be room for the agent's audio again.
    room: Notify,
}

impl Shared {
    fn with<R>(&self, act: impl FnOnce(&mut Session, Instant) -> R) -> R {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut session, Instant::now())
    }

    fn wake(&self) {
        self.transmit.notify_one();
        self.attend.notify_one();
    }
}

impl Agent {
    /// Connects an agent to a call. Needs a tokio runtime.
    pub fn connect(
        endpoint: Arc<Endpoint>,
        protocol: Protocol,
        info: CallInfo,
        config: SessionConfig,
    ) -> Self {
        let seed = RandomState::new().build_hasher().finish();
        let began = OffsetDateTime::now_utc();
        let call = info.call.clone();
        let session = Session::new(Instant::now(), began, protocol, info, config, seed);
        let shared = Arc::new(Shared {
            session: Mutex::new(session),
            transmit: Notify::new(),
            attend: Notify::new(),
            changed: Notify::new(),
            room: Notify::new(),
        });
        tokio::spawn(drive(Arc::clone(&shared), endpoint, call).in_current_span());
        Self { shared, protocol }
    }

    /// What it speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// What the connection went through.
    pub fn counters(&self) -> SessionCounters {
        self.shared.with(|session, _| session.counters())
    }

    /// 20 ms of the caller's audio, in the protocol's encoding, that begin `t_ms` after
    /// the stream did.
    pub fn heard(&self, t_ms: u64, audio: &[u8]) {
        self.shared.with(|session, _| session.heard(t_ms, audio));
        self.shared.transmit.notify_one();
    }

    /// A key of the caller.
    pub fn digit(&self, digit: char) {
        self.shared.with(|session, now| session.digit(now, digit));
        self.shared.wake();
    }

    /// Playing has reached a mark.
    pub fn played(&self, mark: String) {
        self.shared.with(|session, now| session.played(now, mark));
        self.shared.wake();
    }

    /// Fills the front of `frame` with what the agent wants to have played, and adds the
    /// marks that come then to `marks`; says how many bytes that were.
    pub fn play(&self, frame: &mut [u8], marks: &mut Vec<String>) -> usize {
        let filled = self.shared.with(|session, _| {
            let filled = session.play(frame);
            marks.extend(std::iter::from_fn(|| session.poll_mark()));
            filled
        });
        if filled > 0 {
            self.shared.room.notify_one();
        }
        filled
    }

    /// Whether the agent has taken back what it said, since this was last asked.
    pub fn take_cleared(&self) -> bool {
        self.shared.with(|session, _| session.take_cleared())
    }

    /// How the agent's part ended, once it has. Audio it left is still to be played.
    pub fn end(&self) -> Option<AgentEnd> {
        self.shared.with(|session, _| session.end())
    }

    /// Waits until there is something new to play, a clear or an end; one task at a
    /// time. Cancel-safe.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// The call goes on without the agent.
    pub fn leave(&self) {
        self.shared.with(Session::leave);
        self.shared.wake();
        self.shared.changed.notify_one();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.leave();
    }
}

async fn drive(shared: Arc<Shared>, endpoint: Arc<Endpoint>, call: String) {
    while let Some(command) = next_command(&shared).await {
        if command == SessionCommand::Connect {
            tokio::select! {
                () = connection(&shared, &endpoint, &call) => {}
                _ = next_command(&shared) => {}
            }
            shared.with(Session::disconnected);
            shared.changed.notify_one();
        }
    }
    shared.changed.notify_one();
}

/// Keeps time until there is something to do about the connection; `None` when the
/// session is over.
async fn next_command(shared: &Shared) -> Option<SessionCommand> {
    loop {
        let (command, due, over) = shared.with(|session, now| {
            session.timeout(now);
            let command = session.poll_command();
            (command, session.poll_timeout(), session.is_over())
        });
        shared.transmit.notify_one();
        match command {
            Some(command) => return Some(command),
            None if over => return None,
            None => tokio::select! {
                () = sleep_until(due) => {}
                () = shared.attend.notified() => {}
            },
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => pending().await,
    }
}

async fn connection(shared: &Shared, endpoint: &Endpoint, call: &str) {
    let socket = match endpoint.open_for(call).await {
        Ok(socket) => socket,
        Err(error) => {
            return tracing::warn!(agent = %endpoint, %error, "the voice agent can't be reached");
        }
    };
    shared.with(Session::connected);
    shared.wake();
    let (sink, stream) = socket.split();
    let ended = tokio::select! {
        ended = transmit(shared, sink) => ended,
        ended = receive(shared, stream) => ended,
    };
    if let Err(error) = ended {
        tracing::warn!(agent = %endpoint, %error, "the connection to the voice agent is lost");
    }
}

async fn transmit(
    shared: &Shared,
    mut sink: SplitSink<WebSocket, Message>,
) -> Result<(), tungstenite::Error> {
    loop {
        let (message, drained) =
            shared.with(|session, _| (session.poll_transmit(), session.is_drained()));
        match message {
            Some(Outgoing::Text(text)) => sink.send(text_message(text)?).await?,
            Some(Outgoing::Ping) => sink.send(Message::Ping(Bytes::new())).await?,
            None if drained => {
                let goodbye = CloseFrame {
                    code: CloseCode::Normal,
                    reason: Utf8Bytes::default(),
                };
                sink.send(Message::Close(Some(goodbye))).await?;
                // The other side's closing frame ends the connection; hanging up
                // before it could cost our last message.
                return pending().await;
            }
            None => shared.transmit.notified().await,
        }
    }
}

struct Owned(Zeroizing<String>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The text's memory goes with the message, and is still wiped after it.
fn text_message(text: Zeroizing<String>) -> Result<Message, tungstenite::Error> {
    let bytes = Bytes::from_owner(Owned(text));
    Ok(Message::Text(Utf8Bytes::try_from(bytes)?))
}

async fn receive(
    shared: &Shared,
    mut stream: SplitStream<WebSocket>,
) -> Result<(), tungstenite::Error> {
    while let Some(message) = stream.next().await {
        match message? {
            Message::Text(text) => {
                shared.with(|session, now| session.received(now, &text));
                wipe(text.into());
            }
            Message::Binary(_) => shared.with(Session::malformed),
            Message::Pong(_) => shared.with(|session, _| session.pong()),
            Message::Ping(_) | Message::Frame(_) => {}
            Message::Close(why) => {
                if is_goodbye(why.as_ref()) {
                    shared.with(|session, _| session.finished());
                }
                return Ok(());
            }
        }
        shared.changed.notify_one();
        shared.wake();
        while shared.with(|session, _| session.is_full()) {
            shared.room.notified().await;
        }
    }
    Ok(())
}

/// Whether a closing frame means that the agent is done (RFC 6455 §7.4.1): agents that
/// fail say so, or say nothing.
fn is_goodbye(why: Option<&CloseFrame>) -> bool {
    why.is_none_or(|why| matches!(why.code, CloseCode::Normal | CloseCode::Status))
}

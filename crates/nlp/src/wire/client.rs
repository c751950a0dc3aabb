//! A [`Link`] on a socket.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell that does IO"
)]

use std::collections::hash_map::RandomState;
use std::future::pending;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::{self, Utf8Bytes};
use tracing::Instrument as _;
use zeroize::Zeroize;

use super::endpoint::{Endpoint, WebSocket};
use super::{Command, Counters, Frame, Link, LinkConfig};
use crate::{Engine, Event, Reply, Wants};

/// How many replies wait for the call; then the engine's socket is not read.
const REPLIES: usize = 64;

/// An engine behind a WebSocket, as one call sees it.
///
/// Connects at once and again when the connection is lost, until
/// [`Event::SessionEnd`] or until it is dropped. Handing it an event never waits.
pub struct RemoteEngine {
    shared: Arc<Shared>,
    replies: mpsc::Receiver<Reply>,
}

struct Shared {
    link: Mutex<Link>,
    /// Something may be there to transmit.
    transmit: Notify,
    /// A timeout or command may have changed.
    attend: Notify,
}

impl Shared {
    fn with<R>(&self, act: impl FnOnce(&mut Link, Instant) -> R) -> R {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut link, Instant::now())
    }

    fn wake(&self) {
        self.transmit.notify_one();
        self.attend.notify_one();
    }
}

impl RemoteEngine {
    /// Connects to an engine for one call. Needs a tokio runtime.
    pub fn connect(endpoint: Arc<Endpoint>, config: LinkConfig) -> Self {
        let seed = RandomState::new().build_hasher().finish();
        let shared = Arc::new(Shared {
            link: Mutex::new(Link::new(Instant::now(), config, seed)),
            transmit: Notify::new(),
            attend: Notify::new(),
        });
        let (sender, replies) = mpsc::channel(REPLIES);
        tokio::spawn(drive(Arc::clone(&shared), endpoint, sender).in_current_span());
        Self { shared, replies }
    }

    /// What the connection went through.
    pub fn counters(&self) -> Counters {
        self.shared.with(|link, _| link.counters())
    }
}

impl Engine for RemoteEngine {
    fn handle(&mut self, event: &Event, _: &mut dyn FnMut(Reply)) {
        self.shared.with(|link, now| link.event(now, event));
        match event.is_analysis() {
            true => self.shared.transmit.notify_one(),
            false => self.shared.wake(),
        }
    }

    fn dropped(&self) -> u64 {
        self.counters().dropped
    }

    fn wants(&self) -> Wants {
        self.shared.with(|link, _| link.wants())
    }

    fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<Reply> {
        match self.replies.poll_recv(context) {
            Poll::Ready(Some(reply)) => Poll::Ready(reply),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for RemoteEngine {
    fn drop(&mut self) {
        self.shared
            .with(|link, now| link.event(now, &Event::SessionEnd));
        self.shared.wake();
    }
}

async fn drive(shared: Arc<Shared>, endpoint: Arc<Endpoint>, replies: mpsc::Sender<Reply>) {
    while let Some(command) = next_command(&shared, &replies).await {
        if command == Command::Connect {
            tokio::select! {
                () = connection(&shared, &endpoint, &replies) => {}
                _ = next_command(&shared, &replies) => {}
            }
            shared.with(|link, now| link.disconnected(now));
        }
    }
}

/// Keeps time until there is something to do about the connection; `None` when
/// the link is closed.
async fn next_command(shared: &Shared, replies: &mpsc::Sender<Reply>) -> Option<Command> {
    loop {
        let (command, due, closed) = shared.with(|link, now| {
            link.timeout(now);
            (link.poll_command(), link.poll_timeout(), link.is_closed())
        });
        shared.transmit.notify_one();
        match command {
            // The receiver is gone only when the link is about to close.
            Some(Command::Health(health)) => drop(replies.send(Reply::Health(health)).await),
            Some(command) => return Some(command),
            None if closed => return None,
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

async fn connection(shared: &Shared, endpoint: &Endpoint, replies: &mpsc::Sender<Reply>) {
    let socket = match endpoint.open().await {
        Ok(socket) => socket,
        Err(error) => {
            return tracing::warn!(engine = %endpoint, %error, "the engine can't be reached");
        }
    };
    shared.with(|link, now| link.connected(now));
    shared.wake();
    let (sink, stream) = socket.split();
    let ended = tokio::select! {
        ended = transmit(shared, sink) => ended,
        ended = receive(shared, stream, replies) => ended,
    };
    if let Err(error) = ended {
        tracing::warn!(engine = %endpoint, %error, "the connection to the engine is lost");
    }
}

async fn transmit(
    shared: &Shared,
    mut sink: SplitSink<WebSocket, Message>,
) -> Result<(), tungstenite::Error> {
    loop {
        let (frame, drained) = shared.with(|link, _| (link.poll_transmit(), link.is_drained()));
        match frame {
            Some(frame) => sink.send(message(frame)?).await?,
            None if drained => {
                sink.close().await?;
                // The other side's closing frame ends the connection; hanging up
                // before it could cost our last message.
                return pending().await;
            }
            None => shared.transmit.notified().await,
        }
    }
}

/// The frame's memory goes with the message, and is still wiped after it.
fn message(frame: Frame) -> Result<Message, tungstenite::Error> {
    Ok(match frame {
        Frame::Text(json) => Message::Text(Utf8Bytes::try_from(Bytes::from_owner(json))?),
        Frame::Binary(bytes) => Message::Binary(Bytes::from_owner(bytes)),
        Frame::Ping => Message::Ping(Bytes::new()),
    })
}

async fn receive(
    shared: &Shared,
    mut stream: SplitStream<WebSocket>,
    replies: &mpsc::Sender<Reply>,
) -> Result<(), tungstenite::Error> {
    while let Some(message) = stream.next().await {
        let reply = match message? {
            Message::Text(text) => {
                let reply = shared.with(|link, now| link.received(now, &text));
                wipe(text.into());
                reply
            }
            Message::Binary(_) => shared.with(|link, now| {
                link.malformed(now);
                None
            }),
            Message::Pong(_) => shared.with(|link, _| {
                link.pong();
                None
            }),
            Message::Ping(_) | Message::Frame(_) => None,
            Message::Close(_) => return Ok(()),
        };
        shared.wake();
        if let Some(reply) = reply
            && replies.send(reply).await.is_err()
        {
            return Ok(());
        }
    }
    Ok(())
}

/// Wipes what the socket's reader has handed over, where nobody else has it.
pub(crate) fn wipe(bytes: Bytes) {
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.as_mut().zeroize();
    }
}

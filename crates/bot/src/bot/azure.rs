//! Calls whose media comes from Azure Communication Services: Call Automation controls
//! them, and streams their audio to us.

mod guard;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use switchboard_media::codec::RATE;
use switchboard_media::event::Digit;
use switchboard_media::resample::Stream;
use switchboard_nlp::adapter::acs::{self, FromService, Metadata};
use switchboard_nlp::{Direction, SessionStart};
use switchboard_signaling::clock;
use switchboard_transport::Carrier;
use tokio::sync::mpsc;
use tracing::{Instrument as _, Span};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Origin, Shared};
use crate::call::{Control, Task};
use crate::conversation::Conversation;
use crate::flow::{Facts, Hosting};
use guard::Guard;
pub use guard::{AzureMedia, AzureMediaError};

/// Where Call Automation is told to stream to, below the bot's address.
const PATH: &str = "/api/media/azure";
/// The longest message: a second of audio at 24 kHz is 64 kB.
const LONGEST_MESSAGE: usize = 256 * 1024;
/// How long metadata may take.
const GREETING: Duration = Duration::from_secs(5);
/// How often to look what is to be said.
const TICK: Duration = Duration::from_millis(5);

/// `GET` with an upgrade to a WebSocket.
pub(super) fn router(
    shared: &Arc<Shared>,
    who: Option<AzureMedia>,
) -> Result<Router, AzureMediaError> {
    let Some(who) = who else {
        return Ok(Router::new());
    };
    let (shared, guard) = (Arc::clone(shared), Arc::new(Guard::new(who)?));
    let taken = move |headers: HeaderMap, upgrade: WebSocketUpgrade| {
        let (shared, guard) = (Arc::clone(&shared), Arc::clone(&guard));
        async move {
            match guard.admits(&headers).await {
                true => take(&shared, &headers, upgrade),
                false => StatusCode::UNAUTHORIZED.into_response(),
            }
        }
    };
    Ok(Router::new().route(PATH, get(taken)))
}

fn take(shared: &Arc<Shared>, headers: &HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let opened = shared.transport.with_live().carried();
    let (nobody, _) = mpsc::channel(1);
    let listed = shared.list_nameless(nobody);
    let (Ok((session, carrier)), Ok(listed), false, Hosting::Application) = (
        opened,
        listed,
        shared.is_stopping(),
        shared.script().flow.media(),
    ) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let call = call_id(headers);
    let shared = Arc::clone(shared);
    let upgrade = upgrade
        .max_message_size(LONGEST_MESSAGE)
        .max_frame_size(LONGEST_MESSAGE);
    upgrade.on_upgrade(async move |socket| {
        let (task, span) = shared.streamed_call(call, session);
        let talk = async move {
            task.run().await;
            drop(listed);
        };
        let talked = tokio::spawn(talk.instrument(span.clone()));
        carry(socket, carrier).instrument(span).await;
        // A panic was reported by the task itself.
        let _ = talked.await;
    })
}

/// The service's id of the call, if it is one; else one of ours.
fn call_id(headers: &HeaderMap) -> String {
    let named = headers.get("x-ms-call-connection-id");
    let named = named.and_then(|id| id.to_str().ok()).filter(|id| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (1..=128).contains(&id.len()) && id.bytes().all(plain)
    });
    named.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

impl Shared {
    fn streamed_call(
        self: &Arc<Self>,
        call: String,
        session: switchboard_transport::Session,
    ) -> (Task, Span) {
        let script = self.script();
        let origin = Origin::new(true, &script.name, None);
        let span = origin.span(Some(call.as_str()));
        let start = SessionStart {
            call,
            direction: Direction::Incoming,
            language: script.flow.language().to_owned(),
            features: self.format_of(&script),
            ..SessionStart::default()
        };
        let facts = Facts {
            time: jiff::Timestamp::now(),
            ..Facts::default()
        };
        let talk = span.in_scope(|| {
            let guide = self.guide(&script, facts, &start);
            Conversation::new(start, guide, (self.engines)(), Arc::clone(&self.observer))
        });
        let control = Control::Elsewhere { over: false };
        let mut task = Task::new(self, &script, control, talk, origin, None);
        task.carry(session);
        (task, span)
    }
}

/// Carries audio between the socket and the session, until either ends.
async fn carry(mut socket: WebSocket, mut carrier: Carrier) {
    let greeted = tokio::time::timeout(GREETING, metadata(&mut socket)).await;
    let Ok(Some(metadata)) = greeted else {
        return tracing::warn!("a media connection began without its metadata");
    };
    let Some(mut audio) = Audio::new(metadata.sample_rate) else {
        return;
    };
    carrier.connected();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                for frame in audio.said(&mut carrier) {
                    if socket.send(Message::text(frame.as_str())).await.is_err() {
                        return;
                    }
                }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => audio.heard(&mut carrier, &text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            () = carrier.stopped() => {
                // What was said last is still on its way to the caller there.
                let _ = socket.send(Message::Close(None)).await;
                return;
            }
        }
    }
}

async fn metadata(socket: &mut WebSocket) -> Option<Metadata> {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(text) = message
            && let Ok(FromService::Metadata(metadata)) = acs::from_service(&text)
        {
            return Some(metadata);
        }
    }
    None
}

/// Both directions, between the service's rate and ours.
struct Audio {
    inward: Option<Stream>,
    outward: Option<Stream>,
    /// Bytes of 20 ms, in which audio goes out.
    frame: usize,
    pending: Zeroizing<Vec<u8>>,
}

impl Audio {
    fn new(rate: u32) -> Option<Self> {
        let (inward, outward) = match rate {
            RATE => (None, None),
            rate => (
                Some(Stream::new(rate).ok()?),
                Some(Stream::between(RATE, rate).ok()?),
            ),
        };
        let frame = rate as usize / 25;
        Some(Self {
            inward,
            outward,
            frame,
            pending: Zeroizing::new(Vec::with_capacity(4 * frame)),
        })
    }

    fn heard(&mut self, carrier: &mut Carrier, text: &str) {
        let now = clock::now();
        match acs::from_service(text) {
            Ok(FromService::Audio(audio)) => {
                let samples = audio.data.with(|bytes| samples(bytes));
                match &mut self.inward {
                    Some(stream) => stream.push(&samples, &mut |block| carrier.hear(now, block)),
                    None => carrier.hear(now, &samples),
                }
            }
            Ok(FromService::Dtmf(tone)) => {
                if let Some(digit) = tone.with(|tone| key(tone)) {
                    carrier.key(now, digit);
                }
            }
            Ok(FromService::Metadata(_) | FromService::Unknown) => {}
            Err(error) => tracing::debug!(%error, "a media message was ignored"),
        }
    }

    /// Messages of what is due.
    fn said(&mut self, carrier: &mut Carrier) -> Vec<Zeroizing<String>> {
        let Self {
            outward, pending, ..
        } = self;
        let mut keep = |samples: &[f32]| {
            for sample in samples {
                let value = (sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16;
                pending.extend_from_slice(&value.to_le_bytes());
            }
        };
        carrier.say(|samples| match outward {
            Some(stream) => stream.push(samples, &mut keep),
            None => keep(samples),
        });
        let whole = self.pending.len() / self.frame * self.frame;
        let frames = self.pending[..whole].chunks(self.frame);
        let messages = frames.map(acs::play).collect();
        self.pending.drain(..whole);
        messages
    }
}

fn samples(bytes: &[u8]) -> Zeroizing<Vec<f32>> {
    let pairs = bytes.chunks_exact(2);
    let samples = pairs.map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0);
    Zeroizing::new(samples.collect())
}

/// Tones come as faces or by their names in Call Automation.
fn key(tone: &str) -> Option<Digit> {
    const NAMES: [(&str, char); 12] = [
        ("zero", '0'),
        ("one", '1'),
        ("two", '2'),
        ("three", '3'),
        ("four", '4'),
        ("five", '5'),
        ("six", '6'),
        ("seven", '7'),
        ("eight", '8'),
        ("nine", '9'),
        ("asterisk", '*'),
        ("pound", '#'),
    ];
    let mut faces = tone.chars();
    match (faces.next(), faces.next()) {
        (Some(face), None) => Digit::from_char(face.to_ascii_uppercase()),
        _ => {
            let known = NAMES.iter();
            let mut known = known.filter(|(name, _)| name.eq_ignore_ascii_case(tone));
            known.next().and_then(|(_, face)| Digit::from_char(*face))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_are_faces_or_names() {
        let face = |tone| key(tone).map(Digit::as_char);
        assert_eq!(face("5"), Some('5'));
        assert_eq!(face("a"), Some('A'));
        assert_eq!(face("Pound"), Some('#'));
        assert_eq!(face("asterisk"), Some('*'));
        assert_eq!((face(""), face("ten")), (None, None));
    }

    #[test]
    fn a_strange_call_id_is_replaced() {
        let id = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-ms-call-connection-id", value.parse().unwrap());
            call_id(&headers)
        };
        assert_eq!(id("421f1200-04"), "421f1200-04");
        for strange in ["", "../calls", "a b"] {
            assert_eq!(id(strange).len(), 36, "{strange}");
        }
    }
}

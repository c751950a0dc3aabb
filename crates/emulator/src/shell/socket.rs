//! Softphones over WebSocket.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::sync::mpsc;
use url::{Host, Url};
use uuid::Uuid;

use super::{Hub, QUEUE};
use crate::phone::{PhoneCommand, PhoneEvent, PhoneRole, PhoneUser};

/// An SDP offer in JSON fits well.
const MAX_MESSAGE: usize = 128 * 1024;
/// A page registers as soon as it is connected.
const REGISTER_LIMIT: Duration = Duration::from_secs(10);
/// Unreadable messages until the phone is sent away.
const MAX_MISTAKES: usize = 20;

pub(crate) fn router() -> Router<Arc<Hub>> {
    Router::new().route("/softphone/socket", get(connect))
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Hello {
    Register {
        name: String,
        role: PhoneRole,
        tenant: Option<Uuid>,
    },
}

async fn connect(
    State(hub): State<Arc<Hub>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !hub.is_from_our_page(&headers) {
        let text = "this socket is for the emulator's own page";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| serve(hub, socket))
}

impl Hub {
    /// Browsers say which page opens a socket or changes something; another site's must not
    /// reach the phones (RFC 6455 §10.2). Programs say nothing, nor does a page that reads from
    /// where it came from: so it counts what name it came by.
    pub(crate) fn is_from_our_page(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return self.is_asked_by_own_name(headers);
        };
        let origin = origin.to_str().ok().and_then(|text| Url::parse(text).ok());
        origin.is_some_and(|origin| {
            origin.origin() == self.settings.base.origin() || self.is_where_asked(&origin, headers)
        })
    }

    /// Whether a request names an address, `localhost`, or the host by which the emulator is
    /// told to be reached. Browsers always name one.
    fn is_asked_by_own_name(&self, headers: &HeaderMap) -> bool {
        if !headers.contains_key(header::HOST) {
            return true;
        }
        self.asked(headers).is_some_and(|asked| {
            has_no_foreign_name(&asked) || asked.host() == self.settings.base.host()
        })
    }

    /// Where a request is sent to, by its `Host`.
    fn asked(&self, headers: &HeaderMap) -> Option<Url> {
        let host = headers.get(header::HOST)?.to_str().ok()?;
        Url::parse(&format!("{}://{host}", self.settings.scheme)).ok()
    }

    /// Whether a page's origin is the host that it asks, under an address or as `localhost`.
    fn is_where_asked(&self, origin: &Url, headers: &HeaderMap) -> bool {
        let own = self.asked(headers);
        own.is_some_and(|own| has_no_foreign_name(&own) && own.origin() == origin.origin())
    }
}

/// A name that someone else lets point here would be its own origin.
fn has_no_foreign_name(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(_) => true,
        None => false,
    }
}

async fn serve(hub: Arc<Hub>, mut socket: WebSocket) {
    let hello = tokio::time::timeout(REGISTER_LIMIT, hello(&mut socket)).await;
    let Ok(Some(Hello::Register { name, role, tenant })) = hello else {
        let reason = "the first message must be {\"type\":\"register\",\"name\":…,\"role\":\"caller\"|\"agent\"}";
        return close(socket, reason).await;
    };
    let (outlet, mut events) = mpsc::channel(QUEUE);
    let tenant = tenant.map(|tenant| tenant.to_string());
    let user = PhoneUser { id: None, tenant };
    let phone = hub.attach(&user, &name, role, outlet.clone());
    converse(&hub, &phone, &mut socket, &mut events, &outlet).await;
    hub.detach(&phone);
    // The other side may be gone already.
    let _ = socket.send(Message::Close(None)).await;
}

async fn hello(socket: &mut WebSocket) -> Option<Hello> {
    loop {
        match socket.recv().await?.ok()? {
            Message::Text(text) => return serde_json::from_str(&text).ok(),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Binary(_) | Message::Close(_) => return None,
        }
    }
}

/// Carries messages both ways until one side goes.
async fn converse(
    hub: &Arc<Hub>,
    phone: &str,
    socket: &mut WebSocket,
    events: &mut mpsc::Receiver<PhoneEvent>,
    outlet: &mpsc::Sender<PhoneEvent>,
) {
    let mut mistakes = 0;
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => match serde_json::from_str::<PhoneCommand>(&text) {
                    Ok(command) => hub.phone_says(phone, command),
                    Err(_) => {
                        mistakes += 1;
                        let message = "This message is not understood.".to_owned();
                        let _ = outlet.try_send(PhoneEvent::Error { message, call: None });
                        if mistakes > MAX_MISTAKES {
                            return;
                        }
                    }
                },
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => return,
            },
            event = events.recv() => {
                let Some(text) = event.and_then(|event| serde_json::to_string(&event).ok()) else {
                    return;
                };
                if socket.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
            }
            () = hub.stopped() => return,
        }
    }
}

async fn close(mut socket: WebSocket, reason: &'static str) {
    let frame = CloseFrame {
        code: close_code::POLICY,
        reason: reason.into(),
    };
    let _ = socket.send(Message::Close(Some(frame))).await;
}

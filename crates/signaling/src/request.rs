//! Operations as plain values: which request to send and what the response means. No IO.

mod call_parts;
mod calls;
mod check;
mod media;
pub mod meetings;
mod page;
pub mod participants;
pub mod presence;
mod recording;
mod retry;

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{ApiError, GraphError};
use crate::http_client::tidy;
use crate::types::{
    AttendanceRecord, AudioRoutingGroup, Call, CommsOperation, ContentSharingSession, ErrorDetail,
    GraphErrorBody, MeetingAttendanceReport, OnlineMeeting, Page, Participant, Presence, ValueOf,
};

pub use call_parts::{
    create_audio_routing_group, delete_audio_routing_group, get_audio_routing_group,
    get_content_sharing_session, get_operation, list_audio_routing_groups,
    list_content_sharing_sessions, list_operations, update_audio_routing_group,
};
pub use calls::{
    answer, create_call, delete_call, get_call, keep_alive, log_teleconference_device_quality,
    redirect, reject, transfer,
};
pub use check::InvalidRequest;
pub use media::{
    add_large_gallery_view, cancel_media_processing, change_screen_sharing_role, mute, play_prompt,
    record_response, send_dtmf_tones, subscribe_to_tone, unmute, update_recording_status,
};
pub use page::ForeignLink;
pub use recording::{RecordingHosts, RecordingRefused, recording_of};
pub use retry::{RetryPolicy, retry_after};

/// One request to Graph, whose response is a `T`.
///
/// The functions of this module make one for each operation, after checking the documented
/// rules; [`GraphClient::send`](crate::client::GraphClient::send) sends it. `Debug` leaves the
/// body out, which may hold a media session's token.
#[derive(PartialEq)]
pub struct GraphRequest<T> {
    /// The operation's name as documented, for example `call: answer`.
    pub operation: &'static str,
    /// The method.
    pub method: Method,
    /// The path below the base address, for example `/communications/calls`.
    pub path: String,
    /// The query, escaped, without `?`.
    pub query: Option<String>,
    /// The JSON body; `None` sends none.
    pub body: Option<Value>,
    /// The documented status of success.
    pub expected: StatusCode,
    /// Whether asking twice leaves the same state as asking once, so that a request that was
    /// throttled or met a service that failed may be repeated.
    pub repeatable: bool,
    output: PhantomData<fn() -> T>,
}

/// Whatever the response's type; a derived one would ask for `T: Clone`.
impl<T> Clone for GraphRequest<T> {
    fn clone(&self) -> Self {
        Self {
            operation: self.operation,
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            body: self.body.clone(),
            expected: self.expected,
            repeatable: self.repeatable,
            output: PhantomData,
        }
    }
}

impl<T> fmt::Debug for GraphRequest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphRequest")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What an operation answers with.
pub trait Reply: Sized {
    /// The Graph type's name, for error texts.
    const NAME: &'static str;

    /// Reads a body of success; `None` if it doesn't have the type's shape.
    fn read(body: &[u8]) -> Option<Self>;
}

/// Operations that answer with a status alone.
impl Reply for () {
    const NAME: &'static str = "nothing";

    fn read(_: &[u8]) -> Option<Self> {
        Some(())
    }
}

/// Types read from a JSON body.
macro_rules! json_reply {
    ($($type:ty = $name:literal),* $(,)?) => {
        $(
            impl Reply for $type {
                const NAME: &'static str = $name;

                fn read(body: &[u8]) -> Option<Self> {
                    read_object(body)
                }
            }
        )*
    };
}

json_reply!(
    AttendanceRecord = "attendanceRecord",
    AudioRoutingGroup = "audioRoutingGroup",
    Call = "call",
    CommsOperation = "commsOperation",
    ContentSharingSession = "contentSharingSession",
    MeetingAttendanceReport = "meetingAttendanceReport",
    OnlineMeeting = "onlineMeeting",
    Participant = "participant",
    Presence = "presence",
);

impl<T: DeserializeOwned> Reply for Page<T> {
    const NAME: &'static str = "collection";

    fn read(body: &[u8]) -> Option<Self> {
        read_object(body)
    }
}

impl<T: DeserializeOwned> Reply for ValueOf<T> {
    const NAME: &'static str = "value";

    fn read(body: &[u8]) -> Option<Self> {
        read_object(body)
    }
}

/// serde also reads structs from arrays, which Graph never means.
fn read_object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let value: Value = serde_json::from_slice(body).ok()?;
    value.is_object().then(|| T::deserialize(value).ok())?
}

impl<T: Reply> GraphRequest<T> {
    fn new(
        operation: &'static str,
        method: Method,
        path: impl Into<String>,
        expected: StatusCode,
    ) -> Self {
        Self {
            operation,
            method,
            path: path.into(),
            query: None,
            body: None,
            expected,
            repeatable: false,
            output: PhantomData,
        }
    }

    fn with_query(mut self, query: String) -> Self {
        self.query = Some(query);
        self
    }

    fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    fn with_body(mut self, body: &impl Serialize) -> Self {
        // The bodies are our own types: string keys and plain numbers, which always serialise.
        self.body = Some(serde_json::to_value(body).unwrap_or(Value::Null));
        self
    }

    /// What a response means. Any status of success counts, with the documented type in its
    /// body; everything else is an error, redirects included.
    ///
    /// `retry_after` is what [`retry_after`] found in the headers.
    pub fn interpret(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        retry_after: Option<Duration>,
    ) -> Result<T, GraphError> {
        if status.is_success() {
            return T::read(body).ok_or(GraphError::UnexpectedBody {
                operation: self.operation,
                status,
                expected: T::NAME,
            });
        }
        let error = api_error(self.operation, status, headers, body, retry_after);
        Err(Box::new(error).into())
    }
}

fn api_error(
    operation: &'static str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    retry_after: Option<Duration>,
) -> ApiError {
    let detail = read_object::<GraphErrorBody>(body)
        .and_then(|body| body.error)
        .unwrap_or_default();
    let ErrorDetail {
        code,
        message,
        inner_error,
        ..
    } = detail;
    let inner = inner_error.unwrap_or_default();
    let header = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
    let id = |found: Option<String>| found.map(|text| tidy(&text, 128));
    ApiError {
        operation,
        status,
        code: code.map_or_else(|| status.as_str().to_owned(), |code| tidy(&code, 128)),
        message: message.map_or_else(
            || status.canonical_reason().unwrap_or("no message").to_owned(),
            |message| tidy(&message, 512),
        ),
        request_id: id(inner.request_id.or_else(|| header("request-id"))),
        client_request_id: id(inner
            .client_request_id
            .or_else(|| header("client-request-id"))),
        retry_after,
    }
}

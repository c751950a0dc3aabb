//! From the bytes Graph posts to typed notifications, without IO.
//!
//! [`parse`] reads one callback body (`commsNotifications`). What it returns is addressed by a
//! [`CallId`] that was matched against a strict pattern; no host, URL or path of a notification
//! is passed on.
//!
//! ```
//! use switchboard_signaling::notification::{Payload, parse};
//! use switchboard_signaling::types::NotifiedResource;
//!
//! let body = br##"{"value": [{
//!     "changeType": "updated",
//!     "resourceUrl": "/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896",
//!     "resourceData": {"@odata.type": "#microsoft.graph.call", "state": "established"}
//! }]}"##;
//! let Payload::Notifications(batch) = parse(body)? else { panic!() };
//! assert_eq!(batch.notifications[0].call_id.as_str(), "57dab8b1-894c-409a-b240-bd8beae78896");
//! assert!(matches!(batch.notifications[0].resource, NotifiedResource::Call(_)));
//! # Ok::<(), switchboard_signaling::notification::ParseError>(())
//! ```

use serde_json::Value;

use crate::types::{CallId, ChangeType, CommsNotification, CommsNotifications, NotifiedResource};

/// Longer bodies are refused unread; a full roster is well below.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// Most notifications in one body.
pub const MAX_NOTIFICATIONS: usize = 1_000;
/// Deepest nesting of arrays and objects in a body.
pub const MAX_DEPTH: usize = 64;

/// Members that only the former Skype calling protocol's bodies have (`Conversation`,
/// `ConversationResult`). Microsoft documents that the first notification of a call may come in
/// that format, not how to tell; its bodies have no `value`, and at least one of these.
const LEGACY_MEMBERS: [&str; 7] = [
    "callState",
    "participants",
    "presentedModalityTypes",
    "operationOutcome",
    "callNotification",
    "callInvitation",
    "conversationInvitation",
];

/// One thing that happened to one call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Notification {
    /// The call.
    pub call_id: CallId,
    /// Created, updated or deleted; `updated` where Graph doesn't say.
    pub change_type: ChangeType,
    /// What it happened to.
    pub resource: NotifiedResource,
}

impl Notification {
    /// A notification as [`parse`] makes it, for tests and tools.
    pub fn new(call_id: CallId, change_type: ChangeType, resource: NotifiedResource) -> Self {
        Self {
            call_id,
            change_type,
            resource,
        }
    }
}

/// The notifications of one body, in its order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Those about a call.
    pub notifications: Vec<Notification>,
    /// How many were left out because their path names no call.
    pub unaddressed: usize,
}

impl Batch {
    /// How many carry a resource of a type this version doesn't know.
    pub fn unknown_types(&self) -> usize {
        let unknown =
            |one: &&Notification| matches!(one.resource, NotifiedResource::Unknown { .. });
        self.notifications.iter().filter(unknown).count()
    }
}

/// What a body turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Notifications.
    Notifications(Batch),
    /// Nothing: no body, `{}`, or an empty list. Seen in production; it means nothing.
    Empty,
    /// The former Skype format. Answered 204, the notification comes again in Graph's.
    Legacy,
}

/// Why a body can't be read. The texts are fit for the answer: they repeat none of the body but
/// a type's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Longer than [`MAX_BODY_BYTES`].
    #[error("the body is longer than 256 KiB")]
    TooLarge,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the body nests arrays and objects deeper than 64 levels")]
    TooDeep,
    /// More than [`MAX_NOTIFICATIONS`].
    #[error("the body has {0} notifications; at most 1,000 are accepted")]
    TooMany(usize),
    /// Not JSON, or not the JSON of `commsNotifications`.
    #[error(
        "the body is not a commsNotifications object: {problem} at line {line} column {column}"
    )]
    Json {
        /// What kind of mistake.
        problem: &'static str,
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// An object, but of no format a callback has.
    #[error("the body is a JSON object without the commsNotifications list \"value\"")]
    NotNotifications,
    /// A `resourceData` doesn't have the shape of its type.
    #[error("value[{index}].resourceData is not a {odata_type}")]
    Resource {
        /// Which notification, from 0.
        index: usize,
        /// The type it claims to be.
        odata_type: String,
    },
}

/// Reads one callback body.
///
/// A notification whose path names no call is left out and counted; a resource of an unknown
/// type is kept as such.
///
/// # Errors
/// [`ParseError`]; nothing of a body that is partly malformed is used.
pub fn parse(body: &[u8]) -> Result<Payload, ParseError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(ParseError::TooLarge);
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Payload::Empty);
    }
    if depth(body) > MAX_DEPTH {
        return Err(ParseError::TooDeep);
    }
    let body: CommsNotifications =
        serde_json::from_slice(body).map_err(|error| json_error(&error))?;
    match body.value {
        Some(items) if !items.is_empty() => read_all(&items).map(Payload::Notifications),
        Some(_) => Ok(Payload::Empty),
        None => without_value(&body.extra.0),
    }
}

fn without_value(members: &serde_json::Map<String, Value>) -> Result<Payload, ParseError> {
    if LEGACY_MEMBERS
        .iter()
        .any(|name| members.contains_key(*name))
    {
        Ok(Payload::Legacy)
    } else if members.is_empty() {
        Ok(Payload::Empty)
    } else {
        Err(ParseError::NotNotifications)
    }
}

fn read_all(items: &[CommsNotification]) -> Result<Batch, ParseError> {
    if items.len() > MAX_NOTIFICATIONS {
        return Err(ParseError::TooMany(items.len()));
    }
    let mut batch = Batch::default();
    for (index, item) in items.iter().enumerate() {
        match read(item, index)? {
            Some(notification) => batch.notifications.push(notification),
            None => batch.unaddressed += 1,
        }
    }
    Ok(batch)
}

fn read(item: &CommsNotification, index: usize) -> Result<Option<Notification>, ParseError> {
    let Some(call_id) = item.path().and_then(call_id) else {
        return Ok(None);
    };
    let resource = item.typed().map_err(|error| ParseError::Resource {
        index,
        odata_type: error.odata_type,
    })?;
    Ok(Some(Notification {
        call_id,
        change_type: item.change_type.clone().unwrap_or(ChangeType::Updated),
        resource,
    }))
}

/// The call a resource path is about: `/communications/calls/{id}` or `/app/calls/{id}`, and
/// what lies below it. Anything else, a URL above all, is about no call. The documented
/// notifications of hold music leave the first slash out.
fn call_id(path: &str) -> Option<CallId> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let below = path
        .strip_prefix("communications/calls/")
        .or_else(|| path.strip_prefix("app/calls/"))?;
    let mut segments = below.split('/');
    let call_id = segments.next()?.parse().ok()?;
    let plain = |segment: &str| segment.parse::<CallId>().is_ok();
    let rest: Vec<&str> = segments.collect();
    match rest.as_slice() {
        [] | [""] => Some(call_id),
        [_] | [_, _] if rest.iter().all(|segment| plain(segment)) => Some(call_id),
        _ => None,
    }
}

fn json_error(error: &serde_json::Error) -> ParseError {
    use serde_json::error::Category;
    let problem = match error.classify() {
        Category::Eof => "it ends too early",
        Category::Syntax | Category::Io => "not JSON",
        // serde's text would quote the value.
        Category::Data => "a value of the wrong type",
    };
    ParseError::Json {
        problem,
        line: error.line(),
        column: error.column(),
    }
}

/// How deep brackets nest, outside of strings. Runs before the parser, which recurses.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
#[path = "notification_tests.rs"]
mod tests;

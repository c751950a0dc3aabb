//! What Graph posts to the callback address.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::{Call, ContentSharingSession};
use super::enums::ChangeType;
use super::id::CallId;
use super::object::{Extra, ODataType, graph_object, tag_of};
use super::operation::{CommsOperation, OperationKind};
use super::participant::{DeltaParticipants, Participant};

graph_object! {
    /// The body of one callback (`commsNotifications`).
    pub struct CommsNotifications as "#microsoft.graph.commsNotifications" {
        /// The notifications, oldest first.
        pub value: Vec<CommsNotification>,
    }
}

/// One notification (`commsNotification`).
///
/// `Debug` leaves `resource_data` out: it may hold tones and names.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommsNotification {
    /// The `@odata.type` tag: as received, or this type's own when made by `Default`.
    #[serde(
        rename = "@odata.type",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub odata_type: Option<ODataType>,
    /// What happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_type: Option<ChangeType>,
    /// The path of the resource, for example `/communications/calls/{id}`. Never an address to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_url: Option<String>,
    /// The same under the name older senders use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Where the notification was sent. Never an address to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_uri: Option<String>,
    /// The resource, or an array of resources, as received; [`CommsNotification::typed`] reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_data: Option<Value>,
    /// Properties this type doesn't name.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Default for CommsNotification {
    fn default() -> Self {
        Self {
            odata_type: Some("#microsoft.graph.commsNotification".into()),
            change_type: None,
            resource_url: None,
            resource: None,
            callback_uri: None,
            resource_data: None,
            extra: Extra::default(),
        }
    }
}

impl fmt::Debug for CommsNotification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommsNotification")
            .field("change_type", &self.change_type)
            .field("path", &self.path())
            .field("extra", &self.extra)
            .finish_non_exhaustive()
    }
}

/// The resource of a notification, read by its type.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NotifiedResource {
    /// The call itself: a state, a tone, a result.
    Call(Box<Call>),
    /// The roster, whole or changes.
    Participants(Vec<Participant>),
    /// Changes of the roster since the last notification of this kind.
    ParticipantChanges(Box<DeltaParticipants>),
    /// An operation's progress or outcome.
    Operation(Box<CommsOperation>),
    /// Content sharing started, changed or ended.
    ContentSharing(Vec<ContentSharingSession>),
    /// A type this version doesn't know, or no data at all.
    Unknown {
        /// The `@odata.type` without `#`, empty if there is none.
        odata_type: String,
    },
}

/// `resourceData` names a known type and doesn't have its shape.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("resourceData is tagged {odata_type} but does not have its shape")]
pub struct ResourceShapeError {
    /// The type it claims to be, without `#`.
    pub odata_type: String,
}

impl CommsNotification {
    /// The resource's path, under either name.
    pub fn path(&self) -> Option<&str> {
        self.resource_url.as_deref().or(self.resource.as_deref())
    }

    /// The id of the call this is about, if the path has one and it is well-formed.
    pub fn call_id(&self) -> Option<CallId> {
        let mut segments = self.path()?.split('/');
        segments.find(|segment| *segment == "calls")?;
        segments.next()?.parse().ok()
    }

    /// Reads `resource_data` by its `@odata.type`, or by the path where it carries no tag.
    pub fn typed(&self) -> Result<NotifiedResource, ResourceShapeError> {
        let data = self.resource_data.as_ref().unwrap_or(&Value::Null);
        let sample = data.as_array().map_or(Some(data), |items| items.first());
        let tag = match sample.map_or("", tag_of) {
            "" => self.tag_from_path(),
            tag => tag,
        };
        read_tagged(tag, data)
    }

    /// The type that the path implies: Graph may leave tags out of list items and deletions.
    fn tag_from_path(&self) -> &'static str {
        let path = self.path().unwrap_or_default();
        let after_calls = path.split('/').skip_while(|segment| *segment != "calls");
        let below: Vec<&str> = after_calls
            .skip(1)
            .filter(|segment| !segment.is_empty())
            .collect();
        match below.as_slice() {
            _ if self.resource_data.is_none() => "",
            [_] => "microsoft.graph.call",
            [_, "participants", ..] => "microsoft.graph.participant",
            [_, "operations", ..] => "microsoft.graph.commsOperation",
            [_, "contentsharingsessions" | "contentSharingSessions", ..] => {
                "microsoft.graph.contentSharingSession"
            }
            _ => "",
        }
    }
}

fn read_tagged(tag: &str, data: &Value) -> Result<NotifiedResource, ResourceShapeError> {
    let read = match tag {
        "microsoft.graph.call" => Box::deserialize(data).map(NotifiedResource::Call),
        "microsoft.graph.participant" => read_list(data).map(NotifiedResource::Participants),
        "microsoft.graph.deltaParticipants" => {
            Box::deserialize(data).map(NotifiedResource::ParticipantChanges)
        }
        "microsoft.graph.contentSharingSession" => {
            read_list(data).map(NotifiedResource::ContentSharing)
        }
        tag if OperationKind::names_operation(tag) => {
            Box::deserialize(data).map(NotifiedResource::Operation)
        }
        other => Ok(NotifiedResource::Unknown {
            odata_type: other.to_owned(),
        }),
    };
    // serde's own message would quote the value, which may be a tone.
    read.map_err(|_| ResourceShapeError {
        odata_type: tag.to_owned(),
    })
}

/// A list, or one item in place of a list of one.
fn read_list<T: for<'de> Deserialize<'de>>(data: &Value) -> serde_json::Result<Vec<T>> {
    match data {
        Value::Array(items) => items.iter().map(T::deserialize).collect(),
        item => T::deserialize(item).map(|one| vec![one]),
    }
}

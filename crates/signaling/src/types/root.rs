//! The root below which calls, meetings and presences are found, and lists of them.

use serde::{Deserialize, Serialize};

use super::artifact::AdhocCall;
use super::call::Call;
use super::engagement::OnlineMeetingEngagementConversation;
use super::meeting::OnlineMeeting;
use super::object::{Extra, UnknownObject, graph_object};
use super::presence::Presence;

graph_object! {
    /// The root (`cloudCommunications`, `/communications`).
    pub struct CloudCommunications as "#microsoft.graph.cloudCommunications" {
        /// Calls that no meeting was planned for.
        pub adhoc_calls: Vec<AdhocCall>,
        /// Records of past calls, of another part of the schema; kept whole.
        pub call_records: Vec<UnknownObject>,
        /// The application's calls.
        pub calls: Vec<Call>,
        /// Questions and answers beside meetings.
        pub online_meeting_conversations: Vec<OnlineMeetingEngagementConversation>,
        /// Meetings.
        pub online_meetings: Vec<OnlineMeeting>,
        /// Presences.
        pub presences: Vec<Presence>,
    }
}

/// One page of a list, as Graph answers collections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items of this page.
    pub value: Vec<T>,
    /// Where the next page is; absent on the last. Only
    /// [`GraphRequest::next_page`](crate::request::GraphRequest::next_page) makes a request
    /// of it, after checking that it leads to the configured Graph.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
    /// Where changes since this list are found, on the last page of a `delta` function.
    #[serde(
        rename = "@odata.deltaLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub delta_link: Option<String>,
    /// Properties this type doesn't name.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A value that isn't an object, as Graph answers functions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueOf<T> {
    /// The value.
    pub value: T,
    /// Properties this type doesn't name.
    #[serde(flatten)]
    pub extra: Extra,
}

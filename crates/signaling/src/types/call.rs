//! The call resource and its parts.

use super::enums::{
    CallDirection, CallState, CallTranscriptionState, Modality, RoutingMode, RoutingType, Tone,
};
use super::id::CallId;
use super::identity::{IdentitySet, InvitationParticipantInfo, ParticipantInfo};
use super::media::{CallMediaState, MediaConfig};
use super::object::{Redacted, graph_object, graph_union, integer};
use super::operation::CommsOperation;
use super::participant::Participant;

graph_object! {
    /// A call (`call`). Notifications carry the properties that matter to them, others are `None`.
    pub struct Call as "#microsoft.graph.call" {
        /// The call's id; read-only.
        pub id: String,
        /// Where the call stands; read-only.
        pub state: CallState,
        /// Who started it; read-only.
        pub direction: CallDirection,
        /// The caller.
        pub source: ParticipantInfo,
        /// Who is called.
        pub targets: Vec<InvitationParticipantInfo>,
        /// Where notifications of this call go; `https`.
        pub callback_uri: String,
        /// An id common to all legs of the conversation.
        pub call_chain_id: String,
        /// Optional features.
        pub call_options: CallOptions,
        /// How the call was retargeted; read-only.
        pub call_routes: Vec<CallRoute>,
        /// The chat of a meeting.
        pub chat_info: ChatInfo,
        /// Context of an incoming call.
        pub incoming_context: IncomingContext,
        /// Where media is handled.
        pub media_config: MediaConfig,
        /// Which media flow; read-only.
        pub media_state: CallMediaState,
        /// The meeting to join.
        pub meeting_info: MeetingInfo,
        /// The application's own participant; read-only.
        pub my_participant_id: String,
        /// Kinds of media asked for.
        pub requested_modalities: Vec<Modality>,
        /// Why the call ended or failed; read-only.
        pub result_info: ResultInfo,
        /// How long the called side rings.
        pub ringing_timeout_in_seconds: i32,
        /// The subject.
        pub subject: String,
        /// The tenant.
        pub tenant_id: String,
        /// The tone just pressed, after subscribing; read-only.
        pub tone_info: ToneInfo,
        /// Transcription; read-only.
        pub transcription: CallTranscriptionInfo,
        /// Who answered; read-only.
        pub answered_by: ParticipantInfo,
        /// The roster, when expanded.
        pub participants: Vec<Participant>,
        /// Operations, when expanded.
        pub operations: Vec<CommsOperation>,
        /// Audio routing groups, when expanded.
        pub audio_routing_groups: Vec<AudioRoutingGroup>,
        /// Content sharing, when expanded.
        pub content_sharing_sessions: Vec<ContentSharingSession>,
    }
}

impl Call {
    /// The call's id, if it has one that can be joined to a path.
    pub fn call_id(&self) -> Option<CallId> {
        self.id.as_deref()?.parse().ok()
    }
}

graph_object! {
    /// A result or a reason (`resultInfo`).
    pub struct ResultInfo as "#microsoft.graph.resultInfo" {
        /// A code in HTTP's manner: 200 (or 0) for success, 4xx, 5xx.
        #[serde(deserialize_with = "integer")]
        pub code: i32,
        /// A finer code. Some documented examples spell it `subCode`.
        #[serde(alias = "subCode", deserialize_with = "integer")]
        pub subcode: i32,
        /// A message for people.
        pub message: String,
    }
}

graph_object! {
    /// A tone the other side pressed (`toneInfo`).
    pub struct ToneInfo as "#microsoft.graph.toneInfo" {
        /// Orders tones; later tones have greater numbers.
        #[serde(deserialize_with = "integer")]
        pub sequence_id: i64,
        /// Which one.
        pub tone: Tone,
    }
}

graph_object! {
    /// Optional features of a call (`outgoingCallOptions`, `incomingCallOptions`): the two have
    /// the same properties and differ in the tag.
    pub struct CallOptions as "#microsoft.graph.outgoingCallOptions" {
        /// Whether the bot leaves the roster once the call is escalated to a group call.
        pub hide_bot_after_escalation: bool,
        /// Whether content sharing is notified.
        pub is_content_sharing_notification_enabled: bool,
        /// Whether the roster comes as changes only.
        pub is_delta_roster_enabled: bool,
        /// Whether the roster tells of participants' interactions.
        pub is_interactive_roster_enabled: bool,
    }
}

impl CallOptions {
    /// No option set, tagged for an answer.
    pub fn incoming() -> Self {
        Self {
            odata_type: Some("#microsoft.graph.incomingCallOptions".into()),
            ..Self::default()
        }
    }

    /// No option set, tagged for a new call.
    pub fn outgoing() -> Self {
        Self::default()
    }
}

graph_object! {
    /// One retargeting (`callRoute`).
    pub struct CallRoute as "#microsoft.graph.callRoute" {
        /// Whom the caller called.
        pub original: IdentitySet,
        /// Where the call went (`final`).
        #[serde(rename = "final")]
        pub destination: IdentitySet,
        /// How.
        pub routing_type: RoutingType,
    }
}

graph_object! {
    /// The chat of a call (`chatInfo`).
    pub struct ChatInfo as "#microsoft.graph.chatInfo" {
        /// The thread.
        pub thread_id: String,
        /// The message.
        pub message_id: String,
        /// The reply chain's message.
        pub reply_chain_message_id: String,
    }
}

graph_object! {
    /// Context of an incoming call (`incomingContext`).
    pub struct IncomingContext as "#microsoft.graph.incomingContext" {
        /// The participant observed (policy recording).
        pub observed_participant_id: String,
        /// On whose behalf the call is made.
        pub on_behalf_of: IdentitySet,
        /// The participant that caused the call.
        pub source_participant_id: String,
        /// Who transferred the call.
        pub transferor: IdentitySet,
    }
}

graph_union! {
    /// How to find a meeting (`meetingInfo`).
    pub enum MeetingInfo {
        /// By organizer.
        Organizer(OrganizerMeetingInfo),
        /// By token.
        Token(TokenMeetingInfo),
        /// By the id people type.
        JoinMeetingId(JoinMeetingIdMeetingInfo),
    }
}

graph_object! {
    /// A meeting by its organizer (`organizerMeetingInfo`).
    pub struct OrganizerMeetingInfo as "#microsoft.graph.organizerMeetingInfo" {
        /// The organizer.
        pub organizer: IdentitySet,
        /// Whether the application may join without the organizer's chat.
        pub allow_conversation_without_host: bool,
    }
}

graph_object! {
    /// A meeting by token (`tokenMeetingInfo`).
    pub struct TokenMeetingInfo as "#microsoft.graph.tokenMeetingInfo" {
        /// The token.
        pub token: Redacted,
    }
}

graph_object! {
    /// A meeting by join id (`joinMeetingIdMeetingInfo`).
    pub struct JoinMeetingIdMeetingInfo as "#microsoft.graph.joinMeetingIdMeetingInfo" {
        /// The join id.
        pub join_meeting_id: String,
        /// The passcode.
        pub passcode: Redacted,
    }
}

graph_object! {
    /// Transcription of a call (`callTranscriptionInfo`).
    pub struct CallTranscriptionInfo as "#microsoft.graph.callTranscriptionInfo" {
        /// When it last changed, ISO 8601.
        pub last_modified_date_time: String,
        /// Where it stands.
        pub state: CallTranscriptionState,
    }
}

graph_object! {
    /// Who hears whom (`audioRoutingGroup`).
    pub struct AudioRoutingGroup as "#microsoft.graph.audioRoutingGroup" {
        /// The group's id.
        pub id: String,
        /// Participants that hear.
        pub receivers: Vec<String>,
        /// One or several receivers.
        pub routing_mode: RoutingMode,
        /// Participants heard.
        pub sources: Vec<String>,
    }
}

graph_object! {
    /// Content shared in a call (`contentSharingSession`).
    pub struct ContentSharingSession as "#microsoft.graph.contentSharingSession" {
        /// The session's id.
        pub id: String,
    }
}

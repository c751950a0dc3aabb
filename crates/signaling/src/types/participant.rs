//! The roster.

use super::enums::{MediaDirection, Modality, RecordingStatus};
use super::identity::{IdentitySet, ParticipantInfo};
use super::meeting::OnlineMeetingRestricted;
use super::object::{graph_object, integer};

graph_object! {
    /// One participant of a call (`participant`).
    pub struct Participant as "#microsoft.graph.participant" {
        /// The participant's id.
        pub id: String,
        /// Who it is.
        pub info: ParticipantInfo,
        /// Whether it waits in the lobby.
        pub is_in_lobby: bool,
        /// Whether it is muted.
        pub is_muted: bool,
        /// Its media streams.
        pub media_streams: Vec<MediaStream>,
        /// A text the participant's client supplied.
        pub metadata: String,
        /// Whether it records.
        pub recording_info: RecordingInfo,
        /// Why it was removed.
        pub removed_state: RemovedState,
        /// What it may not do.
        pub restricted_experience: OnlineMeetingRestricted,
        /// Orders roster notifications.
        #[serde(deserialize_with = "integer")]
        pub roster_sequence_number: i64,
    }
}

graph_object! {
    /// What changed in the roster since the last notification of its kind (`deltaParticipants`).
    pub struct DeltaParticipants as "#microsoft.graph.deltaParticipants" {
        /// The notification's id.
        pub id: String,
        /// Orders roster notifications.
        #[serde(deserialize_with = "integer")]
        pub sequence_number: i64,
        /// Who joined, changed, or left (`removedState`).
        pub participants: Vec<Participant>,
    }
}

graph_object! {
    /// One media stream of a participant (`mediaStream`).
    pub struct MediaStream as "#microsoft.graph.mediaStream" {
        /// Its directions.
        pub direction: MediaDirection,
        /// Its label.
        pub label: String,
        /// Its kind.
        pub media_type: Modality,
        /// Whether the server mutes it.
        pub server_muted: bool,
        /// Its source.
        pub source_id: String,
    }
}

graph_object! {
    /// A participant's recording (`recordingInfo`).
    pub struct RecordingInfo as "#microsoft.graph.recordingInfo" {
        /// Who began it.
        pub initiator: IdentitySet,
        /// Where it stands.
        pub recording_status: RecordingStatus,
    }
}

graph_object! {
    /// Why a participant was removed (`removedState`).
    pub struct RemovedState as "#microsoft.graph.removedState" {
        /// The reason.
        pub reason: String,
    }
}

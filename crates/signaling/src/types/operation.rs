//! Long-running operations on a call.

use serde::{Deserialize, Serialize};

use super::call::ResultInfo;
use super::enums::{OperationStatus, SendDtmfCompletionReason};
use super::identity::InvitationParticipantInfo;
use super::object::{Extra, Redacted, bare_tag, graph_enum, graph_enum_shown};

graph_enum! {
    /// Which operation it is: the `@odata.type` of a `commsOperation`.
    pub enum OperationKind {
        /// The base type, no kind given.
        Comms = "#microsoft.graph.commsOperation",
        /// Playing prompts.
        PlayPrompt = "#microsoft.graph.playPromptOperation",
        /// Subscribing to tones.
        SubscribeToTone = "#microsoft.graph.subscribeToToneOperation",
        /// Muting a participant, the application's own included.
        MuteParticipant = "#microsoft.graph.muteParticipantOperation",
        /// Unmuting the application's participant.
        UnmuteParticipant = "#microsoft.graph.unmuteParticipantOperation",
        /// Recording a response.
        Record = "#microsoft.graph.recordOperation",
        /// Cancelling media processing.
        CancelMediaProcessing = "#microsoft.graph.cancelMediaProcessingOperation",
        /// Sending tones.
        SendDtmfTones = "#microsoft.graph.sendDtmfTonesOperation",
        /// Inviting participants.
        InviteParticipants = "#microsoft.graph.inviteParticipantsOperation",
        /// Starting hold music.
        StartHoldMusic = "#microsoft.graph.startHoldMusicOperation",
        /// Stopping hold music.
        StopHoldMusic = "#microsoft.graph.stopHoldMusicOperation",
        /// Telling whether the application records.
        UpdateRecordingStatus = "#microsoft.graph.updateRecordingStatusOperation",
        /// Adding the large gallery view.
        AddLargeGalleryView = "#microsoft.graph.addLargeGalleryViewOperation",
    }
}

graph_enum_shown!(OperationKind);

impl OperationKind {
    /// Whether an `@odata.type` names an operation, known or not.
    pub(crate) fn names_operation(tag: &str) -> bool {
        bare_tag(tag).starts_with("microsoft.graph.") && tag.ends_with("Operation")
    }
}

/// An operation and its outcome (`commsOperation` and its descendants).
///
/// The properties of all kinds are side by side, since the type is open; which ones are set
/// follows from `kind`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommsOperation {
    /// Which operation (`@odata.type`).
    #[serde(
        rename = "@odata.type",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<OperationKind>,
    /// The operation's id; read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The client's own mark on the operation, up to 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// How it ended; read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_info: Option<ResultInfo>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OperationStatus>,
    /// `recordOperation`: the token that opens the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_access_token: Option<Redacted>,
    /// `recordOperation`: where the recording is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_location: Option<Redacted>,
    /// `sendDtmfTonesOperation`: how sending ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_reason: Option<SendDtmfCompletionReason>,
    /// `inviteParticipantsOperation`: who was invited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<InvitationParticipantInfo>>,
    /// Properties this type doesn't name.
    #[serde(flatten)]
    pub extra: Extra,
}

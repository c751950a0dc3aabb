//! Online meetings and their settings.

use super::artifact::{CallRecording, CallTranscript};
use super::attendance::MeetingAttendanceReport;
use super::call::ChatInfo;
use super::identity::IdentitySet;
use super::meeting_enums::{
    AllowedLobbyAdmitterRoles, BroadcastMeetingAudience, ContentSharingDisabledReason,
    LobbyBypassScope, MeetingChatHistoryDefaultMode, MeetingChatMode, MeetingLiveShareOptions,
    OnlineMeetingPresenters, OnlineMeetingRole, OnlineMeetingType, VideoDisabledReason,
};
use super::object::{Redacted, graph_object};
use super::text::{DateTimeTimeZone, ItemBody};

/// Declares an object with the properties of `onlineMeetingBase` and its own.
macro_rules! meeting_object {
    (
        $(#[$meta:meta])*
        pub struct $name:ident as $tag:literal {
            $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
        }
    ) => {
        graph_object! {
            $(#[$meta])*
            pub struct $name as $tag {
                /// The meeting's id; read-only.
                pub id: String,
                /// Whether attendees may turn their camera on.
                pub allow_attendee_to_enable_camera: bool,
                /// Whether attendees may turn their microphone on.
                pub allow_attendee_to_enable_mic: bool,
                /// Whether there are breakout rooms.
                pub allow_breakout_rooms: bool,
                /// Whether what is shown may be copied.
                pub allow_copying_and_sharing_meeting_content: bool,
                /// Who lets people in from the lobby.
                pub allowed_lobby_admitters: AllowedLobbyAdmitterRoles,
                /// Who presents.
                pub allowed_presenters: OnlineMeetingPresenters,
                /// Whether applications can be shared live.
                pub allow_live_share: MeetingLiveShareOptions,
                /// Whether there is a chat.
                pub allow_meeting_chat: MeetingChatMode,
                /// Whether participants may change the name shown.
                pub allow_participants_to_change_name: bool,
                /// Whether slides can be shared live.
                pub allow_power_point_sharing: bool,
                /// Whether it may be recorded.
                pub allow_recording: bool,
                /// Whether there are reactions.
                pub allow_teamwork_reactions: bool,
                /// Whether it may be transcribed.
                pub allow_transcription: bool,
                /// Whether there is a whiteboard.
                pub allow_whiteboard: bool,
                /// The numbers to dial in; read-only.
                pub audio_conferencing: AudioConferencing,
                /// The chat.
                pub chat_info: ChatInfo,
                /// What the chat allows.
                pub chat_restrictions: ChatRestrictions,
                /// How conference rooms of other makers join.
                pub cloud_video_interop_info: CloudVideoInteropInfo,
                /// When the meeting is forgotten.
                pub expiry_date_time: String,
                /// Whether media is encrypted between the participants.
                pub is_end_to_end_encryption_enabled: bool,
                /// Whether coming and going is announced.
                pub is_entry_exit_announced: bool,
                /// The text of an invitation; read-only.
                pub join_information: ItemBody,
                /// The join id and passcode.
                pub join_meeting_id_settings: JoinMeetingIdSettings,
                /// The address people join at; read-only.
                pub join_web_url: String,
                /// Who passes the lobby.
                pub lobby_bypass_settings: LobbyBypassSettings,
                /// The address of the meeting's options; read-only.
                pub meeting_options_web_url: String,
                /// The language spoken, for example `en-us`.
                pub meeting_spoken_language_tag: String,
                /// What kind of meeting it is.
                pub meeting_type: OnlineMeetingType,
                /// Whether recording begins by itself.
                pub record_automatically: bool,
                /// The sensitivity label.
                pub sensitivity_label_assignment: OnlineMeetingSensitivityLabelAssignment,
                /// How much of the chat newcomers see.
                pub share_meeting_chat_history_default: MeetingChatHistoryDefaultMode,
                /// The subject.
                pub subject: String,
                /// The id by which conference rooms of other makers join; read-only.
                pub video_teleconference_id: String,
                /// Where a watermark is laid over what is shown.
                pub watermark_protection: WatermarkProtectionValues,
                /// Who attended, when expanded.
                pub attendance_reports: Vec<MeetingAttendanceReport>,
                $($(#[$field_meta])* pub $field: $type,)*
            }
        }
    };
}

meeting_object! {
    /// A meeting (`onlineMeeting`). Dates and times are ISO 8601 with an offset.
    pub struct OnlineMeeting as "#microsoft.graph.onlineMeeting" {
        /// A live event's attendee report, as Base64.
        pub attendee_report: Redacted,
        /// Settings of a live event.
        pub broadcast_settings: BroadcastMeetingSettings,
        /// When it was created; read-only.
        pub creation_date_time: String,
        /// When it ends.
        pub end_date_time: String,
        /// The creator's own id of the meeting.
        pub external_id: String,
        /// Whether it is a live event.
        pub is_broadcast: bool,
        /// The template it was made from.
        pub meeting_template_id: String,
        /// Who takes part.
        pub participants: MeetingParticipants,
        /// When it begins.
        pub start_date_time: String,
        /// Recordings, when expanded.
        pub recordings: Vec<CallRecording>,
        /// Transcripts, when expanded.
        pub transcripts: Vec<CallTranscript>,
    }
}

meeting_object! {
    /// A session of a webinar or town hall (`virtualEventSession`).
    pub struct VirtualEventSession as "#microsoft.graph.virtualEventSession" {
        /// How many may attend.
        pub capacity: i32,
        /// When it ends.
        pub end_date_time: DateTimeTimeZone,
        /// When it begins.
        pub start_date_time: DateTimeTimeZone,
        /// Where it can be watched later.
        pub video_on_demand_web_url: String,
    }
}

graph_object! {
    /// Numbers to dial in (`audioConferencing`). Some documented examples spell the first
    /// property `ConferenceId`.
    pub struct AudioConferencing as "#microsoft.graph.audioConferencing" {
        /// The conference's id, to be typed.
        #[serde(alias = "ConferenceId")]
        pub conference_id: String,
        /// Where more numbers are found.
        pub dialin_url: String,
        /// A number free of charge.
        pub toll_free_number: String,
        /// All of them.
        pub toll_free_numbers: Vec<String>,
        /// A number at the caller's cost.
        pub toll_number: String,
        /// All of them.
        pub toll_numbers: Vec<String>,
    }
}

graph_object! {
    /// Settings of a live event (`broadcastMeetingSettings`).
    pub struct BroadcastMeetingSettings as "#microsoft.graph.broadcastMeetingSettings" {
        /// Who may watch.
        pub allowed_audience: BroadcastMeetingAudience,
        /// Captions.
        pub captions: BroadcastMeetingCaptionSettings,
        /// Whether attendance is reported.
        pub is_attendee_report_enabled: bool,
        /// Whether questions are answered.
        pub is_question_and_answer_enabled: bool,
        /// Whether it is recorded.
        pub is_recording_enabled: bool,
        /// Whether it can be watched later.
        pub is_video_on_demand_enabled: bool,
    }
}

graph_object! {
    /// Captions of a live event (`broadcastMeetingCaptionSettings`).
    pub struct BroadcastMeetingCaptionSettings as "#microsoft.graph.broadcastMeetingCaptionSettings" {
        /// Whether there are any.
        pub is_caption_enabled: bool,
        /// The language spoken.
        pub spoken_language: String,
        /// The languages translated to, at most six.
        pub translation_languages: Vec<String>,
    }
}

graph_object! {
    /// What a chat allows (`chatRestrictions`).
    pub struct ChatRestrictions as "#microsoft.graph.chatRestrictions" {
        /// Whether it takes text alone.
        pub allow_text_only: bool,
    }
}

graph_object! {
    /// How conference rooms of other makers join (`cloudVideoInteropInfo`).
    pub struct CloudVideoInteropInfo as "#microsoft.graph.cloudVideoInteropInfo" {
        /// Where more is said.
        pub more_info_web_url: String,
        /// The tenant's key.
        pub tenant_key: String,
        /// The conference's id.
        pub video_teleconference_id: String,
    }
}

graph_object! {
    /// The id people type to join (`joinMeetingIdSettings`).
    pub struct JoinMeetingIdSettings as "#microsoft.graph.joinMeetingIdSettings" {
        /// Whether a passcode is asked for.
        pub is_passcode_required: bool,
        /// The join id; read-only.
        pub join_meeting_id: String,
        /// The passcode; read-only.
        pub passcode: Redacted,
    }
}

graph_object! {
    /// Who passes the lobby (`lobbyBypassSettings`).
    pub struct LobbyBypassSettings as "#microsoft.graph.lobbyBypassSettings" {
        /// Whether callers by phone do.
        pub is_dial_in_bypass_enabled: bool,
        /// Which participants do.
        pub scope: LobbyBypassScope,
    }
}

graph_object! {
    /// One who takes part in a meeting (`meetingParticipantInfo`).
    pub struct MeetingParticipantInfo as "#microsoft.graph.meetingParticipantInfo" {
        /// Who it is.
        pub identity: IdentitySet,
        /// Which part.
        pub role: OnlineMeetingRole,
        /// The user principal name.
        pub upn: String,
    }
}

graph_object! {
    /// Who takes part in a meeting (`meetingParticipants`).
    pub struct MeetingParticipants as "#microsoft.graph.meetingParticipants" {
        /// Those invited.
        pub attendees: Vec<MeetingParticipantInfo>,
        /// The organizer.
        pub organizer: MeetingParticipantInfo,
    }
}

graph_object! {
    /// What a participant may not do (`onlineMeetingRestricted`).
    pub struct OnlineMeetingRestricted as "#microsoft.graph.onlineMeetingRestricted" {
        /// Why it can't share content.
        pub content_sharing_disabled: ContentSharingDisabledReason,
        /// Why it can't see video.
        pub video_disabled: VideoDisabledReason,
    }
}

graph_object! {
    /// A sensitivity label (`onlineMeetingSensitivityLabelAssignment`).
    pub struct OnlineMeetingSensitivityLabelAssignment as "#microsoft.graph.onlineMeetingSensitivityLabelAssignment" {
        /// The label's id.
        pub sensitivity_label_id: String,
    }
}

graph_object! {
    /// Where a watermark is laid (`watermarkProtectionValues`).
    pub struct WatermarkProtectionValues as "#microsoft.graph.watermarkProtectionValues" {
        /// Over shared content.
        pub is_enabled_for_content_sharing: bool,
        /// Over video.
        pub is_enabled_for_video: bool,
    }
}

//! Bodies of the actions on a call, as sent by the client and read by the emulator.

use super::call::CallOptions;
use super::enums::{Modality, RecordingStatus, RejectReason, ScreenSharingRole, Tone};
use super::identity::{InvitationParticipantInfo, ParticipantInfo};
use super::media::{MediaConfig, Prompt};
use super::object::graph_object;
use super::quality::TeleconferenceDeviceQuality;

graph_object! {
    /// `POST /communications/calls/{id}/answer`.
    pub struct AnswerRequest {
        /// Where this call's notifications go; `https`.
        pub callback_uri: String,
        /// Where media is handled; required.
        pub media_config: MediaConfig,
        /// Kinds of media accepted; required.
        pub accepted_modalities: Vec<Modality>,
        /// How many participants a policy recorder can handle.
        pub participant_capacity: i32,
        /// Optional features.
        pub call_options: CallOptions,
    }
}

graph_object! {
    /// `POST /communications/calls/{id}/reject`.
    pub struct RejectRequest {
        /// Why.
        pub reason: RejectReason,
        /// Where this call's notifications go; `https`.
        pub callback_uri: String,
    }
}

graph_object! {
    /// `POST /communications/calls/{id}/redirect`.
    pub struct RedirectRequest {
        /// Where to; one target.
        pub targets: Vec<InvitationParticipantInfo>,
        /// How long the targets ring, in seconds.
        pub timeout: i32,
        /// Whether the callee is hidden from the caller.
        pub mask_callee: bool,
        /// Whether the caller is hidden from the callee.
        pub mask_caller: bool,
        /// Where this call's notifications go; `https`.
        pub callback_uri: String,
    }
}

graph_object! {
    /// `POST /communications/calls/{id}/transfer`.
    pub struct TransferRequest {
        /// Where to; required. `replaces_call_id` makes the transfer consultative.
        pub transfer_target: InvitationParticipantInfo,
        /// Who is transferred, needed in group calls.
        pub transferee: ParticipantInfo,
        /// The client's own mark, as the documented examples carry; up to 256 characters.
        pub client_context: String,
    }
}

graph_object! {
    /// `POST /communications/calls/{id}/playPrompt`.
    pub struct PlayPromptRequest {
        /// What to play; at least one.
        pub prompts: Vec<Prompt>,
        /// The client's own mark on the operation, up to 256 characters.
        pub client_context: String,
    }
}

graph_object! {
    /// The body of actions that take nothing but a mark: `mute`, `unmute`, `subscribeToTone`,
    /// `cancelMediaProcessing`, `addLargeGalleryView`, `stopHoldMusic`.
    pub struct ClientContextRequest {
        /// The client's own mark on the operation, up to 256 characters.
        pub client_context: String,
    }
}

graph_object! {
    /// `POST /communications/calls/{id}/recordResponse`.
    pub struct RecordResponseRequest {
        /// What to play first; at most one.
        pub prompts: Vec<Prompt>,
        /// Whether to break into prompts and recordings under way; no by default.
        pub barge_in_allowed: bool,
        /// How long the caller may stay silent at first, 1 to 120 s; 5 s by default.
        pub initial_silence_timeout_in_seconds: i32,
        /// How long the caller may pause, 1 to 120 s; 5 s by default.
        pub max_silence_timeout_in_seconds: i32,
        /// How long the recording may be, 1 to 120 s; 5 s by default.
        pub max_record_duration_in_seconds: i32,
        /// Whether a beep tells the caller to speak; yes by default.
        pub play_beep: bool,
        /// Keys that end the recording: `0`–`9`, `*`, `#`, `A`–`D`.
        pub stop_tones: Vec<String>,
        /// The client's own mark on the operation, up to 256 characters.
        pub client_context: String,
    }
}

graph_object! {
    /// `POST /communications/calls/{id}/sendDtmfTones`.
    pub struct SendDtmfTonesRequest {
        /// Which tones; at least one.
        pub tones: Vec<Tone>,
        /// Time between two, in milliseconds.
        pub delay_between_tones_ms: i32,
        /// The client's own mark on the operation, up to 256 characters.
        pub client_context: String,
    }
}

graph_object! {
    /// `POST /communications/calls/{id}/updateRecordingStatus`.
    pub struct UpdateRecordingStatusRequest {
        /// Whether the application records: `notRecording`, `recording` or `failed`.
        pub status: RecordingStatus,
        /// The client's own mark on the operation, up to 256 characters.
        pub client_context: String,
    }
}

graph_object! {
    /// `POST /communications/calls/{id}/changeScreenSharingRole`.
    pub struct ChangeScreenSharingRoleRequest {
        /// Whether the application shares.
        pub role: ScreenSharingRole,
    }
}

graph_object! {
    /// `POST /communications/calls/logTeleconferenceDeviceQuality`.
    pub struct LogTeleconferenceDeviceQualityRequest {
        /// What the gateway measured.
        pub quality: TeleconferenceDeviceQuality,
    }
}

graph_object! {
    /// `POST /communications/calls/{id}/participants/invite`.
    pub struct InviteRequest {
        /// Who; one to five.
        pub participants: Vec<InvitationParticipantInfo>,
        /// The client's own mark on the operation, up to 256 characters.
        pub client_context: String,
    }
}

graph_object! {
    /// `POST /communications/calls/{id}/participants/{id}/startHoldMusic`.
    pub struct StartHoldMusicRequest {
        /// What the participant hears, in place of Graph's music.
        pub custom_prompt: Prompt,
        /// The client's own mark on the operation, up to 256 characters.
        pub client_context: String,
    }
}

graph_object! {
    /// `POST /communications/calls/{id}/participants/muteAll`, of the beta version alone.
    pub struct MuteAllRequest {
        /// Ids of the participants.
        pub participants: Vec<String>,
        /// The client's own mark on the operation, up to 256 characters.
        pub client_context: String,
    }
}

//! Bodies of the actions on a call, as sent by the client and read by the emulator.

use super::call::CallOptions;
use super::enums::{Modality, RejectReason};
use super::identity::{InvitationParticipantInfo, ParticipantInfo};
use super::media::{MediaConfig, Prompt};
use super::object::graph_object;

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
    /// The body of actions that take nothing but a mark: `mute`, `unmute`, `subscribeToTone`.
    pub struct ClientContextRequest {
        /// The client's own mark on the operation, up to 256 characters.
        pub client_context: String,
    }
}

//! Microsoft Graph's cloud communications types, with the names they have on the wire.
//!
//! The same types are written and read, by the client and by the emulator. Every documented
//! property is an `Option`; `null` and absence are the same. Properties a type doesn't name are
//! kept in its `extra`, members an enumeration doesn't name in its `Unknown`, so that what is
//! read and written again loses nothing.
//!
//! Source: Microsoft Graph v1.0 metadata, namespace `microsoft.graph`, and the API reference.

mod action;
mod artifact;
mod attendance;
mod call;
mod engagement;
mod enums;
mod error_body;
mod id;
mod identity;
mod join;
mod media;
mod meeting;
mod meeting_enums;
mod notification;
mod object;
mod operation;
mod participant;
mod person_action;
mod presence;
mod quality;
mod root;
mod text;

pub use action::{
    AnswerRequest, ChangeScreenSharingRoleRequest, ClientContextRequest, InviteRequest,
    LogTeleconferenceDeviceQualityRequest, MuteAllRequest, PlayPromptRequest,
    RecordResponseRequest, RedirectRequest, RejectRequest, SendDtmfTonesRequest,
    StartHoldMusicRequest, TransferRequest, UpdateRecordingStatusRequest,
};
pub use artifact::{AdhocCall, CallRecording, CallTranscript};
pub use attendance::{
    AttendanceInterval, AttendanceRecord, MeetingAttendanceReport, VirtualEventExternalInformation,
    VirtualEventExternalRegistrationInformation,
};
pub use call::{
    AudioRoutingGroup, Call, CallOptions, CallRoute, CallTranscriptionInfo, ChatInfo,
    ContentSharingSession, IncomingContext, JoinMeetingIdMeetingInfo, MeetingInfo,
    OrganizerMeetingInfo, ResultInfo, TokenMeetingInfo, ToneInfo,
};
pub use engagement::{
    Conversation, EngagementConversation, EngagementConversationMessage,
    EngagementConversationMessageReaction, EngagementCreationMode, EngagementIdentitySet,
    ModerationState, OnlineMeetingEngagementConversation, ReactionType,
};
pub use enums::{
    CallDirection, CallState, CallTranscriptionState, ChangeType, EndpointType, MediaDirection,
    MediaState, Modality, OperationStatus, RecordingStatus, RejectReason, RoutingMode, RoutingType,
    ScreenSharingRole, SendDtmfCompletionReason, Tone,
};
pub use error_body::{ErrorDetail, GraphErrorBody, InnerError};
pub use id::{
    CallId, InvalidId, MeetingId, OperationId, ParticipantId, ReportId, RoutingGroupId,
    SharingSessionId, UserId,
};
pub use identity::{Identity, IdentitySet, InvitationParticipantInfo, ParticipantInfo};
pub use join::{InvalidJoinAddress, JoinAddress};
pub use media::{
    AppHostedMediaConfig, CallMediaState, MediaConfig, MediaInfo, MediaPrompt, Prompt,
    ServiceHostedMediaConfig,
};
pub use meeting::{
    AudioConferencing, BroadcastMeetingCaptionSettings, BroadcastMeetingSettings, ChatRestrictions,
    CloudVideoInteropInfo, JoinMeetingIdSettings, LobbyBypassSettings, MeetingParticipantInfo,
    MeetingParticipants, OnlineMeeting, OnlineMeetingRestricted,
    OnlineMeetingSensitivityLabelAssignment, VirtualEventSession, WatermarkProtectionValues,
};
pub use meeting_enums::{
    AllowedLobbyAdmitterRoles, BroadcastMeetingAudience, ContentSharingDisabledReason,
    LobbyBypassScope, MeetingChatHistoryDefaultMode, MeetingChatMode, MeetingLiveShareOptions,
    OnlineMeetingPresenters, OnlineMeetingRole, OnlineMeetingType, RemindBeforeTimeInMinutesType,
    VideoDisabledReason, VirtualAppointmentMessageType,
};
pub use notification::{
    CommsNotification, CommsNotifications, NotifiedResource, ResourceShapeError,
};
pub use object::{Extra, ODataType, Redacted, UnknownObject};
pub use operation::{CommsOperation, OperationKind};
pub use participant::{DeltaParticipants, MediaStream, Participant, RecordingInfo, RemovedState};
pub use person_action::{
    AttendeeNotificationInfo, ClearPresenceRequest, CreateOrGetRequest,
    GetPresencesByUserIdRequest, SendVirtualAppointmentReminderSmsRequest,
    SendVirtualAppointmentSmsRequest, SetLocationRequest, SetPresenceRequest,
    SetStatusMessageRequest, SetUserPreferredPresenceRequest,
};
pub use presence::{
    OutOfOfficeSettings, Presence, PresenceStatusMessage, UserWorkLocation, WorkLocationSource,
    WorkLocationType,
};
pub use quality::{
    AnyMediaQuality, AudioQuality, MediaQuality, ScreenSharingQuality, TeleconferenceDeviceQuality,
    VideoQuality,
};
pub use root::{CloudCommunications, Page, ValueOf};
pub use text::{BodyType, DateTimeTimeZone, ItemBody};

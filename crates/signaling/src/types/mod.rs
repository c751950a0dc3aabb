//! Microsoft Graph's cloud communications types, with the names they have on the wire.
//!
//! The same types are written and read, by the client and by the emulator. Every documented
//! property is an `Option`; `null` and absence are the same. Properties a type doesn't name are
//! kept in its `extra`, members an enumeration doesn't name in its `Unknown`, so that what is
//! read and written again loses nothing.
//!
//! Source: Microsoft Graph v1.0 metadata, namespace `microsoft.graph`, and the API reference.

mod action;
mod call;
mod enums;
mod error_body;
mod id;
mod identity;
mod media;
mod notification;
mod object;
mod operation;
mod participant;

pub use action::{
    AnswerRequest, ClientContextRequest, PlayPromptRequest, RedirectRequest, RejectRequest,
    TransferRequest,
};
pub use call::{
    AudioRoutingGroup, Call, CallOptions, CallRoute, CallTranscriptionInfo, ChatInfo,
    ContentSharingSession, IncomingContext, JoinMeetingIdMeetingInfo, MeetingInfo,
    OrganizerMeetingInfo, ResultInfo, TokenMeetingInfo, ToneInfo,
};
pub use enums::{
    CallDirection, CallState, CallTranscriptionState, ChangeType, EndpointType, MediaDirection,
    MediaState, Modality, OperationStatus, RecordingStatus, RejectReason, RoutingMode, RoutingType,
    SendDtmfCompletionReason, Tone,
};
pub use error_body::{ErrorDetail, GraphErrorBody, InnerError};
pub use id::{CallId, InvalidId};
pub use identity::{Identity, IdentitySet, InvitationParticipantInfo, ParticipantInfo};
pub use media::{
    AppHostedMediaConfig, CallMediaState, MediaConfig, MediaInfo, MediaPrompt, Prompt,
    ServiceHostedMediaConfig,
};
pub use notification::{
    CommsNotification, CommsNotifications, NotifiedResource, ResourceShapeError,
};
pub use object::{Extra, ODataType, Redacted, UnknownObject};
pub use operation::{CommsOperation, OperationKind};
pub use participant::{MediaStream, Participant, RecordingInfo, RemovedState};

//! The enumerations of cloud communications.

use std::fmt;

use super::object::{graph_enum, graph_enum_shown};

graph_enum! {
    /// Where a call stands (`callState`).
    pub enum CallState {
        /// Offered to the application, not yet answered.
        Incoming = "incoming",
        /// Being set up.
        Establishing = "establishing",
        /// The other side rings.
        Ringing = "ringing",
        /// Connected.
        Established = "established",
        /// On hold.
        Hold = "hold",
        /// Being transferred.
        Transferring = "transferring",
        /// The transfer target has accepted.
        TransferAccepted = "transferAccepted",
        /// Being redirected.
        Redirecting = "redirecting",
        /// Ending.
        Terminating = "terminating",
        /// Over; no state follows.
        Terminated = "terminated",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Who started the call, seen from the application (`callDirection`).
    pub enum CallDirection {
        /// Towards the application.
        Incoming = "incoming",
        /// From the application.
        Outgoing = "outgoing",
    }
}

graph_enum! {
    /// A kind of media in a call (`modality`).
    pub enum Modality {
        /// Not known.
        NotKnown = "unknown",
        /// Sound.
        Audio = "audio",
        /// Camera video.
        Video = "video",
        /// Screen sharing as video.
        VideoBasedScreenSharing = "videoBasedScreenSharing",
        /// Data channel.
        Data = "data",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Why an incoming call is turned down (`rejectReason`).
    pub enum RejectReason {
        /// No reason given.
        None = "none",
        /// Busy: the caller hears it, voicemail may follow.
        Busy = "busy",
        /// The caller may not call.
        Forbidden = "forbidden",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// A dial-pad tone (`tone`). `Debug` hides which one: digits are media content.
    pub enum Tone {
        /// `0`
        Tone0 = "tone0",
        /// `1`
        Tone1 = "tone1",
        /// `2`
        Tone2 = "tone2",
        /// `3`
        Tone3 = "tone3",
        /// `4`
        Tone4 = "tone4",
        /// `5`
        Tone5 = "tone5",
        /// `6`
        Tone6 = "tone6",
        /// `7`
        Tone7 = "tone7",
        /// `8`
        Tone8 = "tone8",
        /// `9`
        Tone9 = "tone9",
        /// `*`
        Star = "star",
        /// `#`
        Pound = "pound",
        /// `A`
        A = "a",
        /// `B`
        B = "b",
        /// `C`
        C = "c",
        /// `D`
        D = "d",
        /// Hook flash
        Flash = "flash",
    }
}

impl Tone {
    /// The dial-pad character (`0`–`9`, `*`, `#`, `A`–`D`); `None` for flash and unknown tones.
    pub fn to_char(&self) -> Option<char> {
        let index = Self::KNOWN.iter().position(|tone| tone == self)?;
        "0123456789*#ABCD".chars().nth(index)
    }

    /// The tone of a dial-pad character, letters in either case.
    pub fn from_char(key: char) -> Option<Self> {
        let index = "0123456789*#ABCD".find(key.to_ascii_uppercase())?;
        Self::KNOWN.get(index).cloned()
    }
}

impl fmt::Debug for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tone(_)")
    }
}

graph_enum! {
    /// How far an operation is (`operationStatus`). The schema's members start with a capital,
    /// the documented examples don't; both are read, the examples' form is written.
    pub enum OperationStatus {
        /// Accepted, not begun.
        NotStarted = "notStarted" | "NotStarted",
        /// Under way.
        Running = "running" | "Running",
        /// Done.
        Completed = "completed" | "Completed",
        /// Failed; `resultInfo` tells why.
        Failed = "failed" | "Failed",
    }
}

graph_enum! {
    /// What happened to the resource of a notification (`changeType`).
    pub enum ChangeType {
        /// New.
        Created = "created" | "Created",
        /// Changed.
        Updated = "updated" | "Updated",
        /// Gone.
        Deleted = "deleted" | "Deleted",
    }
}

graph_enum! {
    /// The endpoint a participant uses (`endpointType`).
    pub enum EndpointType {
        /// An ordinary client.
        Default = "default",
        /// Voicemail.
        Voicemail = "voicemail",
        /// A Skype for Business client.
        SkypeForBusiness = "skypeForBusiness",
        /// A Skype for Business phone.
        SkypeForBusinessVoipPhone = "skypeForBusinessVoipPhone",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Whether a medium flows (`mediaState`).
    pub enum MediaState {
        /// It flows.
        Active = "active",
        /// It doesn't.
        Inactive = "inactive",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// The directions of a media stream (`mediaDirection`).
    pub enum MediaDirection {
        /// Neither.
        Inactive = "inactive",
        /// Sends.
        SendOnly = "sendOnly",
        /// Receives.
        ReceiveOnly = "receiveOnly",
        /// Both.
        SendReceive = "sendReceive",
    }
}

graph_enum! {
    /// How a call was retargeted (`routingType`).
    pub enum RoutingType {
        /// Forwarded.
        Forwarded = "forwarded",
        /// By lookup.
        Lookup = "lookup",
        /// Forked to the same user.
        SelfFork = "selfFork",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Who hears whom in an audio routing group (`routingMode`).
    pub enum RoutingMode {
        /// One source, one receiver.
        OneToOne = "oneToOne",
        /// One source, several receivers.
        Multicast = "multicast",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// State of a call's transcription (`callTranscriptionState`).
    pub enum CallTranscriptionState {
        /// Not begun.
        NotStarted = "notStarted",
        /// Running.
        Active = "active",
        /// Stopped.
        Inactive = "inactive",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// State of a recording (`recordingStatus`).
    pub enum RecordingStatus {
        /// Not known.
        NotKnown = "unknown",
        /// No recording.
        NotRecording = "notRecording",
        /// Recording.
        Recording = "recording",
        /// Recording failed.
        Failed = "failed",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Whether the application shares its screen (`screenSharingRole`).
    pub enum ScreenSharingRole {
        /// It watches.
        Viewer = "viewer",
        /// It shares.
        Sharer = "sharer",
    }
}

graph_enum! {
    /// How sending tones ended (`sendDtmfCompletionReason`).
    pub enum SendDtmfCompletionReason {
        /// Not known.
        NotKnown = "unknown",
        /// All tones were sent.
        CompletedSuccessfully = "completedSuccessfully",
        /// Cancelled by another media operation.
        MediaOperationCanceled = "mediaOperationCanceled",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum_shown!(
    CallState,
    CallDirection,
    Modality,
    RejectReason,
    OperationStatus,
    ChangeType,
    EndpointType,
    MediaState,
    MediaDirection,
    RoutingType,
    RoutingMode,
    CallTranscriptionState,
    RecordingStatus,
    ScreenSharingRole,
    SendDtmfCompletionReason,
);

//! The enumerations of online meetings.

use super::object::{graph_enum, graph_enum_shown};

graph_enum! {
    /// Who may let people in from the lobby (`allowedLobbyAdmitterRoles`).
    pub enum AllowedLobbyAdmitterRoles {
        /// Organizer, co-organizers and presenters.
        OrganizerAndCoOrganizersAndPresenters = "organizerAndCoOrganizersAndPresenters",
        /// Organizer and co-organizers.
        OrganizerAndCoOrganizers = "organizerAndCoOrganizers",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Who may watch a live event (`broadcastMeetingAudience`).
    pub enum BroadcastMeetingAudience {
        /// The attendees named.
        RoleIsAttendee = "roleIsAttendee",
        /// The organization.
        Organization = "organization",
        /// Everyone.
        Everyone = "everyone",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Who passes the lobby (`lobbyBypassScope`).
    pub enum LobbyBypassScope {
        /// The organizer alone.
        Organizer = "organizer",
        /// The organization.
        Organization = "organization",
        /// The organization and those it trusts.
        OrganizationAndFederated = "organizationAndFederated",
        /// Everyone.
        Everyone = "everyone",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
        /// Those invited.
        Invited = "invited",
        /// The organization without its guests.
        OrganizationExcludingGuests = "organizationExcludingGuests",
    }
}

graph_enum! {
    /// How much of the chat newcomers see (`meetingChatHistoryDefaultMode`).
    pub enum MeetingChatHistoryDefaultMode {
        /// Nothing.
        None = "none",
        /// Everything.
        All = "all",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Whether a meeting has a chat (`meetingChatMode`).
    pub enum MeetingChatMode {
        /// Before, during and after.
        Enabled = "enabled",
        /// Never.
        Disabled = "disabled",
        /// During the meeting.
        Limited = "limited",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Whether applications can be shared live (`meetingLiveShareOptions`).
    pub enum MeetingLiveShareOptions {
        /// They can.
        Enabled = "enabled",
        /// They can't.
        Disabled = "disabled",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Why a participant can't share content (`onlineMeetingContentSharingDisabledReason`), a
    /// set of flags: several are one text with commas, kept as `Unknown`.
    pub enum ContentSharingDisabledReason {
        /// Its client can't show the watermark.
        WatermarkProtection = "watermarkProtection",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Why a participant can't see video (`onlineMeetingVideoDisabledReason`), a set of flags:
    /// several are one text with commas, kept as `Unknown`.
    pub enum VideoDisabledReason {
        /// Its client can't show the watermark.
        WatermarkProtection = "watermarkProtection",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Who presents in a meeting (`onlineMeetingPresenters`).
    pub enum OnlineMeetingPresenters {
        /// Everyone.
        Everyone = "everyone",
        /// The organization.
        Organization = "organization",
        /// Those with the role.
        RoleIsPresenter = "roleIsPresenter",
        /// The organizer alone.
        Organizer = "organizer",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// A participant's part in a meeting (`onlineMeetingRole`).
    pub enum OnlineMeetingRole {
        /// Attends.
        Attendee = "attendee",
        /// Presents.
        Presenter = "presenter",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
        /// Produces a live event.
        Producer = "producer",
        /// Organizes with the organizer.
        Coorganizer = "coorganizer",
    }
}

graph_enum! {
    /// What kind of meeting it is (`onlineMeetingType`).
    pub enum OnlineMeetingType {
        /// Without a plan.
        Adhoc = "adhoc",
        /// On a date.
        Scheduled = "scheduled",
        /// On several dates.
        Recurring = "recurring",
        /// A live event.
        Broadcast = "broadcast",
        /// Begun at once.
        Meetnow = "meetnow",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Why a text message about an appointment is sent (`virtualAppointmentMessageType`).
    pub enum VirtualAppointmentMessageType {
        /// It is confirmed.
        Confirmation = "confirmation",
        /// It is moved.
        Reschedule = "reschedule",
        /// It is cancelled.
        Cancellation = "cancellation",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// How long before an appointment a reminder is sent (`remindBeforeTimeInMinutesType`).
    pub enum RemindBeforeTimeInMinutesType {
        /// 15 minutes.
        Mins15 = "mins15",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum_shown!(
    AllowedLobbyAdmitterRoles,
    BroadcastMeetingAudience,
    LobbyBypassScope,
    MeetingChatHistoryDefaultMode,
    MeetingChatMode,
    MeetingLiveShareOptions,
    ContentSharingDisabledReason,
    VideoDisabledReason,
    OnlineMeetingPresenters,
    OnlineMeetingRole,
    OnlineMeetingType,
    VirtualAppointmentMessageType,
    RemindBeforeTimeInMinutesType,
);

//! The bodies of requests for meetings and presences.

use super::Holds::{Of, Value as Plain};
use super::{CHAT_INFO, IDENTITY_SET, Shape};

const PERSON: Shape = Shape {
    name: "meetingParticipantInfo",
    properties: &[
        ("identity", Of(&IDENTITY_SET)),
        ("role", Plain),
        ("upn", Plain),
    ],
};

const PEOPLE: Shape = Shape {
    name: "meetingParticipants",
    properties: &[("attendees", Of(&PERSON)), ("organizer", Of(&PERSON))],
};

const JOIN_ID: Shape = Shape {
    name: "joinMeetingIdSettings",
    properties: &[
        ("isPasscodeRequired", Plain),
        ("joinMeetingId", Plain),
        ("passcode", Plain),
    ],
};

const LOBBY: Shape = Shape {
    name: "lobbyBypassSettings",
    properties: &[("isDialInBypassEnabled", Plain), ("scope", Plain)],
};

pub(super) const MEETING: Shape = Shape {
    name: "onlineMeeting",
    properties: &[
        ("allowAttendeeToEnableCamera", Plain),
        ("allowAttendeeToEnableMic", Plain),
        ("allowBreakoutRooms", Plain),
        ("allowCopyingAndSharingMeetingContent", Plain),
        ("allowLiveShare", Plain),
        ("allowMeetingChat", Plain),
        ("allowParticipantsToChangeName", Plain),
        ("allowPowerPointSharing", Plain),
        ("allowRecording", Plain),
        ("allowTeamworkReactions", Plain),
        ("allowTranscription", Plain),
        ("allowWhiteboard", Plain),
        ("allowedLobbyAdmitters", Plain),
        ("allowedPresenters", Plain),
        ("attendanceReports", Plain),
        ("attendeeReport", Plain),
        ("audioConferencing", Plain),
        ("broadcastSettings", Plain),
        ("chatInfo", Of(&CHAT_INFO)),
        ("chatRestrictions", Plain),
        ("cloudVideoInteropInfo", Plain),
        ("creationDateTime", Plain),
        ("endDateTime", Plain),
        ("expiryDateTime", Plain),
        ("externalId", Plain),
        ("id", Plain),
        ("isBroadcast", Plain),
        ("isEndToEndEncryptionEnabled", Plain),
        ("isEntryExitAnnounced", Plain),
        ("joinInformation", Plain),
        ("joinMeetingIdSettings", Of(&JOIN_ID)),
        ("joinWebUrl", Plain),
        ("lobbyBypassSettings", Of(&LOBBY)),
        ("meetingOptionsWebUrl", Plain),
        ("meetingSpokenLanguageTag", Plain),
        ("meetingTemplateId", Plain),
        ("meetingType", Plain),
        ("participants", Of(&PEOPLE)),
        ("recordAutomatically", Plain),
        ("recordings", Plain),
        ("sensitivityLabelAssignment", Plain),
        ("shareMeetingChatHistoryDefault", Plain),
        ("startDateTime", Plain),
        ("subject", Plain),
        ("transcripts", Plain),
        ("videoTeleconferenceId", Plain),
        ("watermarkProtection", Plain),
    ],
};

pub(super) const CREATE_OR_GET: Shape = Shape {
    name: "createOrGet",
    properties: &[
        ("chatInfo", Of(&CHAT_INFO)),
        ("endDateTime", Plain),
        ("externalId", Plain),
        ("participants", Of(&PEOPLE)),
        ("startDateTime", Plain),
        ("subject", Plain),
    ],
};

pub(super) const PRESENCES: Shape = Shape {
    name: "getPresencesByUserId",
    properties: &[("ids", Plain)],
};

pub(super) const SET_PRESENCE: Shape = Shape {
    name: "setPresence",
    properties: &[
        ("activity", Plain),
        ("availability", Plain),
        ("expirationDuration", Plain),
        ("sessionId", Plain),
    ],
};

pub(super) const CLEAR_PRESENCE: Shape = Shape {
    name: "clearPresence",
    properties: &[("sessionId", Plain)],
};

pub(super) const PREFERRED: Shape = Shape {
    name: "setUserPreferredPresence",
    properties: &[
        ("activity", Plain),
        ("availability", Plain),
        ("expirationDuration", Plain),
    ],
};

pub(super) const STATUS: Shape = Shape {
    name: "setStatusMessage",
    properties: &[("statusMessage", Plain)],
};

pub(super) const LOCATION: Shape = Shape {
    name: "workLocation",
    properties: &[("placeId", Plain), ("workLocationType", Plain)],
};

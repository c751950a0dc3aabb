//! The bodies of requests for meetings and presences.

use super::Holds::{self, Of, One, Value as Plain};
use super::{CHAT_INFO, IDENTITY_SET, Shape};

const ROLE: Holds = One(&["attendee", "presenter", "producer", "coorganizer"]);

const SCOPE: Holds = One(&[
    "organizer",
    "organization",
    "organizationAndFederated",
    "organizationExcludingGuests",
    "everyone",
    "invited",
]);

const PRESENTERS: Holds = One(&["everyone", "organization", "roleIsPresenter", "organizer"]);

const LOBBY_ADMITTERS: Holds = One(&[
    "organizerAndCoOrganizersAndPresenters",
    "organizerAndCoOrganizers",
]);

const WORK_LOCATION: Holds = One(&["unspecified", "office", "remote", "timeOff"]);

const PERSON: Shape = Shape {
    name: "meetingParticipantInfo",
    properties: &[
        ("identity", Of(&IDENTITY_SET)),
        ("role", ROLE),
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
    properties: &[("isDialInBypassEnabled", Plain), ("scope", SCOPE)],
};

const AUDIO_CONFERENCING: Shape = Shape {
    name: "audioConferencing",
    properties: &[
        ("conferenceId", Plain),
        ("dialinUrl", Plain),
        ("tollFreeNumber", Plain),
        ("tollFreeNumbers", Plain),
        ("tollNumber", Plain),
        ("tollNumbers", Plain),
    ],
};

const BROADCAST: Shape = Shape {
    name: "broadcastMeetingSettings",
    properties: &[
        ("allowedAudience", Plain),
        ("captions", Of(&CAPTIONS)),
        ("isAttendeeReportEnabled", Plain),
        ("isQuestionAndAnswerEnabled", Plain),
        ("isRecordingEnabled", Plain),
        ("isVideoOnDemandEnabled", Plain),
    ],
};

const CAPTIONS: Shape = Shape {
    name: "broadcastMeetingCaptionSettings",
    properties: &[
        ("isCaptionEnabled", Plain),
        ("spokenLanguage", Plain),
        ("translationLanguages", Plain),
    ],
};

const CHAT_RESTRICTIONS: Shape = Shape {
    name: "chatRestrictions",
    properties: &[("allowTextOnly", Plain)],
};

const LABEL: Shape = Shape {
    name: "onlineMeetingSensitivityLabelAssignment",
    properties: &[("sensitivityLabelId", Plain)],
};

const WATERMARK: Shape = Shape {
    name: "watermarkProtectionValues",
    properties: &[
        ("isEnabledForContentSharing", Plain),
        ("isEnabledForVideo", Plain),
    ],
};

pub(super) const MEETING: Shape = Shape {
    name: "onlineMeeting",
    properties: &[
        ("allowAttendeeToEnableCamera", Plain),
        ("allowAttendeeToEnableMic", Plain),
        ("allowBreakoutRooms", Plain),
        ("allowCopyingAndSharingMeetingContent", Plain),
        ("allowLiveShare", Plain),
        ("allowMeetingChat", One(&["enabled", "disabled", "limited"])),
        ("allowParticipantsToChangeName", Plain),
        ("allowPowerPointSharing", Plain),
        ("allowRecording", Plain),
        ("allowTeamworkReactions", Plain),
        ("allowTranscription", Plain),
        ("allowWhiteboard", Plain),
        ("allowedLobbyAdmitters", LOBBY_ADMITTERS),
        ("allowedPresenters", PRESENTERS),
        ("attendanceReports", Plain),
        ("attendeeReport", Plain),
        ("audioConferencing", Of(&AUDIO_CONFERENCING)),
        ("broadcastSettings", Of(&BROADCAST)),
        ("chatInfo", Of(&CHAT_INFO)),
        ("chatRestrictions", Of(&CHAT_RESTRICTIONS)),
        ("cloudVideoInteropInfo", Plain),
        ("creationDateTime", Plain),
        ("endDateTime", Plain),
        ("expiryDateTime", Plain),
        ("externalId", Plain),
        ("id", Plain),
        ("isBroadcast", Plain),
        ("isEndToEndEncryptionEnabled", Plain),
        ("isEntryExitAnnounced", Plain),
        ("joinInformation", Of(&ITEM_BODY)),
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
        ("sensitivityLabelAssignment", Of(&LABEL)),
        ("shareMeetingChatHistoryDefault", Plain),
        ("startDateTime", Plain),
        ("subject", Plain),
        ("transcripts", Plain),
        ("videoTeleconferenceId", Plain),
        ("watermarkProtection", Of(&WATERMARK)),
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
    properties: &[("statusMessage", Of(&STATUS_MESSAGE))],
};

const STATUS_MESSAGE: Shape = Shape {
    name: "presenceStatusMessage",
    properties: &[
        ("expiryDateTime", Of(&DATE_TIME)),
        ("message", Of(&ITEM_BODY)),
        ("publishedDateTime", Plain),
    ],
};

const DATE_TIME: Shape = Shape {
    name: "dateTimeTimeZone",
    properties: &[("dateTime", Plain), ("timeZone", Plain)],
};

const ITEM_BODY: Shape = Shape {
    name: "itemBody",
    properties: &[("content", Plain), ("contentType", Plain)],
};

const ATTENDEE: Shape = Shape {
    name: "attendeeNotificationInfo",
    properties: &[("phoneNumber", Plain), ("timeZone", Plain)],
};

pub(super) const SMS: Shape = Shape {
    name: "sendVirtualAppointmentSms",
    properties: &[("attendees", Of(&ATTENDEE)), ("messageType", Plain)],
};

pub(super) const REMINDER_SMS: Shape = Shape {
    name: "sendVirtualAppointmentReminderSms",
    properties: &[
        ("attendees", Of(&ATTENDEE)),
        ("remindBeforeTimeInMinutesType", Plain),
    ],
};

pub(super) const LOCATION: Shape = Shape {
    name: "workLocation",
    properties: &[("placeId", Plain), ("workLocationType", WORK_LOCATION)],
};

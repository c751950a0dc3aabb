//! Bodies of the actions on meetings and presences.

use super::call::ChatInfo;
use super::meeting::MeetingParticipants;
use super::meeting_enums::{RemindBeforeTimeInMinutesType, VirtualAppointmentMessageType};
use super::object::graph_object;
use super::presence::{PresenceStatusMessage, WorkLocationType};

graph_object! {
    /// `POST …/onlineMeetings/createOrGet`.
    pub struct CreateOrGetRequest {
        /// The creator's own id of the meeting; required.
        pub external_id: String,
        /// The chat.
        pub chat_info: ChatInfo,
        /// When the meeting begins, ISO 8601 with an offset; now by default.
        pub start_date_time: String,
        /// When it ends, not without a beginning; one hour later by default.
        pub end_date_time: String,
        /// Who takes part.
        pub participants: MeetingParticipants,
        /// The subject.
        pub subject: String,
    }
}

graph_object! {
    /// `POST …/onlineMeetings/{id}/sendVirtualAppointmentSms`.
    pub struct SendVirtualAppointmentSmsRequest {
        /// Whom to; required.
        pub attendees: Vec<AttendeeNotificationInfo>,
        /// Why; required.
        pub message_type: VirtualAppointmentMessageType,
    }
}

graph_object! {
    /// `POST …/onlineMeetings/{id}/sendVirtualAppointmentReminderSms`.
    pub struct SendVirtualAppointmentReminderSmsRequest {
        /// Whom to; required.
        pub attendees: Vec<AttendeeNotificationInfo>,
        /// How long before; required.
        pub remind_before_time_in_minutes_type: RemindBeforeTimeInMinutesType,
    }
}

graph_object! {
    /// One who is told of an appointment (`attendeeNotificationInfo`).
    pub struct AttendeeNotificationInfo as "#microsoft.graph.attendeeNotificationInfo" {
        /// The number, E.164.
        pub phone_number: String,
        /// The time zone the text speaks in.
        pub time_zone: String,
    }
}

graph_object! {
    /// `POST /communications/getPresencesByUserId`.
    pub struct GetPresencesByUserIdRequest {
        /// Object ids of users; 1 to 650.
        pub ids: Vec<String>,
    }
}

graph_object! {
    /// `POST …/presence/setPresence`.
    pub struct SetPresenceRequest {
        /// The session: the application's id; required.
        pub session_id: String,
        /// Whether the user can be reached; required.
        pub availability: String,
        /// What keeps the user; required.
        pub activity: String,
        /// For how long, `PT5M` to `PT4H`; five minutes by default.
        pub expiration_duration: String,
    }
}

graph_object! {
    /// `POST …/presence/clearPresence`.
    pub struct ClearPresenceRequest {
        /// The session: the application's id; required.
        pub session_id: String,
    }
}

graph_object! {
    /// `POST …/presence/setUserPreferredPresence`.
    pub struct SetUserPreferredPresenceRequest {
        /// Whether the user can be reached; required.
        pub availability: String,
        /// What keeps the user; required.
        pub activity: String,
        /// For how long, an ISO 8601 duration; a day when busy, else a week by default.
        pub expiration_duration: String,
    }
}

graph_object! {
    /// `POST …/presence/setStatusMessage`.
    pub struct SetStatusMessageRequest {
        /// What the user says; plain text.
        pub status_message: PresenceStatusMessage,
    }
}

graph_object! {
    /// `POST …/presence/setManualLocation` and `…/setAutomaticLocation`.
    pub struct SetLocationRequest {
        /// What kind of place; required.
        pub work_location_type: WorkLocationType,
        /// The place's id.
        pub place_id: String,
    }
}

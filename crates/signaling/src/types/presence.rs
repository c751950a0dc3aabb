//! Whether a user can be reached.

use super::object::{graph_enum, graph_enum_shown, graph_object};
use super::text::{DateTimeTimeZone, ItemBody};

graph_enum! {
    /// Where a work location is known from (`workLocationSource`).
    pub enum WorkLocationSource {
        /// Nowhere.
        None = "none",
        /// Set by the user.
        Manual = "manual",
        /// From the working hours.
        Scheduled = "scheduled",
        /// Detected.
        Automatic = "automatic",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// What kind of place a user works at (`workLocationType`).
    pub enum WorkLocationType {
        /// Not said.
        Unspecified = "unspecified",
        /// The office.
        Office = "office",
        /// Elsewhere.
        Remote = "remote",
        /// None, the user is off.
        TimeOff = "timeOff",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum_shown!(WorkLocationSource, WorkLocationType);

graph_object! {
    /// A user's presence (`presence`).
    pub struct Presence as "#microsoft.graph.presence" {
        /// The user's id.
        pub id: String,
        /// What keeps the user, for example `InACall` or `Presenting`.
        pub activity: String,
        /// Whether the user can be reached, for example `Available` or `DoNotDisturb`.
        pub availability: String,
        /// Whether the user is away for long.
        pub out_of_office_settings: OutOfOfficeSettings,
        /// Orders presences; later ones are greater as numbers.
        pub sequence_number: String,
        /// What the user says.
        pub status_message: PresenceStatusMessage,
        /// Where the user works.
        pub work_location: UserWorkLocation,
    }
}

graph_object! {
    /// Whether a user is away for long (`outOfOfficeSettings`).
    pub struct OutOfOfficeSettings as "#microsoft.graph.outOfOfficeSettings" {
        /// Whether.
        pub is_out_of_office: bool,
        /// What callers are told.
        pub message: String,
    }
}

graph_object! {
    /// What a user says beside the presence (`presenceStatusMessage`).
    pub struct PresenceStatusMessage as "#microsoft.graph.presenceStatusMessage" {
        /// Until when.
        pub expiry_date_time: DateTimeTimeZone,
        /// The text; plain.
        pub message: ItemBody,
        /// Since when; read-only.
        pub published_date_time: String,
    }
}

graph_object! {
    /// Where a user works (`userWorkLocation`).
    pub struct UserWorkLocation as "#microsoft.graph.userWorkLocation" {
        /// The place's id.
        pub place_id: String,
        /// Where that is known from.
        pub source: WorkLocationSource,
        /// What kind of place.
        pub work_location_type: WorkLocationType,
    }
}

//! Who attended a meeting.

use super::identity::Identity;
use super::object::graph_object;

graph_object! {
    /// One session's attendance (`meetingAttendanceReport`). A list of reports carries no
    /// records; one report does, when expanded.
    pub struct MeetingAttendanceReport as "#microsoft.graph.meetingAttendanceReport" {
        /// The report's id; read-only.
        pub id: String,
        /// The event of another system that this was.
        pub external_event_information: Vec<VirtualEventExternalInformation>,
        /// When the session ended; read-only.
        pub meeting_end_date_time: String,
        /// When the session began; read-only.
        pub meeting_start_date_time: String,
        /// How many attended; read-only.
        pub total_participant_count: i32,
        /// Who, when expanded.
        pub attendance_records: Vec<AttendanceRecord>,
    }
}

graph_object! {
    /// One participant's attendance (`attendanceRecord`).
    pub struct AttendanceRecord as "#microsoft.graph.attendanceRecord" {
        /// The record's id; read-only.
        pub id: String,
        /// From when to when.
        pub attendance_intervals: Vec<AttendanceInterval>,
        /// The participant's address.
        pub email_address: String,
        /// The registration in another system.
        pub external_registration_information: VirtualEventExternalRegistrationInformation,
        /// Who it was.
        pub identity: Identity,
        /// The registration.
        pub registration_id: String,
        /// Which part: `None`, `Attendee`, `Presenter` or `Organizer`.
        pub role: String,
        /// All intervals together.
        pub total_attendance_in_seconds: i32,
    }
}

graph_object! {
    /// From joining to leaving (`attendanceInterval`).
    pub struct AttendanceInterval as "#microsoft.graph.attendanceInterval" {
        /// How long.
        pub duration_in_seconds: i32,
        /// From when.
        pub join_date_time: String,
        /// To when.
        pub leave_date_time: String,
    }
}

graph_object! {
    /// An event of another system (`virtualEventExternalInformation`).
    pub struct VirtualEventExternalInformation as "#microsoft.graph.virtualEventExternalInformation" {
        /// The application that hosts it.
        pub application_id: String,
        /// The event's id there.
        pub external_event_id: String,
    }
}

graph_object! {
    /// A registration in another system (`virtualEventExternalRegistrationInformation`).
    pub struct VirtualEventExternalRegistrationInformation as "#microsoft.graph.virtualEventExternalRegistrationInformation" {
        /// Where it came from.
        pub referrer: String,
        /// The registration's id there.
        pub registration_id: String,
    }
}

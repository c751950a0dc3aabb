//! The operations on online meetings and what is kept of them.
//!
//! Delegated tokens act for [`Owner::Me`], application tokens for [`Owner::User`], where an
//! application access policy of the tenant allows it.

use http::{Method, StatusCode};

use super::check::{Check, InvalidRequest};
use super::page::filter;
use super::{GraphRequest, Reply};
use crate::types::{
    AttendanceRecord, CallRecording, CallTranscript, CreateOrGetRequest,
    EngagementConversationMessage, MeetingAttendanceReport, MeetingId, OnlineMeeting, Page,
    ReportId, SendVirtualAppointmentReminderSmsRequest, SendVirtualAppointmentSmsRequest, UserId,
    ValueOf,
};

/// Whose meetings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The signed-in user's (`/me`).
    Me,
    /// A user's (`/users/{id}`).
    User(UserId),
    /// Those the schema has below `/communications`; the API reference documents this for
    /// finding a meeting by its `videoTeleconferenceId`.
    Communications,
}

fn all(owner: &Owner) -> String {
    match owner {
        Owner::Me => "/me/onlineMeetings".to_owned(),
        Owner::User(id) => format!("/users/{id}/onlineMeetings"),
        Owner::Communications => "/communications/onlineMeetings".to_owned(),
    }
}

fn one(owner: &Owner, id: &MeetingId) -> String {
    format!("{}/{id}", all(owner))
}

fn get_at<T: Reply>(operation: &'static str, path: String) -> GraphRequest<T> {
    GraphRequest::new(operation, Method::GET, path, StatusCode::OK).repeatable()
}

/// Creates a meeting that is in no calendar: `201`. Not repeatable; see [`create_or_get`].
pub fn create(
    owner: &Owner,
    meeting: &OnlineMeeting,
) -> Result<GraphRequest<OnlineMeeting>, InvalidRequest> {
    const OPERATION: &str = "create onlineMeeting";
    Check(OPERATION).new_meeting(meeting)?;
    let request = GraphRequest::new(OPERATION, Method::POST, all(owner), StatusCode::CREATED);
    Ok(request.with_body(meeting))
}

/// Creates a meeting with the creator's own id (`201`), or finds the one that has it (`200`).
/// Repeatable.
pub fn create_or_get(
    owner: &Owner,
    body: &CreateOrGetRequest,
) -> Result<GraphRequest<OnlineMeeting>, InvalidRequest> {
    const OPERATION: &str = "onlineMeeting: createOrGet";
    Check(OPERATION).create_or_get(body)?;
    let path = format!("{}/createOrGet", all(owner));
    let request = GraphRequest::new(OPERATION, Method::POST, path, StatusCode::CREATED);
    Ok(request.with_body(body).repeatable())
}

/// Reads a meeting: `200`. Repeatable.
pub fn get(owner: &Owner, id: &MeetingId) -> GraphRequest<OnlineMeeting> {
    get_at("get onlineMeeting", one(owner, id))
}

fn find(path: String, query: String) -> GraphRequest<Page<OnlineMeeting>> {
    get_at("get onlineMeeting", path).with_query(query)
}

/// Finds the meeting people join at an address: `200` with a list of one. Repeatable.
pub fn find_by_join_web_url(owner: &Owner, url: &str) -> GraphRequest<Page<OnlineMeeting>> {
    find(all(owner), filter("JoinWebUrl", url))
}

/// Finds the meeting with a join id: `200` with a list of one. Repeatable.
pub fn find_by_join_meeting_id(owner: &Owner, id: &str) -> GraphRequest<Page<OnlineMeeting>> {
    find(
        all(owner),
        filter("joinMeetingIdSettings/joinMeetingId", id),
    )
}

/// Finds the meeting that conference rooms of other makers join by an id, with an application
/// token: `200` with a list of one. Repeatable.
pub fn find_by_video_teleconference_id(id: &str) -> GraphRequest<Page<OnlineMeeting>> {
    let path = "/communications/onlineMeetings/".to_owned();
    find(path, filter("VideoTeleconferenceId", id))
}

/// Changes the properties that `changes` has: `200` with the whole. Repeatable.
pub fn update(
    owner: &Owner,
    id: &MeetingId,
    changes: &OnlineMeeting,
) -> Result<GraphRequest<OnlineMeeting>, InvalidRequest> {
    const OPERATION: &str = "update onlineMeeting";
    Check(OPERATION).changed_meeting(changes)?;
    let path = one(owner, id);
    let request = GraphRequest::new(OPERATION, Method::PATCH, path, StatusCode::OK);
    Ok(request.with_body(changes).repeatable())
}

/// Deletes a meeting: `204`. Repeatable.
pub fn delete(owner: &Owner, id: &MeetingId) -> GraphRequest<()> {
    let (operation, path) = ("delete onlineMeeting", one(owner, id));
    GraphRequest::new(operation, Method::DELETE, path, StatusCode::NO_CONTENT).repeatable()
}

/// Lists the attendance reports, one for each session, without records: `200`. Repeatable.
pub fn list_attendance_reports(
    owner: &Owner,
    id: &MeetingId,
) -> GraphRequest<Page<MeetingAttendanceReport>> {
    let path = format!("{}/attendanceReports", one(owner, id));
    get_at("list meetingAttendanceReports", path)
}

/// Reads an attendance report with its records: `200`. Repeatable.
pub fn get_attendance_report(
    owner: &Owner,
    id: &MeetingId,
    report: &ReportId,
) -> GraphRequest<MeetingAttendanceReport> {
    let path = format!("{}/attendanceReports/{report}", one(owner, id));
    get_at("get meetingAttendanceReport", path).with_query("$expand=attendanceRecords".to_owned())
}

/// Lists the records of an attendance report: `200`. Repeatable.
pub fn list_attendance_records(
    owner: &Owner,
    id: &MeetingId,
    report: &ReportId,
) -> GraphRequest<Page<AttendanceRecord>> {
    let reports = format!("{}/attendanceReports", one(owner, id));
    let path = format!("{reports}/{report}/attendanceRecords");
    get_at("list attendanceRecords", path)
}

/// The times between which recordings or transcripts were made, ISO 8601 with an offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Between {
    /// Not before.
    pub start_date_time: Option<String>,
    /// Not after.
    pub end_date_time: Option<String>,
}

/// `getAll…(meetingOrganizerUserId='…',startDateTime=…,endDateTime=…)`
fn get_all(
    operation: &'static str,
    name: &str,
    organizer: &UserId,
    between: &Between,
) -> Result<String, InvalidRequest> {
    let (start, end) = (&between.start_date_time, &between.end_date_time);
    Check(operation).between(start.as_deref(), end.as_deref())?;
    let mut path =
        format!("/users/{organizer}/onlineMeetings/{name}(meetingOrganizerUserId='{organizer}'");
    for (parameter, time) in [("startDateTime", start), ("endDateTime", end)] {
        if let Some(time) = time {
            path.push_str(&format!(",{parameter}={time}"));
        }
    }
    path.push(')');
    Ok(path)
}

/// Lists the recordings Teams has of meetings a user organized, by reference: `200`.
/// Repeatable.
pub fn get_all_recordings(
    organizer: &UserId,
    between: &Between,
) -> Result<GraphRequest<Page<CallRecording>>, InvalidRequest> {
    const OPERATION: &str = "onlineMeeting: getAllRecordings";
    let path = get_all(OPERATION, "getAllRecordings", organizer, between)?;
    Ok(get_at(OPERATION, path))
}

/// Lists the transcripts Teams has of meetings a user organized, by reference: `200`.
/// Repeatable.
pub fn get_all_transcripts(
    organizer: &UserId,
    between: &Between,
) -> Result<GraphRequest<Page<CallTranscript>>, InvalidRequest> {
    const OPERATION: &str = "onlineMeeting: getAllTranscripts";
    let path = get_all(OPERATION, "getAllTranscripts", organizer, between)?;
    Ok(get_at(OPERATION, path))
}

/// Lists the recordings, then what came since: `200`. Repeatable.
pub fn recordings_delta(
    organizer: &UserId,
    between: &Between,
) -> Result<GraphRequest<Page<CallRecording>>, InvalidRequest> {
    const OPERATION: &str = "callRecording: delta";
    let path = get_all(OPERATION, "getAllRecordings", organizer, between)?;
    Ok(get_at(OPERATION, format!("{path}/delta")))
}

/// Lists the transcripts, then what came since: `200`. Repeatable.
pub fn transcripts_delta(
    organizer: &UserId,
    between: &Between,
) -> Result<GraphRequest<Page<CallTranscript>>, InvalidRequest> {
    const OPERATION: &str = "callTranscript: delta";
    let path = get_all(OPERATION, "getAllTranscripts", organizer, between)?;
    Ok(get_at(OPERATION, format!("{path}/delta")))
}

/// Lists what was asked and answered beside meetings: `200`. Repeatable.
pub fn get_all_messages() -> GraphRequest<Page<EngagementConversationMessage>> {
    let path = "/communications/getAllOnlineMeetingMessages()".to_owned();
    get_at("cloudCommunications: getAllOnlineMeetingMessages", path)
}

/// Tells where people outside join an appointment, in a browser: `200`. Repeatable.
pub fn get_virtual_appointment_join_web_url(
    owner: &Owner,
    id: &MeetingId,
) -> GraphRequest<ValueOf<String>> {
    let path = format!("{}/getVirtualAppointmentJoinWebUrl", one(owner, id));
    get_at("virtualAppointment: getVirtualAppointmentJoinWebUrl", path)
}

/// Sends a text message about an appointment: `202`. Not repeatable.
pub fn send_virtual_appointment_sms(
    owner: &Owner,
    id: &MeetingId,
    body: &SendVirtualAppointmentSmsRequest,
) -> Result<GraphRequest<()>, InvalidRequest> {
    const OPERATION: &str = "virtualAppointment: sendVirtualAppointmentSms";
    Check(OPERATION).appointment_sms(body)?;
    let path = format!("{}/sendVirtualAppointmentSms", one(owner, id));
    let request = GraphRequest::new(OPERATION, Method::POST, path, StatusCode::ACCEPTED);
    Ok(request.with_body(body))
}

/// Sends a reminder of an appointment: `202`. Not repeatable.
pub fn send_virtual_appointment_reminder_sms(
    owner: &Owner,
    id: &MeetingId,
    body: &SendVirtualAppointmentReminderSmsRequest,
) -> Result<GraphRequest<()>, InvalidRequest> {
    const OPERATION: &str = "virtualAppointment: sendVirtualAppointmentReminderSms";
    Check(OPERATION).appointment_reminder(body)?;
    let path = format!("{}/sendVirtualAppointmentReminderSms", one(owner, id));
    let request = GraphRequest::new(OPERATION, Method::POST, path, StatusCode::ACCEPTED);
    Ok(request.with_body(body))
}

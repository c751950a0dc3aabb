//! Virtual appointments: what people without Teams are sent of a meeting.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use switchboard_signaling::types::{
    AttendeeNotificationInfo, OnlineMeeting, RemindBeforeTimeInMinutesType as Before,
    SendVirtualAppointmentReminderSmsRequest, SendVirtualAppointmentSmsRequest,
    VirtualAppointmentMessageType as Message,
};

use super::admitted::Payload;
use super::meetings::bare;
use super::refuse::no_method;
use crate::cloud::Fault;

const JOIN_WEB_URL: &str = "getVirtualAppointmentJoinWebUrl";
const SMS: &str = "sendVirtualAppointmentSms";
const REMINDER_SMS: &str = "sendVirtualAppointmentReminderSms";

/// The operation that a segment below a meeting names, if it is one of these.
pub(super) fn named(segment: &str) -> Option<&'static str> {
    let known = [JOIN_WEB_URL, SMS, REMINDER_SMS];
    known.into_iter().find(|name| *name == bare(segment))
}

/// Carries one out on the meeting that `find` finds.
pub(super) fn act(
    method: &Method,
    name: &str,
    body: Payload<'_>,
    find: impl FnOnce() -> Result<OnlineMeeting, Fault>,
) -> Result<Response, Fault> {
    match (method, name) {
        (&Method::GET, JOIN_WEB_URL) => {
            // The service has a page of its own for such guests; here one dials the meeting.
            let url = find()?.join_web_url;
            let context = "https://graph.microsoft.com/v1.0/$metadata#Edm.String";
            Ok(Json(json!({"@odata.context": context, "value": url})).into_response())
        }
        (&Method::POST, SMS) => {
            let request: SendVirtualAppointmentSmsRequest = body.read()?;
            check_attendees(request.attendees.as_deref())?;
            let known = [
                Message::Confirmation,
                Message::Reschedule,
                Message::Cancellation,
            ];
            let rule = "it must be confirmation, reschedule or cancellation";
            one_of(&known, request.message_type.as_ref(), "messageType", rule)?;
            find().map(|_| accepted())
        }
        (&Method::POST, REMINDER_SMS) => {
            let request: SendVirtualAppointmentReminderSmsRequest = body.read()?;
            check_attendees(request.attendees.as_deref())?;
            let before = request.remind_before_time_in_minutes_type;
            let property = "remindBeforeTimeInMinutesType";
            one_of(
                &[Before::Mins15],
                before.as_ref(),
                property,
                "it must be mins15",
            )?;
            find().map(|_| accepted())
        }
        _ => Err(no_method(method)),
    }
}

/// Nothing is sent.
fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({}))).into_response()
}

fn one_of<T: PartialEq>(
    known: &[T],
    found: Option<&T>,
    property: &str,
    rule: &str,
) -> Result<(), Fault> {
    match found {
        Some(found) if known.contains(found) => Ok(()),
        _ => Err(Fault::property(property, rule)),
    }
}

fn check_attendees(attendees: Option<&[AttendeeNotificationInfo]>) -> Result<(), Fault> {
    let attendees = attendees.unwrap_or_default();
    if attendees.is_empty() {
        return Err(Fault::property("attendees", "at least one is needed"));
    }
    let number =
        |one: &AttendeeNotificationInfo| one.phone_number.as_deref().is_some_and(is_american);
    match attendees.iter().position(|one| !number(one)) {
        None => Ok(()),
        Some(index) => {
            let property = format!("attendees/{index}/phoneNumber");
            let rule = "a number in the United States is needed, such as +13129224122";
            Err(Fault::property(property, rule))
        }
    }
}

/// Only such numbers get messages, and one of the documentation's examples has a digit less.
fn is_american(number: &str) -> bool {
    number.strip_prefix("+1").is_some_and(|rest| {
        (9..=10).contains(&rest.len()) && rest.bytes().all(|digit| digit.is_ascii_digit())
    })
}

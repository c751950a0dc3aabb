//! Every action and function of Graph's calling schema is there, and those on what meetings
//! leave behind.
#![allow(clippy::unwrap_used)]

mod support;

use axum::http::StatusCode;
use reqwest::Method;
use serde_json::{Value, json};
use support::{CLIENT, Site};

const SCHEMA: &str = include_str!("../../signaling/tests/schema/graph-comms.tsv");
const MEETINGS: &str = "/users/u/onlineMeetings";
const ALL: &str = "(meetingOrganizerUserId='u',startDateTime=2026-01-15T00:00:00Z)";

async fn ask(site: &Site, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}{path}", site.emulator.graph_url());
    let request = site.http.request(method, url);
    let mut request = request.bearer_auth(site.token().await);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

/// Where the schema's operations are.
fn path(bound: &str, name: &str) -> String {
    match bound {
        "call" => format!("/communications/calls/c/{name}"),
        "[call]" => format!("/communications/calls/{name}"),
        "participant" => format!("/communications/calls/c/participants/p/{name}"),
        "[participant]" => format!("/communications/calls/c/participants/{name}"),
        "presence" => format!("/users/u/presence/{name}"),
        "cloudCommunications" => format!("/communications/{name}"),
        "onlineMeeting" => format!("{MEETINGS}/m/{name}"),
        "[onlineMeeting]" if name.starts_with("getAll") => format!("{MEETINGS}/{name}{ALL}"),
        "[onlineMeeting]" => format!("{MEETINGS}/{name}"),
        "[callRecording]" => format!("{MEETINGS}/getAllRecordings{ALL}/{name}"),
        "[callTranscript]" => format!("{MEETINGS}/getAllTranscripts{ALL}/{name}"),
        other => panic!("where is {other}?"),
    }
}

#[tokio::test]
async fn every_operation_of_the_schema_is_there() {
    let site = Site::start().await;
    let mut count = 0;
    for line in SCHEMA.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let ["action" | "function", bound, name, ..] = columns[..] else {
            continue;
        };
        let path = path(bound, name);
        let (status, answer) = match columns[0] {
            "action" => ask(&site, Method::POST, &path, Some(json!({}))).await,
            _ => ask(&site, Method::GET, &path, None).await,
        };
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        let unknown = message.starts_with("Resource not found for the segment");
        assert!(status != 405 && !unknown, "{path}: {status} {message}");
        count += 1;
    }
    assert!(count > 30, "only {count} operations were read");
}

#[tokio::test]
async fn nothing_is_left_of_meetings() {
    let site = Site::start().await;
    for (path, status) in [
        (format!("{MEETINGS}/getAllRecordings{ALL}"), 200),
        (format!("{MEETINGS}/getAllTranscripts{ALL}/delta"), 200),
        (
            format!("{MEETINGS}/getAllTranscripts?$filter=MeetingOrganizer/User/Id%20eq%20'u'"),
            200,
        ),
        (
            format!(
                "{MEETINGS}/getAllRecordings(meetingOrganizerUserId='u',%20endDateTime=2026-01-15T00:00:00Z)"
            ),
            200,
        ),
        (
            "/communications/getAllOnlineMeetingMessages()".to_owned(),
            200,
        ),
        // Without an organizer, with no time, with what is no parameter, with more behind it.
        (format!("{MEETINGS}/getAllRecordings"), 400),
        (format!("{MEETINGS}/getAllRecordings/delta"), 400),
        (
            format!("{MEETINGS}/getAllRecordings(meetingOrganizerUserId='u',endDateTime=soon)"),
            400,
        ),
        (format!("{MEETINGS}/getAllRecordings(organizer='u')"), 400),
        (format!("{MEETINGS}/getAllRecordings{ALL}/gamma"), 400),
    ] {
        let (found, answer) = ask(&site, Method::GET, &path, None).await;
        assert_eq!(found, status, "{path}: {answer}");
        if status == 200 {
            assert_eq!(answer["value"], json!([]), "{path}");
        }
        let next = answer["@odata.deltaLink"].as_str();
        assert_eq!(next.is_some(), status == 200 && path.contains("delta"));
        if let Some(next) = next {
            let request = site.http.get(next).bearer_auth(site.token().await);
            assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_virtual_appointment_is_checked_and_nothing_sent() {
    let site = Site::start().await;
    let (_, meeting) = ask(&site, Method::POST, MEETINGS, Some(json!({}))).await;
    let own = format!("{MEETINGS}/{}", meeting["id"].as_str().unwrap());
    let join = "getVirtualAppointmentJoinWebUrl()";
    let (status, url) = ask(&site, Method::GET, &format!("{own}/{join}"), None).await;
    assert_eq!((status, &url["value"]), (200, &meeting["joinWebUrl"]));
    let nobody = format!("{MEETINGS}/m/{join}");
    assert_eq!(ask(&site, Method::GET, &nobody, None).await.0, 404);

    let number =
        |number: &str| json!([{"phoneNumber": number, "timeZone": "Pacific Standard Time"}]);
    let good = number("+13129224122");
    let sms = |attendees: &Value, kind: &str| json!({"attendees": attendees, "messageType": kind});
    let reminder =
        |before: &str| json!({"attendees": good, "remindBeforeTimeInMinutesType": before});
    for (action, body, target) in [
        ("sendVirtualAppointmentSms", sms(&good, "reschedule"), None),
        (
            "sendVirtualAppointmentSms",
            sms(&good, "joke"),
            Some("messageType"),
        ),
        (
            "sendVirtualAppointmentSms",
            sms(&json!([]), "confirmation"),
            Some("attendees"),
        ),
        (
            "sendVirtualAppointmentSms",
            sms(&number("+31201234567"), "confirmation"),
            Some("attendees/0/phoneNumber"),
        ),
        (
            "sendVirtualAppointmentReminderSms",
            reminder("mins15"),
            None,
        ),
        (
            "sendVirtualAppointmentReminderSms",
            reminder("mins5"),
            Some("remindBeforeTimeInMinutesType"),
        ),
    ] {
        let path = format!("{own}/{action}");
        let (status, answer) = ask(&site, Method::POST, &path, Some(body)).await;
        let expected = if target.is_none() { 202 } else { 400 };
        assert_eq!(status, expected, "{action}: {answer}");
        assert_eq!(answer["error"]["target"].as_str(), target, "{action}");
    }
}

#[tokio::test]
async fn each_takes_its_documented_permission() {
    let site =
        Site::start_with(|config| config.with_roles(CLIENT, ["OnlineMeetings.Read.All"])).await;
    for (bound, name) in [
        ("onlineMeeting", "sendVirtualAppointmentSms"),
        ("onlineMeeting", "sendVirtualAppointmentReminderSms"),
        ("onlineMeeting", "getVirtualAppointmentJoinWebUrl"),
        ("[onlineMeeting]", "getAllRecordings"),
        ("[callTranscript]", "delta"),
        ("cloudCommunications", "getAllOnlineMeetingMessages"),
    ] {
        let method = match name.starts_with("send") {
            true => Method::POST,
            false => Method::GET,
        };
        let (status, _) = ask(&site, method, &path(bound, name), None).await;
        assert_eq!(status, 403, "{name}");
    }
}

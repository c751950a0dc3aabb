//! Actions and functions.

use http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use switchboard_signaling::request::meetings::{self, Between, Owner};
use switchboard_signaling::request::presence::{self, Whose};
use switchboard_signaling::request::{self, GraphRequest, InvalidRequest, Reply, participants};
use switchboard_signaling::types::*;

use crate::facts::{Operation, Schema};
use crate::types::Subject;

/// A request without the type of its response.
struct Sent {
    method: Method,
    path: String,
    body: Option<Value>,
    reply: &'static str,
}

type Outcome = Result<Sent, InvalidRequest>;

fn sent<T: Reply>(request: GraphRequest<T>) -> Outcome {
    Ok(Sent {
        method: request.method,
        path: request.path,
        body: request.body,
        reply: T::NAME,
    })
}

fn checked<T: Reply>(request: Result<GraphRequest<T>, InvalidRequest>) -> Outcome {
    sent(request?)
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>() -> T {
    "1".parse().unwrap()
}

fn read<T: DeserializeOwned>(body: &Value) -> T {
    T::deserialize(body).unwrap()
}

/// The request for an action or function with these parameters, and the type of its body.
fn request(bound: &str, name: &str, body: &Value) -> Option<(Outcome, Subject)> {
    match bound.trim_matches(['[', ']']) {
        "call" => call(name, body),
        "participant" => participant(name, body),
        "presence" | "cloudCommunications" => of_presence(name, body),
        "onlineMeeting" | "callRecording" | "callTranscript" => meeting(bound, name, body),
        _ => None,
    }
}

fn call(name: &str, body: &Value) -> Option<(Outcome, Subject)> {
    let mark = body["clientContext"].as_str();
    let marked = Subject::of::<ClientContextRequest>();
    let id = &id::<CallId>();
    Some(match name {
        "addLargeGalleryView" => (checked(request::add_large_gallery_view(id, mark)), marked),
        "cancelMediaProcessing" => (checked(request::cancel_media_processing(id, mark)), marked),
        "mute" => (checked(request::mute(id, mark)), marked),
        "subscribeToTone" => (checked(request::subscribe_to_tone(id, mark)), marked),
        "unmute" => (checked(request::unmute(id, mark)), marked),
        "keepAlive" => (sent(request::keep_alive(id)), marked),
        "answer" => with(body, |body| request::answer(id, body)),
        "playPrompt" => with(body, |body| request::play_prompt(id, body)),
        "recordResponse" => with(body, |body| request::record_response(id, body)),
        "redirect" => with(body, |body| request::redirect(id, body)),
        "reject" => with(body, |body| request::reject(id, body)),
        "sendDtmfTones" => with(body, |body| request::send_dtmf_tones(id, body)),
        "transfer" => with(body, |body| request::transfer(id, body)),
        "updateRecordingStatus" => with(body, |body| request::update_recording_status(id, body)),
        "changeScreenSharingRole" => with(body, |body: &ChangeScreenSharingRoleRequest| {
            request::change_screen_sharing_role(id, body.role.clone().unwrap())
        }),
        "logTeleconferenceDeviceQuality" => {
            with(body, |body: &LogTeleconferenceDeviceQualityRequest| {
                request::log_teleconference_device_quality(body.quality.as_ref().unwrap())
            })
        }
        _ => return None,
    })
}

/// A request made of its body.
fn with<B, T: Reply>(
    body: &Value,
    request: impl FnOnce(&B) -> Result<GraphRequest<T>, InvalidRequest>,
) -> (Outcome, Subject)
where
    B: DeserializeOwned + serde::Serialize + std::fmt::Debug,
{
    (checked(request(&read(body))), Subject::of::<B>())
}

fn participant(name: &str, body: &Value) -> Option<(Outcome, Subject)> {
    let mark = body["clientContext"].as_str();
    let marked = Subject::of::<ClientContextRequest>();
    let (call, id) = (&id::<CallId>(), &id::<ParticipantId>());
    Some(match name {
        "invite" => with(body, |body| participants::invite(call, body)),
        "mute" => (checked(participants::mute(call, id, mark)), marked),
        "startHoldMusic" => with(body, |body| participants::start_hold_music(call, id, body)),
        "stopHoldMusic" => (
            checked(participants::stop_hold_music(call, id, mark)),
            marked,
        ),
        _ => return None,
    })
}

fn of_presence(name: &str, body: &Value) -> Option<(Outcome, Subject)> {
    let owner = &Whose::User(id());
    let empty = Subject::of::<ClientContextRequest>();
    Some(match name {
        "clearAutomaticLocation" => (sent(presence::clear_automatic_location(owner)), empty),
        "clearLocation" => (sent(presence::clear_location(owner)), empty),
        "clearUserPreferredPresence" => (sent(presence::clear_user_preferred(owner)), empty),
        "getAllOnlineMeetingMessages" => (sent(meetings::get_all_messages()), empty),
        "clearPresence" => with(body, |body| presence::clear(owner, body)),
        "setAutomaticLocation" => with(body, |body| presence::set_automatic_location(owner, body)),
        "setManualLocation" => with(body, |body| presence::set_manual_location(owner, body)),
        "setPresence" => with(body, |body| presence::set(owner, body)),
        "setStatusMessage" => with(body, |body| presence::set_status_message(owner, body)),
        "setUserPreferredPresence" => with(body, |body| presence::set_user_preferred(owner, body)),
        "getPresencesByUserId" => with(body, |body: &GetPresencesByUserIdRequest| {
            let ids = body.ids.iter().flatten();
            let ids: Vec<UserId> = ids.map(|id| id.parse().unwrap()).collect();
            presence::get_by_user_id(&ids)
        }),
        _ => return None,
    })
}

fn meeting(bound: &str, name: &str, body: &Value) -> Option<(Outcome, Subject)> {
    let (owner, meeting) = (&Owner::User(id()), &id::<MeetingId>());
    let empty = Subject::of::<ClientContextRequest>();
    let organizer = body["meetingOrganizerUserId"].as_str().unwrap_or("text");
    let organizer: UserId = organizer.parse().unwrap();
    let time = |name: &str| body[name].as_str().map(str::to_owned);
    let between = Between {
        start_date_time: time("startDateTime"),
        end_date_time: time("endDateTime"),
    };
    Some(match (bound, name) {
        (_, "createOrGet") => with(body, |body| meetings::create_or_get(owner, body)),
        (_, "sendVirtualAppointmentSms") => with(body, |body| {
            meetings::send_virtual_appointment_sms(owner, meeting, body)
        }),
        (_, "sendVirtualAppointmentReminderSms") => with(body, |body| {
            meetings::send_virtual_appointment_reminder_sms(owner, meeting, body)
        }),
        (_, "getVirtualAppointmentJoinWebUrl") => {
            let request = meetings::get_virtual_appointment_join_web_url(owner, meeting);
            (sent(request), empty)
        }
        (_, "getAllRecordings") => (
            checked(meetings::get_all_recordings(&organizer, &between)),
            empty,
        ),
        (_, "getAllTranscripts") => (
            checked(meetings::get_all_transcripts(&organizer, &between)),
            empty,
        ),
        ("[callRecording]", "delta") => (
            checked(meetings::recordings_delta(&organizer, &between)),
            empty,
        ),
        ("[callTranscript]", "delta") => (
            checked(meetings::transcripts_delta(&organizer, &between)),
            empty,
        ),
        _ => return None,
    })
}

/// The types a response of this kind may be read as.
fn readable(schema: &Schema, returns: &str, reply: &str) -> bool {
    match returns {
        "-" => reply == "nothing",
        "String" => reply == "value",
        list if list.starts_with('[') => reply == "collection",
        object => schema.is_a(object, reply),
    }
}

fn parameters(schema: &Schema, operation: &Operation) -> Map<String, Value> {
    schema.members(&operation.parameters, 3)
}

#[test]
fn every_operation_can_be_sent_with_all_its_parameters() {
    let schema = Schema::read();
    for operation in &schema.operations {
        let what = format!("{}: {}", operation.bound, operation.name);
        let body = Value::Object(parameters(&schema, operation));
        let (outcome, subject) = request(&operation.bound, &operation.name, &body)
            .unwrap_or_else(|| panic!("no request for {what}"));
        let sent = outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(
            readable(&schema, &operation.returns, sent.reply),
            "{what}: {}",
            sent.reply
        );
        let end = sent.path.rsplit_once('/').unwrap().1;
        let end = end.split('(').next().unwrap();
        assert_eq!(end, operation.name, "{what}");
        if sent.method == Method::GET {
            for (name, value) in body.as_object().unwrap() {
                let value = value.as_str().unwrap();
                let plain = format!("{name}={value}");
                let quoted = format!("{name}='{value}'");
                assert!(
                    sent.path.contains(&plain) || sent.path.contains(&quoted),
                    "{what}: {name}"
                );
            }
            continue;
        }
        assert_eq!(sent.method, Method::POST, "{what}");
        assert_eq!(
            sent.body.unwrap_or_else(|| Value::Object(Map::new())),
            body,
            "{what}"
        );
        subject.walk(&what, &schema, &operation.parameters, &body);
    }
}

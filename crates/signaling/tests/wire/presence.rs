use switchboard_signaling::request::presence::{self, Whose};
use switchboard_signaling::types::{
    BodyType, ClearPresenceRequest, DateTimeTimeZone, ItemBody, PresenceStatusMessage,
    SetLocationRequest, SetPresenceRequest, SetStatusMessageRequest,
    SetUserPreferredPresenceRequest, WorkLocationType,
};

use crate::{USER, Wire, id};

fn user() -> Whose {
    Whose::User(id(USER))
}

#[test]
fn presence_is_read() {
    let mut wire = Wire::default();
    wire.sent("own", &presence::get(&Whose::Me));
    wire.sent("a user's", &presence::get(&user()));
    wire.sent(
        "a user's, by the other path",
        &presence::get(&Whose::Communications(id(USER))),
    );
    let users = [id(USER), id("66825e03-7ef5-42da-9069-724602c31f6b")];
    wire.checked("", presence::get_by_user_id(&users));
    insta::assert_snapshot!(wire.text());
}

#[test]
fn presence_is_set_and_cleared() {
    let mut wire = Wire::default();
    let session = "22553876-f5ab-4529-bffb-cfe50aa89f87".to_owned();
    let set = SetPresenceRequest {
        session_id: Some(session.clone()),
        availability: Some("Available".to_owned()),
        activity: Some("Available".to_owned()),
        expiration_duration: Some("PT1H".to_owned()),
        ..SetPresenceRequest::default()
    };
    wire.checked("", presence::set(&user(), &set));
    let clear = ClearPresenceRequest {
        session_id: Some(session),
        ..ClearPresenceRequest::default()
    };
    wire.checked("", presence::clear(&user(), &clear));
    let preferred = SetUserPreferredPresenceRequest {
        availability: Some("DoNotDisturb".to_owned()),
        activity: Some("DoNotDisturb".to_owned()),
        expiration_duration: Some("PT8H".to_owned()),
        ..SetUserPreferredPresenceRequest::default()
    };
    wire.checked("", presence::set_user_preferred(&user(), &preferred));
    wire.sent("", &presence::clear_user_preferred(&user()));
    insta::assert_snapshot!(wire.text());
}

#[test]
fn status_messages_and_locations_are_set() {
    let mut wire = Wire::default();
    let message = PresenceStatusMessage {
        message: Some(ItemBody {
            content: Some("In a meeting".to_owned()),
            content_type: Some(BodyType::Text),
            ..ItemBody::default()
        }),
        expiry_date_time: Some(DateTimeTimeZone {
            date_time: Some("2022-10-18T17:05:33.2079781".to_owned()),
            time_zone: Some("Pacific Standard Time".to_owned()),
            ..DateTimeTimeZone::default()
        }),
        ..PresenceStatusMessage::default()
    };
    let status = SetStatusMessageRequest {
        status_message: Some(message),
        ..SetStatusMessageRequest::default()
    };
    wire.checked("", presence::set_status_message(&user(), &status));
    let office = SetLocationRequest {
        work_location_type: Some(WorkLocationType::Office),
        place_id: Some("eb706f15-137e-4722-b4d1-b601481d9251".to_owned()),
        ..SetLocationRequest::default()
    };
    wire.checked("", presence::set_manual_location(&Whose::Me, &office));
    wire.checked("", presence::set_automatic_location(&user(), &office));
    wire.sent("", &presence::clear_location(&user()));
    wire.sent("", &presence::clear_automatic_location(&user()));
    insta::assert_snapshot!(wire.text());
}

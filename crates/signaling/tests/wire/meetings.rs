use switchboard_signaling::request::meetings::{self, Between, Owner};
use switchboard_signaling::types::{
    AttendeeNotificationInfo, BroadcastMeetingAudience, BroadcastMeetingSettings,
    CreateOrGetRequest, Identity, IdentitySet, JoinMeetingIdSettings, LobbyBypassScope,
    LobbyBypassSettings, MeetingId, MeetingParticipantInfo, MeetingParticipants, OnlineMeeting,
    OnlineMeetingRole, RemindBeforeTimeInMinutesType, SendVirtualAppointmentReminderSmsRequest,
    SendVirtualAppointmentSmsRequest, VirtualAppointmentMessageType,
};

use crate::{USER, Wire, id};

fn meeting_id() -> MeetingId {
    id("MSpkYzE3Njc0Yy04MWQ5LTRhZGItYmZi")
}

fn user() -> Owner {
    Owner::User(id(USER))
}

fn plan(subject: &str) -> OnlineMeeting {
    OnlineMeeting {
        start_date_time: Some("2019-07-12T14:30:34.2444915-07:00".to_owned()),
        end_date_time: Some("2019-07-12T15:00:34.2464912-07:00".to_owned()),
        subject: Some(subject.to_owned()),
        ..OnlineMeeting::default()
    }
}

#[test]
fn meetings_are_created() {
    let mut wire = Wire::default();
    let meeting = plan("User Token Meeting");
    wire.checked("delegated", meetings::create(&Owner::Me, &meeting));
    let with_passcode = OnlineMeeting {
        join_meeting_id_settings: Some(JoinMeetingIdSettings {
            is_passcode_required: Some(true),
            ..JoinMeetingIdSettings::default()
        }),
        ..meeting
    };
    wire.checked(
        "with a passcode, for a user",
        meetings::create(&user(), &with_passcode),
    );
    let live = OnlineMeeting {
        is_broadcast: Some(true),
        broadcast_settings: Some(BroadcastMeetingSettings {
            allowed_audience: Some(BroadcastMeetingAudience::Everyone),
            is_recording_enabled: Some(true),
            is_attendee_report_enabled: Some(true),
            ..BroadcastMeetingSettings::default()
        }),
        ..plan("User Token Live Event")
    };
    wire.checked("a live event", meetings::create(&Owner::Me, &live));

    let attendee = MeetingParticipantInfo {
        identity: Some(IdentitySet::user(Identity::new(USER))),
        role: Some(OnlineMeetingRole::Attendee),
        upn: Some("test1@contoso.com".to_owned()),
        ..MeetingParticipantInfo::default()
    };
    let own = CreateOrGetRequest {
        external_id: Some("7eb8263f-d0e0-4149-bb1c-1f0476083c56".to_owned()),
        start_date_time: Some("2020-02-06T01:49:21.3524945+00:00".to_owned()),
        end_date_time: Some("2020-02-06T02:19:21.3524945+00:00".to_owned()),
        subject: Some("Create a meeting with customId provided".to_owned()),
        participants: Some(MeetingParticipants {
            attendees: Some(vec![attendee]),
            ..MeetingParticipants::default()
        }),
        ..CreateOrGetRequest::default()
    };
    wire.checked("", meetings::create_or_get(&Owner::Me, &own));
    wire.checked("for a user", meetings::create_or_get(&user(), &own));
    insta::assert_snapshot!(wire.text());
}

#[test]
fn meetings_are_found_changed_and_deleted() {
    let mut wire = Wire::default();
    for owner in [Owner::Me, user()] {
        wire.sent("by id", &meetings::get(&owner, &meeting_id()));
        let url = "https://teams.microsoft.com/l/meetup-join/19%3ameeting@thread.v2/0?context=%7b%22Tid%22%3a%22t%22%7d";
        wire.sent("by join URL", &meetings::find_by_join_web_url(&owner, url));
        wire.sent(
            "by join id",
            &meetings::find_by_join_meeting_id(&owner, "1234567890"),
        );
    }
    let below = meetings::get(&Owner::Communications, &meeting_id());
    wire.sent("by id", &below);
    wire.sent(
        "by VTC id",
        &meetings::find_by_video_teleconference_id("123456789"),
    );
    wire.checked(
        "the times",
        meetings::update(&Owner::Me, &meeting_id(), &plan("Patch")),
    );
    let lobby = OnlineMeeting {
        lobby_bypass_settings: Some(LobbyBypassSettings {
            scope: Some(LobbyBypassScope::Everyone),
            is_dial_in_bypass_enabled: Some(true),
            ..LobbyBypassSettings::default()
        }),
        ..OnlineMeeting::default()
    };
    wire.checked(
        "the lobby",
        meetings::update(&user(), &meeting_id(), &lobby),
    );
    wire.sent("", &meetings::delete(&user(), &meeting_id()));
    insta::assert_snapshot!(wire.text());
}

#[test]
fn what_is_kept_of_meetings() {
    let mut wire = Wire::default();
    let report = id("c9b6db1c-d5eb-427d-a5c0-20088d9b22d7");
    wire.sent(
        "",
        &meetings::list_attendance_reports(&Owner::Me, &meeting_id()),
    );
    wire.sent(
        "",
        &meetings::get_attendance_report(&user(), &meeting_id(), &report),
    );
    wire.sent(
        "",
        &meetings::list_attendance_records(&user(), &meeting_id(), &report),
    );
    let january = Between {
        start_date_time: Some("2024-01-15T00:00:00Z".to_owned()),
        end_date_time: Some("2024-01-31T00:00:00Z".to_owned()),
    };
    wire.checked("", meetings::get_all_recordings(&id(USER), &january));
    wire.checked(
        "all",
        meetings::get_all_transcripts(&id(USER), &Between::default()),
    );
    wire.checked(
        "",
        meetings::recordings_delta(&id(USER), &Between::default()),
    );
    wire.checked("", meetings::transcripts_delta(&id(USER), &january));
    wire.sent("", &meetings::get_all_messages());
    insta::assert_snapshot!(wire.text());
}

#[test]
fn appointments_are_told_of() {
    let mut wire = Wire::default();
    let attendees = || {
        Some(vec![AttendeeNotificationInfo {
            phone_number: Some("+13129224122".to_owned()),
            time_zone: Some("Pacific Standard Time".to_owned()),
            ..AttendeeNotificationInfo::default()
        }])
    };
    let confirmation = SendVirtualAppointmentSmsRequest {
        attendees: attendees(),
        message_type: Some(VirtualAppointmentMessageType::Confirmation),
        ..SendVirtualAppointmentSmsRequest::default()
    };
    let sent = meetings::send_virtual_appointment_sms(&Owner::Me, &meeting_id(), &confirmation);
    wire.checked("", sent);
    let reminder = SendVirtualAppointmentReminderSmsRequest {
        attendees: attendees(),
        remind_before_time_in_minutes_type: Some(RemindBeforeTimeInMinutesType::Mins15),
        ..SendVirtualAppointmentReminderSmsRequest::default()
    };
    let sent = meetings::send_virtual_appointment_reminder_sms(&user(), &meeting_id(), &reminder);
    wire.checked("", sent);
    wire.sent(
        "",
        &meetings::get_virtual_appointment_join_web_url(&user(), &meeting_id()),
    );
    insta::assert_snapshot!(wire.text());
}

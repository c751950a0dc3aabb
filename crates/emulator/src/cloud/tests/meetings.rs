//! Online meetings: planned, found, changed, joined and reported on.
#![allow(clippy::unwrap_used)]

use switchboard_signaling::types::{JoinAddress, OnlineMeeting};

use super::*;

fn organizer() -> Owner {
    Owner::User("organizer-1".into())
}

impl Scene {
    fn meeting(&mut self, body: Value) -> Result<OnlineMeeting, Fault> {
        let request = serde_json::from_value(body).unwrap();
        let now = self.now;
        self.cloud.create_meeting(APP, &organizer(), request, now)
    }

    fn join(&mut self, info: &Value, chat: &Value) -> Result<Reply, Fault> {
        self.create(json!({"callbackUri": "http://127.0.0.1:3978/api/calls",
            "requestedModalities": ["audio"], "mediaConfig": service_media(),
            "tenantId": "tenant-1", "meetingInfo": info, "chatInfo": chat}))
    }
}

#[test]
fn a_new_meeting_can_be_found_in_every_documented_way() {
    let mut scene = Scene::new();
    let body = json!({"subject": "Incident", "startDateTime": "2026-06-01T14:30:00+02:00",
        "participants": {"attendees": [{"identity": {"user": {"id": "guest-1"}}}]}});
    let meeting = scene.meeting(body).unwrap();
    assert_eq!(
        meeting.start_date_time.as_deref(),
        Some("2026-06-01T12:30:00Z")
    );
    assert_eq!(
        meeting.end_date_time.as_deref(),
        Some("2026-06-01T13:30:00Z")
    );
    let id = meeting.id.clone().unwrap();
    assert!(
        id.parse::<switchboard_signaling::types::MeetingId>()
            .is_ok()
    );
    let url = meeting.join_web_url.clone().unwrap();
    let address: JoinAddress = url.parse().unwrap();
    assert_eq!(address.organizer_id, "organizer-1");
    assert_eq!(
        Some(address.thread_id),
        meeting.chat_info.as_ref().unwrap().thread_id
    );
    let settings = meeting.join_meeting_id_settings.clone().unwrap();
    assert_eq!(settings.passcode, None);
    let conference = meeting.video_teleconference_id.clone().unwrap();
    for filter in [
        Filter::JoinWebUrl(url),
        Filter::JoinMeetingId(settings.join_meeting_id.unwrap()),
        Filter::VideoTeleconferenceId(conference),
    ] {
        let found = scene
            .cloud
            .find_meetings(APP, &organizer(), &filter)
            .unwrap();
        assert_eq!(found, std::slice::from_ref(&meeting), "{filter:?}");
        let other = Owner::User("someone-else".into());
        assert!(
            scene
                .cloud
                .find_meetings(APP, &other, &filter)
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            scene
                .cloud
                .find_meetings(APP, &Owner::All, &filter)
                .unwrap()
                .len(),
            1
        );
    }
    let invited = Owner::User("guest-1".into());
    assert!(scene.cloud.get_meeting(APP, &invited, &id).is_ok());
    let fault = scene.cloud.delete_meeting(APP, &invited, &id).unwrap_err();
    assert_eq!(fault.status.as_u16(), 404);
    scene.cloud.delete_meeting(APP, &organizer(), &id).unwrap();
    assert!(scene.cloud.get_meeting(APP, &organizer(), &id).is_err());
}

#[test]
fn an_external_id_is_one_meeting_for_each_user() {
    let mut scene = Scene::new();
    let request = || serde_json::from_value(json!({"externalId": "e", "subject": "s"})).unwrap();
    let now = scene.now;
    let mut ask = |owner: &str| {
        let owner = Owner::User(owner.into());
        let (new, meeting) = scene
            .cloud
            .create_or_get(APP, &owner, request(), now)
            .unwrap();
        (new, meeting.id.unwrap())
    };
    let (first, again, other) = (ask("a"), ask("a"), ask("b"));
    assert_eq!((first.0, again.0, other.0), (true, false, true));
    assert_eq!(first.1, again.1);
    assert_ne!(first.1, other.1);
}

#[test]
fn meetings_are_checked() {
    let mut scene = Scene::new();
    let id = scene.meeting(json!({})).unwrap().id.unwrap();
    for (body, target) in [
        (
            json!({"endDateTime": "2026-06-01T14:30:00Z"}),
            "startDateTime",
        ),
        (json!({"startDateTime": "soon"}), "startDateTime"),
        (
            json!({"startDateTime": "2026-06-01T14:30:00Z", "endDateTime": "2026-06-01T14:00:00Z"}),
            "endDateTime",
        ),
        (
            json!({"joinMeetingIdSettings": {"passcode": "mine"}}),
            "joinMeetingIdSettings/passcode",
        ),
    ] {
        let fault = scene.meeting(body.clone()).unwrap_err();
        assert_eq!(fault.target.as_deref(), Some(target), "{body}");
    }
    for (body, target) in [
        (
            json!({"startDateTime": "2026-06-01T14:30:00Z"}),
            "endDateTime",
        ),
        (
            json!({"participants": {"organizer": {"upn": "x"}}}),
            "participants/organizer",
        ),
    ] {
        let changes = serde_json::from_value(body).unwrap();
        let fault = scene
            .cloud
            .update_meeting(APP, &organizer(), &id, changes)
            .unwrap_err();
        assert_eq!(fault.target.as_deref(), Some(target));
    }
    let changes = json!({"subject": "new", "joinMeetingIdSettings": {"isPasscodeRequired": true}});
    let changes = serde_json::from_value(changes).unwrap();
    let changed = scene
        .cloud
        .update_meeting(APP, &organizer(), &id, changes)
        .unwrap();
    assert_eq!(changed.subject.as_deref(), Some("new"));
    let passcode = changed.join_meeting_id_settings.unwrap().passcode.unwrap();
    assert_eq!(passcode.expose().len(), 6);
}

#[test]
fn a_bot_joins_by_organizer_by_token_and_by_join_id() {
    let mut scene = Scene::new();
    let body = json!({"joinMeetingIdSettings": {"isPasscodeRequired": true}});
    let meeting = scene.meeting(body).unwrap();
    let settings = meeting.join_meeting_id_settings.clone().unwrap();
    let (id, passcode) = (
        settings.join_meeting_id.unwrap(),
        settings.passcode.unwrap(),
    );
    let thread = meeting.chat_info.clone().unwrap().thread_id.unwrap();
    let by_organizer = |who: &str| {
        json!({"@odata.type": "#microsoft.graph.organizerMeetingInfo",
            "organizer": {"user": {"id": who}}})
    };
    let by_id = |passcode: &str| {
        json!({"@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
            "joinMeetingId": id, "passcode": passcode})
    };
    let chat = json!({"threadId": thread, "messageId": "0"});
    let no_chat = json!({});
    let refused = scene
        .join(&by_organizer("someone-else"), &chat)
        .unwrap_err();
    assert_eq!(refused.status.as_u16(), 404);
    let refused = scene
        .join(&by_organizer("organizer-1"), &no_chat)
        .unwrap_err();
    assert_eq!(refused.target.as_deref(), Some("chatInfo/threadId"));
    assert_eq!(
        scene
            .join(&by_id("wrong"), &no_chat)
            .unwrap_err()
            .status
            .as_u16(),
        403
    );
    assert!(scene.cloud.rooms.is_empty());

    let token = json!({"@odata.type": "#microsoft.graph.tokenMeetingInfo", "token": meeting.id});
    let mut calls = Vec::new();
    for (info, chat) in [
        (by_organizer("organizer-1"), chat),
        (token, no_chat.clone()),
        (by_id(passcode.expose()), no_chat),
    ] {
        let Reply::Created(call) = scene.join(&info, &chat).unwrap() else {
            panic!()
        };
        assert_eq!(
            call.chat_info.as_ref().unwrap().thread_id.as_ref(),
            Some(&thread)
        );
        let shown = serde_json::to_string(&call).unwrap();
        assert!(!shown.contains(passcode.expose()));
        calls.push(call.id.unwrap());
    }
    let room = scene.cloud.rooms.keys().next().cloned().unwrap();
    for seat in 0..3 {
        scene.report_room(&room, RoomReport::Connected { seat });
    }
    for call in &calls {
        assert_eq!(scene.rosters(call).pop().unwrap().len(), 3);
    }
}

#[test]
fn phones_are_offered_bots_and_meetings_to_dial() {
    let mut scene = Scene::new();
    let meeting = scene.meeting(json!({"subject": "Stand-up"})).unwrap();
    scene.meeting(json!({})).unwrap();
    let names = |scene: &Scene| -> Vec<String> {
        let targets = scene.cloud.targets().into_iter();
        targets.map(|target| target.name).collect()
    };
    let mut offered = names(&scene);
    offered.sort();
    assert_eq!(offered, ["Bot", "Meeting", "Stand-up"]);
    let targets = scene.cloud.targets();
    let board = targets.iter().find(|one| one.name == "Stand-up").unwrap();
    assert_eq!(Some(&board.target), meeting.join_web_url.as_ref());

    // Several bots are told apart; one without a webhook can't be called.
    for (id, webhook) in [("app-2", Some("http://127.0.0.1:3979/")), ("app-3", None)] {
        let webhook = webhook.map(|url| Url::parse(url).unwrap());
        let tenant = "tenant-1".to_owned();
        scene
            .cloud
            .register_app(id, Registration { tenant, webhook });
    }
    let bots: Vec<_> = scene.cloud.targets().into_iter().take(2).collect();
    assert_eq!(bots[1].name, "Bot app-2");
    assert_eq!(names(&scene).len(), 4);
    let (target, sdp) = (bots[1].target.clone(), SDP.to_owned());
    let caller = scene.caller.clone();
    scene.say(&caller, PhoneCommand::Dial { target, sdp });
    assert!(scene.types_told(&caller).ends_with(&["dialing", "state"]));
}

#[test]
fn phones_dial_into_a_meeting_and_its_end_is_reported_on() {
    let mut scene = Scene::new();
    let wall = time::OffsetDateTime::UNIX_EPOCH;
    scene.cloud.meetings = Meetings::default();
    let now = scene.now;
    scene.cloud = std::mem::replace(&mut scene.cloud, Cloud::new(0)).dated(now, wall);
    let meeting = scene.meeting(json!({"subject": "Stand-up"})).unwrap();
    let id = meeting.id.unwrap();
    let target = meeting
        .join_meeting_id_settings
        .unwrap()
        .join_meeting_id
        .unwrap();
    let (caller, agent) = (scene.caller.clone(), scene.agent.clone());
    let dial = |target: &str| PhoneCommand::Dial {
        target: target.to_owned(),
        sdp: SDP.into(),
    };
    scene.say(&caller, dial("000000000000"));
    assert_eq!(scene.last_told(&caller)["type"], "error");
    scene.say(&caller, dial(&target));
    scene.say(&agent, dial(&meeting.join_web_url.unwrap()));
    let room = scene.cloud.rooms.keys().next().cloned().unwrap();
    for seat in [0, 1] {
        let sdp = "answer".to_owned();
        scene.report_room(&room, RoomReport::Hosted { seat, sdp });
    }
    assert_eq!(scene.last_told(&caller)["with"]["name"], "Stand-up");
    scene.wait(60);
    let reports = scene
        .cloud
        .attendance_reports(APP, &organizer(), &id)
        .unwrap();
    assert!(reports.is_empty());
    scene.say(&agent, PhoneCommand::Hangup { call: room.clone() });
    assert_eq!(scene.cloud.rooms.len(), 1, "meetings go on with one");
    scene.wait(60);
    scene.cloud.phone_gone(&caller, scene.now);
    scene.settle();
    assert!(scene.cloud.rooms.is_empty());
    let reports = scene
        .cloud
        .attendance_reports(APP, &organizer(), &id)
        .unwrap();
    let [report] = reports.as_slice() else {
        panic!()
    };
    assert_eq!(report.total_participant_count, Some(2));
    assert_eq!(
        report.meeting_end_date_time.as_deref(),
        Some("1970-01-01T00:02:00Z")
    );
    assert_eq!(report.attendance_records, None);
    let report = report.id.as_deref().unwrap();
    let records = scene
        .cloud
        .attendance_records(APP, &organizer(), &id, report)
        .unwrap();
    let mut seconds: Vec<_> = records
        .iter()
        .map(|one| one.total_attendance_in_seconds)
        .collect();
    seconds.sort_unstable();
    assert_eq!(seconds, [Some(60), Some(120)]);
}

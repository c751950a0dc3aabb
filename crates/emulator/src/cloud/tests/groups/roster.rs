//! Who is hidden from the roster or outside the mix, and who records.

use super::*;

impl Group {
    /// The third phone comes, invited with `more` besides; its seat is the fourth.
    fn third_comes(&mut self, more: &Value) -> String {
        let mut person = user(&self.phones[2]);
        for (name, value) in more.as_object().unwrap() {
            person[name] = value.clone();
        }
        let operation = operation_of(self.invite(&json!([person])).unwrap());
        self.takes(2, 3);
        operation.participants.unwrap()[0]
            .participant_id
            .clone()
            .unwrap()
    }

    fn listed(&mut self) -> Vec<Participant> {
        match self.operate(Operation::ListParticipants).unwrap() {
            Reply::Participants(people) => people,
            _ => panic!(),
        }
    }

    fn records(&mut self, status: &str) -> Result<Reply, Fault> {
        let body = json!({"status": status});
        self.operate(operation("updateRecordingStatus", body))
    }
}

#[test]
fn who_is_hidden_is_in_the_call_and_on_no_roster() {
    let mut group = Group::met(&service_media());
    let before = group.scene.rosters(&group.call).len();
    let hidden = group.third_comes(&json!({"hidden": true}));
    assert_eq!(group.scene.asked().last(), Some(&("Host", 3)));
    let last = &group.scene.notified.last().unwrap()["resourceData"];
    assert_eq!(last["status"], "completed");
    assert_eq!(group.scene.rosters(&group.call).len(), before);
    assert_eq!(group.listed().len(), 3);
    let read = group.operate(Operation::GetParticipant(hidden));
    assert_eq!(read.unwrap_err().status.as_u16(), 404);
    // People see who is there all the same.
    let (_, names) = group.names_told(0);
    assert!(names.contains(&"Third".to_owned()), "{names:?}");

    let first = group.participant(0);
    let mark = serde_json::from_value(json!({})).unwrap();
    let mute = Operation::MuteParticipant(first, mark);
    group.operate(mute).unwrap();
    let roster = group.last_roster();
    assert_eq!(roster.len(), 3);
    assert_eq!(roster[0].roster_sequence_number, Some(4));
    let before = group.scene.rosters(&group.call).len();
    let call = group.room.clone();
    let third = group.phones[2].clone();
    group.scene.say(&third, PhoneCommand::Hangup { call });
    assert_eq!(group.scene.rosters(&group.call).len(), before);
    let (_, names) = group.names_told(0);
    assert!(!names.contains(&"Third".to_owned()), "{names:?}");
}

#[test]
fn a_hidden_application_is_told_who_is_there() {
    let mut group = Group::met(&service_media());
    let target = json!({"identity": {"application": {"id": OTHER}}, "hidden": true});
    group.invite(&json!([target])).unwrap();
    let incoming = group.scene.notified.last().unwrap()["resourceData"].clone();
    let call = incoming["id"].as_str().unwrap().to_owned();
    let body = operation("answer", answer(&service_media()));
    let now = group.scene.now;
    let answered = group.scene.cloud.operate(OTHER, &call, body, now);
    answered.unwrap();
    group.scene.settle();
    let before = group.scene.rosters(&group.call).len();
    let room = group.room.clone();
    group
        .scene
        .report_room(&room, RoomReport::Connected { seat: 3 });
    let told: Vec<_> = group.scene.rosters(&call).iter().map(Vec::len).collect();
    assert_eq!(told, [3]);
    assert_eq!(group.scene.rosters(&group.call).len(), before);
}

#[test]
fn who_is_invited_may_be_left_out_of_the_mix() {
    let mut group = Group::met(&service_media());
    group.third_comes(&json!({"removeFromDefaultAudioRoutingGroup": true}));
    let asked = group.scene.asked();
    assert_eq!(asked[asked.len() - 2..], [("Outside", 3), ("Host", 3)]);
    assert_eq!(group.last_roster().len(), 4);
    let left_out = asked.iter().filter(|(what, _)| *what == "Outside");
    assert_eq!(left_out.count(), 1);
}

#[test]
fn a_bot_may_leave_itself_out_of_the_mix() {
    for (mut media, enters) in [(service_media(), "Serve"), (own_media(), "Call")] {
        for leaves in [true, false] {
            media["removeFromDefaultAudioGroup"] = json!(leaves);
            let group = Group::new(&media);
            let asked = [("Outside", 0), (enters, 0)];
            assert_eq!(group.scene.asked(), asked[usize::from(!leaves)..]);
        }
    }
}

#[test]
fn what_a_bot_says_of_its_recording_is_on_the_roster() {
    let mut group = Group::met(&own_media());
    assert!(
        group
            .last_roster()
            .iter()
            .all(|one| one.recording_info.is_none())
    );
    for (status, told) in [("recording", 4), ("notRecording", 5)] {
        let reply = group.records(status).unwrap();
        assert_eq!(operation_of(reply).status.unwrap().as_str(), "completed");
        let roster = group.last_roster();
        assert_eq!(roster[0].roster_sequence_number, Some(told));
        let info = roster[0].recording_info.clone().unwrap();
        assert_eq!(info.recording_status.unwrap().as_str(), status);
        let initiator = info.initiator.unwrap().application.unwrap();
        assert_eq!(initiator.id.as_deref(), Some(APP));
        assert!(roster[1..].iter().all(|one| one.recording_info.is_none()));
        assert_eq!(group.listed()[0].recording_info, roster[0].recording_info);
    }
    let refused = group.records("unknown").unwrap_err();
    assert_eq!(refused.target.as_deref(), Some("status"));
}

#[test]
fn between_two_the_list_of_participants_says_who_records() {
    let (mut scene, call) = Scene::established(&own_media());
    let body = good("updateRecordingStatus");
    scene.operate(&call, "updateRecordingStatus", body).unwrap();
    let operation = Operation::ListParticipants;
    let listed = scene.cloud.operate(APP, &call, operation, scene.now);
    let Ok(Reply::Participants(people)) = listed else {
        panic!()
    };
    let info = people[0].recording_info.clone().unwrap();
    assert_eq!(info.recording_status.unwrap().as_str(), "recording");
    assert!(people[1].recording_info.is_none());
}

//! Transfers and recordings in group calls.

use super::*;

impl Group {
    /// Asks to transfer the first phone to the third.
    fn transfer(&mut self) {
        let transferee = self.participant(0);
        let body = json!({"transferTarget": user(&self.phones[2]),
            "transferee": {"participantId": transferee}});
        self.operate(operation("transfer", body)).unwrap();
    }

    fn accepts(&mut self, phone: usize) {
        let (call, sdp) = (self.call.clone(), SDP.to_owned());
        let phone = self.phones[phone].clone();
        self.scene.say(&phone, PhoneCommand::Accept { call, sdp });
    }

    fn hosted(&mut self, leg: Leg) {
        let sdp = "answer".to_owned();
        let report = MediaReport::Hosted { leg, sdp };
        self.scene.report(&self.call.clone(), report);
    }

    fn told(&self, phone: usize) -> &Value {
        self.scene.last_told(&self.phones[phone])
    }
}

#[test]
fn who_is_transferred_leaves_the_room_and_so_does_the_bot() {
    let mut group = Group::met(&service_media());
    group.transfer();
    assert_eq!(group.told(0)["state"], "transferring");
    assert_eq!(group.told(2)["reason"], "transfer");
    assert_eq!(group.told(2)["from"]["name"], "Caller");
    group.accepts(2);
    assert_eq!(group.scene.media, ["Host(Agent)"]);
    assert_eq!(group.last_roster().len(), 3, "nobody has left before");
    group.hosted(Leg::Agent);
    assert_eq!(group.told(0)["type"], "incoming");
    assert_eq!(group.told(0)["from"]["name"], "Third");
    assert_eq!(group.last_roster().len(), 2);
    group.accepts(0);
    group.hosted(Leg::Caller);
    assert_eq!(
        group.scene.media,
        ["Host(Agent)", "Host(Caller)", "Bridge", "LeaveBot"]
    );
    assert_eq!(
        group.scene.states()[2..],
        ["transferring", "transferAccepted", "terminated"]
    );
    let result = &group.scene.notified.last().unwrap()["resourceData"]["resultInfo"];
    assert_eq!(result["subcode"], 7015);
    assert_eq!(group.told(0)["with"]["name"], "Third");
    assert_eq!(group.told(2)["with"]["name"], "Caller");
    // Nobody is left alone in a group call.
    assert_eq!(group.told(1)["type"], "ended");
    assert!(group.scene.cloud.rooms.is_empty());
    let call = group.call.clone();
    let third = group.phones[2].clone();
    group.scene.say(&third, PhoneCommand::Hangup { call });
    assert_eq!(group.told(0)["type"], "ended");
    assert_eq!(group.scene.cloud.counts().1, 0);
}

#[test]
fn a_transfer_from_a_group_names_who_is_transferred() {
    let mut group = Group::met(&service_media());
    let (first, third) = (group.phones[0].clone(), group.phones[2].clone());
    let roster = group.last_roster();
    let bot = roster[0].id.clone().unwrap();
    for transferee in [
        Value::Null,
        json!({}),
        json!({"participantId": "nobody"}),
        json!({"participantId": bot}),
        user(&third),
    ] {
        let body = json!({"transferTarget": user(&third), "transferee": transferee});
        let fault = group.operate(operation("transfer", body)).unwrap_err();
        assert_eq!(fault.status.as_u16(), 400, "{transferee}");
    }
    let body = json!({"transferTarget": user(&third), "transferee": user(&first)});
    group.operate(operation("transfer", body)).unwrap();
    assert_eq!(group.told(0)["state"], "transferring");
}

#[test]
fn a_failed_transfer_leaves_the_bot_in_the_group() {
    for how in [
        "declined",
        "unanswered",
        "target's audio",
        "transferee is gone",
        "transferee declines",
        "transferee's audio",
    ] {
        let mut group = Group::met(&service_media());
        let call = group.call.clone();
        let decline = |call| PhoneCommand::Decline { call };
        let (first, third) = (group.phones[0].clone(), group.phones[2].clone());
        let failed = |leg| MediaReport::HostFailed {
            leg,
            why: "x".to_owned(),
        };
        group.transfer();
        match how {
            "declined" => group.scene.say(&third, decline(call.clone())),
            "unanswered" => group.scene.wait(60),
            "target's audio" => {
                group.accepts(2);
                group.scene.report(&call, failed(Leg::Agent));
            }
            "transferee is gone" => {
                group.accepts(2);
                let room = group.room.clone();
                group.scene.say(&first, PhoneCommand::Hangup { call: room });
                group.hosted(Leg::Agent);
            }
            "transferee declines" => {
                group.accepts(2);
                group.hosted(Leg::Agent);
                group.scene.say(&first, decline(call.clone()));
            }
            _ => {
                group.accepts(2);
                group.hosted(Leg::Agent);
                group.accepts(0);
                group.scene.report(&call, failed(Leg::Caller));
            }
        }
        let last = group.scene.states().pop().unwrap().to_owned();
        assert_eq!(last, "established", "{how}");
        let change = group.scene.notified.iter().rev();
        let code = |one: &&Value| one["resourceData"]["resultInfo"]["subcode"] == 7000;
        assert!(change.clone().any(|one| code(&one)), "{how}");
        assert_eq!(group.told(2)["type"], "ended", "{how}");
        let stays = matches!(how, "declined" | "unanswered" | "target's audio");
        let expected = if stays { "state" } else { "ended" };
        assert_eq!(group.told(0)["type"], expected, "{how}");
        assert_eq!(
            group.last_roster().len(),
            if stays { 3 } else { 2 },
            "{how}"
        );
        // It can be done again, to somebody who is there.
        if stays {
            group.transfer();
            assert_eq!(group.told(2)["type"], "incoming", "{how}");
        }
    }
}

#[test]
fn a_failed_transfer_of_the_last_one_ends_the_call() {
    let mut group = Group::met(&service_media());
    let (first, second) = (group.phones[0].clone(), group.phones[1].clone());
    group.transfer();
    group.accepts(2);
    let room = group.room.clone();
    group
        .scene
        .say(&second, PhoneCommand::Hangup { call: room });
    group.hosted(Leg::Agent);
    let call = group.call.clone();
    group.scene.say(&first, PhoneCommand::Decline { call });
    assert_eq!(group.scene.states().pop(), Some("terminated"));
    assert!(group.scene.cloud.rooms.is_empty());
    assert_eq!(group.scene.cloud.counts().1, 0);
    assert!(
        group
            .phones
            .iter()
            .all(|phone| group.scene.cloud.phones[phone].call.is_none())
    );
}

#[test]
fn a_bot_that_ends_its_call_in_a_transfer_lets_go_of_both() {
    let mut group = Group::met(&service_media());
    group.transfer();
    group.accepts(2);
    group.hosted(Leg::Agent);
    group.operate(Operation::Delete).unwrap();
    for phone in [0, 2] {
        assert_eq!(group.told(phone)["type"], "ended");
    }
    assert_eq!(group.scene.media.last(), Some(&"End"));
    assert_eq!(group.scene.cloud.counts().1, 0);
    let free = |phone: &String| group.scene.cloud.phones[phone].call.is_none();
    assert!(group.phones.iter().all(free));
}

#[test]
fn what_a_bot_records_in_a_group_is_asked_of_its_seat() {
    let mut group = Group::met(&service_media());
    let body = json!({"stopTones": ["#"], "clientContext": "c"});
    let reply = group.operate(operation("recordResponse", body)).unwrap();
    let started = operation_of(reply);
    let (_, RoomAction::Record { seat: 0, task, .. }) = group.scene.seated.last().unwrap() else {
        panic!()
    };
    let (task, end) = (task.clone(), RecordEnd::StopTone);
    let clip = Some(Clip {
        location: "http://127.0.0.1/clip".to_owned(),
        token: zeroize::Zeroizing::new("token".to_owned()),
    });
    let report = RoomReport::Recorded { task, end, clip };
    group.scene.report_room(&group.room.clone(), report);
    let over = &group.scene.notified.last().unwrap()["resourceData"];
    assert_eq!(over["id"], started.id.unwrap());
    assert_eq!(over["resultInfo"]["subcode"], 8514);
    assert_eq!(over["recordingLocation"], "http://127.0.0.1/clip");
    let mut own = Group::met(&own_media());
    let refused = own
        .operate(operation("recordResponse", json!({})))
        .unwrap_err();
    assert_eq!(refused.status.as_u16(), 400);
}

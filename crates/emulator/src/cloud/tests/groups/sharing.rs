//! What is shared, who hears whom privately, and calls that take the place of others.
#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn what_is_shared_is_told_to_those_who_asked() {
    let mut scene = Scene::new();
    let phones = [scene.caller.clone(), scene.agent.clone()];
    let body = json!({"targets": [user(&phones[0]), user(&phones[1])],
        "callOptions": {"isContentSharingNotificationEnabled": true}});
    let call = id_of(scene.create(new_call(&own_media(), &body)).unwrap());
    let room = scene.cloud.rooms.keys().next().cloned().unwrap();
    scene.report_room(&room, RoomReport::Connected { seat: 0 });
    let role = |role: &str| {
        Operation::ChangeScreenSharingRole(serde_json::from_value(json!({"role": role})).unwrap())
    };
    let mut operate = |operation| {
        let result = scene.cloud.operate(APP, &call, operation, scene.now);
        scene.settle();
        result.map(|reply| (reply, scene.notified.last().cloned().unwrap()))
    };
    let (reply, told) = operate(role("sharer")).unwrap();
    assert!(matches!(reply, Reply::Accepted));
    assert_eq!(told["changeType"], "created");
    let url = format!("/communications/calls/{call}/contentsharingsessions");
    assert_eq!(told["resourceUrl"], url);
    let id = told["resourceData"][0]["id"].as_str().unwrap().to_owned();
    let (found, _) = operate(Operation::GetSharing(id)).unwrap();
    assert!(matches!(found, Reply::Object(_)));
    let (Reply::Participants(roster), _) = operate(Operation::ListParticipants).unwrap() else {
        panic!()
    };
    let streams = roster[0].media_streams.as_ref().unwrap();
    assert_eq!(streams[1].direction.as_ref().unwrap().as_str(), "sendOnly");
    let (_, told) = operate(role("viewer")).unwrap();
    assert_eq!(told["changeType"], "deleted");
    let (sessions, _) = operate(Operation::ListSharing).unwrap();
    assert!(matches!(sessions, Reply::List(_, sessions) if sessions.is_empty()));
    assert_eq!(
        operate(role("owner")).unwrap_err().target.as_deref(),
        Some("role")
    );
    let mark = || serde_json::from_value(json!({})).unwrap();
    let (reply, told) = operate(Operation::AddLargeGalleryView(mark())).unwrap();
    assert!(matches!(reply, Reply::AcceptedOperation(_)));
    assert_eq!(told["resourceData"]["status"], "completed");
    let mut group = Group::met(&service_media());
    assert!(
        group
            .operate(role("sharer"))
            .unwrap_err()
            .message
            .contains("App-Hosted")
    );
}

#[test]
fn audio_routing_groups_keep_their_rules() {
    let mut group = Group::met(&service_media());
    let (first, second) = (group.participant(0), group.participant(1));
    let route = |body: Value| {
        serde_json::from_value::<switchboard_signaling::types::AudioRoutingGroup>(body).unwrap()
    };
    for (body, target) in [
        (
            json!({"routingMode": "oneToOne", "receivers": [second]}),
            "sources",
        ),
        (
            json!({"sources": [first], "receivers": [second]}),
            "routingMode",
        ),
        (
            json!({"routingMode": "multicast", "sources": [first]}),
            "receivers",
        ),
        (
            json!({"routingMode": "oneToOne", "sources": [first], "receivers": ["x"]}),
            "receivers",
        ),
    ] {
        let fault = group
            .operate(Operation::CreateRoute(route(body)))
            .unwrap_err();
        assert_eq!(fault.target.as_deref(), Some(target));
    }
    let body = json!({"id": "oneToOne", "routingMode": "oneToOne", "sources": [first],
        "receivers": [second]});
    let made = group
        .operate(Operation::CreateRoute(route(body.clone())))
        .unwrap();
    assert!(matches!(made, Reply::Object(made) if made["id"] == "oneToOne"));
    assert_eq!(group.scene.asked().last(), Some(&("Route", 1)));
    let again = group
        .operate(Operation::CreateRoute(route(body)))
        .unwrap_err();
    assert_eq!(again.status.as_u16(), 409);
    let changes = json!({"receivers": [group.scene.cloud.rooms[&group.room].seats[0].participant]});
    let update = Operation::UpdateRoute("oneToOne".into(), route(changes.clone()));
    let changed = group.operate(update).unwrap();
    assert!(
        matches!(changed, Reply::Object(changed) if changed["receivers"] == changes["receivers"])
    );
    group
        .operate(Operation::GetRoute("oneToOne".into()))
        .unwrap();
    group
        .operate(Operation::DeleteRoute("oneToOne".into()))
        .unwrap();
    let gone = group
        .operate(Operation::GetRoute("oneToOne".into()))
        .unwrap_err();
    assert_eq!(gone.status.as_u16(), 404);
}

#[test]
fn a_call_of_two_is_replaced_by_an_invitation_or_a_transfer() {
    for how in ["invite", "transfer"] {
        let mut group = Group::met(&service_media());
        let third = group.phones[2].clone();
        let dial = PhoneCommand::Dial {
            target: "bot".into(),
            sdp: SDP.into(),
        };
        group.scene.say(&third, dial);
        let call = group.scene.cloud.phones[&third].call.clone().unwrap();
        group
            .scene
            .operate(&call, "answer", answer(&service_media()))
            .unwrap();
        let sdp = "answer".to_owned();
        let leg = Leg::Caller;
        group.scene.report(&call, MediaReport::Hosted { leg, sdp });
        let target = json!({"identity": {"user": {"id": third}}, "replacesCallId": call});
        if how == "invite" {
            group.invite(&json!([target])).unwrap();
        } else {
            let fourth = group
                .scene
                .cloud
                .register_phone("Fourth", PhoneRole::Caller);
            let dial = PhoneCommand::Dial {
                target: "bot".into(),
                sdp: SDP.into(),
            };
            group.scene.say(&fourth, dial);
            let other = group.scene.cloud.phones[&fourth].call.clone().unwrap();
            group
                .scene
                .operate(&other, "answer", answer(&service_media()))
                .unwrap();
            let sdp = "answer".to_owned();
            group.scene.report(&other, MediaReport::Hosted { leg, sdp });
            let wrong = json!({"transferTarget": {"identity": {"user": {"id": third}},
                "replacesCallId": "no-such-call"}});
            let fault = group.scene.operate(&other, "transfer", wrong).unwrap_err();
            assert_eq!(
                fault.target.as_deref(),
                Some("transferTarget/replacesCallId")
            );
            let body = json!({"transferTarget": target});
            group.scene.operate(&other, "transfer", body).unwrap();
        }
        assert_eq!(group.scene.last_told(&third)["type"], "incoming", "{how}");
        assert!(!group.scene.cloud.calls.contains_key(&call), "{how}");
        let url = format!("/communications/calls/{call}");
        let last = group
            .scene
            .notified
            .iter()
            .rfind(|one| one["resourceUrl"] == url);
        assert_eq!(last.unwrap()["resourceData"]["state"], "terminated");
    }
}

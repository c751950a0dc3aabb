//! Group calls: who is asked in, comes, is muted, held and removed, and what the
//! roster says of it.
#![allow(clippy::unwrap_used)]

use switchboard_signaling::call::Roster;
use switchboard_signaling::types::{ChangeType, Participant};

use super::*;

mod muting;
mod roster;
mod sharing;
mod transfer;

const OTHER: &str = "app-2";

/// Three phones, two bots, and a group call of the first bot under way.
struct Group {
    scene: Scene,
    call: String,
    room: String,
    phones: Vec<String>,
}

fn user(id: &str) -> Value {
    json!({"identity": {"user": {"id": id}}})
}

fn new_call(media: &Value, more: &Value) -> Value {
    let mut call = json!({"callbackUri": "http://127.0.0.1:3978/api/calls",
        "requestedModalities": ["audio"], "mediaConfig": media});
    call.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    call
}

impl Scene {
    pub(super) fn create(&mut self, body: Value) -> Result<Reply, Fault> {
        let request = serde_json::from_value(body).unwrap();
        let result = self.cloud.create(APP, request, self.now);
        self.settle();
        result
    }

    pub(super) fn report_room(&mut self, room: &str, report: RoomReport) {
        self.cloud.room_report(room, report, self.now);
        self.settle();
    }

    /// What `seated` was last asked of a seat, by name.
    pub(super) fn asked(&self) -> Vec<(&'static str, u32)> {
        self.seated
            .iter()
            .map(|(_, action)| named(action))
            .collect()
    }

    /// The rosters that a call was told.
    pub(super) fn rosters(&self, call: &str) -> Vec<Vec<Participant>> {
        let url = format!("/communications/calls/{call}/participants");
        let told = self.notified.iter().filter(|one| one["resourceUrl"] == url);
        told.map(|one| serde_json::from_value(one["resourceData"].clone()).unwrap())
            .collect()
    }
}

fn named(action: &RoomAction) -> (&'static str, u32) {
    match action {
        RoomAction::Host { seat, .. } => ("Host", *seat),
        RoomAction::Call { seat, .. } => ("Call", *seat),
        RoomAction::Serve { seat } => ("Serve", *seat),
        RoomAction::Lobby { seat, waits: true } => ("Lobby", *seat),
        RoomAction::Lobby { seat, .. } => ("Admit", *seat),
        RoomAction::Outside { seat } => ("Outside", *seat),
        RoomAction::Mute { seat, muted: true } => ("Mute", *seat),
        RoomAction::Mute { seat, .. } => ("Unmute", *seat),
        RoomAction::Hold { seat, .. } => ("Hold", *seat),
        RoomAction::Resume { seat } => ("Resume", *seat),
        RoomAction::Play { seat, .. } => ("Play", *seat),
        RoomAction::Record { seat, .. } => ("Record", *seat),
        RoomAction::StopPlaying { seat } => ("StopPlaying", *seat),
        RoomAction::Route { seat, .. } => ("Route", *seat),
        RoomAction::Leave { seat } => ("Leave", *seat),
        RoomAction::End => ("End", 0),
    }
}

fn id_of(reply: Reply) -> String {
    let Reply::Created(call) = reply else {
        panic!()
    };
    call.id.unwrap()
}

fn operation_of(reply: Reply) -> switchboard_signaling::types::CommsOperation {
    match reply {
        Reply::Operation(operation) | Reply::AcceptedOperation(operation) => *operation,
        _ => panic!(),
    }
}

impl Group {
    fn new(media: &Value) -> Self {
        let mut scene = Scene::new();
        let webhook = Some(Url::parse("http://127.0.0.1:3979/calls").unwrap());
        let tenant = "tenant-1".to_owned();
        scene
            .cloud
            .register_app(OTHER, Registration { tenant, webhook });
        let third = scene.cloud.register_phone("Third", PhoneRole::Caller);
        let phones = vec![scene.caller.clone(), scene.agent.clone(), third];
        let targets = json!({"targets": [user(&phones[0]), user(&phones[1])]});
        let reply = scene.create(new_call(media, &targets)).unwrap();
        let call = id_of(reply);
        let room = scene.cloud.rooms.keys().next().cloned().unwrap();
        scene.report_room(&room, RoomReport::Connected { seat: 0 });
        Self {
            scene,
            call,
            room,
            phones,
        }
    }

    /// The same with the first two phones in it.
    fn met(media: &Value) -> Self {
        let mut group = Self::new(media);
        group.takes(0, 1);
        group.takes(1, 2);
        group
    }

    fn takes(&mut self, phone: usize, seat: u32) {
        let (call, sdp) = (self.room.clone(), SDP.to_owned());
        let phone = self.phones[phone].clone();
        self.scene.say(&phone, PhoneCommand::Accept { call, sdp });
        let sdp = "answer".to_owned();
        let report = RoomReport::Hosted { seat, sdp };
        self.scene.report_room(&self.room.clone(), report);
    }

    fn operate(&mut self, operation: Operation) -> Result<Reply, Fault> {
        let now = self.scene.now;
        let result = self.scene.cloud.operate(APP, &self.call, operation, now);
        self.scene.settle();
        result
    }

    fn invite(&mut self, people: &Value) -> Result<Reply, Fault> {
        let body = json!({"participants": people, "clientContext": "c"});
        self.operate(operation("invite", body))
    }

    fn participant(&mut self, phone: usize) -> String {
        let roster = self.scene.cloud.rooms[&self.room].roster();
        let phone = &self.phones[phone];
        let own = |one: &&Participant| {
            let identity = one.info.as_ref().unwrap().identity.as_ref().unwrap();
            identity.any().unwrap().id.as_ref() == Some(phone)
        };
        roster.iter().find(own).unwrap().id.clone().unwrap()
    }

    fn last_roster(&self) -> Vec<Participant> {
        self.scene.rosters(&self.call).pop().unwrap()
    }
}

#[test]
fn a_group_call_is_established_while_its_targets_ring() {
    let mut group = Group::new(&service_media());
    assert_eq!(group.scene.states(), ["establishing", "established"]);
    assert_eq!(group.scene.asked(), [("Serve", 0)]);
    for phone in &group.phones[..2] {
        assert_eq!(group.scene.last_told(phone)["type"], "incoming");
    }
    assert_eq!(group.last_roster().len(), 1);
    group.takes(0, 1);
    assert_eq!(group.last_roster().len(), 2);
    assert_eq!(
        group.scene.last_told(&group.phones[0])["state"],
        "established"
    );
    group.takes(1, 2);
    let roster = group.last_roster();
    assert_eq!(roster.len(), 3);
    assert!(
        roster
            .iter()
            .all(|one| one.roster_sequence_number == Some(3))
    );
    let fault = group
        .scene
        .operate(&group.call, "transfer", to_agent())
        .unwrap_err();
    assert_eq!(fault.status.as_u16(), 400);
}

#[test]
fn what_a_client_makes_of_the_rosters_is_who_is_there() {
    for deltas in [false, true] {
        let mut scene = Scene::new();
        let third = scene.cloud.register_phone("Third", PhoneRole::Caller);
        let phones = [scene.caller.clone(), scene.agent.clone(), third];
        let body = json!({"targets": [user(&phones[0]), user(&phones[1])],
            "callOptions": {"isDeltaRosterEnabled": deltas}});
        let call = id_of(scene.create(new_call(&service_media(), &body)).unwrap());
        let room = scene.cloud.rooms.keys().next().cloned().unwrap();
        scene.report_room(&room, RoomReport::Connected { seat: 0 });
        for (phone, seat) in [(0, 1), (1, 2)] {
            let (call, sdp) = (room.clone(), SDP.to_owned());
            scene.say(&phones[phone], PhoneCommand::Accept { call, sdp });
            let sdp = "answer".to_owned();
            scene.report_room(&room, RoomReport::Hosted { seat, sdp });
        }
        let hangup = PhoneCommand::Hangup { call: room.clone() };
        scene.say(&phones[0], hangup);
        let mut roster = Roster::new(deltas);
        for told in scene.rosters(&call) {
            roster.handle(&ChangeType::Updated, &told);
        }
        assert_eq!(roster.participants().count(), 2, "deltas: {deltas}");
        let sizes: Vec<_> = scene.rosters(&call).iter().map(Vec::len).collect();
        let expected = if deltas { [1, 1, 1, 1] } else { [1, 2, 3, 2] };
        assert_eq!(sizes, expected);
    }
}

#[test]
fn an_invitation_is_over_when_everyone_has_come_or_not() {
    let mut group = Group::met(&service_media());
    let third = group.phones[2].clone();
    let reply = group.invite(&json!([user(&third)])).unwrap();
    let operation = operation_of(reply);
    assert_eq!(operation.status.as_ref().unwrap().as_str(), "running");
    assert_eq!(group.scene.last_told(&third)["type"], "incoming");
    group.takes(2, 3);
    let url = format!(
        "/communications/calls/{}/operations/{}",
        group.call,
        operation.id.unwrap()
    );
    let told: Vec<_> = group
        .scene
        .notified
        .iter()
        .filter(|one| one["resourceUrl"] == url)
        .collect();
    assert_eq!(told.len(), 1);
    let data = &told[0]["resourceData"];
    assert_eq!(
        data["@odata.type"],
        "#microsoft.graph.inviteParticipantsOperation"
    );
    assert_eq!(
        (&data["status"], &data["clientContext"]),
        (&json!("completed"), &json!("c"))
    );
    assert_eq!(
        data["participants"][0]["identity"]["user"]["id"],
        third.as_str()
    );
    assert_eq!(group.last_roster().len(), 4);
}

#[test]
fn an_invitation_fails_when_nobody_comes() {
    for how in ["declined", "late", "withdrawn", "nobody"] {
        let mut group = Group::met(&service_media());
        let third = group.phones[2].clone();
        if how == "nobody" {
            group.scene.cloud.phone_gone(&third, group.scene.now);
        }
        let operation = operation_of(group.invite(&json!([user(&third)])).unwrap());
        match how {
            "declined" => {
                let call = group.room.clone();
                group.scene.say(&third, PhoneCommand::Decline { call });
            }
            "late" => group.scene.wait(56),
            "withdrawn" => {
                let invited = &operation.participants.unwrap()[0];
                let id = invited.participant_id.clone().unwrap();
                group.operate(Operation::DeleteParticipant(id)).unwrap();
                assert_eq!(group.scene.last_told(&third)["type"], "ended");
            }
            _ => {}
        }
        let last = &group.scene.notified.last().unwrap()["resourceData"];
        assert_eq!(last["status"], "failed", "{how}");
        assert_eq!(group.scene.cloud.rooms[&group.room].seats.len(), 3, "{how}");
    }
}

#[test]
fn an_invited_application_answers_a_call_of_its_own() {
    let mut group = Group::met(&service_media());
    group
        .invite(&json!([{"identity": {"application": {"id": OTHER}}}]))
        .unwrap();
    let incoming = group.scene.notified.last().unwrap()["resourceData"].clone();
    assert_eq!(incoming["state"], "incoming");
    assert_eq!(incoming["source"]["identity"]["application"]["id"], APP);
    let call = incoming["id"].as_str().unwrap().to_owned();
    let media = own_media().to_string().replace("3978", "3979");
    let body = answer(&serde_json::from_str(&media).unwrap());
    let now = group.scene.now;
    let answered = group
        .scene
        .cloud
        .operate(OTHER, &call, operation("answer", body), now);
    answered.unwrap();
    group.scene.settle();
    assert_eq!(group.scene.asked().last(), Some(&("Call", 3)));
    group
        .scene
        .report_room(&group.room.clone(), RoomReport::Connected { seat: 3 });
    assert_eq!(group.scene.rosters(&call).pop().unwrap().len(), 4);
    assert_eq!(group.last_roster().len(), 4);
    let now = group.scene.now;
    group
        .scene
        .cloud
        .operate(OTHER, &call, Operation::Delete, now)
        .unwrap();
    group.scene.settle();
    assert_eq!(group.last_roster().len(), 3);
}

#[test]
fn the_muted_the_held_and_the_removed() {
    let mut group = Group::met(&service_media());
    let (first, second) = (group.participant(0), group.participant(1));
    let mark = || serde_json::from_value(json!({"clientContext": "m"})).unwrap();
    let muted = group
        .operate(Operation::MuteParticipant(first.clone(), mark()))
        .unwrap();
    assert_eq!(operation_of(muted).status.unwrap().as_str(), "completed");
    assert_eq!(group.scene.asked().last(), Some(&("Mute", 1)));
    assert_eq!(group.scene.last_told(&group.phones[0])["muted"], true);
    let own = |one: &&Participant| one.id.as_ref() == Some(&first);
    assert_eq!(
        group.last_roster().iter().find(own).unwrap().is_muted,
        Some(true)
    );

    let music = |uri: &str| -> Value {
        json!({"customPrompt": {"@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": {"uri": uri}}})
    };
    let hold = |id: &str, uri: &str| {
        Operation::StartHoldMusic(
            id.to_owned(),
            Box::new(serde_json::from_value(music(uri)).unwrap()),
        )
    };
    let elsewhere = group
        .operate(hold(&first, "http://127.0.0.1:1/a.wav"))
        .unwrap_err();
    assert_eq!(
        elsewhere.target.as_deref(),
        Some("customPrompt/mediaInfo/uri")
    );
    let good = "http://127.0.0.1:3978/a.wav";
    let held = group.operate(hold(&first, good)).unwrap();
    assert!(matches!(held, Reply::AcceptedOperation(_)));
    let held = operation_of(held);
    assert_eq!(
        group
            .operate(hold(&second, good))
            .unwrap_err()
            .status
            .as_u16(),
        409
    );
    let task = RoomTask {
        call: group.call.clone(),
        operation: held.id.unwrap(),
    };
    let report = RoomReport::Held {
        seat: 1,
        task,
        outcome: Ok(()),
    };
    group.scene.report_room(&group.room.clone(), report);
    assert_eq!(
        group.scene.notified.last().unwrap()["resourceData"]["status"],
        "completed"
    );
    group
        .operate(Operation::StopHoldMusic(first.clone(), mark()))
        .unwrap();
    assert_eq!(group.scene.asked().last(), Some(&("Resume", 1)));
    let again = group
        .operate(Operation::StopHoldMusic(first, mark()))
        .unwrap_err();
    assert_eq!(again.status.as_u16(), 409);

    group.operate(Operation::DeleteParticipant(second)).unwrap();
    assert_eq!(group.scene.last_told(&group.phones[1])["type"], "ended");
    let nobody = group
        .operate(Operation::DeleteParticipant("x".into()))
        .unwrap_err();
    assert_eq!(nobody.status.as_u16(), 404);
}

impl Group {
    /// What a phone was last told of who is there: itself, and everyone's names.
    fn names_told(&self, phone: usize) -> (String, Vec<String>) {
        let to = &self.phones[phone];
        let roster = |one: &&(String, Value)| &one.0 == to && one.1["type"] == "roster";
        let (_, told) = self.scene.told.iter().rfind(roster).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let people = told["participants"].as_array().unwrap();
        let own = people.iter().find(|one| one["participant"] == told["own"]);
        let names = people.iter().map(|one| text(&one["name"])).collect();
        (text(&own.unwrap()["name"]), names)
    }

    fn heard(&mut self, seat: u32, event: MediaEvent) {
        let report = RoomReport::Heard { seat, event };
        self.scene.report_room(&self.room.clone(), report);
    }
}

#[test]
fn phones_are_told_who_is_there_and_namesakes_apart() {
    let mut group = Group::met(&service_media());
    let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let met: Vec<String> = all(&["Bot", "Caller", "Agent"]);
    assert_eq!(group.names_told(0), ("Caller".to_owned(), met.clone()));
    assert_eq!(group.names_told(1), ("Agent".to_owned(), met));
    let namesake = group.scene.cloud.register_phone("Agent", PhoneRole::Agent);
    group.phones.push(namesake.clone());
    let other = json!({"identity": {"application": {"id": OTHER}}});
    group.invite(&json!([user(&namesake), other])).unwrap();
    group.takes(3, 3);
    let four: Vec<String> = all(&["Bot", "Caller", "Agent", "Agent 2"]);
    assert_eq!(group.names_told(3), ("Agent 2".to_owned(), four));
    // Who rings is not there yet, but has its name and its place in the inspector.
    let parts = group.scene.parts.iter();
    let parts: Vec<_> = parts.map(|(_, bot, room)| (bot.as_str(), room)).collect();
    assert_eq!(parts, [("Bot", &group.room), ("Bot 2", &group.room)]);
    assert_eq!(group.scene.parts[0].0, group.call);

    let call = group.room.clone();
    let agent = group.phones[1].clone();
    group.scene.say(&agent, PhoneCommand::Hangup { call });
    let left: Vec<String> = all(&["Bot", "Caller", "Agent 2"]);
    assert_eq!(group.names_told(0).1, left);
}

#[test]
fn what_is_heard_in_a_room_says_of_whom_it_is() {
    let mut group = Group::met(&service_media());
    let (caller, agent) = (group.participant(0), group.participant(1));
    group.scene.shown.clear();
    group.scene.wait(10);
    group.heard(
        2,
        MediaEvent::Level {
            t_ms: 4000,
            dbov: -20.0,
        },
    );
    group.heard(2, MediaEvent::SpeechStart { start_ms: 3500 });
    let digit = Digit::from_char('5').unwrap();
    group.heard(
        1,
        MediaEvent::DigitEnd {
            digit,
            source: DigitSource::Rtp,
            start_ms: 0,
            duration_ms: 90,
        },
    );
    let name = "greeting".to_owned();
    let started = RoomReport::PromptStarted { seat: 0, name };
    group.scene.report_room(&group.room.clone(), started);
    let bot = group.last_roster()[0].id.clone().unwrap();
    let shown = &group.scene.shown;
    let of: Vec<_> = shown
        .iter()
        .map(|one| {
            (
                one["type"].as_str().unwrap(),
                one["participant"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        of,
        [
            ("level", agent.as_str()),
            ("speech", &agent),
            ("dtmf", &caller),
            ("prompt", &bot)
        ]
    );
    // The session began 6 s into the call.
    assert_eq!(shown[1]["start_ms"], 9500);
    let told = group
        .scene
        .told
        .iter()
        .filter(|(to, event)| *to == group.phones[0] && event["type"] == "timeline");
    assert_eq!(told.count(), 4);

    // Nobody hears who is muted.
    let mute = serde_json::from_value(json!({})).unwrap();
    group
        .operate(Operation::MuteParticipant(agent, mute))
        .unwrap();
    group.heard(
        2,
        MediaEvent::Level {
            t_ms: 4100,
            dbov: -20.0,
        },
    );
    assert_eq!(group.scene.shown.last().unwrap()["dbov"], -127.0);
}

#[test]
fn a_group_call_ends_when_one_is_left() {
    for who in ["phones", "bot"] {
        let mut group = Group::met(&own_media());
        let call = group.room.clone();
        let hangup = || PhoneCommand::Hangup { call: call.clone() };
        let first = group.phones[0].clone();
        group.scene.say(&first, hangup());
        if who == "bot" {
            group.operate(Operation::Delete).unwrap();
        } else {
            let second = group.phones[1].clone();
            group.scene.say(&second, hangup());
        }
        assert_eq!(group.scene.states().last(), Some(&"terminated"), "{who}");
        assert!(group.scene.cloud.rooms.is_empty(), "{who}");
        assert_eq!(group.scene.asked().last().unwrap().0, "End");
        let free = |entry: &PhoneEntry| entry.call.is_none() && entry.room.is_none();
        assert!(group.scene.cloud.phones.values().all(free), "{who}");
    }
}

#[test]
fn a_group_call_that_nobody_takes_ends() {
    let mut group = Group::new(&service_media());
    group.scene.wait(56);
    let last = &group.scene.notified.last().unwrap()["resourceData"];
    assert_eq!(last["resultInfo"]["code"], 480);
    let targets =
        json!({"targets": [user("x"), user("y"), user("x"), user("y"), user("x"), user("y")]});
    let fault = group
        .scene
        .create(new_call(&service_media(), &targets))
        .unwrap_err();
    assert_eq!(fault.target.as_deref(), Some("targets"));
}

#[test]
fn peer_to_peer_calls_have_no_group_operations() {
    let (mut scene, call) = Scene::established(&service_media());
    let body = json!({"participants": [user("someone")]});
    let fault = scene.operate(&call, "invite", body).unwrap_err();
    assert_eq!(fault.message, "This API is only supported for group calls.");
    let mute = Operation::MuteParticipant("x".into(), serde_json::from_value(json!({})).unwrap());
    let fault = scene
        .cloud
        .operate(APP, &call, mute, scene.now)
        .unwrap_err();
    assert_eq!(fault.status.as_u16(), 400);
}

/// The bodies as they go over the wire; ids follow from the seed.
#[test]
fn roster_notifications_have_the_documented_form() {
    let group = Group::met(&service_media());
    let url = format!("/communications/calls/{}/participants", group.call);
    let roster = group
        .scene
        .notified
        .iter()
        .rfind(|one| one["resourceUrl"] == url);
    insta::assert_json_snapshot!(roster.unwrap());
}

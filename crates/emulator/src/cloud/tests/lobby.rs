//! The lobby of meetings: who waits, what they and the others are told, and who is let in.
#![allow(clippy::unwrap_used)]

use switchboard_signaling::types::OnlineMeeting;

use super::*;
use crate::phone::PhoneUser;

const ORGANIZER: &str = "5810cede-f3cc-42eb-b2c1-e9bd5d53ec96";

/// A meeting with a lobby; its organizer has a phone.
struct Lobby {
    scene: Scene,
    meeting: OnlineMeeting,
    organizer: String,
}

impl Lobby {
    fn with(settings: &Value) -> Self {
        let mut scene = Scene::new();
        let role = PhoneRole::Caller;
        let organizer = scene
            .cloud
            .register_user(&PhoneUser::new(ORGANIZER), "Olga", role);
        let request = json!({"subject": "Board", "lobbyBypassSettings": settings,
            "participants": {"attendees": [{"identity": {"user": {"id": scene.agent}}}]}});
        let request = serde_json::from_value(request).unwrap();
        let owner = Owner::User(ORGANIZER.into());
        let meeting = scene.cloud.create_meeting(APP, &owner, request, scene.now);
        Self {
            meeting: meeting.unwrap(),
            scene,
            organizer,
        }
    }

    fn scope(scope: &str) -> Self {
        Self::with(&json!({"scope": scope}))
    }

    fn dial(&mut self, phone: &str, target: String) {
        let sdp = SDP.to_owned();
        self.scene.say(phone, PhoneCommand::Dial { target, sdp });
    }

    /// A phone dials the meeting's address and gets audio; its seat.
    fn comes(&mut self, phone: &str) -> u32 {
        self.dial(phone, self.meeting.join_web_url.clone().unwrap());
        self.is_hosted()
    }

    fn is_hosted(&mut self) -> u32 {
        let room = self.room();
        let seat = self.scene.cloud.rooms[&room].seats.last().unwrap().number;
        let sdp = "answer".to_owned();
        let report = RoomReport::Hosted { seat, sdp };
        self.scene.report_room(&room, report);
        seat
    }

    /// The bot joins, as a guest or as itself; its call.
    fn bot_comes(&mut self, more: &Value) -> String {
        let settings = self.meeting.join_meeting_id_settings.clone().unwrap();
        let mut request = json!({"callbackUri": "http://127.0.0.1:3978/api/calls",
            "requestedModalities": ["audio"], "mediaConfig": service_media(),
            "meetingInfo": {"@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
                "joinMeetingId": settings.join_meeting_id}});
        let fields = request.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        let Reply::Created(call) = self.scene.create(request).unwrap() else {
            panic!()
        };
        let room = self.room();
        let seat = self.scene.cloud.rooms[&room].seats.last().unwrap().number;
        self.scene
            .report_room(&room, RoomReport::Connected { seat });
        call.id.unwrap()
    }

    fn room(&self) -> String {
        self.scene.cloud.rooms.keys().next().unwrap().clone()
    }

    fn names(&self) -> Vec<String> {
        let waiting = self.scene.cloud.lobby().into_iter();
        waiting.map(|one| one.who.name).collect()
    }

    fn first_waiting(&self) -> String {
        self.scene.cloud.lobby()[0].who.participant.clone()
    }

    /// The latest state that a phone was told.
    fn state_of(&self, phone: &str) -> &Value {
        let mut told = self.scene.told.iter();
        let state = |one: &&(String, Value)| one.0 == phone && one.1["type"] == "state";
        &told.rfind(state).unwrap().1["state"]
    }

    fn admit(&mut self, participant: &str) -> bool {
        let done = self.scene.cloud.admit(participant, self.scene.now);
        self.scene.settle();
        done
    }
}

#[test]
fn each_scope_keeps_those_waiting_whom_graph_names() {
    for (scope, expected) in [
        ("organizer", vec!["Agent", "Caller"]),
        ("invited", vec!["Caller"]),
        ("organization", vec![]),
        ("organizationAndFederated", vec![]),
        ("organizationExcludingGuests", vec![]),
        ("everyone", vec![]),
    ] {
        let mut lobby = Lobby::scope(scope);
        for phone in [
            lobby.organizer.clone(),
            lobby.scene.agent.clone(),
            lobby.scene.caller.clone(),
        ] {
            lobby.comes(&phone);
        }
        assert_eq!(lobby.names(), expected, "{scope}");
    }
}

/// Every tenant here trusts every other.
#[test]
fn people_of_other_tenants_pass_where_federated_ones_do() {
    for (scope, waits) in [
        ("organization", true),
        ("organizationExcludingGuests", true),
        ("organizationAndFederated", false),
        ("everyone", false),
    ] {
        let mut lobby = Lobby::scope(scope);
        let user = PhoneUser::default().of("tenant-2");
        let role = PhoneRole::Caller;
        let visitor = lobby.scene.cloud.register_user(&user, "Vera", role);
        lobby.comes(&visitor);
        assert_eq!(lobby.names().len(), usize::from(waits), "{scope}");
        let room = &lobby.scene.cloud.rooms[&lobby.room()];
        let seen = room.seats.last().unwrap().identity.user.as_ref().unwrap();
        assert_eq!(seen.tenant_id.as_deref(), Some("tenant-2"));
    }
}

#[test]
fn telephones_are_of_no_organization() {
    for id in ["+31201234567", "anonymous"] {
        let mut lobby = Lobby::scope("organization");
        let role = PhoneRole::Caller;
        let user = PhoneUser::new(id);
        let telephone = lobby.scene.cloud.register_user(&user, "Tel", role);
        lobby.comes(&telephone);
        assert_eq!(lobby.names(), ["Tel"], "{id}");
    }
}

#[test]
fn callers_by_number_and_guests_wait_unless_it_says_otherwise() {
    for (settings, waits) in [
        (json!({"scope": "organization"}), true),
        (json!({"scope": "everyone"}), false),
        (
            json!({"scope": "organizer", "isDialInBypassEnabled": true}),
            false,
        ),
    ] {
        let mut lobby = Lobby::with(&settings);
        let conferencing = lobby.meeting.audio_conferencing.clone().unwrap();
        let caller = lobby.scene.caller.clone();
        lobby.dial(&caller, conferencing.conference_id.unwrap());
        lobby.is_hosted();
        assert_eq!(lobby.names().len(), usize::from(waits), "{settings}");
    }
    for (scope, guest, waits) in [
        ("organization", true, true),
        ("organization", false, false),
        ("organizer", false, true),
        ("everyone", true, false),
    ] {
        let mut lobby = Lobby::scope(scope);
        let as_guest = json!({"source": {"identity": {"guest": {"id": "g", "displayName": "G"}}}});
        let own = json!({});
        lobby.bot_comes(if guest { &as_guest } else { &own });
        assert_eq!(lobby.names().len(), usize::from(waits), "{scope} {guest}");
    }
}

#[test]
fn a_phone_in_the_lobby_is_apart_until_it_is_let_in() {
    let mut lobby = Lobby::scope("organizer");
    let (organizer, caller) = (lobby.organizer.clone(), lobby.scene.caller.clone());
    lobby.comes(&organizer);
    let call = lobby.bot_comes(&json!({}));
    let bot = lobby.first_waiting();
    assert!(lobby.admit(&bot));
    let seat = lobby.comes(&caller);
    assert_eq!(lobby.scene.last_told(&caller)["state"], "lobby");
    let asked = lobby.scene.asked();
    assert!(
        asked.ends_with(&[("Lobby", seat), ("Host", seat)]),
        "{asked:?}"
    );
    let shown = lobby.scene.rosters(&call).pop().unwrap();
    let in_lobby: Vec<_> = shown.iter().map(|one| one.is_in_lobby).collect();
    assert_eq!(in_lobby, [Some(false), Some(false), Some(true)]);
    let told = lobby.scene.last_told(&organizer);
    assert_eq!(told["type"], "lobby");
    assert_eq!(told["waiting"][0]["name"], "Caller");

    // Nobody is shown what is said in the lobby; keys there are not the meeting's.
    let level = MediaEvent::Level {
        t_ms: 100,
        dbov: -20.0,
    };
    let shown = lobby.scene.shown.len();
    let heard = RoomReport::Heard { seat, event: level };
    lobby.scene.report_room(&lobby.room(), heard);
    assert_eq!(lobby.scene.shown.len(), shown);
    lobby
        .scene
        .operate(&call, "subscribeToTone", json!({}))
        .unwrap();
    let press = |lobby: &mut Lobby| {
        let event = MediaEvent::DigitStart {
            digit: Digit::from_char('5').unwrap(),
            source: DigitSource::Rtp,
            start_ms: 0,
        };
        let room = lobby.room();
        lobby
            .scene
            .report_room(&room, RoomReport::Heard { seat, event });
        let tones = lobby.scene.notified.iter();
        tones
            .filter(|one| one["resourceData"]["toneInfo"].is_object())
            .count()
    };
    assert_eq!(press(&mut lobby), 0);

    let participant = lobby.first_waiting();
    let command = |call| PhoneCommand::Admit {
        call,
        participant: participant.clone(),
    };
    let room = lobby.room();
    lobby.scene.say(&caller, command(room.clone()));
    assert_eq!(lobby.scene.last_told(&caller)["type"], "error");
    lobby.scene.say(&organizer, command(room));
    assert_eq!(lobby.state_of(&caller), "established");
    assert_eq!(lobby.scene.asked().last(), Some(&("Admit", seat)));
    assert_eq!(press(&mut lobby), 1);
    let waiting = &lobby.scene.last_told(&organizer)["waiting"];
    assert_eq!(waiting, &json!([]));
    let shown = lobby.scene.rosters(&call).pop().unwrap();
    assert!(shown.iter().all(|one| one.is_in_lobby == Some(false)));
    assert!(!lobby.admit(&participant), "once is enough");
}

#[test]
fn a_bot_in_the_lobby_sees_itself_alone() {
    let mut lobby = Lobby::scope("organizer");
    let (organizer, caller) = (lobby.organizer.clone(), lobby.scene.caller.clone());
    lobby.comes(&organizer);
    let call = lobby.bot_comes(&json!({"callOptions":
        {"@odata.type": "#microsoft.graph.outgoingCallOptions", "isDeltaRosterEnabled": true}}));
    assert!(lobby.scene.states().contains(&"established"));
    lobby.comes(&caller);
    let rosters = lobby.scene.rosters(&call);
    assert_eq!(rosters.len(), 1, "those in the meeting are not told of");
    assert_eq!(rosters[0].len(), 1);
    assert_eq!(rosters[0][0].is_in_lobby, Some(true));
    let listed = |lobby: &mut Lobby| {
        let now = lobby.scene.now;
        let list = Operation::ListParticipants;
        match lobby.scene.cloud.operate(APP, &call, list, now).unwrap() {
            Reply::Participants(all) => all.len(),
            _ => panic!(),
        }
    };
    assert_eq!(listed(&mut lobby), 1);
    let play = prompts("http://127.0.0.1:3978/a.wav");
    let refused = lobby.scene.operate(&call, "playPrompt", play.clone());
    assert_eq!(refused.unwrap_err().status.as_u16(), 409);

    let own = rosters[0][0].id.clone().unwrap();
    assert!(lobby.admit(&own));
    let whole = lobby.scene.rosters(&call).pop().unwrap();
    assert_eq!(whole.len(), 3, "the first roster inside is a whole one");
    assert_eq!(listed(&mut lobby), 3);
    lobby.scene.operate(&call, "playPrompt", play).unwrap();
}

#[test]
fn who_is_sent_away_learns_it() {
    let mut lobby = Lobby::scope("organizer");
    let caller = lobby.scene.caller.clone();
    lobby.comes(&lobby.organizer.clone());
    lobby.comes(&caller);
    let participant = lobby.first_waiting();
    assert!(lobby.scene.cloud.turn_away(&participant, lobby.scene.now));
    lobby.scene.settle();
    assert_eq!(lobby.scene.last_told(&caller)["type"], "ended");
    let call = lobby.bot_comes(&json!({}));
    let participant = lobby.first_waiting();
    assert!(lobby.scene.cloud.turn_away(&participant, lobby.scene.now));
    lobby.scene.settle();
    let last = lobby.scene.notified.last().unwrap();
    assert_eq!(last["resourceData"]["state"], "terminated");
    assert_eq!(last["resourceData"]["resultInfo"]["code"], 403);
    assert!(!lobby.scene.cloud.calls.contains_key(&call));
    assert!(lobby.names().is_empty());
}

#[test]
fn waiting_is_not_attending() {
    let mut lobby = Lobby::scope("organizer");
    let caller = lobby.scene.caller.clone();
    lobby.comes(&caller);
    lobby.scene.wait(60);
    lobby.scene.cloud.phone_gone(&caller, lobby.scene.now);
    lobby.scene.settle();
    let owner = Owner::User(ORGANIZER.into());
    let id = lobby.meeting.id.clone().unwrap();
    let reports = lobby.scene.cloud.attendance_reports(APP, &owner, &id);
    assert!(reports.unwrap().is_empty());
}

//! The lobby of meetings: who waits there (`lobbyBypassSettings`), who lets them in, and
//! what an application may do meanwhile.

use std::time::Instant;

use serde::Serialize;
use switchboard_signaling::types::LobbyBypassScope;

use super::Meeting;
use crate::cloud::conversation::{BotLeg, Conversation};
use crate::cloud::ending::End;
use crate::cloud::room::{Room, Seat, Standing, Who};
use crate::cloud::{Cloud, Fault, Operation, RoomAction};
use crate::config::client_id;
use crate::phone::{Participant, PhoneCallState, PhoneEvent, is_telephone};

/// Somebody who asks to come into a meeting.
pub(in crate::cloud) struct Comer<'a> {
    id: &'a str,
    tenant: &'a str,
    /// Has no account: a guest by name only, or somebody who dials a number.
    anonymous: bool,
    by_number: bool,
}

/// One who waits in a meeting's lobby.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InLobby {
    #[serde(flatten)]
    pub(crate) who: Participant,
    /// The meeting's subject.
    pub(crate) meeting: String,
}

impl<'a> Comer<'a> {
    pub(in crate::cloud) fn phone(id: &'a str, tenant: &'a str, by_number: bool) -> Self {
        // Who has a number instead of a user dials one, whatever the target.
        let by_number = by_number || is_telephone(id);
        Self {
            id,
            tenant,
            anonymous: by_number,
            by_number,
        }
    }

    pub(in crate::cloud) fn application(bot: &'a BotLeg) -> Self {
        Self {
            id: client_id(&bot.app),
            tenant: &bot.tenant,
            anonymous: bot.is_guest(),
            by_number: false,
        }
    }
}

impl Meeting {
    /// Whether its settings keep somebody in the lobby (lobbyBypassSettings). Guests by name
    /// only pass where everyone does, as the service has it
    /// (microsoft-graph-comms-samples#353).
    fn detains(&self, comer: &Comer<'_>) -> bool {
        let settings = self.whole.lobby_bypass_settings.as_ref();
        let dial_in = settings.and_then(|settings| settings.is_dial_in_bypass_enabled);
        if comer.by_number && dial_in == Some(true) {
            return false;
        }
        let organizes = !comer.anonymous && comer.id.eq_ignore_ascii_case(&self.owner);
        match settings.and_then(|settings| settings.scope.as_ref()) {
            Some(LobbyBypassScope::Everyone) => false,
            Some(LobbyBypassScope::Organizer) => !organizes,
            Some(LobbyBypassScope::Invited) => !organizes && !self.has_invited(comer.id),
            Some(LobbyBypassScope::OrganizationAndFederated) => comer.anonymous,
            _ => comer.anonymous || comer.tenant != self.tenant,
        }
    }
}

impl Cloud {
    /// Whether somebody who comes by themselves has to wait; who is asked in has not.
    pub(in crate::cloud) fn is_detained(&self, room: &str, comer: &Comer<'_>) -> bool {
        let meeting = self.rooms.get(room).and_then(|room| room.meeting.as_ref());
        let meeting = meeting.and_then(|id| self.meetings.all.get(id));
        meeting.is_some_and(|meeting| meeting.detains(comer))
    }

    /// Seats somebody in the lobby, where nothing is heard of the others, nor by them.
    pub(in crate::cloud) fn detain(&mut self, room: &str, seat: u32) {
        if let Some(seat) = self.rooms.get_mut(room).and_then(|room| room.seat(seat)) {
            seat.in_lobby = true;
        }
        let waits = true;
        self.room_media(room, RoomAction::Lobby { seat, waits });
    }

    /// Everyone who waits in a lobby.
    pub(crate) fn lobby(&self) -> Vec<InLobby> {
        let of_room = |room: &Room| {
            let meeting = room.name.clone();
            let shown = move |who| InLobby {
                who,
                meeting: meeting.clone(),
            };
            room.waiting().into_iter().map(shown)
        };
        self.rooms.values().flat_map(of_room).collect()
    }

    /// Lets somebody in; `false` if nobody with this id waits.
    pub(crate) fn admit(&mut self, participant: &str, now: Instant) -> bool {
        let Some((room, seat, who)) = self.waits(participant) else {
            return false;
        };
        let Some(place) = self.rooms.get_mut(&room) else {
            return false;
        };
        place.admit(seat, now);
        let waits = false;
        self.room_media(&room, RoomAction::Lobby { seat, waits });
        match who {
            Who::Phone(phone) => self.room_state(&room, &phone, PhoneCallState::Established),
            // The next roster it is told is its first of everyone.
            Who::Bot(call) => {
                self.with_call(&call, |_, call| {
                    if let Some(group) = &mut call.group {
                        group.told = false;
                    }
                });
            }
        }
        true
    }

    /// Sends somebody away who waits; `false` if nobody with this id does.
    pub(crate) fn turn_away(&mut self, participant: &str, now: Instant) -> bool {
        let Some((room, seat, who)) = self.waits(participant) else {
            return false;
        };
        match who {
            Who::Phone(_) => self.vacate(&room, seat, "You were not let in", "Denied", now),
            Who::Bot(call) => {
                let end = End::rejected(403, "The bot was not let in from the lobby");
                self.with_call(&call, |cloud, call| cloud.end(call, &end, now));
            }
        }
        true
    }

    fn waits(&self, participant: &str) -> Option<(String, u32, Who)> {
        let fits = |seat: &&Seat| seat.is_waiting() && seat.participant == participant;
        self.rooms.values().find_map(|room| {
            let seat = room.seats.iter().find(fits)?;
            Some((room.id.clone(), seat.number, seat.who.clone()))
        })
    }

    /// A phone that is in a meeting lets somebody in, or doesn't.
    pub(in crate::cloud) fn phone_admits(
        &mut self,
        room: &str,
        phone: &str,
        participant: &str,
        now: Instant,
    ) -> Result<(), String> {
        let own = Who::Phone(phone.to_owned());
        let inside = |seat: &Seat| seat.who == own && seat.is_inside();
        let place = self.rooms.get(room);
        if !place.is_some_and(|place| place.seats.iter().any(inside)) {
            return Err("Only who is in the meeting lets others in.".to_owned());
        }
        let here = self.waits(participant).is_some_and(|(at, ..)| at == room);
        match here && self.admit(participant, now) {
            true => Ok(()),
            false => Err("Nobody with that id waits in the lobby.".to_owned()),
        }
    }

    /// Tells the phones in a meeting who waits.
    pub(in crate::cloud) fn tell_lobby(&mut self, id: &str) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        if !room.take_lobby_news() {
            return;
        }
        let (waiting, phones) = (room.waiting(), room.phones_inside());
        for phone in phones {
            let (call, waiting) = (id.to_owned(), waiting.clone());
            self.tell(&phone, PhoneEvent::Lobby { call, waiting });
        }
    }

    /// Refuses what an application can't do while it waits. Graph documents no code for it;
    /// this is the one for a wrong state.
    pub(in crate::cloud) fn let_in(
        &self,
        call: &Conversation,
        operation: &Operation,
    ) -> Result<(), Fault> {
        let waits = call.group.as_ref().is_some_and(|group| {
            let room = self.rooms.get(&group.room);
            room.is_some_and(|room| room.is_waiting(group.seat))
        });
        match waits && !operation.is_possible_in_lobby() {
            true => Err(Fault::in_lobby()),
            false => Ok(()),
        }
    }
}

impl Operation {
    /// What concerns the application alone.
    fn is_possible_in_lobby(&self) -> bool {
        matches!(
            self,
            Self::Get
                | Self::Delete
                | Self::KeepAlive
                | Self::Mute(_)
                | Self::Unmute(_)
                | Self::Progress(_)
                | Self::ListOperations
                | Self::ListParticipants
                | Self::GetParticipant(_)
        )
    }
}

impl Seat {
    /// Whether it waits in the lobby.
    pub(in crate::cloud) fn is_waiting(&self) -> bool {
        self.in_lobby && self.standing == Standing::Joined
    }

    /// Whether it is in the conversation itself.
    pub(in crate::cloud) fn is_inside(&self) -> bool {
        !self.in_lobby && self.standing == Standing::Joined
    }
}

impl Room {
    /// Whether a seat is in the lobby.
    pub(in crate::cloud) fn is_waiting(&self, number: u32) -> bool {
        let own = |seat: &Seat| seat.number == number && seat.in_lobby;
        self.seats.iter().any(own)
    }

    fn waiting(&self) -> Vec<Participant> {
        let waiting = self.seats.iter().filter(|seat| seat.is_waiting());
        waiting.map(Seat::as_seen).collect()
    }

    /// The phones that are in it.
    pub(in crate::cloud) fn phones_inside(&self) -> Vec<String> {
        let inside = self.seats.iter().filter(|seat| seat.is_inside());
        inside
            .filter_map(|seat| match &seat.who {
                Who::Phone(phone) => Some(phone.clone()),
                Who::Bot(_) => None,
            })
            .collect()
    }
}

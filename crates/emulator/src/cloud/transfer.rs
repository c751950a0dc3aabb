//! Transfers out of a room: the transferee leaves it, and a call of two takes the place of
//! the bot's part. The transferee's phone rings once more instead of being taken over in
//! silence.

use std::time::Instant;

use switchboard_signaling::types::ParticipantInfo;

use super::conversation::{Conversation, Group, Phase, RING_LIMIT};
use super::ending::End;
use super::room::{Room, Seat, Standing, Who};
use super::{Cloud, Fault, Leg, MediaAction};
use crate::phone::{IncomingReason, Named, PhoneCallState, PhoneEvent};

/// What the transferee is told when the room lets go of it.
const MOVED: &str = "You are being transferred";

impl Cloud {
    /// The phone that a transfer is about, in a room; a call of two has its caller.
    pub(super) fn transferee(
        &self,
        call: &Conversation,
        named: Option<&ParticipantInfo>,
    ) -> Result<Option<String>, Fault> {
        let Some(group) = &call.group else {
            return Ok(None);
        };
        let Some(named) = named else {
            let rule = "a transfer from a group call needs one";
            return Err(Fault::property("transferee", rule));
        };
        let room = self.rooms.get(&group.room);
        let phone = room.and_then(|room| room.phone_of(named));
        let rule = "it must be a user in the call, by participantId or identity";
        match phone {
            Some(phone) => Ok(Some(phone.clone())),
            None => Err(Fault::property("transferee", rule)),
        }
    }

    /// Tells the phone that is handed over where its call stands.
    pub(super) fn tell_leaving(
        &mut self,
        call: &Conversation,
        state: PhoneCallState,
        with: Option<Named>,
    ) {
        let Some(phone) = call.leaving().cloned() else {
            return;
        };
        let Some(group) = &call.group else {
            return self.tell_state(call, &phone, state, with);
        };
        if self.seat_in(group, &phone).is_some() {
            self.room_state(&group.room, &phone, state);
        }
    }

    fn seat_in(&mut self, group: &Group, phone: &str) -> Option<u32> {
        let who = Who::Phone(phone.to_owned());
        let seat = self.rooms.get_mut(&group.room)?.seat_of(&who)?;
        Some(seat.number)
    }

    /// Someone took the call: the transferee leaves the room, and is called.
    pub(super) fn call_transferee(&mut self, call: &mut Conversation, now: Instant) {
        let Some((group, phone)) = call.group.as_ref().zip(call.leaving().cloned()) else {
            return;
        };
        let room = group.room.clone();
        let Some(seat) = self.seat_in(group, &phone) else {
            return self.handover_failed(call, "the transferee has left the call", now);
        };
        self.vacate(&room, seat, MOVED, "Transferred", now);
        let until = now + RING_LIMIT;
        call.phase = Phase::Joining {
            until,
            transfer: true,
        };
        self.occupy(&phone, &call.id);
        let agent = call.agent.as_ref().map(|agent| self.named(agent));
        let event = PhoneEvent::Incoming {
            call: call.id.clone(),
            from: agent.unwrap_or_else(|| Named::new("Someone")),
            reason: IncomingReason::Transfer,
        };
        self.tell(&phone, event);
    }

    /// The transferee had left the room before the transfer failed: maybe as the last one.
    pub(super) fn end_if_alone(&mut self, call: &mut Conversation, now: Instant) {
        let room = call.group.as_ref().map(|group| &group.room);
        let room = room.and_then(|room| self.rooms.get(room));
        let met = room.and_then(Room::left_alone);
        if let Some(met) = met {
            self.end(call, &End::alone(met), now);
        }
    }

    /// The transferee takes the call.
    pub(super) fn transferee_comes(&mut self, call: &mut Conversation, phone: &str, sdp: String) {
        call.caller = Some(phone.to_owned());
        let agent = call.agent.as_ref().map(|agent| self.named(agent));
        self.tell_state(call, phone, PhoneCallState::Establishing, agent);
        let leg = Leg::Caller;
        self.media(call, MediaAction::Host { leg, sdp });
    }
}

impl Room {
    /// Whether anybody ever came, if one alone is left in a call that is no meeting.
    fn left_alone(&self) -> Option<bool> {
        (self.seats.len() == 1 && self.meeting.is_none()).then_some(self.met)
    }

    /// The phone of one who has joined, by participant or user.
    fn phone_of(&self, named: &ParticipantInfo) -> Option<&String> {
        let user = named.identity.as_ref().and_then(|set| set.any());
        let user = user.and_then(|identity| identity.id.as_deref());
        let meant = |seat: &&Seat| match (&named.participant_id, user) {
            (Some(participant), _) => seat.participant == *participant,
            (None, Some(user)) => {
                let own = seat.identity.any().and_then(|own| own.id.as_deref());
                own.is_some_and(|own| own.eq_ignore_ascii_case(user))
            }
            (None, None) => false,
        };
        let mut seats = self.seats.iter();
        match seats.find(meant) {
            Some(Seat {
                who: Who::Phone(phone),
                standing: Standing::Joined,
                in_lobby: false,
                ..
            }) => Some(phone),
            _ => None,
        }
    }
}

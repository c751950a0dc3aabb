//! How people come into group calls and meetings, and go.

use std::time::Instant;

use switchboard_media::event::MediaEvent;
use switchboard_signaling::types::{
    Call, CallState, ChangeType, IdentitySet, InvitationParticipantInfo, MediaState,
};

use super::conversation::{Conversation, MEDIA_LIMIT, Phase, RING_LIMIT};
use super::ending::End;
use super::meetings::Comer;
use super::room::{Settled, Standing, Who};
use super::{BOT_NAME, Cloud, Effect, RoomAction, RoomReport, notice};
use crate::phone::{EndReason, IncomingReason, Named, PhoneCallState, PhoneEvent};
use crate::timeline::{CallEvent, CallProgress, PromptState, TimelineEvent};

/// The level of digital silence, in dBov (RFC 6464).
const SILENCE: f32 = -127.0;

impl Cloud {
    /// Asks a user, a number or an application in, hidden or outside the mix if the invitation
    /// says so; the seat, if anyone is there to ask.
    pub(super) fn ask_in(
        &mut self,
        room: &str,
        target: &InvitationParticipantInfo,
        from: (&IdentitySet, &str),
        now: Instant,
    ) -> Option<u32> {
        let number = self.ask(room, target, from, now)?;
        let seat = self.rooms.get_mut(room).and_then(|room| room.seat(number));
        if let Some(seat) = seat {
            seat.hidden = target.hidden == Some(true);
            seat.outside = target.remove_from_default_audio_routing_group == Some(true);
        }
        Some(number)
    }

    /// An application of several tenants is the one in the tenant of who asks.
    fn ask(
        &mut self,
        room: &str,
        target: &InvitationParticipantInfo,
        (from, tenant): (&IdentitySet, &str),
        now: Instant,
    ) -> Option<u32> {
        let set = target.identity.as_ref()?;
        if let Some(id) = set.application.as_ref().and_then(|app| app.id.as_deref()) {
            let bot = self.bot_leg(id, Some(tenant), now)?;
            if self.is_full(&bot.app) {
                return None;
            }
            return self.ask_bot_in(room, bot, from, now);
        }
        let phone = self
            .phones_or_agents(std::slice::from_ref(target), None)
            .pop_first()?;
        let until = now + RING_LIMIT;
        let seat = self.seat_phone(room, &phone, Standing::Ringing { until })?;
        let event = PhoneEvent::Incoming {
            call: room.to_owned(),
            from: Named::new(BOT_NAME),
            reason: IncomingReason::Call,
        };
        self.tell(&phone, event);
        Some(seat)
    }

    fn seat_phone(&mut self, room: &str, phone: &str, standing: Standing) -> Option<u32> {
        let identity = self.identity_of(phone)?;
        let name = self.phones.get(phone)?.name.clone();
        let participant = self.ids.guid();
        let who = Who::Phone(phone.to_owned());
        let seat = self.rooms.get_mut(room)?;
        let seat = seat.take_seat((who, &name), participant, identity, standing);
        self.occupy(phone, room);
        if let Some(entry) = self.phones.get_mut(phone) {
            entry.room = Some(room.to_owned());
        }
        Some(seat)
    }

    /// A phone dials into a meeting, perhaps from a telephone.
    pub(super) fn dial_room(
        &mut self,
        room: &str,
        phone: &str,
        sdp: String,
        by_number: bool,
        now: Instant,
    ) {
        let until = now + MEDIA_LIMIT;
        let standing = Standing::Connecting { until };
        let tenant = self.tenant_of_phone(phone);
        let detained = self.is_detained(room, &Comer::phone(phone, &tenant, by_number));
        let Some(seat) = self.seat_phone(room, phone, standing) else {
            return;
        };
        let call = room.to_owned();
        self.tell(phone, PhoneEvent::Dialing { call });
        self.room_state(room, phone, PhoneCallState::Establishing);
        if detained {
            self.detain(room, seat);
        }
        self.room_media(room, RoomAction::Host { seat, sdp });
    }

    /// A phone that rings takes the call.
    pub(super) fn accept_room(
        &mut self,
        room: &str,
        phone: &str,
        sdp: String,
        now: Instant,
    ) -> Result<(), String> {
        let who = Who::Phone(phone.to_owned());
        let seat = self.rooms.get_mut(room).and_then(|room| room.seat_of(&who));
        let Some(seat) = seat.filter(|seat| matches!(seat.standing, Standing::Ringing { .. }))
        else {
            return Err("That call does not ring here.".to_owned());
        };
        let until = now + MEDIA_LIMIT;
        seat.standing = Standing::Connecting { until };
        let seat = seat.number;
        self.room_state(room, phone, PhoneCallState::Establishing);
        self.set_up(room, seat, RoomAction::Host { seat, sdp });
        Ok(())
    }

    /// A phone declines or hangs up.
    pub(super) fn leave_room(&mut self, room: &str, phone: &str, now: Instant) {
        let who = Who::Phone(phone.to_owned());
        let seat = self.rooms.get_mut(room).and_then(|room| room.seat_of(&who));
        if let Some(seat) = seat.map(|seat| seat.number) {
            self.vacate(room, seat, "You hung up", "Left", now);
        }
    }

    /// Empties a phone's seat; `told` to the phone, `why` on the roster.
    pub(super) fn vacate(&mut self, room: &str, number: u32, told: &str, why: &str, now: Instant) {
        let Some(place) = self.rooms.get_mut(room) else {
            return;
        };
        let Some(seat) = place.leave(number, why, now) else {
            return;
        };
        let settled = place.settle(number, false);
        self.settle(settled);
        if let Who::Phone(phone) = &seat.who {
            let call = room.to_owned();
            let reason = EndReason::normal(told);
            self.tell(phone, PhoneEvent::Ended { call, reason });
            self.free(phone);
        }
        self.room_media(room, RoomAction::Leave { seat: number });
        self.tidy(room, now);
    }

    /// A bot's call is over: so is its part in the room.
    pub(super) fn bot_left(&mut self, call: &mut Conversation, now: Instant) {
        let Some(group) = call.group.take() else {
            return;
        };
        let (id, seat) = (group.room, group.seat);
        if let Some(room) = self.rooms.get_mut(&id) {
            room.leave(seat, "Left", now);
            let settled = room.settle(seat, false);
            self.settle(settled);
        }
        self.room_media(&id, RoomAction::Leave { seat });
        self.tidy(&id, now);
    }

    fn settle(&mut self, settled: Vec<Settled>) {
        let settled = settled.into_iter();
        self.settled
            .extend(settled.map(|one| (one.call, one.operation, one.joined)));
    }

    /// An empty room is closed; nobody is left alone in a group call.
    fn tidy(&mut self, id: &str, now: Instant) {
        let Some(room) = self.rooms.get(id) else {
            return;
        };
        match room.seats.as_slice() {
            [] => self.close_room(id, now),
            [last] if room.meeting.is_none() => {
                let (number, who, met) = (last.number, last.who.clone(), room.met);
                match who {
                    Who::Phone(_) => self.vacate(id, number, "Everyone has left", "Left", now),
                    Who::Bot(call) => {
                        let end = End::alone(met);
                        self.with_call(&call, |cloud, call| cloud.end(call, &end, now));
                    }
                }
            }
            _ => {}
        }
    }

    fn close_room(&mut self, id: &str, now: Instant) {
        let Some(room) = self.rooms.remove(id) else {
            return;
        };
        self.room_media(id, RoomAction::End);
        self.adjourn(&room, now);
    }

    /// Takes a report on a room's media.
    pub(crate) fn room_report(&mut self, room: &str, report: RoomReport, now: Instant) {
        match report {
            RoomReport::Hosted { seat, sdp } => self.phone_is_in(room, seat, sdp, now),
            RoomReport::Connected { seat } => self.bot_is_in(room, seat, now),
            RoomReport::Failed { seat, why } => self.seat_failed(room, seat, &why, now),
            RoomReport::Lost { seat } => {
                self.seat_failed(room, seat, "the media connection was lost", now);
            }
            RoomReport::Heard { seat, event } => self.room_heard(room, seat, event, now),
            RoomReport::PromptStarted { seat, name } => {
                let state = PromptState::Started;
                self.show_of(room, seat, TimelineEvent::Prompt { name, state }, now);
            }
            RoomReport::PromptEnded {
                seat,
                name,
                interrupted,
            } => {
                let state = match interrupted {
                    true => PromptState::Interrupted,
                    false => PromptState::Finished,
                };
                self.show_of(room, seat, TimelineEvent::Prompt { name, state }, now);
            }
            RoomReport::Played { task, outcome } => self.done(&task.call, &task.operation, outcome),
            RoomReport::Recorded { task, end, clip } => {
                self.with_call(&task.call, |cloud, call| {
                    cloud.recorded(call, &task.operation, end, clip.as_ref());
                });
            }
            RoomReport::Held {
                seat,
                task,
                outcome,
            } => {
                let place = self.rooms.get_mut(room).and_then(|room| room.seat(seat));
                if let (Some(place), Err(_)) = (place, &outcome) {
                    place.held = false;
                }
                self.done(&task.call, &task.operation, outcome);
            }
        }
    }

    fn done(&mut self, call: &str, operation: &str, outcome: Result<(), String>) {
        let outcome = outcome.map_err(|why| (400, why));
        self.with_call(call, |cloud, call| cloud.finish(call, operation, outcome));
    }

    fn phone_is_in(&mut self, room: &str, seat: u32, sdp: String, now: Instant) {
        let place = self.rooms.get_mut(room).and_then(|room| room.seat(seat));
        let found = place.map(|place| (place.who.clone(), place.in_lobby));
        let Some((Who::Phone(phone), waits)) = found else {
            return;
        };
        let call = room.to_owned();
        self.tell(&phone, PhoneEvent::Answer { call, sdp });
        let state = match waits {
            true => PhoneCallState::Lobby,
            false => PhoneCallState::Established,
        };
        self.room_state(room, &phone, state);
        self.is_in(room, seat, now);
    }

    fn bot_is_in(&mut self, room: &str, seat: u32, now: Instant) {
        let place = self.rooms.get_mut(room).and_then(|room| room.seat(seat));
        let Some(Who::Bot(call)) = place.map(|place| place.who.clone()) else {
            return;
        };
        let entered = self.with_call(&call, |cloud, call| cloud.bot_entered(call, now));
        if entered == Some(true) {
            self.is_in(room, seat, now);
        }
    }

    fn bot_entered(&mut self, call: &mut Conversation, now: Instant) -> bool {
        if !matches!(call.phase, Phase::Establishing { .. }) {
            return false;
        }
        call.phase = Phase::Established;
        let mut data = Call {
            media_state: Some(notice::audio(MediaState::Active)),
            ..notice::change(CallState::Established)
        };
        if let Some(group) = &call.group {
            group.describe(&mut data);
        }
        self.notify(call, ChangeType::Updated, &data);
        self.show(call, TimelineEvent::call(CallProgress::Established), now);
        true
    }

    fn is_in(&mut self, id: &str, seat: u32, now: Instant) {
        if let Some(room) = self.rooms.get_mut(id) {
            room.joined(seat, now);
            let settled = room.settle(seat, true);
            self.settle(settled);
        }
    }

    fn seat_failed(&mut self, room: &str, seat: u32, why: &str, now: Instant) {
        let place = self.rooms.get_mut(room).and_then(|room| room.seat(seat));
        match place.map(|place| place.who.clone()) {
            Some(Who::Phone(_)) => {
                let told = format!("Audio could not be kept: {why}");
                self.vacate(room, seat, &told, "Connection lost", now);
            }
            Some(Who::Bot(call)) => {
                let end = End::no_media(why);
                self.with_call(&call, |cloud, call| cloud.end(call, &end, now));
            }
            None => {}
        }
    }

    /// Something was heard from a seat: a phone's keys go to every bot that subscribed.
    /// Nobody is shown what comes from the lobby.
    fn room_heard(&mut self, id: &str, seat: u32, event: MediaEvent, now: Instant) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        let created = room.created;
        let Some(place) = room.seat(seat).filter(|place| !place.in_lobby) else {
            return;
        };
        if let MediaEvent::DigitStart { digit, .. } = event {
            let presses = matches!(place.who, Who::Phone(_)) && !place.held;
            let bots: Vec<_> = room.bots_inside().collect();
            for call in bots.into_iter().filter(|_| presses) {
                self.with_call(&call, |cloud, call| cloud.tone(call, digit));
            }
            return;
        }
        let silenced = place.muted || place.held;
        let shown = place.clock.shown(event, created, now);
        let shown = shown.map(|shown| match shown {
            TimelineEvent::Level { .. } if silenced => TimelineEvent::Level { dbov: SILENCE },
            shown => shown,
        });
        if let Some(shown) = shown {
            self.show_of(id, seat, shown, now);
        }
    }

    /// Shows an event of a seat to the room's phones and to those who watch.
    fn show_of(&mut self, id: &str, seat: u32, event: TimelineEvent, now: Instant) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        let elapsed = now.saturating_duration_since(room.created);
        let event = CallEvent {
            call: id.to_owned(),
            t_ms: elapsed.as_millis() as u64,
            participant: room.seat(seat).map(|seat| seat.participant.clone()),
            far: false,
            event,
        };
        for phone in room.phones_inside() {
            let (call, event) = (id.to_owned(), event.clone());
            self.tell(&phone, PhoneEvent::Timeline { call, event });
        }
        self.effects.push_back(Effect::Show(event));
    }

    /// Tells the phones in a room who is there.
    pub(super) fn show_roster(&mut self, id: &str) {
        let Some(room) = self.rooms.get(id) else {
            return;
        };
        let inside: Vec<_> = room.seats.iter().filter(|seat| seat.is_inside()).collect();
        let participants: Vec<_> = inside.iter().map(|seat| seat.as_seen()).collect();
        let mut told = Vec::new();
        for seat in inside {
            if let Who::Phone(phone) = &seat.who {
                let event = PhoneEvent::Roster {
                    call: id.to_owned(),
                    own: seat.participant.clone(),
                    participants: participants.clone(),
                };
                told.push((phone.clone(), event));
            }
        }
        for (phone, event) in told {
            self.tell(&phone, event);
        }
    }

    pub(super) fn room_state(&mut self, id: &str, phone: &str, state: PhoneCallState) {
        let name = self.rooms.get(id).map(|room| room.name.clone());
        let with = name.map(Named::new);
        let call = id.to_owned();
        self.tell(phone, PhoneEvent::State { call, state, with });
    }

    /// Those who rang, or waited for media, too long.
    pub(super) fn room_timeouts(&mut self, now: Instant) {
        let mut due = Vec::new();
        for room in self.rooms.values() {
            let late = room
                .seats
                .iter()
                .filter(|seat| seat.deadline().is_some_and(|d| d <= now));
            due.extend(late.map(|seat| (room.id.clone(), seat.number)));
        }
        for (room, seat) in due {
            self.vacate(&room, seat, "No longer ringing", "Left", now);
        }
    }
}

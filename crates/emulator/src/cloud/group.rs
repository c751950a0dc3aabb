//! Graph's operations on group calls and meetings: placing and joining them, asking
//! people in, muting, holding and removing them.

use std::collections::BTreeSet;
use std::time::Instant;

use switchboard_signaling::types::{
    Call, CallDirection, ChatInfo, ClientContextRequest, InvitationParticipantInfo, InviteRequest,
    MeetingInfo, OperationKind, OperationStatus, RecordingStatus, StartHoldMusicRequest,
};

use super::conversation::{BotLeg, BotMedia, Conversation, Group, MEDIA_LIMIT, Phase};
use super::ending::End;
use super::graph::{check_targets, established};
use super::meetings::Comer;
use super::operations::{address, check_context};
use super::room::{Room, Roster, Seat, Standing, Who};
use super::{BOT_NAME, Cloud, Effect, Fault, Reply, RoomAction, RoomTask, notice};
use crate::phone::PhoneEvent;

/// Targets of a group call (Create call, example 3), and people invited at once
/// (participant: invite, example 2).
const MAX_TARGETS: usize = 5;

impl Cloud {
    /// Places a group call: the bot is in it at once, its targets ring.
    pub(super) fn create_group(
        &mut self,
        bot: BotLeg,
        request: Call,
        targets: &[InvitationParticipantInfo],
        now: Instant,
    ) -> Result<Reply, Fault> {
        if targets.len() > MAX_TARGETS {
            let rule = "a group call has at most 5 targets";
            return Err(Fault::property("targets", rule));
        }
        let (from, tenant) = (bot.identity(), bot.tenant.clone());
        let room = self.open_room("Group call", request.subject.clone(), now);
        let (call, mut whole) = self.enter(&room, bot, None, request.subject, now);
        whole.targets = Some(targets.to_vec());
        let rings = |target| self.ask_in(&room, target, (&from, &tenant), now);
        if targets.iter().filter_map(rings).count() == 0 {
            let end = End::nobody(404, "none of the targets is here and free");
            self.with_call(&call, |cloud, call| cloud.end(call, &end, now));
        }
        Ok(Reply::Created(Box::new(whole)))
    }

    /// Brings an application into a meeting.
    pub(super) fn join_meeting(
        &mut self,
        bot: BotLeg,
        request: Call,
        now: Instant,
    ) -> Result<Reply, Fault> {
        let meeting = self.meeting_to_join(&bot.tenant, &request)?;
        let room = self.meeting_room(&meeting, now);
        let mut info = request.meeting_info;
        if let Some(MeetingInfo::JoinMeetingId(info)) = &mut info {
            info.passcode = None;
        }
        let (_, whole) = self.enter(&room, bot, info, request.subject, now);
        Ok(Reply::Created(Box::new(whole)))
    }

    pub(super) fn open_room(
        &mut self,
        name: &str,
        subject: Option<String>,
        now: Instant,
    ) -> String {
        let id = self.ids.guid();
        let thread = format!("19:{}@thread.v2", self.ids.guid().replace('-', ""));
        let name = subject.unwrap_or_else(|| name.to_owned());
        let room = Room::new(id.clone(), name, chat(&thread), now);
        self.rooms.insert(id.clone(), room);
        id
    }

    /// Gives a bot that asked for it a seat; its call's id and how it is shown.
    fn enter(
        &mut self,
        room: &str,
        bot: BotLeg,
        meeting: Option<MeetingInfo>,
        subject: Option<String>,
        now: Instant,
    ) -> (String, Call) {
        let until = now + MEDIA_LIMIT;
        let phase = Phase::Establishing { until };
        let mut call = self.part_in(room, bot, phase, now);
        if let Some(group) = &mut call.group {
            (group.meeting, group.subject) = (meeting, subject);
        }
        let whole = self.whole(&call).unwrap_or_default();
        self.announce(&call, now);
        let comer = call.bot.as_ref().map(Comer::application);
        if comer.is_some_and(|comer| self.is_detained(room, &comer)) {
            let seat = call.group.as_ref().map_or(0, |group| group.seat);
            self.detain(room, seat);
        }
        self.enter_room(&call);
        let id = call.id.clone();
        self.calls.insert(id.clone(), call);
        (id, whole)
    }

    /// A bot's part in a room, with a seat that is not taken yet.
    fn part_in(&mut self, room: &str, bot: BotLeg, phase: Phase, now: Instant) -> Conversation {
        let id = self.ids.guid();
        let until = now + MEDIA_LIMIT;
        let mut group = Group {
            room: room.to_owned(),
            seat: 0,
            chat: ChatInfo::default(),
            meeting: None,
            subject: None,
            inviter: None,
            told: false,
            transferee: None,
        };
        if let Some(room) = self.rooms.get_mut(room) {
            let who = Who::Bot(id.clone());
            let standing = Standing::Connecting { until };
            let participant = bot.participant.clone();
            let identity = bot.identity();
            let named = identity.any().and_then(|one| one.display_name.clone());
            let name = named.unwrap_or_else(|| BOT_NAME.to_owned());
            group.seat = room.take_seat((who, &name), participant, identity, standing);
            group.chat = room.chat.clone();
            let name = room.seat(group.seat).map(|seat| seat.name.clone());
            self.effects.push_back(Effect::Seated {
                call: id.clone(),
                bot: name.unwrap_or_default(),
                room: room.id.clone(),
                since: room.created,
            });
        }
        Conversation {
            direction: CallDirection::Outgoing,
            group: Some(group),
            ..Conversation::new(id, bot, phase, now)
        }
    }

    /// Asks an application in: an incoming call for it.
    pub(super) fn ask_bot_in(
        &mut self,
        room: &str,
        bot: BotLeg,
        from: &switchboard_signaling::types::IdentitySet,
        now: Instant,
    ) -> Option<u32> {
        let until = now + super::ANSWER_LIMIT;
        let mut call = self.part_in(room, bot, Phase::Incoming { until }, now);
        call.direction = CallDirection::Incoming;
        let group = call.group.as_mut()?;
        group.inviter = Some(from.clone());
        let seat = group.seat;
        self.announce(&call, now);
        self.calls.insert(call.id.clone(), call);
        Some(seat)
    }

    /// The bot's media joins those of the others.
    pub(super) fn enter_room(&mut self, call: &Conversation) {
        let Some((group, bot)) = call.group.as_ref().zip(call.bot.as_ref()) else {
            return;
        };
        let (room, seat) = (group.room.clone(), group.seat);
        let place = self.rooms.get_mut(&room).and_then(|room| room.seat(seat));
        if let Some(place) = place {
            place.outside |= bot.outside;
        }
        let action = match &bot.media {
            Some(BotMedia::Application(blob)) => RoomAction::Call {
                seat,
                app: bot.app.clone(),
                call: call.id.clone(),
                blob: blob.clone(),
            },
            _ => RoomAction::Serve { seat },
        };
        self.set_up(&room, seat, action);
    }

    /// Sets a seat's media up, outside the default mix if that was asked for.
    pub(super) fn set_up(&mut self, room: &str, seat: u32, action: RoomAction) {
        let place = self.rooms.get_mut(room).and_then(|room| room.seat(seat));
        if place.is_some_and(|place| place.outside) {
            self.room_media(room, RoomAction::Outside { seat });
        }
        self.room_media(room, action);
    }

    pub(super) fn room_media(&mut self, room: &str, action: RoomAction) {
        let room = room.to_owned();
        self.effects.push_back(Effect::Room { room, action });
    }

    /// participant: invite
    pub(super) fn invite(
        &mut self,
        call: &mut Conversation,
        request: InviteRequest,
        now: Instant,
    ) -> Result<Reply, Fault> {
        established(call, "invite")?;
        let room = group(call)?.room.clone();
        check_context(request.client_context.as_deref())?;
        let mut people = request.participants.unwrap_or_default();
        if people.is_empty() || people.len() > MAX_TARGETS {
            let rule = "1 to 5 participants can be invited";
            return Err(Fault::property("participants", rule));
        }
        check_targets("participants", &people)?;
        // With a call to replace, only the first is read (participant: invite, example 3).
        if let Some(other) = people[0].replaces_call_id.clone() {
            people.truncate(1);
            self.replace_call(call, &other, "participants/0/replacesCallId", now)?;
        }
        let own = |bot: &BotLeg| (bot.identity(), bot.tenant.clone());
        let (from, tenant) = call.bot.as_ref().map(own).unwrap_or_default();
        let mut waiting = BTreeSet::new();
        for one in &mut people {
            let seat = self.ask_in(&room, one, (&from, &tenant), now);
            one.participant_id = seat.and_then(|seat| self.participant_at(&room, seat));
            waiting.extend(seat);
        }
        let kind = OperationKind::InviteParticipants;
        let running = OperationStatus::Running;
        let reply = self.begin(call, kind, running, request.client_context)?;
        let Reply::Operation(mut operation) = reply else {
            return Ok(reply);
        };
        operation.participants = Some(people);
        let id = operation.id.clone().unwrap_or_default();
        if let Some(bot) = &mut call.bot {
            bot.operations.insert(id.clone(), (*operation).clone());
        }
        if waiting.is_empty() {
            self.settled.push_back((call.id.clone(), id, false));
        } else if let Some(room) = self.rooms.get_mut(&room) {
            room.invited(&call.id, id, waiting);
        }
        Ok(Reply::Operation(operation))
    }

    fn participant_at(&mut self, room: &str, seat: u32) -> Option<String> {
        let seat = self.rooms.get_mut(room)?.seat(seat)?;
        Some(seat.participant.clone())
    }

    /// participant: mute; the server hears nothing of it any more.
    pub(super) fn mute_participant(
        &mut self,
        call: &mut Conversation,
        participant: &str,
        request: ClientContextRequest,
    ) -> Result<Reply, Fault> {
        established(call, "mute")?;
        check_context(request.client_context.as_deref())?;
        let room = group(call)?.room.clone();
        let (seat, who) = self.joined_seat(&room, participant, |seat| seat.muted = true)?;
        self.muted(&room, seat, &who, true);
        let kind = OperationKind::MuteParticipant;
        let completed = OperationStatus::Completed;
        self.begin(call, kind, completed, request.client_context)
    }

    /// call: mute and unmute, of an application in a room.
    pub(super) fn mute_in_group(&mut self, call: &Conversation, muted: bool) {
        let Some(group) = &call.group else { return };
        let (room, number) = (group.room.clone(), group.seat);
        let Some(seat) = self.rooms.get_mut(&room).and_then(|room| room.seat(number)) else {
            return;
        };
        seat.muted = muted;
        let who = seat.who.clone();
        self.muted(&room, number, &who, muted);
    }

    /// A phone has muted itself, or takes that back: who is there is told, media is left alone.
    pub(super) fn mute_own_seat(&mut self, room: &str, phone: &str, muted: bool) {
        let who = Who::Phone(phone.to_owned());
        let Some(room) = self.rooms.get_mut(room) else {
            return;
        };
        let Some(seat) = room.seat_of(&who) else {
            return;
        };
        seat.self_muted = muted;
        let number = seat.number;
        room.changed(number);
    }

    /// call: updateRecordingStatus, of an application in a room: the roster says so.
    pub(super) fn record_in_group(&mut self, call: &Conversation, status: &RecordingStatus) {
        let Some(group) = &call.group else { return };
        let Some(room) = self.rooms.get_mut(&group.room) else {
            return;
        };
        if let Some(seat) = room.seat(group.seat) {
            seat.recording = Some(status.clone());
        }
        room.changed(group.seat);
    }

    fn muted(&mut self, room: &str, seat: u32, who: &Who, muted: bool) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.changed(seat);
        }
        self.room_media(room, RoomAction::Mute { seat, muted });
        if let Who::Phone(phone) = who {
            let call = room.to_owned();
            self.tell(phone, PhoneEvent::ServerMuted { call, muted });
        }
    }

    /// participant: startHoldMusic; one at a time.
    pub(super) fn start_hold_music(
        &mut self,
        call: &mut Conversation,
        participant: &str,
        request: StartHoldMusicRequest,
    ) -> Result<Reply, Fault> {
        established(call, "startHoldMusic")?;
        check_context(request.client_context.as_deref())?;
        let room = group(call)?.room.clone();
        let origins = self.origins_of(call);
        let prompt = request.custom_prompt.as_ref();
        let music = prompt.map(|prompt| address("customPrompt", prompt, origins));
        let music = music.transpose()?;
        if self.holds_someone(&room) {
            let message = "Only one participant can be placed on hold at any given time.";
            let status = axum::http::StatusCode::CONFLICT;
            return Err(Fault::new(status, "Conflict", message));
        }
        let (seat, _) = self.joined_seat(&room, participant, |seat| seat.held = true)?;
        let kind = OperationKind::StartHoldMusic;
        let running = OperationStatus::Running;
        let reply = self.begin(call, kind, running, request.client_context)?;
        let Reply::Operation(operation) = reply else {
            return Ok(reply);
        };
        let task = RoomTask {
            call: call.id.clone(),
            operation: operation.id.clone().unwrap_or_default(),
        };
        self.room_media(&room, RoomAction::Hold { seat, task, music });
        Ok(Reply::AcceptedOperation(operation))
    }

    fn holds_someone(&self, room: &str) -> bool {
        let room = self.rooms.get(room);
        room.is_some_and(|room| room.seats.iter().any(|seat| seat.held))
    }

    /// participant: stopHoldMusic
    pub(super) fn stop_hold_music(
        &mut self,
        call: &mut Conversation,
        participant: &str,
        request: ClientContextRequest,
    ) -> Result<Reply, Fault> {
        established(call, "stopHoldMusic")?;
        check_context(request.client_context.as_deref())?;
        let room = group(call)?.room.clone();
        let mut held = false;
        let (seat, _) = self.joined_seat(&room, participant, |seat| {
            held = std::mem::take(&mut seat.held);
        })?;
        if !held {
            let message = "The participant is not on hold.";
            let status = axum::http::StatusCode::CONFLICT;
            return Err(Fault::new(status, "Conflict", message));
        }
        self.room_media(&room, RoomAction::Resume { seat });
        let kind = OperationKind::StopHoldMusic;
        let running = OperationStatus::Running;
        let reply = self.begin(call, kind, running, request.client_context)?;
        let Reply::Operation(operation) = reply else {
            return Ok(reply);
        };
        let id = operation.id.clone().unwrap_or_default();
        self.settled.push_back((call.id.clone(), id, true));
        Ok(Reply::AcceptedOperation(operation))
    }

    /// Delete participant; also takes an invitation back.
    pub(super) fn delete_participant(
        &mut self,
        call: &mut Conversation,
        participant: &str,
        now: Instant,
    ) -> Result<Reply, Fault> {
        established(call, "delete participant")?;
        let room = group(call)?.room.clone();
        let found = self.rooms.get(&room).and_then(|room| {
            let mut seats = room.seats.iter();
            seats.find(|seat| seat.participant == participant)
        });
        let seat = found.ok_or_else(Fault::no_participant)?;
        let (number, who) = (seat.number, seat.who.clone());
        match who {
            Who::Bot(id) if id == call.id => self.end(call, &End::by_bot(), now),
            Who::Bot(id) => {
                let end = End::removed();
                self.with_call(&id, |cloud, call| cloud.end(call, &end, now));
            }
            Who::Phone(_) => self.vacate(&room, number, "You were removed", "Removed", now),
        }
        Ok(Reply::NoContent)
    }

    /// Changes the seat of one who has joined.
    fn joined_seat(
        &mut self,
        room: &str,
        participant: &str,
        change: impl FnOnce(&mut Seat),
    ) -> Result<(u32, Who), Fault> {
        let seats = self.rooms.get_mut(room).map(|room| room.seats.iter_mut());
        let joined =
            |seat: &&mut Seat| seat.participant == participant && seat.standing == Standing::Joined;
        let seat = seats.and_then(|mut seats| seats.find(joined));
        let seat = seat.ok_or_else(Fault::no_participant)?;
        change(seat);
        Ok((seat.number, seat.who.clone()))
    }

    /// What all bots in the rooms are to be told: how invitations ended, then who is
    /// there. Left until a step is over, since bots' calls may be in hand before.
    pub(super) fn tell_bots(&mut self) {
        while let Some((call, operation, joined)) = self.settled.pop_front() {
            let outcome = if joined {
                Ok(())
            } else {
                Err((408, "Nobody who was invited has come.".to_owned()))
            };
            self.with_call(&call, |cloud, call| {
                cloud.finish(call, &operation, outcome);
            });
        }
        let rooms: Vec<_> = self.rooms.keys().cloned().collect();
        for id in rooms {
            self.tell_roster(&id);
            self.tell_sharing(&id);
            self.tell_lobby(&id);
        }
    }

    fn tell_roster(&mut self, id: &str) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        let Some(roster) = room.take_news() else {
            return;
        };
        let (inside, waiting) = (room.bots_inside(), room.bots_waiting());
        let (inside, waiting): (Vec<_>, Vec<_>) = (inside.collect(), waiting.collect());
        for call in inside {
            self.with_call(&call, |cloud, call| cloud.notify_roster(call, &roster));
        }
        self.show_roster(id);
        // Until it is admitted, an application is told of nobody but itself (Create call, note
        // to joining as a guest).
        for call in waiting {
            self.with_call(&call, |cloud, call| {
                let own = call.bot.as_ref().map(|bot| bot.participant.clone());
                let own = roster.changes_of(own.as_ref());
                if !own.whole.is_empty() {
                    cloud.notify_roster(call, &own);
                }
            });
        }
    }

    fn notify_roster(&mut self, call: &mut Conversation, roster: &Roster) {
        let message = self.ids.guid();
        let Some((bot, group)) = call.bot.as_ref().zip(call.group.as_mut()) else {
            return;
        };
        let told = std::mem::replace(&mut group.told, true);
        // Nothing that a roster shows.
        if told && roster.changes.is_empty() {
            return;
        }
        let people = if told && bot.delta_roster {
            &roster.changes
        } else {
            &roster.whole
        };
        let Some(bot) = &call.bot else { return };
        let notice = notice::about_roster(call, bot, message, people);
        self.effects.push_back(Effect::Notify(Box::new(notice)));
    }
}

/// The operation is documented for group calls.
pub(super) fn group(call: &Conversation) -> Result<&Group, Fault> {
    call.group.as_ref().ok_or_else(|| Fault::only_for("group"))
}

pub(super) fn chat(thread: &str) -> ChatInfo {
    ChatInfo {
        thread_id: Some(thread.to_owned()),
        message_id: Some("0".to_owned()),
        ..ChatInfo::default()
    }
}

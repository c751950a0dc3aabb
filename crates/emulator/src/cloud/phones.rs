//! What phones do.

use std::time::Instant;

use switchboard_signaling::types::{CallDirection, CallState, ChangeType, IdentitySet};
use switchboard_transport::sdp;

use super::conversation::BotLeg;
use super::conversation::{ANSWER_LIMIT, Conversation, KEEP_ALIVE_LIMIT, Phase};
use super::ending::End;
use super::notice;
use super::{BOT_NAME, Cloud, Leg, MediaAction, PhoneEntry, Registration, Target};
use crate::config::client_id;
use crate::phone::{Named, PhoneCallState, PhoneCommand, PhoneEvent, PhoneRole, PhoneUser};
use crate::timeline::{CallProgress, TimelineEvent};

/// Longer names are cut.
const NAME_LIMIT: usize = 40;
/// What the page dials.
const BOT: &str = "bot";
/// The same by one of the application's instances, with its id.
const INSTANCE: &str = "instance:";

impl Cloud {
    /// Adds a phone of somebody.
    #[cfg(test)]
    pub(crate) fn register_phone(&mut self, name: &str, role: PhoneRole) -> String {
        self.register_user(&PhoneUser::default(), name, role)
    }

    /// Adds a phone; its id is also its user's object id. If there is a phone of that user
    /// already, this one gets another.
    pub(crate) fn register_user(
        &mut self,
        user: &PhoneUser,
        name: &str,
        role: PhoneRole,
    ) -> String {
        let own = user.id.clone();
        let mut id = own.unwrap_or_else(|| self.ids.guid());
        while self.phones.contains_key(&id) {
            id = self.ids.guid();
        }
        let name: String = name
            .chars()
            .filter(|c| !c.is_control())
            .take(NAME_LIMIT)
            .collect();
        let entry = PhoneEntry {
            name: if name.is_empty() {
                "Phone".to_owned()
            } else {
                name
            },
            role,
            tenant: user.tenant.clone(),
            call: None,
            room: None,
        };
        self.phones.insert(id.clone(), entry);
        id
    }

    /// Tells a phone who it is and whether there is a bot to call.
    pub(crate) fn welcome(&mut self, phone: &str) {
        let Some(entry) = self.phones.get(phone) else {
            return;
        };
        let bot = self.reachable(BOT, None).map(|_| Named::new(BOT_NAME));
        let event = PhoneEvent::Registered {
            phone: entry.info(phone),
            bot,
        };
        self.tell(phone, event);
        self.phones_changed = true;
    }

    /// The phone is gone, its tab closed: it leaves its call.
    pub(crate) fn phone_gone(&mut self, phone: &str, now: Instant) {
        if let Some(room) = self.room_of(phone) {
            self.leave_room(&room, phone, now);
        } else if let Some(call) = self.phones.get(phone).and_then(|entry| entry.call.clone()) {
            self.with_call(&call, |cloud, call| cloud.leave(call, phone, now));
        }
        self.phones_changed |= self.phones.remove(phone).is_some();
    }

    /// Carries out a phone's command, or tells the phone why not.
    pub(crate) fn phone_says(&mut self, phone: &str, command: PhoneCommand, now: Instant) {
        let about = about(&command).map(str::to_owned);
        if let Err(message) = self.obey(phone, command, now) {
            let call = about;
            self.tell(phone, PhoneEvent::Error { message, call });
        }
    }

    fn room_of(&self, phone: &str) -> Option<String> {
        self.phones.get(phone)?.room.clone()
    }

    fn obey(&mut self, phone: &str, command: PhoneCommand, now: Instant) -> Result<(), String> {
        let own = |call: &String| {
            let entry = self.phones.get(phone);
            entry.is_some_and(|entry| entry.call.as_ref() == Some(call))
        };
        let room = self.room_of(phone);
        match (command, room) {
            (PhoneCommand::Accept { call, sdp }, Some(room)) if own(&call) => {
                check(&sdp)?;
                self.accept_room(&room, phone, sdp, now)
            }
            (PhoneCommand::Decline { call } | PhoneCommand::Hangup { call }, Some(room))
                if own(&call) =>
            {
                self.leave_room(&room, phone, now);
                Ok(())
            }
            (PhoneCommand::Mute { call, muted }, Some(room)) if own(&call) => {
                self.mute_own_seat(&room, phone, muted);
                Ok(())
            }
            (PhoneCommand::Admit { call, participant }, Some(room)) if own(&call) => {
                self.phone_admits(&room, phone, &participant, now)
            }
            (command, _) => self.obey_in_call(phone, command, now),
        }
    }

    fn obey_in_call(
        &mut self,
        phone: &str,
        command: PhoneCommand,
        now: Instant,
    ) -> Result<(), String> {
        match command {
            PhoneCommand::Dial { target, sdp } => self.dial(phone, &target, sdp, now),
            PhoneCommand::Accept { call, sdp } => {
                check(&sdp)?;
                self.in_call(phone, &call, |cloud, call| {
                    cloud.accept(call, phone, sdp, now)
                })?
            }
            PhoneCommand::Offer { call, sdp } => {
                check(&sdp)?;
                self.in_call(phone, &call, |cloud, call| cloud.offered(call, phone, sdp))?
            }
            PhoneCommand::Decline { call } | PhoneCommand::Hangup { call } => {
                self.in_call(phone, &call, |cloud, call| cloud.leave(call, phone, now))
            }
            PhoneCommand::Mute { call, muted } => self.in_call(phone, &call, |_, call| {
                // An agent is on nobody's roster.
                if call.caller.as_deref() == Some(phone) {
                    call.caller_muted = muted;
                }
            }),
            PhoneCommand::Admit { .. } => Err("This phone is not in that meeting.".to_owned()),
        }
    }

    /// Runs `act` if the phone is in the call; a phone can't touch others' calls.
    fn in_call<R>(
        &mut self,
        phone: &str,
        call: &str,
        act: impl FnOnce(&mut Self, &mut Conversation) -> R,
    ) -> Result<R, String> {
        let own = self
            .phones
            .get(phone)
            .and_then(|entry| entry.call.as_deref());
        if own != Some(call) {
            return Err("This phone is not in that call.".to_owned());
        }
        self.with_call(call, act)
            .ok_or_else(|| "That call is over.".to_owned())
    }

    /// The application a target means, if it can be called.
    fn reachable(&self, target: &str, tenant: Option<&str>) -> Option<(&String, &Registration)> {
        let apps = || self.apps().filter(|(_, app)| app.webhook.is_some());
        let meant = |(id, app): &(&String, &Registration)| {
            let whole = || format!("{}@{}", client_id(id), app.tenant);
            target == BOT
                || target.eq_ignore_ascii_case(id)
                || target.eq_ignore_ascii_case(&whole())
        };
        let in_tenant = |(id, app): &(&String, &Registration)| {
            let here = tenant.is_some_and(|tenant| tenant.eq_ignore_ascii_case(&app.tenant));
            here && target.eq_ignore_ascii_case(client_id(id))
        };
        let own = apps().find(in_tenant);
        own.or_else(|| apps().find(meant))
    }

    /// The tenant of a phone's user.
    pub(super) fn tenant_of_phone(&self, phone: &str) -> String {
        let own = self
            .phones
            .get(phone)
            .and_then(|entry| entry.tenant.clone());
        own.unwrap_or_else(|| self.home_tenant())
    }

    /// The tenant of everybody who has none of their own.
    pub(super) fn home_tenant(&self) -> String {
        let tenant = self.apps().next().map(|(_, app)| app.tenant.clone());
        tenant.unwrap_or_default()
    }

    /// A phone's user, or a telephone, as source, target or participant.
    pub(super) fn identity_of(&self, phone: &str) -> Option<IdentitySet> {
        let entry = self.phones.get(phone)?;
        Some(notice::person(
            phone,
            &entry.name,
            &self.tenant_of_phone(phone),
        ))
    }

    /// What a phone can dial: every application with a webhook, and every meeting.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let apps = self.apps().filter(|(_, app)| app.webhook.is_some());
        let bots: Vec<_> = apps.collect();
        let one = bots.len() == 1;
        let shared = |id: &str| {
            let same = |other: &&String| client_id(other) == client_id(id);
            self.apps().map(|(id, _)| id).filter(same).count() > 1
        };
        let bots = bots.into_iter().map(|(id, app)| {
            // By a client id that several tenants share each phone means its own tenant's.
            let target = match shared(id) {
                true => format!("{}@{}", client_id(id), app.tenant),
                false => id.clone(),
            };
            let name = match one {
                true => BOT_NAME.to_owned(),
                false => format!("{BOT_NAME} {target}"),
            };
            Target { target, name }
        });
        bots.chain(self.meetings.targets()).collect()
    }

    fn dial(&mut self, phone: &str, target: &str, sdp: String, now: Instant) -> Result<(), String> {
        check(&sdp)?;
        let free = self
            .phones
            .get(phone)
            .is_some_and(|entry| entry.call.is_none());
        if !free {
            return Err("This phone is in a call already.".to_owned());
        }
        if let Some(dialled) = self.meeting_dialled(target) {
            let room = self.meeting_room(&dialled.meeting, now);
            self.dial_room(&room, phone, sdp, dialled.by_number, now);
            return Ok(());
        }
        let instance = target.strip_prefix(INSTANCE);
        let tenant = self.tenant_of_phone(phone);
        let bot = self
            .bot_leg(instance.map_or(target, |_| BOT), Some(&tenant), now)
            .ok_or("No bot is registered under that name: GET /admin/targets lists them.")?;
        if self.is_full(&bot.app) {
            return Err("The bot has as many calls as it may have.".to_owned());
        }
        let until = now + ANSWER_LIMIT;
        let id = self.ids.guid();
        let call = Conversation {
            caller: Some(phone.to_owned()),
            instance: instance.map(str::to_owned),
            offer: Some(sdp),
            ..Conversation::new(id, bot, Phase::Incoming { until }, now)
        };
        self.occupy(phone, &call.id);
        self.tell(
            phone,
            PhoneEvent::Dialing {
                call: call.id.clone(),
            },
        );
        self.tell_state(
            &call,
            phone,
            PhoneCallState::Ringing,
            Some(Named::new(BOT_NAME)),
        );
        self.announce(&call, now);
        self.calls.insert(call.id.clone(), call);
        Ok(())
    }

    /// A bot is told of its new call, and so are those who watch.
    pub(super) fn announce(&mut self, call: &Conversation, now: Instant) {
        self.show(call, TimelineEvent::call(CallProgress::Establishing), now);
        if call.direction == CallDirection::Incoming {
            if let Some(data) = self.whole(call) {
                self.notify(call, ChangeType::Created, &data);
            }
            return;
        }
        let mut data = notice::change(CallState::Establishing);
        if let Some(group) = &call.group {
            group.describe(&mut data);
        }
        self.notify(call, ChangeType::Updated, &data);
    }

    /// A leg of the application that is meant; of several tenants' preferably this one's.
    pub(super) fn bot_leg(
        &mut self,
        target: &str,
        tenant: Option<&str>,
        now: Instant,
    ) -> Option<BotLeg> {
        let (app, registration) = self.reachable(target, tenant)?;
        let (app, tenant) = (app.clone(), registration.tenant.clone());
        let callback = registration.webhook.clone()?;
        Some(self.new_bot_leg(app, tenant, callback, now))
    }

    pub(super) fn new_bot_leg(
        &mut self,
        app: String,
        tenant: String,
        callback: url::Url,
        now: Instant,
    ) -> BotLeg {
        BotLeg {
            app,
            tenant,
            callback,
            media: None,
            outside: false,
            recording: None,
            operations: std::collections::BTreeMap::new(),
            tones: false,
            tone_sequence: 0,
            alive_until: now + KEEP_ALIVE_LIMIT,
            chain: self.ids.guid(),
            scenario: self.ids.guid(),
            participant: self.ids.guid(),
            source: None,
            delta_roster: false,
            content_notices: false,
            muted: false,
        }
    }

    /// The call with all its properties, if the bot is still in it.
    pub(super) fn whole(&self, call: &Conversation) -> Option<switchboard_signaling::types::Call> {
        let bot = call.bot.as_ref()?;
        let caller = call.caller.as_deref();
        let caller = caller.and_then(|id| self.identity_of(id));
        Some(notice::whole(call, bot, caller))
    }

    pub(super) fn occupy(&mut self, phone: &str, call: &str) {
        if let Some(entry) = self.phones.get_mut(phone) {
            entry.call = Some(call.to_owned());
            self.phones_changed = true;
        }
    }

    pub(super) fn free(&mut self, phone: &str) {
        if let Some(entry) = self.phones.get_mut(phone) {
            (entry.call, entry.room) = (None, None);
            self.phones_changed = true;
        }
    }

    /// A phone that rings takes the call.
    fn accept(
        &mut self,
        call: &mut Conversation,
        phone: &str,
        sdp: String,
        now: Instant,
    ) -> Result<(), String> {
        if call.awaits(phone) {
            self.transferee_comes(call, phone, sdp);
            return Ok(());
        }
        let rings = call.ring().is_some_and(|ring| ring.phones.remove(phone));
        if !rings {
            return Err("That call does not ring here.".to_owned());
        }
        self.stop_ringing(call, "Someone else answered");
        match call.phase {
            Phase::Ringing(_) => self.accept_outgoing(call, phone, sdp, now),
            _ => self.accept_handover(call, phone, sdp, now),
        }
        Ok(())
    }

    fn accept_outgoing(&mut self, call: &mut Conversation, phone: &str, sdp: String, now: Instant) {
        call.caller = Some(phone.to_owned());
        call.offer = Some(sdp);
        self.tell_state(
            call,
            phone,
            PhoneCallState::Establishing,
            Some(Named::new(BOT_NAME)),
        );
        self.begin_media(call, now);
    }

    /// A fresh offer, asked for by `renegotiate`.
    fn offered(&mut self, call: &mut Conversation, phone: &str, sdp: String) -> Result<(), String> {
        let expected = matches!(call.phase, Phase::Joining { .. })
            && !call.caller_hosted
            && call.caller.as_deref() == Some(phone);
        if !expected {
            return Err("No offer was asked for.".to_owned());
        }
        let leg = Leg::Caller;
        self.media(call, MediaAction::Host { leg, sdp });
        Ok(())
    }

    /// A phone declines or hangs up.
    fn leave(&mut self, call: &mut Conversation, phone: &str, now: Instant) {
        if let Some(ring) = call.ring()
            && ring.phones.remove(phone)
        {
            let nobody_left = ring.phones.is_empty();
            self.dismiss(call, phone, "You declined");
            if nobody_left {
                self.ring_failed(call, 603, "the call was declined", now);
            }
            return;
        }
        if call.awaits(phone) {
            return self.handover_failed(call, "the call was declined", now);
        }
        if call.people().any(|someone| someone == phone) {
            let who = self.named(phone).name;
            self.end(call, &End::hung_up(phone, &who), now);
        }
    }
}

/// The call a command is about.
fn about(command: &PhoneCommand) -> Option<&str> {
    match command {
        PhoneCommand::Dial { .. } => None,
        PhoneCommand::Accept { call, .. }
        | PhoneCommand::Offer { call, .. }
        | PhoneCommand::Decline { call }
        | PhoneCommand::Hangup { call }
        | PhoneCommand::Mute { call, .. }
        | PhoneCommand::Admit { call, .. } => Some(call),
    }
}

fn check(offer: &str) -> Result<(), String> {
    sdp::check_description(offer).map_err(|error| format!("The offer is refused: {error}."))
}

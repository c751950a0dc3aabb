//! Calls that go on to another phone: redirects and transfers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use switchboard_signaling::types::{
    Call, CallState, ChangeType, InvitationParticipantInfo, ResultInfo,
};

use super::conversation::{Conversation, MEDIA_LIMIT, Phase, Ring};
use super::ending::End;
use super::{BOT_NAME, Cloud, Leg, MediaAction, PhoneEntry, notice};
use crate::phone::{IncomingReason, Named, PhoneCallState, PhoneEvent, PhoneRole};
use crate::timeline::{CallProgress, TimelineEvent};

/// The name of one who is hidden.
const MASKED: &str = "Anonymous";

fn hide(name: Named, hidden: bool) -> Named {
    if hidden { Named::new(MASKED) } else { name }
}

impl Cloud {
    /// The free phones that targets mean: by id or name; every agent if nobody has that, be it
    /// in a call.
    pub(super) fn phones_or_agents(
        &self,
        targets: &[InvitationParticipantInfo],
        caller: Option<&str>,
    ) -> BTreeSet<String> {
        if self.has_phone(targets) {
            return self.phones_of(targets, caller);
        }
        let idle = self.idle(caller);
        idle.filter(|(_, entry)| entry.role == PhoneRole::Agent)
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// The free phones that targets mean: by id or name.
    fn phones_of(
        &self,
        targets: &[InvitationParticipantInfo],
        caller: Option<&str>,
    ) -> BTreeSet<String> {
        self.idle(caller)
            .filter(|(id, entry)| meant(targets, id, &entry.name))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Phones that are in no call and are not the caller's.
    fn idle(&self, caller: Option<&str>) -> impl Iterator<Item = (&String, &PhoneEntry)> {
        let phones = self.phones.iter();
        phones.filter(move |(id, entry)| Some(id.as_str()) != caller && entry.call.is_none())
    }

    /// Whether one of the targets has a phone, be it in a call.
    pub(super) fn has_phone(&self, targets: &[InvitationParticipantInfo]) -> bool {
        let mut phones = self.phones.iter();
        phones.any(|(id, entry)| meant(targets, id, &entry.name))
    }

    /// Lets phones ring for a call.
    pub(super) fn ring(
        &mut self,
        call: &Conversation,
        phones: BTreeSet<String>,
        limit: Duration,
        reason: IncomingReason,
        now: Instant,
    ) -> Ring {
        let from = match call.leaving() {
            Some(_) if call.masked.caller => Named::new(MASKED),
            Some(caller) => self.named(caller),
            None => Named::new(BOT_NAME),
        };
        for phone in &phones {
            self.occupy(phone, &call.id);
            let event = PhoneEvent::Incoming {
                call: call.id.clone(),
                from: from.clone(),
                reason,
            };
            self.tell(phone, event);
        }
        Ring {
            phones,
            until: now + limit,
        }
    }

    /// A ringing agent takes the call: its media first, then the caller's.
    pub(super) fn accept_handover(
        &mut self,
        call: &mut Conversation,
        phone: &str,
        sdp: String,
        now: Instant,
    ) {
        let transfer = matches!(call.phase, Phase::Transferring(_));
        let until = now + MEDIA_LIMIT;
        call.phase = Phase::Joining { until, transfer };
        call.agent = Some(phone.to_owned());
        if transfer {
            let data = notice::change(CallState::TransferAccepted);
            self.notify(call, ChangeType::Updated, &data);
        }
        let caller = call.leaving().map(|caller| self.named(caller));
        let caller = caller.map(|name| hide(name, call.masked.caller));
        self.tell_state(call, phone, PhoneCallState::Establishing, caller);
        let leg = Leg::Agent;
        self.media(call, MediaAction::Host { leg, sdp });
    }

    /// The agent's media is set up: now the caller's, unless the cloud has it already.
    pub(super) fn agent_hosted(&mut self, call: &mut Conversation, now: Instant) {
        if call.caller_hosted {
            return self.join(call, now);
        }
        if call.group.is_some() {
            return self.call_transferee(call, now);
        }
        let Some(caller) = call.caller.clone() else {
            return;
        };
        match call.offer.take() {
            Some(sdp) => {
                let leg = Leg::Caller;
                self.media(call, MediaAction::Host { leg, sdp });
            }
            None => {
                let id = call.id.clone();
                self.tell(&caller, PhoneEvent::Renegotiate { call: id });
            }
        }
    }

    /// Both are with the cloud: they talk, and the bot is out.
    pub(super) fn join(&mut self, call: &mut Conversation, now: Instant) {
        let Phase::Joining { transfer, .. } = call.phase else {
            return;
        };
        call.phase = Phase::Joined;
        self.bot_left(call, now);
        self.media(call, MediaAction::Bridge);
        self.media(call, MediaAction::LeaveBot);
        let result = if transfer {
            // call: transfer, example 1
            notice::result(0, 7015, "GracefulTransferCompleted")
        } else {
            notice::result(0, 0, "The call was redirected")
        };
        self.bot_leaves(call, result);
        if let (Some(caller), Some(agent)) = (call.caller.clone(), call.agent.clone()) {
            let caller_name = hide(self.named(&caller), call.masked.caller);
            let agent_name = hide(self.named(&agent), call.masked.callee);
            self.tell_state(call, &caller, PhoneCallState::Established, Some(agent_name));
            self.tell_state(call, &agent, PhoneCallState::Established, Some(caller_name));
        }
        if !transfer {
            self.show(call, TimelineEvent::call(CallProgress::Established), now);
        }
    }

    /// Nobody took a call that rang.
    pub(super) fn ring_failed(
        &mut self,
        call: &mut Conversation,
        code: i32,
        why: &str,
        now: Instant,
    ) {
        self.stop_ringing(call, "No longer ringing");
        match call.phase {
            Phase::Transferring(_) => self.transfer_failed(call, why),
            _ => self.end(call, &End::nobody(code, why), now),
        }
    }

    /// Someone took it, but media can't be had.
    pub(super) fn handover_failed(&mut self, call: &mut Conversation, why: &str, now: Instant) {
        let Phase::Joining { transfer, .. } = call.phase else {
            return;
        };
        if !transfer {
            return self.end(call, &End::no_media(why), now);
        }
        let of_room = call.group.is_some();
        let awaited = call.leaving().filter(|phone| call.awaits(phone)).cloned();
        let caller = call.caller.take_if(|_| of_room);
        for phone in call.agent.take().into_iter().chain(awaited).chain(caller) {
            self.dismiss(call, &phone, "The call could not be handed over");
        }
        if of_room {
            // Both sessions are of a call that won't be.
            self.media(call, MediaAction::End);
            call.caller_hosted = false;
        }
        self.transfer_failed(call, why);
        self.end_if_alone(call, now);
    }

    /// The caller stays with the bot, which learns why (call: transfer, "transfer
    /// failed": the state is `established`, 500/7000).
    fn transfer_failed(&mut self, call: &mut Conversation, why: &str) {
        call.phase = Phase::Established;
        let failure: ResultInfo = notice::result(500, 7000, &format!("Transfer failed: {why}"));
        let data = Call {
            result_info: Some(failure),
            ..notice::change(CallState::Established)
        };
        self.notify(call, ChangeType::Updated, &data);
        let bot = Some(Named::new(BOT_NAME));
        self.tell_leaving(call, PhoneCallState::Established, bot);
        if let Some(group) = &mut call.group {
            group.transferee = None;
        }
    }
}

/// Whether one of the targets is the phone of that id or name.
fn meant(targets: &[InvitationParticipantInfo], id: &str, name: &str) -> bool {
    let sets = targets.iter().filter_map(|target| target.identity.as_ref());
    sets.filter_map(|set| set.any()).any(|identity| {
        let own = identity.id.as_deref();
        own.is_some_and(|own| own.eq_ignore_ascii_case(id))
            || identity.display_name.as_deref() == Some(name)
    })
}

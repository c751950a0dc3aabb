//! Graph's operations that move a call from state to state.

use std::time::{Duration, Instant};

use switchboard_signaling::types::{
    AnswerRequest, Call, CallDirection, CallState, ChangeType, InvitationParticipantInfo,
    MediaConfig, Modality, Redacted, RedirectRequest, RejectReason, RejectRequest, TransferRequest,
};
use switchboard_transport::whip::MediaBlob;
use url::Url;

use super::conversation::{BotLeg, BotMedia, Conversation, Masked, Phase, RING_LIMIT};
use super::ending::End;
use super::origins::Origins;
use super::{BOT_NAME, Cloud, Fault, Operation, Reply, notice};
use crate::phone::{IncomingReason, Named, PhoneCallState};

/// Seconds that targets may ring (call: redirect).
const RING_SECONDS: std::ops::RangeInclusive<i32> = 15..=90;
/// Seconds that the target of a new call may ring (call resource, `ringingTimeoutInSeconds`).
const MAX_RINGING_S: u32 = 115;
/// Targets that may ring at once (call: redirect).
const MAX_REDIRECT_TARGETS: usize = 25;

impl Cloud {
    /// An operation of an application on one of its calls.
    pub(crate) fn operate(
        &mut self,
        app: &str,
        call: &str,
        operation: Operation,
        now: Instant,
    ) -> Result<Reply, Fault> {
        let own = |call: &Conversation| call.bot.as_ref().is_some_and(|bot| bot.app == app);
        if !self.calls.get(call).is_some_and(own) {
            return Err(Fault::no_call());
        }
        self.with_call(call, |cloud, call| cloud.dispatch(call, operation, now))
            .ok_or_else(Fault::no_call)?
    }

    fn dispatch(
        &mut self,
        call: &mut Conversation,
        operation: Operation,
        now: Instant,
    ) -> Result<Reply, Fault> {
        self.let_in(call, &operation)?;
        match operation {
            Operation::Get => self.get(call),
            Operation::Delete => {
                self.end(call, &End::by_bot(), now);
                Ok(Reply::NoContent)
            }
            Operation::Answer(request) => self.answer(call, *request, now),
            Operation::Reject(request) => self.reject(call, &request, now),
            Operation::Redirect(request) => self.redirect(call, &request, now),
            Operation::Transfer(request) => self.transfer(call, *request, now),
            Operation::KeepAlive => self.keep_alive(call, now),
            Operation::Mute(request) => self.mute(call, request, true),
            Operation::Unmute(request) => self.mute(call, request, false),
            Operation::PlayPrompt(request) => self.play_prompt(call, request),
            Operation::SubscribeToTone(request) => self.subscribe_to_tone(call, request),
            Operation::RecordResponse(request) => self.record_response(call, request),
            Operation::ChangeScreenSharingRole(request) => self.change_role(call, &request),
            Operation::AddLargeGalleryView(request) => self.add_large_gallery(call, request),
            Operation::ListSharing => {
                let sessions = self.sharing_sessions(call);
                Ok(Reply::list("contentSharingSessions", &sessions))
            }
            Operation::GetSharing(id) => self.sharing_session(call, &id),
            Operation::ListRoutes => {
                let routes = self.routes(call)?;
                Ok(Reply::list("audioRoutingGroups", &routes))
            }
            Operation::GetRoute(id) => self.route(call, &id),
            Operation::CreateRoute(group) => self.create_route(call, group),
            Operation::UpdateRoute(id, changes) => self.update_route(call, &id, changes),
            Operation::DeleteRoute(id) => self.delete_route(call, &id),
            Operation::Progress(id) => Self::get_operation(call, &id),
            Operation::ListOperations => Self::list_operations(call),
            Operation::ListParticipants => Ok(Reply::Participants(self.roster(call))),
            Operation::GetParticipant(id) => self.participant(call, &id),
            Operation::CancelMediaProcessing(request) => self.cancel_media(call, request),
            Operation::UpdateRecordingStatus(request) => self.recording_status(call, request),
            Operation::SendDtmfTones(request) => self.send_tones(call, request),
            Operation::Invite(request) => self.invite(call, request, now),
            Operation::MuteParticipant(id, request) => self.mute_participant(call, &id, request),
            Operation::DeleteParticipant(id) => self.delete_participant(call, &id, now),
            Operation::StartHoldMusic(id, request) => self.start_hold_music(call, &id, *request),
            Operation::StopHoldMusic(id, request) => self.stop_hold_music(call, &id, request),
        }
    }

    fn get(&self, call: &Conversation) -> Result<Reply, Fault> {
        let whole = self.whole(call).ok_or_else(Fault::no_call)?;
        Ok(Reply::Call(Box::new(whole)))
    }

    fn answer(
        &mut self,
        call: &mut Conversation,
        request: AnswerRequest,
        now: Instant,
    ) -> Result<Reply, Fault> {
        incoming(call, "answer")?;
        modalities("acceptedModalities", request.accepted_modalities.as_deref())?;
        let config = request.media_config;
        let media = media_config(config.as_ref(), self.origins_of(call))?;
        self.change_callback(call, request.callback_uri.as_deref())?;
        if let Some(bot) = &mut call.bot {
            bot.wish_for_mix(config.as_ref());
            bot.media = Some(media);
            bot.wish(request.call_options.as_ref());
        }
        let data = notice::change(CallState::Establishing);
        self.notify(call, ChangeType::Updated, &data);
        if let Some(caller) = call.caller.clone() {
            let bot = Some(Named::new(BOT_NAME));
            self.tell_state(call, &caller, PhoneCallState::Establishing, bot);
        }
        self.begin_media(call, now);
        Ok(Reply::Accepted)
    }

    fn reject(
        &mut self,
        call: &mut Conversation,
        request: &RejectRequest,
        now: Instant,
    ) -> Result<Reply, Fault> {
        incoming(call, "reject")?;
        self.change_callback(call, request.callback_uri.as_deref())?;
        let end = match request.reason {
            None | Some(RejectReason::None) => End::rejected(603, "The bot rejected the call"),
            Some(RejectReason::Busy) => End::rejected(486, "The bot is busy"),
            Some(RejectReason::Forbidden) => End::rejected(403, "The bot does not take this call"),
            Some(_) => {
                return Err(Fault::property(
                    "reason",
                    "it must be none, busy or forbidden",
                ));
            }
        };
        self.end(call, &end, now);
        Ok(Reply::Accepted)
    }

    fn redirect(
        &mut self,
        call: &mut Conversation,
        request: &RedirectRequest,
        now: Instant,
    ) -> Result<Reply, Fault> {
        incoming(call, "redirect")?;
        not_in_group(call)?;
        let targets = request.targets.as_deref().unwrap_or_default();
        if targets.is_empty() || targets.len() > MAX_REDIRECT_TARGETS {
            return Err(Fault::property("targets", "1 to 25 targets are allowed"));
        }
        check_targets("targets", targets)?;
        let limit = match request.timeout {
            None => RING_LIMIT,
            Some(seconds) if RING_SECONDS.contains(&seconds) => {
                Duration::from_secs(seconds.unsigned_abs().into())
            }
            Some(_) => return Err(Fault::property("timeout", "15 to 90 seconds are allowed")),
        };
        self.change_callback(call, request.callback_uri.as_deref())?;
        call.masked = Masked {
            caller: request.mask_caller == Some(true),
            callee: request.mask_callee == Some(true),
        };
        let phones = self.phones_or_agents(targets, call.caller.as_deref());
        let nobody = phones.is_empty();
        let ring = self.ring(call, phones, limit, IncomingReason::Redirect, now);
        call.phase = Phase::Redirecting(ring);
        if nobody {
            self.ring_failed(call, 480, "none of the targets is here and free", now);
        }
        Ok(Reply::Accepted)
    }

    fn transfer(
        &mut self,
        call: &mut Conversation,
        request: TransferRequest,
        now: Instant,
    ) -> Result<Reply, Fault> {
        established(call, "transfer")?;
        let transferee = self.transferee(call, request.transferee.as_ref())?;
        let Some(target) = request.transfer_target else {
            return Err(Fault::property("transferTarget", "a transfer needs one"));
        };
        let targets = [target];
        check_targets("transferTarget", &targets)?;
        if let [target] = &targets
            && let Some(other) = target.replaces_call_id.as_deref()
        {
            self.replace_call(call, other, "transferTarget/replacesCallId", now)?;
        }
        self.notify(
            call,
            ChangeType::Updated,
            &notice::change(CallState::Transferring),
        );
        if let Some(group) = &mut call.group {
            group.transferee = transferee;
        }
        let phones = self.phones_or_agents(&targets, call.leaving().map(String::as_str));
        let with = phones.first().map(|phone| self.named(phone));
        self.tell_leaving(call, PhoneCallState::Transferring, with.clone());
        let ring = self.ring(call, phones, RING_LIMIT, IncomingReason::Transfer, now);
        call.phase = Phase::Transferring(ring);
        if with.is_none() {
            self.ring_failed(call, 480, "the target is not here or not free", now);
        }
        Ok(Reply::Accepted)
    }

    /// Ends another call of the bot, whose phone is then called in its stead
    /// (invitationParticipantInfo: replacesCallId).
    pub(super) fn replace_call(
        &mut self,
        call: &Conversation,
        other: &str,
        property: &str,
        now: Instant,
    ) -> Result<(), Fault> {
        let app = call.bot.as_ref().map(|bot| &bot.app);
        let fits = |other: &Conversation| {
            other.bot.as_ref().map(|bot| &bot.app) == app
                && other.group.is_none()
                && other.state() == CallState::Established
        };
        if !self.calls.get(other).is_some_and(fits) {
            let rule = "it must be an established peer-to-peer call of the application";
            return Err(Fault::property(property, rule));
        }
        self.with_call(other, |cloud, other| {
            cloud.end(other, &End::replaced(), now);
        });
        Ok(())
    }

    /// Places a call, whose targets ring, or joins a meeting.
    pub(crate) fn create(
        &mut self,
        app: &str,
        mut request: Call,
        now: Instant,
    ) -> Result<Reply, Fault> {
        let bot = self.calling_leg(app, &mut request, now)?;
        if request.meeting_info.is_some() {
            return self.join_meeting(bot, request, now);
        }
        let mut targets = request.targets.take().unwrap_or_default();
        check_targets("targets", &targets)?;
        match targets.len() {
            0 => Err(Fault::property("targets", "a call needs one")),
            1 => {
                let limit = ringing_limit(request.ringing_timeout_in_seconds)?;
                Ok(self.create_for(bot, targets.remove(0), limit, now))
            }
            _ => self.create_group(bot, request, &targets, now),
        }
    }

    /// The bot's part of a call it places, from a request that is checked.
    fn calling_leg(
        &mut self,
        app: &str,
        request: &mut Call,
        now: Instant,
    ) -> Result<BotLeg, Fault> {
        let registration = self.apps.get(app).ok_or_else(Fault::no_call)?.clone();
        let tenant = registration.tenant.clone();
        if self.is_full(app) {
            return Err(Fault::too_many_calls());
        }
        check_tenant(request, &tenant)?;
        let Some(callback) = request.callback_uri.as_deref() else {
            return Err(Fault::property("callbackUri", "a new call needs one"));
        };
        let origins = self.origins(registration.webhook.as_ref());
        let callback = origins.address("callbackUri", callback)?;
        let config = request.media_config.take();
        let media = media_config(config.as_ref(), self.origins(Some(&callback)))?;
        modalities(
            "requestedModalities",
            request.requested_modalities.as_deref(),
        )?;
        let mut bot = self.new_bot_leg(app.to_owned(), tenant, callback, now);
        bot.media = Some(media);
        bot.wish_for_mix(config.as_ref());
        bot.wish(request.call_options.as_ref());
        let source = request.source.take().and_then(|source| source.identity);
        bot.source =
            source.filter(|source| source.guest.is_some() || source.application_instance.is_some());
        Ok(bot)
    }

    fn create_for(
        &mut self,
        bot: BotLeg,
        target: InvitationParticipantInfo,
        limit: Duration,
        now: Instant,
    ) -> Reply {
        let until = now + limit;
        let mut call = Conversation {
            direction: CallDirection::Outgoing,
            ..Conversation::new(self.ids.guid(), bot, Phase::Establishing { until }, now)
        };
        // As it was created: what becomes of it is told by notifications.
        let mut whole = self.whole(&call).unwrap_or_default();
        let targets = vec![target];
        self.place(&mut call, &targets, limit, now);
        whole.targets = Some(targets);
        if !call.over {
            self.calls.insert(call.id.clone(), call);
        }
        Reply::Created(Box::new(whole))
    }

    fn place(
        &mut self,
        call: &mut Conversation,
        targets: &[InvitationParticipantInfo],
        limit: Duration,
        now: Instant,
    ) {
        self.announce(call, now);
        let phones = self.phones_or_agents(targets, None).pop_first();
        let nobody = phones.is_none();
        let phones = phones.into_iter().collect();
        let ring = self.ring(call, phones, limit, IncomingReason::Call, now);
        call.phase = Phase::Ringing(ring);
        if nobody {
            let (code, why) = match self.has_phone(targets) {
                true => (486, "the target is in another call"),
                false => (404, "the target is not here"),
            };
            self.ring_failed(call, code, why, now);
        }
    }

    /// A bot sends the service elsewhere with the notification of a new call: where that is, if
    /// it may be. What follows goes there as well.
    pub(crate) fn moved(&mut self, call: &str, to: &Url) -> Option<Url> {
        self.with_call(call, |cloud, call| {
            cloud.change_callback(call, Some(to.as_str())).ok()?;
            call.bot.as_ref().map(|bot| bot.callback.clone())
        })?
    }

    fn change_callback(&self, call: &mut Conversation, uri: Option<&str>) -> Result<(), Fault> {
        let Some(uri) = uri else {
            return Ok(());
        };
        let callback = self.origins_of(call).address("callbackUri", uri)?;
        if let Some(bot) = &mut call.bot {
            bot.callback = callback;
        }
        Ok(())
    }
}

/// How long the target of a new call rings.
fn ringing_limit(asked: Option<i32>) -> Result<Duration, Fault> {
    let Some(seconds) = asked else {
        return Ok(RING_LIMIT);
    };
    match u32::try_from(seconds) {
        Ok(seconds @ 1..=MAX_RINGING_S) => Ok(Duration::from_secs(seconds.into())),
        _ => Err(Fault::property(
            "ringingTimeoutInSeconds",
            "1 to 115 seconds are allowed",
        )),
    }
}

pub(super) fn incoming(call: &Conversation, operation: &str) -> Result<(), Fault> {
    in_state(call, operation, &CallState::Incoming)
}

pub(super) fn established(call: &Conversation, operation: &str) -> Result<(), Fault> {
    in_state(call, operation, &CallState::Established)
}

fn in_state(call: &Conversation, operation: &str, needed: &CallState) -> Result<(), Fault> {
    let state = call.state();
    if state == *needed {
        return Ok(());
    }
    Err(Fault::conflict(operation, state.as_str(), needed.as_str()))
}

/// Callers can be handed over, rooms can't.
fn not_in_group(call: &Conversation) -> Result<(), Fault> {
    match call.group {
        Some(_) => Err(Fault::only_for("peer-to-peer")),
        None => Ok(()),
    }
}

fn modalities(property: &str, modalities: Option<&[Modality]>) -> Result<(), Fault> {
    match modalities {
        Some(modalities) if modalities.contains(&Modality::Audio) => Ok(()),
        _ => Err(Fault::property(
            property,
            "it must hold audio, the modality of the call",
        )),
    }
}

/// Names the tenant of the request, if it names one at all.
fn check_tenant(request: &Call, tenant: &str) -> Result<(), Fault> {
    match &request.tenant_id {
        Some(other) if !other.eq_ignore_ascii_case(tenant) => Err(Fault::new(
            axum::http::StatusCode::FORBIDDEN,
            "7505",
            "Request authorization tenant mismatch.",
        )),
        _ => Ok(()),
    }
}

pub(super) fn check_targets(
    property: &str,
    targets: &[InvitationParticipantInfo],
) -> Result<(), Fault> {
    let named = |target: &InvitationParticipantInfo| {
        let identity = target.identity.as_ref().and_then(|set| set.any());
        identity.is_some_and(|identity| identity.id.is_some() || identity.display_name.is_some())
    };
    if targets.iter().all(named) {
        return Ok(());
    }
    let target = format!("{property}/identity");
    Err(Fault::property(
        target,
        "each target needs an identity with an id",
    ))
}

fn media_config(config: Option<&MediaConfig>, origins: Origins<'_>) -> Result<BotMedia, Fault> {
    match config {
        Some(MediaConfig::ServiceHosted(hosted)) => {
            let media = hosted.pre_fetch_media.iter().flatten();
            for (index, info) in media.enumerate() {
                // Fetched when it is played: on a laptop nothing is gained before.
                let property = format!("mediaConfig/preFetchMedia/{index}/uri");
                origins.address(&property, info.uri.as_deref().unwrap_or_default())?;
            }
            Ok(BotMedia::Service)
        }
        Some(MediaConfig::AppHosted(hosted)) => {
            let blob = hosted.blob.as_ref().map_or("", Redacted::expose);
            let refused = |why: String| Fault::property("mediaConfig/blob", &why);
            let blob = MediaBlob::parse(blob).map_err(|error| refused(error.to_string()))?;
            origins.address("mediaConfig/blob", blob.endpoint.as_str())?;
            Ok(BotMedia::Application(blob))
        }
        _ => Err(Fault::property(
            "mediaConfig",
            "it is required, and its @odata.type must be #microsoft.graph.appHostedMediaConfig or #microsoft.graph.serviceHostedMediaConfig",
        )),
    }
}

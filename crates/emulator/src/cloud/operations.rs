//! Graph's operations within an established call.

use std::time::{Duration, Instant};

use switchboard_signaling::types::{
    ClientContextRequest, CommsOperation, OperationKind, OperationStatus, Participant,
    PlayPromptRequest, Prompt, RecordingStatus, SendDtmfTonesRequest, Tone,
    UpdateRecordingStatusRequest,
};
use url::Url;
use zeroize::Zeroizing;

use super::conversation::{Conversation, KEEP_ALIVE_LIMIT};
use super::graph::established;
use super::notice::Muted;
use super::origins::Origins;
use super::{Cloud, Fault, MediaAction, Playable, Reply, notice};
use crate::phone::PhoneEvent;

/// call: playPrompt
const MAX_PROMPTS: usize = 20;
const MAX_CLIENT_CONTEXT: usize = 256;
/// A hundred tones take half a minute.
const MAX_TONES: usize = 100;
const DEFAULT_PAUSE: Duration = Duration::from_millis(100);

impl Cloud {
    pub(super) fn keep_alive(
        &mut self,
        call: &mut Conversation,
        now: Instant,
    ) -> Result<Reply, Fault> {
        established(call, "keepAlive")?;
        if let Some(bot) = &mut call.bot {
            bot.alive_until = now + KEEP_ALIVE_LIMIT;
        }
        Ok(Reply::Done)
    }

    /// Mutes the application, or takes that back: the caller no longer hears it.
    pub(super) fn mute(
        &mut self,
        call: &mut Conversation,
        request: ClientContextRequest,
        muted: bool,
    ) -> Result<Reply, Fault> {
        established(call, if muted { "mute" } else { "unmute" })?;
        check_context(request.client_context.as_deref())?;
        if let Some(bot) = &mut call.bot {
            bot.muted = muted;
        }
        if let Some(caller) = call.caller.clone() {
            let id = call.id.clone();
            self.tell(&caller, PhoneEvent::RemoteMuted { call: id, muted });
        }
        self.mute_in_group(call, muted);
        let kind = if muted {
            OperationKind::MuteParticipant
        } else {
            OperationKind::UnmuteParticipant
        };
        self.begin(
            call,
            kind,
            OperationStatus::Completed,
            request.client_context,
        )
    }

    pub(super) fn subscribe_to_tone(
        &mut self,
        call: &mut Conversation,
        request: ClientContextRequest,
    ) -> Result<Reply, Fault> {
        established(call, "subscribeToTone")?;
        if !call.service_hosted() {
            return Err(Fault::not_service_hosted("subscribeToTone"));
        }
        check_context(request.client_context.as_deref())?;
        if let Some(bot) = &mut call.bot {
            bot.tones = true;
        }
        let kind = OperationKind::SubscribeToTone;
        self.begin(
            call,
            kind,
            OperationStatus::Completed,
            request.client_context,
        )
    }

    pub(super) fn play_prompt(
        &mut self,
        call: &mut Conversation,
        request: PlayPromptRequest,
    ) -> Result<Reply, Fault> {
        established(call, "playPrompt")?;
        if !call.service_hosted() {
            return Err(Fault::not_service_hosted("playPrompt"));
        }
        check_context(request.client_context.as_deref())?;
        let prompts = self.prompts(call, &request.prompts.unwrap_or_default())?;
        let kind = OperationKind::PlayPrompt;
        let reply = self.begin(call, kind, OperationStatus::Running, request.client_context)?;
        if let Reply::Operation(operation) = &reply {
            let operation = operation.id.clone().unwrap_or_default();
            let what = Playable::Files(prompts);
            self.media(call, MediaAction::Play { operation, what });
        }
        Ok(reply)
    }

    /// Presses keys towards the caller.
    pub(super) fn send_tones(
        &mut self,
        call: &mut Conversation,
        request: SendDtmfTonesRequest,
    ) -> Result<Reply, Fault> {
        established(call, "sendDtmfTones")?;
        if !call.service_hosted() {
            return Err(Fault::not_service_hosted("sendDtmfTones"));
        }
        check_context(request.client_context.as_deref())?;
        let keys = keys(&request.tones.unwrap_or_default())?;
        let pause = match request.delay_between_tones_ms {
            None => DEFAULT_PAUSE,
            Some(ms @ 0..=10_000) => Duration::from_millis(u64::from(ms.unsigned_abs())),
            Some(_) => {
                let rule = "0 to 10000 ms are allowed";
                return Err(Fault::property("delayBetweenTonesMs", rule));
            }
        };
        let kind = OperationKind::SendDtmfTones;
        let reply = self.begin(call, kind, OperationStatus::Running, request.client_context)?;
        if let Reply::Operation(operation) = &reply {
            let operation = operation.id.clone().unwrap_or_default();
            let what = Playable::Tones { keys, pause };
            self.media(call, MediaAction::Play { operation, what });
        }
        Ok(reply)
    }

    /// The files to play, all where the application may be.
    pub(super) fn prompts(
        &self,
        call: &Conversation,
        prompts: &[Prompt],
    ) -> Result<Vec<Url>, Fault> {
        if prompts.is_empty() || prompts.len() > MAX_PROMPTS {
            return Err(Fault::property("prompts", "1 to 20 prompts are allowed"));
        }
        let origins = self.origins_of(call);
        let read = |(index, prompt)| address(&format!("prompts/{index}"), prompt, origins);
        prompts.iter().enumerate().map(read).collect()
    }

    pub(super) fn get_operation(call: &Conversation, id: &str) -> Result<Reply, Fault> {
        let operation = call.bot.as_ref().and_then(|bot| bot.operations.get(id));
        let operation = operation.ok_or_else(Fault::no_operation)?;
        Ok(Reply::Operation(Box::new(operation.clone())))
    }

    pub(super) fn list_operations(call: &Conversation) -> Result<Reply, Fault> {
        let bot = call.bot.as_ref().ok_or_else(Fault::no_call)?;
        Ok(Reply::Operations(
            bot.operations.values().cloned().collect(),
        ))
    }

    /// Stops prompts; each ends with a notification that says so.
    pub(super) fn cancel_media(
        &mut self,
        call: &mut Conversation,
        request: ClientContextRequest,
    ) -> Result<Reply, Fault> {
        established(call, "cancelMediaProcessing")?;
        if !call.service_hosted() {
            return Err(Fault::not_service_hosted("cancelMediaProcessing"));
        }
        check_context(request.client_context.as_deref())?;
        self.media(call, MediaAction::StopPlaying);
        let kind = OperationKind::CancelMediaProcessing;
        self.begin(
            call,
            kind,
            OperationStatus::Completed,
            request.client_context,
        )
    }

    /// The application says whether it records: the roster has it from then on.
    pub(super) fn recording_status(
        &mut self,
        call: &mut Conversation,
        request: UpdateRecordingStatusRequest,
    ) -> Result<Reply, Fault> {
        established(call, "updateRecordingStatus")?;
        check_context(request.client_context.as_deref())?;
        let known = [
            RecordingStatus::NotRecording,
            RecordingStatus::Recording,
            RecordingStatus::Failed,
        ];
        let Some(status) = request.status.filter(|status| known.contains(status)) else {
            let rule = "it must be notRecording, recording or failed";
            return Err(Fault::property("status", rule));
        };
        self.record_in_group(call, &status);
        if let Some(bot) = &mut call.bot {
            bot.recording = Some(status);
        }
        let kind = OperationKind::UpdateRecordingStatus;
        self.begin(
            call,
            kind,
            OperationStatus::Completed,
            request.client_context,
        )
    }

    /// Who is in the call: the application, and the caller once there is one.
    pub(super) fn roster(&self, call: &Conversation) -> Vec<Participant> {
        let Some(bot) = &call.bot else {
            return Vec::new();
        };
        if let Some(room) = call
            .group
            .as_ref()
            .and_then(|group| self.rooms.get(&group.room))
        {
            let own = |one: &Participant| one.id.as_ref() == Some(&bot.participant);
            let waits = call
                .group
                .as_ref()
                .is_some_and(|group| room.is_waiting(group.seat));
            let seen = room.roster().into_iter();
            return seen.filter(|one| !waits || own(one)).collect();
        }
        let muted = Muted {
            by_server: bot.muted,
            by_self: false,
        };
        let mut own = notice::participant(&bot.participant, bot.identity(), muted);
        let status = bot.recording.clone();
        own.recording_info = status.map(|status| notice::recording(bot.identity(), status));
        let mut roster = vec![own];
        let caller = call.caller.as_ref();
        if let Some((id, user)) = caller.and_then(|id| Some((id, self.identity_of(id)?))) {
            let muted = Muted {
                by_server: false,
                by_self: call.caller_muted,
            };
            roster.push(notice::participant(id, user, muted));
        }
        roster
    }

    pub(super) fn participant(&self, call: &Conversation, id: &str) -> Result<Reply, Fault> {
        let own = |participant: &Participant| participant.id.as_deref() == Some(id);
        let found = self.roster(call).into_iter().find(own);
        Ok(Reply::Participant(Box::new(
            found.ok_or_else(Fault::no_participant)?,
        )))
    }

    pub(super) fn begin(
        &mut self,
        call: &mut Conversation,
        kind: OperationKind,
        status: OperationStatus,
        client_context: Option<String>,
    ) -> Result<Reply, Fault> {
        let id = self.ids.guid();
        let operation: CommsOperation = notice::operation(kind, id.clone(), status, client_context);
        let bot = call.bot.as_mut().ok_or_else(Fault::no_call)?;
        bot.operations.insert(id, operation.clone());
        Ok(Reply::Operation(Box::new(operation)))
    }
}

/// Where a prompt is.
pub(super) fn address(property: &str, prompt: &Prompt, origins: Origins<'_>) -> Result<Url, Fault> {
    let Prompt::Media(prompt) = prompt else {
        let rule = "its @odata.type must be #microsoft.graph.mediaPrompt";
        return Err(Fault::property(property, rule));
    };
    let info = prompt.media_info.as_ref();
    let property = format!("{property}/mediaInfo/uri");
    let uri = info.and_then(|info| info.uri.as_deref());
    let uri = uri.ok_or_else(|| Fault::property(&property, "a prompt needs an address"))?;
    origins.address(&property, uri)
}

/// The dial-pad characters of tones.
fn keys(tones: &[Tone]) -> Result<Zeroizing<String>, Fault> {
    if tones.is_empty() || tones.len() > MAX_TONES {
        return Err(Fault::property("tones", "1 to 100 tones are allowed"));
    }
    let keys: Option<String> = tones.iter().map(Tone::to_char).collect();
    let rule = "tone0 to tone9, star, pound and a to d can be sent";
    keys.map(Zeroizing::new)
        .ok_or_else(|| Fault::property("tones", rule))
}

pub(super) fn check_context(context: Option<&str>) -> Result<(), Fault> {
    match context {
        Some(context) if context.chars().count() > MAX_CLIENT_CONTEXT => Err(Fault::property(
            "clientContext",
            "at most 256 characters are allowed",
        )),
        _ => Ok(()),
    }
}

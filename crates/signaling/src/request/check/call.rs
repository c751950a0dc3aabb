//! The rules of setting calls up and sending them elsewhere.

use super::{Check, Checked, shortened};
use crate::types::{
    AnswerRequest, AudioRoutingGroup, Call, CallId, InvitationParticipantInfo, MeetingInfo,
    Modality, RedirectRequest, RejectReason, RejectRequest, RoutingMode,
    TeleconferenceDeviceQuality, TransferRequest,
};

const MAX_GROUP_TARGETS: usize = 5;
const MAX_REDIRECT_TARGETS: usize = 25;

impl Check {
    pub(in crate::request) fn create(self, call: &Call) -> Checked {
        if call.callback_uri.is_none() {
            return self.fail("callbackUri", "missing", "a new call needs one");
        }
        self.callback(call.callback_uri.as_ref())?;
        self.media_config(call.media_config.as_ref())?;
        self.requested_modalities(call.requested_modalities.as_deref().unwrap_or_default())?;
        let targets = call.targets.as_deref().unwrap_or_default();
        let rule = "a new call has at most 5 targets";
        self.count("targets", targets.len(), 0..=MAX_GROUP_TARGETS, rule)?;
        self.targets(targets)?;
        self.phone_source(call, targets)?;
        match &call.meeting_info {
            Some(meeting) => self.meeting(call, meeting),
            None if targets.is_empty() && call.chat_info.is_none() => {
                let rule = "a new call needs targets, or a meetingInfo to join";
                self.fail("targets", "empty", rule)
            }
            None => Ok(()),
        }
    }

    fn requested_modalities(self, modalities: &[Modality]) -> Checked {
        let documented = |modality: &&Modality| {
            let placeholder = matches!(modality, Modality::UnknownFutureValue);
            placeholder || matches!(modality, Modality::Unknown(_))
        };
        match modalities.iter().find(documented) {
            Some(other) => self.fail(
                "requestedModalities",
                shortened(other.as_str()),
                "audio, video, videoBasedScreenSharing and data are known",
            ),
            None => Ok(()),
        }
    }

    /// Only an application instance owns a number to call phones from.
    fn phone_source(self, call: &Call, targets: &[InvitationParticipantInfo]) -> Checked {
        let is_phone = |target: &InvitationParticipantInfo| {
            let identity = target.identity.as_ref();
            identity.is_some_and(|set| set.phone.is_some())
        };
        if !targets.iter().any(is_phone) {
            return Ok(());
        }
        let source = call
            .source
            .as_ref()
            .and_then(|source| source.identity.as_ref());
        let instance = source.and_then(|set| set.application_instance.as_ref());
        self.text(
            "source.identity.applicationInstance.id",
            instance.and_then(|instance| instance.id.as_deref()),
            "a call to a phone needs the application instance it comes from",
        )
    }

    fn meeting(self, call: &Call, meeting: &MeetingInfo) -> Checked {
        match meeting {
            MeetingInfo::Organizer(info) => {
                let organizer = info.organizer.as_ref().and_then(|set| set.any());
                self.text(
                    "meetingInfo.organizer",
                    organizer.and_then(|organizer| organizer.id.as_deref()),
                    "joining by organizer needs the organizer's id",
                )?;
                let chat = call.chat_info.as_ref();
                self.text(
                    "chatInfo.threadId",
                    chat.and_then(|chat| chat.thread_id.as_deref()),
                    "joining by organizer needs the meeting's chat",
                )?;
                self.text(
                    "tenantId",
                    call.tenant_id.as_deref(),
                    "joining by organizer needs the meeting's tenant",
                )
            }
            MeetingInfo::Token(info) => self.text(
                "meetingInfo.token",
                info.token.as_ref().map(crate::types::Redacted::expose),
                "joining by token needs the token",
            ),
            MeetingInfo::JoinMeetingId(info) => self.text(
                "meetingInfo.joinMeetingId",
                info.join_meeting_id.as_deref(),
                "joining by id needs the id",
            ),
            // A kind of meeting we don't know has rules we don't know.
            MeetingInfo::Unknown(_) => Ok(()),
        }
    }

    pub(in crate::request) fn answer(self, answer: &AnswerRequest) -> Checked {
        self.callback(answer.callback_uri.as_ref())?;
        self.media_config(answer.media_config.as_ref())?;
        let modalities = answer.accepted_modalities.as_deref().unwrap_or_default();
        let rule = "an answer accepts at least one of audio, video, videoBasedScreenSharing";
        if modalities.is_empty() {
            return self.fail("acceptedModalities", "empty", rule);
        }
        let acceptable = |modality: &&Modality| {
            !matches!(
                modality,
                Modality::Audio | Modality::Video | Modality::VideoBasedScreenSharing
            )
        };
        match modalities.iter().find(acceptable) {
            Some(other) => self.fail("acceptedModalities", shortened(other.as_str()), rule),
            None => Ok(()),
        }
    }

    pub(in crate::request) fn reject(self, reject: &RejectRequest) -> Checked {
        self.callback(reject.callback_uri.as_ref())?;
        match &reject.reason {
            None | Some(RejectReason::None | RejectReason::Busy | RejectReason::Forbidden) => {
                Ok(())
            }
            Some(other) => {
                let rule = "none, busy and forbidden are reasons";
                self.fail("reason", shortened(other.as_str()), rule)
            }
        }
    }

    pub(in crate::request) fn redirect(self, redirect: &RedirectRequest) -> Checked {
        self.callback(redirect.callback_uri.as_ref())?;
        let targets = redirect.targets.as_deref().unwrap_or_default();
        let rule = "a redirect has 1 to 25 targets";
        self.count("targets", targets.len(), 1..=MAX_REDIRECT_TARGETS, rule)?;
        self.targets(targets)?;
        let rule = "15 to 90 seconds are allowed";
        self.within("timeout", redirect.timeout, 15..=90, rule)
    }

    pub(in crate::request) fn transfer(self, transfer: &TransferRequest) -> Checked {
        self.client_context(transfer.client_context.as_deref())?;
        match &transfer.transfer_target {
            Some(target) => self.target("transferTarget", target),
            None => self.fail("transferTarget", "missing", "a transfer needs one"),
        }
    }

    pub(super) fn targets(self, targets: &[InvitationParticipantInfo]) -> Checked {
        targets
            .iter()
            .enumerate()
            .try_for_each(|(index, target)| self.target(&format!("targets[{index}]"), target))
    }

    pub(super) fn target(self, field: &str, target: &InvitationParticipantInfo) -> Checked {
        let identity = target.identity.as_ref();
        if identity.is_none_or(|set| set.any().is_none() && set.extra.0.is_empty()) {
            let rule = "a target needs an identity, such as a user or a phone";
            return self.fail(format_args!("{field}.identity"), "empty", rule);
        }
        let phone = identity.and_then(|set| set.phone.as_ref());
        if let Some(phone) = phone {
            let field = format_args!("{field}.identity.phone.id");
            self.phone(field, phone.id.as_deref().unwrap_or_default())?;
        }
        match &target.replaces_call_id {
            Some(id) if id.parse::<CallId>().is_err() => {
                let field = format_args!("{field}.replacesCallId");
                self.fail(field, shortened(id), "it must be the id of a call")
            }
            _ => Ok(()),
        }
    }

    pub(in crate::request) fn new_routing_group(self, group: &AudioRoutingGroup) -> Checked {
        let sources = group.sources.as_deref().unwrap_or_default();
        let receivers = group.receivers.as_deref().unwrap_or_default();
        self.count("sources", sources.len(), 1..=1, "a group has one source")?;
        match &group.routing_mode {
            Some(RoutingMode::OneToOne) => {
                let rule = "oneToOne has one receiver";
                self.count("receivers", receivers.len(), 1..=1, rule)
            }
            Some(RoutingMode::Multicast) => {
                let rule = "multicast has at least one receiver";
                self.count("receivers", receivers.len(), 1..=usize::MAX, rule)
            }
            Some(other) => {
                let rule = "oneToOne and multicast are supported";
                self.fail("routingMode", shortened(other.as_str()), rule)
            }
            None => self.fail("routingMode", "missing", "a new group needs one"),
        }
    }

    /// What isn't named stays as it is, so that only what is named can be checked.
    pub(in crate::request) fn changed_routing_group(self, group: &AudioRoutingGroup) -> Checked {
        let sources = group.sources.as_deref().map_or(1, <[String]>::len);
        self.count("sources", sources, 1..=1, "a group has one source")
    }

    pub(in crate::request) fn device_quality(
        self,
        quality: &TeleconferenceDeviceQuality,
    ) -> Checked {
        for (field, value) in [
            ("quality.callChainId", &quality.call_chain_id),
            ("quality.participantId", &quality.participant_id),
            ("quality.mediaLegId", &quality.media_leg_id),
        ] {
            let rule = "a GUID is needed";
            self.text(field, value.as_deref(), rule)?;
            let value = value.as_deref().unwrap_or_default();
            if uuid::Uuid::try_parse(value).is_err() {
                return self.fail(field, shortened(value), rule);
            }
        }
        let rule = "the device must be named";
        self.text("quality.deviceName", quality.device_name.as_deref(), rule)?;
        let rule = "the device must be described";
        let description = quality.device_description.as_deref();
        self.text("quality.deviceDescription", description, rule)?;
        let list = quality.media_quality_list.as_deref().unwrap_or_default();
        let rule = "at least one kind of media is needed";
        self.count("quality.mediaQualityList", list.len(), 1..=usize::MAX, rule)
    }
}

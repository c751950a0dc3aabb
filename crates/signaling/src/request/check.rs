//! The documented rules, checked before a request leaves.

use std::fmt;

use url::Url;

use crate::http_client::is_protected;
use crate::types::{
    AnswerRequest, Call, CallId, InvitationParticipantInfo, MediaConfig, MediaInfo, Modality,
    PlayPromptRequest, Prompt, RedirectRequest, TransferRequest,
};

/// A request breaks a documented rule; it was not sent.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{operation}: {field} is {value}, but {rule}")]
pub struct InvalidRequest {
    /// The operation.
    pub operation: &'static str,
    /// The property, for example `prompts[2].mediaInfo.uri`.
    pub field: String,
    /// What was found; long or personal values are described, not repeated.
    pub value: String,
    /// The rule.
    pub rule: &'static str,
}

/// Checks for one operation.
#[derive(Clone, Copy)]
pub(super) struct Check(pub(super) &'static str);

type Checked = Result<(), InvalidRequest>;

const MAX_CLIENT_CONTEXT: usize = 256;
const MAX_PROMPTS: usize = 20;
const MAX_GROUP_TARGETS: usize = 5;
const MAX_REDIRECT_TARGETS: usize = 25;

impl Check {
    fn fail(
        self,
        field: impl fmt::Display,
        value: impl fmt::Display,
        rule: &'static str,
    ) -> Checked {
        Err(InvalidRequest {
            operation: self.0,
            field: field.to_string(),
            value: value.to_string(),
            rule,
        })
    }

    fn count(
        self,
        field: &str,
        found: usize,
        allowed: std::ops::RangeInclusive<usize>,
        rule: &'static str,
    ) -> Checked {
        if allowed.contains(&found) {
            return Ok(());
        }
        self.fail(field, format_args!("a list of {found}"), rule)
    }

    /// `https`; `http` only towards this machine, for the emulator.
    fn address(self, field: impl fmt::Display, text: &str) -> Checked {
        if Url::parse(text).is_ok_and(|url| is_protected(&url)) {
            return Ok(());
        }
        let shown = shortened(text);
        self.fail(
            field,
            shown,
            "it must be an https URL (http on a loopback address)",
        )
    }

    pub(super) fn callback(self, uri: Option<&String>) -> Checked {
        uri.map_or(Ok(()), |uri| self.address("callbackUri", uri))
    }

    pub(super) fn client_context(self, context: Option<&str>) -> Checked {
        match context.map_or(0, |context| context.chars().count()) {
            0..=MAX_CLIENT_CONTEXT => Ok(()),
            length => self.fail(
                "clientContext",
                format_args!("a text of {length} characters"),
                "at most 256 characters are allowed",
            ),
        }
    }

    pub(super) fn create(self, call: &Call) -> Checked {
        if call.callback_uri.is_none() {
            return self.fail("callbackUri", "missing", "a new call needs one");
        }
        self.callback(call.callback_uri.as_ref())?;
        self.media_config(call.media_config.as_ref())?;
        let targets = call.targets.as_deref().unwrap_or_default();
        let rule = "a new call has at most 5 targets";
        self.count("targets", targets.len(), 0..=MAX_GROUP_TARGETS, rule)?;
        self.targets(targets)
    }

    pub(super) fn answer(self, answer: &AnswerRequest) -> Checked {
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

    pub(super) fn redirect(self, redirect: &RedirectRequest) -> Checked {
        self.callback(redirect.callback_uri.as_ref())?;
        let targets = redirect.targets.as_deref().unwrap_or_default();
        let rule = "a redirect has 1 to 25 targets";
        self.count("targets", targets.len(), 1..=MAX_REDIRECT_TARGETS, rule)?;
        self.targets(targets)?;
        match redirect.timeout {
            None | Some(15..=90) => Ok(()),
            Some(seconds) => self.fail("timeout", seconds, "15 to 90 seconds are allowed"),
        }
    }

    pub(super) fn transfer(self, transfer: &TransferRequest) -> Checked {
        match &transfer.transfer_target {
            Some(target) => self.target("transferTarget", target),
            None => self.fail("transferTarget", "missing", "a transfer needs one"),
        }
    }

    pub(super) fn play_prompt(self, request: &PlayPromptRequest) -> Checked {
        self.client_context(request.client_context.as_deref())?;
        let prompts = request.prompts.as_deref().unwrap_or_default();
        self.count(
            "prompts",
            prompts.len(),
            1..=MAX_PROMPTS,
            "1 to 20 prompts are allowed",
        )?;
        for (index, prompt) in prompts.iter().enumerate() {
            let field = format!("prompts[{index}].mediaInfo");
            match prompt {
                Prompt::Media(prompt) => self.media_info(&field, prompt.media_info.as_ref())?,
                // A kind of prompt we don't know has rules we don't know.
                Prompt::Unknown(_) => {}
            }
        }
        Ok(())
    }

    fn media_config(self, config: Option<&MediaConfig>) -> Checked {
        match config {
            None => self.fail(
                "mediaConfig",
                "missing",
                "it says who handles media and is required",
            ),
            Some(MediaConfig::ServiceHosted(hosted)) => {
                let media = hosted.pre_fetch_media.as_deref().unwrap_or_default();
                media.iter().enumerate().try_for_each(|(index, info)| {
                    let field = format!("mediaConfig.preFetchMedia[{index}]");
                    self.media_info(&field, Some(info))
                })
            }
            Some(_) => Ok(()),
        }
    }

    fn media_info(self, field: &str, info: Option<&MediaInfo>) -> Checked {
        match info.and_then(|info| info.uri.as_deref()) {
            Some(uri) => self.address(format_args!("{field}.uri"), uri),
            None => self.fail(
                format_args!("{field}.uri"),
                "missing",
                "a media file needs an address",
            ),
        }
    }

    fn targets(self, targets: &[InvitationParticipantInfo]) -> Checked {
        targets
            .iter()
            .enumerate()
            .try_for_each(|(index, target)| self.target(&format!("targets[{index}]"), target))
    }

    fn target(self, field: &str, target: &InvitationParticipantInfo) -> Checked {
        let identity = target.identity.as_ref();
        if identity.is_none_or(|set| set.any().is_none() && set.extra.0.is_empty()) {
            let rule = "a target needs an identity, such as a user or a phone";
            return self.fail(format_args!("{field}.identity"), "empty", rule);
        }
        let phone = identity.and_then(|set| set.phone.as_ref());
        if let Some(phone) = phone {
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

    /// E.164: `+`, then up to 15 digits of which the first isn't 0. The number itself is
    /// personal, so the error describes it.
    fn phone(self, field: &str, number: &str) -> Checked {
        let digits = number.strip_prefix('+').unwrap_or_default();
        let well_formed = (2..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if well_formed {
            return Ok(());
        }
        let length = number.chars().count();
        self.fail(
            format_args!("{field}.identity.phone.id"),
            format_args!("a text of {length} characters"),
            "a phone number in E.164 form is needed, such as +12345678901",
        )
    }
}

/// A value fit for an error text.
fn shortened(text: &str) -> String {
    match text.chars().count() {
        0 => "empty".to_owned(),
        1..=80 => format!("{text:?}"),
        length => format!("a text of {length} characters"),
    }
}

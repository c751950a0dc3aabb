//! The rules of prompts, recordings and tones.

use url::Url;

use super::{Check, Checked, shortened};
use crate::types::{
    MediaConfig, MediaInfo, PlayPromptRequest, Prompt, RecordResponseRequest, RecordingStatus,
    ScreenSharingRole, SendDtmfTonesRequest, Tone, UpdateRecordingStatusRequest,
};

const MAX_PROMPTS: usize = 20;
const SECONDS: &str = "1 to 120 seconds are allowed";
/// Ends of file names that say: sound, but not WAV.
const OTHER_FORMATS: [&str; 17] = [
    "mp3", "ogg", "oga", "opus", "m4a", "mp4", "aac", "flac", "wma", "webm", "au", "aif", "aiff",
    "amr", "pcm", "raw", "mka",
];

impl Check {
    pub(in crate::request) fn play_prompt(self, request: &PlayPromptRequest) -> Checked {
        self.client_context(request.client_context.as_deref())?;
        let prompts = request.prompts.as_deref().unwrap_or_default();
        let rule = "1 to 20 prompts are allowed";
        self.count("prompts", prompts.len(), 1..=MAX_PROMPTS, rule)?;
        self.prompts(prompts)
    }

    fn prompts(self, prompts: &[Prompt]) -> Checked {
        prompts
            .iter()
            .enumerate()
            .try_for_each(|(index, prompt)| self.prompt(&format!("prompts[{index}]"), prompt))
    }

    pub(super) fn prompt(self, field: &str, prompt: &Prompt) -> Checked {
        match prompt {
            Prompt::Media(prompt) => {
                let field = format!("{field}.mediaInfo");
                self.media_info(&field, prompt.media_info.as_ref())
            }
            // A kind of prompt we don't know has rules we don't know.
            Prompt::Unknown(_) => Ok(()),
        }
    }

    pub(in crate::request) fn record_response(self, request: &RecordResponseRequest) -> Checked {
        self.client_context(request.client_context.as_deref())?;
        let prompts = request.prompts.as_deref().unwrap_or_default();
        self.count(
            "prompts",
            prompts.len(),
            0..=1,
            "at most 1 prompt is allowed",
        )?;
        self.prompts(prompts)?;
        for (field, seconds) in [
            (
                "initialSilenceTimeoutInSeconds",
                request.initial_silence_timeout_in_seconds,
            ),
            (
                "maxSilenceTimeoutInSeconds",
                request.max_silence_timeout_in_seconds,
            ),
            (
                "maxRecordDurationInSeconds",
                request.max_record_duration_in_seconds,
            ),
        ] {
            self.within(field, seconds, 1..=120, SECONDS)?;
        }
        let tones = request.stop_tones.as_deref().unwrap_or_default();
        tones.iter().enumerate().try_for_each(|(index, tone)| {
            let mut keys = tone.chars();
            match (keys.next().and_then(Tone::from_char), keys.next()) {
                (Some(_), None) => Ok(()),
                _ => self.fail(
                    format_args!("stopTones[{index}]"),
                    shortened(tone),
                    "one of 0 to 9, *, #, A to D is needed",
                ),
            }
        })
    }

    pub(in crate::request) fn send_dtmf_tones(self, request: &SendDtmfTonesRequest) -> Checked {
        self.client_context(request.client_context.as_deref())?;
        let tones = request.tones.as_deref().unwrap_or_default();
        let rule = "at least one tone is needed";
        self.count("tones", tones.len(), 1..=usize::MAX, rule)?;
        if let Some(index) = tones
            .iter()
            .position(|tone| matches!(tone, Tone::Unknown(_)))
        {
            let field = format_args!("tones[{index}]");
            let rule = "tone0 to tone9, star, pound, a to d and flash are tones";
            return self.fail(field, "another name", rule);
        }
        let rule = "a time can't be negative";
        self.within(
            "delayBetweenTonesMs",
            request.delay_between_tones_ms,
            0..=i32::MAX,
            rule,
        )
    }

    pub(in crate::request) fn update_recording_status(
        self,
        request: &UpdateRecordingStatusRequest,
    ) -> Checked {
        self.client_context(request.client_context.as_deref())?;
        let rule = "notRecording, recording and failed can be told";
        match &request.status {
            Some(
                RecordingStatus::NotRecording
                | RecordingStatus::Recording
                | RecordingStatus::Failed,
            ) => Ok(()),
            Some(other) => self.fail("status", shortened(other.as_str()), rule),
            None => self.fail("status", "missing", rule),
        }
    }

    pub(in crate::request) fn screen_sharing_role(self, role: &ScreenSharingRole) -> Checked {
        match role {
            ScreenSharingRole::Viewer | ScreenSharingRole::Sharer => Ok(()),
            ScreenSharingRole::Unknown(other) => {
                self.fail("role", shortened(other), "viewer and sharer are roles")
            }
        }
    }

    pub(super) fn media_config(self, config: Option<&MediaConfig>) -> Checked {
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
        let field = format!("{field}.uri");
        let Some(uri) = info.and_then(|info| info.uri.as_deref()) else {
            return self.fail(field, "missing", "a media file needs an address");
        };
        self.address(&field, uri)?;
        if says_other_format(uri) {
            let rule = "a WAV file is needed: one channel, 16 bit, 16 kHz";
            return self.fail(field, shortened(uri), rule);
        }
        Ok(())
    }
}

/// The file can't be looked into from here; its name may tell.
fn says_other_format(uri: &str) -> bool {
    let url = Url::parse(uri).ok();
    let name = url
        .as_ref()
        .and_then(|url| url.path_segments()?.next_back());
    let end = name.and_then(|name| name.rsplit_once('.'));
    end.is_some_and(|(_, end)| OTHER_FORMATS.contains(&end.to_ascii_lowercase().as_str()))
}

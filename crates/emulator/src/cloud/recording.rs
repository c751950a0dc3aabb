//! call: recordResponse

use std::time::Duration;

use switchboard_signaling::types::{OperationKind, OperationStatus, RecordResponseRequest, Tone};
use zeroize::Zeroizing;

use super::conversation::Conversation;
use super::graph::established;
use super::operations::check_context;
use super::{Clip, Cloud, Effect, Fault, MediaAction, RecordEnd, RecordPlan, Reply, notice};

const DEFAULT_SECONDS: i32 = 5;
const SECONDS: std::ops::RangeInclusive<i32> = 1..=120;

impl Cloud {
    /// Records what the caller says, after prompts and a beep; in a room, what everybody
    /// else says. Graph asks for no more than media of its own.
    pub(super) fn record_response(
        &mut self,
        call: &mut Conversation,
        request: RecordResponseRequest,
    ) -> Result<Reply, Fault> {
        established(call, "recordResponse")?;
        if !call.service_hosted() {
            return Err(Fault::not_service_hosted("recordResponse"));
        }
        check_context(request.client_context.as_deref())?;
        let plan = plan(&request)?;
        let prompts = request.prompts.unwrap_or_default();
        let prompts = match prompts.len() {
            0 => Vec::new(),
            1 => self.prompts(call, &prompts)?,
            _ => return Err(Fault::property("prompts", "at most 1 prompt is allowed")),
        };
        if request.barge_in_allowed == Some(true) {
            self.media(call, MediaAction::StopPlaying);
        }
        let running = OperationStatus::Running;
        let reply = self.begin(call, OperationKind::Record, running, request.client_context)?;
        if let Reply::Operation(operation) = &reply {
            let action = MediaAction::Record {
                operation: operation.id.clone().unwrap_or_default(),
                prompts,
                beep: request.play_beep != Some(false),
                plan,
            };
            self.media(call, action);
        }
        Ok(reply)
    }

    /// A recording is over: the bot learns where it is, or why there is none.
    pub(super) fn recorded(
        &mut self,
        call: &mut Conversation,
        id: &str,
        end: RecordEnd,
        clip: Option<&Clip>,
    ) {
        let bot = call.bot.as_mut();
        let Some(operation) = bot.and_then(|bot| bot.operations.get_mut(id)) else {
            return;
        };
        // Subcodes of the service (cloud communications, error codes).
        let (code, subcode, what) = match end {
            RecordEnd::Cancelled => (400, 8508, "Action failed, the operation was canceled."),
            RecordEnd::Pause => (200, 8509, "Action completed, max silence timeout reached."),
            RecordEnd::NothingSaid => {
                (400, 8510, "Action failed, initial silence timeout reached.")
            }
            RecordEnd::StopTone => (200, 8514, "Action completed, stop tone detected."),
            RecordEnd::Longest => (200, 8515, "Action completed, max record duration reached."),
        };
        operation.status = Some(match code {
            200 => OperationStatus::Completed,
            _ => OperationStatus::Failed,
        });
        operation.result_info = Some(notice::result(code, subcode, what));
        operation.recording_location = clip.map(|clip| clip.location.as_str().into());
        operation.recording_access_token = clip.map(|clip| clip.token.as_str().into());
        let operation = operation.clone();
        let message = self.ids.guid();
        if let Some(bot) = &call.bot {
            let notice = notice::about_operation(call, bot, message, &operation);
            self.effects.push_back(Effect::Notify(Box::new(notice)));
        }
    }
}

fn plan(request: &RecordResponseRequest) -> Result<RecordPlan, Fault> {
    let within = |property, seconds: Option<i32>| {
        let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
        if !SECONDS.contains(&seconds) {
            return Err(Fault::property(property, "1 to 120 seconds are allowed"));
        }
        Ok(Duration::from_secs(seconds.unsigned_abs().into()))
    };
    let mut stop_tones = Zeroizing::new(String::with_capacity(16));
    let tones = request.stop_tones.as_deref().unwrap_or_default();
    for (index, tone) in tones.iter().enumerate() {
        let mut keys = tone.chars();
        let key = keys.next().filter(|_| keys.next().is_none());
        let key = key
            .and_then(Tone::from_char)
            .and_then(|tone| tone.to_char());
        let rule = "one of 0 to 9, *, #, A to D is needed";
        let key = key.ok_or_else(|| Fault::property(format!("stopTones/{index}"), rule))?;
        if !stop_tones.contains(key) {
            stop_tones.push(key);
        }
    }
    Ok(RecordPlan {
        initial: within(
            "initialSilenceTimeoutInSeconds",
            request.initial_silence_timeout_in_seconds,
        )?,
        pause: within(
            "maxSilenceTimeoutInSeconds",
            request.max_silence_timeout_in_seconds,
        )?,
        longest: within(
            "maxRecordDurationInSeconds",
            request.max_record_duration_in_seconds,
        )?,
        stop_tones,
    })
}

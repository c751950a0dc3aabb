//! What media sessions report.

use std::time::{Duration, Instant};

use switchboard_media::event::{Digit, MediaEvent};
use switchboard_signaling::types::{
    Call, CallState, ChangeType, MediaState, OperationKind, OperationStatus,
    SendDtmfCompletionReason, Tone,
};

use super::conversation::{BotMedia, Conversation, MEDIA_LIMIT, Phase};
use super::ending::End;
use super::{BOT_NAME, Cloud, Effect, Leg, MediaAction, MediaReport, notice};
use crate::phone::{Named, PhoneCallState, PhoneEvent};
use crate::timeline::{CallProgress, PromptState, TimelineEvent};

impl Cloud {
    /// Takes a report on a call's media.
    pub(crate) fn media_report(&mut self, call: &str, report: MediaReport, now: Instant) {
        self.with_call(call, |cloud, call| cloud.reported(call, report, now));
    }

    fn reported(&mut self, call: &mut Conversation, report: MediaReport, now: Instant) {
        match report {
            MediaReport::BotAnswered { sdp } => self.answered(call, sdp, now),
            MediaReport::BotRefused { why } => {
                if matches!(call.phase, Phase::Establishing { .. }) {
                    self.end(call, &End::no_media(&why), now);
                }
            }
            MediaReport::Hosted { leg, sdp } => self.hosted(call, leg, sdp, now),
            MediaReport::HostFailed { leg, why } => self.host_failed(call, leg, &why, now),
            MediaReport::Heard { leg, event } => {
                if leg == Leg::Caller {
                    self.heard(call, event, now);
                }
            }
            MediaReport::PromptStarted { name } => {
                let state = PromptState::Started;
                self.show(call, TimelineEvent::Prompt { name, state }, now);
            }
            MediaReport::PromptEnded { name, interrupted } => {
                let state = if interrupted {
                    PromptState::Interrupted
                } else {
                    PromptState::Finished
                };
                self.show(call, TimelineEvent::Prompt { name, state }, now);
            }
            MediaReport::Played { operation, outcome } => self.played(call, &operation, outcome),
            MediaReport::Recorded {
                operation,
                end,
                clip,
            } => self.recorded(call, &operation, end, clip.as_ref()),
            MediaReport::Lost { leg } => self.lost(call, leg, now),
        }
    }

    /// The caller's offer goes to whoever handles the bot's media.
    pub(super) fn begin_media(&mut self, call: &mut Conversation, now: Instant) {
        let until = now + MEDIA_LIMIT;
        call.phase = Phase::Establishing { until };
        if call.group.is_some() {
            return self.enter_room(call);
        }
        let Some(sdp) = call.offer.take() else {
            return;
        };
        let leg = Leg::Caller;
        let action = match call.bot.as_ref().and_then(|bot| bot.media.as_ref()) {
            Some(BotMedia::Application(blob)) => MediaAction::OfferToBot {
                blob: blob.clone(),
                sdp,
            },
            _ => MediaAction::Host { leg, sdp },
        };
        self.media(call, action);
    }

    /// The caller has an answer: bot and caller are connected.
    fn answered(&mut self, call: &mut Conversation, sdp: String, now: Instant) {
        if !matches!(call.phase, Phase::Establishing { .. }) {
            return;
        }
        let Some(caller) = call.caller.clone() else {
            return;
        };
        call.phase = Phase::Established;
        let id = call.id.clone();
        self.tell(&caller, PhoneEvent::Answer { call: id, sdp });
        let data = Call {
            media_state: Some(notice::audio(MediaState::Active)),
            ..notice::change(CallState::Established)
        };
        self.notify(call, ChangeType::Updated, &data);
        let bot = Some(Named::new(BOT_NAME));
        self.tell_state(call, &caller, PhoneCallState::Established, bot);
        self.show(call, TimelineEvent::call(CallProgress::Established), now);
    }

    fn hosted(&mut self, call: &mut Conversation, leg: Leg, sdp: String, now: Instant) {
        if leg == Leg::Caller {
            call.caller_hosted = true;
        }
        if matches!(call.phase, Phase::Establishing { .. }) {
            return self.answered(call, sdp, now);
        }
        let phone = match leg {
            Leg::Caller => call.caller.clone(),
            Leg::Agent => call.agent.clone(),
        };
        let Some(phone) = phone else {
            return;
        };
        let id = call.id.clone();
        self.tell(&phone, PhoneEvent::Answer { call: id, sdp });
        match leg {
            Leg::Caller => self.join(call, now),
            Leg::Agent => self.agent_hosted(call, now),
        }
    }

    fn host_failed(&mut self, call: &mut Conversation, leg: Leg, why: &str, now: Instant) {
        match call.phase {
            Phase::Establishing { .. } => self.end(call, &End::no_media(why), now),
            Phase::Joining { .. } => {
                let whose = match leg {
                    Leg::Caller => "the caller's audio",
                    Leg::Agent => "the agent's audio",
                };
                self.handover_failed(call, &format!("{whose} could not be set up: {why}"), now);
            }
            _ => {}
        }
    }

    /// A session of ours is gone: so is the call, unless the bot still has the caller.
    fn lost(&mut self, call: &mut Conversation, leg: Leg, now: Instant) {
        match call.phase {
            Phase::Joining { .. } if leg == Leg::Agent => {
                self.handover_failed(call, "the agent's audio was lost", now);
            }
            _ => self.end(call, &End::media_lost(), now),
        }
    }

    /// Something was heard on the caller's side of a session of ours.
    fn heard(&mut self, call: &mut Conversation, event: MediaEvent, now: Instant) {
        if let MediaEvent::DigitStart { digit, .. } = event {
            self.tone(call, digit);
        } else if let Some(shown) = call.clock.shown(event, call.created, now) {
            self.show(call, shown, now);
        }
    }

    /// A key was pressed: the bot learns of it if it subscribed (subscribeToTone).
    pub(super) fn tone(&mut self, call: &mut Conversation, digit: Digit) {
        let established = call.state() == CallState::Established;
        let Some(bot) = call.bot.as_mut().filter(|bot| bot.tones && established) else {
            return;
        };
        let Some(tone) = Tone::from_char(digit.as_char()) else {
            return;
        };
        bot.tone_sequence += 1;
        let data = notice::tone(bot.tone_sequence, tone);
        self.notify(call, ChangeType::Updated, &data);
    }

    /// An operation with prompts is over.
    fn played(&mut self, call: &mut Conversation, id: &str, outcome: Result<(), String>) {
        self.finish(call, id, outcome.map_err(|why| (400, why)));
    }

    /// An operation is over; the bot is told.
    pub(super) fn finish(
        &mut self,
        call: &mut Conversation,
        id: &str,
        outcome: Result<(), (i32, String)>,
    ) {
        let bot = call.bot.as_mut();
        let Some(operation) = bot.and_then(|bot| bot.operations.get_mut(id)) else {
            return;
        };
        let (status, result) = match outcome {
            // call: playPrompt, "operation completed"
            Ok(()) => (
                OperationStatus::Completed,
                notice::result(200, 0, "Action completed successfully."),
            ),
            Err((code, why)) => {
                // A recording whose prompts fail, in the service's codes.
                let records = operation.kind == Some(OperationKind::Record);
                let subcode = if records { 8511 } else { 0 };
                (OperationStatus::Failed, notice::result(code, subcode, &why))
            }
        };
        if operation.kind == Some(OperationKind::SendDtmfTones) {
            operation.completion_reason = Some(match status {
                OperationStatus::Completed => SendDtmfCompletionReason::CompletedSuccessfully,
                _ => SendDtmfCompletionReason::MediaOperationCanceled,
            });
        }
        operation.status = Some(status);
        operation.result_info = Some(result);
        let operation = operation.clone();
        let message = self.ids.guid();
        if let Some(bot) = &call.bot {
            let notice = notice::about_operation(call, bot, message, &operation);
            self.effects.push_back(Effect::Notify(Box::new(notice)));
        }
    }
}

/// A media session's clock, which begins with the session, beside its call's.
#[derive(Debug, Default)]
pub(super) struct SessionClock {
    began: Option<Instant>,
}

impl SessionClock {
    /// What those who watch are shown of what was heard, on the call's clock. The session's
    /// own is known from its meter, which tells the time as it passes.
    pub(super) fn shown(
        &mut self,
        event: MediaEvent,
        created: Instant,
        now: Instant,
    ) -> Option<TimelineEvent> {
        match event {
            MediaEvent::DigitEnd {
                digit,
                source,
                duration_ms,
                ..
            } => Some(TimelineEvent::Dtmf {
                digit,
                source,
                duration_ms,
            }),
            MediaEvent::SpeechStart { start_ms } => Some(TimelineEvent::Speech {
                start_ms: self.on_call(created, start_ms),
                end_ms: None,
            }),
            MediaEvent::SpeechEnd { start_ms, end_ms } => Some(TimelineEvent::Speech {
                start_ms: self.on_call(created, start_ms),
                end_ms: Some(self.on_call(created, end_ms)),
            }),
            MediaEvent::Level { t_ms, dbov } => {
                self.began = now.checked_sub(Duration::from_millis(t_ms));
                Some(TimelineEvent::Level { dbov })
            }
            _ => None,
        }
    }

    fn on_call(&self, created: Instant, t_ms: u64) -> u64 {
        let began = self.began.unwrap_or(created);
        began.saturating_duration_since(created).as_millis() as u64 + t_ms
    }
}

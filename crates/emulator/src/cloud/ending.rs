//! How calls end.

use std::time::Instant;

use switchboard_signaling::types::{Call, CallState, ChangeType, MediaState, ResultInfo};

use super::conversation::Conversation;
use super::{Cloud, MediaAction, notice};
use crate::phone::{EndReason, PhoneEvent};
use crate::timeline::{CallProgress, TimelineEvent};

/// Why a call ends, in the words for each side.
pub(crate) struct End {
    code: i32,
    message: String,
    /// Graph's finer code, where one is documented.
    subcode: i32,
    /// Who did it and what that phone is told.
    by: Option<(String, &'static str)>,
}

impl End {
    fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            subcode: 0,
            by: None,
        }
    }

    pub(crate) fn hung_up(phone: &str, name: &str) -> Self {
        Self {
            by: Some((phone.to_owned(), "You hung up")),
            ..Self::new(0, format!("{name} hung up"))
        }
    }

    pub(crate) fn by_bot() -> Self {
        Self::new(0, "The bot hung up")
    }

    pub(crate) fn rejected(code: i32, message: &str) -> Self {
        Self::new(code, message)
    }

    pub(crate) fn unanswered() -> Self {
        Self::new(408, "The bot did not answer within 15 seconds")
    }

    pub(crate) fn not_kept_alive() -> Self {
        Self::new(408, "The bot did not keep the call alive within 45 minutes")
    }

    pub(crate) fn unreachable() -> Self {
        Self::new(
            503,
            "The bot's webhook did not take the notification of the call",
        )
    }

    pub(crate) fn no_media(why: &str) -> Self {
        Self::new(500, format!("Audio could not be set up: {why}"))
    }

    pub(crate) fn media_lost() -> Self {
        Self::new(500, "The media connection was lost")
    }

    pub(crate) fn nobody(code: i32, why: &str) -> Self {
        Self::new(code, format!("The call was not taken: {why}"))
    }

    pub(crate) fn replaced() -> Self {
        Self::new(0, "The call goes on in another")
    }

    pub(crate) fn removed() -> Self {
        Self::new(0, "The bot was removed from the call")
    }

    /// Nobody else is in a group call any more, or has ever come.
    pub(crate) fn alone(met: bool) -> Self {
        match met {
            true => Self::new(0, "Everyone else has left"),
            false => Self::nobody(480, "nobody answered"),
        }
    }

    pub(crate) fn by_emulator(why: &str) -> Self {
        Self::new(503, why)
    }

    fn told(&self, phone: &str) -> EndReason {
        let mut reason = EndReason::new(self.code, &self.message);
        if let Some((by, words)) = &self.by
            && by == phone
        {
            reason.message = (*words).to_owned();
        }
        reason
    }
}

impl Cloud {
    /// Ends a call for everybody in it.
    pub(super) fn end(&mut self, call: &mut Conversation, end: &End, now: Instant) {
        if call.over {
            return;
        }
        call.over = true;
        self.stop_ringing(call, &end.message);
        let terminated = TimelineEvent::Call {
            state: CallProgress::Terminated,
            code: Some(end.code),
            message: Some(end.message.clone()),
        };
        self.show(call, terminated, now);
        let awaited = call.leaving().filter(|phone| call.awaits(phone));
        let people: Vec<_> = call.people().chain(awaited).cloned().collect();
        for phone in people {
            let reason = end.told(&phone);
            let id = call.id.clone();
            self.tell(&phone, PhoneEvent::Ended { call: id, reason });
            self.free(&phone);
        }
        self.media(call, MediaAction::End);
        self.bot_leaves(call, notice::result(end.code, end.subcode, &end.message));
        self.bot_left(call, now);
    }

    /// The bot's part is over: the last notification, and nothing is known under
    /// the call's id any more.
    pub(super) fn bot_leaves(&mut self, call: &mut Conversation, result: ResultInfo) {
        let data = Call {
            result_info: Some(result),
            media_state: Some(notice::audio(MediaState::Inactive)),
            ..notice::change(CallState::Terminated)
        };
        self.notify(call, ChangeType::Deleted, &data);
        call.bot = None;
    }

    /// Phones that ring stop.
    pub(super) fn stop_ringing(&mut self, call: &mut Conversation, why: &str) {
        let phones = call.ring().map(|ring| std::mem::take(&mut ring.phones));
        for phone in phones.into_iter().flatten() {
            self.dismiss(call, &phone, why);
        }
    }

    /// One phone is no longer concerned.
    pub(super) fn dismiss(&mut self, call: &Conversation, phone: &str, why: &str) {
        let id = call.id.clone();
        let reason = EndReason::normal(why);
        self.tell(phone, PhoneEvent::Ended { call: id, reason });
        self.free(phone);
    }

    /// The first notification could not be delivered: nobody will answer.
    pub(crate) fn undelivered(&mut self, call: &str, now: Instant) {
        self.with_call(call, |cloud, call| {
            if call.state() == CallState::Incoming {
                cloud.end(call, &End::unreachable(), now);
            }
        });
    }
}

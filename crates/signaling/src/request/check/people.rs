//! The rules of the participants of a call.

use super::{Check, Checked, shortened};
use crate::types::{InviteRequest, MuteAllRequest, ParticipantId, StartHoldMusicRequest};

const MAX_INVITED: usize = 5;

impl Check {
    pub(in crate::request) fn invite(self, request: &InviteRequest) -> Checked {
        self.client_context(request.client_context.as_deref())?;
        let invited = request.participants.as_deref().unwrap_or_default();
        let rule = "1 to 5 participants can be invited at once";
        self.count("participants", invited.len(), 1..=MAX_INVITED, rule)?;
        invited
            .iter()
            .enumerate()
            .try_for_each(|(index, target)| self.target(&format!("participants[{index}]"), target))
    }

    pub(in crate::request) fn mute_all(self, request: &MuteAllRequest) -> Checked {
        self.client_context(request.client_context.as_deref())?;
        let ids = request.participants.as_deref().unwrap_or_default();
        ids.iter().enumerate().try_for_each(|(index, id)| {
            if id.parse::<ParticipantId>().is_ok() {
                return Ok(());
            }
            let field = format_args!("participants[{index}]");
            self.fail(field, shortened(id), "it must be the id of a participant")
        })
    }

    pub(in crate::request) fn start_hold_music(self, request: &StartHoldMusicRequest) -> Checked {
        self.client_context(request.client_context.as_deref())?;
        let prompt = request.custom_prompt.as_ref();
        prompt.map_or(Ok(()), |prompt| self.prompt("customPrompt", prompt))
    }
}

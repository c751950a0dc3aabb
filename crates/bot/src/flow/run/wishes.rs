//! What an engine may bring about by itself.

use std::sync::Arc;
use std::time::Instant;

use zeroize::Zeroizing;

use super::{Action, MOST_UNHEARD, Run, Stage, Wish, Words};

impl Run {
    /// Grants a wish, if the flow allows it. The node stays, and listens again when
    /// the engine has spoken.
    pub(super) fn wish(&mut self, now: Instant, wish: Wish<'_>, speaking: bool) {
        let flow = Arc::clone(&self.flow);
        let rights = &flow.engine;
        let listed = |names: &[String], name: &str| names.iter().any(|listed| listed == name);
        match wish {
            Wish::Text(text) if rights.say => {
                let words = Words(Zeroizing::new(text.to_owned()));
                self.say_for_engine(Action::Say(words));
            }
            Wish::Prompt(name) if rights.say && flow.prompts.contains_key(name) => {
                self.say_for_engine(Action::Play(name.to_owned()));
            }
            Wish::StopSpeaking if speaking => {
                self.actions.push(Action::StopPlaying);
                self.act(now);
            }
            Wish::Transfer(to) if listed(&rights.transfer, to) => {
                self.actions.push(Action::Transfer(self.contact(to)));
                self.stage = Stage::Transferring;
                self.deadline = None;
            }
            Wish::Invite(who) if listed(&rights.invite, who) => {
                self.actions.push(Action::Invite(self.contact(who)));
            }
            Wish::HangUp if rights.hang_up => self.finish(Action::HangUp),
            _ => {}
        }
    }

    fn say_for_engine(&mut self, action: Action) {
        self.attempts = 0;
        self.unheard += 1;
        if self.unheard > MOST_UNHEARD {
            return self.finish(Action::HangUp);
        }
        self.stage = Stage::Speaking;
        self.deadline = None;
        self.actions.push(action);
    }
}

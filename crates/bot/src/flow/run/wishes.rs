//! What an engine may bring about by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard_media::event::Digit;
use switchboard_nlp::Collect as Wanted;
use zeroize::Zeroizing;

use super::{Action, MOST_UNHEARD, Run, Stage, Wish, Words};

/// What keys that an engine collected in secret are called in web hooks.
const SECRET_VALUE: &str = "keys";

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
                self.end_recording();
                self.actions.push(Action::Transfer(self.contact(to)));
                self.stage = Stage::Transferring;
                self.deadline = None;
            }
            Wish::Invite(who) if listed(&rights.invite, who) => {
                self.actions.push(Action::Invite(vec![self.contact(who)]));
            }
            Wish::Collect(wanted) if rights.collect => self.want_keys(now, wanted, speaking),
            Wish::Mute(muted) if rights.mute => self.actions.push(Action::MuteBot(muted)),
            Wish::HangUp if rights.hang_up => self.finish(Action::HangUp),
            _ => {}
        }
    }

    /// The node waits for keys in place of what it waits for otherwise.
    fn want_keys(&mut self, now: Instant, wanted: Wanted, speaking: bool) {
        self.end_recording();
        self.keys.clear();
        self.wanted = Some(wanted);
        self.keep_secret(wanted.secret);
        if !speaking {
            self.act(now);
        }
    }

    fn keep_secret(&mut self, secret: bool) {
        if self.secret != secret {
            self.secret = secret;
            self.actions.push(Action::Secret(secret));
        }
    }

    pub(super) fn wanted_key(&mut self, now: Instant, wanted: Wanted, key: Digit, speaking: bool) {
        if speaking {
            self.actions.push(Action::StopPlaying);
            self.stage = Stage::Waiting;
        }
        if wanted.terminator == Some(key.as_char()) {
            return self.wanted_keys_are_there(now);
        }
        self.keys.push(key.as_char());
        let between = Duration::from_millis(wanted.inter_digit_timeout_ms.into());
        self.deadline = Some(now + between);
        if self.keys.len() >= usize::from(wanted.max) {
            self.wanted_keys_are_there(now);
        }
    }

    /// The engine gets its keys, none if they were too few, and the node goes on.
    pub(super) fn wanted_keys_are_there(&mut self, now: Instant) {
        let Some(wanted) = self.wanted.take() else {
            return;
        };
        let fresh = Zeroizing::new(String::with_capacity(32));
        let mut keys = std::mem::replace(&mut self.keys, fresh);
        if keys.len() < usize::from(wanted.min) {
            keys = Zeroizing::new(String::new());
        }
        let told = match wanted.secret {
            true => {
                self.values.set(SECRET_VALUE, keys);
                None
            }
            false => Some(Words(keys)),
        };
        self.actions.push(Action::Keys(told));
        self.keep_secret(false);
        self.stage = Stage::Waiting;
        self.wait_for_words(now);
    }

    fn say_for_engine(&mut self, action: Action) {
        self.attempts = 0;
        self.unheard += 1;
        if self.unheard > MOST_UNHEARD {
            return self.finish(Action::HangUp);
        }
        self.end_recording();
        self.stage = Stage::Speaking;
        self.deadline = None;
        self.actions.push(action);
    }
}

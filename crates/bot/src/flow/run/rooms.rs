//! Calls with several people: who is there, and what is done with them.

use std::sync::Arc;
use std::time::Instant;

use zeroize::Zeroizing;

use super::{Action, Contact, Entry, Input, People, Run, Stage, Words};
use crate::flow::plan::{Attend, Step, Whom};
use crate::flow::text;

/// Who else is in the call, and since when it is attended.
#[derive(Default)]
pub(super) struct Company {
    names: Vec<String>,
    /// Somebody else has been there.
    met: bool,
    /// When the node's patience ends.
    until: Option<Instant>,
    /// Somebody came, or went, to whom nothing was said yet.
    to_greet: bool,
    to_part: bool,
}

impl Company {
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// A node is entered.
    pub(super) fn begin(&mut self) {
        self.until = None;
        self.to_greet = false;
        self.to_part = false;
    }
}

impl Run {
    /// Who else is in the call now.
    pub(super) fn people(&mut self, now: Instant, people: &People<'_>) {
        self.company.names = people.names.to_vec();
        self.company.met |= !people.names.is_empty();
        if people.joined {
            self.unheard = 0;
        }
        let flow = Arc::clone(&self.flow);
        if let Step::Attend(attend) = &flow.node(self.at).step {
            self.company.to_greet |= people.joined;
            self.company.to_part |= people.left;
            if self.stage == Stage::Waiting {
                self.attend(now, attend);
            }
        }
    }

    /// Stays, and says what is due.
    pub(super) fn attend(&mut self, now: Instant, attend: &Attend) {
        let until = *self.company.until.get_or_insert(now + attend.timeout);
        if self.company.met && self.company.names.is_empty() {
            return self.enter(now, attend.on_alone);
        }
        if let Some((_, to)) = attend
            .enough
            .filter(|(least, _)| self.company.len() >= *least)
        {
            return self.enter(now, to);
        }
        let greet = std::mem::take(&mut self.company.to_greet);
        let part = std::mem::take(&mut self.company.to_part);
        let farewell = attend.farewell.as_ref().filter(|_| part);
        match attend.greet.as_ref().filter(|_| greet).or(farewell) {
            Some(prompt) => self.play(prompt, Stage::Speaking),
            None => self.deadline = Some(until),
        }
    }

    /// Asks for what the node is about, whose outcome is [`Input::Done`].
    pub(super) fn ask_for(&mut self) {
        let flow = Arc::clone(&self.flow);
        let action = match &flow.node(self.at).step {
            Step::Open { room, .. } => Action::Open(room.clone()),
            Step::Summon { on_call, ask, .. } => Action::Summon(on_call.clone(), Entry(*ask)),
            Step::Join { .. } => Action::Join,
            Step::Mute { who, .. } => Action::Mute(match who {
                Some(who) => Whom::One(self.contact(who)),
                None => Whom::All,
            }),
            Step::Hold { who, music, .. } => Action::Hold(self.contact(who), music.clone()),
            Step::Resume { who, .. } => Action::Resume(self.contact(who)),
            _ => return,
        };
        self.actions.push(action);
    }

    /// What was asked for is done, or not.
    pub(super) fn done_with(&mut self, now: Instant, done: bool) {
        let flow = Arc::clone(&self.flow);
        let (next, failed) = match &flow.node(self.at).step {
            // The call goes on elsewhere, and this one is about to end.
            Step::Open { failed, .. } | Step::Join { failed } => (None, *failed),
            Step::Summon { next, failed, .. }
            | Step::Mute { next, failed, .. }
            | Step::Hold { next, failed, .. }
            | Step::Resume { next, failed, .. } => (Some(*next), *failed),
            _ => return,
        };
        match (done, next) {
            (true, Some(next)) => self.enter(now, next),
            (true, None) => {}
            (false, _) => self.enter(now, failed),
        }
    }

    /// While what was kept is played, a key goes on.
    pub(super) fn played_back(&mut self, now: Instant, input: Input<'_>) {
        let flow = Arc::clone(&self.flow);
        let Step::PlayBack { next } = &flow.node(self.at).step else {
            return;
        };
        match input {
            Input::PromptFinished => self.enter(now, *next),
            Input::Digit(_) => {
                self.unheard = 0;
                self.actions.push(Action::StopPlaying);
                self.enter(now, *next);
            }
            _ => {}
        }
    }

    /// A text with the words that are known now.
    pub(super) fn filled(&self, text: &str) -> Words {
        let value = |name: &str| match name {
            "count" => self.company.names.len().to_string(),
            "people" => {
                let named = self.company.names.iter().filter(|name| !name.is_empty());
                named.map(String::as_str).collect::<Vec<_>>().join(", ")
            }
            name => self.facts.variables.get(name).cloned().unwrap_or_default(),
        };
        Words(Zeroizing::new(text::filled(text, value)))
    }
}

/// Whom a contact is in a call, for those who look.
impl Whom {
    /// The contact, if it is one.
    pub fn contact(&self) -> Option<&Contact> {
        match self {
            Self::All => None,
            Self::One(contact) => Some(contact),
        }
    }
}

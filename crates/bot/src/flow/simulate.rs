//! A flow in text, without audio: for the terminal and for tests.

use std::sync::Arc;
use std::time::Instant;

use switchboard_media::event::Digit;
use switchboard_nlp::Slot;

use super::model::Refusal;
use super::plan::{Contact, Flow, PromptSource};
use super::run::{Action, Facts, Input, People, Run, Wish};

/// A caller at a keyboard.
///
/// Lines are what the caller does: keys (`1`, `4711#`), anything else is spoken.
/// What isn't the caller's doing begins with a colon; `:help` lists it. Prompts are
/// over at once, and time passes only by `:wait`.
pub struct Simulator {
    flow: Arc<Flow>,
    run: Run,
    now: Instant,
    people: usize,
}

const HELP: &str = "keys: 0-9 * # A-D; anything else is spoken\n\
                    :intent NAME   the engine understood an intent (NAME 0.3 DAY=monday: how\n\
                    \u{20}              surely, and details)\n\
                    :mood SCORE    the engine judged the mood, -1 to 1\n\
                    :say TEXT      the engine says something by itself\n\
                    :wait          nothing happens until a time-out\n\
                    :fail          the transfer, invitation, agent or web hook fails\n\
                    :joined        the invited contact is in the call\n\
                    :done          what was asked for is done\n\
                    :people NAMES  who else is in the call, with commas\n\
                    :kept          the caller has said what is kept\n\
                    :result NAME   the web hook answers\n\
                    :finished      the voice agent is done\n\
                    :down, :up     the engine is down, or up again\n\
                    :bye           the caller hangs up";

impl Simulator {
    /// A call that comes in at `now`; what happens at once is in the lines.
    pub fn new(flow: Arc<Flow>, facts: Facts, now: Instant) -> (Self, Vec<String>) {
        let run = Run::new(Arc::clone(&flow), facts);
        let mut simulator = Self {
            flow,
            run,
            now,
            people: 0,
        };
        let lines = simulator.input(Input::Incoming);
        (simulator, lines)
    }

    /// Whether the call is over.
    pub fn is_done(&self) -> bool {
        self.run.is_done()
    }

    /// What a line of the caller leads to.
    pub fn line(&mut self, line: &str) -> Vec<String> {
        let line = line.trim();
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "" => Vec::new(),
            ":help" => HELP.lines().map(str::to_owned).collect(),
            ":intent" => self.intent(rest),
            ":mood" => match rest.parse() {
                Ok(score) => self.input(Input::Sentiment(score)),
                Err(_) => vec!["? a mood is a number from -1 to 1".to_owned()],
            },
            ":say" => self.input(Input::Wish(Wish::Text(rest))),
            ":wait" => self.wait(),
            ":fail" => self.fail(),
            ":joined" => self.input(Input::Invited(true)),
            ":done" => self.input(Input::Done(true)),
            ":kept" => self.input(Input::Kept(true)),
            ":people" => self.people(rest),
            ":result" => self.input(Input::Webhook(Some(rest))),
            ":finished" => self.input(Input::Streamed(true)),
            ":down" => self.input(Input::Engine(false)),
            ":up" => self.input(Input::Engine(true)),
            ":bye" => self.input(Input::CallerLeft),
            _ if command.starts_with(':') => vec![format!("? there is no {command}; try :help")],
            _ => self.caller(line),
        }
    }

    /// `NAME [CONFIDENCE] [SLOT=VALUE]...`
    fn intent(&mut self, rest: &str) -> Vec<String> {
        let mut words = rest.split_whitespace();
        let name = words.next().unwrap_or_default();
        let (mut confidence, mut slots) = (1.0, Vec::new());
        for word in words {
            match (word.split_once('='), word.parse()) {
                (Some((name, value)), _) => slots.push(Slot {
                    name: name.to_owned(),
                    value: value.to_owned(),
                }),
                (None, Ok(known)) => confidence = known,
                _ => return vec!["? write :intent NAME [CONFIDENCE] [SLOT=VALUE]".to_owned()],
            }
        }
        self.input(Input::Intent {
            name,
            confidence,
            slots: &slots,
        })
    }

    fn caller(&mut self, line: &str) -> Vec<String> {
        let keys: Option<Vec<Digit>> = line.chars().map(Digit::from_char).collect();
        match keys {
            Some(keys) => keys
                .into_iter()
                .flat_map(|key| self.input(Input::Digit(key)))
                .collect(),
            None => {
                let mut lines = self.input(Input::SpeechStart);
                lines.extend(self.input(Input::Text(line)));
                lines
            }
        }
    }

    fn wait(&mut self) -> Vec<String> {
        match self.run.poll_timeout() {
            Some(due) => {
                self.now = self.now.max(due);
                self.input(Input::Timeout)
            }
            None => vec!["? nothing here times out".to_owned()],
        }
    }

    fn people(&mut self, names: &str) -> Vec<String> {
        let names = names.split(',').map(str::trim);
        let names: Vec<String> = names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        let before = std::mem::replace(&mut self.people, names.len());
        self.input(Input::People(People {
            names: &names,
            joined: names.len() > before,
            left: names.len() < before,
        }))
    }

    fn fail(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for input in [
            Input::TransferFailed,
            Input::Invited(false),
            Input::Streamed(false),
            Input::Webhook(None),
            Input::Done(false),
            Input::Kept(false),
        ] {
            if lines.is_empty() {
                lines = self.input(input);
            }
        }
        lines
    }

    fn input(&mut self, input: Input<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        let mut actions = self.run.handle(self.now, input);
        while !actions.is_empty() {
            lines.extend(actions.iter().filter_map(|action| self.show(action)));
            let speaks = |action: &Action| {
                matches!(action, Action::Play(_) | Action::Say(_) | Action::PlayBack)
            };
            actions = if actions.contains(&Action::Answer) {
                self.run.handle(self.now, Input::Connected)
            } else if actions.iter().any(speaks) {
                self.run.handle(self.now, Input::PromptFinished)
            } else {
                Vec::new()
            };
        }
        lines
    }

    fn show(&self, action: &Action) -> Option<String> {
        let who = |contact: &Contact| match contact {
            Contact::User(user) => user.clone(),
            Contact::Phone(phone) => phone.clone(),
            Contact::Bot(bot) => bot.clone(),
            Contact::Team(team) => format!("one of {team}"),
        };
        let all = |contacts: &[Contact]| contacts.iter().map(who).collect::<Vec<_>>().join(", ");
        Some(match action {
            Action::Answer => "(answers)".to_owned(),
            Action::Reject(Refusal::None) => "(rejects)".to_owned(),
            Action::Reject(Refusal::Busy) => "(rejects as busy)".to_owned(),
            Action::Reject(Refusal::Forbidden) => "(rejects as forbidden)".to_owned(),
            Action::Redirect(contact) => format!("(redirects to {})", who(contact)),
            Action::Play(prompt) => {
                let source = self.flow.prompts.get(prompt);
                let words = source.and_then(PromptSource::words);
                words.map_or_else(
                    || format!("bot: [{prompt}]"),
                    |words| format!("bot: {words}"),
                )
            }
            Action::Say(words) => format!("bot: {}", words.as_str()),
            Action::StopPlaying => return None,
            Action::Secret(true) => "(keys are secret)".to_owned(),
            Action::Secret(false) => "(keys are shown)".to_owned(),
            Action::Record(_) => "(listens)".to_owned(),
            Action::EndRecording => "(has listened)".to_owned(),
            Action::Transfer(contact) => format!("(transfers to {})", who(contact)),
            Action::Invite(contacts) => format!("(invites {})", all(contacts)),
            Action::Open(room) => format!("(goes on in {room})"),
            Action::Summon(on_call, _) => format!("(calls {on_call})"),
            Action::Join => "(joins who summoned it)".to_owned(),
            Action::Mute(whom) => {
                let whom = whom.contact().map_or_else(|| "all".to_owned(), who);
                format!("(mutes {whom})")
            }
            Action::Hold(contact, _) => format!("(holds {})", who(contact)),
            Action::Resume(contact) => format!("(takes {} back)", who(contact)),
            Action::Keep(_) => "(keeps what is said)".to_owned(),
            Action::EndKeeping => "(that is enough)".to_owned(),
            Action::PlayBack => "(plays what was kept)".to_owned(),
            Action::Deliver(url) => format!("(delivers what was kept to {url})"),
            Action::Webhook(url) => {
                let names: Vec<&str> = self.run.values().iter().map(|(name, _)| name).collect();
                format!("(posts {} to {url})", names.join(", "))
            }
            Action::Keys(_) => "(the engine gets the keys)".to_owned(),
            Action::MuteBot(true) => "(is muted)".to_owned(),
            Action::MuteBot(false) => "(is heard again)".to_owned(),
            Action::Stream(agent) => format!("(the agent {agent} takes over)"),
            Action::StopStream => "(the agent is gone)".to_owned(),
            Action::HangUp => "(hangs up)".to_owned(),
        })
    }
}

//! A flow in text, without audio: for the terminal and for tests.

use std::sync::Arc;
use std::time::Instant;

use switchboard_media::event::Digit;

use super::model::Refusal;
use super::plan::{Contact, Flow, PromptSource};
use super::run::{Action, Facts, Input, Run, Wish};

/// A caller at a keyboard.
///
/// Lines are what the caller does: keys (`1`, `4711#`), anything else is spoken.
/// What isn't the caller's doing begins with a colon; `:help` lists it. Prompts are
/// over at once, and time passes only by `:wait`.
pub struct Simulator {
    flow: Arc<Flow>,
    run: Run,
    now: Instant,
}

const HELP: &str = "keys: 0-9 * # A-D; anything else is spoken\n\
                    :intent NAME   the engine understood an intent\n\
                    :mood SCORE    the engine judged the mood, -1 to 1\n\
                    :say TEXT      the engine says something by itself\n\
                    :wait          nothing happens until a time-out\n\
                    :fail          the transfer, invitation, agent or web hook fails\n\
                    :joined        the invited contact is in the call\n\
                    :result NAME   the web hook answers\n\
                    :finished      the voice agent is done\n\
                    :down, :up     the engine is down, or up again\n\
                    :bye           the caller hangs up";

impl Simulator {
    /// A call that comes in at `now`; what happens at once is in the lines.
    pub fn new(flow: Arc<Flow>, facts: Facts, now: Instant) -> (Self, Vec<String>) {
        let run = Run::new(Arc::clone(&flow), facts);
        let mut simulator = Self { flow, run, now };
        let mut lines = simulator.input(Input::Incoming);
        if !simulator.run.is_done() {
            lines.extend(simulator.input(Input::Connected));
        }
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
            ":intent" => self.input(Input::Intent {
                name: rest,
                confidence: 1.0,
            }),
            ":mood" => match rest.parse() {
                Ok(score) => self.input(Input::Sentiment(score)),
                Err(_) => vec!["? a mood is a number from -1 to 1".to_owned()],
            },
            ":say" => self.input(Input::Wish(Wish::Text(rest))),
            ":wait" => self.wait(),
            ":fail" => self.fail(),
            ":joined" => self.input(Input::Invited(true)),
            ":result" => self.input(Input::Webhook(Some(rest))),
            ":finished" => self.input(Input::Streamed(true)),
            ":down" => self.input(Input::Engine(false)),
            ":up" => self.input(Input::Engine(true)),
            ":bye" => self.input(Input::CallerLeft),
            _ if command.starts_with(':') => vec![format!("? there is no {command}; try :help")],
            _ => self.caller(line),
        }
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

    fn fail(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for input in [
            Input::TransferFailed,
            Input::Invited(false),
            Input::Streamed(false),
            Input::Webhook(None),
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
            let plays = actions
                .iter()
                .any(|action| matches!(action, Action::Play(_) | Action::Say(_)));
            actions = match plays {
                true => self.run.handle(self.now, Input::PromptFinished),
                false => Vec::new(),
            };
        }
        lines
    }

    fn show(&self, action: &Action) -> Option<String> {
        let who = |contact: &Contact| match contact {
            Contact::User(user) => user.clone(),
            Contact::Phone(phone) => phone.clone(),
        };
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
            Action::Record(true) => "(listens)".to_owned(),
            Action::Record(false) => "(has listened)".to_owned(),
            Action::Transfer(contact) => format!("(transfers to {})", who(contact)),
            Action::Invite(contact) => format!("(invites {})", who(contact)),
            Action::Webhook(url) => {
                let names: Vec<&str> = self.run.values().iter().map(|(name, _)| name).collect();
                format!("(posts {} to {url})", names.join(", "))
            }
            Action::Keys(_) => "(the engine gets the keys)".to_owned(),
            Action::Mute(true) => "(is muted)".to_owned(),
            Action::Mute(false) => "(is heard again)".to_owned(),
            Action::Stream(agent) => format!("(the agent {agent} takes over)"),
            Action::StopStream => "(the agent is gone)".to_owned(),
            Action::HangUp => "(hangs up)".to_owned(),
        })
    }
}

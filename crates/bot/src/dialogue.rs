//! What the bot says and does next, without IO: inputs in, actions out, time as
//! an argument.

use std::time::{Duration, Instant};

use switchboard_media::event::Digit;

use crate::prompts::PromptName;

/// Something that happened in the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// Media flows.
    Connected,
    /// A key was pressed.
    Digit(Digit),
    /// The hook understood something.
    Intent(&'a str),
    /// The prompt that was playing is over; interrupted ones are not reported.
    PromptFinished,
    /// Nobody took the transferred call.
    TransferFailed,
    /// [`FrontDesk::poll_timeout`] has passed.
    Timeout,
}

/// What the call's owner is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Play a prompt, in place of what is playing.
    Play(PromptName),
    /// Transfer the caller to the agent.
    Transfer,
    /// End the call.
    HangUp,
}

/// The demo's front desk: a greeting, two answers, a person, a goodbye.
#[derive(Debug)]
pub struct FrontDesk {
    stage: Stage,
    reminders: u32,
    deadline: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before media flows.
    Waiting,
    /// A menu or an answer is being spoken; keys interrupt it.
    Speaking(PromptName),
    /// Nothing is being spoken; the caller's turn.
    Listening,
    /// "I'll connect you", then the transfer.
    AnnouncingTransfer,
    /// The agent's phone rings.
    Transferring,
    /// The goodbye, then hang-up.
    Leaving,
    /// Hung up.
    Done,
}

impl FrontDesk {
    /// How long the caller may be silent before being reminded of the menu.
    pub const PATIENCE: Duration = Duration::from_secs(15);
    /// How many reminders are given before saying goodbye.
    pub const REMINDERS: u32 = 2;
}

impl Default for FrontDesk {
    fn default() -> Self {
        Self {
            stage: Stage::Waiting,
            reminders: 0,
            deadline: None,
        }
    }
}

impl FrontDesk {
    /// When [`Input::Timeout`] is due, if at all.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes one input and says what to do.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) -> Option<Action> {
        let action = match (self.stage, input) {
            (Stage::Waiting, Input::Connected) => self.speak(PromptName::Greeting),
            (Stage::Speaking(_) | Stage::Listening, Input::Digit(digit)) => self.key(digit),
            (Stage::Listening, Input::Intent("spoke")) => self.speak(PromptName::StillThere),
            (Stage::Listening, Input::Timeout) => self.remind(),
            (Stage::Speaking(_), Input::PromptFinished) => {
                self.stage = Stage::Listening;
                None
            }
            (Stage::AnnouncingTransfer, Input::PromptFinished) => {
                self.stage = Stage::Transferring;
                Some(Action::Transfer)
            }
            (Stage::Transferring, Input::TransferFailed) => self.speak(PromptName::TransferFailed),
            (Stage::Leaving, Input::PromptFinished) => {
                self.stage = Stage::Done;
                Some(Action::HangUp)
            }
            _ => None,
        };
        self.deadline = match self.stage {
            Stage::Listening if matches!(input, Input::PromptFinished) => {
                Some(now + Self::PATIENCE)
            }
            Stage::Listening => self.deadline,
            _ => None,
        };
        action
    }

    fn speak(&mut self, prompt: PromptName) -> Option<Action> {
        self.stage = Stage::Speaking(prompt);
        Some(Action::Play(prompt))
    }

    fn key(&mut self, digit: Digit) -> Option<Action> {
        self.reminders = 0;
        match digit.as_char() {
            '1' => self.speak(PromptName::One),
            '2' => self.speak(PromptName::Two),
            '0' => {
                self.stage = Stage::AnnouncingTransfer;
                Some(Action::Play(PromptName::Transfer))
            }
            '#' => self.leave(),
            _ => self.speak(PromptName::Sorry),
        }
    }

    fn remind(&mut self) -> Option<Action> {
        if self.reminders == Self::REMINDERS {
            return self.leave();
        }
        self.reminders += 1;
        self.speak(PromptName::StillThere)
    }

    fn leave(&mut self) -> Option<Action> {
        self.stage = Stage::Leaving;
        Some(Action::Play(PromptName::Goodbye))
    }

    /// What the bot does next, for people who watch the call.
    pub fn next(&self) -> &'static str {
        match self.stage {
            Stage::Waiting => "waiting for the caller's audio",
            Stage::Speaking(prompt) => prompt.next(),
            Stage::Listening => "listening for 1, 2, 0, # or speech",
            Stage::AnnouncingTransfer => "announcing the transfer, then ringing the agent",
            Stage::Transferring => "waiting for the agent to pick up",
            Stage::Leaving => "saying goodbye, then hanging up",
            Stage::Done => "done",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(key: char) -> Input<'static> {
        Input::Digit(Digit::from_char(key).unwrap())
    }

    fn run(inputs: &[Input<'_>]) -> Vec<Action> {
        let now = Instant::now();
        let mut desk = FrontDesk::default();
        inputs
            .iter()
            .filter_map(|input| desk.handle(now, *input))
            .collect()
    }

    #[test]
    fn keys_lead_to_different_answers() {
        let play = Action::Play;
        assert_eq!(
            run(&[Input::Connected, key('1'), Input::PromptFinished, key('2')]),
            [
                play(PromptName::Greeting),
                play(PromptName::One),
                play(PromptName::Two)
            ]
        );
        assert_eq!(
            run(&[Input::Connected, key('7')]),
            [play(PromptName::Greeting), play(PromptName::Sorry)]
        );
    }

    #[test]
    fn hash_says_goodbye_before_hanging_up() {
        assert_eq!(
            run(&[
                Input::Connected,
                key('#'),
                key('1'),
                Input::PromptFinished,
                key('1')
            ]),
            [
                Action::Play(PromptName::Greeting),
                Action::Play(PromptName::Goodbye),
                Action::HangUp
            ]
        );
    }

    #[test]
    fn a_failed_transfer_returns_to_the_menu() {
        assert_eq!(
            run(&[
                Input::Connected,
                key('0'),
                Input::PromptFinished,
                Input::TransferFailed,
                key('1')
            ]),
            [
                Action::Play(PromptName::Greeting),
                Action::Play(PromptName::Transfer),
                Action::Transfer,
                Action::Play(PromptName::TransferFailed),
                Action::Play(PromptName::One),
            ]
        );
    }

    #[test]
    fn silence_is_reminded_twice_and_then_left() {
        let mut desk = FrontDesk::default();
        let now = Instant::now();
        desk.handle(now, Input::Connected);
        let mut said = Vec::new();
        while said.last() != Some(&Action::HangUp) {
            said.extend(desk.handle(now, Input::PromptFinished));
            if desk.poll_timeout().is_some() {
                said.extend(desk.handle(now + FrontDesk::PATIENCE, Input::Timeout));
            }
        }
        assert_eq!(
            said,
            [
                Action::Play(PromptName::StillThere),
                Action::Play(PromptName::StillThere),
                Action::Play(PromptName::Goodbye),
                Action::HangUp
            ]
        );
    }

    #[test]
    fn speech_counts_only_when_the_bot_is_silent() {
        assert_eq!(
            run(&[
                Input::Connected,
                Input::Intent("spoke"),
                Input::PromptFinished,
                Input::Intent("spoke")
            ]),
            [
                Action::Play(PromptName::Greeting),
                Action::Play(PromptName::StillThere)
            ]
        );
    }

    fn any_input() -> impl Strategy<Value = Input<'static>> {
        prop_oneof![
            Just(Input::Connected),
            (0u8..16).prop_map(|code| Input::Digit(Digit::from_event_code(code).unwrap())),
            Just(Input::Intent("spoke")),
            Just(Input::PromptFinished),
            Just(Input::TransferFailed),
            Just(Input::Timeout),
        ]
    }

    proptest! {
        #[test]
        fn hangs_up_at_most_once_and_says_nothing_after(inputs in proptest::collection::vec(any_input(), 0..60)) {
            let actions = run(&inputs);
            let hang_up = actions.iter().position(|action| *action == Action::HangUp);
            prop_assert!(hang_up.is_none_or(|at| at + 1 == actions.len()));
        }
    }
}

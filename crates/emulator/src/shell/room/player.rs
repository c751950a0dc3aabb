//! What one seat plays: operations in their order, each with its prompts. Without IO.

use std::collections::VecDeque;

use crate::cloud::{Playable, RoomTask};
use crate::shell::fetch::Sound;

/// The result of prompts that were stopped.
const CANCELLED: &str = "The operation was canceled.";

type Outcome = (RoomTask, Result<(), String>);

/// What is to be done next.
pub(super) enum Step {
    Wait,
    Fetch(Playable),
    Play(Sound),
    Done(RoomTask, Result<(), String>),
}

#[derive(Default)]
pub(super) struct Player {
    waiting: VecDeque<(RoomTask, Playable)>,
    playing: Option<Playing>,
}

struct Playing {
    task: RoomTask,
    sounds: VecDeque<Sound>,
    current: Option<String>,
    cancelled: bool,
}

impl Player {
    pub(super) fn add(&mut self, task: RoomTask, what: Playable) -> Step {
        self.waiting.push_back((task, what));
        self.next_operation()
    }

    pub(super) fn next_operation(&mut self) -> Step {
        if self.playing.is_some() {
            return Step::Wait;
        }
        let Some((task, what)) = self.waiting.pop_front() else {
            return Step::Wait;
        };
        self.playing = Some(Playing {
            task,
            sounds: VecDeque::new(),
            current: None,
            cancelled: false,
        });
        Step::Fetch(what)
    }

    pub(super) fn fetched(&mut self, sounds: Result<Vec<Sound>, String>) -> Step {
        let Some(playing) = &mut self.playing else {
            return Step::Wait;
        };
        match sounds {
            Ok(sounds) => {
                playing.sounds = sounds.into();
                self.next_sound()
            }
            Err(why) => self.done(Err(why)),
        }
    }

    fn next_sound(&mut self) -> Step {
        let Some(playing) = &mut self.playing else {
            return Step::Wait;
        };
        if playing.cancelled {
            return self.done(Err(CANCELLED.to_owned()));
        }
        match playing.sounds.pop_front() {
            Some(sound) => {
                playing.current = Some(sound.name.clone());
                Step::Play(sound)
            }
            None => self.done(Ok(())),
        }
    }

    fn done(&mut self, outcome: Result<(), String>) -> Step {
        match self.playing.take() {
            Some(playing) => Step::Done(playing.task, outcome),
            None => Step::Wait,
        }
    }

    /// A sound is over: its name, if it was this player's, and what follows.
    pub(super) fn ended(&mut self) -> (Option<String>, Step) {
        let current = self.playing.as_mut();
        let Some(name) = current.and_then(|playing| playing.current.take()) else {
            return (None, Step::Wait);
        };
        (Some(name), self.next_sound())
    }

    /// Stops all; what waited is over at once, what plays when it has stopped.
    pub(super) fn cancel(&mut self) -> Vec<Outcome> {
        if let Some(playing) = &mut self.playing {
            playing.cancelled = true;
        }
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        waiting
            .map(|(task, _)| (task, Err(CANCELLED.to_owned())))
            .collect()
    }
}

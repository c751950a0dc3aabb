//! What one seat plays and records: operations in their order, each with its prompts.
//! Without IO.

use std::collections::VecDeque;

use crate::cloud::{Playable, RecordPlan, RoomTask};
use crate::shell::fetch::Sound;

/// The result of prompts that were stopped.
const CANCELLED: &str = "The operation was canceled.";

/// What is to be done next.
pub(super) enum Step {
    Wait,
    /// With a beep at its end, or without.
    Fetch(Playable, bool),
    Play(Sound),
    Record(RecordPlan),
    Done(RoomTask, Result<(), String>),
    /// A recording was broken off before it began.
    NotRecorded(RoomTask),
}

/// An operation whose turn has not come.
pub(super) struct Waiting {
    pub(super) task: RoomTask,
    pub(super) what: Playable,
    pub(super) beep: bool,
    /// What is recorded after it.
    pub(super) then: Option<RecordPlan>,
}

#[derive(Default)]
pub(super) struct Player {
    waiting: VecDeque<Waiting>,
    playing: Option<Playing>,
}

struct Playing {
    task: RoomTask,
    then: Option<RecordPlan>,
    sounds: VecDeque<Sound>,
    current: Option<String>,
    cancelled: bool,
}

impl Player {
    pub(super) fn add(&mut self, operation: Waiting) -> Step {
        self.waiting.push_back(operation);
        self.next_operation()
    }

    pub(super) fn next_operation(&mut self) -> Step {
        if self.playing.is_some() {
            return Step::Wait;
        }
        let Some(next) = self.waiting.pop_front() else {
            return Step::Wait;
        };
        self.playing = Some(Playing {
            task: next.task,
            then: next.then,
            sounds: VecDeque::new(),
            current: None,
            cancelled: false,
        });
        Step::Fetch(next.what, next.beep)
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
            let records = playing.then.is_some();
            return self.cancelled(records);
        }
        match (playing.sounds.pop_front(), playing.then.take()) {
            (Some(sound), then) => {
                playing.current = Some(sound.name.clone());
                playing.then = then;
                Step::Play(sound)
            }
            (None, Some(plan)) => Step::Record(plan),
            (None, None) => self.done(Ok(())),
        }
    }

    fn cancelled(&mut self, records: bool) -> Step {
        match self.playing.take() {
            Some(playing) if records => Step::NotRecorded(playing.task),
            Some(playing) => Step::Done(playing.task, Err(CANCELLED.to_owned())),
            None => Step::Wait,
        }
    }

    /// What was recorded is over: whose it is.
    pub(super) fn recorded(&mut self) -> Option<RoomTask> {
        self.playing.take().map(|playing| playing.task)
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

    /// Stops all; what waited is over at once, what plays or records when it has stopped.
    pub(super) fn cancel(&mut self) -> Vec<Step> {
        if let Some(playing) = &mut self.playing {
            playing.cancelled = true;
        }
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        waiting
            .map(|waiting| match waiting.then {
                Some(_) => Step::NotRecorded(waiting.task),
                None => Step::Done(waiting.task, Err(CANCELLED.to_owned())),
            })
            .collect()
    }
}

//! Media in Graph's hands: prompts are files it fetches from us, keys are
//! notifications.

use std::collections::VecDeque;
use std::time::Instant;

use switchboard_nlp::Event;
use switchboard_signaling::call::{Command, CommandId};
use switchboard_signaling::types::{MediaPrompt, PlayPromptRequest, Prompt};

use super::{Media, Task};
use crate::conversation::Saying;
use crate::flow::{Action, Response, Words};

/// A call whose media Graph handles.
#[derive(Default)]
pub(super) struct Service {
    /// Keys were asked for.
    pub(super) subscribed: bool,
    /// What Graph plays, or is to play next.
    playing: Option<Playing>,
    /// What Graph is to record, once there is an engine to hear it.
    pub(super) to_record: Option<Response>,
    /// A key is the caller's choice while Graph records.
    pub(super) keys_choose: bool,
    /// A response that the engine hears, and when the next part.
    pub(super) response: VecDeque<Event>,
    pub(super) hear_at: Option<Instant>,
}

/// So often Graph is asked to play something again that it failed to take.
const REPEATS: u32 = 3;

/// A file that Graph is asked to play.
struct Playing {
    /// The latest request.
    command: CommandId,
    /// The first, by which the conversation knows it.
    said_as: CommandId,
    path: String,
    /// Whether the file is for this once.
    once: bool,
    repeats: u32,
}

impl Playing {
    /// The file, if nobody needs it after this.
    fn file(self) -> Option<String> {
        self.once.then_some(self.path)
    }
}

impl Task {
    /// Has Graph play the file at a path of ours, in place of what it plays.
    pub(super) fn play_file(&mut self, path: &str) -> Option<Saying> {
        self.stop_files();
        let command = self.order_file(path)?;
        if let Media::Service(service) = &mut self.media {
            service.playing = Some(Playing {
                command,
                said_as: command,
                path: path.to_owned(),
                once: false,
                repeats: 0,
            });
        }
        Some(Saying::Operation(command))
    }

    fn order_file(&mut self, path: &str) -> Option<CommandId> {
        let url = self.shared.address(path);
        let prompt = Prompt::Media(MediaPrompt::new(url.as_str(), None));
        let play = PlayPromptRequest {
            prompts: Some(vec![prompt]),
            ..PlayPromptRequest::default()
        };
        self.control.order_awaited(Command::PlayPrompt(play)).ok()
    }

    /// Graph had a fault when it was asked to play something: whatever it may have begun is
    /// stopped, and it is asked again. A person who hears nothing waits for no result.
    pub(super) fn play_again(&mut self, now: Instant, command: CommandId) -> Vec<Action> {
        let Media::Service(service) = &mut self.media else {
            return Vec::new();
        };
        let doubted = |playing: &mut Playing| playing.command == command;
        let Some(mut playing) = service.playing.take_if(doubted) else {
            return Vec::new();
        };
        self.cancel_media();
        if playing.repeats < REPEATS
            && let Some(again) = self.order_file(&playing.path)
            && let Media::Service(service) = &mut self.media
        {
            (playing.command, playing.repeats) = (again, playing.repeats + 1);
            service.playing = Some(playing);
            return Vec::new();
        }
        let said = Saying::Operation(playing.said_as);
        self.shared.forget(playing.file());
        self.talk.finished(now, said, false)
    }

    /// Stops what Graph plays, if it plays anything.
    pub(super) fn stop_files(&mut self) {
        let Media::Service(service) = &mut self.media else {
            return;
        };
        if let Some(playing) = service.playing.take() {
            self.shared.forget(playing.file());
            self.cancel_media();
        }
    }

    /// A command has ended: what Graph said by it, if it did, is over, and its file is not
    /// needed any more.
    pub(super) fn said_by_graph(&mut self, command: CommandId) -> Option<Saying> {
        let Media::Service(service) = &mut self.media else {
            return None;
        };
        let ended = |playing: &mut Playing| playing.command == command;
        let playing = service.playing.take_if(ended)?;
        let said = Saying::Operation(playing.said_as);
        self.shared.forget(playing.file());
        Some(said)
    }

    pub(super) fn forget_files(&mut self) {
        if let Media::Service(service) = &mut self.media
            && let Some(playing) = service.playing.take()
        {
            self.shared.forget(playing.file());
        }
    }

    /// Has words spoken into a file of their own, which is there until it was played.
    pub(super) fn say_by_graph(&mut self, words: Words) -> Vec<Action> {
        let Some(synthesizer) = self.script.synthesizer.clone() else {
            return self.said(None, None);
        };
        let language = self.script.flow.language().to_owned();
        let path = self.shared.speak_into_file(synthesizer, words, language);
        let saying = self.play_once(Some(path));
        self.said(saying, None)
    }

    /// Has Graph play a file that is there until it was played.
    pub(super) fn play_once(&mut self, path: Option<String>) -> Option<Saying> {
        let path = path?;
        let saying = self.play_file(&path);
        if let Media::Service(service) = &mut self.media
            && let Some(playing) = &mut service.playing
        {
            playing.once = true;
        } else {
            self.shared.forget(Some(path));
        }
        saying
    }
}

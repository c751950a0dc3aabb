//! Media in Graph's hands: prompts are files it fetches from us, keys are
//! notifications.

use switchboard_signaling::call::{Command, CommandId};
use switchboard_signaling::types::{MediaPrompt, PlayPromptRequest, Prompt};

use super::{Media, Task};
use crate::conversation::Saying;
use crate::flow::{Action, Words};

/// A call whose media Graph handles.
#[derive(Default)]
pub(super) struct Service {
    /// Keys were asked for.
    pub(super) subscribed: bool,
    /// What Graph plays, or is to play next, with the file if it is for this once.
    playing: Option<(CommandId, Option<String>)>,
}

impl Task {
    /// Has Graph play the file at a path of ours, in place of what it plays.
    pub(super) fn play_file(&mut self, path: &str) -> Option<Saying> {
        self.stop_files();
        let url = self.shared.address(path);
        let prompt = Prompt::Media(MediaPrompt::new(url.as_str(), None));
        let play = PlayPromptRequest {
            prompts: Some(vec![prompt]),
            ..PlayPromptRequest::default()
        };
        let command = self.control.order_awaited(Command::PlayPrompt(play)).ok()?;
        if let Media::Service(service) = &mut self.media {
            service.playing = Some((command, None));
        }
        Some(Saying::Operation(command))
    }

    /// Stops what Graph plays, if it plays anything.
    pub(super) fn stop_files(&mut self) {
        let Media::Service(service) = &mut self.media else {
            return;
        };
        if let Some((_, file)) = service.playing.take() {
            self.shared.forget(file);
            self.cancel_media();
        }
    }

    pub(super) fn is_said_by_graph(&self, command: CommandId) -> bool {
        match &self.media {
            Media::Service(service) => {
                matches!(&service.playing, Some((playing, _)) if *playing == command)
            }
            Media::Application(_) => false,
        }
    }

    /// The file of a command is not needed any more.
    pub(super) fn forget_file(&mut self, command: CommandId) {
        if let Media::Service(service) = &mut self.media
            && let Some((_, file)) = service.playing.take_if(|(playing, _)| *playing == command)
        {
            self.shared.forget(file);
        }
    }

    pub(super) fn forget_files(&mut self) {
        if let Media::Service(service) = &mut self.media
            && let Some((_, file)) = service.playing.take()
        {
            self.shared.forget(file);
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
            && let Some((_, file)) = &mut service.playing
        {
            *file = Some(path);
        } else {
            self.shared.forget(Some(path));
        }
        saying
    }
}

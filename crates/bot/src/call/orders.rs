//! What the flow wants, done: by call control, by the playout, by a web hook.

use std::sync::Arc;
use std::time::Instant;

use switchboard_nlp::{Digits, Event};
use switchboard_signaling::call::Command;
use switchboard_signaling::clock;
use switchboard_signaling::request;
use switchboard_signaling::types::{
    AnswerRequest, AppHostedMediaConfig, MediaConfig, Modality, RedirectRequest, RejectReason,
    RejectRequest, ServiceHostedMediaConfig, TransferRequest,
};
use tracing::Instrument as _;

use super::facts::invitation;
use super::teams::{Picking, Purpose};
use super::{Awaited, Hook, Media, Task};
use crate::conversation::Saying;
use crate::flow::{Action, Contact, Input, Refusal, Whom, Words};
use crate::hook::Question;
use crate::prompts::Recording;

impl Task {
    /// Does one thing; what follows from it at once comes back.
    pub(super) fn act(&mut self, action: Action) -> Vec<Action> {
        match action {
            Action::Answer => self.answer(),
            Action::Reject(why) => self.reject(why),
            Action::Redirect(to) => self.redirect(&to),
            Action::Play(name) => self.play(name),
            Action::Say(words) => self.say(words),
            Action::StopPlaying => {
                self.stop_saying();
                Vec::new()
            }
            // The conversation keeps the gate itself.
            Action::Secret(_) => Vec::new(),
            Action::Record(response) => {
                self.record(response);
                Vec::new()
            }
            Action::EndRecording => self.end_recording(),
            Action::Transfer(to) => self.transfer(&to),
            Action::Invite(who) => self.invite(&who),
            Action::Open(room) => self.open(room),
            Action::Summon(list, entry) => self.summon(&list, entry),
            Action::Join => self.join(),
            Action::Mute(whom) => {
                let asked = self.mute(&whom);
                self.asked_of(asked, &whom)
            }
            Action::Hold(who, music) => {
                let asked = self.hold(&who, music.as_deref());
                self.asked_of(asked, &Whom::One(who))
            }
            Action::Resume(who) => {
                let asked = self.resume(&who);
                self.asked_of(asked, &Whom::One(who))
            }
            Action::Keep(keep) => self.begin_keeping(&keep),
            Action::EndKeeping => self.end_keeping(clock::now()),
            Action::PlayBack => self.play_back(),
            Action::Deliver(url) => {
                self.deliver(&url);
                Vec::new()
            }
            Action::Webhook(url) => {
                self.ask(url);
                Vec::new()
            }
            Action::Keys(keys) => {
                let digits = match keys {
                    Some(keys) => Digits::open(keys.as_str().to_owned()),
                    None => Digits::secret(),
                };
                self.talk.tell(clock::now(), Event::Digits(digits))
            }
            Action::MuteBot(true) => self.order(Command::Mute),
            Action::MuteBot(false) => self.order(Command::Unmute),
            Action::Stream(agent) => self.stream(&agent),
            Action::StopStream => {
                self.stop_stream();
                Vec::new()
            }
            Action::HangUp => self.order(Command::HangUp),
        }
    }

    /// Where this call's media is to go.
    fn media_config(media: &Media) -> Option<MediaConfig> {
        match media {
            Media::Application(ours) => {
                let blob = ours.reservation.as_ref()?.blob().to_wire();
                Some(AppHostedMediaConfig::new(blob).into())
            }
            Media::Service(_) => Some(ServiceHostedMediaConfig::default().into()),
        }
    }

    fn answer(&mut self) -> Vec<Action> {
        if let Media::Application(ours) = &mut self.media {
            ours.missed_at = Some(clock::now() + super::WITHOUT_MEDIA);
        }
        let answer = AnswerRequest {
            callback_uri: Some(self.shared.callback.to_string()),
            media_config: Self::media_config(&self.media),
            accepted_modalities: Some(vec![Modality::Audio]),
            ..AnswerRequest::default()
        };
        self.order(Command::Answer(answer))
    }

    fn reject(&mut self, why: Refusal) -> Vec<Action> {
        let reason = match why {
            Refusal::None => RejectReason::None,
            Refusal::Busy => RejectReason::Busy,
            Refusal::Forbidden => RejectReason::Forbidden,
        };
        let reject = RejectRequest {
            reason: Some(reason),
            ..RejectRequest::default()
        };
        self.order(Command::Reject(reject))
    }

    fn redirect(&mut self, to: &Contact) -> Vec<Action> {
        if let Contact::Team(team) = to {
            self.pick(Purpose::Redirect, team);
            return Vec::new();
        }
        let redirect = RedirectRequest {
            targets: invitation(to).map(|target| vec![target]),
            callback_uri: Some(self.shared.callback.to_string()),
            ..RedirectRequest::default()
        };
        match self.order_awaited(Command::Redirect(redirect), Awaited::Farewell) {
            true => Vec::new(),
            false => self.order(Command::HangUp),
        }
    }

    fn transfer(&mut self, to: &Contact) -> Vec<Action> {
        if let Contact::Team(team) = to {
            self.pick(Purpose::Transfer, team);
            return Vec::new();
        }
        let transfer = TransferRequest {
            transfer_target: invitation(to),
            ..TransferRequest::default()
        };
        self.order(Command::Transfer(Box::new(transfer)))
    }

    /// Finds out who of a team takes the call.
    fn pick(&mut self, purpose: Purpose, team: &str) {
        let picking = self.shared.pick(Arc::clone(&self.script), team.to_owned());
        self.picking = Some(Picking {
            purpose,
            choice: tokio::spawn(picking.in_current_span()),
        });
    }

    /// Somebody of a team takes the call, or nobody is there to.
    pub(super) fn picked(&mut self, now: Instant, who: Option<Contact>) -> Vec<Action> {
        let Some(picking) = self.picking.take() else {
            return Vec::new();
        };
        match (picking.purpose, who) {
            (Purpose::Transfer, Some(who)) => self.transfer(&who),
            (Purpose::Transfer, None) => self.talk.input(now, Input::TransferFailed),
            (Purpose::Redirect, Some(who)) => self.redirect(&who),
            (Purpose::Redirect, None) => self.order(Command::HangUp),
        }
    }

    /// What a web hook learns of the call.
    pub(super) fn question(&self) -> Question<'_> {
        let (guide, facts) = (self.talk.guide(), self.talk.facts());
        Question {
            call: &facts.call,
            node: guide.node(),
            caller: facts.caller.id.as_deref(),
            number: facts.caller.number.as_deref(),
            values: guide.values(),
        }
    }

    fn ask(&mut self, url: String) {
        let question = self.question();
        let (guide, facts) = (self.talk.guide(), self.talk.facts());
        let (body, node) = (question.body(), guide.node().to_owned());
        let (hooks, call) = (self.shared.hooks.clone(), facts.call.clone());
        let ask = async move {
            let result = hooks.ask(&url, body).await;
            result
                .inspect_err(|error| tracing::warn!(call, %error, "a web hook failed"))
                .ok()
        };
        let answer = tokio::spawn(ask.in_current_span());
        self.hook = Some(Hook {
            node,
            answer,
            delivers: false,
        });
    }

    fn play(&mut self, name: String) -> Vec<Action> {
        let recording = self.script.prompt(&name).cloned();
        self.hush_words();
        let saying = match (&mut self.media, recording.as_deref()) {
            (Media::Application(ours), Some(Recording::Packets(prompt))) => {
                let session = ours.session.as_mut();
                let played = session.map(|session| session.play(Arc::clone(prompt)));
                played.and_then(Result::ok).map(Saying::Prompt)
            }
            (Media::Service(_), Some(Recording::File(file))) => self.play_file(&file.path),
            _ => None,
        };
        self.said(saying, Some(name))
    }

    fn say(&mut self, words: Words) -> Vec<Action> {
        match &mut self.media {
            Media::Application(ours) => {
                if let Some(session) = &mut ours.session {
                    session.stop();
                }
                let id = ours.line.as_mut().and_then(|line| line.say(words));
                self.said(id.map(Saying::Words), None)
            }
            Media::Service(_) => self.say_by_graph(words),
        }
    }

    /// Notes what is being said; what can't be said is over at once, so that the flow
    /// goes on.
    pub(super) fn said(&mut self, saying: Option<Saying>, name: Option<String>) -> Vec<Action> {
        match saying {
            Some(saying) => {
                self.talk.says(saying, name);
                match saying {
                    // Graph tells of the end only.
                    Saying::Operation(_) => self.talk.started(clock::now(), saying),
                    _ => Vec::new(),
                }
            }
            None => {
                tracing::warn!(call = ?self.control.id(), "a prompt was not played");
                self.talk.stopped();
                self.talk.input(clock::now(), Input::PromptFinished)
            }
        }
    }

    pub(super) fn stop_saying(&mut self) {
        self.hush();
        self.talk.stopped();
    }

    /// Silences whatever is being said, or about to be.
    pub(super) fn hush(&mut self) {
        self.preparing = None;
        self.hush_words();
        match &mut self.media {
            Media::Application(ours) => {
                if let Some(session) = &mut ours.session {
                    session.stop();
                }
            }
            Media::Service(_) => self.stop_files(),
        }
    }

    fn hush_words(&mut self) {
        if let Media::Application(ours) = &mut self.media
            && let Some(line) = &mut ours.line
        {
            line.stop();
        }
    }

    /// Stops what Graph plays and what waits for it.
    pub(super) fn cancel_media(&mut self) {
        let cancel = self
            .control
            .id()
            .map(|id| request::cancel_media_processing(id, None));
        if let Some(Ok(cancel)) = cancel {
            self.order(Command::Operation(cancel));
        }
    }
}

//! The talking half of a call: media events to the hook and the dialogue, their
//! wishes to the playout, everything worth seeing to the observer.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use switchboard_media::event::{MediaEvent, PlayId};
use switchboard_nlp::{Digits, Engine, Event, Features, Reply, SessionStart, Transient};
use switchboard_transport::Session;

use crate::dialogue::{Action, FrontDesk, Input};
use crate::observer::{Observation, Observer, PromptProgress};
use crate::prompts::{PromptName, Prompts};

/// What the conversation wants from call control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Transfer,
    HangUp,
}

/// When media time began, as far as is known: events come late, never early, so
/// the earliest beginning that one of them allows is the best estimate.
#[derive(Debug, Default)]
struct MediaClock(Option<Instant>);

impl MediaClock {
    /// An event about `t_ms` came at `now`.
    fn heard(&mut self, now: Instant, t_ms: u64) {
        if let Some(zero) = now.checked_sub(Duration::from_millis(t_ms)) {
            self.0 = Some(self.0.map_or(zero, |known| known.min(zero)));
        }
    }

    /// The moment of `t_ms`, at the latest `now`.
    fn at(&self, now: Instant, t_ms: u64) -> Instant {
        let moment = self.0.map(|zero| zero + Duration::from_millis(t_ms));
        moment.map_or(now, |moment| moment.min(now))
    }
}

/// One caller's conversation.
pub(crate) struct Conversation {
    call: String,
    desk: FrontDesk,
    engine: Box<dyn Engine>,
    prompts: Arc<Prompts>,
    observer: Observer,
    playing: Option<(PlayId, PromptName)>,
    announced: Option<&'static str>,
    clock: MediaClock,
}

impl Conversation {
    pub(crate) fn new(
        call: String,
        engine: Box<dyn Engine>,
        prompts: Arc<Prompts>,
        observer: Observer,
    ) -> Self {
        Self {
            call,
            desk: FrontDesk::default(),
            engine,
            prompts,
            observer,
            playing: None,
            announced: None,
            clock: MediaClock::default(),
        }
    }

    /// When [`Conversation::timeout`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.desk.poll_timeout()
    }

    pub(crate) fn timeout(&mut self, now: Instant, session: &mut Session) -> Option<Wish> {
        self.input(now, Input::Timeout, session)
    }

    pub(crate) fn connected(&mut self, now: Instant, session: &mut Session) -> Option<Wish> {
        let start = Event::SessionStart(SessionStart {
            call: self.call.clone(),
            language: "en-US".to_owned(),
            ..SessionStart::default()
        });
        self.engine.handle(&start, &mut |_| {});
        self.input(now, Input::Connected, session)
    }

    pub(crate) fn transfer_failed(&mut self, now: Instant, session: &mut Session) -> Option<Wish> {
        self.input(now, Input::TransferFailed, session)
    }

    /// Takes what the pipeline heard or did.
    pub(crate) fn media(
        &mut self,
        now: Instant,
        event: MediaEvent,
        session: &mut Session,
    ) -> Option<Wish> {
        match event {
            // Acting on the press rather than the release makes keys feel quick.
            MediaEvent::DigitStart { digit, .. } => {
                let digits = Digits::open(digit.as_char().to_string());
                let wish = self.ask(now, &Event::Digits(digits), session);
                wish.or(self.input(now, Input::Digit(digit), session))
            }
            MediaEvent::DigitEnd {
                digit,
                source,
                duration_ms,
                ..
            } => {
                self.observe(Observation::Digit {
                    digit,
                    source,
                    duration_ms,
                });
                None
            }
            MediaEvent::SpeechStart { start_ms } => {
                let start = self.clock.at(now, start_ms);
                self.observe(Observation::SpeechStart { start });
                self.ask(now, &Event::SpeechStart { t_ms: start_ms }, session)
            }
            MediaEvent::SpeechEnd { start_ms, end_ms } => {
                let (start, end) = (self.clock.at(now, start_ms), self.clock.at(now, end_ms));
                self.observe(Observation::SpeechEnd { start, end });
                let end = Event::SpeechEnd {
                    t_ms: end_ms,
                    duration_ms: end_ms.saturating_sub(start_ms),
                };
                self.ask(now, &end, session)
            }
            MediaEvent::Level { t_ms, dbov } => {
                self.clock.heard(now, t_ms);
                self.observe(Observation::Level { dbov });
                let features = Features {
                    t_ms,
                    level_dbov: dbov,
                    ..Features::default()
                };
                self.ask(now, &Event::Features(Transient::new(features)), session)
            }
            MediaEvent::Vad { .. } => None,
            MediaEvent::PlayStarted { id } => self.play_started(now, id, session),
            MediaEvent::PlayFinished { id, interrupted } => {
                self.play_finished(now, id, interrupted, session)
            }
        }
    }

    fn play_started(&mut self, now: Instant, id: PlayId, session: &mut Session) -> Option<Wish> {
        let (_, name) = self.playing.filter(|(playing, _)| *playing == id)?;
        self.observe(Observation::Prompt {
            name,
            progress: PromptProgress::Started,
        });
        let name = name.as_str().to_owned();
        self.ask(now, &Event::PromptStarted { name }, session)
    }

    fn play_finished(
        &mut self,
        now: Instant,
        id: PlayId,
        interrupted: bool,
        session: &mut Session,
    ) -> Option<Wish> {
        let (_, name) = self.playing.filter(|(playing, _)| *playing == id)?;
        self.playing = None;
        self.finished(name, interrupted);
        let name = name.as_str().to_owned();
        let wish = self.ask(now, &Event::PromptFinished { name, interrupted }, session);
        if interrupted {
            return wish;
        }
        wish.or_else(|| self.input(now, Input::PromptFinished, session))
    }

    fn finished(&mut self, name: PromptName, interrupted: bool) {
        let progress = match interrupted {
            true => PromptProgress::Interrupted,
            false => PromptProgress::Finished,
        };
        self.observe(Observation::Prompt { name, progress });
    }

    /// Tells the hook, and the dialogue what the hook made of it.
    fn ask(&mut self, now: Instant, event: &Event, session: &mut Session) -> Option<Wish> {
        let mut replies = Vec::new();
        self.engine.handle(event, &mut |reply| replies.push(reply));
        let mut wish = None;
        for reply in replies {
            wish = wish.or(self.reply(now, &reply, session));
        }
        wish
    }

    /// The next reply of a hook that takes its time.
    pub(crate) fn poll_reply(&mut self, context: &mut Context<'_>) -> Poll<Reply> {
        self.engine.poll_reply(context)
    }

    /// Tells the dialogue what the hook says. The front desk grants no wishes.
    pub(crate) fn reply(
        &mut self,
        now: Instant,
        reply: &Reply,
        session: &mut Session,
    ) -> Option<Wish> {
        match reply {
            Reply::Intent(intent) => {
                intent.with(|intent| self.input(now, Input::Intent(&intent.name), session))
            }
            Reply::Health(health) => {
                tracing::info!(call = self.call, ?health, "the engine");
                None
            }
            _ => None,
        }
    }

    fn input(&mut self, now: Instant, input: Input<'_>, session: &mut Session) -> Option<Wish> {
        let action = self.desk.handle(now, input);
        if self.announced != Some(self.desk.next()) {
            self.announced = Some(self.desk.next());
            self.observe(Observation::Next(self.desk.next()));
        }
        match action? {
            Action::Play(name) => {
                self.play(name, session);
                None
            }
            Action::Transfer => Some(Wish::Transfer),
            Action::HangUp => Some(Wish::HangUp),
        }
    }

    fn play(&mut self, name: PromptName, session: &mut Session) {
        let Some(prompt) = self.prompts.get(name) else {
            return;
        };
        match session.play(Arc::clone(prompt)) {
            Ok(id) => {
                // The prompt that loses its place is over now; its own report
                // comes later and is recognised as old news.
                if let Some((_, interrupted)) = self.playing.replace((id, name)) {
                    self.finished(interrupted, true);
                }
            }
            Err(error) => tracing::warn!(call = self.call, %error, "a prompt was not played"),
        }
    }

    fn observe(&self, observation: Observation) {
        (self.observer)(&self.call, observation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_time_is_placed_by_the_least_delayed_event() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut clock = MediaClock::default();
        assert_eq!(clock.at(start, 500), start, "nothing is known yet");
        clock.heard(start + ms(190), 100);
        clock.heard(start + ms(240), 200);
        clock.heard(start + ms(400), 300);
        assert_eq!(clock.at(start + ms(900), 300), start + ms(340));
        assert_eq!(clock.at(start + ms(320), 300), start + ms(320));
    }
}

//! The talking half of a call, without IO: what was heard goes to the hook and through
//! the flow, what is to be done comes out, everything worth seeing to the observer.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use switchboard_media::event::{Digit, DigitSource, MediaEvent, PlayId};
use switchboard_nlp::{
    Action as Asked, CallState, Digits, Engine, Event, Features, Gate, Health, Reply, SessionStart,
    Speaker, Transcript, Transient, Utterance, Wants,
};
use switchboard_signaling::call::CommandId;

use crate::flow::{Action, Input, Run, Wish};
use crate::observer::{Observation, Observer, PromptProgress};
use crate::program::Program;

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

/// What is being said, as whoever says it knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Saying {
    /// A prompt, by the media engine.
    Prompt(PlayId),
    /// Words, by the synthesiser.
    Words(u64),
    /// A file, by Graph.
    Operation(CommandId),
}

/// One caller's conversation.
pub(crate) struct Conversation {
    start: SessionStart,
    guide: Guide,
    engine: Box<dyn Engine>,
    gate: Gate,
    observer: Observer,
    saying: Option<(Saying, String)>,
    /// The engine's own name for what it asked to be said next.
    utterance: Option<String>,
    /// What the engine has heard of this turn, while that may still change.
    partial: Option<Transient<String>>,
    /// Whether the key that is down may be shown.
    key: Option<bool>,
    node: Option<String>,
    clock: MediaClock,
    begun: bool,
    /// How far the call was before its media flowed.
    state: Option<CallState>,
    analysed: bool,
    speech_probability: f32,
}

/// Who decides what is said and done: a flow, or a function in Rust.
pub(crate) enum Guide {
    Flow(Box<Run>),
    Program(Box<Program>),
}

impl Guide {
    fn handle(&mut self, now: Instant, input: Input<'_>) -> Vec<Action> {
        match self {
            Self::Flow(run) => run.handle(now, input),
            Self::Program(program) => program.handle(now, input),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Flow(run) => run.poll_timeout(),
            Self::Program(program) => program.poll_timeout(),
        }
    }

    fn is_secret(&self) -> bool {
        match self {
            Self::Flow(run) => run.is_secret(),
            Self::Program(program) => program.is_secret(),
        }
    }

    /// Whether the engine gets the keys that are pressed now together, later.
    fn is_collecting(&self) -> bool {
        match self {
            Self::Flow(run) => run.is_collecting(),
            Self::Program(program) => program.is_collecting(),
        }
    }

    /// The engine's own name for what is said next, where a program granted that.
    fn utterance(&mut self) -> Option<String> {
        match self {
            Self::Flow(_) => None,
            Self::Program(program) => program.take_name(),
        }
    }

    /// Where in the conversation the call is.
    pub(crate) fn node(&self) -> &str {
        match self {
            Self::Flow(run) => run.node(),
            Self::Program(program) => program.about(),
        }
    }

    fn about(&self) -> &str {
        match self {
            Self::Flow(run) => run.about(),
            Self::Program(program) => program.about(),
        }
    }

    /// What is to be reported of the call.
    pub(crate) fn outcome(&self) -> Option<&str> {
        match self {
            Self::Flow(run) => run.outcome(),
            Self::Program(_) => None,
        }
    }

    /// What was collected for web hooks.
    pub(crate) fn values(&self) -> Vec<(&str, &str)> {
        match self {
            Self::Flow(run) => run.values().iter().collect(),
            Self::Program(_) => Vec::new(),
        }
    }
}

impl Conversation {
    pub(crate) fn new(
        start: SessionStart,
        guide: Guide,
        engine: Box<dyn Engine>,
        observer: Observer,
    ) -> Self {
        Self {
            start,
            guide,
            engine,
            gate: Gate::default(),
            observer,
            saying: None,
            utterance: None,
            partial: None,
            key: None,
            node: None,
            clock: MediaClock::default(),
            begun: false,
            state: None,
            analysed: false,
            speech_probability: 0.0,
        }
    }

    /// Who decides what is said and done.
    pub(crate) fn guide(&self) -> &Guide {
        &self.guide
    }

    /// The call's facts.
    pub(crate) fn facts(&self) -> &SessionStart {
        &self.start
    }

    /// An outgoing call has got its id.
    pub(crate) fn named(&mut self, call: String) {
        self.start.call = call;
    }

    /// Who of a conference speaks now.
    pub(crate) fn speaking(&mut self, speakers: &[Arc<Speaker>]) {
        if let Guide::Program(program) = &mut self.guide {
            program.speaking(speakers);
        }
    }

    /// Who is available, before the flow begins.
    pub(crate) fn set_present(&mut self, present: std::collections::BTreeSet<String>) {
        if let Guide::Flow(run) = &mut self.guide {
            run.set_present(present);
        }
    }

    /// When [`Input::Timeout`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.guide.poll_timeout()
    }

    /// Media flows: the engine and the flow begin, once.
    pub(crate) fn connected(&mut self, now: Instant) -> Vec<Action> {
        if std::mem::replace(&mut self.begun, true) {
            return Vec::new();
        }
        let start = Event::SessionStart(self.start.clone());
        let mut actions = self.tell(now, start);
        if let Some(state) = self.state.take() {
            actions.extend(self.tell(now, Event::CallState(state)));
        }
        actions.extend(self.input(now, Input::Connected));
        actions
    }

    /// Call control moved on.
    pub(crate) fn moved(&mut self, now: Instant, state: CallState) -> Vec<Action> {
        match self.begun {
            true => self.tell(now, Event::CallState(state)),
            false => {
                self.state = Some(state);
                Vec::new()
            }
        }
    }

    /// The call is over.
    pub(crate) fn over(&mut self, now: Instant) {
        // What is left to do can't be done any more.
        let _ = self.input(now, Input::CallerLeft);
        if self.begun {
            self.engine.handle(&Event::SessionEnd, &mut |_| {});
        }
        let dropped = self.engine.dropped();
        if dropped > 0 {
            tracing::warn!(
                call = self.start.call,
                dropped,
                "the engine was too slow for some of it"
            );
        }
    }

    /// Takes what the pipeline heard or did.
    pub(crate) fn media(&mut self, now: Instant, event: MediaEvent) -> Vec<Action> {
        match event {
            // Acting on the press rather than the release makes keys feel quick.
            MediaEvent::DigitStart { digit, .. } => self.key_down(now, digit),
            MediaEvent::DigitEnd {
                digit,
                source,
                duration_ms,
                ..
            } => {
                self.key_up(digit, source, duration_ms);
                Vec::new()
            }
            MediaEvent::SpeechStart { start_ms } => {
                let start = self.clock.at(now, start_ms);
                self.observe(Observation::SpeechStart { start });
                let mut actions = self.input(now, Input::SpeechStart);
                actions.extend(self.tell(now, Event::SpeechStart { t_ms: start_ms }));
                actions
            }
            MediaEvent::SpeechEnd { start_ms, end_ms } => {
                let (start, end) = (self.clock.at(now, start_ms), self.clock.at(now, end_ms));
                self.observe(Observation::SpeechEnd { start, end });
                let duration_ms = end_ms.saturating_sub(start_ms);
                let mut actions = self.input(now, Input::SpeechEnd);
                let t_ms = end_ms;
                actions.extend(self.tell(now, Event::SpeechEnd { t_ms, duration_ms }));
                actions
            }
            MediaEvent::Level { t_ms, dbov } => {
                self.clock.heard(now, t_ms);
                self.observe(Observation::Level { dbov });
                if self.analysed {
                    return Vec::new();
                }
                let features = Features {
                    t_ms,
                    level_dbov: dbov,
                    ..Features::default()
                };
                self.tell(now, Event::Features(Transient::new(features)))
            }
            MediaEvent::Vad { p, .. } => {
                self.speech_probability = p;
                Vec::new()
            }
            // Only the lines of single speakers change hands.
            MediaEvent::Source { .. } => Vec::new(),
            MediaEvent::PlayStarted { id } => self.started(now, Saying::Prompt(id)),
            MediaEvent::PlayFinished { id, interrupted } => {
                self.finished(now, Saying::Prompt(id), interrupted)
            }
        }
    }

    /// A key that Graph told of (service-hosted media): down and up at once.
    pub(crate) fn tone(&mut self, now: Instant, digit: Digit) -> Vec<Action> {
        let actions = self.key_down(now, digit);
        self.key_up(digit, DigitSource::Rtp, 0);
        actions
    }

    fn key_down(&mut self, now: Instant, digit: Digit) -> Vec<Action> {
        // The key that ends a secret is part of it.
        self.key = Some(!self.guide.is_secret());
        let mut actions = match self.guide.is_collecting() {
            true => Vec::new(),
            false => {
                let digits = Digits::open(digit.as_char().to_string());
                self.tell(now, Event::Digits(digits))
            }
        };
        actions.extend(self.input(now, Input::Digit(digit)));
        actions
    }

    fn key_up(&mut self, digit: Digit, source: DigitSource, duration_ms: u64) {
        if self.key.take().unwrap_or(!self.guide.is_secret()) {
            self.observe(Observation::Digit {
                digit,
                source,
                duration_ms,
            });
        }
        self.keep_gate();
    }

    /// A secret's last key is still to be heard when the secret is over.
    fn keep_gate(&mut self) {
        match self.guide.is_secret() || self.key == Some(false) {
            true => self.gate.close(),
            false => self.gate.open(),
        }
    }

    /// Something is being said from now on, in place of what was said before.
    pub(crate) fn says(&mut self, saying: Saying, prompt: Option<String>) {
        let named = self.utterance.take().or_else(|| self.guide.utterance());
        let name = named.or(prompt).unwrap_or_default();
        // What loses its place is over now; its own report comes later and is
        // recognised as old news.
        self.stopped();
        self.saying = Some((saying, name));
    }

    /// What was being said was silenced.
    pub(crate) fn stopped(&mut self) {
        if let Some((_, name)) = self.saying.take() {
            let finished = Event::PromptFinished {
                name: name.clone(),
                interrupted: true,
            };
            self.engine.handle(&finished, &mut |_| {});
            let progress = PromptProgress::Interrupted;
            self.observe(Observation::Prompt { name, progress });
        }
    }

    pub(crate) fn started(&mut self, now: Instant, saying: Saying) -> Vec<Action> {
        let Some((_, name)) = self.saying.as_ref().filter(|(now, _)| *now == saying) else {
            return Vec::new();
        };
        let (name, progress) = (name.clone(), PromptProgress::Started);
        self.observe(Observation::Prompt {
            name: name.clone(),
            progress,
        });
        self.tell(now, Event::PromptStarted { name })
    }

    pub(crate) fn finished(
        &mut self,
        now: Instant,
        saying: Saying,
        interrupted: bool,
    ) -> Vec<Action> {
        if self.saying.as_ref().is_none_or(|(now, _)| *now != saying) {
            return Vec::new();
        }
        if interrupted {
            self.stopped();
            return Vec::new();
        }
        let name = self.saying.take().map(|(_, name)| name).unwrap_or_default();
        let progress = PromptProgress::Finished;
        self.observe(Observation::Prompt {
            name: name.clone(),
            progress,
        });
        // The flow first: what the engine says then comes after this prompt.
        let mut actions = self.input(now, Input::PromptFinished);
        actions.extend(self.tell(now, Event::PromptFinished { name, interrupted }));
        actions
    }

    /// Tells the hook what it may know, and the flow what the hook made of it.
    pub(crate) fn tell(&mut self, now: Instant, event: Event) -> Vec<Action> {
        let Some(event) = self.gate.pass(event) else {
            return Vec::new();
        };
        let mut replies = Vec::new();
        self.engine.handle(&event, &mut |reply| replies.push(reply));
        let replies = replies.into_iter();
        replies.flat_map(|reply| self.reply(now, &reply)).collect()
    }

    /// The next thing that a hook or a program that takes its time wants.
    pub(crate) fn poll(&mut self, now: Instant, context: &mut Context<'_>) -> Poll<Vec<Action>> {
        if let Poll::Ready(reply) = self.engine.poll_reply(context) {
            return Poll::Ready(self.reply(now, &reply));
        }
        let Guide::Program(program) = &mut self.guide else {
            return Poll::Pending;
        };
        let polled = program.poll(now, context);
        if polled.is_ready() {
            self.keep_gate();
            self.announce();
        }
        polled
    }

    /// What analysis the engine has a use for, and may have now.
    pub(crate) fn wants(&self) -> Wants {
        match self.begun && !self.gate.is_closed() {
            true => self.engine.wants(),
            false => Wants::default(),
        }
    }

    /// Levels go to the engine with features that are made elsewhere, or by themselves.
    pub(crate) fn set_analysed(&mut self, analysed: bool) {
        self.analysed = analysed;
    }

    /// The probability of speech in the newest frame.
    pub(crate) fn speech_probability(&self) -> f32 {
        self.speech_probability
    }

    /// Tells the flow what the hook says.
    pub(crate) fn reply(&mut self, now: Instant, reply: &Reply) -> Vec<Action> {
        match reply {
            Reply::Text(Transcript { text, is_final, .. }) => match is_final {
                true => {
                    self.partial = None;
                    text.with(|text| self.input(now, Input::Text(text)))
                }
                false => {
                    self.partial = Some(text.with(|text| Transient::new(text.clone())));
                    Vec::new()
                }
            },
            Reply::Intent(intent) => {
                self.partial = None;
                intent.with(|intent| {
                    let intent = Input::Intent {
                        name: &intent.name,
                        confidence: intent.confidence,
                        slots: &intent.slots,
                    };
                    self.input(now, intent)
                })
            }
            // What was heard so far is all there will be.
            Reply::EndOfTurn => match self.partial.take() {
                Some(text) => text.with(|text| self.input(now, Input::Text(text))),
                None => self.input(now, Input::EndOfTurn),
            },
            Reply::Sentiment(mood) => {
                mood.with(|mood| self.input(now, Input::Sentiment(mood.score)))
            }
            Reply::Health(health) => {
                tracing::info!(call = self.start.call, ?health, "the engine");
                self.input(now, Input::Engine(*health == Health::Up))
            }
            Reply::Action(action) => self.asked(now, action),
        }
    }

    fn asked(&mut self, now: Instant, action: &Asked) -> Vec<Action> {
        let wish = match action {
            Asked::Say(say) => {
                match &mut self.guide {
                    Guide::Flow(_) => self.utterance = Some(say.id.clone()),
                    // It may be said later, or not at all.
                    Guide::Program(program) => program.name(&say.id),
                }
                let actions = match &say.what {
                    Utterance::Prompt(name) => self.wish(now, Wish::Prompt(name)),
                    Utterance::Text(text) => text.with(|text| self.wish(now, Wish::Text(text))),
                };
                if actions.is_empty() {
                    self.utterance = None;
                }
                return actions;
            }
            Asked::StopSpeaking => Wish::StopSpeaking,
            Asked::Transfer { to } => Wish::Transfer(to),
            Asked::Invite { who } => Wish::Invite(who),
            Asked::Collect(collect) => Wish::Collect(*collect),
            Asked::Mute { muted } => Wish::Mute(*muted),
            Asked::HangUp => Wish::HangUp,
            Asked::Nothing => return Vec::new(),
        };
        self.wish(now, wish)
    }

    fn wish(&mut self, now: Instant, wish: Wish<'_>) -> Vec<Action> {
        self.input(now, Input::Wish(wish))
    }

    /// Takes one input through the flow.
    pub(crate) fn input(&mut self, now: Instant, input: Input<'_>) -> Vec<Action> {
        let actions = self.guide.handle(now, input);
        self.keep_gate();
        self.announce();
        actions
    }

    /// Tells watchers what the bot does next, when that changes.
    fn announce(&mut self) {
        if self.node.as_deref() != Some(self.guide.node()) {
            self.node = Some(self.guide.node().to_owned());
            // What was said to one node is no answer to the next.
            self.partial = None;
            self.observe(Observation::Next(self.guide.about().to_owned()));
        }
    }

    fn observe(&self, observation: Observation) {
        (self.observer)(&self.start.call, observation);
    }
}

#[cfg(test)]
mod tests;

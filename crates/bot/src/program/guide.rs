//! What a conversation in Rust asks for, against what happens in the call; without IO.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use switchboard_nlp::Speaker;
use tokio::sync::{mpsc, watch};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Answer, Ask, Call, CallError, Caller, Collect, Heard, Keys, MOST_KEYS, Said, Understood,
    Utterance, What, Wish,
};
use crate::flow::{self, Action, Input, Words};
use crate::patience::Patience;

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Neither answered nor refused.
    Offered,
    /// Answered; media doesn't flow yet.
    Answered,
    /// Media flows.
    Ready,
    Done,
}

/// What is being done for the conversation.
enum Doing {
    Nothing,
    /// To be begun when media flows.
    Waiting(Ask),
    Saying(Answer<Said>),
    Collecting(Collect, Answer<Keys>),
    Listening(Duration, Answer<Heard>),
    Transferring(Answer<()>),
    Asking(Answer<()>),
}

/// What an engine may ask for before anybody listens to it.
const MOST_WISHES: usize = 8;

/// One call's conversation in Rust, as the call's task sees it.
pub(crate) struct Program {
    asks: mpsc::Receiver<Ask>,
    stage: Stage,
    doing: Doing,
    deadline: Option<Instant>,
    /// Pressed and not collected yet.
    keys: Zeroizing<String>,
    secret: bool,
    /// What asks for the keys or words that are waited for is being said.
    asking: bool,
    /// Whose keys are collected: the engine's.
    for_engine: bool,
    /// What the engine asked for while nobody listened.
    wishes: VecDeque<Wish>,
    /// The engine's name for what is said next.
    named: Option<String>,
    people: watch::Sender<Vec<String>>,
    speaking: watch::Sender<Vec<Arc<Speaker>>>,
    mood: watch::Sender<Option<f32>>,
    engine: watch::Sender<bool>,
    /// How long words are waited for.
    patience: Patience,
}

impl Program {
    /// A conversation and the handle its function gets.
    pub(crate) fn new(caller: Caller) -> (Self, Call) {
        let (sender, asks) = mpsc::channel(1);
        let program = Self {
            asks,
            stage: Stage::Offered,
            doing: Doing::Nothing,
            deadline: None,
            keys: Zeroizing::new(String::with_capacity(MOST_KEYS)),
            secret: false,
            asking: false,
            for_engine: false,
            wishes: VecDeque::with_capacity(MOST_WISHES),
            named: None,
            people: watch::Sender::default(),
            speaking: watch::Sender::default(),
            mood: watch::Sender::default(),
            // An engine that can be lost says so.
            engine: watch::Sender::new(true),
            patience: Patience::default(),
        };
        let call = Call {
            asks: sender,
            caller,
            people: program.people.subscribe(),
            speaking: program.speaking.subscribe(),
            mood: program.mood.subscribe(),
            engine: program.engine.subscribe(),
        };
        (program, call)
    }

    /// The same for a call that the bot places: there is nothing to answer.
    pub(crate) fn placed(caller: Caller) -> (Self, Call) {
        let (mut program, call) = Self::new(caller);
        program.stage = Stage::Answered;
        (program, call)
    }

    pub(crate) fn speaking(&mut self, speakers: &[Arc<Speaker>]) {
        self.speaking.send_replace(speakers.to_vec());
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether the engine gets the keys that are pressed now together, later.
    pub(crate) fn is_collecting(&self) -> bool {
        self.for_engine
    }

    /// The engine's name for what is said now.
    pub(crate) fn take_name(&mut self) -> Option<String> {
        self.named.take()
    }

    /// What it is at, for people who watch.
    pub(crate) fn about(&self) -> &'static str {
        match (self.stage, &self.doing) {
            (Stage::Done, _) => "done",
            (Stage::Offered, _) => "deciding whether to answer",
            (Stage::Answered, _) => "waiting for the caller's audio",
            (_, Doing::Nothing | Doing::Waiting(_)) => "thinking",
            (_, Doing::Saying(_)) => "speaking",
            (_, Doing::Collecting(..)) => "waiting for keys",
            (_, Doing::Listening(..)) => "listening",
            (_, Doing::Asking(_)) => "seeing to the others",
            (_, Doing::Transferring(_)) => "waiting for the other side to pick up",
        }
    }

    /// What the function asks for next, or takes back.
    pub(crate) fn poll(&mut self, now: Instant, context: &mut Context<'_>) -> Poll<Vec<Action>> {
        if self.stage == Stage::Done {
            return Poll::Pending;
        }
        let taken_back = match &mut self.doing {
            Doing::Nothing => false,
            Doing::Saying(answer) | Doing::Waiting(Ask::Say(_, answer)) => {
                answer.poll_closed(context).is_ready()
            }
            Doing::Collecting(_, answer)
            | Doing::Waiting(Ask::Digits(_, _, answer) | Ask::Collect(_, answer)) => {
                answer.poll_closed(context).is_ready()
            }
            Doing::Listening(_, answer) | Doing::Waiting(Ask::Listen(_, _, answer)) => {
                answer.poll_closed(context).is_ready()
            }
            // A transfer can't be taken back; its outcome still counts.
            Doing::Transferring(_) | Doing::Asking(_) | Doing::Waiting(_) => false,
        };
        if taken_back {
            return Poll::Ready(self.take_back());
        }
        if !matches!(self.doing, Doing::Nothing) {
            return Poll::Pending;
        }
        match self.asks.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(ask)) => Poll::Ready(self.asked(now, ask)),
            Poll::Ready(None) => Poll::Ready(self.last(Action::HangUp)),
        }
    }

    fn take_back(&mut self) -> Vec<Action> {
        let was = std::mem::replace(&mut self.doing, Doing::Nothing);
        self.deadline = None;
        let mut actions = match was {
            Doing::Saying(_) => vec![Action::StopPlaying],
            _ => self.stop_asking(),
        };
        self.for_engine = false;
        actions.extend(self.secrecy(false));
        actions
    }

    fn asked(&mut self, now: Instant, ask: Ask) -> Vec<Action> {
        match (self.stage, ask) {
            (Stage::Offered, Ask::Refuse(why)) => self.last(Action::Reject(why)),
            (Stage::Offered, Ask::Redirect(to)) => self.last(Action::Redirect(to)),
            (_, Ask::Refuse(_) | Ask::Redirect(_)) => self.last(Action::HangUp),
            (Stage::Offered, ask) => {
                self.stage = Stage::Answered;
                self.doing = Doing::Waiting(ask);
                vec![Action::Answer]
            }
            (Stage::Ready, ask) => self.begin(now, ask),
            (_, ask) => {
                self.doing = Doing::Waiting(ask);
                Vec::new()
            }
        }
    }

    fn begin(&mut self, now: Instant, ask: Ask) -> Vec<Action> {
        match ask {
            Ask::Say(what, answer) => {
                if !self.keys.is_empty() {
                    // The caller knows the way already.
                    let _ = answer.send(Ok(Said::Interrupted));
                    return Vec::new();
                }
                self.doing = Doing::Saying(answer);
                vec![self.spoken(what)]
            }
            Ask::Digits(how, what, answer) => {
                self.doing = Doing::Collecting(how, answer);
                self.collect(now, how, what)
            }
            Ask::Collect(how, answer) => {
                self.doing = Doing::Collecting(how, answer);
                self.for_engine = true;
                // What was pressed before, the engine was told already.
                self.keys.zeroize();
                self.collect(now, how, None)
            }
            Ask::Listen(within, what, answer) => {
                self.doing = Doing::Listening(within, answer);
                self.listen(now, within, what)
            }
            Ask::Transfer(to, answer) => {
                self.doing = Doing::Transferring(answer);
                vec![Action::Transfer(to)]
            }
            Ask::Do(action, answer) => {
                self.doing = Doing::Asking(answer);
                vec![action]
            }
            Ask::Order(Action::HangUp, _) | Ask::Refuse(_) | Ask::Redirect(_) => {
                self.last(Action::HangUp)
            }
            Ask::Order(action, answer) => {
                let _ = answer.send(Ok(()));
                vec![action]
            }
        }
    }

    /// Listens, once `what` is said; what waits to be heard needs no question.
    fn listen(&mut self, now: Instant, within: Duration, what: Option<Utterance>) -> Vec<Action> {
        self.deadline = None;
        self.key_for_listener();
        if let (Doing::Listening(..), Some(wish)) = (&self.doing, self.wishes.pop_front()) {
            self.listened(Heard::Wish(wish));
        }
        if !matches!(self.doing, Doing::Listening(..)) {
            return Vec::new();
        }
        if let Some(what) = what {
            self.asking = true;
            return vec![self.spoken(what)];
        }
        self.deadline = Some(self.patience.wait(now, now + within));
        Vec::new()
    }

    fn collect(&mut self, now: Instant, how: Collect, what: Option<Utterance>) -> Vec<Action> {
        if how.secret {
            // They were told to everybody, as nobody knew what they were.
            self.keys.zeroize();
        }
        let mut actions = self.secrecy(how.secret);
        self.deadline = Some(match self.keys.is_empty() {
            true => now + how.first,
            false => now + how.between,
        });
        // Whoever pressed keys ahead knows the question.
        if let Some(what) = what.filter(|_| self.keys.is_empty()) {
            self.asking = true;
            self.deadline = None;
            actions.push(self.spoken(what));
        }
        actions.extend(self.collected());
        actions
    }

    fn stop_asking(&mut self) -> Vec<Action> {
        match std::mem::take(&mut self.asking) {
            true => vec![Action::StopPlaying],
            false => Vec::new(),
        }
    }

    /// What the engine calls what it asks to be said next.
    pub(crate) fn name(&mut self, name: &str) {
        self.named = Some(name.to_owned());
    }

    pub(crate) fn handle(&mut self, now: Instant, input: Input<'_>) -> Vec<Action> {
        match (self.stage, input) {
            (Stage::Done, _) => Vec::new(),
            (_, Input::SpeechStart | Input::SpeechEnd) => {
                self.speaks(now, matches!(input, Input::SpeechStart))
            }
            (_, Input::Sentiment(score)) => {
                self.mood.send_replace(Some(score));
                Vec::new()
            }
            (_, Input::Engine(up)) => {
                self.engine.send_replace(up);
                Vec::new()
            }
            (_, Input::People(people)) => {
                self.people.send_replace(people.names.to_vec());
                Vec::new()
            }
            (_, Input::CallerLeft) => {
                self.end();
                Vec::new()
            }
            // Whom a program would pass its caller on to, it alone knows.
            (_, Input::Leave(_)) => self.last(Action::HangUp),
            (Stage::Offered | Stage::Answered, Input::Connected) => {
                self.stage = Stage::Ready;
                match std::mem::replace(&mut self.doing, Doing::Nothing) {
                    Doing::Waiting(ask) => self.begin(now, ask),
                    _ => Vec::new(),
                }
            }
            (Stage::Ready, Input::Timeout) if self.deadline.is_some_and(|due| now >= due) => {
                self.timeout()
            }
            (Stage::Ready, input) => self.heard(now, input),
            _ => Vec::new(),
        }
    }

    fn heard(&mut self, now: Instant, input: Input<'_>) -> Vec<Action> {
        match input {
            Input::Digit(digit) => self.key(now, digit.as_char()),
            Input::PromptFinished => {
                if let Some(answer) = self.take_saying() {
                    let _ = answer.send(Ok(Said::Whole));
                }
                self.asked_for(now);
                Vec::new()
            }
            Input::Intent {
                name,
                confidence,
                slots,
            } => {
                let slots = slots.iter();
                self.listened(Heard::Intent(Understood {
                    name: Words::new(name),
                    confidence,
                    slots: slots
                        .map(|slot| (slot.name.clone(), Words::new(&slot.value)))
                        .collect(),
                }))
            }
            Input::Text(text) => self.listened(Heard::Text(Words::new(text))),
            Input::Wish(wish) => self.wished(now, wish),
            Input::Invited(done) | Input::Done(done) => {
                self.done_with(done);
                Vec::new()
            }
            Input::TransferFailed => {
                if let Doing::Transferring(_) = &self.doing
                    && let Doing::Transferring(answer) =
                        std::mem::replace(&mut self.doing, Doing::Nothing)
                {
                    let _ = answer.send(Err(CallError::TransferFailed));
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// The caller begins (`true`) or ends to speak: whoever listens hears them out, and
    /// asks no further.
    fn speaks(&mut self, now: Instant, begins: bool) -> Vec<Action> {
        let Doing::Listening(within, _) = self.doing else {
            match begins {
                true => self.patience.begins(now, None),
                false => self.patience.ends(now),
            };
            return Vec::new();
        };
        // A question that is talked over ends there.
        let actions = match begins {
            true => self.stop_asking(),
            false => Vec::new(),
        };
        if !self.asking {
            let due = self.deadline.unwrap_or(now + within);
            let deadline = match begins {
                true => self.patience.begins(now, Some(due)),
                false => self.patience.ends(now),
            };
            self.deadline = deadline.or(self.deadline);
        }
        actions
    }

    /// What asks for keys or words is said: from now on they are waited for.
    fn asked_for(&mut self, now: Instant) {
        if !std::mem::take(&mut self.asking) {
            return;
        }
        self.deadline = match &self.doing {
            Doing::Collecting(how, _) => Some(now + how.first),
            Doing::Listening(within, _) => Some(self.patience.wait(now, now + *within)),
            _ => self.deadline,
        };
    }

    /// The engine asks for something: whoever listens learns of it, now or when they do.
    fn wished(&mut self, now: Instant, wish: flow::Wish<'_>) -> Vec<Action> {
        let name = self.named.take();
        let Some(wish) = Wish::of(wish, name) else {
            return self.fall_silent(now);
        };
        if let Doing::Listening(..) = self.doing {
            return self.listened(Heard::Wish(wish));
        }
        if self.wishes.len() < MOST_WISHES {
            self.wishes.push_back(wish);
        }
        Vec::new()
    }

    /// The engine wants nothing more to be said.
    fn fall_silent(&mut self, now: Instant) -> Vec<Action> {
        if let Some(answer) = self.take_saying() {
            let _ = answer.send(Ok(Said::Interrupted));
            return vec![Action::StopPlaying];
        }
        match self.asking {
            true => {
                self.asked_for(now);
                vec![Action::StopPlaying]
            }
            false => Vec::new(),
        }
    }

    fn done_with(&mut self, done: bool) {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Asking(answer) => {
                let _ = answer.send(done.then_some(()).ok_or(CallError::NotDone));
            }
            other => self.doing = other,
        }
    }

    fn take_saying(&mut self) -> Option<Answer<Said>> {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Saying(answer) => Some(answer),
            other => {
                self.doing = other;
                None
            }
        }
    }

    /// Whoever listens has heard something; what asked for it falls silent.
    fn listened(&mut self, heard: Heard) -> Vec<Action> {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Listening(_, answer) => {
                self.deadline = None;
                let _ = answer.send(Ok(heard));
                self.stop_asking()
            }
            other => {
                self.doing = other;
                Vec::new()
            }
        }
    }

    fn key(&mut self, now: Instant, key: char) -> Vec<Action> {
        if self.keys.len() < MOST_KEYS {
            self.keys.push(key);
        }
        if let Some(answer) = self.take_saying() {
            let _ = answer.send(Ok(Said::Interrupted));
            return vec![Action::StopPlaying];
        }
        if let Doing::Collecting(how, _) = &self.doing {
            self.deadline = Some(now + how.between);
        }
        let mut actions = self.key_for_listener();
        actions.extend(self.stop_asking());
        actions.extend(self.collected());
        actions
    }

    fn key_for_listener(&mut self) -> Vec<Action> {
        if !matches!(self.doing, Doing::Listening(..)) || self.keys.is_empty() {
            return Vec::new();
        }
        let key = self.keys.remove(0).to_string();
        self.listened(Heard::Key(Keys(Zeroizing::new(key))))
    }

    /// Hands over the keys if they are all there.
    fn collected(&mut self) -> Vec<Action> {
        let Doing::Collecting(how, _) = &self.doing else {
            return Vec::new();
        };
        let end = how.terminator.and_then(|key| self.keys.find(key));
        let count = end.unwrap_or(self.keys.len()).min(how.max);
        match count == how.max || end.is_some() {
            // The terminator goes too, where it is what ended it.
            true => self.hand_over(count, usize::from(end == Some(count))),
            false => Vec::new(),
        }
    }

    fn hand_over(&mut self, count: usize, more: usize) -> Vec<Action> {
        let keys = Zeroizing::new(self.keys.drain(..count).collect::<String>());
        let more = more.min(self.keys.len());
        self.keys.drain(..more);
        self.deadline = None;
        let Doing::Collecting(how, answer) = std::mem::replace(&mut self.doing, Doing::Nothing)
        else {
            return self.secrecy(false);
        };
        let keys = (!keys.is_empty() && keys.len() >= how.min).then_some(Keys(keys));
        let mut actions = Vec::new();
        if std::mem::take(&mut self.for_engine) {
            let told = keys.as_ref().map_or("", Keys::as_str);
            actions.push(Action::Keys((!how.secret).then(|| Words::new(told))));
        }
        let _ = answer.send(keys.ok_or(CallError::NoInput));
        actions.extend(self.secrecy(false));
        actions
    }

    fn timeout(&mut self) -> Vec<Action> {
        self.deadline = None;
        if let Doing::Collecting(how, _) = &self.doing {
            let count = self.keys.len().min(how.max);
            return self.hand_over(count, 0);
        }
        if let Doing::Listening(_, answer) = std::mem::replace(&mut self.doing, Doing::Nothing) {
            let _ = answer.send(Err(CallError::NoInput));
        }
        Vec::new()
    }

    fn spoken(&mut self, what: Utterance) -> Action {
        self.named = what.name;
        match what.what {
            What::Prompt(name) => Action::Play(name),
            What::Text(words) => Action::Say(words),
        }
    }

    fn secrecy(&mut self, secret: bool) -> Vec<Action> {
        match std::mem::replace(&mut self.secret, secret) == secret {
            true => Vec::new(),
            false => vec![Action::Secret(secret)],
        }
    }

    fn last(&mut self, action: Action) -> Vec<Action> {
        self.end();
        vec![action]
    }

    /// Whoever waits learns by the dropped answer that the call is over.
    fn end(&mut self) {
        self.stage = Stage::Done;
        self.doing = Doing::Nothing;
        self.deadline = None;
        self.keys = Zeroizing::new(String::new());
        self.wishes.clear();
        self.asks.close();
    }
}

#[cfg(test)]
mod tests;

//! What a conversation in Rust asks for, against what happens in the call; without IO.

use std::task::{Context, Poll};
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use super::{Answer, Ask, Call, CallError, Caller, Collect, Heard, Keys, MOST_KEYS, Said, What};
use crate::flow::{Action, Input, Words};

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
    Listening(Answer<Heard>),
    Transferring(Answer<()>),
    Asking(Answer<()>),
}

/// One call's conversation in Rust, as the call's task sees it.
pub(crate) struct Program {
    asks: mpsc::Receiver<Ask>,
    stage: Stage,
    doing: Doing,
    deadline: Option<Instant>,
    /// Pressed and not collected yet.
    keys: Zeroizing<String>,
    secret: bool,
    people: watch::Sender<Vec<String>>,
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
            people: watch::Sender::default(),
        };
        let call = Call {
            asks: sender,
            caller,
            people: program.people.subscribe(),
        };
        (program, call)
    }

    /// The same for a call that the bot places: there is nothing to answer.
    pub(crate) fn placed(caller: Caller) -> (Self, Call) {
        let (mut program, call) = Self::new(caller);
        program.stage = Stage::Answered;
        (program, call)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.secret
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
            (_, Doing::Listening(_)) => "listening",
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
            Doing::Collecting(_, answer) | Doing::Waiting(Ask::Digits(_, answer)) => {
                answer.poll_closed(context).is_ready()
            }
            Doing::Listening(answer) | Doing::Waiting(Ask::Listen(_, answer)) => {
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
            _ => Vec::new(),
        };
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
                vec![match what.0 {
                    What::Prompt(name) => Action::Play(name),
                    What::Text(words) => Action::Say(words),
                }]
            }
            Ask::Digits(how, answer) => {
                self.deadline = Some(
                    now + if self.keys.is_empty() {
                        how.first
                    } else {
                        how.between
                    },
                );
                self.doing = Doing::Collecting(how, answer);
                let mut actions = self.secrecy(how.secret);
                actions.extend(self.collected());
                actions
            }
            Ask::Listen(within, answer) => {
                self.deadline = Some(now + within);
                self.doing = Doing::Listening(answer);
                self.key_for_listener();
                Vec::new()
            }
            Ask::Transfer(to, answer) => {
                self.doing = Doing::Transferring(answer);
                vec![Action::Transfer(to)]
            }
            Ask::Do(action, answer) => {
                self.doing = Doing::Asking(answer);
                vec![action]
            }
            Ask::Refuse(_) | Ask::Redirect(_) => self.last(Action::HangUp),
        }
    }

    pub(crate) fn handle(&mut self, now: Instant, input: Input<'_>) -> Vec<Action> {
        match (self.stage, input) {
            (Stage::Done, _) => Vec::new(),
            (_, Input::People(people)) => {
                self.people.send_replace(people.names.to_vec());
                Vec::new()
            }
            (_, Input::CallerLeft) => {
                self.end();
                Vec::new()
            }
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
                Vec::new()
            }
            Input::Intent { name, .. } => {
                self.listened(Heard::Intent(Words::new(name)));
                Vec::new()
            }
            Input::Text(text) => {
                self.listened(Heard::Text(Words::new(text)));
                Vec::new()
            }
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

    fn listened(&mut self, heard: Heard) {
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Listening(answer) => {
                self.deadline = None;
                let _ = answer.send(Ok(heard));
            }
            other => self.doing = other,
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
        self.key_for_listener();
        self.collected()
    }

    fn key_for_listener(&mut self) {
        if matches!(self.doing, Doing::Listening(_)) && !self.keys.is_empty() {
            let key = self.keys.remove(0).to_string();
            self.listened(Heard::Key(Keys(Zeroizing::new(key))));
        }
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
        if let Doing::Collecting(_, answer) = std::mem::replace(&mut self.doing, Doing::Nothing) {
            let _ = answer.send(match keys.is_empty() {
                true => Err(CallError::NoInput),
                false => Ok(Keys(keys)),
            });
        }
        self.secrecy(false)
    }

    fn timeout(&mut self) -> Vec<Action> {
        self.deadline = None;
        if let Doing::Collecting(how, _) = &self.doing {
            let count = self.keys.len().min(how.max);
            return self.hand_over(count, 0);
        }
        if let Doing::Listening(answer) = std::mem::replace(&mut self.doing, Doing::Nothing) {
            let _ = answer.send(Err(CallError::NoInput));
        }
        Vec::new()
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
        self.asks.close();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use futures_util::FutureExt;
    use futures_util::task::noop_waker_ref;
    use switchboard_media::event::Digit;

    struct Bench {
        program: Program,
        now: Instant,
        done: Vec<Action>,
    }

    impl Bench {
        fn input(&mut self, input: Input<'_>) {
            self.done.extend(self.program.handle(self.now, input));
            self.poll();
        }

        fn keys(&mut self, keys: &str) {
            for key in keys.chars() {
                self.input(Input::Digit(Digit::from_char(key).unwrap()));
            }
        }

        fn poll(&mut self) {
            let mut context = Context::from_waker(noop_waker_ref());
            while let Poll::Ready(actions) = self.program.poll(self.now, &mut context) {
                self.done.extend(actions);
            }
        }

        fn wait(&mut self) {
            self.now = self.program.poll_timeout().unwrap();
            self.input(Input::Timeout);
        }
    }

    fn bench() -> (Bench, Call) {
        let (program, call) = Program::new(Caller::default());
        let bench = Bench {
            program,
            now: Instant::now(),
            done: Vec::new(),
        };
        (bench, call)
    }

    /// Lets the conversation go on as far as it can, with what the bench does between.
    macro_rules! talk {
        ($talk:expr, $($step:expr),+ $(,)?) => {{
            let mut talk = std::pin::pin!($talk);
            let mut context = Context::from_waker(noop_waker_ref());
            let mut outcome = talk.as_mut().poll(&mut context);
            $(
                assert!(outcome.is_pending(), "it ended before {}", stringify!($step));
                $step;
                outcome = talk.as_mut().poll(&mut context);
            )+
            outcome
        }};
    }

    fn ready(bench: &mut Bench) {
        bench.input(Input::Incoming);
        bench.poll();
        bench.input(Input::Connected);
    }

    #[test]
    fn a_menu_is_said_and_a_key_collected() {
        let (mut bench, mut call) = bench();
        let outcome = talk!(
            async {
                assert_eq!(
                    call.say(super::super::Prompt("menu")).await?,
                    Said::Interrupted
                );
                let key = call.digits(Collect::one()).await?;
                assert_eq!(key.as_str(), "7");
                call.digits(Collect::up_to(6)).await
            },
            ready(&mut bench),
            bench.keys("7"),
            bench.poll(),
            bench.poll(),
            bench.keys("12#"),
        );
        assert_eq!(
            outcome,
            Poll::Ready(Ok(Keys(Zeroizing::new("12".to_owned()))))
        );
        assert_eq!(
            bench.done,
            [
                Action::Answer,
                Action::Play("menu".into()),
                Action::StopPlaying
            ]
        );
        drop(call);
        bench.poll();
        assert_eq!(bench.done.last(), Some(&Action::HangUp));
    }

    #[test]
    fn silence_and_hanging_up_are_typed_errors() {
        let (mut bench, mut call) = bench();
        let silence = talk!(call.digits(Collect::one()), ready(&mut bench), bench.wait());
        assert_eq!(silence, Poll::Ready(Err(CallError::NoInput)));
        let gone = talk!(
            call.listen(Duration::from_secs(5)),
            bench.poll(),
            bench.input(Input::CallerLeft)
        );
        assert_eq!(gone, Poll::Ready(Err(CallError::HungUp)));
        let mut after = std::pin::pin!(call.say("more"));
        let mut context = Context::from_waker(noop_waker_ref());
        let after = after.as_mut().poll(&mut context);
        assert_eq!(after, Poll::Ready(Err(CallError::HungUp)));
    }

    #[test]
    fn a_dropped_future_stops_what_it_began_and_loses_no_key() {
        let (mut bench, mut call) = bench();
        let pending = talk!(call.say("a long story"), ready(&mut bench));
        assert!(pending.is_pending());
        bench.poll();
        assert_eq!(bench.done.last(), Some(&Action::StopPlaying));
        bench.keys("4");
        let key = talk!(call.digits(Collect::one()), bench.poll());
        assert_eq!(key, Poll::Ready(Ok(Keys(Zeroizing::new("4".to_owned())))));
    }

    #[test]
    fn a_call_can_be_refused_before_it_is_answered() {
        let (mut bench, call) = bench();
        bench.input(Input::Incoming);
        let asked = call.reject(crate::flow::Refusal::Busy).now_or_never();
        assert!(asked.is_some());
        bench.poll();
        assert_eq!(bench.done, [Action::Reject(crate::flow::Refusal::Busy)]);
    }

    #[test]
    fn a_pin_closes_the_gate_while_it_is_entered() {
        let (mut bench, mut call) = bench();
        let pin = talk!(
            call.digits(Collect::up_to(4).secret()),
            ready(&mut bench),
            bench.keys("4711")
        );
        assert!(matches!(pin, Poll::Ready(Ok(ref keys)) if keys.as_str() == "4711"));
        assert!(!format!("{pin:?}").contains("4711"));
        assert_eq!(
            bench.done,
            [Action::Answer, Action::Secret(true), Action::Secret(false)]
        );
    }

    #[test]
    fn others_come_and_are_silenced() {
        let (program, call) = Program::placed(Caller::default());
        let (mut bench, mut call) = (
            Bench {
                program,
                now: Instant::now(),
                done: Vec::new(),
            },
            call,
        );
        let names = ["Ada".to_owned()];
        let came = Input::People(crate::flow::People {
            names: &names,
            joined: true,
            left: false,
        });
        let outcome = talk!(
            async {
                assert!(call.people().is_empty());
                call.mute(crate::flow::Whom::All).await?;
                call.invite(vec![crate::flow::Contact::User("ben".into())])
                    .await
            },
            bench.poll(),
            bench.input(Input::Connected),
            bench.input(came),
            bench.input(Input::Done(true)),
            bench.poll(),
            bench.input(Input::Invited(false)),
        );
        assert_eq!(outcome, Poll::Ready(Err(CallError::NotDone)));
        assert_eq!(call.people(), ["Ada"]);
        let ben = crate::flow::Contact::User("ben".to_owned());
        let asked = [
            Action::Mute(crate::flow::Whom::All),
            Action::Invite(vec![ben]),
        ];
        assert_eq!(bench.done, asked);
    }

    #[test]
    fn nobody_takes_the_transferred_call() {
        let (mut bench, mut call) = bench();
        let contact = crate::flow::Contact::User("agent".into());
        let failed = talk!(
            call.transfer(contact),
            ready(&mut bench),
            bench.input(Input::TransferFailed)
        );
        assert_eq!(failed, Poll::Ready(Err(CallError::TransferFailed)));
    }
}

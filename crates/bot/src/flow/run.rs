//! One call's way through a flow, without IO: inputs in, actions out, time as an
//! argument.

mod listening;
mod wishes;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use switchboard_media::event::Digit;
use switchboard_nlp::Collect as Wanted;
use zeroize::Zeroizing;

pub(super) use listening::words;

use super::model::Refusal;
use super::plan::{Contact, Flow, NodeId, Step};
use super::values::Values;

/// What is known of a call when it comes in.
#[derive(Clone, Default)]
pub struct Facts {
    /// The caller's user id.
    pub caller: Option<String>,
    /// The caller's phone number.
    pub number: Option<String>,
    /// The caller's language (BCP 47); empty if unknown.
    pub language: String,
    /// When it is.
    pub time: Timestamp,
    /// How long ago the same caller called before, as far as is known.
    pub earlier: Vec<Duration>,
    /// The contacts who are available, by name.
    pub present: BTreeSet<String>,
}

/// Something that happened in the call.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// The call came in, and can still be refused. Skipped for calls the bot makes.
    Incoming,
    /// Media flows.
    Connected,
    /// A key was pressed.
    Digit(Digit),
    /// The caller began to speak.
    SpeechStart,
    /// The engine understood what the caller wants.
    Intent {
        /// The engine's name for it.
        name: &'a str,
        /// 0–1.
        confidence: f32,
    },
    /// The engine heard words, for good.
    Text(&'a str),
    /// The engine judged the caller's mood, −1…1.
    Sentiment(f32),
    /// The engine asks for something by itself.
    Wish(Wish<'a>),
    /// The engine is there (`true`) or not.
    Engine(bool),
    /// The prompt that was playing is over; interrupted ones are not reported.
    PromptFinished,
    /// Nobody took the transferred call.
    TransferFailed,
    /// The invited contact is in the call (`true`) or won't come.
    Invited(bool),
    /// The voice agent has finished (`true`), or can't be reached.
    Streamed(bool),
    /// A web hook's `result`; `None` when it failed.
    Webhook(Option<&'a str>),
    /// [`Run::poll_timeout`] has passed.
    Timeout,
    /// The caller is gone.
    CallerLeft,
}

/// Not even the kind of input in detail: keys, words and moods are the caller's.
impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input(_)")
    }
}

/// What an engine asks for; done where the flow's `engine` table allows it.
#[derive(Clone, Copy)]
pub enum Wish<'a> {
    /// Say a text.
    Text(&'a str),
    /// Play a prompt.
    Prompt(&'a str),
    /// Stop speaking.
    StopSpeaking,
    /// Pass the call on to a contact.
    Transfer(&'a str),
    /// Invite a contact.
    Invite(&'a str),
    /// Collect keys.
    Collect(Wanted),
    /// Mute the bot, or take that back.
    Mute(bool),
    /// End the call.
    HangUp,
}

/// An engine's words: never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Words(Zeroizing<String>);

impl Words {
    pub(crate) fn new(words: &str) -> Self {
        Self(Zeroizing::new(words.to_owned()))
    }

    /// The words, for the synthesiser.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(_)")
    }
}

/// What the call's owner is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Take the call.
    Answer,
    /// Refuse it.
    Reject(Refusal),
    /// Pass it on unanswered.
    Redirect(Contact),
    /// Play a prompt, in place of what is playing.
    Play(String),
    /// Say the engine's words, in place of what is playing.
    Say(Words),
    /// Stop playing.
    StopPlaying,
    /// A secret follows (`true`) or is over: close or open the engine's gate, and
    /// show no keys.
    Secret(bool),
    /// Hand the caller's words to the engine (`true`), or no more.
    Record(bool),
    /// Pass the call on.
    Transfer(Contact),
    /// Bring somebody in.
    Invite(Contact),
    /// Post [`Run::values`] to this address, and report the answer.
    Webhook(String),
    /// Tell the engine the keys it wanted; `None` when they are secret.
    Keys(Option<Words>),
    /// Mute the bot, or take that back.
    Mute(bool),
    /// Connect the caller with a voice agent.
    Stream(String),
    /// No longer.
    StopStream,
    /// End the call.
    HangUp,
}

/// Where in a node a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Neither answered nor refused.
    Offered,
    /// Answered; media doesn't flow yet.
    Answered,
    /// A prompt is playing.
    Speaking,
    /// "Sorry" is playing; the node's prompt follows.
    Apologising,
    /// Waiting for what the node is about.
    Waiting,
    /// Passed on at the engine's wish.
    Transferring,
    /// Over.
    Done,
}

/// One call's way through a flow.
pub struct Run {
    flow: Arc<Flow>,
    facts: Facts,
    at: NodeId,
    stage: Stage,
    attempts: u8,
    keys: Zeroizing<String>,
    values: Values,
    outcome: Option<String>,
    engine_down: bool,
    secret: bool,
    streaming: bool,
    /// Keys that the engine has asked for.
    wanted: Option<Wanted>,
    deadline: Option<Instant>,
    /// Nodes entered since the caller last did something.
    unheard: u32,
    actions: Vec<Action>,
}

/// How many nodes a call passes without a word or key of its caller before it is
/// ended: nobody is there.
const MOST_UNHEARD: u32 = 50;

impl Run {
    /// A call that has yet to begin.
    pub fn new(flow: Arc<Flow>, facts: Facts) -> Self {
        Self {
            at: flow.start,
            flow,
            facts,
            stage: Stage::Offered,
            attempts: 0,
            keys: Zeroizing::new(String::with_capacity(32)),
            values: Values::default(),
            outcome: None,
            engine_down: false,
            secret: false,
            streaming: false,
            wanted: None,
            deadline: None,
            unheard: 0,
            actions: Vec::new(),
        }
    }

    /// When [`Input::Timeout`] is due, if at all.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// The node the call is at.
    pub fn node(&self) -> &str {
        &self.flow.node(self.at).name
    }

    /// What happens at that node, for people who watch; its name if nothing is written.
    pub fn about(&self) -> &str {
        let node = self.flow.node(self.at);
        node.about.as_deref().unwrap_or(&node.name)
    }

    /// What is to be reported of the call: the `outcome` of the last node that has one.
    pub fn outcome(&self) -> Option<&str> {
        self.outcome.as_deref()
    }

    /// The flow the call goes through.
    pub fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// Whether a secret is being entered: keys must not be shown.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether keys are being collected for the engine, which gets them together.
    pub fn is_collecting(&self) -> bool {
        self.wanted.is_some()
    }

    /// Whether the call is over.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Who is available, learnt before [`Input::Incoming`].
    pub fn set_present(&mut self, present: BTreeSet<String>) {
        self.facts.present = present;
    }

    /// What has been collected.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Takes one input and says what to do.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) -> Vec<Action> {
        match (self.stage, input) {
            (Stage::Done, _) => {}
            (_, Input::CallerLeft) => self.done(),
            (Stage::Offered, Input::Incoming) => self.offered(),
            (Stage::Offered | Stage::Answered, Input::Connected) => self.enter(now, self.at),
            (_, Input::Engine(up)) => self.engine(now, up),
            (Stage::Transferring, Input::TransferFailed) => self.enter(now, self.flow.otherwise),
            (Stage::Transferring, _) => {}
            (Stage::Offered | Stage::Answered, _) => {}
            (_, Input::Timeout) if self.deadline.is_some_and(|due| now >= due) => self.timeout(now),
            (_, Input::Timeout) => {}
            (stage, input) => self.heard(now, stage, input),
        }
        std::mem::take(&mut self.actions)
    }

    /// Decides, before answering, whether to answer.
    fn offered(&mut self) {
        while self.flow.node(self.at).say.is_none() {
            match &self.flow.node(self.at).step {
                Step::Next(next) => self.at = *next,
                Step::Branch(cases, otherwise) => self.at = self.decide(cases, *otherwise),
                Step::Reject(why) => return self.finish(Action::Reject(*why)),
                Step::Redirect { to } => return self.finish(Action::Redirect(self.contact(to))),
                _ => break,
            }
        }
        self.stage = Stage::Answered;
        self.actions.push(Action::Answer);
    }

    fn decide(&self, cases: &[(super::plan::Condition, NodeId)], otherwise: NodeId) -> NodeId {
        let case = cases
            .iter()
            .find(|(condition, _)| condition.holds(&self.facts));
        case.map_or(otherwise, |(_, to)| *to)
    }

    /// Names were checked with the flow.
    fn contact(&self, name: &str) -> Contact {
        self.flow
            .contact(name)
            .cloned()
            .unwrap_or(Contact::User(String::new()))
    }

    fn finish(&mut self, last: Action) {
        self.actions.push(last);
        self.done();
    }

    fn done(&mut self) {
        self.stage = Stage::Done;
        self.deadline = None;
        self.keys = Zeroizing::new(String::new());
        self.values = Values::default();
    }

    fn enter(&mut self, now: Instant, node: NodeId) {
        if std::mem::take(&mut self.streaming) {
            self.actions.push(Action::StopStream);
        }
        self.wanted = None;
        self.attempts = 0;
        self.keys.clear();
        self.at = node;
        self.deadline = None;
        self.unheard += 1;
        if self.unheard > MOST_UNHEARD {
            return self.finish(Action::HangUp);
        }
        let flow = Arc::clone(&self.flow);
        if let Some(outcome) = &flow.node(node).outcome {
            self.outcome = Some(outcome.clone());
        }
        let secret = matches!(&flow.node(node).step, Step::Collect(collect) if collect.secret);
        if self.secret != secret {
            self.secret = secret;
            self.actions.push(Action::Secret(secret));
        }
        self.speak(now);
    }

    /// Says what the node says, or goes on at once.
    fn speak(&mut self, now: Instant) {
        let flow = Arc::clone(&self.flow);
        match &flow.node(self.at).say {
            Some(prompt) => self.play(prompt, Stage::Speaking),
            None => self.act(now),
        }
    }

    fn play(&mut self, prompt: &str, stage: Stage) {
        self.stage = stage;
        self.deadline = None;
        self.actions.push(Action::Play(prompt.to_owned()));
    }

    /// Does what the node is about, once it has said what it says.
    fn act(&mut self, now: Instant) {
        let flow = Arc::clone(&self.flow);
        self.stage = Stage::Waiting;
        self.deadline = None;
        if let Some(wanted) = &self.wanted {
            let first = Duration::from_millis(wanted.first_timeout_ms.into());
            self.deadline = Some(now + first);
            return;
        }
        match &flow.node(self.at).step {
            Step::Next(next) => self.enter(now, *next),
            Step::Branch(cases, otherwise) => self.enter(now, self.decide(cases, *otherwise)),
            Step::Listen(listen) => match listen.on_engine_down {
                Some(to) if self.engine_down => self.enter(now, to),
                _ => self.deadline = Some(now + listen.timeout),
            },
            Step::Collect(collect) => self.deadline = Some(now + collect.timeout),
            Step::Transfer { to, .. } => self.actions.push(Action::Transfer(self.contact(to))),
            Step::Invite { who, .. } => self.actions.push(Action::Invite(self.contact(who))),
            Step::Record { most, .. } => {
                self.actions.push(Action::Record(true));
                self.deadline = Some(now + *most);
            }
            Step::Stream(stream) => {
                self.streaming = true;
                self.actions.push(Action::Stream(stream.to.clone()));
            }
            Step::Webhook(webhook) => {
                self.actions.push(Action::Webhook(webhook.url.clone()));
                self.deadline = Some(now + webhook.timeout);
            }
            // Reject and redirect don't come after answering, by the flow's check.
            Step::HangUp | Step::Reject(_) | Step::Redirect { .. } => self.finish(Action::HangUp),
        }
    }

    fn engine(&mut self, now: Instant, up: bool) {
        self.engine_down = !up;
        let flow = Arc::clone(&self.flow);
        if let (Stage::Speaking | Stage::Apologising | Stage::Waiting, Step::Listen(listen), false) =
            (self.stage, &flow.node(self.at).step, up)
            && let Some(to) = listen.on_engine_down
        {
            self.leave(now, to);
        }
    }

    /// Leaves a node, whatever it is saying.
    fn leave(&mut self, now: Instant, to: NodeId) {
        if matches!(self.stage, Stage::Speaking | Stage::Apologising) {
            self.actions.push(Action::StopPlaying);
        }
        self.enter(now, to);
    }

    fn timeout(&mut self, now: Instant) {
        if self.wanted.is_some() {
            return self.wanted_keys_are_there(now);
        }
        let flow = Arc::clone(&self.flow);
        match &flow.node(self.at).step {
            Step::Listen(listen) => {
                let remind = listen.remind.as_deref().map(|say| (say, Stage::Speaking));
                self.again(now, listen.retries, remind, listen.on_timeout);
            }
            Step::Collect(collect) if self.keys.is_empty() => {
                self.again(now, collect.retries, None, collect.on_timeout);
            }
            Step::Collect(collect) => self.collected(now, collect),
            Step::Record { next, .. } => {
                self.actions.push(Action::Record(false));
                self.enter(now, *next);
            }
            Step::Webhook(webhook) => self.enter(now, webhook.failed),
            _ => self.deadline = None,
        }
    }

    /// Repeats the node, or gives up.
    fn again(
        &mut self,
        now: Instant,
        retries: u8,
        instead: Option<(&str, Stage)>,
        give_up: NodeId,
    ) {
        self.keys.clear();
        if self.attempts >= retries {
            return self.leave(now, give_up);
        }
        self.attempts += 1;
        match instead {
            Some((prompt, stage)) => self.play(prompt, stage),
            None => self.speak(now),
        }
    }
}

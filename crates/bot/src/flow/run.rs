//! One call's way through a flow, without IO: inputs in, actions out, time as an
//! argument.

mod leaving;
mod listening;
mod responding;
mod rooms;
mod terms;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use switchboard_nlp::Collect as Wanted;
use zeroize::Zeroizing;

pub(super) use listening::words;
use rooms::Company;
pub use terms::{Action, Farewell, Input, People, Told, Wish, Words};

use super::model::Refusal;
use super::plan::{Contact, Entry, Flow, NodeId, PromptSource, Step};
use super::values::Values;
use crate::patience::Patience;

/// What is known of a call when it comes in.
#[derive(Clone, Default)]
pub struct Facts {
    /// The caller's user id.
    pub caller: Option<String>,
    /// The caller's phone number.
    pub number: Option<String>,
    /// The number that was called, where it is known.
    pub called: Option<String>,
    /// The caller's language (BCP 47); empty if unknown.
    pub language: String,
    /// When it is.
    pub time: Timestamp,
    /// How long ago the same caller called before, as far as is known.
    pub earlier: Vec<Duration>,
    /// The contacts who are available, by name.
    pub present: BTreeSet<String>,
    /// The words of the flow's variables.
    pub variables: BTreeMap<String, String>,
}

/// Where in a node a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Neither answered nor refused.
    Offered,
    /// The same, while a web hook is asked which.
    Deciding,
    /// Answered; media doesn't flow yet.
    Answered,
    /// A prompt is playing.
    Speaking,
    /// "Sorry" is playing; the node's prompt follows.
    Apologising,
    /// Waiting for what the node is about.
    Waiting,
    /// What was kept is playing.
    PlayingBack,
    /// Passed on at the engine's wish.
    Transferring,
    /// Passed on because the bot stops.
    Leaving,
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
    /// The caller's words go to the engine by a recording.
    recording: bool,
    /// How long words are waited for.
    patience: Patience,
    /// Keys that the engine has asked for.
    wanted: Option<Wanted>,
    deadline: Option<Instant>,
    company: Company,
    /// Who takes the call once its caller was told.
    successor: Option<Contact>,
    /// Nodes entered since the caller last did something.
    unheard: u32,
    actions: Vec<Action>,
}

/// How long after its longest duration a recording's end may be told.
const KEEPING_GRACE: Duration = Duration::from_secs(15);

/// How long a web hook may take while the caller hears it ring: the call must be
/// answered within 15 s.
const LONGEST_VERDICT: Duration = Duration::from_secs(8);

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
            recording: false,
            patience: Patience::default(),
            wanted: None,
            deadline: None,
            company: Company::default(),
            successor: None,
            unheard: 0,
            actions: Vec::new(),
        }
    }

    /// A call of the bot's own that begins elsewhere than at the flow's start.
    pub fn beginning_at(mut self, entry: Entry) -> Self {
        self.at = entry.0;
        self
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
        match input {
            Input::SpeechStart => self.spoken(now, true),
            Input::SpeechEnd => self.spoken(now, false),
            _ => {}
        }
        match (self.stage, input) {
            (Stage::Done, _) => {}
            (_, Input::CallerLeft) => self.done(),
            (Stage::Leaving, input) => self.leaving(input),
            (_, Input::Leave(farewell)) => self.take_leave(farewell),
            (Stage::Offered, Input::Incoming) => self.offered(now),
            (Stage::Deciding, input) => self.told(now, input),
            (Stage::Offered | Stage::Answered, Input::Connected) => self.enter(now, self.at),
            (_, Input::Engine(up)) => self.engine(now, up),
            (_, Input::People(people)) => self.people(now, &people),
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
    fn offered(&mut self, now: Instant) {
        let flow = Arc::clone(&self.flow);
        while flow.node(self.at).say.is_none() {
            match &flow.node(self.at).step {
                Step::Next(next) => self.at = *next,
                Step::Branch(cases, otherwise) => self.at = self.decide(cases, *otherwise),
                Step::Reject(why) => return self.finish(Action::Reject(*why)),
                Step::Redirect { to } => return self.finish(Action::Redirect(self.contact(to))),
                Step::Webhook(webhook) => {
                    self.stage = Stage::Deciding;
                    self.deadline = Some(now + webhook.timeout.min(LONGEST_VERDICT));
                    return self.actions.push(Action::Webhook(webhook.url.clone()));
                }
                _ => break,
            }
        }
        self.stage = Stage::Answered;
        self.actions.push(Action::Answer);
    }

    /// A web hook's word on a call that isn't answered yet.
    fn told(&mut self, now: Instant, input: Input<'_>) {
        let flow = Arc::clone(&self.flow);
        let Step::Webhook(webhook) = &flow.node(self.at).step else {
            return;
        };
        self.at = match input {
            Input::Webhook(Some(result)) => {
                webhook.results.get(result).copied().unwrap_or(webhook.next)
            }
            Input::Webhook(None) => webhook.failed,
            Input::Timeout if self.deadline.is_some_and(|due| now >= due) => webhook.failed,
            _ => return,
        };
        self.deadline = None;
        // As often as nodes can be passed, so that hooks that lead to each other end.
        self.unheard += 1;
        match self.unheard > MOST_UNHEARD {
            true => self.finish(Action::Reject(Refusal::None)),
            false => self.offered(now),
        }
    }

    fn decide(&self, cases: &[(super::plan::Condition, NodeId)], otherwise: NodeId) -> NodeId {
        let people = self.company.len();
        let case = cases
            .iter()
            .find(|(condition, _)| condition.holds(&self.flow, &self.facts, people));
        case.map_or(otherwise, |(_, to)| *to)
    }

    /// Names were checked with the flow: what is no contact is a team.
    fn contact(&self, name: &str) -> Contact {
        let contact = self.flow.contact(name).cloned();
        contact.unwrap_or_else(|| Contact::Team(name.to_owned()))
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
        self.end_recording();
        self.patience.end();
        self.wanted = None;
        self.attempts = 0;
        self.keys.clear();
        self.at = node;
        self.deadline = None;
        self.company.begin();
        self.unheard += 1;
        if self.unheard > MOST_UNHEARD {
            return self.finish(Action::HangUp);
        }
        let flow = Arc::clone(&self.flow);
        if let Some(outcome) = &flow.node(node).outcome {
            self.outcome = Some(outcome.clone());
        }
        let secret = self.is_for_a_secret(node);
        if self.secret != secret {
            self.secret = secret;
            self.actions.push(Action::Secret(secret));
        }
        self.speak(now);
    }

    /// Whether keys that are pressed at a node may be a secret's, pressed ahead or not.
    fn is_for_a_secret(&self, node: NodeId) -> bool {
        match &self.flow.node(node).step {
            Step::Collect(collect) => collect.secret,
            Step::Next(next) => {
                let ahead = &self.flow.node(*next).step;
                self.is_silent_choice(*next)
                    && matches!(ahead, Step::Collect(collect) if collect.secret)
            }
            _ => false,
        }
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
        self.end_recording();
        self.patience.end();
        self.stage = stage;
        self.deadline = None;
        let flow = Arc::clone(&self.flow);
        self.actions.push(match flow.prompts.get(prompt) {
            Some(PromptSource::Template(text)) => Action::Say(self.filled(text)),
            _ => Action::Play(prompt.to_owned()),
        });
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
                _ => self.wait_for_words(now),
            },
            Step::Collect(collect) => self.deadline = Some(now + collect.timeout),
            Step::Transfer { to, .. } => self.actions.push(Action::Transfer(self.contact(to))),
            Step::Invite { who, .. } => {
                let who = who.iter().map(|who| self.contact(who)).collect();
                self.actions.push(Action::Invite(who));
            }
            Step::Attend(attend) => self.attend(now, attend),
            Step::Keep { keep, .. } => {
                self.actions.push(Action::Keep(*keep));
                self.deadline = Some(now + keep.most + KEEPING_GRACE);
            }
            Step::PlayBack { .. } => {
                self.stage = Stage::PlayingBack;
                self.actions.push(Action::PlayBack);
            }
            Step::Deliver(webhook) => {
                self.actions.push(Action::Deliver(webhook.url.clone()));
                self.deadline = Some(now + webhook.timeout);
            }
            Step::Record { .. } => self.wait_for_words(now),
            Step::Stream(stream) => {
                self.streaming = true;
                self.actions.push(Action::Stream(stream.to.clone()));
            }
            Step::Webhook(webhook) => {
                self.actions.push(Action::Webhook(webhook.url.clone()));
                self.deadline = Some(now + webhook.timeout);
            }
            Step::Open { .. }
            | Step::Summon { .. }
            | Step::Join { .. }
            | Step::Mute { .. }
            | Step::Hold { .. }
            | Step::Resume { .. } => self.ask_for(),
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
            return self.leave(now, to);
        }
        if up && self.stage == Stage::Waiting && self.wanted.is_none() {
            self.begin_recording();
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
            Step::Record { next, .. } => self.enter(now, *next),
            Step::Webhook(webhook) | Step::Deliver(webhook) => self.enter(now, webhook.failed),
            Step::Keep { empty, .. } => {
                self.actions.push(Action::EndKeeping);
                self.enter(now, *empty);
            }
            Step::Attend(attend) => self.leave(now, attend.on_timeout),
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
        self.end_recording();
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

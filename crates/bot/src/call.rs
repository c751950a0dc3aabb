//! One call's own task: the call machine, the media session and the conversation
//! meet here, and nowhere else.

mod control;
mod ears;
mod facts;
mod hearing;
mod keeping;
mod news;
mod orders;
mod people;
mod presence;
mod recording;
mod rooms;
mod service;
mod span;
mod speakers;
mod stopping;
mod streaming;
mod teams;
mod waiting;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard_media::engine::LiveAudio;
use switchboard_media::event::MediaEvent;
use switchboard_nlp::adapter::AgentEnd;
use switchboard_nlp::{CallState as Told, Event};
use switchboard_signaling::call::{
    CallEvent, Command, CommandError, CommandId, Failure, Termination,
};
use switchboard_signaling::clock;
use switchboard_signaling::types::{CallState, CommsOperation};
use switchboard_transport::whip::Reservation;
use switchboard_transport::{Session, SessionEvent};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::agent::{SharedVoice, Streaming};
use crate::bot::{Origin, Shared, Stop};
use crate::conversation::{Conversation, Saying};
use crate::flow::{Action, Contact, Hosting, Input};
use crate::prompts::{Recording, Sound};
use crate::script::Script;
use crate::speech::{Line, Spoken};

pub(crate) use control::Control;
use control::OrderError;
pub use ears::FeatureChoice;
use ears::Listener;
pub(crate) use facts::{facts_of, instance, invitation, peer_of};
use keeping::Preparing;
pub use news::{CallNews, CallReport};
pub use people::Member;
pub(crate) use presence::available;
use recording::Fetching;
use rooms::Inbox;
pub use rooms::RoomWish;
pub(crate) use rooms::{Guest, Host, Links, Order};
use service::Service;
use speakers::Speakers;
use teams::Picking;
use waiting::{at, hook, media, offered, picked, prepared, recorded, spoken};

/// A call may be without media for so long: before the first offer, and after a
/// session was lost. Then it is read, and ended if that doesn't help.
const WITHOUT_MEDIA: Duration = Duration::from_secs(20);

/// How often an engine gets what was heard, where no event comes with it.
const LISTEN_EVERY: Duration = Duration::from_millis(10);

/// A call's task.
pub(crate) struct Task {
    shared: Arc<Shared>,
    script: Arc<Script>,
    control: Control,
    talk: Conversation,
    media: Media,
    /// Commands whose failure the flow is to know of.
    awaited: Vec<(CommandId, Awaited)>,
    hook: Option<Hook>,
    fetching: Option<Fetching>,
    picking: Option<Picking>,
    /// What the caller said that is kept for this call.
    kept: Option<Arc<Sound>>,
    preparing: Option<Preparing>,
    answered: bool,
    origin: Origin,
    /// How much of the bot's stopping it has done its part for.
    stopped: Stop,
    /// Whoever looks after the bot wants it to end.
    by_hand: bool,
    inbox: Inbox,
    pub(crate) links: Links,
    /// Whoever placed the call is told.
    pub(crate) news: Option<watch::Sender<CallNews>>,
    /// A placed call's number, until its id is known.
    pub(crate) nameless: Option<u64>,
}

/// Where a call's media is handled.
enum Media {
    Application(Box<Ours>),
    Service(Service),
}

/// Media of our own.
#[derive(Default)]
struct Ours {
    /// Kept until the caller's media has come in.
    reservation: Option<Reservation>,
    session: Option<Session>,
    line: Option<Line>,
    voice: Option<SharedVoice>,
    streaming: Option<Streaming>,
    listener: Option<Listener>,
    speakers: Speakers,
    /// When to hear what the engine is to get.
    listen_at: Option<Instant>,
    /// When to do something about missing media.
    missed_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Invite,
    /// A response, by Graph.
    Recording,
    /// The same, to be kept for the call.
    Keeping,
    /// Reject or redirect: the call is answered if it can't be done.
    Farewell,
}

/// A web hook that is being asked.
struct Hook {
    node: String,
    answer: JoinHandle<Option<String>>,
    /// What was kept is handed over, and of no use any more.
    delivers: bool,
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.answer.abort();
    }
}

/// What woke the task.
enum Woken {
    Call(Option<CallEvent>),
    Offered(Option<Box<Session>>),
    Media(Option<SessionEvent>),
    Spoken(Spoken),
    Wish(Vec<Action>),
    Listen,
    Streamed(AgentEnd),
    Hook(Option<String>),
    Recorded(Option<Sound>),
    Picked(Option<Contact>),
    Prepared(Option<Recording>),
    Order(Order),
    /// Somebody else of a list is to be called.
    Further,
    Due,
    WithoutMedia,
    Stopping(Stop),
    ByHand,
}

impl Task {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        script: &Arc<Script>,
        control: Control,
        talk: Conversation,
        origin: Origin,
        reservation: Option<Reservation>,
    ) -> Self {
        let media = match script.flow.media() {
            Hosting::Application => Media::Application(Box::new(Ours {
                reservation: Some(reservation.unwrap_or_else(|| shared.whip.reserve())),
                ..Ours::default()
            })),
            Hosting::Service => Media::Service(Service::default()),
        };
        Self {
            shared: Arc::clone(shared),
            script: Arc::clone(script),
            control,
            talk,
            media,
            awaited: Vec::new(),
            hook: None,
            fetching: None,
            picking: None,
            kept: None,
            preparing: None,
            answered: false,
            origin,
            stopped: Stop::No,
            by_hand: false,
            inbox: Inbox::default(),
            links: Links::default(),
            news: None,
            nameless: None,
        }
    }

    /// The call's media is there already.
    pub(crate) fn carry(&mut self, session: Session) {
        self.offered(Some(Box::new(session)));
    }

    /// Takes an incoming call through its flow, to its end.
    pub(crate) async fn incoming(mut self) -> CallReport {
        let present = self.present().await;
        self.talk.set_present(present);
        let actions = self.talk.input(clock::now(), Input::Incoming);
        self.carry_out(actions);
        self.run().await
    }

    /// Stays until the call is over.
    pub(crate) async fn run(mut self) -> CallReport {
        let mut stopping = self.shared.stopping.clone();
        let end = self.until_over(&mut stopping).await;
        self.talk.over(clock::now());
        self.forget_files();
        self.close_inbox();
        let id = self.control.id().cloned();
        match (&end, &id) {
            (Some(end), Some(id)) => {
                tracing::info!(call = %id, cause = ?end.cause, code = end.code, subcode = end.subcode, "the call is over");
            }
            (Some(end), None) => {
                tracing::info!(cause = ?end.cause, code = end.code, "a call did not come about");
            }
            (None, _) if matches!(self.control, Control::Elsewhere { .. }) => {
                tracing::info!("a call's media is over");
            }
            (None, _) => tracing::warn!(call = ?id, "the call was let go of"),
        }
        let report = CallReport {
            id,
            answered: self.answered,
            by_hand: self.by_hand,
            outcome: self.talk.guide().outcome().map(str::to_owned),
            end,
        };
        report.trace();
        report
    }

    async fn until_over(
        &mut self,
        stopping: &mut watch::Receiver<Stop>,
    ) -> Option<Box<Termination>> {
        self.tell_live();
        loop {
            let woken = self.next(stopping).await;
            self.learn_id();
            let now = clock::now();
            let actions = match woken {
                Woken::Call(Some(CallEvent::Terminated(end))) => return Some(end),
                Woken::Call(None) => return None,
                Woken::Call(Some(event)) => self.call_event(now, event),
                Woken::Offered(session) => self.offered(session),
                Woken::Media(event) => self.heard(now, event),
                Woken::Spoken(Spoken::Started(id)) => self.talk.started(now, Saying::Words(id)),
                Woken::Spoken(Spoken::Finished(id)) => {
                    self.talk.finished(now, Saying::Words(id), false)
                }
                Woken::Wish(actions) => actions,
                Woken::Listen => self.listen(now),
                Woken::Streamed(end) => self.streamed(now, end),
                Woken::Hook(result) => self.answered_by_hook(now, result.as_deref()),
                Woken::Recorded(sound) => self.recorded(now, sound),
                Woken::Picked(who) => self.picked(now, who),
                Woken::Prepared(recording) => self.prepared(recording.as_ref()),
                Woken::Order(order) => self.ordered(now, order),
                Woken::Further => self.summon_further(now),
                Woken::Due => self.talk.input(now, Input::Timeout),
                Woken::WithoutMedia => self.miss_media(),
                Woken::Stopping(stop) => self.stop(now, stop),
                Woken::ByHand => self.end_by_hand(),
            };
            self.carry_out(actions);
            self.attend(now);
            self.tell_news();
            self.tell_live();
        }
    }

    fn tell(&mut self, now: Instant, events: Vec<Event>) -> Vec<Action> {
        let events = events.into_iter();
        events
            .flat_map(|event| self.talk.tell(now, event))
            .collect()
    }

    /// A placed call has an id once Graph took it.
    fn learn_id(&mut self) {
        if let (Some(number), Some(id)) = (self.nameless, self.control.id()) {
            self.nameless = None;
            span::name(id);
            self.shared.name_call(number, id);
            self.talk.named(id.to_string());
        }
    }

    async fn next(&mut self, stopping: &mut watch::Receiver<Stop>) -> Woken {
        let due = self.talk.poll_timeout();
        let further = self.inbox.due();
        let talk = &mut self.talk;
        let mut nothing = Ours::default();
        let Ours {
            reservation,
            session,
            line,
            missed_at,
            listen_at,
            streaming,
            ..
        } = match &mut self.media {
            Media::Application(ours) => ours,
            Media::Service(service) => {
                nothing.listen_at = service.hear_at;
                &mut nothing
            }
        };
        // In one order, so that a simulation runs the same way twice: what is rare first.
        // Digits must not wait behind a flood of notifications; what media tells is bounded
        // by the packets a call may send.
        tokio::select! {
            biased;
            Ok(stop) = stopping.wait_for(|stop| *stop > self.stopped.max(Stop::Draining)) => Woken::Stopping(*stop),
            () = self.origin.hang_up.notified() => Woken::ByHand,
            // It holds an address of its own, so that it never closes.
            Some(order) = self.inbox.orders.recv() => Woken::Order(order),
            who = picked(self.picking.as_mut()) => Woken::Picked(who),
            recording = prepared(self.preparing.as_mut()) => Woken::Prepared(recording),
            () = at(further) => Woken::Further,
            () = at(due) => Woken::Due,
            () = at(*missed_at) => Woken::WithoutMedia,
            session = offered(reservation.as_mut()) => Woken::Offered(session.map(Box::new)),
            end = streaming::streamed(streaming.as_mut()) => Woken::Streamed(end),
            result = hook(self.hook.as_mut()) => Woken::Hook(result),
            sound = recorded(self.fetching.as_mut()) => Woken::Recorded(sound),
            () = at(*listen_at) => Woken::Listen,
            spoken = spoken(line.as_mut()) => Woken::Spoken(spoken),
            event = media(session.as_mut()) => Woken::Media(event),
            event = self.control.next_event() => Woken::Call(event),
            actions = poll_fn(|context| talk.poll(clock::now(), context)) => Woken::Wish(actions),
        }
    }

    fn call_event(&mut self, now: Instant, event: CallEvent) -> Vec<Action> {
        match event {
            CallEvent::TransferFailed { .. } => {
                let mut actions = self.talk.moved(now, Told::TransferFailed);
                actions.extend(self.talk.input(now, Input::TransferFailed));
                actions
            }
            CallEvent::CommandFailed { command, failure } => self.failed(now, command, &failure),
            CallEvent::OperationCompleted { command, operation } => {
                self.completed(now, command, &operation)
            }
            CallEvent::Doubted(command) => self.play_again(now, command),
            CallEvent::Tone(tone) => match (&self.media, facts::digit(&tone)) {
                (Media::Service(_), Some(digit)) => self.talk.tone(now, digit),
                _ => Vec::new(),
            },
            CallEvent::StateChanged(state) => self.moved(now, &state),
            CallEvent::RosterChanged(change) => self.roster_changed(now, &change),
            _ => Vec::new(),
        }
    }

    fn moved(&mut self, now: Instant, state: &CallState) -> Vec<Action> {
        tracing::debug!(call = ?self.control.id(), %state, "the call moved on");
        let told = match state {
            CallState::Established => Told::Established,
            CallState::Hold => Told::Hold,
            CallState::Transferring => Told::Transferring,
            CallState::TransferAccepted => {
                if let Media::Application(ours) = &mut self.media {
                    // The caller's audio goes elsewhere from now on.
                    ours.missed_at = None;
                }
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        let mut actions = self.talk.moved(now, told);
        if *state == CallState::Established {
            self.answered = true;
            actions.extend(self.established(now));
            actions.extend(self.bring_guests(now));
            actions.extend(self.grant_wishes());
        }
        actions
    }

    fn established(&mut self, now: Instant) -> Vec<Action> {
        match &mut self.media {
            Media::Application(ours) => {
                if ours.session.is_none() {
                    ours.missed_at = ours.missed_at.or(Some(now + WITHOUT_MEDIA));
                }
                Vec::new()
            }
            Media::Service(service) if !service.subscribed => {
                service.subscribed = true;
                let mut actions = self.order(Command::SubscribeToTone);
                actions.extend(self.talk.connected(now));
                actions
            }
            Media::Service(_) => Vec::new(),
        }
    }

    /// A command failed: the flow goes on where it can.
    fn failed(&mut self, now: Instant, command: CommandId, failure: &Failure) -> Vec<Action> {
        // Stopped prompts end like this too; those are forgotten already.
        if let Some(said) = self.said_by_graph(command) {
            return self.talk.finished(now, said, false);
        }
        let awaited = self.settle(command);
        if awaited == Some(Awaited::Recording) {
            return self.not_recorded(now, failure);
        }
        tracing::warn!(call = ?self.control.id(), ?failure, "a command failed");
        if let Some(actions) = self.brought(now, command, false) {
            return actions;
        }
        match awaited {
            Some(Awaited::Keeping) => self.keep(now, None),
            Some(Awaited::Invite) => self.talk.input(now, Input::Invited(false)),
            Some(Awaited::Farewell) => self.order(Command::HangUp),
            Some(Awaited::Recording) | None => Vec::new(),
        }
    }

    fn completed(
        &mut self,
        now: Instant,
        command: CommandId,
        operation: &CommsOperation,
    ) -> Vec<Action> {
        if let Some(said) = self.said_by_graph(command) {
            return self.talk.finished(now, said, false);
        }
        if let Some(actions) = self.brought(now, command, true) {
            return actions;
        }
        match self.settle(command) {
            Some(Awaited::Invite) => self.talk.input(now, Input::Invited(true)),
            Some(Awaited::Recording) => self.responded(now, operation),
            Some(Awaited::Keeping) => match self.fetch(operation, true) {
                true => Vec::new(),
                false => self.keep(now, None),
            },
            _ => Vec::new(),
        }
    }

    /// What Graph recorded is there: the engine hears it once, or it is kept.
    fn recorded(&mut self, now: Instant, sound: Option<Sound>) -> Vec<Action> {
        let fetching = self.fetching.take();
        match fetching.is_some_and(|fetching| fetching.keep) {
            true => self.keep(now, sound),
            false => self.response_is_there(now, sound.as_ref()),
        }
    }

    fn settle(&mut self, command: CommandId) -> Option<Awaited> {
        let place = self.awaited.iter().position(|(id, _)| *id == command)?;
        Some(self.awaited.remove(place).1)
    }

    fn offered(&mut self, session: Option<Box<Session>>) -> Vec<Action> {
        if let Media::Application(ours) = &mut self.media {
            ours.reservation = None;
            ours.session = session.map(|session| *session);
            let live = ours.session.as_mut().and_then(Session::take_live);
            if let Some(LiveAudio { ears, voice }) = live {
                ours.listener = Some(Listener::new(ears, self.shared.features));
                let lines = ours.session.as_mut().map(Session::take_speakers);
                ours.speakers = Speakers::new(lines.unwrap_or_default(), self.shared.features);
                let voice = Arc::new(tokio::sync::Mutex::new(voice));
                ours.line = self.script.synthesizer.as_ref().map(|synthesizer| {
                    let language = self.script.flow.language().to_owned();
                    Line::new(Arc::clone(&voice), Arc::clone(synthesizer), language)
                });
                ours.voice = Some(voice);
            }
        }
        Vec::new()
    }

    fn media_event(&mut self, now: Instant, event: Option<SessionEvent>) -> Vec<Action> {
        let Media::Application(ours) = &mut self.media else {
            return Vec::new();
        };
        match event {
            Some(SessionEvent::Connected) => {
                ours.missed_at = None;
                self.talk.connected(now)
            }
            Some(SessionEvent::Media(event)) => {
                let kept = match (event, &mut ours.listener) {
                    (MediaEvent::SpeechStart { .. }, Some(listener)) => listener.speech(true),
                    (MediaEvent::SpeechEnd { .. }, Some(listener)) => listener.speech(false),
                    _ => Vec::new(),
                };
                let mut actions = self.talk.media(now, event);
                self.pass_key(&event, &actions);
                actions.extend(self.tell(now, kept));
                actions
            }
            Some(SessionEvent::Speaker { source, event }) => self.spoke(now, source, event),
            Some(SessionEvent::Closed(_)) | None => {
                ours.forget_session();
                self.talk.speaking(&[]);
                ours.missed_at = Some(now + WITHOUT_MEDIA);
                self.order(Command::Check)
            }
        }
    }

    /// Nobody is there to be heard: the caller vanished, or never came.
    fn miss_media(&mut self) -> Vec<Action> {
        if let Media::Application(ours) = &mut self.media {
            ours.missed_at = None;
        }
        tracing::warn!(call = ?self.control.id(), "no media for {} s, hanging up", WITHOUT_MEDIA.as_secs());
        self.order(Command::HangUp)
    }

    fn answered_by_hook(&mut self, now: Instant, result: Option<&str>) -> Vec<Action> {
        let hook = self.hook.take();
        if result.is_some() && hook.as_ref().is_some_and(|hook| hook.delivers) {
            self.kept = None;
        }
        let asked_at = hook.map(|hook| hook.node.clone());
        match asked_at.as_deref() == Some(self.talk.guide().node()) {
            true => self.talk.input(now, Input::Webhook(result)),
            // The flow has gone on without it.
            false => Vec::new(),
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        let mut waiting = VecDeque::from(actions);
        while let Some(action) = waiting.pop_front() {
            for next in self.act(action).into_iter().rev() {
                waiting.push_front(next);
            }
        }
    }

    /// Gives an order to call control.
    fn order(&mut self, command: Command) -> Vec<Action> {
        let transfer = matches!(command, Command::Transfer(_));
        match self.control.order(command) {
            // A call that is ending needs no further orders.
            Ok(()) | Err(OrderError::Command(CommandError::Ended(_))) => Vec::new(),
            Err(error) => {
                tracing::warn!(call = ?self.control.id(), %error, "an order was not taken");
                match transfer {
                    true => self.talk.input(clock::now(), Input::TransferFailed),
                    false => Vec::new(),
                }
            }
        }
    }

    /// Gives an order whose outcome the flow waits for; `false` if it wasn't taken.
    fn order_awaited(&mut self, command: Command, awaited: Awaited) -> bool {
        match self.control.order_awaited(command) {
            Ok(id) => {
                self.awaited.push((id, awaited));
                true
            }
            Err(error) => {
                tracing::warn!(call = ?self.control.id(), %error, "an order was not taken");
                false
            }
        }
    }
}

//! The machine's inputs and outputs.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::answering::Decision;
use super::command::{Command, CommandError, CommandId};
use super::ending::Ending;
use super::event::CallEvent;
use super::exchange::{Request, RequestId, Response};
use super::operations::Operations;
use super::reconciler::{ReadMark, Reconciler};
use super::roster::Roster;
use super::tones::ToneOrder;
use super::transfer::Transfer;
use super::working::Lane;
use crate::error::GraphError;
use crate::notification::Notification;
use crate::request::{self, InvalidRequest};
use crate::types::{Call, CallId, CallState, ChangeType, NotifiedResource};

/// How long a call waits for what.
#[derive(Debug, Clone)]
pub struct CallConfig {
    /// How long an incoming call may go unanswered: 15 s, or 5 s for policy recording.
    pub answer_within: Duration,
    /// How often Graph hears that the call goes on. It ends calls after 45 minutes without.
    pub keep_alive_every: Duration,
    /// How long a call may be silent where a change is awaited, before it is read.
    pub silence: Duration,
    /// How long an established call may go unheard of before it is read: a lost
    /// notification of its end would go unnoticed until the next keepAlive otherwise.
    pub check_every: Duration,
    /// How long a response may take before the request's fate counts as unknown.
    pub response_within: Duration,
    /// Whether rosters come as changes only (`callOptions.isDeltaRosterEnabled`).
    pub delta_roster: bool,
}

impl Default for CallConfig {
    fn default() -> Self {
        Self {
            answer_within: Duration::from_secs(15),
            keep_alive_every: Duration::from_secs(15 * 60),
            silence: Duration::from_secs(10),
            check_every: Duration::from_secs(60),
            response_within: Duration::from_secs(60),
            delta_roster: false,
        }
    }
}

impl CallConfig {
    /// For bots that record by policy: 5 s to answer.
    pub fn policy_recording() -> Self {
        Self {
            answer_within: Duration::from_secs(5),
            ..Self::default()
        }
    }
}

/// What a request was for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Create,
    Decide,
    Read(ReadMark),
    KeepAlive,
    Delete,
    Work(CommandId),
    CheckOperation(CommandId),
}

#[derive(Debug)]
pub(super) struct Flight {
    pub(super) purpose: Purpose,
    operation: &'static str,
    pub(super) deadline: Instant,
    limit: Duration,
}

/// So many notifications are kept until the call's id is known.
const MAX_EARLY: usize = 64;
/// After a keepAlive that failed.
const KEEP_ALIVE_RETRY: Duration = Duration::from_secs(60);

/// One call; see [the module](super).
///
/// After each input, [`poll_request`](Self::poll_request) and [`poll_event`](Self::poll_event)
/// are to be drained, and [`poll_timeout`](Self::poll_timeout) asked anew.
#[derive(Debug)]
pub struct CallMachine {
    pub(super) config: CallConfig,
    pub(super) id: Option<CallId>,
    pub(super) incoming: bool,
    pub(super) state: CallState,
    /// Answer, rejection or redirection of an incoming call.
    pub(super) decision: Option<Decision>,
    pub(super) answer_deadline: Option<Instant>,
    pub(super) ending: Option<Ending>,
    pub(super) transfer: Option<Transfer>,
    pub(super) keep_alive_at: Option<Instant>,
    pub(super) reconciler: Reconciler,
    /// When the call was last heard of where silence is suspicious.
    pub(super) heard_at: Instant,
    pub(super) lane: Lane,
    pub(super) operations: Operations,
    pub(super) tones: ToneOrder,
    pub(super) roster: Roster,
    early: Vec<Notification>,
    pub(super) flights: BTreeMap<RequestId, Flight>,
    pub(super) requests: VecDeque<(RequestId, Request)>,
    pub(super) events: VecDeque<CallEvent>,
    last_request: u64,
    last_command: u64,
}

impl CallMachine {
    /// A call that a notification offered (`incoming`) at `now`.
    pub fn incoming(now: Instant, id: CallId, config: CallConfig) -> Self {
        let deadline = now + config.answer_within;
        let mut machine = Self::new(now, CallState::Incoming, config);
        machine.id = Some(id);
        machine.incoming = true;
        machine.answer_deadline = Some(deadline);
        machine
    }

    /// A call to be started, or a meeting to be joined.
    ///
    /// # Errors
    /// [`InvalidRequest`] if `call` breaks a documented rule.
    pub fn outgoing(now: Instant, call: &Call, config: CallConfig) -> Result<Self, InvalidRequest> {
        let request = request::create_call(call)?;
        let mut machine = Self::new(now, CallState::Establishing, config);
        machine.send(now, Purpose::Create, Request::Call(request));
        Ok(machine)
    }

    /// A call that was established before this program started, to be read first.
    pub fn resumed(now: Instant, id: CallId, config: CallConfig) -> Self {
        let mut machine = Self::new(now, CallState::Establishing, config);
        machine.id = Some(id);
        machine.keep_alive_at = Some(now);
        machine.reconciler.want(now);
        machine.pump(now);
        machine
    }

    fn new(now: Instant, state: CallState, config: CallConfig) -> Self {
        Self {
            roster: Roster::new(config.delta_roster),
            config,
            id: None,
            incoming: false,
            state,
            decision: None,
            answer_deadline: None,
            ending: None,
            transfer: None,
            keep_alive_at: None,
            reconciler: Reconciler::default(),
            heard_at: now,
            lane: Lane::default(),
            operations: Operations::default(),
            tones: ToneOrder::default(),
            early: Vec::new(),
            flights: BTreeMap::new(),
            requests: VecDeque::new(),
            events: VecDeque::new(),
            last_request: 0,
            last_command: 0,
        }
    }

    /// The call's id; `None` until an outgoing call is created.
    pub fn id(&self) -> Option<&CallId> {
        self.id.as_ref()
    }

    /// Where the call stands, as far as is known.
    pub fn state(&self) -> &CallState {
        &self.state
    }

    /// Whether it is over.
    pub fn is_terminated(&self) -> bool {
        self.state == CallState::Terminated
    }

    /// Who is in the call.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Takes a notification. One about another call is ignored; those that come before an
    /// outgoing call's id is known are kept until it is.
    pub fn handle_notification(&mut self, now: Instant, notification: &Notification) {
        match &self.id {
            _ if self.is_terminated() => {}
            None if self.early.len() < MAX_EARLY => self.early.push(notification.clone()),
            Some(id) if *id == notification.call_id => {
                self.read_notification(now, notification);
                self.pump(now);
            }
            _ => {}
        }
    }

    /// Takes the outcome of a request of [`poll_request`](Self::poll_request).
    pub fn handle_response(
        &mut self,
        now: Instant,
        id: RequestId,
        outcome: Result<Response, GraphError>,
    ) {
        let Some(flight) = self.flights.remove(&id) else {
            return;
        };
        self.settle(now, flight.purpose, outcome);
        self.pump(now);
    }

    /// Does what the application wants, or says why it can't be done.
    ///
    /// # Errors
    /// [`CommandError`]; then nothing is sent and no event follows.
    pub fn command(&mut self, now: Instant, command: Command) -> Result<CommandId, CommandError> {
        let name = command.name();
        if self.is_terminated() || self.ending.is_some() && !matches!(command, Command::HangUp) {
            return Err(CommandError::Ended(name));
        }
        let id = CommandId(self.last_command + 1);
        match command {
            Command::Answer(_) | Command::Reject(_) | Command::Redirect(_) => {
                self.decide(now, id, &command)?;
            }
            Command::Transfer(transfer) => self.begin_transfer(id, &transfer)?,
            Command::HangUp => self.hang_up(now, id),
            Command::Check => self.reconciler.want(now),
            other => self.begin_work(id, other)?,
        }
        self.last_command = id.0;
        self.pump(now);
        Ok(id)
    }

    /// To be called when [`poll_timeout`](Self::poll_timeout) has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tones.handle_timeout(now);
        self.expire_flights(now);
        self.expire_operations(now);
        self.expire_answer(now);
        self.pump(now);
    }

    /// The next request to be sent.
    pub fn poll_request(&mut self) -> Option<(RequestId, Request)> {
        self.requests.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<CallEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None` once the call is over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_terminated() {
            return None;
        }
        let flights = self.flights.values().map(|flight| flight.deadline).min();
        let ending = self.ending.as_ref().and_then(Ending::poll_timeout);
        [
            flights,
            self.answer_timeout(),
            self.id.as_ref().and(ending),
            self.id.as_ref().and(self.reconciler.poll_timeout()),
            self.keep_alive_at,
            self.operations.poll_timeout(),
            self.lane.poll_timeout().filter(|_| self.ending.is_none()),
            self.tones.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Sends whatever is due after an input.
    fn pump(&mut self, now: Instant) {
        while let Some(tone) = self.tones.poll() {
            self.events.push_back(CallEvent::Tone(tone));
        }
        let Some(id) = self.id.clone().filter(|_| !self.is_terminated()) else {
            return;
        };
        self.watch_for_silence();
        self.send_decision(now);
        self.send_delete(now, &id);
        if let Some(mark) = self.reconciler.start(now) {
            let read = request::get_call(&id);
            self.send(now, Purpose::Read(mark), Request::Call(read));
        }
        if self.keep_alive_at.is_some_and(|at| at <= now) {
            // The response sets the next.
            self.keep_alive_at = None;
            let keep_alive = request::keep_alive(&id);
            self.send(now, Purpose::KeepAlive, Request::Plain(keep_alive));
        }
        self.send_checks(now, &id);
        self.send_work(now);
    }

    pub(super) fn send(&mut self, now: Instant, purpose: Purpose, request: Request) {
        self.last_request += 1;
        let id = RequestId(self.last_request);
        let limit = match purpose {
            Purpose::Decide => self.config.response_within.min(self.config.answer_within),
            _ => self.config.response_within,
        };
        let flight = Flight {
            purpose,
            operation: request.operation(),
            deadline: now + limit,
            limit,
        };
        self.flights.insert(id, flight);
        self.requests.push_back((id, request));
    }

    fn settle(&mut self, now: Instant, purpose: Purpose, outcome: Result<Response, GraphError>) {
        match purpose {
            Purpose::Create => self.created(now, outcome),
            Purpose::Decide => self.decided(now, outcome),
            Purpose::Read(mark) => self.was_read(now, mark, outcome),
            Purpose::KeepAlive => self.kept_alive(now, outcome),
            Purpose::Delete => self.deleted(now, outcome),
            Purpose::Work(command) => self.worked(now, command, outcome),
            Purpose::CheckOperation(command) => self.operation_checked(now, command, outcome),
        }
    }

    /// A response that never comes leaves the request's fate unknown.
    fn expire_flights(&mut self, now: Instant) {
        let expired = |(id, flight): (&RequestId, &Flight)| (flight.deadline <= now).then_some(*id);
        while let Some(id) = self.flights.iter().find_map(expired) {
            if let Some(flight) = self.flights.remove(&id) {
                let error = GraphError::TimedOut {
                    operation: flight.operation,
                    limit: flight.limit,
                };
                self.settle(now, flight.purpose, Err(error));
            }
        }
    }

    fn created(&mut self, now: Instant, outcome: Result<Response, GraphError>) {
        let created = match outcome {
            Ok(Response::Call(call)) => call,
            Ok(_) => Box::default(),
            Err(error) => return self.not_created(error),
        };
        let Some(id) = created.call_id() else {
            return self.not_created(GraphError::UnexpectedBody {
                operation: "create call",
                status: http::StatusCode::CREATED,
                expected: "call",
            });
        };
        self.events.push_back(CallEvent::Created(id.clone()));
        self.id = Some(id);
        self.keep_alive_at = Some(now + self.config.keep_alive_every);
        self.heard_at = now;
        if let Some(state) = &created.state {
            self.told(now, state, created.result_info.as_ref());
        }
        for notification in std::mem::take(&mut self.early) {
            self.handle_notification(now, &notification);
        }
    }

    fn kept_alive(&mut self, now: Instant, outcome: Result<Response, GraphError>) {
        let pause = match outcome {
            Ok(_) => self.config.keep_alive_every,
            Err(error) if error.is_gone() => return self.gone(),
            Err(error) => KEEP_ALIVE_RETRY.max(error.retry_after().unwrap_or_default()),
        };
        self.keep_alive_at = Some(now + pause.min(self.config.keep_alive_every));
    }

    fn read_notification(&mut self, now: Instant, notification: &Notification) {
        let change = &notification.change_type;
        match &notification.resource {
            NotifiedResource::Call(call) => self.read_call(now, change, call),
            NotifiedResource::Participants(people) => {
                let change = self.roster.handle(change, people).map(Box::new);
                self.events.extend(change.map(CallEvent::RosterChanged));
            }
            NotifiedResource::ParticipantChanges(changes) => {
                let change = self.roster.handle_changes(changes).map(Box::new);
                self.events.extend(change.map(CallEvent::RosterChanged));
            }
            NotifiedResource::Operation(operation) => self.operation_notified(now, operation),
            _ => {}
        }
    }

    fn read_call(&mut self, now: Instant, change: &ChangeType, call: &Call) {
        let deleted = (*change == ChangeType::Deleted).then_some(&CallState::Terminated);
        if let Some(state) = call.state.as_ref().or(deleted) {
            self.told(now, state, call.result_info.as_ref());
        }
        if let Some(info) = &call.tone_info
            && let Some(tone) = &info.tone
            && !self.is_terminated()
        {
            self.tones.handle(now, info.sequence_id, tone.clone());
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;

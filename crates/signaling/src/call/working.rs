//! Commands on an established call: one request after the other, operations until they end.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};

use super::command::{Command, CommandError, CommandId};
use super::event::{CallEvent, Failure};
use super::exchange::{Request, Response};
use super::machine::{CallMachine, Purpose};
use super::operations::{DOUBT_LIMIT, Mutes, Pending};
use super::state::is_connected;
use crate::error::{GraphError, Outcome};
use crate::request::{self, GraphRequest};
use crate::types::{CallId, CommsOperation, OperationStatus};

/// So many commands wait for their turn at most.
const MAX_WAITING: usize = 64;
/// A burst of 5xx is not answered with another one.
const FAULT_PAUSE: Duration = Duration::from_secs(1);
/// So often a request is sent again that Graph was too busy to take.
const REPEATS: u32 = 3;
/// What Graph wants to hear of after a longer pause than this, nobody waits for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Commands waiting for their turn, and the one whose request is out.
#[derive(Debug, Default)]
pub(super) struct Lane {
    waiting: VecDeque<Job>,
    out: Option<Out>,
    /// Graph asked for no more until then.
    not_before: Option<Instant>,
    /// A request found something gone: what waits does so until the call was read.
    held: bool,
}

impl Lane {
    /// When what waits may go on, if Graph has asked for a pause.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let waits = self.out.is_none() && !self.held && !self.waiting.is_empty();
        self.not_before.filter(|_| waits)
    }
}

#[derive(Debug)]
struct Out {
    job: Job,
    operation: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Job {
    command: CommandId,
    request: Request,
    mutes: Mutes,
    repeats: u32,
}

impl Job {
    pub(super) fn new(command: CommandId, request: Request) -> Self {
        Self {
            command,
            request,
            mutes: None,
            repeats: 0,
        }
    }
}

impl Lane {
    /// The call was read, and is there.
    pub(super) fn release(&mut self) {
        self.held = false;
    }
}

impl CallMachine {
    pub(super) fn begin_work(
        &mut self,
        command: CommandId,
        work: Command,
    ) -> Result<(), CommandError> {
        let name = work.name();
        let id = self.connected_id(name)?;
        let mutes = match work {
            Command::Mute => Some(true),
            Command::Unmute => Some(false),
            _ => None,
        };
        let request = work_request(id, work)?;
        let prefix = format!("/communications/calls/{id}/");
        if !request.path().starts_with(&prefix) {
            return Err(CommandError::OtherCall(name));
        }
        self.queue(Job {
            command,
            request,
            mutes,
            repeats: 0,
        })
    }

    pub(super) fn queue(&mut self, job: Job) -> Result<(), CommandError> {
        if self.lane.waiting.len() >= MAX_WAITING {
            return Err(CommandError::TooMany(job.request.operation()));
        }
        self.lane.waiting.push_back(job);
        Ok(())
    }

    /// The id, if the call can be worked on.
    pub(super) fn connected_id(&self, command: &'static str) -> Result<&CallId, CommandError> {
        let state = self.state.clone();
        let id = self.id.as_ref().filter(|_| is_connected(&self.state));
        id.ok_or(CommandError::State { command, state })
    }

    pub(super) fn send_work(&mut self, now: Instant) {
        let paused = self.lane.held || self.lane.not_before.is_some_and(|at| now < at);
        if self.lane.out.is_some() || self.ending.is_some() || paused {
            return;
        }
        self.lane.not_before = None;
        let Some(job) = self.lane.waiting.pop_front() else {
            return;
        };
        let command = job.command;
        let mut operation = false;
        let mut sent = job.request.clone();
        if let Request::Operation(request) = &mut sent {
            operation = true;
            let context = mark(request, command);
            let deadline = now + self.config.response_within + DOUBT_LIMIT;
            self.operations.begin(command, context, job.mutes, deadline);
        }
        self.lane.out = Some(Out { job, operation });
        self.send(now, Purpose::Work(command), sent);
    }

    pub(super) fn worked(
        &mut self,
        now: Instant,
        command: CommandId,
        outcome: Result<Response, GraphError>,
    ) {
        let out = self.lane.out.take();
        let operation = out.as_ref().is_some_and(|out| out.operation);
        let pause = outcome.as_ref().err().and_then(pause_after);
        self.lane.not_before = pause.map(|pause| now + pause);
        if let (Some(out), Err(error)) = (out, &outcome)
            && is_worth_repeating(&out.job, error)
        {
            return self.repeat(out.job);
        }
        if outcome.as_ref().is_err_and(GraphError::is_gone) {
            // Below the call it may be a participant, say, that is gone.
            self.lane.held = true;
            self.reconciler.want(now);
        }
        if self.is_transfer(command) {
            return self.transfer_answered(now, outcome.err());
        }
        match outcome {
            Ok(Response::Operation(begun)) if operation => {
                self.operation_answered(now, command, begun);
            }
            Ok(_) if operation => {
                self.operations.doubt(command, now + DOUBT_LIMIT);
            }
            Ok(_) => self.events.push_back(CallEvent::Accepted(command)),
            Err(error) if operation => self.operation_failed(now, command, error),
            Err(error) => {
                let failure = self.failure(now, error);
                self.fail(command, failure);
            }
        }
    }

    /// It was not done: it is the first to be sent after the pause.
    fn repeat(&mut self, mut job: Job) {
        self.operations.drop(job.command);
        job.repeats += 1;
        self.lane.waiting.push_front(job);
    }

    /// An operation that may have been started is awaited for a while; its mark tells it. One
    /// whose result came before the response is settled already.
    fn operation_failed(&mut self, now: Instant, command: CommandId, error: GraphError) {
        let was_answered = error.status().is_some();
        match self.failure(now, error) {
            Failure::Lost => {
                if self.operations.doubt(command, now + DOUBT_LIMIT) && was_answered {
                    self.events.push_back(CallEvent::Doubted(command));
                }
            }
            failure => {
                if self.operations.drop(command).is_some() {
                    self.fail(command, failure);
                }
            }
        }
    }

    fn failure(&mut self, now: Instant, error: GraphError) -> Failure {
        match error.outcome() {
            Outcome::NotDone => Failure::Refused(error),
            Outcome::MayBeDone => {
                self.reconciler.want(now);
                Failure::Lost
            }
        }
    }

    fn operation_answered(
        &mut self,
        now: Instant,
        command: CommandId,
        operation: Box<CommsOperation>,
    ) {
        if let Some(ended) = self.operations.answered(now, command, &operation) {
            self.operation_ended(&ended, operation);
        }
    }

    /// Asks about operations that go on without a sign: their end may have been lost.
    pub(super) fn send_checks(&mut self, now: Instant, id: &CallId) {
        while let Some((command, operation)) = self.operations.check(now) {
            let request = request::get_operation(id, &operation);
            let purpose = Purpose::CheckOperation(command);
            self.send(now, purpose, Request::Operation(request));
        }
    }

    pub(super) fn operation_checked(
        &mut self,
        now: Instant,
        command: CommandId,
        outcome: Result<Response, GraphError>,
    ) {
        match outcome {
            Ok(Response::Operation(operation)) => self.operation_answered(now, command, operation),
            Err(error) if error.is_gone() => {
                self.reconciler.want(now);
                if self.operations.drop(command).is_some() {
                    self.fail(command, Failure::Lost);
                }
            }
            _ => self.operations.check_failed(now, command),
        }
    }

    pub(super) fn operation_notified(&mut self, now: Instant, operation: &CommsOperation) {
        let ended = self.operations.notified(now, operation);
        if let Some(ended) = ended {
            self.operation_ended(&ended, Box::new(operation.clone()));
        }
    }

    fn operation_ended(&mut self, ended: &Pending, operation: Box<CommsOperation>) {
        let command = ended.command;
        if operation.status == Some(OperationStatus::Failed) {
            let result = operation.result_info.map(Box::new);
            return self.fail(command, Failure::Failed(result));
        }
        self.events.extend(ended.mutes.map(CallEvent::Muted));
        self.events
            .push_back(CallEvent::OperationCompleted { command, operation });
    }

    pub(super) fn expire_operations(&mut self, now: Instant) {
        while let Some(lost) = self.operations.expire(now) {
            self.reconciler.want(now);
            self.fail(lost.command, Failure::Lost);
        }
    }

    /// The call has ended.
    pub(super) fn fail_all_work(&mut self) {
        let waiting = std::mem::take(&mut self.lane.waiting);
        let waiting = waiting.into_iter().map(|job| job.command);
        let pending = self.operations.take();
        let pending = pending.into_iter().map(|one| one.command);
        let out = self.lane.out.take().filter(|out| !out.operation);
        let out = out.map(|out| out.job.command);
        let open: Vec<_> = pending.chain(out).chain(waiting).collect();
        for command in open {
            if !self.is_transfer(command) {
                self.fail(command, Failure::CallEnded);
            }
        }
        self.settle_transfer();
    }

    fn fail(&mut self, command: CommandId, failure: Failure) {
        let failed = CallEvent::CommandFailed { command, failure };
        self.events.push_back(failed);
    }
}

/// Whether Graph refused a job for now alone, and not for long. What can be sent again
/// without harm was already, by the client.
fn is_worth_repeating(job: &Job, error: &GraphError) -> bool {
    let throttled = error.status() == Some(StatusCode::TOO_MANY_REQUESTS);
    let is_short = error.retry_after().is_none_or(|pause| pause <= PATIENCE);
    throttled && is_short && job.repeats < REPEATS && !job.request.is_repeatable()
}

/// How long nothing is asked after an error: as long as Graph says, or for a moment if it has
/// a fault or is too busy.
fn pause_after(error: &GraphError) -> Option<Duration> {
    let faulty = error
        .status()
        .is_some_and(|status| status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS);
    error.retry_after().or(faulty.then_some(FAULT_PAUSE))
}

fn work_request(id: &CallId, work: Command) -> Result<Request, CommandError> {
    Ok(match work {
        Command::Mute => Request::Operation(request::mute(id, None)?),
        Command::Unmute => Request::Operation(request::unmute(id, None)?),
        Command::SubscribeToTone => Request::Operation(request::subscribe_to_tone(id, None)?),
        Command::PlayPrompt(prompts) => Request::Operation(request::play_prompt(id, &prompts)?),
        Command::Operation(request) => Request::Operation(request),
        Command::Action(request) => Request::Plain(request),
        other => return Err(CommandError::OtherCall(other.name())),
    })
}

/// The request's `clientContext`, added if there is none: by it a result is recognised that
/// comes before the operation's id is known.
fn mark(request: &mut GraphRequest<CommsOperation>, command: CommandId) -> String {
    let body = request.body.get_or_insert_with(|| json!({}));
    let own = body.get("clientContext").and_then(Value::as_str);
    let context = own.map_or_else(|| format!("command-{}", command.0), str::to_owned);
    if let Some(members) = body.as_object_mut() {
        members.insert("clientContext".to_owned(), json!(context));
    }
    context
}

//! A model of Graph for one call: it keeps the truth, and says what it would notify.

use std::collections::BTreeMap;
use std::time::Duration;

use switchboard_signaling::call::{Request, Response};
use switchboard_signaling::error::{ApiError, GraphError};
use switchboard_signaling::notification::Notification;
use switchboard_signaling::types::{
    Call, CallState, ChangeType, CommsOperation, NotifiedResource, OperationStatus, Participant,
    ResultInfo, Tone, ToneInfo,
};

use crate::tape::Tape;

pub(crate) const CALL: &str = "57dab8b1-894c-409a-b240-bd8beae78896";

/// What Graph does by itself after a while.
#[derive(Debug, Clone)]
pub(crate) enum Later {
    /// The call comes to this state, unless it is over.
    State(CallState, Option<i32>),
    /// Nobody has answered: the call goes elsewhere.
    Missed,
    /// The operation ends, if the call goes on.
    Operation(String, OperationStatus),
}

pub(crate) type Answer = Result<Response, GraphError>;

pub(crate) struct Graph {
    pub(crate) state: CallState,
    pub(crate) created: bool,
    pub(crate) answers: u32,
    pub(crate) operations: BTreeMap<String, CommsOperation>,
    pub(crate) last_contact: Duration,
    tone: i64,
    roster: i64,
    /// What is to happen, relative to now.
    pub(crate) later: Vec<(Duration, Later)>,
    /// What is to be notified.
    pub(crate) notifications: Vec<Notification>,
}

impl Graph {
    pub(crate) fn new(state: CallState) -> Self {
        Self {
            created: state == CallState::Incoming,
            state,
            answers: 0,
            operations: BTreeMap::new(),
            last_contact: Duration::ZERO,
            tone: 0,
            roster: 0,
            later: Vec::new(),
            notifications: Vec::new(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state == CallState::Terminated
    }

    fn is_connected(&self) -> bool {
        matches!(self.state, CallState::Established | CallState::Hold)
    }

    pub(crate) fn handle(&mut self, at: Duration, request: &Request, tape: &mut Tape) -> Answer {
        let operation = request.operation();
        if operation == "create call" {
            return self.create();
        }
        if self.is_over() || !self.created {
            return refused(operation, 404, None);
        }
        match operation {
            "get call" => Ok(Response::Call(Box::new(self.call()))),
            "call: answer" => self.answer(tape),
            "call: reject" => self.leave_incoming(operation, CallState::Terminated),
            "call: redirect" => self.leave_incoming(operation, CallState::Redirecting),
            "call: transfer" => self.transfer(tape),
            "call: keepAlive" => {
                self.last_contact = at;
                Ok(Response::Plain)
            }
            "delete call" => {
                self.enter(CallState::Terminated, None);
                Ok(Response::Plain)
            }
            "get commsOperation" => self.read_operation(request),
            _ => self.start_operation(request, tape),
        }
    }

    pub(crate) fn happen(&mut self, later: Later) {
        match later {
            Later::State(state, code) if !self.is_over() => {
                if state == CallState::Established && self.state == CallState::Establishing {
                    self.notify_roster();
                }
                self.enter(state, code);
            }
            Later::Missed if self.state == CallState::Incoming => {
                self.enter(CallState::Terminated, Some(408));
            }
            Later::Operation(id, status) if !self.is_over() => {
                if let Some(operation) = self.operations.get_mut(&id) {
                    operation.status = Some(status);
                    let operation = Box::new(operation.clone());
                    self.notify(NotifiedResource::Operation(operation));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn press(&mut self) {
        if !self.is_connected() {
            return;
        }
        self.tone += 1;
        let info = ToneInfo {
            sequence_id: Some(self.tone),
            tone: Some(Tone::KNOWN[(self.tone % 16) as usize].clone()),
            ..ToneInfo::default()
        };
        let call = Call {
            tone_info: Some(info),
            ..self.call()
        };
        self.notify(NotifiedResource::Call(Box::new(call)));
    }

    pub(crate) fn notify_roster(&mut self) {
        if self.is_over() {
            return;
        }
        self.roster += 1;
        let people = (0..=self.roster % 3).map(|id| Participant {
            id: Some(format!("p{}", id + self.roster)),
            roster_sequence_number: Some(self.roster),
            ..Participant::default()
        });
        self.notify(NotifiedResource::Participants(people.collect()));
    }

    fn call(&self) -> Call {
        Call {
            id: Some(CALL.to_owned()),
            state: Some(self.state.clone()),
            ..Call::default()
        }
    }

    fn enter(&mut self, state: CallState, code: Option<i32>) {
        if self.state == state {
            return;
        }
        self.state = state;
        let result = code.map(|code| ResultInfo {
            code: Some(code),
            ..ResultInfo::default()
        });
        let call = Call {
            result_info: result,
            ..self.call()
        };
        self.notify(NotifiedResource::Call(Box::new(call)));
    }

    fn notify(&mut self, resource: NotifiedResource) {
        let id = CALL.parse().unwrap();
        let one = Notification::new(id, ChangeType::Updated, resource);
        self.notifications.push(one);
    }

    fn create(&mut self) -> Answer {
        assert!(!self.created, "the machine created a second call");
        self.created = true;
        self.state = CallState::Establishing;
        self.then(500, CallState::Established);
        Ok(Response::Call(Box::new(self.call())))
    }

    fn answer(&mut self, tape: &mut Tape) -> Answer {
        if self.state != CallState::Incoming {
            return refused("call: answer", 400, None);
        }
        self.answers += 1;
        self.enter(CallState::Establishing, None);
        let outcome = match tape.chance(20) {
            false => CallState::Established,
            true => CallState::Terminated,
        };
        self.then(300, outcome);
        Ok(Response::Plain)
    }

    fn leave_incoming(&mut self, operation: &'static str, state: CallState) -> Answer {
        if self.state != CallState::Incoming {
            return refused(operation, 400, None);
        }
        self.enter(state, None);
        self.then(200, CallState::Terminated);
        Ok(Response::Plain)
    }

    fn transfer(&mut self, tape: &mut Tape) -> Answer {
        if !self.is_connected() {
            return refused("call: transfer", 409, None);
        }
        match tape.next() % 3 {
            0 => {
                self.then(100, CallState::Transferring);
                self.then(900, CallState::TransferAccepted);
                self.then(1_500, CallState::Terminated);
            }
            1 => {
                self.then(100, CallState::Transferring);
                let failed = Later::State(CallState::Established, Some(500));
                self.later.push((Duration::from_millis(1_500), failed));
            }
            // Accepted and forgotten.
            _ => {}
        }
        Ok(Response::Plain)
    }

    fn start_operation(&mut self, request: &Request, tape: &mut Tape) -> Answer {
        let Request::Operation(request) = request else {
            panic!("no model of {}", request.operation());
        };
        if !self.is_connected() {
            return refused(request.operation, 409, None);
        }
        let context = request.body.as_ref().unwrap()["clientContext"].as_str();
        let id = format!("operation-{}", self.operations.len());
        let (now, then) = match tape.next() % 4 {
            0 => (OperationStatus::Completed, None),
            1 => (OperationStatus::Running, Some(OperationStatus::Completed)),
            2 => (OperationStatus::NotStarted, Some(OperationStatus::Failed)),
            _ => (OperationStatus::Failed, None),
        };
        let operation = CommsOperation {
            id: Some(id.clone()),
            client_context: context.map(str::to_owned),
            status: Some(now),
            ..CommsOperation::default()
        };
        if let Some(status) = then {
            let end = Later::Operation(id.clone(), status);
            self.later.push((tape.delay(), end));
        }
        self.operations.insert(id, operation.clone());
        Ok(Response::Operation(Box::new(operation)))
    }

    fn read_operation(&self, request: &Request) -> Answer {
        let id = request.path().rsplit('/').next().unwrap();
        match self.operations.get(id) {
            Some(operation) => Ok(Response::Operation(Box::new(operation.clone()))),
            None => refused("get commsOperation", 404, None),
        }
    }

    fn then(&mut self, milliseconds: u64, state: CallState) {
        let after = Duration::from_millis(milliseconds);
        self.later.push((after, Later::State(state, None)));
    }
}

pub(crate) fn refused(operation: &'static str, status: u16, retry_after: Option<u64>) -> Answer {
    let error = ApiError {
        operation,
        status: http::StatusCode::from_u16(status).unwrap(),
        code: "model".to_owned(),
        message: String::new(),
        request_id: None,
        client_request_id: None,
        retry_after: retry_after.map(Duration::from_secs),
    };
    Err(Box::new(error).into())
}

//! A machine with its clock, for tests: what it asks for and tells.
#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value)]

use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::call::{Cause, Failure, Termination};
use crate::error::{ApiError, GraphError};
use crate::types::{
    AnswerRequest, AppHostedMediaConfig, Call, CommsOperation, Identity, IdentitySet,
    InvitationParticipantInfo, Modality, TransferRequest,
};

pub(super) const CALL: &str = "57DAB8B1894C409AB240BD8BEAE78896";

/// A machine, its clock, and what it has asked and told so far.
pub(super) struct Bench {
    pub(super) machine: CallMachine,
    pub(super) now: Instant,
}

impl Bench {
    pub(super) fn incoming() -> Self {
        // Checks of calls that merely go on have a test of their own.
        Self::checked_every(Duration::from_secs(24 * 60 * 60))
    }

    pub(super) fn checked_every(check_every: Duration) -> Self {
        let now = Instant::now();
        let config = CallConfig {
            check_every,
            ..CallConfig::default()
        };
        let machine = CallMachine::incoming(now, CALL.parse().unwrap(), config);
        Self { machine, now }
    }

    pub(super) fn established() -> Self {
        let mut bench = Self::incoming();
        bench.establish();
        bench
    }

    pub(super) fn establish(&mut self) {
        let answer = self.answer();
        self.reply(answer, Ok(Response::Plain));
        self.tell("established");
        self.events();
    }

    pub(super) fn answer(&mut self) -> RequestId {
        self.command(Command::Answer(answer())).unwrap();
        self.request("call: answer")
    }

    pub(super) fn command(&mut self, command: Command) -> Result<CommandId, CommandError> {
        self.machine.command(self.now, command)
    }

    pub(super) fn tell(&mut self, state: &str) {
        self.notify(json!({"@odata.type": "#microsoft.graph.call", "state": state}));
    }

    pub(super) fn notify(&mut self, data: serde_json::Value) {
        let path = format!("/communications/calls/{CALL}");
        let item = json!({"resourceUrl": path, "resourceData": data});
        let body = json!({"value": [item]}).to_string();
        let payload = crate::notification::parse(body.as_bytes()).unwrap();
        let crate::notification::Payload::Notifications(batch) = payload else {
            panic!()
        };
        for notification in &batch.notifications {
            self.machine.handle_notification(self.now, notification);
        }
    }

    pub(super) fn reply(&mut self, id: RequestId, outcome: Result<Response, GraphError>) {
        self.machine.handle_response(self.now, id, outcome);
    }

    /// The only request waiting, which must be this one.
    pub(super) fn request(&mut self, operation: &str) -> RequestId {
        let requests: Vec<_> = std::iter::from_fn(|| self.machine.poll_request()).collect();
        let names: Vec<_> = requests
            .iter()
            .map(|(_, request)| request.operation())
            .collect();
        assert_eq!(names, [operation]);
        requests[0].0
    }

    pub(super) fn no_request(&mut self) {
        assert_eq!(self.machine.poll_request(), None);
    }

    pub(super) fn events(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.machine.poll_event())
            .map(|event| describe(&event))
            .collect()
    }

    /// Lets time pass, with all time-outs on the way, up to the first request.
    pub(super) fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(due) = self.machine.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.machine.handle_timeout(self.now);
            if !self.machine.requests.is_empty() {
                return;
            }
        }
        self.now = end;
    }

    pub(super) fn read(&mut self, state: &str) {
        let id = self.request("get call");
        let call = Call {
            id: Some(CALL.to_owned()),
            state: Some(state.into()),
            ..Call::default()
        };
        self.reply(id, Ok(Response::Call(Box::new(call))));
    }
}

pub(super) fn describe(event: &CallEvent) -> String {
    match event {
        CallEvent::Created(_) => "created".to_owned(),
        CallEvent::StateChanged(state) => state.to_string(),
        CallEvent::Accepted(id) => format!("accepted {}", id.0),
        CallEvent::OperationCompleted { command, .. } => format!("completed {}", command.0),
        CallEvent::CommandFailed { command, failure } => {
            format!("failed {}: {}", command.0, cause(failure))
        }
        CallEvent::Doubted(id) => format!("doubted {}", id.0),
        CallEvent::TransferFailed { failure, .. } => format!("transfer failed: {}", cause(failure)),
        CallEvent::Muted(muted) => format!("muted {muted}"),
        CallEvent::Tone(tone) => format!("tone {}", tone.to_char().unwrap()),
        CallEvent::RosterChanged(change) => format!("joined {}", change.joined.len()),
        CallEvent::Terminated(how) => ended(how),
    }
}

pub(super) fn cause(failure: &Failure) -> &'static str {
    match failure {
        Failure::Refused(_) => "refused",
        Failure::Failed(_) => "failed",
        Failure::Lost => "lost",
        Failure::CallEnded => "call ended",
    }
}

pub(super) fn ended(how: &Termination) -> String {
    let cause = match how.cause {
        Cause::Graph => "graph",
        Cause::Gone => "gone",
        Cause::HungUp => "hung up",
        Cause::NotAnswered => "not answered",
        Cause::NotCreated(_) => "not created",
        Cause::Unconfirmed => "unconfirmed",
    };
    format!("terminated: {cause}")
}

pub(super) fn answer() -> AnswerRequest {
    AnswerRequest {
        callback_uri: Some("https://bot.example/calls".to_owned()),
        media_config: Some(AppHostedMediaConfig::new("blob").into()),
        accepted_modalities: Some(vec![Modality::Audio]),
        ..AnswerRequest::default()
    }
}

pub(super) fn transfer() -> Command {
    let user = IdentitySet {
        user: Some(Identity::new("550fae72-d251-43ec-868c-373732c2704f")),
        ..IdentitySet::default()
    };
    let target = InvitationParticipantInfo {
        identity: Some(user),
        ..InvitationParticipantInfo::default()
    };
    Command::Transfer(Box::new(TransferRequest {
        transfer_target: Some(target),
        ..TransferRequest::default()
    }))
}

pub(super) fn status(status: u16) -> Result<Response, GraphError> {
    throttled(status, None)
}

pub(super) fn throttled(status: u16, seconds: Option<u64>) -> Result<Response, GraphError> {
    Err(Box::new(ApiError {
        operation: "test",
        status: http::StatusCode::from_u16(status).unwrap(),
        code: "x".to_owned(),
        message: "x".to_owned(),
        request_id: None,
        client_request_id: None,
        retry_after: seconds.map(Duration::from_secs),
    })
    .into())
}

pub(super) fn timed_out() -> Result<Response, GraphError> {
    Err(GraphError::TimedOut {
        operation: "test",
        limit: Duration::from_secs(6),
    })
}

pub(super) fn unconnected() -> Result<Response, GraphError> {
    Err(GraphError::Connect {
        operation: "test",
        cause: "refused".to_owned(),
    })
}

pub(super) fn operation(id: &str, context: &str, status: &str) -> serde_json::Value {
    json!({
        "@odata.type": "#microsoft.graph.muteParticipantOperation",
        "id": id, "clientContext": context, "status": status,
    })
}

pub(super) fn operation_reply(
    id: &str,
    context: &str,
    status: &str,
) -> Result<Response, GraphError> {
    let operation: CommsOperation = serde_json::from_value(operation(id, context, status)).unwrap();
    Ok(Response::Operation(Box::new(operation)))
}

pub(super) fn outgoing() -> Bench {
    let user = IdentitySet {
        user: Some(Identity::new("550fae72-d251-43ec-868c-373732c2704f")),
        ..IdentitySet::default()
    };
    let target = InvitationParticipantInfo {
        identity: Some(user),
        ..InvitationParticipantInfo::default()
    };
    let call = Call {
        callback_uri: Some("https://bot.example/calls".to_owned()),
        targets: Some(vec![target]),
        requested_modalities: Some(vec![Modality::Audio]),
        media_config: Some(AppHostedMediaConfig::new("blob").into()),
        tenant_id: Some("1fdd12d0-4620-44ed-baec-459b611f84b2".to_owned()),
        ..Call::default()
    };
    let now = Instant::now();
    let machine = CallMachine::outgoing(now, &call, CallConfig::default()).unwrap();
    Bench { machine, now }
}

pub(super) fn created(state: &str) -> Result<Response, GraphError> {
    Ok(Response::Call(Box::new(Call {
        id: Some(CALL.to_owned()),
        state: Some(state.into()),
        ..Call::default()
    })))
}

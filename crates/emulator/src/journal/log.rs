//! The journal as lines of a scenario's log.

use super::{Entry, What};
use crate::timeline::CallProgress;

/// Where a notification has the id of the operation that it tells of.
const TOLD_OPERATION: &str = "/value/0/resourceData/id";

/// An entry in a scenario's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    /// The call; empty if there was none.
    pub(crate) call: String,
    /// What happened.
    pub(crate) line: String,
    /// The call is over by that.
    pub(crate) is_end: bool,
    /// The call is part of a room, where several people act.
    pub(crate) shared: bool,
    /// What it is in order with, whoever else acts at the same time.
    pub(crate) stream: Stream,
    /// The operation that a request began, or that a notification tells of.
    pub(crate) operation: Option<String>,
}

/// What comes one after the other in a call; in the order in which a log has the streams.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stream {
    /// The call's states.
    State,
    /// What bots are told of them.
    StateNotification,
    /// Requests, by operation.
    Request(String),
    /// What bots are told besides, by what it is about.
    Notification(String),
    /// Prompts.
    Prompt,
}

impl Entry {
    /// The entry in a scenario's log, of a call that may be shared.
    pub(super) fn logged(&self) -> Logged {
        let ended = CallProgress::Terminated;
        Logged {
            call: self.call.clone(),
            line: self.line(),
            is_end: matches!(self.what, What::State { state, .. } if state == ended),
            shared: false,
            stream: self.stream(),
            operation: self.operation(),
        }
    }

    fn operation(&self) -> Option<String> {
        let id = match &self.what {
            What::Request { response, .. } => response.as_ref()?.get("id"),
            What::Notification {
                notification,
                request,
                ..
            } if notification == "operation" => request.as_ref()?.pointer(TOLD_OPERATION),
            _ => None,
        };
        id?.as_str().map(str::to_owned)
    }

    fn stream(&self) -> Stream {
        match &self.what {
            What::State { .. } => Stream::State,
            What::Request { operation, .. } => Stream::Request(operation.clone()),
            What::Notification { notification, .. } => match notification.as_str() {
                "incoming" | "establishing" | "established" | "transferring" | "terminated" => {
                    Stream::StateNotification
                }
                about => Stream::Notification(about.to_owned()),
            },
            What::Prompt { .. } => Stream::Prompt,
        }
    }

    /// The entry as a line of a scenario's log: what happened, without times and ids,
    /// so that the same scenario gives the same lines.
    pub(super) fn line(&self) -> String {
        match &self.what {
            What::Request {
                operation, status, ..
            } => format!("request {operation} {}", known(*status)),
            What::Notification {
                notification,
                status,
                attempts,
                ..
            } => format!("notification {notification} {} x{attempts}", known(*status)),
            What::State { state, code } => {
                let code = code.map(|code| format!(" {code}")).unwrap_or_default();
                format!("call {}{code}", lowercase(state))
            }
            What::Prompt { state, .. } => format!("prompt {}", lowercase(state)),
        }
    }
}

fn lowercase(state: &impl std::fmt::Debug) -> String {
    format!("{state:?}").to_lowercase()
}

fn known(status: Option<u16>) -> String {
    status.map_or_else(|| "none".to_owned(), |status| status.to_string())
}

//! The shell around the machine: sends its requests, keeps its time.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the shell around the machine"
)]

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::command::{Command, CommandError, CommandId};
use super::event::CallEvent;
use super::exchange::{Request, RequestId, Response};
use super::machine::CallMachine;
use crate::client::GraphClient;
use crate::clock::now;
use crate::error::GraphError;
use crate::notification::Notification;
use crate::spans;

/// Runs one call: notifications in, requests to Graph, events out.
///
/// ```no_run
/// # use switchboard_signaling::call::{CallConfig, CallDriver, CallEvent, CallMachine, Command};
/// # use switchboard_signaling::{client::GraphClient, notification::Notification, types::*};
/// # async fn run(
/// #     id: CallId,
/// #     client: GraphClient,
/// #     notifications: tokio::sync::mpsc::Receiver<Notification>,
/// #     answer: AnswerRequest,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let now = std::time::Instant::now();
/// let machine = CallMachine::incoming(now, id, CallConfig::default());
/// let mut call = CallDriver::new(machine, client, notifications);
/// call.command(Command::Answer(answer))?;
/// while let Some(event) = call.next_event().await {
///     if let CallEvent::StateChanged(CallState::Established) = event {
///         call.command(Command::HangUp)?;
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// Dropping it abandons requests under way, and the call if it isn't over: hang up first, and
/// read events to their end.
#[derive(Debug)]
pub struct CallDriver {
    machine: CallMachine,
    client: GraphClient,
    notifications: mpsc::Receiver<Notification>,
    open: bool,
    requests: JoinSet<(RequestId, Result<Response, GraphError>)>,
}

enum Wakeup {
    Notification(Option<Notification>),
    Response(RequestId, Result<Response, GraphError>),
    Timeout,
    Nothing,
}

impl CallDriver {
    /// Runs `machine` with `client`; `notifications` are those of this call.
    pub fn new(
        machine: CallMachine,
        client: GraphClient,
        notifications: mpsc::Receiver<Notification>,
    ) -> Self {
        Self {
            machine,
            client,
            notifications,
            open: true,
            requests: JoinSet::new(),
        }
    }

    /// The machine, to be asked for state, id and roster.
    pub fn machine(&self) -> &CallMachine {
        &self.machine
    }

    /// Tells the machine what the application wants; its request leaves at once.
    ///
    /// # Errors
    /// [`CommandError`]; then nothing is sent and no event follows.
    pub fn command(&mut self, command: Command) -> Result<CommandId, CommandError> {
        let id = self.machine.command(now(), command)?;
        self.send();
        Ok(id)
    }

    /// The next event; `None` after [`CallEvent::Terminated`].
    ///
    /// Cancel-safe: nothing is lost if the future is dropped before it is ready.
    pub async fn next_event(&mut self) -> Option<CallEvent> {
        loop {
            self.send();
            if let Some(event) = self.machine.poll_event() {
                return Some(event);
            }
            if self.machine.is_terminated() {
                return None;
            }
            let wakeup = self.wait().await;
            self.handle(wakeup);
        }
    }

    async fn wait(&mut self) -> Wakeup {
        let timeout = self.machine.poll_timeout();
        let until = timeout.unwrap_or_else(now).into();
        // What is rare comes first, so that no flood keeps it waiting; and a simulation runs
        // the same way twice.
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(until), if timeout.is_some() => Wakeup::Timeout,
            Some(joined) = self.requests.join_next() => match joined {
                Ok((id, outcome)) => Wakeup::Response(id, outcome),
                // The machine's own deadline finds the request unanswered.
                Err(_) => Wakeup::Nothing,
            },
            notification = self.notifications.recv(), if self.open => {
                Wakeup::Notification(notification)
            }
            else => std::future::pending().await,
        }
    }

    fn handle(&mut self, wakeup: Wakeup) {
        match wakeup {
            Wakeup::Notification(Some(notification)) => {
                let _span = spans::notification(&notification).entered();
                self.machine.handle_notification(now(), &notification);
            }
            Wakeup::Notification(None) => self.open = false,
            Wakeup::Response(id, outcome) => self.machine.handle_response(now(), id, outcome),
            Wakeup::Timeout => self.machine.handle_timeout(now()),
            Wakeup::Nothing => {}
        }
    }

    /// Requests run in tasks of their own, so that they go on while nobody waits for events.
    fn send(&mut self) {
        while let Some((id, request)) = self.machine.poll_request() {
            let client = self.client.clone();
            let exchange = async move { (id, execute(&client, request).await) };
            self.requests.spawn(exchange.in_current_span());
        }
    }
}

async fn execute(client: &GraphClient, request: Request) -> Result<Response, GraphError> {
    Ok(match request {
        Request::Call(request) => Response::Call(Box::new(client.send(&request).await?)),
        Request::Operation(request) => Response::Operation(Box::new(client.send(&request).await?)),
        Request::Plain(request) => {
            client.send(&request).await?;
            Response::Plain
        }
    })
}

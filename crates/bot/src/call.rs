//! One call's own task: the call machine, the media session and the conversation
//! meet here, and nowhere else.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard_nlp::Reply;
use switchboard_signaling::call::{
    CallConfig, CallDriver, CallEvent, CallMachine, Command, CommandError, Termination,
};
use switchboard_signaling::notification::Notification;
use switchboard_signaling::types::{
    AnswerRequest, AppHostedMediaConfig, CallId, CallState, Identity, IdentitySet,
    InvitationParticipantInfo, Modality, TransferRequest,
};
use switchboard_transport::whip::Reservation;
use switchboard_transport::{Session, SessionEvent};
use tokio::sync::{mpsc, watch};

use crate::bot::Shared;
use crate::conversation::{Conversation, Wish};

/// A call may be without media for so long: before the first offer, and after a
/// session was lost. Then it is read, and ended if that doesn't help.
const WITHOUT_MEDIA: Duration = Duration::from_secs(20);

/// Answers a call, talks, and stays until it is over.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    id: CallId,
    notifications: mpsc::Receiver<Notification>,
) {
    let mut task = Task::new(shared, id.clone(), notifications);
    let ended = task.answer_and_talk().await;
    match ended {
        Some(end) => {
            tracing::info!(call = %id, cause = ?end.cause, code = end.code, subcode = end.subcode, "the call is over");
        }
        None => tracing::warn!(call = %id, "the call was let go of"),
    }
}

struct Task<'a> {
    shared: &'a Shared,
    id: CallId,
    driver: CallDriver,
    /// Kept until the caller's media has come in.
    reservation: Option<Reservation>,
    session: Option<Session>,
    conversation: Conversation,
    /// When to do something about missing media.
    without_media_until: Option<Instant>,
}

/// What woke the task.
enum Woken {
    Call(Option<CallEvent>),
    Offered(Option<Session>),
    Media(Option<SessionEvent>),
    Engine(Reply),
    Due,
    WithoutMedia,
    Stopping,
}

impl<'a> Task<'a> {
    fn new(shared: &'a Shared, id: CallId, notifications: mpsc::Receiver<Notification>) -> Self {
        let now = Instant::now();
        let machine = CallMachine::incoming(now, id.clone(), CallConfig::default());
        Self {
            driver: CallDriver::new(machine, shared.graph.clone(), notifications),
            reservation: Some(shared.whip.reserve()),
            session: None,
            conversation: Conversation::new(
                id.to_string(),
                (shared.engines)(),
                Arc::clone(&shared.prompts),
                Arc::clone(&shared.observer),
            ),
            without_media_until: Some(now + WITHOUT_MEDIA),
            shared,
            id,
        }
    }

    async fn answer_and_talk(&mut self) -> Option<Box<Termination>> {
        self.answer();
        let mut stopping = self.shared.stopping.clone();
        loop {
            match self.next(&mut stopping).await {
                Woken::Call(Some(CallEvent::Terminated(end))) => return Some(end),
                Woken::Call(Some(event)) => self.call_event(event),
                Woken::Call(None) => return None,
                Woken::Offered(session) => self.offered(session),
                Woken::Media(event) => self.media_event(event),
                Woken::Engine(reply) => {
                    self.converse(|talk, now, session| talk.reply(now, &reply, session));
                }
                Woken::Due => self.converse(Conversation::timeout),
                Woken::WithoutMedia => self.miss_media(),
                Woken::Stopping => self.order(Command::HangUp),
            }
        }
    }

    async fn next(&mut self, stopping: &mut watch::Receiver<bool>) -> Woken {
        let (due, talking) = (self.conversation.poll_timeout(), self.session.is_some());
        let talk = &mut self.conversation;
        // Digits must not wait behind a flood of notifications, nor these behind audio.
        tokio::select! {
            event = self.driver.next_event() => Woken::Call(event),
            session = offered(self.reservation.as_mut()) => Woken::Offered(session),
            event = media(self.session.as_mut()) => Woken::Media(event),
            reply = poll_fn(|context| talk.poll_reply(context)), if talking => Woken::Engine(reply),
            () = at(due), if talking => Woken::Due,
            () = at(self.without_media_until) => Woken::WithoutMedia,
            Ok(()) = stopping.changed() => Woken::Stopping,
        }
    }

    fn answer(&mut self) {
        let Some(reservation) = &self.reservation else {
            return;
        };
        let media = AppHostedMediaConfig::new(reservation.blob().to_wire());
        self.order(Command::Answer(AnswerRequest {
            callback_uri: Some(self.shared.callback.to_string()),
            media_config: Some(media.into()),
            accepted_modalities: Some(vec![Modality::Audio]),
            ..AnswerRequest::default()
        }));
    }

    fn call_event(&mut self, event: CallEvent) {
        match event {
            CallEvent::TransferFailed { .. } => self.converse(Conversation::transfer_failed),
            CallEvent::CommandFailed { failure, .. } => {
                tracing::warn!(call = %self.id, ?failure, "a command failed");
            }
            CallEvent::StateChanged(state) => {
                tracing::debug!(call = %self.id, %state, "the call moved on");
                if state == CallState::TransferAccepted {
                    // The caller's audio goes elsewhere from now on.
                    self.without_media_until = None;
                }
            }
            _ => {}
        }
    }

    fn offered(&mut self, session: Option<Session>) {
        self.reservation = None;
        self.session = session;
    }

    fn media_event(&mut self, event: Option<SessionEvent>) {
        match event {
            Some(SessionEvent::Connected) => {
                self.without_media_until = None;
                self.converse(Conversation::connected);
            }
            Some(SessionEvent::Media(event)) => {
                self.converse(|talk, now, session| talk.media(now, event, session));
            }
            Some(SessionEvent::Closed(_)) | None => {
                self.session = None;
                self.without_media_until = Some(Instant::now() + WITHOUT_MEDIA);
                self.order(Command::Check);
            }
        }
    }

    /// Nobody is there to be heard: the caller vanished, or never came.
    fn miss_media(&mut self) {
        self.without_media_until = None;
        tracing::warn!(call = %self.id, "no media for {} s, hanging up", WITHOUT_MEDIA.as_secs());
        self.order(Command::HangUp);
    }

    fn converse(
        &mut self,
        step: impl FnOnce(&mut Conversation, Instant, &mut Session) -> Option<Wish>,
    ) {
        let Some(session) = &mut self.session else {
            return;
        };
        match step(&mut self.conversation, Instant::now(), session) {
            Some(Wish::Transfer) => self.order(Command::Transfer(Box::new(self.to_the_agent()))),
            Some(Wish::HangUp) => self.order(Command::HangUp),
            None => {}
        }
    }

    fn to_the_agent(&self) -> TransferRequest {
        let agent = IdentitySet::user(Identity::new(self.shared.agent.clone()));
        TransferRequest {
            transfer_target: Some(InvitationParticipantInfo {
                identity: Some(agent),
                ..InvitationParticipantInfo::default()
            }),
            ..TransferRequest::default()
        }
    }

    fn order(&mut self, command: Command) {
        let transfer = matches!(command, Command::Transfer(_));
        match self.driver.command(command) {
            // A call that is ending needs no further orders.
            Ok(_) | Err(CommandError::Ended(_)) => {}
            Err(error) => {
                tracing::warn!(call = %self.id, %error, "an order was not taken");
                if transfer {
                    self.converse(Conversation::transfer_failed);
                }
            }
        }
    }
}

async fn offered(reservation: Option<&mut Reservation>) -> Option<Session> {
    match reservation {
        Some(reservation) => reservation.session().await,
        None => std::future::pending().await,
    }
}

async fn media(session: Option<&mut Session>) -> Option<SessionEvent> {
    match session {
        Some(session) => session.event().await,
        None => std::future::pending().await,
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

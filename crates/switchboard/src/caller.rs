//! A caller without a browser: plays a WAV into the call over real WebRTC.

use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard_emulator::{Phone, PhoneCommand, PhoneEvent};
use switchboard_media::event::MediaEvent;
use switchboard_media::prompt::Prompt;
use switchboard_transport::{Offer, Session, SessionEvent, Transport, TransportError};

/// Louder than this is the bot speaking.
const VOICE_DBOV: f32 = -50.0;
/// After its recording the caller waits for this much silence before hanging up,
const POLITE_SILENCE: Duration = Duration::from_secs(3);
/// but not for ever.
const PATIENCE: Duration = Duration::from_secs(30);
/// A call that is not answered by then never will be.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How a call went, as the caller saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Graph's result code; 200 or 0 is a normal end.
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) answered: bool,
    pub(crate) heard_the_bot: bool,
}

/// Why the call was not completed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallerError {
    #[error("the call could not be offered")]
    Transport(#[from] TransportError),
    #[error("the emulator went away during the call")]
    EmulatorGone,
    #[error("the call was refused: {0}")]
    Refused(String),
    #[error("nobody answered within {} s", ANSWER_LIMIT.as_secs())]
    Unanswered,
}

/// One virtual caller in one call.
pub(crate) struct Caller {
    phone: Phone,
    transport: Transport,
    recording: Arc<Prompt>,
    offer: Option<Offer>,
    session: Option<Session>,
    call: Option<String>,
    spoken: bool,
    last_voice: Instant,
    finished_at: Option<Instant>,
    outcome: Outcome,
}

impl Caller {
    pub(crate) fn new(phone: Phone, transport: Transport, recording: Arc<Prompt>) -> Self {
        Self {
            phone,
            transport,
            recording,
            offer: None,
            session: None,
            call: None,
            spoken: false,
            last_voice: Instant::now(),
            finished_at: None,
            outcome: Outcome {
                code: 0,
                message: String::new(),
                answered: false,
                heard_the_bot: false,
            },
        }
    }

    /// Dials the bot, plays the recording, and stays until the call has ended.
    pub(crate) async fn call(mut self) -> Result<Outcome, CallerError> {
        let (offer, sdp) = self.transport.offer().await?;
        self.offer = Some(offer);
        self.command(PhoneCommand::Dial {
            target: "bot".to_owned(),
            sdp,
        })
        .await?;
        let unanswered = tokio::time::sleep(ANSWER_LIMIT);
        tokio::pin!(unanswered);
        loop {
            let leave = self.leave_at();
            tokio::select! {
                event = self.phone.events.recv() => {
                    let event = event.ok_or(CallerError::EmulatorGone)?;
                    if self.phone_event(event).await? {
                        return Ok(self.outcome);
                    }
                }
                event = session_event(self.session.as_mut()) => self.session_event(event),
                () = tokio::time::sleep_until(leave.into()), if self.finished_at.is_some() => {
                    self.finished_at = None;
                    self.hang_up().await?;
                }
                () = &mut unanswered, if !self.outcome.answered => {
                    return Err(CallerError::Unanswered);
                }
            }
        }
    }

    /// When to hang up, if the bot doesn't: once it has been silent for a while.
    fn leave_at(&self) -> Instant {
        let finished = self.finished_at.unwrap_or_else(Instant::now);
        let silence = self.last_voice.max(finished) + POLITE_SILENCE;
        silence.min(finished + PATIENCE)
    }

    /// Takes one event of the phone; `true` when the call has ended.
    async fn phone_event(&mut self, event: PhoneEvent) -> Result<bool, CallerError> {
        match event {
            PhoneEvent::Dialing { call } => self.call = Some(call),
            PhoneEvent::Answer { sdp, .. } => {
                if let Some(offer) = self.offer.take() {
                    self.session = Some(offer.accept(&sdp).await?);
                    self.outcome.answered = true;
                }
            }
            PhoneEvent::Renegotiate { call } => {
                let (offer, sdp) = self.transport.offer().await?;
                self.offer = Some(offer);
                self.command(PhoneCommand::Offer { call, sdp }).await?;
            }
            PhoneEvent::Ended { reason, .. } => {
                self.outcome.code = reason.code;
                self.outcome.message = reason.message;
                return Ok(true);
            }
            PhoneEvent::Error { message, .. } => return Err(CallerError::Refused(message)),
            _ => {}
        }
        Ok(false)
    }

    fn session_event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Connected => {
                if let Some(session) = &mut self.session
                    && !self.spoken
                {
                    self.spoken = session.play(Arc::clone(&self.recording)).is_ok();
                }
            }
            SessionEvent::Media(MediaEvent::Level { dbov, .. }) if dbov > VOICE_DBOV => {
                self.last_voice = Instant::now();
                self.outcome.heard_the_bot = true;
            }
            SessionEvent::Media(MediaEvent::PlayFinished { .. }) => {
                self.finished_at = Some(Instant::now());
            }
            SessionEvent::Media(_) | SessionEvent::Speaker { .. } => {}
            SessionEvent::Closed(_) => self.session = None,
        }
    }

    async fn hang_up(&mut self) -> Result<(), CallerError> {
        match self.call.clone() {
            Some(call) => self.command(PhoneCommand::Hangup { call }).await,
            None => Ok(()),
        }
    }

    async fn command(&mut self, command: PhoneCommand) -> Result<(), CallerError> {
        let sent = self.phone.commands.send(command).await;
        sent.map_err(|_| CallerError::EmulatorGone)
    }
}

/// The next event of a session; waits for ever while there is none.
async fn session_event(session: Option<&mut Session>) -> SessionEvent {
    match session {
        Some(session) => match session.event().await {
            Some(event) => event,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

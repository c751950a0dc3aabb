//! A person at a phone, for tests: dials, waits for what the bot says, presses keys.

use std::sync::Arc;
use std::time::Duration;

use switchboard_emulator::{
    Emulator, EndReason, IncomingReason, Phone, PhoneCommand, PhoneEvent, PhoneRole, PromptState,
    TimelineEvent,
};
use switchboard_media::engine::{LIVE_FRAME, LiveAudio};
use switchboard_media::event::{Digit, MediaEvent};
use switchboard_media::prompt::Prompt;
use switchboard_media::tone::{DtmfTone, dial};
use switchboard_transport::{Offer, Session, SessionEvent, Transport};

use crate::site::Site;

/// How long anything may take: patience, not a promise.
const PATIENCE: Duration = Duration::from_secs(40);

/// Something a person notices.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Noticed {
    /// A prompt began.
    Begun(String),
    /// A prompt was played to its end.
    Said(String),
    /// A prompt was cut short.
    Cut(String),
    /// The line is open.
    Connected,
    /// The bot has muted itself, or taken that back.
    Muted(bool),
    /// The recording of this side is over.
    Spoke,
    /// The phone rings.
    Rings(IncomingReason),
    /// The call is over.
    Ended(EndReason),
}

/// A person at a phone.
pub(crate) struct Person {
    phone: Phone,
    transport: Transport,
    offer: Option<Offer>,
    session: Option<Session>,
    /// Where the transport gives live audio.
    live: Option<LiveAudio>,
    call: Option<String>,
    /// All that was noticed, for the failure's text.
    seen: Vec<Noticed>,
}

impl Person {
    pub(crate) async fn at(site: &Site, name: &str, role: PhoneRole) -> Self {
        Self::with(site.emulator.phone(name, role).await, &site.transport)
    }

    fn with(phone: Phone, transport: &Transport) -> Self {
        Self {
            phone,
            transport: transport.clone(),
            offer: None,
            session: None,
            live: None,
            call: None,
            seen: Vec::new(),
        }
    }

    /// Somebody who calls the bot.
    pub(crate) async fn calling(site: &Site) -> Self {
        Self::calling_at(&site.emulator, &site.transport).await
    }

    /// The same where the bot isn't at hand.
    pub(crate) async fn calling_at(emulator: &Emulator, transport: &Transport) -> Self {
        let phone = emulator.phone("Caller", PhoneRole::Caller).await;
        let mut person = Self::with(phone, transport);
        let sdp = person.offer().await;
        let target = "bot".to_owned();
        person.command(PhoneCommand::Dial { target, sdp }).await;
        person
    }

    async fn offer(&mut self) -> String {
        let (offer, sdp) = self.transport.offer().await.expect("an offer");
        self.offer = Some(offer);
        sdp
    }

    async fn command(&mut self, command: PhoneCommand) {
        let sent = self.phone.commands.send(command).await;
        sent.expect("the emulator listens");
    }

    /// Takes the call that rings.
    pub(crate) async fn accept(&mut self) {
        let sdp = self.offer().await;
        let call = self.call.clone().expect("a call rings");
        self.command(PhoneCommand::Accept { call, sdp }).await;
    }

    /// Turns the call down that rings.
    pub(crate) async fn decline(&mut self) {
        let call = self.call.clone().expect("a call rings");
        self.command(PhoneCommand::Decline { call }).await;
    }

    pub(crate) async fn hang_up(&mut self) {
        let call = self.call.clone().expect("there is a call");
        self.command(PhoneCommand::Hangup { call }).await;
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        let like = DtmfTone::new(Digit::ALL[0]);
        let samples = dial(16_000, keys, &like);
        self.speak(Prompt::from_samples(16_000, &samples).expect("tones are a prompt"));
    }

    pub(crate) fn speak(&mut self, what: Arc<Prompt>) {
        let session = self.session.as_mut().expect("the line is open");
        session.play(what).expect("there is room");
    }

    /// Waits for a quarter of a second of a tone.
    pub(crate) async fn hears_a_tone(&mut self, hz: f32) {
        self.hears_that(|frame| power_at(hz, frame) > 0.8 * power(frame) && power(frame) > 1e-4)
            .await;
    }

    /// Waits for a quarter of a second of silence.
    pub(crate) async fn hears_silence(&mut self) {
        self.hears_that(|frame| power(frame) < 1e-6).await;
    }

    async fn hears_that(&mut self, is: impl Fn(&[f32; LIVE_FRAME]) -> bool) {
        let mut frames = 0;
        self.hears_frames(|frame| {
            frames = if is(frame) { frames + 1 } else { 0 };
            frames == 13
        })
        .await;
    }

    /// Listens until one of the frames is the last that is wanted.
    async fn hears_frames(&mut self, mut is_last: impl FnMut(&[f32; LIVE_FRAME]) -> bool) {
        let ears = &mut self.live.as_mut().expect("live audio").ears;
        ears.listen();
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                match ears.receive(|_, frame| is_last(frame)) {
                    Some(true) => return,
                    Some(false) => {}
                    None => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        assert!(waited.await.is_ok(), "waited for a sound");
        ears.rest();
    }

    /// Waits for a hum and listens to so many frames of it; gives how many of them are silent.
    pub(crate) async fn hears_of_hum(&mut self, frames: usize) -> usize {
        let (mut heard, mut loud) = (0, 0);
        self.hears_frames(|frame| {
            let is_loud = power(frame) > 1e-4;
            loud += usize::from(is_loud);
            heard += usize::from(loud > 0);
            heard == frames
        })
        .await;
        heard - loud
    }

    /// Waits until something is noticed.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Noticed) -> bool) -> Noticed {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let noticed = self.next().await;
                self.seen.push(noticed.clone());
                if wanted(&noticed) {
                    return noticed;
                }
                assert!(!matches!(noticed, Noticed::Ended(_)), "{:?}", self.seen);
            }
        });
        match waited.await {
            Ok(noticed) => noticed,
            Err(_) => panic!("waited for too long; {:?}", self.seen),
        }
    }

    /// Waits until the bot has said a prompt to its end.
    pub(crate) async fn hears(&mut self, prompt: &str) {
        self.until(|noticed| *noticed == Noticed::Said(prompt.to_owned()))
            .await;
    }

    /// Waits until the bot begins a prompt.
    pub(crate) async fn begins_to_hear(&mut self, prompt: &str) {
        self.until(|noticed| *noticed == Noticed::Begun(prompt.to_owned()))
            .await;
    }

    /// Waits for the end of the call.
    pub(crate) async fn is_hung_up_on(&mut self) -> EndReason {
        match self
            .until(|noticed| matches!(noticed, Noticed::Ended(_)))
            .await
        {
            Noticed::Ended(reason) => reason,
            _ => unreachable!("only that is waited for"),
        }
    }

    /// The prompts that were begun, in order.
    pub(crate) fn heard(&self) -> Vec<&str> {
        let begun = self.seen.iter().filter_map(|noticed| match noticed {
            // Of files it plays, the emulator tells itself.
            Noticed::Begun(name) => Some(name.as_str()).filter(|name| !name.ends_with(".wav")),
            _ => None,
        });
        begun.collect()
    }

    async fn next(&mut self) -> Noticed {
        loop {
            let noticed = tokio::select! {
                event = self.phone.events.recv() => {
                    self.phone_event(event.expect("the emulator runs")).await
                }
                event = session_event(self.session.as_mut()) => match event {
                    SessionEvent::Connected => Some(Noticed::Connected),
                    SessionEvent::Media(MediaEvent::PlayFinished { .. }) => Some(Noticed::Spoke),
                    SessionEvent::Media(_) | SessionEvent::Speaker { .. } => None,
                    SessionEvent::Closed(_) => {
                        self.session = None;
                        None
                    }
                },
            };
            if let Some(noticed) = noticed {
                return noticed;
            }
        }
    }

    async fn phone_event(&mut self, event: PhoneEvent) -> Option<Noticed> {
        match event {
            PhoneEvent::Dialing { call } => self.call = Some(call),
            PhoneEvent::Incoming { call, reason, .. } => {
                self.call = Some(call);
                return Some(Noticed::Rings(reason));
            }
            PhoneEvent::Answer { sdp, .. } => {
                if let Some(offer) = self.offer.take() {
                    let mut session = offer.accept(&sdp).await.expect("a good answer");
                    self.live = session.take_live();
                    self.session = Some(session);
                }
            }
            PhoneEvent::Renegotiate { call } => {
                let sdp = self.offer().await;
                self.command(PhoneCommand::Offer { call, sdp }).await;
            }
            PhoneEvent::RemoteMuted { muted, .. } => return Some(Noticed::Muted(muted)),
            PhoneEvent::Ended { reason, .. } => return Some(Noticed::Ended(reason)),
            PhoneEvent::Timeline { event, .. } => {
                let TimelineEvent::Prompt { name, state } = event.event else {
                    return None;
                };
                return Some(match state {
                    PromptState::Started => Noticed::Begun(name),
                    PromptState::Finished => Noticed::Said(name),
                    PromptState::Interrupted => Noticed::Cut(name),
                });
            }
            PhoneEvent::Error { message, .. } => panic!("the phone was refused: {message}"),
            _ => {}
        }
        None
    }
}

fn power(frame: &[f32]) -> f32 {
    frame.iter().map(|x| x * x).sum::<f32>() / frame.len() as f32
}

/// The power of a frame's component at `hz` (Goertzel).
fn power_at(hz: f32, frame: &[f32]) -> f32 {
    let step = std::f32::consts::TAU * hz / 16_000.0;
    let (mut last, mut before) = (0.0, 0.0);
    for sample in frame {
        let next = sample + 2.0 * step.cos() * last - before;
        (before, last) = (last, next);
    }
    let energy = last * last + before * before - 2.0 * step.cos() * last * before;
    2.0 * energy / (frame.len() * frame.len()) as f32
}

async fn session_event(session: Option<&mut Session>) -> SessionEvent {
    match session {
        Some(session) => match session.event().await {
            Some(event) => event,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

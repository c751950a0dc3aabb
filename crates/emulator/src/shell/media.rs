//! One call's media: the sessions the cloud holds itself, and the errands to the
//! bot's media endpoint. One task a call, from its first media action to its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use switchboard_media::engine::LiveAudio;
use switchboard_media::event::MediaEvent;
use switchboard_transport::whip::{MediaBlob, WhipAnswer, WhipError};
use switchboard_transport::{Session, SessionEvent, TransportError, bridge};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use url::Url;

use super::Hub;
use super::fetch::{self, FetchError, Fetched, Sound};
use super::record::{Recorder, beep};
use crate::cloud::{Leg, MediaAction, MediaReport, Playable, RecordEnd, RecordPlan};

/// The result of prompts that were stopped.
pub(super) const CANCELLED: &str = "The operation was canceled.";

/// Runs a call's media until its queue is closed or the emulator stops.
pub(super) async fn run(
    hub: Arc<Hub>,
    call: String,
    mut actions: mpsc::Receiver<MediaAction>,
    at_work: Option<mpsc::Sender<()>>,
) {
    let mut media = CallMedia::new(Arc::clone(&hub), call.clone());
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            action = actions.recv() => match action {
                Some(action) => media.act(action),
                None => break,
            },
            Some(done) = media.jobs.join_next() => if let Ok(done) = done {
                media.done(done);
            },
            event = next(media.caller.as_mut()) => media.session_event(Leg::Caller, event),
            event = next(media.agent.as_mut()) => media.session_event(Leg::Agent, event),
            _ = rounds.tick(), if media.recorder.is_some() => media.record(),
            () = hub.stopped() => break,
        }
    }
    media.leave_bot().await;
    drop(at_work);
    if media.has_recorded {
        hub.runtime.spawn(Arc::clone(&hub).discard_clips(call));
    }
}

/// How often a recording takes what was heard.
const ROUND: Duration = Duration::from_millis(20);

struct CallMedia {
    hub: Arc<Hub>,
    call: String,
    caller: Option<Session>,
    /// The caller's audio, for recordings.
    audio: Option<LiveAudio>,
    recorder: Option<Recorder>,
    has_recorded: bool,
    agent: Option<Session>,
    /// Where the session with the bot can be ended.
    bot: Option<(Url, SecretString)>,
    /// Dropped with the call, which ends what is under way.
    jobs: JoinSet<Job>,
    waiting: VecDeque<Waiting>,
    playing: Option<Playing>,
}

/// Something that took time.
enum Job {
    Offered(Result<WhipAnswer, WhipError>, SecretString),
    Hosted(Leg, Result<(Box<Session>, String), TransportError>),
    Fetched(Result<Vec<Fetched>, FetchError>),
    LeftBot,
}

/// An operation whose turn has not come.
struct Waiting {
    operation: String,
    what: Playable,
    beep: bool,
    /// What is recorded after it.
    then: Option<RecordPlan>,
}

/// An operation whose prompts are fetched or played, or that records.
struct Playing {
    operation: String,
    then: Option<RecordPlan>,
    prompts: VecDeque<Fetched>,
    current: Option<String>,
    cancelled: bool,
}

impl CallMedia {
    fn new(hub: Arc<Hub>, call: String) -> Self {
        Self {
            hub,
            call,
            caller: None,
            audio: None,
            recorder: None,
            has_recorded: false,
            agent: None,
            bot: None,
            jobs: JoinSet::new(),
            waiting: VecDeque::new(),
            playing: None,
        }
    }

    fn report(&self, report: MediaReport) {
        self.hub
            .apply(|cloud, now| cloud.media_report(&self.call, report, now));
    }

    fn act(&mut self, action: MediaAction) {
        match action {
            MediaAction::OfferToBot { blob, sdp } => self.offer_to_bot(blob, sdp),
            MediaAction::Host { leg, sdp } => {
                let mut transport = self.hub.settings.transport.clone();
                if leg == Leg::Caller {
                    transport = transport.with_live();
                }
                self.jobs.spawn(async move {
                    let answer = transport.answer(&sdp).await;
                    let answer = answer.map(|(session, sdp)| (Box::new(session), sdp));
                    Job::Hosted(leg, answer)
                });
            }
            MediaAction::Bridge => {
                if let (Some(caller), Some(agent)) = (&self.caller, &self.agent) {
                    bridge(caller, agent);
                }
            }
            MediaAction::LeaveBot => {
                if let Some(errand) = self.errand_to_leave() {
                    self.jobs.spawn(async move {
                        errand.await;
                        Job::LeftBot
                    });
                }
            }
            MediaAction::Play { operation, what } => {
                self.waiting.push_back(Waiting {
                    operation,
                    what,
                    beep: false,
                    then: None,
                });
                self.play_next_operation();
            }
            MediaAction::Record {
                operation,
                prompts,
                beep,
                plan,
            } => {
                self.waiting.push_back(Waiting {
                    operation,
                    what: Playable::Files(prompts),
                    beep,
                    then: Some(plan),
                });
                self.play_next_operation();
            }
            MediaAction::StopPlaying => self.stop_playing(),
            MediaAction::End => {}
        }
    }

    fn offer_to_bot(&mut self, blob: MediaBlob, sdp: String) {
        let whip = self.hub.outside.whip.clone();
        self.jobs.spawn(async move {
            let answer = whip.offer(&blob, &sdp).await;
            Job::Offered(answer, blob.token)
        });
    }

    fn done(&mut self, job: Job) {
        match job {
            Job::Offered(Ok(answer), token) => {
                self.bot = Some((answer.location, token));
                self.report(MediaReport::BotAnswered { sdp: answer.sdp });
            }
            Job::Offered(Err(error), _) => {
                let why = error.to_string();
                self.report(MediaReport::BotRefused { why });
            }
            Job::Hosted(leg, Ok((mut session, sdp))) => {
                if leg == Leg::Caller {
                    self.audio = session.take_live();
                }
                let place = match leg {
                    Leg::Caller => &mut self.caller,
                    Leg::Agent => &mut self.agent,
                };
                *place = Some(*session);
                self.report(MediaReport::Hosted { leg, sdp });
            }
            Job::Hosted(leg, Err(error)) => {
                let why = error.to_string();
                self.report(MediaReport::HostFailed { leg, why });
            }
            Job::Fetched(Ok(prompts)) => {
                if let Some(playing) = &mut self.playing {
                    playing.prompts = prompts.into();
                    self.play_next_prompt();
                }
            }
            Job::Fetched(Err(error)) => self.played(Err(error.to_string())),
            Job::LeftBot => {}
        }
    }

    fn session_event(&mut self, leg: Leg, event: Option<SessionEvent>) {
        match event {
            Some(SessionEvent::Media(MediaEvent::PlayFinished { interrupted, .. })) => {
                self.prompt_ended(interrupted);
            }
            Some(SessionEvent::Media(event)) => {
                if let (Leg::Caller, Some(recorder)) = (leg, &mut self.recorder) {
                    recorder.handle(&event);
                }
                self.report(MediaReport::Heard { leg, event });
            }
            Some(SessionEvent::Connected | SessionEvent::Speaker { .. }) => {}
            Some(SessionEvent::Closed(_)) | None => {
                match leg {
                    Leg::Caller => self.caller = None,
                    Leg::Agent => self.agent = None,
                }
                self.report(MediaReport::Lost { leg });
            }
        }
    }

    /// Operations play in their order, one after the other.
    fn play_next_operation(&mut self) {
        if self.playing.is_some() {
            return;
        }
        let Some(next) = self.waiting.pop_front() else {
            return;
        };
        let Waiting {
            operation,
            what,
            beep: beeps,
            then,
        } = next;
        self.playing = Some(Playing {
            operation,
            then,
            prompts: VecDeque::new(),
            current: None,
            cancelled: false,
        });
        let hub = Arc::clone(&self.hub);
        let beep = beeps.then(|| Sound {
            name: "beep".to_owned(),
            samples: beep(),
        });
        self.jobs
            .spawn(async move { Job::Fetched(fetch::prompts(&hub, what, beep).await) });
    }

    fn play_next_prompt(&mut self) {
        let Some(playing) = &mut self.playing else {
            return;
        };
        if playing.cancelled {
            let (operation, records) = (playing.operation.clone(), playing.then.is_some());
            self.playing = None;
            self.cancelled(operation, records);
            return self.play_next_operation();
        }
        let Some(next) = playing.prompts.pop_front() else {
            return match playing.then.take() {
                Some(plan) => self.begin_recording(plan),
                None => self.played(Ok(())),
            };
        };
        let Some(session) = &mut self.caller else {
            return self.played(Err("there is no audio connection to the caller".to_owned()));
        };
        if session.play(next.prompt).is_err() {
            return self.played(Err("the audio connection to the caller is busy".to_owned()));
        }
        playing.current = Some(next.name.clone());
        self.report(MediaReport::PromptStarted { name: next.name });
    }

    fn prompt_ended(&mut self, interrupted: bool) {
        let current = self
            .playing
            .as_mut()
            .and_then(|playing| playing.current.take());
        if let Some(name) = current {
            self.report(MediaReport::PromptEnded { name, interrupted });
            self.play_next_prompt();
        }
    }

    /// The caller has the word.
    fn begin_recording(&mut self, plan: RecordPlan) {
        let Some(audio) = &mut self.audio else {
            return self.played(Err("there is no audio connection to the caller".to_owned()));
        };
        audio.ears.rest();
        audio.ears.listen();
        self.recorder = Some(Recorder::new(plan));
    }

    /// Takes what was heard since the last round.
    fn record(&mut self) {
        let (Some(audio), Some(recorder)) = (&mut self.audio, &mut self.recorder) else {
            return;
        };
        while recorder.end().is_none() {
            let heard = audio
                .ears
                .receive(|end_ms, piece| recorder.hear(end_ms, piece));
            if heard.is_none() {
                break;
            }
        }
        if let Some(end) = recorder.end() {
            self.end_recording(end);
        }
    }

    fn end_recording(&mut self, end: RecordEnd) {
        if let Some(audio) = &mut self.audio {
            audio.ears.rest();
        }
        let Some(recorder) = self.recorder.take() else {
            return;
        };
        let Some(Playing { operation, .. }) = self.playing.take() else {
            return;
        };
        let worth = !matches!(end, RecordEnd::NothingSaid | RecordEnd::Cancelled);
        let clip = worth.then(|| self.hub.keep_clip(&self.call, recorder.into_wav()));
        self.has_recorded |= worth;
        self.report(MediaReport::Recorded {
            operation,
            end,
            clip,
        });
        self.play_next_operation();
    }

    fn cancelled(&self, operation: String, records: bool) {
        self.report(if records {
            MediaReport::Recorded {
                operation,
                end: RecordEnd::Cancelled,
                clip: None,
            }
        } else {
            let outcome = Err(CANCELLED.to_owned());
            MediaReport::Played { operation, outcome }
        });
    }

    fn stop_playing(&mut self) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.cancelled(waiting.operation, waiting.then.is_some());
        }
        if self.recorder.is_some() {
            return self.end_recording(RecordEnd::Cancelled);
        }
        if let Some(playing) = &mut self.playing {
            playing.cancelled = true;
        }
        // Its end is reported by the session.
        if let Some(session) = &mut self.caller {
            session.stop();
        }
    }

    /// The operation in hand is over.
    fn played(&mut self, outcome: Result<(), String>) {
        if let Some(Playing { operation, .. }) = self.playing.take() {
            self.report(MediaReport::Played { operation, outcome });
        }
        self.play_next_operation();
    }

    fn errand_to_leave(&mut self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let (location, token) = self.bot.take()?;
        let whip = self.hub.outside.whip.clone();
        Some(async move {
            if let Err(error) = whip.delete(&location, &token).await {
                tracing::debug!(%error, "the bot's media session was not ended");
            }
        })
    }

    async fn leave_bot(&mut self) {
        self.jobs.abort_all();
        (self.caller, self.agent) = (None, None);
        if let Some(errand) = self.errand_to_leave() {
            errand.await;
        }
    }
}

/// The next event of a session; waits for ever while there is none.
async fn next(session: Option<&mut Session>) -> Option<SessionEvent> {
    match session {
        Some(session) => session.event().await,
        None => std::future::pending().await,
    }
}

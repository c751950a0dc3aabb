//! A room's media: a session for every phone and every application that handles its
//! own, all of them in one conference. One task a room, from its first action to its
//! end.

mod player;

use std::collections::HashMap;
use std::sync::Arc;

use secrecy::SecretString;
use switchboard_media::event::MediaEvent;
use switchboard_transport::sdp::MAX_SPEAKERS;
use switchboard_transport::whip::{MediaBlob, WhipClient};
use switchboard_transport::{Session, SessionEvent, Transport};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use url::Url;

use super::Hub;
use super::conference::{Conference, MAX_SEATS, Order, Over, Played, Samples, hold_music};
use super::fetch::{self, FetchError, Sound};
use super::gaps::Heard;
use super::record::{Recorder, beep};
use super::relay::Relay;
use crate::cloud::{Playable, RecordEnd, RoomAction, RoomReport, RoomTask};
use crate::config::client_id;
use crate::network::Party;
use player::{Player, Step, Waiting};

/// Session events that may wait for the room's task.
const EVENTS: usize = 256;

/// Runs a room's media until its queue is closed or the emulator stops.
pub(super) async fn run(
    hub: Arc<Hub>,
    room: String,
    mut actions: mpsc::Receiver<RoomAction>,
    at_work: Option<mpsc::Sender<()>>,
) {
    let (outlet, mut events) = mpsc::channel(EVENTS);
    let started = Conference::start();
    if let Err(error) = &started {
        tracing::error!(%error, "no thread for a conference could be started");
    }
    let (conference, mut over) = started.map_or_else(
        |_| (None, mpsc::channel(1).1),
        |(conference, over)| (Some(conference), over),
    );
    let mut media = RoomMedia {
        hub: Arc::clone(&hub),
        conference,
        room,
        legs: HashMap::new(),
        jobs: JoinSet::new(),
        outlet,
    };
    loop {
        tokio::select! {
            action = actions.recv() => match action {
                Some(action) => media.act(action),
                None => break,
            },
            Some(Ok(job)) = media.jobs.join_next() => media.done(job),
            Some((seat, event)) = events.recv() => media.session_event(seat, event),
            Some(over) = over.recv() => media.over(over),
            () = hub.stopped() => break,
        }
    }
    media.jobs.abort_all();
    let seats: Vec<u32> = media.legs.keys().copied().collect();
    for seat in seats {
        media.leave(seat);
    }
    // What is still told to the applications' media endpoints.
    while media.jobs.join_next().await.is_some() {}
    drop(at_work);
}

struct RoomMedia {
    hub: Arc<Hub>,
    room: String,
    /// `None` if the system refused its thread: nobody can come in then.
    conference: Option<Conference>,
    legs: HashMap<u32, Leg>,
    /// Dropped with the room, which ends what is under way.
    jobs: JoinSet<Job>,
    outlet: mpsc::Sender<(u32, SessionEvent)>,
}

/// One seat's session.
#[derive(Default)]
struct Leg {
    session: Option<AbortHandle>,
    /// What has come from an application whose media is its own.
    heard: Option<Arc<Heard>>,
    /// Where an application's session can be ended.
    bot: Option<(Url, SecretString)>,
    /// What its packets go through, if they are to suffer.
    relay: Option<Relay>,
    /// What an application plays and records whose media is the cloud's.
    player: Player,
    /// The call whose recordings are kept.
    recorded: Option<String>,
}

/// Something that took time.
enum Job {
    Hosted(u32, Result<(Box<Session>, String), String>),
    Called(u32, Result<Called, String>),
    Fetched(u32, Result<Vec<Sound>, FetchError>),
    Music(u32, RoomTask, Result<Samples, FetchError>),
    Over,
}

/// A session with an application's media endpoint.
struct Called {
    session: Box<Session>,
    location: Url,
    token: SecretString,
    relay: Option<Relay>,
}

impl RoomMedia {
    fn report(&self, report: RoomReport) {
        self.hub
            .apply(|cloud, now| cloud.room_report(&self.room, report, now));
    }

    fn order(&self, order: Order) {
        if let Some(conference) = &self.conference {
            conference.order(order);
        }
    }

    fn act(&mut self, action: RoomAction) {
        match action {
            RoomAction::Host { seat, sdp } => self.host(seat, sdp),
            RoomAction::Call {
                seat,
                app,
                call,
                blob,
            } => self.call(seat, &app, &call, blob),
            RoomAction::Serve { seat } => {
                if self.expect(seat) {
                    let (audio, speakers) = (None, Vec::new());
                    self.order(Order::Join {
                        seat,
                        audio,
                        speakers,
                    });
                    self.report(RoomReport::Connected { seat });
                }
            }
            RoomAction::Leave { seat } => self.leave(seat),
            RoomAction::Lobby { seat, waits } => self.order(Order::Lobby { seat, waits }),
            RoomAction::Outside { seat } => self.order(Order::Outside { seat }),
            RoomAction::Mute { seat, muted } => self.order(Order::Mute { seat, muted }),
            RoomAction::Hold { seat, task, music } => self.hold(seat, task, music),
            RoomAction::Resume { seat } => self.order(Order::Hold { seat, music: None }),
            RoomAction::Play { seat, task, what } => {
                let (beep, then) = (false, None);
                let operation = Waiting {
                    task,
                    what,
                    beep,
                    then,
                };
                self.add(seat, operation);
            }
            RoomAction::Record {
                seat,
                task,
                prompts,
                beep,
                plan,
            } => {
                let (what, then) = (Playable::Files(prompts), Some(plan));
                let operation = Waiting {
                    task,
                    what,
                    beep,
                    then,
                };
                self.add(seat, operation);
            }
            RoomAction::Route { seat, receivers } => self.order(Order::Route { seat, receivers }),
            RoomAction::StopPlaying { seat } => self.stop_playing(seat),
            RoomAction::End => {}
        }
    }

    /// Makes room for a seat, if there is any.
    fn expect(&mut self, seat: u32) -> bool {
        if self.legs.len() >= MAX_SEATS || self.conference.is_none() {
            let why = "the conference has no room for another".to_owned();
            self.report(RoomReport::Failed { seat, why });
            return false;
        }
        self.legs.insert(seat, Leg::default());
        true
    }

    fn host(&mut self, seat: u32, sdp: String) {
        if self.expect(seat) {
            let transport = self.hub.settings.transport.with_live();
            self.jobs.spawn(async move {
                let answer = transport.answer(&sdp).await;
                let answer = answer.map(|(session, sdp)| (Box::new(session), sdp));
                Job::Hosted(seat, answer.map_err(|error| error.to_string()))
            });
        }
    }

    fn call(&mut self, seat: u32, app: &str, call_id: &str, blob: MediaBlob) {
        if self.expect(seat) {
            let relay = self.hub.relay(Party::Bot(client_id(app).to_owned()));
            // What is missing behind a relay is not the bot's fault.
            let heard = match relay {
                Some(_) => None,
                None => Some(self.hub.listen_to(&self.room, seat, call_id)),
            };
            if let Some(leg) = self.legs.get_mut(&seat) {
                leg.heard = heard;
            }
            let transport = self.hub.settings.transport.with_live();
            let transport = transport.with_speakers(MAX_SPEAKERS);
            let whip = self.hub.outside.whip.clone();
            self.jobs
                .spawn(async move { Job::Called(seat, call(transport, whip, blob, relay).await) });
        }
    }

    fn hold(&mut self, seat: u32, task: RoomTask, music: Option<Url>) {
        let hub = Arc::clone(&self.hub);
        self.jobs.spawn(async move {
            let music = match music {
                Some(url) => fetch::sound(&hub, &url).await.map(|sound| sound.samples),
                None => Ok(hold_music()),
            };
            Job::Music(seat, task, music)
        });
    }

    fn held(&mut self, seat: u32, task: RoomTask, music: Result<Samples, FetchError>) {
        let outcome = music.map(|music| {
            let music = Some(music);
            self.order(Order::Hold { seat, music });
        });
        let outcome = outcome.map_err(|error| error.to_string());
        self.report(RoomReport::Held {
            seat,
            task,
            outcome,
        });
    }

    fn add(&mut self, seat: u32, operation: Waiting) {
        let step = self.player(seat).map(|player| player.add(operation));
        self.take_step(seat, step);
    }

    fn player(&mut self, seat: u32) -> Option<&mut Player> {
        Some(&mut self.legs.get_mut(&seat)?.player)
    }

    /// Does what a player asks for until it waits for something.
    fn take_step(&mut self, seat: u32, step: Option<Step>) {
        let mut next = step;
        while let Some(step) = next.take() {
            match step {
                Step::Wait => {}
                Step::Fetch(what, beeps) => {
                    let fetch = fetched(Arc::clone(&self.hub), what, beeps);
                    self.jobs
                        .spawn(async move { Job::Fetched(seat, fetch.await) });
                }
                Step::Record(plan) => {
                    let recorder = Box::new(Recorder::of_a_mix(plan));
                    self.order(Order::Record { seat, recorder });
                }
                Step::NotRecorded(task) => {
                    self.not_recorded(task);
                    next = self.player(seat).map(Player::next_operation);
                }
                Step::Play(sound) => {
                    let samples = sound.samples;
                    self.order(Order::Play { seat, samples });
                    let name = sound.name;
                    self.report(RoomReport::PromptStarted { seat, name });
                }
                Step::Done(task, outcome) => {
                    self.report(RoomReport::Played { task, outcome });
                    next = self.player(seat).map(Player::next_operation);
                }
            }
        }
    }

    fn stop_playing(&mut self, seat: u32) {
        let Some(player) = self.player(seat) else {
            return;
        };
        for over in player.cancel() {
            match over {
                Step::NotRecorded(task) => self.not_recorded(task),
                Step::Done(task, outcome) => self.report(RoomReport::Played { task, outcome }),
                _ => {}
            }
        }
        self.order(Order::Stop { seat });
    }

    fn not_recorded(&self, task: RoomTask) {
        let (end, clip) = (RecordEnd::Cancelled, None);
        self.report(RoomReport::Recorded { task, end, clip });
    }

    fn over(&mut self, over: Over) {
        match over {
            Over::Said(played) => self.track_ended(played),
            Over::Recorded(seat, recorder) => self.recorded(seat, *recorder),
        }
    }

    /// A recording is over: its clip waits to be fetched.
    fn recorded(&mut self, seat: u32, recorder: Recorder) {
        let task = self.player(seat).and_then(Player::recorded);
        let Some((task, end)) = task.zip(recorder.end()) else {
            return;
        };
        let worth = !matches!(end, RecordEnd::NothingSaid | RecordEnd::Cancelled);
        let clip = worth.then(|| self.hub.keep_clip(&task.call, recorder.into_wav()));
        if let Some(leg) = self.legs.get_mut(&seat).filter(|_| worth) {
            leg.recorded = Some(task.call.clone());
        }
        self.report(RoomReport::Recorded { task, end, clip });
        let step = self.player(seat).map(Player::next_operation);
        self.take_step(seat, step);
    }

    fn track_ended(&mut self, played: Played) {
        let Played { seat, interrupted } = played;
        let Some(player) = self.player(seat) else {
            return;
        };
        let (name, step) = player.ended();
        if let Some(name) = name {
            self.report(RoomReport::PromptEnded {
                seat,
                name,
                interrupted,
            });
        }
        self.take_step(seat, Some(step));
    }

    fn done(&mut self, job: Job) {
        match job {
            Job::Hosted(seat, Ok((session, sdp))) => {
                if self.admit(seat, session) {
                    self.report(RoomReport::Hosted { seat, sdp });
                }
            }
            Job::Called(seat, Ok(called)) => self.called(seat, called),
            Job::Fetched(seat, sounds) => {
                let sounds = sounds.map_err(|error| error.to_string());
                let step = self.player(seat).map(|player| player.fetched(sounds));
                self.take_step(seat, step);
            }
            Job::Music(seat, task, music) => self.held(seat, task, music),
            Job::Hosted(seat, Err(why)) | Job::Called(seat, Err(why)) => {
                self.report(RoomReport::Failed { seat, why });
            }
            Job::Over => {}
        }
    }

    fn called(&mut self, seat: u32, called: Called) {
        let bot = (called.location, called.token);
        if self.admit(seat, called.session) {
            if let Some(leg) = self.legs.get_mut(&seat) {
                leg.bot = Some(bot);
                leg.relay = called.relay;
            }
            self.report(RoomReport::Connected { seat });
        } else {
            // It has left meanwhile.
            self.dismiss(bot);
        }
    }

    /// Takes a session in, if its seat is still there.
    fn admit(&mut self, seat: u32, mut session: Box<Session>) -> bool {
        if !self.legs.contains_key(&seat) {
            return false;
        }
        let audio = session.take_live().map(Box::new);
        let speakers = session.take_speakers();
        self.order(Order::Join {
            seat,
            audio,
            speakers,
        });
        let heard = self.legs.get(&seat).and_then(|leg| leg.heard.clone());
        let task = follow(seat, session, heard, self.outlet.clone());
        let task = self.jobs.spawn(task);
        if let Some(leg) = self.legs.get_mut(&seat) {
            leg.session = Some(task);
        }
        true
    }

    fn session_event(&mut self, seat: u32, event: SessionEvent) {
        if !self.legs.contains_key(&seat) {
            return;
        }
        match event {
            SessionEvent::Media(event) => {
                if matches!(event, MediaEvent::DigitStart { .. }) {
                    self.order(Order::Key { seat, event });
                }
                self.report(RoomReport::Heard { seat, event });
            }
            SessionEvent::Connected | SessionEvent::Speaker { .. } => {}
            SessionEvent::Closed(_) => self.report(RoomReport::Lost { seat }),
        }
    }

    fn leave(&mut self, seat: u32) {
        let Some(leg) = self.legs.remove(&seat) else {
            return;
        };
        self.order(Order::Leave { seat });
        if let Some(session) = leg.session {
            session.abort();
        }
        if let Some(bot) = leg.bot {
            self.dismiss(bot);
        }
        drop(leg.relay);
        if let Some(call) = leg.recorded {
            let hub = Arc::clone(&self.hub);
            hub.runtime.spawn(Arc::clone(&hub).discard_clips(call));
        }
    }

    /// Ends an application's session at its endpoint.
    fn dismiss(&mut self, (location, token): (Url, SecretString)) {
        let whip = self.hub.outside.whip.clone();
        self.jobs.spawn(async move {
            if let Err(error) = whip.delete(&location, &token).await {
                tracing::debug!(%error, "the bot's media session was not ended");
            }
            Job::Over
        });
    }
}

/// What an operation plays, and a beep if there is to be one.
async fn fetched(hub: Arc<Hub>, what: Playable, beeps: bool) -> Result<Vec<Sound>, FetchError> {
    let mut sounds = fetch::sounds(&hub, what).await?;
    sounds.extend(beeps.then(|| Sound {
        name: "beep".to_owned(),
        samples: beep(),
    }));
    Ok(sounds)
}

/// Offers a session of the cloud's own to an application's media endpoint, through a relay
/// if there is one.
async fn call(
    transport: Transport,
    whip: WhipClient,
    blob: MediaBlob,
    relay: Option<Relay>,
) -> Result<Called, String> {
    let (offer, mut sdp) = transport.offer().await.map_err(|error| error.to_string())?;
    if let Some(relay) = &relay {
        sdp = relay.of_far_end(&sdp);
    }
    let answer = whip.offer(&blob, &sdp).await;
    let mut answer = answer.map_err(|error| error.to_string())?;
    if let Some(relay) = &relay {
        answer.sdp = relay.answer_of_bot(&answer.sdp);
    }
    let session = offer.accept(&answer.sdp).await;
    Ok(Called {
        session: Box::new(session.map_err(|error| error.to_string())?),
        location: answer.location,
        token: blob.token,
        relay,
    })
}

/// Hands a session's events on until it is over; dropping it ends the session.
async fn follow(
    seat: u32,
    mut session: Box<Session>,
    heard: Option<Arc<Heard>>,
    outlet: mpsc::Sender<(u32, SessionEvent)>,
) -> Job {
    while let Some(event) = session.event().await {
        // The meter comes ten times a second.
        if let Some(heard) = &heard {
            heard.note(&session.stats());
        }
        if outlet.send((seat, event)).await.is_err() {
            break;
        }
    }
    Job::Over
}

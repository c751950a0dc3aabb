//! Phones and voices for a scenario's people.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard_media::event::MediaEvent;
use switchboard_signaling::types::{
    CreateOrGetRequest, Identity, IdentitySet, LobbyBypassSettings, MeetingParticipantInfo,
    MeetingParticipants, OnlineMeeting,
};
use switchboard_transport::{Offer, Session, SessionEvent, Transport};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::far::FarEnd;
use super::log::{Had, Log};
use super::plan::{MeetingPlan, Person, Scenario};
use super::player::{Command, Event};
use super::report::{Finding, Report};
use super::runner::Runner;
use super::voice::{self, Voice};
use crate::cloud::{Cloud, Owner};
use crate::emulator::Emulator;
use crate::judge::{Judge, Offence};
use crate::network::{Conditions, NetworkRule};
use crate::phone::{Phone, PhoneCommand, PhoneEvent};
use crate::shell::Hub;

/// Events and commands that may wait.
const QUEUE: usize = 256;
/// What is under way when the script is over gets this long.
const LEAVING: Duration = Duration::from_secs(10);
/// And this long when it was interrupted: who interrupts does not wait.
const CUT_SHORT: Duration = Duration::from_secs(2);
/// How often it is looked whether the bot was told of everything.
const LOOK: Duration = Duration::from_millis(20);

/// Runs a scenario against the bots of an emulator. Its people's audio goes through
/// `transport`, which may be the emulator's own.
pub async fn run(emulator: &Emulator, transport: &Transport, scenario: &Scenario) -> Report {
    run_until(emulator, transport, scenario, pending()).await
}

/// The same, but everyone hangs up when `interrupted` is ready: steps that are under way by
/// then have failed, and say so.
pub async fn run_until(
    emulator: &Emulator,
    transport: &Transport,
    scenario: &Scenario,
    interrupted: impl Future<Output = ()>,
) -> Report {
    let begun = Instant::now();
    let verdicts_before = emulator.hub().judge(|judge| judge.found());
    let log = Log::begin(emulator);
    let rules = add_faults(emulator, scenario);
    // Before anybody calls, so that the legs can be harmed later.
    for person in scenario.people.iter().filter(|person| person.has_network()) {
        let nothing = Conditions::default();
        set_network(
            emulator,
            NetworkRule::new(Some(person.name.clone()), nothing),
        );
    }
    let (tell, mut told) = mpsc::channel(QUEUE);
    let mut bodies = JoinSet::new();
    let mut orders = Vec::new();
    for (who, person) in scenario.people.iter().enumerate() {
        let (order, commands) = mpsc::channel(QUEUE);
        let body = Body::new(who, person, emulator, transport.clone(), tell.clone()).await;
        bodies.spawn(body.live(commands));
        orders.push(order);
    }
    let mut runner = Runner::new(scenario, Instant::now());
    let whole = play(
        emulator,
        scenario,
        &mut runner,
        &orders,
        &mut told,
        interrupted,
    )
    .await;
    drop(orders);
    let mut calls = Vec::new();
    while let Some(body) = bodies.join_next().await {
        calls.extend(body.into_iter().flatten());
    }
    all_told(emulator, patience(whole)).await;
    if whole && emulator.counts().phones == 0 {
        // Nobody else's call is meant.
        emulator.hub().judge(Judge::deserted);
    }
    for person in &scenario.people {
        let own = Some(person.name.as_str());
        emulator.hub().network(|network| network.clear(own));
    }
    let mut judge = findings(emulator, scenario, verdicts_before);
    if whole {
        judge.extend(unused(emulator, scenario, &rules));
    }
    for rule in rules {
        emulator.hub().faults(|faults| faults.remove(rule));
    }
    let people = runner.into_reports();
    let mut report = Report::new(scenario.name.clone(), begun.elapsed(), people, judge);
    report.log = log.of(scenario, calls);
    report
}

/// Lets everyone do their steps and leave; whether it was not interrupted.
async fn play(
    emulator: &Emulator,
    scenario: &Scenario,
    runner: &mut Runner,
    orders: &[mpsc::Sender<Command>],
    told: &mut mpsc::Receiver<(usize, Event)>,
    interrupted: impl Future<Output = ()>,
) -> bool {
    let mut interrupted = pin!(interrupted);
    let (mut whole, mut leave_by) = (true, None);
    while !runner.is_over() {
        carry_out(emulator, scenario, runner, orders).await;
        if runner.is_through() {
            leave_by.get_or_insert_with(|| Instant::now() + patience(whole));
        }
        let due = runner.poll_timeout().or(leave_by);
        tokio::select! {
            Some((who, event)) = told.recv() => runner.handle(who, event, Instant::now()),
            () = until(due) => runner.handle_timeout(Instant::now()),
            () = &mut interrupted, if whole => {
                runner.interrupt(Instant::now());
                (whole, leave_by) = (false, None);
            }
        }
        if leave_by.is_some_and(|leave_by| leave_by <= Instant::now()) {
            break;
        }
    }
    whole
}

/// How long what is under way gets at the end.
fn patience(whole: bool) -> Duration {
    match whole {
        true => LEAVING,
        false => CUT_SHORT,
    }
}

fn add_faults(emulator: &Emulator, scenario: &Scenario) -> Vec<u64> {
    let rules = scenario.faults.iter();
    emulator.hub().faults(|faults| {
        rules
            .filter_map(|rule| faults.add(rule.clone()).ok())
            .collect()
    })
}

fn set_network(emulator: &Emulator, rule: NetworkRule) {
    // It was checked with the file; 256 people have a rule each.
    let _ = emulator.hub().network(|network| network.set(rule));
}

/// What to dial: for `meeting:NAME` the meeting of that name, which begins with the first
/// who asks for it, with the lobby that the scenario gives it; else the target itself.
fn number_of(emulator: &Emulator, scenario: &Scenario, target: String) -> String {
    let Some(name) = target.strip_prefix("meeting:") else {
        return target;
    };
    let request = CreateOrGetRequest {
        external_id: Some(name.to_owned()),
        subject: Some(name.to_owned()),
        ..CreateOrGetRequest::default()
    };
    let meeting = emulator.hub().apply(|cloud, now| {
        let app = cloud.first_app()?;
        let owner = Owner::User("scenario".to_owned());
        let (_, meeting) = cloud.create_or_get(&app, &owner, request, now).ok()?;
        if let Some(plan) = scenario.meetings.get(name) {
            let id = meeting.id.as_deref()?;
            let changes = plan.changes();
            cloud.update_meeting(&app, &owner, id, changes).ok()?;
        }
        meeting.join_web_url
    });
    meeting.unwrap_or(target)
}

impl MeetingPlan {
    fn changes(&self) -> OnlineMeeting {
        let attendee = |id: &String| MeetingParticipantInfo {
            identity: Some(IdentitySet::user(Identity::new(id))),
            ..MeetingParticipantInfo::default()
        };
        OnlineMeeting {
            lobby_bypass_settings: Some(LobbyBypassSettings {
                scope: Some(self.scope.clone()),
                ..LobbyBypassSettings::default()
            }),
            participants: Some(MeetingParticipants {
                attendees: Some(self.invited.iter().map(attendee).collect()),
                ..MeetingParticipants::default()
            }),
            ..OnlineMeeting::default()
        }
    }
}

async fn carry_out(
    emulator: &Emulator,
    scenario: &Scenario,
    runner: &mut Runner,
    orders: &[mpsc::Sender<Command>],
) {
    while let Some((who, command)) = runner.poll_command() {
        match command {
            Command::Advance(by) => emulator.hub().advance(by),
            Command::Network(rule) => set_network(emulator, rule),
            Command::Dial(target) => {
                let dial = Command::Dial(number_of(emulator, scenario, target));
                drop(orders[who].send(dial).await);
            }
            // A body that is gone has nothing left to do.
            command => drop(orders[who].send(command).await),
        }
    }
}

/// Waits, not for ever, until calls have ended and notifications of it are delivered.
async fn all_told(emulator: &Emulator, patience: Duration) {
    let told = async {
        let on_their_way = || emulator.hub().journal(|journal| journal.on_their_way());
        // In this order: what tells of a call's end is on its way when the call is over.
        while emulator.counts().calls > 0 || on_their_way() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    let _ = tokio::time::timeout(patience, told).await;
}

fn findings(emulator: &Emulator, scenario: &Scenario, before: usize) -> Vec<Finding> {
    emulator.hub().judge(|judge| {
        let new = judge.since(before);
        new.map(|verdict| Finding {
            rule: verdict.rule.name().to_owned(),
            detail: verdict.detail.clone(),
            overlooked: scenario.overlook.contains(&verdict.rule),
        })
        .collect()
    })
}

/// A fault that never came about shows nothing of how the bot takes it.
fn unused(emulator: &Emulator, scenario: &Scenario, rules: &[u64]) -> Vec<Finding> {
    let unused = emulator.hub().faults(|faults| faults.unused(rules));
    let finding = |detail| Finding {
        rule: Offence::FaultUnused.name().to_owned(),
        detail,
        overlooked: scenario.overlook.contains(&Offence::FaultUnused),
    };
    unused.into_iter().map(finding).collect()
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => pending().await,
    }
}

/// A person's phone and voice.
struct Body {
    who: usize,
    phone: Phone,
    transport: Transport,
    tell: mpsc::Sender<(usize, Event)>,
    offer: Option<Offer>,
    session: Option<Session>,
    call: Option<String>,
    far: FarEnd,
    /// While there is a session.
    voice: Option<Voice>,
    /// Whether the network is left alone.
    undisturbed: bool,
    /// Whether it is the bot that sends what is heard.
    hears_bot: bool,
    hub: Arc<Hub>,
    calls: Vec<Had>,
}

impl Body {
    async fn new(
        who: usize,
        person: &Person,
        emulator: &Emulator,
        transport: Transport,
        tell: mpsc::Sender<(usize, Event)>,
    ) -> Self {
        Self {
            who,
            phone: emulator
                .phone_of(&person.user, &person.name, person.role)
                .await,
            transport,
            tell,
            offer: None,
            session: None,
            call: None,
            far: FarEnd::default(),
            voice: None,
            undisturbed: !person.has_network(),
            hears_bot: false,
            hub: Arc::clone(emulator.hub()),
            calls: Vec::new(),
        }
    }

    /// Does what it is told until there are no orders any more; gives the calls it had.
    async fn live(mut self, mut commands: mpsc::Receiver<Command>) -> Vec<Had> {
        let mut looks = tokio::time::interval(voice::LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let outcome = tokio::select! {
                _ = looks.tick(), if self.voice.is_some() => {
                    self.show_own(|voice, now| Some(voice.look(now)));
                    Ok(())
                }
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return self.calls,
                },
                event = self.phone.events.recv() => match event {
                    Some(event) => self.phone_event(event).await,
                    None => return self.calls,
                },
                event = next(self.session.as_mut()) => {
                    self.session_event(event).await;
                    Ok(())
                }
            };
            if let Err(why) = outcome {
                self.tell(Event::Refused(why)).await;
            }
        }
    }

    async fn tell(&mut self, event: Event) {
        // Without a listener the scenario is over.
        let _ = self.tell.send((self.who, event)).await;
    }

    async fn obey(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Dial(target) => {
                let sdp = self.new_offer().await?;
                self.ask(PhoneCommand::Dial { target, sdp }).await
            }
            Command::Accept => {
                let sdp = self.new_offer().await?;
                let call = self.call()?;
                self.ask(PhoneCommand::Accept { call, sdp }).await
            }
            Command::Decline => {
                let call = self.call()?;
                self.ask(PhoneCommand::Decline { call }).await
            }
            Command::HangUp => {
                let call = self.call()?;
                self.ask(PhoneCommand::Hangup { call }).await
            }
            Command::Admit(participant) => {
                let call = self.call()?;
                self.ask(PhoneCommand::Admit { call, participant }).await
            }
            Command::Say(audio) => {
                let session = self.session.as_mut().ok_or(NO_AUDIO)?;
                let said = Arc::clone(&audio);
                session.play(audio).map_err(|error| error.to_string())?;
                self.show_own(|voice, now| voice.say(said, now));
                Ok(())
            }
            Command::Press(digit, ms) => {
                let session = self.session.as_mut().ok_or(NO_AUDIO)?;
                let pressed = session.press(digit, ms);
                pressed.map_err(|error| error.to_string())?;
                self.show_own(|voice, now| Some(voice.press(digit, ms, now)));
                Ok(())
            }
            Command::Advance(_) | Command::Network(_) => Ok(()),
        }
    }

    fn call(&self) -> Result<String, String> {
        self.call
            .clone()
            .ok_or_else(|| "there is no call".to_owned())
    }

    async fn new_offer(&mut self) -> Result<String, String> {
        let offered = self.transport.offer().await;
        let (offer, sdp) = offered.map_err(|error| error.to_string())?;
        self.offer = Some(offer);
        Ok(sdp)
    }

    async fn ask(&mut self, command: PhoneCommand) -> Result<(), String> {
        let sent = self.phone.commands.send(command).await;
        sent.map_err(|_| "the emulator is gone".to_owned())
    }

    async fn phone_event(&mut self, event: PhoneEvent) -> Result<(), String> {
        match event {
            PhoneEvent::Dialing { call } => {
                self.has(&call, false);
                self.call = Some(call);
                self.tell(Event::Dialing).await;
            }
            PhoneEvent::Incoming { call, .. } => {
                self.has(&call, true);
                self.call = Some(call);
                self.tell(Event::Rings).await;
            }
            PhoneEvent::Answer { sdp, .. } => {
                let offer = self.offer.take().ok_or("an answer without an offer")?;
                if self.session.take().is_some() {
                    self.hear(Event::Disconnected).await;
                }
                let session = offer.accept(&sdp).await;
                self.session = Some(session.map_err(|error| error.to_string())?);
            }
            PhoneEvent::Renegotiate { call } => {
                let sdp = self.new_offer().await?;
                self.ask(PhoneCommand::Offer { call, sdp }).await?;
            }
            PhoneEvent::State { state, .. } => self.tell(Event::State(state)).await,
            PhoneEvent::Lobby { waiting, .. } => self.tell(Event::Lobby(waiting)).await,
            PhoneEvent::RemoteMuted { muted, .. } => {
                if let Some(event) = self.far.mute(muted) {
                    self.tell(event).await;
                }
            }
            PhoneEvent::Ended { call, reason } => {
                self.look_for_gaps(&call);
                (self.session, self.offer, self.call) = (None, None, None);
                self.voice = None;
                self.far = FarEnd::default();
                self.tell(Event::Ended { code: reason.code }).await;
            }
            PhoneEvent::Error { message, .. } => return Err(message),
            _ => {}
        }
        Ok(())
    }

    fn has(&mut self, call: &str, rang: bool) {
        self.calls.push(Had {
            who: self.who,
            call: call.to_owned(),
            rang,
        });
    }

    fn look_for_gaps(&self, call: &str) {
        let judged = self.undisturbed && self.hears_bot;
        if let Some(session) = self.session.as_ref().filter(|_| judged) {
            let stats = session.stats();
            self.hub.judge(|judge| {
                judge.received(call, stats.received, stats.lost);
                judge.stalled(call, stats.received, stats.stalled_ms);
            });
        }
    }

    async fn session_event(&mut self, event: SessionEvent) {
        if let SessionEvent::Media(event) = event {
            self.show(event);
        }
        let event = match event {
            SessionEvent::Connected => {
                self.voice = Some(Voice::new(Instant::now()));
                let call = self.call.as_deref();
                let is_bots = |cloud: &mut Cloud, _| call.is_some_and(|call| cloud.hears_bot(call));
                self.hears_bot = self.hub.apply(is_bots);
                Event::Connected
            }
            SessionEvent::Speaker { .. } => return,
            SessionEvent::Closed(_) => {
                (self.session, self.voice) = (None, None);
                Event::Disconnected
            }
            SessionEvent::Media(event) => match event {
                MediaEvent::SpeechStart { .. } => Event::Speech(true),
                MediaEvent::SpeechEnd { .. } => Event::Speech(false),
                MediaEvent::Level { dbov, .. } => Event::Level(dbov),
                MediaEvent::DigitStart { digit, .. } => Event::Key(digit),
                MediaEvent::PlayFinished {
                    interrupted: false, ..
                } => Event::Said,
                _ => return,
            },
        };
        self.hear(event).await;
    }

    /// Shows those who watch what a session of this person's tells.
    fn show(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::PlayFinished { .. } => self.show_own(Voice::said),
            _ if self.far.is_muted() => {}
            event => self.observed(true, event),
        }
    }

    /// Shows what this person says.
    fn show_own(&mut self, act: impl FnOnce(&mut Voice, Instant) -> Option<MediaEvent>) {
        let voice = self.voice.as_mut();
        if let Some(event) = voice.and_then(|voice| act(voice, Instant::now())) {
            self.observed(false, event);
        }
    }

    fn observed(&self, far: bool, event: MediaEvent) {
        if let Some(call) = &self.call {
            let hub = &self.hub;
            hub.apply(|cloud, now| cloud.observed(call, far, event, now));
        }
    }

    /// Tells of something in the far end's audio, unless the far end is muted.
    async fn hear(&mut self, event: Event) {
        if let Some(event) = self.far.heard(event) {
            self.tell(event).await;
        }
    }
}

const NO_AUDIO: &str = "there is no audio connection";

/// The next event of a session; waits for ever while there is none.
async fn next(session: Option<&mut Session>) -> SessionEvent {
    match session {
        Some(session) => match session.event().await {
            Some(event) => event,
            None => pending().await,
        },
        None => pending().await,
    }
}

//! One scripted person, without IO: what happens to them and the time go in, what they
//! do comes out.

mod levels;
mod seen;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard_media::event::Digit;

use super::plan::{Act, Audio, Stage, Step};
use super::report::{Outcome, StepReport};
use crate::network::NetworkRule;
use crate::phone::{Participant, PhoneCallState};
use levels::Levels;
use seen::{CallSeen, stage};

/// Louder than this in dBov is a sound.
const AUDIBLE: f32 = -50.0;
/// From a key's release to the next one.
const KEY_UP: Duration = Duration::from_millis(120);
/// What needs the emulator alone takes no longer.
const PROMPTLY: Duration = Duration::from_secs(10);
/// Unread keys that are kept.
const MAX_KEYS: usize = 100;

/// Something that happened to a person.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// A call rings here.
    Rings,
    /// The person's own call has begun.
    Dialing,
    State(PhoneCallState),
    /// Who waits in the lobby of the meeting.
    Lobby(Vec<Participant>),
    Ended {
        code: i32,
    },
    /// Audio can flow.
    Connected,
    /// There is no audio any more.
    Disconnected,
    /// The far end began, or ceased, to speak.
    Speech(bool),
    /// How loud the far end is, in dBov.
    Level(f32),
    /// A key of the far end.
    Key(Digit),
    /// What was to be said is said.
    Said,
    /// The emulator refuses what was asked.
    Refused(String),
}

/// What a person does.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Dial(String),
    Accept,
    Decline,
    HangUp,
    /// Lets a participant in.
    Admit(String),
    Say(Audio),
    Press(Digit, u32),
    /// Packets suffer this from now on.
    Network(NetworkRule),
    /// The emulator's clock moves forward.
    Advance(Duration),
}

/// How a step stands.
enum Progress {
    Waiting,
    Done,
    Failed(String),
}

/// A person on the way through the script.
pub(super) struct Player {
    steps: Vec<Step>,
    at: usize,
    reports: Vec<StepReport>,
    commands: VecDeque<Command>,
    /// When the current step began.
    since: Instant,
    begun: bool,
    /// Whether the step's command is given.
    acted: bool,
    said: bool,
    refused: Option<String>,
    pressed: usize,
    levels: Levels,
    call: CallSeen,
    keys: VecDeque<Digit>,
    lobby: Vec<Participant>,
    /// Hung up at the end of the script, or because a step failed.
    leaving: bool,
}

impl Player {
    pub(super) fn new(steps: &[Step], now: Instant) -> Self {
        Self {
            steps: steps.to_vec(),
            at: 0,
            reports: Vec::new(),
            commands: VecDeque::new(),
            since: now,
            begun: false,
            acted: false,
            said: false,
            refused: None,
            pressed: 0,
            levels: Levels::default(),
            call: CallSeen::NONE,
            keys: VecDeque::new(),
            lobby: Vec::new(),
            leaving: false,
        }
    }

    pub(super) fn poll_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Whether all steps are done, or one failed.
    pub(super) fn is_through(&self) -> bool {
        self.at >= self.steps.len() || self.has_failed()
    }

    /// Whether nothing of the person is left to wait for.
    pub(super) fn is_over(&self) -> bool {
        self.is_through() && !self.call.is_on() && self.commands.is_empty()
    }

    pub(super) fn has_failed(&self) -> bool {
        let failed = |step: &StepReport| matches!(step.outcome, Outcome::Failed(_));
        self.reports.last().is_some_and(failed)
    }

    /// The name all who script it wait for each other under, if it is this person's turn.
    pub(super) fn waits_together(&self) -> Option<&str> {
        match &self.step()?.act {
            Act::Together(name) => Some(name),
            _ => None,
        }
    }

    /// Whether they will wait under this name, or do.
    pub(super) fn will_wait(&self, name: &str) -> bool {
        let mut ahead = self.steps.iter().skip(self.at);
        ahead.any(|step| matches!(&step.act, Act::Together(own) if own == name))
    }

    /// All are there.
    pub(super) fn meet(&mut self, now: Instant) {
        self.close(Outcome::Passed, now);
        self.go_on(now);
    }

    /// What remains can't be done.
    pub(super) fn give_up(&mut self, why: &str, now: Instant) {
        if !self.is_through() {
            self.close(Outcome::Failed(why.to_owned()), now);
        }
        self.leave();
    }

    pub(super) fn into_reports(mut self) -> Vec<StepReport> {
        for step in self.steps.iter().skip(self.reports.len()) {
            self.reports
                .push(step.report(Outcome::NotRun, Duration::ZERO));
        }
        self.reports
    }

    pub(super) fn handle(&mut self, event: Event, now: Instant) {
        self.note(event, now);
        self.go_on(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.go_on(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let act = &self.step()?.act;
        let own = match act {
            Act::Pause(span) | Act::ExpectEnergy { span, .. } => Some(self.since + *span),
            Act::HearSilence { span, .. } => self.silent_since().map(|since| since + *span),
            Act::Press { down, .. } if self.call.connected => Some(self.next_key(*down)),
            _ => None,
        };
        own.into_iter().chain(self.deadline(act)).min()
    }

    fn step(&self) -> Option<&Step> {
        if self.has_failed() {
            return None;
        }
        self.steps.get(self.at)
    }

    /// Remembers what an event says.
    fn note(&mut self, event: Event, now: Instant) {
        let call = &mut self.call;
        match event {
            Event::Rings => {
                *call = CallSeen {
                    stage: Stage::Ringing,
                    rings_here: true,
                    ..CallSeen::NONE
                };
                self.keys.clear();
            }
            Event::Dialing => call.stage = Stage::Ringing,
            Event::State(state) => {
                call.stage = stage(state);
                call.waited |= call.stage == Stage::Lobby;
                if call.stage == Stage::Established {
                    call.established.get_or_insert(now);
                }
            }
            Event::Ended { code } => {
                call.stage = Stage::Ended;
                (call.rings_here, call.connected, call.speaking) = (false, false, false);
                call.ended = Some((now, code));
            }
            Event::Lobby(waiting) => self.lobby = waiting,
            Event::Connected => {
                call.connected = true;
                // A transfer gives the call another session, and cut short what was being
                // said on the last one.
                self.acted &= !self.is_speaking() || self.said;
            }
            Event::Disconnected => {
                (call.connected, call.speaking) = (false, false);
                if self.is_speaking() {
                    self.since = now;
                }
            }
            Event::Speech(on) => {
                call.speaking = on;
                call.last_sound = Some(now);
            }
            Event::Level(dbov) => self.level(dbov, now),
            Event::Key(key) => {
                if self.keys.len() < MAX_KEYS {
                    self.keys.push_back(key);
                }
            }
            Event::Said => self.said = true,
            Event::Refused(why) => self.refused = Some(why),
        }
    }

    fn is_speaking(&self) -> bool {
        let act = self.step().map(|step| &step.act);
        self.acted && matches!(act, Some(Act::Say { .. } | Act::Tones(_)))
    }

    fn level(&mut self, dbov: f32, now: Instant) {
        if dbov > AUDIBLE {
            self.call.last_sound = Some(now);
        }
        self.levels.add(dbov);
    }

    /// Does what can be done now.
    fn go_on(&mut self, now: Instant) {
        while let Some(step) = self.step().cloned() {
            if !self.begun {
                self.begin(&step.act, now);
            }
            let progress = match self.progress(&step.act, now) {
                Progress::Waiting => self.too_late(&step.act, now),
                progress => progress,
            };
            match progress {
                Progress::Waiting => return,
                Progress::Done => self.close(Outcome::Passed, now),
                Progress::Failed(why) => self.close(Outcome::Failed(why), now),
            }
        }
        self.leave();
    }

    fn begin(&mut self, act: &Act, now: Instant) {
        self.since = now;
        (self.begun, self.acted, self.said) = (true, false, false);
        (self.pressed, self.refused) = (0, None);
        self.levels = Levels::default();
        match act {
            Act::Call { target } => {
                self.call = CallSeen::NONE;
                self.keys.clear();
                self.act(Command::Dial(target.clone()));
            }
            Act::HangUp => self.act(Command::HangUp),
            Act::Network(rule) => self.act(Command::Network(rule.clone())),
            Act::AdvanceClock(by) => self.act(Command::Advance(*by)),
            _ => {}
        }
    }

    fn close(&mut self, outcome: Outcome, now: Instant) {
        let took = now.saturating_duration_since(self.since);
        if let Some(step) = self.steps.get(self.at) {
            self.reports.push(step.report(outcome, took));
        }
        self.at += 1;
        self.begun = false;
    }

    fn act(&mut self, command: Command) {
        self.acted = true;
        self.commands.push_back(command);
    }

    /// Nobody stays in a call when the script is over.
    fn leave(&mut self) {
        if self.call.is_on() && !self.leaving {
            self.leaving = true;
            self.commands.push_back(match self.call.rings_here {
                true => Command::Decline,
                false => Command::HangUp,
            });
        }
    }

    fn progress(&mut self, act: &Act, now: Instant) -> Progress {
        if let Some(why) = self.refused.take() {
            return Progress::Failed(why);
        }
        if let Some(failed) = self.without_audio(act) {
            return failed;
        }
        match act {
            Act::Call { .. } => done_if(self.call.stage != Stage::Idle),
            Act::Accept { .. } => self.if_it_rings(Command::Accept),
            Act::Decline { .. } => self.if_it_rings(Command::Decline),
            Act::HangUp => done_if(!self.call.is_on()),
            Act::Admit { name, .. } => self.admit(name),
            Act::Say { audio, background } => self.say(audio, *background),
            Act::Tones(audio) => self.say(audio, false),
            Act::Press { keys, down } => self.press(&keys.0, *down, now),
            Act::Pause(span) => done_if(now >= self.since + *span),
            Act::HearSpeech { .. } => done_if(self.call.speaking),
            Act::HearSound { .. } => {
                let heard = self.call.last_sound.is_some_and(|at| at >= self.since);
                done_if(heard || self.call.speaking)
            }
            Act::HearSilence { span, .. } => {
                let since = self.silent_since();
                done_if(since.is_some_and(|since| now >= since + *span))
            }
            Act::HearKeys { keys, .. } => self.hear_keys(&keys.0),
            Act::Reach { state, .. } => self.reach(*state),
            Act::Together(_) => Progress::Waiting,
            Act::Network(_) | Act::AdvanceClock(_) => Progress::Done,
            Act::ExpectState(state) => self.expect_state(*state),
            Act::ExpectEnergy { above, below, span } => match now >= self.since + *span {
                true => self.levels.judge(*above, *below),
                false => Progress::Waiting,
            },
            Act::ExpectDuration { at_least, at_most } => {
                self.expect_duration(*at_least, *at_most, now)
            }
            Act::ExpectEnd { code, .. } => self.expect_end(*code),
        }
    }

    /// Steps that need audio wait for it, and fail when there will be none.
    fn without_audio(&self, act: &Act) -> Option<Progress> {
        let needed = matches!(
            act,
            Act::Say { .. }
                | Act::Press { .. }
                | Act::Tones(_)
                | Act::HearSpeech { .. }
                | Act::HearSound { .. }
                | Act::HearSilence { .. }
                | Act::HearKeys { .. }
                | Act::ExpectEnergy { .. }
        );
        if !needed || self.call.connected {
            return None;
        }
        // Who hears the last key may hang up before it is let go.
        let pressed = match act {
            Act::Press { keys, .. } => self.pressed == keys.0.len(),
            Act::Tones(_) => self.acted,
            _ => false,
        };
        Some(match self.call.stage {
            Stage::Idle => Progress::Failed("there is no call".to_owned()),
            Stage::Ended if pressed => Progress::Done,
            Stage::Ended => Progress::Failed(self.ended_first()),
            _ => Progress::Waiting,
        })
    }

    fn if_it_rings(&mut self, command: Command) -> Progress {
        if !self.call.rings_here {
            return Progress::Waiting;
        }
        self.call.rings_here = false;
        self.act(command);
        Progress::Done
    }

    fn admit(&mut self, name: &str) -> Progress {
        if let Stage::Idle | Stage::Ended = self.call.stage {
            return Progress::Failed("there is no call".to_owned());
        }
        let Some(at) = self.lobby.iter().position(|one| one.name == name) else {
            return Progress::Waiting;
        };
        let participant = self.lobby.remove(at).participant;
        self.act(Command::Admit(participant));
        Progress::Done
    }

    fn say(&mut self, audio: &Audio, background: bool) -> Progress {
        if !self.acted {
            self.act(Command::Say(Arc::clone(audio)));
        }
        done_if(self.said || background)
    }

    fn press(&mut self, keys: &[Digit], down: Duration, now: Instant) -> Progress {
        if !self.acted {
            // The pace counts from when there is audio.
            self.since = now;
        }
        let ms = u32::try_from(down.as_millis()).unwrap_or(u32::MAX);
        while self.pressed < keys.len() && now >= self.next_key(down) {
            self.act(Command::Press(keys[self.pressed], ms));
            self.pressed += 1;
        }
        done_if(self.pressed == keys.len() && now >= self.next_key(down))
    }

    /// When the next key is pressed, or the last one is up again.
    fn next_key(&self, down: Duration) -> Instant {
        self.since + (down + KEY_UP) * u32::try_from(self.pressed).unwrap_or(u32::MAX)
    }

    /// Since when the far end is silent; `None` while it speaks.
    fn silent_since(&self) -> Option<Instant> {
        let quiet = self.call.connected && !self.call.speaking;
        quiet.then(|| {
            self.call
                .last_sound
                .map_or(self.since, |last| last.max(self.since))
        })
    }

    fn hear_keys(&mut self, keys: &[Digit]) -> Progress {
        let heard = self.keys.len().min(keys.len());
        if !self.keys.iter().take(heard).eq(&keys[..heard]) {
            return Progress::Failed("other keys were heard".to_owned());
        }
        if heard < keys.len() {
            return Progress::Waiting;
        }
        self.keys.drain(..heard);
        Progress::Done
    }

    fn reach(&self, wanted: Stage) -> Progress {
        let now = self.call.stage;
        if wanted == Stage::Lobby && self.call.waited {
            return Progress::Done;
        }
        // Passing through to a later state is reaching; but calls end from any.
        if now == wanted || (now > wanted && now <= Stage::Established && wanted != Stage::Lobby) {
            return Progress::Done;
        }
        match now {
            Stage::Ended => Progress::Failed(self.ended_first()),
            _ => Progress::Waiting,
        }
    }

    fn expect_state(&self, wanted: Stage) -> Progress {
        let now = self.call.stage;
        if now == wanted {
            return Progress::Done;
        }
        Progress::Failed(format!("the call is {now}"))
    }

    fn expect_duration(&self, at_least: Duration, at_most: Duration, now: Instant) -> Progress {
        let Some(begun) = self.call.established else {
            return Progress::Failed("the call was never established".to_owned());
        };
        let until = self.call.ended.map_or(now, |(at, _)| at);
        let lasted = until.saturating_duration_since(begun);
        if (at_least..=at_most).contains(&lasted) {
            return Progress::Done;
        }
        let seconds = lasted.as_secs_f64();
        Progress::Failed(format!("the call was established for {seconds:.1} s"))
    }

    fn expect_end(&self, code: i32) -> Progress {
        match self.call.ended {
            Some((_, ended)) if ended == code => Progress::Done,
            Some((_, ended)) => Progress::Failed(format!("the call ended with code {ended}")),
            None if self.call.stage == Stage::Idle => {
                Progress::Failed("there is no call".to_owned())
            }
            None => Progress::Waiting,
        }
    }

    fn ended_first(&self) -> String {
        let code = self.call.ended.map_or(0, |(_, code)| code);
        format!("the call ended first, with code {code}")
    }

    /// When an act has taken too long.
    fn deadline(&self, act: &Act) -> Option<Instant> {
        let within = match act {
            Act::Accept { within }
            | Act::Decline { within }
            | Act::Admit { within, .. }
            | Act::HearSpeech { within }
            | Act::HearSound { within }
            | Act::HearSilence { within, .. }
            | Act::HearKeys { within, .. }
            | Act::Reach { within, .. }
            | Act::ExpectEnd { within, .. } => *within,
            Act::Call { .. } | Act::HangUp => PROMPTLY,
            // Audio has to be there in time; then they take as long as they take.
            Act::Say { .. } | Act::Press { .. } | Act::Tones(_) | Act::ExpectEnergy { .. } => {
                if self.call.connected {
                    return None;
                }
                PROMPTLY
            }
            _ => return None,
        };
        Some(self.since + within)
    }

    fn too_late(&self, act: &Act, now: Instant) -> Progress {
        let Some(deadline) = self.deadline(act).filter(|deadline| *deadline <= now) else {
            return Progress::Waiting;
        };
        let after = (deadline - self.since).as_secs_f64();
        Progress::Failed(match act {
            Act::Say { .. } | Act::Press { .. } | Act::Tones(_) | Act::ExpectEnergy { .. } => {
                format!("there was no audio connection within {after} s")
            }
            Act::Reach { .. } => format!("the call was still {} after {after} s", self.call.stage),
            _ => format!("it did not come about within {after} s"),
        })
    }
}

fn done_if(done: bool) -> Progress {
    match done {
        true => Progress::Done,
        false => Progress::Waiting,
    }
}

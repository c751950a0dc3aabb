//! A conference: everyone hears everyone else, one round per 20 ms.
//!
//! [`Mix`] is the rounds, without a clock; [`Conference`] is the thread that runs
//! them. What memory there is for audio is made when somebody joins, and wiped.

mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc as orders;
use std::time::{Duration, Instant};

use switchboard_media::engine::{LIVE_FRAME, LiveAudio};
use switchboard_media::event::MediaEvent;
use switchboard_media::mixer::Mixer;
use tokio::sync::mpsc;
use zeroize::{Zeroize, Zeroizing};

use super::record::Recorder;
use lines::{Lines, Speaker, Stillness};

/// Seats of one conference.
pub(super) const MAX_SEATS: usize = 100;
const ROUND: Duration = Duration::from_millis(20);
/// A thread this far behind begins anew instead of running rounds in a row.
const MAX_BEHIND: Duration = Duration::from_millis(100);
/// Pieces that must wait before somebody is heard, so that the next is there in time.
const HEAD_START: usize = 2;
/// Pieces that may wait; what is older is dropped, not heard late.
const MAX_WAITING: usize = 6;
/// Ends of prompts and recordings that may wait to be told of.
const EVENTS: usize = 256;

type Frame = [f32; LIVE_FRAME];

/// Audio at 16 kHz, −1…1.
pub(super) type Samples = Arc<Zeroizing<Vec<f32>>>;

/// What is to change.
pub(super) enum Order {
    /// Somebody is in; without audio it can be played to the others.
    Join {
        seat: u32,
        audio: Option<Box<LiveAudio>>,
        /// Lines for single speakers beside the mix.
        speakers: Vec<LiveAudio>,
    },
    Leave {
        seat: u32,
    },
    Mute {
        seat: u32,
        muted: bool,
    },
    /// Lets a seat hear nothing and be heard by nobody, be it in already or not, or lets
    /// it in.
    Lobby {
        seat: u32,
        waits: bool,
    },
    /// Leaves a seat out of the mix, be it in already or not: it hears what is routed to it,
    /// and is heard where it is routed.
    Outside {
        seat: u32,
    },
    /// Lets a seat hear this alone, over and over, or the others again.
    Hold {
        seat: u32,
        music: Option<Samples>,
    },
    /// Lets a seat say this.
    Play {
        seat: u32,
        samples: Samples,
    },
    /// Stops what a seat says, or what it records.
    Stop {
        seat: u32,
    },
    /// Records what a seat hears.
    Record {
        seat: u32,
        recorder: Box<Recorder>,
    },
    /// Somebody pressed a key, which no audio has in it (RFC 4733).
    Key {
        seat: u32,
        event: MediaEvent,
    },
    /// Lets these alone hear a seat, or everyone again.
    Route {
        seat: u32,
        receivers: Option<BTreeSet<u32>>,
    },
}

/// What a seat was to say is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Played {
    pub(super) seat: u32,
    pub(super) interrupted: bool,
}

/// What is over.
pub(super) enum Over {
    Said(Played),
    /// What a seat heard.
    Recorded(u32, Box<Recorder>),
}

/// The thread's handle; it ends when this is dropped.
pub(super) struct Conference {
    orders: orders::Sender<Order>,
}

impl Conference {
    /// Starts the thread.
    pub(super) fn start() -> Result<(Self, mpsc::Receiver<Over>), std::io::Error> {
        let (sender, receiver) = orders::channel();
        let (over, events) = mpsc::channel(EVENTS);
        std::thread::Builder::new()
            .name("conference".to_owned())
            .spawn(move || run(&receiver, &over))?;
        Ok((Self { orders: sender }, events))
    }

    pub(super) fn order(&self, order: Order) {
        // An error means that the thread is gone, and with it everyone's audio.
        let _ = self.orders.send(order);
    }
}

fn run(orders: &orders::Receiver<Order>, told: &mpsc::Sender<Over>) {
    let mut mix = Mix::new();
    let mut next = Instant::now();
    loop {
        loop {
            match orders.try_recv() {
                Ok(order) => mix.obey(order),
                Err(orders::TryRecvError::Empty) => break,
                Err(orders::TryRecvError::Disconnected) => return,
            }
        }
        mix.round(&mut |over| {
            // Whoever is told falls behind by seconds only when it is gone.
            let _ = told.try_send(over);
        });
        next += ROUND;
        let now = Instant::now();
        if now > next + MAX_BEHIND {
            next = now;
        }
        std::thread::sleep(next.saturating_duration_since(now));
    }
}

/// Everyone who is in, and the rounds of mixing.
struct Mix {
    mixer: Mixer,
    members: BTreeMap<u32, Member>,
    /// Who is apart from the others.
    lobby: BTreeSet<u32>,
    /// Who is not in the mix.
    outside: BTreeSet<u32>,
    free: Vec<usize>,
    ended: Vec<Over>,
    /// Who dominates in this round, the most dominant first.
    dominant: Vec<Speaker>,
    frame: Zeroizing<Frame>,
}

struct Member {
    place: usize,
    audio: Option<LiveAudio>,
    waiting: Waiting,
    saying: Option<Track>,
    muted: bool,
    held: Option<Track>,
    recorder: Option<Box<Recorder>>,
    /// Who alone hears it, and what it said in this round.
    private: Option<(BTreeSet<u32>, Zeroizing<Vec<f32>>)>,
    lines: Lines,
    still: Stillness,
}

/// Something that is played.
struct Track {
    samples: Samples,
    at: usize,
}

/// Pieces heard and not mixed yet, in a ring.
struct Waiting {
    pieces: Box<[Frame; MAX_WAITING]>,
    first: usize,
    count: usize,
    begun: bool,
}

impl Mix {
    fn new() -> Self {
        Self {
            mixer: Mixer::new(MAX_SEATS),
            members: BTreeMap::new(),
            lobby: BTreeSet::new(),
            outside: BTreeSet::new(),
            free: (0..MAX_SEATS).rev().collect(),
            ended: Vec::new(),
            dominant: Vec::with_capacity(MAX_SEATS),
            frame: Zeroizing::new([0.0; LIVE_FRAME]),
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Join {
                seat,
                audio,
                speakers,
            } => self.join(seat, audio.map(|audio| *audio), speakers),
            Order::Leave { seat } => self.leave(seat),
            Order::Mute { seat, muted } => {
                if let Some(member) = self.members.get_mut(&seat) {
                    member.muted = muted;
                }
            }
            Order::Lobby { seat, waits: true } => drop(self.lobby.insert(seat)),
            Order::Lobby { seat, waits: false } => drop(self.lobby.remove(&seat)),
            Order::Outside { seat } => drop(self.outside.insert(seat)),
            Order::Hold { seat, music } => {
                if let Some(member) = self.members.get_mut(&seat) {
                    member.held = music.map(Track::new);
                }
            }
            Order::Play { seat, samples } => {
                if let Some(member) = self.members.get_mut(&seat) {
                    member.saying = Some(Track::new(samples));
                }
            }
            Order::Route { seat, receivers } => {
                if let Some(member) = self.members.get_mut(&seat) {
                    let frame = || Zeroizing::new(vec![0.0; LIVE_FRAME]);
                    member.private = receivers.map(|receivers| (receivers, frame()));
                }
            }
            Order::Stop { seat } => self.stop(seat),
            Order::Record { seat, recorder } => {
                if let Some(member) = self.members.get_mut(&seat) {
                    member.recorder = Some(recorder);
                }
            }
            Order::Key { seat, event } => self.key(seat, &event),
        }
    }

    fn stop(&mut self, seat: u32) {
        let Some(member) = self.members.get_mut(&seat) else {
            return;
        };
        if member.saying.take().is_some() {
            let interrupted = true;
            self.ended.push(Over::Said(Played { seat, interrupted }));
        }
        if let Some(mut recorder) = member.recorder.take() {
            recorder.cancel();
            self.ended.push(Over::Recorded(seat, recorder));
        }
    }

    /// Recorders hear of a key of somebody who is heard.
    fn key(&mut self, seat: u32, event: &MediaEvent) {
        let who = self.members.get(&seat);
        let who = who.filter(|_| !self.lobby.contains(&seat) && !self.outside.contains(&seat));
        if who.is_none_or(|who| who.muted || who.held.is_some() || who.private.is_some()) {
            return;
        }
        let hear = |other: &u32| *other != seat && !self.outside.contains(other);
        let others = self.members.iter_mut().filter(|(other, _)| hear(other));
        for recorder in others.filter_map(|(_, member)| member.recorder.as_mut()) {
            recorder.handle(event);
        }
    }

    fn join(&mut self, seat: u32, mut audio: Option<LiveAudio>, speakers: Vec<LiveAudio>) {
        // Whoever asks does not ask for more than there are.
        let Some(place) = self.free.pop() else { return };
        if let Some(audio) = &mut audio {
            audio.ears.listen();
        }
        let member = Member {
            place,
            audio,
            waiting: Waiting::new(),
            saying: None,
            muted: false,
            held: None,
            recorder: None,
            private: None,
            lines: Lines::new(speakers),
            still: Stillness::default(),
        };
        self.members.insert(seat, member);
    }

    fn leave(&mut self, seat: u32) {
        self.lobby.remove(&seat);
        self.outside.remove(&seat);
        if let Some(member) = self.members.remove(&seat) {
            self.mixer.leave(member.place);
            self.free.push(member.place);
        }
    }

    /// 20 ms of everyone; tells what ended.
    fn round(&mut self, told: &mut impl FnMut(Over)) {
        for over in self.ended.drain(..) {
            told(over);
        }
        for (seat, member) in &mut self.members {
            let spoke = member.speak(&mut self.frame);
            let apart = self.lobby.contains(seat);
            let heard = spoke && !apart && !member.muted && member.held.is_none();
            if let Some((_, own)) = &mut member.private {
                own.fill(0.0);
                if heard {
                    own.copy_from_slice(&self.frame[..]);
                }
            } else if heard && !self.outside.contains(seat) {
                self.mixer.put(member.place, &self.frame[..]);
            }
            if member.saying.as_ref().is_some_and(Track::is_over) {
                member.saying = None;
                let interrupted = false;
                told(Over::Said(Played {
                    seat: *seat,
                    interrupted,
                }));
            }
        }
        self.mixer.turn();
        self.rank();
        let seats = self.members.len();
        for at in 0..seats {
            let Some(seat) = self.members.keys().nth(at).copied() else {
                break;
            };
            self.bring_to(seat, told);
        }
        self.frame.zeroize();
    }

    /// Lets a seat hear this round's mix, and what is said to it privately.
    fn bring_to(&mut self, seat: u32, told: &mut impl FnMut(Over)) {
        let Some(place) = self.members.get(&seat).map(|member| member.place) else {
            return;
        };
        let (apart, outside) = (self.lobby.contains(&seat), self.outside.contains(&seat));
        match outside {
            true => self.frame.fill(0.0),
            false => self.mixer.heard_by(place, &mut self.frame[..]),
        }
        whisper(&self.members, seat, &mut self.frame);
        if apart {
            self.frame.fill(0.0);
        }
        let Some(member) = self.members.get_mut(&seat) else {
            return;
        };
        if !apart && !outside && member.held.is_none() {
            member.lines.say(seat, &self.dominant, &self.mixer);
        }
        member.hear(&mut self.frame);
        if let Some(recorder) = member.recorder.take_if(|one| one.end().is_some()) {
            told(Over::Recorded(seat, recorder));
        }
    }

    /// Finds out who dominates, if somebody is to hear them singly.
    fn rank(&mut self) {
        self.dominant.clear();
        if !self.members.values().any(|member| member.lines.are_there()) {
            return;
        }
        for place in self.mixer.dominant() {
            let mut members = self.members.iter();
            let who = members.find(|(_, member)| member.place == *place);
            self.dominant.extend(who.map(|(seat, _)| Speaker {
                seat: *seat,
                place: *place,
            }));
        }
    }
}

/// Adds what others say to a seat privately.
fn whisper(members: &BTreeMap<u32, Member>, seat: u32, frame: &mut Frame) {
    let private = members.iter().filter(|(other, _)| **other != seat);
    for (receivers, said) in private.filter_map(|(_, member)| member.private.as_ref()) {
        if receivers.contains(&seat) {
            for (sample, said) in frame.iter_mut().zip(said.iter()) {
                *sample = (*sample + said).clamp(-1.0, 1.0);
            }
        }
    }
}

impl Member {
    /// What it says in this round, if anything.
    fn speak(&mut self, frame: &mut Frame) -> bool {
        if let Some(audio) = &mut self.audio {
            return self.waiting.next(audio, frame);
        }
        match &mut self.saying {
            Some(track) => {
                track.next(frame);
                true
            }
            None => false,
        }
    }

    /// Hears the others, or music.
    fn hear(&mut self, frame: &mut Frame) {
        if let Some(music) = &mut self.held {
            music.next(frame);
            if music.is_over() {
                music.at = 0;
            }
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.hear_mix(frame);
        }
        let Some(audio) = &mut self.audio else { return };
        if !self.still.lasts(frame) {
            lines::say(&mut audio.voice, |voice| voice.say(frame));
        }
    }
}

impl Track {
    fn new(samples: Samples) -> Self {
        Self { samples, at: 0 }
    }

    /// The next 20 ms, silence after the end.
    fn next(&mut self, frame: &mut Frame) {
        let rest = self.samples.get(self.at..).unwrap_or_default();
        let now = rest.len().min(LIVE_FRAME);
        frame[..now].copy_from_slice(&rest[..now]);
        frame[now..].fill(0.0);
        self.at += LIVE_FRAME;
    }

    fn is_over(&self) -> bool {
        self.at >= self.samples.len()
    }
}

impl Waiting {
    fn new() -> Self {
        Self {
            pieces: Box::new([[0.0; LIVE_FRAME]; MAX_WAITING]),
            first: 0,
            count: 0,
            begun: false,
        }
    }

    /// Takes what has come and gives the piece of this round.
    fn next(&mut self, audio: &mut LiveAudio, frame: &mut Frame) -> bool {
        while audio.ears.receive(|_, heard| self.push(heard)).is_some() {}
        self.begun = match self.count {
            0 => false,
            waiting => self.begun || waiting >= HEAD_START,
        };
        if self.begun {
            let piece = &mut self.pieces[self.first];
            frame.copy_from_slice(piece);
            piece.zeroize();
            self.drop_first();
        }
        self.begun
    }

    /// The oldest gives way if there are too many.
    fn push(&mut self, heard: &Frame) {
        if self.count == MAX_WAITING {
            self.drop_first();
        }
        let last = (self.first + self.count) % MAX_WAITING;
        self.pieces[last].copy_from_slice(heard);
        self.count += 1;
    }

    fn drop_first(&mut self) {
        self.first = (self.first + 1) % MAX_WAITING;
        self.count -= 1;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pieces.as_flattened_mut().zeroize();
    }
}

/// What is heard on hold unless the application has its own: a soft arpeggio.
pub(super) fn hold_music() -> Samples {
    const RATE: f32 = 16_000.0;
    const NOTES: [f32; 8] = [262.0, 330.0, 392.0, 523.0, 392.0, 330.0, 294.0, 349.0];
    const LENGTH: usize = 8_000;
    let mut samples = Zeroizing::new(Vec::with_capacity(NOTES.len() * LENGTH));
    for note in NOTES {
        samples.extend((0..LENGTH).map(|n| {
            let t = n as f32 / RATE;
            let swell = (std::f32::consts::PI * n as f32 / LENGTH as f32).sin();
            0.05 * swell * (std::f32::consts::TAU * note * t).sin()
        }));
    }
    Arc::new(samples)
}

#[cfg(test)]
mod tests;

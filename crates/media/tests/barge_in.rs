//! Whoever speaks into a prompt, or presses a key, silences it: measured in media time.
//!
//! No clock is asked: a stepped engine is told what time it is, the caller's packets come
//! by a network that loses and delays them as a seed says.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard_media::codec::{Codec, OPUS_SILENCE};
use switchboard_media::engine::{Engine, EngineConfig, Leg, LegConfig, Stepper};
use switchboard_media::event::{Digit, MediaEvent, PlayId};
use switchboard_media::playout::{Playout, PlayoutConfig};
use switchboard_media::prompt::Prompt;
use switchboard_media::receive::TelephoneEventFormat;
use switchboard_media::rtp::RtpHeader;
use switchboard_media::wav;

/// Two packets: what a caller may still be told from the moment they are noticed.
const BOUND: Duration = Duration::from_millis(40);
const FRAME: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_micros(2500);
const TICKS_A_FRAME: u64 = 8;
const CASES: u64 = 240;
/// Long after every case is over.
const LAST: Duration = Duration::from_secs(8);

const OPUS: u8 = 111;
const EVENTS: TelephoneEventFormat = TelephoneEventFormat {
    payload_type: 126,
    clock_rate: 8_000,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Speaks,
    /// A key that is told of (RFC 4733).
    Presses,
    /// A key that is heard.
    Sounds,
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % limit
    }
}

/// What all cases share: encoded once.
struct Sounds {
    prompt: Arc<Prompt>,
    /// The caller's speech and key, beginning at each eighth of a packet.
    speech: Vec<Arc<Prompt>>,
    key: Vec<Arc<Prompt>>,
}

impl Sounds {
    fn new() -> Self {
        let hum = |n: u32| 0.2 * (n as f32 * 0.11).sin();
        let prompt: Vec<f32> = (0..16 * 6_000).map(hum).collect();
        let recorded = include_bytes!("../../../fixtures/speech/recorded-en.wav");
        let speech = wav::read(recorded).unwrap();
        let speech = &speech.mono()[..speech.rate as usize * 2];
        let tone = |n: u32, hz: f32| (n as f32 * hz * std::f32::consts::TAU / 16_000.0).sin();
        let key: Vec<f32> = (0..1_920)
            .map(|n| 0.25 * (tone(n, 770.0) + tone(n, 1336.0)))
            .collect();
        Self {
            prompt: Prompt::from_samples(16_000, &prompt).unwrap(),
            speech: shifted(speech),
            key: shifted(&key),
        }
    }
}

fn shifted(sound: &[f32]) -> Vec<Arc<Prompt>> {
    let later = |eighths: usize| {
        let mut samples = vec![0.0; eighths * 40];
        samples.extend_from_slice(sound);
        Prompt::from_samples(16_000, &samples).unwrap()
    };
    (0..8).map(later).collect()
}

/// The caller's sender and the network from there: one packet every 20 ms.
struct Caller {
    playout: Playout,
    next: Duration,
    /// The frame in which the caller acts.
    acts_in: u64,
    act: Act,
    sound: Option<Arc<Prompt>>,
    lost_percent: u64,
    most_late_ms: u64,
    chance: Chance,
    /// What is under way, by when it comes.
    under_way: BTreeMap<(Duration, u16), (RtpHeader, Vec<u8>)>,
    lost: u64,
}

impl Caller {
    fn new(seed: u64, sounds: &Sounds) -> Self {
        let mut chance = Chance(seed);
        let act = [Act::Speaks, Act::Presses, Act::Sounds][seed as usize % 3];
        let shift = chance.below(8) as usize;
        Self {
            playout: Playout::new(PlayoutConfig {
                payload_type: OPUS,
                codec: Codec::Opus,
                ssrc: seed as u32 + 1,
                comfort_silence: true,
                telephone_event: Some(EVENTS),
            }),
            next: TICK * chance.below(TICKS_A_FRAME) as u32,
            acts_in: 20 + chance.below(60),
            act,
            sound: match act {
                Act::Speaks => Some(Arc::clone(&sounds.speech[shift])),
                Act::Sounds => Some(Arc::clone(&sounds.key[shift])),
                Act::Presses => None,
            },
            lost_percent: chance.below(11),
            most_late_ms: chance.below(31),
            chance,
            under_way: BTreeMap::new(),
            lost: 0,
        }
    }

    fn speak(&mut self, now: Duration) {
        while self.next <= now {
            self.frame();
            self.next += FRAME;
        }
    }

    fn frame(&mut self) {
        if self.acts_in == 0 {
            match &self.sound {
                Some(sound) => self.playout.play(PlayId(1), Arc::clone(sound), &mut |_| {}),
                None => self.playout.press(Digit::from_char('5').unwrap(), 120),
            }
        }
        self.acts_in = self.acts_in.wrapping_sub(1);
        let mut sent = None;
        let mut send = |header: &RtpHeader, payload: &[u8]| {
            sent = Some((*header, payload.to_vec()));
        };
        self.playout.frame(None, &mut send, &mut |_| {});
        let late = Duration::from_millis(self.chance.below(self.most_late_ms + 1));
        let (header, payload) = sent.unwrap();
        match self.chance.below(100) < self.lost_percent {
            true => self.lost += 1,
            false => {
                let place = (self.next + late, header.sequence);
                self.under_way.insert(place, (header, payload));
            }
        }
    }

    fn arrive(&mut self, begin: Instant, now: Duration, bot: &mut Leg) {
        while let Some(first) = self.under_way.first_entry() {
            let (at, _) = *first.key();
            if at > now {
                return;
            }
            let (header, payload) = first.remove();
            bot.network.receive(begin + at, &header, &payload).unwrap();
        }
    }
}

/// The bot's side: it stops what it says so long after it was told of speech or a key.
struct Bot {
    leg: Leg,
    reaction: Duration,
    stop_at: Option<Duration>,
    noticed: Option<Duration>,
    /// When the last packet of the prompt was sent.
    last: Option<Duration>,
    silenced: bool,
}

impl Bot {
    fn decide(&mut self, now: Duration) {
        if self.stop_at.is_some_and(|at| at <= now) {
            self.stop_at = None;
            self.leg.app.stop();
        }
    }

    fn listen(&mut self, now: Duration) {
        let take = |_: &RtpHeader, payload: &[u8]| payload != OPUS_SILENCE;
        while let Some(prompt) = self.leg.network.transmit(take) {
            if prompt {
                self.last = Some(now);
            }
        }
        while let Some(event) = self.leg.app.event() {
            match event {
                MediaEvent::SpeechStart { .. } | MediaEvent::DigitStart { .. }
                    if self.noticed.is_none() =>
                {
                    self.noticed = Some(now);
                    self.stop_at = Some(now + self.reaction);
                }
                MediaEvent::PlayFinished { interrupted, .. } => self.silenced = interrupted,
                _ => {}
            }
        }
    }
}

/// From the frame in which the caller is noticed until the last packet of the prompt has
/// been played, and how many packets the network lost.
fn talked_on(seed: u64, sounds: &Sounds, reaction: Duration) -> (Duration, u64) {
    let (engine, mut stepper) = Engine::stepped(EngineConfig::default()).unwrap();
    let leg = engine.open(LegConfig {
        telephone_events: [Some(EVENTS), None],
        ..LegConfig::new(OPUS, 7)
    });
    let mut bot = Bot {
        leg: leg.unwrap(),
        reaction,
        stop_at: None,
        noticed: None,
        last: None,
        silenced: false,
    };
    bot.leg.app.play(Arc::clone(&sounds.prompt)).unwrap();
    let mut caller = Caller::new(seed, sounds);
    run(seed, &mut stepper, &mut bot, &mut caller);
    let (noticed, last) = (bot.noticed.unwrap(), bot.last.unwrap());
    assert!(
        noticed < last + FRAME,
        "seed {seed}: nothing was said when {:?}",
        caller.act
    );
    (last + FRAME - noticed, caller.lost)
}

/// Until five frames after the prompt was silenced.
fn run(seed: u64, stepper: &mut Stepper, bot: &mut Bot, caller: &mut Caller) {
    // An origin for what counts from it; nothing depends on which.
    let begin = Instant::now();
    let (mut now, mut until) = (Duration::ZERO, LAST);
    while now < until {
        caller.speak(now);
        caller.arrive(begin, now, &mut bot.leg);
        bot.decide(now);
        stepper.tick(begin + now);
        bot.listen(now);
        if bot.silenced && until == LAST {
            until = now + 5 * FRAME;
        }
        now += TICK;
    }
    assert!(
        bot.silenced,
        "seed {seed}: not silenced when {:?}",
        caller.act
    );
}

/// Reactions of up to a frame, `more` later.
fn all(more: Duration) -> Vec<(u64, Duration, u64)> {
    let sounds = Sounds::new();
    let reaction = |seed: u64| TICK * (seed % (TICKS_A_FRAME + 1)) as u32 + more;
    (0..CASES)
        .map(|seed| {
            let (on, lost) = talked_on(seed, &sounds, reaction(seed));
            (seed, on, lost)
        })
        .collect()
}

#[test]
fn a_prompt_ends_within_two_packets_of_the_frame_that_told_of_the_caller() {
    let cases = all(Duration::ZERO);
    for (seed, on, _) in &cases {
        assert!(*on <= BOUND, "seed {seed}: the bot talked on for {on:?}");
    }
    let lost: u64 = cases.iter().map(|(_, _, lost)| lost).sum();
    assert!(lost > CASES, "a network that loses nothing shows nothing");
}

#[test]
fn one_frame_later_would_be_noticed() {
    let cases = all(FRAME);
    let late = cases.iter().filter(|(_, on, _)| *on > BOUND).count();
    assert!(late * 4 > cases.len(), "{late} of {}", cases.len());
}

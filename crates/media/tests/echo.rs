//! The echo of our own prompt is no speech, and whoever speaks over it is heard: whole legs
//! in media time, the caller's telephone giving back what it plays.

#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stdout, reason = "the figures in benches/README.md")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard_media::codec::{Decoder, MAX_FRAME};
use switchboard_media::engine::{Engine, EngineConfig, Leg, LegConfig, Stepper};
use switchboard_media::event::MediaEvent;
use switchboard_media::prompt::Prompt;
use switchboard_media::resample::to_16k;
use switchboard_media::rtp::RtpHeader;
use switchboard_media::wav;

const LINEAR: u8 = 97;
/// Samples of 20 ms.
const FRAME: usize = 320;
const TICK: Duration = Duration::from_micros(2500);
const TICKS_A_FRAME: usize = 8;

/// A recording, its loud half −23 dBov on average.
fn speech(bytes: &[u8]) -> Vec<f32> {
    let wav = wav::read(bytes).unwrap();
    let mut samples = to_16k(wav.rate, &wav.mono()).unwrap();
    let mut powers: Vec<f32> = samples.chunks(FRAME).map(power).collect();
    powers.sort_by(f32::total_cmp);
    let loud = &powers[powers.len() / 2..];
    let mean = loud.iter().sum::<f32>() / loud.len() as f32;
    let gain = (10f32.powf(-2.3) / mean).sqrt();
    samples.iter_mut().for_each(|sample| *sample *= gain);
    samples.to_vec()
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32
}

fn recordings() -> Vec<Vec<f32>> {
    let all: [&[u8]; 6] = [
        include_bytes!("../../../fixtures/speech/recorded-en.wav"),
        include_bytes!("../../../fixtures/speech/recorded-es.wav"),
        include_bytes!("../../../fixtures/speech/recorded-fr.wav"),
        include_bytes!("../../../fixtures/speech/recorded-it.wav"),
        include_bytes!("../../../fixtures/speech/recorded-ru.wav"),
        include_bytes!("../../../fixtures/speech/synthetic-de.wav"),
    ];
    all.into_iter().map(speech).collect()
}

/// A telephone at the far end: what it plays comes back.
struct Telephone {
    decoder: Decoder,
    /// Whether whoever is called guards against it.
    guarded: bool,
    /// All that it played.
    played: Vec<f32>,
    /// How much later it comes back, in samples.
    delay: usize,
    /// By how much quieter, in dB, and from when on by how much instead.
    loss: f32,
    change: Option<(usize, f32)>,
    /// What its owner says, and from when on.
    near: Vec<f32>,
    near_from: usize,
    state: u32,
    sent: u32,
}

impl Telephone {
    fn new(delay_ms: usize, loss: f32) -> Self {
        Self {
            decoder: Decoder::new().unwrap(),
            guarded: true,
            played: Vec::new(),
            delay: delay_ms * 16,
            loss,
            change: None,
            near: Vec::new(),
            near_from: 0,
            state: 1,
            sent: 0,
        }
    }

    fn play(&mut self, packet: &[u8]) {
        let mut samples = [0.0; MAX_FRAME];
        let count = self.decoder.decode(packet, &mut samples).unwrap();
        self.played.extend_from_slice(&samples[..count]);
    }

    fn echo(&self, at: usize) -> f32 {
        let loss = match self.change {
            Some((from, loss)) if at >= from => loss,
            _ => self.loss,
        };
        let played = at
            .checked_sub(self.delay)
            .and_then(|at| self.played.get(at));
        played.map_or(0.0, |sample| sample * 10f32.powf(-loss / 20.0))
    }

    fn near(&self, at: usize) -> f32 {
        let said = at.checked_sub(self.near_from);
        said.and_then(|at| self.near.get(at))
            .copied()
            .unwrap_or(0.0)
    }

    /// Whether its owner is louder than the echo by 6 dB in the 20 ms before `at`.
    fn is_above_echo(&self, at: usize) -> bool {
        let frame = at.saturating_sub(FRAME)..at;
        let near: Vec<f32> = frame.clone().map(|at| self.near(at)).collect();
        let echo: Vec<f32> = frame.map(|at| self.echo(at)).collect();
        power(&near) > 4.0 * power(&echo).max(1e-5)
    }

    /// The next 20 ms: echo, owner, and the noise of a line at −66 dBov.
    fn send(&mut self, now: Instant, leg: &mut Leg) {
        let begin = self.sent as usize * FRAME;
        let mut payload = Vec::with_capacity(2 * FRAME);
        for at in begin..begin + FRAME {
            self.state = self
                .state
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            let noise = (self.state as f32 / u32::MAX as f32 - 0.5) * 0.0017;
            let sample = self.echo(at) + self.near(at) + noise;
            payload.extend_from_slice(&((sample * 32_767.0) as i16).to_be_bytes());
        }
        let header = RtpHeader {
            payload_type: LINEAR,
            sequence: self.sent as u16,
            timestamp: self.sent * FRAME as u32,
            ssrc: 2,
            ..RtpHeader::default()
        };
        self.sent += 1;
        leg.network.receive(now, &header, &payload).unwrap();
    }
}

/// Where in the telephone's samples speech was noticed.
fn call(prompt: &Arc<Prompt>, telephone: &mut Telephone) -> Vec<usize> {
    let (engine, mut stepper) = Engine::stepped(EngineConfig::default()).unwrap();
    let leg = engine.open(LegConfig {
        linear_payload_type: Some(LINEAR),
        guard_echo: telephone.guarded,
        ..LegConfig::new(111, 7)
    });
    let mut leg = leg.unwrap();
    let frames = prompt.packets() + 40;
    let mut noticed = Vec::new();
    // An origin for what counts from it; nothing depends on which.
    let begin = Instant::now();
    for tick in 0..frames * TICKS_A_FRAME {
        let now = begin + TICK * tick as u32;
        if tick == 15 * TICKS_A_FRAME {
            leg.app.play(Arc::clone(prompt)).unwrap();
        }
        if tick % TICKS_A_FRAME == 3 {
            telephone.send(now, &mut leg);
        }
        step(&mut stepper, now, &mut leg, telephone, &mut noticed);
    }
    noticed
}

fn step(
    stepper: &mut Stepper,
    now: Instant,
    leg: &mut Leg,
    telephone: &mut Telephone,
    noticed: &mut Vec<usize>,
) {
    stepper.tick(now);
    while leg
        .network
        .transmit(|_, packet| telephone.play(packet))
        .is_some()
    {}
    while let Some(event) = leg.app.event() {
        if matches!(event, MediaEvent::SpeechStart { .. }) {
            noticed.push(telephone.sent as usize * FRAME);
        }
    }
}

/// Prompts of each voice, twice what was recorded.
fn prompts(voices: &[Vec<f32>]) -> Vec<Arc<Prompt>> {
    let twice = |voice: &Vec<f32>| Prompt::from_samples(16_000, &voice.repeat(2)).unwrap();
    voices.iter().map(twice).collect()
}

/// How many prompts interrupt themselves, of how many, with echoes of each delay and loss
/// that change by so much after three seconds.
fn interrupted(guarded: bool, change: Option<f32>) -> (usize, usize) {
    let (mut calls, mut interrupted) = (0, 0);
    for prompt in prompts(&recordings()) {
        for delay in [20, 60, 130, 250, 400] {
            for loss in [10.0, 16.0, 25.0, 40.0] {
                let mut telephone = Telephone::new(delay, loss);
                telephone.guarded = guarded;
                telephone.change = change.map(|more| (16_000 * 3, f32::max(loss + more, 10.0)));
                calls += 1;
                interrupted += usize::from(!call(&prompt, &mut telephone).is_empty());
            }
        }
    }
    println!(
        "guarded {guarded}, {change:?}: {interrupted} of {calls} prompts interrupted themselves"
    );
    (interrupted, calls)
}

#[test]
fn the_echo_of_a_prompt_does_not_interrupt_it() {
    let (interrupted, calls) = interrupted(true, None);
    assert!(interrupted * 20 <= calls, "{interrupted} of {calls}");
}

#[test]
fn without_the_guard_most_prompts_interrupt_themselves() {
    let (interrupted, calls) = interrupted(false, None);
    assert!(interrupted * 2 > calls, "{interrupted} of {calls}");
}

#[test]
fn an_echo_that_becomes_quieter_is_still_known() {
    let (interrupted, calls) = interrupted(true, Some(12.0));
    assert!(interrupted * 20 <= calls, "{interrupted} of {calls}");
}

#[test]
fn most_echoes_that_become_louder_are_still_known() {
    let (interrupted, calls) = interrupted(true, Some(-9.0));
    assert!(interrupted * 3 <= calls, "{interrupted} of {calls}");
}

#[test]
fn whoever_speaks_over_the_echo_is_noticed() {
    let voices = recordings();
    let prompts = prompts(&voices);
    let (mut late, mut missed) = (Vec::new(), 0);
    for (voice, prompt) in prompts.iter().enumerate() {
        for (delay, loss) in [
            (20, 40.0),
            (60, 30.0),
            (130, 25.0),
            (250, 20.0),
            (400, 15.0),
        ] {
            for (from, other) in [(1_300, 1), (2_100, 2), (3_300, 4)] {
                let mut telephone = Telephone::new(delay, loss);
                telephone.near = voices[(voice + other) % voices.len()].clone();
                telephone.near_from = from * 16;
                // As loud as the prompt less 8 dB.
                telephone.near.iter_mut().for_each(|sample| *sample *= 0.4);
                let noticed = call(prompt, &mut telephone);
                let end = telephone.sent as usize * FRAME;
                let above = (from * 16..end)
                    .step_by(80)
                    .find(|at| telephone.is_above_echo(*at));
                match (above, noticed.first()) {
                    (Some(above), Some(noticed)) => late.push(noticed.saturating_sub(above) / 16),
                    _ => missed += 1,
                }
            }
        }
    }
    late.sort_unstable();
    let at = |share: usize| late[(late.len() - 1) * share / 100];
    println!(
        "noticed {} calls, ms: p50 {} p80 {} p90 {} max {}",
        late.len(),
        at(50),
        at(80),
        at(90),
        at(100)
    );
    assert_eq!(missed, 0);
    assert!(at(80) <= 240 && at(100) <= 1_000, "{late:?}");
}

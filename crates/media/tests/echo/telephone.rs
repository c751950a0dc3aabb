//! A caller whose telephone gives back what it plays, on a whole leg in media time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard_media::codec::{Codec, Decoder, MAX_FRAME, MAX_PACKET, SpeechEncoder};
use switchboard_media::engine::{Engine, EngineConfig, Leg, LegConfig, Stepper};
use switchboard_media::event::MediaEvent;
use switchboard_media::prompt::Prompt;
use switchboard_media::resample::to_16k;
use switchboard_media::rtp::RtpHeader;
use switchboard_media::wav;

const OPUS: u8 = 111;
const LINEAR: u8 = 97;
/// Samples of 20 ms.
pub(crate) const FRAME: usize = 320;
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
        include_bytes!("../../../../fixtures/speech/recorded-en.wav"),
        include_bytes!("../../../../fixtures/speech/recorded-es.wav"),
        include_bytes!("../../../../fixtures/speech/recorded-fr.wav"),
        include_bytes!("../../../../fixtures/speech/recorded-it.wav"),
        include_bytes!("../../../../fixtures/speech/recorded-ru.wav"),
        include_bytes!("../../../../fixtures/speech/synthetic-de.wav"),
    ];
    all.into_iter().map(speech).collect()
}

/// What cancels echo: given what is said and what is heard at the same time, it leaves the rest.
pub(crate) type Canceller = Box<dyn FnMut(&[f32; FRAME], &mut [f32; FRAME])>;

/// A telephone at the far end: what it plays comes back.
pub(crate) struct Telephone {
    pub(crate) decoder: Decoder,
    /// Whether whoever is called guards against it.
    pub(crate) guarded: bool,
    /// All that it played.
    pub(crate) played: Vec<f32>,
    /// How much later it comes back, in samples.
    pub(crate) delay: usize,
    /// By how much quieter, in dB, and from when on by how much instead.
    pub(crate) loss: f32,
    pub(crate) change: Option<(usize, f32)>,
    /// How it comes back: samples later again, and how loud.
    pub(crate) room: Vec<(usize, f32)>,
    /// What its owner says, and from when on.
    pub(crate) near: Vec<f32>,
    pub(crate) near_from: usize,
    /// Sends Opus, and one packet in twenty is lost each way.
    pub(crate) lossy: Option<(SpeechEncoder, Decoder)>,
    /// What whoever is called does about it besides.
    pub(crate) cancel: Option<Canceller>,
    /// All that was said to it.
    pub(crate) said: Vec<f32>,
    pub(crate) hears: Decoder,
    pub(crate) state: u32,
    pub(crate) sent: u32,
}

impl Telephone {
    pub(crate) fn new(delay_ms: usize, loss: f32) -> Self {
        Self {
            decoder: Decoder::new().unwrap(),
            guarded: true,
            played: Vec::new(),
            delay: delay_ms * 16,
            loss,
            change: None,
            room: vec![(0, 1.0)],
            near: Vec::new(),
            near_from: 0,
            lossy: None,
            cancel: None,
            said: Vec::new(),
            hears: Decoder::new().unwrap(),
            state: 1,
            sent: 0,
        }
    }

    /// It and whoever is called speak Opus, and lose one packet in twenty each way.
    pub(crate) fn lossy(delay_ms: usize, loss: f32) -> Self {
        let coder = SpeechEncoder::new(Codec::Opus).unwrap();
        Self {
            lossy: Some((coder, Decoder::new().unwrap())),
            state: (delay_ms + loss as usize) as u32,
            ..Self::new(delay_ms, loss)
        }
    }

    /// It stands in a room that rings for 300 ms (to −60 dB), as loud altogether as what comes
    /// back directly.
    pub(crate) fn in_a_room(delay_ms: usize, loss: f32) -> Self {
        let mut telephone = Self::new(delay_ms, loss);
        let mut tail: Vec<(usize, f32)> = (0..60).map(|n| telephone.reflection(n)).collect();
        let power: f32 = tail.iter().map(|(_, gain)| gain * gain).sum();
        tail.iter_mut().for_each(|(_, gain)| *gain /= power.sqrt());
        telephone.room.extend(tail);
        telephone
    }

    /// One in each 5 ms.
    fn reflection(&mut self, n: usize) -> (usize, f32) {
        let after = n * 80 + 1 + (79.0 * self.random()) as usize;
        let sign = if self.random() < 0.5 { -1.0 } else { 1.0 };
        (after, sign * 10f32.powf(-3.0 * after as f32 / 4_800.0))
    }

    /// Its echo changes by so much after three seconds, to no more than −10 dB.
    pub(crate) fn changing(delay_ms: usize, loss: f32, more: f32) -> Self {
        Self {
            change: Some((16_000 * 3, f32::max(loss + more, 10.0))),
            ..Self::new(delay_ms, loss)
        }
    }

    /// 0–1.
    fn random(&mut self) -> f32 {
        self.state = self.state.wrapping_mul(1_664_525);
        self.state = self.state.wrapping_add(1_013_904_223);
        self.state as f32 / u32::MAX as f32
    }

    fn loses(&mut self) -> bool {
        self.lossy.is_some() && self.random() < 0.05
    }

    fn play(&mut self, packet: &[u8]) {
        let mut samples = [0.0; MAX_FRAME];
        let count = self.hears.decode(packet, &mut samples).unwrap();
        self.said.extend_from_slice(&samples[..count]);
        let count = match self.loses() {
            true => self.decoder.conceal(&mut samples[..FRAME]),
            false => self.decoder.decode(packet, &mut samples),
        };
        self.played.extend_from_slice(&samples[..count.unwrap()]);
    }

    /// What comes back in the 20 ms from `begin` on.
    fn echo(&self, begin: usize) -> [f32; FRAME] {
        let loss = match self.change {
            Some((from, loss)) if begin >= from => loss,
            _ => self.loss,
        };
        let loss = 10f32.powf(-loss / 20.0);
        let mut echo = [0.0; FRAME];
        for (later, gain) in &self.room {
            let later = self.delay + later;
            let silent = later.saturating_sub(begin).min(FRAME);
            let played = self.played.get((begin + silent).saturating_sub(later)..);
            for (echo, played) in echo[silent..].iter_mut().zip(played.unwrap_or_default()) {
                *echo += loss * gain * played;
            }
        }
        echo
    }

    fn near(&self, at: usize) -> f32 {
        let said = at.checked_sub(self.near_from);
        said.and_then(|at| self.near.get(at))
            .copied()
            .unwrap_or(0.0)
    }

    /// Whether its owner is louder than the echo by 6 dB in the 20 ms before `at`.
    fn is_above_echo(&self, at: usize) -> bool {
        let begin = at.saturating_sub(FRAME);
        let near: Vec<f32> = (begin..at).map(|at| self.near(at)).collect();
        let echo = self.echo(begin);
        power(&near) > 4.0 * power(&echo).max(1e-5)
    }

    /// The next 20 ms: echo, owner, and the noise of a line at −66 dBov.
    fn send(&mut self, now: Instant, leg: &mut Leg) {
        let begin = self.sent as usize * FRAME;
        let echo = self.echo(begin);
        let frame = std::array::from_fn(|n| {
            let noise = (self.random() - 0.5) * 0.0017;
            echo[n] + self.near(begin + n) + noise
        });
        if self.cancel.is_some() {
            return self.send_cancelled(now, leg, frame);
        }
        let (payload, ticks) = self.encode(&frame);
        if !self.loses() {
            self.receive(now, leg, &payload, ticks);
        }
        self.sent += 1;
    }

    /// The same for whoever decodes and cancels before anything else.
    fn send_cancelled(&mut self, now: Instant, leg: &mut Leg, mut frame: [f32; FRAME]) {
        let lost = self.loses();
        if let Some((encoder, decoder)) = &mut self.lossy {
            let (mut packet, mut heard) = (vec![0; MAX_PACKET], [0.0; MAX_FRAME]);
            let len = encoder.encode(&frame, &mut packet).unwrap();
            match lost {
                true => decoder.conceal(&mut heard[..FRAME]).unwrap(),
                false => decoder.decode(&packet[..len], &mut heard).unwrap(),
            };
            frame.copy_from_slice(&heard[..FRAME]);
        }
        let begin = self.sent as usize * FRAME;
        let said = self.said.get(begin..begin + FRAME);
        let said = said
            .and_then(|said| said.first_chunk())
            .unwrap_or(&[0.0; FRAME]);
        self.cancel.as_mut().unwrap()(said, &mut frame);
        self.receive(now, leg, &linear(&frame), FRAME as u32);
        self.sent += 1;
    }

    fn receive(&self, now: Instant, leg: &mut Leg, payload: &[u8], ticks: u32) {
        let header = RtpHeader {
            payload_type: if self.is_linear() { LINEAR } else { OPUS },
            sequence: self.sent as u16,
            timestamp: self.sent * ticks,
            ssrc: 2,
            ..RtpHeader::default()
        };
        leg.network.receive(now, &header, payload).unwrap();
    }

    fn is_linear(&self) -> bool {
        self.lossy.is_none() || self.cancel.is_some()
    }

    fn encode(&mut self, frame: &[f32; FRAME]) -> (Vec<u8>, u32) {
        let Some((encoder, _)) = &mut self.lossy else {
            return (linear(frame), FRAME as u32);
        };
        let mut packet = vec![0; MAX_PACKET];
        let len = encoder.encode(frame, &mut packet).unwrap();
        packet.truncate(len);
        (packet, Codec::Opus.frame_ticks())
    }
}

fn linear(frame: &[f32; FRAME]) -> Vec<u8> {
    let bytes = frame.map(|sample| ((sample * 32_767.0) as i16).to_be_bytes());
    bytes.as_flattened().to_vec()
}

/// Where in the telephone's samples speech was noticed.
fn call(prompt: &Arc<Prompt>, telephone: &mut Telephone) -> Vec<usize> {
    let (engine, mut stepper) = Engine::stepped(EngineConfig::default()).unwrap();
    let leg = engine.open(LegConfig {
        linear_payload_type: telephone.is_linear().then_some(LINEAR),
        guard_echo: telephone.guarded,
        ..LegConfig::new(OPUS, 7)
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

/// How many prompts interrupt themselves, 20 of each of so many voices, on telephones as
/// `make` makes them.
pub(crate) fn interrupted(voices: usize, make: impl Fn(usize, f32) -> Telephone) -> usize {
    let mut interrupted = 0;
    for prompt in prompts(&recordings()[..voices]) {
        for delay in [20, 60, 130, 250, 400] {
            for loss in [10.0, 16.0, 25.0, 40.0] {
                let noticed = call(&prompt, &mut make(delay, loss));
                interrupted += usize::from(!noticed.is_empty());
            }
        }
    }
    interrupted
}

/// How long after they are above the echo callers are noticed who speak into prompts, 15 of
/// each of so many voices, in ms, sorted; those who never are count as a minute.
pub(crate) fn noticed(count: usize, make: impl Fn(usize, f32) -> Telephone) -> Vec<usize> {
    let voices = recordings();
    let mut late = Vec::new();
    for (voice, prompt) in prompts(&voices[..count]).iter().enumerate() {
        for (delay, loss) in PATHS {
            for (from, other) in [(1_300, 1), (2_100, 2), (3_300, 4)] {
                let mut telephone = make(delay, loss);
                telephone.near = voices[(voice + other) % voices.len()].clone();
                telephone.near_from = from * 16;
                // As loud as the prompt less 8 dB.
                telephone.near.iter_mut().for_each(|sample| *sample *= 0.4);
                let noticed = call(prompt, &mut telephone);
                late.push(lateness(&telephone, &noticed));
            }
        }
    }
    late.sort_unstable();
    late
}

/// Delays in ms and losses in dB of the echoes that are spoken over.
const PATHS: [(usize, f32); 5] = [
    (20, 40.0),
    (60, 30.0),
    (130, 25.0),
    (250, 20.0),
    (400, 15.0),
];

fn lateness(telephone: &Telephone, noticed: &[usize]) -> usize {
    let end = telephone.sent as usize * FRAME;
    let mut speaks = (telephone.near_from..end).step_by(80);
    let above = speaks.find(|at| telephone.is_above_echo(*at)).unwrap();
    let noticed = noticed.iter().find(|at| **at >= telephone.near_from);
    noticed.map_or(60_000, |at| at.saturating_sub(above) / 16)
}

//! The media path per 20 ms of one call, beside the parts it cannot do without,
//! in one run: read the ratios, not the microseconds.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use switchboard_media::analysis::{Analyzer, AnalyzerConfig};
use switchboard_media::codec::{
    Codec, Decoder, ENCODER_FRAME, Encoder, MAX_FRAME, MAX_PACKET, OPUS_SILENCE,
};
use switchboard_media::engine::{Engine, EngineConfig, Leg, LegConfig, Stepper};
use switchboard_media::event::{MediaEvent, PlayId};
use switchboard_media::jitter::JitterBuffer;
use switchboard_media::playout::{Playout, PlayoutConfig};
use switchboard_media::prompt::Prompt;
use switchboard_media::receive::{Format, Formats, Receiver, ReceiverConfig};
use switchboard_media::resample::Stream;
use switchboard_media::rtp::{self, RtpHeader};

const OPUS: u8 = 111;
const FRAME: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_micros(2500);
const TICKS_A_FRAME: u32 = 8;
/// Frames after which what is said comes back.
const ECHO_LATE: usize = 10;
const READ: &[u8] = include_bytes!("../../fixtures/speech/read-en.wav");
const ANOTHER: &[u8] = include_bytes!("../../fixtures/speech/recorded-es.wav");

/// Ten seconds at `rate`: bursts of shaped noise, like syllables, and pauses.
fn signal(rate: u32) -> Vec<f32> {
    let (mut state, mut low) = (1u32, 0.0f32);
    (0..rate * 10)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = state as f32 / u32::MAX as f32 - 0.5;
            low += 0.2 * (noise - low);
            let at = n as f32 / rate as f32;
            let syllable = (at * 4.0 * std::f32::consts::TAU).sin().max(0.0);
            let talking = if at % 3.0 < 2.0 { 1.0 } else { 0.0 };
            0.8 * low * syllable * talking
        })
        .collect()
}

fn prompt() -> Arc<Prompt> {
    Prompt::from_samples(48_000, &signal(48_000)).unwrap()
}

fn header(n: u32) -> RtpHeader {
    RtpHeader {
        payload_type: OPUS,
        marker: false,
        sequence: n as u16,
        timestamp: n.wrapping_mul(960),
        ssrc: 1,
        csrc: None,
    }
}

fn receiver() -> Receiver {
    let formats = Formats::new().with(OPUS, Format::Opus).unwrap();
    let analyzer = AnalyzerConfig::default();
    Receiver::new(ReceiverConfig { formats, analyzer }).unwrap()
}

/// One packet's whole way in, of which one in `lose_every` is lost.
fn receive(c: &mut Criterion, prompt: &Prompt) {
    let mut group = c.benchmark_group("receive 20 ms");
    for (name, lose_every) in [("no loss", u32::MAX), ("5 % loss", 20)] {
        let (mut receiver, mut n) = (receiver(), 0u32);
        let mut now = Instant::now();
        group.bench_function(BenchmarkId::new("pipeline", name), |b| {
            b.iter(|| {
                n = n.wrapping_add(1);
                now += FRAME;
                if n % lose_every != 0 {
                    let payload = prompt.packet(n as usize % prompt.packets()).unwrap();
                    receiver.push(now, &header(n), payload, &mut |event| {
                        black_box(event);
                    });
                }
                // As often as a worker looks.
                for ms in [0, 5, 10, 15] {
                    receiver.pull(now + Duration::from_millis(ms), &mut |event| {
                        black_box(event);
                    });
                }
            });
        });
    }
    group.finish();
}

/// What any implementation must do, and our own parts one by one.
fn parts(c: &mut Criterion, prompt: &Prompt) {
    let mut group = c.benchmark_group("part of 20 ms");
    let (mut decoder, mut n) = (Decoder::new().unwrap(), 0);
    let mut pcm = [0.0; MAX_FRAME];
    group.bench_function("opus decode at 16 kHz (limit)", |b| {
        b.iter(|| {
            n += 1;
            let packet = prompt.packet(n % prompt.packets()).unwrap();
            decoder.decode(packet, &mut pcm).unwrap()
        });
    });
    let samples = signal(16_000);
    let mut frames = samples.chunks_exact(320).cycle();
    let mut analyzer = Analyzer::new(AnalyzerConfig::default());
    group.bench_function("analysis (all detectors)", |b| {
        b.iter(|| {
            analyzer.process(frames.next().unwrap(), &mut |event| {
                black_box(event);
            });
        });
    });
    let (mut jitter, mut n, mut now) = (JitterBuffer::new(48_000), 0u32, Instant::now());
    group.bench_function("jitter buffer", |b| {
        b.iter(|| {
            n = n.wrapping_add(1);
            now += FRAME;
            let payload = prompt.packet(n as usize % prompt.packets()).unwrap();
            jitter.push(now, &header(n), 960, payload);
            while let Some(pulled) = jitter.pull(now) {
                black_box(&pulled);
            }
        });
    });
    let packet = [&header(1).to_bytes()[..], prompt.packet(20).unwrap()].concat();
    group.bench_function("RTP parse", |b| {
        b.iter(|| rtp::parse(black_box(&packet)).is_ok());
    });
    group.finish();
}

fn playout(c: &mut Criterion, prompt: &Arc<Prompt>) {
    let mut group = c.benchmark_group("send 20 ms");
    let mut playout = Playout::new(PlayoutConfig {
        payload_type: OPUS,
        codec: Codec::Opus,
        ssrc: 1,
        comfort_silence: true,
        telephone_event: None,
    });
    group.bench_function("prompt from shared packets", |b| {
        b.iter(|| {
            if playout.playing().is_none() {
                playout.play(PlayId(1), Arc::clone(prompt), &mut |_| {});
            }
            playout.frame(
                None,
                &mut |header, payload| {
                    black_box((header, payload));
                },
                &mut |_| {},
            );
        });
    });
    let samples = signal(48_000);
    let mut frames = samples.chunks_exact(ENCODER_FRAME).cycle();
    let (mut encoder, mut packet) = (Encoder::new().unwrap(), [0; MAX_PACKET]);
    group.bench_function("opus encode (what that saves)", |b| {
        b.iter(|| encoder.encode(frames.next().unwrap(), &mut packet).unwrap());
    });
    group.finish();
}

fn resample(c: &mut Criterion) {
    let mut group = c.benchmark_group("resample 20 ms to 16 kHz");
    for rate in [8_000u32, 44_100, 48_000] {
        let samples = signal(rate);
        let mut frames = samples.chunks_exact(rate as usize / 50).cycle();
        let mut stream = Stream::new(rate).unwrap();
        group.bench_function(BenchmarkId::from_parameter(rate), |b| {
            b.iter(|| {
                stream.push(frames.next().unwrap(), &mut |block| {
                    black_box(block);
                });
            });
        });
    }
    group.finish();
}

/// What a caller's line gives to a bot that speaks.
#[derive(Debug, Clone, Copy)]
enum Line {
    Silent,
    Echo,
    AnotherVoice,
}

/// A leg that plays a prompt over and over.
struct Bot {
    leg: Leg,
    stepper: Stepper,
    _engine: Engine,
    prompt: Arc<Prompt>,
    another: Arc<Prompt>,
    /// What was said last and may come back.
    said: VecDeque<Vec<u8>>,
    now: Instant,
    n: u32,
}

impl Bot {
    fn new(guard_echo: bool) -> Self {
        let (engine, stepper) = Engine::stepped(EngineConfig::default()).unwrap();
        let config = LegConfig {
            guard_echo,
            ..LegConfig::new(OPUS, 1)
        };
        let mut leg = engine.open(config).unwrap();
        let prompt = Prompt::from_wav(READ).unwrap();
        leg.app.play(Arc::clone(&prompt)).unwrap();
        Self {
            leg,
            stepper,
            _engine: engine,
            prompt,
            another: Prompt::from_wav(ANOTHER).unwrap(),
            said: std::iter::repeat_n(OPUS_SILENCE.to_vec(), ECHO_LATE).collect(),
            now: Instant::now(),
            n: 0,
        }
    }

    /// 20 ms both ways, with the ticks of a worker.
    fn frame(&mut self, line: Line) {
        self.n = self.n.wrapping_add(1);
        let payload = match line {
            Line::Silent => &OPUS_SILENCE[..],
            Line::Echo => &self.said[0][..],
            Line::AnotherVoice => {
                let at = self.n as usize % self.another.packets();
                self.another.packet(at).unwrap()
            }
        };
        let network = &mut self.leg.network;
        network.receive(self.now, &header(self.n), payload).unwrap();
        for _ in 0..TICKS_A_FRAME {
            self.now += TICK;
            self.stepper.tick(self.now);
            while network
                .transmit(|_, payload| keep(&mut self.said, payload))
                .is_some()
            {}
        }
        while let Some(event) = self.leg.app.event() {
            if let MediaEvent::PlayFinished { .. } = event {
                self.leg.app.play(Arc::clone(&self.prompt)).unwrap();
            }
        }
    }
}

/// The oldest makes room, and its memory.
fn keep(said: &mut VecDeque<Vec<u8>>, payload: &[u8]) {
    let mut oldest = said.pop_front().unwrap_or_default();
    oldest.clear();
    oldest.extend_from_slice(payload);
    said.push_back(oldest);
}

/// A leg while the bot speaks, with and without the guard against its own echo.
fn guarded_leg(c: &mut Criterion) {
    let mut group = c.benchmark_group("leg that speaks, 20 ms");
    for line in [Line::Silent, Line::Echo, Line::AnotherVoice] {
        for (guard, guard_echo) in [("off", false), ("on", true)] {
            let mut bot = Bot::new(guard_echo);
            let id = BenchmarkId::new(format!("guard {guard}"), format!("{line:?}"));
            group.bench_function(id, |b| b.iter(|| bot.frame(line)));
        }
    }
    group.finish();
}

/// A meeting: the mix, and dominant speakers on lines beside it, as the transport opens them.
struct Meeting {
    mix: Leg,
    lines: Vec<Leg>,
    stepper: Stepper,
    _engine: Engine,
    voices: [Arc<Prompt>; 2],
    now: Instant,
    n: u32,
}

impl Meeting {
    fn new(lines: u32) -> Self {
        let (engine, stepper) = Engine::stepped(EngineConfig::default()).unwrap();
        let line = |n| LegConfig {
            comfort_silence: false,
            sources: true,
            ..LegConfig::new(OPUS, 100 + n)
        };
        Self {
            mix: engine.open(LegConfig::new(OPUS, 1)).unwrap(),
            lines: (0..lines).map(|n| engine.open(line(n)).unwrap()).collect(),
            stepper,
            _engine: engine,
            voices: [READ, ANOTHER].map(|wav| Prompt::from_wav(wav).unwrap()),
            now: Instant::now(),
            n: 0,
        }
    }

    /// 20 ms: `speaking` lines have a voice, the others nothing; each is another's after
    /// every `turn` packets.
    fn frame(&mut self, speaking: usize, turn: u32) {
        self.n = self.n.wrapping_add(1);
        let (now, header) = (self.now, header(self.n));
        let voice = |n: usize| {
            let prompt = &self.voices[n % 2];
            prompt
                .packet((self.n as usize + 70 * n) % prompt.packets())
                .unwrap()
        };
        let mixed = if speaking > 0 {
            voice(0)
        } else {
            &OPUS_SILENCE[..]
        };
        self.mix.network.receive(now, &header, mixed).unwrap();
        for (n, line) in self.lines.iter_mut().take(speaking).enumerate() {
            let header = RtpHeader {
                csrc: Some(self.n / turn * 10 + n as u32),
                ..header
            };
            line.network.receive(now, &header, voice(n)).unwrap();
        }
        for _ in 0..TICKS_A_FRAME {
            self.now += TICK;
            self.stepper.tick(self.now);
            for leg in std::iter::once(&mut self.mix).chain(&mut self.lines) {
                while leg.network.transmit(|_, _| ()).is_some() {}
            }
        }
        for leg in std::iter::once(&mut self.mix).chain(&mut self.lines) {
            while let Some(event) = leg.app.event() {
                black_box(event);
            }
        }
    }
}

fn dominant_speakers(c: &mut Criterion) {
    const NEVER: u32 = u32::MAX;
    let mut group = c.benchmark_group("meeting, 20 ms");
    for (name, lines, speaking, turn) in [
        ("the mix alone, one speaks", 0, 1, NEVER),
        ("4 lines, nobody speaks", 4, 0, NEVER),
        ("4 lines, 1 speaks", 4, 1, NEVER),
        ("4 lines, 4 speak", 4, 4, NEVER),
        ("4 lines, 4 speak, each for a second", 4, 4, 50),
    ] {
        let mut meeting = Meeting::new(lines);
        group.bench_function(name, |b| b.iter(|| meeting.frame(speaking, turn)));
    }
    group.finish();
}

fn all(c: &mut Criterion) {
    let prompt = prompt();
    parts(c, &prompt);
    receive(c, &prompt);
    playout(c, &prompt);
    resample(c);
    guarded_leg(c);
    dominant_speakers(c);
}

criterion_group!(benches, all);
criterion_main!(benches);

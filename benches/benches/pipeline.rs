//! The media path per 20 ms of one call, beside the parts it cannot do without,
//! in one run: read the ratios, not the microseconds.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use switchboard_media::analysis::{Analyzer, AnalyzerConfig};
use switchboard_media::codec::{Codec, Decoder, ENCODER_FRAME, Encoder, MAX_FRAME, MAX_PACKET};
use switchboard_media::event::PlayId;
use switchboard_media::jitter::JitterBuffer;
use switchboard_media::playout::{Playout, PlayoutConfig};
use switchboard_media::prompt::Prompt;
use switchboard_media::receive::{Format, Formats, Receiver, ReceiverConfig};
use switchboard_media::resample::Stream;
use switchboard_media::rtp::{self, RtpHeader};

const OPUS: u8 = 111;
const FRAME: Duration = Duration::from_millis(20);

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

fn all(c: &mut Criterion) {
    let prompt = prompt();
    parts(c, &prompt);
    receive(c, &prompt);
    playout(c, &prompt);
    resample(c);
}

criterion_group!(benches, all);
criterion_main!(benches);

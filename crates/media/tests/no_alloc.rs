//! The media path allocates nothing once a leg is set up.
//!
//! One test in a file of its own: the allocator counts for the whole process.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used)]

mod counting;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use switchboard_media::analysis::AnalyzerConfig;
use switchboard_media::codec::{Codec, G722Decoder, G722Encoder};
use switchboard_media::engine::{Engine, EngineConfig, LIVE_FRAME, LegConfig};
use switchboard_media::event::{Digit, MediaEvent, PlayId};
use switchboard_media::features::{Fbank, FbankConfig, LogMel, PitchTracker, WhisperBins};
use switchboard_media::mixer::{MIX_FRAME, Mixer};
use switchboard_media::playout::{Playout, PlayoutConfig};
use switchboard_media::prompt::Prompt;
use switchboard_media::receive::{Format, Formats, Receiver, ReceiverConfig, TelephoneEventFormat};
use switchboard_media::rtp::RtpHeader;
use switchboard_media::silero::{Rate, Silero};

use counting::allocations;

/// Ten seconds of noise bursts and digits.
fn signal() -> Vec<f32> {
    let mut state = 1u32;
    (0..160_000)
        .map(|n: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = state as f32 / u32::MAX as f32 - 0.5;
            let tone = |hz: f32| (n as f32 * hz * std::f32::consts::TAU / 16_000.0).sin();
            match n / 4000 % 4 {
                0 => 0.3 * noise,
                1 => 0.2 * (tone(770.0) + tone(1336.0)),
                2 => 0.1 * (1.0 + tone(3.0)) * noise,
                _ => 0.0,
            }
        })
        .collect()
}

fn header(n: u32) -> RtpHeader {
    RtpHeader {
        payload_type: 111,
        marker: false,
        sequence: n as u16,
        timestamp: n.wrapping_mul(960),
        ssrc: 1,
        csrc: None,
    }
}

/// An RFC 4733 packet: digit 5, volume 10.
fn telephone_event(n: u32, payload_type: u8) -> (RtpHeader, [u8; 4]) {
    let end = if n % 10 > 7 { 0x80 } else { 0 };
    let duration = ((n % 10 + 1) * 160) as u16;
    let [high, low] = duration.to_be_bytes();
    let header = RtpHeader {
        payload_type,
        timestamp: (n - n % 10).wrapping_mul(960),
        ..header(n)
    };
    (header, [5, end | 10, high, low])
}

/// 12 000 packets, of which 10 % are lost, some late or double, some no audio.
fn receive(receiver: &mut Receiver, prompt: &Prompt, start: Instant) -> u64 {
    let mut events = 0;
    let mut sink = |_: MediaEvent| events += 1;
    let mut random = 7u32;
    for n in 0..12_000u32 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let now = start + Duration::from_millis(20) * n;
        let payload = prompt.packet(n as usize % prompt.packets()).unwrap();
        // Five speakers take turns of two seconds.
        let header = |n: u32| RtpHeader {
            csrc: Some(n / 100 % 5),
            ..header(n)
        };
        match (random >> 16) % 20 {
            0 | 1 => {}
            2 => {
                receiver.push(now, &header(n), payload, &mut sink);
                receiver.push(now, &header(n), payload, &mut sink);
            }
            3 => receiver.push(now, &header(n.saturating_sub(5)), payload, &mut sink),
            4 => {
                let (header, payload) = telephone_event(n, 101);
                receiver.push(now, &header, &payload, &mut sink);
            }
            5 => receiver.push(now, &header(n), &[], &mut sink),
            _ => receiver.push(now, &header(n), payload, &mut sink),
        }
        for ms in [0, 5, 10, 15] {
            receiver.pull(now + Duration::from_millis(ms), &mut sink);
        }
    }
    events
}

fn receiver_allocates_nothing(prompt: &Prompt) {
    let formats = Formats::new()
        .with(111, Format::Opus)
        .and_then(|f| f.with(101, Format::TelephoneEvent { clock_rate: 48_000 }))
        .unwrap();
    let mut receiver = Receiver::new(ReceiverConfig {
        formats,
        analyzer: AnalyzerConfig {
            vad_frames: true,
            ..AnalyzerConfig::default()
        },
    })
    .unwrap();
    receiver.tell_sources();
    let start = Instant::now();
    let mut events = 0;
    let count = allocations(|| events = receive(&mut receiver, prompt, start));
    assert!(events > 1000, "there was something to hear");
    assert!(receiver.stats().lost > 1000 && receiver.stats().recovered > 100);
    assert_eq!(count, 0, "receiving allocates");
}

fn playout_allocates_nothing(prompt: &Arc<Prompt>) {
    let mut playout = Playout::new(PlayoutConfig {
        payload_type: 111,
        codec: Codec::Opus,
        ssrc: 1,
        comfort_silence: true,
        telephone_event: Some(TelephoneEventFormat {
            payload_type: 101,
            clock_rate: 48_000,
        }),
    });
    let mut bytes = 0;
    let count = allocations(|| {
        for n in 0..12_000u64 {
            if n % 300 == 0 {
                playout.play(PlayId(n), Arc::clone(prompt), &mut |_| {});
            }
            if n % 300 == 100 {
                playout.press(Digit::ALL[5], 100);
            }
            if n % 300 == 200 {
                playout.stop(&mut |_| {});
            }
            playout.frame(None, &mut |_, payload| bytes += payload.len(), &mut |_| {});
        }
    });
    assert!(bytes > 100_000);
    assert_eq!(count, 0, "playout allocates");
}

fn features_allocate_nothing(signal: &[f32]) {
    let mut fbank = Fbank::new(FbankConfig::default());
    let mut log_mel = LogMel::new(WhisperBins::B128);
    let mut pitch = PitchTracker::new();
    let mut frames = 0;
    let count = allocations(|| {
        for _ in 0..2 {
            for piece in signal.chunks(333) {
                fbank.push(piece, &mut |_, _| frames += 1);
                log_mel.push(piece, &mut |_| frames += 1);
                pitch.push(piece, &mut |_| frames += 1);
            }
            log_mel.finish(&mut |_| frames += 1);
        }
    });
    assert!(frames > 5900, "{frames}");
    assert_eq!(count, 0, "features allocate");
}

/// Twenty talk; each hears the others.
fn mixing_allocates_nothing(signal: &[f32]) {
    let mut mixer = Mixer::new(20);
    let (mut out, mut loud) = ([0.0; MIX_FRAME], 0.0);
    let (mut encoder, mut decoder) = (G722Encoder::new(), G722Decoder::new());
    let count = allocations(|| {
        for frame in signal.chunks_exact(MIX_FRAME) {
            for seat in 0..mixer.seats() {
                mixer.put(seat, frame);
            }
            mixer.turn();
            for seat in 0..mixer.seats() {
                mixer.heard_by(seat, &mut out);
            }
            for pair in out.chunks_exact(2) {
                loud += decoder.decode(encoder.encode([pair[0], pair[1]]))[0].abs();
            }
            mixer.leave(mixer.dominant().first().copied().unwrap_or(0));
        }
    });
    assert!(loud > 100.0);
    assert_eq!(count, 0, "mixing allocates");
}

/// Two legs on their worker thread; this thread is network and application.
fn engine_allocates_nothing(prompt: &Arc<Prompt>) {
    let engine = Engine::start(EngineConfig {
        workers: 1,
        ..EngineConfig::default()
    })
    .unwrap();
    let live = |ssrc| LegConfig {
        live: true,
        guard_echo: true,
        ..LegConfig::new(111, ssrc)
    };
    let mut from = engine.open(live(1)).unwrap();
    let mut to = engine.open(live(2)).unwrap();
    let mut voice = to.live.take().unwrap().voice;
    let mut ears = from.live.take().unwrap().ears;
    ears.listen();
    from.app.play(Arc::clone(prompt)).unwrap();
    let begin = Instant::now();
    let (mut sent, mut heard) = (0u32, 0);
    let mut step = || {
        let carried = from.network.transmit(|header, payload| {
            if header.sequence % 10 != 3 {
                let _ = to.network.receive(Instant::now(), header, payload);
            }
        });
        sent += u32::from(carried.is_some());
        to.network.transmit(|header, payload| {
            let _ = from.network.receive(Instant::now(), header, payload);
        });
        let _ = voice.say_for(7, &[0.1; LIVE_FRAME]);
        while ears.receive(|_, _| heard += 1).is_some() {}
        while from.app.event().is_some() || to.app.event().is_some() {}
        thread::sleep(Duration::from_millis(1));
        assert!(begin.elapsed() < Duration::from_secs(60));
        sent
    };
    // The first packets set up what is set up lazily (the threads' own).
    while step() < 20 {}
    let count = allocations(|| while step() < 200 {});
    assert!(to.app.stats().lost > 5);
    assert!(heard > 150);
    assert_eq!(count, 0, "a running engine allocates");
}

fn speech_frames_allocate_nothing() {
    for rate in [Rate::Hz8000, Rate::Hz16000] {
        let mut detector = Silero::new(rate);
        let samples: Vec<f32> = (0..16_000u32).map(|n| (n * n % 97) as f32 / 97.0).collect();
        let mut frames = 0;
        let count = allocations(|| {
            for _ in 0..10 {
                for block in samples.chunks(313) {
                    detector.push(block, &mut |_| frames += 1);
                }
                detector.reset();
            }
        });
        assert_eq!(frames, 10 * (samples.len() / rate.frame()));
        assert_eq!(count, 0, "a frame allocates");
    }
}

#[test]
fn nothing_is_allocated_on_the_media_path() {
    let signal = signal();
    let prompt = Prompt::from_samples(16_000, &signal).unwrap();
    features_allocate_nothing(&signal);
    mixing_allocates_nothing(&signal);
    speech_frames_allocate_nothing();
    receiver_allocates_nothing(&prompt);
    playout_allocates_nothing(&prompt);
    engine_allocates_nothing(&prompt);
}

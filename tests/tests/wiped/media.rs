//! The owners of audio and packets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard_media::analysis::{Analyzer, AnalyzerConfig};
use switchboard_media::codec::{Codec, MAX_PACKET, SPEECH_FRAME, SpeechEncoder};
use switchboard_media::dtmf;
use switchboard_media::engine::{Engine, EngineConfig, LIVE_FRAME, LegConfig};
use switchboard_media::event::{Digit, PlayId};
use switchboard_media::features::{Fbank, FbankConfig, LogMel, PitchTracker, WhisperBins};
use switchboard_media::jitter::JitterBuffer;
use switchboard_media::mixer::{MIX_FRAME, Mixer};
use switchboard_media::playout::{Playout, PlayoutConfig};
use switchboard_media::prompt::Prompt;
use switchboard_media::receive::{Format, Formats, Receiver, ReceiverConfig};
use switchboard_media::rtp::RtpHeader;
use switchboard_media::silero::{Rate, Silero};
use switchboard_media::{resample, wav};

use crate::is_wiped;
use crate::watch::unwiped;

const PACKET: Duration = Duration::from_millis(20);
const TYPE: u8 = 96;

fn header(n: u32, codec: Codec) -> RtpHeader {
    RtpHeader {
        payload_type: TYPE,
        marker: false,
        sequence: n as u16,
        timestamp: n.wrapping_mul(codec.frame_ticks()),
        ssrc: 1,
        csrc: None,
    }
}

/// A signal's packets of 20 ms, as long as the codec makes them.
fn packets(signal: &[f32], codec: Codec) -> Vec<Vec<u8>> {
    let mut encoder = SpeechEncoder::new(codec).unwrap();
    let mut space = [0; MAX_PACKET];
    let (frames, _) = signal.as_chunks::<SPEECH_FRAME>();
    let packed = frames.iter().map(|frame| {
        let length = encoder.encode(frame, &mut space).unwrap();
        space[..length].to_vec()
    });
    packed.collect()
}

fn receiver(format: Format) -> Receiver {
    let config = ReceiverConfig {
        formats: Formats::new().with(TYPE, format).unwrap(),
        analyzer: AnalyzerConfig {
            vad_frames: true,
            ..AnalyzerConfig::default()
        },
    };
    Receiver::new(config).unwrap()
}

/// Packets are received of which some are lost and the last ones wait: then the leg ends.
fn a_receiver_is_wiped(codec: Codec, format: Format) {
    // Both at once, since an encoder frees, too; its own test is below.
    let all = [1, 2].map(|seed| packets(&crate::signal(seed), codec));
    let first = crate::signal(1);
    is_wiped(|signal| {
        let packets = &all[usize::from(signal != first)];
        let mut receiver = Box::new(receiver(format));
        let begin = Instant::now();
        for (n, packet) in packets.iter().enumerate() {
            let now = begin + PACKET * n as u32;
            let header = header(n as u32, codec);
            if n % 9 != 4 && n != packets.len() - 4 {
                receiver.push(now, &header, packet, &mut |_| {});
            }
            receiver.pull(now, &mut |_| {});
        }
    });
}

#[test]
fn a_receiver_of_opus() {
    a_receiver_is_wiped(Codec::Opus, Format::Opus);
}

#[test]
fn a_receiver_of_g722() {
    a_receiver_is_wiped(Codec::G722, Format::G722);
}

#[test]
fn a_receiver_of_g711() {
    a_receiver_is_wiped(Codec::Pcmu, Format::Pcmu);
    a_receiver_is_wiped(Codec::Pcma, Format::Pcma);
}

#[test]
fn a_jitter_buffer() {
    is_wiped(|signal| {
        let mut buffer = Box::new(JitterBuffer::new(16_000));
        let (frames, _) = signal.as_chunks::<160>();
        for (n, frame) in frames.iter().enumerate() {
            let mut packet = [0; 320];
            for (bytes, sample) in packet.chunks_exact_mut(2).zip(frame) {
                bytes.copy_from_slice(&((sample * 32_767.0) as i16).to_be_bytes());
            }
            let mut header = header(n as u32, Codec::Pcmu);
            header.timestamp = 160 * n as u32;
            let now = Instant::now();
            buffer.push(now, &header, 160, &packet);
            // What is pulled is left behind in its slot until another takes it.
            while n < frames.len() - 5 && buffer.pull(now).is_some() {}
        }
    });
}

#[test]
fn detectors() {
    is_wiped(|signal| {
        let mut dtmf = Box::new(dtmf::Detector::new(dtmf::Rate::Hz16000));
        let mut silero = Box::new(Silero::new(Rate::Hz16000));
        let mut analyzer = Box::new(Analyzer::new(AnalyzerConfig::default()));
        dtmf.push(signal, &mut |_| {});
        silero.push(signal, &mut |_| {});
        analyzer.process(signal, &mut |_| {});
    });
}

#[test]
fn encoders() {
    for codec in [Codec::Opus, Codec::G722, Codec::Pcmu] {
        is_wiped(|signal| {
            let mut encoder = Box::new(SpeechEncoder::new(codec).unwrap());
            let mut space = [0; MAX_PACKET];
            for frame in signal.as_chunks::<SPEECH_FRAME>().0 {
                encoder.encode(frame, &mut space).unwrap();
            }
        });
    }
}

#[test]
fn features_for_models() {
    is_wiped(|signal| {
        let mut fbank = Box::new(Fbank::new(FbankConfig::default()));
        let mut log_mel = Box::new(LogMel::new(WhisperBins::B80));
        let mut pitch = Box::new(PitchTracker::new());
        fbank.push(signal, &mut |_, _| {});
        log_mel.push(signal, &mut |_| {});
        pitch.push(signal, &mut |_| {});
    });
}

#[test]
fn a_mixer() {
    is_wiped(|signal| {
        let mut mixer = Box::new(Mixer::new(4));
        let mut out = [0.0; MIX_FRAME];
        for frame in signal.chunks_exact(MIX_FRAME) {
            mixer.put(1, frame);
            mixer.put(2, frame);
            mixer.turn();
            mixer.heard_by(0, &mut out);
        }
    });
}

#[test]
fn recordings_and_resampling() {
    // A file is its reader's own.
    let files = [1, 2].map(|seed| wav::write(8_000, &crate::signal(seed)));
    let first = crate::signal(1);
    is_wiped(|signal| {
        let file = wav::read(&files[usize::from(signal != first)]).unwrap();
        let mono = file.mono();
        drop(file.channel(0));
        drop(resample::to_16k(8_000, &mono).unwrap());
        let mut stream = Box::new(resample::Stream::new(8_000).unwrap());
        stream.push(&mono, &mut |_| {});
    });
}

#[test]
fn a_prompt_that_is_played() {
    let left = unwiped([&crate::signal(1), &crate::signal(2)], |signal| {
        let prompt = Prompt::from_samples(16_000, signal).unwrap();
        for codec in [Codec::G722, Codec::Pcmu] {
            prompt.prepare(codec).unwrap();
        }
        let mut playout = Box::new(Playout::new(PlayoutConfig {
            payload_type: TYPE,
            codec: Codec::Opus,
            ssrc: 1,
            comfort_silence: true,
            telephone_event: None,
        }));
        playout.play(PlayId(1), prompt, &mut |_| {});
        for _ in 0..20 {
            playout.frame(None, &mut |_, _| {}, &mut |_| {});
        }
    }); // Where its packets end, which whoever sees them on their way knows as well.
    let ends = 4 * (50 + 1);
    let left: Vec<_> = left.iter().filter(|(size, _)| *size != ends).collect();
    assert!(left.is_empty(), "freed unwiped: {left:?}");
}

/// Two legs in a call of some seconds, with live audio both ways; rings, slots, decoders,
/// detectors and the guard against echo are freed in the middle of it.
#[test]
fn legs_of_an_engine() {
    let prompts = [1, 2].map(|seed| Prompt::from_samples(16_000, &crate::signal(seed)).unwrap());
    let first = crate::signal(1);
    is_wiped(|signal| {
        let prompt = &prompts[usize::from(signal != first)];
        let (engine, mut stepper) = Engine::stepped(EngineConfig::default()).unwrap();
        let live = |ssrc| LegConfig {
            live: true,
            guard_echo: true,
            ..LegConfig::new(TYPE, ssrc)
        };
        let mut from = engine.open(live(1)).unwrap();
        let mut to = engine.open(live(2)).unwrap();
        let (mut voice, mut ears) = {
            let live = to.live.take().unwrap();
            (live.voice, live.ears)
        };
        ears.listen();
        from.app.play(Arc::clone(prompt)).unwrap();
        from.app.press(Digit::ALL[3], 100).unwrap();
        let begin = Instant::now();
        let (frames, _) = signal.as_chunks::<LIVE_FRAME>();
        for n in 0..400_u32 {
            let now = begin + Duration::from_micros(2_500) * n;
            stepper.tick(now);
            from.network.transmit(|header, payload| {
                if header.sequence % 10 != 3 {
                    to.network.receive(now, header, payload).unwrap();
                }
            });
            to.network.transmit(|header, payload| {
                from.network.receive(now, header, payload).unwrap();
            });
            if n % 8 == 0 {
                let frame = &frames[n as usize / 8 % frames.len()];
                let _ = voice.say_for(7, frame);
            }
            while from.app.event().is_some() || to.app.event().is_some() {}
        }
        drop((from, to, voice, ears));
        stepper.tick(begin + Duration::from_secs(2));
        drop((engine, stepper));
    });
}

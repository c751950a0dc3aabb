//! What is on its way to an engine or an agent, and what they say.

use std::time::{Duration, Instant};

use switchboard_media::engine::{Engine, EngineConfig, LIVE_FRAME};
use switchboard_nlp::adapter::{CallInfo, Playback, Protocol, Session, SessionConfig, acs, twilio};
use switchboard_nlp::wire::{self, Link, LinkConfig};
use switchboard_nlp::{
    Digits, Event, Features, Reply, SessionStart, SpeechFrame, Transcript, Transient,
};
use switchboard_transport::{Transport, TransportConfig};
use time::OffsetDateTime;

use crate::is_wiped;

fn samples(signal: &[f32]) -> Box<[i16]> {
    signal
        .iter()
        .map(|sample| (sample * 32_767.0) as i16)
        .collect()
}

/// The same as bytes. They are the caller's of the functions that are tested here, who wipes them.
fn bytes(signal: &[f32]) -> zeroize::Zeroizing<Vec<u8>> {
    let samples = zeroize::Zeroizing::new(samples(signal).into_vec());
    let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(2 * samples.len()));
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes
}

/// A text of as many letters for each signal.
fn words(signal: &[f32]) -> String {
    let letter = |sample: &f32| char::from(b'a' + (sample.to_bits() >> 3) as u8 % 26);
    signal.iter().take(200).map(letter).collect()
}

fn speech(signal: &[f32]) -> Event {
    Event::Speech(Transient::new(SpeechFrame {
        t_ms: 0,
        samples: samples(&signal[..320]),
    }))
}

fn features(signal: &[f32]) -> Event {
    Event::Features(Transient::new(Features {
        vector: signal[..80].into(),
        ..Features::default()
    }))
}

#[test]
fn what_is_transient() {
    is_wiped(|signal| {
        drop(features(signal));
        drop(speech(signal));
        drop(Digits::open(words(signal)));
        drop(Reply::Text(Transcript {
            text: Transient::new(words(signal)),
            is_final: true,
            confidence: None,
        }));
    });
}

/// An engine that gets some of what waits, and is gone; what it says is read.
#[test]
fn the_queue_to_an_engine() {
    is_wiped(|signal| {
        let now = Instant::now();
        let mut link = Link::new(now, LinkConfig::default(), 1);
        link.event(now, &Event::SessionStart(SessionStart::default()));
        link.connected(now);
        while link.poll_transmit().is_some() {}
        let ready = r#"{"type":"ready","version":1,"features":true,"audio":true}"#;
        assert!(link.received(now, ready).is_none());
        for piece in signal.chunks_exact(320).take(20) {
            link.event(now, &features(piece));
            link.event(now, &speech(piece));
            link.event(now, &Event::Digits(Digits::open(words(piece))));
        }
        for _ in 0..10 {
            assert!(link.poll_transmit().is_some(), "nothing waits");
        }
        let mut said = zeroize::Zeroizing::new(String::with_capacity(400));
        let words = zeroize::Zeroizing::new(words(signal));
        for part in [
            r#"{"type":"final","confidence":0.9,"text":""#,
            &words,
            "\"}",
        ] {
            said.push_str(part);
        }
        assert!(link.received(now, &said).is_some(), "it isn't understood");
        drop(wire::encode(&speech(signal), 1));
        link.disconnected(now);
    });
}

/// An agent that hears and talks, and is left in the middle of it.
#[test]
fn the_queues_of_an_agent() {
    for protocol in [
        Protocol::Acs {
            sample_rate: 16_000,
        },
        Protocol::Twilio,
    ] {
        is_wiped(|signal| {
            let now = Instant::now();
            let (began, info) = (OffsetDateTime::UNIX_EPOCH, CallInfo::default());
            let config = SessionConfig::default();
            let mut session = Session::new(now, began, protocol, info, config, 1);
            session.connected(now);
            let bytes = bytes(signal);
            for piece in bytes.chunks_exact(protocol.frame_size()).take(20) {
                session.heard(0, piece);
            }
            session.digit(now, '1');
            for _ in 0..10 {
                assert!(session.poll_transmit().is_some(), "nothing waits");
            }
            let said = acs::play(&bytes[..3_200]);
            session.received(now, &said);
            let mut frame = zeroize::Zeroizing::new(vec![0; protocol.frame_size()]);
            session.play(&mut frame);
        });
    }
}

#[test]
fn what_an_agent_says() {
    is_wiped(|signal| {
        let bytes = bytes(signal);
        let mut playback = Playback::new(64_000);
        let first = Transient::new(bytes[..1_600].to_vec());
        assert!(playback.push(first).is_ok());
        let second = Transient::new(bytes[1_600..4_800].to_vec());
        assert!(playback.push(second).is_ok());
        let mut frame = zeroize::Zeroizing::new(vec![0; 640]);
        playback.pull(&mut frame);
        let text = acs::play(&bytes[..640]);
        assert!(acs::from_application(&text).is_ok());
        drop(twilio::receive(&text));
    });
}

/// Audio that comes by a socket of somebody else's, as linear samples.
#[tokio::test]
async fn what_is_carried() {
    is_wiped(|signal| {
        let (engine, mut stepper) = Engine::stepped(EngineConfig::default()).unwrap();
        let live = TransportConfig {
            live: true,
            ..TransportConfig::default()
        };
        let (session, mut carrier) = Transport::new(engine, live).carried().unwrap();
        let begin = Instant::now();
        for (n, piece) in (0..).zip(signal.chunks_exact(LIVE_FRAME + 7).take(40)) {
            let now = begin + Duration::from_millis(20) * n;
            carrier.hear(now, piece);
            stepper.tick(now);
            carrier.say(|_| {});
        }
        drop((session, carrier));
        stepper.tick(begin + Duration::from_secs(2));
    });
}

//! Gateways that have no Opus: prompts, live audio and keys both ways in each codec, over
//! real ICE, DTLS and SRTP on loopback.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use switchboard_media::codec::Codec;
use switchboard_media::engine::{Engine, EngineConfig, LIVE_FRAME, LiveAudio, VoiceError};
use switchboard_media::event::{Digit, DigitSource, MediaEvent};
use switchboard_media::prompt::Prompt;
use switchboard_media::tone::{DtmfTone, dial};
use switchboard_transport::{Session, SessionEvent, Transport, TransportConfig, TransportError};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);

fn digit(key: char) -> Digit {
    Digit::from_char(key).unwrap()
}

/// A key as sound, and silence around it.
fn tone(key: char) -> Vec<f32> {
    let mut samples = vec![0.0; 3_200];
    samples.extend(dial(16_000, &key.to_string(), &DtmfTone::new(digit(key))));
    samples.extend([0.0; 3_200]);
    samples
}

async fn hears(session: &mut Session, key: char, by: DigitSource) {
    timeout(LIMIT, async {
        loop {
            let event = session.event().await.expect("the session ended early");
            if let SessionEvent::Media(MediaEvent::DigitEnd { digit, source, .. }) = event {
                assert_eq!((digit.as_char(), source), (key, by));
                return;
            }
        }
    })
    .await
    .expect("the key was not heard");
}

/// Says it at the pace it is taken.
async fn say(mut live: LiveAudio, samples: &[f32]) -> LiveAudio {
    for frame in samples.as_chunks::<LIVE_FRAME>().0 {
        while live.voice.say(frame) == Err(VoiceError::Full) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    live
}

fn transport(engine: &Engine, codecs: &'static [Codec]) -> Transport {
    let config = TransportConfig {
        codecs,
        ..TransportConfig::default()
    };
    Transport::new(engine.clone(), config).with_live()
}

#[tokio::test]
async fn calls_are_heard_both_ways_in_every_codec() {
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let site = Transport::new(engine.clone(), TransportConfig::default()).with_live();
    let codecs: [&[Codec]; 4] = [
        &[Codec::Opus],
        &[Codec::G722],
        &[Codec::Pcmu],
        &[Codec::Pcma],
    ];
    for codecs in codecs {
        let gateway = transport(&engine, codecs);
        let (offer, sdp) = gateway.offer().await.unwrap();
        let (mut bot, answer) = site.answer(&sdp).await.unwrap();
        let mut caller = offer.accept(&answer).await.unwrap();
        assert_eq!((bot.codec(), caller.codec()), (codecs[0], codecs[0]));
        for session in [&mut bot, &mut caller] {
            let event = timeout(LIMIT, session.event()).await.unwrap();
            assert_eq!(event, Some(SessionEvent::Connected));
        }
        let prompt = Prompt::from_samples(16_000, &tone('5')).unwrap();
        bot.play(prompt.clone()).unwrap();
        hears(&mut caller, '5', DigitSource::Inband).await;
        caller.play(prompt).unwrap();
        hears(&mut bot, '5', DigitSource::Inband).await;
        caller.press(digit('#'), 100).unwrap();
        hears(&mut bot, '#', DigitSource::Rtp).await;
        let live = bot.take_live().unwrap();
        let said = tone('9');
        let (_live, ()) = tokio::join!(
            say(live, &said),
            hears(&mut caller, '9', DigitSource::Inband)
        );
    }
}

#[tokio::test]
async fn a_site_that_takes_opus_alone_refuses_others() {
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let (_offer, sdp) = transport(&engine, &[Codec::Pcmu]).offer().await.unwrap();
    let refused = transport(&engine, &[Codec::Opus]).answer(&sdp).await;
    assert!(matches!(refused, Err(TransportError::Sdp(_))));
}

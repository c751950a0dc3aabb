//! The echo of what a session says: nobody's speech, where that was asked for.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_media::event::MediaEvent;
use switchboard_media::prompt::Prompt;
use switchboard_media::wav;
use switchboard_transport::{SessionEvent, Transport, TransportConfig};

/// Whether a prompt is taken for its hearer's speech by a session whose line gives back a
/// fifth of it.
async fn hears_itself(guard_echo: bool) -> bool {
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let config = TransportConfig {
        guard_echo,
        ..TransportConfig::default()
    };
    let transport = Transport::new(engine, config);
    let (mut session, mut carrier) = transport.carried().unwrap();
    carrier.connected();
    assert_eq!(session.event().await, Some(SessionEvent::Connected));
    let wav = wav::read(include_bytes!("../../../fixtures/speech/recorded-fr.wav"));
    let wav = wav.unwrap();
    let prompt = Prompt::from_samples(wav.rate, &wav.mono()[..24_000]);
    session.play(prompt.unwrap()).unwrap();
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let mut heard = false;
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let mut echo = Vec::new();
                carrier.say(|samples| echo.extend_from_slice(samples));
                echo.iter_mut().for_each(|sample| *sample *= 0.2);
                carrier.hear(Instant::now(), &echo);
            }
            event = session.event() => match event {
                Some(SessionEvent::Media(MediaEvent::SpeechStart { .. })) => heard = true,
                Some(SessionEvent::Media(MediaEvent::PlayFinished { .. })) => return heard,
                _ => {}
            },
        }
    }
}

#[tokio::test]
async fn its_own_echo_is_nobodys_speech_where_that_was_asked_for() {
    let (guarded, unguarded) = tokio::join!(hears_itself(true), hears_itself(false));
    assert_eq!((guarded, unguarded), (false, true));
}

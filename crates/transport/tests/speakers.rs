//! A conference's speakers, heard apart from the mix, over real sockets.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use switchboard_media::engine::{Engine, EngineConfig, LIVE_FRAME, LiveAudio};
use switchboard_media::event::MediaEvent;
use switchboard_transport::{Session, SessionEvent, Transport, TransportConfig};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(30);

fn transport(speakers: usize) -> Transport {
    let config = EngineConfig {
        workers: 1,
        ..EngineConfig::default()
    };
    let engine = Engine::start(config).unwrap();
    let config = TransportConfig {
        speakers,
        ..TransportConfig::default()
    };
    Transport::new(engine, config)
}

/// A conference that offers lines, and a bot that takes some.
async fn call(offered: &Transport, wanted: &Transport) -> (Session, Session) {
    let (offer, sdp) = offered.offer().await.unwrap();
    let (bot, answer) = wanted.answer(&sdp).await.unwrap();
    (offer.accept(&answer).await.unwrap(), bot)
}

/// Says a tone of this amplitude in the name of each source, one a line.
fn say(lines: &mut [LiveAudio], speakers: &[(u32, f32)]) {
    for (line, &(source, amplitude)) in lines.iter_mut().zip(speakers) {
        let tone = |n| amplitude * (n as f32 * 0.2).sin();
        let frame: [f32; LIVE_FRAME] = std::array::from_fn(tone);
        // What there is no room for yet is said in the next round.
        let _ = line.voice.say_for(source, &frame);
    }
}

/// The loudest level of each speaker, once all of `expected` were loud.
async fn loudest(
    bot: &mut Session,
    lines: &mut [LiveAudio],
    speakers: &[(u32, f32)],
) -> BTreeMap<u32, f32> {
    let mut loudest = BTreeMap::new();
    let heard = async {
        let mut round = tokio::time::interval(Duration::from_millis(20));
        let loud = |levels: &BTreeMap<u32, f32>, source| {
            levels.get(&source).is_some_and(|dbov| *dbov > -45.0)
        };
        while !speakers.iter().all(|(source, _)| loud(&loudest, *source)) {
            tokio::select! {
                _ = round.tick() => say(lines, speakers),
                event = bot.event() => match event.expect("the session ended early") {
                    SessionEvent::Speaker { source, event: MediaEvent::Level { dbov, .. } } => {
                        let level = loudest.entry(source).or_insert(dbov);
                        *level = level.max(dbov);
                    }
                    SessionEvent::Media(MediaEvent::Level { dbov, .. }) => {
                        assert!(dbov < -60.0, "a speaker was heard in the mix: {dbov}");
                    }
                    _ => {}
                },
            }
        }
    };
    timeout(LIMIT, heard).await.expect("not all were heard");
    loudest
}

#[tokio::test]
async fn speakers_are_heard_apart_and_lines_change_hands() {
    let transports = (transport(3), transport(2));
    let (mut cloud, mut bot) = call(&transports.0, &transports.1).await;
    assert_eq!((cloud.speakers(), bot.speakers()), (2, 2));
    let mut lines = cloud.take_speakers();
    assert_eq!((lines.len(), cloud.take_speakers().len()), (2, 0));
    assert_eq!(bot.take_speakers().len(), 0, "nobody asked for audio");

    let levels = loudest(&mut bot, &mut lines, &[(101, 0.3), (202, 0.03)]).await;
    assert!(levels[&101] > -20.0 && levels[&202] < -30.0, "{levels:?}");
    let levels = loudest(&mut bot, &mut lines, &[(303, 0.03), (202, 0.03)]).await;
    assert!(levels[&303] < -30.0, "{levels:?}");
}

#[tokio::test]
async fn whoever_wants_none_has_the_mix_alone() {
    for (offered, wanted) in [(4, 0), (0, 4)] {
        let transports = (transport(offered), transport(wanted));
        let (mut cloud, mut bot) = call(&transports.0, &transports.1).await;
        assert_eq!((cloud.speakers(), bot.speakers()), (0, 0));
        for session in [&mut cloud, &mut bot] {
            let connected =
                async { while session.event().await != Some(SessionEvent::Connected) {} };
            timeout(LIMIT, connected).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_answer_with_more_than_was_offered_is_refused() {
    let (cloud, bot) = (transport(1), transport(1));
    let (offer, sdp) = cloud.offer().await.unwrap();
    let (_bot, answer) = bot.answer(&sdp).await.unwrap();
    let (_, line) = answer.rsplit_once("m=audio").unwrap();
    let more = format!("{answer}m=audio{line}");
    let refused = offer.accept(&more).await.map(|_| ()).unwrap_err();
    assert!(
        refused.to_string().contains("than were offered"),
        "{refused}"
    );
}

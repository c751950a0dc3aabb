use std::collections::BTreeMap;

use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use acs::{FromApplication, FromService};
use twilio::{FromAgent, Stream, StreamInfo};

fn stream() -> Stream {
    Stream::new(StreamInfo {
        stream_sid: "MZ18ad3ab5a668481ce02b83e7395059f0".into(),
        call_sid: "CAbbb".into(),
        account_sid: "ACaaa".into(),
        custom_parameters: BTreeMap::from([("flow".into(), "frontdesk".into())]),
    })
}

#[test]
fn a_twilio_stream_looks_like_this() {
    let mut stream = stream();
    let messages = [
        stream.connected(),
        stream.start(),
        stream.media(5, &[0xFF, 0x7F, 0x00]),
        stream.media(25, &[0x80]),
        stream.dtmf('#'),
        stream.mark("my \"label\""),
        stream.stop(),
    ];
    insta::assert_snapshot!(
        messages
            .each_ref()
            .map(|message| message.as_str())
            .join("\n")
    );
}

#[test]
fn a_twilio_agent_is_understood() {
    let media = r#"{"event":"media","streamSid":"MZ1","media":{"payload":"\/38A"}}"#;
    assert!(matches!(
        twilio::receive(media),
        Ok(FromAgent::Media(audio)) if audio.with(|audio| audio[..] == [0xFF, 0x7F, 0x00])
    ));
    let mark = r#"{"event": "mark", "streamSid": "MZ1", "mark": {"name": "end"}}"#;
    assert!(matches!(twilio::receive(mark), Ok(FromAgent::Mark(name)) if name == "end"));
    assert!(matches!(
        twilio::receive(r#"{"event":"clear","streamSid":"MZ1"}"#),
        Ok(FromAgent::Clear)
    ));
    assert!(matches!(
        twilio::receive(r#"{"event":"future"}"#),
        Ok(FromAgent::Unknown)
    ));
    let wrong = [
        (r#"{"event":"media"}"#, StreamError::Field("media")),
        (
            r#"{"event":"media","media":{"payload":"*"}}"#,
            StreamError::Field("media.payload"),
        ),
        (r#"{"event":"mark"}"#, StreamError::Field("mark.name")),
        ("{\n}", StreamError::Json { line: 2, column: 1 }),
    ];
    for (text, expected) in wrong {
        assert_eq!(twilio::receive(text).err(), Some(expected), "{text}");
    }
}

#[test]
fn an_acs_stream_looks_like_this() {
    let metadata = acs::Metadata {
        subscription_id: "89e8cb59".into(),
        sample_rate: 16_000,
        length: Some(640),
    };
    let heard = datetime!(2026-11-24 19:16:12.925 UTC);
    let messages = [
        acs::metadata(&metadata),
        acs::audio(&[0, 1, 2, 3], heard, Some("8:acs:3d20"), false),
        acs::audio(&[0, 0], heard, None, true),
        acs::dtmf('3'),
        acs::play(&[0, 1]),
        acs::stop_audio(),
    ];
    insta::assert_snapshot!(
        messages
            .each_ref()
            .map(|message| message.as_str())
            .join("\n")
    );
    assert!(
        matches!(acs::from_service(&messages[0]), Ok(FromService::Metadata(read)) if read == metadata)
    );
    assert!(
        matches!(acs::from_service(&messages[1]), Ok(FromService::Audio(audio))
        if audio.data.with(|data| data[..] == [0, 1, 2, 3])
            && audio.participant.as_deref() == Some("8:acs:3d20")
            && audio.timestamp.as_deref() == Some("2026-11-24T19:16:12.925Z")
            && !audio.silent)
    );
    assert!(
        matches!(acs::from_service(&messages[3]), Ok(FromService::Dtmf(key)) if key.with(|key| key == "3"))
    );
    assert!(
        matches!(acs::from_application(&messages[4]), Ok(FromApplication::Audio(audio)) if audio.with(|audio| audio[..] == [0, 1]))
    );
    assert!(matches!(
        acs::from_application(&messages[5]),
        Ok(FromApplication::StopAudio)
    ));
}

/// Made by `createOutboundAudioData("AAE=")` and `createOutboundStopAudioData()` of
/// npm `@azure/communication-call-automation` 1.6.0.
const BY_MICROSOFT: [&str; 2] = [
    r#"{"kind":"audioData","audioData":{"data":"AAE=","isSilent":false},"stopAudio":{}}"#,
    r#"{"kind":"stopAudio","stopAudio":{}}"#,
];

#[test]
fn we_write_as_microsofts_library_does() {
    assert_eq!(
        [acs::play(&[0, 1]).as_str(), acs::stop_audio().as_str()],
        BY_MICROSOFT
    );
    // The .NET library's spelling.
    let upper = r#"{"Kind":"AudioData","AudioData":{"Data":"AAE="},"StopAudio":null}"#;
    assert!(matches!(
        acs::from_application(upper),
        Ok(FromApplication::Audio(_))
    ));
}

#[test]
fn audio_we_could_not_play_is_refused() {
    let metadata = |encoding: &str, rate: u32, channels: &str| {
        format!(
            r#"{{"kind":"AudioMetadata","audioMetadata":{{"subscriptionId":"s","encoding":"{encoding}","sampleRate":{rate},"channels":{channels}}}}}"#
        )
    };
    assert!(acs::from_service(&metadata("pcm", 24_000, "\"mono\"")).is_ok());
    let error = |text: &str| acs::from_service(text).err();
    assert_eq!(
        error(&metadata("opus", 16_000, "1")),
        Some(StreamError::Field("audioMetadata.encoding"))
    );
    assert_eq!(
        error(&metadata("PCM", 8_000, "1")),
        Some(StreamError::Field("audioMetadata.sampleRate"))
    );
    assert_eq!(
        error(&metadata("PCM", 16_000, "2")),
        Some(StreamError::Field("audioMetadata.channels"))
    );
    assert_eq!(
        error(r#"{"kind":"AudioData","audioData":{"data":"AAAA"}}"#),
        Some(StreamError::Field("audioData.data"))
    );
    assert!(matches!(
        acs::from_service(r#"{"kind":"TranscriptionData"}"#),
        Ok(FromService::Unknown)
    ));
}

#[test]
fn marks_come_back_when_their_audio_is_played_or_cleared() {
    let mut playback = Playback::new(10);
    let audio = |bytes: &[u8]| Transient::new(bytes.to_vec());
    assert!(playback.push(audio(&[1, 2, 3])).is_ok());
    playback.mark("one".into());
    assert!(playback.push(audio(&[4, 5])).is_ok());
    playback.mark("two".into());
    assert!(playback.push(audio(&[6; 6])).is_err(), "no room yet");
    let mut frame = [0; 4];
    assert_eq!(
        (playback.pull(&mut frame[..2]), playback.reached()),
        (2, None)
    );
    assert_eq!(playback.pull(&mut frame), 3);
    assert_eq!(frame[..3], [3, 4, 5]);
    assert_eq!(playback.reached().as_deref(), Some("one"));
    assert_eq!(playback.reached().as_deref(), Some("two"));
    assert!(playback.push(audio(&[6; 6])).is_ok());
    playback.mark("three".into());
    assert_eq!(playback.reached(), None);
    playback.clear();
    assert_eq!(
        (playback.reached().as_deref(), playback.queued()),
        (Some("three"), 0)
    );
    playback.mark("at once".into());
    assert_eq!(playback.reached().as_deref(), Some("at once"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text: String, kind in "[a-zA-Z]{0,12}", data: String) {
        let data = serde_json::to_string(&data).unwrap();
        let like = format!(r#"{{"event":"{kind}","kind":"{kind}","media":{{"payload":{data}}},"audioData":{{"data":{data}}}}}"#);
        for text in [text, like] {
            let _ = (twilio::receive(&text), acs::from_service(&text), acs::from_application(&text));
        }
    }

    #[test]
    fn audio_is_played_whole_and_in_order(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20),
        frame in 1usize..64,
    ) {
        let mut playback = Playback::new(100);
        let mut played = Vec::new();
        let mut marks = 0;
        let mut frame = vec![0; frame];
        for (index, chunk) in chunks.iter().enumerate() {
            let mut audio = Transient::new(chunk.clone());
            while let Err(refused) = playback.push(audio) {
                let filled = playback.pull(&mut frame);
                prop_assert!(filled > 0);
                played.extend_from_slice(&frame[..filled]);
                audio = refused;
            }
            prop_assert!(playback.mark(index.to_string()));
            prop_assert!(playback.queued() <= 100);
        }
        loop {
            let filled = playback.pull(&mut frame);
            played.extend_from_slice(&frame[..filled]);
            if filled == 0 { break }
        }
        while let Some(mark) = playback.reached() {
            prop_assert_eq!(mark, marks.to_string());
            marks += 1;
        }
        prop_assert_eq!(marks, chunks.len());
        prop_assert_eq!(played, chunks.concat());
    }
}

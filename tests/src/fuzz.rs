//! What must survive any bytes: one function a target, shared by the short runs
//! in `tests/tests/fuzz.rs` and the coverage-guided ones in `tests/fuzz/`.
//!
//! A target panics when something is wrong and returns otherwise; whether bytes
//! are accepted is no concern of it unless accepting them would be.

mod calls;
mod jitter;
mod links;

use std::time::{Duration, Instant, SystemTime};

use switchboard_bot::flow::{self, Flow};
use switchboard_bot::fuzzing;
use switchboard_emulator::scenario::Scenario;
use switchboard_media::analysis::{Analyzer, AnalyzerConfig};
use switchboard_media::dtmf::DtmfEvent;
use switchboard_media::event::MediaEvent;
use switchboard_media::receive::{Format, Formats, Receiver, ReceiverConfig};
use switchboard_media::rtp;
use switchboard_media::telephone_event::TelephoneEvents;
use switchboard_media::{ogg, pcap, wav};
use switchboard_nlp::adapter::{acs, twilio};
use switchboard_nlp::wire;
use switchboard_signaling::auth::{KeySet, TokenPolicy, TokenValidator};
use switchboard_signaling::notification;
use switchboard_transport::fuzzing::RtcpReports;
use switchboard_transport::{sdp, whip::MediaBlob};

/// A target's name and function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("rtp", rtp_packet),
    ("receiver", receiver),
    ("jitter_buffer", jitter::buffer),
    ("detectors", detectors),
    ("wav", wav_file),
    ("pcap", pcap_file),
    ("notification", notification_body),
    ("token", bearer_token),
    ("jwks", jwks),
    ("sdp", session_description),
    ("blob", media_blob),
    ("telephone_event", telephone_event),
    ("flow", flow_file),
    ("scenario", scenario_file),
    ("engine", engine_message),
    ("stream", stream_message),
    ("call", calls::machine),
    ("reminders", calls::reminders),
    ("rtcp", rtcp),
    ("ogg", ogg_file),
    ("conversation", calls::conversation),
    ("program", calls::program),
    ("engine_link", links::engine),
    ("agent_session", links::agent),
    ("graph_answer", links::answers),
    ("wav_stream", wav_stream),
    ("link", links::transport),
];

fn rtp_packet(bytes: &[u8]) {
    let Ok((header, payload)) = rtp::parse(bytes) else {
        return;
    };
    assert!(payload.len() + rtp::HEADER_LEN <= bytes.len());
    for id in 0..=15 {
        let found = rtp::extension(bytes, id);
        assert!(found.is_none_or(|element| element.len() <= bytes.len()));
    }
    // What was read is written the same, but for what the header leaves out.
    let mut written = [0; rtp::HEADER_LEN + 4];
    let len = header.write(&mut written).expect("there is room");
    let (again, empty) = rtp::parse(&written[..len]).expect("our own header is one");
    assert_eq!((again, empty), (header, &[][..]));
}

/// Reports of the other side, as they come out of SRTCP, and ours after each.
fn rtcp(bytes: &[u8]) {
    let now = Instant::now();
    let mut reports = RtcpReports::new(now);
    for (heard, piece) in (1..).zip(Pieces(bytes)) {
        let now = now + Duration::from_millis(heard * 700);
        let written = reports.exchange(now, piece);
        assert!(written.is_multiple_of(4), "RTCP is made of words");
    }
}

/// Telephone events alone (RFC 4733): a key ends after it begins, once.
fn telephone_event(bytes: &[u8]) {
    let mut events = TelephoneEvents::new();
    let mut pressed = 0_i32;
    let mut now_ms = 0;
    let mut count = |event: DtmfEvent| {
        pressed += match event {
            DtmfEvent::Start { .. } => 1,
            DtmfEvent::End { .. } => -1,
        };
        assert!((0..=1).contains(&pressed), "{pressed} keys at a time");
    };
    for piece in Pieces(bytes) {
        now_ms += u64::from(piece.first().copied().unwrap_or(0));
        events.tick(now_ms, &mut count);
        if let Ok((header, payload)) = rtp::parse(piece) {
            events.packet(now_ms, &header, 8_000, payload, &mut count);
        }
    }
    events.finish(&mut count);
    assert_eq!(pressed, 0, "a key is pressed for ever");
}

/// A flow that is accepted can be drawn, so all its names lead somewhere.
fn flow_file(bytes: &[u8]) {
    if let Ok(flow) = Flow::parse(&String::from_utf8_lossy(bytes)) {
        assert!(!flow::mermaid(&flow).is_empty());
    }
}

/// Speech that comes in pieces is the same in any, and no more than there are bytes for.
fn wav_stream(bytes: &[u8]) {
    let (whole, bytewise) = (
        fuzzing::wav_stream(bytes, bytes.len()),
        fuzzing::wav_stream(bytes, 1),
    );
    if let (Some(whole), Some(bytewise)) = (whole, bytewise) {
        assert_eq!(whole, bytewise);
        assert!(whole.1 <= bytes.len() / 2);
    }
}

/// However much a file promises, no more is made of it than was asked for.
fn ogg_file(bytes: &[u8]) {
    const MOST: usize = 48_000;
    if let Ok(samples) = ogg::read(bytes, MOST) {
        assert!(samples.len() <= MOST);
    }
}

fn scenario_file(bytes: &[u8]) {
    let mut no_audio = |_: &str| Err("there are no files here".to_owned());
    if let Ok(scenario) = Scenario::parse(&String::from_utf8_lossy(bytes), &mut no_audio) {
        let _ = scenario.name();
    }
}

/// What an engine says, and what it is sent.
fn engine_message(bytes: &[u8]) {
    // Errors repeat nothing of what was said.
    if let Err(error) = wire::decode(&String::from_utf8_lossy(bytes)) {
        assert!(error.to_string().len() < 400);
    }
    let _ = wire::decode_analysis(bytes);
}

/// Messages of other streaming protocols.
fn stream_message(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = (acs::from_service(&text), acs::from_application(&text));
    let _ = twilio::receive(&text);
}

/// Cuts bytes into pieces whose lengths they give themselves.
struct Pieces<'a>(&'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first()?;
        let (piece, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        self.0 = rest;
        Some(piece)
    }
}

fn formats() -> Formats {
    let event = |clock_rate| Format::TelephoneEvent { clock_rate };
    Formats::new()
        .with(111, Format::Opus)
        .and_then(|formats| formats.with(0, Format::Pcmu))
        .and_then(|formats| formats.with(8, Format::Pcma))
        .and_then(|formats| formats.with(9, Format::G722))
        .and_then(|formats| formats.with(101, event(8_000)))
        .and_then(|formats| formats.with(110, event(48_000)))
        .expect("the payload types differ")
}

fn receiver(bytes: &[u8]) {
    let config = ReceiverConfig {
        formats: formats(),
        analyzer: AnalyzerConfig::default(),
    };
    let mut receiver = Receiver::new(config).expect("libopus has memory");
    let mut now = Instant::now();
    let mut times = Times::default();
    for piece in Pieces(bytes) {
        now += Duration::from_millis(u64::from(piece.first().copied().unwrap_or(0)));
        if let Ok((header, payload)) = rtp::parse(piece) {
            receiver.push(now, &header, payload, &mut |event| times.check(event));
        }
        receiver.pull(now, &mut |event| times.check(event));
    }
    receiver.finish(now, &mut |event| times.check(event));
}

/// Spans end after they begin, and levels are levels.
#[derive(Default)]
struct Times {
    speaking: bool,
}

impl Times {
    fn check(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::SpeechStart { .. } => {
                assert!(!self.speaking, "speech begins within speech");
                self.speaking = true;
            }
            MediaEvent::SpeechEnd { start_ms, end_ms } => {
                assert!(start_ms <= end_ms && self.speaking);
                self.speaking = false;
            }
            MediaEvent::Vad { p, .. } => assert!((0.0..=1.0).contains(&p)),
            MediaEvent::Level { dbov, .. } => assert!((-127.0..=0.0).contains(&dbov), "{dbov}"),
            _ => {}
        }
    }
}

fn detectors(bytes: &[u8]) {
    let mut analyzer = Analyzer::new(AnalyzerConfig {
        vad_frames: true,
        level: true,
        ..AnalyzerConfig::default()
    });
    let mut times = Times::default();
    let samples = bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    let samples: Vec<f32> = samples.collect();
    // Over and over, so that a few bytes make whole frames.
    for _ in 0..1 + 2_000 / (samples.len() + 1) {
        analyzer.process(&samples, &mut |event| times.check(event));
    }
    analyzer.finish(&mut |event| times.check(event));
}

fn wav_file(bytes: &[u8]) {
    if let Ok(wav) = wav::read(bytes) {
        assert!(wav.rate > 0 && wav.channels > 0);
        assert_eq!(wav.samples.len(), wav.frames() * usize::from(wav.channels));
        assert!(wav.samples.iter().all(|sample| !sample.is_nan()));
        assert!(wav.frames() <= bytes.len());
    }
}

fn pcap_file(bytes: &[u8]) {
    let Ok(datagrams) = pcap::datagrams(bytes) else {
        return;
    };
    let held: usize = datagrams
        .iter()
        .map(|datagram| datagram.payload.len())
        .sum();
    assert!(held <= bytes.len());
    for stream in pcap::rtp_streams(&datagrams).iter().take(4) {
        // A capture can span days of silence; those are another test's.
        if stream.packets.len() < 100 {
            let replayed = stream.replay(AnalyzerConfig::default(), Instant::now(), &mut |_| {});
            assert!(replayed.is_ok());
        }
    }
}

fn notification_body(bytes: &[u8]) {
    if let Err(error) = notification::parse(bytes) {
        assert!(
            error.to_string().len() < 400,
            "an error text repeats the body"
        );
    }
}

/// Nobody has signed anything here: no bytes may be believed.
fn bearer_token(bytes: &[u8]) {
    let Ok(token) = std::str::from_utf8(bytes) else {
        return;
    };
    let policy = TokenPolicy::new("app").expect("the app id is not empty");
    let keys = KeySet::from_jwks(KEYS).expect("the key set is one");
    let validated = TokenValidator::new(policy).validate(token, &keys, SystemTime::now());
    assert!(validated.is_err(), "a token nobody signed was believed");
}

/// A public key whose private half is thrown away.
const KEYS: &[u8] = br#"{"keys":[{"kty":"RSA","use":"sig","kid":"k","alg":"RS256","e":"AQAB","n":"w9hqzLkMqVFGBpeuVexpwgrJd_ewEnWo2jh4fvQFnXIRQTRPpdKqSCNE-yjf4jGxUc9mOBL6tmR9gnB4vSHI1BhsSqt3j5wmIpKuGkIbCFRhNQnPoC3IE8HeHyUdXpGHTMtgVbIlcBnyvHCjHGUoHGb7Q-vLl8DJFXXxNKaWOxiSbRTQCcGNmUa-wvkkOsMZ2k9e0PhHwGZjEJLpJGyWoFWdIc3b-iXcPdoe8Jg_6zjGRYfWQV2p3A0UbbDOGAqOqvFIwQs8TFtQXgwXUqgtz4T8Y6v_UtU8q4LcBnM7vU2zBEtM9jrnZSSJ9cIvl3YKzPjFXvSVFQhNgqkrDpIgsQ"}]}"#;

fn jwks(bytes: &[u8]) {
    if let Ok(keys) = KeySet::from_jwks(bytes) {
        assert!(keys.len() <= bytes.len());
    }
}

fn session_description(bytes: &[u8]) {
    if let Ok(sdp) = std::str::from_utf8(bytes) {
        let _ = sdp::check_description(sdp);
        let _ = sdp::negotiated(sdp);
    }
}

fn media_blob(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Err(error) = MediaBlob::parse(text) {
        assert!(
            error.to_string().len() < 200,
            "an error text repeats the blob"
        );
    }
}

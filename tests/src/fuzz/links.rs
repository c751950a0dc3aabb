//! What the other ends of connections say: an engine, a voice agent, Graph.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use switchboard_nlp::adapter::{CallInfo, Protocol, Session, SessionConfig};
use switchboard_nlp::wire::{Command, Frame, Link, LinkConfig};
use switchboard_nlp::{Event, Features, SessionStart, Transient};
use switchboard_signaling::request::{self, participants, retry_after};
use switchboard_signaling::token::{TokenCache, read_token_response};
use switchboard_transport::fuzzing::Links;
use time::OffsetDateTime;
use url::Url;

use super::Pieces;

/// So many happenings make no more of it.
const MOST: usize = 200;
const MINUTE: Duration = Duration::from_secs(60);

/// An engine's connection, whatever is told, said and lost: an engine hears of the call
/// before anything else, health alternates, and a link that is left comes to its end.
pub(super) fn engine(bytes: &[u8]) {
    let mut now = Instant::now();
    let config = LinkConfig {
        analysis_queue: 3,
        control_queue: 4,
        ..LinkConfig::default()
    };
    let mut link = Link::new(now, config, 5);
    let (mut greeted, mut health) = (false, None);
    for piece in Pieces(bytes).take(MOST) {
        let (what, said) = piece.split_first().unwrap_or((&0, &[]));
        match what % 9 {
            0 => link.event(now, &Event::SpeechStart { t_ms: 0 }),
            1 => link.event(now, &Event::Features(Transient::new(Features::default()))),
            2 => link.event(now, &Event::SessionStart(SessionStart::default())),
            3 => link.connected(now),
            4 => link.disconnected(now),
            5 => link.pong(),
            6 => {
                now = link.poll_timeout().unwrap_or(now).max(now);
                link.timeout(now);
            }
            7 => greeted = sent(&mut link, greeted),
            _ => _ = link.received(now, &String::from_utf8_lossy(said)),
        }
        while let Some(command) = link.poll_command() {
            match command {
                Command::Connect | Command::Disconnect => greeted = false,
                Command::Health(told) => assert_ne!(health.replace(told), Some(told)),
            }
        }
    }
    link.event(now, &Event::SessionEnd);
    link.timeout(now + MINUTE);
    assert!(link.is_closed() && link.poll_timeout().is_none());
}

/// The two ends of a call over a network that loses and changes what it likes, and strangers who
/// send what they like: ends that have met stay together through what strangers send.
pub(super) fn transport(bytes: &[u8]) {
    let mut pieces = Pieces(bytes).take(MOST);
    let Some(mut call) = Links::new(Instant::now()) else {
        return;
    };
    let script = pieces.next().unwrap_or_default();
    let mut done = script.iter().copied();
    // Each datagram has a byte of the script; what comes after it is carried well.
    call.pass(Duration::from_secs(4), &mut |datagram| {
        match (done.next().unwrap_or(u8::MAX), datagram.len()) {
            (0..32, _) => return false,
            (at @ 32..64, length) => datagram[usize::from(at) * 37 % length] ^= at,
            (at @ 64..80, length) => datagram.truncate(usize::from(at) * 41 % length),
            _ => {}
        }
        true
    });
    let met = call.are_connected();
    assert!(
        met || !script.is_empty(),
        "a network that carries all brings them together"
    );
    let mut all_strangers = true;
    for piece in pieces {
        let (how, said) = piece.split_first().unwrap_or((&0, &[]));
        let stranger = how & 1 == 0;
        all_strangers &= stranger;
        call.give(usize::from(how >> 1), stranger, said);
        call.pass(Duration::from_millis(5), &mut |_| true);
    }
    assert!(!(met && all_strangers) || call.are_connected());
}

/// Takes what is to be sent; whether the engine has been greeted by then.
fn sent(link: &mut Link, mut greeted: bool) -> bool {
    while let Some(frame) = link.poll_transmit() {
        if matches!(frame, Frame::Ping) {
            continue;
        }
        let start = frame
            .payload()
            .windows(15)
            .any(|part| part == b"\"session_start\"");
        assert!(greeted || start, "something came before the start");
        greeted = true;
    }
    greeted
}

/// A voice agent's: no more is played than there is room for, and when the call has left it
/// is over. The first byte says whose protocol it is.
pub(super) fn agent(bytes: &[u8]) {
    let (kind, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let protocol = match kind % 3 {
        0 => Protocol::Twilio,
        1 => Protocol::Acs {
            sample_rate: 16_000,
        },
        _ => Protocol::Acs {
            sample_rate: 24_000,
        },
    };
    let mut now = Instant::now();
    let (info, config) = (CallInfo::default(), SessionConfig::default());
    let began = OffsetDateTime::UNIX_EPOCH;
    let mut session = Session::new(now, began, protocol, info, config, 7);
    for piece in Pieces(bytes).take(MOST) {
        let (what, said) = piece.split_first().unwrap_or((&0, &[]));
        let mut frame = [0; 160];
        match what % 12 {
            0 => session.heard(0, said),
            1 => session.digit(now, char::from(said.first().copied().unwrap_or(b'#'))),
            2 => assert!(session.play(&mut frame) <= frame.len()),
            3 => _ = session.poll_mark().map(|mark| session.played(now, mark)),
            4 => session.connected(now),
            5 => session.disconnected(now),
            6 => session.pong(),
            7 => {
                now = session.poll_timeout().unwrap_or(now).max(now);
                session.timeout(now);
            }
            8 => while session.poll_transmit().is_some() {},
            9 if said.is_empty() => session.finished(),
            _ => session.received(now, &String::from_utf8_lossy(said)),
        }
        while session.poll_command().is_some() {}
    }
    session.leave(now);
    session.timeout(now + MINUTE);
    assert!(session.is_over() && session.poll_timeout().is_none());
}

/// What Graph and its identity service answer. The first two bytes are the status, the third
/// how much of the rest is a header.
pub(super) fn answers(bytes: &[u8]) {
    let Some(([high, low, length], rest)) = bytes
        .split_first_chunk::<3>()
        .map(|(head, rest)| (*head, rest))
    else {
        return;
    };
    let status = StatusCode::from_u16(100 + u16::from_be_bytes([high, low]) % 500);
    let status = status.expect("from 100 to 599 there are only statuses");
    let (header, body) = rest.split_at(usize::from(length).min(rest.len()));
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(header) {
        headers.insert(RETRY_AFTER, value.clone());
        headers.insert("request-id", value);
    }
    let wait = retry_after(&headers, std::time::SystemTime::UNIX_EPOCH);
    let call = "57dab8b1-894c-409a-b240-bd8beae78896"
        .parse()
        .expect("an id");
    if let Err(error) = request::get_call(&call).interpret(status, &headers, body, wait) {
        // It goes to logs: as much as a person reads.
        assert!(error.to_string().len() < 2_000);
    }
    let base: Url = "https://graph.microsoft.com/v1.0".parse().expect("a URL");
    let list = participants::list(&call);
    if let Ok(page) = list.interpret(status, &headers, body, wait)
        && let Ok(Some(next)) = list.next_page(&page, &base)
    {
        assert!(next.path.starts_with('/'), "a page elsewhere");
    }
    if let Ok(grant) = read_token_response(status, body) {
        let now = Instant::now();
        let mut cache = TokenCache::default();
        cache.store(grant, now);
        cache.look(now + MINUTE);
    }
}
